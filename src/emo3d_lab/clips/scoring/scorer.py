"""The Emo3D score of clips that come in parts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import fields, replace
from typing import Any

import numpy as np
import torch

from emo3d.backbones import Backbone
from emo3d.clips import Clip
from emo3d.emotions import kl_divergence
from emo3d.scoring import Bank, Emo3DScorer, References, retrieved_distribution
from emo3d.scoring.scorer import sign_expressions
from emo3d_lab.clips.scoring.alignment import align
from emo3d_lab.clips.scoring.embedder import load_embedder
from emo3d_lab.clips.scoring.field import embedding_numbers
from emo3d_lab.clips.scoring.quality import QUALITIES, quality_numbers
from emo3d_lab.clips.scoring.reading import ClipReference, hash_frames, hash_references, read_pairs
from emo3d_lab.clips.scoring.result import ClipResult, summarise_clips
from emo3d_lab.clips.scoring.settings import ClipSettings


class ClipScorer:
    """Score clips that come in parts; see `score_clips` for what goes in.

    A clip is looked at a few times a second: these faces and the mean face of the clip are rendered and encoded when it
    is added, and its embeddings are all that is kept. The bank is searched in `compute`. The result does not depend on
    how the clips were split, or which scorer saw them.

    Args:
        settings, backbone, device, batch_size: as `Emo3DScorer` takes them.

    Example:
        >>> import numpy as np
        >>> from emo3d.clips import Beat, Clip
        >>> from emo3d_lab.sample.prototypes import combine
        >>> faces = np.stack([combine({name: 0.9}) for name in ("happiness", "anger")]).repeat(30, axis=0)
        >>> beats = [
        ...     {"description": "She is overjoyed", "intensities": {"happiness": 0.9}},
        ...     {"description": "He is furious", "intensities": {"anger": 0.9}},
        ... ]
        >>> scorer = ClipScorer(ClipSettings(backbone="quickstart", k=1))
        >>> scorer.update([Clip.from_frames(faces, 30)], [{"beats": beats}])
        >>> result = scorer.compute()
        >>> round(result.kl_divergence, 4), result.per_beat["end"].round(2).tolist()
        (-0.01, [0.83, 2.0])
    """

    def __init__(
        self,
        settings: ClipSettings | None = None,
        *,
        backbone: Backbone | str | None = None,
        device: str = "cpu",
        batch_size: int = 32,
    ) -> None:
        settings = settings or ClipSettings()
        self.faces = Emo3DScorer(settings, backbone=backbone, device=device, batch_size=batch_size)
        self.references: list[ClipReference] = []
        self.durations: list[float] = []  # seconds, of the predictions
        self.counts: list[int] = []  # instants
        self.motion: list[dict[str, float]] = []  # how each clip moves, by `QUALITIES`
        self.embeddings: list[np.ndarray] = []  # (3, D) of each: the clip, its reference, its text; with an embedder
        self._beats: Bank | None = None  # of the references so far

    @property
    def settings(self) -> ClipSettings:
        """Those given, with the backbone's revision and the render's settings once it is loaded."""
        return self.faces.settings  # type: ignore[return-value]

    def __len__(self) -> int:
        return len(self.references)

    def fit(self, bank: Any) -> ClipScorer:
        """Set what faces look up, as `Emo3DScorer.fit` does; return the scorer itself."""
        self.faces.fit(bank)
        return self

    def update(self, predictions: Iterable[Any], references: Iterable[Any], *, rate: float | None = None) -> None:
        """Add clips with the references they were made for; all of them, or none where something is wrong.

        Raises:
            ValueError: what `score_clips` refuses.
            OSError: the backbone cannot be loaded.
        """
        clips, rows = read_pairs(predictions, references, rate=rate, space=self.settings.space)
        for place, clip in enumerate(clips):
            if clip.space != self.settings.space:
                raise ValueError(f"prediction {place}: expected the space {self.settings.space}, got {clip.space}")
        pairs = list(zip(clips, rows, strict=True))
        counts = [self.settings.count_instants(clip.duration, len(row.descriptions)) for clip, row in pairs]
        faces = [look_at(clip, count) for clip, count in zip(clips, counts, strict=True)]
        keys = [row for row, part in zip(rows, faces, strict=True) for _ in part]
        texts, intensities = [row.descriptions[0] for row in keys], np.stack([row.intensities[0] for row in keys])
        motion, embeddings = [_motion(clip, row) for clip, row in pairs], self._embed(clips, rows)
        self.faces.update(np.concatenate(faces), References(texts, intensities))
        self._beats = None
        self.motion, self.embeddings = self.motion + motion, self.embeddings + embeddings
        self.references = self.references + rows
        self.durations = self.durations + [clip.duration for clip in clips]
        self.counts = self.counts + counts

    def merge(self, *scorers: ClipScorer) -> ClipScorer:
        """Add the clips of other scorers, behind those of this one; return the scorer itself.

        Raises:
            ValueError: a scorer with other settings, another backbone or bank; the message says which.
        """
        self.faces.merge(*(scorer.faces for scorer in scorers))
        self._beats = None
        for scorer in scorers:
            self.references = self.references + scorer.references
            self.durations, self.counts = self.durations + scorer.durations, self.counts + scorer.counts
            self.motion, self.embeddings = self.motion + scorer.motion, self.embeddings + scorer.embeddings
        return self

    def compute(self) -> ClipResult:
        """Score all clips added so far, in the order of the updates; more may be added.

        Raises:
            ValueError: no clips, or fewer beats than k where they are the bank.
            OSError: the backbone cannot be loaded.
        """
        more: dict[str, float] = {}
        if self.embeddings:
            texts = [row.description for row in self.references]
            shown, meant, told = np.stack(self.embeddings, axis=1)
            numbers = embedding_numbers(shown, meant, told, texts, seed=self.settings.seed)
            more = {name: x for name, x in numbers.items() if x == x and name not in ("n", "n_references")}
        motion = {name: np.array([row[name] for row in self.motion]) for name in QUALITIES}
        return self.score([shown[:-1] for shown in self.look_up()], motion, more)

    def look_up(self) -> list[np.ndarray]:
        """Emotion distributions that each clip shows, (T + 1, K, 8) float64: at its instants, then of its mean face, on
        K identities."""
        if not len(self):
            raise ValueError("expected clips to score, got none: call update before compute")
        bank, state = self.bank(), self.faces.encode_waiting()
        embeddings = torch.cat([part.to(state.embeddings[0]) for part in state.embeddings])
        by_identity = [
            retrieved_distribution(bank.intensities[bank.nearest(faces, self.settings.k)])
            for faces in embeddings.unbind(dim=1)
        ]
        return np.split(np.stack(by_identity, axis=1), np.cumsum(np.array(self.counts) + 1)[:-1])

    def score(
        self,
        shown: Sequence[np.ndarray],
        motion: dict[str, np.ndarray] | None = None,
        more: dict[str, float] | None = None,
    ) -> ClipResult:
        """The result of clips that show these emotion distributions instead, one (T, K, 8) for each of them.

        `motion` has further values (n,) of each clip, `more` further numbers of all of them.
        """
        bank = self.bank()
        settings = replace(self.settings, bank=bank.hash)
        if settings.embedder is not None:
            embedder = load_embedder(settings.embedder)
            settings = replace(settings, embedder=f"{embedder.name}/{embedder.hash}")
        per_sample, per_beat = values_of(shown, self.references, self.durations, settings)
        return summarise_clips(
            per_sample | (motion or {}),
            per_beat,
            settings,
            more,
            truncated=bank.truncated,
            references=hash_references(self.references),
            reference_expressions=hash_frames(self.references),
            signature=sign_expressions(settings),
        )

    def _embed(self, clips: Sequence[Clip], references: Sequence[ClipReference]) -> list[np.ndarray]:
        if self.settings.embedder is None:
            return []
        embedder = load_embedder(self.settings.embedder)
        own = [row.clip for row in references if row.clip is not None]
        if len(own) < len(references):
            raise ValueError("expected references with frames, which an embedder compares clips with, got some without")
        bare = [[replace(clip, beats=()) for clip in side] for side in (clips, own)]  # a rounded end cuts no beat
        sides = [embedder.encode_clips(side) for side in bare]
        return list(np.stack([*sides, embedder.encode_texts([row.description for row in references])], axis=1))

    def bank(self) -> Bank:
        """What faces look up: what `fit` was given, or the references' beats in an order of their own."""
        if bank := self.faces.bank or self._beats:
            return bank
        texts = [text for row in self.references for text in row.descriptions]
        beats = References(texts, np.concatenate([row.intensities for row in self.references]))
        self._beats = deepcopy(self.faces).fit(beats).bank
        assert self._beats is not None
        return self._beats


def _motion(clip: Clip, reference: ClipReference) -> dict[str, float]:
    numbers = quality_numbers([clip], None if reference.clip is None else [reference.clip])
    return {name: float(value) for name, (value,) in numbers.items()}


def look_at(clip: Clip, count: int) -> np.ndarray:
    """Expressions (count + 1, 51) float32 at evenly spaced instants of a clip, between frames in proportion, and last
    the mean of all its frames."""
    places = (np.arange(count) + 0.5) / count * len(clip) - 0.5  # of frames, whose middles are at 0, 1, ...
    places = places.clip(0, len(clip) - 1)
    before = places.astype(int)
    share = (places - before)[:, None].astype(np.float32)
    after = np.minimum(before + 1, len(clip) - 1)
    faces = (1 - share) * clip.expressions[before] + share * clip.expressions[after]
    return np.concatenate([faces, clip.expressions.mean(axis=0, keepdims=True)])


def values_of(
    shown: Sequence[np.ndarray], references: Sequence[ClipReference], durations: Sequence[float], settings: ClipSettings
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Values of each clip and beat, see `ClipResult`, of the emotion distributions (T, K, 8) that clips show."""
    keys = [reference.key for reference in references]
    places = {key: place for place, key in enumerate(sorted(set(keys)))}
    clips: dict[str, list[Any]] = {name: [] for name in ("kl_divergence", "order", "timing_error")}
    beats: dict[str, list[Any]] = {name: [] for name in ("clip", "start", "end", "kl_divergence")}
    for row, (q, reference, duration) in enumerate(zip(shown, references, durations, strict=True)):
        costs = kl_divergence(reference.distributions[:, None, None], q, settings.epsilon).mean(axis=2)
        alignment = align(costs, settings.least, settings.transition)
        order = timing = np.nan
        backwards = reference.distributions[::-1]
        if not np.array_equal(backwards, reference.distributions):
            order = _order(alignment.cost, align(costs[::-1], settings.least, settings.transition).cost)
        if len(costs) > 1 and reference.boundaries is not None:
            timing = float(np.abs(alignment.boundaries / len(q) - reference.boundaries).mean() * reference.duration)
        for name, value in zip(clips, (alignment.cost, order, timing), strict=True):
            clips[name].append(value)
        seconds = duration / len(q)
        beats["clip"] += [row] * len(costs)
        beats["start"] += (alignment.starts * seconds).tolist()
        beats["end"] += (alignment.ends * seconds).tolist()
        beats["kl_divergence"] += alignment.means.tolist()
    ranks = {"reference": np.array([places[key] for key in keys])}
    return {name: np.array(x) for name, x in clips.items()} | ranks, {name: np.array(x) for name, x in beats.items()}


def _order(forward: float, backward: float) -> float:
    """1 where beats cost less in their order than backwards, 0 where more, 0.5 where they differ by rounding alone."""
    if abs(backward - forward) <= 1e-6 * max(abs(forward), abs(backward)):
        return 0.5
    return float(forward < backward)


def score_clips(
    predictions: Iterable[Any],
    references: Iterable[Any],
    *,
    settings: ClipSettings | None = None,
    bank: Bank | None = None,
    backbone: Backbone | str | None = None,
    device: str = "cpu",
    batch_size: int = 32,
    rate: float | None = None,
    **settings_fields: Any,
) -> ClipResult:
    """Score clips against the beats they should show, in their order. Lower is better.

    Each clip is cut into as many stretches as there are beats (`align`); the divergence of a beat is the mean over its
    stretch of that between its emotions and those that each face retrieves, as for stills; that of a clip the mean over
    its beats.

    Args:
        predictions: N clips: `Clip`s, mappings with `frames` and `rate`, or arrays (T, 51) or (T, 61) at `rate`.
        references: N `Clip`s with beats, or mappings with `beats`: `description`, `intensities` and perhaps `start` and
            `end` in seconds of each. Lengths and rates may be others than the predictions'.
        bank: what the faces look up; None takes the beats of the references.
        settings: `ClipSettings()` by default, in the space of the first clip.
        backbone, device, batch_size: as for `score`.
        rate: frames per second of predictions that are arrays.
        settings_fields: settings by their names; they replace those of `settings`.

    Raises:
        ValueError: no clips, not as many as references, one of another space or of less than 0.25 s for each beat of
            its reference, bad frames, a reference without beats or a beat without intensities (the message names the
            row), a bank smaller than k.
        TypeError: a field that `ClipSettings` does not have.
        OSError: the backbone cannot be loaded.
    """
    known = {field.name for field in fields(ClipSettings)}
    if unknown := [name for name in settings_fields if name not in known]:
        raise TypeError(f"score_clips() takes no argument {unknown[0]!r}")
    clips, rows = read_pairs(predictions, references, rate=rate, space=settings_fields.get("space"))
    if settings is None:
        settings_fields.setdefault("space", clips[0].space)
    scorer = ClipScorer(
        replace(settings or ClipSettings(), **settings_fields), backbone=backbone, device=device, batch_size=batch_size
    )
    if bank is not None:
        scorer.fit(bank)
    scorer.update(clips, rows)
    return scorer.compute()


def compute_clips(
    predictions: Any, references: Any, *, bank_folder: str | None = None, per_sample: bool = False, **options: Any
) -> dict[str, Any]:
    """`score_clips` as the module of `evaluate` calls it, with its options; `ClipResult.to_dict`."""
    for name in ("layout", "join", "references_space"):
        if options.pop(name, None) is not None:
            raise ValueError(f"expected no {name} with clips, whose channels, order and space they say themselves")
    bank = None if bank_folder is None else Bank.load(bank_folder)
    return score_clips(predictions, references, bank=bank, **options).to_dict(per_sample=per_sample)
