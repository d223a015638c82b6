"""What a generator is made of, as far as a graph needs it: an encoder of texts, and a head."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from emo3d.backbones import load_backbone
from emo3d.blendshapes import Space
from emo3d.encoders import MINILM, embed_tokens
from emo3d.generation.model import ExpressionModel
from emo3d.multilingual import MULTILINGUAL
from emo3d_lab.generators import ClipExpressionModel, VaeClipModel

LICENCES = {MINILM: "Apache-2.0", MULTILINGUAL: "Apache-2.0", "openai/clip-vit-base-patch32": "MIT"}
"""Of encoders that are known here."""


@dataclass(frozen=True)
class Encoder:
    """A text encoder that can become a graph."""

    modules: list[nn.Module]
    embed: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # tokens and mask (N, L) -> (N, D)
    tokenizer: Any
    window: int  # tokens


@dataclass(frozen=True)
class Parts:
    """A generator in parts."""

    head: nn.Module
    answer: Callable[..., torch.Tensor]  # embeddings (N, D), and strengths (N,) where it takes them -> (N, 51)
    width: int  # D
    space: Space
    takes_strength: bool
    reads_instructions: bool
    encoder_name: str
    encoder: Encoder | None
    obstacle: str = ""  # why there is no encoder


def read_parts(generator: Any, head_alone: bool = False) -> Parts:
    """Take a generator of `load_generator` apart; copies, in float32 on the CPU.

    Args:
        head_alone: leave the encoder out, which need not be here then.

    Raises:
        ValueError: a generator without a head.
        EncoderUnavailableError: its encoder cannot be loaded.
    """
    if not isinstance(generator, ExpressionModel | ClipExpressionModel | VaeClipModel):
        raise ValueError(
            f"expected a generator that is a network from texts to expressions, got a {type(generator).__name__}: "
            "quickstart, models of `emo3d train`, and converted baselines can be exported"
        )
    config = generator.config
    model = copy.deepcopy(generator).cpu().float().eval()
    name = str(config.encoder if isinstance(generator, ExpressionModel) else config.backbone)
    encoder, obstacle = None, ""
    if not head_alone and name == MULTILINGUAL:
        obstacle = f"the encoder {name} is NumPy code that no ONNX can be made of"
    elif not head_alone:
        encoder, obstacle = _text_encoder(generator) if isinstance(generator, ExpressionModel) else _backbone(config)
    answer: Any
    if isinstance(model, ExpressionModel):
        head: nn.Module = model.head

        def answer(embeddings: torch.Tensor, *strength: torch.Tensor) -> torch.Tensor:
            return model(embeddings=embeddings, strength=strength[0] if strength else None).expressions
    elif isinstance(model, VaeClipModel):
        head = model.decoder

        def answer(embeddings: torch.Tensor) -> torch.Tensor:
            return model.decoder(config.embedding_scale * embeddings)
    else:
        head = model.network

        def answer(embeddings: torch.Tensor) -> torch.Tensor:
            return model(embeddings).expressions

    return Parts(
        head,
        answer,
        config.embedding_size,
        config.space,
        getattr(config, "takes_strength", False),
        getattr(config, "reads_instructions", False),
        name,
        encoder,
        obstacle,
    )


def _text_encoder(generator: ExpressionModel) -> tuple[Encoder, str]:
    encoder, config = generator.text_encoder(), generator.config
    model = _plain(encoder.model)

    def embed(input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return embed_tokens(model, input_ids, attention_mask, config.pooling, config.normalize)

    return Encoder([model], embed, encoder.tokenizer, encoder.max_length), ""


def _backbone(config: Any) -> tuple[Encoder | None, str]:
    backbone: Any = load_backbone(config.backbone, config.backbone_revision)
    if hasattr(backbone, "_texts"):  # the packaged one: a head on MiniLM
        texts, head = backbone._texts, copy.deepcopy(backbone._head).eval()
        model = _plain(texts.model)

        def embed(input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            return head(embed_tokens(model, input_ids, attention_mask, texts.pooling, texts.normalize))

        return Encoder([model, head], embed, texts.tokenizer, texts.max_length), ""
    kind = backbone.model.config.model_type
    if kind.startswith("siglip"):
        return None, f"the encoder {config.backbone} reads texts filled up to its window, which no runtime here does"
    model = _plain(backbone.model)

    def embed_features(input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        features = model.get_text_features(input_ids=input_ids, attention_mask=attention_mask)
        features = features if torch.is_tensor(features) else features.pooler_output
        return nn.functional.normalize(features, dim=-1) if config.normalize else features

    return Encoder([model], embed_features, backbone.tokenizer, backbone.max_length), ""


def _plain(model: nn.Module) -> Any:
    """A copy whose attention is written out: its graph is smaller than that of a fused one."""
    model = copy.deepcopy(model).cpu().float().eval()
    model.set_attn_implementation("eager")  # type: ignore[operator]
    return model
