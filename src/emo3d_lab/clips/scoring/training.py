"""Train the embedder of clips and texts on synthetic clips, and measure it on held-out words.

A contrastive loss (Radford et al. 2021, "CLIP") over the batch; and every clip of several beats comes with one that has
the same beats in another order, which its text must not match: performed anew, cut at its beats, or played backwards.
"""

from __future__ import annotations

import json
import logging
import platform
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy, softplus
from tqdm.auto import tqdm

from emo3d.clips import Clip
from emo3d.encoders import MINILM, load_text_encoder
from emo3d_lab.clips.scoring.embedder import (
    EMBEDDER,
    ClipEmbedder,
    ClipSide,
    TextSide,
    pad_parts,
    prepare_frames,
    token_embeddings,
)
from emo3d_lab.clips.scoring.field import embedding_numbers
from emo3d_lab.quickstart.steps import take_steps
from emo3d_lab.sample.clips import Part, act, describe_beats
from emo3d_lab.sample.rows import belongs

logger = logging.getLogger(__name__)

ROWS, EPOCHS = 6_000, 14
"""Texts to train on, and passes over them."""
TEST_ROWS = 600
PART = "clip-embedder"
"""Its name among the packaged parts."""
DISORDERS = ("performed", "cut", "backwards")
"""Ways in which a clip's beats come in another order."""

_BATCH, _FEWEST = 96, 32
_PERFORMANCES = 2  # clips of each training text, of which a pass takes one
_SMALLEST = 0.02  # standard deviation of a channel that hardly moves
_ORDER = 2.0  # weight of telling a clip from its disorder, beside the contrast of the batch
_PERFORMED = 0.6  # of disorders; the others show by seams, or by how faces come and go, and not by their order alone
_FADE = 0.2  # seconds, between beats of a clip that is cut


@dataclass(frozen=True)
class Example:
    """A text, clips of it, and clips of its beats in another order: none where it has one beat."""

    description: str
    clips: tuple[Clip, ...]
    disorders: dict[str, Clip]  # by `DISORDERS`


class Tensors(NamedTuple):
    """Examples as both sides take them."""

    tokens: list[torch.Tensor]  # of each text (L, 384)
    clips: list[list[torch.Tensor]]  # of each text, frames (T, 61)
    disorders: list[list[torch.Tensor]]


def make_examples(split: str, count: int, seed: int = 0, performances: int = 1) -> Iterator[Example]:
    """Make examples of texts of a split of the synthetic clips, as `emo3d_lab.sample.clips.make_clips` makes them."""
    rng = np.random.default_rng([seed, 62, ("train", "validation", "test").index(split)])
    descriptions: set[str] = set()
    while len(descriptions) < count:
        description, parts = describe_beats(rng, held_out=split == "test")
        if description in descriptions or not belongs(description, split):
            continue
        descriptions.add(description)
        clips = tuple(act(description, parts, rng) for _ in range(performances))
        yield Example(description, clips, disorder(clips[0], parts, rng))


def disorder(clip: Clip, parts: Sequence[Part], rng: np.random.Generator) -> dict[str, Clip]:
    """The clip's beats in another order, in each of the `DISORDERS`; none where no order shows other emotions."""
    emotions = [beat.intensities for beat in clip.beats]
    for order in map(rng.permutation, [len(parts)] * 8):
        if [emotions[place] for place in order] != emotions:
            break
    else:
        return {}
    performed = act(clip.description or "", [parts[place] for place in order], rng)
    starts = [round(beat.start * clip.rate) for beat in clip.beats]
    pieces = [clip[start:stop] for start, stop in zip([0, *starts[1:]], [*starts[1:], len(clip)], strict=True)]
    fade = min(_FADE, *(piece.duration for piece in pieces))
    clips = {"performed": performed, "cut": Clip.concatenate([pieces[place] for place in order], fade)}
    if emotions != emotions[::-1]:
        clips["backwards"] = replace(clip, frames=clip.frames[::-1], beats=())
    return clips


def train_embedder(
    out: str | Path, seed: int = 0, *, rows: int = ROWS, epochs: int = EPOCHS, test_rows: int = TEST_ROWS
) -> dict[str, float]:
    """Train the embedder of clips from nothing, and write `model.safetensors` and `config.json`.

    Args:
        out: folder, made where there is none.
        seed: decides clips, first weights and batches.
        rows: texts of the train split, at least a batch of 96.
        epochs: passes over them.
        test_rows: texts of the test split to measure on, at least 32.

    Returns:
        Its quality, as it is also written into `config.json`: see `measure`.

    Raises:
        ValueError: too few rows.
        EncoderUnavailableError: all-MiniLM-L6-v2 is not installed.
    """
    if rows < _BATCH or test_rows < _FEWEST:
        raise ValueError(f"expected {_BATCH} rows or more, and {_FEWEST} for the test, got {rows} and {test_rows}")
    start = time.monotonic()
    tensors = encode_examples(make_examples("train", rows, seed, _PERFORMANCES), rows)
    logger.info("clips made and read after %.0f s", time.monotonic() - start)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        sides = fit(tensors, epochs, np.random.default_rng(seed))
    logger.info("embedder trained after %.0f s", time.monotonic() - start)
    quality = measure(ClipEmbedder(EMBEDDER, *sides, "untitled"), make_examples("test", test_rows, seed), seed)
    about = {
        "training_data": f"synthetic clips of emo3d, {rows}, seed {seed}",
        "test_rows": test_rows,
        "test_quality": quality,
        "versions": {name: version(name) for name in ("emo3d", "torch", "transformers")}
        | {"python": platform.python_version()},
    }
    save_embedder(sides, Path(out), about)
    return quality


def encode_examples(examples: Iterator[Example], count: int) -> Tensors:
    """Frames of the clips, and MiniLM's tokens of the texts in 16 bits, for there are many."""
    encoder, tensors = load_text_encoder(MINILM), Tensors([], [], [])
    texts: list[str] = []
    for example in tqdm(examples, "Making clips", count, delay=2, leave=False):
        texts.append(example.description)
        tensors.clips.append([prepare_frames(clip) for clip in example.clips])
        tensors.disorders.append([prepare_frames(clip) for clip in example.disorders.values()])
    tokens: dict[int, torch.Tensor] = {}
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    for place in tqdm(range(0, len(order), 64), "Reading texts", delay=2, leave=False):
        batch = order[place : place + 64]
        states = token_embeddings([texts[row] for row in batch], encoder)
        tokens |= {row: state.half() for row, state in zip(batch, states, strict=True)}
    tensors.tokens.extend(tokens[row] for row in range(len(texts)))
    return tensors


def fit(tensors: Tensors, epochs: int, rng: np.random.Generator) -> tuple[ClipSide, TextSide]:
    """Fit both sides; weights are rounded to the 16 bits in which they are stored."""
    clips, texts = ClipSide(), TextSide()
    frames = torch.cat([performance for row in tensors.clips for performance in row])
    clips.mean.copy_(frames.mean(0))
    clips.scale.copy_(1 / frames.std(0).clamp(min=_SMALLEST))
    log_scale = torch.nn.Parameter(torch.tensor(2.7))
    parameters = [*clips.parameters(), *texts.parameters(), log_scale]
    lengths = torch.tensor([float(len(row[0])) for row in tensors.clips])
    for batch in take_steps(parameters, lengths, epochs, _BATCH, 2e-3, "Training the embedder"):
        rows = batch.tolist()
        told = texts(*pad_parts([tensors.tokens[row].float() for row in rows]))
        own = [_draw(tensors.clips[row], rng) for row in rows]
        several = torch.tensor([place for place, row in enumerate(rows) if tensors.disorders[row]])
        wrong = [_draw_disorder(tensors.disorders[rows[place]], rng) for place in several]
        shown = clips(*pad_parts([*own, *wrong]))
        similarity = told @ shown.T * log_scale.exp().clamp(max=100)
        target = torch.arange(len(rows))
        contrast = cross_entropy(similarity, target) + cross_entropy(similarity[:, : len(rows)].T, target)
        beside = similarity[several, several] - similarity[several, len(rows) + torch.arange(len(several))]
        (contrast + _ORDER * softplus(-beside).mean()).backward()
    for side in (clips, texts):
        for tensor in side.state_dict().values():
            tensor.copy_(tensor.half())
    return clips.eval(), texts.eval()


def measure(embedder: ClipEmbedder, examples: Iterator[Example], seed: int = 0) -> dict[str, float]:
    """How well clips and texts find each other.

    Returns:
        `r_precision_1`, `_2`, `_3` and `mm_distance`, see `field_numbers`; `order_...`: of the clips of several beats,
        the share that is nearer to its text than the same beats in another order, for each of `DISORDERS`.
    """
    rows = list(examples)
    texts = [row.description for row in rows]
    told, shown = embedder.encode_texts(texts), embedder.encode_clips([row.clips[0] for row in rows])
    numbers = embedding_numbers(shown, shown, told, texts, seed=seed)
    quality = {name: numbers[name] for name in ("r_precision_1", "r_precision_2", "r_precision_3", "mm_distance")}
    for name in DISORDERS:
        places = [place for place, row in enumerate(rows) if name in row.disorders]
        wrong = embedder.encode_clips([rows[place].disorders[name] for place in places])
        nearer = (told[places] * shown[places]).sum(1) > (told[places] * wrong).sum(1)
        quality[f"order_{name}"] = float(nearer.mean())
    return {name: round(value, 4) for name, value in quality.items()}


def save_embedder(sides: tuple[ClipSide, TextSide], folder: Path, about: dict[str, Any]) -> None:
    """Write `model.safetensors`, in 16 bits, and `config.json` with what is to be known about the training."""
    folder.mkdir(parents=True, exist_ok=True)
    named = zip(("clips.", "texts."), sides, strict=True)
    tensors = {prefix + name: tensor for prefix, side in named for name, tensor in side.state_dict().items()}
    save_file({name: tensor.half().contiguous() for name, tensor in tensors.items()}, folder / "model.safetensors")
    shapes = {"clips": {"width": 96, "dimension": 64}, "texts": {"width": 96, "dimension": 64}}
    config = {"name": EMBEDDER, **shapes, "text_encoder": MINILM, "trained": about}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def _draw(parts: Sequence[torch.Tensor], rng: np.random.Generator) -> torch.Tensor:
    return parts[int(rng.integers(len(parts)))]


def _draw_disorder(parts: Sequence[torch.Tensor], rng: np.random.Generator) -> torch.Tensor:
    """One of a clip's disorders, of which the first is performed."""
    return parts[0] if rng.random() < _PERFORMED else _draw(parts[1:], rng)
