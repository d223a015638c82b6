"""The scripts that pages are measured with, held against contrasts that are known."""

import pytest

from contrast import FAINT, OFF_SCREEN

pytestmark = pytest.mark.browser

# Contrast by WebAIM's contrast checker; 4.5 is the least that WCAG 2.1 asks of text (success criterion 1.4.3).
PAGE = """<meta name="viewport" content="width=device-width"><style>body {{background: {ground}}}</style>
<p style="color: #767676">4.54 on white</p><p style="color: #777777">4.48 on white</p>
<div style="background: #0000ff"><p style="color: #ffffff">8.59</p><p style="color: #000000">2.44</p></div>
<p style="color: #000000; opacity: .5">half black</p>
<div style="overflow-x: auto"><i style="display: block; width: 500px; height: 9px"></i></div>"""


def test_contrast_is_that_of_wcag(chromium):
    page = chromium.new_page(viewport={"width": 390, "height": 800}, color_scheme="light")
    page.set_content(PAGE.format(ground="#ffffff"))
    faint = page.evaluate(FAINT)
    assert 3.95 <= float(faint.pop("half black | ")) <= 4.00  # between #808080 and #7f7f7f
    assert faint == {"4.48 on white | ": "4.48", "2.44 | ": "2.44"}
    page.set_content(PAGE.format(ground="#000000"))
    assert "4.54 on white | " not in page.evaluate(FAINT)  # #767676 on black is 4.62
    page.close()


def test_what_can_only_be_scrolled_to_is_off_the_screen(chromium):
    page = chromium.new_page(viewport={"width": 390, "height": 800})
    page.set_content(PAGE.format(ground="#ffffff"))
    assert len(page.evaluate(OFF_SCREEN)) == 1
    assert page.evaluate(OFF_SCREEN, "div") == []
    page.close()
