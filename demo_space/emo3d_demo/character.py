"""The upload of a character of one's own, on which every tab then shows its face."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from emo3d.face.export import write_glb
from emo3d_demo.faces import Face
from emo3d_lab.apps.characters import OwnCharacter, open_own
from emo3d_lab.apps.look import LAST, own_folder, shown_as_text
from emo3d_lab.listing import first_few

if TYPE_CHECKING:
    from emo3d_demo.panel import Panel

LARGEST_FILE = "20mb"
MOST_NAMED = 6  # units of those that a character lacks

INTRODUCTION = """A head or a whole avatar, `.glb` or `.vrm`, up to 20 MB, with ARKit's shapes (`jawOpen`, ...) in any
spelling. Shapes of other names need a map: `emo3d map avatar.glb --out map.json` makes it. Files are deleted after an
hour."""


def character_upload(panel: Panel) -> None:
    """Build the upload; `panel` is complete but for it."""
    with gr.Accordion("Your character", open=False):
        gr.Markdown(INTRODUCTION)
        size: dict[str, Any] = {"height": 110, "min_width": 200}
        with gr.Row():
            upload = gr.File(label="Character", file_types=[".glb", ".vrm"], elem_id="own", **size)
            map = gr.File(label="Map, if it needs one", file_types=[".json"], elem_id="own-map", **size)
        note = gr.HTML(visible=False, elem_id="character")
        back = gr.Button("Back to our heads", visible=False, size="sm")
    base = gr.File(visible=False)  # the file of the 3D view is served, and deleted in time, as this one's

    def use(path: str | None, map: str | None, face: Face) -> list[Any]:
        if path is None:
            return [gr.skip()] * len(outputs)
        try:
            character = _with_view(open_own(path, map))
            values = panel.show(replace(face, character=character))
        except ValueError as error:
            sentence = shown_as_text(error)
            gr.Warning(sentence)
            return [
                gr.HTML(_paragraph(f"<b>Not shown.</b> {sentence}"), visible=True),
                *[gr.skip()] * (len(outputs) - 1),
            ]
        said = gr.HTML(_paragraph(_describe(character)), visible=True)
        return [said, character, character.view, gr.Button(visible=True), gr.Dropdown(visible=False), *kept, *values]

    def leave(identity: str, face: Face) -> list[Any]:
        values = panel.show(replace(face, identity=identity, character=None))
        return [gr.HTML(visible=False), None, None, gr.Button(visible=False), gr.Dropdown(visible=True), *gone, *values]

    outputs = [note, panel.character, base, back, panel.identity, upload, map, *panel.outputs]
    kept, gone = [gr.skip()] * 2, [None] * 2
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress_on": [panel.picture, note]}
    gr.on([upload.upload, map.upload, map.clear], use, [upload, map, panel.face], outputs, **LAST, **quiet)
    gr.on([back.click, upload.clear], leave, [panel.identity, panel.face], outputs, **LAST, **quiet)


def _with_view(character: OwnCharacter) -> OwnCharacter:
    """Write the character at rest, once, for the 3D view, which gets weights alone from then on."""
    path = own_folder() / "view.glb"
    write_glb(path, {}, rig=character.open().rig)
    return replace(character, view=str(path))


def _describe(character: OwnCharacter) -> str:
    lacking = character.open().rig.missing
    units = f"{len(lacking)} of the 51 blendshapes ({first_few(lacking, MOST_NAMED)})"
    lack = f" It has no shapes for {units}: these are not seen." if lacking else ""
    return (
        f"<b>{escape(Path(character.path).name[:80])}</b> shows every face now.{lack} Downloads give your whole file "
        "back. A link shows the expression on one of our heads. Emotions are read by a model that has seen our heads "
        "only."
    )


def _paragraph(text: str) -> str:
    return f'<p role="status">{text}</p>'
