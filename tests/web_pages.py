"""The static Space of this working tree, built once for all tests, and its pages."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from hanging import HANGS

ROOT = Path(__file__).resolve().parents[1]
MOST = 1000  # milliseconds for which a page may not answer
NEEDED = ("web/node_modules", "web/.model/face.json", "web/.model/head.glb")


def build_space(folder):
    """Build the Space into a folder; a skip with the reason where it cannot be built here."""
    lacking = [name for name in NEEDED if not (ROOT / name).exists()] + ([] if shutil.which("node") else ["node"])
    if lacking:
        pytest.skip(f"the static Space needs {' and '.join(lacking)}: `make web/node_modules web/.model`")
    command = ["node", ROOT / "web_space" / "build.mjs", folder]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


# What a page does that its policy forbids, and how long its thread was not to be had.
WATCH = """
window.violations = []; window.longest = 0;
document.addEventListener("securitypolicyviolation", event =>
  violations.push(`${event.violatedDirective} ${event.blockedURI}`));
let beat = performance.now();
setInterval(() => { const now = performance.now(); longest = Math.max(longest, now - beat); beat = now; }, 20);
"""


def weights(page):
    """The 52 weights that a page shows, as its sliders and its JSON have them."""
    page.evaluate("document.getElementById('copying').open = true")
    page.get_by_role("button", name="JSON", exact=True).click()
    page.wait_for_function("() => document.getElementById('copied').value.startsWith('{')")
    return json.loads(page.locator("#copied").input_value())


def act(page, text):
    """Type a text and wait until the face has it."""
    field = page.get_by_label("What does the character feel or do?")
    field.fill(text)
    field.press("Enter")
    page.wait_for_function("text => new URLSearchParams(document.body.dataset.shown).get('t') === text", arg=text)


def sentence(page):
    """What the page says is wrong."""
    page.wait_for_function("() => !document.getElementById('problem').hidden")
    return page.locator("#problem").inner_text()


def longest_pause(page, do):
    """Milliseconds for which the page did not answer while something was done; the least of three, as tests share
    processors: what hangs does so each time."""
    pauses = []
    while len(pauses) < 3 and min(pauses, default=MOST) >= MOST:
        page.evaluate("longest = 0")
        do()
        pauses.append(page.evaluate("longest"))
    return min(pauses)
