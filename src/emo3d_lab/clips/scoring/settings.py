"""The parameters of a clip's score: those of stills, and what time adds."""

from __future__ import annotations

from dataclasses import dataclass

from emo3d.ranges import real_number
from emo3d.scoring import ScoreSettings

LEAST_INSTANTS = 6  # of each beat on average: below it a stretch is one instant or two


@dataclass(frozen=True)
class ClipSettings(ScoreSettings):
    """Everything that moves the score of clips, or its interval; also all of `ScoreSettings`.

    Attributes:
        sampling: instants per second at which a clip is looked at, evenly spaced over all of it; more where that are
            fewer than six a beat.
        least: shortest stretch of a beat, as a share of an equal part of the clip; see `align`.
        transition: time between two beats that counts for neither, a share of an equal part of the clip.
        embedder: what embeds clips for the numbers of a field (`FID` and so on), with its hash; None without them.
    """

    sampling: float = 5.0
    least: float = 0.4
    transition: float = 0.3
    embedder: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("sampling", "least", "transition"):
            object.__setattr__(self, name, real_number(name, getattr(self, name)))
        if self.variant != "paper":
            raise ValueError(f"expected the variant paper for clips, got {self.variant!r}")
        if not 0 < self.sampling <= 240:
            raise ValueError(f"expected a sampling above 0 and up to 240 instants per second, got {self.sampling:g}")
        if not (self.least > 0 and self.transition >= 0 and self.least + self.transition <= 1):
            raise ValueError(
                "expected least above 0 and transition of at least 0 that sum to at most 1, "
                f"got {self.least:g} and {self.transition:g}"
            )

    def count_instants(self, duration: float, beats: int) -> int:
        """Instants at which a clip of some seconds and beats is looked at."""
        return max(round(duration * self.sampling), LEAST_INSTANTS * beats)
