"""A text is split into what happens in order: its beats."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Manner = Literal["plain", "sudden", "slow"]
_SUDDEN = re.compile(r"\b(suddenly|abruptly|all at once|all of a sudden|instantly|in a flash)\b", re.I)
_SLOW = re.compile(r"\b(slowly|gradually|little by little|bit by bit)\b", re.I)
_MOMENT = re.compile(r"\b(for (?:just )?(?:a|one) (?:moment|second|instant)|briefly|momentarily|fleetingly)\b", re.I)
_RELEASE = re.compile(
    r"\b(stops? \w+ing|no longer|(?:the|her|his|their) \w+ (?:fades|vanishes|dies)|calms? down|relaxes)\b", re.I
)
_CUT = re.compile(
    r"(?<=[.!?;])\s+|,?\s+(?:and\s+)?then\b,?\s*|,?\s+(?:but|until|finally)\s+|,\s+(?=suddenly|slowly|gradually)", re.I
)


@dataclass(frozen=True)
class BeatText:
    """One thing that a text says happens."""

    description: str
    manner: Manner = "plain"
    seconds: float | None = None  # its length, where the text says it
    momentary: bool = False  # afterwards the face goes back to what was before
    releases: bool = False  # it ends what was before: a face at rest

    @property
    def face(self) -> str:
        """The description without the words of time, for a generator."""
        text = self.description
        for words in (_SUDDEN, _SLOW, _MOMENT):
            text = words.sub("", text)
        text = re.sub(r"\s+([,.;!?])", r"\1", " ".join(text.split())).strip(" ,;")
        return text if re.search(r"\w", text) else self.description


def beat_text(description: str) -> BeatText:
    """What the words of one beat say of its manner."""
    manner: Manner = "sudden" if _SUDDEN.search(description) else "slow" if _SLOW.search(description) else "plain"
    releases = bool(_RELEASE.search(description))
    return BeatText(description, manner, None, bool(_MOMENT.search(description)), releases)


def read_beats(text: str) -> tuple[BeatText, ...]:
    """Split a text into its beats, in the order in which they happen; a text of one thing is one beat.

    Raises:
        ValueError: a text that is blank, or no string.
    """
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"expected a text that says what happens, got {text!r}")
    parts = [part.strip(" ,;") for part in _CUT.split(text) if re.search(r"\w", part)]
    return tuple(map(beat_text, parts or [text.strip()]))
