"""What people judge: faces with their descriptions, and pairs of faces, in an order of each annotator's own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from emo3d.blendshapes import as_expressions
from emo3d.face import FaceRig, RenderSettings, render
from emo3d.face.spaces import name_calibration, rig_weights
from emo3d.scoring import Backbone, Bank, References, ScoreSettings, read_references, score

Kind = Literal["fit", "pair"]
NUMBERS = ("kl_divergence", "mse")
PORTRAIT = RenderSettings(size=384)
"""How faces are shown."""


@dataclass(frozen=True, eq=False)
class Task:
    """One question.

    Attributes:
        id: twelve hexadecimal digits, a hash of all that an annotator is shown, pictures by what they are made of, and
            of the systems behind it.
        kind: `"fit"`, does the emotion distribution fit this face and description; `"pair"`, which of two faces shows
            the description better.
        description: the text.
        intensities: (8,) float64 in 0..1, order `EMOTIONS`.
        expressions: (1, 51) for a fit, (2, 51) for a pair, in the study's space.
        identity: whose head shows them, a name of `emo3d.face.IDENTITIES`.
        systems: who made each of them; not shown to annotators.
        numbers: of each of them, `kl_divergence` and, where the references have expressions, `mse`.
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
    """Tasks, and what their numbers come from.

    Attributes:
        tasks: by id.
        signature: of the score that gave the numbers.
        settings: of that score, which sees its own identity; faces are shown by its space and calibration.
    """

    tasks: dict[str, Task]
    signature: str
    settings: ScoreSettings

    def order(self, annotator: str, kind: Kind) -> list[Task]:
        """All tasks of a kind in an order that is random between annotators and always the same for one."""
        drawn = [(hashlib.sha256(f"{annotator} {task.id}".encode()).digest(), task) for task in self.tasks.values()]
        return [task for _, task in sorted(drawn, key=lambda one: one[0]) if task.kind == kind]

    def next(self, annotator: str, kind: Kind, answered: Collection[str]) -> Task | None:
        """The first task of an annotator's order that is not answered yet; None when all are."""
        return next((task for task in self.order(annotator, kind) if task.id not in answered), None)

    def pictures(self, task: Task) -> np.ndarray:
        """What an annotator sees of a task: (1 or 2, size, size, 3) uint8, see `PORTRAIT`."""
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
        identities: N names, whose head shows the faces of each row; None is `settings.identity`.
        bank: what the faces look up; None takes the references.
        backbone: used instead of loading `settings.backbone`.

    Raises:
        ValueError: no systems, not one identity for each row, or what `score` refuses.
    """
    if not systems:
        raise ValueError("expected at least one system to judge, got none")
    described = read_references(references)
    heads = [settings.identity] * len(described) if identities is None else list(identities)
    if len(heads) != len(described):
        raise ValueError(f"expected an identity for each of {len(described)} references, got {len(heads)}")
    faces = {name: as_expressions(given) for name, given in systems.items()}
    results = {
        name: score(given, described, settings=settings, bank=bank, backbone=backbone) for name, given in faces.items()
    }
    numbers = {
        name: {number: result.per_sample[number] for number in NUMBERS if number in result.per_sample}
        for name, result in results.items()
    }
    tasks = {}
    names = sorted(faces)
    calibration = name_calibration(settings.space, settings.calibration)
    for row in range(len(described)):
        pairs = [(one, other) for place, one in enumerate(names) for other in names[place + 1 :]]
        for shown in [*((name,) for name in names), *pairs]:
            task = _task(row, described, shown, faces, numbers, heads[row], calibration)
            tasks[task.id] = task
    return Study(tasks, next(iter(results.values())).signature, settings)


def _task(
    row: int,
    described: References,
    systems: tuple[str, ...],
    faces: Mapping[str, np.ndarray],
    numbers: Mapping[str, Mapping[str, np.ndarray]],
    identity: str,
    calibration: str | None,
) -> Task:
    scores = [faces[name][row].tolist() for name in systems]
    look = [identity, calibration, str(PORTRAIT)]
    content = [described.descriptions[row], described.intensities[row].tolist(), scores, look, systems]
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    if int(digest[-1], 16) % 2:
        systems = systems[::-1]
    return Task(
        digest[:12],
        "fit" if len(systems) == 1 else "pair",
        described.descriptions[row],
        described.intensities[row],
        np.stack([faces[name][row] for name in systems]),
        identity,
        systems,
        {name: tuple(float(numbers[system][name][row]) for system in systems) for name in numbers[systems[0]]},
    )
