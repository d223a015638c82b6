"""How a study is made: descriptions are drawn, systems paired, and attention checks added."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from emo3d.blendshapes import Space, as_expressions
from emo3d.emotions import EMOTIONS, distribution
from emo3d.face.calibration import DEFAULT_METHOD, Method
from emo3d.scoring import References, read_references
from emo3d_lab.judging.answers import CONSENT
from emo3d_lab.judging.study import Item, Study, Task, look_of, short_hash
from emo3d_lab.sample import PROTOTYPES

logger = logging.getLogger(__name__)

CLEAR = 0.7
"""Share of the strongest emotion from which a description can be an attention check."""
OPPOSITES = {
    "happiness": ("sadness", "anger", "disgust", "fear"),
    "surprise": ("sadness", "anger", "disgust"),
    "sadness": ("happiness", "surprise"),
    "anger": ("happiness", "surprise"),
    "disgust": ("happiness", "surprise"),
    "fear": ("happiness", "disgust"),
}
"""Emotion -> those whose face nobody who looks takes for it; neutral and contempt have none."""


def draw_rows(intensities: np.ndarray, count: int, seed: int = 0) -> list[int]:
    """Draw rows of a dataset, as many of each strongest emotion as there are.

    Args:
        intensities: (N, 8) in 0..1.
        count: of rows; all N where there are no more.
        seed: of the draw.
    """
    order = np.random.default_rng(seed).permutation(len(intensities))
    strongest = intensities.argmax(axis=1)
    counts = dict.fromkeys(range(len(EMOTIONS)), 0)
    turns = []  # of each row within its emotion
    for row in order:
        turns.append(counts[strongest[row]])
        counts[strongest[row]] += 1
    return sorted(order[np.argsort(turns, kind="stable")[:count]].tolist())


def make_study(
    references: Any,
    systems: Mapping[str, Any],
    *,
    space: Space = "weights",
    calibration: Method = DEFAULT_METHOD,
    rows: Sequence[int] | None = None,
    identities: Sequence[str] | None = None,
    fits: bool = False,
    check_share: float = 0.1,
    questions: int | None = None,
    seed: int = 0,
    consent: str = CONSENT,
    signature: str = "",
) -> Study:
    """Make a study: each two systems' faces of one description as a pair, and, if asked for, each face on its own.

    Two faces that are equal are no pair.

    Args:
        references: N rows that `read_references` reads.
        systems: name -> (N, 51) expressions, in `space`.
        space: of the expressions; of those of the references, too.
        calibration: how readings become the weights that are rendered.
        rows: of the references, that are asked about; None is all.
        identities: N names, of the heads on which each row is rendered; None is `"adult"`.
        fits: ask of each face, too, whether the emotions fit; then one system is enough.
        check_share: share of the questions about pairs that are attention checks, 0 to 0.5. As many are made as there
            are descriptions of at least `CLEAR` of one emotion; those of `rows` only where there are too few others,
            since a description that comes twice gives a check away.
        questions: most that one judge is asked of each kind; None asks all.
        seed: of the draw of checks.
        consent: what judges agree to.
        signature: see `Study`.

    Raises:
        ValueError: too few systems, two whose faces are all equal, or not N of something.
    """
    if len(systems) < (least := 1 if fits else 2):
        raise ValueError(f"expected at least {least} systems to judge, got {', '.join(systems) or 'none'}")
    if not 0 <= check_share <= 0.5:
        raise ValueError(f"expected a share of attention checks from 0 to 0.5, got {check_share}")
    references = read_references(references)
    names = tuple(sorted(systems))
    faces = {name: as_expressions(systems[name]) for name in names}
    heads = check_heads(references, identities, {name: len(face) for name, face in faces.items()})
    rows = list(range(len(references)) if rows is None else rows)
    items = [make_item(references, row, heads[row], [faces[name][row] for name in names]) for row in rows]
    prototypes = tuple(_plain(as_expressions([PROTOTYPES[emotion]])[0]) for emotion in EMOTIONS)
    look = look_of(space, calibration)
    groups = [*combinations(names, 2), *(combinations(names, 1) if fits else ())]
    tasks = make_tasks(items, names, groups, [item.faces for item in items], look)
    every = round(1 / check_share) if check_share and len(names) > 1 else 0
    others, checks = make_checks(references, rows, heads, items, tasks, prototypes, look, every, seed)
    return Study(
        systems=names,
        items=tuple(items),
        others=others,
        tasks=(*tasks, *checks),
        prototypes=prototypes,
        space=space,
        calibration=calibration,
        look=look,
        every=every,
        questions=questions,
        seed=seed,
        consent=consent,
        signature=signature,
    )


def check_heads(references: References, identities: Sequence[str] | None, counts: Mapping[str, int]) -> list[str]:
    """A head for each reference, the adult's where nobody says; a ValueError where there are not as many of all."""
    heads = ["adult"] * len(references) if identities is None else list(identities)
    for what, count in {"identities": len(heads), **counts}.items():
        if count != len(references):
            raise ValueError(f"{what}: expected one for each of {len(references)} references, got {count}")
    return heads


def make_tasks(
    items: Sequence[Item],
    names: Sequence[str],
    groups: Sequence[tuple[str, ...]],
    shown: Sequence[Sequence[Any]],
    look: tuple[str, ...],
) -> list[Task]:
    """Questions about each group of systems on each item, but for pairs that are equal.

    Args:
        shown: of each item what each of the systems `names` shows, as plain values.

    Raises:
        ValueError: a group whose faces are all equal.
    """
    questions = [
        (item, group, [of_item[names.index(name)] for name in group])
        for item, of_item in zip(items, shown, strict=True)
        for group in groups
    ]
    tasks = [_task(*question, look) for question in questions if not _are_equal(question[2])]
    for group in groups:
        if not any(task.systems == group for task in tasks):
            raise ValueError(
                f"expected systems whose faces differ, those of {' and '.join(group)} are equal for each of "
                f"{len(items)} descriptions: leave one of them out"
            )
    return tasks


def make_checks(
    references: References,
    rows: Sequence[int],
    heads: Sequence[str],
    items: Sequence[Item],
    tasks: Sequence[Task],
    prototypes: Sequence[Any],
    look: tuple[str, ...],
    every: int,
    seed: int,
) -> tuple[tuple[Item, ...], list[Task]]:
    """Attention checks, one question in `every`, and the descriptions among them that are no items."""
    if not every:
        return (), []
    count = -(-sum(task.kind == "pair" for task in tasks) // (every - 1))
    known = {item.description for item in items}
    described = [row for row in range(len(references)) if references.descriptions[row] not in known]
    rng = np.random.default_rng(seed)
    drawn = _clear(references, described, count, rng)
    others = tuple(make_item(references, row, heads[row], []) for row in drawn)
    again = [items[rows.index(row)] for row in _clear(references, rows, count - len(drawn), rng)]
    checks = [_check(item, prototypes, look, rng) for item in (*others, *again)]
    if not checks:
        logger.warning("no description is clearly of one emotion: the study has no attention checks")
    return others, checks


def make_item(references: References, row: int, identity: str, faces: Sequence[np.ndarray]) -> Item:
    """The item of a row, with a face of each system."""
    description, intensities = references.descriptions[row], _plain(references.intensities[row])
    reference = None if references.expressions is None else _plain(references.expressions[row])
    id = short_hash(description, intensities, row)
    return Item(id, int(row), description, intensities, identity, tuple(map(_plain, faces)), reference)


def _are_equal(faces: Sequence[Any]) -> bool:
    return len(faces) == 2 and faces[0] == faces[1]


def _task(
    item: Item, systems: tuple[str, ...], faces: Sequence[Any], look: tuple[str, ...], attention: bool = False
) -> Task:
    id = short_hash(item.id, item.description, item.intensities, item.identity, faces, look, systems, attention)
    return Task(id, "pair" if len(systems) == 2 else "fit", item.id, systems, attention)


def _clear(references: References, rows: Sequence[int], count: int, rng: np.random.Generator) -> list[int]:
    """Draw rows whose emotion is clear and has opposites, at most `count`, each description once."""
    if not rows or not count:
        return []
    shares = distribution(references.intensities[rows])
    found = {
        references.descriptions[row]: row
        for row, share in zip(rows, shares, strict=True)
        if share.max() >= CLEAR and EMOTIONS[share.argmax()] in OPPOSITES
    }
    return [list(found.values())[place] for place in rng.permutation(len(found))[:count]]


def _check(item: Item, prototypes: Sequence[Any], look: tuple[str, ...], rng: np.random.Generator) -> Task:
    """A pair of two prototypes, of the emotion described and of one that nobody takes for it."""
    described = EMOTIONS[int(np.argmax(item.intensities))]
    pair = (described, OPPOSITES[described][rng.integers(len(OPPOSITES[described]))])
    return _task(item, pair, [prototypes[EMOTIONS.index(emotion)] for emotion in pair], look, attention=True)


def _plain(values: np.ndarray) -> tuple[float, ...]:
    """Numbers as JSON has them, with the digits of their own precision."""
    return tuple(float(str(value)) for value in values)
