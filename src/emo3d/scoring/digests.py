"""What errors of expressions were measured against, as a hash that no order of the rows and no split moves."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from emo3d.scoring.inputs import References


def row_digests(references: References) -> np.ndarray:
    """A digest of each row's description, intensities and expression, (N,) of 16 bytes, for `hash_rows`."""
    expressions = np.ascontiguousarray(references.expressions, "<f4")
    intensities = np.ascontiguousarray(references.intensities, "<f4")  # as the datasets hold them
    rows = zip(references.descriptions, intensities, expressions, strict=True)
    digests = [
        hashlib.sha256(b"\0".join((text.encode(), emotions.tobytes(), scores.tobytes()))).digest()[:16]
        for text, emotions, scores in rows
    ]
    return np.array(digests, "V16")


def hash_rows(digests: np.ndarray, space: str) -> str:
    """Twelve hexadecimal digits of a SHA-256 over rows in any order, and the space of their expressions."""
    content = b"".join(sorted(digest.tobytes() for digest in digests))
    return hashlib.sha256(space.encode() + content).hexdigest()[:12]
