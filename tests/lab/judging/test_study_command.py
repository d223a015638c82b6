"""`emo3d study`, as its users call it."""

import csv
import json

import numpy as np
import pytest
from small_studies import tasks

import commands
from emo3d.scoring import open_references
from emo3d_lab.judging.answers import Answer, Answers
from emo3d_lab.judging.exporting import export_judgements, meta_options
from emo3d_lab.judging.page import agreement_page
from emo3d_lab.judging.study import Study


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("systems")
    expressions = open_references("sample").expressions
    np.save(folder / "neutral.npy", np.zeros_like(expressions))
    np.save(folder / "perfect.npy", expressions)
    np.save(folder / "short.npy", expressions[:20])
    readings = {"space": "reading", "expressions": expressions.astype(float).tolist()}
    (folder / "readings.json").write_text(json.dumps(readings))
    return folder


@pytest.fixture(scope="module")
def study(folder):
    made = commands.run(
        *("study", "sample", "--systems", folder / "neutral.npy", f"best one={folder / 'perfect.npy'}"),
        *("--out", folder / "study", "--items", "16", "--backbone", "quickstart", "--fits"),
    )
    assert made.returncode == 0, made.stderr
    return folder / "study", made.stdout


def test_a_study_is_made_by_one_command(study):
    folder, said = study
    made = Study.load(folder)
    assert made.systems == ("best one", "neutral")
    assert len(made.items) == 16
    strongest = [int(np.argmax(item.intensities)) for item in made.items]
    assert {strongest.count(emotion) for emotion in range(8)} == {2}  # the sample has all eight
    assert "16 descriptions, 48 questions about 2 systems, 2 attention checks" in " ".join(said.split())
    assert (made.repeats, "repeat a description" in said) == (0, False)
    assert made.signature in said.replace("\n", "")
    rows = list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))
    assert {(row["item"], row["system"]) for row in rows} == {
        (item.id, system) for item in made.items for system in made.systems
    }
    assert all(float(row["mse"]) == 0 for row in rows if row["system"] == "best one")
    assert any(float(row["mse"]) > 0 for row in rows)
    assert "60% to 20%" in said


def test_the_bank_is_the_whole_dataset(study, folder):
    """Scores of the few faces asked about are those that they have among all."""
    from emo3d.scoring import ScoreSettings, score

    references = open_references("sample")
    result = score(np.load(folder / "neutral.npy"), references, settings=ScoreSettings(backbone="quickstart"))
    made = Study.load(study[0])
    assert made.signature == result.signature
    rows = csv.DictReader((study[0] / "metrics.csv").read_text().splitlines())
    values = {row["item"]: float(row["kl_divergence"]) for row in rows if row["system"] == "neutral"}
    for item in made.items:
        assert values[item.id] == pytest.approx(result.per_sample["kl_divergence"][item.row], abs=1e-6)


@pytest.mark.parametrize(
    ("systems", "options", "message"),
    [
        (["neutral.npy"], [], "expected two systems or more to compare, got neutral"),
        (["neutral.npy", "neutral.npy"], [], "expected systems of different names"),
        (["neutral.npy", "a=short.npy"], [], "short.npy: expected one prediction per reference, got 20 predictions"),
        (["perfect.npy", "copy=perfect.npy"], [], "faces differ, those of copy and perfect are equal"),
        (["neutral.npy", "perfect.npi"], [], "perfect.npi"),
        (["neutral.npy", "readings.json"], [], "neutral.npy in weights, readings.json in reading"),
        (["neutral.npy", "prototype of joy=perfect.npy"], [], "expected a system's name"),
        (["neutral.npy", "perfect.npy"], ["--consent", "nothing.txt"], "no such file: nothing.txt"),
        (["neutral.npy", "perfect.npy"], ["--readers", "nobody-knows"], "nobody-knows"),
    ],
)
def test_what_cannot_be_compared_is_said(folder, tmp_path, systems, options, message):
    paths = [f"{folder}/{name}" if "=" not in name else name.replace("=", f"={folder}/") for name in systems]
    made = commands.run(
        "study", "sample", "--systems", *paths, "--out", tmp_path / "study", "--backbone", "quickstart", *options
    )
    assert made.returncode == 2
    assert message in " ".join(made.stderr.split())
    assert "Traceback" not in made.stderr
    assert not (tmp_path / "study").exists()


def test_unknown_datasets_and_folders_in_use_are_refused(folder, study):
    systems = ("--systems", folder / "neutral.npy", folder / "perfect.npy")
    made = commands.run("study", "sampel", *systems, "--out", folder / "other")
    assert (made.returncode, "no such dataset: sampel" in made.stderr) == (2, True)
    made = commands.run("study", "sample", *systems, "--out", study[0])
    assert (made.returncode, "expected a new or empty folder" in " ".join(made.stderr.split())) == (2, True)


def answered(study):
    """Answers of two people who always prefer the first system's face; one of them fails the check that comes up."""
    answers = []
    for judge in ("Zoë", "Max"):
        for task in study.order(judge, "pair"):
            better = "second" if task.attention and judge == "Max" else "first"
            answers.append(Answer(judge, task.id, better=better, seconds=2.0, swapped=study.is_swapped(judge, task)))
    return answers


def test_answers_are_exported_as_judgements(study, tmp_path):
    made = Study.load(study[0])
    answers = Answers(tmp_path / "answers")
    for answer in answered(made):
        answers.add(answer)
    fit = next(task for task in made.tasks if task.kind == "fit")
    answers.add(Answer("Max", fit.id, agrees=False))
    answers.add(Answer("Max", "another", better="same"))
    answers.add(Answer("Gone", made.tasks[0].id, better="same"))
    answers.withdraw("Gone")
    out = tmp_path / "judgements.csv"
    options = ("--answers", tmp_path / "answers", "--out", out)
    done = commands.run("study", "export", study[0], *options)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(out.read_text().splitlines()))
    pairs = [row for row in rows if row["preferred"] and row["attention"] == "false"]
    checks = [row for row in rows if row["attention"] == "true"]
    (rating,) = (row for row in rows if row["rating"])
    assert len(pairs) == 2 * 16
    assert {(row["system_a"], row["system_b"], row["preferred"]) for row in pairs} == {("best one", "neutral", "a")}
    assert {row["item"] for row in pairs} == {item.id for item in made.items}
    assert {row["kind"] for row in rows} == {"person"}
    assert len(names := {row["judge"] for row in rows}) == 2
    assert not {"Zoë", "Max", "Gone"} & names  # names stay here
    assert [row["passed"] for row in checks].count("true") == 2
    assert (rating["system"], rating["rating"]) == (fit.systems[0], "0")
    said = " ".join(done.stdout.split())
    assert "left out 1 answers to tasks that this study does not have" in said
    command = f"emo3d meta {out} --metrics {study[0] / 'metrics.csv'} --use pairs --out agreement.html"
    assert f"next: {command}" in said  # there are ratings, too


def test_the_options_of_meta_are_those_that_the_tables_need(study, tmp_path):
    made = Study.load(study[0])
    pair, check = (next(task for task in made.tasks if task.attention == wanted) for wanted in (False, True))
    fit = next(task for task in made.tasks if task.kind == "fit")
    answers = {"pairs": Answer("Max", pair.id, better="same"), "ratings": Answer("Max", fit.id, agrees=False)}
    judgements = {name: export_judgements([answer], made) for name, answer in answers.items()}
    assert {name: found.uses for name, found in judgements.items()} == {"pairs": ["pairs"], "ratings": ["ratings"]}
    assert export_judgements([Answer("Max", check.id, better="same")], made).uses == []
    (tmp_path / "metrics.csv").write_text("item,system,mse,face-api top1\n1,a,0.5,1.0\n2,a,0.5,\n")
    assert meta_options(judgements["pairs"], tmp_path) == ["--drop-missing"]
    both = export_judgements(list(answers.values()), made)
    assert meta_options(both, tmp_path) == ["--use", "pairs", "--drop-missing"]
    assert meta_options(both, study[0]) == ["--use", "pairs"]


def test_the_page_measures_pairs_where_there_are_ratings_too(study):
    made = Study.load(study[0])
    fits = [
        Answer(judge, task.id, agrees=(place + (judge == "Max")) % 3 > 0)
        for judge in ("Zoë", "Max")
        for place, task in enumerate(tasks(made, "fit"))
    ]
    page = agreement_page(made, [*answered(made), *fits], study[0])
    assert "metrics.csv --use pairs</code>" in page
    assert "32 judgements" in page  # two judges, 16 pairs each
    assert "No agreement" not in page


def test_equal_faces_are_counted(folder, tmp_path):
    expressions = np.load(folder / "perfect.npy")
    expressions[[0, -1]] = 0.5
    np.save(tmp_path / "almost.npy", expressions)
    systems = (folder / "perfect.npy", tmp_path / "almost.npy")
    options = ("--backbone", "quickstart", "--items", len(expressions))
    made = commands.run("study", "sample", "--systems", *systems, "--out", tmp_path / "study", *options)
    assert f"{len(expressions) - 2} pairs of equal faces are not asked" in " ".join(made.stdout.split()), made.stderr
    assert "1 attention checks repeat a description" in " ".join(made.stdout.split())  # all rows are asked about


def test_nothing_and_strange_answers_are_said(study, tmp_path):
    out = tmp_path / "judgements.csv"
    done = commands.run("study", "export", study[0], "--out", out, "--answers", tmp_path / "none")
    assert (done.returncode, "no answers yet" in done.stderr) == (2, True)
    Answers(tmp_path / "other").add(Answer("one", "a" * 12, better="same"))
    done = commands.run("study", "export", study[0], "--out", out, "--answers", tmp_path / "other")
    assert (done.returncode, "they are of another study" in " ".join(done.stderr.split())) == (2, True)
    done = commands.run("study", "export", tmp_path, "--out", out)
    assert (done.returncode, "expected a folder that emo3d study made" in " ".join(done.stderr.split())) == (2, True)
    made = Study.load(study[0])
    Answers(tmp_path / "one").add(Answer("one", made.order("one", "pair")[0].id, better="same"))
    done = commands.run("study", "export", study[0], "--out", out, "--answers", tmp_path / "one")
    assert "there is one judge only" in " ".join(done.stdout.split())
