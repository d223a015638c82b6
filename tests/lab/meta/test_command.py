"""`emo3d meta` from files to a page."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("statsmodels", reason="meta needs the extra [audit]")

from commands import run
from emo3d.scoring import Emo3DResult


@pytest.fixture
def tables(tmp_path):
    """Pairs and ratings of 30 items, and values of two metrics: `mse` is right, `odd <b>` is chance."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(30, 3)) + np.array([0.8, 0, -0.8])
    names = ("our system", "theirs", "<i>third</i>")
    values, pairs, ratings = ["item,system,mse,odd <b>"], ["item,judge,system_a,system_b,preferred"], []
    for item in range(30):
        values += [f"{item},{name},{-truth[item, place]},{rng.random()}" for place, name in enumerate(names)]
        for judge in range(4):
            seen = truth[item] + 0.4 * rng.normal(size=3)
            a, b = rng.permutation(3)[:2]
            choice = "same" if abs(seen[a] - seen[b]) < 0.2 else "a" if seen[a] > seen[b] else "b"
            pairs.append(f"{item},judge {judge},{names[a]},{names[b]},{choice}")
            ratings += [f"{item},judge {judge},{name},{round(seen[place])}" for place, name in enumerate(names)]
    for name, lines in (("values", values), ("pairs", pairs), ("ratings", ["item,judge,system,rating", *ratings])):
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


@pytest.mark.parametrize("kind", ["pairs", "ratings"])
def test_a_page_and_a_file_come_out(tables, kind):
    out, figures = tables / "new" / "agreement.html", tables / "agreement.json"
    command = [str(tables / f"{kind}.csv"), "--metrics", str(tables / "values.csv"), "--higher", "odd <b>"]
    done = run("meta", *command, "--out", str(out), "--json", str(figures), "--n-resamples", "200")
    assert done.returncode == 0, done.stderr
    assert "odd <b> does not beat" in " ".join(done.stdout.split())
    saved = json.loads(figures.read_text())
    assert [metric["name"] for metric in saved["metrics"]] == ["mse", "odd <b>"]
    assert saved["pairs"] == (kind == "pairs")
    page = out.read_text()
    assert "mse agrees with people most" in page
    assert "&lt;i&gt;third&lt;/i&gt;" in page
    assert "<i>third" not in page
    assert "odd <b>" not in page
    assert "http" not in page  # it asks nothing outside


def test_mistakes_are_one_sentence(tables):
    judgements = str(tables / "pairs.csv")
    for arguments, message in (
        ([], "expected metric values, either by --metrics TABLE or by --result SYSTEM=FILE"),
        (["--metrics", str(tables / "values.csv")], "whether more 'odd <b>' is better"),
        (["--result", "mine.json"], "expected --result SYSTEM=FILE, got 'mine.json'"),
        (
            ["--metrics", str(tables / "values.csv"), "--higher", "odd <b>", "--seed", "-1"],
            "expected a seed of at least 0",
        ),
        (["--metrics", str(tables / "values.csv"), "--kind", "robot"], "expected --kind person or machine or all"),
    ):
        done = run("meta", judgements, *arguments)
        assert done.returncode == 2
        assert message in " ".join(done.stderr.split())


def result_of(kl, signature="emo3d|a:1", references="r", readers=None):
    n = len(kl)
    kl = np.asarray(kl, float)
    return Emo3DResult(
        emo3d=0.5,
        kl_divergence=float(kl.mean()),
        recall_at_k=None,
        mse=None,
        mae=None,
        intervals={},
        per_emotion={},
        per_band={},
        per_sample={"kl_divergence": kl, "reference": np.arange(n), "amplitude": np.where(kl > 2, np.nan, kl)},
        n=n,
        truncated=0,
        references=references,
        signature=signature,
        reference_expressions="e",
        readers=readers or {},
    )


def test_results_are_values_by_row(monkeypatch):
    from emo3d_lab.meta import read_results

    results = {"a.json": result_of([1, 2, 3]), "b.json": result_of([3, 2, 1])}
    monkeypatch.setattr(Emo3DResult, "load", lambda path: results[path])
    monkeypatch.setattr("emo3d_lab.meta.results.check_file", lambda path, what: None)
    metrics = read_results({"ours": "a.json", "theirs": "b.json"})
    assert (metrics.items, metrics.systems) == (("0", "1", "2"), ("ours", "theirs"))
    np.testing.assert_array_equal(metrics.values["kl_divergence"], [[1, 3], [2, 2], [3, 1]])
    np.testing.assert_array_equal(metrics.values["amplitude"], [[1, np.nan], [2, 2], [np.nan, 1]])
    assert metrics.higher == {"kl_divergence": False, "amplitude": True}
    named = read_results({"ours": "a.json", "theirs": "b.json"}, items=["x", "z", "y"])
    np.testing.assert_array_equal(named.values["kl_divergence"], [[1, 3], [3, 1], [2, 2]])
    with pytest.raises(ValueError, match="expected 3 items, one for each row of the results, got 2"):
        read_results({"ours": "a.json"}, items=["x", "y"])
    results["b.json"] = replace(results["b.json"], signature="emo3d|a:2")
    with pytest.raises(ValueError, match="expected 'theirs' as 'ours' was scored: signatures differ"):
        read_results({"ours": "a.json", "theirs": "b.json"})


def test_what_is_not_one_measure_is_left_out(monkeypatch):
    from emo3d_lab.meta import read_results

    def reader(signature):
        return SimpleNamespace(signature=signature, per_sample={"top1": np.array([1.0, 0.0])})

    results = {
        "a.json": result_of([1, 2], readers={"eyes": reader("eyes:1|crop:square"), "same": reader("same:1")}),
        "b.json": result_of([2, 1], readers={"eyes": reader("eyes:1|crop:other"), "same": reader("same:1")}),
    }
    monkeypatch.setattr(Emo3DResult, "load", lambda path: results[path])
    monkeypatch.setattr("emo3d_lab.meta.results.check_file", lambda path, what: None)
    metrics = read_results({"ours": "a.json", "theirs": "b.json"})
    assert list(metrics.values) == ["kl_divergence", "amplitude", "same top1"]
    assert len(metrics.notes) == 1
    assert metrics.notes[0].startswith("eyes is left out: its signatures differ in crop")
    results["b.json"] = replace(results["b.json"], reference_expressions="f", readers={})
    metrics = read_results({"ours": "a.json", "theirs": "b.json"})
    assert list(metrics.values) == ["kl_divergence"]
    assert metrics.notes == (
        "amplitude is left out: the references' expressions are not known to be the same (e and f).",
        "eyes is left out: theirs has no values of it.",
        "same is left out: theirs has no values of it.",
    )
