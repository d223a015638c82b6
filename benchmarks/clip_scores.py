"""Does the score of clips hear the order of beats? Bars on synthetic clips, each beside what was done to it.

    python benchmarks/clip_scores.py [--split test] [--clips 150] [--speed]

Clips of two beats or more are scored against their own beats; then with two neighbouring beats exchanged, backwards,
20% slower and faster, as slides, and beside sentinels and the director that only has their texts. Settings were chosen
on the train split. `--speed` measures time and memory of clips of two lengths instead.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from dataclasses import replace
from itertools import islice, pairwise

import numpy as np
from rich.console import Console
from rich.table import Table

from emo3d.clips import CHANNELS, Clip
from emo3d.scoring.core import bootstrap_intervals, wilson_interval
from emo3d_lab.clips.director import Director
from emo3d_lab.clips.rows import clip_of_row
from emo3d_lab.clips.scoring import ClipScorer, ClipSettings
from emo3d_lab.clips.scoring.sentinels import make_clip_sentinels
from emo3d_lab.comparison import permutation_p_values
from emo3d_lab.sample.clips import make_clips

CONSOLE = Console(width=130)
SETTINGS = ClipSettings(backbone="quickstart")
BAR = 0.95


def leading(clip: Clip) -> list[int]:
    return [int(np.argmax(beat.intensities)) for beat in clip.beats]


def swap(clip: Clip) -> Clip:
    """The first two neighbouring beats of different leading emotions exchanged, from where each begins."""
    emotions = leading(clip)
    place = next(place for place in range(len(emotions) - 1) if emotions[place] != emotions[place + 1])
    cuts = [0, *(round(beat.start * clip.rate) for beat in clip.beats[1:]), len(clip)]
    parts = [clip[start:stop] for start, stop in pairwise(cuts)]
    parts[place], parts[place + 1] = parts[place + 1], parts[place]
    return Clip.concatenate(parts)


def turn_back(clip: Clip) -> Clip:
    return replace(clip, frames=clip.frames[::-1], beats=())


def stretch(clip: Clip, factor: float) -> Clip:
    places = np.linspace(0, len(clip) - 1, round(len(clip) * factor))
    frames = np.stack([np.interp(places, np.arange(len(clip)), line) for line in clip.frames.T], axis=1)
    return Clip(frames, clip.rate)


def slides(clip: Clip) -> Clip:
    """A still of each beat, from two thirds of it, for half a second, with hard cuts."""
    places = [round((beat.start + 2 * beat.end) / 3 * clip.rate) for beat in clip.beats]
    return Clip(np.repeat(clip.frames[np.minimum(places, len(clip) - 1)], 15, axis=0), 30)


def score(predictions: list[Clip], references: list[Clip]) -> ClipScorer:
    scorer = ClipScorer(SETTINGS)
    scorer.update(predictions, references)
    return scorer


def share(worse: np.ndarray) -> str:
    low, high = wilson_interval(float(worse.mean()), len(worse))
    return f"{worse.mean():.3f} [{low:.3f}, {high:.3f}] of {len(worse)}"


def bars(split: str, count: int) -> None:
    rows = (clip_of_row(row) for row in make_clips(split, 100 * count))
    clips = list(islice((clip for clip in rows if len(set(leading(clip))) > 1), count))
    scorer = score(clips, clips)
    own = scorer.compute()
    kl = own.per_sample["kl_divergence"]
    CONSOLE.print(f"{split}: {own}", soft_wrap=True)
    changed = {
        "beats exchanged": [swap(clip) for clip in clips],
        "backwards": [turn_back(clip) for clip in clips],
        "20% slower": [stretch(clip, 1.2) for clip in clips],
        "20% faster": [stretch(clip, 0.8) for clip in clips],
        "slideshow": [slides(clip) for clip in clips],
        "director, texts only": Director("quickstart").generate([clip.description for clip in clips]),
    }
    results = {name: score(others, clips).compute() for name, others in changed.items()}
    results |= {f"sentinel {name}": sentinel for name, sentinel in make_clip_sentinels(scorer).items()}
    table = Table("", "KL", "worse than the clip itself", "difference", "p", title=f"{len(clips)} clips of {split}")
    table.add_row(
        "the clips themselves",
        f"{kl.mean():.3f}",
        "",
        "interval {:.3f} to {:.3f}".format(*own.intervals["kl_divergence"]),
        "",
    )
    for name, result in results.items():
        others = result.per_sample["kl_divergence"]
        ((low, high),) = bootstrap_intervals((others - kl)[:, None])
        (p,) = permutation_p_values((others - kl)[:, None], np.arange(len(kl)))
        table.add_row(
            name,
            f"{others.mean():.3f}",
            share(others > kl),
            f"{(others - kl).mean():+.3f} [{low:+.3f}, {high:+.3f}]",
            f"{p:.4f}",
        )
    CONSOLE.print(table)
    one_way = np.array([emotions != emotions[::-1] for emotions in map(leading, clips)])
    exchanged, back = (results[name].per_sample["kl_divergence"] > kl for name in ("beats exchanged", "backwards"))
    low, high = own.intervals["kl_divergence"]
    slower, faster = (results[f"20% {name}"].kl_divergence for name in ("slower", "faster"))
    best = min(result.kl_divergence for name, result in results.items() if name.startswith("sentinel"))
    within = f"slower and faster within {low:.3f} to {high:.3f}: {slower:.3f}, {faster:.3f}"
    checks = {
        f"beats exchanged: {share(exchanged)}": exchanged.mean() >= BAR,
        f"backwards: {share(back)}": back.mean() >= BAR,
        f"of these with other emotions backwards: {share(back[one_way])}": back[one_way].mean() >= BAR,
        within: low <= min(slower, faster) and max(slower, faster) <= high,
        f"sentinels last, the best has {best:.3f}": best > max(kl.mean(), slower, faster),
    }
    for text, holds in checks.items():
        CONSOLE.print(("holds" if holds else "FAILS") + f": {text}")


def measure(seconds: float, answers: multiprocessing.SimpleQueue) -> None:
    """Time of scoring 8 clips of a length at 60 fps, and the most memory above what loading took, in MB."""
    keys = [clip_of_row(row) for row in make_clips("train", 8)]
    count = round(60 * seconds)
    clips = [Clip(np.resize(replace(key, beats=()).resample(60).frames, (count, len(CHANNELS))), 60) for key in keys]
    score(keys, keys).compute()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    score(clips, keys).compute()
    answers.put((time.perf_counter() - start, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024))


def speed() -> None:
    table = Table("seconds of each clip", "frames", "time, s", "frames/s", "memory, MB", title="8 clips at 60 fps")
    context = multiprocessing.get_context("spawn")
    for seconds in (15, 60):
        answers = context.SimpleQueue()
        process = context.Process(target=measure, args=(seconds, answers))
        process.start()
        taken, memory = answers.get()
        process.join()
        frames = 8 * 60 * seconds
        table.add_row(f"{seconds}", f"{frames:,}", f"{taken:.1f}", f"{frames / taken:,.0f}", f"{memory:.0f}")
    CONSOLE.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--split", default="test")
    parser.add_argument("--clips", type=int, default=150)
    parser.add_argument("--speed", action="store_true")
    options = parser.parse_args()
    if options.speed:
        speed()
    else:
        bars(options.split, options.clips)


if __name__ == "__main__":
    main()
