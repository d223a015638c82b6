"""GLB heads: plain, with Draco, and quantised by gltfpack; what is accepted is pictured."""

import logging
from pathlib import Path

_HEADS = Path(__file__).parents[2] / "lab" / "rigs" / "compressed"


def seeds(folder: Path) -> list[dict[str, bytes]]:
    return [{"head.glb": (_HEADS / f"{name}.glb").read_bytes()} for name in ("head", "head-draco", "head-gltfpack")]


def enter(folder: Path) -> None:
    from emo3d.face import FaceRig, RenderSettings, render

    logging.getLogger("emo3d_lab").setLevel(logging.ERROR)  # what a rig lacks
    rig = FaceRig.from_glb(folder / "head.glb")
    render([[0.5] * 51], rig=rig, settings=RenderSettings(size=24, samples=1))
