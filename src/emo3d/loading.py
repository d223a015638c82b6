"""Loaders that are asked from several threads: what one loads, the others wait for, and nothing is loaded twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeVar

Loader = TypeVar("Loader", bound=Callable[..., Any])

FROM_PRETRAINED = threading.RLock()
"""Held around `from_pretrained`: transformers sets PyTorch's default dtype, and takes away its initialisers, for the
whole process while a model is built. Taken after the lock of a `loaded_once`, never before."""


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
