"""Write compositor_frames.json: what Python's compositor makes of speech and emotions, for the test in TypeScript.

    python tests/lab/clips/compositor_frames.py

Whether it is right is held against lips, people and readers in test_speech_clips.py; this file holds both languages
together.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from emo3d.clips import CHANNELS
from emo3d_lab.clips.speech import Compositor
from emo3d_lab.clips.visemes import Cue, speech_of_cues
from emo3d_lab.sample.prototypes import PROTOTYPES

PATH = Path(__file__).with_suffix(".json")
_SOUNDS = "PP aa I O TH FF sil PP E DD PP".split()
_LIDS = [CHANNELS.index(f"eyeBlink{side}") for side in ("Left", "Right")]


def named(frame: np.ndarray, digits: int) -> dict[str, float]:
    return {
        name: round(float(value), digits) for name, value in zip(CHANNELS, frame, strict=True) if round(value, digits)
    }


def clip_of(emotion: str, rate: float, priority: dict[str, float], seed: int) -> dict[str, Any]:
    """A second of speech under an emotion that comes, with blinks in both and turns of the head."""
    draw = np.random.default_rng(seed)
    cues = [Cue(0.09 * k, 0.09 * (k + 1), sound) for k, sound in enumerate(_SOUNDS)]
    speech = np.asarray(speech_of_cues(cues, rate=rate).frames, np.float64)
    prototype = np.array([PROTOTYPES[emotion].get(name, 0.0) for name in CHANNELS])
    shares = np.linspace(0.2, 1, len(speech))[:, None]
    shown = shares * prototype
    for frames, start in ((speech, 4), (shown, 9), (shown, 20)):
        frames[start : start + 4, _LIDS] = np.array([0.4, 1, 0.7, 0.2])[: len(frames[start : start + 4]), None]
    speech[:, -9:] = draw.uniform(-0.8, 0.8, (len(speech), 9))
    shown[:, -9:] = draw.uniform(-0.8, 0.8, 9)
    compositor, frames = Compositor(rate, priority=priority), []
    for pair in zip(speech, shown, strict=True):
        given = [{name: value for name, value in named(frame, 4).items()} for frame in pair]
        inputs = [np.array([frame.get(name, 0.0) for name in CHANNELS]) for frame in given]
        frames.append([*given, named(compositor.step(*inputs), 7)])
    return {"rate": rate, "priority": priority, "frames": frames}


def make_frames() -> list[dict[str, Any]]:
    """All of the file."""
    return [
        clip_of("happiness", 20, {}, 1),
        clip_of("anger", 24, {"mouthFrownLeft": 0.5, "jawOpen": 0.8}, 2),
        clip_of("fear", 12, {}, 3),
    ]


if __name__ == "__main__":
    PATH.write_text("[\n" + ",\n".join(map(json.dumps, make_frames())) + "\n]\n", encoding="utf-8")
