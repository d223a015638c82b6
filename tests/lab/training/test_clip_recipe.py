"""The recipe of clips: what is read, what a batch is, and a model that learns two clips by heart."""

import json
import re

import numpy as np
import pyarrow as pa
import pytest
import torch
from pyarrow import parquet
from training_runs import assert_same_bits, kill_and_resume

from emo3d.clips import CHANNELS, Clip
from emo3d_lab.clips.loading import load_clip_generator
from emo3d_lab.clips.rows import row_of_clip
from emo3d_lab.generators import ClipModel, ClipModelConfig
from emo3d_lab.training import load_recipe, write_card
from emo3d_lab.training.clips import ClipCollator, prepare_clips, read_clips
from emo3d_lab.training.train import train

SMILE, FROWN, YAW = (CHANNELS.index(name) for name in ("mouthSmileLeft", "browDownLeft", "headYaw"))
TEXTS = ("a happy man winks the left eye", "the left eye winks a happy man")  # the same words in another order


def clip_of(text, first, second, seconds=2.0, rate=30.0, space="weights"):
    """One channel rises and falls, then another one; the head turns all the while."""
    times = np.arange(round(seconds * rate)) / rate / seconds
    frames = np.zeros((len(times), 61))
    frames[:, first] = 0.8 * np.sin(2 * np.pi * times).clip(0)
    frames[:, second] = 0.8 * np.sin(2 * np.pi * (times - 0.5)).clip(0) * (times >= 0.5)
    frames[:, YAW] = 0.3 * times
    return Clip(frames, rate, space, (), text)


CLIPS = [clip_of(TEXTS[0], SMILE, FROWN), clip_of(TEXTS[1], FROWN, SMILE, seconds=3.0, rate=60.0)]


def rows_of(clips):
    return [row_of_clip(clip, place, "a test") for place, clip in enumerate(clips)]


@pytest.fixture
def make_dataset(tmp_path):
    def write(clips=CLIPS, **columns):
        folder = tmp_path / "rows"
        folder.mkdir(exist_ok=True)
        rows = [row | {"frames": list(row["frames"])} | columns for row in rows_of(clips)]
        table = pa.Table.from_pylist(rows)
        for split in ("train", "validation"):
            parquet.write_table(table, folder / f"{split}.parquet")
        return str(folder)

    return write


@pytest.fixture
def settings(tiny_bert):
    """Overrides that turn the recipe into a run of seconds."""
    return f"""model.encoder={tiny_bert} model.patch=2 model.width=64 model.layers=2 model.dropout=0 model.free_share=0
        model.guidance=1 data.mirror=false training.per_device_train_batch_size=4 training.num_train_epochs=2
        training.warmup_steps=0 training.use_cpu=true training.disable_tqdm=true""".split()


def test_two_clips_by_heart_in_the_order_of_their_words(make_dataset, settings, tmp_path):
    """Within 0.02 of the channels that move (by 0.8) on average, 0.002 of all, and a tenth of their lengths."""
    settings += ["training.num_train_epochs=500", "training.lr_scheduler_type=cosine", "training.learning_rate=2e-3"]
    settings += [f"training.{what}_strategy=no" for what in ("eval", "save", "logging")]
    train(
        load_recipe("clip-model", [*settings, "training.load_best_model_at_end=false"]),
        make_dataset(),
        tmp_path / "out",
        config="default",
    )
    model = load_clip_generator(tmp_path / "out")
    for seed in (0, 5):
        for clip, wanted in zip(model.generate(TEXTS, seed=seed), CLIPS, strict=True):
            assert clip.duration == pytest.approx(wanted.duration, rel=0.1)
    for wanted in CLIPS:
        (clip,) = model.generate([wanted.description], seconds=wanted.duration, rate=wanted.rate)
        errors = np.abs(clip.frames - wanted.frames).mean(0)
        assert errors[[SMILE, FROWN, YAW]].max() < 0.02
        assert errors.mean() < 0.002


def test_rows_become_clips_at_the_rate_of_the_model(caplog):
    rows = rows_of([*CLIPS, clip_of("a sad man", SMILE, FROWN, 13.0), clip_of(None, SMILE, FROWN)])
    rows.append(rows[0] | {"frames": None, "length": 0})
    clips = read_clips(rows, "here", ClipModelConfig())
    assert [(len(clip), clip.rate) for clip in clips] == [(40, 20), (60, 20)]
    assert clips[0].frames[10, SMILE] == pytest.approx(0.8, abs=1e-6)  # the sine's peak, at half a second of two
    for reason in ("1 of 5 clips longer than 12 s", "1 of 5 clips without frames", "1 of 5 clips without a desc"):
        assert f"here: left out {reason}" in caplog.text


def test_a_batch(tiny_bert):
    """Token states are those of the encoder, frames are held behind their ends, and mirrored rows follow."""
    model = ClipModel.from_encoder(tiny_bert, width=32, layers=1, heads=2)
    clips = [CLIPS[0].resample(20)[:7], CLIPS[1].resample(20)[:5]]
    rows, truncated = prepare_clips(model, clips, mirrored=True)
    batch = ClipCollator(4)([rows[place] for place in range(4)])
    assert truncated == 0
    assert batch["labels"].shape == (4, 8, 61)
    assert batch["lengths"].tolist() == [7, 5, 7, 5]
    assert (batch["labels"][1, 4:] == batch["labels"][1, 4]).all()
    assert torch.equal(batch["labels"][2, :7], torch.tensor(clips[0].mirror().frames))
    states, mask = model.embed([TEXTS[0].replace("left", "right")])
    assert batch["mask"][2].sum() == mask.sum()
    torch.testing.assert_close(batch["states"][2, : states.shape[1]], states[0], atol=2e-3, rtol=0)  # halves
    model.train()
    assert model(**batch).loss.isfinite()


def test_losses_in_evaluation_do_not_depend_on_chance(tiny_bert):
    model = ClipModel.from_encoder(tiny_bert, width=32, layers=1, heads=2).eval()
    rows, _ = prepare_clips(model, [clip.resample(20) for clip in CLIPS])
    batch = ClipCollator(4)([rows[0], rows[1]])
    with torch.no_grad():
        first = model(**batch).loss
        torch.manual_seed(7)
        assert model(**batch).loss == first
        held = batch["labels"].clone()
        held[0, 40:] = 0.9  # behind the end
        torch.testing.assert_close(model(**batch | {"labels": held}).loss, first)


def test_spreads_come_from_the_training_split(make_dataset, settings, tmp_path):
    trained = train(load_recipe("clip-model", settings), make_dataset(), tmp_path / "out")  # files alone, all clips
    frames = np.concatenate([clip.resample(20).frames for clip in CLIPS])
    np.testing.assert_allclose(trained.model.mean, frames.mean(0), atol=1e-6)
    np.testing.assert_allclose(trained.model.spread, frames.std(0).clip(0.05), atol=1e-6)
    assert np.isfinite(json.loads((tmp_path / "out" / "eval_results.json").read_text())["eval_loss"])
    assert load_recipe(tmp_path / "out" / "recipe.yaml").kind == "clip-model"


def test_the_same_weights_after_a_kill(make_dataset, settings, tmp_path):
    settings += ["training.num_train_epochs=40", "training.load_best_model_at_end=false", "model.dropout=0.1"]
    assert_same_bits(*kill_and_resume("clip-model", make_dataset(), settings, tmp_path, "--config", "default"))


def test_its_card(tmp_path):
    """Without weights it says how to make them; its sections are those of all cards."""
    write_card("clip-model", tmp_path / "card.md")
    text = (tmp_path / "card.md").read_text()
    assert "emo3d train --model clip-model --dataset path/to/clips --output card" in text
    assert re.findall("^## (.*)", text, re.MULTILINE) == [
        *("Intended use", "Training data", "Metrics", "Limits", "Bias", "Licence and citation")
    ]
    assert "emo3d audit" not in text
    assert "emo3d evaluate" not in text


@pytest.mark.parametrize(
    ("clips", "columns", "extra", "message"),
    [
        (CLIPS, {"length": 7}, [], "clip 0: expected 7 frames, as its length says, got 60"),
        (CLIPS, {"rate": 1000.0}, [], "clip 0: expected 1 to 240 frames per second, got 1000"),
        (CLIPS, {}, ["model.space=reading"], "says that its space is weights, got model.space=reading"),
        (CLIPS, {}, ["model.longest=1"], "expected clips with descriptions of at most 1 s in the split train of"),
        ([CLIPS[0], clip_of("sad", SMILE, FROWN, space="reading")], {}, [], "expected clips of one space .* reading"),
        (CLIPS, {}, ["model.width=63"], "the recipe's model cannot be used: expected a width that is a multiple of"),
        (CLIPS, {}, ["data.inputs=both"], "expected data.inputs of descriptions for a model of type clip-model"),
        (CLIPS, {}, ["score={k: 2}"], "expected score: null"),
    ],
)
def test_what_does_not_fit(make_dataset, settings, tmp_path, clips, columns, extra, message):
    with pytest.raises(ValueError, match=message):
        train(
            load_recipe("clip-model", settings + extra),
            make_dataset(clips, **columns),
            tmp_path / "out",
            config="default",
        )


def test_rows_of_stills_are_no_clips(rows, settings, tmp_path):
    with pytest.raises(
        ValueError, match=r"expected the columns of the config clips in the split train of .*, it lacks"
    ):
        train(load_recipe("clip-model", settings), rows, tmp_path / "out", config="default")
