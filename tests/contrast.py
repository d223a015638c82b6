"""Contrast of what a page shows, from its computed styles, by the formula of WCAG 2.1; and what lies off its screen."""

import time

SETTLED = 60  # seconds, on a busy machine

FAINT = """() => {
    const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
    const rgba = colour => {  // any notation of CSS
        canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255];
    };
    const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
    const luminance = colour => {
        const [r, g, b] = colour.slice(0, 3).map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
        return .2126 * r + .7152 * g + .0722 * b;
    };
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const found = {};
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node; (node = walker.nextNode());) {
        const element = node.parentElement, text = node.data.trim();
        if (!text || !element.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
        if (element.closest("script, style, noscript, :disabled, [aria-disabled=true], canvas")) continue;
        const box = element.getBoundingClientRect();
        if (box.width < 2 || box.height < 2) continue;
        const grounds = []; let opacity = 1, picture = false;
        for (let one = element; one; one = one.parentElement) {
            const style = getComputedStyle(one);
            grounds.push(rgba(style.backgroundColor)); opacity *= Number(style.opacity);
            if (/url|gradient/.test(style.backgroundImage)) picture = true;
        }
        if (picture) continue;  // no one colour
        const ground = grounds.reverse().reduce(
            (below, top) => over(top, below), dark ? [18, 18, 18, 1] : [255, 255, 255, 1]);
        let ink = rgba(getComputedStyle(element).color); ink = over([...ink.slice(0, 3), ink[3] * opacity], ground);
        const [light, deep] = [luminance(ink), luminance(ground)].sort((a, b) => b - a);
        const ratio = (light + .05) / (deep + .05);
        if (ratio < 4.5) found[text.slice(0, 40) + " | " + element.className] = ratio.toFixed(2);
    }
    return found;
}"""
"""Visible texts with a contrast below 4.5, and the contrast; what is disabled need not be read."""

OFF_SCREEN = """(scrolled = "") => {
    const width = document.documentElement.clientWidth, found = [];
    for (const element of document.body.querySelectorAll("*")) {
        if (!element.checkVisibility({visibilityProperty: true})) continue;
        const box = element.getBoundingClientRect();
        if (box.width < 2 || box.height < 2 || (box.right <= width + 1 && box.left >= -1)) continue;
        if (!scrolled || !element.closest(scrolled)) found.push(element.outerHTML.slice(0, 120));
    }
    return found;
}"""
"""Visible elements that end beyond the window, but for those in what is scrolled sideways, which a selector names."""


def illegible(page, scrolled=""):
    """Faint texts and what lies off the screen, when a page has settled; `details` are opened.

    Args:
        page: in Chromium.
        scrolled: selector of what may be scrolled sideways.
    """
    end = time.monotonic() + SETTLED
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    while any(found := (page.evaluate(FAINT), page.evaluate(OFF_SCREEN, scrolled))) and time.monotonic() < end:
        page.wait_for_timeout(1000)
    return found


def assert_readable(page, scrolled=""):
    """Assert that all text of a page has a contrast of 4.5 and that nothing lies off its screen."""
    assert illegible(page, scrolled) == ({}, [])
