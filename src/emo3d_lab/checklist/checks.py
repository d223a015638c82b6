"""What a pair demands of the faces of its two descriptions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from emo3d.blendshapes import BLENDSHAPES
from emo3d.emotions import EMOTIONS
from emo3d.hints import did_you_mean

MARGIN = 0.1
"""How much further a named blendshape must move: a tenth of its way is about the least that is seen of one, and far
above what moves by chance in faces of the sample (0.008)."""

SHARE = 0.01
"""How much larger a share of a distribution must be, so that rounding counts for nothing."""

ALIKE = 0.8
"""Least cosine of paraphrases: of the embedded sample, 99% of two faces of different emotions have less than 0.75, and
83% of two faces of one emotion have more."""

SAME = 0.25
"""Largest distance of the faces of two people, over the longer norm. In the sample, two faces of one emotion are 0.36
apart in the median, two of different emotions never less than 0.25: what comes closer is one face again."""

_NAMES: dict[str, tuple[str, ...]] = {
    "more": BLENDSHAPES,
    "strongest": EMOTIONS[1:],
    "more-emotion": EMOTIONS,
    "weaker": (),
    "alike": (),
    "same": (),
}
KINDS = tuple(_NAMES)


@dataclass(frozen=True)
class Check:
    """A demand on the expressions `first` and `second`, (51,) weights, or on the emotion distributions read off them.

    | kind | holds when |
    | --- | --- |
    | `more U...` | the mean weight of the blendshapes U is higher in first, by `MARGIN` |
    | `strongest E` | E has the largest share of the emotions but neutral in first, and more than in a face at rest |
    | `more-emotion E` | the share of E is higher in first, by `SHARE` |
    | `weaker` | the norm of first is below that of second |
    | `alike` | both have the same strongest emotion but neutral, and a cosine of at least `ALIKE` |
    | `same` | they are apart by at most `SAME` of the longer one's norm |
    """

    kind: str
    names: tuple[str, ...] = ()  # blendshapes, or one emotion

    def __str__(self) -> str:
        return " ".join([self.kind, *self.names])

    @property
    def has_second(self) -> bool:
        """Whether it compares two descriptions."""
        return self.kind != "strongest"

    @property
    def is_of_emotions(self) -> bool:
        """Whether it needs emotion distributions."""
        return self.kind in ("strongest", "more-emotion", "alike")

    def measure(self, faces: Any) -> tuple[bool, float]:
        """Whether it holds, and a number: a difference, a ratio of norms, a cosine or a distance.

        Of `strongest` it is the lead over all other emotions, below 0 where the face is read as neutral in the first
        place.

        Args:
            faces: `first`, `second` (51,) and, where it is of emotions, `first_shares`, `second_shares` and
                `rest_shares`, mappings from emotion to share.
        """
        result: tuple[Any, Any] = getattr(self, f"_{self.kind.replace('-', '_')}")(faces)
        return bool(result[0]), float(result[1])

    def _more(self, faces: Any) -> tuple[Any, Any]:
        places = [BLENDSHAPES.index(name) for name in self.names]
        difference = float((faces.first[places] - faces.second[places]).mean())
        return difference >= MARGIN, difference

    def _strongest(self, faces: Any) -> tuple[Any, Any]:
        (emotion,), shares = self.names, faces.first_shares
        share = shares[emotion]
        others = [share for name, share in shares.items() if name not in ("neutral", emotion)]
        return share > max(others) and share > faces.rest_shares[emotion], share - max(*others, shares["neutral"])

    def _more_emotion(self, faces: Any) -> tuple[Any, Any]:
        difference = faces.first_shares[self.names[0]] - faces.second_shares[self.names[0]]
        return difference >= SHARE, difference

    def _weaker(self, faces: Any) -> tuple[Any, Any]:
        first, second = np.linalg.norm(faces.first), np.linalg.norm(faces.second)
        return first < second, first / second if second else np.inf

    def _alike(self, faces: Any) -> tuple[Any, Any]:
        norms = np.linalg.norm(faces.first) * np.linalg.norm(faces.second)
        cosine = float(faces.first @ faces.second / norms) if norms else float((faces.first == faces.second).all())
        return cosine >= ALIKE and _strongest(faces.first_shares) == _strongest(faces.second_shares), cosine

    def _same(self, faces: Any) -> tuple[Any, Any]:
        longer = max(np.linalg.norm(faces.first), np.linalg.norm(faces.second))
        distance = np.linalg.norm(faces.first - faces.second) / longer if longer else 0.0
        return distance <= SAME, distance


def parse_check(text: str) -> Check:
    """Read a check as the files write it.

    Raises:
        ValueError: an unknown kind or name, a name too many or none.

    Example:
        >>> parse_check("more-emotion anger")
        Check(kind='more-emotion', names=('anger',))
    """
    kind, *names = text.split() or [""]
    if kind not in _NAMES:
        raise ValueError(f"expected a check of {', '.join(KINDS)}, got {text!r}{did_you_mean(kind, KINDS)}")
    known = _NAMES[kind]
    for name in names:
        if name not in known:
            expected = f"the check {kind!r} with a name of {'blendshapes' if kind == 'more' else 'emotions'}"
            expected = expected if known else f"the check {kind!r} alone"
            raise ValueError(f"expected {expected}, got {text!r}{did_you_mean(name, known)}")
    if known and (not names or (len(names) > 1 and kind != "more")):
        raise ValueError(f"expected {'blendshapes' if kind == 'more' else 'one emotion'} after {kind!r}, got {text!r}")
    return Check(kind, tuple(names))


def _strongest(shares: dict[str, float]) -> str:
    return max((name for name in shares if name != "neutral"), key=lambda name: shares[name])
