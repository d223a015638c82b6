from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("nltk", reason="agreement needs the extra [demo]")

from emo3d import render
from emo3d.scoring import ScoreSettings
from emo3d_lab.judging import Answer, Study, make_study, measure_agreement
from emo3d_lab.sample import make_rows

# Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", binary data, two observers, no missing data:
# alpha = 0.095. By hand: 6 of 10 agree.
MEG = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0]
OWEN = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]


@pytest.fixture(scope="module")
def study():
    rows = make_rows("test", 10, seed=3)
    references = {
        "description": [row.description for row in rows],
        "intensities": np.array([row.intensities for row in rows]),
        "blendshapes": np.array([row.blendshapes for row in rows]),
    }
    systems = {"reference": references["blendshapes"], "neutral": np.zeros((10, 51), np.float32)}
    return make_study(references, systems, ScoreSettings(backbone="quickstart", k=5))


def tasks(study, kind):
    return [task for task in study.tasks.values() if task.kind == kind]


def binary(study, answers):
    return [
        Answer(name, task.id, agrees=bool(said))
        for name, given in answers.items()
        for task, said in zip(tasks(study, "fit"), given, strict=False)
        if said is not None
    ]


def test_study_asks_about_each_face_and_each_pair(study):
    fits, pairs = tasks(study, "fit"), tasks(study, "pair")
    assert (len(fits), len(pairs)) == (20, 10)
    assert all(task.numbers["mse"] == (0.0,) for task in fits if task.systems == ("reference",))
    assert {task.systems for task in pairs} == {("reference", "neutral"), ("neutral", "reference")}  # both orders
    for pair in pairs:
        place = pair.systems.index("neutral")
        assert not pair.expressions[place].any()
        assert pair.numbers["mse"][1 - place] == 0 < pair.numbers["mse"][place]


def test_order_is_each_annotators_own_and_stays(study):
    one, other = study.order("one", "fit"), study.order("other", "fit")
    assert [task.id for task in one] != [task.id for task in other]
    assert {task.id for task in one} == {task.id for task in other} == {task.id for task in tasks(study, "fit")}
    answered = set()
    for expected in one:
        task = study.next("one", "fit", answered)
        assert task.id == expected.id
        answered.add(task.id)
    assert study.next("one", "fit", answered) is None


def test_alpha_is_that_of_the_publication(study):
    found = measure_agreement(binary(study, {"Meg": MEG, "Owen": OWEN}), study)
    assert found.alpha == pytest.approx(0.095, abs=5e-4)
    assert found.agreement == pytest.approx(6 / 20)  # by hand: 2 + 4 ones of 20
    assert (found.answers, found.annotators, found.tasks, found.unknown) == (20, 2, 10, 0)
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


def test_people_who_follow_a_number_correlate_with_it(study):
    fits = sorted(tasks(study, "fit"), key=lambda task: task.numbers["kl_divergence"][0])
    worse = {task.id for task in fits[10:]}
    answers = [Answer(name, task.id, agrees=task.id not in worse) for name in ("a", "b") for task in fits]
    found = measure_agreement(answers, study)
    # Spearman of ten ones and ten zeros with the ranks 1 to 20: ranks of the halves are 15.5 and 5.5, deviations 5;
    # sum over rows of 5 |rank - 10.5| = 500, / sqrt(20 * 25 * 665) = 0.8671 by hand; equal KLs move it a little.
    assert found.correlations["kl_divergence"] == pytest.approx(-0.867, abs=0.02)
    assert found.alpha == 1
    assert found.agreement == 0.5


def test_pairs_say_which_number_people_follow(study):
    answers = []
    for pair in tasks(study, "pair")[:8]:
        answers.append(Answer("a", pair.id, better="first" if pair.systems[0] == "reference" else "second"))
        answers.append(Answer("b", pair.id, better="same"))
    found = measure_agreement(answers, study)
    assert found.preferences["mse"] == 1  # the reference's error is 0
    lower = [task.numbers["kl_divergence"][task.systems.index("reference")] for task in tasks(study, "pair")[:8]]
    other = [task.numbers["kl_divergence"][task.systems.index("neutral")] for task in tasks(study, "pair")[:8]]
    followed = [one < two for one, two in zip(lower, other, strict=True) if one != two]
    assert found.preferences["kl_divergence"] == np.mean(followed)


def test_corrections_are_measured_and_strange_tasks_counted(study):
    task = next(task for task in tasks(study, "fit") if task.intensities[1] == 0)
    happy = [0.0, 1.0, 0, 0, 0, 0, 0, 0]
    answers = [Answer("a", task.id, agrees=False, intensities=happy), Answer("a", "not there", agrees=True)]
    found = measure_agreement(answers, study)
    assert found.correction == 1  # no emotion in common: total variation 1
    assert found.unknown == 1


def test_a_study_without_systems_is_refused():
    with pytest.raises(ValueError, match="expected at least one system to judge"):
        make_study({"description": ["a"], "intensities": [[1] * 8]}, {}, ScoreSettings(backbone="quickstart"))


def test_studies_are_the_same_from_run_to_run(study):
    rows = make_rows("test", 10, seed=3)
    references = {"description": [row.description for row in rows], "intensities": [row.intensities for row in rows]}
    faces = {"reference": [row.blendshapes for row in rows], "neutral": np.zeros((10, 51), np.float32)}
    again: Study = make_study(references, faces, ScoreSettings(backbone="quickstart", k=5))
    assert again.tasks.keys() == study.tasks.keys()


def test_ids_cover_what_is_shown(study):
    """An answer is to a picture: another head, other calibration or another light is another question."""
    rows = make_rows("test", 10, seed=3)
    references = {"description": [row.description for row in rows], "intensities": [row.intensities for row in rows]}
    faces = {"reference": [row.blendshapes for row in rows], "neutral": np.zeros((10, 51), np.float32)}
    settings = ScoreSettings(backbone="quickstart", k=5)

    def ids(**changed):
        heads = changed.pop("identities", None)
        return make_study(references, faces, replace(settings, **changed), identities=heads).tasks.keys()

    on_one_other = ["elderly-man", *["adult"] * 9]
    assert len(ids(identities=on_one_other) & study.tasks.keys()) == 27  # of 30: two fits and a pair are of row 0
    others = [ids(identity="girl"), ids(space="reading"), ids(space="reading", calibration="none")]
    for number, other in enumerate(others):
        assert not other & study.tasks.keys()
        assert not any(other & further for further in others[:number])
    assert ids(k=7, seed=1) == study.tasks.keys()  # of the score alone


def test_faces_are_shown_on_the_head_of_their_task(study):
    rows = make_rows("test", 1, seed=3)
    references = {"description": [rows[0].description], "intensities": [rows[0].intensities]}
    faces = {"a": [rows[0].blendshapes], "b": np.zeros((1, 51), np.float32)}
    settings = ScoreSettings(backbone="quickstart", k=1)
    asked = make_study(references, faces, settings, identities=["elderly-man"])
    pair = next(task for task in asked.tasks.values() if task.kind == "pair")
    expected = render(pair.expressions, rig="elderly-man", size=384)
    assert np.array_equal(asked.pictures(pair), expected)
    with pytest.raises(ValueError, match="expected an identity for each of 1 references, got 2"):
        make_study(references, faces, settings, identities=["girl", "boy"])
