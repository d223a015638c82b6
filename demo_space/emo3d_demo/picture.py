"""The tab that reads an expression off a photograph and shows it on the head, as read and calibrated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

import gradio as gr
import numpy as np

from emo3d.pictures import LargePictureError, open_picture
from emo3d_demo.faces import Face, portrait
from emo3d_demo.panel import Panel
from emo3d_lab import landmarker
from emo3d_lab.apps.look import LAST, in_words
from emo3d_lab.landmarks import picture_weights

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")  # none that starts another program
MOST_PIXELS = 40_000_000
LONGEST_READ = 2048
"""Pixels of the longer side that are read."""

_reader: landmarker.FaceReader | None = None
_lock = Lock()  # one instrument for all visitors, and it reads one picture at a time


def take_photograph(path: str) -> landmarker.Face:
    """Read the largest face in a visitor's picture, and delete the file; see `read_photograph`."""
    try:
        return read_photograph(path)
    finally:
        Path(path).unlink(missing_ok=True)


def read_photograph(path: str) -> landmarker.Face:
    """Read the largest face in a picture.

    Args:
        path: of a picture; of one that moves, the first frame is read.

    Returns:
        The face, as the instrument reads it.

    Raises:
        ValueError: no picture, too large a one, or no face in it.
        OSError: MediaPipe or its model is not there.
    """
    global _reader
    try:
        picture = open_picture(path, formats=FORMATS, largest=MOST_PIXELS, longest=LONGEST_READ).convert("RGB")
    except LargePictureError as error:
        raise ValueError(f"Expected a picture of at most {MOST_PIXELS / 1e6:.0f} megapixels: {error}.") from error
    except (ValueError, OSError) as error:
        raise ValueError("This file is no picture that can be read: please use a PNG, JPEG or WebP.") from error
    with _lock:
        if _reader is None:
            _reader = landmarker.FaceReader(quiet=True)
        face = _reader.largest(np.asarray(picture))
    if face is None:
        raise ValueError("No face was found in this picture. One face, seen from the front and well lit, works best.")
    return face


def picture_tab(panel: Panel) -> None:
    """Build the tab."""
    gr.Markdown(
        "MediaPipe reads the expression from your picture. **The picture is deleted right after that**; only 51 "
        "numbers are kept, in this page."
    )
    photograph = gr.Image(
        type="filepath", sources=["upload", "webcam"], label="Photograph", height=280, buttons=[], format="png"
    )
    # Gradio's own opens an upload before it can be checked, and stores a second file of pictures that are not RGB.
    photograph.preprocess = lambda payload: payload.path if payload else None  # type: ignore[method-assign]
    comparison = gr.Gallery(
        label="The expression on this head",
        columns=2,
        height=260,
        visible=False,
        allow_preview=False,
        interactive=False,
    )
    note = gr.Markdown(visible=False)

    @in_words
    def show(path: str | None, identity: str, character: Any) -> list[Any]:
        if path is None:
            raise ValueError("Please choose a picture first.")
        photographed = take_photograph(path)
        raw = Face(photographed.expression, identity, character=character)
        face = replace(raw, weights=picture_weights([photographed])[0])
        pictures = [(portrait(raw, 320), "raw: readings used as weights"), (portrait(face, 320), "calibrated")]
        text = (
            "MediaPipe makes typical mistakes: it reports raised brows and pursed lips on faces at rest, and it hardly "
            "notices a sneer. The calibrated weights correct this, also by the 478 points that it finds on your face."
        )
        return [gr.Gallery(pictures, visible=True), gr.Markdown(text, visible=True), *panel.show(face)]

    photograph.input(
        show,
        [photograph, panel.identity, panel.character],
        [comparison, note, *panel.outputs],
        api_visibility="private",
        show_progress_on=[panel.picture],
        **LAST,
    )
