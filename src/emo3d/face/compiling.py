"""Kernels in Numba: compiled when they are first called, kept on the disk, and announced where that takes long."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from numba import njit
from numba.core import event

from emo3d.loading import announce

logger = logging.getLogger(__name__)

_kernels: set[Callable[..., Any]] = set()


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a kernel when it is first called, and keep it on the disk where there is room; without the GIL."""
    _kernels.add(function)
    options: dict[str, Any] = {"nogil": True, "fastmath": {"nnan", "ninf", "nsz"}, "error_model": "numpy"}
    try:
        kernel: Any = njit(cache=True, **options)(function)
    except RuntimeError:  # Numba finds no folder that it may write to
        _warn_unkept()
        return njit(**options)(function)
    # A kernel holds those that it calls, of which Numba looks at its own file only.
    kernel._cache._cache_file._source_stamp = _stamp()
    save = kernel._cache.save_overload

    def save_if_possible(*overload: Any) -> None:
        try:
            save(*overload)
        except OSError:  # a full disk, at which Numba itself fails after compiling
            _warn_unkept()

    kernel._cache.save_overload = save_if_possible
    return kernel


@lru_cache(maxsize=1)
def _stamp() -> tuple[tuple[str, float, int], ...]:
    """What is kept is thrown away when any file of this folder changes."""
    states = [(path.name, path.stat()) for path in sorted(Path(__file__).parent.glob("*.py"))]
    return tuple((name, state.st_mtime, state.st_size) for name, state in states)


@lru_cache(maxsize=1)  # once for all kernels
def _warn_unkept() -> None:
    logger.warning(
        "the rasteriser is compiled anew in every process, since nothing can be kept on this disk: "
        "set NUMBA_CACHE_DIR to a folder with room"
    )


class _Compiling(event.Listener):
    """Announces that the renderer is compiled; kernels that one calls are compiled within it."""

    _depth = 0  # Numba compiles in one thread at a time

    def notify(self, event: event.Event) -> None:
        if event.data["dispatcher"].py_func in _kernels:
            super().notify(event)

    def on_start(self, event: event.Event) -> None:
        self._depth += 1
        if self._depth == 1:
            self._timer = announce("compiling the renderer, once on this machine")

    def on_end(self, event: event.Event) -> None:
        self._depth -= 1
        if not self._depth:
            self._timer.cancel()


event.register("numba:compile", _Compiling())
