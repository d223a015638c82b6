"""One door for spellings: which blendshape a name from a rig, a capture or a table means, if any."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from emo3d.blendshapes import ARKIT_BLENDSHAPES, BLENDSHAPES, MEDIAPIPE_BLENDSHAPES
from emo3d.documents import read_json

KNOWN: tuple[str, ...] = (*MEDIAPIPE_BLENDSHAPES, "tongueOut")  # every name that a blendshape may have

Names = Mapping[str, str | None]
"""A mapping of the user's own: a name as a file has it -> one of `KNOWN`, or None where it is no blendshape."""


def folded(name: str) -> str:
    """Letters and digits alone, in lower case: `eyeBlink_L` and `eye_blink_l` become `eyeblinkl`."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


SPELLINGS: dict[str, str] = {folded(name): name for name in ARKIT_BLENDSHAPES}
"""Folded spelling -> name, sides in full and as one letter."""
for _name in ARKIT_BLENDSHAPES:
    if _name.endswith(("Left", "Right")):
        _stem, _side = re.fullmatch("(.*)(Left|Right)", _name).groups()  # type: ignore[union-attr]
        # mouthLeft and jawRight are whole names: `mouth_L` is not known to mean them, yet nothing else can.
        SPELLINGS.setdefault(folded(_stem) + _side[0].lower(), _name)


def spelt(name: str) -> str | None:
    """The blendshape that a spelling stands for. Blender scripts carry this function: it needs nothing else but
    `SPELLINGS` and `folded`."""
    if len(name) > 200:
        return None
    if name.lower() == "_neutral":  # without the underscore it is an emotion, or a viseme
        return "_neutral"
    # The whole name first, then without its prefixes, the longest rest first.
    for start in (0, *(match.end() for match in re.finditer(r"[.:|]|_+", name))):
        blendshape = SPELLINGS.get(folded(name[start:]))
        if blendshape is not None:  # but not of jawOpen_mouthClose, which corrects both at once
            return None if spelt(name[: max(start - 1, 0)]) else blendshape
    return None


def blendshape_name(name: str, names: Names | None = None) -> str | None:
    """Return the name of `KNOWN` that a name in a file means, or None where it means no blendshape.

    Understood are any case, `Left` / `Right`, `_L` / `_R`, `.L` / `.R`, `_left` / `_right`, snake_case, and a prefix
    that ends in a dot, a colon or underscores (`blendShape1.`, `head:`, `BS_node.`, `head__`). `names` comes first; if
    it leads to no blendshape, that is a ValueError.

    Example:
        >>> blendshape_name("blendShape1.mouth_smile_l"), blendshape_name("EyeBlink.R"), blendshape_name("headYaw")
        ('mouthSmileLeft', 'eyeBlinkRight', None)
    """
    if names and name in names:
        ours = names[name]
        if ours is not None and ours not in KNOWN:
            raise ValueError(f"the mapping of names gives {name!r} as {ours!r}, which is no ARKit blendshape")
        return ours
    return spelt(name)


def blendshape_names(columns: Iterable[str], names: Names | None = None) -> dict[str, str]:
    """Find the blendshapes among names of a file: our name -> the file's; two for one blendshape are a ValueError.

    Example:
        >>> blendshape_names(["JawOpen", "timestamp", "eyeBlink_L"])
        {'jawOpen': 'JawOpen', 'eyeBlinkLeft': 'eyeBlink_L'}
    """
    by_name: dict[str, str] = {}
    for theirs in columns:
        name = blendshape_name(theirs, names)
        if name in by_name:
            raise ValueError(
                f"names {name} twice, as {by_name[name]!r} and {theirs!r}; a mapping of names can give one as null"
            )
        if name is not None:
            by_name[name] = theirs
    return by_name


def blendshape_columns(columns: Iterable[object], names: Names | None = None) -> dict[str, str]:
    """Find a column for each of the 51 blendshapes, and for the two beyond them if there is one: our name -> column.

    One without a column is a ValueError, with the nearest there is; see also `blendshape_names`.
    """
    texts = [column for column in columns if isinstance(column, str)]
    by_name = blendshape_names(texts, names)
    for name in BLENDSHAPES:
        if name not in by_name:
            near = next((f"; is {column!r} it?" for column in texts if nearest(column) == name), "")
            raise ValueError(f"expected a column for each of the 51 blendshapes, got none for {name}{near}")
    return by_name


def nearest(name: str) -> str | None:
    """The blendshape that a name would mean but for one letter, or two letters in the wrong order."""
    plain = folded(name)
    for spelling, blendshape in SPELLINGS.items():
        places = (place for place, (x, y) in enumerate(zip(plain, spelling, strict=False)) if x != y)
        start = next(places, min(len(plain), len(spelling)))
        a, b = plain[start:], spelling[start:]
        one_letter = a[1:] == b[1:] or a[1:] == b or a == b[1:]
        two_letters = a[:2] == b[1::-1] and a[2:] == b[2:]
        # As long as `jawOpen`: what is shorter is too near to too much.
        if len(spelling) >= 7 and plain != spelling and (one_letter or two_letters):
            return blendshape
    return None


def read_names(names: str | os.PathLike[str] | Names | None) -> Names | None:
    """Read and check a mapping of names.

    Args:
        names: a mapping, or a JSON file (theirs -> ours, null for what is no blendshape); or a packaged one: `"cc4"`
            (Reallusion Character Creator), `"metahuman"` (Unreal, `CTRL_expressions_...`) or `"vroid"` (`Fcl_...`),
            which have the targets that are one of ARKit's and leave out those that are none, or half of one.

    Raises:
        ValueError: no JSON object of names.
        FileNotFoundError: no such mapping or file.
    """
    if names is None:
        return None
    where = "the mapping of names"
    if not isinstance(names, Mapping):
        files = {file.stem: file for file in sorted((Path(__file__).parent / "assets" / "names").glob("*.json"))}
        path = files.get(str(names), Path(names))
        if not path.is_file():
            raise FileNotFoundError(f"expected names of {', '.join(files)} or a JSON file, found no {names}")
        where, names = path.name, read_json(path)
    if not isinstance(names, Mapping):
        raise ValueError(f"{where}: expected a JSON object from their names to ours, got a {type(names).__name__}")
    for theirs, ours in names.items():
        if ours is not None and ours not in KNOWN:
            near = nearest(ours) if isinstance(ours, str) else None
            hint = f"; is it {near}?" if near else "; it goes {theirs: ours}" if theirs in KNOWN else ""
            raise ValueError(f"{where}: expected an ARKit blendshape or null for {theirs!r}, got {ours!r}{hint}")
    return names
