"""The demo's named endpoints, for `gradio_client` and for agents (MCP)."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np

from emo3d.emotions import EMOTIONS
from emo3d.face import IDENTITIES
from emo3d.ranges import real_number
from emo3d_demo import clips, faces
from emo3d_demo.emotions import emotions_of
from emo3d_demo.faces import AS_DESCRIBED, Face, strengthen, write_files
from emo3d_demo.links import by_name, parse_weights
from emo3d_lab.apps.characters import open_own
from emo3d_lab.apps.look import in_words


def _number(value: float, label: str, **options: Any) -> gr.Number:
    """A number that refuses what is none in a sentence, and with `precision=0` what is no whole number."""
    component = gr.Number(value, label=label, **options)
    convert = component.preprocess

    @in_words
    def check(payload: Any) -> float | int | None:
        try:
            number = None if payload is None else real_number(label, float(payload))
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"Please give {label} as a number, not {payload!r:.40}.") from None
        if number is not None and component.precision == 0 and number % 1:
            raise ValueError(f"Please give {label} as a whole number, not {number:g}.")
        return convert(number)

    component.preprocess = check  # type: ignore[method-assign]
    return component


def _text(label: str, value: str | None = None) -> gr.Textbox:
    """A text that refuses what is none in a sentence."""
    component = gr.Textbox(value, label=label)

    @in_words
    def check(payload: Any) -> str:
        if not isinstance(payload, str):
            raise ValueError(f"Please give {label} as text, not {payload!r:.40}.")
        return payload

    component.preprocess = check  # type: ignore[method-assign]
    return component


def endpoints(trusted: str) -> None:
    """Build `/generate`, `/render` and `/clip`.

    Args:
        trusted: the generator that the Space was started with, the default.
    """

    @in_words
    def generate(
        description: str, identity: str, strength: float, model: str, seed: float, character: str | None = None
    ) -> tuple[str, str, dict[str, float], dict[str, float]]:
        """Describe a feeling, get a 3D face that shows it.

        Args:
            description: a sentence in English, at most 2,000 characters, as in "She just won the lottery".
            identity: whose face; "as described" is the one that fits the description.
            strength: 0 for a face at rest, 1 for the expression as generated, up to 1.5 for more of it.
            model: the generator: quickstart, or the id of one on the Hub.
            seed: of generators that vary: 0 is their first answer, every other number another one.
            character: a .glb or .vrm of your own with ARKit's shapes, in place of an identity; it comes back whole.

        Returns:
            The face as GLB with 52 ARKit morph targets, or the character's file; its picture as PNG; the emotion
            distribution that is read off the picture; and the 51 blendshape weights.
        """
        weights = faces.generate(description, model, samples=1 if seed == 0 else 2, seed=int(seed), trusted=trusted)
        own = open_own(character) if character else None
        return _answer(Face(strengthen(weights[-1], strength), identity, description.strip(), own))

    @in_words
    def render(
        blendshapes: str, identity: str, character: str | None = None
    ) -> tuple[str, str, dict[str, float], dict[str, float]]:
        """Render an expression that is given as blendshape weights.

        Args:
            blendshapes: a JSON object from ARKit name to weight in 0..1, as in {"jawOpen": 0.4}; what is left out is 0.
            identity: whose face; "as described" is the adult here.
            character: a .glb or .vrm of your own with ARKit's shapes, in place of an identity; it comes back whole.

        Returns:
            The face as GLB with 52 ARKit morph targets, or the character's file; its picture as PNG; the emotion
            distribution that is read off the picture; and the 51 blendshape weights.
        """
        own = open_own(character) if character else None
        return _answer(Face(parse_weights(blendshapes), identity, character=own))

    @in_words
    def clip(
        description: str, seconds: float | None, identity: str, model: str, seed: float | None
    ) -> tuple[str, str, str, str, list[dict[str, Any]]]:
        """Say what happens, one thing after another, and get a 3D face that acts it: its expressions over time.

        Args:
            description: English, at most 2,000 characters, as in "She holds back tears, then breaks into a smile".
            seconds: length of the clip, 0.5 to 30; 0 is as long as the text needs.
            identity: whose face; "as described" is the one that fits the description.
            model: the generator of the stills: quickstart, or the id of one on the Hub.
            seed: of blinks, gaze and the like: another whole number is another take of the same.

        Returns:
            The face as GLB with an animation of 52 ARKit morph targets; a GIF; a Live Link Face CSV and a JSON file of
            all frames; and the beats: what happens, from which second to which.
        """
        face = Face(np.zeros(51, np.float32), identity, description)
        scene = clips.direct(description, seconds or None, seed, list(clips.MOTIONS), face, model, trusted)
        files = clips.write_clips(scene, (".glb", ".gif", ".csv", ".json"))
        beats = [{name: getattr(beat, name) for name in ("description", "start", "end")} for beat in scene.clip.beats]
        return *files.values(), beats  # type: ignore[return-value]

    with gr.Row(visible=False):
        description = _text("description")
        identity = gr.Dropdown([*IDENTITIES, AS_DESCRIBED], value="adult", label="identity")
        strength = gr.Slider(0, 1.5, value=1, label="strength")
        model = _text("model", trusted)
        seed = _number(0, "seed", precision=0)
        blendshapes = gr.Textbox("{}", label="blendshapes")
        character = gr.File(label="character", file_types=[".glb", ".vrm"])
        outputs: list[Any] = [gr.File(label="glb"), gr.File(label="picture")]
        outputs += [gr.JSON(label="emotions"), gr.JSON(label="blendshapes")]
        seconds = _number(0, "seconds")
        described = [description, identity, strength, model, seed, character]
        gr.Button().click(generate, described, outputs, api_name="generate")
        gr.Button().click(render, [blendshapes, identity, character], outputs, api_name="render")
        files = [gr.File(label=name) for name in ("glb", "gif", "csv", "json")]
        acted = [description, seconds, identity, model, seed]
        gr.Button().click(clip, acted, [*files, gr.JSON(label="beats")], api_name="clip")


def _answer(face: Face) -> tuple[str, str, dict[str, float], dict[str, float]]:
    files = write_files(face)
    emotions = {
        name: round(float(share), 4) for name, share in zip(EMOTIONS, emotions_of(face).of_picture, strict=True)
    }
    return files[".glb"], files[".png"], emotions, by_name(face.weights)
