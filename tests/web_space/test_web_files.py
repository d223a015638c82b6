"""What goes into the page and what comes out of it: characters, pictures, films, texts to copy."""

import json
import re

import pytest
from PIL import Image, ImageChops

from emo3d.face.export import write_glb
from livelink import LIVELINK_HEADER
from web_pages import act, weights

pytestmark = pytest.mark.browser


def test_a_character_is_dropped_and_never_leaves_the_page(opened, tmp_path):
    page = opened()
    act(page, "She is overjoyed")
    write_glb(tmp_path / "mine.glb", [0] * 51, rig=None)
    asked = []
    page.on("request", lambda request: asked.append((request.method, request.url)))
    encoded = list((tmp_path / "mine.glb").read_bytes())
    page.evaluate(
        """bytes => { const files = new DataTransfer();
        files.items.add(new File([new Uint8Array(bytes)], "mine.glb"));
        for (const kind of ["dragover", "drop"])
          window.dispatchEvent(new DragEvent(kind, {dataTransfer: files, cancelable: true})); }""",
        encoded,
    )
    page.get_by_text("mine.glb acts now. It stayed in this browser.").wait_for()
    assert {method for method, _ in asked} <= {"GET"}
    page.get_by_role("button", name="Back to our head").click()
    page.wait_for_function("() => document.getElementById('ours').disabled")


def test_downloads(opened, validate, tmp_path):
    page = opened()
    act(page, "What on earth is that?!")
    files = {}
    for kind in ("PNG", "GIF", "GLB"):
        with page.expect_download() as download:
            page.get_by_role("button", name=kind, exact=True).click()
        assert download.value.suggested_filename == f"emo3d-what-on-earth-is-that.{kind.lower()}"
        files[kind] = tmp_path / download.value.suggested_filename
        download.value.save_as(files[kind])
    picture = Image.open(files["PNG"])
    assert picture.size == (1024, 1024)
    assert len(picture.convert("RGB").getcolors(1 << 24)) > 1000
    film = Image.open(files["GIF"])
    assert (film.n_frames > 8, film.size) == (True, (320, 320))
    rest = film.convert("RGB")
    film.seek(film.n_frames // 2)
    assert ImageChops.difference(rest, film.convert("RGB")).getbbox()
    report = validate(files["GLB"])
    assert report["issues"]["numErrors"] == 0, report["issues"]["messages"][:3]
    content = files["GLB"].read_bytes()
    document = json.loads(content[20 : 20 + int.from_bytes(content[12:16], "little")])
    (mesh,) = [mesh for mesh in document["meshes"] if mesh.get("weights")]
    carried = dict(zip(mesh["extras"]["targetNames"], mesh["weights"], strict=True))
    assert carried == pytest.approx(weights(page), abs=1e-3)


def test_a_first_visit_is_less_than_thirty_megabytes_even_unpacked(space):
    """Of all that the page keeps; the card is the Hub's."""
    files = [path for path in space.rglob("*") if path.is_file() and path.name != "README.md"]
    assert sum(path.stat().st_size for path in files) < 30_000_000


def test_copies(opened):
    page = opened()
    act(page, "She is overjoyed")
    expected = weights(page)
    copied = {}
    for name in ("Live Link CSV", "JavaScript", "Embed: iframe"):
        page.get_by_role("button", name=name).click()
        page.get_by_text(re.compile(f"{name.split()[-1]}: copied", re.IGNORECASE)).wait_for()
        copied[name] = page.evaluate("navigator.clipboard.readText()")
    header, row = copied["Live Link CSV"].splitlines()
    assert header == LIVELINK_HEADER
    values = {name[0].lower() + name[1:]: value for name, value in zip(header.split(","), row.split(","), strict=True)}
    assert {name: float(values[name]) for name in expected} == expected
    assert values["blendshapeCount"] == "61"
    mesh = "const mesh = {morphTargetDictionary: {mouthSmileLeft: 1, other: 0}, morphTargetInfluences: [0.5, 0.5]};"
    worn = page.evaluate(f"() => {{ {mesh} {copied['JavaScript']} return mesh.morphTargetInfluences; }}")
    assert worn == [0, expected["mouthSmileLeft"]]
    assert f'src="{page.url.split("#")[0]}?embed=#t=She+is+overjoyed"' in copied["Embed: iframe"]
