"""A generator on packaged MiniLM without transformers.

The import of transformers takes longer than all else that `emo3d generate` does. The encoder is BERT as transformers
computes it: the numbers are the same to the bit, which a test keeps.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch.nn import functional as F

import emo3d
from emo3d.blendshapes import BLENDSHAPES, limit_mouth_close
from emo3d.descriptions import advise, foreign_rows, warn_of, warn_of_notes
from emo3d.instructions import apply_instructions, interpret
from emo3d.minilm import MINILM, packaged_minilm
from emo3d.numerics import fixed_numerics
from emo3d.proposals import add_strength, check_strength, join_proposals, leave_rest, read_proposals
from emo3d_lab.tokens import Vocabulary, shorten

# `QUICKSTART_FOLDER` of `emo3d.generation.load`, which imports transformers.
_FOLDER = Path(emo3d.__file__).parent / "assets" / "quickstart-generator"
_KIND = {"model_type": "emo3d-expression", "encoder": MINILM, "encoder_revision": None, "freeze_encoder": True}
_KIND |= {"pooling": "mean", "normalize": True, "space": "weights"}
_ABSENT = {"adapter": None, "proposals": 1, "focus": 1.0, "gain": 1.0}  # of a configuration saved before these fields
_ABSENT |= {"takes_strength": False, "reads_instructions": False}


class LightGenerator:
    """A generator of a folder, with the numbers of `load_generator(folder).generate`, one description at a time.

    Args:
        encoder: folder of MiniLM's configuration, tokenizer and weights.
        folder: of a generator on frozen MiniLM whose space is weights; see `load`.
    """

    def __init__(self, encoder: Path, folder: Path = _FOLDER) -> None:
        self._weights = load_file(encoder / "model.safetensors") | load_file(folder / "model.safetensors")
        self._encoder = SimpleNamespace(**_read(encoder))
        self._config = SimpleNamespace(**(_ABSENT | _read(folder)))
        self._tokenizer = Tokenizer.from_file(str(encoder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        with fixed_numerics():
            for name in self._config.adapter or ():
                out, into = (
                    self._weights[f"adapter.{name.replace('.', '-')}-{side}"].float() for side in ("out", "in")
                )
                self._weights[f"{name}.weight"] = self._weights[f"{name}.weight"] + out @ into

    @classmethod
    def load(cls, folder: Path = _FOLDER) -> LightGenerator | None:
        """Load it; None for another kind of generator, or where the extra `offline` is not installed."""
        encoder = packaged_minilm()
        is_known = _KIND.items() <= _read(folder).items()
        return cls(encoder, folder) if encoder and is_known else None

    def generate(self, descriptions: Sequence[str], *, strength: float = 1.0) -> np.ndarray:
        """Generate one expression for every description: (N, 51) float32, weights in 0..1, order `BLENDSHAPES`.

        `ExpressionModel.generate` says more of the arguments and errors.
        """
        config = self._config
        check_strength(strength, config.takes_strength)
        readings = interpret(descriptions, config.reads_instructions)
        warn_of_notes([reading.notes for reading in readings])
        spoken = [row for row, reading in enumerate(readings) if reading.rest]
        faces = np.zeros((len(readings), len(BLENDSHAPES)), np.float32)
        if spoken:
            with torch.inference_mode(), fixed_numerics():
                embeddings = self._encode([readings[row].rest for row in spoken], spoken)
                faces[spoken] = self._answer(embeddings, strength).float().numpy()
        for row, reading in enumerate(readings):
            if reading.instructions:
                faces[row] = apply_instructions(faces[row], reading.instructions, strength)
        limit_mouth_close(faces)
        return faces

    def _answer(self, embeddings: torch.Tensor, strength: float) -> torch.Tensor:
        answers = self._ask_head(embeddings, strength)
        if strength < 1:
            at_rest = self._ask_head(embeddings, 0.0)
            answers = leave_rest(answers, at_rest, torch.full((len(answers),), float(strength)))
        return answers

    def _ask_head(self, embeddings: torch.Tensor, strength: float) -> torch.Tensor:
        config = self._config
        norm, *layers, last = sorted({int(name.split(".")[1]) for name in self._weights if name.startswith("head.")})
        states = embeddings.to(self._weights[f"head.{norm}.weight"].dtype)
        if config.takes_strength:
            states = add_strength(states, torch.full((len(states),), float(strength)))
        states = self._norm(states, f"head.{norm}", 1e-5)
        for layer in layers:
            states = F.gelu(self._linear(states, f"head.{layer}"))
        scores = self._linear(states, f"head.{last}")
        if config.proposals == 1:
            return scores.sigmoid()
        return join_proposals(*read_proposals(scores, config.proposals), config.focus, config.gain)[0]

    def _encode(self, texts: Sequence[str], rows: Sequence[int]) -> torch.Tensor:
        """Embed texts (N, 384), and warn of those that are cut or hardly known, by the rows that they come from."""
        longest = self._encoder.max_position_embeddings
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch(texts)]
        truncated = sum(len(ids) > longest for ids in tokens)
        foreign = foreign_rows(texts, tokens, Vocabulary(self._tokenizer))
        advice = advise(texts[place] for place in foreign)
        warn_of(len(tokens), truncated, [rows[place] for place in foreign], advice=advice)
        return torch.cat([self._embed(shorten(ids, longest)) for ids in tokens])

    def _embed(self, ids: Sequence[int]) -> torch.Tensor:
        tokens = torch.tensor([ids])
        parts = {"word": tokens, "token_type": torch.zeros_like(tokens), "position": torch.arange(len(ids))[None]}
        weights = {name: self._weights[f"embeddings.{name}_embeddings.weight"] for name in parts}
        word, kind, position = (F.embedding(part, weights[name]) for name, part in parts.items())
        states = self._norm(word + kind + position, "embeddings.LayerNorm", self._encoder.layer_norm_eps)
        for layer in range(self._encoder.num_hidden_layers):
            states = self._layer(states, f"encoder.layer.{layer}")
        mask = torch.ones(1, len(ids), 1)
        return F.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)

    def _layer(self, states: torch.Tensor, name: str) -> torch.Tensor:
        shape = (1, states.shape[1], self._encoder.num_attention_heads, -1)
        names = (f"{name}.attention.self.{part}" for part in ("query", "key", "value"))
        query, key, value = (self._linear(states, part).view(shape).transpose(1, 2) for part in names)
        context = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(states.shape)
        context = self._linear(context, f"{name}.attention.output.dense")
        epsilon = self._encoder.layer_norm_eps
        states = self._norm(context + states, f"{name}.attention.output.LayerNorm", epsilon)
        inner = F.gelu(self._linear(states, f"{name}.intermediate.dense"))
        return self._norm(self._linear(inner, f"{name}.output.dense") + states, f"{name}.output.LayerNorm", epsilon)

    def _linear(self, states: torch.Tensor, name: str) -> torch.Tensor:
        return F.linear(states, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])

    def _norm(self, states: torch.Tensor, name: str, epsilon: float) -> torch.Tensor:
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return F.layer_norm(states, weight.shape, weight, bias, epsilon)


def _read(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "config.json").read_text(encoding="utf-8"))
