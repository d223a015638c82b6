"""First steps that take long: what several threads ask for is loaded once, and a user who waits is told why."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeVar

logger = logging.getLogger(__name__)

Loader = TypeVar("Loader", bound=Callable[..., Any])

FROM_PRETRAINED = threading.RLock()
"""Held around `from_pretrained`: transformers sets PyTorch's default dtype, and takes away its initialisers, for the
whole process while a model is built. Taken after the lock of a `loaded_once`, never before."""

PATIENCE = 2.0
"""Seconds after which a `LongStep` is logged."""


def loaded_once(maxsize: int) -> Callable[[Loader], Loader]:
    """Make an `lru_cache` whose concurrent calls with the same arguments run once."""

    def decorate(load: Loader) -> Loader:
        cache = lru_cache(maxsize)(load)
        locks: dict[Any, threading.RLock] = {}

        @wraps(load)
        def call(*arguments: Any) -> Any:
            # An entry is a hundred bytes; ever new arguments load far larger things.
            with locks.setdefault(arguments, threading.RLock()):
                return cache(*arguments)

        call.cache_clear = cache.cache_clear  # type: ignore[attr-defined]
        call.cache_info = cache.cache_info  # type: ignore[attr-defined]
        return call  # type: ignore[return-value]

    return decorate


class LongStep:
    """A step whose text, as in "compiling the renderer", is logged if it is not over within `PATIENCE`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._timer: threading.Timer | None = None

    def begin(self) -> None:
        """Start the clock."""
        self._timer = threading.Timer(PATIENCE, logger.warning, ("%s ...", self.text))
        self._timer.daemon = True
        self._timer.start()

    def end(self) -> None:
        """Stop the clock."""
        if self._timer:
            self._timer.cancel()
