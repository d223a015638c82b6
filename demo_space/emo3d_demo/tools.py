"""The demo's tools for agents, as `emo3d serve` has them: texts, lines and pictures to weights, and a score."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import gradio as gr

from emo3d.loading import workshop_part
from emo3d_demo.faces import open_generator
from emo3d_demo.links import by_name
from emo3d_demo.picture import take_photograph
from emo3d_lab.apps.look import in_words
from emo3d_lab.landmarks import picture_weights


def tools(page: gr.Blocks, trusted: str) -> None:
    """Build the endpoints `/express`, `/act`, `/read_picture` and `/score_faces`; answers are JSON as text.

    Args:
        page: that is being built.
        trusted: the generator that the Space was started with.
    """
    calls = workshop_part("tools")
    call = partial(calls.call, open_generator=partial(open_generator, trusted, trusted))

    def express(text: str, strength: float = 1.0, seed: int = 0) -> str:
        return json.dumps(call("express", {"text": text, "strength": strength, "seed": seed}))

    def act(line: str, context: str = "", state: dict[str, Any] | None = None, strength: float = 1.0) -> str:
        return json.dumps(call("act", {"line": line, "context": context, "state": state, "strength": strength}))

    def score(predictions: list[dict[str, float]], references: list[dict[str, Any]], bank: str = "sample") -> str:
        return json.dumps(call("score", {"predictions": predictions, "references": references, "bank": bank}))

    @in_words
    def read_picture(picture: str | None) -> str:
        """Read the expression of the largest face in a picture, as weights of ARKit's blendshapes.

        Some 100 ms; the first takes seconds. The picture is deleted right after.

        Args:
            picture: a PNG, JPEG or WebP with a face, seen from the front and well lit.

        Returns:
            JSON with weights (51 in 0..1 by ARKit's names) and box: left, top, right, bottom of the face, pixels.
        """
        if picture is None:
            raise ValueError("Please give a picture.")
        face = take_photograph(picture)
        box = [round(float(edge), 1) for edge in face.box]
        return json.dumps({"weights": by_name(picture_weights([face])[0]), "space": "weights", "box": box})

    for function, endpoint in ((express, "express"), (act, "act"), (score, "score_faces")):
        schemas = calls.describe(function)
        # Without the queue where its round trips would take longer than the answer.
        event = gr.api(in_words(function), api_name=endpoint, queue=function is score)
        for component, schema in zip(event["inputs"], schemas, strict=True):
            page.blocks[component]._api_info = schema  # type: ignore[union-attr]  # types alone say no units and ranges
    picture, answer = gr.File(label="picture", file_types=["image"], visible=False), gr.Textbox(visible=False)
    gr.Button(visible=False).click(read_picture, picture, answer, api_name="read_picture")
