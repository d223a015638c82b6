"""The result of an audit, which goes to JSON and comes back."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from emo3d.documents import read_json
from emo3d_lab.audit.figures import KINDS, Estimate, IdentityAudit, ReaderAudit, Slice, Strength, TextAudit
from emo3d_lab.plain import Share, from_plain
from emo3d_lab.sentinels import Sentinel

Source = Literal["predictions", "model", "dataset"]


@dataclass(frozen=True)
class Audit:
    """For whom a score holds.

    Attributes:
        dataset: as in the call, like `config` and `split`.
        source: of the expressions. Those of the `"dataset"` itself make an audit of the data and of the metric.
        model: the generator's name, or None.
        kl: of all n rows on the default face.
        emo3d: of all n rows on the default face.
        identities: the same expressions on other faces.
        texts: words swapped; None without a generator.
        sentinels: beside the score, see `emo3d_lab.sentinels`; none in a file of an earlier version.
        readings: of emotion readers, which are no part of the score; none in a file of an earlier version.
        confidence: of all intervals.
        n_bootstrap: resamples.
        seed: of these, and of the draw of rows.
        references: content hash of the dataset's descriptions and intensities.
        signature: of the score on the default face.
    """

    dataset: str
    config: str | None
    split: str
    source: Source
    model: str | None
    n: int
    kl: Estimate
    emo3d: Estimate
    slices: tuple[Slice, ...]
    identities: IdentityAudit
    texts: TextAudit | None
    strengths: tuple[Strength, ...]
    sentinels: tuple[Sentinel, ...]
    readings: tuple[ReaderAudit, ...]
    confidence: Share
    n_bootstrap: int
    seed: int
    references: str
    signature: str

    def to_dict(self) -> dict[str, Any]:
        """Plain Python that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Audit:
        """Turn back what `to_dict` made, also after a way through JSON.

        Raises:
            ValueError: something is missing or of another kind; the message names it.
        """
        if isinstance(plain, dict):  # an earlier version's lacks them
            plain = {"sentinels": (), "readings": ()} | plain
        audit: Audit = from_plain(cls, plain, "the audit", "an audit")
        conditions = audit.identities.conditions
        if not audit.identities.costs or not any(condition.kind == "panel" for condition in conditions):
            raise ValueError("expected costs, and a face of the panel among the conditions, got none")
        if wrong := [condition.kind for condition in conditions if condition.kind not in KINDS]:
            raise ValueError(f"expected conditions of {', '.join(KINDS)}, got {wrong[0]:.60}")
        if audit.source == "model" and audit.model is None:
            raise ValueError("expected the name of the model, got none")
        if not audit.n_bootstrap >= 1:
            raise ValueError(f"expected at least 1 resample, got {audit.n_bootstrap}")
        return audit

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything as JSON."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.to_dict(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Audit:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: no such file.
            ValueError: it holds no audit; the message names the file.
        """
        try:
            return cls.from_dict(read_json(path))
        except ValueError as error:
            name = Path(path).name
            raise ValueError(f"{name}: {str(error).removeprefix(f'{name}: ')}") from None
