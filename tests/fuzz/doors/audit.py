"""`audit.json`: read, put in sentences, on a card and on a page (whose faces do not depend on it, and are left out)."""

import dataclasses
import json
from pathlib import Path

import numpy as np


def make_audit(conditions=(("panel", "old-african-man"), ("panel", "old-african-woman"), ("light", "+30°")), moved=()):
    """An audit of 40 rows whose KL is higher by 1 under the conditions `moved`."""
    from emo3d_lab.audit import Audit
    from emo3d_lab.audit.faces import summarise
    from emo3d_lab.audit.figures import Band, Estimate, Gap, ReaderAudit, Shift, Slice, Strength, Swapped, TextAudit
    from emo3d_lab.audit.statistics import Bootstrap
    from emo3d_lab.sentinels import Reading, Sentinel

    rng = np.random.default_rng(0)
    kl = rng.uniform(0, 1, 40)
    measured = [kl + (name in moved) + rng.normal(0, 0.01, 40) for _, name in conditions]
    number = Estimate(0.5, 0.4, 0.6)
    gap, band = Gap(number, 0.3, 0.2), Band(30, number, number)
    shifts = (Shift("jawOpen", number),)
    swaps = tuple(
        Swapped(name, name == "full stop", "female", 40, (("a", "b"),), number, gap, gap, shifts)
        for name in ("gender words", "full stop")
    )
    return Audit(
        dataset="sample", config=None, split="test", source="model", model="m", n=40, kl=number, emo3d=number,
        slices=(Slice("age words", "elderly", 40, 40, number, number, gap),),
        identities=summarise(list(conditions), kl, measured, Bootstrap(50)),
        texts=TextAudit(40, swaps, number), strengths=(Strength("fear", 60, band, band, gap, 0.1),),
        sentinels=(Sentinel("shuffled", 0.9, 0.2, (Reading("face-api", 1.5, None),)),),
        readings=(ReaderAudit("face-api", "face-api:0", 38, 1, number, None),),
        confidence=0.95, n_bootstrap=50, seed=0, references="0123", signature="Emo3D|v:1|k:10",
    )  # fmt: skip


def seeds(folder: Path) -> list[dict[str, bytes]]:
    whole = make_audit()
    part = dataclasses.replace(whole, texts=None, source="dataset", model=None, slices=(), strengths=())
    return [{"audit.json": json.dumps(audit.to_dict()).encode()} for audit in (whole, part)]


def enter(folder: Path) -> None:
    from emo3d_lab.audit import Audit, card_section, page, verdict

    page._pictures = lambda identities: {"adult": "data:,"}
    audit = Audit.load(folder / "audit.json")
    verdict.claims(audit)
    card_section(audit)
    page.write_audit(audit, folder / "audit.html")
    (folder / "card.md").write_text(card_section(audit), encoding="utf-8")
    assert Audit.from_dict(audit.to_dict()) == audit
