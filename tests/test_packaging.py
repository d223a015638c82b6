"""What a wheel would hold: every room, and the assets that the rooms read."""

import os
from importlib.resources import files
from pathlib import Path

from setuptools import find_packages

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "emo3d"


def test_every_room_is_a_package():
    rooms = {path.parent for path in PACKAGE.rglob("*.py")} - {PACKAGE / "assets"}
    assert {PACKAGE.parent / name.replace(".", "/") for name in find_packages(str(PACKAGE.parent))} == rooms


def test_assets_are_small_and_there():
    assets = Path(str(files("emo3d") / "assets"))
    walked = os.walk(assets, followlinks=True)  # the sample is a link to the dataset artifact
    sizes = {name: Path(folder, name).stat().st_size for folder, _, names in walked for name in names}
    sizes["model.safetensors"] = sum(path.stat().st_size for path in assets.rglob("*.safetensors"))
    trained = sum(size for name, size in sizes.items() if name.endswith(".safetensors"))
    sample = sum(size for name, size in sizes.items() if name.endswith(".parquet"))
    assert 0 < trained < 15_000_000  # the bar for both trained parts together
    assert 0 < sample < 6_000_000  # the bar for the embedded sample
    assert "emo3d_score.py" in sizes
    assert not [name for name in sizes if name.endswith((".pkl", ".pt", ".pth", ".bin"))]
