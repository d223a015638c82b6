"""What emotion readers say of the faces of a score, as a part of its result."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from emo3d.blendshapes import Layout
from emo3d.emotions import EMOTIONS, distribution, kl_divergence
from emo3d.scoring import Emo3DResult, ScoreSettings
from emo3d.scoring.core import bootstrap_intervals, cluster_values, effective_size, wilson_interval
from emo3d.scoring.predictions import Pictures, read_batch
from emo3d.scoring.readers import ReaderResult
from emo3d.scoring.references import References
from emo3d.scoring.settings import signature_fields
from emo3d_lab.readers.base import RENDER, EmotionReader, find_boxes
from emo3d_lab.readers.rendered import read_expressions

logger = logging.getLogger(__name__)

_SHARED = ("epsilon", "space", "calibration", "identity", "n_bootstrap", "confidence", "seed")
"""Settings of a score that move a reader's numbers or intervals, too."""
_NUMBERS = ("kl_divergence", "top1")
_EQUAL = 1e-9  # of two shares
_BATCH = 256  # pictures at a time


def known_shares(intensities: Any, emotions: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """What descriptions say of the emotions that a reader knows.

    Descriptions of which another emotion is stronger than all of these are left out; of the others the shares of other
    emotions are taken out, and the rest made to sum to one.

    Args:
        intensities: (N, 8) in 0..1, order `EMOTIONS`.
        emotions: E names of `EMOTIONS`.

    Returns:
        Rows (M,) that are left, and their distributions (M, E) float64.
    """
    described = distribution(intensities)
    places = [EMOTIONS.index(emotion) for emotion in emotions]
    rows = np.flatnonzero(described[:, places].max(axis=1) >= described.max(axis=1) - _EQUAL)
    known = described[rows][:, places]
    return rows, known / known.sum(axis=1, keepdims=True)


def read_faces(
    readers: Sequence[EmotionReader],
    predictions: Any,
    references: Any,
    settings: ScoreSettings | None = None,
    *,
    join: str | None = None,
    layout: Layout | None = None,
) -> dict[str, ReaderResult]:
    """Have readers read the faces of a score; arguments as for `emo3d.scoring.score`.

    Expressions are rendered on the identities of the settings at the readers' own size, with crops that follow from the
    camera; in pictures, and of turned heads, MediaPipe finds the largest face.

    Returns:
        By the readers' names, in their order.

    Raises:
        ValueError: what `score` refuses, or two readers of one name.
        OSError: pictures come in, and MediaPipe is missing.
    """
    settings = settings or ScoreSettings()
    faces, references = read_batch(predictions, references, join=join, layout=layout)
    answers, source = read_answers(readers, faces, settings)
    return judge(readers, answers, references, settings, source)


def read_answers(
    readers: Sequence[EmotionReader], faces: np.ndarray | Pictures, settings: ScoreSettings
) -> tuple[list[np.ndarray], str]:
    """Have readers read faces: each one's answers (N, K, E) on K identities, and for signatures how they were shown."""
    if len({reader.name for reader in readers}) < len(readers):
        raise ValueError(f"expected each reader once, got {', '.join(reader.name for reader in readers)}")
    if isinstance(faces, Pictures):
        by_identity, source = [_read_pictures(readers, faces)], "faces:mediapipe"
    else:
        render = replace(settings.render or RENDER, size=RENDER.size)
        options: dict[str, Any] = {"space": settings.space, "settings": render, "calibration": settings.calibration}
        by_identity = [read_expressions(readers, faces, rig=name, **options) for name in settings.faces]
        source = f"faces:{'camera' if render.yaw == 0 else 'mediapipe'}|render:{render}"
    return [np.stack(answers, axis=1) for answers in zip(*by_identity, strict=True)], source


def judge(
    readers: Sequence[EmotionReader],
    answers: Sequence[np.ndarray],
    references: References,
    settings: ScoreSettings,
    source: str,
) -> dict[str, ReaderResult]:
    """Make results, by the readers' names, of what `read_answers` returns."""
    return {
        reader.name: summarise(shares, reader.emotions, references, settings, f"{reader.signature}|{source}")
        for reader, shares in zip(readers, answers, strict=True)
    }


def with_readers(
    result: Emo3DResult,
    readers: Sequence[EmotionReader],
    predictions: Any,
    references: Any,
    settings: ScoreSettings | None = None,
    *,
    join: str | None = None,
    layout: Layout | None = None,
) -> Emo3DResult:
    """Put what readers say of its faces into a result; arguments and errors as for `read_faces`.

    Raises:
        ValueError: other references, or other settings, than those of the result.
    """
    settings = settings or ScoreSettings()
    faces, rows = read_batch(predictions, references, join=join, layout=layout)
    if not np.array_equal(rows.ranks, result.per_sample.get("reference", ())):
        raise ValueError("expected the references of the result, in its order")
    ours, theirs = signature_fields(settings.signature), signature_fields(result.signature)
    for name in _SHARED:
        # A result's calibration has its name after the method.
        used = theirs.get(name, "-").partition("/")[0] if name == "calibration" else theirs.get(name, "-")
        if used not in ("-", ours[name]):
            raise ValueError(f"expected the settings of the result, they differ in {name}: {used}, {ours[name]}")
    answers, source = read_answers(readers, faces, settings)
    return put_readers(result, judge(readers, answers, rows, settings, source))


def put_readers(result: Emo3DResult, answers: dict[str, ReaderResult]) -> Emo3DResult:
    """Put readers' results into a score; pictures without a face are a warning."""
    for name, answer in answers.items():
        if answer.not_found:
            logger.warning("%s: no face found in %d pictures, which are not judged", name, answer.not_found)
    return replace(result, readers=answers)


def summarise(
    answers: np.ndarray, emotions: Sequence[str], references: References, settings: ScoreSettings, signature: str
) -> ReaderResult:
    """Make a reader's result of its answers; it does not depend on the order of the faces.

    Args:
        answers: (N, K, E) of N faces on K identities, NaN where no face was found.
        emotions: E names of `EMOTIONS`.
        references: N of them.
        settings: of epsilon and intervals.
        signature: of the result.
    """
    rows, known = known_shares(references.intensities, emotions)
    shares = answers[rows]
    counts = (~np.isnan(shares[..., 0])).sum(axis=1)
    kl = kl_divergence(known[:, None], shares, settings.epsilon)
    # Of equally strong emotions described each counts as the one.
    described = np.isclose(known, known.max(axis=1, keepdims=True), rtol=0, atol=_EQUAL)
    likeliest = np.nan_to_num(shares).argmax(axis=2)
    match = np.where(np.isnan(kl), np.nan, np.take_along_axis(described, likeliest, axis=1))
    judged = rows[counts > 0]
    values = np.nansum([kl, match], axis=2).T[counts > 0] / counts[counts > 0, None]
    per_sample = {name: np.full(len(answers), np.nan) for name in _NUMBERS}
    for column, name in enumerate(_NUMBERS):
        per_sample[name][judged] = values[:, column]
    ranks, strongest = references.ranks[judged], known[counts > 0].argmax(axis=1)
    per_emotion = {}
    for place in np.unique(strongest):
        group = strongest == place
        per_emotion[emotions[place]] = _mean(values[group], ranks[group], settings)
    total = _mean(values, ranks, settings) if len(judged) else {"n": 0, **dict.fromkeys(_NUMBERS), "intervals": {}}
    return ReaderResult(
        signature=signature,
        emotions=tuple(emotions),
        not_found=len(rows) - len(judged),
        per_emotion=per_emotion,
        per_sample=per_sample,
        **total,
    )


def _mean(values: np.ndarray, ranks: np.ndarray, settings: ScoreSettings) -> dict[str, Any]:
    """Means of columns (n, 2), divergences and matches, and their intervals; rows of equal ranks are of one reference.

    In an order that follows from the content, like the resampled rows of the score.
    """
    order = np.lexsort([*values.T[::-1], ranks])
    values, ranks = values[order], ranks[order]
    bootstrap: dict[str, Any] = {
        "n_bootstrap": settings.n_bootstrap,
        "seed": settings.seed,
        "confidence": settings.confidence,
    }
    ends = bootstrap_intervals(cluster_values(values, ranks)[:, :1], **bootstrap)
    means = dict(zip(_NUMBERS, values.mean(axis=0).tolist(), strict=True))
    intervals = {} if ends is None else {"kl_divergence": (float(ends[0, 0]), float(ends[0, 1]))}
    size = effective_size(values[:, 1], ranks)
    intervals["top1"] = wilson_interval(means["top1"], size, settings.confidence)
    return {"n": len(values), **means, "intervals": intervals}


def _read_pictures(readers: Sequence[EmotionReader], pictures: Pictures) -> list[np.ndarray]:
    parts = []
    for start in range(0, len(pictures), _BATCH):
        batch = pictures[start : start + _BATCH]
        boxes = find_boxes(batch)
        parts.append([reader.read(batch, boxes) for reader in readers])
    return [np.concatenate(answers) for answers in zip(*parts, strict=True)]
