"""A release: checked, built, tried where nothing else of ours is, and published, one step after the other."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import venv
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path

from packaging.version import Version

import emo3d
from emo3d.doctor import examine
from publishing.checkout import DATED, committed
from publishing.plan import PARTS
from publishing.publish import publish

STEPS = ("build", "inspect", "try", "package", *PARTS)
LARGEST_FILE = 5_000_000
SECRETS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "TWINE_USERNAME", "TWINE_PASSWORD")
PICKLES = (".bin", ".ckpt", ".joblib", ".pickle", ".pkl", ".pt", ".pth")

TRIAL = """
import sys, evaluate, emo3d
from emo3d.scoring import score
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


@dataclass(frozen=True)
class Release:
    """What is released, and where to; a release goes on from where it stopped only while none of this changes.

    Attributes:
        version: of the package.
        commit: of the repository.
        namespace: user or organisation on the Hub.
        index: package index for `twine`, a name (`"pypi"`) or an address; without one the wheel goes with the Spaces.
        private: whether new repositories are.
        dataset: a folder that `emo3d build` wrote, for the dataset instead of the sample.
        models: folders of generators with a card, to publish beside the packaged ones.
        quick: try the wheel on this environment's packages, instead of installing all of them again.
    """

    version: str
    commit: str
    namespace: str
    index: str | None = None
    private: bool = False
    dataset: str | None = None
    models: list[str] = field(default_factory=list)
    quick: bool = False


def release(
    root: Path,
    namespace: str,
    *,
    index: str | None = None,
    private: bool = False,
    dataset: Path | None = None,
    models: Sequence[Path] = (),
    quick: bool = False,
    say: Callable[[str], None] = print,
) -> Path:
    """Check, build, inspect, try and publish this version; a release that stopped goes on with the step that failed.

    Args:
        root: the repository. State, packages and logs go to its `runs/release/VERSION`.
        namespace: see `Release`, as for the other arguments.
        say: is told what is done.

    Returns:
        The wheel.

    Raises:
        ValueError: something is not ready, or a step failed; the message says what to do.
        OSError: a part could not be published.
    """
    version, commit = read_version(root), _git(root, "rev-parse", "HEAD")
    folders = {"dataset": str(dataset) if dataset else None, "models": [str(model) for model in models]}
    planned = Release(version, commit, namespace, index, private, **folders, quick=quick)  # type: ignore[arg-type]
    check(root, planned)
    folder = root / "runs" / "release" / planned.version
    folder.mkdir(parents=True, exist_ok=True)
    state = _State(folder / "state.json", planned)
    for step in STEPS:
        if step in state.done:
            say(f"{step}: done before")
            continue
        if _git(root, "rev-parse", "HEAD") != planned.commit:
            raise ValueError(f"somebody committed in {root} meanwhile: release that commit, by the same command")
        say(f"{step} ...")
        if step == "build":
            build(root, folder)
        elif step == "inspect":
            inspect(root, folder / "dist")
        elif step == "try":
            try_wheel(_wheel(folder), planned, folder)
        elif step == "package":
            if index:
                upload(index, folder)
        else:
            publish(
                namespace,
                root=root,
                only=[step],
                private=private,
                revision=f"v{planned.version}",
                dataset=dataset,
                models=models,
                wheel=None if index else _wheel(folder),
                released=index is not None,
            )
        state.add(step, folder)
    return _wheel(folder)


class _State:
    """Steps that are done, in a file, for one release and the packages that it built."""

    def __init__(self, path: Path, planned: Release) -> None:
        self.path, self.planned = path, asdict(planned)
        self.done: list[str] = []
        try:
            kept = json.loads(path.read_text("utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return
        if kept["release"] == self.planned and kept["packages"] == _digests(path.parent):
            self.done = kept["done"]

    def add(self, step: str, folder: Path) -> None:
        self.done.append(step)
        content = {"release": self.planned, "packages": _digests(folder), "done": self.done}
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(content, indent=2), "utf-8")
        new.replace(self.path)


def _digests(folder: Path) -> dict[str, str]:
    packages = sorted((folder / "dist").glob("emo3d-*"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in packages}


def _wheel(folder: Path) -> Path:
    return next((folder / "dist").glob("emo3d-*.whl"))


def read_version(root: Path) -> str:
    """The version in `src/emo3d/__init__.py`, the only place that has it."""
    file = root / "src" / "emo3d" / "__init__.py"
    if not file.is_file():
        raise ValueError(f"expected a clone of emo3d's repository in {root.resolve()}")
    tree = ast.parse(file.read_text("utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and [getattr(target, "id", "") for target in node.targets] == ["__version__"]:
            return str(ast.literal_eval(node.value))
    raise ValueError("expected __version__ in src/emo3d/__init__.py, found none")


def check(root: Path, planned: Release) -> None:
    """Refuse a release that is not ready.

    Raises:
        ValueError: another version than the installed one, it has no section in CHANGELOG.md, files are not
            committed, its tag is on another commit, or `emo3d doctor` finds a problem; and what to do.
    """
    name = planned.version
    if name != emo3d.__version__:
        raise ValueError(f"this is emo3d {emo3d.__version__}, the clone has {name}: install the clone first")
    if planned.index and "@" in planned.index:
        raise ValueError("the index holds a name or a password: give them as TWINE_USERNAME and TWINE_PASSWORD")
    changes = (root / "CHANGELOG.md").read_text("utf-8")
    section = re.search(rf"^## {re.escape(name)}\b(.*)\n((?:(?!## ).*\n?)*)", changes, flags=re.MULTILINE)
    if section is None or not section[2].strip():
        raise ValueError(f"CHANGELOG.md says nothing about {name}: write a section `## {name}`")
    if planned.index and "unreleased" in section[1]:
        raise ValueError(f"CHANGELOG.md calls {name} unreleased: put the date there, or leave out the package index")
    if changed := _git(root, "status", "--porcelain"):
        raise ValueError(f"not everything is committed: commit or remove {changed.splitlines()[0][2:].strip()} first")
    tagged = _git(root, "rev-parse", "--verify", "--quiet", f"refs/tags/v{name}^{{commit}}", may_fail=True)
    if tagged not in ("", planned.commit):
        raise ValueError(f"the tag v{name} is on another commit: raise __version__ in src/emo3d/__init__.py")
    for finding in examine(planned.namespace):
        if finding.level == "problem":
            raise ValueError(f"{finding.what}: {finding.found}; {finding.advice}")


def build(root: Path, folder: Path) -> None:
    """Build sdist and wheel of what is committed, and of nothing that lies about, into the folder's `dist`."""
    for old in (folder / "dist").glob("emo3d-*"):
        old.unlink()
    # With the setuptools and the date that `emo3d publish` takes: both make the same bytes.
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder / "dist")]
    with committed(root) as tree:
        _run("build", [*command, str(tree)], folder, DATED)


def inspect(root: Path, dist: Path) -> None:
    """Refuse packages that twine does not like, that lack a file, or that hold a pickle, a large file or one too many.

    Raises:
        ValueError: names the package and the file.
    """
    wheel, sdist = next(dist.glob("*.whl")), next(dist.glob("*.tar.gz"))
    _run("inspect", [sys.executable, "-m", "twine", "check", "--strict", str(wheel), str(sdist)], dist.parent)
    with committed(root) as tree:
        walked = os.walk(tree / "src", followlinks=True)  # assets are links to the artifacts' folders
        expected = {Path(at, name).relative_to(tree / "src").as_posix() for at, _, names in walked for name in names}
    with zipfile.ZipFile(wheel) as archive:
        in_wheel = {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}
    with tarfile.open(sdist) as archive:
        members = [member for member in archive if member.isfile()]
        in_sdist = {m.name.partition("/")[2]: archive.extractfile(m).read() for m in members}  # type: ignore[union-attr]
    packages = {
        wheel.name: {name: content for name, content in in_wheel.items() if ".dist-info/" not in name},
        sdist.name: {n.removeprefix("src/"): content for n, content in in_sdist.items() if n.startswith("src/emo3d/")},
    }
    for package, files in packages.items():
        if differing := sorted(expected ^ set(files)):
            verb = "lacks" if differing[0] in expected else "holds the uncommitted"
            raise ValueError(f"{package} {verb} {differing[0]}: see package_data in setup.cfg")
        for name, content in files.items():
            if name.endswith(PICKLES) or (content[:1] == b"\x80" and content[1:2] in b"\2\3\4\5"):
                raise ValueError(f"{package} holds {name}, which looks like a pickle: save it as safetensors or JSON")
            if len(content) > LARGEST_FILE:
                raise ValueError(f"{package} holds {name} of {len(content):,} bytes, expected {LARGEST_FILE:,} at most")


def try_wheel(wheel: Path, planned: Release, folder: Path) -> None:
    """Install the wheel with its extras `metric` and `offline` into an environment of its own, and score two faces."""
    with tempfile.TemporaryDirectory() as place:
        python = environment(Path(place, "env"), borrow=planned.quick)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if planned.quick:
            _run("try", [*pip, "--no-deps", "--force-reinstall", str(wheel)], folder)
        else:  # the torch of this environment: the newest may be gigabytes for GPUs that are not there
            torch = f"torch=={Version(metadata.version('torch')).public}"
            _run("try", [*pip, f"{wheel}[metric,offline]", torch], folder)
            _run("try", [str(python), "-m", "pip", "check"], folder)
        alone = {"HF_HOME": place, "HF_HUB_OFFLINE": "1"}
        _run("try", [str(python), "-c", TRIAL, planned.version], folder, alone, cwd=Path(place))


def environment(folder: Path, *, borrow: bool = False) -> Path:
    """Make an empty virtual environment, or one that borrows all packages of this one but editable ones; its Python."""
    venv.create(folder, clear=True, with_pip=True)
    if borrow:
        site = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))
        (site / "borrowed.pth").write_text(f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n")
    return Path(sysconfig.get_path("scripts", "venv", {"base": str(folder)}), "python")


def upload(index: str, folder: Path) -> None:
    """Upload to a package index; twine finds the credentials where it always does (TWINE_PASSWORD, a keyring)."""
    chosen = "--repository-url" if "://" in index else "--repository"
    packages = map(str, sorted((folder / "dist").glob("emo3d-*")))
    again = ["--skip-existing"] if index in ("pypi", "testpypi") else []  # twine has it for these two only
    command = [sys.executable, "-m", "twine", "upload", "--non-interactive", *again, chosen, index]
    _run("package", [*command, *packages], folder)


def _git(root: Path, *arguments: str, may_fail: bool = False) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True)
    if done.returncode and not may_fail:
        raise ValueError(f"git {arguments[0]} failed in {root}: {done.stderr.strip()}")
    return done.stdout.strip()


def _run(
    step: str, command: list[str], folder: Path, more: Mapping[str, str] | None = None, cwd: Path | None = None
) -> None:
    """Run a program, its output in the step's log, without this process's modules and without its secrets."""
    log = folder / f"{step}.log"
    hidden = {"PYTHONPATH", "PYTHONHOME", *(() if step == "package" else SECRETS)}
    inherited = {name: value for name, value in os.environ.items() if name not in hidden}
    with log.open("w", encoding="utf-8") as file:
        done = subprocess.run(
            command, cwd=cwd, env={**inherited, **(more or {})}, stdin=subprocess.DEVNULL, stdout=file, stderr=file
        )
    if done.returncode:
        said = log.read_text("utf-8", "replace").strip().splitlines() or ["nothing"]
        raise ValueError(f"{step} failed ({said[-1]}); {log} has all of it, and the same command goes on from there")
