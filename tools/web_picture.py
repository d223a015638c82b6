"""Make docs/web.png: the static Space's page, as `node web_space/build.mjs` built it, in Debian's Chromium."""

import functools
import http.server
import io
import shutil
import threading
from pathlib import Path
from urllib.parse import urlencode

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
SENTENCE = "she is thrilled, and winks with her left eye"
FLAGS = "--no-sandbox --disable-gpu --use-angle=swiftshader --enable-unsafe-swiftshader".split()
COLOURS = 200


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing of what is asked for."""


def main() -> None:
    """Open the page with a sentence and write its picture, with few colours: it is to be small."""
    files = functools.partial(_Quiet, directory=str(ROOT / "web_space" / "dist"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), files)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 860}, reduced_motion="reduce")
        page.goto(f"http://127.0.0.1:{server.server_port}/#{urlencode({'t': SENTENCE})}")
        page.locator("body[data-ready]").wait_for()
        page.locator("#understood q").first.wait_for()
        page.wait_for_timeout(1000)  # drawn
        picture = Image.open(io.BytesIO(page.screenshot()))
        browser.close()
    server.shutdown()
    few = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    few.save(ROOT / "docs" / "web.png", optimize=True)


if __name__ == "__main__":
    main()
