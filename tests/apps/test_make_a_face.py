"""Visits to the tabs that make a face, in a browser. What is shown is judged by MediaPipe, not by our own code."""

import ast
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pygltflib
import pytest
from PIL import Image

from emo3d import BLENDSHAPES, EMOTIONS
from emo3d.expressions import read_expressions
from hanging import wait_on_page
from livelink import LIVELINK_HEADER

pytestmark = pytest.mark.browser

PICTURE = 'img[alt="The face, seen from the front"]'
HOSTILE = "he is terrified 😱 <img src=x onerror='window.ran = true'>"
PHOTOGRAPHS = Path(__file__).parents[3] / "shared" / "real_emo3d" / "data" / "prompt1_images_0_1000.zip"
JAW = BLENDSHAPES.index("jawOpen")


@pytest.fixture(scope="module")
def read():
    """A picture -> MediaPipe's readings, None where it sees no face."""
    pytest.importorskip("mediapipe", reason="what is shown is judged by the extra [extract]")
    from emo3d_lab.landmarker import FaceReader

    with FaceReader(quiet=True) as reader:
        yield reader.read


@pytest.fixture
def page(visit, demo):
    page = visit(demo)
    wait_for_picture(page)
    return page


def wait_for_picture(page, other_than=""):
    """The address of the picture, once it is loaded."""
    loaded = """([selector, before]) => {
        const picture = document.querySelector(selector);
        return picture && picture.complete && picture.naturalWidth === 512 && picture.src !== before && picture.src;
    }"""
    return page.wait_for_function(loaded, arg=[PICTURE, other_than]).json_value()


def picture(page, other_than=""):
    content = page.request.get(wait_for_picture(page, other_than)).body()
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def take(page, label, within="#take"):
    with page.expect_download() as download:
        page.locator(within).get_by_role("button", name=label, exact=True).click()
    path = download.value.path()
    return path.rename(path.with_suffix(Path(download.value.suggested_filename).suffix))


def taken_weights(page):
    mesh = pygltflib.GLTF2().load(take(page, "GLB")).meshes[0]
    return dict(zip(mesh.extras["targetNames"], mesh.weights, strict=True))


def open_tab(page, name):
    page.get_by_role("tab", name=name, exact=True).click()


def press(page, slider, key):
    page.get_by_label(f"range slider for {slider}", exact=True).press(key)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_description_becomes_a_face(demo, visit, read, width, scheme):
    page = visit(demo, width, scheme)
    first = wait_for_picture(page)

    def turned():
        return np.asarray(Image.open(io.BytesIO(page.locator("canvas").screenshot())).convert("RGB"))

    page.get_by_label("Description").fill(HOSTILE)
    page.get_by_role("button", name="Show the face").click()
    shown = picture(page, other_than=first)
    assert read(shown) is not None
    assert page.get_by_label("Description").input_value() == HOSTILE
    assert page.evaluate("window.ran") is None  # what one types is text

    said = page.locator("#says").inner_text()
    assert set(EMOTIONS) <= set(said.split())
    assert {"picture", "description", "Divergence"} <= set(said.split())
    assert {"eyeWideLeft", "mouthStretchLeft"} <= set(said.split())  # EMFACS 5 and 20

    wait_on_page(page, lambda: read(turned()) is not None, "the other face in the 3D view")
    assert pygltflib.GLTF2().load(take(page, "GLB")).asset.extras["description"] == HOSTILE

    second = wait_for_picture(page)
    page.get_by_role("button", name="An elderly man in deep despair").click()
    wait_for_picture(page, other_than=second)
    assert page.get_by_label("Description").input_value() == "An elderly man in deep despair"


def test_another_identity_wears_the_same_expression(page):
    before, weights = wait_for_picture(page), taken_weights(page)
    page.get_by_label("Identity").click()
    page.get_by_role("option", name="elderly-woman").click()
    wait_for_picture(page, other_than=before)
    document = pygltflib.GLTF2().load(take(page, "GLB"))
    assert document.asset.extras["identity"] == "elderly-woman"
    assert document.meshes[0].weights == pytest.approx(list(weights.values()), abs=1e-6)


def test_strength_by_keyboard(page, read):
    before = wait_for_picture(page)
    strong = read(picture(page))
    press(page, "Strength", "Home")
    assert read(picture(page, other_than=before))[JAW] < 0.1 < strong[JAW]
    assert not any(taken_weights(page).values())


def test_what_one_takes_is_the_face_that_is_shown(page, read, validate):
    glb = take(page, "GLB")
    report = validate(glb)
    assert report["issues"]["numErrors"] == report["issues"]["numWarnings"] == 0
    mesh = pygltflib.GLTF2().load(glb).meshes[0]
    weights = dict(zip(mesh.extras["targetNames"], mesh.weights, strict=True))
    expected = [weights[name] for name in BLENDSHAPES]

    live_link = take(page, "Live Link Face CSV")
    assert live_link.read_text().splitlines()[0] == LIVELINK_HEADER
    for path in (take(page, "ARKit JSON"), live_link):
        np.testing.assert_allclose(read_expressions(path)[0][0], expected, atol=1e-4)

    script = ast.parse(take(page, "Blender script").read_text())
    (written,) = (
        node.value for node in script.body if isinstance(node, ast.Assign) and node.targets[0].id == "WEIGHTS"
    )
    assert ast.literal_eval(written) == pytest.approx(dict(zip(BLENDSHAPES, expected, strict=True)), abs=1e-4)
    png = np.asarray(Image.open(take(page, "PNG")))
    np.testing.assert_array_equal(png[..., :3], picture(page))


def test_sliders_by_keyboard_and_mouse(page, read):
    open_tab(page, "Adjust")
    before = wait_for_picture(page)
    page.get_by_role("button", name="Neutral").click()
    assert read(picture(page, other_than=before))[JAW] < 0.1
    before = wait_for_picture(page)
    page.locator("#make").get_by_role("button", name="Jaw", exact=False).first.press("Enter")
    press(page, "jawOpen", "End")
    assert read(picture(page, other_than=before))[JAW] > 0.5
    wait_on_page(page, lambda: taken_weights(page)["jawOpen"] == 1, "the open jaw in the GLB")
    assert sum(taken_weights(page).values()) == 1

    slider = page.get_by_label("range slider for mouthSmile", exact=True)
    slider.click(position={"x": slider.bounding_box()["width"] / 2, "y": 4})  # pressed and released at once
    wait_on_page(page, lambda: taken_weights(page)["mouthSmileRight"] > 0.3, "the smile in the GLB")
    weights = taken_weights(page)
    assert weights["mouthSmileLeft"] == weights["mouthSmileRight"]
    assert weights["jawOpen"] == 1

    undo = page.locator("#make").get_by_role("button", name="Undo")
    undo.click()
    wait_on_page(page, lambda: taken_weights(page)["mouthSmileRight"] == 0, "no smile")
    assert taken_weights(page)["jawOpen"] == 1
    undo.click()
    wait_on_page(page, lambda: not any(taken_weights(page).values()), "the neutral face")


def test_a_script_that_the_encoder_does_not_know_is_said(page):
    page.get_by_label("Description").fill("とても悲しい")
    page.get_by_role("button", name="Show the face").click()
    page.get_by_text("a script that the encoder hardly knows").wait_for()


def test_one_side_alone_and_mirrored(page):
    open_tab(page, "Adjust")
    page.get_by_role("button", name="Neutral").click()
    wait_on_page(page, lambda: not any(taken_weights(page).values()), "a face at rest")
    page.get_by_label("Both sides alike").uncheck()
    press(page, "mouthSmileRight", "End")
    wait_on_page(page, lambda: taken_weights(page)["mouthSmileRight"] == 1, "a smile on the right")
    assert taken_weights(page)["mouthSmileLeft"] == 0
    page.get_by_role("button", name="Mirror").click()
    wait_on_page(page, lambda: taken_weights(page)["mouthSmileLeft"] == 1, "a smile on the left")
    assert taken_weights(page)["mouthSmileRight"] == 0


def photograph(kind, folder):
    """A picture, as a file that one uploads."""
    from emo3d.face import render

    path = folder / "picture.png"
    if kind == "render":
        Image.fromarray(render([{"jawOpen": 0.9}])[0]).resize((640, 640)).convert("RGBA").save(path)
    elif kind == "no face":
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (300, 400, 3), np.uint8)).save(path)
    elif PHOTOGRAPHS.is_file():
        with zipfile.ZipFile(PHOTOGRAPHS) as archive:
            path = folder / "picture.jpeg"
            path.write_bytes(archive.read(archive.namelist()[0]))
    else:
        pytest.skip("the pictures of the release are not here")
    return path


@pytest.mark.parametrize("kind", ["render", "photograph"])
def test_a_picture_becomes_a_face_and_is_not_kept(page, read, kind, tmp_path, demo_folder):
    path = photograph(kind, tmp_path)
    reading = read(np.asarray(Image.open(path).convert("RGB")))
    open_tab(page, "Picture")
    before = wait_for_picture(page)
    page.locator("#make input[type=file]").set_input_files(path)
    shown = picture(page, other_than=before)
    page.get_by_text("raw: readings used as weights").wait_for()
    assert page.get_by_text("calibrated", exact=True).is_visible()
    assert np.corrcoef(read(shown), reading)[0, 1] > 0.7  # the head is read as the photograph was
    if kind == "render":
        assert read(shown)[JAW] > 0.5
    assert not [file for file in (demo_folder / "cache").rglob("*") if file.stem == path.stem]


def test_a_picture_without_a_face_is_answered_in_words(page, tmp_path):
    before = wait_for_picture(page)
    open_tab(page, "Picture")
    page.locator("#make input[type=file]").set_input_files(photograph("no face", tmp_path))
    page.get_by_text("No face was found in this picture").wait_for()
    assert wait_for_picture(page) == before


def test_a_blend_and_its_animation(page, read, validate):
    open_tab(page, "Blend")
    before = wait_for_picture(page)
    page.get_by_label("First feeling").fill("He is furious")
    page.get_by_label("Second feeling").fill("She is delighted")
    page.get_by_role("button", name="Show the blend").click()
    wait_for_picture(page, other_than=before)
    middle = taken_weights(page)
    press(page, "Mix", "Home")
    wait_on_page(page, lambda: taken_weights(page) != middle, "the first feeling")
    first = taken_weights(page)
    press(page, "Mix", "End")
    wait_on_page(page, lambda: taken_weights(page) not in (middle, first), "the other feeling")
    other = taken_weights(page)
    assert first["browDownLeft"] > 0.5 > other["browDownLeft"]
    assert first["mouthSmileLeft"] < 0.5 < other["mouthSmileLeft"]
    for name, weight in middle.items():
        assert weight == pytest.approx((first[name] + other[name]) / 2, abs=1e-5)

    page.get_by_role("button", name="Animate").click()
    page.get_by_alt_text("The face, moving").wait_for()
    path = take(page, "Animated GLB", within="#make")
    report = validate(path)
    assert report["issues"]["numErrors"] == report["issues"]["numWarnings"] == 0
    assert len(pygltflib.GLTF2().load(path).animations) == 1
    with Image.open(take(page, "GIF", within="#make")) as moving:
        assert moving.n_frames > 24
        assert read(np.asarray(moving.convert("RGB"))) is not None


def test_the_way_by_keyboard_alone(page):
    """From the description over the button and the tabs to a download, without a mouse."""
    before = wait_for_picture(page)
    page.get_by_label("Description").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("He is furious")
    tab_to(page, "Show the face")
    page.keyboard.press("Enter")
    before = wait_for_picture(page, other_than=before)
    tab_to(page, "Neutral", start=lambda: open_by_keyboard(page, "Adjust"))
    page.keyboard.press("Enter")
    wait_for_picture(page, other_than=before)
    tab_to(page, "ARKit JSON")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    (expression,) = json.loads(download.value.path().read_text())["expressions"]
    assert not any(expression.values())


def open_by_keyboard(page, name):
    page.get_by_role("tab", name=name).focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Neutral").wait_for()


def tab_to(page, name, start=lambda: None):
    """Press the tabulator until the button of this name has the focus."""
    start()
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.innerText").strip() == name:
            return
    pytest.fail(f"{name} is not to be reached by keyboard")
