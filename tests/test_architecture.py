"""The rules of docs/architecture.md: what may import what, and how large a room may be."""

import ast
from functools import cache
from pathlib import Path

import pytest
from setuptools import find_packages

ROOT = Path(__file__).resolve().parents[1]
SRC = ROOT / "src"
PACKAGES = ("emo3d", "emo3d_lab", "emo3d_demo")
FLOORS = [
    {"files", "hints", "loading", "markup", "numerics", "ranges", "thrift"},
    {"documents", "pictures", "parquet", "containers", "blendshapes", "emotions", "names", "forms"},
    {
        "captures",
        "descriptions",
        "expressions",
        "instructions",
        "minilm",
        "encoders",
        "multilingual",
        "backbones",
        "proposals",
    },
    {"face", "dataset", "clips"},
    {"generation", "scoring"},
    {"cli"},
]
"""Rooms of `emo3d`; each imports from its own floor and from those below."""

CLOSURES = {  # use -> entry, most lines of ours that it may reach
    "loading the dataset": ("emo3d.dataset.builder", 3_200),
    "computing the metric": ("emo3d.scoring", 7_500),
    "generating": ("emo3d.generation", 5_000),
    "the demo": ("emo3d_demo.demo", 15_000),
}


@cache
def modules():
    names = {}
    for package in PACKAGES:
        for path in (SRC / package).resolve().rglob("*.py"):
            if "assets" not in path.parts:
                name = ".".join([package, *path.relative_to((SRC / package).resolve()).with_suffix("").parts])
                names[name.removesuffix(".__init__")] = path
    return names


@cache
def imports(module):
    """Modules of ours that a module imports anywhere but for type checkers; relative imports are not used here."""
    tree = ast.parse(modules()[module].read_text())
    checked = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in node.body
    }
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node not in checked:
            assert not node.level, f"{module} imports relatively"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import) and node not in checked:
            names |= {alias.name for alias in node.names}
    return names & modules().keys()


def closure(module):
    reached, waiting = set(), {module}
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting |= ({name.rpartition(".")[0]} & modules().keys() | imports(name)) - reached
    return reached


def lines(names):
    return sum(len(modules()[name].read_text().splitlines()) for name in names)


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_stand_on_those_below(package):
    allowed = PACKAGES[: PACKAGES.index(package) + 1]
    for module in (name for name in modules() if name.split(".")[0] == package):
        above = {name for name in imports(module) if name.split(".")[0] not in allowed}
        assert not above, f"{module} imports {above}"


def test_imports_go_down():
    floor_of = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
    rooms = {name.split(".")[1] for name in modules() if name.startswith("emo3d.")} - {"__main__"}
    assert rooms == floor_of.keys()
    for module in (name for name in modules() if name.startswith("emo3d.") and name != "emo3d.__main__"):
        room = module.split(".")[1]
        for name in (name.split(".")[1] for name in imports(module) if name.startswith("emo3d.")):
            assert floor_of[name] <= floor_of[room], f"{module} imports from {name}, a floor above"
            assert {name, room} != {"generation", "scoring"}, f"{module}: these two do not know each other"


def test_the_metric_space_imports_no_other_artifact():
    for path in (ROOT / "metric_space").glob("*.py"):
        assert "emo3d_demo" not in path.read_text()


def test_no_file_is_long():
    longest = {name: lines([name]) for name in modules() if lines([name]) > 350}
    assert not longest


def test_the_common_package_stays_small():
    assert lines(name for name in modules() if name.split(".")[0] == "emo3d") <= 10_000


@pytest.mark.parametrize("use", CLOSURES)
def test_what_a_use_reaches_stays_small(use):
    entry, most = CLOSURES[use]
    assert lines(closure(entry)) <= most


def test_every_room_is_a_package():
    rooms = {".".join(name.split(".")[:-1]) for name in modules() if "." in name}
    assert set(find_packages(str(SRC))) == rooms
