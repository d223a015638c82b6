"""Does a metric agree with people? `emo3d meta`, and the power of a study.

    from emo3d_lab.meta import measure_metrics, read_judgements, read_metrics

    agreement = measure_metrics(read_judgements("judgements.csv"), read_metrics(["values.csv"]))
    print(agreement)

What needs scipy and statsmodels (the extra `audit`) is loaded when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emo3d_lab.meta.figures import Agreement
from emo3d_lab.meta.power import detectable_difference, needed_judgements
from emo3d_lab.meta.results import read_results
from emo3d_lab.meta.tables import Judgements, MetricValues, read_judgements, read_metrics

if TYPE_CHECKING:
    from emo3d_lab.meta.measuring import measure_metrics

__all__ = [
    "Agreement",
    "Judgements",
    "MetricValues",
    "detectable_difference",
    "measure_metrics",
    "needed_judgements",
    "read_judgements",
    "read_metrics",
    "read_results",
]


def __getattr__(name: str) -> Any:
    if name == "measure_metrics":
        from emo3d_lab.meta.measuring import measure_metrics

        return measure_metrics
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
