"""One door for spellings: does a name from a rig, a capture or a table mean a blendshape, and which one?"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path

from emo3d.blendshapes import ARKIT_BLENDSHAPES, BLENDSHAPES, MEDIAPIPE_BLENDSHAPES
from emo3d.documents import read_json

KNOWN: tuple[str, ...] = (*MEDIAPIPE_BLENDSHAPES, "tongueOut")
"""Every name that a blendshape may have: the 51 of an expression, `_neutral` (MediaPipe) and `tongueOut` (ARKit)."""

Names = Mapping[str, str | None]
"""A mapping of the user's own: a name as a file has it -> one of `KNOWN`, or None where it is no blendshape."""

_LONG = 7  # letters of `jawOpen`; what is shorter is too near to too much


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
    """The blendshape that a spelling stands for. Blender scripts carry this function, so it needs but what is here."""
    if len(name) > 200:
        return None
    if name.lower() == "_neutral":  # without the underscore it is an emotion, or a viseme
        return "_neutral"
    # The whole name first, then without its prefixes, the longest rest first.
    for start in (0, *(match.end() for match in re.finditer(r"[.:|]|_+", name))):
        known = SPELLINGS.get(folded(name[start:]))
        if known is not None:  # but not of jawOpen_mouthClose, which corrects both at once
            return None if spelt(name[: max(start - 1, 0)]) else known
    return None


def blendshape_name(name: str, names: Names | None = None) -> str | None:
    """Tell which blendshape a name means.

    Known are any case, `Left` / `Right`, `_L` / `_R`, `.L` / `.R`, `_left` / `_right`, snake_case, and a prefix that
    ends in a dot, a colon or underscores (`blendShape1.`, `head:`, `BS_node.`, `Wolf3D_Head.`, `head__`).

    Args:
        name: as a file has it.
        names: a mapping of the user's own; it comes first.

    Returns:
        A name of `KNOWN`, or None where the name means no blendshape.

    Raises:
        ValueError: the mapping leads to a name that is no blendshape.

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


def blendshape_names(given: Iterable[str], names: Names | None = None) -> dict[str, str]:
    """Find the blendshapes among names: by our name, the name as it was given.

    Raises:
        ValueError: two names that mean one blendshape (the message has both), or what `blendshape_name` refuses.

    Example:
        >>> blendshape_names(["JawOpen", "timestamp", "eyeBlink_L"])
        {'jawOpen': 'JawOpen', 'eyeBlinkLeft': 'eyeBlink_L'}
    """
    by_name: dict[str, str] = {}
    for name in given:
        known = blendshape_name(name, names)
        if known is None:
            continue
        if known in by_name:
            raise ValueError(
                f"names {known} twice, as {by_name[known]!r} and {name!r}; a mapping of names can give one as null"
            )
        by_name[known] = name
    return by_name


def blendshape_columns(given: Iterable[object], names: Names | None = None) -> dict[str, str]:
    """Find a column for each of the 51 blendshapes: by our name, the column's; the two beyond the 51 where they are.

    Raises:
        ValueError: a blendshape without a column (the message has the nearest), or what `blendshape_names` refuses.
    """
    columns = [name for name in given if isinstance(name, str)]
    by_name = blendshape_names(columns, names)
    for name in BLENDSHAPES:
        if name not in by_name:
            near = next((f"; is {column!r} it?" for column in columns if mistyped(column) == name), "")
            raise ValueError(f"expected a column for each of the 51 blendshapes, got none for {name}{near}")
    return by_name


def mistyped(name: str) -> str | None:
    """The blendshape that a name would mean but for one letter, or two letters in the wrong order."""
    plain = folded(name)
    for spelling, known in SPELLINGS.items():
        start = _shared(plain, spelling)
        a, b = plain[start:], spelling[start:]
        end = _shared(a[::-1], b[::-1])
        a, b = a[: len(a) - end], b[: len(b) - end]
        one_letter, swapped = max(len(a), len(b)) == 1, len(a) == 2 and a == b[::-1]
        if len(spelling) >= _LONG and (one_letter or swapped):
            return known
    return None


def _shared(a: str, b: str) -> int:
    """How many letters two words begin with alike."""
    return next((place for place, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def read_names(names: str | os.PathLike[str] | Names | None) -> Names | None:
    """Read a mapping of names: of a JSON file, or one that comes with the package.

    Args:
        names: a JSON file (theirs -> ours, null for what is no blendshape); or `"cc4"` (Reallusion Character
            Creator), `"metahuman"` (Unreal, `CTRL_expressions_...`) or `"vroid"` (`Fcl_...`), which have the targets
            that are one of ARKit's and leave out those that are none, or half of one; or a mapping, which is checked.

    Raises:
        ValueError: no such mapping, or one that is no JSON object of names.
        FileNotFoundError: no such file.
    """
    if names is None:
        return None
    where = "the mapping of names"
    if not isinstance(names, Mapping):
        folder = resources.files("emo3d") / "assets" / "names"
        packaged = sorted(Path(file.name).stem for file in folder.iterdir() if file.name.endswith(".json"))
        path = Path(str(folder / f"{names}.json")) if str(names) in packaged else Path(names)
        if not path.is_file():
            raise FileNotFoundError(f"expected names of {', '.join(packaged)} or a JSON file, found no {names}")
        where, names = path.name, read_json(path)
    if not isinstance(names, Mapping):
        raise ValueError(f"{where}: expected a JSON object from their names to ours, got a {type(names).__name__}")
    for theirs, ours in names.items():
        if ours is not None and ours not in KNOWN:
            near = mistyped(ours) if isinstance(ours, str) else None
            raise ValueError(
                f"{where}: expected an ARKit blendshape or null for {theirs!r}, got {ours!r}"
                + (f"; is it {near}?" if near else "")
            )
    return names
