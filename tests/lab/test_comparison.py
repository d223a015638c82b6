"""Two systems side by side, against scipy, against every swap written out, and against numbers worked by hand."""

import sys
from dataclasses import replace
from itertools import product
from math import exp

import numpy as np
import pytest
from scipy import stats

from emo3d.cli import main
from emo3d.face import RenderSettings
from emo3d.scoring import Emo3DResult, ScoreSettings, read_references, score_distributions
from emo3d.scoring.result import summarise
from emo3d_lab.comparison import compare

MEASURES = {"kl_divergence": "kl_divergence", "recall_at_k": "match", "mse": "mse", "mae": "mae"}


def system(seed=0, n=40, settings=None, **per_sample):
    """A result over n references, always the same ones, with per-sample values of a test's own."""
    emotions = np.random.default_rng(99).random((n, 8))
    references = {"description": [f"face {row}" for row in range(n)], "intensities": emotions}
    result = score_distributions(np.random.default_rng(seed).random((n, 8)), references, settings)
    per_sample = result.per_sample | {name: np.asarray(values) for name, values in per_sample.items()}
    described, settings = read_references(references), settings or ScoreSettings(n_bootstrap=20)
    return replace(
        summarise(per_sample, described, settings, result.signature, truncated=0),
        reference_expressions="0123456789ab" if "mse" in per_sample else None,
    )


def pair(n=40, apart=0.2):
    rng = np.random.default_rng(7)
    common = rng.exponential(size=n)
    return [
        system(
            n=n,
            kl_divergence=common + rng.normal(shift, 0.4, n),
            match=rng.random(n) < 0.4,
            mse=rng.random(n) / 10,
            mae=rng.random(n) / 4,
            amplitude=np.where(np.arange(n) % 4 == 0, np.nan, np.random.default_rng(n).random(n) + shift),
        )
        for shift in (0, apart)
    ]


@pytest.mark.parametrize(
    ("apart", "expected"),
    [
        # All of one sign: of the 2^N ways to swap only two are as far apart, none swapped and all.
        ([0.5, 0.5], 2 / 4),
        ([0.1, 0.2, 0.3], 2 / 8),
        ([0.1, 0.1, 0.1, 0.1], 2 / 16),
        # 0.3 - 0.1: every one of the four sums, +-0.4 and +-0.2, is as far.
        ([0.3, -0.1], 1),
        # 0.1 + 0.1 + 0.2 - 0.1 = 0.3. A sum is 0.5 less twice the share swapped, so as far as that are 0.5 (none),
        # 0.3 (one of three 0.1s), and both negated: 8 of 16.
        ([0.1, 0.1, 0.2, -0.1], 8 / 16),
        ([0.0, 0.0], 1),
    ],
)
def test_p_value_by_hand(apart, expected):
    a, b = (system(n=len(apart), kl_divergence=values) for values in (np.ones(len(apart)), 1 + np.array(apart)))
    found = compare(a, b).differences["kl_divergence"]
    assert found.difference == pytest.approx(np.mean(apart))
    assert found.p_value == pytest.approx(expected, abs=0.02)  # of 10,000 draws: four standard errors


def test_agrees_with_scipy():
    a, b = pair()
    found = compare(a, b, confidence=0.9).differences
    assert list(found) == ["emo3d", *MEASURES]
    for name, column in MEASURES.items():
        apart = b.per_sample[column].astype(float) - a.per_sample[column]
        tested = stats.permutation_test((apart,), np.mean, permutation_type="samples", n_resamples=20_000, rng=1)
        assert found[name].p_value == pytest.approx(tested.pvalue, abs=0.02)
        drawn = stats.bootstrap((apart,), np.mean, confidence_level=0.9, method="percentile", n_resamples=20_000, rng=1)
        assert found[name].interval == pytest.approx(tuple(drawn.confidence_interval), abs=0.05 * np.std(apart))
        assert found[name].difference == pytest.approx(apart.mean())


def test_the_score_is_compared_like_the_divergence_it_follows():
    """Every one of the 2^10 swaps, in plain Python, on the score itself; its interval by arch."""
    a, b = pair(n=10, apart=-0.3)
    kl_a, kl_b = (result.per_sample["kl_divergence"] for result in (a, b))

    def emo3d(kl):
        return 1 / (1 + exp(-sum(kl) / len(kl)))

    observed = emo3d(kl_b) - emo3d(kl_a)
    swaps = [
        emo3d([y if keep else x for x, y, keep in zip(kl_a, kl_b, kept, strict=True)])
        - emo3d([x if keep else y for x, y, keep in zip(kl_a, kl_b, kept, strict=True)])
        for kept in product((True, False), repeat=10)
    ]
    expected = np.mean(np.abs(swaps) >= abs(observed) - 1e-12)
    found = compare(a, b).differences["emo3d"]
    assert 0.1 < expected < 0.9  # so that the test can fail
    assert found.p_value == pytest.approx(expected, abs=0.02)
    # arch 8.0.0: IIDBootstrap(kl_a, kl_b, seed=1), 100,000 resamples, method "studentized", std_err_func the standard
    # deviation of s_b (1 - s_b) kl_b - s_a (1 - s_a) kl_a over the root of n, s_a and s_b being the scores.
    assert found.interval == pytest.approx((-0.06797, 0.10234), abs=0.01)


def test_of_few_pairs_there_is_no_interval():
    a, b = pair(n=9)
    assert {found.interval for found in compare(a, b).differences.values()} == {None}


def test_interval_of_shares_by_hand():
    # 3 of 10 references only B finds, 1 only A: sum 2, squares 4. With half a pair more in each cell n = 12, mean 2/12,
    # variance 5/12 - 1/36, so 1/6 -+ 1.959964 sqrt(0.388889 / 12).
    finds = np.array([[0, 1]] * 3 + [[1, 0]] + [[1, 1]] * 6)
    a, b = (system(n=10, kl_divergence=np.ones(10), match=column) for column in finds.T.astype(bool))
    assert compare(a, b).differences["recall_at_k"].interval == pytest.approx((-0.18617, 0.51950), abs=1e-4)


def test_pairs_tell_more_than_two_intervals():
    """Rows that are hard for both do not blur the difference."""
    hard = np.random.default_rng(0).exponential(2.0, 200)
    a, b = system(n=200, kl_divergence=hard), system(n=200, kl_divergence=hard + 0.05)
    found = compare(a, b).differences["kl_divergence"]
    assert found.interval == pytest.approx((0.05, 0.05))
    assert found.p_value == pytest.approx(1 / 10_001)  # none of the drawn ones is as far


def test_b_against_a_is_a_against_b_negated():
    a, b = pair()
    there, back = compare(a, b, seed=3), compare(b, a, seed=3)
    for name, found in there.differences.items():
        mirrored = back.differences[name]
        assert mirrored.interval == pytest.approx((-found.interval[1], -found.interval[0]))
        assert (mirrored.difference, mirrored.p_value) == (pytest.approx(-found.difference), found.p_value)
    assert compare(a, b, seed=3) == there
    assert compare(a, b, seed=4) != there


def test_rows_are_paired_by_reference_not_by_place():
    a, b = pair()
    turned = np.random.default_rng(0).permutation(b.n)
    elsewhere = replace(b, per_sample={name: values[turned] for name, values in b.per_sample.items()})
    assert compare(a, elsewhere) == compare(a, b)


def test_only_what_both_have():
    a, b = pair()
    without = replace(
        b, mse=None, mae=None, amplitude=None, per_sample={"kl_divergence": 0, "match": 0, "reference": 0}
    )
    without = replace(without, per_sample={name: b.per_sample[name] for name in without.per_sample})
    assert list(compare(a, without).differences) == ["emo3d", "kl_divergence", "recall_at_k"]
    assert list(compare(without, a).differences) == ["emo3d", "kl_divergence", "recall_at_k"]


def test_a_result_read_back_compares_alike(tmp_path):
    a, b = pair()
    a.save(tmp_path / "a.json")
    assert compare(Emo3DResult.load(tmp_path / "a.json"), b) == compare(a, b)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda: system(settings=ScoreSettings(k=5)), "signatures differ in k: 10, 5"),
        (
            lambda: system(settings=ScoreSettings(variant="release")),
            "signatures differ in variant: paper, release; alpha: 1.0, 20.0",
        ),
        (lambda: system(n=39), "numbers of references differ: 40, 39"),
        (lambda: replace(system(), references="0123456789ab"), "references differ: their content hashes are"),
        (lambda: replace(system(), per_sample={}), "expected per-sample values in both results, the second has none"),
    ],
)
def test_refuses_what_cannot_be_compared(other, message):
    with pytest.raises(ValueError, match=r"^.*$") as error:
        compare(system(), other())
    assert message in str(error.value)


def test_scores_of_earlier_faces_are_read_and_not_compared(tmp_path):
    """`portrait-2` and `panel-1` were other light, and other heads."""
    now = replace(system(), signature=ScoreSettings(identities=3, render=RenderSettings()).signature)
    then = replace(now, signature=now.signature.replace("portrait-3", "portrait-2").replace("panel-2", "panel-1"))
    assert then.signature != now.signature
    then.save(tmp_path / "then.json")
    read = Emo3DResult.load(tmp_path / "then.json")
    assert (read.emo3d, read.signature) == (then.emo3d, then.signature)
    with pytest.raises(ValueError, match=r"identity: panel-2/3, panel-1/3; render: portrait-3/\S+, portrait-2/\S+$"):
        compare(now, read)


@pytest.mark.parametrize("arguments", [{"n_resamples": 0}, {"confidence": 1.0}])
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match="expected"):
        compare(system(), system(), **arguments)


def test_command(tmp_path, monkeypatch, capsys):
    def run(*names):
        monkeypatch.setattr(sys, "argv", ["emo3d", "compare", *(str(tmp_path / name) for name in names)])
        with pytest.raises(SystemExit) as done:
            main()
        return done.value.code, *capsys.readouterr()

    a, b = pair()
    for name, result in {"a": a, "b": b, "k": system(settings=ScoreSettings(k=5))}.items():
        result.save(tmp_path / name)
    code, printed, _ = run("a", "b")
    found = compare(a, b).differences["mse"]
    assert code == 0
    for number in (
        f"{a.mse:.4f}",
        f"{b.mse:.4f}",
        "{:+.4f} to {:+.4f}".format(*found.interval),
        f"{found.p_value:.4f}",
        "Of amplitudes 1 is best; they are medians, whose difference is not tested.",
    ):
        assert number in printed
    (line,) = [line for line in printed.splitlines() if "amplitude " in line]
    assert line.replace("│", " ").split() == ["amplitude", f"{a.amplitude:.4f}", f"{b.amplitude:.4f}", "-", "-", "-"]
    assert a.signature in printed
    assert run("a", "k") == (1, "", "error: signatures differ in k: 10, 5\n")
    code, _, said = run("a", "missing")
    assert code == 2
    assert "missing" in said


def test_faces_of_one_reference_are_compared_together():
    """Three equal faces for each reference tell no more than one: the same intervals and p-values."""
    rng = np.random.default_rng(0)
    n, emotions = 50, np.random.default_rng(99).random((50, 8))
    columns = [{"kl_divergence": rng.random(n) + shift, "match": rng.random(n) < 0.4} for shift in (0, 0.1)]

    def systems(times):
        rows = np.repeat(np.arange(n), times)
        references = read_references({"description": [f"face {row}" for row in rows], "intensities": emotions[rows]})
        for values in columns:
            scored = score_distributions(rng.random((len(rows), 8)), references)
            per_sample = scored.per_sample | {name: column[rows] for name, column in values.items()}
            yield summarise(per_sample, references, ScoreSettings(), scored.signature, truncated=0)

    once, thrice = (compare(*systems(times)) for times in (1, 3))
    assert (once.n, thrice.n) == (50, 150)
    for name, expected in once.differences.items():
        difference = thrice.differences[name]
        assert difference.difference == pytest.approx(expected.difference)
        assert difference.interval == pytest.approx(expected.interval, abs=1e-9)
        assert difference.p_value == pytest.approx(expected.p_value, abs=0.002)
