"""The tasks of a study: faces with their descriptions, and pairs of faces, in an order of each judge's own."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

import emo3d
from emo3d.blendshapes import Space, as_expressions
from emo3d.documents import read_json
from emo3d.emotions import EMOTIONS, as_intensities
from emo3d.face import IDENTITIES, FaceRig, RenderSettings, render
from emo3d.face.calibration import Method, name_calibration, rig_weights
from emo3d.files import whole_file
from emo3d_lab.plain import Share, from_plain

Kind = Literal["pair", "fit"]
PORTRAIT = RenderSettings(size=384)
"""Faces as judges see them."""
FILE = "study.json"
METRICS = "metrics.csv"


@dataclass(frozen=True)
class Item:
    """A description, and each system's face for it.

    Attributes:
        id: twelve hexadecimal digits, a hash of the description, its emotions and its row.
        row: of the dataset, from 0.
        description: the text.
        intensities: eight numbers in 0..1, order `EMOTIONS`.
        identity: of the faces, a name of `emo3d.face.IDENTITIES`.
        faces: an expression for each of the study's systems, in its space.
        reference: the dataset's own expression, in the same space; None without one.
    """

    id: str
    row: int
    description: str
    intensities: tuple[Share, ...]
    identity: str
    faces: tuple[tuple[Share, ...], ...]
    reference: tuple[Share, ...] | None


@dataclass(frozen=True)
class Task:
    """One question.

    Attributes:
        id: twelve hexadecimal digits, a hash of all that a judge sees (of pictures, what they are rendered from) and of
            the systems.
        kind: `"pair"`, which of two faces fits the description better; `"fit"`, do the emotions fit the face.
        item: its id.
        systems: of the faces, hidden from judges. Of an attention check two emotions, whose prototypes are shown: the
            first is the one described.
        attention: whether it is an attention check.
    """

    id: str
    kind: Kind
    item: str
    systems: tuple[str, ...]
    attention: bool


@dataclass(frozen=True)
class Study:
    """Descriptions, faces, and questions about them.

    Attributes:
        systems: their names.
        items: the descriptions with their faces.
        others: descriptions of attention checks that are no items; they have no faces.
        tasks: the questions.
        prototypes: a full expression of each of `EMOTIONS` as weights, for attention checks.
        space: of the systems' expressions.
        calibration: how readings become weights.
        look: the calibration's name and the portrait with which faces are rendered.
        every: one question of so many is an attention check; 0 without any.
        questions: most that one judge is asked of each kind; None asks all.
        seed: with which items and checks were drawn.
        consent: what judges agree to.
        signature: of the score that the metric values were computed with; empty where nothing was scored.
        version: of the package that made it.
    """

    systems: tuple[str, ...]
    items: tuple[Item, ...]
    others: tuple[Item, ...]
    tasks: tuple[Task, ...]
    prototypes: tuple[tuple[Share, ...], ...]
    space: Space
    calibration: Method
    look: tuple[str, ...]
    every: int
    questions: int | None
    seed: int
    consent: str
    signature: str
    version: str = emo3d.__version__

    def __post_init__(self) -> None:
        as_expressions([*self.prototypes, *(face for item in self.items for face in item.faces)])
        as_intensities([item.intensities for item in self.by_item.values()])
        self._check_faces()
        asked = {item.id for item in self.items}
        for item in (*self.items, *self.others):
            if item.identity not in IDENTITIES:
                raise ValueError(f"expected a head's name in item {item.id}")
        for task in self.tasks:
            names = EMOTIONS if task.attention else self.systems
            count = 2 if task.kind == "pair" else 1
            items = self.by_item if task.attention else asked
            if task.item not in items or len(task.systems) != count or not set(task.systems) <= set(names):
                raise ValueError(f"expected an item and systems of this study in task {task.id}")

    def _check_faces(self) -> None:
        for items, count in ((self.items, len(self.systems)), (self.others, 0)):
            for item in items:
                if len(item.faces) != count:
                    raise ValueError(f"expected a face of each system in item {item.id}")

    @cached_property
    def by_item(self) -> dict[str, Item]:
        """Items by id, those of attention checks among them."""
        return {item.id: item for item in (*self.items, *self.others)}

    @cached_property
    def by_task(self) -> dict[str, Task]:
        """Tasks by id."""
        return {task.id: task for task in self.tasks}

    @property
    def repeats(self) -> int:
        """Attention checks with the description of an item, by which a judge may know them."""
        asked = {item.id for item in self.items}
        return sum(task.attention and task.item in asked for task in self.tasks)

    @property
    def kinds(self) -> list[Kind]:
        """Of the questions; pairs first."""
        return sorted({task.kind for task in self.tasks}, reverse=True)

    @cached_property
    def hash(self) -> str:
        """Twelve hexadecimal digits of a SHA-256 over all of it."""
        return _hash(asdict(self))

    def order(self, judge: str, kind: Kind) -> list[Task]:
        """A judge's questions of a kind: random between judges, always the same for one, checks spread evenly."""
        tasks = sorted((task for task in self.tasks if task.kind == kind), key=lambda task: _digest(judge, task.id))
        order = [task for task in tasks if not task.attention]
        for number, check in enumerate(task for task in tasks if task.attention):
            place = number * self.every + int(_digest(judge, "place", check.id), 16) % self.every
            order.insert(place, check)  # beyond the end is the end
        return order[: self.questions]

    def next(self, judge: str, kind: Kind, answered: Collection[str]) -> Task | None:
        """The first task of a judge's order that is not answered yet; None when all are."""
        return next((task for task in self.order(judge, kind) if task.id not in answered), None)

    def is_swapped(self, judge: str, task: Task) -> bool:
        """Whether a judge sees the second face of a pair first.

        Of each two questions about the same two systems that follow each other in the judge's order, and of each two
        attention checks, one is: which of them is drawn by judge.
        """
        pairs = [pair for pair in self.order(judge, "pair") if pair.attention == task.attention]
        alike = [pair for pair in pairs if pair.attention or pair.systems == task.systems]
        if task not in alike:
            return False
        place = alike.index(task)
        return (place + int(_digest(judge, "side", alike[place - place % 2].id), 16)) % 2 == 1

    def pictures(self, task: Task) -> np.ndarray:
        """The faces of a task in the order of its systems: (1 or 2, size, size, 3) uint8, see `PORTRAIT`."""
        item = self.by_item[task.item]
        if task.attention:
            weights = np.array([self.prototypes[EMOTIONS.index(emotion)] for emotion in task.systems], np.float32)
        else:
            faces = np.array([item.faces[self.systems.index(system)] for system in task.systems], np.float32)
            weights = rig_weights(faces, self.space, self.calibration)
        return render(weights, rig=FaceRig.from_anny(item.identity), settings=PORTRAIT)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write `study.json` into a folder that is there."""
        with whole_file(Path(folder, FILE)) as file:
            file.write_text(json.dumps({"hash": self.hash, **asdict(self)}, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Study:
        """Read a study that `save` wrote.

        Raises:
            FileNotFoundError: no `study.json` there.
            ValueError: it is no study, was changed by hand, or its faces would look different today.
        """
        path = Path(folder, FILE)
        if not path.is_file():
            raise FileNotFoundError(f"expected a folder that emo3d study made, there is no {path}")
        plain: Any = read_json(path)
        try:
            study: Study = from_plain(cls, plain, "the file", "a study")
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        found = _hash({key: value for key, value in plain.items() if key != "hash"})  # with what is no part of a study
        if not found == study.hash == plain.get("hash"):
            raise ValueError(
                f"{path} was changed after it was made (its hash is {found}, not {plain.get('hash')!r:.20}): "
                "answers would be to other questions; make the study again with emo3d study"
            )
        if study.look != (look := look_of(study.space, study.calibration)):
            raise ValueError(
                f"{path} was made with emo3d {study.version!r:.20}, whose faces look different ({study.look}, "
                f"here {look}): use that version, or make the study again"
            )
        return study


def look_of(space: Space, calibration: Method) -> tuple[str, ...]:
    """What faces look like beside their expressions and heads: the calibration's name and the portrait."""
    return (name_calibration(space, calibration) or "-", str(PORTRAIT))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def short_hash(*parts: Any) -> str:
    """Twelve hexadecimal digits of a SHA-256 over plain values."""
    return _digest(json.dumps(parts))[:12]


def _hash(plain: dict[str, Any]) -> str:
    return _digest(json.dumps(plain, sort_keys=True))[:12]
