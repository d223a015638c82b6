"""What wants to break the page: addresses, pasted texts, files."""

import json

import pytest

from emo3d.face.export import write_glb
from web_pages import MOST, act, longest_pause, sentence, weights

pytestmark = pytest.mark.browser


def hostile(folder):
    """Files that are no characters, or more than a page can take."""
    good = folder / "good.glb"
    write_glb(good, [0] * 51)
    content = good.read_bytes()
    length = int.from_bytes(content[12:16], "little")
    document = json.loads(content[20 : 20 + length])

    def packed(document):
        text = json.dumps(document).encode()
        text += b" " * (-len(text) % 4)
        rest = content[20 + length :]
        sizes = [0x46546C67, 2, 20 + len(text) + len(rest), len(text), 0x4E4F534A]
        return b"".join(size.to_bytes(4, "little") for size in sizes) + text + rest

    nested = {"asset": {"version": "2.0"}, "extras": None}
    for _ in range(900):
        nested = {"asset": {"version": "2.0"}, "extras": nested}
    huge = json.loads(json.dumps(document))
    huge["accessors"][0]["count"] = 2_000_000_000
    outside = json.loads(json.dumps(document))
    outside["buffers"][0]["uri"] = "https://example.org/steal.bin"
    return {
        "truncated.glb": content[:100_000],
        "text.glb": b"hello",
        "empty.vrm": b"",
        "nested.glb": packed(nested),
        "huge.glb": packed(huge),
        "outside.glb": packed(outside),
        "zeros.glb": b"glTF" + bytes(30_000_000),
    }


DAMAGED = (
    ("#s=2", 'expected a strength in 0..1.5, got "2"'),
    ("#s=1e99", 'expected a strength in 0..1.5, got "1e99"'),
    ("#s=-1", "expected a strength in 0..1.5"),
    ("#s=1&s=0", 'expected "s" once'),
    ("#w=jawOpen:1.5", "expected weights in 0..1"),
    ("#w=jawOpen:NaN", "expected weights in 0..1"),
    ("#w=__proto__:1", "expected weights in 0..1"),
    ("#w=constructor:1", "expected names of ARKit's 52 blendshapes"),
    ("#w=jawOpen:1,jawOpen:0", "got jawOpen twice"),
    ("#t=" + "a" * 2001, "Expected at most 2,000 characters, got 2,001"),
    ("#t=" + "a" * 1_000_000, "expected at most 24,000 characters, got 1,000,003"),
    ("#w=" + "jawOpen:1," * 2000, "expected weights in 0..1"),
)


def test_damaged_links(opened):
    """Each is a sentence, as the page is opened and as an address is pasted into it; the face stays."""
    first, expected = DAMAGED[0]
    page = opened(first)
    assert expected in sentence(page)
    act(page, "She is overjoyed")
    assert page.locator("#problem").is_hidden()
    before = weights(page)
    for fragment, expected in DAMAGED:

        def paste(fragment=fragment, expected=expected):
            page.evaluate("document.getElementById('problem').hidden = true")
            page.evaluate("fragment => { location.hash = fragment; }", fragment)
            assert expected in sentence(page)

        assert longest_pause(page, paste) < MOST
        assert weights(page) == before


def test_a_link_cannot_bring_markup_or_scripts(opened):
    text = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'&#60;"
    page = opened("#t=" + "".join(f"%{byte:02x}" for byte in text.encode()))
    page.wait_for_function("() => document.querySelector('#understood li:not(.faint)')")
    assert page.locator("#caption").inner_text() == text
    assert page.locator("main img, main script").count() == 0
    for name in ("Embed: iframe", "Embed: element"):
        page.evaluate("document.getElementById('copying').open = true")
        page.get_by_role("button", name=name).click()
        markup = page.locator("#copied").input_value()
        parsed = page.evaluate(
            """markup => { const tree = new DOMParser().parseFromString(markup, "text/html");
            const one = tree.querySelector("iframe, emo3d-face");
            return [tree.querySelectorAll("img").length, one.getAttribute("title") ?? one.getAttribute("text")]; }""",
            markup,
        )
        assert parsed == [0, text]


def test_ten_megabytes_are_pasted(opened):
    page = opened()
    act(page, "She is overjoyed")
    before = weights(page)
    page.evaluate("navigator.clipboard.writeText('very '.repeat(2e6))")

    def paste():
        page.evaluate("document.getElementById('problem').hidden = true")
        page.locator("#text").press("Control+v")
        page.get_by_text("Expected at most 2,000 characters, got 10,000,000").wait_for()

    assert longest_pause(page, paste) < MOST
    assert page.locator("#text").input_value() == "She is overjoyed"
    page.evaluate("navigator.clipboard.writeText('very '.repeat(1000))")
    page.locator("#text").press("Control+v")
    page.get_by_text("Expected at most 2,000 characters, got 5,016: please shorten the text.").wait_for()
    assert weights(page) == before


def test_hostile_characters(opened, tmp_path):
    page = opened()
    act(page, "She is overjoyed")
    page.wait_for_timeout(500)
    before = page.locator("#face").screenshot()
    for name, content in hostile(tmp_path).items():
        (tmp_path / name).write_bytes(content)

        def open_it(name=name):
            page.evaluate("document.getElementById('character').textContent = ''")
            page.locator("#file").set_input_files(tmp_path / name)
            page.get_by_text(f"{name} could not be opened: ").wait_for()

        assert longest_pause(page, open_it) < MOST, name
    page.wait_for_function("() => document.querySelector('#face').shadowRoot.querySelector('p').textContent === ''")
    page.wait_for_timeout(1500)
    assert page.locator("#face").screenshot() == before
