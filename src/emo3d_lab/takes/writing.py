"""A take onto a character, as the file that its ending asks for."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from emo3d.clips import ROTATIONS
from emo3d.face.calibration import DEFAULT_METHOD, Method
from emo3d.face.rig import TARGETS
from emo3d.files import check_output
from emo3d_lab.characters.character import Character
from emo3d_lab.characters.vrma import perfect_sync_names, write_vrma
from emo3d_lab.clips.pose import head_quaternions
from emo3d_lab.listing import first_few
from emo3d_lab.takes.blender import write_blender_take, write_scene
from emo3d_lab.takes.preview import write_preview
from emo3d_lab.takes.reading import Take
from emo3d_lab.takes.unity import unity_full, write_unity_clip
from emo3d_lab.takes.unreal import write_livelink, write_metahuman

logger = logging.getLogger(__name__)

WHOLE = (".glb", ".gltf", ".vrm")
PICTURES = (".gif", ".mp4", ".webm")
SCENES = (".fbx", ".usd", ".usda", ".usdc", ".usdz")
FACES = (".csv", ".json", ".py", ".vrma")  # of no character in particular
ENDINGS = (*WHOLE, *PICTURES, ".anim", *SCENES, *FACES)


def write_take(
    path: str | os.PathLike[str],
    take: Take,
    character: Character | None = None,
    *,
    calibration: Method = DEFAULT_METHOD,
    names_out: str | None = None,
    size: int = 320,
    root: str | None = None,
    full: float | None = None,
    blender: str | None = None,
    name: str = "emo3d",
) -> str | None:
    """Write a take onto a character, by the ending of the path.

    `.glb`, `.gltf`, `.vrm`: the whole character with an animation. `.vrma`: a VRM animation. `.gif`, `.mp4`, `.webm`:
    pictures of its face. In all of these the head turns, where a character has a bone for it. `.py`: a Blender script
    with keyframes. `.anim`: an animation clip for Unity. `.fbx`, `.usd`, `.usda`, `.usdc`, `.usdz`: by Blender. `.csv`:
    a take of Live Link Face, or with `names_out="metahuman"`, as `.json` too, curves of MetaHuman's controls.

    Args:
        path: an existing file is replaced.
        take: readings become weights by the character's calibration, or that of anny's heads without one.
        character: not needed for `.csv`, `.json`, `.py` and `.vrma`.
        calibration: how readings become weights.
        names_out: None or `"metahuman"`.
        size: side of pictures, pixels.
        root: the node that Unity's Animator is on.
        full: what Unity's blend shapes go up to, 100 or 1; see `unity_full`.
        blender: a Python that has `bpy`.
        name: of the animation in a whole character.

    Returns:
        The name that the animation (of one frame in a VRM, the expression) has in a whole character; else None.

    Raises:
        ValueError: another ending, a character that is missing or cannot be written so, or what writers refuse.
        OSError: a folder that cannot be written to, or a program that is not there.
    """
    path = check_output(path, ENDINGS)
    ending = path.suffix.lower()
    if names_out not in (None, "metahuman"):
        raise ValueError(f"expected metahuman as --names-out, got {names_out!r}")
    if names_out and ending not in (".csv", ".json"):
        raise ValueError(f"expected .csv or .json for curves of MetaHuman, got {path.name}")
    if ending == ".json" and not names_out:
        raise ValueError(f"expected --names-out metahuman for {path.name}")
    calibrated = take.space == "reading" and calibration != "none"
    take = take.to_weights(character.rig if character and calibrated else None, calibration)
    turns = None
    if names_out or ending != ".csv":
        able = names_out is None and ending in (".vrma", *WHOLE, *PICTURES)
        take, turns = _head(take, path, able, character)
    added = None
    if names_out:
        write_metahuman(path, take)
    elif ending == ".csv":
        write_livelink(path, take.scores, take.times, take.rotations)
    elif ending == ".py":
        write_blender_take(path, take, character)
    elif ending == ".vrma":
        names = perfect_sync_names(character.document) if character else {}
        if character and not names:
            logger.warning("%s has no expressions for a .vrma: emo3d vrm --perfect-sync adds them", character.path.name)
        write_vrma(path, take.scores, take.times, names, turns)
    elif character is None:
        raise ValueError(f"expected a character (.glb, .gltf, .vrm) for {path.name}, got none")
    elif ending in WHOLE:
        times = take.times if len(take.times) > 1 else None
        added = character.write(path, take.scores, times=times, name=name, turns=turns)
    elif ending in PICTURES:
        write_preview(path, take, character.rig, size)
    elif ending == ".anim":
        write_unity_clip(path, take, character, root, unity_full(character) if full is None else full)
    else:
        write_scene(path, take, character, blender)
    if character is not None and ending not in (".csv", ".json", ".vrma", *PICTURES):  # reading a face says it, too
        _name_missing(take, character)
    return added


def _head(take: Take, path: Path, able: bool, character: Character | None) -> tuple[Take, np.ndarray | None]:
    """The take as a file can have it, and the quaternions (F, 4) of its head, if that turns."""
    angles = np.stack([take.rotations.get(axis, 0 * take.times) for axis in ROTATIONS], axis=1)
    heads, ending, reason = angles[:, :3], path.suffix.lower(), ""
    if not angles.any() or (able and not heads.any()):  # eyes look by the units, too
        return take, None
    if not able:
        reason = "which .csv has"
    elif np.abs(angles).max() > np.pi:
        reason = f"which are no radians: they go up to {np.abs(angles).max():g}"
    elif ending in WHOLE and character is not None and (len(angles) == 1 or character.head is None):
        reason = "which need an animation, and a bone called head that carries the face"
    if reason:
        logger.warning("%s: left out rotations of head and eyes, %s", path.name, reason)
        return replace(take, rotations={}), None
    return take, head_quaternions(angles)


def _name_missing(take: Take, character: Character) -> None:
    moved = [unit for unit, values in zip(TARGETS, take.scores.T, strict=True) if values.any()]
    if lost := [unit for unit in moved if unit in character.missing]:
        shown = character.path.name, len(lost), len(moved), first_few(lost)
        logger.warning("%s moves nothing for %d of the take's %d units, which are left out: %s", *shown)
