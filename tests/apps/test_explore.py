"""The tab Explore: its cards, and a visit in a browser with a Hub on loopback."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio", reason="needs the extra [demo]")

from datasets_to_browse import write_built, write_table

from emo3d_demo.browse import Row
from emo3d_demo.explore import _card, _face, _picture
from hanging import HANGS, wait_until
from hub import Hub

HOSTILE = "<img src=x onerror='window.ran = true'> ${window.ran = true} {{ran}}"
PAGE = """
import sys
from pathlib import Path
import gradio as gr
from emo3d_lab.apps import look
from emo3d_demo import bars, explore, panel
with gr.Blocks() as page, gr.Tabs(selected="make") as tabs:
    with gr.Tab("Make a face", id="make"):
        shown = panel.Panel()
    with gr.Tab("Explore") as tab:
        explore.explore_tab(tab, shown).success(lambda: gr.Tabs(selected="make"), None, tabs)
page.launch(theme=look.THEME, css=look.CSS + bars.CSS + panel.CSS + explore.CSS, quiet=True, prevent_thread_lock=True)
Path(sys.argv[1]).write_text(page.local_url)
page.block_thread()
"""


def row(**parts):
    nothing = {"intensities": None, "blendshapes": None, "problem": "", "identity": ""}
    return Row(**{"place": 7, "descriptions": ["a"], **nothing, **parts})


def encoded(kind, size=(8, 8)):
    file = io.BytesIO()
    Image.new("RGB", size).save(file, kind)
    return file.getvalue()


def test_a_card_shows_text_as_text():
    card = _card(0, row(descriptions=[HOSTILE, "b" * 5000], problem=HOSTILE), None)
    assert "<img" not in card
    assert "&lt;img src=x" in card
    assert len(card) < 2000


def test_a_card_of_a_face():
    intensities = np.array([0.2, 0, 0, 0.6, 0, 0, 0, 0])
    found = row(intensities=intensities, blendshapes=np.zeros(51, np.float32), identity="girl", picture=encoded("PNG"))
    card = _card(3, found, _face(found, "weights"))
    assert card.count("data:image/jpeg;base64,") == 2
    assert 'alt="Picture of row 7"' in card
    assert 'alt="Render of row 7"' in card
    assert ">0.25<" in card  # 0.2 and 0.6 divided by their sum
    assert ">0.75<" in card
    assert "happiness" not in card
    assert 'data-face="3" aria-label="Open the face of row 7"' in card


@pytest.mark.parametrize("held", [b"", b"GIF89a", encoded("EPS"), encoded("PNG", (9000, 9000)), encoded("PNG")[:40]])
def test_what_is_no_picture_is_not_shown(held):
    assert _picture(held, "picture", 7) == "<div>This picture cannot be shown.</div>"


def test_faces_of_unknown_people_are_adults():
    found = row(blendshapes=np.zeros(51, np.float32), identity="../../etc")
    assert _face(found, "weights").identity == "adult"


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explore")
    hostile = {"description": [HOSTILE], "blendshapes": [[0.5] * 51]}
    folders = {"built": write_built(folder / "built"), "hostile": write_table(folder / "hostile", hostile)}
    with Hub({(f"datasets/me/{name}", "main"): path for name, path in folders.items()}) as hub:
        environment = hub.environment(folder / "home") | {"GRADIO_TEMP_DIR": str(folder / "cache")}
        address, log = folder / "address", folder / "log"
        with log.open("w") as file:
            command = [sys.executable, "-c", PAGE, address]
            server = subprocess.Popen(command, env=environment, cwd=folder, stdout=file, stderr=file)
        try:
            yield wait_until(lambda: address.exists() and address.read_text(), server, log)
        finally:
            server.terminate()
            server.wait(HANGS)


def choose_emotion(page, emotion):
    page.get_by_label("Strongest emotion").fill(emotion)
    page.get_by_role("option", name=emotion).wait_for()
    page.keyboard.press("Enter")


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_visit(url, visit, tmp_path, width, scheme):
    page = visit(url, width, scheme)
    page.get_by_role("tab", name="Explore").click()
    figures, looked = page.locator(".rows figure"), page.locator("#looked")
    looked.get_by_text("12 rows (0 to 11), found 12").wait_for()
    assert figures.count() == 12
    assert page.locator(".rows img").count() == 24
    assert page.evaluate("[...document.querySelectorAll('.rows img')].every(img => img.naturalWidth == 224 && img.alt)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=tmp_path / f"explore-{width}-{scheme}.png", full_page=True)

    # By keyboard: search, turn pages, another dataset, take a face.
    choose_emotion(page, "fear")
    looked.get_by_text("(0 to 11)").wait_for(state="detached")  # those of all emotions, of which one page was read
    looked.get_by_text("press Next to search further").wait_for()
    first = looked.inner_text()
    page.get_by_role("button", name="Previous", disabled=True).wait_for()
    page.get_by_role("button", name="Next").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Previous", disabled=False).focus()
    assert looked.inner_text() != first
    page.keyboard.press("Enter")
    looked.get_by_text(first).wait_for()
    name = page.get_by_label("Dataset")
    name.fill("me/built")
    name.press("Enter")
    looked.get_by_text("30 rows (0 to 29), found 8; this is the end. Blendshapes are reading").wait_for()
    page.get_by_label("Text in descriptions").fill("PERSON 8")
    page.keyboard.press("Enter")
    looked.get_by_text("30 rows (0 to 29), found 1").wait_for()
    assert figures.locator("p").all_inner_texts() == ["Person 8 is here.", "<b>Number</b> 8"]
    assert figures.locator("th").all_inner_texts() == ["fear"]
    assert page.get_by_label("Config").input_value() == "default"

    name.fill("/etc/passwd")
    name.press("Enter")
    page.get_by_text("Expected sample, or a dataset on the Hub, as in namespace/name.").wait_for()
    name.fill("me/hostile")
    page.get_by_label("Text in descriptions").fill("")
    choose_emotion(page, "any")
    looked.get_by_text("1 rows (0 to 0), found 1").wait_for()
    assert figures.locator("p").all_inner_texts() == [HOSTILE]
    assert page.evaluate("window.ran") is None

    page.get_by_role("button", name="Open the face of row 0").focus()
    page.keyboard.press("Enter")
    page.get_by_role("tab", name="Make a face", selected=True).wait_for()
    page.get_by_alt_text("The face, seen from the front").wait_for()
