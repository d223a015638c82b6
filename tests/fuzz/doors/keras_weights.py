"""Keras files that `emo3d convert` reads."""

import json
import shutil
from pathlib import Path

import h5py
import numpy as np

_SHAPES = {"network.0": (256, 512), "network.2": (128, 256), "network.4": (51, 128)}


def seeds(folder: Path) -> list[dict[str, bytes]]:
    """The three layers of the baseline, of which the first and largest is compressed to nothing."""
    path = folder / "web.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"a", b"b", b"c"]
        for name, (rows, columns) in zip("abc", _SHAPES.values(), strict=True):
            layer = group.create_group(name)
            layer.attrs["weight_names"] = [f"{name}/kernel:0".encode(), f"{name}/bias:0".encode()]
            layer.create_dataset(f"{name}/kernel:0", data=np.zeros((columns, rows), "f4"), compression="gzip")
            layer[f"{name}/bias:0"] = np.zeros(rows, "f4")
        layers = [{"class_name": "Dense", "config": {"activation": name}} for name in ("relu", "relu", "sigmoid")]
        file.attrs["model_config"] = json.dumps({"config": {"layers": layers}})
    return [{"web.h5": path.read_bytes()}]


def enter(folder: Path) -> None:
    from emo3d_lab.training.convert import convert

    shutil.rmtree(folder.parent / "out", ignore_errors=True)
    if (folder / "web.h5").exists():
        convert(folder / "web.h5", folder.parent / "out")
