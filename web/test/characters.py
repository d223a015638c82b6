"""Write characters and what Python says of them, for web/test: `python web/test/characters.py FOLDER`.

FOLDER gets a head, two whole avatars, VRMs whose shapes have no names that mean anything, and `python.json`: weights of
descriptions by the packaged generator, blendshapes of spellings, presets as `emo3d vrm` fills them, and the frames of
`FaceRig.from_glb`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from emo3d.blendshapes import ARKIT_BLENDSHAPES, BLENDSHAPES
from emo3d.face import TARGETS, FaceRig
from emo3d.face.export import write_glb
from emo3d.generation import load_generator
from emo3d.names import blendshape_name
from emo3d_lab.avatars import read_person, write_avatar
from emo3d_lab.characters import Character, EditedFile
from emo3d_lab.characters.presets import preset_weights
from emo3d_lab.characters.vrm import fill_presets

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from vrm_files import chunks_of, write_container, write_vrm  # noqa: E402

TEXTS = ("she is thrilled", "he winks with his left eye", "furious", "he is deeply sad", "shocked and scared")
ODD_NAMES = """timestamp headYaw LeftEyeYaw Fcl_MTH_Neutral neutral _neutral Fcl_MTH_A jawOpen_mouthClose eyesLookUp
    mouthOpen viseme_aa jawOpen.001 browInnerUpLeft mouth jaw Mouth_Roll_In_Upper_L CTRL_expressions_mouthPressUL
    blendShape1.mouth_smile_l EyeBlink.R mouth_L jawR A25_Jaw_Open face.M_F00_000_00_eyeBlink_L __proto__ constructor
    a|b|tongue_out TONGUEOUT Éjawopen jawÖpen""".split()
PREFIXES = ("", "blendShape1.", "BS_node.", "head__", "Wolf3D_Head.", "Face:", "a|b|", "AK_09_")


def main(folder: Path) -> None:
    """Write all of it into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_glb(folder / "head.glb", {})
    write_avatar(folder / "fisherman.glb", read_person("a tired old fisherman"))
    write_avatar(folder / "woman.vrm", read_person("a young woman in a green shirt"))
    for version in ("1.0", "0.x"):
        write_nameless(folder / f"presets-{version[0]}.vrm", version, perfect_sync=False)
    write_nameless(folder / "sync.vrm", "1.0", perfect_sync=True)
    generator: Any = load_generator("quickstart")
    weights = {text: named(row) for text, row in zip(TEXTS, np.asarray(generator.generate(TEXTS)), strict=True)}
    files = [folder / name for name in ("fisherman.glb", "head.glb", "woman.vrm")]
    spellings = [prefix + spelling for name in ARKIT_BLENDSHAPES for spelling in spell(name) for prefix in PREFIXES]
    document = {
        "weights": weights,
        "spellings": {name: blendshape_name(name) for name in (*ODD_NAMES, *spellings)},
        "presets": {preset: named(row) for preset, row in preset_weights().items()},
        "frames": {path.name: FaceRig.from_glb(path).frame for path in files},
    }
    (folder / "python.json").write_text(json.dumps(document), encoding="utf-8")


def write_nameless(path: Path, version: str, perfect_sync: bool) -> None:
    """A VRM filled by `emo3d vrm`, whose shapes are called shape-0, shape-1 and so on."""
    write_vrm(path, version, {"preset": {}} if version == "1.0" else [])
    character = Character.from_file(path)
    edited = EditedFile(character.asset)
    fill_presets(edited, character, perfect_sync=perfect_sync)
    edited.write(path)
    document, chunk = chunks_of(path)
    for mesh in document["meshes"]:
        mesh["extras"] = {"targetNames": [f"shape-{place}" for place in range(len(TARGETS))]}
    write_container(path, document, chunk)


def named(row: np.ndarray) -> dict[str, float]:
    """Weights by their names, without those of the tongue where there is none."""
    return {name: round(float(weight), 7) for name, weight in zip((*BLENDSHAPES, "tongueOut"), row, strict=False)}


def spell(name: str) -> list[str]:
    """Spellings that tests/test_names.py read in the files of programs."""
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    sides = [name.replace("Left", left).replace("Right", right) for left, right in (("_L", "_R"), (".L", ".R"))]
    short = name.replace("Left", "L").replace("Right", "R")
    return [name, name.upper(), name.lower(), snake, name[0].upper() + name[1:], snake.title(), short, *sides]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
