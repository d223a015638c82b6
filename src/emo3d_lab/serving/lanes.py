"""Work that waits: bounded queues in front of threads, which take together what waits together."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from math import ceil
from typing import Any

from emo3d_lab.serving.metrics import Metrics


class BusyError(Exception):
    """A queue is full; `seconds` says when to try again."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too much is waiting: please try again in {seconds} s")
        self.seconds = seconds


class Lane:
    """A bounded queue, and daemon threads that work on it.

    Args:
        name: for the metrics and threads.
        work: called with 1 to `most` items; gives a result for each.
        metrics: told of the queue's length, of what is refused, and of the sizes of batches.
        limit: items that wait at most; more are refused with `BusyError`.
        most: items that are worked on together.
        window: seconds that a batch that is not full waits for others.
        threads: that work.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[list[Any]], Sequence[Any]],
        metrics: Metrics,
        *,
        limit: int = 256,
        most: int = 1,
        window: float = 0.0,
        threads: int = 1,
    ) -> None:
        self.name, self.limit, self._most, self._window = name, limit, most, window
        self._work, self._metrics = work, metrics
        self._waiting: deque[tuple[Any, Future[Any]]] = deque()
        self._changed = threading.Condition()
        self._seconds = 0.01  # that an item takes, a running mean
        self.busy = 0  # threads that work now
        metrics.queues[name] = self._waiting
        for _ in range(threads):
            threading.Thread(target=self._run, name=f"lane-{name}", daemon=True).start()

    def put(self, items: Sequence[Any]) -> list[Future[Any]]:
        """Let items wait, all of them or none; their results come in the futures.

        Raises:
            BusyError: there is no room.
        """
        jobs: list[tuple[Any, Future[Any]]] = [(item, Future()) for item in items]
        with self._changed:
            if len(self._waiting) + len(jobs) > self.limit:
                self._metrics.rejected[self.name] += 1
                raise BusyError(max(1, ceil(len(self._waiting) * self._seconds)))
            self._waiting.extend(jobs)
            self._changed.notify_all()
        return [future for _, future in jobs]

    async def ask(self, items: Sequence[Any], timeout: float) -> list[Any]:
        """Results of items; what is not begun after `timeout` seconds is given up.

        Raises:
            BusyError: there is no room.
            TimeoutError: it took longer.
        """
        futures = self.put(items)
        try:
            together = asyncio.gather(*map(asyncio.wrap_future, futures))
            return await asyncio.wait_for(together, timeout)
        except asyncio.TimeoutError:  # another class than TimeoutError before Python 3.11
            raise TimeoutError(f"expected an answer within {timeout:g} s, it takes longer: please try again") from None
        finally:
            for future in futures:  # a client that is gone, too
                future.cancel()

    def _run(self) -> None:
        while True:
            jobs = [job for job in self._take() if job[1].set_running_or_notify_cancel()]
            if not jobs:
                continue
            self._metrics.batches[self.name].observe(len(jobs))
            start = time.perf_counter()
            with self._changed:
                self.busy += 1
            self._answer(jobs)
            with self._changed:
                self.busy -= 1
            spent = (time.perf_counter() - start) / len(jobs)
            self._seconds += 0.1 * (spent - self._seconds)

    def _take(self) -> list[tuple[Any, Future[Any]]]:
        with self._changed:
            while not self._waiting:
                self._changed.wait()
            end = time.monotonic() + self._window
            while len(self._waiting) < self._most and (left := end - time.monotonic()) > 0:
                self._changed.wait(left)
            return [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]

    def _answer(self, jobs: list[tuple[Any, Future[Any]]]) -> None:
        try:
            results = self._work([item for item, _ in jobs])
        except BaseException as error:
            if len(jobs) == 1:
                jobs[0][1].set_exception(error)
            else:  # it is the fault of one: the others get their answers
                for job in jobs:
                    self._answer([job])
            return
        for (_, future), result in zip(jobs, results, strict=True):
            future.set_result(result)
