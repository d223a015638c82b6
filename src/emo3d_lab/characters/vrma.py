"""VRM animation (.vrma): expressions over time, for any avatar that has expressions of ARKit's names (Perfect Sync).

Source: VRMC_vrm_animation-1.0, https://github.com/vrm-c/vrm-specification
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import emo3d
from emo3d.face.heads import TARGETS
from emo3d.files import check_output, whole_file
from emo3d.names import blendshape_name
from emo3d_lab.characters.presets import perfect_sync_name
from emo3d_lab.characters.vrm import expressions_of

_FLOAT = 5126  # glTF component type

T_POSE: dict[str, tuple[str | None, tuple[float, float, float]]] = {
    "hips": (None, (0, 0.95, 0)),
    "spine": ("hips", (0, 0.1, 0)),
    "chest": ("spine", (0, 0.15, 0)),
    "neck": ("chest", (0, 0.22, 0)),
    "head": ("neck", (0, 0.08, 0)),
}
"""Bones that a VRM must have (1.0 does without chest and neck), standing in a T: bone -> the one above it, and its
place from there in metres."""

for _side, _x in (("left", 1), ("right", -1)):  # the avatar's own left is +x, since it looks along +z
    T_POSE |= {
        f"{_side}UpperLeg": ("hips", (0.09 * _x, -0.05, 0)),
        f"{_side}LowerLeg": (f"{_side}UpperLeg", (0, -0.42, 0)),
        f"{_side}Foot": (f"{_side}LowerLeg", (0, -0.4, 0)),
        f"{_side}UpperArm": ("chest", (0.16 * _x, 0.2, 0)),
        f"{_side}LowerArm": (f"{_side}UpperArm", (0.26 * _x, 0, 0)),
        f"{_side}Hand": (f"{_side}LowerArm", (0.24 * _x, 0, 0)),
    }


def perfect_sync_names(document: Mapping[str, Any]) -> dict[str, str]:
    """Find what a VRM's own expressions for ARKit's units are called: unit -> name, where it has one."""
    names: dict[str, str] = {}
    for expression in expressions_of(document):
        unit = None if expression.is_preset else blendshape_name(expression.name)
        if unit in TARGETS:
            names.setdefault(unit, expression.name)
    return names


def write_vrma(
    path: str | os.PathLike[str],
    frames: Any,
    times: Any,
    names: Mapping[str, str] | None = None,
    turns: np.ndarray | None = None,
) -> None:
    """Write weights over time as a VRM animation of 52 expressions; but for the head, the body is left alone.

    Args:
        path: .vrma.
        frames: (F, 52) weights in 0..1, in the order of `emo3d.face.TARGETS`.
        times: (F,) seconds from 0, rising.
        names: unit -> name of the avatar's expression (`perfect_sync_names`), since players compare letter by letter;
            others are called `JawOpen` and so on, as `emo3d vrm --perfect-sync` does.
        turns: (F, 4) quaternions x, y, z, w of the head (y up, +z the front), if it moves.

    Raises:
        ValueError: another ending, shape or range, or times that do not rise.
    """
    path = check_output(path, (".vrma",))
    weights, instants = np.asarray(frames, "<f4"), np.asarray(times, "<f4")
    if weights.ndim != 2 or weights.shape[1] != len(TARGETS) or not len(weights):
        raise ValueError(f"expected frames (F, {len(TARGETS)}), got an array of shape {weights.shape}")
    if not ((weights >= 0) & (weights <= 1)).all():
        raise ValueError("expected weights in 0..1 in every frame, got others")
    if instants.shape != (len(weights),) or not np.isfinite(instants).all():
        raise ValueError(f"expected a time in seconds for each of {len(weights)} frames, got {instants.size}")
    if instants[0] < 0 or (np.diff(instants) <= 0).any():
        raise ValueError("expected times that rise from 0 or later, got others")
    document, chunk = _document(weights, instants, names or {}, turns)
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(chunk), b"BIN\0") + chunk
    with whole_file(path) as file:
        Path(file).write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)


def _document(
    weights: np.ndarray, instants: np.ndarray, names: Mapping[str, str], turns: np.ndarray | None
) -> tuple[dict[str, Any], bytes]:
    count, bones = len(weights), list(T_POSE)
    nodes: list[dict[str, Any]] = []
    for bone, (_, place) in T_POSE.items():
        children = [bones.index(child) for child, (parent, _) in T_POSE.items() if parent == bone]
        nodes.append({"name": bone, "translation": list(place), **({"children": children} if children else {})})
    first = len(nodes)
    nodes += [{"name": names.get(unit, perfect_sync_name(unit))} for unit in TARGETS]
    # A weight is the x of a node's place, so each comes with two zeros.
    places = np.zeros((len(TARGETS), count, 3), "<f4")
    places[:, :, 0] = weights.T
    views = [{"buffer": 0, "byteOffset": 0, "byteLength": instants.nbytes}]
    views.append({"buffer": 0, "byteOffset": instants.nbytes, "byteLength": places.nbytes})
    shared = {"componentType": _FLOAT, "count": count}
    extremes = {"min": [float(instants[0])], "max": [float(instants[-1])]}
    accessors: list[dict[str, Any]] = [{**shared, "bufferView": 0, "type": "SCALAR", **extremes}]
    accessors += [
        {**shared, "bufferView": 1, "byteOffset": place * places[0].nbytes, "type": "VEC3"}
        for place in range(len(TARGETS))
    ]
    channels = [
        {"sampler": place, "target": {"node": first + place, "path": "translation"}} for place in range(len(TARGETS))
    ]
    data, samplers = instants.tobytes() + places.tobytes(), [{"input": 0, "output": 1 + k} for k in range(len(TARGETS))]
    if turns is not None:
        quaternions = np.asarray(turns, "<f4").tobytes()
        views.append({"buffer": 0, "byteOffset": len(data), "byteLength": len(quaternions)})
        accessors.append({**shared, "bufferView": 2, "type": "VEC4"})
        channels.append({"sampler": len(samplers), "target": {"node": bones.index("head"), "path": "rotation"}})
        samplers.append({"input": 0, "output": len(accessors) - 1})
        data += quaternions
    document = {
        "asset": {"version": "2.0", "generator": f"emo3d {emo3d.__version__}"},
        "extensionsUsed": ["VRMC_vrm_animation"],
        "extensions": {
            "VRMC_vrm_animation": {
                "specVersion": "1.0",
                "humanoid": {"humanBones": {bone: {"node": place} for place, bone in enumerate(bones)}},
                "expressions": {"custom": {node["name"]: {"node": first + k} for k, node in enumerate(nodes[first:])}},
            }
        },
        "scene": 0,
        "scenes": [{"nodes": [0, *range(first, len(nodes))]}],
        "nodes": nodes,
        "animations": [
            {
                "name": "emo3d",
                "samplers": samplers,
                "channels": channels,
            }
        ],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(data)}],
    }
    return document, data
