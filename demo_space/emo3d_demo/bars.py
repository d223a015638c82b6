"""Numbers as bars, and what the page's sliders need."""

from __future__ import annotations

from html import escape

CSS = """
.bars {border-collapse: collapse; width: 100%; font-size: 13px; line-height: 1.5}
.bars caption {text-align: left; font-weight: 600; padding-bottom: 4px; color: var(--body-text-color)}
.bars th {font-weight: 400 !important; text-align: left; white-space: nowrap; padding: 0 10px 0 0 !important; width: 1%;
  color: var(--body-text-color)}
.bars, .bars tr, .bars th, .bars td {border: 0 !important; background: none !important}
.bars td {padding: 1px 0 !important}
.bars .bar {display: flex; align-items: center; gap: 6px; color: var(--body-text-color-subdued); font-size: 11px}
.bars .bar::before {content: ""; height: 8px; border-radius: 4px; min-width: 2px;
  width: calc(var(--part) * (100% - 40px)); background: var(--tone, var(--primary-500))}
.bars .other {--tone: var(--neutral-400)}
.key {font-size: 12px; color: var(--body-text-color-subdued); margin-top: 6px}
.key span::before {content: ""; display: inline-block; width: 10px; height: 8px; border-radius: 4px; margin-right: 4px;
  background: var(--primary-500)}
.key .other::before {background: var(--neutral-400)}
.key span {margin-right: 14px}
"""

KEYS = """() => document.addEventListener("keyup", event => {
    if (event.target.type === "range" && /^(Arrow|Page|Home|End)/.test(event.key))
        event.target.dispatchEvent(new PointerEvent("pointerup", {bubbles: true}));
})"""  # Gradio's sliders tell of their release by mouse only


def bars(caption: str, rows: list[tuple[str, list[float]]], names: tuple[str, ...] = ()) -> str:
    """Write a table of bars, of one number or two in 0..1 for each name; `names` of the numbers go below it."""
    tones = ("", " other")
    lines = []
    for name, values in rows:
        cell = "".join(
            f'<div class="bar{tone}" style="--part:{value:.3f}">{value:.2f}</div>'
            for value, tone in zip(values, tones, strict=False)
        )
        lines.append(f'<tr><th scope="row">{escape(name)}</th><td>{cell}</td></tr>')
    key = "".join(
        f'<span class="{tone.strip()}">{escape(name)}</span>' for name, tone in zip(names, tones, strict=False)
    )
    table = f'<table class="bars"><caption>{escape(caption)}</caption>{"".join(lines)}</table>'
    return table + (f'<div class="key">{key}</div>' if key else "")
