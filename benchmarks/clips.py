"""Clips: how fast they are made and rendered. Run `python benchmarks/clips.py render`."""

import os
import statistics
import subprocess
import sys
import time

import numpy as np
from rich.console import Console
from rich.table import Table

from emo3d.clips import Clip

FRAMES_A_SECOND = 400  # target of rendering at 224 px on 2 cores


def render_speed() -> Table:
    """Frames rendered a second, every one with its head turned, and the memory of a fresh process as clips grow."""
    from emo3d_lab.clips.rendering import render_clip

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
    import resource

    from emo3d_lab.clips.rendering import render_clip

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


COMMANDS = {"render": render_speed}

if __name__ == "__main__":
    if sys.argv[1:2] == ["peak"]:
        print(_peak(int(sys.argv[2])))
    else:
        for name in sys.argv[1:] or COMMANDS:
            Console().print(COMMANDS[name]())
