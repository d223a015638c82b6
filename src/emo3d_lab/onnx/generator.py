"""A generator of an exported folder, by onnxruntime: no PyTorch, no transformers, the answers of `load_generator`."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from emo3d.blendshapes import BLENDSHAPES, Space, check_space, limit_mouth_close
from emo3d.descriptions import advise, foreign_rows, warn_of, warn_of_notes
from emo3d.documents import read_json
from emo3d.hints import MissingExtraError
from emo3d.instructions import apply_instructions, interpret
from emo3d_lab.onnx.folder import read_manifest
from emo3d_lab.tokens import Vocabulary, shorten

_FIELDS: dict[str, Any] = {
    "generator": str,
    "space": str,
    "maxLength": int,
    "takesStrength": bool,
    "readsInstructions": bool,
}
_PARTS = ("model.onnx", "tokenizer.json", "tokenizer_config.json")


class OnnxGenerator:
    """A generator that `emo3d export` wrote.

    Args:
        folder: of the generator; its files are checked by their SHA-256.
        threads: of onnxruntime; by default as many as the processor has cores.

    Raises:
        FileNotFoundError: no such folder, or a file of it is missing.
        ValueError: a changed file, another format, or a head without an encoder.
        MissingExtraError: onnxruntime is not installed.
    """

    def __init__(self, folder: str | os.PathLike[str], threads: int | None = None) -> None:
        self.folder, self.manifest = Path(folder), read_manifest(folder)
        if self.manifest.get("input") == "embeddings":
            raise ValueError(
                f"expected a generator with its encoder; {folder} has a head alone, whose input are embeddings: "
                "export it without --head, or run its head.onnx yourself"
            )
        if self.manifest.get("blendshapes") != list(BLENDSHAPES):
            raise ValueError(f"expected the 51 blendshapes in this package's order; those of {folder} are others")
        for field, kind in _FIELDS.items():
            value: Any = self.manifest.get(field)
            if type(value) is not kind or (field == "maxLength" and value < 8):
                raise ValueError(f"expected {field} in the manifest of {folder}, got {value!r:.40}: export it again")
        if missing := [name for name in _PARTS if name not in self.manifest["files"]]:
            raise ValueError(f"expected {missing[0]} among the files of the manifest of {folder}: export it again")
        self.window = self.manifest["maxLength"]
        self.config = SimpleNamespace(
            space=check_space(self.manifest["space"]),
            takes_strength=self.manifest["takesStrength"],
            reads_instructions=self.manifest["readsInstructions"],
        )
        self._session = open_session(self.folder / "model.onnx", threads)
        self._tokenizer, self.vocabulary = _read_tokenizer(self.folder)

    @property
    def name_or_path(self) -> str:
        """The name of the generator that was exported."""
        return str(self.manifest["generator"])

    def to(self, _device: Any) -> OnnxGenerator:
        """Itself: onnxruntime computes on the CPU here."""
        return self

    def generate(
        self, descriptions: Sequence[str], batch_size: int = 64, *, strength: float = 1.0, space: Space | None = None
    ) -> np.ndarray:
        """Generate one expression for every description: (N, 51) float32 in 0..1, order `BLENDSHAPES`.

        `ExpressionModel.generate` says more of the arguments, warnings and errors.
        """
        config = self.config
        target = check_space(space or config.space)
        if not 0 <= strength <= 1.5 or (strength != 1 and not config.takes_strength):
            expected = "of 0 to 1.5" if config.takes_strength else "of 1, since this model learnt no other"
            raise ValueError(f"expected a strength {expected}, got {strength}")
        readings = interpret(descriptions, config.reads_instructions)
        warn_of_notes([reading.notes for reading in readings])
        spoken = [row for row, reading in enumerate(readings) if reading.rest]
        faces = np.zeros((len(readings), len(BLENDSHAPES)), np.float32)
        if spoken:
            faces[spoken] = self._answer([readings[row].rest for row in spoken], spoken, strength, batch_size)
        for row, reading in enumerate(readings):
            if reading.instructions:
                faces[row] = apply_instructions(faces[row], reading.instructions, strength)
        if config.space == "weights":
            limit_mouth_close(faces)
        if target == config.space:
            return faces
        from emo3d.face.calibration import to_readings, to_weights  # with PyTorch

        return to_readings(faces) if target == "reading" else to_weights(faces)

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokens of each text, not yet cut to the `window`."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]

    def _answer(self, texts: list[str], rows: list[int], strength: float, batch_size: int) -> np.ndarray:
        """Expressions (N, 51) of texts; warns of those that are cut or hardly known, by the rows they come from."""
        tokens = self.tokenize(texts)
        foreign = foreign_rows(texts, tokens, self.vocabulary)
        truncated = sum(len(ids) > self.window for ids in tokens)
        advice = advise(texts[place] for place in foreign)
        warn_of(len(tokens), truncated, [rows[place] for place in foreign], advice=advice)
        by_length: dict[int, list[int]] = defaultdict(list)  # so that nothing is padded, whatever a model makes of that
        for place, ids in enumerate(tokens):
            by_length[min(len(ids), self.window)].append(place)
        answers = np.empty((len(texts), len(BLENDSHAPES)), np.float32)
        for places in by_length.values():
            for start in range(0, len(places), batch_size):
                batch = places[start : start + batch_size]
                matrix = np.array([shorten(tokens[place], self.window) for place in batch], np.int64)
                inputs = {"input_ids": matrix, "attention_mask": np.ones_like(matrix)}
                if self.config.takes_strength:
                    inputs["strength"] = np.full(len(batch), strength, np.float32)
                (answers[batch],) = self._session.run(["expressions"], inputs)
        return answers


def open_session(path: Path, threads: int | None = None) -> Any:
    """Open a graph with onnxruntime on the CPU; a MissingExtraError where that is not installed."""
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        message = 'this needs onnxruntime, which is not installed: pip install "emo3d[onnx]"'
        raise MissingExtraError(message, name="onnxruntime") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _read_tokenizer(folder: Path) -> tuple[Any, Vocabulary]:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    settings = read_json(folder / "tokenizer_config.json")
    return tokenizer, Vocabulary(tokenizer, settings.get("unk_token"), settings.get("eos_token"))
