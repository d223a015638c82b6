"""What was measured beside what was expected."""

from __future__ import annotations

import platform
from dataclasses import dataclass

import numpy as np

from emo3d_lab.selftest.measure import Measurement

LIMIT = 1e-4
"""By how much weights, embeddings and divergences may differ."""

_EXACT = ("x86_64", "AMD64")  # processors of which pictures were compared, and are the same to the bit
_BOXES, _LEVELS = 0.002, 4  # elsewhere: the share of boxes that may differ, and by how much in sum


@dataclass(frozen=True)
class Check:
    """One thing compared."""

    what: str
    is_passed: bool
    difference: str
    advice: str = ""  # what differs, and what usually causes it; where it is not passed


def compare(expected: Measurement, measured: Measurement) -> list[Check]:
    """Compare what was measured with what is expected of the same backbone.

    Raises:
        ValueError: the expected values are those of another backbone, or of other faces.
    """
    if expected.backbone != measured.backbone:
        raise ValueError(f"expected values of {measured.backbone}, got those of {expected.backbone}")
    for name in ("faces", "render"):
        if getattr(expected, name) != getattr(measured, name):
            raise ValueError(
                f"the expected values are of {name} {getattr(expected, name)}, made by emo3d {expected.version}; this "
                f"version has {getattr(measured, name)}: check with emo3d {expected.version}, or make them again"
            )
    is_same = expected.revision == measured.revision
    return [
        Check(
            "backbone",
            is_same,
            measured.revision if is_same else f"{measured.revision}, expected {expected.revision}",
            "" if is_same else "another backbone: its files were changed, or another revision was loaded",
        ),
        _pictures(expected, measured),
        _close("calibrated weights", expected.weights, measured.weights, "the calibration: its file was changed"),
        _close(
            "embeddings of texts",
            expected.texts,
            measured.texts,
            "the text side: another tokenizer or encoder was loaded, or transformers changed what it does",
        ),
        _close(
            "embeddings of pictures",
            expected.pictures,
            measured.pictures,
            "the picture side: other pictures (see above), changed weights, or a device that computes in low precision",
        ),
        _divergences(expected, measured),
    ]


def _pictures(expected: Measurement, measured: Measurement) -> Check:
    what = "pictures"
    rows = [row for row, pair in enumerate(zip(expected.hashes, measured.hashes, strict=True)) if len(set(pair)) > 1]
    if not rows:
        return Check(what, True, f"{len(expected.hashes)} the same to the bit")
    levels = np.abs(expected.sums.astype(int) - measured.sums)
    boxes = int((levels > 0).any(axis=-1).sum())
    difference = (
        f"{len(rows)} differ, the first is face {rows[0]}: {boxes} of {levels[..., 0].size} boxes of 8 x 8 pixels, by "
        f"up to {levels.max()} levels in sum"
    )
    is_near = boxes <= _BOXES * levels[..., 0].size and levels.max() <= _LEVELS
    if is_near and platform.machine() not in _EXACT:
        return Check(what, True, difference)
    cause = "a file of emo3d was changed, or Numba compiles to other arithmetic than this version was made for"
    return Check(what, False, difference, f"the renderer: {cause}")


def _close(what: str, expected: np.ndarray, measured: np.ndarray, advice: str) -> Check:
    if expected.shape != measured.shape:
        return Check(what, False, f"shape {measured.shape}, expected {expected.shape}", advice)
    difference = np.abs(expected.astype(np.float64) - measured).max()
    is_passed = bool(difference <= LIMIT)  # false of NaN, too
    return Check(what, is_passed, f"{difference:.1e} at most", "" if is_passed else advice)


def _divergences(expected: Measurement, measured: Measurement) -> Check:
    """Where the tenth and the eleventh description are as good as equally alike, embeddings may swap them."""
    clear = expected.gaps > 2 * LIMIT
    advice = "the score: what was retrieved differs, as it does where embeddings do (see above)"
    check = _close("divergences", expected.kl[clear], measured.kl[clear], advice)
    return Check(check.what, check.is_passed, f"{check.difference}, of {clear.sum()} faces", check.advice)
