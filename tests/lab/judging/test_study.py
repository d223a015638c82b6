import csv
import json
from collections import Counter, defaultdict
from itertools import chain

import numpy as np
import pytest
from small_studies import sample_study, tasks

from emo3d import EMOTIONS, render
from emo3d.scoring import ScoreSettings, score
from emo3d_lab.judging.design import CLEAR, OPPOSITES, draw_rows, make_study
from emo3d_lab.judging.measuring import measure_study, write_metrics
from emo3d_lab.judging.study import PORTRAIT, Study
from emo3d_lab.sample import PROTOTYPES, make_rows


@pytest.fixture(scope="module")
def study():
    return sample_study(40, fits=True)


def test_study_asks_about_each_pair_and_where_wanted_each_face(study):
    assert (len(tasks(study, "fit")), len(tasks(study, "pair"))) == (80, 40)
    assert {task.systems for task in tasks(study, "pair")} == {("neutral", "reference")}
    assert tasks(sample_study(), "fit") == []


def test_rows_are_spread_over_the_emotions():
    intensities = np.eye(8)[[0] * 50 + [1] * 30 + [2] * 2]
    drawn = draw_rows(intensities, 12)
    assert Counter(intensities[drawn].argmax(axis=1).tolist()) == {0: 5, 1: 5, 2: 2}  # by hand: 2 is used up
    assert drawn == sorted(set(drawn)) == draw_rows(intensities, 12) != draw_rows(intensities, 12, seed=1)
    assert draw_rows(intensities, 1000) == list(range(82))


def test_order_is_each_judges_own_and_stays(study):
    one, other = study.order("one", "fit"), study.order("other", "fit")
    assert [task.id for task in one] != [task.id for task in other]
    assert {task.id for task in one} == {task.id for task in other} == {task.id for task in tasks(study, "fit")}
    answered = set()
    for expected in one:
        task = study.next("one", "fit", answered)
        assert task.id == expected.id
        answered.add(task.id)
    assert study.next("one", "fit", answered) is None


def test_checks_are_spread_over_the_questions(study):
    for judge in ("one", "two"):
        order = study.order(judge, "pair")
        places = [place for place, task in enumerate(order) if task.attention]
        assert [place // 10 for place in places] == [0, 1, 2, 3, 4]  # a share of 0.1 of 45: one in each ten
        assert sorted(task.id for task in order) == sorted(
            task.id for task in tasks(study, "pair") + tasks(study, "pair", attention=True)
        )
    assert len({tuple(task.attention for task in study.order(str(judge), "pair")) for judge in range(10)}) > 5
    assert len(sample_study(questions=7).order("one", "pair")) == 7


def test_sides_are_balanced_wherever_a_judge_stops():
    """Of three systems' pairs, of which nobody is asked all: what has been on the left, after each question."""
    systems = {name: np.full((10, 51), value) for name, value in (("a", 0), ("b", 0.25), ("c", 0.5))}
    study = sample_study(systems=systems, questions=17, check_share=0.2, fits=True)
    share = defaultdict(list)
    for judge in map(str, range(60)):
        balance = Counter()
        for task in study.order(judge, "pair"):
            swapped = study.is_swapped(judge, task)
            share[task.id].append(swapped)
            alike = "checks" if task.attention else task.systems
            balance[alike] += 1 if swapped else -1
            assert abs(balance[alike]) <= 1
        assert set(balance) == {("a", "b"), ("a", "c"), ("b", "c"), "checks"}
    assert len(share) > 30
    assert 0.45 < np.mean(list(chain(*share.values()))) < 0.55  # of 1,020 sides, deviation 0.016
    by_task = [np.mean(swapped) for swapped in share.values()]  # of about 27 judges each, deviation 0.1
    assert 0.1 < min(by_task) < 0.45 < 0.55 < max(by_task) < 0.9
    assert not any(study.is_swapped("0", task) for task in tasks(study, "fit"))


def test_equal_faces_are_no_pair():
    one, other, third = np.zeros((10, 51)), np.zeros((10, 51)), np.full((10, 51), 0.5)
    other[4:] = 0.25
    study = sample_study(systems={"one": one, "other": other, "third": third}, check_share=0, fits=True)
    counts = Counter(task.systems for task in study.tasks)
    assert counts.pop(("one", "other")) == 6  # the other four are equal
    assert set(counts.values()) == {10}  # of two other pairs, and of three single faces
    with pytest.raises(ValueError, match="faces differ, those of copy and one are equal for each of 10 descriptions"):
        sample_study(systems={"copy": one, "one": one, "third": third})


def test_checks_show_what_is_described_and_what_nobody_takes_for_it(study):
    checks = tasks(study, "pair", attention=True)
    assert len(checks) == 5  # of 45 questions
    for check in checks:
        intensities = np.array(study.by_item[check.item].intensities)
        described, opposite = check.systems
        assert intensities.argmax() == EMOTIONS.index(described)
        assert intensities.max() / intensities.sum() >= CLEAR
        assert opposite in OPPOSITES[described]
    item = study.by_item[checks[0].item]
    faces = render([PROTOTYPES[emotion] for emotion in checks[0].systems], rig=item.identity, settings=PORTRAIT)
    assert np.array_equal(study.pictures(checks[0]), faces)


def test_a_description_that_comes_twice_gives_no_check_away():
    study = sample_study(250, rows=range(100), check_share=0.25)
    checks = tasks(study, "pair", attention=True)
    assert len(checks) == 34  # a quarter of 134 questions
    asked = {item.description for item in study.items}
    described = [study.by_item[check.item].description for check in checks]
    assert len(set(described)) == 34
    assert not asked & set(described)
    assert study.repeats == 0
    opposites = defaultdict(set)
    for check in checks:
        opposites[check.systems[0]].add(check.systems[1])
    assert sum(len(faces) > 1 for faces in opposites.values()) >= 4  # of six emotions


def test_checks_repeat_a_description_only_where_there_are_too_few_others():
    intensities = np.eye(8)[[EMOTIONS.index("fear")] * 6]
    rows = {"description": ["a", "b", "c", "d", "a", "e"], "intensities": intensities}
    systems = {"a": np.zeros((6, 51)), "b": np.ones((6, 51))}
    study = make_study(rows, systems, rows=range(4), check_share=0.5)  # by hand: 4 checks; "a" is asked about, "e" not
    checks = [study.by_item[task.item].description for task in tasks(study, "pair", attention=True)]
    assert len(checks) == len(set(checks)) == 4
    assert "e" in checks
    assert (study.repeats, [item.description for item in study.others]) == (3, ["e"])


def test_a_study_without_clear_descriptions_says_that_it_has_no_checks(caplog):
    rows = {"description": ["a", "b"], "intensities": [[1] * 8] * 2}
    study = make_study(rows, {"a": np.zeros((2, 51)), "b": np.ones((2, 51))}, seed=1)
    assert tasks(study, "pair", attention=True) == []
    assert "no attention checks" in caplog.text


def test_studies_are_read_as_they_were_written(study, tmp_path):
    study.save(tmp_path)
    assert Study.load(tmp_path) == study
    assert Study.load(tmp_path).hash == study.hash


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda plain: plain["items"][0].update(description="Someone else"), "was changed after it was made"),
        (lambda plain: plain.update(consent="Nothing is stored"), "was changed after it was made"),
        (lambda plain: plain.update(version="0.0.1"), "was changed after it was made"),
        (lambda plain: plain.update(version=None), "expected version"),
        (lambda plain: plain.update(notes="none"), "was changed after it was made"),
        (lambda plain: plain["tasks"][0].update(asked=False), "was changed after it was made"),
        (lambda plain: plain.pop("hash"), "was changed after it was made"),
        (lambda plain: plain["items"][0].pop("faces"), "expected 'faces' in items"),
        (lambda plain: plain["items"][0]["faces"][0].pop(), "51"),
        (lambda plain: plain["items"][0].update(identity="nobody"), "expected a head's name"),
        (lambda plain: plain["others"].append(plain["items"].pop()), "expected a face of each system"),
        (lambda plain: plain["tasks"][0].update(systems=["a", "b"]), "expected an item and systems of this study"),
    ],
)
def test_a_changed_file_is_refused(study, tmp_path, change, message):
    study.save(tmp_path)
    path = tmp_path / "study.json"
    plain = json.loads(path.read_text())
    change(plain)
    path.write_text(json.dumps(plain))
    with pytest.raises(ValueError, match=message) as error:
        Study.load(tmp_path)
    assert "study.json" in str(error.value)


def test_a_study_of_other_looks_is_refused(study, tmp_path, monkeypatch):
    study.save(tmp_path)
    monkeypatch.setattr("emo3d_lab.judging.study.look_of", lambda *settings: ("-", "portrait-9"))
    with pytest.raises(ValueError, match="whose faces look different"):
        Study.load(tmp_path)


def test_ids_cover_what_is_shown():
    """An answer is to a picture: another head, other calibration or another light is another question."""
    study = sample_study(fits=True, check_share=0)
    ids = study.by_task.keys()
    on_one_other = sample_study(fits=True, check_share=0, identities=["elderly-man", *["adult"] * 9]).by_task.keys()
    assert len(on_one_other & ids) == 27  # of 30: two fits and a pair are of row 0
    readings = [
        sample_study(fits=True, check_share=0, space="reading", calibration=method).by_task.keys()
        for method in ("network", "none")
    ]
    assert not readings[0] & ids
    assert not readings[0] & readings[1]
    assert sample_study(fits=True, check_share=0, seed=3).by_task.keys() == ids
    assert sample_study(fits=True, check_share=0, seed=4).hash != study.hash


def test_faces_are_shown_on_the_head_of_their_item():
    study = sample_study(1, identities=["elderly-man"])
    (pair,) = tasks(study, "pair")
    faces = np.array([np.zeros(51), make_rows("test", 1, seed=3)[0].blendshapes])
    assert np.array_equal(study.pictures(pair), render(faces, rig="elderly-man", size=384))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"systems": {"a": np.zeros((10, 51))}}, "expected at least 2 systems to judge, got a"),
        ({"systems": {"a": np.zeros((10, 51)), "b": np.zeros((9, 51))}}, "b: expected one for each of 10 references"),
        ({"identities": ["girl", "boy"]}, "identities: expected one for each of 10 references, got 2"),
        ({"check_share": 0.6}, "share of attention checks from 0 to 0.5"),
    ],
)
def test_bad_designs_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        sample_study(**options)


def test_metric_values_are_those_of_the_score(tmp_path):
    study = sample_study(10, check_share=0)
    settings = ScoreSettings(backbone="quickstart", k=5)
    values, signature = measure_study(study, settings)
    write_metrics(study, values, tmp_path)
    rows = list(csv.DictReader((tmp_path / "metrics.csv").read_text().splitlines()))
    sample = make_rows("test", 10, seed=3)
    references = [
        {"description": row.description, "intensities": row.intensities, "blendshapes": row.blendshapes}
        for row in sample
    ]
    result = score(np.zeros((10, 51)), references, settings=settings)
    assert signature == result.signature
    of_neutral = {row["item"]: row for row in rows if row["system"] == "neutral"}
    for place, item in enumerate(study.items):
        for name in ("kl_divergence", "mse"):
            assert float(of_neutral[item.id][name]) == pytest.approx(result.per_sample[name][place], abs=1e-6)
    assert all(float(row["mse"]) == 0 for row in rows if row["system"] == "reference")
