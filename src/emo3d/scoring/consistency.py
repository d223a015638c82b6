"""A result is checked against itself: a file that was changed by hand, cut or merged wrongly is not compared."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from emo3d.blendshapes import BLENDSHAPES
from emo3d.emotions import EMOTIONS
from emo3d.scoring.core import emo3d_score
from emo3d.scoring.settings import signature_fields

if TYPE_CHECKING:
    from emo3d.scoring.readers import ReaderResult
    from emo3d.scoring.result import Emo3DResult

BANDS: tuple[str, ...] = ("0.0-0.2", "0.2-0.4", "0.4-0.6", "0.6-0.8", "0.8-1.0")
"""Intensities in fifths; a number on an edge belongs to the upper one."""

COLUMNS = {"kl_divergence": "kl_divergence", "recall_at_k": "match", "mse": "mse", "mae": "mae"}
"""Numbers of a result -> the per-sample values whose means they are; `amplitude` is a median."""
_SAMPLES = COLUMNS | {"amplitude": "amplitude"}

_MOST = dict.fromkeys(("emo3d", "recall_at_k", "mse", "mae", "top1"), 1.0)  # of numbers that are at least 0
_MOST["amplitude"] = len(BLENDSHAPES) ** 0.5 + 1e-6  # all weights 1, of a reference of norm 1 with all weights alike
_CLOSE = 1e-6  # of means that were added up in another order


def alpha_of(signature: str) -> float | None:
    """The alpha that a signature names; None where it names none.

    A ValueError where the signature is no printable line, or alpha no number above 0.
    """
    if not signature.isprintable():
        raise ValueError(f"expected a signature of one printable line, got {signature!r:.100}")
    if (text := signature_fields(signature).get("alpha")) is None:
        return None
    with suppress(ValueError):
        if 0 < (alpha := float(text)) < math.inf:
            return alpha
    raise ValueError(f"expected an alpha above 0 in the signature, got {text!r:.40}")


def check_result(result: Emo3DResult) -> None:
    """Check the parts of a result against each other.

    Raises:
        ValueError: a number outside its range, means that are not those of the per-sample values or of the groups,
            values that are not n, an interval whose ends are not in order, or a hash or signature that is none.
    """
    alpha = alpha_of(result.signature)
    for name in ("references", "reference_expressions"):
        value = getattr(result, name)
        if value is not None and not re.fullmatch("[0-9a-f]{12}", value):
            raise ValueError(f"expected {name} as a hash of 12 hexadecimal digits, got {value!r:.60}")
    if result.n < 1 or result.truncated < 0:
        raise ValueError(f"expected n of at least 1 and truncated of at least 0, got {result.n} and {result.truncated}")
    _check_numbers({name: getattr(result, name) for name in ("emo3d", *_SAMPLES)}, result.intervals, alpha, "")
    for table, names in (("per_emotion", EMOTIONS), ("per_band", BANDS)):
        _check_groups(table, names, result, alpha)
    if result.per_sample:
        _check_samples(result)
    for name, reader in result.readers.items():
        try:
            _check_reader(f" of the reader {name!r:.60}", reader, result.n)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"expected the reader {name!r:.60} as a result has it: {error!r:.200}") from error


def _check_numbers(numbers: Mapping[str, Any], intervals: Mapping[str, Any], alpha: float | None, of: str) -> None:
    for name, value in numbers.items():
        if value is not None and not math.isfinite(value):
            raise ValueError(f"expected a finite {name}{of}, got {value}")
        if value is not None and name in _MOST and not 0 <= value <= _MOST[name]:
            raise ValueError(f"expected {name} in 0..{_MOST[name]:.3g}{of}, got {value:g}")
    for name, (low, high) in intervals.items():
        if numbers.get(name) is None:
            raise ValueError(f"expected intervals of numbers that are there, got one of {name!r:.60}{of}")
        if not (math.isfinite(low) and math.isfinite(high) and low <= high):
            raise ValueError(f"expected an interval from a lower to an upper end, got {low} to {high} of {name}{of}")
    if alpha is None:
        return
    scores = [("emo3d", numbers["emo3d"], numbers["kl_divergence"])]
    if {"emo3d", "kl_divergence"} <= intervals.keys():
        ends = zip(intervals["emo3d"], intervals["kl_divergence"], strict=True)
        scores += [("the interval of emo3d", score, kl) for score, kl in ends]
    for name, score, kl in scores:
        if abs((expected := emo3d_score(kl, alpha)) - score) > _CLOSE:
            got = f"{expected:.6f}, got {score:.6f}"
            raise ValueError(f"expected {name}{of} as kl_divergence and alpha give it, {got}")


def _check_groups(table: str, names: tuple[str, ...], result: Emo3DResult, alpha: float | None) -> None:
    groups = getattr(result, table)
    for name, group in groups.items():
        of = f" of {name} in {table}"
        if name not in names:
            raise ValueError(f"expected {table} of {', '.join(names)}, got {name!r:.60}")
        if not isinstance(group.get("n"), int) or isinstance(group["n"], bool) or group["n"] < 1:
            raise ValueError(f"expected n of at least 1{of}, got {group.get('n')!r:.60}")
        numbers = {number: group.get(number) for number in ("emo3d", "kl_divergence")}
        for number, value in numbers.items():
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise ValueError(f"expected a number as {number}{of}, got {value!r:.60}")
        _check_numbers(numbers, group["intervals"], alpha, of)
    total = sum(group["n"] for group in groups.values())
    if total != result.n:
        raise ValueError(f"expected groups of {result.n} faces in {table}, got {total}")
    mean = sum(group["n"] / total * group["kl_divergence"] for group in groups.values())
    _check_close("kl_divergence", result.kl_divergence, mean, f"the mean of the groups of {table}")


def _check_close(name: str, value: float, expected: float, source: str) -> None:
    if not abs(value - expected) <= _CLOSE * max(1, abs(expected)):
        raise ValueError(f"expected {name} as {source}, {expected:.6f}, got {value:.6f}")


def _check_samples(result: Emo3DResult) -> None:
    samples = result.per_sample
    for name in ("kl_divergence", "distribution", "reference"):
        if name not in samples:
            raise ValueError(f"expected per-sample values of {name}, got those of {', '.join(samples)[:200]}")
    for name, values in samples.items():
        shape = (result.n, len(EMOTIONS)) if name == "distribution" else (result.n,)
        if values.shape != shape:
            raise ValueError(f"expected per-sample values of {name} of shape {shape}, got {values.shape}")
        is_weak = name == "amplitude"  # may be, and then has none
        if not np.all(values.dtype.kind in "biuf" and np.isfinite(values) | (is_weak & np.isnan(values))):
            raise ValueError(f"expected finite numbers as per-sample values of {name}")
    distributions, places = samples["distribution"], samples["reference"]
    if distributions.min() < 0 or np.abs(distributions.sum(axis=1) - 1).max() > _CLOSE:
        raise ValueError("expected per-sample distributions that sum to 1")
    if places.dtype.kind not in "iu" or not np.array_equal(np.unique(places), np.arange(places.max() + 1)):
        raise ValueError("expected per-sample references as places from 0 on, none left out")
    for name, column in _SAMPLES.items():
        value, values = getattr(result, name), samples.get(column, np.empty(0)).astype(np.float64)
        values = values[~np.isnan(values)]  # weak references have no amplitude
        if (value is None) != (not len(values)):
            raise ValueError(f"expected {name} and per-sample values of {column}, or neither of them")
        if value is not None:
            if name in _MOST and not (values.min() >= 0 and values.max() <= _MOST[name]):
                raise ValueError(f"expected per-sample values of {column} in 0..{_MOST[name]:.3g}")
            average, middle = ("median", np.median) if name == "amplitude" else ("mean", np.mean)
            _check_close(name, value, float(middle(values)), f"the {average} of its per-sample values")


def _check_reader(of: str, reader: ReaderResult, n: int) -> None:
    if list(reader.emotions) != [name for name in EMOTIONS if name in reader.emotions]:
        raise ValueError(f"expected emotions in the order of {', '.join(EMOTIONS)}{of}, got {reader.emotions!r:.100}")
    if not (isinstance(reader.signature, str) and reader.signature.isprintable()):
        raise ValueError(f"expected a signature of one printable line{of}, got {reader.signature!r:.100}")
    if not 0 <= reader.n <= reader.n + reader.not_found <= n or len(reader.numbers) != (2 if reader.n else 0):
        counts = f"{reader.n} judged and {reader.not_found} not found"
        raise ValueError(f"expected at most {n} faces, and numbers of those judged{of}, got {counts}")
    _check_numbers(reader.numbers, reader.intervals, None, of)
    groups = reader.per_emotion
    for name, group in groups.items():
        _check_numbers({key: group[key] for key in ("kl_divergence", "top1")}, group["intervals"], None, of)
        if name not in reader.emotions:
            raise ValueError(f"expected per_emotion of {', '.join(reader.emotions)}{of}, got {name!r:.60}")
    if sum(group["n"] for group in groups.values()) != reader.n:
        raise ValueError(f"expected groups of {reader.n} faces in per_emotion{of}")
    for name, value in reader.numbers.items():
        mean = sum(group["n"] * group[name] for group in groups.values()) / reader.n
        _check_close(name, value, mean, f"the mean of the groups{of}")
        if reader.per_sample:
            values = reader.per_sample[name]
            if len(values) != n or np.isfinite(values).sum() != reader.n:
                raise ValueError(f"expected per-sample values of {name} of {n} faces, {reader.n} of them judged{of}")
            _check_close(name, value, float(np.nanmean(values)), f"the mean of its per-sample values{of}")
