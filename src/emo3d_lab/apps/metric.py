"""The page of the metric Space: a score with its parts, and an entry of the benchmark's leaderboard."""

from __future__ import annotations

from typing import Any

import gradio as gr

from emo3d_lab.apps import look, score, submit

LOOK: dict[str, Any] = {"theme": look.THEME, "css": look.CSS + score.CSS}


def build() -> gr.Blocks:
    """The page; `LOOK` goes to its `launch`."""
    with gr.Blocks(title="Emo3D score", delete_cache=(look.KEPT_SECONDS, look.KEPT_SECONDS)) as page:
        gr.Markdown("# Emo3D score")
        with gr.Tabs():
            with gr.Tab("Score"):
                score.score_tab()
            with gr.Tab("Submit"):
                submit.submit_tab()
    return page


def launch(**options: Any) -> None:
    """Start the page, on 127.0.0.1 but on a Space; `options` go to `gradio.Blocks.launch`."""
    build().launch(**LOOK, max_file_size="200mb", **options)
