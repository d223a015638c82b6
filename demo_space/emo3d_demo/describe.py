"""The tab that turns a description into a face."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gradio as gr
import numpy as np

from emo3d_demo.faces import Face, generate, portrait, strengthen
from emo3d_demo.panel import Panel
from emo3d_lab.apps.look import EACH, LAST, in_words

EXAMPLES = (
    "She just won the lottery",
    "An elderly man in deep despair",
    "utterly revolted by the smell",
    "Frightened, but trying to smile",
    "He raises an eyebrow, amused and a little contemptuous",
)


def describe_tab(panel: Panel, models: list[str]) -> tuple[Any, list[Any], list[Any]]:
    """Build the tab.

    Args:
        panel: of the face.
        models: ids of generators to choose from; the first is the default.

    Returns:
        A function that shows the face of what stands in the text box, its inputs and its outputs.
    """
    description = gr.Textbox(
        EXAMPLES[0], label="Description", placeholder="What does the face feel?", lines=2, autofocus=True
    )
    show = gr.Button("Show the face", variant="primary")
    examples = gr.Examples([[text] for text in EXAMPLES], [description], label="Examples")
    strength = gr.Slider(0, 1.5, value=1, step=0.05, label="Strength", info="0: a face at rest; 1: as generated")
    with gr.Accordion("Generator", open=False):
        model = gr.Dropdown(
            models,
            value=models[0],
            label="Model",
            info="Or the name of a model on the Hugging Face Hub, for example namespace/name",
            allow_custom_value=True,
        )
        samples = gr.Slider(
            1, 6, value=1, step=1, label="Number of variants", info="Only VAE-CLIP models give more than one face"
        )
        seed = gr.Number(0, label="Random seed of the variants", precision=0)
    variants = gr.Gallery(label="Variants: choose one", columns=3, height=220, visible=False, allow_preview=False)
    expressions, place = gr.State(np.zeros((1, 51), np.float32)), gr.State(0)

    @in_words
    def describe(
        description: str, model: str, samples: float, seed: float, strength: float, identity: str, character: Any
    ) -> list[Any]:
        expressions = generate(description, model, samples=int(samples), seed=int(seed), trusted=models[0])
        text = description.strip()
        faces = [Face(strengthen(weights, strength), identity, text, character) for weights in expressions]
        gallery = gr.Gallery(
            [portrait(face, 192) for face in faces] if len(faces) > 1 else None, visible=len(faces) > 1
        )
        return [expressions, 0, gallery, *panel.show(faces[0])]

    def again(expressions: np.ndarray, place: int, strength: float, face: Face) -> list[Any]:
        return panel.show(replace(face, weights=strengthen(expressions[place], strength)))

    def choose(expressions: np.ndarray, strength: float, face: Face, event: gr.SelectData) -> list[Any]:
        return [event.index, *again(expressions, event.index, strength, face)]

    inputs = [description, model, samples, seed, strength, panel.identity, panel.character]
    outputs = [expressions, place, variants, *panel.outputs]
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress_on": [panel.picture]}
    gr.on([show.click, description.submit], describe, inputs, outputs, **LAST, **quiet)
    examples.load_input_event.then(describe, inputs, outputs, **LAST, **quiet)
    strength.release(again, [expressions, place, strength, panel.face], panel.outputs, **LAST, **quiet)
    variants.select(choose, [expressions, strength, panel.face], [place, *panel.outputs], **EACH, **quiet)
    return describe, inputs, outputs
