"""Whose face it is: named identities, and the panel of twelve that scores are averaged over and audited with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from emo3d.hints import did_you_mean


@dataclass(frozen=True)
class Identity:
    """Whose face it is; colours are sRGB, 0..255."""

    phenotype: Mapping[str, float] = field(default_factory=dict)  # of anny, in 0..1; see `anny.Anny.phenotype_labels`
    skin: tuple[int, int, int] = (224, 176, 148)
    hair: tuple[int, int, int] = (74, 52, 40)
    iris: tuple[int, int, int] = (92, 66, 44)
    brow_height: float = 0.0  # metres that the brows lie above where they usually do; people differ by a few mm


_GREY = (136, 126, 116)
IDENTITIES: dict[str, Identity] = {
    "adult": Identity({"gender": 0.5, "age": 0.68}),
    "girl": Identity({"gender": 1.0, "age": 0.36}, skin=(236, 192, 166), hair=(112, 78, 50)),
    "boy": Identity({"gender": 0.0, "age": 0.36}, skin=(232, 188, 160), hair=(92, 64, 44)),
    "young-woman": Identity({"gender": 1.0, "age": 0.6}, skin=(232, 186, 160), hair=(58, 40, 32)),
    "young-man": Identity({"gender": 0.0, "age": 0.6}, skin=(222, 172, 142), hair=(56, 42, 34)),
    "woman": Identity({"gender": 1.0, "age": 0.7}, skin=(226, 178, 150), hair=(86, 56, 38)),
    "man": Identity({"gender": 0.0, "age": 0.7, "muscle": 0.6}, skin=(214, 164, 134), hair=(62, 46, 36)),
    "middle-aged-woman": Identity({"gender": 1.0, "age": 0.83, "weight": 0.58}, hair=(104, 80, 64)),
    "middle-aged-man": Identity({"gender": 0.0, "age": 0.83, "weight": 0.58}, skin=(216, 166, 138), hair=(92, 82, 76)),
    "elderly-woman": Identity({"gender": 1.0, "age": 1.0}, skin=(228, 186, 164), hair=_GREY, iris=(88, 100, 112)),
    "elderly-man": Identity({"gender": 0.0, "age": 1.0}, skin=(220, 176, 152), hair=_GREY, iris=(88, 100, 112)),
}
"""Named identities; `"adult"`, halfway between the genders, is the one on which predictions are scored."""

ANCESTRIES = ("african", "asian", "caucasian")
"""Phenotypes of anny (MakeHuman's shapes of heads); they say nothing of the colours."""

SKIN_TONES: dict[str, tuple[int, int, int]] = {
    "monk-1": (246, 237, 228),
    "monk-2": (243, 231, 219),
    "monk-3": (247, 234, 208),
    "monk-4": (234, 218, 186),
    "monk-5": (215, 189, 150),
    "monk-6": (160, 126, 86),
    "monk-7": (130, 92, 67),
    "monk-8": (96, 65, 52),
    "monk-9": (58, 49, 42),
    "monk-10": (41, 36, 32),
}
"""The ten tones of the Monk Skin Tone Scale (Ellis Monk, Google 2022, skintone.google), sRGB, light to dark."""

PANEL_NAME = "panel-1"
"""Goes into signatures; changed whenever the faces of `PANEL`, or their order, would be others."""


PANEL: dict[str, Identity] = {
    f"{age}-{ancestry}-{gender}": Identity(
        {"gender": float(gender == "woman"), "age": 1.0 if age == "old" else 0.6}
        | {name: float(name == ancestry) for name in ANCESTRIES},
        skin=SKIN_TONES[tone],
        hair=_GREY if age == "old" else (58, 42, 34),
        iris=(62, 42, 30),
    )
    for age, ancestry, gender, tone in (
        ("young", "caucasian", "woman", "monk-2"),
        ("old", "african", "man", "monk-5"),
        ("young", "asian", "woman", "monk-8"),
        ("old", "asian", "man", "monk-6"),
        ("young", "african", "woman", "monk-6"),
        ("old", "caucasian", "man", "monk-8"),
        ("young", "african", "man", "monk-2"),
        ("old", "caucasian", "woman", "monk-5"),
        ("old", "asian", "woman", "monk-2"),
        ("young", "caucasian", "man", "monk-6"),
        ("young", "asian", "man", "monk-5"),
        ("old", "african", "woman", "monk-8"),
    )
}
"""Twelve faces: both genders, young (about 25) and old, of three ancestries, each once; tones go round, so that each
meets every ancestry once. In this order, so that the first K, whatever K, are as even as can be."""

NAMED: dict[str, Identity] = {**IDENTITIES, **PANEL}


def check_identity(name: str) -> str:
    """Return the name if an identity has it; raise a ValueError that names them otherwise."""
    if name not in NAMED:
        raise ValueError(f"expected an identity of {', '.join(IDENTITIES)}, got {name!r}{did_you_mean(name, NAMED)}")
    return name
