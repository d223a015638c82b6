"""Write what Python answers, for web/test: `python web/test/golden.py FOLDER EXPORTED`.

FOLDER gets `golden.json`, and as `float32` the exported folder in float32. Predictions are of 200 descriptions of the
sample's test split at several strengths: by PyTorch, and by onnxruntime on the graphs of both precisions.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from emo3d.descriptions import is_foreign
from emo3d.generation import load_generator
from emo3d_lab.onnx import OnnxGenerator, write_folder
from emo3d_lab.sample.rows import make_rows
from emo3d_lab.tokens import Vocabulary

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
    """Write `golden.json` and the folder `float32`, of the quickstart generator and of the folder that was exported."""
    folder.mkdir(parents=True, exist_ok=True)
    write_folder("quickstart", folder / "float32", precision="float32")
    texts = [*TOLD, *(row.description for row in make_rows("test", 200 - len(TOLD)))]
    strengths = [STRENGTHS[row % len(STRENGTHS)] for row in range(len(texts))]
    generators = {
        "torch": load_generator("quickstart"),
        "int8": OnnxGenerator(exported),
        "float32": OnnxGenerator(folder / "float32"),
    }
    predictions = {name: answers(generator, texts, strengths) for name, generator in generators.items()}
    golden = {"texts": texts, "strengths": strengths, "odd": tokens(exported, ODD), **predictions}
    (folder / "golden.json").write_text(json.dumps(golden), encoding="utf-8")


def answers(generator: Any, texts: Iterable[str], strengths: Iterable[float]) -> list[list[float]]:
    """Expressions (N, 51) of a generator, one description at a time."""
    pairs = zip(texts, strengths, strict=True)
    return [generator.generate([text], strength=strength)[0].tolist() for text, strength in pairs]


def tokens(folder: Path, texts: Sequence[str]) -> list[dict[str, Any]]:
    """Tokens of texts, and whether the encoder hardly knows them."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    ids = [tokenizer.encode(text).ids for text in texts]
    known = Vocabulary(tokenizer, "[UNK]", None)
    return [
        {"text": text, "ids": row, "foreign": is_foreign(text, row, known)}
        for text, row in zip(texts, ids, strict=True)
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
