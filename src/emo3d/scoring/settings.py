"""The parameters of a score, and the signature that is made of them."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import get_args

import emo3d
from emo3d.backbones import DEFAULT_BACKBONE, backbone_name
from emo3d.blendshapes import Space, check_space
from emo3d.face import PANEL, PANEL_NAME, FaceRig, RenderSettings
from emo3d.face.calibration import DEFAULT_METHOD, Method, check_method
from emo3d.ranges import real_number, whole_number
from emo3d.scoring.core import ALPHA, Variant


@dataclass(frozen=True)
class ScoreSettings:
    """Everything that moves the score, or its interval.

    Attributes:
        variant: `"release"` is what the published code computes; see `emo3d.scoring.core`.
        k: descriptions retrieved for each face.
        epsilon: added to every entry of the retrieved distribution.
        alpha: divides the mean divergence; None is the variant's own, see `ALPHA`.
        backbone: id of the dual encoder, see `load_backbone`; of a folder, the signature has the name without its path.
        revision: its branch, tag or commit; a result's signature has the commit, or for a folder a digest of its files.
        dtype: of the backbone, `"float32"` or `"bfloat16"`.
        bank: content hash of the bank. None takes any; a result's signature has the hash of the one that was used.
        space: of the predicted expressions.
        calibration: how readings become the weights that are rendered, see `emo3d.face.calibration`; a result's
            signature has its name too, and `-` where nothing was calibrated.
        identity: whose face is rendered, a name of `emo3d.face.IDENTITIES` or `PANEL`; or a rig, such as a character's,
            whose name the signature has.
        identities: K; above 1, every expression is rendered on the first K of `emo3d.face.PANEL` instead, and its
            divergence is the mean over them, at K times the cost. The signature has the panel as `identity`.
        render: how; None is the default portrait at the backbone's own size.
        n_bootstrap: resamples behind the intervals; `seed` is theirs.
    """

    variant: Variant = "paper"
    k: int = 10
    epsilon: float = 0.01
    alpha: float | None = None
    backbone: str = DEFAULT_BACKBONE
    revision: str | None = None
    dtype: str = "float32"
    bank: str | None = None
    space: Space = "weights"
    calibration: Method = DEFAULT_METHOD
    identity: str | FaceRig = "adult"
    identities: int = 1
    render: RenderSettings | None = None
    n_bootstrap: int = 1000
    confidence: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        reals = ("epsilon", "confidence") if self.alpha is None else ("epsilon", "confidence", "alpha")
        for names, number in ((("k", "identities", "n_bootstrap", "seed"), whole_number), (reals, real_number)):
            for name in names:
                object.__setattr__(self, name, number(name, getattr(self, name)))
        object.__setattr__(self, "backbone", os.fspath(self.backbone))
        check_space(self.space)
        check_method(self.calibration)
        if self.variant not in get_args(Variant):
            raise ValueError(f"expected a variant of {', '.join(get_args(Variant))}, got {self.variant!r}")
        if self.dtype not in ("float32", "bfloat16"):
            raise ValueError(f"expected a dtype of float32 or bfloat16, got {self.dtype!r}")
        for name in ("k", "epsilon", "n_bootstrap", "alpha"):
            if (value := getattr(self, name)) is not None and not value > 0:
                raise ValueError(f"expected {name} above 0, got {value!r}")
        if not 1 <= self.identities <= len(PANEL):
            raise ValueError(f"expected 1 to {len(PANEL)} identities, got {self.identities!r}")
        if self.identities > 1 and self.identity != "adult":
            name = self.identity.name if isinstance(self.identity, FaceRig) else self.identity
            raise ValueError(f"expected an identity or several identities, got {name!r} and {self.identities}")
        if self.seed < 0:
            raise ValueError(f"expected a seed of 0 or more, got {self.seed!r}")
        if not 0 < self.confidence < 1:
            raise ValueError(f"expected a confidence between 0 and 1, got {self.confidence:g}")

    @property
    def faces(self) -> tuple[str | FaceRig, ...]:
        """Names of the identities that each expression is rendered on, or the one rig."""
        return (self.identity,) if self.identities == 1 else tuple(PANEL)[: self.identities]

    @property
    def divisor(self) -> float:
        """The alpha in force."""
        return ALPHA[self.variant] if self.alpha is None else self.alpha

    @property
    def signature(self) -> str:
        """Every setting by name, and the version of this package, in one line."""
        return self.sign()

    def sign(self, unused: Collection[str] = (), calibration: str | None = None) -> str:
        """The signature, with `-` for settings that a score made no use of.

        Args:
            unused: names of those settings.
            calibration: method and name, see `emo3d.face.calibration.name_calibration`; the method alone when None.
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)} | {"alpha": self.divisor}
        if isinstance(self.identity, FaceRig):
            values["identity"] = "".join(x if x.isprintable() and x != "|" else "_" for x in self.identity.name)
        if values.pop("identities") > 1:
            values["identity"] = f"{PANEL_NAME}/{self.identities}"
        values["backbone"] = backbone_name(self.backbone)
        values["calibration"] = calibration or self.calibration
        if self.space == "weights":
            unused = {*unused, "calibration"}
        parts = [f"{name}:{'-' if name in unused else value}" for name, value in values.items()]
        return "|".join([*parts, f"version:{emo3d.__version__}"])


def signature_fields(signature: str) -> dict[str, str]:
    """The values of a signature by name."""
    return dict(part.partition(":")[::2] for part in signature.split("|"))


def signature_difference(a: str, b: str) -> str | None:
    """Say in which settings two signatures differ, each with both values; None where they are the same.

    Example:
        >>> signature_difference("k:10|seed:0", "k:5|seed:0")
        'k: 10, 5'
    """
    left, right = signature_fields(a), signature_fields(b)
    names = [name for name in left | right if left.get(name) != right.get(name)]
    return "; ".join(f"{name}: {left.get(name, '-')}, {right.get(name, '-')}" for name in names) or None
