"""First visits of the static Space in Chromium: seconds until its head is there, and until texts are understood.

    python benchmarks/page.py [VISITS]

Each visit is a new browser with an empty cache and no GPU, from a local server that sends no headers for threads. The
folder is `web_space/dist`, which `node web_space/build.mjs` writes. The load of the machine is printed beside: the two
figures mean little on a busy one.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

FOLDER = Path(__file__).parents[1] / "web_space" / "dist"
FLAGS = ["--no-sandbox", "--disable-gpu", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
PORT = 8765


def visit(address: str) -> tuple[float, float]:
    """Seconds until the head and the model are there."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page()
        page.goto(address)
        page.locator("body[data-ready]").wait_for(timeout=120_000)
        head, ready = page.evaluate("[document.body.dataset.head, document.body.dataset.ready].map(Number)")
        browser.close()
    return head / 1000, ready / 1000


def main() -> None:
    """Print a row for each visit."""
    if not (FOLDER / "index.html").is_file():
        sys.exit(f"expected the page in {FOLDER}: node web_space/build.mjs")
    command = [sys.executable, "-m", "http.server", str(PORT), "--bind", "127.0.0.1", "--directory", str(FOLDER)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        print("visit   head s   texts s   load")
        for number in range(int(sys.argv[1]) if len(sys.argv) > 1 else 5):
            head, ready = visit(f"http://127.0.0.1:{PORT}/")
            print(f"{number + 1:>5} {head:>8.2f} {ready:>9.2f} {os.getloadavg()[0]:>6.1f}", flush=True)
    finally:
        server.kill()


if __name__ == "__main__":
    main()
