"""Queues: what waits is taken together, a full queue refuses, and no item spoils another."""

import asyncio
import threading
import time

import pytest

from emo3d_lab.serving.lanes import BusyError, Lane
from emo3d_lab.serving.metrics import Metrics
from hanging import HANGS


class Work:
    """Doubles numbers, once the test lets it."""

    def __init__(self):
        self.go, self.begun, self.batches = threading.Event(), threading.Event(), []

    def __call__(self, items):
        self.begun.set()
        assert self.go.wait(HANGS)
        self.batches.append(list(items))
        return [2 * item for item in items]


def test_takes_together_what_waits_together():
    work, metrics = Work(), Metrics()
    lane = Lane("double", work, metrics, most=4)
    first = lane.put([1])
    assert work.begun.wait(HANGS)
    rest = [future for number in range(2, 8) for future in lane.put([number])]
    assert len(metrics.queues["double"]) == 6
    work.go.set()
    assert [future.result(HANGS) for future in first + rest] == [2, 4, 6, 8, 10, 12, 14]
    assert work.batches == [[1], [2, 3, 4, 5], [6, 7]]
    assert metrics.batches["double"].counts == [1, 1, 1, 0, 0, 0, 0]  # of up to 1, 2, 4, ...


def test_a_full_queue_takes_all_or_nothing_and_says_when_to_try_again():
    work, metrics = Work(), Metrics()
    lane = Lane("double", work, metrics, limit=3)
    lane.put([0])
    assert work.begun.wait(HANGS)
    waiting = lane.put([1, 2])
    with pytest.raises(BusyError) as raised:
        lane.put([3, 4])
    assert raised.value.seconds >= 1
    assert metrics.rejected["double"] == 1
    waiting += lane.put([5])
    work.go.set()
    assert [future.result(HANGS) for future in waiting] == [2, 4, 10]


def test_one_item_that_fails_does_not_spoil_those_beside_it():
    def invert(items):
        return [1 / item for item in items]

    lane = Lane("invert", invert, Metrics(), most=8, window=0.2)
    futures = [future for number in (1, 0, 4) for future in lane.put([number])]
    assert [futures[0].result(HANGS), futures[2].result(HANGS)] == [1, 0.25]
    assert isinstance(futures[1].exception(HANGS), ZeroDivisionError)


def test_gives_up_what_is_not_begun_in_time():
    work = Work()
    lane = Lane("double", work, Metrics())
    lane.put([0])
    assert work.begun.wait(HANGS)
    start = time.monotonic()
    with pytest.raises(TimeoutError, match=r"within 0\.2 s"):
        asyncio.run(lane.ask([1], 0.2))
    assert time.monotonic() - start < HANGS
    last = lane.put([2])
    work.go.set()
    assert last[0].result(HANGS) == 4
    assert work.batches == [[0], [2]]  # what was given up is not worked on


def test_metrics_are_prometheus_text():
    metrics = Metrics()
    lane = Lane("double", lambda items: [2 * item for item in items], metrics)
    assert lane.put([4])[0].result(HANGS) == 8
    metrics.requests["/express", 200] += 3
    metrics.seconds["/express"].observe(0.02)
    metrics.rejected["requests"] += 2
    lines = metrics.text().splitlines()
    # By Prometheus' "Text-based format": buckets are cumulative, and end in +Inf, which equals the count.
    assert 'emo3d_requests_total{endpoint="/express",status="200"} 3' in lines
    assert 'emo3d_request_seconds_bucket{endpoint="/express",le="0.01"} 0' in lines
    assert 'emo3d_request_seconds_bucket{endpoint="/express",le="0.025"} 1' in lines
    assert 'emo3d_request_seconds_bucket{endpoint="/express",le="+Inf"} 1' in lines
    assert 'emo3d_request_seconds_count{endpoint="/express"} 1' in lines
    assert 'emo3d_batch_size_sum{queue="double"} 1' in lines
    assert 'emo3d_queue_length{queue="double"} 0' in lines
    assert 'emo3d_rejected_total{queue="double"} 0' in lines
    assert 'emo3d_rejected_total{queue="requests"} 2' in lines  # too many at once, before any queue
