"""The page's service worker: without a network, and from one version to the next."""

import hashlib
import shutil
import time
from urllib.parse import urlsplit

import pytest

from static_space import serving_space
from web_pages import act, weights

pytestmark = pytest.mark.browser

KEPT = """async () => {
  const cache = await caches.open("emo3d-web");
  return (await cache.keys()).map(request => request.url);
}"""
WAIT = 60_000  # milliseconds


@pytest.fixture
def page(chromium):
    """A page of a browser that was never here before."""
    context = chromium.new_context()
    context.set_default_timeout(WAIT)
    yield context.new_page()
    context.close()


def kept_files(page, address, number):
    """Path -> hash of what the service worker keeps, once it is as many files as there are."""
    end = time.monotonic() + WAIT / 1000
    while len(urls := page.evaluate(KEPT)) != number and time.monotonic() < end:
        page.wait_for_timeout(100)
    kept = {}
    for url in urls:
        parts = urlsplit(url)
        assert url.startswith(address)  # and so of no other host
        kept[parts.path.lstrip("/")] = parts.query.removeprefix("sha256=")
    return kept


def hashes(space):
    files = {path.relative_to(space).as_posix(): path for path in space.rglob("*") if path.is_file()}
    left_out = {"README.md", "sw.js"}  # the card is not the page's; the browser itself keeps the worker
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items() if name not in left_out}


def test_without_a_network_after_the_first_visit(space, page):
    with serving_space(space) as address:
        page.goto(address)
        page.locator("body[data-ready]").wait_for()
        page.get_by_text("This page now works without a network, too.").wait_for()
        assert kept_files(page, address, len(hashes(space))) == hashes(space)
        act(page, "She is overjoyed")
        happy = weights(page)
    page.context.set_offline(True)  # and the server is gone, too
    page.reload()
    page.locator("body[data-ready]").wait_for()
    page.wait_for_function("() => document.querySelector('#understood q')")
    assert weights(page) == happy
    act(page, "He is in deep despair")
    with page.expect_download() as download:
        page.get_by_role("button", name="GIF", exact=True).click()
    assert download.value.path().read_bytes()[:6] == b"GIF89a"


def test_a_first_visit_without_the_model(space, page, tmp_path):
    """What is missing is a sentence, with a button to try again; the head is there."""
    folder = tmp_path / "space"
    shutil.copytree(space, folder)
    model = (folder / "model" / "model.onnx").rename(tmp_path / "model.onnx")
    with serving_space(folder) as address:
        page.goto(address)
        page.locator("body[data-head]").wait_for()
        page.get_by_text("The text model did not load").wait_for()
        assert page.locator("#progress").is_hidden()
        model.rename(folder / "model" / "model.onnx")
        page.get_by_role("button", name="Try again").click()
        page.locator("body[data-ready]").wait_for()
        act(page, "She is overjoyed")


def test_a_new_version_takes_over_when_it_is_asked_to(space, page, tmp_path):
    folder = tmp_path / "space"
    shutil.copytree(space, folder)
    with serving_space(folder) as address:
        page.goto(address)
        page.locator("body[data-ready]").wait_for()
        page.get_by_text("This page now works without a network, too.").wait_for()
        before = hashes(folder)
        kept_files(page, address, len(before))
        style, worker = folder / "style.css", folder / "sw.js"
        old = hashlib.sha256(style.read_bytes()).hexdigest()
        style.write_text(style.read_text() + "\nh1 { letter-spacing: 3px; }\n")
        text = worker.read_text()
        assert text.count(old) == 1
        worker.write_text(text.replace(old, hashlib.sha256(style.read_bytes()).hexdigest()))

        asked = []
        page.context.on("request", lambda request: asked.append(urlsplit(request.url).path))
        page.reload()
        page.locator("body[data-ready]").wait_for()
        spacing = "() => getComputedStyle(document.querySelector('h1')).letterSpacing"
        assert page.evaluate(spacing) != "3px"  # still the old one, whole
        page.get_by_text("There is a new version of this page.").wait_for()
        with page.expect_navigation():
            page.get_by_role("button", name="Load it").click()
        page.locator("body[data-ready]").wait_for()
        assert page.evaluate(spacing) == "3px"
        assert kept_files(page, address, len(before)).items() <= hashes(folder).items()


def test_a_mixture_of_two_versions_is_never_kept(space, page, tmp_path):
    """A file that is not what the worker was built with, as while a new version is being put up."""
    folder = tmp_path / "space"
    shutil.copytree(space, folder)
    (folder / "style.css").write_text("h1 { letter-spacing: 3px; }")
    with serving_space(folder) as address:
        page.goto(address)
        page.locator("body[data-ready]").wait_for()
        assert page.evaluate("() => navigator.serviceWorker.controller") is None
        kept = page.evaluate(KEPT)
        assert [url for url in kept if "style.css" in url] == []
        act(page, "She is overjoyed")
