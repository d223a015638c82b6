"""`emo3d release` on a clone of this repository, against a Hub on loopback; refusals and bad packages one by one."""

import dataclasses
import pickle
import shutil
import subprocess
import sys
import threading
import zipfile
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from publishing.release import Release, build, check, inspect, read_version, try_wheel, upload

from hub import TOKEN, Hub

ROOT = Path(__file__).resolve().parents[2]
AUTHOR = ["-c", "user.name=A", "-c", "user.email=a@example.org"]


def git(folder, *arguments):
    command = ["git", "-C", str(folder), *AUTHOR, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def clone(folder):
    git(ROOT, "clone", "--quiet", str(ROOT), str(folder))
    return folder


def planned(root, **changes):
    made = Release(read_version(root), git(root, "rev-parse", "HEAD"), "me", quick=True)
    return dataclasses.replace(made, **changes)


def test_the_version_is_in_one_place():
    assert "version = attr: emo3d.__version__" in (ROOT / "setup.cfg").read_text()
    shown = subprocess.run([sys.executable, "-m", "emo3d", "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == f"emo3d {read_version(ROOT)}"


@pytest.mark.parametrize(
    ("changelog", "index", "expected"),
    [
        ("# Changelog\n\n## 0.0.9\n\n- New.\n", None, "write a section `## "),
        ("# Changelog\n\n## {version}\n\n## 0.0.9\n\n- New.\n", None, "write a section `## "),
        ("# Changelog\n\n## {version}1\n\n- New.\n", None, "write a section `## "),
        ("# Changelog\n\n## {version} (unreleased)\n\n- New.\n", "pypi", "calls {version} unreleased"),
        ("# Changelog\n\n## {version} (unreleased)\n\n- New.\n", None, "token: none"),  # all else is in order
        ("# Changelog\n\n## {version} (2026-01-01)\n\n- New.\n", "pypi", "token: none"),
    ],
)
def test_a_changelog_that_is_not_ready(tmp_path, monkeypatch, changelog, index, expected):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    root = clone(tmp_path / "clone")
    version = read_version(root)
    (root / "CHANGELOG.md").write_text(changelog.format(version=version))
    git(root, "commit", "--quiet", "--allow-empty", "--all", "--message", "changes")
    with pytest.raises(ValueError, match=expected.format(version=version)):
        check(root, planned(root, index=index))


def test_files_and_tags_that_are_not_ready(tmp_path):
    root = clone(tmp_path / "clone")
    with pytest.raises(ValueError, match=r"the clone has 9\.9: install the clone first"):
        check(root, planned(root, version="9.9"))
    with pytest.raises(ValueError, match="give them as TWINE_USERNAME and TWINE_PASSWORD"):
        check(root, planned(root, index="https://me:word@example.org/legacy/"))
    with pytest.raises(ValueError, match="expected a clone of emo3d's repository in"):
        read_version(tmp_path)
    git(root, "tag", "--force", f"v{read_version(root)}")
    git(root, "commit", "--quiet", "--allow-empty", "--message", "later")
    with pytest.raises(ValueError, match=r"tag v.* is on another commit: raise __version__"):
        check(root, planned(root))
    (root / "notes.txt").write_text("")
    with pytest.raises(ValueError, match=r"commit or remove notes\.txt"):
        check(root, planned(root))


# --- packages -------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A clone, and the folder with the packages that were built of it."""
    root, folder = clone(tmp_path_factory.mktemp("built") / "clone"), tmp_path_factory.mktemp("release")
    (root / "src" / "emo3d" / "not_committed.py").write_text("")
    build(root, folder)
    return root, folder


def tampered(folder, to, more=(), without=()):
    """The packages, with other files in the wheel."""
    shutil.copytree(folder / "dist", to / "dist")
    wheel = next((to / "dist").glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        files = {name: archive.read(name) for name in archive.namelist() if name not in without} | dict(more)
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return wheel


def test_good_packages(built):
    root, folder = built
    inspect(root, folder / "dist")


CARD, PAGE = "emo3d/assets/dataset_card.md", "emo3d/assets/page.html.jinja"  # a link in the repository, and a file


@pytest.mark.parametrize(
    ("more", "without", "expected"),
    [
        ({}, [CARD], rf"lacks {CARD}"),
        ({}, [PAGE], rf"lacks {PAGE}"),
        ({"emo3d/.env": b"KEY=1"}, [], r"holds the uncommitted emo3d/\.env"),
        ({PAGE: bytes(5_000_001)}, [], r"page.html.jinja of 5,000,001 bytes, expected 5,000,000 at most"),
        ({PAGE: pickle.dumps({"a": 1})}, [], r"page.html.jinja, which looks like a pickle"),
    ],
)
def test_bad_packages(built, tmp_path, more, without, expected):
    root, folder = built
    tampered(folder, tmp_path, more, without)
    with pytest.raises(ValueError, match=expected):
        inspect(root, tmp_path / "dist")


def test_a_wheel_that_does_not_score(built, tmp_path):
    root, folder = built
    wheel = tampered(folder, tmp_path, {"emo3d/assets/emo3d_score.py": b"raise ImportError('no such metric')\n"})
    with pytest.raises(ValueError, match=r"try failed \(.*no such metric.*try\.log"):
        try_wheel(wheel, planned(root), tmp_path)


# --- from the version to the Spaces ---------------------------------------------------------------------------------
class Index(BaseHTTPRequestHandler):
    """Keeps what twine posts, of the form of a package index."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posted.append((self.headers["Authorization"], body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def test_packages_go_to_an_index(built, monkeypatch):
    _, folder = built
    monkeypatch.setenv("TWINE_USERNAME", "__token__")
    monkeypatch.setenv("TWINE_PASSWORD", "planted-secret")
    with ThreadingHTTPServer(("127.0.0.1", 0), Index) as server:
        server.posted = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        upload(f"http://127.0.0.1:{server.server_port}/legacy/", folder)
        server.shutdown()
    assert {right for right, _ in server.posted} == {f"Basic {b64encode(b'__token__:planted-secret').decode()}"}
    sizes = [len(body) - path.stat().st_size for (_, body), path in zip(server.posted, packages(folder), strict=True)]
    assert all(0 < rest < 40_000 for rest in sizes)  # the README goes as a field of its own
    assert "planted-secret" not in (folder / "package.log").read_text()


def packages(folder):
    """As twine sorts them: wheels first."""
    return [*(folder / "dist").glob("*.whl"), *(folder / "dist").glob("*.tar.gz")]


def test_a_release_stops_and_goes_on(tmp_path):
    root = clone(tmp_path / "clone")

    def release():
        command = [sys.executable, "-m", "emo3d", "release", "--namespace", "me", "--quick", "--root", str(root)]
        environment = hub.environment(tmp_path / "home") | {"COLUMNS": "500"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, cwd=tmp_path)

    with Hub() as hub:
        hub.fail("POST /api/spaces/me/emo3d_score/commit", status=403, times=99)
        stopped = release()
        assert stopped.returncode == 2
        assert "\nerror: the token may not write to me/emo3d_score" in stopped.stderr
        assert stopped.stdout.split() == [
            *"build ... inspect ... try ... package ... models ... dataset ... metric ...".split()
        ]
        hub.mend()
        hub.requests.clear()
        (wheel,) = (root / "runs" / "release").glob("*/dist/*.whl")
        built = wheel.stat().st_mtime_ns
        gone_on = release()
        assert gone_on.returncode == 0, gone_on.stderr
        assert "dataset: done before\nmetric ...\ndemo ...\nreleased emo3d-" in gone_on.stdout
        assert wheel.stat().st_mtime_ns == built
        asked = {path for _, path, _ in hub.requests}
        assert not [path for path in asked if "/datasets/me/" in path or "/models/me/" in path]

        published = {id: (r.branches["main"].oid, *r.tags) for (_, id), r in hub._repositories.items()}
        tag = f"v{read_version(root)}"
        names = ["emo3d", "emo3d-demo", "emo3d-quickstart-backbone", "emo3d-quickstart-generator", "emo3d_score"]
        assert sorted(published) == [f"me/{name}" for name in names]
        assert all(tag in tags for _, *tags in published.values())
        again = [sys.executable, "-m", "emo3d", "publish", "--namespace", "me", "--yes"]  # builds the wheel anew
        environment = hub.environment(tmp_path / "other-home")
        done = subprocess.run(again, env=environment, capture_output=True, text=True, timeout=120, cwd=root)
        assert "everything is published already" in done.stdout
        assert {id: (r.branches["main"].oid, *r.tags) for (_, id), r in hub._repositories.items()} == published
    for log in (stopped.stdout, stopped.stderr, gone_on.stdout):
        assert TOKEN not in log
    assert not [path for path in (root / "runs").rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
