"""The arithmetic, against numbers worked by hand and against the plain-Python oracle."""

from math import exp, log

import numpy as np
import pytest
import scipy.stats
from oracle import divergence as oracle_divergence

from emo3d.emotions import distribution
from emo3d.scoring import bootstrap_intervals, divergence, emo3d_score, retrieved_distribution
from emo3d.scoring.core import amplitudes, cluster_values, effective_size, median_interval, wilson_interval

HAPPY = [0, 1, 0, 0, 0, 0, 0, 0]
SAD = [0, 0, 0, 1, 0, 0, 0, 0]
ROW_0 = [0.2, 0, 0, 0.9, 0, 0, 0, 0.1]  # of the release


@pytest.mark.parametrize(
    ("described", "retrieved", "variant", "expected"),
    [
        # q = (1): 1 ln(1 / 1.01)
        (HAPPY, [HAPPY] * 10, "paper", log(1 / 1.01)),
        # every row 0.1 + 0.01, ten times 1 ln(1 / 0.11): 22.07
        (HAPPY, [HAPPY] * 10, "release", 10 * log(1 / 0.11)),
        # nothing found: 1 ln(1 / 0.01), and ten times that
        (HAPPY, [SAD] * 10, "paper", log(100)),
        (HAPPY, [SAD] * 10, "release", 10 * log(100)),
        # half each: 2 x 0.5 ln(0.5 / 0.51); by rows, each 0.5 ln(0.5 / 0.51) + 0.5 ln(0.5 / 0.01)
        (np.add(HAPPY, SAD), [HAPPY, SAD], "paper", log(0.5 / 0.51)),
        (np.add(HAPPY, SAD), [HAPPY, SAD], "release", log(0.5 / 0.51) + log(50)),
        # a stronger row weighs more: q = (1, 0.5) / 1.5
        (HAPPY, [HAPPY, np.multiply(SAD, 0.5)], "paper", log(1 / (1 / 1.5 + 0.01))),
        # intensities that sum to 1.2 on both sides: p = q = (1/6, 3/4, 1/12)
        (ROW_0, [ROW_0], "paper", sum(p * log(p / (p + 0.01)) for p in (1 / 6, 3 / 4, 1 / 12))),
    ],
)
def test_by_hand(described, retrieved, variant, expected):
    kl = divergence(distribution([described]), np.array([retrieved], float), variant)
    assert kl == pytest.approx([expected], abs=1e-12)


def test_numbers_of_the_facts():
    assert 10 * log(1 / 0.11) == pytest.approx(22.07, abs=0.005)
    assert emo3d_score(22.07, alpha=20) == pytest.approx(0.751, abs=5e-4)


@pytest.mark.parametrize("variant", ["paper", "release"])
@pytest.mark.parametrize("seed", range(10))
def test_agrees_with_the_oracle(seed, variant):
    rng = np.random.default_rng(seed)
    n, k = rng.integers(1, 20), rng.integers(1, 12)
    described, retrieved = rng.random((n, 8)), rng.random((n, k, 8))
    described[:, 1:][rng.random((n, 7)) < 0.6] = 0  # zeros, but no row of zeros
    retrieved[:, :, 1:][rng.random((n, k, 7)) < 0.6] = 0
    epsilon = rng.choice([0.01, 1e-4])
    expected = [
        oracle_divergence(row.tolist(), found.tolist(), variant, epsilon)
        for row, found in zip(described, retrieved, strict=True)
    ]
    assert divergence(distribution(described), retrieved, variant, epsilon) == pytest.approx(expected, abs=1e-9)


def test_retrieved_distribution_by_hand():
    assert retrieved_distribution(np.array([[HAPPY, SAD, SAD]], float))[0].tolist() == pytest.approx(
        [0, 1 / 3, 0, 2 / 3, 0, 0, 0, 0]
    )


@pytest.mark.parametrize(
    ("kl", "expected"), [(-1e9, 0), (-0.08, 1 / (1 + exp(0.04))), (0, 0.5), (0.3, 1 / (1 + exp(-0.15))), (1e9, 1)]
)
def test_score_is_a_logistic_that_does_not_overflow(kl, expected):
    assert emo3d_score(kl, alpha=2.0) == pytest.approx(expected, abs=1e-12)


def test_interval_is_reproducible_and_holds_the_mean():
    values = np.random.default_rng(0).random((300, 2))
    intervals = bootstrap_intervals(values, seed=3)
    assert np.array_equal(intervals, bootstrap_intervals(values, seed=3))
    assert not np.array_equal(intervals, bootstrap_intervals(values, seed=4))
    assert (intervals[:, 0] < values.mean(axis=0)).all()
    assert (values.mean(axis=0) < intervals[:, 1]).all()


def test_interval_is_as_wide_as_theory_says():
    # 1.96 standard errors to each side, a standard error being sd / sqrt(n); 5% for the noise of 4,000 resamples.
    values = np.random.default_rng(0).normal(size=(5000, 1))
    low, high = bootstrap_intervals(values, n_bootstrap=4000)[0]
    assert (high - low) / 2 == pytest.approx(1.96 * values.std() / np.sqrt(5000), rel=0.05)


@pytest.mark.parametrize(("n", "low", "high"), [(12, 0.6074, 3.8415), (200, 0.9954, 1.2859)])
def test_interval_agrees_with_another_program(n, low, high):
    """The package arch 8.0.0: IIDBootstrap(values, seed=1), 100,000 resamples, method "studentized", std_err_func the
    standard deviation over the root of n. Both draw at random: ends differ by a few hundredths of the interval."""
    values = np.random.default_rng(0).exponential(size=n)
    ours = bootstrap_intervals(values[:, None], n_bootstrap=50_000)[0]
    assert ours == pytest.approx((low, high), abs=0.04 * (high - low))


def test_values_of_clusters_by_hand():
    values, clusters = np.array([[1.0], [3.0], [5.0], [7.0]]), np.array([0, 0, 1, 1])
    assert cluster_values(values, clusters).tolist() == [[2], [6]]  # of one size: their means
    # Mean 4; the sums of deviations are -3, -1 + 1 + 3; two clusters of four rows, so 2 / 4 of them.
    assert cluster_values(values, np.array([0, 1, 1, 1])).tolist() == [[2.5], [5.5]]
    assert cluster_values(values, np.array([3, 1, 0, 2])) is values
    # Rows vary by 5 (1.25 of their mean), clusters by 4 (2 of it): as much as 5 / 2 independent rows tell.
    assert effective_size(values[:, 0], clusters) == 2.5
    assert effective_size(values[:, 0], np.arange(4)) == 4
    assert effective_size(np.ones(4), clusters) == 2


def test_interval_of_clusters_of_many_sizes_agrees_with_scipy():
    """Scipy draws whole clusters, and divides their sums by their sizes; its percentiles are alike at 400 clusters."""
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 9, size=400)
    clusters = np.repeat(np.arange(400), sizes)
    values = rng.normal(size=400)[clusters] + rng.normal(size=len(clusters))
    sums = np.bincount(clusters, values)
    theirs = scipy.stats.bootstrap(
        (sums, sizes),
        lambda sums, sizes, axis: sums.sum(axis=axis) / sizes.sum(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=5000,
        rng=1,
    ).confidence_interval
    width = theirs.high - theirs.low
    ours = bootstrap_intervals(cluster_values(values[:, None], clusters), n_bootstrap=5000)[0]
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.05 * width)
    low, high = bootstrap_intervals(values[:, None])[0]
    assert high - low < 0.6 * width  # as if rows were independent


def test_there_is_no_interval_of_few():
    values = np.random.default_rng(0).random((10, 2))
    assert bootstrap_intervals(values[:9]) is None
    assert bootstrap_intervals(values).shape == (2, 2)


def test_small_skewed_samples_are_covered():
    # Of an exponential distribution, skewness 2, of mean 1. 400 trials: two standard errors are 2.2%. Percentiles hold
    # the mean in 86.6% of these samples, Student's in 89.7%.
    rng = np.random.default_rng(0)
    ends = [bootstrap_intervals(rng.exponential(size=(10, 1)), n_bootstrap=500)[0] for _ in range(400)]
    assert 0.92 < np.mean([low <= 1 <= high for low, high in ends]) < 0.98


def test_samples_of_few_values_have_ends():
    rare = np.r_[np.zeros(9), 1.0]
    low, high = bootstrap_intervals(rare[:, None])[0]
    assert low <= 0.1 < 0.3 < high < 2  # many resamples are all zeros, and have no spread of their own
    assert bootstrap_intervals(np.full((10, 1), 0.7))[0] == pytest.approx([0.7, 0.7])


def test_amplitudes_by_hand():
    """y = (0.8, 0.6) has the norm 1: p = (1, 0.5) has 0.8 + 0.3 of it. (0.8, 0.59) is weaker than that."""
    references = np.array([[0.8, 0.6, 0], [1, 1, 0], [1, 1, 0], [1, 1, 1], [0.8, 0.59, 0], [0, 0, 0]])
    predicted = np.array([[1, 0.5, 1], [0.5, 0.5, 1], [0, 0, 1], [1, 1, 1], [0.8, 0.59, 0], [1, 1, 1]])
    expected = [1.1, 0.5, 0, 1, np.nan, np.nan]
    assert amplitudes(predicted, references) == pytest.approx(expected, nan_ok=True)


def test_median_interval_agrees_with_scipy():
    values = np.random.default_rng(3).exponential(size=101)
    low, high = median_interval(values, np.arange(101), n_bootstrap=9999)
    options = {"n_resamples": 9999, "method": "percentile", "rng": np.random.default_rng(0)}
    theirs = scipy.stats.bootstrap((values,), np.median, vectorized=True, **options).confidence_interval
    # Ends are places in a sorted sample: theirs, or the next one.
    places = np.searchsorted(np.sort(values), [low, high, theirs.low, theirs.high])
    assert np.abs(places[:2] - places[2:]).max() <= 1
    assert low < np.median(values) < high
    assert median_interval(values, np.arange(101), n_bootstrap=9999) == (low, high)
    assert median_interval(values, np.arange(101), n_bootstrap=99, seed=1) != median_interval(
        values, np.arange(101), n_bootstrap=99
    )
    narrow = median_interval(values, np.arange(101), n_bootstrap=9999, confidence=0.5)
    assert low < narrow[0] < narrow[1] < high


@pytest.mark.parametrize("n", [13, 14])
def test_median_interval_of_whole_clusters(n):
    """Copies of every row, as one cluster, say no more; of clusters of many sizes, every resample is written out."""
    rng = np.random.default_rng(n)
    values, sizes = rng.random(n), rng.integers(1, 5, size=n)
    once = median_interval(values, np.arange(n), n_bootstrap=200)
    assert median_interval(np.repeat(values, 3), np.repeat(np.arange(n), 3), n_bootstrap=200) == pytest.approx(once)
    rows, clusters = rng.random(sizes.sum()), np.repeat(np.arange(n), sizes)
    drawn = np.random.default_rng(0).integers(n, size=(200, n))
    medians = [np.median(np.concatenate([rows[clusters == number] for number in draw])) for draw in drawn]
    expected = np.quantile(medians, [0.025, 0.975])
    assert median_interval(rows, clusters, n_bootstrap=200) == pytest.approx(expected)
    order = rng.permutation(len(rows))
    assert median_interval(rows[order], clusters[order], n_bootstrap=200) == pytest.approx(expected, abs=0)


def test_there_is_no_median_interval_of_few():
    assert median_interval(np.arange(9.0), np.arange(9)) is None
    assert median_interval(np.arange(18.0), np.arange(18) // 2) is None
    assert median_interval(np.arange(10.0), np.arange(10)) is not None


@pytest.mark.parametrize(("ones", "n"), [(0, 1), (2, 2), (6, 20), (105, 250)])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_intervals_of_shares_are_scipys(ones, n, confidence):
    theirs = scipy.stats.binomtest(ones, n).proportion_ci(confidence, method="wilson")
    assert wilson_interval(ones / n, n, confidence) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
