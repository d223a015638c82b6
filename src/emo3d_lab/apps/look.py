"""What all pages share: the theme, folders for what visitors take with them, and errors in words."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from html import escape
from pathlib import Path
from typing import Any
from uuid import uuid4

import gradio as gr
from gradio.context import LocalContext
from gradio.utils import get_upload_folder

THEME = gr.themes.Soft(  # fonts of the system: no other host is asked for one
    primary_hue="indigo", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
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
    button_secondary_background_fill_hover_dark="*primary_600",
)
KEPT_SECONDS = 3600
"""How long a visitor's files are kept."""
LONGEST_MESSAGE = 1000
"""Characters of an error that are shown."""
LAST: dict[str, Any] = {"trigger_mode": "always_last"}
"""Options of an event that came while one of its kind was answered: what the page says by then is answered as well."""
EACH: dict[str, Any] = {"trigger_mode": "multiple", "concurrency_limit": 1}
"""Options of events that are all answered, in their order: Gradio drops what comes while one is answered."""

CSS = """
.toast-close {opacity: 1 !important}
.gradio-container {max-width: min(1240px, 100vw) !important; margin: auto}
.dark {--color-accent: var(--primary-400)}
@media (hover: none) {  /* a finger leaves what it tapped hovered */
  button {
    --button-primary-background-fill-hover: var(--button-primary-background-fill);
    --button-primary-border-color-hover: var(--button-primary-border-color);
    --button-primary-text-color-hover: var(--button-primary-text-color);
    --button-primary-shadow-hover: var(--button-primary-shadow);
    --button-secondary-background-fill-hover: var(--button-secondary-background-fill);
    --button-secondary-border-color-hover: var(--button-secondary-border-color);
    --button-secondary-text-color-hover: var(--button-secondary-text-color);
    --button-secondary-shadow-hover: var(--button-secondary-shadow);
    --button-transform-hover: none;
  }
}
"""


class _ToVisitor(logging.Handler):
    """Shows what is logged of a description, such as a script that the encoder hardly knows, to whom it came from."""

    def emit(self, record: logging.LogRecord) -> None:
        if LocalContext.event_id.get(None) is not None:  # else it is said of the server's own texts
            gr.Warning(shown_as_text(record.getMessage()))  # it may quote one


logging.getLogger("emo3d.descriptions").addHandler(_ToVisitor())


def own_folder() -> Path:
    """A new folder for one visitor's files, whose name nobody else can guess."""
    folder = Path(get_upload_folder(), f"emo3d-{uuid4().hex}")
    folder.mkdir(parents=True)
    return folder


def shown_as_text(message: object) -> str:
    """A message that may quote a visitor's file; the page shows messages as HTML, where this one stays text."""
    return escape(str(message)[:LONGEST_MESSAGE], quote=False)


class _Refusal(gr.Error):
    def __str__(self) -> str:  # Gradio's is in quotes, which agents would see where there is no queue
        return str(self.message)


def in_words(function: Callable[..., Any]) -> Callable[..., Any]:
    """Errors of bad input, and of what cannot be loaded, as messages to the visitor instead of stack traces."""

    @wraps(function)
    def answer(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except (ValueError, OSError, ImportError) as error:
            raise _Refusal(shown_as_text(error), print_exception=False) from error

    return answer
