"""Training a head on a frozen encoder: embeddings computed once and kept, against the published notebook's way.

    python benchmarks/training.py [--rows 400] [--epochs 50] [--threads 2]

Both train the published CLIP baseline (three linear layers, Adam, batches of 32) on the same rows, with the text side
of a CLIP ViT-B/32 at random weights; descriptions are those of the synthetic sample.

- `published`: the notebook's way, re-created from its description. The dataset encodes each description by itself when
  it is constructed, mirrored ones included, and a plain loop trains.
- `emo3d train`: `emo3d_lab.training.train`, descriptions embedded in batches, once for good; its `first` run finds an
  empty cache, its `next` run one that is filled.

Every row is measured once, so it wants an idle machine. An epoch holds its validation and, in `emo3d train`, a
checkpoint; `in all` holds loading the encoder too, but for `published`, which is given it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from pathlib import Path

os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="emo3d-benchmark-")  # an empty cache; before any Hub library
os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_UPDATE_DOWNLOAD_COUNTS": "0"}

import pyarrow as pa
import torch
from pyarrow import parquet
from random_clip import save_random_clip
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from transformers import AutoModel, AutoTokenizer

from emo3d.blendshapes import as_expressions
from emo3d_lab.sample import make_rows
from emo3d_lab.training import load_recipe
from emo3d_lab.training.data import Pairs
from emo3d_lab.training.train import train


def write_rows(folder: Path, rows: dict[str, int]) -> dict[str, Pairs]:
    folder.mkdir()
    pairs = {}
    for split, count in rows.items():
        made = make_rows(split, count)
        descriptions, scores = [row.description for row in made], [row.blendshapes.tolist() for row in made]
        pairs[split] = Pairs(descriptions, as_expressions(scores))
        table = pa.table({"description": descriptions, "blendshapes": scores})
        parquet.write_table(table.replace_schema_metadata({"space": "weights"}), folder / f"{split}.parquet")
    return pairs


def published(clip: str, pairs: dict[str, Pairs], epochs: int) -> tuple[float, float]:
    """Seconds of construction, and of all epochs."""
    tokenizer, model = AutoTokenizer.from_pretrained(clip), AutoModel.from_pretrained(clip).eval()
    start = time.perf_counter()
    datasets = {}
    for split, part in {"train": pairs["train"].mirrored(), "validation": pairs["validation"]}.items():
        embeddings = []
        for description in part.descriptions:
            tokens = tokenizer(description, return_tensors="pt", truncation=True)
            with torch.no_grad():
                features = model.get_text_features(tokens["input_ids"], tokens["attention_mask"])
            embeddings.append(features if torch.is_tensor(features) else features.pooler_output)
        datasets[split] = TensorDataset(torch.cat(embeddings), torch.from_numpy(part.expressions))
    constructed = time.perf_counter()
    head = nn.Sequential(
        nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 51), nn.Sigmoid()
    )
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-4)
    for _ in range(epochs):
        for embeddings, labels in DataLoader(datasets["train"], 32, shuffle=True):
            optimizer.zero_grad()
            nn.functional.mse_loss(head(embeddings), labels).backward()
            optimizer.step()
        with torch.no_grad():
            sum(nn.functional.mse_loss(head(part), labels) for part, labels in DataLoader(datasets["validation"], 32))
    return constructed - start, time.perf_counter() - constructed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=400, help="of the training split; the validation has a tenth")
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    epochs = arguments.epochs
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        pairs = write_rows(folder / "rows", {"train": arguments.rows, "validation": max(arguments.rows // 10, 1)})
        clip = save_random_clip(folder / "clip", pairs["train"].descriptions)

        def ours(name: str, epochs: int) -> float:
            settings = [f"model.backbone={clip}", "score=null", "training.disable_tqdm=true", "training.use_cpu=true"]
            settings += ["training.logging_strategy=no", f"training.num_train_epochs={epochs}"]
            start = time.perf_counter()
            train(load_recipe("clip", settings), str(folder / "rows"), folder / name)
            return time.perf_counter() - start

        embedding, steps = published(clip, pairs, epochs)
        first, again, short = ours("first", epochs), ours("again", epochs), ours("short", 1)
    shutil.rmtree(os.environ["HF_HOME"])
    epoch = (again - short) / (epochs - 1)
    table = Table(title=f"{arguments.rows} rows, mirrored, {epochs} epochs, {arguments.threads} threads")
    for column in ("seconds", "embedding", "an epoch without it", "in all", "in all, by epoch"):
        table.add_column(column, justify="left" if column == "seconds" else "right")
    for name, values in {
        "published": (embedding, steps / epochs, embedding + steps),
        "emo3d train, first": (first - again, epoch, first),
        "emo3d train, next": (0.0, epoch, again),
    }.items():
        table.add_row(name, *(f"{value:.3f}" for value in (*values, values[-1] / epochs)))
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
