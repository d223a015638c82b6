"""The assets that the rooms read; tests/tools/test_wheel.py looks into a wheel."""

import os
from importlib.resources import files
from pathlib import Path


def test_assets_are_small_and_there():
    assets = Path(str(files("emo3d") / "assets"))
    walked = os.walk(assets, followlinks=True)  # the sample is a link to the dataset artifact
    sizes = {
        path: path.stat().st_size for folder, _, names in walked for path in (Path(folder, name) for name in names)
    }
    heads = sum(size for path, size in sizes.items() if path.parent.name == "heads")
    trained = sum(size for path, size in sizes.items() if path.suffix == ".safetensors" and path.parent.name != "heads")
    rows = {path: size for path, size in sizes.items() if path.suffix == ".parquet"}
    clips = sum(size for path, size in rows.items() if path.parent.name == "clips")
    sample = sum(rows.values()) - clips
    assert 0 < heads < 5_000_000
    assert 0 < trained < 15_000_000  # the bar for both trained parts together
    assert 0 < sample < 6_000_000  # the bar for the embedded sample
    assert 0 < clips < 4_000_000  # the bar for its clips
    assert assets / "emo3d_score.py" in sizes
    assert not [path for path in sizes if path.suffix in (".pkl", ".pt", ".pth", ".bin")]
