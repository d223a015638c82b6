"""What TypeScript takes from Python is current: tables, and frames of the compositor."""

from __future__ import annotations

import json

import numpy as np

from emo3d.clips import CHANNELS
from lab.clips.compositor_frames import PATH as FRAMES
from lab.clips.compositor_frames import make_frames
from web_tables import PATH, make_tables, write_text


def test_tables_are_current():
    assert PATH.read_text("utf-8") == write_text(make_tables()), "python tools/web_tables.py writes them"


def test_frames_are_current():
    for own, other in zip(make_frames(), json.loads(FRAMES.read_text("utf-8")), strict=True):
        assert (own["rate"], own["priority"]) == (other["rate"], other["priority"])
        for frames in zip(own["frames"], other["frames"], strict=True):
            pairs = [[[frame.get(name, 0.0) for name in CHANNELS] for frame in side] for side in frames]
            np.testing.assert_allclose(*pairs, atol=2e-7)
