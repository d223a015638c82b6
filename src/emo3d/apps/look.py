"""What all pages share: the theme, folders for what visitors take with them, and errors in words."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from html import escape
from pathlib import Path
from typing import Any
from uuid import uuid4

import gradio as gr
from gradio.utils import get_upload_folder

THEME = gr.themes.Soft(  # fonts of the system: no other host is asked for one
    primary_hue="indigo",
    font=["system-ui", "sans-serif"],
    font_mono=["ui-monospace", "monospace"],
).set(  # text of second rank at 4.5 to 1 and more on every ground of this theme
    body_text_color_subdued="*neutral_600",
    body_text_color_subdued_dark="*neutral_300",
    block_info_text_color="*neutral_600",
    block_info_text_color_dark="*neutral_300",
    block_title_text_color="*neutral_700",
    block_label_text_color="*neutral_700",
    input_placeholder_color="*neutral_500",
    input_placeholder_color_dark="*neutral_400",
    link_text_color="*primary_700",
    link_text_color_dark="*primary_300",
    color_accent="*primary_600",
    checkbox_label_background_fill_selected="*primary_600",
    button_primary_background_fill="*primary_600",
    button_primary_background_fill_hover="*primary_700",
    button_primary_background_fill_hover_dark="*primary_700",
)
KEPT_SECONDS = 3600
"""How long a visitor's files are kept."""
LONGEST_MESSAGE = 1000
"""Characters of an error that are shown."""

CSS = """
.gradio-container {max-width: min(1240px, 100vw) !important; margin: auto}
.dark {--color-accent: var(--primary-400)}
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


def own_folder() -> Path:
    """A new folder for one visitor's files, whose name nobody else can guess."""
    folder = Path(get_upload_folder(), f"emo3d-{uuid4().hex}")
    folder.mkdir(parents=True)
    return folder


def shown_as_text(message: object) -> str:
    """A message that may quote a visitor's file; the page shows messages as HTML, where this one stays text."""
    return escape(str(message)[:LONGEST_MESSAGE], quote=False)


def in_words(function: Callable[..., Any]) -> Callable[..., Any]:
    """Errors of bad input, and of what is not to be had, as messages to the visitor instead of stack traces."""

    @wraps(function)
    def answered(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except (ValueError, OSError, ImportError) as error:
            raise gr.Error(shown_as_text(error), print_exception=False) from error

    return answered


def bars(caption: str, rows: list[tuple[str, list[float]]], names: tuple[str, ...] = ()) -> str:
    """Numbers in 0..1 as a table of bars.

    Args:
        caption: of the table.
        rows: name, and one number or two.
        names: of the numbers, shown below where there are two.
    """
    tones = ("", " other")
    lines = []
    for name, values in rows:
        drawn = "".join(
            f'<div class="bar{tone}" style="--part:{value:.3f}">{value:.2f}</div>'
            for value, tone in zip(values, tones, strict=False)
        )
        lines.append(f'<tr><th scope="row">{escape(name)}</th><td>{drawn}</td></tr>')
    key = "".join(
        f'<span class="{tone.strip()}">{escape(name)}</span>' for name, tone in zip(names, tones, strict=False)
    )
    table = f'<table class="bars"><caption>{escape(caption)}</caption>{"".join(lines)}</table>'
    return table + (f'<div class="key">{key}</div>' if key else "")
