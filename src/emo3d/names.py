"""One door for spellings: does a name from a rig, a capture or a table mean a blendshape, and which one?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from emo3d.blendshapes import ARKIT_BLENDSHAPES, MEDIAPIPE_BLENDSHAPES

KNOWN: tuple[str, ...] = (*MEDIAPIPE_BLENDSHAPES, "tongueOut")
"""Every name that a blendshape may have: the 51 of an expression, `_neutral` (MediaPipe) and `tongueOut` (ARKit)."""


def _folded(name: str) -> str:
    """Letters and digits alone, in lower case: `eyeBlink_L` and `eye_blink_l` become `eyeblinkl`."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


_BY_SPELLING: dict[str, str] = {_folded(name): name for name in KNOWN}
for _name in ARKIT_BLENDSHAPES:
    if _name.endswith(("Left", "Right")):
        _stem, _side = re.fullmatch("(.*)(Left|Right)", _name).groups()  # type: ignore[union-attr]
        # mouthLeft and jawRight are whole names: `mouth_L` is not known to mean them, yet nothing else can.
        _BY_SPELLING.setdefault(_folded(_stem) + _side[0].lower(), _name)


def blendshape_name(name: str, names: Mapping[str, str] | None = None) -> str | None:
    """Tell which blendshape a name means.

    Known are any case, `Left` / `Right`, `_L` / `_R`, `.L` / `.R`, `_left` / `_right`, snake_case, and a prefix that
    ends in a dot, a colon or underscores (`blendShape1.`, `head:`, `BS_node.`, `Wolf3D_Head.`, `head__`).

    Args:
        name: as a file has it.
        names: a mapping of the user's own, from a name as the file has it to one of ours; it comes first.

    Returns:
        A name of `KNOWN`, or None where the name means no blendshape.

    Raises:
        ValueError: the mapping leads to a name that is no blendshape.

    Example:
        >>> blendshape_name("blendShape1.mouth_smile_l"), blendshape_name("EyeBlink.R"), blendshape_name("headYaw")
        ('mouthSmileLeft', 'eyeBlinkRight', None)
    """
    if names and name in names:
        if names[name] not in KNOWN:
            raise ValueError(f"the mapping of names gives {name!r} as {names[name]!r}, which is no ARKit blendshape")
        return names[name]
    # The whole name first, then without its prefixes, the longest rest first.
    for start in (0, *(match.end() for match in re.finditer(r"[.:|]|_+", name))):
        if (known := _BY_SPELLING.get(_folded(name[start:]))) is not None:
            return known
    return None


def blendshape_names(given: Iterable[str], names: Mapping[str, str] | None = None) -> dict[str, str]:
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
        if known is not None and by_name.setdefault(known, name) is not name:
            raise ValueError(f"expected one name for {known}, got {by_name[known]!r} and {name!r}")
    return by_name
