"""The tab that puts two faces side by side."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import Any

import gradio as gr

from emo3d.emotions import EMOTIONS
from emo3d_demo.bars import bars
from emo3d_demo.emotions import emotions_of
from emo3d_demo.faces import Face, portrait
from emo3d_demo.links import by_name
from emo3d_demo.panel import Panel
from emo3d_lab.apps.look import LAST

SIDES = ("Left", "Right")
MOST_ROWS = 8  # blendshapes, those that differ most

CSS = """
#pair {display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 12px}
#pair > * {min-width: 0 !important}
.caption {margin: 0; font-size: 14px; overflow-wrap: anywhere; color: var(--body-text-color)}
"""


def compare_tab(panel: Panel) -> None:
    """Build the tab; its page needs `CSS`."""
    gr.Markdown("Put the face that is shown on one side. Then make another face and put it on the other side.")
    sides = gr.State({})
    with gr.Row():
        buttons = [gr.Button(f"Put it on the {side.lower()}", min_width=120) for side in SIDES]
    pictures, captions = [], []
    with gr.Row(elem_id="pair"):
        for side in SIDES:
            with gr.Column():
                pictures.append(
                    gr.Image(label=side, interactive=False, buttons=[], alt_text=f"The face on the {side.lower()}")
                )
                captions.append(gr.HTML())
    tables = gr.HTML()

    def place(side: str, sides: dict[str, Face], face: Face) -> list[Any]:
        sides = {**sides, side: face}
        caption = f"{face.description or 'Face without a description'} ({face.head})"
        comparison = _tables(sides[SIDES[0]], sides[SIDES[1]]) if len(sides) == len(SIDES) else ""
        return [sides, portrait(face, 320), f'<p class="caption">{escape(caption)}</p>', comparison]

    for side, button, picture, caption in zip(SIDES, buttons, pictures, captions, strict=True):
        button.click(
            partial(place, side),
            [sides, panel.face],
            [sides, picture, caption, tables],
            api_visibility="private",
            show_progress_on=[picture],
            **LAST,
        )


def _tables(left: Face, right: Face) -> str:
    """Emotions of both pictures, and the blendshapes that differ most."""
    pairs = zip(EMOTIONS, emotions_of(left).of_picture.tolist(), emotions_of(right).of_picture.tolist(), strict=True)
    emotions = bars("Emotions read from the pictures", [(name, [a, b]) for name, a, b in pairs], ("left", "right"))
    weights = by_name(left.weights), by_name(right.weights)
    most = sorted(weights[0], key=lambda name: -abs(weights[0][name] - weights[1][name]))[:MOST_ROWS]
    rows = [(name, [weights[0][name], weights[1][name]]) for name in most]
    return emotions + "<br>" + bars("Blendshapes that differ most", rows, ("left", "right"))
