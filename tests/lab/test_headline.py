"""The headline, worked out by hand, and the files of the Hub's benchmark pages."""

from dataclasses import replace
from math import log

import numpy as np
import pytest
import yaml
from huggingface_hub import EvalResultEntry, parse_eval_result_entries

from emo3d.face import RenderSettings
from emo3d.scoring import References, ScoreSettings, score_distributions
from emo3d_lab.entries import Benchmark, benchmark_yaml, entries_yaml, find_benchmark, result_entry, write_entry
from emo3d_lab.headline import headline

RENDER = RenderSettings("portrait-3", 224, 2, 20.0, 0.0, 0.0)
HAPPY, SAD = np.eye(8)[1], np.eye(8)[3]
REFERENCES = References(["joy", "grief"], np.stack([HAPPY, SAD]))
TRAINING = References(list("abcd"), np.stack([HAPPY, HAPPY, HAPPY, SAD]))


def scored(right, wrong=None, references=REFERENCES, **settings):
    """A system that retrieves the right emotion with this share, and the other with the rest."""
    wrong = 1 - right if wrong is None else wrong
    shares = np.full(8, (1 - right - wrong) / 6)
    rows = []
    for p in references.intensities:
        other = SAD if p[1] else HAPPY
        rows.append(shares * (1 - p - other) + right * p + wrong * other)
    return score_distributions(np.stack(rows), references, ScoreSettings(**settings))


@pytest.mark.parametrize(
    ("right", "settings", "value"),
    [
        # p is one emotion, so KL = -ln(q + 0.01): perfect -ln 1.01 = -0.00995, prior (a half each) -ln 0.51 = 0.67334.
        (1.0, {}, 100.0),
        (0.5, {}, 0.0),
        # -ln 0.76 = 0.27444: 100 x (0.67334 - 0.27444) / (0.67334 + 0.00995)
        (0.75, {}, 58.38),
        # -ln 0.86 = 0.15082 with epsilon 0.01; with 0.1 it is -ln 0.95, between -ln 1.1 and -ln 0.6:
        # 100 x (0.51083 - 0.05129) / (0.51083 + 0.09531)
        (0.85, {"epsilon": 0.1}, 75.81),
        # Ten rows, each divided by the sum of all: 10 ln(1 / 0.11) = 22.0727 perfect, 10 ln(1 / 0.06) = 28.1341 the
        # prior, 10 ln(1 / 0.085) = 24.6510 this.
        (0.75, {"variant": "release"}, 57.46),
    ],
)
def test_by_hand(right, settings, value):
    number = headline(scored(right, **settings), REFERENCES)
    assert number.value == pytest.approx(value, abs=0.005)
    assert number.value == pytest.approx(number.unclipped, abs=1e-9)
    assert number.prior == "references"


def test_the_prior_of_a_training_split():
    """Three quarters happiness: (-ln 0.76 - ln 0.26) / 2 = 0.81076."""
    number = headline(scored(0.5), REFERENCES, TRAINING)
    assert number.kl_prior == pytest.approx((-log(0.76) - log(0.26)) / 2)
    assert number.kl_perfect == pytest.approx(-log(1.01))
    # 100 x (0.81076 - 0.67334) / (0.81076 + 0.00995)
    assert number.value == pytest.approx(16.74, abs=0.005)
    assert number.prior == "training split"


def test_worse_than_the_prior_is_0_and_says_what_it_was():
    """All eight alike: -ln 0.135 = 2.00248; 100 x (0.67334 - 2.00248) / 0.68329."""
    number = headline(scored(0.125, 0.125), REFERENCES)
    assert number.value == 0
    assert number.unclipped == pytest.approx(-194.52, abs=0.005)
    assert str(number).startswith("0.0 of 100 (unclipped -194.5): KL 2.0025 nats between 0.6733 of the constant prior")


def test_the_interval_is_that_of_the_divergence():
    """Its ends change places; both are clipped."""
    references = References([f"{n}" for n in range(20)], np.tile([HAPPY, SAD], (10, 1)))
    result = replace(scored(0.75, references=references), intervals={"kl_divergence": (0.2, 2.0)})
    # 100 x (0.67334 - 0.2) / 0.68329; the other end is below the prior
    assert headline(result, references).interval == pytest.approx((0, 69.27), abs=0.005)
    assert headline(scored(0.75), REFERENCES).interval is None  # of two faces there is none


def test_what_has_no_headline():
    with pytest.raises(ValueError, match="expected a result of the references"):
        headline(scored(0.75), TRAINING)
    alike = References(["joy", "bliss"], np.stack([HAPPY, HAPPY]))
    with pytest.raises(ValueError, match="of which the constant prior knows all"):
        headline(scored(0.75, references=alike), alike)


SAMPLE = "c39bce621357"  # hash of the packaged test split, as README.md has it in a footnote
COMMITS = {"quickstart": "0d569ba8334f", "openai/clip-vit-base-patch32": "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268"}


def entry(
    task="sample",
    right=0.75,
    revision=None,
    references=SAMPLE,
    calibration=None,
    prior=TRAINING,
    settings=None,
    **about,
):
    """As the README's footnote has a signature; for `pairs` of CLIP at its commit."""
    number = headline(scored(right), REFERENCES, prior)
    backbone = {"sample": "quickstart", "pairs": "openai/clip-vit-base-patch32"}[task]
    common = {
        "backbone": backbone,
        "revision": COMMITS[backbone],
        "bank": references,
        "render": RENDER,
        "identities": 12,
    }
    signature = ScoreSettings(**(common | (settings or {}))).sign(calibration=calibration)
    result = replace(scored(right), signature=signature, references=references)
    return result_entry(number, result, Benchmark("me/emo3d", task, revision), **about)


# 100 x (0.81076 - 0.27444) / (0.81076 + 0.00995), by the numbers above
def test_an_entry_is_read_back_by_the_class_of_the_hub():
    ours = entry(revision="0" * 40, date="2026-11-30", source_url="https://example.org/logs")
    (read,) = parse_eval_result_entries(yaml.safe_load(entries_yaml(ours)))
    assert read == ours
    assert (read.dataset_id, read.task_id, read.value) == ("me/emo3d", "sample", 65.35)
    for part in ("KL 0.2744 nats", "0.8108 of the constant prior (training split)", "n=2 | references:", "variant:pa"):
        assert part in read.notes


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"k": 5},
            r"of the task sample, those of --protocol emo3d-2026-quickstart: k 10 \(got 5\)",
        ),
        ({"backbone": "openai/clip-vit-base-patch32"}, r"quickstart: backbone quickstart \(got openai"),
        ({"identities": 1}, r"quickstart: identity panel-2/12 \(got adult\)"),
        ({"bank": "0" * 12}, r"quickstart: bank c39bce621357 \(got 000000000000\)"),
        ({"render": replace(RENDER, yaw=20.0)}, r"render portrait-3/224px/2x/fov20/yaw0 \(got .*/yaw20\)"),
        ({"revision": "0" * 12}, r"revision 0d569ba8334f \(got 000000000000\)"),
        ({"alpha": 2.0}, r"alpha 1.0 \(got 2.0\)"),
        (
            {"n_bootstrap": 10, "confidence": 0.5, "seed": 3},
            r"n_bootstrap 1000 \(got 10\), confidence .*, seed 0 \(got 3",
        ),
        ({"space": "reading", "calibration": "none"}, r"quickstart: calibration network/anny-2 \(got none\)"),
    ],
)
def test_one_leaderboard_has_one_signature(settings, message):
    with pytest.raises(ValueError, match=message):
        entry(settings=settings)


def test_one_leaderboard_has_one_set_of_references_and_one_prior():
    with pytest.raises(ValueError, match=r"bank c39bce621357 \(got 0{12}\), references c39bce621357 \(got 0{12}\)$"):
        entry(references="0" * 12)
    with pytest.raises(ValueError, match=r"quickstart: prior training split \(got references\)$"):
        entry(prior=None)
    entry("pairs", references="0" * 12)  # the published data is nowhere here


def test_readings_may_be_scored():
    notes = entry(settings={"space": "reading"}, calibration="network/anny-2").notes
    assert "space:reading|calibration:network/anny-2" in notes


def test_an_entry_replaces_its_own_and_leaves_the_others(tmp_path):
    path = tmp_path / ".eval_results" / "emo3d.yaml"
    other = EvalResultEntry(dataset_id="you/emo3d", task_id="sample", value=1)
    path.parent.mkdir()
    path.write_text(entries_yaml(other))
    for new in (entry(), entry("pairs"), entry(right=1.0)):
        write_entry(path, new)
    entries = parse_eval_result_entries(yaml.safe_load(path.read_text()))
    assert [(each.dataset_id, each.task_id, each.value) for each in entries] == [
        ("you/emo3d", "sample", 1),
        ("me/emo3d", "pairs", 65.35),
        ("me/emo3d", "sample", 100),
    ]


def test_fields_that_are_unknown_here_stay():
    """What the Hub may have next year; our own entry is replaced."""
    others = yaml.safe_load("[{dataset: {id: you/b, task_id: c, split: d}, value: 3, new: [1], date: 2026-11-30}]")
    ours = [{"dataset": {"id": "me/emo3d", "task_id": "sample"}, "value": 1, "new": 2}]
    first, last = yaml.safe_load(entries_yaml(entry(), yaml.safe_dump(ours + others).encode()))
    assert first == others[0]
    assert (last["value"], "new" in last) == (65.35, False)


@pytest.mark.parametrize(
    "text",
    [
        "a: b",
        "- 3",
        "- {value: 3}",
        "'",
        "text",
        "false",
        "- error: no entry",
        "[" * 999,
        "- {dataset: \xe9}".encode("latin1"),
    ],
)
def test_a_file_of_something_else_is_not_overwritten(tmp_path, text):
    path = tmp_path / "emo3d.yaml"
    text = text if isinstance(text, bytes) else text.encode()
    path.write_bytes(text)
    with pytest.raises(ValueError, match="expected a list of evaluation results"):
        write_entry(path, entry())
    assert path.read_bytes() == text


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (("sample", "sample"), "expected the id of a dataset on the Hub, as in namespace/emo3d, got 'sample'"),
        (("me/emo3d", "checklist"), "expected a task of sample, pairs, got 'checklist'"),
        (("me/emo3d", "pairs", "main"), "expected the commit of the dataset, 40 hexadecimal digits, got 'main'"),
    ],
)
def test_benchmarks_that_cannot_be_called_so(name, message):
    with pytest.raises(ValueError, match=message):
        Benchmark(*name)


@pytest.mark.parametrize(
    ("asked", "benchmark"),
    [
        (("sample", None, "test"), None),  # the embedded one is no dataset of the Hub
        (("sample", None, "test", "me/emo3d"), Benchmark("me/emo3d", "sample")),
        (("built", "pairs", "test", "me/emo3d", "a" * 40), Benchmark("me/emo3d", "pairs", "a" * 40)),
        (("rows.parquet", None, "test", "me/emo3d", None, "pairs"), Benchmark("me/emo3d", "pairs")),
        (("you/emo3d", "pairs", "test"), Benchmark("you/emo3d", "pairs")),  # offline, so without its commit
        (("you/emo3d", "pairs", "validation"), None),
        (("you/emo3d", "default", "test"), None),
    ],
)
def test_which_task_a_dataset_is(asked, benchmark):
    assert find_benchmark(*asked) == benchmark


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("sample", None, "train", "me/emo3d"), "expected the split test for an entry of a benchmark, got train"),
        (("rows.parquet", None, "test", "me/emo3d"), "expected a task of sample, pairs, got ''"),
    ],
)
def test_an_entry_that_was_asked_for_and_cannot_be(asked, message):
    with pytest.raises(ValueError, match=message):
        find_benchmark(*asked)


def test_the_benchmark_has_a_task_for_each_config_that_is_scored():
    benchmark = yaml.safe_load(benchmark_yaml(["checklist", "default", "pairs", "sample"]))
    assert list(benchmark) == ["name", "description", "tasks"]
    assert benchmark["tasks"] == [
        {"id": "sample", "config": "sample", "split": "test"},
        {"id": "pairs", "config": "pairs", "split": "test"},
    ]
    assert "synthetic" in benchmark["description"]
    assert "synthetic" not in benchmark_yaml(["pairs"])
    assert benchmark_yaml(["default"]) is None
