"""What the counts mean to whoever wants to train on the dataset: one sentence each, the gravest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, get_args

from emo3d_lab.inspect.result import Faces, Finding, Flagged, Gravity, Shared, Split

_QUIET = 0.1  # a blendshape that never exceeds this tells no two faces apart
_LISTED = 6
_ORDER = get_args(Gravity)


class _Case(NamedTuple):
    """Something to say of a split when `flagged` counts any: how many of how many things it is true of."""

    gravity: Gravity
    text: str
    flags: Flagged
    among: int
    things: str


def find(splits: Sequence[Split], shared: Sequence[Shared], faces: Faces | None) -> tuple[Finding, ...]:
    """Put counts into sentences; `faces` are the expressions of all splits together."""
    findings = [*_leaks(shared), *_empty(splits), *_unreadable(splits), *_merge(splits), *_quiet(faces)]
    return tuple(sorted(findings, key=lambda finding: _ORDER.index(finding.gravity)))


def quote(text: str, length: int = 160) -> str:
    """A text as it may stand in a line: no control characters, shortened."""
    text = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def _quote_text(text: str) -> str:
    return f"“{quote(text, 120)}”"


def _leaks(shared: Sequence[Shared]) -> Iterator[Finding]:
    for leak in shared:
        left, right = leak.splits
        things = f"1 {leak.what} is" if leak.count == 1 else f"{leak.count:,} {leak.what}s are"
        rows = f"{leak.rows[0]:,} and {leak.rows[1]:,} rows"
        example = _quote_text(leak.examples[0]) if leak.what == "description" else quote(leak.examples[0])
        yield Finding("error", f"{things} in both {left} and {right} ({rows}), for example: {example}", leak.count)


def _empty(splits: Sequence[Split]) -> Iterator[Finding]:
    for split in splits:
        if not split.rows:
            yield Finding("error", f"The split {split.name} has no rows", 1)


def _unreadable(splits: Sequence[Split]) -> Iterator[Finding]:
    for kind in dict.fromkeys(kind for split in splits for kind in split.problems):
        cases = [(split.name, split.problems[kind]) for split in splits if kind in split.problems]
        counts = ", ".join(f"{flags.count:,} in {name}" for name, flags in cases)
        sentence = f"Could not be read ({kind}): {counts}, for example: {quote(cases[0][1].examples[0])}"
        yield Finding("error", sentence, sum(flags.count for _, flags in cases))


def _merge(splits: Sequence[Split]) -> Iterator[Finding]:
    """One finding for each kind of case, whichever splits it is in."""
    kinds: dict[tuple[Gravity, str], list[tuple[str, _Case]]] = {}
    for split in splits:
        for case in _cases(split):
            if case.flags.count:
                kinds.setdefault((case.gravity, case.text), []).append((split.name, case))
    for (gravity, text), cases in kinds.items():
        counts = ", ".join(f"{case.flags.count:,} of {case.among:,} {case.things} in {name}" for name, case in cases)
        examples = [example for _, case in cases for example in case.flags.examples]
        example = f", for example: {quote(examples[0])}" if examples else ""
        yield Finding(gravity, f"{text}: {counts}{example}", sum(case.flags.count for _, case in cases))


def _cases(split: Split) -> Iterator[_Case]:
    yield _Case("error", "The same sample_id (and variant) again", split.repeated_rows, split.rows, "rows")
    if faces := split.faces:
        yield _Case("error", "Scores that are not 51 numbers in 0..1", faces.invalid, faces.total, "expressions")
        missing = Flagged(faces.missing)
        yield _Case("note", "No scores, as where no face was found", missing, faces.total, "expressions")
        above = Flagged(faces.close_above_open)
        yield _Case("note", "mouthClose above jawOpen", above, faces.counted, "expressions")
    if intensities := split.intensities:
        yield _Case("error", "Intensities that are not 8 numbers in 0..1", intensities.invalid, split.rows, "rows")
        without = Flagged(intensities.without_distribution)
        yield _Case("warning", "All eight intensities 0, so no emotion distribution", without, split.rows, "rows")
    if descriptions := split.descriptions:
        yield _Case("warning", "No description", Flagged(descriptions.rows_without), split.rows, "rows")
        text = "The same description under several sample_ids"
        duplicates = Flagged(descriptions.repeated.count, tuple(map(_quote_text, descriptions.repeated.examples)))
        yield _Case("warning", text, duplicates, descriptions.unique, "different descriptions")
    if pictures := split.pictures:
        yield _Case("warning", "No picture", Flagged(pictures.missing), pictures.total, "pictures")
        text = "The same picture under several sample_ids"
        yield _Case("warning", text, pictures.repeated, pictures.unique, "different pictures")
        text = "Given as a path, so not compared"
        yield _Case("note", text, Flagged(pictures.by_path), pictures.total, "pictures")


def _quiet(faces: Faces | None) -> Iterator[Finding]:
    quiet = [name for name, score in faces.scores.items() if score.max <= _QUIET] if faces else []
    more = f" and {len(quiet) - _LISTED} more" if len(quiet) > _LISTED else ""
    if quiet:
        yield Finding("note", f"Never above {_QUIET} in any expression: {', '.join(quiet[:_LISTED])}{more}", len(quiet))
