"""Write what Python answers, for web/test: `python web/test/golden.py FOLDER EXPORTED`.

FOLDER gets `golden.json`, and as `float32` the exported folder in float32. Predictions are of 200 descriptions of the
sample's test split at several strengths: by PyTorch, and by onnxruntime on the graphs of both precisions, one
description at a time, since int8 scales its numbers by the largest of a batch.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from emo3d.blendshapes import limit_mouth_close
from emo3d.descriptions import is_foreign
from emo3d.generation import load_generator
from emo3d.instructions import apply_instructions, interpret
from emo3d_lab.light import _Vocabulary
from emo3d_lab.onnx import write_folder
from emo3d_lab.sample.rows import make_rows

STRENGTHS = (1.0, 0.0, 0.4, 0.8, 1.3, 1.5)
TOLD = (
    "She winks with her left eye and grins.",
    "Thrilled 😂",
    "He opens his mouth wide.",
    "He presses his lips together, furious.",
    "She shuts her eyes, smiling softly.",
    "jaw open",
)
ODD = (
    "Él está muy enfadado con toda su familia y no quiere hablar",
    "Она очень рада",
    "她非常高兴",
    "naïve café crème brûlée, déjà vu",
    "Ⅷ ½ of them, 3,000 in all; e.g. #tags & so on...",
    "thrilled 😀😀 to bits",
    "Der Mann ist furchtbar wütend geworden",
    "WOW!!! SHE'S ECSTATIC -- really?!",
    "a\u00a0wide\u2003smile\u200b, e\u0301lan, ﬁne, ＡＢＣ",
    "!!!",
    "x" * 150,
    "so happy " * 220,
    "oh! " * 400,
)


def main(folder: Path, exported: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_folder("quickstart", folder / "float32", precision="float32")
    model = load_generator("quickstart")
    texts = [*TOLD, *(row.description for row in make_rows("test", 200 - len(TOLD)))]
    strengths = [STRENGTHS[row % len(STRENGTHS)] for row in range(len(texts))]
    golden = {
        "texts": texts,
        "strengths": strengths,
        "torch": [
            model.generate([text], strength=strength)[0].tolist()
            for text, strength in zip(texts, strengths, strict=True)
        ],
        "onnx": {
            "int8": by_onnxruntime(exported, texts, strengths),
            "float32": by_onnxruntime(folder / "float32", texts, strengths),
        },
        "odd": tokens(exported, ODD),
    }
    (folder / "golden.json").write_text(json.dumps(golden), encoding="utf-8")


def by_onnxruntime(folder: Path, texts: Sequence[str], strengths: Sequence[float]) -> list[list[float]]:
    """Expressions (N, 51) of a graph, with instructions and the limit of mouthClose as Python's `generate` has them."""
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    faces = np.zeros((len(texts), 51), np.float32)
    for row, (reading, strength) in enumerate(zip(interpret(texts, True), strengths, strict=True)):
        if reading.rest:
            ids = np.array([tokenizer.encode(reading.rest).ids])
            feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids), "strength": np.float32([strength])}
            faces[row] = session.run(None, feeds)[0]
        if reading.instructions:
            faces[row] = apply_instructions(faces[row], reading.instructions, strength)
    limit_mouth_close(faces)
    return faces.tolist()


def tokens(folder: Path, texts: Sequence[str]) -> list[dict[str, Any]]:
    """Tokens of texts, and whether the encoder hardly knows them."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    ids = [tokenizer.encode(text).ids for text in texts]
    known = _Vocabulary(tokenizer)
    return [
        {"text": text, "ids": row, "foreign": is_foreign(text, row, known)}
        for text, row in zip(texts, ids, strict=True)
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
