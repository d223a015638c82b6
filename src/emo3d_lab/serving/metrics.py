"""What the server counts, in the text format of Prometheus."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Mapping, Sized

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
SIZES = (1, 2, 4, 8, 16, 32)


class Histogram:
    """Counts of values up to each bound, and their sum."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds, self.counts, self.sum = bounds, [0] * (len(bounds) + 1), 0.0
        self._lock = threading.Lock()

    def observe(self, value: float) -> None:
        """Count a value."""
        with self._lock:
            self.counts[bisect_left(self.bounds, value)] += 1
            self.sum += value

    def lines(self, name: str, labels: str) -> list[str]:
        """Cumulative buckets, sum and count; `labels` as in `endpoint="/express"`."""
        total, lines = 0, []
        for bound, count in zip((*self.bounds, "+Inf"), self.counts, strict=True):
            total += count
            lines.append(f'{name}_bucket{{{labels},le="{bound}"}} {total}')
        return [*lines, f"{name}_sum{{{labels}}} {self.sum:.9g}", f"{name}_count{{{labels}}} {total}"]


class Metrics:
    """Counters of one server; endpoints and queues are a fixed few names, so that nobody makes them many."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()  # endpoint and status
        self.seconds: dict[str, Histogram] = defaultdict(lambda: Histogram(SECONDS))  # by endpoint
        self.batches: dict[str, Histogram] = defaultdict(lambda: Histogram(SIZES))  # by queue
        self.rejected: Counter[str] = Counter()  # by queue
        self.queues: dict[str, Sized] = {}
        self.streams = 0  # WebSockets that are open

    def text(self) -> str:
        """All of it, as `GET /metrics` answers."""
        lines = _head("emo3d_requests_total", "counter", "Requests that were answered, by endpoint and status.")
        for (endpoint, status), count in sorted(self.requests.items()):
            lines.append(f'emo3d_requests_total{{endpoint="{endpoint}",status="{status}"}} {count}')
        lines += _head("emo3d_request_seconds", "histogram", "From a whole request to its answer, seconds.")
        for endpoint, histogram in sorted(self.seconds.items()):
            lines += histogram.lines("emo3d_request_seconds", f'endpoint="{endpoint}"')
        lines += _head("emo3d_batch_size", "histogram", "What was worked on together, by queue.")
        for queue, histogram in sorted(self.batches.items()):
            lines += histogram.lines("emo3d_batch_size", f'queue="{queue}"')
        waiting = {name: len(queue) for name, queue in self.queues.items()}
        lines += _by_queue("emo3d_queue_length", "gauge", "What waits, by queue.", waiting)
        rejected = dict.fromkeys(self.queues, 0) | self.rejected
        lines += _by_queue("emo3d_rejected_total", "counter", "Requests refused since a queue was full.", rejected)
        lines += [*_head("emo3d_streams", "gauge", "WebSockets that are open."), f"emo3d_streams {self.streams}"]
        return "\n".join(lines) + "\n"


def _head(name: str, kind: str, help: str) -> list[str]:
    return [f"# HELP {name} {help}", f"# TYPE {name} {kind}"]


def _by_queue(name: str, kind: str, help: str, values: Mapping[str, int]) -> list[str]:
    return _head(name, kind, help) + [f'{name}{{queue="{queue}"}} {value}' for queue, value in sorted(values.items())]
