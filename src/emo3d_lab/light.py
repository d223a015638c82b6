"""The packaged generator without transformers.

The import of transformers takes longer than all else that `emo3d generate` does. The encoder is BERT as transformers
computes it: the numbers are the same to the bit, which a test keeps.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch.nn import functional as F

import emo3d
from emo3d.blendshapes import limit_mouth_close
from emo3d.descriptions import advise, check_descriptions, foreign_rows, warn_of
from emo3d.minilm import packaged_minilm
from emo3d.numerics import fixed_numerics

# `QUICKSTART_FOLDER` of `emo3d.generation.load`, which imports transformers.
_FOLDER = Path(emo3d.__file__).parent / "assets" / "quickstart-generator"


class LightGenerator:
    """The packaged generator, with the numbers of `load_generator().generate`, one description at a time.

    `folder` has MiniLM's configuration, tokenizer and weights.
    """

    def __init__(self, folder: Path) -> None:
        self._weights = load_file(folder / "model.safetensors") | load_file(_FOLDER / "model.safetensors")
        self._config = SimpleNamespace(**json.loads((folder / "config.json").read_text(encoding="utf-8")))
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    @classmethod
    def load(cls) -> LightGenerator | None:
        """Load it; None where its encoder has to come from the Hub (extra `offline` is not installed)."""
        folder = packaged_minilm()
        return cls(folder) if folder else None

    def generate(self, descriptions: Sequence[str]) -> np.ndarray:
        """Generate one expression for every description: (N, 51) float32, weights in 0..1, order `BLENDSHAPES`."""
        descriptions = check_descriptions(descriptions)
        longest = self._config.max_position_embeddings
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch(descriptions)]
        truncated = sum(len(ids) > longest for ids in tokens)
        foreign = foreign_rows(descriptions, tokens, _Vocabulary(self._tokenizer))
        warn_of(len(tokens), truncated, foreign, advice=advise(descriptions[row] for row in foreign))
        norm, *layers, last = sorted({int(name.split(".")[1]) for name in self._weights if name.startswith("head.")})
        with torch.inference_mode(), fixed_numerics():
            rows = [self._embed(ids if len(ids) <= longest else [*ids[: longest - 1], ids[-1]]) for ids in tokens]
            states = self._norm(torch.cat(rows), f"head.{norm}", 1e-5)
            for layer in layers:
                states = F.gelu(self._linear(states, f"head.{layer}"))
            scores = torch.sigmoid(self._linear(states, f"head.{last}")).numpy()
        limit_mouth_close(scores)
        return scores

    def _embed(self, ids: Sequence[int]) -> torch.Tensor:
        tokens = torch.tensor([ids])
        parts = {"word": tokens, "token_type": torch.zeros_like(tokens), "position": torch.arange(len(ids))[None]}
        weights = {name: self._weights[f"embeddings.{name}_embeddings.weight"] for name in parts}
        word, kind, position = (F.embedding(part, weights[name]) for name, part in parts.items())
        states = self._norm(word + kind + position, "embeddings.LayerNorm", self._config.layer_norm_eps)
        for layer in range(self._config.num_hidden_layers):
            states = self._layer(states, f"encoder.layer.{layer}")
        mask = torch.ones(1, len(ids), 1)
        return F.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)

    def _layer(self, states: torch.Tensor, name: str) -> torch.Tensor:
        shape = (1, states.shape[1], self._config.num_attention_heads, -1)
        names = (f"{name}.attention.self.{part}" for part in ("query", "key", "value"))
        query, key, value = (self._linear(states, part).view(shape).transpose(1, 2) for part in names)
        context = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(states.shape)
        context = self._linear(context, f"{name}.attention.output.dense")
        epsilon = self._config.layer_norm_eps
        states = self._norm(context + states, f"{name}.attention.output.LayerNorm", epsilon)
        inner = F.gelu(self._linear(states, f"{name}.intermediate.dense"))
        return self._norm(self._linear(inner, f"{name}.output.dense") + states, f"{name}.output.LayerNorm", epsilon)

    def _linear(self, states: torch.Tensor, name: str) -> torch.Tensor:
        return F.linear(states, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])

    def _norm(self, states: torch.Tensor, name: str, epsilon: float) -> torch.Tensor:
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return F.layer_norm(states, weight.shape, weight, bias, epsilon)


class _Vocabulary:
    """What `is_foreign` asks of a tokenizer of transformers."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._size = tokenizer.get_vocab_size()
        self.all_special_ids = [id for id, token in tokenizer.get_added_tokens_decoder().items() if token.special]
        self.unk_token_id = tokenizer.token_to_id("[UNK]")

    def __len__(self) -> int:
        return self._size
