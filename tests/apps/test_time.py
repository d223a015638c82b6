"""The tab Time in a browser: a sentence becomes a clip that one plays, scrubs, changes by its beats and takes along."""

import ast
import io
from pathlib import Path

import numpy as np
import pygltflib
import pytest
from PIL import Image
from playwright.sync_api import TimeoutError

from contrast import illegible
from emo3d import BLENDSHAPES
from emo3d.clips import read_clip
from hanging import wait_on_page

pytestmark = pytest.mark.browser

CANVAS = "#clip canvas[data-frame]"
SMILE, JAW = BLENDSHAPES.index("mouthSmileLeft"), BLENDSHAPES.index("jawOpen")
SIZES = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]
TEXT = "She is deeply sad, then she laughs out loud"


def open_time(page):
    page.get_by_role("tab", name="Make", exact=True).wait_for()
    page.wait_for_timeout(1000)  # Gradio measures tabs first
    tab = page.get_by_role("tab", name="Time", exact=True)
    if not tab.is_visible():
        page.locator("#make .overflow-menu > button:visible").click()
        tab = page.locator(".overflow-dropdown").get_by_text("Time", exact=True)
    tab.click()


def act(page, text=TEXT, seconds=""):
    page.get_by_label("What happens").fill(text)
    page.get_by_label("Seconds").fill(seconds)
    page.get_by_role("button", name="Show what happens").click()


def wait_for_clip(page):
    page.locator(CANVAS).wait_for()
    page.locator("#clip-files button:enabled").first.wait_for()


def clock(page):
    """Seconds that the player shows, and seconds of the clip."""
    now, _, length = page.locator("#clip .clip-clock").inner_text().partition(" of ")
    return float(now), float(length.removesuffix(" s"))


def pause_at(page, seconds):
    page.locator("#clip .clip-time").evaluate(
        "(slider, to) => { slider.value = to; slider.dispatchEvent(new Event('input', {bubbles: true})); }", seconds
    )


def shown(page):
    return np.asarray(Image.open(io.BytesIO(page.locator(CANVAS).screenshot())).convert("RGB"), float)


def take(page, label):
    for attempt in range(6):  # a click while a button gets its new file downloads nothing
        try:
            with page.expect_download(timeout=20_000) as download:
                page.locator("#clip-files").get_by_role("button", name=label, exact=True).click()
            break
        except TimeoutError:
            if attempt == 5:
                raise
    name = download.value.suggested_filename
    return download.value.path().rename(download.value.path().with_name(name))


@pytest.fixture
def page(visit, demo):
    page = visit(demo)
    open_time(page)
    act(page)
    wait_for_clip(page)
    return page


def test_a_sentence_becomes_a_clip_that_plays_and_is_scrubbed(page):
    wait_on_page(page, lambda: clock(page)[0] > 0.5, "it to play")
    page.get_by_role("button", name="Play or pause: the clip").click()
    before = clock(page)[0]
    page.wait_for_timeout(400)
    assert clock(page)[0] == before
    assert page.locator("#clip .clip-play").inner_text() == "Play"

    length = clock(page)[1]
    pause_at(page, 0.4 * length)
    sad, words = shown(page), page.locator("#clip .clip-words").inner_text()
    assert "sad" in words
    pause_at(page, 0.8 * length)
    glad = shown(page)
    assert "laughs" in page.locator("#clip .clip-words").inner_text()
    mouth = (slice(int(0.72 * len(sad)), int(0.86 * len(sad))), slice(int(0.36 * len(sad)), int(0.64 * len(sad))))
    assert np.abs(sad[mouth] - glad[mouth]).mean() > 10  # of 255
    frame = page.locator(CANVAS).get_attribute("data-frame")
    for _ in range(20):  # of 0.01 s
        page.locator("#clip .clip-time").press("ArrowRight")
    wait_on_page(page, lambda: clock(page)[0] > 0.8 * length + 0.1, "the time by keyboard")
    assert int(page.locator(CANVAS).get_attribute("data-frame")) > int(frame)
    page.get_by_role("button", name="Go to She is deeply sad").click()
    wait_on_page(page, lambda: clock(page)[0] < 0.2, "the first beat")

    pause_at(page, 0.8 * length)
    page.get_by_role("button", name="Use this face").click()
    page.get_by_text("Emotions read from the picture", exact=True).wait_for()  # a face without a description
    leading = page.locator("#says .bars").last.inner_text()
    assert "mouthSmileLeft" in leading


def test_files_hold_the_clip(page, validate):
    length = clock(page)[1]
    clip = read_clip(take(page, "JSON"))
    assert clip.rate == 30
    assert clip.duration == pytest.approx(length, abs=0.06)  # the page shows tenths
    assert clip.description == TEXT
    assert len(clip.beats) == 2
    first, second = (clip.expressions[int(30 * (beat.start + beat.end) / 2), SMILE] for beat in clip.beats)
    assert second > first + 0.4
    assert np.array_equal(read_clip(take(page, "NumPy")).frames, clip.frames)

    path = take(page, "Animated GLB")
    report = validate(path)
    assert report["issues"]["numErrors"] == 0
    document = pygltflib.GLTF2().load(path)
    (animation,) = document.animations
    times = document.accessors[animation.samplers[0].input]
    assert times.max[0] == pytest.approx(clip.duration, abs=2 / 30)
    assert len(take(page, "Live Link Face CSV").read_text().splitlines()) == len(clip) + 1
    with Image.open(take(page, "GIF")) as moving:
        assert moving.n_frames > 20
    ast.parse(take(page, "Blender keyframes").read_text())


def test_boundaries_of_beats_move_by_mouse_and_keyboard(page):
    handle = page.get_by_role("slider", name="Start of")

    def start():
        return float(handle.get_attribute("aria-valuenow"))

    def written():
        return read_clip(take(page, "JSON")).beats[1].start

    length, before = clock(page)[1], written()
    assert start() == pytest.approx(before, abs=0.01)
    address = page.locator("#clip-files a, #clip-files button").first
    box, strip = handle.bounding_box(), page.locator(".clip-beats").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(strip["x"] + 0.25 * strip["width"], box["y"] + 10, steps=5)
    assert start() == pytest.approx(0.25 * length, abs=0.1)
    page.mouse.up()
    wait_on_page(page, lambda: address.is_enabled() and written() == pytest.approx(start(), abs=0.01), "new files")
    assert start() < before - 0.1

    sheet = page.locator(CANVAS).get_attribute("data-sheet")
    handle.focus()
    dragged = start()
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowRight"):
        page.keyboard.press(key)
    assert start() == pytest.approx(dragged + 0.7, abs=0.011)
    wait_on_page(page, lambda: page.locator(CANVAS).get_attribute("data-sheet") != sheet, "the new clip")
    assert handle.evaluate("handle => document.activeElement === handle")
    assert start() == pytest.approx(dragged + 0.7, abs=0.011)
    wait_on_page(page, lambda: written() == pytest.approx(dragged + 0.7, abs=0.011), "new files")
    handle.focus()
    page.keyboard.press("Home")
    assert start() == float(handle.get_attribute("aria-valuemin"))
    pause_at(page, 0.9 * length)
    assert clock(page)[1] == length


def drag(page, handle, to):
    """Move a boundary to a share of the clip."""
    box, strip = handle.bounding_box(), page.locator(".clip-beats").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(strip["x"] + to * strip["width"], box["y"] + 10, steps=5)
    page.mouse.up()


def test_boundaries_that_are_moved_one_after_another_are_all_kept(demo, visit):
    page = visit(demo)
    open_time(page)
    act(page, "She is calm, then she is terrified, then she laughs", "6")
    wait_for_clip(page)
    handles = page.locator("#clip .clip-beats [role=slider]")
    drag(page, handles.first, 0.15)
    drag(page, handles.last, 0.9)  # while the answer to the first is awaited

    def starts():
        return [float(handle.get_attribute("aria-valuenow")) for handle in handles.all()]

    assert starts() == pytest.approx([0.9, 5.4], abs=0.1)
    wanted = starts()

    def written():
        if not page.locator("#clip-files button:enabled").count():
            return []
        return [beat.start for beat in read_clip(take(page, "JSON")).beats[1:]]

    wait_on_page(page, lambda: written() == pytest.approx(wanted, abs=0.01), "files with both")
    assert starts() == wanted


def test_where_beats_have_no_room_no_boundary_moves(demo, visit):
    page = visit(demo)
    open_time(page)
    act(page, "She smiles, then she cries", "0.5")  # both take the least
    wait_for_clip(page)
    assert page.locator("#clip .clip-beats button").count() == 2
    assert page.get_by_role("slider", name="Start of").count() == 0


def test_work_is_seen_and_the_next_press_counts(demo, visit):
    page = visit(demo)
    open_time(page)
    go = page.locator("#clip-go")
    act(page)
    page.get_by_role("button", name="Working ...").wait_for()
    assert go.is_disabled()
    assert page.locator("#clip canvas").is_visible()
    page.get_by_label("What happens").fill("He is furious")
    go.click()  # waits until it may be pressed
    wait_on_page(page, lambda: "He is furious" in page.locator("#clip .clip-beats").inner_text(), "the second clip")
    act(page, " ")
    page.locator(".toast-body").wait_for()
    wait_on_page(page, go.is_enabled, "another try")


def test_the_clip_and_its_faces_are_on_the_head_that_is_chosen(page):
    sheet = page.locator(CANVAS).get_attribute("data-sheet")
    page.get_by_label("Identity").click()
    page.get_by_role("option", name="elderly-man", exact=True).click()
    wait_on_page(page, lambda: page.locator(CANVAS).get_attribute("data-sheet") not in (None, sheet), "the new head")
    pause_at(page, 0.8 * clock(page)[1])
    page.locator("#clip .clip-take").click()
    page.get_by_text("Emotions read from the picture", exact=True).wait_for()
    with page.expect_download() as download:
        page.locator("#take").get_by_role("button", name="GLB", exact=True).click()
    face = pygltflib.GLTF2().load_binary(download.value.path()).asset.extras
    assert face["identity"] == "elderly-man"


@pytest.mark.parametrize(
    ("text", "seconds", "message"),
    [
        (" ", "", "Please describe a feeling first"),
        ("She smiles", "0", "0.5 to 30 seconds"),
        ("She smiles", "100,000", "0.5 to 30 seconds, this would be 100,000"),
        ("She smiles", "soon", "seconds as a number"),
        ("She smiles", "1,5", "as in 4 or 1.5, not '1,5'"),
        (
            ", then ".join(["she smiles", "she cries"] * 5),
            "2",
            "each of the 10 things that happen at least 0.25 seconds",
        ),
        ("She smiles. " * 1000, "", "at most 2,000 characters"),
        ("She smiles, then she frowns, " * 60, "", "a shorter text"),
    ],
)
def test_bad_input_is_answered_in_one_sentence(demo, visit, text, seconds, message):
    page = visit(demo)
    open_time(page)
    act(page, text, seconds)
    toast = page.locator(".toast-body").last
    toast.wait_for()
    assert message in toast.inner_text()
    assert "Traceback" not in toast.inner_text()


@pytest.mark.parametrize(("width", "scheme"), SIZES)
def test_all_can_be_read_and_reached(demo, visit, width, scheme):
    page = visit(demo, width, scheme)
    open_time(page)
    act(page, "She is calm, then suddenly terrified, then she laughs, slowly sad. Finally furious")
    wait_for_clip(page)
    pause_at(page, 1.0)
    page.wait_for_timeout(1000)
    assert illegible(page) == ({}, [])
    handles = [box.bounding_box() for box in page.locator(".clip-beats [role=slider]").all()]
    assert len(handles) == 4
    assert all(box["width"] >= 24 and box["height"] >= 24 for box in handles)  # WCAG 2.2, 2.5.8


def test_a_visitor_who_wants_no_motion_starts_it(demo, visitor):
    page = visitor.new_page()
    page.emulate_media(reduced_motion="reduce")
    page.goto(demo)
    open_time(page)
    act(page)
    wait_for_clip(page)
    assert clock(page)[0] == 0
    page.locator("#clip .clip-play").click()
    wait_on_page(page, lambda: clock(page)[0] > 0.3, "it to play")
    page.close()


def test_the_endpoint_gives_files_and_beats(client):
    text = "He is calm, then he is furious"
    glb, gif, csv, document, beats = client.predict(text, seconds=3, identity="man", api_name="/clip")
    assert [beat["start"] for beat in beats] == [0, 1.5]  # as both are as long
    assert beats[-1]["end"] == 3
    assert "furious" in beats[1]["description"]
    clip = read_clip(document)
    assert len(clip) == 90
    assert pygltflib.GLTF2().load(glb).animations
    assert Image.open(gif).is_animated
    assert len(Path(csv).read_text().splitlines()) == 91


def test_the_endpoint_takes_the_seconds_that_the_text_needs(client):
    for options in ({}, {"seconds": 0}, {"seconds": None}):
        *_, beats = client.predict("He is calm", **options, api_name="/clip")
        assert 1 < beats[-1]["end"] < 10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seconds": "four"}, "Please give seconds as a number, not 'four'."),
        ({"seconds": [4]}, "Please give seconds as a number, not [4]."),
        ({"seconds": 99}, "0.5 to 30 seconds"),
        ({"seed": "abc"}, "Please give seed as a number, not 'abc'."),
        ({"seed": 1.5}, "Please give seed as a whole number, not 1.5."),
        ({"description": None}, "Please give description as text, not None."),
        ({"description": [4]}, "Please give description as text, not [4]."),
    ],
)
def test_the_endpoint_refuses_other_types_in_one_sentence(client, options, message):
    with pytest.raises(Exception, match="Please") as refusal:  # gradio_client has no error class of its own for it
        client.predict(**{"description": "He is calm", **options}, api_name="/clip")
    assert message in str(refusal.value)
