"""The packaged embedder `emo3d-clips-1`: clips and texts in one space of 64, in which order matters.

Its two sides are small recurrent networks, one over a clip's channels and one over the tokens of all-MiniLM-L6-v2,
whose sentence embedding hardly tells "sad, then glad" from "glad, then sad". `training.py` beside it trains them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn.functional import normalize
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from emo3d.clips import CHANNELS, Clip
from emo3d.descriptions import check_descriptions
from emo3d.documents import read_model_json
from emo3d.encoders import MINILM, TextEncoder, load_text_encoder
from emo3d.loading import damage_explained, loaded_once
from emo3d.numerics import fixed_numerics

EMBEDDER = "emo3d-clips-1"
EMBEDDER_FOLDER = Path(__file__).parents[2] / "assets" / "clip-embedder"
RATE = 20.0
"""Frames per second at which the embedder sees a clip."""

PLACES = 4
"""Parts of a clip or text, from its beginning to its end, of which the embedding holds which is which."""

_WIDTH = 384  # of MiniLM's tokens
_BATCH = 64


class ClipSide(nn.Module):
    """Frames of clips -> embeddings. Two convolutions look at 0.65 s, a network in both directions at their order."""

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, channels: int = len(CHANNELS), width: int = 96, dimension: int = 64) -> None:
        super().__init__()
        self.dimension = dimension
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("scale", torch.ones(channels))
        self.convolutions = nn.ModuleList([nn.Conv1d(channels, width, 5, 2, 2), nn.Conv1d(width, width, 5, 2, 2)])
        self.dropout = nn.Dropout(0.1)
        self.recurrent = nn.GRU(width, width, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * (PLACES + 1) * width, dimension)

    def forward(self, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Embed frames (N, T, 61) at 20 fps, of which each clip has its length (N,): (N, D) of unit length."""
        values = ((frames - self.mean) * self.scale).transpose(1, 2)
        for convolution in self.convolutions:
            values = torch.where(_mask(lengths, values.shape[2])[:, None], values, 0.0)
            values, lengths = convolution(values).relu(), (lengths + 1) // 2
        return normalize(self.head(_read(self.recurrent, self.dropout(values.transpose(1, 2)), lengths)), dim=1)


class TextSide(nn.Module):
    """Tokens of MiniLM -> embeddings: a network in both directions reads what comes after what."""

    def __init__(self, tokens: int = _WIDTH, width: int = 96, dimension: int = 64) -> None:
        super().__init__()
        self.dimension = dimension
        self.reduction = nn.Linear(tokens, width)
        self.dropout = nn.Dropout(0.2)
        self.recurrent = nn.GRU(width, width, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * (PLACES + 1) * width, dimension)

    def forward(self, tokens: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Embed tokens (N, L, 384), of which each text has its length (N,): (N, D) of unit length."""
        values = self.dropout(self.reduction(tokens).relu())
        return normalize(self.head(_read(self.recurrent, values, lengths)), dim=1)


class ClipEmbedder:
    """Clips and texts to embeddings of one space; `load_embedder` loads one.

    Args:
        name: goes into signatures, with `hash`.
        clips: in evaluation mode, as `texts`.
        hash: eight hexadecimal digits of the weights' SHA-256.
    """

    def __init__(self, name: str, clips: ClipSide, texts: TextSide, hash: str) -> None:
        self.name, self.clips, self.texts, self.hash = name, clips.eval(), texts.eval(), hash

    def __str__(self) -> str:
        return f"embedder:{self.name}/{self.hash}"

    @torch.inference_mode()
    def encode_clips(self, clips: Sequence[Clip]) -> np.ndarray:
        """Embed N clips of any rates, lengths and spaces: (N, 64) float32 of unit length.

        Readings are calibrated, and every clip is resampled to 20 fps.
        """
        frames = [prepare_frames(clip) for clip in clips]
        return self._embed(self.clips, [len(part) for part in frames], lambda rows: [frames[row] for row in rows])

    @torch.inference_mode()
    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Embed N texts: (N, 64) float32 of unit length.

        Raises:
            ValueError: an empty text.
            EncoderUnavailableError: all-MiniLM-L6-v2 is not installed (extra `offline`).
        """
        texts, encoder = check_descriptions(texts), load_text_encoder(MINILM)
        lengths = [len(text) for text in texts]
        return self._embed(self.texts, lengths, lambda rows: token_embeddings([texts[row] for row in rows], encoder))

    def _embed(self, side: ClipSide | TextSide, lengths: Sequence[int], parts: Any) -> np.ndarray:
        """Embed in batches of similar length, in the order given."""
        embeddings = np.zeros((len(lengths), side.dimension), np.float32)
        order = np.argsort(lengths, kind="stable")
        with fixed_numerics():
            for start in range(0, len(order), _BATCH):
                rows = order[start : start + _BATCH]
                embeddings[rows] = side(*pad_parts(parts(rows))).numpy()
        return embeddings


def load_embedder(name: str | os.PathLike[str] = EMBEDDER) -> ClipEmbedder:
    """Load an embedder, once.

    Args:
        name: `"emo3d-clips-1"` (packaged), or a folder that `emo3d retrain --part clip-embedder` wrote.

    Raises:
        ValueError: no such embedder, or one that is damaged.
    """
    return _load(EMBEDDER_FOLDER if str(name) == EMBEDDER else Path(name))


@loaded_once(maxsize=4)
def _load(folder: Path) -> ClipEmbedder:
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise ValueError(f"expected {EMBEDDER} or a folder with model.safetensors, got {folder}")
    with damage_explained("embedder", str(folder)):
        config = read_model_json(folder / "config.json")
        sides = ClipSide(**config["clips"]), TextSide(**config["texts"])
        tensors = load_file(weights)
        for prefix, side in zip(("clips.", "texts."), sides, strict=True):
            own = {key.removeprefix(prefix): value.float() for key, value in tensors.items() if key.startswith(prefix)}
            side.load_state_dict(own)
        return ClipEmbedder(config["name"], *sides, hashlib.sha256(weights.read_bytes()).hexdigest()[:8])


def prepare_frames(clip: Clip) -> torch.Tensor:
    """Frames as the embedder sees them: (T, 61) float32, weights, at `RATE`."""
    weights = clip if clip.space == "weights" else clip.to_weights()
    return torch.from_numpy(weights.resample(RATE).frames.copy())


@torch.inference_mode()
def token_embeddings(texts: Sequence[str], encoder: TextEncoder) -> list[torch.Tensor]:
    """MiniLM's tokens of each text, the special ones too: (L, 384) float32 each, L of at most its window."""
    tokens = encoder.tokenize(texts)
    states = encoder.model(**tokens).last_hidden_state.float()
    return [state[:length] for state, length in zip(states, tokens["attention_mask"].sum(1).tolist(), strict=True)]


def pad_parts(parts: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Sequences (T, C) of different lengths as (N, longest, C), padded with 0, and their lengths (N,)."""
    return pad_sequence(list(parts), batch_first=True), torch.tensor([len(part) for part in parts])


def _read(recurrent: nn.GRU, values: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Run a recurrent network over (N, T, C) of these lengths (N,): its means about `PLACES` places, and its maximum.

    Returns:
        (N, (PLACES + 1) * outputs). A place is a part of the clip or text, from its first to its last.
    """
    packed = pack_padded_sequence(values, lengths, batch_first=True, enforce_sorted=False)
    outputs, _ = pad_packed_sequence(recurrent(packed)[0], batch_first=True)
    mask = _mask(lengths, outputs.shape[1])
    way = (torch.arange(outputs.shape[1]) + 0.5) / lengths[:, None] * PLACES - 0.5  # 0 in the middle of the first
    weights = (1 - (way[..., None] - torch.arange(PLACES)).abs()).clamp(min=0) * mask[..., None]  # (N, T, PLACES)
    weights = weights + 1e-3 * mask[..., None]  # short ones have places without a step
    means = (weights / weights.sum(1, keepdim=True)).transpose(1, 2) @ outputs
    return torch.cat([means.flatten(1), torch.where(mask[..., None], outputs, -1.0).amax(1)], dim=1)


def _mask(lengths: torch.Tensor, longest: int) -> torch.Tensor:
    return torch.arange(longest) < lengths[:, None]
