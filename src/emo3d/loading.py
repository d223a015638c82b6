"""Loaders that are asked from several threads: what one loads, the others wait for, and nothing is loaded twice."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from functools import lru_cache, wraps
from typing import Any, TypeVar

Loader = TypeVar("Loader", bound=Callable[..., Any])

FROM_PRETRAINED = threading.RLock()
"""Held around `from_pretrained`: transformers sets PyTorch's default dtype, and takes away its initialisers, for the
whole process while a model is built. Taken after the lock of a `loaded_once`, never before."""


@contextlib.contextmanager
def damage_explained(kind: str, id: str) -> Iterator[None]:
    """What a damaged model makes transformers, tokenizers and PyTorch raise, as one sentence in a ValueError.

    Args:
        kind: of the model, for the message.
        id: a folder, or an id on the Hub.
    """
    try:
        yield
    except OSError:
        raise
    except BaseException as error:
        # Tokenizers' Rust code panics with an exception of its own that is no Exception.
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            raise ValueError(f"expected a whole {kind}, {id} cannot be used: {reason}") from error
        raise


def loaded_once(maxsize: int) -> Callable[[Loader], Loader]:
    """Make an `lru_cache` whose concurrent calls with the same arguments run once.

    Args:
        maxsize: results that are kept.
    """

    def decorate(load: Loader) -> Loader:
        cached = lru_cache(maxsize)(load)
        locks: dict[Any, threading.RLock] = {}

        @wraps(load)
        def call(*arguments: Any) -> Any:
            # An entry is a hundred bytes, and whoever comes with ever new arguments loads far larger things.
            with locks.setdefault(arguments, threading.RLock()):
                return cached(*arguments)

        call.cache_clear = cached.cache_clear  # type: ignore[attr-defined]
        call.cache_info = cached.cache_info  # type: ignore[attr-defined]
        return call  # type: ignore[return-value]

    return decorate
