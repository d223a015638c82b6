"""The Hub on loopback, through the real clients in processes of their own: what they push is what they get."""

import hashlib
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from hanging import HANGS
from hub import Hub

HELLO = "ce013625030ba8dba906f756967f9e9ca394464a"  # echo hello | git hash-object --stdin
START = """
import json, sys
from huggingface_hub import *
from huggingface_hub.errors import HfHubHTTPError
api, found = HfApi(), {}
"""
CARD = "---\nlicense: mit\npipeline_tag: text-to-expression\n---\n# A card\n"


@pytest.fixture
def hub():
    with Hub() as hub:
        yield hub


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "folder"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "hello.txt").write_text("hello\n")
    (folder / "deep" / "er" / "é b.json").write_text("{}")
    (folder / "README.md").write_text(CARD)
    return folder


def process(hub, home, *command, **variables):
    environment = hub.environment(home) | variables
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=HANGS, check=False)


def client(hub, home, code, *arguments, **variables):
    """Run code that fills `found` in a fresh process; what it found."""
    code = f"{START}{code}\nprint('FOUND', json.dumps(found))"
    done = process(hub, home, sys.executable, "-c", code, *map(str, arguments), **variables)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.rpartition("FOUND ")[2])


def hf(hub, home, *arguments):
    code = "from huggingface_hub.cli.hf import main; main()"
    done = process(hub, home, sys.executable, "-c", code, *map(str, arguments), NO_COLOR="1")
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def contents(folder):
    files = [path for path in Path(folder).rglob("*") if path.is_file() and ".cache" not in path.parts]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def asked(hub, method, part):
    return [path for verb, path, _ in hub.requests if verb == method and part in path]


UPLOAD = """
found["name"] = api.whoami()["name"]
found["url"] = str(api.create_repo("me/m"))
try:
    api.create_repo("me/m")
except HfHubHTTPError as error:
    found["again"] = error.response.status_code
api.create_repo("me/m", exist_ok=True)
found["commits"] = [api.upload_folder(repo_id="me/m", folder_path=sys.argv[1]).oid for _ in range(2)]
"""
DOWNLOAD = """
found["folder"] = snapshot_download("me/m", revision=sys.argv[1] if sys.argv[1:] else None)
info = api.model_info("me/m", files_metadata=True)
found["info"] = [info.sha, info.private, info.pipeline_tag, info.card_data and info.card_data.license]
found["files"] = {s.rfilename: [s.size, s.blob_id, s.lfs and s.lfs.sha256] for s in info.siblings}
"""


def test_a_folder_comes_back_as_it_was(hub, folder, tmp_path):
    large = np.random.default_rng(0).bytes(20_000_000)
    (folder / "large.bin").write_bytes(large)
    (folder / "small.safetensors").write_bytes(b"0")
    pushed = client(hub, tmp_path / "one", UPLOAD, folder)
    assert (pushed["name"], pushed["url"], pushed["again"]) == ("me", f"{hub.url}/me/m", 409)
    assert pushed["commits"][0] == pushed["commits"][1]
    assert len(asked(hub, "POST", "/commit/")) == 1  # the second upload_folder had nothing to commit
    assert len(asked(hub, "PUT", "/lfs/")) == 2
    pulled = client(hub, tmp_path / "two", DOWNLOAD)
    downloaded = contents(pulled["folder"])
    assert b"*.safetensors filter=lfs" in downloaded.pop(".gitattributes")
    assert downloaded == contents(folder)
    assert pulled["info"] == [pushed["commits"][0], False, "text-to-expression", "mit"]
    assert pulled["files"]["hello.txt"] == [6, HELLO, None]
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{hashlib.sha256(large).hexdigest()}\n"
    pointer += "size 20000000\n"
    blob = hashlib.sha1(f"blob {len(pointer)}\0{pointer}".encode()).hexdigest()
    assert pulled["files"]["large.bin"] == [20_000_000, blob, hashlib.sha256(large).hexdigest()]


def test_branches_tags_and_revisions(hub, folder, tmp_path):
    first = client(hub, tmp_path / "one", UPLOAD, folder)["commits"][0]
    hf(hub, tmp_path / "one", "repos", "tag", "create", "me/m", "v1.0")
    hf(hub, tmp_path / "one", "repos", "branch", "create", "me/m", "try/this", "--revision", "v1.0")
    second = client(
        hub,
        tmp_path / "one",
        """
api.upload_file(path_or_fileobj=b"new", path_in_repo="hello.txt", repo_id="me/m", revision="try/this")
api.delete_folder("deep", "me/m")
api.upload_file(path_or_fileobj=b"{}", path_in_repo="deep/x.json", repo_id="me/m", revision="main")
api.delete_file("deep/x.json", "me/m")
api.upload_file(path_or_fileobj=b"{}", path_in_repo="deep/x.json", repo_id="me/m", revision="try/this")
refs = api.list_repo_refs("me/m")
found["branches"] = {ref.name: ref.target_commit for ref in refs.branches}
found["tags"] = {ref.ref: ref.target_commit for ref in refs.tags}
found["commits"] = [commit.title for commit in api.list_repo_commits("me/m", revision="try/this")]
try:
    api.delete_file("deep", "me/m", revision="try/this")
except HfHubHTTPError as error:
    found["a folder is no file"] = error.response.status_code
""",
    )
    assert second["tags"] == {"refs/tags/v1.0": first}
    assert set(second["branches"]) == {"main", "try/this"}
    assert first not in second["branches"].values()
    assert second["a folder is no file"] == 404
    assert second["commits"][2:] == ["Upload folder using huggingface_hub", "initial commit"]
    new = second["branches"]["try/this"]
    for revision, hello, deep in (
        ("v1.0", b"hello\n", True),
        (first[:9], b"hello\n", True),
        ("try/this", b"new", True),
        (new, b"new", True),
        ("main", b"hello\n", False),
    ):
        got = contents(client(hub, tmp_path / revision, DOWNLOAD, revision)["folder"])
        assert (got["hello.txt"], "deep/er/é b.json" in got) == (hello, deep)
    assert "v1.0" in hf(hub, tmp_path / "one", "repos", "tag", "list", "me/m")
    hf(hub, tmp_path / "one", "repos", "tag", "delete", "me/m", "v1.0", "-y")
    hf(hub, tmp_path / "one", "repos", "branch", "delete", "me/m", "try/this")
    left = client(
        hub,
        tmp_path / "one",
        """
refs = api.list_repo_refs("me/m")
found["refs"] = [ref.name for ref in [*refs.branches, *refs.tags]]
for word, ask in {
    "branch": lambda: snapshot_download("me/m", revision="try/this"),
    "main": lambda: api.delete_branch("me/m", branch="main"),
    "twice": lambda: [api.create_tag("me/m", tag="t") for _ in range(2)],
    "file": lambda: hf_hub_download("me/m", "no.txt"),
    "repo": lambda: api.model_info("me/none"),
}.items():
    try:
        ask()
    except HfHubHTTPError as error:
        found[word] = [type(error).__name__, error.response.status_code]
""",
    )
    assert left == {
        "refs": ["main"],
        "branch": ["RevisionNotFoundError", 404],
        "main": ["HfHubHTTPError", 403],
        "twice": ["HfHubHTTPError", 409],
        "file": ["RemoteEntryNotFoundError", 404],
        "repo": ["RepositoryNotFoundError", 404],
    }


def test_a_dataset_is_pushed_and_loaded(hub, tmp_path):
    push = """
from datasets import Dataset
for revision, rows in (("main", 3), ("later", 5)):
    for split in ("train", "test"):
        rows += 1
        data = Dataset.from_dict({"n": list(range(rows)), "text": ["e"] * rows})
        data.push_to_hub("me/d", "numbers", split=split, revision=revision, private=True)
"""
    load = """
from datasets import load_dataset
for revision in ("main", "later"):
    loaded = load_dataset("me/d", "numbers", revision=revision)
    streamed = load_dataset("me/d", "numbers", revision=revision, split="test", streaming=True)
    found[revision] = [{split: rows["n"][:] for split, rows in loaded.items()}, [row["n"] for row in streamed]]
info = api.dataset_info("me/d")
found["info"] = [info.private, info.card_data["configs"][0]["config_name"]]
"""
    client(hub, tmp_path / "one", push)
    found = client(hub, tmp_path / "two", load)
    for revision, rows in (("main", 4), ("later", 6)):
        train, test = list(range(rows)), list(range(rows + 1))
        assert found[revision] == [{"train": train, "test": test}, test]
    assert found["info"] == [True, "numbers"]


def test_private_repositories_and_deleted_ones(hub, folder, tmp_path):
    asking = """
def status(ask):
    try:
        return ask() and 200
    except HfHubHTTPError as error:
        return [type(error).__name__, error.response.status_code]
"""
    found = client(
        hub,
        tmp_path / "one",
        f"""{asking}
api.create_repo("me/m", private=True)
api.upload_folder(repo_id="me/m", folder_path=sys.argv[1])
nobody = HfApi(token=False)
found["mine"] = api.model_info("me/m").private
found["read"] = status(lambda: nobody.model_info("me/m"))
found["right"] = status(lambda: nobody.auth_check("me/m"))
found["file"] = status(lambda: nobody.hf_hub_download("me/m", "hello.txt"))
api.update_repo_settings("me/m", private=False)
nobody.auth_check("me/m")
found["opened"] = status(lambda: nobody.hf_hub_download("me/m", "hello.txt"))
found["write"] = status(lambda: nobody.upload_file(path_or_fileobj=b"1", path_in_repo="1", repo_id="me/m"))
found["create"] = status(lambda: nobody.create_repo("me/other"))
found["whoami"] = status(lambda: HfApi(token="hf_wrong").whoami())
api.delete_repo("me/m")
found["deleted"] = status(lambda: api.model_info("me/m"))
found["gone"] = status(lambda: api.delete_repo("me/m"))
found["same name"] = status(lambda: api.create_repo("me/m", repo_type="dataset"))
found["empty"] = api.list_repo_files("me/m", repo_type="dataset")
""",
        folder,
    )
    assert found == {
        "mine": True,
        "read": ["RepositoryNotFoundError", 401],
        "right": ["RepositoryNotFoundError", 401],
        "file": ["RepositoryNotFoundError", 401],
        "opened": 200,
        "write": ["HfHubHTTPError", 401],
        "create": ["HfHubHTTPError", 401],
        "whoami": ["HfHubHTTPError", 401],
        "deleted": ["RepositoryNotFoundError", 404],
        "gone": ["RepositoryNotFoundError", 404],
        "same name": 200,
        "empty": [".gitattributes"],
    }


def test_spaces_and_their_cards(hub, tmp_path):
    found = client(
        hub,
        tmp_path,
        """
def put(text):
    return api.upload_file(path_or_fileobj=text.encode(), path_in_repo="README.md", repo_id="me/s", repo_type="space")
api.create_repo("me/s", repo_type="space", space_sdk="gradio")
found["pushed"] = [put("# No metadata").repo_url.repo_id, put("# None").repo_url.repo_type]
found["created"] = api.space_info("me/s").sdk
put("---\\nsdk: static\\ntitle: T\\ndate: 2026-01-01\\n---\\n")
found["card"] = [api.space_info("me/s").sdk, api.space_info("me/s").card_data.title]
for text in ("---\\nsdk: [\\n---\\n", "---\\nwords\\n---\\n"):
    try:
        put(text)
    except ValueError as error:
        found[text] = str(error).splitlines()[0]
""",
    )
    assert found.pop("pushed") == ["me/s", "space"]
    assert found.pop("created") == "gradio"
    assert found.pop("card") == ["static", "T"]
    assert list(found.values()) == ["Invalid metadata in README.md."] * 2


def test_a_commit_on_what_has_moved_is_refused(hub, folder, tmp_path):
    found = client(
        hub,
        tmp_path,
        f"""{UPLOAD}
def put(text, parent):
    return api.upload_file(
        path_or_fileobj=text, path_in_repo="x", repo_id="me/m", parent_commit=parent, commit_message="x"
    ).oid
put(b"1", found["commits"][0])
try:
    put(b"2", found["commits"][0])
except HfHubHTTPError as error:
    found["status"] = error.response.status_code
found["x"] = open(hf_hub_download("me/m", "x")).read()
""",
        folder,
    )
    assert (found["status"], found["x"]) == (412, "1")


def test_long_lists_come_in_pages(hub, tmp_path):
    found = client(
        hub,
        tmp_path,
        """
api.create_repo("me/m")
names = [f"{n % 3}/{n:04}" for n in range(1100)]
api.create_commit("me/m", [CommitOperationAdd(name, name.encode()) for name in names], commit_message="all")
api.upload_file(path_or_fileobj=b"new", path_in_repo="0/0000", repo_id="me/m", commit_message="one")
api.create_branch("me/m", branch="long/one")
tree = list(api.list_repo_tree("me/m", recursive=True, revision="long/one"))
found["files"] = sorted(item.path for item in tree if isinstance(item, RepoFile)) == sorted([".gitattributes", *names])
found["top"] = [item.path for item in api.list_repo_tree("me/m")]
inside = api.list_repo_tree("me/m", "0", expand=True)
found["last"] = {item.path: item.last_commit.title for item in inside if item.path < "0/0006"}
found["info"] = [type(item).__name__ for item in api.get_paths_info("me/m", ["0", "0/0000", "none"], expand=True)]
for n in range(60):
    api.upload_file(path_or_fileobj=str(n).encode(), path_in_repo="n", repo_id="me/m", commit_message=str(n))
found["commits"] = len(api.list_repo_commits("me/m"))
""",
    )
    assert found["files"]
    assert found["top"] == [".gitattributes", "0", "1", "2"]
    assert found["last"] == {"0/0000": "one", "0/0003": "all"}
    assert sorted(found["info"]) == ["RepoFile", "RepoFolder"]
    assert found["commits"] == 63


def test_eight_writers_at_once(hub, tmp_path):
    """Four processes of two threads commit to one branch, each a file of its own and one large file that all share."""
    code = """
from concurrent.futures import ThreadPoolExecutor
def put(n):
    name = f"{sys.argv[1]}-{n}"
    additions = [CommitOperationAdd(f"{name}.txt", name.encode()), CommitOperationAdd(f"{name}.bin", b"1" * 5_000_000)]
    api.create_commit("me/m", additions, commit_message=name)
with ThreadPoolExecutor(2) as pool:
    list(pool.map(put, range(2)))
"""
    client(hub, tmp_path / "home", "api.create_repo('me/m')")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: client(hub, tmp_path / "home", code, n), range(4)))
    pulled = client(
        hub, tmp_path / "home", DOWNLOAD + "found['commits'] = [c.title for c in api.list_repo_commits('me/m')]"
    )
    names = sorted(f"{process}-{n}" for process in range(4) for n in range(2))
    assert sorted(pulled["commits"]) == sorted([*names, "initial commit"])
    got = contents(pulled["folder"])
    assert {name: got[f"{name}.txt"].decode() for name in names} == {name: name for name in names}
    assert {got[f"{name}.bin"] for name in names} == {b"1" * 5_000_000}


def test_folders_are_served_and_never_written(folder, tmp_path):
    (folder / "w.safetensors").write_bytes(b"weights")
    before = contents(folder)
    with Hub({("me/m", "main"): folder, ("me/m", "script"): folder / "deep", ("datasets/me/m", "main"): folder}) as hub:
        found = client(hub, tmp_path / "home", UPLOAD.replace('str(api.create_repo("me/m"))', "1"), folder)
        assert asked(hub, "POST", "/commit/") == []
        client(
            hub,
            tmp_path / "home",
            "api.upload_file(path_or_fileobj=b'2', path_in_repo='hello.txt', repo_id='me/m')",
        )
        pulled = client(hub, tmp_path / "home", DOWNLOAD)
        script = client(hub, tmp_path / "home", DOWNLOAD, "script")
    assert found["again"] == 409
    assert contents(pulled["folder"]) == before | {"hello.txt": b"2"}
    assert list(contents(script["folder"])) == ["er/é b.json"]
    assert contents(folder) == before


KIND = """
def kind(error):  # how a reset connection is noticed depends on the moment
    kinds = [kind.__name__ for kind in type(error).__mro__]
    return "TransportError" if "TransportError" in kinds else kinds[0]
"""


def test_failures_on_request(hub, folder, tmp_path):
    (folder / "large.bin").write_bytes(np.random.default_rng(0).bytes(12_000_000))
    one = tmp_path / "one"
    put = f"""{KIND}
try:
    api.upload_folder(repo_id="me/m", folder_path=sys.argv[1], commit_message="all")
    found["error"] = None
except Exception as error:
    found["error"] = kind(error)
found["commits"] = len(api.list_repo_commits("me/m")) - 1
"""
    client(hub, one, "api.create_repo('me/m')")
    hub.fail("PUT /lfs/", status=503)  # which the client tries again by itself
    hub.fail("POST .*/commit/main$", status=500)
    assert client(hub, one, put, folder) == {"error": "HfHubHTTPError", "commits": 0}
    hub.reset("POST .*/commit/main$")
    assert client(hub, one, put, folder) == {"error": "TransportError", "commits": 0}
    hub.drop("POST .*/commit/main$", after=5)  # done, though the client does not hear of it
    assert client(hub, one, put, folder) == {"error": "TransportError", "commits": 1}
    assert client(hub, one, put, folder) == {"error": None, "commits": 1}
    assert len(asked(hub, "PUT", "/lfs/")) == 2
    hub.drop("large.bin", after=11_000_000)  # the client writes 10 MiB at a time
    hub.requests.clear()
    assert contents(client(hub, tmp_path / "two", DOWNLOAD)["folder"])["large.bin"] == contents(folder)["large.bin"]
    spans = [span for method, path, span in hub.requests if method == "GET" and path.endswith("large.bin")]
    assert spans == [None, "bytes=10485760-"]
    hub.reset("hello.txt", times=99)
    fetch = f"{KIND}\ntry:\n    hf_hub_download('me/m', 'hello.txt')\nexcept Exception as error:\n"
    fetch += "    found['error'] = kind(error)"
    assert client(hub, tmp_path / "three", fetch) == {"error": "TransportError"}
    hub.mend()
    assert client(hub, tmp_path / "three", fetch) == {}


def test_content_that_is_not_what_was_promised_is_not_kept(hub, tmp_path):
    found = client(
        hub,
        tmp_path,
        """
import hashlib, httpx
oid = hashlib.sha256(b"whole").hexdigest()
found["part"] = httpx.put(f"{sys.argv[1]}/lfs/{oid}", content=b"part").status_code
api.create_repo("me/m")
api.upload_file(path_or_fileobj=b"whole", path_in_repo="a.bin", repo_id="me/m")
found["kept"] = open(hf_hub_download("me/m", "a.bin")).read()
headers = httpx.head(f"{sys.argv[1]}/me/m/resolve/main/a.bin").headers
found["linked"] = [headers["X-Linked-Size"], headers["X-Linked-ETag"] == f'"{oid}"', headers["X-Repo-Commit"]]
found["head"] = api.model_info("me/m").sha
""",
        hub.url,
    )
    assert found["linked"] == ["5", True, found["head"]]
    assert (found["part"], found["kept"]) == (400, "whole")
