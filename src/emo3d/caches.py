"""The Hub's cache on a disk that takes nothing: which folder that is, and which variable moves it."""

from __future__ import annotations

import errno

_UNWRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT}


def unwritable_cache(error: BaseException) -> str | None:
    """Say that the cache could not be written, if that is why an error came; None for other reasons.

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
