"""Takes for Unity: an AnimationClip (`.anim`) as text.

Source: Unity's text form of serialised assets (https://docs.unity3d.com/Manual/FormatDescription.html); class 74 is
AnimationClip, 137 SkinnedMeshRenderer (https://docs.unity3d.com/Manual/ClassIDReference.html).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import yaml

from emo3d.files import whole_file
from emo3d_lab.characters.character import Character
from emo3d_lab.takes.curves import Curve, kept_keys, target_curves
from emo3d_lab.takes.reading import Take

_LINEAR = 69  # both tangents linear, and broken: bits 0, 2 and 6 of tangentMode

_HEAD = """%YAML 1.1
%TAG !u! tag:unity3d.com,2011:
--- !u!74 &7400000
AnimationClip:
  m_ObjectHideFlags: 0
  m_CorrespondingSourceObject: {{fileID: 0}}
  m_PrefabInstance: {{fileID: 0}}
  m_PrefabAsset: {{fileID: 0}}
  m_Name: {name}
  serializedVersion: 6
  m_Legacy: 0
  m_Compressed: 0
  m_UseHighQualityCurve: 1
  m_RotationCurves: []
  m_CompressedRotationCurves: []
  m_EulerCurves: []
  m_PositionCurves: []
  m_ScaleCurves: []
  m_FloatCurves:
"""
_KEY = """      - serializedVersion: 3
        time: {time:.7g}
        value: {value:.7g}
        inSlope: {before:.7g}
        outSlope: {after:.7g}
        tangentMode: {mode}
        weightedMode: 0
        inWeight: 0.33333334
        outWeight: 0.33333334
"""
_TAIL = """  m_PPtrCurves: []
  m_SampleRate: {rate:.7g}
  m_WrapMode: 0
  m_Bounds:
    m_Center: {{x: 0, y: 0, z: 0}}
    m_Extent: {{x: 0, y: 0, z: 0}}
  m_ClipBindingConstant:
    genericBindings: []
    pptrCurveMapping: []
  m_AnimationClipSettings:
    serializedVersion: 2
    m_AdditiveReferencePoseClip: {{fileID: 0}}
    m_AdditiveReferencePoseTime: 0
    m_StartTime: 0
    m_StopTime: {stop:.7g}
    m_OrientationOffsetY: 0
    m_Level: 0
    m_CycleOffset: 0
    m_HasAdditiveReferencePose: 0
    m_LoopTime: 0
    m_LoopBlend: 0
    m_LoopBlendOrientation: 0
    m_LoopBlendPositionY: 0
    m_LoopBlendPositionXZ: 0
    m_KeepOriginalOrientation: 0
    m_KeepOriginalPositionY: 1
    m_KeepOriginalPositionXZ: 0
    m_HeightFromFeet: 0
    m_Mirror: 0
  m_EditorCurves: []
  m_EulerEditorCurves: []
  m_HasGenericRootTransform: 0
  m_HasMotionFloatCurves: 0
  m_Events: []
"""


def unity_full(character: Character) -> float:
    """What the blend shapes of a character go up to in Unity: 1 by the importers of .glb and .gltf, 100 by UniVRM."""
    return 1 if character.path.suffix.lower() in (".glb", ".gltf") else 100


def write_unity_clip(path: Path, take: Take, character: Character, root: str | None, full: float) -> None:
    """Write a clip with a curve for each blend shape that is driven, on straight lines between frames.

    Args:
        path: the file's stem is the clip's name, as Unity wants it.
        take: in the space of weights.
        character: whose nodes give the paths of the renderers, joined by slashes.
        root: the node that Unity's Animator is on; paths start below it, or at the top of the scene when None.
        full: what Unity's blend shapes go up to: 100 for those of FBX and UniVRM, 1 for those of glTFast and UnityGLTF.

    Raises:
        ValueError: no such node, or none of the meshes below it, or another `full`.
    """
    if full not in (1, 100):
        raise ValueError(f"expected 100 (FBX, UniVRM) or 1 (glTFast, UnityGLTF) as --full, got {full:g}")
    nodes = character.document["nodes"]
    parents = {child: node for node, entry in enumerate(nodes) for child in entry.get("children", ())}
    paths: dict[int, list[str]] = {}
    for mesh in character.meshes:
        lines = (_line(node, parents, nodes) for node in character.placing(mesh.index))
        below = [line if root is None else line[line.index(root) + 1 :] for line in lines if root in (None, *line)]
        paths[mesh.index] = ["/".join(line) for line in below]
    if not any(paths.values()):
        raise ValueError(f"expected a node above a mesh with morph targets as --root, got {root!r}")
    with whole_file(path) as part, open(part, "w", encoding="utf-8") as file:
        file.write(_HEAD.format(name=_scalar(path.stem)))
        for curve in target_curves(character, take):
            for place in paths[curve.mesh.index]:
                file.writelines(_curve(curve, place, take.times, full))
        file.write(_TAIL.format(rate=take.fps, stop=take.duration))


def _line(node: int, parents: dict[int, int], nodes: list[dict]) -> list[str]:
    """Names of a node and those above it, from the top."""
    line = [node]
    while line[-1] in parents:  # no cycle: the file's scene was walked when it was opened
        line.append(parents[line[-1]])
    return [str(nodes[index].get("name", f"node_{index}")) for index in reversed(line)]


def _curve(curve: Curve, path: str, times: np.ndarray, full: float) -> Iterator[str]:
    keys = kept_keys(curve.values)
    instants, values = times[keys], full * curve.values[keys]
    slopes = np.diff(values) / np.diff(instants)
    before, after = np.concatenate([[0.0], slopes]), np.concatenate([slopes, [0.0]])
    if len(slopes):
        before[0], after[-1] = slopes[0], slopes[-1]
    yield "  - curve:\n      serializedVersion: 2\n      m_Curve:\n"
    for time, value, left, right in zip(*(a.tolist() for a in (instants, values, before, after)), strict=True):
        yield _KEY.format(time=time, value=value, before=left, after=right, mode=_LINEAR)
    yield "      m_PreInfinity: 2\n      m_PostInfinity: 2\n      m_RotationOrder: 4\n"
    yield f"    attribute: {_scalar(f'blendShape.{curve.name}')}\n    path: {_scalar(path)}\n"
    yield "    classID: 137\n    script: {fileID: 0}\n"


def _scalar(text: str) -> str:
    """Text as YAML: in quotes where it is not plain."""
    plain = re.fullmatch(r"[A-Za-z_][\w./-]*", text, re.ASCII) and yaml.safe_load(text) == text  # yes is none
    return text if plain else json.dumps(text)
