"""The tab between two descriptions, and from a face at rest to its expression."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gradio as gr
import numpy as np

from emo3d_demo.faces import Face, generate, write_animation
from emo3d_demo.panel import Panel
from emo3d_lab.apps.look import LAST, in_words


def blend_tab(panel: Panel, models: list[str]) -> None:
    """Build the tab; `models` are ids of generators, of which the first one is used."""
    first = gr.Textbox("She cannot stop laughing", label="First feeling", max_lines=2)
    second = gr.Textbox("He is terrified of the dark", label="Second feeling", max_lines=2)
    part = gr.Slider(0, 1, value=0.5, step=0.05, label="Mix", info="0: only the first feeling; 1: only the second")
    blend = gr.Button("Show the blend", variant="primary")
    gr.Markdown("**Animation**: the face moves from rest to the expression that is shown, and back.")
    animate = gr.Button("Animate")
    moving = gr.Image(
        label="Animation", interactive=False, height=320, visible=False, alt_text="The face, moving", buttons=[]
    )
    with gr.Row():
        downloads = [gr.DownloadButton(label, visible=False, size="sm") for label in ("Animated GLB", "GIF")]
    ends = gr.State(None)

    def between(ends: tuple[str, str, np.ndarray], part: float, face: Face) -> Face:
        start, end, weights = ends
        words = start if part == 0 else end if part == 1 else ""  # a blend is neither, so it is compared with neither
        mixed = ((1 - part) * weights[0] + part * weights[1]).astype(np.float32)
        return replace(face, weights=mixed, description=words)

    @in_words
    def show(start: str, end: str, part: float, identity: str, character: Any) -> list[Any]:
        weights = np.concatenate([generate(text, models[0], trusted=models[0]) for text in (start, end)])
        ends = (start.strip(), end.strip(), weights)
        first = Face(weights[0], identity, ends[0], character)  # one head all the way
        return [ends, *panel.show(between(ends, part, first))]

    def move(ends: tuple[str, str, np.ndarray] | None, part: float, face: Face) -> list[Any]:
        return panel.quick(between(ends, part, face)) if ends else [gr.skip()] * len(panel.quick_outputs)

    def settle(ends: tuple[str, str, np.ndarray] | None, part: float, face: Face) -> list[Any]:
        return panel.show(between(ends, part, face)) if ends else [gr.skip()] * len(panel.outputs)

    def play(face: Face) -> list[Any]:
        paths = write_animation(Face(np.zeros_like(face.weights)), face)
        files = [gr.DownloadButton(value=paths[ending], visible=True) for ending in (".glb", ".gif")]
        return [gr.Image(paths[".gif"], visible=True), *files]

    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress_on": [panel.picture]}
    gr.on(
        [blend.click, first.submit, second.submit],
        show,
        [first, second, part, panel.identity, panel.character],
        [ends, *panel.outputs],
        **LAST,
        **quiet,
    )
    part.input(
        move,
        [ends, part, panel.face],
        panel.quick_outputs,
        show_progress="hidden",
        api_visibility="private",
        **LAST,
    )
    part.release(
        settle, [ends, part, panel.face], panel.outputs, show_progress="hidden", api_visibility="private", **LAST
    )
    animate.click(play, [panel.face], [moving, *downloads], api_visibility="private", show_progress_on=[moving])
