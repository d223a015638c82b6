"""The tasks of a study: faces with their descriptions, and pairs of faces, in an order of each annotator's own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np

from emo3d.blendshapes import as_expressions
from emo3d.face import FaceRig, RenderSettings, render
from emo3d.face.calibration import name_calibration, rig_weights
from emo3d.scoring import Backbone, Bank, References, ScoreSettings, read_references, score

Kind = Literal["fit", "pair"]
NUMBERS = ("kl_divergence", "mse")
PORTRAIT = RenderSettings(size=384)
"""Faces as annotators see them."""


@dataclass(frozen=True, eq=False)
class Task:
    """One question.

    Attributes:
        id: twelve hexadecimal digits, a hash of all that an annotator sees (of pictures, what they are rendered from)
            and of the systems.
        kind: `"fit"`, does the emotion distribution fit this face and description; `"pair"`, which of two faces shows
            the description better.
        description: the text.
        intensities: (8,) float64 in 0..1, order `EMOTIONS`.
        expressions: (1, 51) for a fit, (2, 51) for a pair, in the study's space.
        identity: of the faces, a name of `emo3d.face.IDENTITIES`.
        systems: of each expression; hidden from annotators.
        numbers: of each expression, `kl_divergence` and, where the references have expressions, `mse`.
    """

    id: str
    kind: Kind
    description: str
    intensities: np.ndarray
    expressions: np.ndarray
    identity: str
    systems: tuple[str, ...]
    numbers: dict[str, tuple[float, ...]]


@dataclass(frozen=True, eq=False)
class Study:
    """Tasks, and the score of their numbers.

    Attributes:
        tasks: by id.
        signature: of the score.
        settings: of the score, which has its own identity; faces are rendered by its space and calibration.
    """

    tasks: dict[str, Task]
    signature: str
    settings: ScoreSettings

    def order(self, annotator: str, kind: Kind) -> list[Task]:
        """All tasks of a kind in an order that is random between annotators and always the same for one."""
        tasks = [task for task in self.tasks.values() if task.kind == kind]
        return sorted(tasks, key=lambda task: hashlib.sha256(f"{annotator} {task.id}".encode()).digest())

    def next(self, annotator: str, kind: Kind, answered: Collection[str]) -> Task | None:
        """The first task of an annotator's order that is not answered yet; None when all are."""
        return next((task for task in self.order(annotator, kind) if task.id not in answered), None)

    def pictures(self, task: Task) -> np.ndarray:
        """The faces of a task: (1 or 2, size, size, 3) uint8, see `PORTRAIT`."""
        weights = rig_weights(task.expressions, self.settings.space, self.settings.calibration)
        return render(weights, rig=FaceRig.from_anny(task.identity), settings=PORTRAIT)


def make_study(
    references: Any,
    systems: Mapping[str, Any],
    settings: ScoreSettings,
    *,
    identities: Sequence[str] | None = None,
    bank: Bank | None = None,
    backbone: Backbone | None = None,
) -> Study:
    """Make a study: each face of each system on its own, and each two systems' faces of one description as a pair.

    Which of a pair comes first is drawn by its hash.

    Args:
        references: N rows that `read_references` reads; with `blendshapes` in the space of the systems, for `mse`.
        systems: name -> (N, 51) expressions, in `settings.space`.
        settings: of the score that people are compared with.
        identities: N names, of the heads on which each row is rendered; None is `settings.identity`.
        bank: see `score`.
        backbone: used instead of loading `settings.backbone`.

    Raises:
        ValueError: no systems, not one identity for each row, or what `score` refuses.
    """
    if not systems:
        raise ValueError("expected at least one system to judge, got none")
    rows = read_references(references)
    heads = [settings.identity] * len(rows) if identities is None else list(identities)
    if len(heads) != len(rows):
        raise ValueError(f"expected an identity for each of {len(rows)} references, got {len(heads)}")
    faces = {name: as_expressions(expressions) for name, expressions in systems.items()}
    results = {
        name: score(expressions, rows, settings=settings, bank=bank, backbone=backbone)
        for name, expressions in faces.items()
    }
    numbers = {
        name: {number: result.per_sample[number] for number in NUMBERS if number in result.per_sample}
        for name, result in results.items()
    }
    tasks = {}
    names = sorted(faces)
    calibration = name_calibration(settings.space, settings.calibration)
    for row in range(len(rows)):
        for group in (*combinations(names, 1), *combinations(names, 2)):
            task = _task(row, rows, group, faces, numbers, heads[row], calibration)
            tasks[task.id] = task
    return Study(tasks, next(iter(results.values())).signature, settings)


def _task(
    row: int,
    references: References,
    systems: tuple[str, ...],
    faces: Mapping[str, np.ndarray],
    numbers: Mapping[str, Mapping[str, np.ndarray]],
    identity: str,
    calibration: str | None,
) -> Task:
    scores = [faces[name][row].tolist() for name in systems]
    look = [identity, calibration, str(PORTRAIT)]
    content = [references.descriptions[row], references.intensities[row].tolist(), scores, look, systems]
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    if int(digest[-1], 16) % 2:
        systems = systems[::-1]
    return Task(
        digest[:12],
        "fit" if len(systems) == 1 else "pair",
        references.descriptions[row],
        references.intensities[row],
        np.stack([faces[name][row] for name in systems]),
        identity,
        systems,
        {name: tuple(float(numbers[system][name][row]) for system in systems) for name in numbers[systems[0]]},
    )
