"""A study from two files to an agreement page: made by the command, judged in a browser, exported, measured."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

import commands
from emo3d.scoring import open_references
from emo3d_lab.judging.answers import Answer, Answers, read_answers
from emo3d_lab.judging.study import Study
from serving import serving

pytestmark = pytest.mark.browser

JUDGE = "Zoë"
ANSWERED = 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A study of two systems: the references themselves are "quagga", and one without expression is "zebra"."""
    folder = tmp_path_factory.mktemp("study")
    expressions = open_references("sample").expressions
    np.save(folder / "quagga.npy", expressions)
    np.save(folder / "zebra.npy", np.zeros_like(expressions))
    made = commands.run(
        *("study", "sample", "--systems", folder / "zebra.npy", folder / "quagga.npy", "--items", "30"),
        *("--out", folder / "study", "--backbone", "quickstart"),
    )
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture(scope="module")
def demo(folder):
    pytest.importorskip("gradio", reason="the demo needs the extra [demo]")
    with serving(folder, EMO3D_STUDY=folder / "study") as address:
        yield address


def open_judge(page):
    page.get_by_role("tab", name="Make", exact=True).wait_for()
    page.wait_for_timeout(1000)  # Gradio measures tabs first
    page.get_by_role("tab", name="Judge", exact=True).click()


def start(page, name):
    page.get_by_label("I have read this").check()
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Start").click()


def shown_first(page, pictures, tmp_path):
    """Which of two pictures is on the left."""
    source = page.get_by_alt_text("First face to judge").get_attribute("src")
    path = tmp_path / "picture"
    path.write_bytes(page.request.get(source).body())
    left = np.asarray(Image.open(path).convert("RGB"), float)
    return int(np.argmin([np.abs(left - picture).mean() for picture in pictures]))


def test_a_newcomer_judges_twenty_pairs_and_gets_the_agreement_page(folder, demo, visit, tmp_path):
    study = Study.load(folder / "study")
    page, bodies = visit(demo), []
    page.on("requestfinished", lambda request: bodies.append(request.response()))
    open_judge(page)
    page.get_by_label("Your name").fill(JUDGE)
    page.get_by_role("button", name="Start").click()
    page.get_by_text("tick the box").wait_for()
    assert list((folder / "answers").glob("*.jsonl")) == []  # nothing is stored without consent

    start(page, JUDGE)
    order = study.order(JUDGE, "pair")
    failed = next(task for task in order if task.attention)
    assert order.index(failed) < ANSWERED
    for number, task in enumerate(order[:ANSWERED]):
        page.get_by_text(f"Question {number + 1} of {len(order)}").wait_for()
        assert study.by_item[task.item].description in page.locator(".described").inner_text()
        is_swapped = study.is_swapped(JUDGE, task)
        if number < 6:
            page.wait_for_timeout(500)  # pictures come after the words
            assert shown_first(page, study.pictures(task), tmp_path) == is_swapped
        better = "zebra" if task.id == failed.id else "quagga"  # of a check the first is right: "zebra" is none of both
        wanted = task.systems.index(better) if better in task.systems else int(task.id == failed.id)
        place = wanted != is_swapped
        if number % 2:
            page.keyboard.press("2" if place else "1")
        else:
            page.get_by_role("button", name="Second face" if place else "First face", exact=True).click()
    page.get_by_text(f"Question {ANSWERED + 1} of").wait_for()
    said = page.content() + json.dumps(page.evaluate("window.gradio_config"))
    for response in bodies:
        if response and "image" not in response.headers.get("content-type", "image"):
            said += response.text()
    assert study.by_item[order[0].item].description.split()[-1].strip(".!?") in said
    assert not {word for word in ("zebra", "quagga", "attention") if word in said.replace(study.consent, "")}

    page.reload()
    open_judge(page)
    start(page, JUDGE)
    page.get_by_text(f"Question {ANSWERED + 1} of").wait_for()
    assert len(list(read_answers(folder / "answers"))) == ANSWERED
    assert page.get_by_role("tab", name="Agreement").count() == 0  # with the names of systems it would spoil answers
    own = {"EMO3D_STUDY": folder / "study", "EMO3D_ANSWERS": folder / "answers", "EMO3D_AGREEMENT": 1}
    with serving(tmp_path, **own) as results:
        page = visit(results)
        open_judge(page)
        page.get_by_role("tab", name="Agreement").click()
        page.get_by_text(f"Answers: {ANSWERED}; people: 1").wait_for()
        page.frame_locator("iframe.metrics").get_by_text("Do the metrics agree with people?").wait_for()

    out, report = tmp_path / "judgements.csv", tmp_path / "agreement.html"
    exported = commands.run("study", "export", folder / "study", "--answers", folder / "answers", "--out", out)
    assert exported.returncode == 0, exported.stderr
    rows = list(csv.DictReader(out.read_text().splitlines()))
    checks = sum(task.attention for task in order[:ANSWERED])
    assert len(rows) == ANSWERED
    assert [row["passed"] for row in rows if row["attention"] == "true"].count("false") == 1
    preferred = [row[f"system_{row['preferred']}"] for row in rows if row["attention"] == "false"]
    assert preferred == ["quagga"] * (ANSWERED - checks)
    measured = commands.run("meta", out, "--metrics", folder / "study" / "metrics.csv", "--out", report)
    assert measured.returncode == 0, measured.stderr
    assert "mse" in report.read_text()
    # Every judgement preferred the references, whose error is 0: mse agrees with all, but for neutral references.
    (mse,) = (line for line in measured.stdout.splitlines() if line.startswith("│ mse "))
    assert float(mse.split("│")[3].split(",")[0]) >= 0.9


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark")])
def test_both_faces_are_large_on_a_phone(demo, visit, width, scheme):
    page = visit(demo, width, scheme)
    open_judge(page)
    start(page, f"phone {scheme}")
    page.get_by_alt_text("Second face to judge").wait_for()
    page.wait_for_timeout(500)
    first, second = (page.get_by_alt_text(f"{side} face to judge").bounding_box() for side in ("First", "Second"))
    assert first["y"] == second["y"]
    assert min(first["width"], second["width"]) > 0.4 * width
    assert page.get_by_role("button", name="First face", exact=True).bounding_box()["y"] < 844  # of the window


def test_the_answer_tapped_last_is_not_lit_at_the_next_question(demo, chromium):
    context = chromium.new_context(has_touch=True, is_mobile=True, viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(demo)
    open_judge(page)
    start(page, "Tapping")
    page.get_by_text("Judge the expression; the person is always the same").wait_for()
    same = page.locator("#judge-same")
    ground = "button => getComputedStyle(button).backgroundColor"
    page.wait_for_timeout(500)  # colours change slowly
    before = same.evaluate(ground)
    same.tap()
    page.get_by_text("Question 2 of").wait_for()
    same.hover()  # phones leave what was tapped in this state
    assert same.evaluate("button => button.matches(':hover')")
    page.wait_for_timeout(500)
    assert same.evaluate(ground) == before
    assert page.evaluate("document.activeElement.tagName") == "BODY"
    context.close()


def test_nothing_but_thanks_follows_the_last_question(folder, visit, tmp_path):
    study, answers = Study.load(folder / "study"), Answers(tmp_path / "answers")
    for task in study.order("Last", "pair")[:-1]:
        answers.add(Answer("Last", task.id, better="same"))
    with serving(tmp_path, EMO3D_STUDY=folder / "study") as address:
        page = visit(address)
        open_judge(page)
        start(page, "Last")
        page.get_by_role("button", name="About the same").click()
        page.get_by_text("That was the last question. Thank you!").wait_for()
        assert not page.get_by_role("button", name="Start").is_visible()
        assert not page.get_by_label("I have read this").is_visible()


def test_people_can_delete_their_answers(folder, demo, visit):
    page = visit(demo)
    open_judge(page)
    start(page, "Gone")
    page.get_by_text("Question 1 of").wait_for()
    page.keyboard.press("0")
    page.get_by_text("Question 2 of").wait_for()
    page.get_by_role("button", name="Stop for now").click()
    page.get_by_role("button", name="Delete my answers").click()
    page.get_by_role("button", name="Delete all answers under this name").click()
    page.get_by_text("Deleted 1 answers").wait_for()
    assert [answer.withdrawn for answer in read_answers(folder / "answers") if answer.annotator == "Gone"] == [True]
