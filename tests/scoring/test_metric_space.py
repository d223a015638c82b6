"""The metric as evaluate loads it: what it takes, the example in its docstring, and its card."""

import doctest
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import emo3d
from emo3d import BLENDSHAPES, EMOTIONS
from emo3d.blendshapes import as_layout
from emo3d.scoring import Bank, ScoreSettings, load_backbone, read_references, score
from hanging import HANGS
from hub import Hub

datasets = pytest.importorskip("datasets")
evaluate = pytest.importorskip("evaluate", reason="needs the extra [metric]")

FOLDER = Path(__file__).parents[2] / "metric_space"
MODULE = FOLDER / "emo3d_score.py"
WORDS = ("happy", "sad", "calm", "angry")


def load(**settings):
    return evaluate.load(emo3d.metric_path(), keep_in_memory=True, **settings)


@pytest.fixture(scope="module")
def metric():
    return load()


@pytest.fixture(scope="module")
def case():
    rng = np.random.default_rng(0)
    predictions = (rng.random((4, 51)) / 2).astype(np.float32)
    references = [
        {"description": f"a {word} face", "intensities": rng.random(8).tolist(), "blendshapes": rng.random(51).tolist()}
        for word in WORDS
    ]
    return predictions, references


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(1).integers(0, 256, (4, 32, 32, 3), np.uint8)


@pytest.fixture(scope="module")
def files(pictures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for row, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{row}.png")
    return sorted(folder.iterdir())


@pytest.fixture
def settings(clip_folder):
    return {"backbone": clip_folder, "k": 2, "variant": "release", "seed": 3}


def expected_of(predictions, references, settings):
    return score(predictions, references, settings=ScoreSettings(**settings)).to_dict(per_sample=True)


def test_agrees_with_the_library(metric, case, settings):
    result = metric.compute(predictions=case[0], references=case[1], per_sample=True, **settings)
    assert result == expected_of(*case, settings)
    assert json.loads(json.dumps(result)) == result


def test_identities(metric, case, settings):
    result = metric.compute(predictions=case[0], references=case[1], identities=2, per_sample=True, **settings)
    assert result == expected_of(*case, settings | {"identities": 2})
    assert "|identity:panel-2/2|" in result["signature"]


@pytest.mark.parametrize("kind", ["rows", "more keys", "dataset", "columns", "columns of a dataset", "names"])
def test_references_in_many_forms(metric, case, settings, kind):
    predictions, references = case
    expected = expected_of(*case, settings)
    dataset = datasets.Dataset.from_list(references).add_column("sample_id", range(4))
    references = {
        "rows": references,
        "more keys": [row | {"sample_id": 1} for row in references],
        "dataset": dataset,
        "columns": dataset.to_dict(),
        "columns of a dataset": {name: dataset[name] for name in dataset.column_names},
        "names": [row | {"intensities": dict(zip(EMOTIONS, row["intensities"], strict=True))} for row in references],
    }[kind]
    assert metric.compute(predictions=predictions, references=references, per_sample=True, **settings) == expected


def test_references_without_expressions(metric, case, settings):
    references = [{name: row[name] for name in ("description", "intensities")} for row in case[1]]
    result = metric.compute(predictions=case[0], references=references, **settings)
    assert (result["mse"], result["mae"]) == (None, None)
    assert result["kl_divergence"] == expected_of(*case, settings)["kl_divergence"]


def columns(values, feature):
    """A dataset's column as `datasets` gives it, plain and in its formats."""
    dataset = datasets.Dataset.from_dict({"x": values}, datasets.Features({"x": feature}))
    return [dataset["x"], dataset.with_format("numpy")["x"], dataset[:]["x"]]


def test_expressions_in_many_forms(metric, case, settings):
    predictions, references = case
    expected = expected_of(*case, settings)
    named = [dict(zip(BLENDSHAPES, row.tolist(), strict=True)) for row in predictions]
    for given in [predictions.tolist(), named, *columns(predictions, datasets.Sequence(datasets.Value("float32")))]:
        assert metric.compute(predictions=given, references=references, per_sample=True, **settings) == expected


@pytest.mark.parametrize("layout", ["mediapipe", "arkit"])
def test_vectors_of_52_with_a_layout(metric, case, settings, layout):
    vectors = as_layout(case[0], layout)
    printed = [np.array_str(row, precision=9, suppress_small=True) for row in vectors]  # as the release's CSV has them
    expected = expected_of(*case, settings)
    for given in (vectors, printed):
        result = metric.compute(predictions=given, references=case[1], layout=layout, **settings)
        assert result["kl_divergence"] == pytest.approx(expected["kl_divergence"], abs=1e-6)
        assert result["mse"] == pytest.approx(expected["mse"], abs=1e-6)
    with pytest.raises(ValueError, match='pass layout="mediapipe" or layout="arkit"'):
        metric.add_batch(predictions=vectors, references=case[1])


def test_pictures_in_many_forms(metric, case, settings, pictures, files):
    expected = expected_of(pictures, case[1], settings)
    assert "space:-|" in expected["signature"]
    names = [str(path) for path in files]
    in_memory = [pictures, list(pictures), [Image.fromarray(picture) for picture in pictures]]
    on_disk = [files, names, *columns(names, datasets.Image()), *columns(names, datasets.Image(decode=False))]
    for given in in_memory + on_disk:
        assert metric.compute(predictions=given, references=case[1], per_sample=True, **settings) == expected


def test_batch_by_batch_and_one_by_one(case, settings, pictures, files):
    for given, later in ((case[0], case[0]), (pictures, [Image.open(path) for path in files])):
        metric = load(**settings)
        metric.add(prediction=given[0], reference=case[1][0])
        metric.add_batch(predictions=given[1:3], references=case[1][1:3])
        metric.add(prediction=later[3], reference=case[1][3])
        assert metric.compute(per_sample=True) == expected_of(given, case[1], settings)


def test_settings_when_it_is_loaded(case, settings):
    metric = load(per_sample=True, **settings)
    assert metric.compute(predictions=case[0], references=case[1]) == expected_of(*case, settings)
    result = metric.compute(predictions=case[0], references=case[1], variant="paper", per_sample=False)
    assert "variant:paper|k:2|" in result["signature"]
    assert "per_sample" not in result
    with pytest.raises(TypeError, match="variannt"):
        load(variannt="paper")
    with pytest.raises(ValueError, match="expected k above 0, got 0"):
        load(k=0)


def test_a_fixed_bank(metric, case, settings, tmp_path):
    bank = Bank.encode([f"a {word} man" for word in WORDS], np.eye(8)[:4], load_backbone(settings["backbone"]))
    bank.save(tmp_path)
    result = metric.compute(predictions=case[0], references=case[1], bank_folder=str(tmp_path), **settings)
    expected = score(*case, bank=bank, settings=ScoreSettings(**settings)).to_dict()
    assert result == expected
    assert (result["recall_at_k"], f"bank:{bank.hash}|" in result["signature"]) == (None, True)


def test_a_wrong_setting_costs_no_rows(case, settings):
    metric = load(**settings)
    metric.add_batch(predictions=case[0], references=case[1])
    with pytest.raises(ValueError, match="expected a variant of paper, release, got 'papper'"):
        metric.compute(variant="papper")
    assert metric.compute(per_sample=True) == expected_of(*case, settings)


OTHER = '''
import datasets
import evaluate
from emo3d.blendshapes import as_expressions


class Liveliness(evaluate.Measurement):
    """Mean blendshape score of the predictions."""

    def _info(self):
        features = datasets.Features({"predictions": datasets.Sequence(datasets.Value("float32"))})
        return evaluate.MeasurementInfo(description="", citation="", inputs_description="", features=features)

    def _compute(self, *, predictions):
        return {"liveliness": float(as_expressions(predictions).mean())}
'''


@pytest.mark.parametrize("how", ["compute", "add_batch", "add"])
def test_combined_with_others(case, settings, tmp_path, how):
    """Two variants of ours, and a measurement of another kind, in one call."""
    other = tmp_path / "liveliness.py"
    other.write_text(OTHER)
    predictions, references = case
    settings.pop("variant")
    ours = {variant: load(variant=variant, **settings) for variant in ("paper", "release")}
    combined = evaluate.combine(ours | {"other": evaluate.load(str(other), keep_in_memory=True)})
    given = {"predictions": predictions.tolist(), "references": references}
    if how == "add":
        for prediction, reference in zip(*given.values(), strict=True):
            combined.add(prediction, reference)
    elif how == "add_batch":
        combined.add_batch(**given)
    result = combined.compute(**(given if how == "compute" else {}))
    for variant in ours:
        expected = expected_of(predictions, references, settings | {"variant": variant})
        assert result[f"{variant}_kl_divergence"] == expected["kl_divergence"]
    assert result["liveliness"] == pytest.approx(predictions.mean())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p, r: (p[:3], r), "expected one prediction per reference, got 3 predictions and 4 references"),
        (lambda p, r: (p[:, :50], r), "expected 51 or 52 scores in row 0, got 50"),
        (lambda p, r: (np.where(p == p[2, 0], np.nan, p), r), "got browDownLeft = nan in row 2"),
        (lambda p, r: (p, [{"description": "a"}] * 4), "expected 'intensities' in reference 0, got description"),
        (lambda p, r: (p, [*r[:3], r[3] | {"intensities": [0] * 8}]), "row 3 has eight intensities of 0"),
        (lambda p, r: (p[:0], []), "got an empty batch"),
        (lambda p, r: (None, r), "expected predictions and references, got only one of them"),
        (
            lambda p, r: (p, read_references(r, "reading")),
            "their space as references_space, got both in one",
        ),
        (lambda p, r: (p[:1], r[:1]), "expected a bank of at least k = 2 descriptions, got 1"),
        (lambda p, r: (["no.png"] * 4, r), "cannot read the picture in row 0: [Errno 2] No such file"),
        (
            lambda p, r: ([np.zeros((8, 8, 3), np.uint8)] * 3 + [np.zeros((8, 9, 3), np.uint8)], r),
            "expected pictures of one size, 8 x 8 as in row 0, got 9 x 8 in row 3",
        ),
        (
            lambda p, r: ([{"bytes": b"no picture", "path": None}] * 4, r),
            "cannot read the picture in row 0: cannot identify image file",
        ),
    ],
)
def test_bad_input_says_what_and_where(metric, case, settings, change, message):
    predictions, references = change(*case)
    with pytest.raises(ValueError, match=re.escape(message)):
        metric.compute(predictions=predictions, references=references, **settings)


def test_expressions_and_pictures_do_not_mix(case, settings, pictures):
    metric = load(**settings)
    metric.add_batch(predictions=case[0], references=case[1])
    metric.add_batch(predictions=pictures, references=case[1])
    with pytest.raises(ValueError, match="expected expressions or pictures in all batches, got both"):
        metric.compute()


LOAD_AND_SCORE = """
import sys
import emo3d
import evaluate

try:
    metric = evaluate.load(sys.argv[1] if sys.argv[1:] else emo3d.metric_path())
except FileNotFoundError as error:  # evaluate hides why a Hub did not answer
    raise error.__context__ or error
expressions = [{"mouthSmileLeft": 0.9, "mouthSmileRight": 0.9}, {"browInnerUp": 0.7}]
rows = [{"description": text, "intensities": {text: 1}} for text in ("happiness", "sadness")]
print(metric.name, metric.compute(predictions=expressions, references=rows, backbone="quickstart", k=1)["n"])
"""
NO_NETWORK = """
import socket

def refuse(*_):
    raise AssertionError("a host was asked for")

socket.socket.connect = socket.getaddrinfo = refuse
"""


def load_and_score(code, *arguments, environment):
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=HANGS)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-2:] == ["emo3d_score", "2"]


def test_loads_from_the_package_without_a_network(tmp_path):
    """In a fresh process and cache, with nothing set that would keep evaluate from the Hub."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment |= {"HF_HOME": str(tmp_path), "HF_HUB_DISABLE_TELEMETRY": "1"}
    load_and_score(NO_NETWORK + LOAD_AND_SCORE, environment=environment)


def test_loads_by_its_name_from_a_hub(tmp_path):
    with Hub({("spaces/me/emo3d_score", "main"): FOLDER}) as hub:
        try:
            load_and_score(LOAD_AND_SCORE, "me/emo3d_score", environment=hub.environment(tmp_path))
        except AssertionError as error:
            error.add_note(f"the Hub was asked for {hub.requests}")
            raise


def test_the_example_runs(monkeypatch, metric):
    specification = importlib.util.spec_from_file_location("emo3d_score", MODULE)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    monkeypatch.setattr(evaluate, "load", lambda name: metric)
    example = doctest.DocTestParser().get_doctest(module._KWARGS_DESCRIPTION, {}, "inputs_description", None, 0)
    assert len(example.examples) == 9
    assert doctest.DocTestRunner().run(example).failed == 0


def test_one_import_per_line_and_one_metric(metric):
    """evaluate's parser would lose the second name of `import a, b`, and it takes the first module class it finds."""
    assert not re.search(r"^import .*,", MODULE.read_text(), re.MULTILINE)
    classes = [c for c in vars(sys.modules[type(metric).__module__]).values() if isinstance(c, type)]
    assert [c for c in classes if issubclass(c, evaluate.EvaluationModule)] == [type(metric)]
    assert Path(emo3d.metric_path()).read_bytes() == MODULE.read_bytes()


def test_card():
    yaml = pytest.importorskip("yaml")
    _, front, text = (FOLDER / "README.md").read_text().split("---\n", 2)
    front = yaml.safe_load(front)
    assert (front["sdk"], front["app_file"]) == ("gradio", "app.py")
    assert {"evaluate", "metric"} <= set(front["tags"])
    for heading in ("## How to use", "### How to compare and report", "## Limits", "## Citation"):
        assert heading in text
    scope = {}
    exec(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1], scope)
    assert scope["result"]["n"] == 250


def test_ranges_of_the_card():
    """The ends that the card gives: q equal to p, spread over the eight emotions, or nowhere where p is, by hand."""
    text = (FOLDER / "README.md").read_text()
    assert f"`paper`: {np.log(0.125 / 0.135):.2f} to {np.log(1 / 0.01):.2f}" in text
    assert f"`release` with k = 10: {10 * np.log(0.125 / 0.0225):.1f} to {10 * np.log(1 / 0.01):.1f}" in text
    ends = [1 / (1 + np.exp(-kl)) for kl in (np.log(0.125 / 0.135), np.log(100))]
    ends += [1 / (1 + np.exp(-10 * kl / 20)) for kl in (np.log(0.125 / 0.0225), np.log(100))]
    assert "`paper`: {:.2f} to {:.2f}, `release` with k = 10: {:.2f} to {:.2f}".format(*ends) in text


def test_predictions_are_in_the_space_of_the_references_unless_it_is_said(metric, case, settings):
    unsaid = metric.compute(predictions=case[0], references=case[1], references_space="reading", **settings)
    assert "|space:reading|" in unsaid["signature"]
    assert unsaid["mse"] is not None
    said = metric.compute(
        predictions=case[0], references=case[1], references_space="reading", space="weights", **settings
    )
    assert "|space:weights|" in said["signature"]
    assert said["mse"] is None
