"""The presets of VRM avatars as weights: our prototypes of the emotions, five vowels, lids and gaze."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from emo3d.blendshapes import BLENDSHAPES
from emo3d.face.heads import TARGETS
from emo3d.hints import did_you_mean
from emo3d_lab.sample.lexicon import entries
from emo3d_lab.sample.prototypes import compose, units_to_weights

PRESETS: dict[str, str] = {
    **{"happy": "joy", "angry": "angry", "sad": "sorrow", "relaxed": "fun", "surprised": "unknown"},
    **{"aa": "a", "ih": "i", "ou": "u", "ee": "e", "oh": "o"},
    **{"blink": "blink", "blinkLeft": "blink_l", "blinkRight": "blink_r"},
    **{"lookUp": "lookup", "lookDown": "lookdown", "lookLeft": "lookleft", "lookRight": "lookright"},
    "neutral": "neutral",
}
"""Presets of VRM 1.0, and what 0.x calls them; there, surprise is an expression of one's own, called Surprised."""

EMOTION_PRESETS = ("happy", "angry", "sad", "relaxed", "surprised")
_EMOTIONS = {"happy": "happiness", "angry": "anger", "sad": "sadness", "surprised": "surprise"}
_RELAXED = "contentment"  # shade of the lexicon; the specification says "comfortable"
_MOUTH = ("aa", "ih", "ou", "ee", "oh")
_BLINK = ("blink", "blinkLeft", "blinkRight")
_LOOK = ("lookUp", "lookDown", "lookLeft", "lookRight")
_ACTIONS = {  # of presets that show no emotion, in action units as the prototypes; left is the avatar's own
    "aa": "25:0.5 26:0.6",
    "ih": "12:0.2 20:0.35 25:0.6 26:0.1",
    "ou": "18:0.9 22:0.3 26:0.1",
    "ee": "12:0.15 20:0.3 25:0.5 26:0.3",
    "oh": "18:0.4 22:0.7 26:0.35",
    **{"blink": "43:1", "blinkLeft": "43L:1", "blinkRight": "43R:1"},
    **{"lookUp": "63:1", "lookDown": "64:1", "lookLeft": "61:1", "lookRight": "62:1"},
    "neutral": "",
}
_OVERRIDES = {"overrideBlink": _BLINK, "overrideLookAt": _LOOK, "overrideMouth": _MOUTH}
_TOO_MUCH = 1.3  # times a shape at its full strength
_STARING = 0.8


def check_presets(names: Iterable[str]) -> tuple[str, ...]:
    """Return names of presets; a ValueError names the nearest one of one that there is not."""
    names = tuple(names)
    synonyms = {theirs: preset for preset, theirs in PRESETS.items()} | {word: name for name, word in _EMOTIONS.items()}
    for name in names:
        if name not in PRESETS:
            raise ValueError(
                f"expected presets of {', '.join(PRESETS)}, got {name!r}{did_you_mean(name, PRESETS, synonyms)}"
            )
    return names


def perfect_sync_name(unit: str) -> str:
    """What an expression for one of ARKit's units is called: `JawOpen`, as programs with Perfect Sync look for it."""
    return unit[0].upper() + unit[1:]


def preset_weights() -> dict[str, np.ndarray]:
    """Weights for all presets of VRM 1.0: preset -> (52,) float32 in the order of `TARGETS`, 0..1.

    happy, angry, sad and surprised are the prototypes of happiness, anger, sadness and surprise at full intensity;
    relaxed is the lexicon's shade of contentment (happiness 0.6, the soft variant).
    """
    shade = next(entry.shade for entry in entries() if entry.shade.name == _RELAXED)
    relaxed = compose(dict(shade.intensities), {shade.emotion: shade.variant})
    weights = {preset: compose({emotion: 1.0}) for preset, emotion in _EMOTIONS.items()} | {"relaxed": relaxed}
    for preset, actions in _ACTIONS.items():
        named = units_to_weights(actions)
        weights[preset] = np.array([named.get(name, 0.0) for name in BLENDSHAPES])
    return {preset: np.append(weights[preset], 0).astype(np.float32) for preset in PRESETS}


def overrides(row: np.ndarray) -> dict[str, str]:
    """How an expression (52,) dampens blinks, gaze and speech, which viewers add to it: `none` or `blend` each.

    Source: VRMC_vrm-1.0, "Procedural override".
    """
    # "block" would keep a smiling avatar from blinking and speaking altogether, so it is never chosen. But where both
    # together would drive a shape far beyond its full strength (a jaw that is dropped already and then says "aa"),
    # "blend" fades the other out as the expression comes.
    presets = preset_weights()
    settings = {}
    for key, kind in _OVERRIDES.items():
        most = max(float((row + presets[name])[presets[name] > 0].max()) for name in kind)
        settings[key] = "blend" if most > _TOO_MUCH else "none"
    if row[TARGETS.index("eyeWideLeft")] > _STARING:  # lids that are held open do not close in a blink: they droop
        settings["overrideBlink"] = "blend"
    return settings
