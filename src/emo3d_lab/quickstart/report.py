"""The quickstart's report: one self-contained HTML file with table, contact sheet and signature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emo3d.emotions import EMOTIONS
from emo3d_lab.pages import write_page
from emo3d_lab.sentinels import Reading


@dataclass(frozen=True)
class Row:
    """One line of the table; intervals are 95%, None of few rows; errors, recall None without expressions or faces."""

    name: str
    n: int
    mse: float | None
    amplitude: float | None
    kl: float
    kl_interval: tuple[float, float] | None
    emo3d: float
    emo3d_interval: tuple[float, float] | None
    recall: float | None
    readings: Sequence[Reading] = ()  # what emotion readers say, no part of the score


@dataclass(frozen=True)
class Card:
    """One description on the contact sheet.

    Attributes:
        description: plain text, which the page escapes.
        pictures: caption -> data URI.
        bars: caption -> emotion distribution (8,).
    """

    description: str
    pictures: Mapping[str, str]
    bars: Mapping[str, np.ndarray | Sequence[float]]


@dataclass(frozen=True)
class Release:
    """Rows of the published release.

    Attributes:
        cards: one for each picture.
        rows: the scores of all description/expression pairs, raw and calibrated.
        calibration: method and name, as in a signature.
    """

    cards: Sequence[Card]
    rows: Sequence[Row]
    calibration: str


@dataclass(frozen=True)
class Report:
    """The content of the page.

    Attributes:
        rows: the table; `release` has rows of its own.
        failures: of the self-check.
        verdict: which sentinels the generator does not beat.
        advice: how to get an emotion reader, where there is none.
    """

    rows: Sequence[Row]
    failures: Sequence[str]
    cards: Sequence[Card]
    signature: str
    verdict: str
    advice: str | None = None
    release: Release | None = None

    def write(self, path: Path) -> None:
        """Write the page."""
        signature = [part.split(":", 1) for part in self.signature.split("|")]
        write_page("report.html.jinja", path, report=self, emotions=EMOTIONS, signature=signature)
