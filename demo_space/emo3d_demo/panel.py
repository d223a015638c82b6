"""The face that all tabs of the demo share: in 3D, as a picture, with its emotions and its files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from emo3d.emotions import EMOTIONS
from emo3d.face import IDENTITIES
from emo3d_demo.bars import bars
from emo3d_demo.character import character_upload
from emo3d_demo.emotions import emotions_of, prior
from emo3d_demo.faces import AS_DESCRIBED, Face, portrait, write_files
from emo3d_demo.links import by_name, link_query
from emo3d_demo.viewer import HEIGHT, head_value, head_view
from emo3d_lab.apps.look import LAST

LEADING = 8  # blendshapes in the table
DOWNLOADS = {
    ".glb": "GLB",
    ".png": "PNG",
    ".json": "ARKit JSON",
    ".csv": "Live Link Face CSV",
    ".py": "Blender script",
}

CSS = """
#page {display: grid; grid-template-columns: minmax(0, 9fr) minmax(0, 11fr); gap: 20px; align-items: start}
#shown {position: sticky; top: 12px}
#make, #shown, #face, #says {min-width: 0 !important}
#views, #charts {display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 12px}
#views > *, #charts > * {min-width: 0 !important}
#make .tab-container button {padding-inline: 9px}
#take, #clip-files {flex-wrap: wrap; gap: 6px}
#take button, #clip-files button {flex: 1 1 auto; min-width: 0; white-space: nowrap}
@media (max-width: 760px) {
  #page {display: flex; flex-direction: column; flex-wrap: nowrap; align-items: stretch}
  #shown {display: contents}
  #face {order: 1; position: sticky; top: 0; z-index: 5; background: var(--body-background-fill); padding-bottom: 8px}
  #make {order: 2} #says {order: 3}
  #clip {scroll-margin-top: 270px}
  #views > * {height: 190px !important} #views img {max-height: 190px}
  #take button, #clip-files button {flex: 1 1 auto; padding-inline: 8px}
  #charts {grid-template-columns: minmax(0, 1fr)}
}
"""  # the face stays in sight while one moves sliders

_ADDRESS = """query => {
    const address = new URL(location.href);
    address.search = query;
    address.hash = "";
    return address.href;
}"""  # only the browser knows under which address it sees the page


class Panel:
    """The shared face; `outputs` are the components that `show` fills.

    Attributes:
        face: `gr.State` of the current `Face`.
        identity: whose head, for all tabs.
        character: `gr.State` of the `OwnCharacter` that takes its place, or None.
    """

    def __init__(self) -> None:
        self.face = gr.State(Face(np.zeros(51, np.float32)))
        self.character = gr.State(None)
        with gr.Column(elem_id="face"):
            with gr.Row(elem_id="views"):
                self.view = head_view()
                self.picture = gr.Image(
                    label="Picture",
                    interactive=False,
                    height=HEIGHT,
                    buttons=["fullscreen"],
                    format="jpeg",  # of pictures that follow a slider
                    alt_text="The face, seen from the front",
                )
            with gr.Row(elem_id="take"):
                self.files = [gr.DownloadButton(label, interactive=False, size="sm") for label in DOWNLOADS.values()]
        with gr.Column(elem_id="says"):
            self.identity = gr.Dropdown(
                [AS_DESCRIBED, *IDENTITIES],
                value=AS_DESCRIBED,
                label="Identity",
                info="Whose head shows the expression",
            )
            own = gr.Column()
            with gr.Row(elem_id="charts"):
                self.emotions = gr.HTML()
                self.blendshapes = gr.HTML()
            self.query = gr.Textbox(visible="hidden", label="Query", container=False)
            self.link = gr.Textbox(
                label="Link to this face", interactive=False, max_lines=1, buttons=["copy"], elem_id="link"
            )
            self.query.change(None, [self.query], [self.link], js=_ADDRESS, api_visibility="private")
        self.quick_outputs = [self.face, self.picture, self.blendshapes]
        self.outputs = [*self.quick_outputs, self.view, self.emotions, self.query, *self.files]
        self.identity.input(
            lambda face, identity: self.show(replace(face, identity=identity)),
            [self.face, self.identity],
            self.outputs,
            api_visibility="private",
            show_progress_on=[self.picture],
            **LAST,
        )
        with own:
            character_upload(self)

    @staticmethod
    def quick(face: Face) -> list[Any]:
        """What changes while a slider moves: values of `quick_outputs`."""
        return [face, portrait(face), leading(face)]

    @classmethod
    def show(cls, face: Face) -> list[Any]:
        """Everything about a face: values of `outputs`."""
        files = write_files(face)
        downloads = [gr.DownloadButton(value=files[ending], interactive=True) for ending in DOWNLOADS]
        whole = Path(files[".glb"]).suffix[1:].upper()  # of a character, VRM as well
        downloads[0] = gr.DownloadButton(whole, value=files[".glb"], interactive=True)
        turned = head_value(face.character.view if face.character else files[".glb"], face.rig, face.weights)
        return [face, files[".png"], leading(face), turned, emotions(face), link_query(face), *downloads]


def leading(face: Face) -> str:
    """The strongest blendshapes as bars."""
    weights = by_name(face.weights)
    strongest = sorted(weights, key=weights.__getitem__, reverse=True)[:LEADING]
    return bars("Leading blendshapes (weights)", [(name, [weights[name]]) for name in strongest])


def emotions(face: Face) -> str:
    """The emotions of the picture beside those of the description as bars, and their divergence."""
    result = emotions_of(face)
    if result.of_description is None or result.divergence is None:
        rows = [(name, [value]) for name, value in zip(EMOTIONS, result.of_picture.tolist(), strict=True)]
        return bars("Emotions read from the picture", rows)
    pairs = zip(EMOTIONS, result.of_picture.tolist(), result.of_description.tolist(), strict=True)
    table = bars(
        "Emotions read from the picture and from the description",
        [(name, [*values]) for name, *values in pairs],
        ("picture", "description"),
    )
    return (
        f"{table}<p class='key'>Divergence <b>{max(result.divergence, 0):.2f}</b> nats: 0 means that both agree; "
        f"{prior():.2f} is what the same average emotions would get for every description.</p>"
    )
