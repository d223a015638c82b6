"""Sentinels: five systems that do not do the task, beside every score. A system that does not beat them is said not to.

- *constant prior*: no face; every description is given the mean emotion distribution of the training rows, or of the
  references themselves where there are none. What does not beat it says nothing of the description.
- *neutral*: the face at rest, all weights 0, for every description; one face is rendered. Of pictures there is none.
- *shuffled*: the system's own faces, each held against another description (`derangement`). What does not beat it does
  not listen.
- *text-only*: no face; the k descriptions of the bank nearest to the description's own text embedding, those of the
  same text left out. It says what the bank and the text side of the backbone know by themselves.
- *picture-blind*: the look-up sees a face but not which: the mean embedding of the system's pictures.

They take the embeddings, bank and settings of a scorer that is done, so they cost three look-ups and one render.

Emotion readers see them, too: they read *neutral*, their own answers make *shuffled* and *picture-blind*, and the
distributions of the other two are held against the description over the emotions that they know.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from emo3d.backbones import Backbone
from emo3d.blendshapes import BLENDSHAPES
from emo3d.emotions import EMOTIONS, distribution
from emo3d.scoring import Bank, Emo3DResult, Emo3DScorer, References, ScoreSettings, divergence, retrieved_distribution
from emo3d.scoring.predictions import Pictures, read_batch
from emo3d.scoring.readers import ReaderResult
from emo3d.scoring.result import summarise
from emo3d.scoring.state import ScoreState
from emo3d_lab.baselines import PRIOR, constant_prior
from emo3d_lab.comparison import permutation_p_values
from emo3d_lab.plain import Share
from emo3d_lab.readers.judging import judge, put_readers, read_answers

if TYPE_CHECKING:
    from emo3d_lab.readers import EmotionReader

NEUTRAL, SHUFFLED, TEXT_ONLY, PICTURE_BLIND = "neutral", "shuffled", "text-only", "picture-blind"
SENTINELS = (PRIOR, NEUTRAL, SHUFFLED, TEXT_ONLY, PICTURE_BLIND)
LEVEL = 0.05
"""A system beats a sentinel with a lower mean KL at a p-value below this."""


@dataclass(frozen=True)
class Reading:
    """What an emotion reader says of a sentinel: means of the faces that it can judge, None where there are none."""

    reader: str
    kl_divergence: float | None
    top1: float | None
    p_value: Share | None = None  # as a sentinel's, of the reader's divergences

    @property
    def numbers(self) -> tuple[float | None, float | None]:
        """Both, in this order."""
        return self.kl_divergence, self.top1


@dataclass(frozen=True)
class Sentinel:
    """A sentinel in figures, beside a system."""

    name: Literal["constant prior", "neutral", "shuffled", "text-only", "picture-blind"]
    kl_divergence: float
    p_value: Share  # two-sided, of a paired permutation test of its divergences and the system's
    readings: tuple[Reading, ...] = ()

    def is_beaten(self, kl_divergence: float) -> bool:
        """Whether a system of this mean KL, whose test the p-value is of, is better beyond chance."""
        return kl_divergence < self.kl_divergence and self.p_value < LEVEL


def score_beside_sentinels(
    predictions: Any,
    references: Any,
    *,
    training: References | None = None,
    readers: Sequence[EmotionReader] = (),
    bank: Bank | None = None,
    settings: ScoreSettings | None = None,
    backbone: Backbone | str | None = None,
    device: str = "cpu",
    batch_size: int = 32,
    join: str | None = None,
) -> tuple[Emo3DResult, dict[str, Emo3DResult]]:
    """Score faces as `score` does, and their sentinels.

    Args:
        predictions: see `score`, as `references`, `bank`, `backbone`, `device`, `batch_size` and `join`.
        training: other rows of the same dataset, whose mean distribution is the constant prior.
        readers: emotion readers, whose answers then are in all results.
        settings: see `score`, but `ScoreSettings()` by default whatever the references say of their space.

    Raises:
        ValueError: see `score`.
        OSError: the backbone cannot be loaded.
    """
    faces, references = read_batch(predictions, references, join=join)
    scorer = Emo3DScorer(settings, backbone=backbone, device=device, batch_size=batch_size)
    scorer.fit(references if bank is None else bank).update(faces, references)
    result = scorer.compute()
    sentinels = make_sentinels(scorer, result, training)
    return (
        read_beside(readers, faces, references, result, sentinels, scorer.settings) if readers else (result, sentinels)
    )


def make_sentinels(
    scorer: Emo3DScorer, result: Emo3DResult, training: References | None = None
) -> dict[str, Emo3DResult]:
    """Score the sentinels of a system.

    Args:
        scorer: with all its faces.
        result: what it computed; the sentinels bear its signature, since they are compared with it and nothing else.
        training: other rows of the same dataset, whose mean distribution is the constant prior.

    Returns:
        Name of `SENTINELS` -> result, rows as in that of the system. Without `NEUTRAL` where the faces are pictures,
        without `TEXT_ONLY` where the bank holds no other text.
    """
    state, settings = scorer.encode_waiting(), scorer.settings
    descriptions = [description for part in state.references for description in part.descriptions]
    references = References(descriptions, np.concatenate([part.intensities for part in state.references]))
    bank = scorer.bank or deepcopy(scorer).fit(references).bank
    assert bank is not None
    pictures = torch.cat([part.to(state.embeddings[0]) for part in state.embeddings])  # (N, K, D), K identities

    def summary(values: dict[str, np.ndarray]) -> Emo3DResult:
        return summarise(values, references, settings, result.signature, result.truncated)

    def look_up(pictures: torch.Tensor, bank: Bank) -> Emo3DResult:
        faces = pictures.expand(len(references), -1, -1)
        return summary(ScoreState((references,), ({},), (faces,)).values(references, bank, settings))

    def retrieve(intensities: np.ndarray) -> Emo3DResult:
        """Of intensities (N, k, 8), as if the faces had retrieved them."""
        kl = divergence(distribution(references.intensities), intensities, settings.variant, settings.epsilon)
        values = {"kl_divergence": kl, "distribution": retrieved_distribution(intensities)}
        return summary(values | {"reference": references.ranks})

    exact = replace(bank, index=None)  # an index may not find k of what is far from all texts
    prior = constant_prior(training or references)
    sentinels = {PRIOR: retrieve(np.broadcast_to(prior, (len(references), settings.k, len(prior))))}
    if state.is_expressions:
        sentinels[NEUTRAL] = look_up(_embed_rest(scorer, references), exact)
    content = [result.per_sample[name] for name in ("reference", "distribution", "kl_divergence")]
    moved = derangement(descriptions, settings.seed, np.column_stack(content))
    sentinels[SHUFFLED] = look_up(pictures[torch.from_numpy(moved)], bank)
    rows = other_texts(exact, descriptions, _embed_texts(scorer, bank, references), settings.k)
    if rows.size:
        sentinels[TEXT_ONLY] = retrieve(bank.intensities[rows])
    sentinels[PICTURE_BLIND] = look_up(pictures.double().mean(dim=0, keepdim=True).to(pictures.dtype), exact)
    return sentinels


def read_beside(
    readers: Sequence[EmotionReader],
    faces: np.ndarray | Pictures,
    references: References,
    result: Emo3DResult,
    sentinels: dict[str, Emo3DResult],
    settings: ScoreSettings,
) -> tuple[Emo3DResult, dict[str, Emo3DResult]]:
    """Put what readers say of a system and of its sentinels into their results.

    Args:
        faces: (N, 51) in the space of the settings, or pictures.
        references: N, in the same order.
        result, sentinels: as `make_sentinels` returns them.
        settings: of the score.
    """
    answers, source = read_answers(readers, faces, settings)
    at_rest = None
    if NEUTRAL in sentinels:
        at_rest, _ = read_answers(readers, np.zeros((1, len(BLENDSHAPES))), replace(settings, space="weights"))
    readings: dict[str, list[np.ndarray]] = {name: [] for name in sentinels}
    for place, (reader, shares) in enumerate(zip(readers, answers, strict=True)):
        known = [EMOTIONS.index(emotion) for emotion in reader.emotions]
        for name, of_reader in readings.items():
            if name == NEUTRAL and at_rest:
                shown = at_rest[place]
            elif name == SHUFFLED:
                content = np.column_stack([references.ranks, shares.reshape(len(shares), -1)])
                shown = shares[derangement(references.descriptions, settings.seed, content)]
            elif name == PICTURE_BLIND:
                found = shares[~np.isnan(shares).any(axis=(1, 2))]
                shown = (found if len(found) else shares[:1]).mean(axis=0, keepdims=True, dtype=np.float64)
            else:
                shown = sentinels[name].per_sample["distribution"][:, None, known]
                total = shown.sum(axis=2, keepdims=True)
                shown = np.divide(shown, total, out=np.zeros_like(shown), where=total > 0)
            of_reader.append(np.broadcast_to(shown, (len(shares), *shown.shape[1:])))
    return put_readers(result, judge(readers, answers, references, settings, source)), {
        name: replace(sentinel, readers=judge(readers, readings[name], references, settings, source))
        for name, sentinel in sentinels.items()
    }


def derangement(groups: Sequence[Any], seed: int = 0, content: np.ndarray | None = None) -> np.ndarray:
    """Draw a permutation (N,) int64 that gives every row another one, of another of its groups (N,).

    Rows of some group keep to it only where it has more than half of all. Groups are drawn in random order, and rows
    move on by the size of the largest. Rows of one group are ordered by their content (N, C) where it is given, so that
    the order in which rows come makes no difference.
    """
    _, places, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    drawn = np.random.default_rng(seed).permutation(len(sizes))[places]
    order = np.lexsort([*([] if content is None else content.T[::-1]), drawn])
    rows = np.empty_like(order)
    rows[order] = np.roll(order, sizes.max())
    return rows


def other_texts(bank: Bank, descriptions: Sequence[str], embeddings: torch.Tensor, k: int) -> np.ndarray:
    """Rows (N, k) int64 of a bank that are nearest to descriptions, best first, those of the same text left out.

    Fewer than k columns, down to none, where the bank has fewer rows of other texts for some description.

    Args:
        bank: without an index.
        descriptions: N texts.
        embeddings: (N, D) of them.
        k: at least 1.
    """
    places = {text: place for place, text in enumerate(dict.fromkeys(bank.descriptions))}
    of_rows = np.array([places[text] for text in bank.descriptions])
    texts = np.array([places.get(text, -1) for text in descriptions])
    own = np.append(np.bincount(of_rows), 0)[texts]  # how many rows of the bank are of the same text
    k = min(k, len(bank) - own.max())
    if not k:
        return np.empty((len(texts), 0), np.int64)
    nearest = bank.nearest(embeddings, k + own.max())
    is_own = of_rows[nearest] == texts[:, None]
    return np.take_along_axis(nearest, is_own.argsort(axis=1, kind="stable")[:, :k], axis=1)


def compare_sentinels(result: Emo3DResult, sentinels: Mapping[str, Emo3DResult]) -> tuple[Sentinel, ...]:
    """Put sentinels in figures; the test is that of `emo3d_lab.comparison.compare`, references by reference."""
    if not sentinels:
        return ()
    kl = result.per_sample["kl_divergence"]
    differences = np.stack([other.per_sample["kl_divergence"] - kl for other in sentinels.values()], axis=1)
    p_values = permutation_p_values(differences, result.per_sample["reference"])
    return tuple(
        Sentinel(name, other.kl_divergence, float(p), _compare_readings(result, other))  # type: ignore[arg-type]
        for (name, other), p in zip(sentinels.items(), p_values, strict=True)
    )


def _compare_readings(result: Emo3DResult, sentinel: Emo3DResult) -> tuple[Reading, ...]:
    """What readers say of a sentinel, with tests over the faces that they judge of both."""
    readings = []
    for reading in readings_of(sentinel.readers):
        ours, theirs = (system.readers[reading.reader].per_sample["kl_divergence"] for system in (result, sentinel))
        judged = np.flatnonzero(~np.isnan(ours - theirs))
        if len(judged):
            _, places = np.unique(result.per_sample["reference"][judged], return_inverse=True)
            (p,) = permutation_p_values((theirs - ours)[judged, None], places)
            reading = replace(reading, p_value=float(p))
        readings.append(reading)
    return tuple(readings)


def readings_of(readers: Mapping[str, ReaderResult]) -> tuple[Reading, ...]:
    """What emotion readers say of all faces, by their names."""
    return tuple(Reading(name, reader.kl_divergence, reader.top1) for name, reader in readers.items())


def verdict_of(kl_divergence: float, sentinels: Sequence[Sentinel]) -> list[str]:
    """Name each sentinel that a system of this mean KL does not beat, in a sentence with both figures.

    Example:
        >>> verdict_of(1.02, [Sentinel("neutral", 2.5, 0.0001), Sentinel("shuffled", 1.05, 0.31)])
        ['not better than shuffled (KL 1.02 against 1.05, p = 0.31)']
        >>> verdict_of(1.02, [Sentinel("text-only", 0.7, 0.0001)])
        ['worse than text-only (KL 1.02 against 0.70, p < 0.001)']
    """
    return [
        _sentence(sentinel.name, kl_divergence, sentinel.kl_divergence, sentinel.p_value)
        for sentinel in sentinels
        if not sentinel.is_beaten(kl_divergence)
    ]


def verdict_line(kl_divergence: float, sentinels: Sequence[Sentinel], readings: Sequence[Reading] = ()) -> str:
    """What `verdict_of` says, in one line, which ones are beaten, and where `readings` of the system contradict it."""
    sentences = verdict_of(kl_divergence, sentinels)
    if names := [sentinel.name for sentinel in sentinels if sentinel.is_beaten(kl_divergence)]:
        which = ", ".join(names) if sentences else "every sentinel"
        sentences.append(f"better than {which} (p < {LEVEL})")
    for own in readings:
        for sentinel in sentinels:
            other = next((row for row in sentinel.readings if row.reader == own.reader), None)
            if own.kl_divergence is None or not other or other.kl_divergence is None or other.p_value is None:
                continue
            is_beaten = own.kl_divergence < other.kl_divergence and other.p_value < LEVEL
            if sentinel.is_beaten(kl_divergence) and not is_beaten:
                text = _sentence(sentinel.name, own.kl_divergence, other.kl_divergence, other.p_value)
                sentences.append(f"but by {own.reader} {text}")
    return "; ".join(sentences)


def _sentence(name: str, ours: float, theirs: float, p: float) -> str:
    verb = "worse" if ours > theirs and p < LEVEL else "not better"
    return f"{verb} than {name} (KL {ours:.2f} against {theirs:.2f}, {format_p(p)})"


def save_beside(path: str | os.PathLike[str], result: Emo3DResult, sentinels: Sequence[Sentinel], **more: Any) -> None:
    """Write what `Emo3DResult.save` writes, the sentinels, and more entries; `Emo3DResult.load` reads it, too."""
    plain = more | result.to_dict(per_sample=True) | {"sentinels": [asdict(sentinel) for sentinel in sentinels]}
    Path(path).write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")


def format_p(p: float) -> str:
    """A p-value as text."""
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.2f}" if p >= 0.1 else f"p = {p:.3f}"


def _embed_rest(scorer: Emo3DScorer, references: References) -> torch.Tensor:
    """Embedding of the face at rest, (1, K, D)."""
    scorer = deepcopy(scorer)
    scorer.reset()
    scorer.settings = replace(scorer.settings, space="weights")  # readings of 0 are no face at rest
    scorer.update(np.zeros((1, len(BLENDSHAPES)), np.float32), references.part(slice(1)))
    return scorer.encode_waiting().embeddings[0]


def _embed_texts(scorer: Emo3DScorer, bank: Bank, references: References) -> torch.Tensor:
    """Embeddings of the descriptions, (N, D): those of the bank where it holds them all."""
    if not set(references.descriptions) <= set(bank.descriptions):
        scorer = deepcopy(scorer)
        scorer.settings = replace(scorer.settings, k=1, bank=None)
        bank = scorer.fit(references).bank  # type: ignore[assignment]
    places = {text: place for place, text in enumerate(dict.fromkeys(bank.descriptions))}
    return bank.embeddings[[places[text] for text in references.descriptions]]
