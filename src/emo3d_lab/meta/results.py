"""Results of `emo3d score --out` as metric values."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from emo3d.scoring import Emo3DResult
from emo3d_lab.comparison import check_comparable
from emo3d_lab.meta.tables import MetricValues, make_metrics

_NUMBERS = ("kl_divergence", "match", "mse", "mae", "amplitude")


def read_results(
    paths: Mapping[str, str | os.PathLike[str]],
    *,
    items: Sequence[str] | None = None,
    higher: Collection[str] = (),
    lower: Collection[str] = (),
) -> MetricValues:
    """Read the per-sample values of scores, those of emotion readers as "READER kl_divergence" and "READER top1".

    Args:
        paths: system -> what `emo3d score --out` wrote; all of the same references and settings.
        items: ids of the rows, in the references' order; by default their numbers from 0.
        higher: see `read_metrics`, as for `lower`.

    Raises:
        ValueError: scores of other settings or references, or another number of rows than of items.
    """
    results = {system: Emo3DResult.load(path) for system, path in paths.items()}
    first = next(iter(results), None)
    if first is None:
        raise ValueError("expected at least one result, got none")
    cells: dict[str, dict[tuple[str, str], float]] = {}
    for system, result in results.items():
        try:
            check_comparable(results[first], result)
        except ValueError as error:
            raise ValueError(f"expected {system!r} as {first!r} was scored: {error}") from error
        if not np.array_equal(results[first].per_sample["reference"], result.per_sample["reference"]):
            raise ValueError(f"expected the rows of {system!r} in the order of those of {first!r}")
        if items is not None and len(items) != result.n:
            raise ValueError(f"expected {result.n} items, one for each row of the results, got {len(items)}")
        columns = {name: result.per_sample[name] for name in _NUMBERS if name in result.per_sample}
        for reader, answers in getattr(result, "readers", {}).items():
            columns |= {f"{reader} {name}": values for name, values in answers.per_sample.items()}
        for name, values in columns.items():
            for row, value in enumerate(np.asarray(values, np.float64).tolist()):
                cells.setdefault(name, {})[str(row) if items is None else items[row], system] = value
    return make_metrics(cells, higher=higher, lower=lower)
