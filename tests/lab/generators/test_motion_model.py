"""A learnt generator of clips: what it answers, how it is saved and found, and what it refuses."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel

from emo3d.clips import CHANNELS
from emo3d.generation import load_generator
from emo3d.multilingual import MULTILINGUAL
from emo3d_lab.cli.clips import ClipTask
from emo3d_lab.clips.director import Director
from emo3d_lab.clips.loading import KIND, load_clip_generator
from emo3d_lab.generators import ClipModel, ClipModelConfig
from emo3d_lab.generators.motion import _resample

TEXTS = ["he smiles, then frowns.", "she frowns", "a sad man smiles and then she frowns, and he smiles."]


@pytest.fixture(scope="module")
def model(encoder):
    torch.manual_seed(0)
    model = ClipModel.from_encoder(encoder, width=32, layers=2, heads=2, space="reading").eval()
    model.mean.fill_(0.4)
    model.spread.fill_(0.2)
    return model


@pytest.fixture
def folder(model, tmp_path):
    model.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize(
    ("seconds", "rate", "frames"),  # seconds x rate, rounded
    [(4, 30, 120), (1.5, 60, 90), (0.05, 24, 1), (12, 240, 2880), (2, 1, 2), (1.01, 100, 101)],
)
def test_lengths(model, seconds, rate, frames):
    (clip,) = model.generate(["he smiles"], seconds=seconds, rate=rate)
    assert (len(clip), clip.rate, clip.space, clip.description) == (frames, rate, "reading", "he smiles")


def test_lengths_that_nobody_asks_for(model):
    for clip in model.generate(TEXTS):
        assert 1 <= clip.duration <= model.config.longest


def test_a_seed_is_a_clip(model):
    first, again, other = (model.generate(TEXTS, seconds=2, seed=seed) for seed in (3, 3, 4))
    for clip, same, else_ in zip(first, again, other, strict=True):
        assert np.array_equal(clip.frames, same.frames)
        assert np.abs(clip.frames - else_.frames).max() > 0.05


@pytest.mark.parametrize("seconds", [2, None])
def test_a_batch_is_its_clips(model, seconds):
    batch = model.generate(TEXTS, seconds=seconds, seed=1, batch_size=3)
    for text, clip in zip(TEXTS, batch, strict=True):
        (alone,) = model.generate([text], seconds=seconds, seed=1)
        assert alone.description == clip.description == text
        np.testing.assert_allclose(clip.frames, alone.frames, atol=1e-4)


def test_padding_is_not_seen(model):
    states, lengths = torch.randn(2, 5, 32), torch.tensor([20, 12])
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    noise, time = torch.randn(2, 20, 61), torch.tensor([0.3, 0.6])
    with torch.no_grad():
        both = model._denoise(noise, time, lengths, model._texts(states, mask))
        alone = model._denoise(noise[1:, :12], time[1:], lengths[1:], model._texts(states[1:, :3], mask[1:, :3]))
    torch.testing.assert_close(both[1:, :12], alone, atol=1e-5, rtol=0)


def test_the_flow_ends_in_what_the_network_sees(model, monkeypatch):
    """Of a network that always sees one face, Euler's last step lands on it, whatever the guidance: s + g (s - s)."""
    seen = torch.linspace(-1, 1, 61)
    monkeypatch.setattr(model, "_denoise", lambda frames, *_: seen.expand(frames.shape))
    (clip,) = model.generate(["he smiles"], seconds=1)
    np.testing.assert_allclose(clip.frames, np.tile(0.4 + 0.2 * seen, (30, 1)), atol=1e-5)


def test_guidance_is_a_line_through_both_answers(model, monkeypatch):
    """The answer without a text is 0, with one 0.5: at guidance g, g times 0.5, by Ho and Salimans' formula."""
    monkeypatch.setattr(model, "_denoise", lambda frames, time, lengths, texts: _half(frames, texts))
    for guidance in (1.0, 2.0, 3.0):
        monkeypatch.setattr(model.config, "guidance", guidance)
        (clip,) = model.generate(["he smiles"], seconds=1)
        np.testing.assert_allclose(clip.frames, 0.4 + 0.2 * 0.5 * guidance, atol=1e-5)


def _half(frames, texts):
    has_text = (~texts[1]).sum(1) > 1  # what has none is one token
    return torch.where(has_text[:, None, None], 0.5, 0.0).expand(frames.shape)


def test_scores_and_angles_stay_in_range(model, monkeypatch):
    monkeypatch.setattr(model, "_denoise", lambda frames, *_: torch.full_like(frames, 99.0))
    (clip,) = model.generate(["he smiles"], seconds=1)
    assert (clip.units == 1).all()
    assert (clip.rotations == np.float32(np.pi)).all()


def test_the_mouth_closes_no_further_than_the_jaw_is_open(encoder):
    model = ClipModel.from_encoder(encoder, width=32, layers=1, heads=2, space="weights").eval()
    model.mean.fill_(0.5)
    (clip,) = model.generate(["he smiles"], seconds=2)
    close, jaw = (clip.frames[:, CHANNELS.index(name)] for name in ("mouthClose", "jawOpen"))
    assert jaw.min() < 0.3 < jaw.max()
    assert (close <= jaw).all()


def test_resampling():
    """Cubics go through the frames, and a straight line stays one but for its ends."""
    line = torch.linspace(0, 1, 21)[:, None].expand(-1, 3)
    finer = _resample(line, 20, 60, 63)
    np.testing.assert_allclose(finer[::3], line, atol=1e-6)
    np.testing.assert_allclose(finer[6:-9, 0], np.arange(6, 54) / 60, atol=5e-3)
    assert (finer[60:] == finer[60]).all()
    assert torch.equal(_resample(line[:1], 20, 30, 5), torch.zeros(5, 3))


def test_ten_seconds_at_sixty_frames_are_quick():
    """The size of the recipe's model beside its encoder, which took 0.05 s when this was written."""
    model = ClipModel(ClipModelConfig(width=96)).eval()
    lengths, texts = torch.tensor([200]), model._texts(torch.randn(1, 30, 384), torch.ones(1, 30))
    with torch.inference_mode():
        model._flow(texts, lengths, 0)
        start = time.process_time()  # of one thread, whatever else the machine does
        _resample(model._flow(texts, lengths, 0)[0], 20, 60, 600)
    assert time.process_time() - start < 1


def test_saved_and_found(model, folder):
    (clip,) = model.generate(TEXTS[:1], seconds=1)
    for loaded in (load_clip_generator(folder), load_clip_generator(str(folder)), AutoModel.from_pretrained(folder)):
        assert isinstance(loaded, ClipModel)
        assert np.array_equal(loaded.generate(TEXTS[:1], seconds=1)[0].frames, clip.frames)
        assert load_clip_generator(loaded) is loaded
    assert not list(folder.glob("*.bin"))
    assert ClipModelConfig.model_type == KIND
    with pytest.raises(ValueError, match=r"expected a generator of type .* is a emo3d-clip-model model"):
        load_generator(folder)


def test_all_else_becomes_a_director():
    class Still:
        def generate(self, descriptions):
            return np.zeros((len(descriptions), 51))

    director = load_clip_generator(Still())
    assert isinstance(director, Director)
    assert load_clip_generator(director) is director
    with pytest.raises(OSError, match="there is no such folder"):
        load_clip_generator("nobody/has-this-model").generate(["a smile"])  # of stills: it is loaded when it is asked


ELSEWHERE = """
import sys
class Absent:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in ("emo3d", "emo3d_lab"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
from transformers import AutoModel
model = AutoModel.from_pretrained(sys.argv[1], trust_remote_code=True)
print(*model.generate(["he smiles"], seconds=1)[0].frames[17, :3].tolist())
"""


def test_its_code_runs_without_this_package(model, folder):
    done = subprocess.run([sys.executable, "-c", ELSEWHERE, folder], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    expected = model.generate(["he smiles"], seconds=1)[0].frames[17, :3]
    np.testing.assert_allclose([float(word) for word in done.stdout.split()], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("texts", "options", "message"),
    [
        ([], {}, "expected at least one description"),
        (["he smiles", " "], {}, "expected a description in row 1, got ' ', which is blank"),
        ("he smiles", {}, "expected a list of descriptions, got one string"),
        (["he smiles"], {"seconds": 0}, "expected a frame to 12 s, the longest clips that this model makes, got 0 s"),
        (["he smiles"], {"seconds": -1}, "got -1 s"),
        (["he smiles"], {"seconds": 12.5}, "got 12.5 s"),
        (["he smiles"], {"seconds": 0.01}, "got 0.01 s"),  # a third of a frame
        (["he smiles"], {"seconds": float("nan")}, "expected seconds as a finite number, got nan"),
        (["he smiles"], {"rate": 0}, "expected 1 to 240 frames per second, got 0"),
        (["he smiles"], {"rate": 1000}, "expected 1 to 240 frames per second, got 1000"),
        (["he smiles"], {"seed": 2**64}, "expected seed of 0 or more, below 2\\*\\*63, got 18446744073709551616"),
        (["he smiles"], {"seed": -1}, "expected seed of 0 or more, got -1"),
        (["he smiles"], {"seed": "a"}, "expected seed as a whole number, got 'a'"),
        (["he smiles"], {"seed": 1.5}, "expected seed as a whole number, got 1.5"),
        (["he smiles"], {"seed": None}, "expected seed as a whole number, got None"),
        (["he smiles"], {"batch_size": 0}, "expected batch_size of 1 or more, got 0"),
        (["he smiles"], {"batch_size": -1}, "expected batch_size of 1 or more, got -1"),
    ],
)
def test_what_it_refuses(model, texts, options, message):
    with pytest.raises(ValueError, match=message):
        model.generate(texts, **options)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"width": 30}, "expected a width that is a multiple of the 4 heads, got 30"),
        ({"frame_rate": 0}, "expected 1 to 240 frames per second, got 0"),
        ({"steps": 0}, "expected steps of 1 or more, got 0"),
        ({"dropout": 1}, "expected dropout in 0..1, got 1"),
        ({"longest": 0}, "expected longest of 600 seconds at most, got 0"),
        ({"guidance": float("inf")}, "expected guidance as a finite number"),
        ({"space": "pixels"}, "pixels"),
    ],
)
def test_configurations_that_do_not_fit(fields, message):
    with pytest.raises(ValueError, match=message):
        ClipModelConfig(**fields)


def test_the_command_asks_a_clip_model_for_no_beats(folder):
    """1e9 seconds are too many for its 12, not for beats that it has not got; a generator of stills says the other."""
    task = ClipTask("he smiles, then frowns", 1e9, 30, 0)
    task.check(str(folder), None, None, None)
    with pytest.raises(ValueError, match="expected a frame to 12 s, the longest clips that this model makes"):
        task.generate(str(folder), 1.0)
    with pytest.raises(ValueError, match="for 2 beats, got 1e\\+09"):
        task.check("quickstart", None, None, None)


def test_an_encoder_without_tokens():
    with pytest.raises(ValueError, match="expected an encoder whose tokens have states"):
        ClipModelConfig(MULTILINGUAL)


def test_long_texts_are_said(model, caplog):
    model.generate(["he smiles " * 20], seconds=1)
    assert "1 of 1 descriptions were longer than the encoder's window and lost their end" in caplog.text


def _cut(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def _without(folder):
    weights = load_file(folder / "model.safetensors")
    save_file({name: tensor for name, tensor in weights.items() if name != "mean"}, folder / "model.safetensors")


def _not_finite(folder):
    weights = load_file(folder / "model.safetensors")
    weights["mean"][0] = float("nan")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def _configured(**fields):
    def change(folder):
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | fields))

    return change


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_cut, "expected safetensors, model.safetensors cannot be read"),
        (_without, "the checkpoint of .* lacks mean"),
        (_not_finite, "expected finite weights in the checkpoint of"),
        (lambda folder: Path(folder, "model.safetensors").unlink(), "expected model.safetensors"),
        (_configured(width=64), "its configuration"),
        (_configured(layers=1_000), "expected at most 64 as layers"),
        (_configured(frame_rate="fast"), "fast"),
        (_configured(model_type="bert"), "emo3d-expression"),
    ],
)
def test_damaged_folders(folder, damage, message):
    damage(folder)
    with pytest.raises(ValueError, match=f"(?i){message}"):
        load_clip_generator(folder).generate(["a smile"])
