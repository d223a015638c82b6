"""Visits to Judge, Score and Explore in the demo, and what holds for every tab."""

import json
import os
from pathlib import Path

import pytest

from contrast import illegible
from emo3d import EMOTIONS

pytestmark = pytest.mark.browser

TABS = ("Make", "Explore", "Score", "Judge")


@pytest.fixture
def kept(demo_folder):
    """Answers on disk, by annotator."""

    def read():
        lines = [line for path in (demo_folder / "answers").glob("*.jsonl") for line in path.read_text().splitlines()]
        answers = {}
        for answer in map(json.loads, lines):
            answers.setdefault(answer["annotator"], []).append(answer)
        return answers

    return read


def open_tab(page, name):
    """On a phone, Gradio may put a tab into a menu behind the others."""
    page.get_by_role("tab", name="Make", exact=True).wait_for()
    page.wait_for_timeout(1000)  # it measures them first
    tab = page.get_by_role("tab", name=name, exact=True)
    if not tab.is_visible():
        page.locator(".overflow-menu > button:visible").first.click()
        tab = page.locator(".overflow-dropdown").get_by_text(name, exact=True)
    tab.click()


def start_judging(page, name, question="Two faces"):
    open_tab(page, "Judge")
    page.get_by_label("I have read this").check()
    page.get_by_label("Your name").fill(name)
    page.get_by_label(question).check()
    page.get_by_role("button", name="Start").click()


@pytest.mark.parametrize("width", [1280, 390])
def test_a_person_judges_and_comes_back(demo, visit, kept, width):
    name = f"Zoë <b>{width}</b>"
    page = visit(demo, width)
    start_judging(page, name, "One face")
    page.get_by_text("Question 1 of").wait_for()
    page.get_by_alt_text("Face to judge", exact=True).wait_for()
    assert set(EMOTIONS) <= set(page.locator("body").inner_text().split())
    page.get_by_role("button", name="Agree", exact=True).click()
    page.get_by_text("Question 2 of").wait_for()
    page.get_by_role("button", name="Disagree, and correct the emotions").click()
    page.wait_for_timeout(1500)  # the sliders of a new question are set after its text
    page.get_by_label("range slider for Contempt").press("End")
    page.get_by_role("button", name="Disagree", exact=True).click()
    page.get_by_text("Question 3 of").wait_for()
    first, second = kept()[name]
    assert first["agrees"] is True
    assert second["agrees"] is False
    assert second["intensities"][EMOTIONS.index("contempt")] == 1
    assert second["seconds"] > 0

    asked = page.locator(".described").inner_text()
    page.reload()
    start_judging(page, name, "One face")
    page.get_by_text("Question 3 of").wait_for()
    assert page.locator(".described").inner_text() == asked

    page.get_by_role("button", name="Stop for now").click()
    page.get_by_label("Two faces").check()
    page.get_by_role("button", name="Start").click()
    page.get_by_text("Which face fits the sentence better?").wait_for()
    page.get_by_alt_text("Second face to judge").wait_for()
    page.get_by_role("button", name="About the same").click()
    page.get_by_text("Question 2 of").wait_for()
    assert kept()[name][2]["better"] == "same"

    open_tab(page, "Agreement")
    page.get_by_text("published: 81%").wait_for()


def test_judges_need_a_name(demo, visit):
    page = visit(demo)
    start_judging(page, " ")
    page.get_by_text("Please choose a name").wait_for()


def test_what_the_page_says_tells_nothing_of_who_made_a_face(demo, visit):
    page = visit(demo)
    start_judging(page, "blind")
    page.get_by_text("Question 1 of").wait_for()
    shown = page.get_by_role("tabpanel").filter(has_text="Question 1 of").last.inner_text().lower()
    assert "quickstart" not in shown
    assert "reference" not in shown


def test_the_quickstart_faces_are_scored(demo, visit):
    page = visit(demo)
    open_tab(page, "Score")
    page.get_by_role("button", name="No file at hand").click()
    page.locator(".file-preview").wait_for()
    page.get_by_role("button", name="Score", exact=True).click()
    page.locator(".faces figure").first.wait_for()
    assert {"recall@k", "MSE", "Signature"} <= set(page.locator("body").inner_text().split())


@pytest.mark.parametrize("width", [1280, 390])
def test_a_face_of_the_sample_is_taken_to_be_adjusted(demo, visit, width):
    page = visit(demo, width)
    open_tab(page, "Explore")
    page.locator(".rows figure").first.wait_for()
    said = page.locator(".rows figcaption p").first.inner_text()
    page.get_by_role("button", name="Open the face of row").first.click()
    page.get_by_text("from the description").wait_for()
    with page.expect_download() as download:
        page.locator("#take").get_by_role("button", name="GLB", exact=True).click()
    document = download.value.path().read_bytes()
    assert json.dumps(said)[1:-1].encode() in document or said.encode() in document


NAMELESS = """() => [...document.querySelectorAll("img, input, textarea, select, button")].filter(one =>
    one.checkVisibility() && one.type !== "file" && !(one.alt || one.innerText || one.ariaLabel || one.title
    || one.labels?.length || one.closest("label, [aria-label]") || one.querySelector("img[alt]")))
    .map(one => one.outerHTML)"""
"""Visible pictures and fields without a name for those who do not see them."""


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def test_all_text_can_be_read_and_reached_and_fields_have_names(demo, visit, width, scheme):
    page = visit(demo, width, scheme)
    page.get_by_text("Divergence").wait_for()
    for name in TABS:
        open_tab(page, name)
        page.wait_for_timeout(1500)
        assert page.evaluate(NAMELESS) == [], name
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert illegible(page) == ({}, []), name


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def test_results_can_be_read_and_reached(demo, visit, width, scheme):
    """What tabs show only after a button was pressed."""
    page = visit(demo, width, scheme)
    page.get_by_text("Divergence").wait_for()
    failures = {}

    def check(name):
        page.wait_for_timeout(1500)
        if (found := illegible(page)) != ({}, []):
            failures[name] = found

    def press(name):
        page.get_by_role("button", name=name, exact=True).locator("visible=true").click()

    open_tab(page, "Compare")
    press("Put it on the left")
    open_tab(page, "Many")
    press("Show all faces")
    page.locator(".gallery-item:visible").nth(2).wait_for()
    check("many")
    page.locator(".gallery-item:visible").nth(1).click()
    open_tab(page, "Compare")
    press("Put it on the right")
    page.get_by_text("Blendshapes that differ most").wait_for()
    check("compare")
    open_tab(page, "Blend")
    press("Show the blend")
    press("Animate")
    page.get_by_alt_text("The face, moving").wait_for()
    check("blend")
    open_tab(page, "Many")
    page.get_by_label("Descriptions").fill(" ")
    press("Show all faces")
    page.locator(".toast-body").last.wait_for()
    check("an error")
    page.evaluate("document.querySelectorAll('.toast-close').forEach(one => one.click())")  # it may be gone by then
    page.wait_for_function("!document.querySelector('.toast-body')")  # faint while it goes
    open_tab(page, "Explore")
    page.locator(".rows figure").first.wait_for()
    check("explore")
    start_judging(page, f"reader {width} {scheme}")
    page.get_by_text("Question 1 of").wait_for()
    check("judge")
    page.keyboard.press("1")
    page.get_by_text("Question 2 of").wait_for()
    open_tab(page, "Agreement")
    page.get_by_text("attention checks passed").wait_for()
    check("agreement")
    open_tab(page, "Score")
    page.get_by_role("button", name="No file at hand").click()
    page.locator(".file-preview").wait_for()
    press("Score")
    page.locator(".faces figure").first.wait_for()
    check("score")
    assert failures == {}


def test_labels_of_the_views_leave_room_for_their_buttons(demo, visit):
    page = visit(demo, 390)
    page.get_by_text("Divergence").wait_for()
    page.locator("#views").get_by_role("button", name="Fullscreen").wait_for()
    ends = """part => [...document.querySelectorAll(`#views > * ${part}`)].filter(one => one.checkVisibility())
        .map(one => one.getBoundingClientRect()).map(box => [box.left, box.right, box.top, box.bottom])"""
    labels, buttons = page.evaluate(ends, "label"), page.evaluate(ends, "button[aria-label]")
    assert len(labels) == 2
    assert len(buttons) == 1
    for left, right, top, bottom in labels:
        over = [b for b in buttons if b[0] < right and b[1] > left and b[2] < bottom and b[3] > top]
        assert over == []


def test_an_error_on_score_leaves_no_empty_result(demo, visit):
    page = visit(demo)
    open_tab(page, "Score")
    page.get_by_role("button", name="Score", exact=True).click()
    page.get_by_text("Please upload predictions").wait_for()
    page.wait_for_timeout(1000)
    for part in ("Signature", "By emotion", "Worst faces"):
        assert not page.get_by_text(part, exact=True).first.is_visible()
    assert page.get_by_text("appear here").is_visible()


def test_a_link_reopens_the_face(demo, visit):
    page = visit(f"{demo}/?description=An+old+woman+%3Cb%3E&weights=jawOpen:0.25,mouthSmileLeft:1")
    page.get_by_text("Divergence").wait_for()
    assert page.get_by_label("Description", exact=True).input_value() == "An old woman <b>"
    link = page.locator("#link textarea, #link input").input_value()
    assert "weights=jawOpen%3A0.25%2CmouthSmileLeft%3A1" in link
    assert "identity=elderly-woman" in link
    page.get_by_role("tab", name="Adjust", exact=True).click()
    page.get_by_label("range slider for mouthSmileRight").wait_for()  # the face is uneven
    assert page.get_by_label("number input for mouthSmileLeft").input_value() == "1"


@pytest.mark.skipif("EMO3D_SCREENSHOTS" not in os.environ, reason="EMO3D_SCREENSHOTS names no folder for the README's")
@pytest.mark.parametrize(("name", "width", "height"), [("demo.png", 1280, 900), ("demo-phone.png", 390, 844)])
def test_screenshots_for_the_readme(demo, visit, name, width, height):
    page = visit(demo, width)
    page.set_viewport_size({"width": width, "height": height})
    page.get_by_text("Divergence").wait_for()
    page.locator("canvas[data-shown]").wait_for()
    page.wait_for_timeout(500)  # until it is drawn
    path = Path(os.environ["EMO3D_SCREENSHOTS"], name)
    page.screenshot(path=path)
    assert path.stat().st_size < 400_000
