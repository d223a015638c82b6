"""Numerics that do not depend on what the caller has set for work of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch

_lock = threading.Lock()
_inside = 0  # how many are, in all threads: what they share is set by the first and put back by the last
_put_back: list[Callable[[], None]] = []


@contextmanager
def fixed_numerics(device: torch.device | str = "cpu") -> Iterator[None]:
    """Compute in the weights' own precision: no autocast, products of float32 in float32, float32 by default.

    Autocast belongs to a thread. The other two belong to the process; where several threads are in here at once, they
    go back to what they were when the last one leaves.

    Args:
        device: where the work is done, beside the CPU.
    """
    # PyTorch before 2.4 cannot be asked.
    available = getattr(torch.amp, "is_autocast_available", lambda kind: kind in ("cpu", "cuda"))
    with ExitStack() as stack:
        stack.enter_context(_fixed_for_all())
        for kind in dict.fromkeys(("cpu", torch.device(device).type)):
            if available(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        yield


@contextmanager
def _fixed_for_all() -> Iterator[None]:
    global _inside
    with _lock:
        if not _inside:
            for put, now, fixed in _shared():
                _put_back.append(partial(put, now))
                put(fixed)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            while _put_back and not _inside:
                _put_back.pop()()


def _shared() -> list[tuple[Callable[[Any], None], Any, Any]]:
    """What all threads share: how it is set, what it is now, and what it is to be."""
    backends: Any = torch.backends
    fixed: list[tuple[Callable[[Any], None], Any, Any]] = [
        (torch.set_default_dtype, torch.get_default_dtype(), torch.float32)
    ]
    if hasattr(backends, "fp32_precision"):  # from 2.9 on, where it and the older names may not be mixed
        for holder in (backends.cuda.matmul, backends.cudnn.conv, backends.mkldnn.matmul, backends.mkldnn.conv):
            fixed.append((partial(setattr, holder, "fp32_precision"), holder.fp32_precision, "ieee"))
        return fixed
    matmul = (torch.set_float32_matmul_precision, torch.get_float32_matmul_precision(), "highest")
    return [*fixed, matmul, (partial(setattr, backends.cudnn, "allow_tf32"), backends.cudnn.allow_tf32, False)]
