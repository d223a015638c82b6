"""From rows of a dataset to what the Trainer feeds a generator: embeddings computed once, or tokens."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from huggingface_hub import cached_assets_path
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch.utils.data import StackDataset
from transformers import PreTrainedModel

from emo3d.backbones import load_backbone
from emo3d.blendshapes import as_expressions, mirror, mirror_text
from emo3d.encoders import TextEmbeddings, check_descriptions, weights_digest
from emo3d.generation import ExpressionModel

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Pairs:
    """What a generator learns from.

    Attributes:
        descriptions: N texts.
        expressions: (N, 51) float32 in 0..1, order `BLENDSHAPES`.
    """

    descriptions: list[str]
    expressions: np.ndarray

    def mirrored(self) -> Pairs:
        """These pairs, then the same with left and right swapped in both: 2 N."""
        texts = [mirror_text(description) for description in self.descriptions]
        return Pairs(self.descriptions + texts, np.concatenate([self.expressions, mirror(self.expressions)]))


def read_pairs(rows: Any, where: str) -> Pairs:
    """Read the columns `description` and `blendshapes` of a `datasets.Dataset`.

    Raises:
        ValueError: a column is missing, or a row is bad; the message says which, and names the dataset by `where`.
    """
    for name in ("description", "blendshapes"):
        if name not in rows.column_names:
            raise ValueError(f"expected a column {name!r} in {where}, got {', '.join(rows.column_names)}")
    try:
        return Pairs(check_descriptions(list(rows["description"])), as_expressions(list(rows["blendshapes"])))
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def prepare(model: PreTrainedModel, pairs: Pairs) -> tuple[StackDataset, int]:
    """Prepare pairs for a model: embeddings where its encoder is frozen, tokens where it learns.

    Returns:
        Rows with `labels` (51,) and either `embeddings` (D,) or `input_ids` and `attention_mask`; and how many
        distinct descriptions lost their end, being longer than the encoder's window.
    """
    config: Any = model.config
    encoder = model.text_encoder() if isinstance(model, ExpressionModel) else None
    if encoder and not config.freeze_encoder:
        tokens = encoder.tokenizer(pairs.descriptions, truncation=True, max_length=encoder.max_length)
        features = {name: tokens[name] for name in ("input_ids", "attention_mask")}
        whole = encoder.tokenizer([*dict.fromkeys(pairs.descriptions)], verbose=False)["input_ids"]
        truncated = sum(len(ids) > encoder.max_length for ids in whole)
    else:
        if encoder:
            encode = encoder.encode
            name = [config.encoder, config.encoder_revision, weights_digest(encoder.model), config.pooling]
            name += [config.normalize, encoder.max_length]
        else:
            backbone: Any = load_backbone(config.backbone, config.backbone_revision, device=str(model.device))
            # Unit length is what every backbone gives; the quickstart's gives nothing else.
            encode = backbone.encode_texts if config.normalize else partial(backbone.encode_texts, normalize=False)
            name = [backbone.id, backbone.revision, config.normalize]
        embedded = cached_embeddings(encode, name, pairs.descriptions)
        features, truncated = {"embeddings": embedded.embeddings}, embedded.truncated
    return StackDataset(**features | {"labels": pairs.expressions}), truncated


def cached_embeddings(
    encode: Callable[[list[str]], TextEmbeddings], name: Sequence[Any], descriptions: Sequence[str]
) -> TextEmbeddings:
    """Embed descriptions, each distinct one once, and keep the embeddings on disk.

    They lie in `huggingface_hub.cached_assets_path("emo3d", namespace="embeddings")`, so below `HF_HOME`, under a hash
    of `name` and the descriptions.

    Args:
        encode: what embeds them.
        name: all that its embeddings depend on, as JSON has it: id, revision or weights, pooling, scaling.
        descriptions: N texts.

    Returns:
        (N, D) float32 on the CPU, and how many of the distinct ones were truncated.
    """
    distinct = {text: index for index, text in enumerate(dict.fromkeys(descriptions))}
    digest = hashlib.sha256(json.dumps([*name, [*distinct]]).encode()).hexdigest()
    found = _read(digest)
    if found is None:
        found = encode([*distinct])
        _write(digest, found)
    rows = torch.tensor([distinct[text] for text in descriptions])
    return TextEmbeddings(found.embeddings.cpu()[rows], found.truncated)


def _read(digest: str) -> TextEmbeddings | None:
    try:
        with safe_open(_file(digest), "pt") as opened:
            return TextEmbeddings(opened.get_tensor("embeddings"), int(opened.metadata()["truncated"]))
    except (OSError, SafetensorError):  # not there yet, or cut short: made anew
        return None


def _write(digest: str, embedded: TextEmbeddings) -> None:
    try:
        file = _file(digest)
        with TemporaryDirectory(dir=file.parent) as unfinished:
            tensors = {"embeddings": embedded.embeddings.cpu().contiguous()}
            save_file(tensors, Path(unfinished, file.name), {"truncated": str(embedded.truncated)})
            os.replace(Path(unfinished, file.name), file)
    except (OSError, SafetensorError) as error:
        logger.warning("the embeddings of %d descriptions are not kept: %s", len(embedded.embeddings), error)


def _file(digest: str) -> Path:
    return cached_assets_path("emo3d", namespace="embeddings") / f"{digest[:32]}.safetensors"
