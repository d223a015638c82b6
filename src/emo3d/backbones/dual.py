"""Dual encoders behind two methods: descriptions and pictures in, embeddings of one space out."""

from __future__ import annotations

import copy
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn
from transformers import MODEL_MAPPING, TOKENIZER_MAPPING, AutoConfig, AutoTokenizer

from emo3d.backbones.preprocess import Preprocess
from emo3d.documents import read_model_json
from emo3d.encoders import (
    MINILM,
    BatchEncoder,
    EncoderUnavailableError,
    TextEmbeddings,
    folder_digest,
    load_model,
    load_text_encoder,
    weights_digest,
)
from emo3d.hints import unwritable_cache
from emo3d.loading import damage_explained, find_commit, loaded_once
from emo3d.numerics import fixed_numerics

DEFAULT_BACKBONE = "openai/clip-vit-base-patch32"
QUICKSTART = "quickstart"
_PACKAGED_TEXTS = "45a3f1a3de98a240c9abbd82"  # digests of the weights and the vocabulary that the package carries


class Backbone(Protocol):
    """What the score needs of a dual encoder."""

    id: str  # on the Hub, the absolute path of a local folder, or "quickstart"
    revision: str  # the commit on the Hub, or another string that changes with whatever moves the embeddings
    dtype: str  # of its weights, "float32" or "bfloat16"
    image_size: int  # height and width that its picture side sees; faces are rendered at this size

    def encode_texts(self, descriptions: Sequence[str]) -> TextEmbeddings:
        """Embed N descriptions: (N, D) float32 of unit length."""

    def encode_pictures(self, pictures: np.ndarray) -> torch.Tensor:
        """Embed pictures (N, H, W, 3) uint8, all in one pass: (N, D) float32 of unit length."""


class HubBackbone(BatchEncoder):
    """A dual encoder of transformers (CLIP, SigLIP, ...), with its tokenizer and image processor.

    `model` has `get_text_features` and `get_image_features`; of `image_processor`, only the settings are used.
    """

    def __init__(self, model: Any, tokenizer: Any, image_processor: Any, *, id: str, revision: str) -> None:
        self.model, self.tokenizer = model.eval(), tokenizer
        self.preprocess = Preprocess.from_processor(image_processor)
        self.id, self.revision = id, revision
        self.device, self.dtype = model.device, str(model.dtype).removeprefix("torch.")
        self.image_size = self.preprocess.output_size

    def encode_texts(
        self, descriptions: Sequence[str], batch_size: int = 64, *, normalize: bool = True
    ) -> TextEmbeddings:
        """Embed descriptions, of unit length if asked to `normalize`; those beyond the window are truncated."""

        def embed(batch: list[str]) -> torch.Tensor:
            # SigLIP was trained on texts padded to the window, and attends to the padding.
            siglip = self.model.config.model_type.startswith("siglip")
            tokens = self.tokenize(batch, "max_length" if siglip else True)
            if siglip:
                tokens.pop("attention_mask", None)
            return _features(self.model.get_text_features(**tokens), normalize)

        return self.encode_batches(descriptions, embed, batch_size)

    def encode_pictures(self, pictures: np.ndarray | list[np.ndarray], *, normalize: bool = True) -> torch.Tensor:
        """Embed pictures (N, H, W, 3) uint8, or a list of any sizes, in one pass: (N, D) float32, as `encode_texts`."""
        with torch.inference_mode(), fixed_numerics(self.device):
            pixels = self.preprocess(pictures, self.device, self.model.dtype)
            return _features(self.model.get_image_features(pixel_values=pixels), normalize)


class QuickstartBackbone:
    """The packaged dual encoder: a head on frozen all-MiniLM-L6-v2, and a picture tower trained on renders to meet it.

    For trials and tests without the Hub. Its picture side knows renders of this package only, and a generator built on
    the same MiniLM is likely to score too well with it.
    """

    def __init__(self, device: str = "cpu", dtype: torch.dtype = torch.float32) -> None:
        from emo3d.backbones.tower import load_texts, load_tower

        tower, head = load_tower(), load_texts()
        self.id, self.revision = QUICKSTART, weights_digest(nn.ModuleList([tower, head]))
        self.image_size = int(tower.image_size)
        self._preprocess = Preprocess((self.image_size, self.image_size))
        self._tower = copy.deepcopy(tower).eval().to(device, dtype)  # the loader may share its tower with others
        self._texts = load_text_encoder(MINILM, device=device)
        vocabulary = json.dumps(sorted(self._texts.tokenizer.get_vocab().items()))
        texts = weights_digest(self._texts.model) + hashlib.sha256(vocabulary.encode()).hexdigest()[:12]
        if texts != _PACKAGED_TEXTS:  # where the package is missing, the Hub's is taken, whatever that is by now
            self.revision += f"+texts-{texts}"
        self._head = copy.deepcopy(head).to(device)
        self._dtype, self.dtype = dtype, str(dtype).removeprefix("torch.")
        self.device = torch.device(device)

    def encode_texts(self, descriptions: Sequence[str], batch_size: int = 64) -> TextEmbeddings:
        """Embed N descriptions: (N, D) float32 of unit length."""
        texts = self._texts.encode(descriptions, batch_size)
        with torch.no_grad(), fixed_numerics(self.device):
            return replace(texts, embeddings=self._head(texts.embeddings))

    def encode_pictures(self, pictures: np.ndarray | list[np.ndarray]) -> torch.Tensor:
        """Embed pictures (N, H, W, 3) uint8, or a list of any sizes, in one pass: (N, D) float32 of unit length."""
        with torch.inference_mode(), fixed_numerics(self.device):
            return _features(self._tower(self._preprocess(pictures, self.device, self._dtype)), normalize=True)


def load_backbone(
    id: str = DEFAULT_BACKBONE, revision: str | None = None, *, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> Backbone:
    """Load a backbone, once for each set of arguments.

    Args:
        id: a dual encoder on the Hub or in a local folder, or `"quickstart"`, which comes with this package.
        revision: branch, tag or commit on the Hub; of the others, what the `revision` of the backbone has to be.
        dtype: of its weights, `torch.float32` or `torch.bfloat16`.

    Raises:
        ValueError: no dual encoder of texts and pictures, a damaged one, another revision, or no such device here.
        EncoderUnavailableError: it cannot be loaded; the message names `quickstart`. An OSError.
    """
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # the latter from a build of PyTorch without CUDA
        reason = str(error).splitlines()[0]
        raise ValueError(f"expected a device that PyTorch has here, got {device!r}: {reason}") from error
    id = os.fspath(id)
    local = id == QUICKSTART or os.path.isdir(id)
    id = os.path.realpath(id) if local and id != QUICKSTART else id
    backbone = _load(id, None if local else revision, str(device), dtype)
    if local and revision not in (None, backbone.revision):
        raise ValueError(f"expected the backbone {id} at revision {revision}, it is at {backbone.revision}")
    return backbone


def backbone_name(id: str) -> str:
    """What signatures call a backbone: a folder by its name, wherever it lies."""
    return os.path.basename(id.rstrip("/")) if os.path.isabs(id) else id


@loaded_once(maxsize=4)
@torch.inference_mode(False)  # first asked for within a generation, it stays usable outside of one
def _load(id: str, revision: str | None, device: str, dtype: torch.dtype) -> Backbone:
    if id == QUICKSTART:
        return QuickstartBackbone(device, dtype)
    try:
        with fixed_numerics():
            return _open(id, revision, device, dtype)
    except OSError as error:
        raise EncoderUnavailableError(
            unwritable_cache(error)
            or f"the backbone {id}{f' at revision {revision}' if revision else ''} could not be loaded: it is not in "
            "the local cache and the Hub cannot be reached, or it has no such model. The backbone 'quickstart' comes "
            "with this package and needs no Hub; it gives other numbers, so nothing falls back to it by itself"
        ) from error


def _open(id: str, revision: str | None, device: str, dtype: torch.dtype) -> HubBackbone:
    from transformers import AutoImageProcessor  # two seconds that the packaged backbone does not need

    local = Path(id).is_dir()
    revision = None if local else find_commit(id, revision)  # first: a branch may move meanwhile
    with damage_explained("dual encoder", id):
        config = AutoConfig.from_pretrained(id, revision=revision)
    model_class = MODEL_MAPPING.get(type(config), None)
    if not (hasattr(model_class, "get_text_features") and hasattr(model_class, "get_image_features")):
        raise ValueError(
            f"expected a dual encoder of texts and pictures, such as CLIP or SigLIP; {id} is a {config.model_type} "
            "model, which has not both sides"
        )
    with damage_explained("dual encoder", id):
        model = load_model(id, revision=revision, config=config)
        if local:
            _check_tokenizer(Path(id, "tokenizer_config.json"), config)
        tokenizer = AutoTokenizer.from_pretrained(id, revision=revision)
        image_processor = AutoImageProcessor.from_pretrained(id, revision=revision)
        name = revision or folder_digest(id, model, tokenizer)
        backbone = HubBackbone(model.to(device, dtype), tokenizer, image_processor, id=id, revision=name)
        _try_out(backbone)
    return backbone


def _check_tokenizer(file: Path, config: Any) -> None:
    """Raise a ValueError where transformers would import hundreds of models to say that it knows no tokenizer."""
    settings = read_model_json(file) if file.is_file() else {}
    name = isinstance(settings, dict) and (settings.get("tokenizer_class") or getattr(config, "tokenizer_class", None))
    if not name and not TOKENIZER_MAPPING.get(type(config), None):
        raise ValueError(f"{file.name} names no tokenizer_class")


def _try_out(backbone: HubBackbone) -> None:
    """Raise a ValueError unless texts of any length and a picture have finite embeddings of one width."""
    texts = backbone.encode_texts(["a", "a " * 100]).embeddings
    picture = backbone.encode_pictures(np.full((1, backbone.image_size, backbone.image_size, 3), 128, np.uint8))
    if texts.shape[1:] != picture.shape[1:]:
        raise ValueError(f"its embeddings of texts have shape {texts.shape[1:]}, those of pictures {picture.shape[1:]}")
    if not (texts.isfinite().all() and picture.isfinite().all()):
        raise ValueError("its embeddings are not finite")


def _features(features: Any, normalize: bool) -> torch.Tensor:
    """Features as float32, of unit length if asked; transformers 5 wraps in an object what 4 returned as a tensor."""
    features = (features if torch.is_tensor(features) else features.pooler_output).float()
    return nn.functional.normalize(features, dim=-1) if normalize else features
