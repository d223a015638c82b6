"""Takes for Unreal: Live Link Face CSV, and curves of MetaHuman's controls."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from emo3d.blendshapes import ARKIT_BLENDSHAPES
from emo3d.clips import ROTATIONS
from emo3d.face.rig import TARGETS
from emo3d.files import whole_file
from emo3d.names import read_names
from emo3d_lab.takes.reading import Take

# The app swaps two pairs against Apple's order; readers go by name, but the header is theirs to the letter.
_SWAPPED = {"jawLeft": "jawRight", "jawRight": "jawLeft", "mouthLeft": "mouthRight", "mouthRight": "mouthLeft"}
LIVELINK_NAMES = tuple(_SWAPPED.get(name, name) for name in ARKIT_BLENDSHAPES)
"""The columns of a take before the rotations, in its order but as ARKit spells them."""

_PREFIX = "CTRL_expressions_"
# Units that MetaHuman has in parts; each part has the weight of the whole. Names of the controls: Epic's
# VerifyMetaHumanCharacter.cpp, `GetFdsCurves`.
_PARTS = {
    "browInnerUp": "browRaiseInL browRaiseInR",
    "cheekPuff": "mouthCheekBlowL mouthCheekBlowR",
    "mouthClose": "mouthLipsTogetherUL mouthLipsTogetherUR mouthLipsTogetherDL mouthLipsTogetherDR",
    "mouthFunnel": "mouthFunnelUL mouthFunnelUR mouthFunnelDL mouthFunnelDR",
    "mouthPressLeft": "mouthPressUL mouthPressDL",
    "mouthPressRight": "mouthPressUR mouthPressDR",
    "mouthPucker": "mouthLipsPurseUL mouthLipsPurseUR mouthLipsPurseDL mouthLipsPurseDR",
    "mouthRollLower": "mouthLowerLipRollInL mouthLowerLipRollInR",
    "mouthRollUpper": "mouthUpperLipRollInL mouthUpperLipRollInR",
    "mouthShrugLower": "jawChinRaiseDL jawChinRaiseDR",
    "mouthShrugUpper": "jawChinRaiseUL jawChinRaiseUR",
}
_WHOLE = ("jawLeft", "jawRight", "mouthLeft", "mouthRight")  # written out by MetaHuman too


def metahuman_controls() -> dict[str, str]:
    """Controls of MetaHuman and the unit whose weight each takes, by the packaged names and the parts of the rest."""
    table = {theirs: ours for theirs, ours in (read_names("metahuman") or {}).items() if ours}
    for unit in TARGETS:
        if unit in _PARTS:
            table |= {_PREFIX + part: unit for part in _PARTS[unit].split()}
        elif unit not in table.values():
            name = unit if unit in _WHOLE else re.sub("(L)eft$|(R)ight$", r"\1\2", unit)
            table[_PREFIX + name] = unit
    return table


def write_metahuman(path: Path, take: Take) -> None:
    """Write weights as curves of MetaHuman's controls.

    Args:
        path: `.csv`, as Unreal imports a CurveTable: times in the first line, then a line for each control; or
            `.json`: `{"fps", "times", "curves": {control: weights}}`.
        take: in the space of weights.
    """
    columns = {control: take.scores[:, TARGETS.index(unit)] for control, unit in metahuman_controls().items()}
    with whole_file(path) as part, open(part, "w", newline="", encoding="ascii") as file:
        if path.suffix.lower() == ".json":
            curves = {control: np.round(values.astype(float), 6).tolist() for control, values in columns.items()}
            json.dump({"fps": take.fps, "times": np.round(take.times, 6).tolist(), "curves": curves}, file)
            return
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["---", *(f"{time:.6g}" for time in take.times)])
        rows.writerows([control, *(f"{value:.6f}" for value in values)] for control, values in columns.items())


def write_livelink(
    path: str | os.PathLike[str],
    scores: np.ndarray,
    times: np.ndarray,
    rotations: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Write weights (F, 52) as a take of Live Link Face, with times and rotations; without rotations they are 0."""
    columns = [scores[:, TARGETS.index(name)] for name in LIVELINK_NAMES]
    columns += [(rotations or {}).get(name, np.zeros(len(times))) for name in ROTATIONS]
    header = [name[0].upper() + name[1:] for name in (*LIVELINK_NAMES, *ROTATIONS)]
    with whole_file(path) as part, open(part, "w", newline="", encoding="ascii") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["Timecode", "BlendshapeCount", *header])
        for time, row in zip(times, np.stack(columns, axis=1), strict=True):
            rows.writerow([_timecode(float(time)), len(header), *(f"{value:.8f}" for value in row)])


def _timecode(time: float) -> str:
    """`HH:MM:SS:FF.fff`, whose FF counts sixtieths of a second, as in takes of the app."""
    seconds, thousandths = divmod(round(time * 60_000), 60_000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}:{thousandths / 1000:06.3f}"
