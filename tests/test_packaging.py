"""The assets that the rooms read; tests/tools/test_wheel.py looks into a wheel."""

import os
from importlib.resources import files
from pathlib import Path


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
