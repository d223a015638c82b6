"""What visitors write, and what their files hold, is shown as text: no script runs, and no other server is asked."""

import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from serving import METRIC, serving

pytestmark = pytest.mark.browser

LINKS = "() => [...document.querySelectorAll('[href], [src], [action]')].filter(one => \
    /^ *javascript/i.test(one.getAttribute('href') ?? one.getAttribute('src') ?? one.getAttribute('action')))\
    .map(one => one.outerHTML)"


@pytest.fixture(scope="module")
def beacon():
    """A server that should not be asked for anything: its address, and the paths that it was asked for."""
    paths = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            paths.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", paths
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def texts(beacon):
    address, paths = beacon
    paths.clear()
    return [
        """<img src=x onerror="window.ran=1">""",
        "[x](javascript:window.ran=1)",
        f"![]({address}/beacon)",
        f"""<img src="{address}/beacon">""",
    ]


@pytest.fixture
def harmless(beacon):
    """A check of a page at the end of its visit."""

    def check(page):
        page.wait_for_timeout(1000)  # for a request that is under way
        assert page.evaluate("window.ran") is None
        assert page.evaluate(LINKS) == []
        assert beacon[1] == []

    return check


@pytest.fixture(scope="module")
def metric(tmp_path_factory):
    pytest.importorskip("gradio", reason="the page needs the extra [demo]")
    with serving(tmp_path_factory.mktemp("metric"), METRIC) as address:
        yield address


def test_many_descriptions(demo, visit, texts, harmless):
    from playwright.sync_api import expect

    page = visit(demo)
    page.get_by_text("Divergence").wait_for()
    page.get_by_role("tab", name="Many", exact=True).click()
    lines = page.get_by_label("Descriptions")
    expect(lines).to_have_value(re.compile("lottery"))  # which comes a moment after the tab, over what is typed before
    lines.fill("\n".join(texts))
    page.get_by_role("button", name="Show all faces").click()
    sheet = page.locator(".gallery-item:visible")
    sheet.nth(len(texts) - 1).wait_for()
    assert [caption.strip() for caption in sheet.all_inner_texts()] == texts
    sheet.first.click()
    harmless(page)


def test_a_description_a_link_and_the_name_of_a_model(demo, visit, texts, harmless):
    page = visit(demo)
    page.get_by_text("Divergence").wait_for()
    page.get_by_label("Description", exact=True).fill(" ".join(texts))
    page.get_by_role("button", name="Show the face").click()
    page.wait_for_function(
        "text => document.querySelector('#link textarea, #link input').value.includes(text)", arg="onerror"
    )
    page.get_by_role("tab", name="Compare", exact=True).click()
    page.get_by_role("button", name="Put it on the left").click()
    page.locator(".caption").first.wait_for()
    assert page.locator(".caption").first.inner_text() == f"{' '.join(texts)} (adult)"
    page.get_by_role("tab", name="Describe", exact=True).click()
    page.get_by_text("Generator", exact=True).click()
    for text in texts:
        model = page.get_by_label("Model", exact=True)
        model.fill(text)
        model.press("Enter")
        page.get_by_role("button", name="Show the face").click()
        said = page.locator(".toast-body").last
        said.get_by_text("Expected a generator").wait_for()
        harmless(page)
        said.get_by_role("button").first.click()
        said.wait_for(state="detached")


def upload(page, place, path):
    page.locator("input[type=file]").first.set_input_files(path)
    page.locator(".file-preview").nth(place).wait_for()


def test_files_that_are_scored(metric, visit, texts, harmless, tmp_path):
    page = visit(metric)
    rows = [
        {"description": texts[row % len(texts)], "intensities": [1.0] * 8, "blendshapes": [0.25] * 51}
        | dict.fromkeys(texts, "")
        for row in range(12)
    ]
    name = "![a](javascript:window.ran=1).jsonl"
    (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    upload(page, 0, tmp_path / name)
    page.get_by_label("My own file").check()
    upload(page, 1, tmp_path / name)
    page.get_by_text("More settings").click()
    page.get_by_label("Model name for the model card").fill(" ".join(texts))
    page.get_by_role("button", name="Score", exact=True).click()
    page.locator(".faces .said:visible").first.wait_for()
    said = page.locator(".faces .said:visible").all_inner_texts()
    assert set(said) == set(texts)
    harmless(page)


@pytest.mark.parametrize("place", range(4))
def test_files_that_are_refused(metric, visit, texts, harmless, tmp_path, place):
    """The message quotes the columns of references that have no description."""
    page = visit(metric)
    (tmp_path / "p.jsonl").write_text(json.dumps({"blendshapes": [0.25] * 51}) + "\n")
    (tmp_path / "r.jsonl").write_text(json.dumps({texts[place]: 1, "intensities": [1.0] * 8}) + "\n")
    upload(page, 0, tmp_path / "p.jsonl")
    page.get_by_label("My own file").check()
    upload(page, 1, tmp_path / "r.jsonl")
    page.get_by_role("button", name="Score", exact=True).click()
    page.locator(".toast-body").wait_for()
    assert texts[place] in page.locator(".toast-body").inner_text()
    harmless(page)
