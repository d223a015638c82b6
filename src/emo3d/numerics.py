"""Numerics that do not depend on what the caller has set for work of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch

_lock = threading.Lock()
_entries = 0  # of all threads into `_fixed_process`: the first sets what they share, the last one restores it
_restore = ExitStack()


@contextmanager
def fixed_numerics(device: torch.device | str = "cpu") -> Iterator[None]:
    """Compute in the weights' own precision: no autocast, products of float32 in float32, float32 by default.

    Autocast belongs to a thread; the other two belong to the process, and are restored when the last of several threads
    leaves. `device` is where the work is done, beside the CPU.
    """
    # PyTorch before 2.4 cannot be asked.
    available = getattr(torch.amp, "is_autocast_available", lambda kind: kind in ("cpu", "cuda"))
    with ExitStack() as stack:
        stack.enter_context(_fixed_process())
        for kind in dict.fromkeys(("cpu", torch.device(device).type)):
            if available(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        yield


@contextmanager
def _fixed_process() -> Iterator[None]:
    global _entries
    with _lock:
        _entries += 1
        for assign, value, fixed_value in _settings() if _entries == 1 else ():
            _restore.callback(assign, value)
            assign(fixed_value)
    try:
        yield
    finally:
        with _lock:
            _entries -= 1
            if not _entries:
                _restore.close()


def _settings() -> list[tuple[Callable[[Any], None], Any, Any]]:
    """Settings of the process: what assigns each, its value now, and the one it is fixed at."""
    backends: Any = torch.backends
    dtype = (torch.set_default_dtype, torch.get_default_dtype(), torch.float32)
    if hasattr(backends, "fp32_precision"):  # from 2.9 on, where it and the older names may not be mixed
        owners = (backends.cuda.matmul, backends.cudnn.conv, backends.mkldnn.matmul, backends.mkldnn.conv)
        return [dtype, *((partial(setattr, owner, "fp32_precision"), owner.fp32_precision, "ieee") for owner in owners)]
    matmul = (torch.set_float32_matmul_precision, torch.get_float32_matmul_precision(), "highest")
    return [dtype, matmul, (partial(setattr, backends.cudnn, "allow_tf32"), backends.cudnn.allow_tf32, False)]
