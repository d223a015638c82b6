"""Clips of prototypes and their beats, whose numbers are known by hand: k = 1, epsilon 0.01, beats of one emotion.

A face that retrieves its own beat has a divergence of ln(1 / 1.01), one that retrieves another of ln(1 / 0.01).
"""

from math import log

import numpy as np

from emo3d.clips import Clip
from emo3d_lab.clips.scoring import ClipScorer, ClipSettings
from emo3d_lab.sample.prototypes import combine

OWN, OTHER = log(1 / 1.01), log(1 / 0.01)
WRONG = (OTHER + (3 * OWN + 6 * OTHER) / 9) / 2
"""Two beats in the wrong order at 12 instants: with a transition of one (0.3 x 6) and at least two (0.4 x 6) of a beat,
one beat has two instants and the other nine, three of which show it."""
TEXTS = {"happiness": "She is overjoyed", "anger": "He is furious", "surprise": "She gasps in astonishment"}
K1 = ClipSettings(backbone="quickstart", k=1)


def frames(*emotions, each=30):
    """Faces of emotions held one after the other, (T, 51)."""
    return np.stack([combine({} if name == "rest" else {name: 0.9}) for name in emotions]).repeat(each, axis=0)


def clip(*emotions, rate=30, each=30):
    return Clip.from_frames(frames(*emotions, each=each), rate)


def reference(*emotions, seconds=1.0):
    """A reference of beats that last for as long each; times are left out where seconds is None."""
    beats = [{"description": TEXTS[name], "intensities": {name: 0.9}} for name in emotions]
    if seconds:
        beats = [row | {"start": place * seconds, "end": (place + 1) * seconds} for place, row in enumerate(beats)]
    return {"beats": beats}


def scorer_of(pairs, settings=K1, **options):
    """A scorer with clips of tuples of emotions, each against the beats of another tuple."""
    scorer = ClipScorer(settings, **options)
    scorer.update([clip(*shown) for shown, _ in pairs], [reference(*beats) for _, beats in pairs])
    return scorer
