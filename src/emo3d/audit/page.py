"""The audit as a page."""

from __future__ import annotations

import os
from collections.abc import Iterable

import numpy as np

from emo3d.audit.faces import views
from emo3d.audit.result import KINDS, LEAST, Audit, Estimate
from emo3d.audit.verdict import chance, found, holds_for, not_measured, number, signed
from emo3d.audit.words import AGE, GENDER
from emo3d.blendshapes import BLENDSHAPES
from emo3d.face import RenderSettings, render
from emo3d.pages import NOT_FOR, write_page
from emo3d.quickstart.report import encode_picture
from emo3d.scoring.core import SMALLEST

_SIDE = 128  # pixels of a face


def write_audit(audit: Audit, path: str | os.PathLike[str]) -> None:
    """Write the page: one file, nothing outside it; texts of the dataset are shown as text."""
    faces = audit.identities
    factors = list(dict.fromkeys(one.factor for one in audit.slices))
    write_page(
        "audit.html.jinja",
        path,
        audit=audit,
        found=found(audit),
        holds_for=holds_for(audit),
        not_measured=not_measured(audit),
        not_for=NOT_FOR,
        # Of an audit by another version there may be faces that this one does not know: they have no picture.
        pictures=dict.fromkeys((one.name for one in faces.conditions), "data:,")
        | _pictures(sum(one.kind == "panel" for one in faces.conditions)),
        kinds={kind: [one for one in faces.conditions if one.kind == kind] for kind in KINDS},
        slices={factor: [one for one in audit.slices if one.factor == factor] for factor in factors},
        words={"age words": AGE, "gender words": GENDER},
        axes={
            "slices": _axis(one.gap.difference for one in audit.slices if one.gap),
            "faces": _axis(
                [one.gap.difference for one in faces.conditions] + [one.gap.difference for one in faces.effects]
            ),
            "costs": _axis(one.off for one in faces.costs),
            "shifts": _axis(shift.mean for one in (audit.texts.swaps if audit.texts else ()) for shift in one.shifts),
        },
        signature=[part.partition(":")[::2] for part in audit.signature.split("|")],
        least=LEAST,
        smallest=SMALLEST,
        number=number,
        signed=signed,
        chance=chance,
    )


def _axis(estimates: Iterable[Estimate]) -> tuple[float, float]:
    """Ends of a scale that holds all intervals and 0."""
    shown = [end for estimate in estimates for end in estimate.ends]
    low, high = min(shown, default=0.0), max(shown, default=0.0)
    room = 0.03 * (high - low) or 1.0
    return min(low, 0.0) - room, max(high, 0.0) + room


def _pictures(identities: int) -> dict[str, str]:
    """Name of a condition -> its face at rest; `adult` is the default."""
    at_rest, settings = np.zeros((1, len(BLENDSHAPES))), RenderSettings(size=_SIDE)
    pictures = {name: render(at_rest, rig=rig(), settings=how)[0] for _, name, rig, how in views(identities, settings)}
    pictures["adult"] = render(at_rest, settings=settings)[0]
    return {name: encode_picture(picture, _SIDE) for name, picture in pictures.items()}
