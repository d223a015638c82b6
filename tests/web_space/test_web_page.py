"""The static Space as people use it: in Chromium, on a phone and a desk, by mouse and by keyboard."""

import re

import pytest
import yaml

from contrast import assert_readable
from hanging import HANGS, wait_on_page
from web_pages import ROOT, act, weights

pytestmark = pytest.mark.browser

SCROLLED = ".bar, #examples"  # on a phone, sideways

# Whether the face that is drawn changes within so many seconds.
CHANGES = """async seconds => {
    const face = document.getElementById("face").shadowRoot.querySelector("canvas");
    const copy = new OffscreenCanvas(256, 256).getContext("2d", {willReadFrequently: true});
    copy.globalCompositeOperation = "copy";
    const look = () => { copy.drawImage(face, 0, 0, 256, 256); return copy.getImageData(0, 0, 256, 256).data; };
    const before = look(), end = performance.now() + 1000 * seconds;
    while (performance.now() < end) {
        await new Promise(requestAnimationFrame);
        if (look().some((value, place) => value !== before[place])) return true;
    }
    return false;
}"""


def test_card():
    card = (ROOT / "web_space" / "README.md").read_text("utf-8")
    header = yaml.safe_load(card.split("---\n")[1])
    assert header["sdk"] == "static"
    assert (ROOT / "web_space" / header["app_file"]).is_file()
    assert len(header["short_description"]) <= 60  # the Hub's limit
    # What crossOriginIsolated needs: https://web.dev/articles/coop-coep
    headers = header["custom_headers"]
    assert headers["cross-origin-embedder-policy"] == "require-corp"
    assert headers["cross-origin-opener-policy"] == "same-origin"


def test_policy_of_the_page():
    page = (ROOT / "web_space" / "index.html").read_text("utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy"\s+content="([^"]+)"', page)[1]
    parts = {name: sources.split() for name, _, sources in (part.strip().partition(" ") for part in policy.split(";"))}
    assert parts["default-src"] == ["'none'"]
    assert parts["script-src"] == ["'self'", "'wasm-unsafe-eval'"]  # WebAssembly, but no eval of scripts
    sources = {source for listed in parts.values() for source in listed}
    assert sources <= {"'self'", "'none'", "'wasm-unsafe-eval'", "blob:", "data:"}
    assert re.findall(r'(?:src|href)="(?:https?:)?//(?!arxiv)', page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_a_text_is_acted(opened, width, scheme):
    page = opened(width=width, scheme=scheme)
    assert page.evaluate("crossOriginIsolated")
    act(page, "She is overjoyed")
    happy = weights(page)
    assert len(happy) == 52
    assert happy["mouthSmileLeft"] > 0.3
    act(page, "He is in deep despair")
    assert weights(page)["mouthSmileLeft"] < 0.1
    assert "He is in deep despair" in page.locator("#understood").inner_text()
    label = page.locator("#face").get_attribute("label")
    assert label.startswith("A face: He is in deep despair.")
    assert_readable(page, SCROLLED)


def test_instructions_are_understood(opened):
    page = opened()
    act(page, "she is thrilled, and winks with her left eye")
    assert "Done: winks with her left eye (eye blink left 1.00)" in page.locator("#understood").inner_text()
    assert weights(page)["eyeBlinkLeft"] == 1


def test_the_face_moves_and_blinks_unless_motion_is_not_wanted(opened):
    page = opened(width=390, motion="no-preference")
    act(page, "She is overjoyed")
    wait_on_page(page, lambda: not page.evaluate(CHANGES, 1), "an expression that has come")
    assert page.evaluate(CHANGES, HANGS)  # a blink
    page.emulate_media(reduced_motion="reduce")
    page.wait_for_timeout(1000)
    assert not page.evaluate(CHANGES, 6)
    still = page.locator("#face").screenshot()
    act(page, "He is in deep despair")
    assert page.locator("#face").screenshot() != still


def test_by_keyboard_alone(opened):
    page = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Go to the text field"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    if page.evaluate("document.activeElement.id") != "text":  # where the link only moves the start of Tab
        page.locator("#text").focus()
    page.keyboard.type("utterly furious")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.body.dataset.shown === 't=utterly+furious'")
    furious, seen = weights(page), {}
    page.locator("#text").focus()
    for _ in range(120):
        page.keyboard.press("Tab")
        focus = page.evaluate(
            """() => { const one = document.activeElement, style = getComputedStyle(one);
            if (one.closest("summary")) one.parentElement.open = true;
            const name = one.id || one.name || one.textContent.trim();
            return [name, style.outlineStyle, parseFloat(style.outlineWidth)]; }"""
        )
        seen[focus[0]] = focus[1:]
        if focus[0] == "strength":
            page.keyboard.press("ArrowLeft")
        if focus[0] == "weight-jawOpen":
            page.keyboard.press("Home")
            page.keyboard.press("ArrowRight")
        if focus[0] == "choose":
            break
    assert {"strength", "weight-browDownLeft", "weight-tongueOut", "both", "JSON", "choose"} <= set(seen)
    assert {name: outline for name, outline in seen.items() if outline[0] == "none" or outline[1] < 2} == {}
    page.wait_for_function("() => document.body.dataset.shown === 't=utterly+furious&s=0.95&w=jawOpen:0.01'")
    for _ in range(3):  # strength, and the jaw in one or two steps
        if page.evaluate("document.body.dataset.shown") != "t=utterly+furious":
            page.keyboard.press("Control+z")
            page.wait_for_timeout(500)
    page.wait_for_function("() => document.body.dataset.shown === 't=utterly+furious'")
    assert weights(page) == furious


def test_all_that_is_used_has_a_name(opened):
    page = opened()
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, textarea, summary, progress, meter, a")].filter(one =>
        one.checkVisibility() && !(one.textContent.trim() || one.getAttribute("aria-label") || one.labels?.length))
        .map(one => one.outerHTML)"""
    )
    assert nameless == []
    assert page.locator("[role=status], [role=alert]").count() >= 3


def test_a_link_reopens_the_face(opened, chromium, address):
    page = opened()
    act(page, "frightened, but trying to smile — 100% & “brave”")
    page.locator("#strength").fill("0.7")
    page.evaluate("document.getElementById('hand').open = true")
    page.get_by_label("left and right together").uncheck()
    page.locator("#weight-browInnerUp").fill("0.83")
    page.locator("#weight-eyeBlinkLeft").fill("0.5")
    page.wait_for_function("() => document.body.dataset.shown.includes('eyeBlinkLeft:0.5')")
    expected = weights(page)
    assert (expected["browInnerUp"], expected["eyeBlinkLeft"]) == (0.83, 0.5)
    page.get_by_role("button", name="Copy link").click()
    page.get_by_text("The link to this face: copied.").wait_for()
    link = page.evaluate("navigator.clipboard.readText()")
    context = chromium.new_context()
    try:
        other = context.new_page()
        other.goto(link)
        other.locator("body[data-ready]").wait_for()
        other.wait_for_function("() => document.body.dataset.shown?.includes('eyeBlinkLeft')")
        other.wait_for_function("() => document.querySelector('#understood q')")
        assert weights(other) == expected
        assert (
            other.get_by_label("What does the character feel or do?").input_value().startswith("frightened, but trying")
        )
    finally:
        context.close()


def test_a_dialogue_is_played_and_gives_the_face_back(opened):
    page = opened()
    act(page, "He is in deep despair")
    label, before = page.locator("#face").get_attribute("label"), weights(page)
    page.get_by_text("Dialogue: lines one after the other").click()
    lines = page.get_by_label("One line of the character each")
    lines.fill("Hello! <act>beams with joy</act>\n\n<act>is heartbroken</act> Bye.")
    page.evaluate(
        """() => { window.seen = [];
        setInterval(() => { const face = document.getElementById("face"), caption = document.getElementById("caption");
        seen.push([caption.textContent, face.getAttribute("label"), face.weights]); }, 50); }"""
    )
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Stop").wait_for()
    page.get_by_role("button", name="Play").wait_for()  # it has ended
    seen = page.evaluate("seen")
    captions = [caption for caption, _, _ in seen]
    assert list(dict.fromkeys(captions)) == ["He is in deep despair", "Hello!", "Bye."]
    assert max(worn["mouthSmileLeft"] for caption, _, worn in seen if caption == "Hello!") > 0.3
    assert max(worn["mouthFrownLeft"] for caption, _, worn in seen if caption == "Bye.") > 0.3
    assert any("beams with joy" in words for _, words, _ in seen)
    assert page.locator("#caption").inner_text() == "He is in deep despair"
    assert page.locator("#face").get_attribute("label") == label
    assert page.evaluate("document.getElementById('face').weights") == pytest.approx(before, abs=1e-3)
    page.get_by_role("button", name="Play").click()
    page.get_by_text("Line 1 of 2.").wait_for()
    act(page, "She is overjoyed")  # whoever types has the face
    assert page.get_by_role("button", name="Play").is_visible()
    assert page.locator("#line").inner_text() == ""
    lines.fill(" \n")
    page.get_by_role("button", name="Play").click()
    page.get_by_text("Expected at least one line, got none.").wait_for()


def test_emoji_are_words(opened):
    page = opened()
    act(page, "😉")
    assert weights(page)["eyeBlinkLeft"] == 1
    assert "read 😉 as 'winking face'" in page.locator("#understood").inner_text()


def test_at_two_hundred_percent_the_face_does_not_cover_the_field(opened):
    """1280 by 900 pixels at 200 %: half as many of the page."""
    page = opened(width=640)
    page.set_viewport_size({"width": 640, "height": 450})
    for name in ("text", "strength", "choose"):
        page.locator(f"#{name}").focus()
        page.locator(f"#{name}").scroll_into_view_if_needed()
        covered = page.evaluate(
            """name => { const one = document.getElementById(name), box = one.getBoundingClientRect();
            return document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2) !== one; }""",
            name,
        )
        assert not covered, name


def test_the_embedded_face(opened):
    page = opened("?embed=#t=She+is+overjoyed", width=390)
    assert page.locator("#face").is_visible()
    assert page.locator("#text").is_hidden()
    page.wait_for_function("() => document.body.dataset.shown === 't=She+is+overjoyed'")
    assert_readable(page)


def test_undo_and_redo(opened):
    page = opened()
    act(page, "She is overjoyed")
    happy = weights(page)
    page.get_by_role("button", name="utterly revolted by the smell").click()
    page.wait_for_function("() => document.body.dataset.shown.startsWith('t=utterly')")
    page.get_by_role("button", name="Undo").click()
    page.wait_for_function("() => document.body.dataset.shown === 't=She+is+overjoyed'")
    assert weights(page) == happy
    page.get_by_role("button", name="Redo").click()
    page.wait_for_function("() => document.body.dataset.shown.startsWith('t=utterly')")
    assert page.get_by_label("What does the character feel or do?").input_value() == "utterly revolted by the smell"
