import io
import json
import os
import re
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

gradio_client = pytest.importorskip("gradio_client", reason="the demo needs the extra [demo]")

APP = Path(__file__).parent.parent / "demo_space" / "app.py"
STARTED_WITHIN = 120  # seconds
SHOWN_WITHIN = 60_000  # milliseconds


@contextmanager
def serving(folder, **environment):
    """The app as a user starts it, on a free port; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment |= {**os.environ, "GRADIO_SERVER_PORT": str(port), "GRADIO_TEMP_DIR": str(folder / "cache")}
    with open(folder / "log", "w") as log:
        server = subprocess.Popen([sys.executable, str(APP)], env=environment, cwd=folder, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + STARTED_WITHIN
        while not _answers(address):
            if server.poll() is not None or time.monotonic() > until:
                pytest.fail(f"the demo did not start:\n{(folder / 'log').read_text()[-3000:]}")
            time.sleep(0.5)
        yield address
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(10)


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("demo")) as address:
        yield address


def _answers(address):
    try:
        return urllib.request.urlopen(address, timeout=5).status == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def client(url, tmp_path_factory):
    return gradio_client.Client(url, download_files=tmp_path_factory.mktemp("downloads"), verbose=False)


def generate(client, description, identity="adult", strength=1.0):
    return client.predict(description, identity=identity, strength=strength, api_name="/generate")


def confidences(label):
    return {entry["label"]: entry["confidence"] for entry in label["confidences"]}


def glb_document(path):
    data = Path(path).read_bytes()
    magic, version, length, size = struct.unpack_from("<4sIII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    return json.loads(data[20 : 20 + size])


def test_endpoint_gives_face_picture_emotions_and_blendshapes(client):
    description = "She just won the lottery <b>& more</b>"
    glb, picture, emotions, blendshapes = generate(client, description, identity="woman")

    document = glb_document(glb)
    assert document["asset"]["extras"]["description"] == description
    assert document["asset"]["extras"]["identity"] == "woman"
    pixels = np.asarray(Image.open(picture))
    assert pixels.shape == (512, 512, 3)
    assert pixels.std() > 20

    read = confidences(emotions)
    assert len(read) == 8
    assert sum(read.values()) == pytest.approx(1, abs=1e-3)
    assert max(read, key=read.get) == "happiness"

    leading = confidences(blendshapes)
    mesh = document["meshes"][0]
    written = dict(zip(mesh["extras"]["targetNames"], mesh["weights"], strict=True))
    assert len(leading) == 8
    assert leading == pytest.approx({name: written[name] for name in leading}, abs=1e-5)
    assert min(leading.values()) >= max(weight for name, weight in written.items() if name not in leading)
    assert {"mouthSmileLeft", "mouthSmileRight"} <= set(leading)


def test_strength_scales_and_keeps_the_range(client):
    weak, plain, strong = (
        np.array(glb_document(generate(client, "He is furious", strength=strength)[0])["meshes"][0]["weights"])
        for strength in (0.0, 1.0, 1.5)
    )
    assert not weak.any()
    assert (strong >= plain - 1e-6).all()
    assert strong.max() <= 1
    np.testing.assert_allclose(strong, 1 - (1 - plain) ** 1.5, atol=1e-5)


def test_every_request_has_files_of_its_own(url):
    client = gradio_client.Client(url, download_files=False, verbose=False)
    paths = [generate(client, "He is furious")[part]["path"] for _ in range(2) for part in (0, 1)]
    assert len(set(paths)) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"description": "  \n"}, "Please describe a feeling first"),
        ({"description": "joy " * 1000}, "at most 2,000 characters"),
        ({"description": "joy", "identity": "../../etc"}, "not in the list of choices"),
        ({"description": "joy", "strength": 3.0}, "greater than maximum"),
    ],
)
def test_bad_requests_are_answered_in_words(client, arguments, message):
    with pytest.raises(gradio_client.exceptions.AppError, match=message):
        generate(client, **arguments)


def test_card_and_requirements_name_what_the_app_needs():
    card = (APP.parent / "README.md").read_text()
    fields = dict(re.findall(r"^(\w+): (.+)$", card.split("---")[1], re.MULTILINE))
    assert fields["sdk"] == "gradio"
    assert (APP.parent / fields["app_file"]).is_file()
    assert len(fields["short_description"]) <= 60  # the Hub's limit
    assert (APP.parent / "requirements.txt").read_text().split() == ["emo3d[demo]"]


def picture_source(page):
    """The address of the picture once it is loaded, else an empty string."""
    return page.evaluate("""() => {
        const picture = document.querySelector('img[alt^="The generated face"]');
        return picture && picture.complete && picture.naturalWidth === 512 ? picture.src : "";
    }""")


def wait_for_face(page, other_than=""):
    until = time.monotonic() + SHOWN_WITHIN / 1000
    while (source := picture_source(page)) in ("", other_than):
        assert time.monotonic() < until, "no picture was shown"
        page.wait_for_timeout(200)
    return source


def pixels_of(element):
    return np.asarray(Image.open(io.BytesIO(element.screenshot())).convert("RGB"))


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_a_person_types_and_sees_a_face(url, chromium, width, tmp_path):
    context = chromium.new_context(viewport={"width": width, "height": 900}, accept_downloads=True)
    context.set_default_timeout(SHOWN_WITHIN)
    page = context.new_page()
    hosts, failures = set(), []
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]) if request.url.startswith("http") else None)
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.goto(url)
    first = wait_for_face(page)

    text = "utterly revolted <img src=x onerror='window.ran = true'>"
    page.get_by_label("Description").fill(text)
    page.get_by_role("button", name="Show the face").click()
    second = wait_for_face(page, other_than=first)
    assert page.get_by_label("Description").input_value() == text
    assert page.evaluate("window.ran") is None  # what one types is text

    bars = page.locator("body").inner_text()
    assert {"happiness", "disgust", "contempt"} <= set(bars.split())
    assert re.search(r"(noseSneer|browDown|mouthUpperUp)(Left|Right)", bars)

    canvas = page.locator("canvas")
    until = time.monotonic() + SHOWN_WITHIN / 1000
    while pixels_of(canvas).std() < 15:  # nothing but background
        assert time.monotonic() < until, "the 3D view stayed empty"
        page.wait_for_timeout(500)
    assert page.evaluate("document.documentElement.scrollWidth") <= width

    with page.expect_download() as download:
        page.get_by_role("button", name="Take the GLB").click()
    assert glb_document(download.value.path())["asset"]["extras"]["description"] == text

    page.get_by_role("button", name="An elderly man in deep despair").click()
    wait_for_face(page, other_than=second)
    assert page.get_by_label("Description").input_value() == "An elderly man in deep despair"

    page.screenshot(path=tmp_path / f"demo-{width}.png", full_page=True)
    assert hosts == {url.removeprefix("http://")}
    assert failures == []
    context.close()


@pytest.mark.browser
def test_an_empty_description_is_answered_in_words(url, chromium):
    page = chromium.new_page()
    page.goto(url)
    wait_for_face(page)
    page.get_by_label("Description").fill("")
    page.get_by_role("button", name="Show the face").click()
    page.get_by_text("Please describe a feeling first").wait_for(timeout=SHOWN_WITHIN)
    page.close()


@pytest.mark.browser
def test_readings_of_a_generator_are_calibrated_and_the_page_says_so(chromium, tmp_path):
    """A generator as if it were trained on the release: its numbers are readings. The calibration has its own tests."""
    from emo3d.face.calibration import load_calibration
    from emo3d.generation import ExpressionModel
    from emo3d.generation.load import QUICKSTART_FOLDER

    generator = ExpressionModel.from_pretrained(QUICKSTART_FOLDER, space="reading").eval()
    generator.save_pretrained(tmp_path / "generator")
    (reading,) = generator.generate(["He is furious"])
    expected = load_calibration().to_weights(reading)[0]
    assert np.abs(expected - reading).max() > 0.1

    with serving(tmp_path, EMO3D_GENERATOR=str(tmp_path / "generator")) as address:
        client = gradio_client.Client(address, download_files=tmp_path, verbose=False)
        written = glb_document(generate(client, "He is furious")[0])["meshes"][0]["weights"]
        np.testing.assert_allclose(written[:51], expected, atol=1e-4)
        page = chromium.new_page()
        page.goto(address)
        wait_for_face(page)
        text = page.locator("body").inner_text()
        assert "readings, what MediaPipe says of a face" in text
        assert load_calibration().name in text
        page.screenshot(path=tmp_path / "demo-readings.png", full_page=True)
        page.close()
