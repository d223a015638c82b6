"""Clips as pictures of tiles."""

import io

import numpy as np
import pytest
from PIL import Image

from emo3d.clips import CHANNELS, Clip, make_sprite
from emo3d.face import RenderSettings, render

JAW = CHANNELS.index("jawOpen")


def opening(seconds, rate=30):
    """A jaw that opens evenly."""
    frames = np.zeros((round(seconds * rate), len(CHANNELS)), np.float32)
    frames[:, JAW] = np.linspace(0, 1, len(frames))
    return Clip(frames, rate)


def tiles(sprite):
    sheet = np.asarray(Image.open(io.BytesIO(sprite.jpeg)), float)
    places = [divmod(number, sprite.columns) for number in range(sprite.count)]
    side = sprite.side
    return [sheet[row * side : (row + 1) * side, column * side : (column + 1) * side] for row, column in places]


def test_tiles_are_the_frames_in_their_order():
    clip = opening(1)
    sprite = make_sprite(clip, side=64)
    assert (sprite.side, sprite.count, sprite.rate, sprite.columns) == (64, 15, 15, 4)
    assert Image.open(io.BytesIO(sprite.jpeg)).size == (256, 256)
    faces = render(clip.expressions, settings=RenderSettings(size=64)).astype(float)
    nearest = [int(np.abs(faces - tile).mean(axis=(1, 2, 3)).argmin()) for tile in tiles(sprite)]
    assert nearest == list(range(0, 30, 2))  # JPEG loses less than a frame moves


@pytest.mark.parametrize(
    ("seconds", "rate", "count", "side"),
    [
        (0.03, 60, 1, 48),  # two frames of a sixtieth of a second are half of a fifteenth
        (3, 8, 24, 48),  # no more pictures than frames
        (90, 10, 450, 48),  # at most 450
    ],
)
def test_counts_of_short_slow_and_long_clips(seconds, rate, count, side):
    sprite = make_sprite(opening(seconds, rate), side=side)
    assert (sprite.count, sprite.side) == (count, side)
    assert count / sprite.rate == pytest.approx(seconds, abs=1 / 15)


def test_many_pictures_are_smaller_and_within_the_limit():
    sprite = make_sprite(opening(30, 15))
    assert sprite.count * sprite.side**2 <= 12_000_000
    assert len(sprite.jpeg) <= 1_500_000
    assert sprite.side > 150
