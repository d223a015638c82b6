"""A visitor's own character in the demo, as a person uploads it and takes it home; files are read by pygltflib."""

import base64
import io
import json
import time
import zipfile
from pathlib import Path

import numpy as np
import pygltflib
import pytest
from PIL import Image
from pyarrow import parquet

from emo3d import BLENDSHAPES
from emo3d_lab.characters import Character
from hanging import wait_on_page
from own_characters import avatar, changed, hostile

gradio_client = pytest.importorskip("gradio_client", reason="the demo needs the extra [demo]")

PICTURE = 'img[alt="The face, seen from the front"]'
SECRET = "nobody may read this"
LONG = 10  # seconds in which every file is answered
HOSTILE = hostile()


@pytest.fixture(scope="module")
def granddad(tmp_path_factory):
    path = tmp_path_factory.mktemp("characters") / "granddad.glb"
    path.write_bytes(avatar())
    return path


@pytest.fixture(scope="module")
def renamed(tmp_path_factory):
    """The same head with names of no standard, and the map that says what they are, by the name that each had."""
    folder = tmp_path_factory.mktemp("renamed")

    def change(document):
        for mesh in document["meshes"]:
            mesh["extras"]["targetNames"] = [f"shape {place}" for place in range(52)]

    path, map = folder / "renamed.glb", folder / "map.json"
    path.write_bytes(changed(avatar(), change))
    names = pygltflib.GLTF2().load(_written(folder)).meshes[0].extras["targetNames"]
    units = {name[0].lower() + name[1:]: {f"shape {place}": 1.0} for place, name in enumerate(names)}
    map.write_text(json.dumps({"format": "emo3d-map-1", "character": None, "units": units}))
    return path, map


def _written(folder):
    path = folder / "named.glb"
    path.write_bytes(avatar())
    return path


def upload(page, path, place="own"):
    if not page.get_by_text("A head or a whole avatar").is_visible():
        page.get_by_role("button", name="Your character").click()
    page.locator(f"#{place} input[type=file]").set_input_files(path)


def source(page, other_than=""):
    loaded = """([selector, before]) => {
        const picture = document.querySelector(selector);
        return picture && picture.complete && picture.naturalWidth === 512 && picture.src !== before && picture.src;
    }"""
    return page.wait_for_function(loaded, arg=[PICTURE, other_than]).json_value()


def pixels(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)


def picture(page, other_than=""):
    return pixels(page.request.get(source(page, other_than)).body())


def take(page, label, within="#take"):
    button, downloads = page.locator(within).get_by_role("button", name=label, exact=True), []

    def keep(download):
        downloads.append(download)

    def clicked():
        button.click()  # one that comes before the button has its file downloads nothing
        page.wait_for_timeout(3000)
        return downloads

    page.on("download", keep)
    wait_on_page(page, clicked, f"a download of {label}")
    page.remove_listener("download", keep)
    path = downloads[0].path()
    return path.rename(path.with_suffix(path.suffix + "." + downloads[0].suggested_filename.rpartition(".")[2]))


def open_tab(page, name):
    page.get_by_role("tab", name=name, exact=True).click()


def weights_of(mesh):
    return dict(zip((name[0].lower() + name[1:] for name in mesh.extras["targetNames"]), mesh.weights, strict=True))


def drawn(path, weights, size=512):
    """What the renderer draws of a character's file and weights by name."""
    from emo3d.face import RenderSettings, render

    expression = [weights[name] for name in BLENDSHAPES]
    return render([expression], rig=Character.from_file(path).rig, settings=RenderSettings(size=size))[0].astype(int)


def with_character(visit, demo, path, width=1280, scheme="light"):
    page = visit(demo, width, scheme)
    before = source(page)
    upload(page, path)
    page.get_by_text("shows every face now").wait_for()
    source(page, other_than=before)
    return page


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_character_is_uploaded_moved_and_taken_home(visit, demo, granddad, width, scheme):
    page = with_character(visit, demo, granddad, width, scheme)
    before = source(page)
    page.get_by_label("Description").fill("He is furious")
    page.get_by_role("button", name="Show the face").click()
    shown = picture(page, other_than=before)

    glb = take(page, "GLB")
    document = pygltflib.GLTF2().load(glb)
    original = pygltflib.GLTF2().load(granddad)
    assert [node.name for node in document.nodes] == ["face", "hat stand", "teeth"]
    assert document.materials[0].extras == {"shader": "own"}
    assert document.meshes[0].extras == original.meshes[0].extras
    assert document.binary_blob() == original.binary_blob()
    weights = weights_of(document.meshes[0])
    assert weights_of(document.meshes[1]) == weights  # the teeth move with the head
    assert weights["browDownLeft"] > 0.5  # EMFACS 4, anger
    (expression,) = json.loads(take(page, "ARKit JSON").read_text())["expressions"]
    assert expression == pytest.approx({name: weights[name] for name in BLENDSHAPES}, abs=1e-4)
    png = pixels(take(page, "PNG").read_bytes())
    assert np.abs(png - drawn(granddad, weights)).mean() < 0.1
    assert np.abs(shown - png).mean() == 0

    canvas = page.locator("canvas")
    canvas.evaluate(
        """canvas => {
            document.body.append(canvas);
            canvas.style = "position: fixed; left: 0; top: 0; width: 320px; height: 320px; z-index: 1000";
        }"""
    )
    expected = drawn(granddad, weights, 320)
    wait_on_page(page, lambda: np.abs(pixels(canvas.screenshot()) - expected).mean() < 1, "the character in 3D")


@pytest.mark.browser
def test_sliders_move_the_character_until_one_goes_back(visit, demo, granddad):
    page = with_character(visit, demo, granddad)
    open_tab(page, "Adjust")
    before = source(page)
    page.get_by_role("button", name="Neutral").click()
    before = source(page, other_than=before)
    page.locator("#make").get_by_role("button", name="Jaw", exact=False).first.press("Enter")
    page.get_by_label("range slider for jawOpen", exact=True).press("End")
    source(page, other_than=before)

    def jaw():
        return weights_of(pygltflib.GLTF2().load(take(page, "GLB")).meshes[0])["jawOpen"]

    wait_on_page(page, lambda: jaw() == 1, "the open jaw in the whole file")
    assert not page.get_by_label("Identity").is_visible()
    before = source(page)
    page.get_by_role("button", name="Back to our heads").click()
    source(page, other_than=before)
    assert page.get_by_label("Identity").is_visible()
    ours = pygltflib.GLTF2().load(take(page, "GLB"))
    assert ours.asset.extras["identity"] in ("woman", "adult")
    assert weights_of(ours.meshes[0])["jawOpen"] == 1


@pytest.mark.browser
def test_every_tab_shows_the_character(visit, demo, granddad):
    page = with_character(visit, demo, granddad)

    open_tab(page, "Many")
    page.get_by_role("button", name="Show all faces").click()
    page.get_by_role("button", name="Parquet").wait_for()
    assert parquet.read_table(take(page, "Parquet", "#make"))["identity"].to_pylist() == ["granddad"] * 3
    with zipfile.ZipFile(take(page, "ZIP: pictures and JSON", "#make")) as archive:
        (name,) = [name for name in archive.namelist() if name.startswith("02-")]
        expressions = json.loads(archive.read("expressions.json"))["expressions"]
        seen = pixels(archive.read(name))
    assert np.abs(seen - drawn(granddad, expressions[1], 256)).mean() < 0.5

    open_tab(page, "Blend")
    before = source(page)
    page.get_by_role("button", name="Show the blend").click()
    source(page, other_than=before)
    page.get_by_role("button", name="Animate").click()
    page.get_by_alt_text("The face, moving").wait_for()
    document = pygltflib.GLTF2().load(take(page, "Animated GLB", "#make"))
    (animation,) = document.animations
    assert [node.name for node in document.nodes] == ["face", "hat stand", "teeth"]
    assert {(channel.target.node, channel.target.path) for channel in animation.channels} == {
        (0, "weights"),
        (2, "weights"),
    }

    open_tab(page, "Compare")
    page.get_by_role("button", name="Put it on the left").click()
    page.get_by_text("(granddad)").wait_for()

    open_tab(page, "Explore")
    before = page.locator(PICTURE).get_attribute("src")
    page.get_by_role("button", name="Open the face of row").first.click()
    source(page, other_than=before)
    assert len(pygltflib.GLTF2().load(take(page, "GLB")).nodes) == 3

    open_tab(page, "Score")
    page.get_by_role("button", name="Use faces of the quickstart generator").click()
    page.locator(".file-preview:visible").wait_for()
    page.get_by_role("button", name="Score", exact=True).click()
    page.get_by_text("The score is that of our head").wait_for()
    card = page.locator(".faces img").first
    shown = pixels(base64.b64decode(card.get_attribute("src").partition(",")[2]))
    row = int(card.get_attribute("alt").removeprefix("Face "))
    assert np.abs(shown - drawn(granddad, quickstart_weights(row), shown.shape[0])).mean() < 3  # a JPEG


def quickstart_weights(row):
    from emo3d import load_generator
    from emo3d.dataset import sample_folder

    texts = parquet.read_table(sample_folder() / "test.parquet", columns=["description"])["description"].to_pylist()
    return dict(zip(BLENDSHAPES, load_generator("quickstart").generate([texts[row]])[0], strict=True))


@pytest.mark.browser
def test_other_names_need_a_map(visit, demo, renamed):
    path, map = renamed
    page = visit(demo)
    before = source(page)
    upload(page, path)
    page.locator("#character").get_by_text("emo3d map renamed.glb --out map.json").wait_for()
    assert source(page) == before
    upload(page, map, place="own-map")
    page.get_by_text("shows every face now").wait_for()
    source(page, other_than=before)
    mesh = pygltflib.GLTF2().load(take(page, "GLB")).meshes[0]
    assert mesh.extras["targetNames"][0] == "shape 0"
    assert max(mesh.weights) > 0.5


@pytest.mark.browser
def test_what_a_character_lacks_is_said(visit, demo, tmp_path):
    def change(document):
        for mesh in document["meshes"]:
            names = mesh["extras"]["targetNames"]
            mesh["extras"]["targetNames"] = ["other" if name == "TongueOut" else name for name in names]
            mesh["extras"]["targetNames"] = [f"x{name}" if "Sneer" in name else name for name in names]

    path = tmp_path / "<i>lacking.glb"
    path.write_bytes(changed(avatar(), change))
    page = with_character(visit, demo, path)
    said = page.locator("#character").inner_text()
    assert "no shapes for 2 of the 51 blendshapes (noseSneerLeft, noseSneerRight)" in said
    assert "A link shows the expression on one of our heads" in said


@pytest.mark.browser
def test_the_page_goes_on_after_a_bad_file(visit, demo, granddad, tmp_path):
    page = with_character(visit, demo, granddad)
    before = source(page)
    path = tmp_path / "bad.glb"
    path.write_bytes(HOSTILE["cyclic"][0])
    page.get_by_role("button", name="Clear").first.click()
    source(page, other_than=before)  # our head again
    before = source(page)
    upload(page, path)
    page.locator("#character").get_by_text("Not shown. bad.glb: expected nodes in a tree").wait_for()
    assert source(page) == before
    page.get_by_role("button", name="Show the face").click()
    source(page, other_than=before)


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_character_is_answered_in_words(client, demo_folder, name, tmp_path):
    content, sentence = HOSTILE[name]
    (demo_folder / "cache").mkdir(exist_ok=True)
    (demo_folder / "cache" / "secret.csv").write_text(SECRET)
    path = tmp_path / "avatar.glb"
    path.write_bytes(content)
    begin, log = time.monotonic(), len((demo_folder / "log").read_text())
    with pytest.raises(gradio_client.exceptions.AppError) as refused:
        client.predict("{}", character=gradio_client.handle_file(str(path)), api_name="/render")
    assert time.monotonic() - begin < LONG
    assert sentence in str(refused.value)
    assert SECRET not in str(refused.value)
    assert str(demo_folder) not in str(refused.value)
    assert "Traceback" not in (demo_folder / "log").read_text()[log:]


def test_endpoints_take_a_character(client, granddad):
    sent = gradio_client.handle_file(str(granddad))
    for arguments in ({"description": "He is furious"}, {"blendshapes": '{"browDownLeft": 0.9}'}):
        endpoint = "/generate" if "description" in arguments else "/render"
        glb, picture, _, blendshapes = client.predict(**arguments, character=sent, api_name=endpoint)
        document = pygltflib.GLTF2().load(glb)
        assert [node.name for node in document.nodes] == ["face", "hat stand", "teeth"]
        weights = weights_of(document.meshes[1])
        assert {name: weights[name] for name in BLENDSHAPES} == pytest.approx(blendshapes, abs=1e-4)
        assert np.abs(pixels(Path(picture).read_bytes()) - drawn(granddad, weights)).mean() < 0.1


def test_whole_files_do_not_pile_up(tmp_path, granddad):
    from emo3d_lab.apps.characters import open_own

    own = open_own(str(granddad))
    folders = [tmp_path / str(number) for number in range(5)]
    for folder in folders:
        folder.mkdir()
        own.write(folder, "face", {"jawOpen": 0.5})
    assert [len(list(folder.iterdir())) for folder in folders] == [0, 0, 1, 1, 1]


def test_a_character_whose_file_is_gone_is_asked_for_again(tmp_path):
    import gradio as gr

    from emo3d_lab.apps import characters

    path = tmp_path / "gone.glb"
    path.write_bytes(avatar())
    own = characters.open_own(str(path))
    characters._open.cache_clear()
    path.unlink()
    with pytest.raises(gr.Error, match="upload your character again"):
        own.open()
