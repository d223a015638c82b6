"""Clips: how long the director takes beside its generator.

Run `python benchmarks/clips.py generate`. A clip of 10 s at 60 frames per second has 600 frames; the target is 1 s
beside the encoder. Ratio: seconds of clip made in a second.
"""

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from rich.console import Console
from rich.table import Table

from emo3d_lab.clips.beats import read_beats
from emo3d_lab.clips.director import Director, schedule
from emo3d_lab.clips.motion import Motion
from emo3d_lab.clips.timeline import perform

TEXT = "She is calm, then suddenly afraid, holds back tears, winks, and slowly breaks into a smile"
TARGET = 1.0  # seconds for 10 s at 60 frames per second
OFF = Motion(blinks=False, gaze=False, head=False, micro=False, lead=False)


def median_seconds(work: Callable[[], object], runs: int = 7) -> float:
    work()
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def generate() -> Table:
    """The director with stills at hand, without motion, and with the packaged generator."""
    director = Director()
    title = f"seconds to make a clip (target at 10 s, 60 fps: {TARGET:g}); a text becomes beats in "
    title += f"{1000 * median_seconds(partial(read_beats, TEXT), 50):.2f} ms"
    table = Table(title=title, title_justify="left", min_width=len(title))
    for heading in ("clip s", "fps", "stills given", "no motion", "with generator", "ratio, stills given"):
        table.add_column(heading, justify="right")
    for length, rate in ((4, 30), (10, 30), (10, 60), (60, 60)):
        beats, duration = schedule(read_beats(TEXT), length)
        stills = np.random.default_rng(0).random((len(beats), 51))
        act = partial(perform, stills, beats, rate=rate, duration=duration)
        given, plain = (median_seconds(partial(act, motion=motion)) for motion in (Motion(), OFF))
        whole = median_seconds(partial(director.generate, [TEXT], seconds=length, rate=rate), 3)
        cells = (f"{seconds:.3f}" for seconds in (given, plain, whole))
        table.add_row(str(length), str(rate), *cells, f"{length / given:.0f}")
    return table


if __name__ == "__main__":
    parts = {"generate": generate}
    for part in sys.argv[1:] or parts:
        Console(width=110).print(parts[part]())
