import pytest

pytest.importorskip("nltk", reason="agreement needs the extra [demo]")

from small_studies import sample_study, tasks

from emo3d_lab.judging.agreement import measure_agreement
from emo3d_lab.judging.answers import Answer
from emo3d_lab.judging.page import agreement_page

# Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", binary data, two observers, no missing data:
# alpha = 0.095. By hand: 6 of 10 agree.
MEG = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0]
OWEN = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]


@pytest.fixture(scope="module")
def study():
    return sample_study(fits=True)


def binary(study, answers):
    return [
        Answer(name, task.id, agrees=bool(said))
        for name, given in answers.items()
        for task, said in zip(tasks(study, "fit"), given, strict=False)
        if said is not None
    ]


def test_alpha_is_that_of_the_publication(study):
    found = measure_agreement(binary(study, {"Meg": MEG, "Owen": OWEN}), study)
    assert found.alpha == pytest.approx(0.095, abs=5e-4)
    assert found.agreement == pytest.approx(6 / 20)  # by hand: 2 + 4 ones of 20
    assert (found.answers, found.annotators, found.tasks) == (20, 2, 10)
    low, high = found.intervals["alpha"]
    assert low < found.alpha < high


def test_alpha_is_not_there_where_nothing_can_be_compared(study):
    assert measure_agreement(binary(study, {"Meg": MEG}), study).alpha is None
    assert measure_agreement(binary(study, {"Meg": [1] * 10, "Owen": [1] * 10}), study).alpha is None
    empty = measure_agreement([], study)
    assert (empty.answers, empty.agreement, empty.alpha, empty.intervals) == (0, None, None, {})


def test_two_who_agree_may_yet_be_wrong(study):
    # scipy 1.17, binomtest(2, 2).proportion_ci(method="wilson"): 0.342380 to 1; of one case 0.206549 to 1.
    two_tasks = binary(study, {"Meg": [1, 1]})
    assert measure_agreement(two_tasks, study).intervals["agreement"] == pytest.approx((0.342380, 1), abs=1e-6)
    one_task = binary(study, {"Meg": [1], "Owen": [1]})  # who may both have been led by the one face
    assert measure_agreement(one_task, study).intervals == {"agreement": pytest.approx((0.206549, 1), abs=1e-6)}


def test_answers_to_one_task_count_as_far_as_they_are_independent(study):
    """Ten tasks, two answers each: as 10 answers where both always agree, as 20 where they agree as by chance."""
    alike = measure_agreement(binary(study, {"Meg": [1] * 5 + [0] * 5, "Owen": [1] * 5 + [0] * 5}), study)
    # binomtest(5, 10) and (10, 20), Wilson: 0.236593 and 0.299298 to 1 less it.
    assert alike.intervals["agreement"] == pytest.approx((0.236593, 0.763407), abs=1e-6)
    apart = measure_agreement(binary(study, {"Meg": [1] * 5 + [0] * 5, "Owen": [0] * 5 + [1] * 5}), study)
    assert apart.intervals["agreement"] == pytest.approx((0.299298, 0.700702), abs=1e-6)


def test_corrections_are_measured_and_strange_tasks_do_not_count(study):
    task = next(task for task in tasks(study, "fit") if study.by_item[task.item].intensities[1] == 0)
    happy = [0.0, 1.0, 0, 0, 0, 0, 0, 0]
    answers = [Answer("a", task.id, agrees=False, intensities=happy), Answer("a", "not there", agrees=True)]
    found = measure_agreement(answers, study)
    assert found.correction == 1  # no emotion in common: total variation 1
    assert found.answers == 1


def test_the_page_counts_preferences_by_system_whatever_was_first(study):
    pairs = tasks(study, "pair")[:4]
    check = tasks(study, "pair", attention=True)[0]
    better = ["first", "first", "second", "same"]
    answers = [Answer("a", pair.id, better=side) for pair, side in zip(pairs, better, strict=True)]
    answers += [Answer("b", check.id, better="second"), Answer("b", "not there", better="first")]
    page = agreement_page(study, answers)
    assert "Answers: 5; people: 2; attention checks passed: 0 of 1; left out" in page
    assert "neutral and reference</th><td>2</td><td>1</td><td>1</td>" in page
    assert "prototype" not in page
    assert agreement_page(study, []) == "<p>No answers yet.</p>"
    with pytest.raises(ValueError, match="of another study"):
        agreement_page(study, answers[-1:])


def test_the_page_measures_metrics_of_a_study_with_both_kinds_of_questions(tmp_path):
    pytest.importorskip("statsmodels", reason="metrics are measured with the extra [audit]")
    study = sample_study(fits=True)
    pairs, fits = tasks(study, "pair"), tasks(study, "fit")
    answers = [Answer("a", pair.id, better=("first", "second")[place % 2]) for place, pair in enumerate(pairs)]
    answers += [Answer("a", fit.id, agrees=True) for fit in fits]
    lines = [f"{item},{system},{len(system)}" for item in study.by_item for system in study.systems]
    (tmp_path / "metrics.csv").write_text("\n".join(["item,system,mse", *lines]))
    page = agreement_page(study, answers, tmp_path)
    assert "No agreement with metrics yet" not in page
    assert f"{len(fits)} ratings are left out" in page
