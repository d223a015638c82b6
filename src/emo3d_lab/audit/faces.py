"""The same expressions on other faces: how much the score moves when the expression does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import combinations

import numpy as np
from tqdm.auto import tqdm

from emo3d.face import IDENTITIES, PANEL, PANEL_NAME, FaceRig, RenderSettings
from emo3d.face.identities import ANCESTRIES, SKIN_TONES
from emo3d_lab.audit.figures import Condition, Contrast, Cost, IdentityAudit
from emo3d_lab.audit.statistics import Bootstrap, holm, variance_shares

CHILDREN = ("girl", "boy")
LIGHTS = (-60, -30, 30, 60)
_FACTORS = {"age": ("old", "young"), "ancestry": ANCESTRIES, "gender": ("woman", "man")}  # as in the panel's names
_SMALLER = (2, 3, 6)

View = tuple[str, str, Callable[[], FaceRig], RenderSettings]
"""Kind and name of a condition, the face, and how it is rendered."""


def views(identities: int, render: RenderSettings) -> Iterator[View]:
    """All conditions: the first identities of the panel, then single changes to the default face."""
    for name in list(PANEL)[:identities]:
        yield "panel", name, partial(FaceRig.from_anny, name), render
    for name, skin in SKIN_TONES.items():
        yield "skin", name, partial(FaceRig.from_anny, replace(IDENTITIES["adult"], skin=skin), cache=False), render
    for name in CHILDREN:
        yield "child", name, partial(FaceRig.from_anny, name), render
    for degrees in LIGHTS:
        yield "light", f"{degrees:+d}°", FaceRig.from_anny, replace(render, light_yaw=degrees)


def audit_identities(
    measure: Callable[[FaceRig, RenderSettings], np.ndarray],
    default: np.ndarray,
    identities: int,
    render: RenderSettings,
    bootstrap: Bootstrap,
) -> IdentityAudit:
    """Measure the same expressions under every condition.

    Args:
        measure: face and render settings -> divergences (N,) of the expressions.
        default: (N,) divergences on the default face.
        identities: of the panel.
    """
    conditions = list(views(identities, render))
    bar = tqdm(conditions, "Rendering other faces", unit=" conditions", delay=3, leave=False)
    divergences = [measure(rig(), settings) for *_, rig, settings in bar]
    return summarise([(kind, name) for kind, name, *_ in conditions], default, divergences, bootstrap)


def summarise(
    conditions: list[tuple[str, str]], default: np.ndarray, divergences: list[np.ndarray], bootstrap: Bootstrap
) -> IdentityAudit:
    """Make the figures of divergences (N,) on the default face and under each condition (kind, name)."""
    kl = np.stack(divergences, axis=1)
    names = [name for kind, name in conditions if kind == "panel"]
    panel = kl[:, : len(names)]
    gaps = bootstrap.paired(kl - default[:, None])
    figures = zip(conditions, bootstrap.means(kl), gaps, strict=True)
    pairs = list(_pairs(panel, names, bootstrap))
    average = panel.mean(axis=1)
    parts = [("adult", 1, default), *((name, 1, face) for name, face in zip(names, panel.T, strict=True))]
    parts += [(f"{PANEL_NAME}/{k}", k, panel[:, :k].mean(axis=1)) for k in _SMALLER if k < len(names)]
    off = bootstrap.means(np.stack([part - average for *_, part in parts], axis=1))
    return IdentityAudit(
        n=len(default),
        default=bootstrap.mean(default),
        panel=bootstrap.mean(average),
        conditions=holm([Condition(*condition, mean, gap) for condition, mean, gap in figures]),
        effects=holm(list(_effects(panel, names, bootstrap))) if len(names) == len(PANEL) else (),
        shares=variance_shares(panel),
        worst=max(holm(pairs), key=lambda pair: pair.gap.difference.value),
        pairs=len(pairs),
        costs=tuple(Cost(name, k, mean) for (name, k, _), mean in zip(parts, off, strict=True)),
    )


def _pairs(panel: np.ndarray, names: list[str], bootstrap: Bootstrap) -> Iterator[Contrast]:
    order = np.argsort(-panel.mean(axis=0), kind="stable")
    pairs = list(combinations(order, 2))  # the higher first
    gaps = bootstrap.paired(np.stack([panel[:, high] - panel[:, low] for high, low in pairs], axis=1))
    for (high, low), gap in zip(pairs, gaps, strict=True):
        yield Contrast("identity", names[high], names[low], gap)


def _effects(panel: np.ndarray, names: list[str], bootstrap: Bootstrap) -> Iterator[Contrast]:
    """Differences of marginal means by least squares, each factor with the others held equal.

    Age, ancestry and gender are crossed, so that plain means would do for them alone; but dark tones are more often on
    old and on female faces, and would pass for age and gender.
    """
    levels = [_levels(name) for name in names]
    tones = {level["skin tone"] for level in levels}
    factors = _FACTORS | {"skin tone": tuple(tone for tone in reversed(SKIN_TONES) if tone in tones)}
    # The first value of each factor has no column: the others are compared with it.
    columns = [(factor, value) for factor, values in factors.items() for value in values[1:]]
    design = [[1.0, *(float(level[factor] == value) for factor, value in columns)] for level in levels]
    coefficients = dict(zip(columns, (panel @ np.linalg.pinv(design).T).T[1:], strict=True))
    baseline = np.zeros(len(panel))
    contrasts = [(factor, *pair) for factor, values in factors.items() for pair in combinations(values, 2)]
    differences = [
        coefficients.get((factor, first), baseline) - coefficients[factor, second]
        for factor, first, second in contrasts
    ]
    for contrast, gap in zip(contrasts, bootstrap.paired(np.stack(differences, axis=1)), strict=True):
        yield Contrast(*contrast, gap)


def _levels(name: str) -> dict[str, str]:
    """Factor -> value of a face of the panel."""
    age, ancestry, gender = name.split("-")
    tone = next(tone for tone, colour in SKIN_TONES.items() if colour == PANEL[name].skin)
    return {"age": age, "ancestry": ancestry, "gender": gender, "skin tone": tone}
