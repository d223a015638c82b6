"""How often do 95% intervals of small groups hold the mean? Of divergences as they are, by each method.

    python benchmarks/intervals.py [--trials 4000]

The packaged sample's test split is scored with the quickstart backbone: the faces of its generator (divergences skewed
to the right), the references' own (less so) and the generator's exchanged (hardly). Rows are drawn from each with
replacement, and an interval counts where it holds the mean of all rows. So are differences of two systems on the same
rows, and shares of rows that found their own description.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from unittest.mock import patch

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import stats
from tqdm.auto import tqdm

from emo3d.generation import load_generator
from emo3d.scoring import ScoreSettings, open_references, score
from emo3d.scoring.core import SMALLEST, bootstrap_intervals, bootstrap_means, wilson_interval

CONSOLE = Console(width=150)
SIZES = (3, 5, 7, 10, 12, 14, 20, 30, 50, 100, 250)
TAIL = 0.025
B = 1000

Ends = tuple[float, float]


def percentile(values: np.ndarray, seed: int) -> Ends:
    return tuple(np.quantile(bootstrap_means(values[:, None], n_bootstrap=B, seed=seed), [TAIL, 1 - TAIL]))


def bca(values: np.ndarray, seed: int) -> Ends:
    """Bias-corrected and accelerated (Efron 1987)."""
    drawn, apart = bootstrap_means(values[:, None], n_bootstrap=B, seed=seed)[:, 0], values - values.mean()
    below = ((drawn < values.mean()).mean() + (drawn <= values.mean()).mean()) / 2
    bias = stats.norm.ppf(np.clip(below, 1 / B, 1 - 1 / B))
    spread = (apart**2).sum() ** 1.5
    acceleration = (apart**3).sum() / (6 * spread) if spread else 0.0
    z = bias + stats.norm.ppf([TAIL, 1 - TAIL])
    return tuple(np.quantile(drawn, stats.norm.cdf(bias + z / (1 - acceleration * z))))


def student(values: np.ndarray, seed: int) -> Ends:
    half = stats.t.ppf(1 - TAIL, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return values.mean() - half, values.mean() + half


def studentised(values: np.ndarray, seed: int) -> Ends:
    with patch("emo3d.scoring.core.SMALLEST", 1):  # below it the product gives none
        return tuple(bootstrap_intervals(values[:, None], n_bootstrap=B, seed=seed)[0])


METHODS: dict[str, Callable[[np.ndarray, int], Ends]] = {
    "percentile": percentile,
    "BCa": bca,
    "Student's t": student,
    "bootstrap-t": studentised,
}


def coverage(everyone: np.ndarray, n: int, trials: int) -> dict[str, tuple[float, float]]:
    """Method -> how often its interval of n rows drawn holds the mean of all, and its median width."""
    rng = np.random.default_rng(0)
    ends = {name: [] for name in METHODS}
    for trial in range(trials):
        values = rng.choice(everyone, n)
        for name, method in METHODS.items():
            ends[name].append(method(values, trial))
    found = {}
    for name, rows in ends.items():
        low, high = np.array(rows).T
        found[name] = float(((low <= everyone.mean()) & (everyone.mean() <= high)).mean()), float(np.median(high - low))
    return found


def exact_share_coverage(share: float, n: int) -> float:
    """How often Wilson's interval of n cases holds the share: summed over all outcomes, nothing drawn."""
    held = [low <= share <= high for low, high in (wilson_interval(k / n, n) for k in range(n + 1))]
    return float(stats.binom.pmf(np.arange(n + 1), n, share)[held].sum())


def populations() -> tuple[dict[str, np.ndarray], float]:
    """Values of the test split's 250 rows by name, and the share of them that found their own description."""
    references = open_references("sample")
    generator = load_generator("quickstart")
    faces = generator.generate(references.descriptions)
    exchanged = faces[np.random.default_rng(0).permutation(len(faces))]

    def results(expressions, space):
        return score(expressions, references, settings=ScoreSettings(backbone="quickstart", space=space)).per_sample

    made = results(faces, generator.config.space)
    own = results(references.expressions, references.space)
    other = results(exchanged, generator.config.space)
    kl = {"generator": made, "references": own, "exchanged": other}
    values = {name: part["kl_divergence"] for name, part in kl.items()}
    values["generator less references, paired"] = values["generator"] - values["references"]
    return values, float(made["match"].mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=4000)
    trials = parser.parse_args().trials
    everyone, share = populations()
    for name, values in everyone.items():
        table = Table(title=f"{name}: mean {values.mean():.2f}, skewness {stats.skew(values):.2f}; % (median width)")
        for heading in ("n", *METHODS):
            table.add_column(heading, justify="right")
        for n in tqdm(SIZES, name):
            found = coverage(values, n, trials)
            cells = (f"{100 * held:.1f} ({width:.2f})" for held, width in found.values())
            table.add_row(f"{n}{'' if n >= SMALLEST else ' (none is given)'}", *cells)
        CONSOLE.print(table)
    table = Table(title=f"Wilson's interval, exactly: % at a share of {share:.2f}, 0.9, and the mean over 0.01 to 0.99")
    for heading in ("n", f"{share:.2f}", "0.9", "mean"):
        table.add_column(heading, justify="right")
    for n in (1, 2, *SIZES):
        shares = (share, 0.9), np.linspace(0.01, 0.99, 99)
        one, mean = ([exact_share_coverage(value, n) for value in part] for part in shares)
        table.add_row(str(n), *(f"{100 * value:.1f}" for value in (*one, np.mean(mean))))
    CONSOLE.print(table)


if __name__ == "__main__":
    main()
