"""An agreement as a page."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from emo3d_lab.meta.figures import Agreement, MetricAgreement
from emo3d_lab.meta.findings import findings
from emo3d_lab.pages import write_page


def write_agreement(agreement: Agreement, path: str | os.PathLike[str]) -> None:
    """Write a page of one file with figures and plots."""
    floor = next(metric for metric in agreement.sentinels if metric.name.endswith("random")).by_difficulty
    ordered = sorted(zip(agreement.systems, agreement.human, strict=True), key=lambda pair: -pair[1])
    write_page(
        "agreement.html.jinja",
        path,
        agreement=agreement,
        findings=findings(agreement),
        scatters=[_scatter(metric, agreement) for metric in agreement.metrics],
        is_ranking=len(agreement.systems) > 2,
        are_ranked=any(metric.rank != 1 for metric in agreement.metrics),
        curves=[_curve(metric, floor) for metric in agreement.metrics] if len(floor) > 1 else [],
        ordered=ordered,
        checks=[(judge, *counts) for judge, counts in agreement.checks.items()],
    )


def _scatter(metric: MetricAgreement, agreement: Agreement) -> dict[str, Any]:
    xs, ys = _places(agreement.human, 20, 188), _places(metric.scores, 132, 14)
    dots = [
        {"system": system, "x": f"{x:.1f}", "y": f"{y:.1f}", "human": f"{human:+.2f}", "metric": f"{score:+.3g}"}
        for system, x, y, human, score in zip(agreement.systems, xs, ys, agreement.human, metric.scores, strict=True)
    ]
    return {"name": metric.name, "dots": dots, "spearman": metric.spearman}


def _places(values: Sequence[float], low: float, high: float) -> list[float]:
    """Where values lie between the two ends of an axis; in the middle where they do not vary."""
    least, spread = min(values), max(values) - min(values)
    return [low + (high - low) * ((value - least) / spread if spread else 0.5) for value in values]


def _curve(metric: MetricAgreement, floor: Sequence[float]) -> dict[str, Any]:
    n = len(metric.by_difficulty)

    def points(values: Sequence[float]) -> list[tuple[str, str]]:
        return [(f"{40 + 140 * place / (n - 1):.1f}", f"{104 - 98 * value:.1f}") for place, value in enumerate(values)]

    def path(values: Sequence[float]) -> str:
        return "M" + "L".join(f"{x} {y}" for x, y in points(values))

    dots = [
        {"x": x, "y": y, "value": f"{value:.3f}"}
        for (x, y), value in zip(points(metric.by_difficulty), metric.by_difficulty, strict=True)
    ]
    return {"name": metric.name, "dots": dots, "path": path(metric.by_difficulty), "floor": path(floor)}
