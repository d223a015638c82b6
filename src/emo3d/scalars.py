"""Numbers of settings as they are computed with, so that what a signature prints is what moved the score."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any


def whole_number(name: str, value: Any) -> int:
    """An int, of whatever holds one: 10, 10.0, NumPy's and PyTorch's scalars.

    Raises:
        ValueError: no whole number; True and False are none either.
    """
    number = _scalar(value)
    if isinstance(number, Integral) or (isinstance(number, Real) and float(number).is_integer()):
        return int(number)  # type: ignore[call-overload]
    raise ValueError(f"expected {name} as a whole number, got {value!r}")


def real_number(name: str, value: Any) -> float:
    """A finite float, of whatever holds one, to the last bit; -0.0 is 0.0.

    Raises:
        ValueError: no finite number; True and False are none either.
    """
    number = _scalar(value)
    if isinstance(number, Real) and math.isfinite(number):
        return float(number) + 0.0
    raise ValueError(f"expected {name} as a finite number, got {value!r}")


def _scalar(value: Any) -> Any:
    if getattr(value, "ndim", None) == 0:  # an array or a tensor without axes
        value = value.item()
    return None if isinstance(value, bool) else value
