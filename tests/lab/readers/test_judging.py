"""What readers say of the faces of a score: arithmetic by hand, results on disk, comparisons and commands."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

from emo3d.cli import app
from emo3d.cli.app import console
from emo3d.emotions import EMOTIONS
from emo3d.face.export import write_json
from emo3d.scoring import Emo3DResult, ScoreSettings, read_references, score_distributions
from emo3d_lab.comparison import compare
from emo3d_lab.readers import EmotionReader, known_shares, read_faces, with_readers
from emo3d_lab.readers.judging import summarise
from small_readers import save_classifier, save_face_api

KNOWN = tuple(emotion for emotion in EMOTIONS if emotion != "contempt")
SETTINGS = ScoreSettings(n_bootstrap=200)


def rows(*intensities):
    return read_references(
        {"description": [f"face {row}" for row in range(len(intensities))], "intensities": list(intensities)}
    )


def shares(**emotions):
    return [emotions.get(emotion, 0.0) for emotion in KNOWN]


def test_descriptions_of_missing_emotions_are_left_out_and_their_shares_taken_out():
    """Of 0.5 anger, 0.25 fear and 0.25 contempt are left 2/3 and 1/3; the second is contempt first of all."""
    intensities = [{"anger": 0.8, "fear": 0.4, "contempt": 0.4}, {"contempt": 0.5, "anger": 0.4}, {"neutral": 1.0}]
    judged, known = known_shares(intensities, KNOWN)
    assert judged.tolist() == [0, 2]
    assert known == pytest.approx(np.array([shares(anger=2 / 3, fear=1 / 3), shares(neutral=1)]))


@pytest.mark.parametrize("missing", ["happiness", "contempt"])
def test_a_missing_emotion_as_strong_as_another_leaves_nothing_out(missing):
    """Whether it comes before anger in the order of emotions, or after; a group is of an emotion that is known."""
    known = tuple(emotion for emotion in EMOTIONS if emotion != missing)
    references = rows({missing: 0.5, "anger": 0.5}, {missing: 0.5, "anger": 0.49}, {missing: 0.3, "anger": 0.1 * 3})
    judged, described = known_shares(references.intensities, known)
    assert judged.tolist() == [0, 2]
    assert described == pytest.approx(np.tile([float(emotion == "anger") for emotion in known], (2, 1)))
    result = summarise(np.full((3, 1, 7), 1 / 7), known, references, SETTINGS, "reader:1")
    assert {name: group["n"] for name, group in result.per_emotion.items()} == {"anger": 2}


def test_numbers_are_those_worked_by_hand():
    """With epsilon 0.01: anger read at 0.59 of a half, fear at 0.39; happiness missed at 0.19; and one without a face.

    The first description is half anger, half fear: of equals any counts, so its top-1 is a match.
    """
    references = rows({"anger": 0.5, "fear": 0.5}, {"happiness": 1.0}, {"contempt": 1.0}, {"sadness": 1.0})
    answers = np.array(
        [
            [shares(anger=0.59, fear=0.39, neutral=0.02)],
            [shares(happiness=0.19, neutral=0.81)],
            [shares(neutral=1)],
            [[np.nan] * 7],
        ]
    )
    result = summarise(answers, KNOWN, references, SETTINGS, "reader:1")
    first, second = 0.5 * np.log(0.5 / 0.6) + 0.5 * np.log(0.5 / 0.4), np.log(1 / 0.2)
    assert (result.n, result.not_found) == (2, 1)
    assert result.kl_divergence == pytest.approx((first + second) / 2)
    assert result.top1 == 0.5
    assert result.per_sample["kl_divergence"] == pytest.approx([first, second, np.nan, np.nan], nan_ok=True)
    assert result.per_sample["top1"] == pytest.approx([1, 0, np.nan, np.nan], nan_ok=True)
    assert {name: (group["n"], group["top1"]) for name, group in result.per_emotion.items()} == {
        "happiness": (1, 0),
        "anger": (1, 1),
    }
    # Wilson's interval of 1 in 2, as statsmodels 0.14 has it: proportion_confint(1, 2, method="wilson").
    assert result.intervals == {"top1": pytest.approx((0.0945312, 0.9054688), abs=1e-6)}


def test_several_identities_are_means_of_those_with_a_face():
    references = rows({"anger": 1.0})
    answers = np.array([[shares(anger=0.99, fear=0.01), shares(fear=1), [np.nan] * 7]])
    result = summarise(answers, KNOWN, references, SETTINGS, "reader:1")
    assert (result.n, result.not_found, result.top1) == (1, 0, 0.5)
    assert result.kl_divergence == pytest.approx(np.log(1 / 0.01) / 2)  # of the first ln 1 = 0


def test_faces_of_one_reference_are_one_case_in_any_order():
    """Twelve references five times each, alike: the intervals are those of twelve; a shuffle changes no bit."""
    rng = np.random.default_rng(0)
    intensities = [dict.fromkeys([KNOWN[k % 7]], 0.5 + k / 30) for k in range(12)]
    answers = rng.dirichlet(np.ones(7), size=(12, 1))
    few = summarise(answers, KNOWN, rows(*intensities), SETTINGS, "reader:1")
    table = {"description": [f"face {row}" for row in range(12)] * 5, "intensities": intensities * 5}
    many = summarise(np.tile(answers, (5, 1, 1)), KNOWN, read_references(table), SETTINGS, "reader:1")
    for number in ("kl_divergence", "top1"):
        assert many.intervals[number] == pytest.approx(few.intervals[number], abs=1e-9)
    order = rng.permutation(60)
    shuffled = {name: [values[row] for row in order] for name, values in table.items()}
    again = summarise(np.tile(answers, (5, 1, 1))[order], KNOWN, read_references(shuffled), SETTINGS, "reader:1")
    assert (again.numbers, again.intervals, again.per_emotion) == (many.numbers, many.intervals, many.per_emotion)


def test_where_nothing_is_judged_there_are_no_numbers():
    result = summarise(np.full((2, 1, 7), 1 / 7), KNOWN, rows({"contempt": 1.0}, {"contempt": 0.5}), SETTINGS, "r:1")
    assert (result.n, result.not_found, result.numbers, result.per_emotion) == (0, 0, {}, {})
    assert str(result) == "n=0, not found=0|r:1"


class Fixed(EmotionReader):
    """Answers with fixed rows, and finds no face in pictures that are black."""

    name, emotions = "fixed", KNOWN

    def __init__(self, seed=0, signature="fixed:1"):
        self.signature, self._rng, self.calls = signature, np.random.default_rng(seed), 0

    def _read(self, pictures, boxes):
        self.calls += 1
        return self._rng.dirichlet(np.ones(7), size=len(pictures))


@pytest.fixture
def references():
    return rows(*[{KNOWN[k % 7]: 0.6, "contempt": 0.1 + 0.8 * (k % 5 == 0)} for k in range(30)])


def scored(references, seed=0):
    return score_distributions(np.random.default_rng(seed).random((len(references), 8)), references, SETTINGS)


def test_expressions_are_read_on_every_identity(references):
    reader = Fixed()
    settings = replace(SETTINGS, identities=2)
    (result,) = read_faces([reader], np.zeros((30, 51)), references, settings).values()
    assert reader.calls == 2
    assert (result.n, result.not_found) == (24, 0)
    assert result.signature == "fixed:1|faces:camera|render:portrait-3/256px/2x/fov20/yaw0"
    assert set(result.per_sample["top1"][~np.isnan(result.per_sample["top1"])]) <= {0, 0.5, 1}


def test_pictures_have_their_faces_found_and_those_without_are_counted(references, caplog):
    pytest.importorskip("mediapipe", reason="needs the extra extract")
    from emo3d.face import render

    pictures = np.concatenate([render(np.zeros((2, 51))), np.zeros((1, 224, 224, 3), np.uint8)])
    part = references.part(slice(1, 4))
    result = with_readers(scored(part), [Fixed()], pictures, part, SETTINGS).readers["fixed"]
    assert (result.n, result.not_found) == (2, 1)
    assert result.signature == "fixed:1|faces:mediapipe"
    assert "fixed: no face found in 1 pictures" in caplog.text


def test_a_result_keeps_its_readers(references, tmp_path):
    result = with_readers(scored(references), [Fixed()], np.zeros((30, 51)), references, SETTINGS)
    result.save(tmp_path / "result.json")
    again = Emo3DResult.load(tmp_path / "result.json")
    assert str(again) == str(result)
    assert again.to_dict(per_sample=True) == result.to_dict(per_sample=True)
    assert again.readers["fixed"].emotions == KNOWN
    assert np.array_equal(
        again.readers["fixed"].per_sample["top1"], result.readers["fixed"].per_sample["top1"], equal_nan=True
    )
    plain = result.to_dict()
    assert "per_sample" not in plain["readers"]["fixed"]
    assert Emo3DResult.from_dict(plain).readers["fixed"].numbers == result.readers["fixed"].numbers
    del plain["readers"]  # as earlier versions wrote it
    assert Emo3DResult.from_dict(plain).readers == {}
    assert str(result).startswith(str(replace(result, readers={})))
    assert [(name, getattr(result, name)) for name in ("emo3d", "kl_divergence", "signature")] == [
        (name, getattr(scored(references), name)) for name in ("emo3d", "kl_divergence", "signature")
    ]


def test_readers_of_another_score_are_refused(references):
    expressions, result = np.zeros((30, 51)), scored(references)
    order = np.arange(30)[::-1]
    other = read_references(
        {"description": [references.descriptions[k] for k in order], "intensities": references.intensities[order]}
    )
    with pytest.raises(ValueError, match="expected the references of the result, in its order"):
        with_readers(result, [Fixed()], expressions, other, SETTINGS)
    with pytest.raises(ValueError, match="they differ in n_bootstrap: 200, 1000"):
        with_readers(result, [Fixed()], expressions, references)
    signed = replace(result, signature=replace(SETTINGS, space="reading").sign(calibration="network/anny-2"))
    with pytest.raises(ValueError, match="they differ in space: reading, weights"):
        with_readers(signed, [Fixed()], expressions, references, SETTINGS)
    with_readers(signed, [Fixed()], expressions, references, replace(SETTINGS, space="reading"))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["n"], 25, "numbers of those judged|groups of 25 faces"),
        (["not_found"], 7, "expected at most 30 faces"),
        (["top1"], 1.5, "expected top1 in 0..1 of the reader 'fixed'"),
        (["top1"], None, "numbers of those judged"),
        (["n"], 0, "numbers of those judged"),
        (["kl_divergence"], 9.0, "the mean of the groups of the reader 'fixed'"),
        (["emotions"], ["anger", "neutral"], "expected emotions in the order of"),
        (["emotions"], 3, "expected intervals and values as a result has them"),
        (["n"], "many", "expected the reader 'fixed' as a result has it"),
        (["signature"], "a\nb", "a signature of one printable line"),
        (["intervals", "top1"], [0.9, 0.1], "from a lower to an upper end"),
        (["per_sample", "top1", 0], 1.0, "24 of them judged"),
        (["per_sample", "kl_divergence", 1], 7.0, "the mean of its per-sample values"),
        (["per_emotion", "joy"], {"n": 0, "kl_divergence": 0, "top1": 0, "intervals": {}}, "got 'joy'"),
        (["extra"], 1, "expected intervals and values as a result has them"),
    ],
)
def test_readers_that_contradict_themselves_are_refused(references, path, value, message):
    result = with_readers(scored(references), [Fixed()], np.zeros((30, 51)), references, SETTINGS)
    plain = result.to_dict(per_sample=True)
    place = plain["readers"]["fixed"]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(ValueError, match=message):
        Emo3DResult.from_dict(plain)


def judged(references, answers, signature="fixed:1"):
    reader = summarise(answers[:, None], KNOWN, references, SETTINGS, signature)
    return replace(scored(references), readers={"fixed": reader})


def test_readers_are_compared_pair_by_pair(references):
    """Close to the t-test of scipy on the judged pairs; one of 24 has no face in B, is left out, and that is said."""
    rng = np.random.default_rng(3)
    answers = rng.dirichlet(np.ones(7), size=(2, 30))
    answers[1, 1] = np.nan
    a, b = (judged(references, part) for part in answers)
    comparison = compare(a, b, n_resamples=4000)
    paired = comparison.readers["fixed"]
    values = [result.readers["fixed"].per_sample["kl_divergence"] for result in (a, b)]
    both = ~np.isnan(values).any(axis=0)
    assert both.sum() == 23
    difference = values[1][both] - values[0][both]
    assert paired["kl_divergence"].difference == pytest.approx(difference.mean())
    assert paired["kl_divergence"].p_value == pytest.approx(stats.ttest_1samp(difference, 0).pvalue, abs=0.03)
    low, high = stats.t.interval(0.95, 22, difference.mean(), stats.sem(difference))
    assert paired["kl_divergence"].interval == pytest.approx((low, high), abs=0.15)
    assert -1 <= paired["top1"].interval[0] <= paired["top1"].difference <= paired["top1"].interval[1] <= 1
    assert comparison.notes == ("fixed: 1 faces are left out, which it judged in one of the systems only",)
    assert json.dumps(comparison.to_dict())


def test_readers_under_other_signatures_are_not_compared(references):
    answers = np.random.default_rng(3).dirichlet(np.ones(7), size=30)
    a, b = judged(references, answers), judged(references, answers, "fixed:2")
    comparison = compare(a, b, n_resamples=10)
    assert comparison.readers == {}
    assert comparison.notes == ("fixed is not compared: its signatures differ in fixed: 1, 2",)
    assert compare(a, replace(b, readers={}), n_resamples=10).notes == ("fixed is not compared: only A has it",)
    bare = replace(a, readers={"fixed": replace(a.readers["fixed"], per_sample={})})
    assert "no values of single faces" in compare(a, bare, n_resamples=10).notes[0]


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Runs `emo3d score` on 12 faces with readers: a small face-api, by name."""
    monkeypatch.setattr(console, "_width", 200)
    monkeypatch.setenv("EMO3D_READERS", str(tmp_path))
    (tmp_path / "face-api").mkdir()
    save_face_api(tmp_path / "face-api", [10, 40, 10, 10, 10, 10, 10])
    write_json(tmp_path / "faces.json", np.random.default_rng(0).random((12, 51)).round(3) / 2)
    lines = [{"description": f"face {k}", "intensities": {EMOTIONS[k % 8]: 0.9}} for k in range(12)]
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(f"{json.dumps(line)}\n" for line in lines))

    def run(*options):
        start = [
            "score",
            tmp_path / "faces.json",
            "--references",
            rows,
            "--backbone",
            "quickstart",
            "--space",
            "weights",
        ]
        return CliRunner().invoke(app, [str(part) for part in (*start, *options)])

    return run


def test_the_command_prints_and_writes_what_readers_say(command, tmp_path):
    """Whatever it sees it calls happiness: right in 2 of 11 (k = 1 and 9); k = 7 is contempt, which it lacks."""
    classifier = save_classifier(tmp_path / "classifier")
    out = tmp_path / "out.json"
    done = command("--readers", f"face-api,{classifier}", "--details", "--out", out)
    assert done.exit_code == 0, done.output
    result = Emo3DResult.load(out)
    assert list(result.readers) == ["face-api", "classifier"]
    reader = result.readers["face-api"]
    assert (reader.n, reader.not_found, reader.top1) == (11, 0, pytest.approx(2 / 11))
    assert "face-api, n = 11" in done.stdout
    assert "no face found: 0; left out, described first of all as contempt: 1" in done.stdout
    for number in (reader.kl_divergence, 2 / 11, *reader.intervals["top1"]):
        assert f"{number:.4f}" in done.stdout
    assert reader.signature in done.stdout
    assert "by the strongest emotion described, face-api" in done.stdout
    done = CliRunner().invoke(app, ["compare", str(out), str(out), "--n-resamples", "50"])
    assert done.exit_code == 0, done.output
    assert "face-api top1" in done.stdout


def test_a_generator_is_evaluated_with_readers(command, tmp_path):
    """On the references that the command scores, so that the same 11 faces are judged; happiness is seen in all."""
    arguments = ["evaluate", "--model", "quickstart", "--dataset", tmp_path / "rows.jsonl", "--backbone", "quickstart"]
    out = tmp_path / "out.json"
    done = CliRunner().invoke(app, list(map(str, [*arguments, "--readers", "face-api", "--out", out])))
    assert done.exit_code == 0, done.output
    reader = Emo3DResult.load(out).readers["face-api"]
    assert (reader.n, reader.not_found, reader.top1) == (11, 0, pytest.approx(2 / 11))
    assert "face-api, n = 11" in done.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--readers", "face-api,face-api"], "expected each reader once, got face-api twice"),
        (["--readers", "face-ap"], "expected a reader: face-api"),
        (["--readers", "face-api", "--samples", "there"], "expected --readers without --samples"),
        (["--reader-labels", "labels.json"], "expected --readers with --reader-labels"),
        (["--readers", "face-api", "--reader-labels", "labels.json"], "labels.json"),
    ],
)
def test_the_command_refuses_readers_that_it_cannot_have(command, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    done = command(*options)
    assert done.exit_code != 0
    assert message in f"{done.output} {done.exception}"
