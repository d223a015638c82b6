"""`emo3d generate` makes clips, `emo3d retarget` takes them, and the README's film is made."""

import numpy as np
import pytest
from PIL import Image, ImageSequence

import film
from commands import run
from emo3d.clips import CHANNELS, Clip
from emo3d_lab.clips.director import generate_clip
from emo3d_lab.clips.files import read_clip, write_clip
from emo3d_lab.clips.motion import Motion

TEARS = "She holds back tears, then breaks into a smile"


def generate(*arguments):
    done = run("generate", *arguments)
    return done.returncode, done.stdout, done.stderr


def test_a_clip_is_written_and_its_beats_are_said(tmp_path):
    code, out, err = generate(TEARS, "--seconds", "4", "--out", tmp_path / "clip.npz", "--picture", tmp_path / "a.png")
    assert code == 0, err
    lines = [line.split() for line in out.splitlines()]
    assert ["from", "to", "beat"] in lines
    assert ["breaks", "into", "a", "smile"] in [line[2:] for line in lines]
    assert f"wrote 120 frames, 4.0 s, to {tmp_path / 'clip.npz'}" in out.replace("\n", "")
    clip = read_clip(tmp_path / "clip.npz")
    wanted = generate_clip(TEARS, seconds=4)
    np.testing.assert_array_equal(clip.frames, wanted.frames)
    assert (clip.description, clip.beats) == (TEARS, wanted.beats)
    with Image.open(tmp_path / "a.png") as strip:
        assert strip.width == 1280


def test_rate_seed_and_what_is_left_out(tmp_path):
    options = ["--rate", "24", "--seed", "5", "--without", "blinks", "--without", "gaze,head"]
    code, _, err = generate("a smile", *options, "--out", tmp_path / "clip.csv")
    assert code == 0, err
    clip = read_clip(tmp_path / "clip.csv")
    still = Motion(blinks=False, gaze=False, head=False)
    wanted = generate_clip("a smile", rate=24, seed=5, motion=still)
    assert clip.rate == 24
    np.testing.assert_allclose(clip.frames, wanted.frames, atol=1e-6)
    assert not clip.frames[:, CHANNELS.index("headYaw")].any()


def test_a_csv_without_times_stays_a_still(tmp_path):
    code, out, err = generate("a smile", "--out", tmp_path / "still.csv")
    assert code == 0, err
    assert "leading blendshapes" in out
    assert len((tmp_path / "still.csv").read_text().splitlines()) == 2


def test_pictures_that_move(tmp_path):
    code, _, err = generate("a smile", "--seconds", "1", "--size", "64", "--out", tmp_path / "clip.gif")
    assert code == 0, err
    with Image.open(tmp_path / "clip.gif") as gif:
        assert gif.size == (64, 64)
        assert sum(frame.info["duration"] for frame in ImageSequence.Iterator(gif)) == pytest.approx(1000, abs=40)


def test_a_clip_onto_a_character_and_retargeted(tmp_path):
    code, _, err = generate("a smile", "--out", tmp_path / "face.glb")
    assert code == 0, err
    options = ["--character", tmp_path / "face.glb", "--seconds", "1"]
    code, out, err = generate("a nod", *options, "--out", tmp_path / "moving.glb")
    assert code == 0, err
    assert "animation 'a nod'" in out
    write_clip(tmp_path / "clip.json", Clip(np.full((3, 61), 0.25), 30, description="hello"))
    done = run("retarget", tmp_path / "clip.json", tmp_path / "face.glb", "--out", tmp_path / "again.glb")
    assert done.returncode == 0, done.stderr
    assert "wrote 3 frames, 0.1 s, to" in done.stdout
    done = run("retarget", tmp_path / "clip.json", "--out", tmp_path / "take.csv")
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(read_clip(tmp_path / "take.csv").frames, 0.25, atol=1e-6)
    done = run("retarget", tmp_path / "clip.json", "--out", tmp_path / "take.csv", "--fps", "60")
    assert "expected no --fps of clip.json, a clip that says it all itself, got 60" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seconds", "0"], "seconds for 1 beat, got 0"),
        (["--seconds", "-3"], "seconds for 1 beat, got -3"),
        (["--seconds", "nan"], "expected seconds as a finite number, got nan"),
        (["--seconds", "100000"], "to 600 seconds for 1 beat, got 100000"),
        (["--rate", "0"], "expected 1 to 240 frames per second, got 0"),
        (["--rate", "1000"], "expected 1 to 240 frames per second, got 1000"),
        (["--without", "lips"], "expected blinks, gaze, head, micro, lead as --without, got 'lips'"),
        (["--seconds", "2", "--samples", "3"], "expected a description alone for a clip"),
        (["--seconds", "2", "--picture", "a.tiff"], "expected a file of .png, .jpg, .jpeg, .webp, got a.tiff"),
        (["--seconds", "2", "--out", "clip.mkv"], "expected a file of .json, .npz, .parquet, .glb"),
        (["--out", "clip.gif", "--dataset", "sample"], "expected --model and --out alone with --dataset"),
        (["--blender", "python"], "expected --blender with a clip as .fbx or .usd, got python"),
        (["--seconds", "90", "--out", "clip.gif"], "expected a take of at most 60 s for a GIF, got 90 s"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = generate("a smile", *arguments)
    assert code != 0
    assert message in " ".join(err.split())
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())


def test_the_film_of_the_readme(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["film.py", str(tmp_path / "film.gif")])
    film.main()
    for path in (tmp_path / "film.gif", film.ROOT / "docs" / "film.gif"):
        assert path.stat().st_size < 2_000_000
        with Image.open(path) as gif:
            assert (gif.size, gif.info["loop"]) == ((320, 364), 0)
            assert sum(frame.info["duration"] for frame in ImageSequence.Iterator(gif)) == 4000
