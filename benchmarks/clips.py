"""Clips: how long the director takes beside its generator, and how fast clips are rendered.

Run `python benchmarks/clips.py generate` or `render`. A clip of 10 s at 60 frames per second has 600 frames; the target
is 1 s beside the encoder. Ratio: seconds of clip made in a second.
"""

import os
import resource
import statistics
import subprocess
import sys
import time
from functools import partial

import numpy as np
from rendering import median_seconds, table_of
from rich.console import Console
from rich.table import Table

from emo3d.clips import Clip
from emo3d_lab.clips.beats import read_beats
from emo3d_lab.clips.director import Director, schedule
from emo3d_lab.clips.motion import Motion
from emo3d_lab.clips.rendering import render_clip
from emo3d_lab.clips.timeline import perform

TEXT = "She is calm, then suddenly afraid, holds back tears, winks, and slowly breaks into a smile"
TARGET = 1.0  # seconds for 10 s at 60 frames per second
FRAMES_A_SECOND = 400  # target of rendering at 224 px on 2 cores
OFF = Motion(blinks=False, gaze=False, head=False, micro=False, lead=False)


def generate() -> Table:
    """The director with stills at hand, without motion, and with the packaged generator."""
    director = Director()
    title = f"seconds to make a clip (target at 10 s, 60 fps: {TARGET:g}); a text becomes beats in "
    title += f"{1000 * median_seconds(partial(read_beats, TEXT), 50):.2f} ms"
    table = table_of(title, "clip s", "fps", "stills given", "no motion", "with generator", "ratio, stills given")
    for length, rate in ((4, 30), (10, 30), (10, 60), (60, 60)):
        beats, duration = schedule(read_beats(TEXT), length)
        stills = np.random.default_rng(0).random((len(beats), 51))
        act = partial(perform, stills, beats, rate=rate, duration=duration)
        given, plain = (median_seconds(partial(act, motion=motion)) for motion in (Motion(), OFF))
        whole = median_seconds(partial(director.generate, [TEXT], seconds=length, rate=rate), 3)
        cells = (f"{seconds:.3f}" for seconds in (given, plain, whole))
        table.add_row(str(length), str(rate), *cells, f"{length / given:.0f}")
    return table


def render_speed() -> Table:
    """Frames rendered a second, every one with its head turned, and the memory of a fresh process as clips grow."""
    title = f"clips rendered at 224 px, {os.cpu_count()} cores (target: {FRAMES_A_SECOND} frames/s)"
    table = Table("frames", "frames/s", "frames/s of a processor", "process MB", title=title, title_justify="left")
    for count in (300, 1200, 4800):
        clip, seconds, worked = _moving(count), [], []
        for _ in range(3 if count < 4800 else 1):
            start, before = time.perf_counter(), time.process_time()  # which tells of a busy machine, too
            for _ in render_clip(clip):
                pass
            seconds.append(time.perf_counter() - start)
            worked.append(time.process_time() - before)
        peak = subprocess.check_output([sys.executable, __file__, "peak", str(count)], text=True).split()[-1]
        rates = [f"{count / statistics.median(times):.0f}" for times in (seconds, worked)]
        table.add_row(str(count), *rates, peak)
    return table


def _peak(count: int) -> str:
    """Most memory, MB, of this process once it has rendered a clip."""
    for _ in render_clip(_moving(count)):
        pass
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}"


def _moving(count: int) -> Clip:
    """A clip in which all that can moves, seeded."""
    draw, times = np.random.default_rng(0), np.arange(count)[:, None] / 60
    frames = np.zeros((count, 61), np.float32)
    waves = np.sin(2 * np.pi * (times * draw.uniform(0.2, 1, 61) + draw.random(61)))
    frames[:, :52] = 0.25 + 0.25 * waves[:, :52]
    frames[:, 52:] = 0.3 * waves[:, 52:]
    return Clip(frames, 60)


if __name__ == "__main__":
    parts = {"generate": generate, "render": render_speed}
    if sys.argv[1:2] == ["peak"]:
        print(_peak(int(sys.argv[2])))
    else:
        for part in sys.argv[1:] or parts:
            Console(width=110).print(parts[part]())
