"""GLB heads: plain, with Draco, quantised by gltfpack, and packed with meshopt; what is accepted is pictured."""

import importlib.util
import logging
from pathlib import Path

_HEADS = Path(__file__).parents[2] / "lab" / "rigs" / "compressed"


def seeds(folder: Path) -> list[dict[str, bytes]]:
    names = ["head", "head-draco", "head-gltfpack"]
    if importlib.util.find_spec("meshopt") is not None:  # none for Python 3.10
        names += ["head-meshopt", "head-gltfpack-c"]
    return [{"head.glb": (_HEADS / f"{name}.glb").read_bytes()} for name in names]


def enter(folder: Path) -> None:
    from emo3d.face import FaceRig, RenderSettings, render

    logging.getLogger("emo3d_lab").setLevel(logging.ERROR)  # what a rig lacks
    rig = FaceRig.from_glb(folder / "head.glb")
    render([[0.5] * 51], rig=rig, settings=RenderSettings(size=24, samples=1))
