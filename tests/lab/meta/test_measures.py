"""Measures against hand calculations, scipy, statsmodels and nltk."""

from itertools import combinations

import numpy as np
import pytest

pytest.importorskip("statsmodels", reason="meta needs the extra [audit]")

from scipy import stats

from emo3d_lab.meta import Judgements, MetricValues, measure_metrics
from emo3d_lab.meta.ceiling import _alpha, alpha_parts, same_answers
from emo3d_lab.meta.contrasts import rank_clusters
from emo3d_lab.meta.faces import calibrated_answers, item_correlations, metric_differences, two_way_variance
from emo3d_lab.meta.figures import Contrast
from emo3d_lab.meta.people import make_comparisons, score_cells, system_scores
from emo3d_lab.meta.systems import kendall, pairwise_accuracy, permutation_p, soft_accuracy, spearman


def judge_pairs(rows, items=None):
    """Judgements of rows (item, judge, first, second, outcome) of places."""
    item, judge, first, second, value = (np.array(column) for column in zip(*rows, strict=True))
    names = [
        tuple(f"{kind}{place}" for place in range(n + 1))
        for kind, n in (("i", items or item.max()), ("j", judge.max()))
    ]
    systems = tuple(f"s{place}" for place in range(max(first.max(), second.max()) + 1))
    return Judgements(names[0], systems, names[1], item, judge, first, second, value.astype(float))


def judge_ratings(ratings):
    """One judge's ratings (items, systems), or several's (judges, items, systems); NaN where there is none."""
    ratings = np.asarray(ratings, float)
    ratings = ratings[None] if ratings.ndim == 2 else ratings
    judge, item, system = np.nonzero(np.isfinite(ratings))
    names = [tuple(f"{kind}{place}" for place in range(n)) for kind, n in zip("jis", ratings.shape, strict=True)]
    value = ratings[judge, item, system]
    return Judgements(names[1], names[2], names[0], item, judge, system, np.full(len(item), -1), value)


# Three systems, two items: people rate s0 4 and 2, s1 3 and 3, s2 1 and 1, so means are 3, 3, 1.
# Item 0: s0 > s1, s0 > s2, s1 > s2. Item 1: s0 < s1, s0 > s2, s1 > s2.
HAND = judge_ratings([[4, 3, 1], [2, 3, 1]])


def test_a_table_of_three_systems_worked_out_by_hand():
    np.testing.assert_allclose(system_scores(HAND).scores, [3 - 7 / 3, 3 - 7 / 3, 1 - 7 / 3])
    comparisons = make_comparisons(HAND)
    triples = zip(comparisons.item, comparisons.first, comparisons.second, comparisons.outcome, strict=True)
    assert sorted(tuple(map(int, triple)) for triple in triples) == [
        *((0, 0, 1, 1), (0, 0, 2, 1), (0, 1, 2, 1)),
        *((1, 0, 1, -1), (1, 0, 2, 1), (1, 1, 2, 1)),
    ]
    # Of four flips of two items' signs, the differences of s0 and s1 are 1 and -1: sums 0, 2, -2, 0; the observed sum
    # is 0, so one is above and two are equal: (1 + 2 / 2) / 4. Of s0 and s2 they are 3 and 1: sums 4, 2, -2, -4;
    # observed is 4, which one equals: (1 / 2) / 4. Likewise s1 and s2, 2 and 2: sums 4, 0, 0, -4.
    p_values = permutation_p(system_scores(HAND), 4000, 0)
    np.testing.assert_allclose(p_values, [0.5, 0.125, 0.125], atol=0.025)
    # A metric that has p = .5, .125, .625 loses (0 + 0 + .5) / 3.
    assert soft_accuracy(np.array([0.5, 0.125, 0.125]), np.array([0.5, 0.125, 0.625])) == pytest.approx(1 - 0.5 / 3)


def test_pairs_of_a_balanced_design_are_win_shares_minus_loss_shares():
    # Every pair of three systems twice: s0 beats s1 twice, ties with s2 and beats it, s1 and s2 each win once.
    outcomes = {(0, 1): (1, 1), (0, 2): (0, 1), (1, 2): (1, -1)}
    judgements = judge_pairs([(k, k, a, b, y) for (a, b), both in outcomes.items() for k, y in enumerate(both)])
    # Net wins are 3, -2, -1 of six judgements; least squares of a complete design of S = 3 with 2 each: net / (2 x 3).
    np.testing.assert_allclose(system_scores(judgements).scores, np.array([3, -2, -1]) / 6)


def test_scores_of_pairs_order_systems_as_bradley_and_terry():
    import statsmodels.api as sm

    rng = np.random.default_rng(0)
    quality = np.array([0.0, 0.9, 0.3, -0.8, 0.1])
    first, second = np.array([pair for pair in combinations(range(5), 2) for _ in range(300)]).T
    wins = rng.random(len(first)) < 1 / (1 + np.exp(quality[second] - quality[first]))
    rows = np.arange(len(first))
    design = np.zeros((len(first), 5))
    design[rows, first], design[rows, second] = 1, -1
    fit = sm.GLM(wins.astype(float), design[:, 1:], family=sm.families.Binomial()).fit()
    scores = system_scores(judge_pairs(zip(rows % 60, rows % 11, first, second, 2 * wins - 1, strict=True))).scores
    assert (np.argsort(scores) == np.argsort([0, *fit.params])).all()
    assert np.corrcoef(scores, [0, *fit.params])[0, 1] > 0.99


def test_opponents_are_taken_into_account():
    # s1 and s2 never meet; s0 beats both, s1 by 3 of 4 and s2 by 2 of 4: scores differ by 0.5 and 0, exactly.
    rows = [(k, k, 0, 1, 1 if k < 3 else -1) for k in range(4)] + [(k, k, 0, 2, 1 if k < 2 else -1) for k in range(4)]
    scores = system_scores(judge_pairs(rows)).scores
    np.testing.assert_allclose(scores[0] - scores[1:], [0.5, 0], atol=1e-12)


def test_systems_that_nobody_connects_are_refused():
    with pytest.raises(ValueError, match="got 2 groups, of 4 systems, that nobody compared"):
        system_scores(judge_pairs([(0, 0, 0, 1, 1), (1, 0, 2, 3, 1)]))


def test_correlations_are_those_of_scipy():
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 5, (2, 50, 9)).astype(float)
    for ours, theirs in ((spearman, stats.spearmanr), (kendall, stats.kendalltau)):
        expected = [theirs(x, y).statistic for x, y in zip(a, b, strict=True)]
        np.testing.assert_allclose(ours(a, b), expected)
    a[rng.random(a.shape) < 0.3] = np.nan
    rho, tau = item_correlations(a, b)
    for figure, theirs in ((rho, stats.spearmanr), (tau, stats.kendalltau)):
        rows = [(x[np.isfinite(x)], y[np.isfinite(x)]) for x, y in zip(a, b, strict=True) if np.isfinite(x).sum() > 2]
        each = [theirs(x, y).statistic for x, y in rows if np.ptp(x) and np.ptp(y)]
        interval = stats.ttest_1samp(each, 0).confidence_interval()
        np.testing.assert_allclose([figure.value, figure.low, figure.high], [np.mean(each), *interval])


def test_system_accuracy_gives_half_for_a_tie():
    assert pairwise_accuracy(np.array([3.0, 2.0, 1.0]), np.array([3.0, 3.0, 1.0])) == pytest.approx((0.5 + 1 + 1) / 3)


def test_ties_are_counted_as_the_paper_does():
    # acc_eq = (C + T_hm) / (C + D + T_h + T_m + T_hm), Deutsch et al. 2023. People: > > < = =; the metric:
    # .9 .1 -.5 .2 .05. With epsilon 0: C = 3, T_h = 2: 3/5. With .05: C = 3, T_hm = 1, T_h = 1: 4/5. With .1: C = 2,
    # T_m = 1, T_hm = 1: 3/5. With .2: C = 2, T_m = 1, T_hm = 2: 4/5. The smallest of the best is .05.
    difference = np.array([0.9, 0.1, -0.5, 0.2, 0.05])
    outcome = np.array([1, 1, -1, 0, 0])
    _, epsilon = calibrated_answers(difference, outcome, np.zeros(5, int), folds=1)
    assert epsilon == 0.05
    # Two folds: epsilon of the second, {.2 tied, .05 tied}, is .2; of the first, {.9, .1, -.5}, it is 0.
    right, _ = calibrated_answers(difference, outcome, np.array([0, 0, 0, 1, 1]), folds=2)
    assert right.tolist() == [True, False, True, False, False]


def test_the_epsilon_is_the_best_of_all():
    rng = np.random.default_rng(2)
    difference = np.round(rng.normal(size=200), 1)  # with equal distances
    outcome = np.sign(difference + rng.normal(size=200)) * (rng.random(200) < 0.6)
    _, epsilon = calibrated_answers(difference, outcome, np.zeros(200, int), folds=1)

    def accuracy(width):
        return (np.where(np.abs(difference) <= width, 0, np.sign(difference)) == outcome).mean()

    assert accuracy(epsilon) == max(accuracy(width) for width in {0.0, *np.abs(difference)})


@pytest.mark.parametrize("share", [0.3, 0.8])
def test_alpha_of_ratings_is_that_of_nltk(share):
    agreement = pytest.importorskip("nltk.metrics.agreement", reason="the oracle is in the extra [demo]")
    rng = np.random.default_rng(3)
    ratings = np.round(rng.normal(0, 2, (12, 3)) + rng.normal(size=(4, 12, 3)))
    ratings[rng.random(ratings.shape) > share] = np.nan
    rows = [
        (judge, f"{item} {system}", ratings[judge, item, system])
        for judge, item, system in np.argwhere(np.isfinite(ratings))
    ]
    counts = np.isfinite(ratings).sum(axis=0)
    rows = [row for row in rows if counts[tuple(map(int, row[1].split()))] > 1]
    oracle = agreement.AnnotationTask(rows, distance=lambda a, b: (a - b) ** 2)
    assert _alpha(alpha_parts(judge_ratings(ratings)).sum(axis=0)) == pytest.approx(oracle.alpha())


def test_variance_of_clusters_is_that_of_statsmodels():
    import statsmodels.api as sm
    from statsmodels.stats.sandwich_covariance import cov_cluster_2groups

    rng = np.random.default_rng(4)
    item, judge = rng.integers(15, size=300), rng.integers(8, size=300)
    values = rng.normal(size=15)[item] + rng.normal(size=8)[judge] + rng.normal(size=300)
    fit = sm.OLS(values, np.ones(300)).fit()
    # Of statsmodels' corrections for few clusters, n / (n - 1) of each is ours.
    both, *_ = cov_cluster_2groups(fit, item, judge, use_correction=True)
    assert two_way_variance(values - values.mean(), item, judge) == pytest.approx(float(both[0, 0]), rel=0.02)


def test_metrics_that_are_not_told_apart_share_a_rank():
    p_values = {("a", "b"): 0.2, ("a", "c"): 0.01, ("a", "d"): 0.01, ("b", "c"): 0.3, ("b", "d"): 0.01, ("c", "d"): 0.4}
    contrasts = [Contrast(a, b, 0, p, 0, p) for (a, b), p in p_values.items()]
    # a and b are one; c is told from a, so it opens the second, and d is not told from c.
    assert rank_clusters({"a": 0.9, "b": 0.8, "c": 0.7, "d": 0.6}, contrasts) == {"a": 1, "b": 1, "c": 2, "d": 2}


def metrics_of(tables, judgements, **higher):
    return MetricValues(judgements.items, judgements.systems, tables, dict.fromkeys(tables, True) | higher)


@pytest.fixture(scope="module")
def study():
    """Four judges of forty items and four systems, whose true quality is known."""
    rng = np.random.default_rng(5)
    truth = rng.normal(size=(40, 4)) + np.array([1, 0.5, 0, -0.5])
    judgements = judge_ratings(np.round(2 * (truth + 0.5 * rng.normal(size=(4, 40, 4)))))
    tables = {"true": truth, "loss": -truth, "noise": rng.normal(size=truth.shape), "flat": np.zeros(truth.shape)}
    return judgements, metrics_of(tables, judgements, loss=False)


def test_the_truth_comes_first_and_noise_is_not_above_chance(study):
    result = measure_metrics(*study, n_resamples=200)
    by_name = {metric.name: metric for metric in result.metrics}
    assert [metric.rank for metric in result.metrics[:2]] == [1, 1]
    assert by_name["true"].accuracy == by_name["loss"].accuracy  # lower is better, so turned round it is the same
    assert by_name["true"].not_above == ()
    assert "sentinel: random" in by_name["noise"].not_above
    assert by_name["flat"].accuracy.value == pytest.approx(result.tied)
    assert by_name["flat"].spearman is None
    assert "flat gives all faces of an item the same value." in result.cautions
    assert by_name["true"].spearman.value == stats.spearmanr(result.human, by_name["true"].scores).statistic
    assert result.ceiling.accuracy.value < by_name["true"].shared_accuracy.value
    assert result.ceiling.halves_corrected == pytest.approx(2 * result.ceiling.halves / (1 + result.ceiling.halves))


def test_a_result_does_not_depend_on_the_scale_of_a_metric(study):
    judgements, metrics = study
    scaled = metrics_of({"true": 1000 * metrics.values["true"] - 7, "noise": metrics.values["noise"]}, judgements)
    results = [measure_metrics(judgements, table, n_resamples=200) for table in (metrics, scaled)]
    first, second = ({metric.name: metric for metric in result.metrics}["true"] for result in results)
    assert first.accuracy == second.accuracy
    assert second.epsilon == pytest.approx(1000 * first.epsilon)
    assert second.soft_accuracy.value == pytest.approx(first.soft_accuracy.value)


def test_values_of_more_systems_and_items_change_nothing(study):
    judgements, metrics = study
    items, systems = (*judgements.items, "unjudged"), ("other", *judgements.systems)
    wide = {name: np.full((41, 5), np.nan) for name in metrics.values}
    for name, table in metrics.values.items():
        wide[name][:40, 1:] = table
    result = measure_metrics(judgements, MetricValues(items, systems, wide, metrics.higher), n_resamples=200)
    assert result == measure_metrics(judgements, metrics, n_resamples=200)


def test_faces_without_values_are_named_or_left_out(study):
    judgements, metrics = study
    values = metrics.values["true"].copy()
    values[3, 2] = np.nan
    holed = metrics_of({"true": values}, judgements)
    with pytest.raises(
        ValueError, match="4 of 640 judgements are of others, for example true of item 'i3', system 's2'"
    ):
        measure_metrics(judgements, holed)
    result = measure_metrics(judgements, holed, drop_missing=True, n_resamples=200)
    assert result.judgements == 636
    assert "4 of 640 judgements are of faces without a value" in result.notes[0]
    with pytest.raises(ValueError, match="expected judgements of faces that all metrics have a value of"):
        measure_metrics(judgements, metrics_of({"true": np.full((40, 4), np.nan)}, judgements), drop_missing=True)


def test_strangers_are_named(study):
    judgements, metrics = study
    table = metrics.values["true"]
    with pytest.raises(ValueError, match=r"systems that the metrics know \(a, b, c\), got s0, s1, s2, s3"):
        measure_metrics(judgements, MetricValues(judgements.items, ("a", "b", "c"), {"m": table[:, :3]}, {"m": True}))
    others = tuple(f"row {place}" for place in range(40))
    with pytest.raises(ValueError, match="expected items in common, got none: judgements have 'i0', metrics 'row 0'"):
        measure_metrics(judgements, MetricValues(others, judgements.systems, {"m": table}, {"m": True}))


def test_one_judge_and_ties_alone_are_said():
    rows = [(item, 0, 0, 1, 0) for item in range(12)]
    judgements = judge_pairs(rows)
    values = np.random.default_rng(6).random((12, 2))
    result = measure_metrics(judgements, metrics_of({"m": values}, judgements), n_resamples=100)
    assert result.ceiling.accuracy is None
    assert result.ceiling.alpha is None
    notes = " ".join(result.cautions)
    assert "One judge only: there is no ceiling" in notes
    assert "People called all faces the same" in notes
    assert result.tied == 1
    assert "sentinel: blind" in result.metrics[0].not_above


def test_one_face_of_each_item_cannot_be_compared():
    judgements = judge_ratings([[3, np.nan], [np.nan, 4]])
    with pytest.raises(ValueError, match="expected two faces of an item to compare"):
        measure_metrics(judgements, metrics_of({"m": np.ones((2, 2))}, judgements))


def test_scores_of_a_table_with_holes_are_least_squares():
    import statsmodels.api as sm

    rng = np.random.default_rng(7)
    table = rng.normal(size=(20, 4))
    table[rng.random(table.shape) < 0.3] = np.nan
    item, system = np.nonzero(np.isfinite(table))
    dummies = np.hstack([np.eye(20)[item], np.eye(4)[system][:, 1:]])
    fit = sm.OLS(table[item, system], dummies).fit()
    expected = np.r_[0, fit.params[20:]]
    np.testing.assert_allclose(score_cells(table).scores, expected - expected.mean(), atol=1e-12)


@pytest.mark.parametrize("ratings", ["two systems", "all equal"])
def test_ratings_without_correlations_in_items_are_measured(ratings):
    values = np.random.default_rng(8).normal(size=(3, 12, 2 if ratings == "two systems" else 3))
    judgements = judge_ratings(np.round(values) if ratings == "two systems" else 0 * values)
    result = measure_metrics(judgements, metrics_of({"m": values[0]}, judgements), n_resamples=100)
    assert result.metrics[0].item_spearman is None
    assert result.metrics[0].item_kendall is None
    assert 0 < result.metrics[0].accuracy.value <= 1


def test_one_large_value_moves_its_own_comparisons_alone():
    values = np.random.default_rng(9).normal(size=(6, 4))
    judgements = judge_ratings(values)
    comparisons = make_comparisons(judgements)
    large = values.copy()
    large[2, 1] = 3.4e38
    before, after = (metric_differences(table, comparisons) for table in (values, large))
    is_its = (comparisons.item == 2) & ((comparisons.first == 1) | (comparisons.second == 1))
    assert is_its.sum() == 3
    np.testing.assert_array_equal(before[~is_its], after[~is_its])
    # Of the five other items correlations are 1 with the ratings themselves.
    rho, _ = item_correlations(values, large)
    expected = [stats.spearmanr(*rows).statistic for rows in zip(values, large, strict=True)]
    assert rho.value == pytest.approx(np.mean(expected))
    np.testing.assert_array_equal(metric_differences(np.full((6, 4), 0.1 * 3), comparisons), 0)
    rounded = np.where(np.arange(4) % 2, 0.3, 0.1 * 3)  # 0.1 * 3 is 0.30000000000000004
    np.testing.assert_array_equal(metric_differences(np.tile(rounded, (6, 1)), comparisons), 0)
    result = measure_metrics(judgements, metrics_of({"m": large}, judgements), n_resamples=100)
    assert any("m has a value 1e9 times as far off" in note for note in result.cautions)


def test_what_knows_systems_alone_and_who_copies_is_said(study):
    judgements, _ = study
    table = np.tile([3.0, 2.0, 1.0, 0.0], (40, 1))
    result = measure_metrics(judgements, metrics_of({"m": table}, judgements), n_resamples=100)
    assert "m gives all faces of a system the same value: it knows systems, not faces." in result.cautions
    assert not any("alike" in note for note in result.cautions)
    # Judges 0 and 1 answer ten questions alike, whichever system came first; judge 2 nine, judge 3 one otherwise.
    rows = [(item, 0, 0, 1, (-1) ** item) for item in range(10)]
    rows += [(item, 1, 1, 0, -((-1) ** item)) for item in range(10)]
    rows += [(item, 2, 0, 1, (-1) ** item) for item in range(9)]
    rows += [(item, 3, 0, 1, (-1) ** item if item else 0) for item in range(10)]
    assert same_answers(judge_pairs(rows)) == [("j0", "j1", 10)]


def test_names_of_sentinels_are_taken(study):
    judgements, metrics = study
    table = metrics_of({"sentinel: random": metrics.values["true"]}, judgements)
    with pytest.raises(
        ValueError, match=r"not called sentinel: \.\.\., as what cannot know is, got 'sentinel: random'"
    ):
        measure_metrics(judgements, table)


@pytest.mark.filterwarnings("error")
def test_two_answers_are_enough_for_a_file(tmp_path):
    judgements = judge_pairs([(0, 0, 0, 1, 1), (1, 0, 1, 2, 1)])
    values = np.array([[2.0, 1.0, 0.0], [0.0, 1.0, 2.0]])
    measure_metrics(judgements, metrics_of({"m": values}, judgements), n_resamples=100).save(tmp_path / "a.json")
