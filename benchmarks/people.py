"""What people see, for `validity`: fading faces read as weaker, mirror images, and the reading of a stranger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from report_tables import CONSOLE, between, table
from scipy.stats import spearmanr

from emo3d.emotions import EMOTIONS, kl_divergence
from emo3d_lab.readers import known_shares, load_reader

System = tuple[str, float]  # a degradation and its step
START: System = ("as described", 0.0)
STEPS = (0.25, 0.5, 0.75, 1.0)
CONTEMPT = EMOTIONS.index("contempt")


def rise(kls: Mapping[System, np.ndarray], rows: np.ndarray | slice = slice(None)) -> np.ndarray:
    """Share of the rise of the mean KL, from faces as described to faces at rest, at a quarter, half, three: (3,)."""
    means = [kls[system][rows].mean() for system in (START, *(("toward neutral", t) for t in STEPS))]
    return (np.array(means[1:-1]) - means[0]) / (means[-1] - means[0])


@dataclass(frozen=True)
class Stranger:
    """What an emotion reader that nobody here trained says of the faces of each system."""

    emotions: tuple[str, ...]
    answers: dict[System, np.ndarray]  # (N, E)

    @classmethod
    def read(cls, systems: Mapping[System, tuple[np.ndarray, np.ndarray]], name: str) -> Stranger:
        """Have the reader of a name read the rendered faces of all systems."""
        reader = load_reader(name)
        return cls(reader.emotions, {s: reader.read_expressions(weights) for s, (weights, _) in systems.items()})

    def kls(self, intensities: np.ndarray) -> np.ndarray:
        """KL (S, N) of each system, held against N descriptions; NaN where it lacks what is described first of all."""
        rows, known = known_shares(intensities, self.emotions)
        kls = np.full((len(self.answers), len(intensities)), np.nan)
        kls[:, rows] = [kl_divergence(known, answers[rows]) for answers in self.answers.values()]
        return kls


def agreement(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Spearman's correlation of divergences (S, M) over all faces, with its 95% bootstrap interval over the M rows."""
    return resampled(lambda rows: spearmanr(ours[:, rows].ravel(), theirs[:, rows].ravel()).statistic, ours.shape[1])


def resampled(estimate: Callable[[np.ndarray], float | np.ndarray], count: int, draws: int = 200) -> np.ndarray:
    """What a function of rows says of all, and the ends of its 95% bootstrap interval: (..., 3)."""
    rng = np.random.default_rng(0)
    drawn = [estimate(rng.integers(count, size=count)) for _ in range(draws)]
    return np.stack([estimate(np.arange(count)), *np.quantile(drawn, [0.025, 0.975], axis=0)], axis=-1)


def show_people(
    kls: Mapping[System, np.ndarray],
    intensities: np.ndarray,
    strangers: np.ndarray | None,
) -> None:
    """Print what people would see too.

    Args:
        kls: (N,) divergences of each system, own expressions.
        intensities: (N, 8) described.
        strangers: the KL (S, N) of a reader, see `Stranger.kls`, if there is one.
    """
    columns = "of the way to neutral"
    made = table("people: share of the rise of the mean KL", "", *(f"{t:.0%} {columns}" for t in STEPS[:-1]))
    made.add_row(
        "this backbone", *(between(*each) for each in resampled(lambda rows: rise(kls, rows), len(intensities)))
    )
    if strangers is not None:
        judged = np.flatnonzero(~np.isnan(strangers).any(axis=0))
        theirs = dict(zip(kls, strangers[:, judged], strict=True))
        found = resampled(lambda rows: rise(theirs, rows), len(judged))
        made.add_row(f"the reader, {len(judged)} rows", *(between(*each) for each in found))
    CONSOLE.print(made)
    contempt = np.flatnonzero(intensities.argmax(axis=1) == CONTEMPT)
    made = table(f"people: {len(contempt)} rows mostly of contempt", "", "mean KL")
    for name, system in {"as described": START, "mirrored": ("mirrored", 1.0)}.items() if len(contempt) else ():
        ends = resampled(lambda rows, kl=kls[system][contempt]: kl[rows].mean(), len(contempt))
        made.add_row(name, between(*ends))
    CONSOLE.print(made)
    if strangers is not None:
        made = table("people: KL and the reader's", "", "Spearman, faces")
        parts = {"references": [START], "all systems": list(kls)}
        for name, systems in parts.items():
            ours = np.stack([kls[system][judged] for system in systems])
            made.add_row(name, between(*agreement(ours, np.stack([theirs[system] for system in systems]))))
        CONSOLE.print(made)
