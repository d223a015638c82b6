"""Work in processes that end with the one that asked for it."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing.connection import wait
from typing import Any, TypeVar

T = TypeVar("T")


def call_in_processes(
    function: Callable[..., T], calls: Sequence[tuple[Any, ...]], num_proc: int
) -> Iterator[tuple[int, T]]:
    """Call a function once for each tuple of arguments.

    Args:
        function: of a module, so that other processes find it.
        calls: arguments, which are pickled.
        num_proc: processes; with one of them or one call, it is called here.

    Yields:
        Place in `calls` and what came of it, as they are done; an error ends all.
    """
    if num_proc <= 1 or len(calls) <= 1:
        for place, arguments in enumerate(calls):
            yield place, function(*arguments)
        return
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(
        min(num_proc, len(calls)),
        mp_context=multiprocessing.get_context("spawn"),  # forking a process that has threads can hang
        initializer=_end_with_parent,
    )
    try:
        futures = {pool.submit(function, *arguments): place for place, arguments in enumerate(calls)}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BaseException:
        for worker in set(multiprocessing.active_children()) - others:
            worker.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """End this worker when its parent has ended, even by SIGKILL, which tells no one."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
