"""A clip's emotions over time, as somebody reads them: the quickstart backbone, or an emotion reader."""

from __future__ import annotations

import csv
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from emo3d.clips import Clip
from emo3d.emotions import EMOTIONS
from emo3d.face import FaceRig, RenderSettings, render_batches
from emo3d.files import whole_file
from emo3d.loading import loaded_once
from emo3d.ranges import real_number

if TYPE_CHECKING:
    from emo3d.scoring import Backbone, Bank

_BANK_SIZE, _NEAREST = 2000, 10  # as the demo reads faces
_MOST = 20_000  # pictures


@dataclass(frozen=True, eq=False)
class ClipEmotions:
    """Distributions of emotions at times of a clip, and who read them. What a reader sees is not what was felt."""

    times: np.ndarray  # (W,) seconds
    shares: np.ndarray  # (W, E), each row sums to 1
    emotions: tuple[str, ...]  # E, those that the reader knows
    by: str

    @property
    def likeliest(self) -> list[str]:
        """The emotion with the largest share at each time."""
        return [self.emotions[place] for place in self.shares.argmax(axis=1)]


def emotions_over_time(
    clip: Clip, *, per_second: float = 5.0, by: str = "quickstart", rig: FaceRig | str = "adult"
) -> ClipEmotions:
    """Read the emotions of a clip: its face is rendered from the front and read picture by picture.

    Args:
        clip: readings are calibrated first. Turns of the head are left out, since readers want faces that look at them.
        per_second: pictures read, above 0 to the clip's rate; each is taken in the middle of its part of time.
        by: "quickstart", the ten descriptions of the synthetic sample that are nearest to the picture; or an emotion
            reader, see `load_reader`, such as "face-api".
        rig: whose face, or a name of `emo3d.face.identities`.

    Raises:
        ValueError: another `per_second`, more than 20,000 pictures, or what `load_reader` refuses.
        OSError: a reader that is not here.
    """
    number = real_number("pictures per second", per_second)
    if not 0 < number <= clip.rate:
        raise ValueError(f"expected above 0 to the clip's {clip.rate:g} pictures per second, got {number:g}")
    count = max(1, round(clip.duration * number))
    if count > _MOST:
        raise ValueError(
            f"expected at most {_MOST} pictures, got {count}: read fewer per second, or a part of the clip"
        )
    times = (np.arange(count) + 0.5) / number
    places = np.minimum(np.floor(times * clip.rate + 1e-9).astype(int), len(clip) - 1)
    rig = rig if isinstance(rig, FaceRig) else FaceRig.from_anny(rig)
    weights = clip.to_weights(rig).expressions[places]
    if by == "quickstart":
        shares, emotions, title = _read_nearest(weights, rig), EMOTIONS, "the quickstart backbone"
    else:
        from emo3d_lab.readers import load_reader

        reader = load_reader(by)
        shares, emotions = reader.read_expressions(weights, rig=rig), reader.emotions
        title = f"the emotion reader {reader.name}"
    return ClipEmotions(np.minimum(times, clip.duration), np.asarray(shares, np.float64), tuple(emotions), title)


def write_emotions(path: str | os.PathLike[str], emotions: ClipEmotions) -> None:
    """Write times and shares as `.csv`: time, one column an emotion, the likeliest, and who read them."""
    header = ["time", *emotions.emotions, "likeliest", "read by"]
    with whole_file(path) as part, open(part, "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(header)
        for time, shares, likeliest in zip(emotions.times, emotions.shares, emotions.likeliest, strict=True):
            rows.writerow([f"{time:.3f}", *(f"{share:.4f}" for share in shares), likeliest, emotions.by])


def describe_emotions(emotions: ClipEmotions, threshold: float = 0.5) -> list[tuple[float, float, str]]:
    """Runs of one likeliest emotion: start and end in seconds, and its name; runs below the threshold are left out.

    Where all are, the whole is one run, of the emotion with the largest mean share.
    """
    step = emotions.times[1] - emotions.times[0] if len(emotions.times) > 1 else 2 * emotions.times[0]
    names, runs, start = emotions.likeliest, [], 0
    for place in range(1, len(names) + 1):
        if place == len(names) or names[place] != names[start]:
            first, last = emotions.times[start] - step / 2, emotions.times[place - 1] + step / 2
            if last - first >= threshold - 1e-9:
                runs.append((float(first), float(last), names[start]))
            start = place
    if not runs:
        whole = emotions.emotions[int(emotions.shares.mean(axis=0).argmax())]
        runs.append((float(emotions.times[0] - step / 2), float(emotions.times[-1] + step / 2), whole))
    return runs


def _read_nearest(weights: np.ndarray, rig: FaceRig) -> np.ndarray:
    from emo3d.scoring import retrieved_distribution

    backbone, bank = _backbone_and_bank()
    settings = RenderSettings(size=backbone.image_size)
    parts = [
        retrieved_distribution(bank.intensities[bank.nearest(backbone.encode_pictures(pictures), _NEAREST)])
        for pictures in render_batches(weights, rig=rig, settings=settings)
    ]
    return np.concatenate(parts)


@loaded_once(maxsize=1)
def _backbone_and_bank() -> tuple[Backbone, Bank]:
    from emo3d.scoring import QUICKSTART, Bank, load_backbone
    from emo3d_lab.sample import make_rows

    backbone, rows = load_backbone(QUICKSTART), make_rows("train", _BANK_SIZE, seed=0)
    descriptions, intensities = [row.description for row in rows], [row.intensities for row in rows]
    with _without_warnings("emo3d.descriptions"):  # of a word in our own bank, which nobody asked about
        return backbone, Bank.encode(descriptions, intensities, backbone, cache=True)


@contextmanager
def _without_warnings(name: str) -> Iterator[None]:
    logger = logging.getLogger(name)
    logger.addFilter(_nothing)
    try:
        yield
    finally:
        logger.removeFilter(_nothing)


def _nothing(_: logging.LogRecord) -> bool:
    return False
