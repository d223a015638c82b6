"""The tab of many descriptions at once: a sheet of faces, and files with all of them."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pyarrow as pa
from PIL import Image
from pyarrow import parquet

from emo3d.face.export import write_json
from emo3d_demo.faces import Face, check_description, file_stem, generate_all, portrait
from emo3d_demo.panel import Panel
from emo3d_lab.apps.look import EACH, in_words, own_folder

MOST = 48
"""Descriptions at once; they take a few seconds."""
SIDE = 256  # pixels of a picture
EXAMPLE = "She just won the lottery\nAn elderly man in deep despair\nA little girl, surprised by a clown"


def many_tab(panel: Panel, models: list[str]) -> None:
    """Build the tab; `models` are ids of generators, of which the first one is used."""
    lines = gr.Textbox(EXAMPLE, label="Descriptions", info=f"One on each line, at most {MOST}", lines=6, max_lines=12)
    show = gr.Button("Show all faces", variant="primary")
    sheet = gr.Gallery(
        label="Faces: choose one to see it in 3D", columns=3, visible=False, allow_preview=False, interactive=False
    )
    with gr.Row():
        files = [gr.DownloadButton(label, visible=False, size="sm") for label in ("ZIP: pictures and JSON", "Parquet")]
    state = gr.State([])

    @in_words
    def show_all(text: str, identity: str, character: Any) -> list[Any]:
        descriptions = check_lines(text)
        weights = generate_all(descriptions, models[0], trusted=models[0])
        faces = [Face(row, identity, text, character) for row, text in zip(weights, descriptions, strict=True)]
        pictures = [portrait(face, SIDE) for face in faces]
        buttons = [gr.DownloadButton(value=str(path), visible=True) for path in _write(faces, pictures)]
        gallery = gr.Gallery(list(zip(pictures, descriptions, strict=True)), visible=True)
        return [faces, gallery, *buttons]

    def choose(faces: list[Face], event: gr.SelectData) -> list[Any]:
        return panel.show(faces[event.index])

    quiet: dict[str, Any] = {"api_visibility": "private"}
    show.click(
        show_all,
        [lines, panel.identity, panel.character],
        [state, sheet, *files],
        show_progress_on=[sheet, show],
        **quiet,
    )
    sheet.select(choose, [state], panel.outputs, show_progress_on=[panel.picture], **EACH, **quiet)


def check_lines(text: str) -> list[str]:
    """Split a text into descriptions, one a line; blank lines are none.

    Raises:
        ValueError: none, more than `MOST`, or one that is too long; the message says in which line.
    """
    rows = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not rows:
        raise ValueError("Please write at least one description.")
    if len(rows) > MOST:
        raise ValueError(f"Please use at most {MOST} descriptions at once, these are {len(rows)}.")
    descriptions = []
    for number, line in rows:
        try:
            descriptions.append(check_description(line))
        except ValueError as error:
            raise ValueError(f"Line {number}: {error}") from error
    return descriptions


def _write(faces: list[Face], pictures: list[np.ndarray]) -> list[Path]:
    """A ZIP with a PNG of each face and the weights of all as JSON, and a Parquet file that `emo3d score` reads."""
    folder = own_folder()
    weights = np.stack([face.weights for face in faces])
    write_json(folder / "expressions.json", weights)
    columns = {
        "description": [face.description for face in faces],
        "identity": [face.head for face in faces],
        "blendshapes": pa.array(list(weights), pa.list_(pa.float32())),
    }
    parquet.write_table(pa.table(columns).replace_schema_metadata({"space": "weights"}), folder / "faces.parquet")
    with zipfile.ZipFile(folder / "faces.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "expressions.json", "expressions.json")
        for number, (face, picture) in enumerate(zip(faces, pictures, strict=True), 1):
            with archive.open(f"{number:02}-{file_stem(face)}.png", "w") as file:
                Image.fromarray(picture).save(file, "PNG", compress_level=1)
    return [folder / "faces.zip", folder / "faces.parquet"]
