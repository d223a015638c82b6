"""Rows of the config `clips` as inputs of a `ClipModel`: token states computed once, and frames at the model's rate."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import StackDataset
from tqdm.auto import tqdm

from emo3d.blendshapes import Space
from emo3d.clips import Clip
from emo3d.descriptions import check_descriptions
from emo3d.encoders import TextEmbeddings
from emo3d_lab.clips.rows import clip_of_row
from emo3d_lab.generators import ClipModel, ClipModelConfig
from emo3d_lab.training.data import cached_rows, encoder_digest, mirror_text

logger = logging.getLogger(__name__)

_TEXTS = 64  # encoded at once


def read_clips(rows: Iterable[Mapping[str, Any]], where: str, config: ClipModelConfig) -> list[Clip]:
    """Read clips one row after the other, at the model's rate; what is kept of a second are 5 kB.

    Those without a description or frames, and those longer than the model's `longest`, are left out, with a warning.

    Args:
        rows: of the config `clips`; see `emo3d_lab.clips.rows`.
        where: the dataset's name, for messages.

    Raises:
        ValueError: a missing column, a bad row, no clips, or clips of both spaces; the message says which.
    """
    clips: list[Clip] = []
    lost = {"without a description": 0, "without frames": 0, f"longer than {config.longest:g} s": 0}
    for row in tqdm(rows, "Reading clips", delay=5, leave=False):
        if missing := {"clip_id", "description", "beats", "frames", "length", "rate", "space"} - row.keys():
            raise ValueError(f"expected the columns of the config clips in {where}, it lacks {', '.join(missing)}")
        reasons = [not (row["description"] or "").strip(), not row["length"], False]
        clip = None if any(reasons) else clip_of_row(row)
        reasons[2] = clip is not None and clip.duration > config.longest
        if clip is None or any(reasons):
            lost[[*lost][reasons.index(True)]] += 1
        else:
            clips.append(clip.resample(config.frame_rate))
    for reason, count in lost.items():
        if count:
            logger.warning("%s: left out %d of %d clips %s", where, count, len(clips) + sum(lost.values()), reason)
    if not clips:
        raise ValueError(f"expected clips with descriptions of at most {config.longest:g} s in {where}, it has none")
    if len(spaces := sorted({clip.space for clip in clips})) > 1:
        raise ValueError(f"expected clips of one space in {where}, got {' and '.join(spaces)}: clip.to_weights")
    return clips


def space_of(clips: Sequence[Clip], setting: str | None, where: str) -> Space:
    """The space of clips, which a setting of the recipe must not contradict."""
    if setting not in (None, space := clips[0].space):
        raise ValueError(f"{where} says that its space is {space}, got model.space={setting}")
    return space


def fit_spread(model: ClipModel, clips: Sequence[Clip]) -> None:
    """Keep mean and standard deviation of each channel in the model, the latter 0.05 at least: some hardly move."""
    frames = np.concatenate([clip.frames for clip in clips]).astype(np.float64)
    model.mean.copy_(torch.from_numpy(frames.mean(0)))
    model.spread.copy_(torch.from_numpy(frames.std(0).clip(0.05)))


def prepare_clips(model: ClipModel, clips: Sequence[Clip], mirrored: bool = False) -> tuple[StackDataset, int]:
    """Prepare clips for training: each distinct description goes through the frozen encoder once.

    Args:
        clips: at the model's rate.
        mirrored: whether each also comes with left and right swapped, in the description, too.

    Returns:
        Rows with `states` (L, D) float16 and `labels` (T, 61), for a `ClipCollator`; and how many distinct descriptions
        lost their end, being longer than the encoder's window.
    """
    clips = [*clips, *(clip.mirror() for clip in clips)] if mirrored else list(clips)
    texts = [clip.description or "" for clip in clips]
    half = len(texts) // 2
    texts = texts[:half] + [mirror_text(text) for text in texts[half:]] if mirrored else texts
    states, truncated = _token_states(model, texts)
    columns: dict[str, Any] = {"states": states, "labels": [torch.tensor(clip.frames) for clip in clips]}
    return StackDataset(**columns), truncated


def _token_states(model: ClipModel, texts: list[str]) -> tuple[list[torch.Tensor], int]:
    """Token states of texts, those of distinct ones made once and cached as `cached_embeddings` caches embeddings."""
    encoder = model.text_encoder()
    distinct = sorted(dict.fromkeys(check_descriptions(texts)), key=len)
    whole = encoder.tokenizer(distinct, verbose=False)["input_ids"]
    counts = [min(len(ids), encoder.max_length) for ids in whole]

    def encode(batches: list[str]) -> TextEmbeddings:
        parts = []
        for batch in tqdm(map(json.loads, batches), "Encoding descriptions", len(batches), delay=5, leave=False):
            states, mask = model.embed(batch)
            parts.append(states[mask.bool()].half())
        return TextEmbeddings(torch.cat(parts), 0)

    batches = [json.dumps(distinct[start : start + _TEXTS]) for start in range(0, len(distinct), _TEXTS)]
    name = ["tokens", model.config.encoder, model.config.encoder_revision, encoder_digest(encoder)]
    states = cached_rows(encode, name, batches).embeddings.split(counts)
    places = {text: place for place, text in enumerate(distinct)}
    truncated = sum(len(ids) > encoder.max_length for ids in whole)
    return [states[places[text]] for text in texts], truncated


class ClipCollator:
    """Pads rows of `prepare_clips` to one length: zeros behind token states, the last frame held behind frames."""

    def __init__(self, patch: int) -> None:
        self.patch = patch

    def __call__(self, rows: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
        """What `ClipModel.forward` takes, of the rows of a batch."""
        states = pad_sequence([row["states"].float() for row in rows], batch_first=True)
        counts = torch.tensor([len(row["states"]) for row in rows])
        lengths = torch.tensor([len(row["labels"]) for row in rows])
        most = math.ceil(int(lengths.max()) / self.patch) * self.patch
        held = [torch.cat([row["labels"], row["labels"][-1:].expand(most - len(row["labels"]), -1)]) for row in rows]
        mask = (torch.arange(states.shape[1]) < counts[:, None]).long()
        return {"states": states, "mask": mask, "labels": torch.stack(held), "lengths": lengths}
