"""The shapes of an avatar's face: ARKit's 52, then the visemes and extras that viewers ask for, composed of them."""

from __future__ import annotations

import numpy as np

from emo3d.face import TARGETS

# Oculus' fifteen visemes. What lips, jaw and tongue do in each follows the articulation of its sounds (International
# Phonetic Association, Handbook, 1999: bilabial, labiodental, dental, ...); the strengths are ours. A trailing * stands
# for both sides.
_VISEMES = {
    "sil": "",
    "PP": "mouthPress* 0.5 mouthRollLower 0.2 mouthRollUpper 0.15 mouthShrugLower 0.2",
    "FF": "mouthRollLower 0.7 mouthShrugLower 0.3 mouthUpperUp* 0.35 jawOpen 0.03",
    "TH": "jawOpen 0.16 tongueOut 0.35 mouthLowerDown* 0.25 mouthUpperUp* 0.15",
    "DD": "jawOpen 0.13 mouthLowerDown* 0.35 mouthUpperUp* 0.2 mouthStretch* 0.1",
    "kk": "jawOpen 0.2 mouthLowerDown* 0.25 mouthUpperUp* 0.15",
    "CH": "jawOpen 0.1 mouthFunnel 0.6 mouthPucker 0.1 mouthLowerDown* 0.2",
    "SS": "jawOpen 0.03 mouthStretch* 0.35 mouthLowerDown* 0.4 mouthUpperUp* 0.25",
    "nn": "jawOpen 0.12 mouthLowerDown* 0.25 mouthUpperUp* 0.15",
    "RR": "jawOpen 0.14 mouthFunnel 0.35 mouthPucker 0.25",
    "aa": "jawOpen 0.5 mouthLowerDown* 0.25 mouthUpperUp* 0.15",
    "E": "jawOpen 0.25 mouthStretch* 0.3 mouthSmile* 0.2 mouthLowerDown* 0.3",
    "I": "jawOpen 0.12 mouthStretch* 0.3 mouthSmile* 0.35 mouthLowerDown* 0.25 mouthUpperUp* 0.1",
    "O": "jawOpen 0.32 mouthFunnel 0.6 mouthPucker 0.2",
    "U": "jawOpen 0.12 mouthPucker 0.75 mouthFunnel 0.3",
}
# What Ready Player Me's avatars have besides; as TalkingHead mixes them where they are absent.
_EXTRAS = {
    "mouthOpen": "jawOpen 0.5",
    "mouthSmile": "mouthSmile* 0.8",
    "eyesClosed": "eyeBlink* 1",
    "eyesLookUp": "eyeLookUp* 1",
    "eyesLookDown": "eyeLookDown* 1",
}


def _weights(shares: str) -> np.ndarray:
    weights = np.zeros(len(TARGETS))
    words = shares.split()
    for pattern, share in zip(words[::2], words[1::2], strict=True):
        for side in ("Left", "Right") if pattern.endswith("*") else ("",):
            weights[TARGETS.index(pattern.rstrip("*") + side)] = float(share)
    return weights


COMPOSED: dict[str, np.ndarray] = {
    **{f"viseme_{name}": _weights(shares) for name, shares in _VISEMES.items()},
    **{name: _weights(shares) for name, shares in _EXTRAS.items()},
}
"""Composed target -> weights (52,) in the order of `TARGETS`, 0..1."""

SHAPES: tuple[str, ...] = (*TARGETS, *COMPOSED)
"""All 72 targets of an avatar's face, in their order."""


def all_deltas(deltas: np.ndarray) -> np.ndarray:
    """The deltas of `SHAPES`, (72, V, 3), of those of `TARGETS`, (52, V, 3)."""
    mixes = np.array(list(COMPOSED.values()))
    composed = np.tensordot(mixes, deltas.astype(np.float64), 1)
    return np.concatenate([deltas, composed.astype(np.float32)])
