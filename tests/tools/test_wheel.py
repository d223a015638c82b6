"""The packages of a release, as `make dist` builds them: what is in them, and what they do on their own.

The environment is new but for the packages of this one, which it borrows, all but emo3d; with EMO3D_CLEAN=1 everything
is installed again, which takes minutes.
"""

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from environments import environment
from packaging.version import Version
from publisher import ROOT

import emo3d
from hanging import HANGS

LARGEST_FILE = 5_000_000
PICKLES = (".bin", ".ckpt", ".joblib", ".pickle", ".pkl", ".pt", ".pth")
SCORE = """
import sys, evaluate, emo3d
assert emo3d.__version__ == sys.argv[1], emo3d.__version__
assert emo3d.__file__.startswith(sys.prefix), emo3d.__file__
smile, frown = {"mouthSmileLeft": 0.9, "mouthSmileRight": 0.9}, {"mouthFrownLeft": 0.8, "mouthFrownRight": 0.8}
references = [
    {"description": "She is overjoyed", "intensities": {"happiness": 0.9}},
    {"description": "He is deeply sad", "intensities": {"sadness": 0.9}},
]
metric = evaluate.load(emo3d.metric_path())
settings = {"references": references, "backbone": "quickstart", "k": 1}
right = metric.compute(predictions=[smile, frown], **settings)["emo3d"]
wrong = metric.compute(predictions=[frown, smile], **settings)["emo3d"]
assert right < wrong, (right, wrong)
"""


def run(*command, cwd, **variables):
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | variables
    command = list(map(str, command))
    done = subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, timeout=HANGS)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """What `make dist` makes of a clone in which a file is not committed."""
    clone = tmp_path_factory.mktemp("dist") / "emo3d"
    run("git", "clone", "-q", ROOT, clone, cwd=ROOT)
    (clone / "src" / "emo3d" / "not_committed.py").write_text("")
    here = Path(sys.executable).parent  # what is installed already stands for the clone's environment
    run("make", "--old-file=.venv/installed", "dist", f"BIN={here}", cwd=clone)
    return clone / "dist"


@pytest.fixture(scope="module")
def files(dist):
    """Path -> content in the wheel."""
    with zipfile.ZipFile(wheel(dist)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}


def wheel(dist):
    (path,) = dist.glob("*.whl")
    return path


def committed():
    """Paths under src of the last commit, with what the links in it lead to."""
    paths = subprocess.run(["git", "ls-tree", "-r", "--name-only", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    links = {"src/emo3d_demo": "demo_space/emo3d_demo"}
    links |= {f"src/emo3d/assets/{name}": f"dataset_script/data/{name}" for name in ("sample", "clips")}
    links["src/emo3d_lab/assets/skill"] = "skills/emo3d"
    linked = [
        path.replace(folder, link, 1)
        for path in paths.stdout.split()
        for link, folder in links.items()
        if path.startswith(f"{folder}/")
    ]
    return {path.removeprefix("src/") for path in [*paths.stdout.split(), *linked] if path.startswith("src/")} - {
        link.removeprefix("src/") for link in links
    }


def test_the_version_is_in_one_place():
    assert "version = attr: emo3d.__version__" in (ROOT / "setup.cfg").read_text()
    (version,) = re.findall(r'^__version__ = "(.+)"$', (ROOT / "src" / "emo3d" / "__init__.py").read_text(), re.M)
    printed = subprocess.run([sys.executable, "-m", "emo3d", "--version"], capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == f"emo3d {version}"


def test_the_wheel_holds_what_is_committed_of_three_packages(files):
    assert {path for path in files if ".dist-info/" not in path} == committed()
    assert {path.partition("/")[0] for path in committed()} == {
        "emo3d",
        "emo3d_lab",
        "emo3d_demo",
    }
    assets = {"emo3d/assets/emo3d_score.py", "emo3d/assets/sample/train.parquet", "emo3d_lab/assets/page.html.jinja"}
    assert assets | {"emo3d_lab/assets/dataset_card.md", "emo3d_demo/cli.py", "emo3d_demo/viewer.js"} <= set(files)


def test_the_source_package_holds_no_tools_either(dist):
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    assert "src/emo3d_lab/assets/page.html.jinja" in names
    assert not [name for name in names if name.startswith("tools/") or name.endswith("not_committed.py")]


def test_no_file_is_a_pickle_or_large(files):
    for path, content in files.items():
        assert not path.endswith(PICKLES)
        assert not re.match(rb"\x80[\2-\5]", content), path
        assert len(content) <= LARGEST_FILE, path


@pytest.fixture(scope="module")
def installed(dist, tmp_path_factory):
    """Python of an environment with the wheel."""
    clean = os.environ.get("EMO3D_CLEAN")
    folder = tmp_path_factory.mktemp("installed")
    python = environment(folder / "environment", borrow=not clean)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if clean:  # the torch of this environment: the newest may be gigabytes for GPUs that are not there
        torch = f"torch=={Version(metadata.version('torch')).public}"
        run(*pip, f"{wheel(dist)}[metric,offline,demo]", torch, cwd=folder)
        run(python, "-m", "pip", "check", cwd=folder)
    else:
        run(*pip, "--no-deps", "--force-reinstall", wheel(dist), cwd=folder)
    return python


@pytest.mark.parametrize("command", ["demo", "train", "quickstart"])
def test_commands_of_the_wheel(installed, tmp_path, command):
    printed = run(installed.with_name("emo3d"), command, "--help", cwd=tmp_path, COLUMNS="100")
    assert f"emo3d {command}" in printed


def test_the_wheel_scores(installed, tmp_path):
    run(installed, "-c", SCORE, emo3d.__version__, cwd=tmp_path, HF_HUB_OFFLINE="1")
