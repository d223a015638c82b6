"""Whose face it is: named identities, and the panel of twelve that scores are averaged over and audited with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from emo3d.hints import did_you_mean


class HairStyle(NamedTuple):
    """How a style looks."""

    line: str  # of `emo3d.face.skin.HAIRLINES`
    strands: str  # of `emo3d.face.skin.STRANDS`
    cover: float  # how much of the scalp's colour it hides, 0..1
    pieces: tuple[int, ...]  # of the mesh, which this style has and a bald head has not


CURTAIN, BUN, CAP = 1, 2, 3
HAIR_STYLES: dict[str, HairStyle] = {
    "none": HairStyle("round", "back", 0.0, ()),
    "buzz": HairStyle("fade", "curly", 0.65, ()),
    "crop": HairStyle("fade", "back", 0.97, (CAP,)),
    "short": HairStyle("square", "swept", 0.97, (CAP,)),
    "receding": HairStyle("horseshoe", "back", 0.9, ()),
    "curls": HairStyle("round", "curly", 0.97, (CAP,)),
    "afro": HairStyle("round", "curly", 0.97, (CAP,)),
    "bob": HairStyle("round", "parted", 0.97, (CURTAIN, CAP)),
    "bangs": HairStyle("round", "back", 0.97, (CURTAIN, CAP)),
    "waves": HairStyle("round", "back", 0.97, (CURTAIN, CAP)),
    "long": HairStyle("round", "parted", 0.97, (CURTAIN, CAP)),
    "bun": HairStyle("round", "back", 0.97, (BUN,)),
}
"""From bald to long; every head can wear every one."""


@dataclass(frozen=True)
class Identity:
    """Whose face it is; colours are sRGB, 0..255."""

    phenotype: Mapping[str, float] = field(default_factory=dict)  # of anny, in 0..1; see `anny.Anny.phenotype_labels`
    skin: tuple[int, int, int] = (224, 176, 148)
    hair: tuple[int, int, int] = (74, 52, 40)
    iris: tuple[int, int, int] = (92, 66, 44)
    brow_height: float = 0.0  # metres that the brows lie above where they usually do; people differ by a few mm
    hair_style: str = "short"  # of `HAIR_STYLES`
    beard: float = 0.0  # how full a short beard is, 0..1

    def __post_init__(self) -> None:
        if self.hair_style not in HAIR_STYLES:
            hint = did_you_mean(self.hair_style, HAIR_STYLES)
            raise ValueError(f"expected a hair style of {', '.join(HAIR_STYLES)}, got {self.hair_style!r}{hint}")
        if not 0.0 <= self.beard <= 1.0:
            raise ValueError(f"expected a beard of 0..1, got {self.beard}")


_BLOND, _RED, _CHESTNUT, _BROWN, _DARK, _BLACK = (
    (186, 150, 102), (140, 74, 44), (104, 66, 44), (78, 54, 40), (52, 38, 32), (34, 28, 27)
)  # fmt: skip
_GREYING, _GREY, _WHITE = (112, 102, 94), (150, 145, 140), (196, 192, 186)
IDENTITIES: dict[str, Identity] = {
    "adult": Identity({"gender": 0.5, "age": 0.68}),
    "girl": Identity(
        {"gender": 1.0, "age": 0.36}, skin=(236, 192, 166), hair=(150, 112, 72), iris=(86, 104, 112), hair_style="bangs"
    ),
    "boy": Identity({"gender": 0.0, "age": 0.36}, skin=(232, 188, 160), hair=_CHESTNUT, hair_style="crop"),
    "young-woman": Identity(
        {"gender": 1.0, "age": 0.6}, skin=(232, 186, 160), hair=_DARK, iris=(78, 54, 38), hair_style="long"
    ),
    "young-man": Identity({"gender": 0.0, "age": 0.6}, skin=(222, 172, 142), hair=_DARK, iris=(74, 52, 38)),
    "woman": Identity(
        {"gender": 1.0, "age": 0.7}, skin=(232, 184, 158), hair=_RED, iris=(92, 108, 74), hair_style="bob"
    ),
    "man": Identity(
        {"gender": 0.0, "age": 0.7, "muscle": 0.6}, skin=(214, 164, 134), hair=_BROWN, hair_style="buzz", beard=0.3
    ),
    "bearded-man": Identity(
        {"gender": 0.0, "age": 0.75, "weight": 0.6}, skin=(206, 156, 126), hair=_DARK, iris=(70, 60, 44), beard=0.9
    ),
    "middle-aged-woman": Identity(
        {"gender": 1.0, "age": 0.83, "weight": 0.58}, hair=_BLOND, iris=(92, 106, 118), hair_style="bob"
    ),
    "middle-aged-man": Identity(
        {"gender": 0.0, "age": 0.83, "weight": 0.58}, skin=(216, 166, 138), hair=_GREYING, iris=(80, 92, 98), beard=0.25
    ),
    "elderly-woman": Identity(
        {"gender": 1.0, "age": 1.0}, skin=(228, 186, 164), hair=_WHITE, iris=(88, 100, 112), hair_style="waves"
    ),
    "elderly-man": Identity(
        {"gender": 0.0, "age": 1.0}, skin=(220, 176, 152), hair=_WHITE, iris=(88, 100, 112), hair_style="receding"
    ),
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

PANEL_NAME = "panel-2"
"""Goes into signatures; changed whenever the faces of `PANEL`, or their order, would be others."""


PANEL: dict[str, Identity] = {
    f"{age}-{ancestry}-{gender}": Identity(
        {"gender": float(gender == "woman"), "age": 1.0 if age == "old" else 0.6}
        | {name: float(name == ancestry) for name in ANCESTRIES},
        skin=SKIN_TONES[tone],
        hair=hair,
        iris=(62, 42, 30),
        hair_style=style,
        beard=beard,
    )
    for age, ancestry, gender, tone, hair, style, beard in (
        ("young", "caucasian", "woman", "monk-2", _BLOND, "long", 0.0),
        ("old", "african", "man", "monk-5", _GREY, "buzz", 0.4),
        ("young", "asian", "woman", "monk-8", _BLACK, "bangs", 0.0),
        ("old", "asian", "man", "monk-6", _GREY, "receding", 0.3),
        ("young", "african", "woman", "monk-6", _BLACK, "afro", 0.0),
        ("old", "caucasian", "man", "monk-8", _WHITE, "none", 0.8),
        ("young", "african", "man", "monk-2", _DARK, "curls", 0.0),
        ("old", "caucasian", "woman", "monk-5", _WHITE, "bob", 0.0),
        ("old", "asian", "woman", "monk-2", _GREY, "bun", 0.0),
        ("young", "caucasian", "man", "monk-6", _BROWN, "short", 0.3),
        ("young", "asian", "man", "monk-5", _BLACK, "crop", 0.0),
        ("old", "african", "woman", "monk-8", _GREY, "afro", 0.0),
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
