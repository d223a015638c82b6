"""The score by what descriptions say, and by how strong their emotion is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from emo3d.emotions import EMOTIONS
from emo3d.scoring import References, emo3d_score
from emo3d.scoring.result import BANDS
from emo3d_lab.audit.figures import LEAST, Band, Estimate, Slice, Strength
from emo3d_lab.audit.statistics import Bootstrap, holm
from emo3d_lab.audit.words import AGE, GENDER, any_word

PART = 0.2
"""An emotion other than neutral takes part in a blend from this intensity on."""

WEAK, STRONG = 0.4, 0.8
"""The intensity of the strongest emotion of weak descriptions at most, of strong ones at least."""

_LENGTHS = (5, 10, 15, 20, 30)  # words; a bin ends with each


def slice_scores(
    kl: np.ndarray, references: References, prompt_types: Sequence[str] | None, alpha: float, bootstrap: Bootstrap
) -> tuple[Slice, ...]:
    """Score every group of every factor, from divergences (N,) of N rows; p-values are corrected over all of them."""
    slices = []
    for factor, groups in group_rows(references, prompt_types).items():
        for name, rows in groups.items():
            if rows.any():
                mean, gap = bootstrap.mean(kl[rows]), bootstrap.between(kl[rows], kl[~rows])
                counts = int(rows.sum()), int((~rows).sum())
                slices.append(Slice(factor, name, *counts, mean, squash(mean, alpha), gap))
    return holm(slices)


def squash(kl: Estimate, alpha: float) -> Estimate:
    """The Emo3D score of a mean divergence; the interval follows."""
    return Estimate(*(None if number is None else emo3d_score(number, alpha) for number in (kl.value, kl.low, kl.high)))  # type: ignore[arg-type]


def group_rows(references: References, prompt_types: Sequence[str] | None) -> dict[str, dict[str, np.ndarray]]:
    """Factor -> group -> mask (N,) of its rows. A row with words of several age groups is in each of them."""
    descriptions, intensities = references.descriptions, references.intensities
    ages, genders = _rows_with(AGE, descriptions), _rows_with(GENDER, descriptions)
    female, male = genders.values()
    strongest = intensities.argmax(axis=1)
    parts = (intensities[:, 1:] >= PART).sum(axis=1)
    words = np.array([len(description.split()) for description in descriptions])
    length, band = np.digitize(words, _LENGTHS, right=True), np.digitize(intensities.max(axis=1), (0.2, 0.4, 0.6, 0.8))
    starts = (1, *(end + 1 for end in _LENGTHS))
    lengths = [*(f"{first} to {last}" for first, last in zip(starts, _LENGTHS, strict=False)), f"{starts[-1]} or more"]
    factors = {
        "age words": ages | {"none": ~np.any(list(ages.values()), axis=0)},
        "gender words": {"female": female & ~male, "male": male & ~female, "both": female & male}
        | {"none": ~female & ~male},
        "strongest emotion": {name: strongest == place for place, name in enumerate(EMOTIONS)},
        "blend": {"one emotion": parts == 1, "a blend": parts > 1, "neutral": parts == 0},
        "words": {name: length == place for place, name in enumerate(lengths)},
        "strongest intensity": {name: band == place for place, name in enumerate(BANDS)},
    }
    if prompt_types is not None:
        values = np.array(prompt_types)
        factors["prompt type"] = {str(value): values == value for value in np.unique(values)}
    return factors


def strength_scores(
    kl: np.ndarray, references: References, amplitudes: np.ndarray, bootstrap: Bootstrap
) -> tuple[Strength, ...]:
    """Compare weak and strong descriptions of each emotion but neutral; corrected over the emotions.

    A weak emotion leaves most of the face neutral, so neutral does not count when the strongest is looked for.

    Args:
        kl: (N,) divergences.
        amplitudes: (N,) root mean square of the weights of the expressions.
    """
    intensities = references.intensities[:, 1:]
    strongest, intensity = intensities.argmax(axis=1), intensities.max(axis=1)

    def band(rows: np.ndarray) -> Band:
        if not rows.any():
            return Band(0, None, None)
        return Band(int(rows.sum()), bootstrap.mean(kl[rows]), bootstrap.mean(amplitudes[rows]))

    strengths = []
    for place, emotion in enumerate(EMOTIONS[1:]):
        own = (strongest == place) & (intensity > 0)
        weak, strong = own & (intensity <= WEAK), own & (intensity >= STRONG)
        gap, correlation = bootstrap.between(kl[strong], kl[weak]), _correlation(intensity[own], amplitudes[own])
        strengths.append(Strength(emotion, int(own.sum()), band(weak), band(strong), gap, correlation))
    return holm(strengths)


def _correlation(intensity: np.ndarray, amplitudes: np.ndarray) -> float | None:
    from scipy.stats import spearmanr

    if len(intensity) < LEAST or np.ptp(intensity) == 0 or np.ptp(amplitudes) == 0:
        return None
    return float(spearmanr(intensity, amplitudes).statistic)


def _rows_with(groups: Mapping[str, str], descriptions: Sequence[str]) -> dict[str, np.ndarray]:
    """Group -> mask (N,) of the descriptions that have one of its words."""
    patterns = {name: any_word(words) for name, words in groups.items()}
    return {name: np.array([bool(words.search(text)) for text in descriptions]) for name, words in patterns.items()}
