"""A score with its parts, and how they are made of the values of every face."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from emo3d.documents import parse_json
from emo3d.emotions import EMOTIONS
from emo3d.markup import latex_text
from emo3d.scoring.consistency import BANDS, COLUMNS, check_result
from emo3d.scoring.core import (
    bootstrap_intervals,
    cluster_values,
    effective_size,
    emo3d_score,
    median_interval,
    wilson_interval,
)
from emo3d.scoring.readers import ReaderResult
from emo3d.scoring.references import References, content_hash, hash_rows
from emo3d.scoring.settings import ScoreSettings, signature_fields

_KINDS: dict[str, Any] = {
    **dict.fromkeys(("emo3d", "kl_divergence"), (int, float)),
    **dict.fromkeys(("recall_at_k", "mse", "mae", "amplitude"), (int, float, type(None))),
    **dict.fromkeys(("references", "signature"), str),
    **dict.fromkeys(("n", "truncated"), int),
    "reference_expressions": (str, type(None)),
    "readers": dict,
}
_FORMS = {  # label, and digits
    "emo3d": ("Emo3D", ".3f"),
    "kl_divergence": ("KL", ".3f"),
    "recall_at_k": ("recall@{k}", ".3f"),
    "mse": ("MSE", ".4f"),
    "mae": ("MAE", ".4f"),
    "amplitude": ("amplitude", ".3f"),
}
# Earlier results lack these.
_LATER: dict[str, Any] = {"per_sample": {}, "reference_expressions": None, "amplitude": None, "readers": {}}


@dataclass(frozen=True, eq=False, repr=False)
class Emo3DResult:
    """A score with its parts, of N faces."""

    emo3d: float  # the score, 0..1, lower is better
    kl_divergence: float  # mean divergence in nats, lower is better
    # Share of faces that retrieved their own description (the published "exact match"), higher is better; None where
    # the bank does not hold all the references' descriptions.
    recall_at_k: float | None
    # Mean squared and absolute error of the expressions, before calibration; None without predicted and reference
    # expressions in one space.
    mse: float | None
    mae: float | None
    # (lower, upper) by name of the numbers: Wilson's of `recall_at_k`, resamples' percentiles of `amplitude`,
    # bootstrap-t of the others. All but Wilson's have none below `emo3d.scoring.core.SMALLEST` references. Several
    # faces of one reference (description and intensities) are not independent: they are resampled together.
    intervals: dict[str, tuple[float, float]]
    # By the strongest emotion of the description, the first of `EMOTIONS` among equals: `n`, `kl_divergence` and
    # `emo3d` of those samples, and `intervals` of the latter two, if any.
    per_emotion: dict[str, dict[str, Any]]
    per_band: dict[str, dict[str, Any]]  # the same by how strong that emotion is, one of `BANDS`
    # `kl_divergence` (N,) float64, `distribution` (N, 8) float64 retrieved, `reference` (N,) int64, the place of its
    # description and intensities among the distinct ones, sorted, and, where they exist, `match` (N,) bool, `mse`,
    # `mae` and `amplitude` (N,) float64, the last NaN of weak references. With several identities the first two are
    # means over them, and `match` a share.
    per_sample: dict[str, np.ndarray]
    n: int
    truncated: int  # distinct descriptions of the bank that were longer than the backbone's window
    references: str  # content hash of the references' descriptions and intensities, the same in any order of them
    signature: str
    # Content hash of the references' expressions that `mse` and `mae` compare with, the same in any order of them; None
    # where nothing was compared, and in a result of an earlier version.
    reference_expressions: str | None = None
    # Median strength in the direction of the references' expressions, 1 is best, of those of a norm of at least
    # `emo3d.scoring.core.STRONG`; None where there are none, and in a result of an earlier version.
    amplitude: float | None = None
    # What emotion readers say of the same faces, by their names; no part of the score.
    readers: dict[str, ReaderResult] = field(default_factory=dict)

    @property
    def numbers(self) -> dict[str, float]:
        """Those of `emo3d`, `kl_divergence`, `recall_at_k`, `mse`, `mae` and `amplitude` that there are."""
        return {name: value for name in _FORMS if (value := getattr(self, name)) is not None}

    def __str__(self) -> str:
        """One line for a footnote: the numbers, their intervals, n, and all that moves them."""
        k = signature_fields(self.signature).get("k", "k")
        parts = [f"{_FORMS[name][0].format(k=k)} {self._format(name, '{} [{}, {}]')}" for name in self.numbers]
        readers = "".join(f" | reader {name}: {reader}" for name, reader in self.readers.items())
        return f"{', '.join(parts)}, n={self.n} | references:{self.references}|{self.signature}{readers}"

    def __repr__(self) -> str:
        return (
            f"Emo3DResult(emo3d={self.emo3d:.4f}, kl_divergence={self.kl_divergence:.4f}, n={self.n}, "
            f"references={self.references!r})"
        )

    def to_latex(self, name: str = "") -> str:
        r"""Write the row of a table: name, Emo3D, KL, recall@k, MSE and n, with intervals in brackets.

        One line that ends in `\\`, for six columns; a dash where there is no number. What LaTeX would read as a command
        in the name of the system is escaped.
        """
        columns = ("emo3d", "kl_divergence", "recall_at_k", "mse")
        numbers = ("--" if getattr(self, name) is None else self._format(name, "${}$ $[{}, {}]$") for name in columns)
        return " & ".join([latex_text(name), *numbers, str(self.n)]) + r" \\"

    def _format(self, name: str, template: str) -> str:
        """A number, and its interval if there is one."""
        values = (getattr(self, name), *self.intervals.get(name, ()))
        template = template if len(values) > 1 else template.partition(" ")[0]
        return template.format(*(format(value, _FORMS[name][1]) for value in values))

    def to_dict(self, *, per_sample: bool = False) -> dict[str, Any]:
        """Plain Python that JSON can hold, with the per-sample values on request."""
        plain = asdict(self)
        for part in (plain, *plain["readers"].values()):
            for group in (part, *part["per_emotion"].values(), *part.get("per_band", {}).values()):
                group["intervals"] = {name: list(ends) for name, ends in group["intervals"].items()}
            samples = part.pop("per_sample")
            if per_sample:
                part["per_sample"] = {  # JSON has no NaN, which alone differs from itself
                    name: [None if value != value else value for value in values.tolist()]
                    for name, values in samples.items()
                }
        return plain

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Emo3DResult:
        """Turn back what `to_dict` made; a ValueError names what is missing, or contradicts another part."""
        names = [field.name for field in fields(cls)]
        for name in names:
            if name not in plain and name not in _LATER:
                raise ValueError(f"expected a result with {name!r}, got {', '.join(map(str, plain)) or 'nothing'}")
        entries = {name: (_LATER | plain)[name] for name in names}
        for name, value in entries.items():
            if not isinstance(value, _KINDS.get(name, object)) or isinstance(value, bool):
                raise ValueError(f"expected {name!r} as a result has it, got {value!r:.60}")
        try:
            entries["readers"] = {
                name: ReaderResult(**_parts({"per_sample": {}} | part | {"emotions": tuple(part["emotions"])}))
                for name, part in entries["readers"].items()
            }
            entries = _parts(entries)
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"expected intervals and values as a result has them: {str(error)[:200]}") from error
        result = cls(**entries)
        check_result(result)
        return result

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything, per-sample values included, as JSON."""
        Path(path).write_text(json.dumps(self.to_dict(per_sample=True), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Emo3DResult:
        """Read what `save` and `emo3d score --out` write; a ValueError names a file that holds no result."""
        try:
            return cls.from_dict(read_plain(path))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error


def read_plain(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the JSON of a result, which is as large as its per-sample values are many."""
    plain = parse_json(Path(path).read_bytes().removeprefix(b"\xef\xbb\xbf"))
    if not isinstance(plain, dict):
        raise ValueError(f"expected a result, got a {type(plain).__name__}")
    return plain


def summarise(
    per_sample: dict[str, np.ndarray],
    references: References,
    settings: ScoreSettings,
    signature: str,
    truncated: int,
    digests: np.ndarray | None = None,
) -> Emo3DResult:
    """Make a result of the values of every face; it does not depend on the order of the faces.

    Args:
        per_sample: see `Emo3DResult`, like `signature` and `truncated`.
        references: N of them.
        settings: with the hash of the bank.
        digests: of the references whose expressions were compared with, see `row_digests`.
    """
    columns = {name: per_sample[column] for name, column in COLUMNS.items() if column in per_sample}
    # The resampled rows are those of an order that follows from their content; the last key counts first.
    order = np.lexsort([*columns.values(), references.ranks])
    values = np.stack(list(columns.values()), axis=1)[order]
    ranks = references.ranks[order]
    means, intervals = _mean(values, ranks, list(columns), settings)
    strong = ~np.isnan(per_sample.get("amplitude", np.empty(0)))
    if strong.any():
        amplitudes, clusters = per_sample["amplitude"][strong], references.ranks[strong]
        means["amplitude"] = float(np.median(amplitudes))
        if interval := median_interval(amplitudes, clusters, settings.n_bootstrap, settings.seed, settings.confidence):
            intervals["amplitude"] = interval

    intensities = references.intensities[order]
    tables: list[dict[str, dict[str, Any]]] = []
    bands = np.digitize(intensities.max(axis=1), (0.2, 0.4, 0.6, 0.8))
    for names, places in ((EMOTIONS, intensities.argmax(axis=1)), (BANDS, bands)):
        tables.append({})
        for place in np.unique(places):
            kl = values[places == place, :1]
            part, ends = _mean(kl, ranks[places == place], ["kl_divergence"], settings)
            tables[-1][names[place]] = {"n": len(kl), **part, "intervals": ends}
    references = references.canonical()
    return Emo3DResult(
        **({"recall_at_k": None, "mse": None, "mae": None} | means),  # type: ignore[arg-type]
        intervals=intervals,
        per_emotion=tables[0],
        per_band=tables[1],
        per_sample=per_sample,
        n=len(references),
        truncated=truncated,
        references=content_hash(references.descriptions, references.intensities),
        signature=signature,
        reference_expressions=None if digests is None else hash_rows(digests, settings.space),
    )


def _mean(
    values: np.ndarray, ranks: np.ndarray, names: list[str], settings: ScoreSettings
) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """Means of columns (n, M), the divergence first, and their intervals, each with those of the score in front.

    Rows of equal `ranks` (n,) are of one reference.
    """
    confidence, divisor = settings.confidence, settings.divisor
    clusters = cluster_values(values, ranks)
    ends = bootstrap_intervals(clusters, n_bootstrap=settings.n_bootstrap, seed=settings.seed, confidence=confidence)
    columns = values.mean(axis=0)
    means = {"emo3d": emo3d_score(columns[0], divisor), **dict(zip(names, columns.tolist(), strict=True))}
    intervals: dict[str, tuple[float, float]] = {}
    if ends is not None:
        low, high = ends[0]  # of the divergence, which the score follows monotonically
        intervals = {"emo3d": (emo3d_score(low, divisor), emo3d_score(high, divisor))}
        intervals |= _ends(dict(zip(names, ends, strict=True)))
    if "recall_at_k" in names:
        size = effective_size(values[:, names.index("recall_at_k")], ranks)
        intervals["recall_at_k"] = wilson_interval(means["recall_at_k"], size, confidence)
    for name in intervals.keys() & {"mse", "mae"}:
        intervals[name] = max(0.0, intervals[name][0]), intervals[name][1]
    return means, intervals


def _parts(entries: dict[str, Any]) -> dict[str, Any]:
    """Intervals, groups and per-sample values of a result, or of a reader's, as they were before `to_dict`."""
    parts = entries | {"intervals": _ends(entries["intervals"])}
    for table in parts.keys() & {"per_emotion", "per_band"}:
        groups = parts[table].items()
        parts[table] = {name: group | {"intervals": _ends(group["intervals"])} for name, group in groups}
    parts["per_sample"] = {
        name: np.array([np.nan if value is None else value for value in values])
        for name, values in parts["per_sample"].items()
    }
    return parts


def _ends(plain: dict[str, Any]) -> dict[str, tuple[float, float]]:
    return {name: (float(low), float(high)) for name, (low, high) in plain.items()}
