"""The metric as evaluate loads it, the example in its docstring, its card, and its page."""

import doctest
import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest

from emo3d import BLENDSHAPES, EMOTIONS
from emo3d.scoring import ScoreSettings, score

datasets = pytest.importorskip("datasets")
evaluate = pytest.importorskip("evaluate", reason="needs the extra [metric]")

FOLDER = Path(__file__).parents[2] / "metric_space"
MODULE = FOLDER / "emo3d_score.py"
WORDS = ("happy", "sad", "calm", "angry")


@pytest.fixture(scope="module")
def metric():
    with pytest.MonkeyPatch.context() as patch:
        # evaluate would look for a later version of a local module on the Hub
        patch.setattr("evaluate.config.HF_EVALUATE_OFFLINE", True)
        yield evaluate.load(str(MODULE), keep_in_memory=True)


@pytest.fixture(scope="module")
def case():
    rng = np.random.default_rng(0)
    predictions = (rng.random((4, 51)) / 2).astype(np.float32)
    references = [
        {"description": f"a {word} face", "intensities": rng.random(8).tolist(), "blendshapes": rng.random(51).tolist()}
        for word in WORDS
    ]
    return predictions, references


@pytest.fixture
def settings(clip_folder):
    return {"backbone": clip_folder, "k": 2, "variant": "release", "seed": 3}


def test_agrees_with_the_library(metric, case, settings):
    predictions, references = case
    result = metric.compute(predictions=predictions, references=references, per_sample=True, **settings)
    assert result == score(predictions, references, settings=ScoreSettings(**settings)).to_dict(per_sample=True)
    assert json.loads(json.dumps(result)) == result


@pytest.mark.parametrize("kind", ["rows", "more keys", "dataset", "selected columns", "names", "no expressions"])
def test_references_and_predictions_in_many_forms(metric, case, settings, kind):
    predictions, references = case
    if kind == "more keys":
        references = [row | {"sample_id": 1} for row in references]
    elif kind == "dataset":
        references = datasets.Dataset.from_list(references).add_column("sample_id", range(4))
        predictions = datasets.Dataset.from_dict({"x": predictions})["x"]
    elif kind == "selected columns":
        references = {name: [row[name] for row in references] for name in references[0]}
    elif kind == "names":
        predictions = [dict(zip(BLENDSHAPES, row.tolist(), strict=True)) for row in predictions]
        references = [row | {"intensities": dict(zip(EMOTIONS, row["intensities"], strict=True))} for row in references]
    elif kind == "no expressions":
        references = [{name: row[name] for name in ("description", "intensities")} for row in references]
    result = metric.compute(predictions=predictions, references=references, **settings)
    expected = metric.compute(predictions=case[0], references=case[1], **settings)
    assert (result["emo3d"], result["signature"]) == (expected["emo3d"], expected["signature"])
    assert result["mse"] == (None if kind == "no expressions" else expected["mse"])


def test_batch_by_batch_and_one_by_one(metric, case, settings):
    predictions, references = case
    expected = metric.compute(predictions=predictions, references=references, **settings)
    metric.add_batch(predictions=predictions[:3], references=references[:3])
    metric.add(prediction=predictions[3], reference=references[3])
    assert metric.compute(**settings) == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p, r: (p[:3], r), "predictions (3) and references (4)"),
        (lambda p, r: (p[:, :50], r), "expected 51 or 52 scores in row 0, got 50"),
        (lambda p, r: (np.where(p == p[2, 0], np.nan, p), r), "got browDownLeft = nan in row 2"),
        (lambda p, r: (p, [{"description": "a"}] * 4), "expected 'intensities' in reference 0, got description"),
        (lambda p, r: (p, [*r[:3], r[3] | {"intensities": [0] * 8}]), "row 3 has eight intensities of 0"),
        (lambda p, r: (p[:0], []), "got an empty batch"),
        (lambda p, r: (p[:1], r[:1]), "expected a bank of at least k = 2 descriptions, got 1"),
    ],
)
def test_bad_input_says_what_and_where(metric, case, settings, change, message):
    predictions, references = change(*case)
    with pytest.raises(ValueError, match=re.escape(message)):
        metric.compute(predictions=predictions, references=references, **settings)


def test_the_example_runs(monkeypatch, metric):
    specification = importlib.util.spec_from_file_location("emo3d_score", MODULE)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    monkeypatch.setattr(evaluate, "load", lambda name: metric)
    example = doctest.DocTestParser().get_doctest(module._KWARGS_DESCRIPTION, {}, "inputs_description", None, 0)
    assert len(example.examples) == 9
    assert doctest.DocTestRunner().run(example).failed == 0


def test_one_import_per_line_and_one_metric():
    text = MODULE.read_text()
    assert not re.search(r"^import .*,", text, re.MULTILINE)  # evaluate's parser would lose the second
    assert len(re.findall(r"^class ", text, re.MULTILINE)) == 1  # evaluate takes the first


def test_card():
    yaml = pytest.importorskip("yaml")
    _, front, text = (FOLDER / "README.md").read_text().split("---\n", 2)
    front = yaml.safe_load(front)
    assert (front["sdk"], front["app_file"]) == ("gradio", "app.py")
    assert {"evaluate", "metric"} <= set(front["tags"])
    for heading in ("## How to use", "## Limits", "## Citation"):
        assert heading in text
