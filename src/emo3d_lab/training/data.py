"""Rows of a dataset as inputs of a generator: embeddings computed once, or tokens."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub import cached_assets_path
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch.utils.data import StackDataset
from tqdm.auto import tqdm
from transformers import PreTrainedModel

from emo3d.backbones import load_backbone
from emo3d.blendshapes import as_expressions, mirror
from emo3d.descriptions import check_descriptions
from emo3d.encoders import SAVER_KEYS, TextEmbeddings, TextEncoder, weights_digest
from emo3d.files import whole_file
from emo3d.generation import ExpressionModel
from emo3d.hints import warn_not_kept
from emo3d.multilingual import MULTILINGUAL_SHA256, MultilingualEncoder
from emo3d_lab.generators import VaeClipModel
from emo3d_lab.training.pictures import Pictures

logger = logging.getLogger(__name__)

_LEFT_RIGHT = {"Left": "Right", "Right": "Left", "left": "right", "right": "left", "LEFT": "RIGHT", "RIGHT": "LEFT"}
_PICTURES = 64  # decoded at once


@dataclass(frozen=True, eq=False)
class Pairs:
    """Training data of a generator: N rows, each a description and an expression of it.

    Attributes:
        descriptions: N texts.
        expressions: (N, 51) float32 in 0..1, order `BLENDSHAPES`.
        intensities: N, as `read_references` takes them; None where the dataset has none.
        pictures: N; None where they are not needed.
    """

    descriptions: list[str]
    expressions: np.ndarray
    intensities: list[Any] | None = None
    pictures: Pictures | None = None

    def mirrored(self) -> Pairs:
        """These pairs, then the same with left and right swapped in description, expression and picture: 2 N."""
        return Pairs(
            self.descriptions + [mirror_text(description) for description in self.descriptions],
            np.concatenate([self.expressions, mirror(self.expressions)]),
            self.intensities and self.intensities * 2,
            self.pictures and self.pictures.mirrored(),
        )

    def references(self) -> dict[str, Any]:
        """The pairs as columns for `read_references`."""
        intensities = {} if self.intensities is None else {"intensities": self.intensities}
        return {"description": self.descriptions, "blendshapes": self.expressions, **intensities}


def read_pairs(rows: Any, where: str, *, pictures: bool = False) -> Pairs:
    """Read pairs from a `datasets.Dataset`.

    Its rows have either `description`, a text, or `descriptions`, several (as those of the config "default" of a built
    release have), and each gives a pair with the row's `blendshapes`. Of the latter, rows without an expression, in
    whose pictures no face was found, are left out, with a warning.

    Args:
        rows: with these columns, and `intensities` and `image` where they are needed.
        where: the dataset's name, for messages.
        pictures: whether the pairs come with the column `image`.

    Raises:
        ValueError: a column is missing, or a row is bad; the message says which.
    """
    names = rows.column_names
    several = "description" not in names and "descriptions" in names
    for name in ("descriptions" if several else "description", "blendshapes", *(["image"] if pictures else [])):
        if name not in names:
            raise ValueError(f"expected a column {name!r} in {where}, got {', '.join(names)}")
    expressions = list(rows["blendshapes"])
    places = [*range(len(expressions))]
    if several:
        places = [place for place in places if expressions[place] is not None]
        if len(places) < len(expressions):
            omission = f"{len(expressions) - len(places)} of {len(expressions)} rows without an expression"
            logger.warning("%s: left out %s", where, omission)
            where = f"{where}, without its {omission}"
    texts = list(rows["descriptions"]) if several else [[text] for text in rows["description"]]
    texts = [texts[place] for place in places]
    try:
        vectors = as_expressions([expressions[place] for place in places])
        descriptions = check_descriptions([text for group in texts for text in group])
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    counts = [len(group) for group in texts]
    place_of_pair = np.repeat(places, counts).tolist()
    intensities = list(rows["intensities"]) if "intensities" in names else None
    return Pairs(
        descriptions,
        np.repeat(vectors, counts, axis=0),
        intensities and [intensities[place] for place in place_of_pair],
        Pictures.of(rows, place_of_pair) if pictures else None,
    )


def prepare(model: PreTrainedModel, pairs: Pairs, inputs: str = "descriptions") -> tuple[StackDataset, int]:
    """Prepare pairs for a model: embeddings where its encoder is frozen, tokens where it learns.

    Args:
        model: one of `emo3d.generation`.
        pairs: N rows, with pictures where `inputs` needs them.
        inputs: what is embedded, for models that start from a dual encoder. Of `"both"` a `VaeClipModel` gets two
            embeddings in each row; a `ClipExpressionModel` gets 2 N rows, first those of descriptions.

    Returns:
        Rows with `labels` (51,) and what the model's `forward` takes besides: `embeddings` (D,), `text_embeddings` and
        `picture_embeddings`, or `input_ids` and `attention_mask`; and how many distinct descriptions lost their end,
        being longer than the encoder's window.

    Raises:
        ValueError: no pictures, or one that cannot be read; the message says in which row.
    """
    labels: Any = pairs.expressions
    features: dict[str, Any] = {}
    truncated = 0
    if isinstance(model, ExpressionModel):
        if model.config.freeze_encoder:
            features["embeddings"], truncated = _embed_by_text_encoder(model, pairs.descriptions)
        else:
            features, truncated = _tokenize(model.text_encoder(), pairs.descriptions)
        return StackDataset(**features, labels=labels), truncated
    if inputs != "pictures":
        features["text_embeddings"], truncated = _embed_by_backbone(model, pairs.descriptions)
    if inputs != "descriptions":
        if pairs.pictures is None:
            raise ValueError(f"expected pairs with pictures for inputs {inputs!r}, got none")
        features["picture_embeddings"] = _embed_pictures(model, pairs.pictures)
    if not isinstance(model, VaeClipModel):
        labels = np.concatenate([labels] * len(features))
        features = {"embeddings": torch.cat([*features.values()])}
    return StackDataset(**features, labels=labels), truncated


def _tokenize(encoder: TextEncoder, descriptions: list[str]) -> tuple[dict[str, Any], int]:
    tokens = encoder.tokenizer(descriptions, truncation=True, max_length=encoder.max_length)
    whole = encoder.tokenizer([*dict.fromkeys(descriptions)], verbose=False)["input_ids"]
    truncated = sum(len(ids) > encoder.max_length for ids in whole)
    return {name: tokens[name] for name in ("input_ids", "attention_mask")}, truncated


def _embed_by_text_encoder(model: ExpressionModel, descriptions: list[str]) -> tuple[torch.Tensor, int]:
    config, encoder = model.config, model.text_encoder()
    name = [config.encoder, config.encoder_revision, encoder_digest(encoder), config.pooling]
    result = cached_embeddings(encoder.encode, [*name, config.normalize, encoder.max_length], descriptions)
    return result.embeddings, result.truncated


def _embed_by_backbone(model: Any, descriptions: list[str]) -> tuple[torch.Tensor, int]:
    backbone, name = _backbone(model)
    # Unit length is what every backbone gives; the quickstart's gives nothing else.
    options = {} if model.config.normalize else {"normalize": False}
    result = cached_embeddings(partial(backbone.encode_texts, **options), name, descriptions)
    return result.embeddings, result.truncated


def _embed_pictures(model: Any, pictures: Pictures) -> torch.Tensor:
    keys = pictures.keys()
    index = {key: place for place, key in enumerate(keys)}

    def encode(distinct: list[str]) -> TextEmbeddings:
        parts = []
        for start in tqdm(range(0, len(distinct), _PICTURES), "Encoding pictures", delay=5, leave=False):
            batch = [pictures.read(index[key]) for key in distinct[start : start + _PICTURES]]
            parts.append(model.embed(pictures=batch))
        return TextEmbeddings(torch.cat(parts), 0)

    return cached_embeddings(encode, ["pictures", *_backbone(model)[1]], keys).embeddings


def _backbone(model: Any) -> tuple[Any, list[Any]]:
    config = model.config
    backbone = load_backbone(config.backbone, config.backbone_revision, device=str(model.device))
    return backbone, [backbone.id, backbone.revision, config.normalize]


def cached_embeddings(
    encode: Callable[[list[str]], TextEmbeddings], name: Sequence[Any], keys: Sequence[str]
) -> TextEmbeddings:
    """Embed descriptions or pictures, each distinct one once, and cache the embeddings on disk.

    The cache is `huggingface_hub.cached_assets_path("emo3d", namespace="embeddings")`, so below `HF_HOME`, under a hash
    of `name` and `keys`.

    Args:
        encode: what embeds them, by their keys.
        name: all that its embeddings depend on, as JSON has it: id, revision or weights, pooling, scaling.
        keys: N descriptions, or N strings that tell pictures apart.

    Returns:
        (N, D) float32 on the CPU, and how many of the distinct ones were truncated.
    """
    distinct = {key: index for index, key in enumerate(dict.fromkeys(keys))}
    result = cached_rows(encode, name, [*distinct])
    rows = torch.tensor([distinct[key] for key in keys])
    return TextEmbeddings(result.embeddings[rows], result.truncated)


def cached_rows(encode: Callable[[list[str]], TextEmbeddings], name: Sequence[Any], keys: list[str]) -> TextEmbeddings:
    """What `encode` makes of all keys together, on the CPU; see `cached_embeddings`, whose cache this is."""
    digest = hashlib.sha256(json.dumps([*name, keys]).encode()).hexdigest()
    result = _read_cache(digest)
    if result is None:
        result = encode(keys)
        _write_cache(digest, result)
    return TextEmbeddings(result.embeddings.cpu(), result.truncated)


def _read_cache(digest: str) -> TextEmbeddings | None:
    try:
        with safe_open(_file(digest), "pt") as file:
            return TextEmbeddings(file.get_tensor("embeddings"), int(file.metadata()["truncated"]))
    except (OSError, SafetensorError):  # missing, or cut short: made anew
        return None


def _write_cache(digest: str, result: TextEmbeddings) -> None:
    try:
        with whole_file(_file(digest)) as part:
            tensors = {"embeddings": result.embeddings.cpu().contiguous()}
            save_file(tensors, part, {"truncated": str(result.truncated)})
    except (OSError, SafetensorError) as error:
        warn_not_kept(f"{len(result.embeddings)} embeddings are", error)


def _file(digest: str) -> Path:
    return cached_assets_path("emo3d", namespace="embeddings") / f"{digest[:32]}.safetensors"


def encoder_digest(encoder: TextEncoder) -> str:
    """Twelve hexadecimal digits of a SHA-256 over a text encoder as it is: weights, configuration and tokenizer."""
    if isinstance(encoder, MultilingualEncoder):
        return MULTILINGUAL_SHA256["weights.npz"][:12]
    config = {name: value for name, value in encoder.model.config.to_dict().items() if name not in SAVER_KEYS}
    tokenizer = encoder.tokenizer
    backend = getattr(tokenizer, "backend_tokenizer", None)
    # Truncation and padding are set anew in every call.
    rules = json.loads(backend.to_str()) | {"truncation": None, "padding": None} if backend else tokenizer.get_vocab()
    parts = [weights_digest(encoder.model), config, rules, tokenizer.padding_side, encoder.max_length]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:12]


def mirror_text(description: str) -> str:
    """Swap the words left and right in a description, as the published augmentation does.

    Example:
        >>> mirror_text("Her left eye winks; the Right brow rises.")
        'Her right eye winks; the Left brow rises.'
    """
    return re.sub(r"\b(Left|Right|left|right|LEFT|RIGHT)\b", lambda match: _LEFT_RIGHT[match[0]], description)
