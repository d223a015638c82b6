"""The tab of sliders: every blendshape by hand, both sides together or each on its own."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import partial
from typing import Any

import gradio as gr
import numpy as np

from emo3d.blendshapes import BLENDSHAPES, mirror
from emo3d.emotions import EMOTIONS
from emo3d_demo.faces import Face
from emo3d_demo.panel import Panel
from emo3d_lab.apps.look import EACH, LAST
from emo3d_lab.sample import make_rows
from emo3d_lab.sample.prototypes import compose

GROUPS = {
    "Brows": "brow",
    "Eyes": "eye",
    "Jaw": "jaw",
    "Mouth": "mouth",
    "Cheeks": "cheek",
    "Nose": "nose",
}
"""Group -> how the names of its blendshapes begin."""
MOST_UNDONE = 50

# Of what turns the eyes or pulls jaw and mouth to one side, both at once is no symmetry.
_ONE_SIDED = ("eyeLookIn", "eyeLookOut", "jaw", "mouth")
PARTNERS = {
    name: name.removesuffix("Left") + "Right"
    for name in BLENDSHAPES
    if name.endswith("Left") and name.removesuffix("Left") not in _ONE_SIDED
}
"""Left blendshape -> the right one that moves with it while both sides are kept alike."""
_INDEX = {name: index for index, name in enumerate(BLENDSHAPES)}
_ROUNDING = 1e-3  # sliders show three decimals


def adjust_tab(panel: Panel, tab: gr.Tab) -> None:
    """Build the tab; opening `tab`, which it stands in, sets the sliders to the current face."""
    with gr.Row():
        alike = gr.Checkbox(True, label="Both sides alike", min_width=140)
        undo = gr.Button("Undo", size="sm", min_width=70)
        flip = gr.Button("Mirror", size="sm", min_width=70)
        chance = gr.Button("Random", size="sm", min_width=70)
    with gr.Row():
        emotions = [gr.Button(emotion.capitalize(), size="sm", min_width=90) for emotion in EMOTIONS]
    sliders: dict[str, gr.Slider] = {}
    for group, start in GROUPS.items():
        with gr.Accordion(group, open=group in ("Brows", "Mouth")), gr.Row():
            for name in BLENDSHAPES:
                if name.startswith(start):
                    sliders[name] = gr.Slider(
                        0,
                        1,
                        step=0.01,
                        label=name.removesuffix("Left") if name in PARTNERS else name,
                        info="Corrects an open jaw; keep it below jawOpen" if name == "mouthClose" else None,
                        visible=name not in PARTNERS.values(),
                        min_width=200,
                        buttons=[],
                    )
    columns = [sliders[name] for name in BLENDSHAPES]
    history = gr.State([])
    apart = gr.State(frozenset[str]())  # left blendshapes whose right one has a slider of its own now

    def follow(apart: frozenset[str], face: Face, *values: float) -> list[Any]:
        """Set the partner of the slider that moved; only the partner is updated, so that no thumb jumps."""
        face = _face_of_sliders(apart, face, values)
        updates = [
            float(weight) if abs(weight - value) > _ROUNDING else gr.skip()
            for weight, value in zip(face.weights, values, strict=True)
        ]
        return [*panel.quick(face), *updates]

    def settle(history: list[np.ndarray], apart: frozenset[str], face: Face, *values: float) -> list[Any]:
        """All that `follow` leaves out. It may run before `follow` has ended, so it reads the sliders as well."""
        face = _face_of_sliders(apart, face, values)
        return [_remember(history, face), *panel.show(face)]

    def set_to(weights: np.ndarray, history: list[np.ndarray], alike: bool, face: Face) -> list[Any]:
        new = replace(face, weights=np.asarray(weights, np.float32), description="")
        return [_remember(_remember(history, face), new), *_sliders(alike, new), *panel.show(new)]

    def go_back(history: list[np.ndarray], alike: bool, face: Face) -> list[Any]:
        if len(history) < 2:
            raise gr.Error("There is nothing to undo.", print_exception=False)
        face = replace(face, weights=history[-2], description="")
        return [history[:-1], *_sliders(alike, face), *panel.show(face)]

    private: dict[str, Any] = {"api_visibility": "private"}
    tab.select(
        lambda alike, face: [[face.weights], *_sliders(alike, face)],
        [alike, panel.face],
        [history, apart, *columns],
        **private,
    )
    alike.input(_sliders, [alike, panel.face], [apart, *columns], **LAST, **private)
    gr.on(
        [slider.input for slider in columns],
        follow,
        [apart, panel.face, *columns],
        [*panel.quick_outputs, *columns],
        show_progress="hidden",
        **LAST,
        **private,
    )
    gr.on(
        [slider.release for slider in columns],
        settle,
        [history, apart, panel.face, *columns],
        [history, *panel.outputs],
        show_progress="hidden",
        **LAST,
        **private,
    )
    state, outputs = [history, alike, panel.face], [history, apart, *columns, *panel.outputs]
    progress: dict[str, Any] = {**EACH, **private, "show_progress_on": [panel.picture]}
    undo.click(go_back, state, outputs, **progress)
    flip.click(
        lambda history, alike, face: set_to(mirror(face.weights)[0], history, alike, face), state, outputs, **progress
    )
    chance.click(lambda history, alike, face: set_to(_random(), history, alike, face), state, outputs, **progress)
    for emotion, button in zip(EMOTIONS, emotions, strict=True):
        button.click(partial(set_to, compose({emotion: 1.0})), state, outputs, **progress)


def _sliders(alike: bool, face: Face) -> list[Any]:
    """Pairs with a slider for each side, and updates of all sliders; an uneven face has both sides."""
    weights = dict(zip(BLENDSHAPES, (round(float(weight), 3) for weight in face.weights), strict=True))
    apart = frozenset(left for left, right in PARTNERS.items() if not alike or weights[left] != weights[right])
    one_slider = {left: right for left, right in PARTNERS.items() if left not in apart}
    return [
        apart,
        *(
            gr.Slider(
                value=weight,
                label=name.removesuffix("Left") if name in one_slider else name,
                visible=name not in one_slider.values(),
            )
            for name, weight in weights.items()
        ),
    ]


def _face_of_sliders(apart: frozenset[str], face: Face, values: tuple[float, ...]) -> Face:
    """The face by the sliders; hidden ones are ignored, since their values may be old."""
    targets = np.array(values, np.float32)
    changes = np.abs(targets - face.weights) > _ROUNDING
    weights = np.where(changes, targets, face.weights)
    for left_name, right_name in PARTNERS.items():
        if left_name not in apart:
            left, right = _INDEX[left_name], _INDEX[right_name]
            weights[right] = weights[left] if changes[left] else face.weights[right]
    return replace(face, weights=weights, description="" if changes.any() else face.description)


def _remember(history: list[np.ndarray], face: Face) -> list[np.ndarray]:
    if history and np.array_equal(history[-1], face.weights):
        return history
    return [*history, face.weights][-MOST_UNDONE:]


def _random() -> np.ndarray:
    """A face of the sample's grammar: plausible, unlike 51 random numbers."""
    return make_rows("train", 1, seed=random.randrange(2**31))[0].blendshapes
