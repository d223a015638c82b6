"""What leaving Python costs: PyTorch, ONNX in float32 and int8, and the browser, by our score and by an emotion reader.

    python benchmarks/web.py [--folder web/.model] [--reader face-api]      # the tables of docs/web.md
    python benchmarks/web.py --descriptions > texts.json                    # those of the browser's predictions
    node web/bench/predict.mjs texts.json browser.json                      # in web/, which docs/web.md explains
    python benchmarks/web.py --browser browser.json

First, how far each is from PyTorch: 1,000 descriptions, 500 of the sample's train split and 500 of the training grammar
(both without held-out words). Then faces of the sample's test split (250 rows, held-out words): MSE, mean KL (backbone
quickstart), what the reader's top-1 agreement and KL are. "int8 throughout" rounds what flows between the weights, too
(onnxruntime's dynamic quantisation), and is no precision of `emo3d export`.
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from onnxruntime.quantization import quantize_dynamic
from rich.console import Console
from rich.table import Table

from emo3d import load_generator
from emo3d.blendshapes import as_expressions
from emo3d.documents import read_json
from emo3d.scoring import QUICKSTART, open_references, score
from emo3d.scoring.core import bootstrap_means
from emo3d_lab.onnx import OnnxGenerator, write_folder
from emo3d_lab.onnx.generator import open_session
from emo3d_lab.readers import load_reader, with_readers
from emo3d_lab.sample import make_rows
from emo3d_lab.sample.training import make_training_rows

BROWSER = "browser, int8"
OURS = ("mse", "kl_divergence")
KEYS = ("top1", "kl_divergence")  # of a reader's result


def sentences(count: int = 1000) -> list[str]:
    """Descriptions without held-out words, half of the sample and half of the training grammar."""
    rows = (*make_rows("train", count // 2), *make_training_rows(count - count // 2))
    return [row.description for row in rows]


def generators(folder: Path, work: Path) -> dict[str, Any]:
    """What is compared, by name; the first is what the others are held against."""
    write_folder("quickstart", work / "float32", precision="float32")
    whole, throughout = OnnxGenerator(work / "float32"), OnnxGenerator(work / "float32")
    quantize_dynamic(work / "float32/model.onnx", work / "throughout.onnx", per_channel=True)
    throughout._session = open_session(work / "throughout.onnx")
    return {
        "Python (PyTorch)": load_generator("quickstart"),
        "ONNX float32": whole,
        "ONNX int8": OnnxGenerator(folder),
        "ONNX int8 throughout": throughout,
    }


def read_browser(path: Path, descriptions: list[str]) -> np.ndarray:
    """Predictions of web/bench/predict.mjs, (N, 51)."""
    rows = read_json(path)
    if [row["description"] for row in rows] != descriptions or any(row.get("strength", 1) != 1 for row in rows):
        raise ValueError(
            f"expected predictions for `benchmarks/web.py --descriptions` at strength 1, {path} has others"
        )
    return as_expressions([row["weights"] for row in rows])


def difference(expressions: np.ndarray, reference: np.ndarray) -> list[str]:
    errors = np.abs(expressions - reference)
    return [f"{value:.1e}" for value in (errors.mean(), np.quantile(errors, 0.99), errors.max())]


def paired(differences: np.ndarray) -> str:
    """Mean and 95% interval of the differences (N,) of the same descriptions."""
    low, high = np.quantile(bootstrap_means(differences[:, None]), [0.025, 0.975])
    return f"{differences.mean():+.4f} [{low:+.4f}, {high:+.4f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("web/.model"), help="of `emo3d export quickstart`")
    parser.add_argument("--reader", default="face-api")
    parser.add_argument("--browser", type=Path, help="predictions, .json")
    parser.add_argument("--descriptions", action="store_true", help="print those of the test split, and end")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    test = open_references("sample", split="test")
    descriptions = list(test.descriptions)
    if options.descriptions:
        print(json.dumps(descriptions))
        return
    texts, console = sentences(), Console(width=140)
    with TemporaryDirectory() as work:
        systems = generators(options.folder, Path(work))
        near = {name: generator.generate(texts) for name, generator in systems.items()}
        faces = {name: generator.generate(descriptions) for name, generator in systems.items()}
    reference = next(iter(near))
    table = Table(f"{len(texts)} descriptions", "mean difference", "99 of 100 below", "largest")
    for name, expressions in near.items():
        table.add_row(name, *difference(expressions, near[reference]))
    console.print(table)
    if options.browser:
        faces[BROWSER] = read_browser(options.browser, descriptions)
    reader = load_reader(options.reader)
    columns = ("MSE", "mean KL", "KL more than PyTorch", "reader: top-1", "reader: KL", "largest difference")
    table = Table(f"{len(descriptions)} descriptions", *columns)
    divergences: dict[str, np.ndarray] = {}
    for name, expressions in faces.items():
        result = with_readers(score(expressions, test, backbone=QUICKSTART), [reader], expressions, test)
        seen = result.readers[reader.name]
        divergences[name] = result.per_sample["kl_divergence"]
        more = paired(divergences[name] - divergences[reference])
        ours = [f"{result.numbers[key]:.4f}" for key in OURS]
        theirs = [f"{seen.numbers[key]:.4f}" for key in KEYS]
        table.add_row(name, *ours, more, *theirs, difference(expressions, faces[reference])[-1])
    console.print(table)
    if options.browser:
        console.print(f"browser from ONNX int8: {difference(faces[BROWSER], faces['ONNX int8'])[-1]} at most")


if __name__ == "__main__":
    main()
