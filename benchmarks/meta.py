"""Is `emo3d meta` right about metrics? On judges that are drawn, so that the truth is known; and how fast is it?

    python benchmarks/meta.py coverage [--worlds 20] [--trials 20]
    python benchmarks/meta.py tests [--trials 400]
    python benchmarks/meta.py speed

A face has a quality: that of its system, and its own. A judge sees it with noise and leans towards systems; two faces
that look alike are "the same"; some judges click at random. A metric sees the quality with noise and its own lean.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import spearmanr
from tqdm.auto import tqdm

from emo3d_lab.meta import Agreement, Judgements, MetricValues, measure_metrics
from emo3d_lab.meta.contrasts import contrast_metrics
from emo3d_lab.meta.faces import calibrated_answers, item_folds, metric_differences
from emo3d_lab.meta.figures import Contrast
from emo3d_lab.meta.people import make_comparisons, score_cells, system_scores
from emo3d_lab.meta.systems import permutation_p

CONSOLE = Console(width=150)


@dataclass(frozen=True)
class World:
    """What is true of systems, judges and metrics.

    Attributes:
        noise: of a metric, standard deviation; a face's own quality has 1.
        leans: of a metric towards systems, standard deviation; `seed` draws them and the systems' quality.
    """

    systems: int = 8
    items: int = 100
    judges: int = 20
    judgements: int = 2000
    pairs: bool = True
    spread: float = 0.5  # of systems' quality
    judge_noise: float = 1.0
    judge_leans: float = 0.2
    random_judges: float = 0.0  # share
    tie: float = 0.4  # two faces that look no further apart are the same
    noise: tuple[float, ...] = (1.0,)
    leans: tuple[float, ...] = (0.3,)
    seed: int = 0

    def truth(self) -> tuple[np.ndarray, np.ndarray]:
        """Quality (S,) of systems, and leans (M, S) of metrics."""
        rng = np.random.default_rng([self.seed, 0])
        quality = rng.normal(0, self.spread, self.systems)
        return quality, rng.normal(0, 1, (len(self.noise), self.systems)) * np.array(self.leans)[:, None]

    def draw(self, trial: int) -> tuple[Judgements, MetricValues]:
        """A study."""
        quality, leans = self.truth()
        rng = np.random.default_rng([self.seed, 1, trial])
        faces = quality + rng.normal(0, 1, (self.items, self.systems))
        item, judge = rng.integers(self.items, size=self.judgements), rng.integers(self.judges, size=self.judgements)
        judge_leans = rng.normal(0, self.judge_leans, (self.judges, self.systems))
        clicks = np.arange(self.judges) < round(self.random_judges * self.judges)
        first = rng.integers(self.systems, size=self.judgements)
        if not self.pairs:  # all faces of an item at once
            blocks = np.arange(self.judgements) // self.systems
            item, judge, first = item[blocks], judge[blocks], np.arange(self.judgements) % self.systems
        second = (first + rng.integers(1, self.systems, size=self.judgements)) % self.systems

        def look(system: np.ndarray) -> np.ndarray:
            seen = faces[item, system] + judge_leans[judge, system]
            seen = seen + rng.normal(0, self.judge_noise, self.judgements)
            return np.where(clicks[judge], rng.normal(0, 2, self.judgements), seen)

        names = (
            tuple(f"item {place}" for place in range(self.items)),
            tuple(f"system {place}" for place in rng.permutation(self.systems)),
        )
        if self.pairs:
            gap = look(first) - look(second)
            value = np.sign(gap) * (np.abs(gap) > self.tie)
        else:
            value, second = np.clip(np.round(look(first) + 3), 1, 5), np.full(self.judgements, -1)
        asked = [item, judge, np.minimum(first, second), np.maximum(first, second)]  # nobody is asked twice
        rows = np.sort(np.unique(np.stack(asked), axis=1, return_index=True)[1])
        values = {
            f"metric {place}": faces + leans[place] + rng.normal(0, noise, faces.shape)
            for place, noise in enumerate(self.noise)
        }
        judges = tuple(f"judge {place}" for place in range(self.judges))
        return (
            Judgements(*names, judges, *(column[rows] for column in (item, judge, first, second, value.astype(float)))),
            MetricValues(*names, values, dict.fromkeys(values, True)),
        )


def measure(world: World, trial: int, n_resamples: int = 500) -> Agreement:
    judgements, metrics = world.draw(trial)
    return measure_metrics(judgements, metrics, n_resamples=n_resamples, seed=trial)


WORLDS = {
    "pairs, 8 systems, 20 judges": World(),
    "pairs, 20 systems, 20 judges": World(systems=20, judgements=6000),
    "pairs, 8 systems, 5 judges who lean": World(judges=5, judge_leans=0.5),
    "pairs, 8 systems, 400 judgements": World(items=50, judges=10, judgements=400),
    "pairs, a quarter clicks at random": World(random_judges=0.25),
    "ratings, 8 systems, 20 judges": World(pairs=False),
}


def coverage(worlds: int, trials: int) -> None:
    table = Table("judges", "Spearman", "soft accuracy", "accuracy", "true Spearman", "estimate", "halves' width")
    for name, kind in WORLDS.items():
        held: Counter[str] = Counter()
        rhos, estimates, widths = [], [], []
        for seed in tqdm(range(worlds), desc=name, leave=False):
            world = replace(kind, seed=seed)
            quality, leans = world.truth()
            rho = spearmanr(quality, quality + leans[0]).statistic
            large = replace(world, items=4000, judges=400 if world.judges > 5 else 100, judgements=60_000)
            accuracy = measure(large, 0, 100).metrics[0].accuracy.value
            studies = [measure(world, trial).metrics[0] for trial in range(1, trials + 1)]
            soft = np.mean([study.soft_accuracy.value for study in studies])
            for study in studies:
                for key, figure, true in (
                    ("spearman", study.spearman, rho),
                    ("soft", study.soft_accuracy, soft),
                    ("accuracy", study.accuracy, accuracy),
                ):
                    held[key] += figure.low - 1e-9 <= true <= figure.high + 1e-9
                widths.append(study.spearman.high - study.spearman.low)
                estimates.append(study.spearman.value)
            rhos.append(rho)
        n = worlds * trials
        shares = [f"{held[key] / n:.1%}" for key in ("spearman", "soft", "accuracy")]
        table.add_row(name, *shares, f"{np.mean(rhos):.3f}", f"{np.mean(estimates):.3f}", f"{np.mean(widths) / 2:.3f}")
    CONSOLE.print(table)


def tests(trials: int) -> None:
    table = Table("two metrics", "accuracy, p < .05", "soft accuracy, p < .05", "trials")
    for name, world in {
        "of equal quality": World(noise=(1, 1), leans=(0.3, 0.3)),
        "of equal quality, no lean": World(noise=(1, 1), leans=(0, 0)),
        "of equal quality, 5 judges who lean": World(judges=5, judge_leans=0.5, noise=(1, 1), leans=(0, 0)),
        "noise 1 and 1.5": World(noise=(1, 1.5), leans=(0, 0)),
        "noise 1 and 2": World(noise=(1, 2), leans=(0, 0)),
        "lean 0 and 0.5": World(noise=(1, 1), leans=(0, 0.5)),
    }.items():
        told: Counter[str] = Counter()
        for trial in tqdm(range(trials), desc=name, leave=False):
            contrast = contrast_two(*replace(world, seed=trial).draw(trial), seed=trial)
            told["accuracy"] += contrast.accuracy_p < 0.05
            told["soft"] += contrast.soft_accuracy_p < 0.05
        table.add_row(name, *(f"{told[key] / trials:.1%}" for key in ("accuracy", "soft")), str(trials))
    CONSOLE.print(table)


def contrast_two(judgements: Judgements, metrics: MetricValues, seed: int) -> Contrast:
    """The paired tests alone, of two metrics."""
    comparisons = make_comparisons(judgements)
    fold = item_folds(len(judgements.items), seed)[comparisons.item]
    right = {
        name: calibrated_answers(metric_differences(table, comparisons), comparisons.outcome, fold)[0]
        for name, table in metrics.values.items()
    }
    sides = {name: score_cells(table) for name, table in metrics.values.items()}
    p_human = permutation_p(system_scores(judgements), 500, seed)
    return contrast_metrics(right, comparisons.item, sides, p_human, 500, seed)[0]


def speed() -> None:
    table = Table("judgements", "systems", "items", "metrics", "wall", "CPU")
    for pairs in (True, False):
        world = World(20, 5000, 100, 100_000, pairs, noise=(1.0,) * 10, leans=(0.3,) * 10)
        judgements, metrics = world.draw(0)
        wall, cpu = time.perf_counter(), time.process_time()
        measure_metrics(judgements, metrics)
        used = f"{time.perf_counter() - wall:.1f} s", f"{time.process_time() - cpu:.1f} s"
        table.add_row(f"100,000 {'pairs' if pairs else 'ratings'}", "20", "5,000", "10", *used)
    CONSOLE.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("coverage", "tests", "speed"))
    parser.add_argument("--worlds", type=int, default=20)
    parser.add_argument("--trials", type=int, default=20)
    options = parser.parse_args()
    if options.what == "coverage":
        coverage(options.worlds, options.trials)
    elif options.what == "tests":
        tests(options.trials)
    else:
        speed()


if __name__ == "__main__":
    main()
