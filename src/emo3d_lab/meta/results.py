"""Results of `emo3d score --out` as metric values."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from emo3d.scoring import Emo3DResult
from emo3d.scoring.settings import signature_difference
from emo3d_lab.comparison import check_comparable
from emo3d_lab.meta.columns import check_file
from emo3d_lab.meta.tables import MetricValues, make_metrics

_ERRORS = ("mse", "mae", "amplitude")  # against the references' expressions
_NUMBERS = ("kl_divergence", "match", *_ERRORS)


def read_results(
    paths: Mapping[str, str | os.PathLike[str]],
    *,
    items: Sequence[str] | None = None,
    higher: Collection[str] = (),
    lower: Collection[str] = (),
) -> MetricValues:
    """Read the per-sample values of scores, those of emotion readers as "READER kl_divergence" and "READER top1".

    What only some systems have, or have under other settings, is left out; `MetricValues.notes` say why.

    Args:
        paths: system -> what `emo3d score --out` wrote; all of the same references and settings.
        items: ids of the rows, in the references' order; by default their numbers from 0.
        higher: see `read_metrics`, as for `lower`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: scores of other settings or references or without values of single faces, or another number of rows
            than of items.
    """
    for system, path in paths.items():
        check_file(path, f"the result of {system}")
    results = {system: Emo3DResult.load(path) for system, path in paths.items()}
    first = next(iter(results), None)
    if first is None:
        raise ValueError("expected at least one result, got none")
    cells: dict[str, dict[tuple[str, str], float]] = {}
    left_out = _left_out(results)
    for system, result in results.items():
        if "kl_divergence" not in result.per_sample:
            raise ValueError(f"expected values of single faces in the result of {system!r}, got none: score it again")
        try:
            check_comparable(results[first], result)
        except ValueError as error:
            raise ValueError(f"expected {system!r} as {first!r} was scored: {error}") from error
        if not np.array_equal(results[first].per_sample["reference"], result.per_sample["reference"]):
            raise ValueError(f"expected the rows of {system!r} in the order of those of {first!r}")
        if items is not None and len(items) != result.n:
            raise ValueError(f"expected {result.n} items, one for each row of the results, got {len(items)}")
        columns = {name: result.per_sample[name] for name in _NUMBERS if name in result.per_sample}
        columns = {name: values for name, values in columns.items() if name not in left_out}
        for reader, answers in result.readers.items():
            if reader not in left_out:
                columns |= {f"{reader} {name}": values for name, values in answers.per_sample.items()}
        for name, values in columns.items():
            for row, value in enumerate(np.asarray(values, np.float64).tolist()):
                cells.setdefault(name, {})[str(row) if items is None else items[row], system] = value
    notes = tuple(f"{name} is left out: {reason}." for name, reason in left_out.items())
    return replace(make_metrics(cells, higher=higher, lower=lower), notes=notes)


def _left_out(results: Mapping[str, Emo3DResult]) -> dict[str, str]:
    """Why numbers and emotion readers are not the same measure in all results, by name."""
    reasons = {}
    hashes = {result.reference_expressions for result in results.values()}
    for name in _NUMBERS:
        lacking = [system for system, result in results.items() if name not in result.per_sample]
        if 0 < len(lacking) < len(results):
            reasons[name] = f"{', '.join(lacking)} has no values of it"
        elif not lacking and name in _ERRORS and (None in hashes or len(hashes) > 1):
            known = " and ".join(sorted(str(digest or "unknown") for digest in hashes))
            reasons[name] = f"the references' expressions are not known to be the same ({known})"
    for name in {name: None for result in results.values() for name in result.readers}:
        lacking = [system for system, result in results.items() if name not in result.readers]
        if lacking or not all(result.readers[name].per_sample for result in results.values()):
            reasons[name] = f"{', '.join(lacking) or 'a result'} has no values of it"
            continue
        signatures = [result.readers[name].signature for result in results.values()]
        if differing := [found for other in signatures[1:] if (found := signature_difference(signatures[0], other))]:
            reasons[name] = f"its signatures differ in {differing[0]}"
    return reasons
