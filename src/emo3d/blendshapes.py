"""The 51 blendshapes of an expression: their names and order, the layouts they arrive in, and their mirror image.

An *expression* is 51 scores in 0..1 in the order of `BLENDSHAPES`: MediaPipe's 52 without `_neutral`, the order in
which the published Emo3D models predict. A bare vector of 52 is ambiguous (MediaPipe's `_neutral` first, or Apple's
order with `tongueOut`), so 52 scores are only read with a layout that is named.

The 51 numbers live in one of two spaces: a `"reading"` is what an instrument (MediaPipe) says of a face, `"weights"`
are what a rig does. They are not the same numbers, so their `Space` goes wherever expressions go.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from emo3d.ranges import fit_scores

if TYPE_CHECKING:
    from emo3d.names import Names

logger = logging.getLogger(__name__)

Space = Literal["reading", "weights"]
Layout = Literal["emo3d", "mediapipe", "arkit"]

ARKIT_BLENDSHAPES: tuple[str, ...] = tuple(
    """eyeBlinkLeft eyeLookDownLeft eyeLookInLeft eyeLookOutLeft eyeLookUpLeft eyeSquintLeft eyeWideLeft eyeBlinkRight
    eyeLookDownRight eyeLookInRight eyeLookOutRight eyeLookUpRight eyeSquintRight eyeWideRight jawForward jawLeft
    jawRight jawOpen mouthClose mouthFunnel mouthPucker mouthLeft mouthRight mouthSmileLeft mouthSmileRight
    mouthFrownLeft mouthFrownRight mouthDimpleLeft mouthDimpleRight mouthStretchLeft mouthStretchRight mouthRollLower
    mouthRollUpper mouthShrugLower mouthShrugUpper mouthPressLeft mouthPressRight mouthLowerDownLeft
    mouthLowerDownRight mouthUpperUpLeft mouthUpperUpRight browDownLeft browDownRight browInnerUp browOuterUpLeft
    browOuterUpRight cheekPuff cheekSquintLeft cheekSquintRight noseSneerLeft noseSneerRight tongueOut""".split()
)
"""Apple's 52 `ARFaceAnchor.BlendShapeLocation` names, in the order of Apple's documentation."""

BLENDSHAPES: tuple[str, ...] = tuple(sorted(ARKIT_BLENDSHAPES[:-1]))
"""The 51 names of an expression, in the one order this project uses: MediaPipe's, which is the alphabet's."""

MEDIAPIPE_BLENDSHAPES: tuple[str, ...] = ("_neutral", *BLENDSHAPES)
"""MediaPipe FaceLandmarker's 52 scores (the order of the published release)."""

LAYOUTS: dict[str, tuple[str, ...]] = {
    "emo3d": BLENDSHAPES,
    "mediapipe": MEDIAPIPE_BLENDSHAPES,
    "arkit": ARKIT_BLENDSHAPES,
}

_SIDES = {"Left": "Right", "Right": "Left"}
_MIRROR = np.array(
    [BLENDSHAPES.index(re.sub("(Left|Right)$", lambda match: _SIDES[match[0]], name)) for name in BLENDSHAPES]
)


def check_space(space: str) -> Space:
    """Return `space`; raise a ValueError unless it is `"reading"` or `"weights"`."""
    if space not in get_args(Space):
        raise ValueError(f"expected a space of {' or '.join(map(repr, get_args(Space)))}, got {space!r}")
    return space  # type: ignore[return-value]


def as_expressions(
    values: Any,
    layout: Layout | None = None,
    *,
    drop: Collection[str] = (),
    names: Names | None = None,
    scale: float = 1,
    clip: bool = False,
) -> np.ndarray:
    """Read blendshape scores in any known layout as expressions.

    Scores out of 0..1 by up to 0.02, as captures have them, are clipped; a warning counts them. Names in a mapping
    that mean no blendshape (`timestamp`, `headYaw`) are left out; a warning lists them.

    Args:
        values: (N, 51) or (N, 52) numbers; N mappings from name to score (in any spelling that
            `emo3d.names.blendshape_name` knows; a name left out is 0); N printed arrays as the release has them; or a
            table (pandas, polars, PyArrow, `datasets`) with a column for each of the 51, or one column `blendshapes`.
            A single row (one vector, one mapping, one string) is read as N = 1.
        layout: the order of the numbers: `"emo3d"` (51), `"mediapipe"` (52, `_neutral` first) or `"arkit"` (Apple's
            order, 52 with `tongueOut` at its end or 51 without). Needed for 52, since both 52s look alike.
        drop: names beyond the 51 (`"tongueOut"`, `"_neutral"`) that may be dropped although their score is not 0.
        names: a mapping of your own, from a name as it is in `values` to ours; see `emo3d.names.read_names`.
        scale: the score that means 1; 100 for percent.
        clip: clip all that lies outside, instead of refusing what is out by more than 0.02.

    Returns:
        (N, 51) float32 in 0..1, order `BLENDSHAPES`.

    Raises:
        ValueError: no rows, a wrong number of scores, an unnamed layout of 52, no known name in a row, a mistyped one
            or two for one blendshape, a score that is no number or out of 0..1, or a dropped score that is not 0. The
            message names the row.

    Example:
        >>> as_expressions([{"jawOpen": 0.5, "mouthSmile_L": 1.0}]).shape
        (1, 51)
    """
    if layout is not None and layout not in LAYOUTS:
        raise ValueError(f"expected a layout of {', '.join(LAYOUTS)}, got {layout!r}")
    order: Sequence[str]
    if isinstance(values, np.ndarray) and values.dtype.kind in "fiu" and values.size and values.ndim in (1, 2):
        values = np.atleast_2d(values)  # what models answer: their saved code does without the forms
        order, scores = layout_names(values.shape[1], layout, " in row 0"), values.astype(np.float64)
    else:
        from emo3d.forms import read_form  # it stands on the orders above

        order, scores = read_form(values, layout, names)
    fit = fit_scores(scores, scale, clip)
    for row, column in np.argwhere(fit.invalid)[:1]:
        got = f"{order[column]} = {scores[row, column]:g} in row {row}"
        raise ValueError(f"expected scores in 0..{scale:g}, got {got}; {fit.advice}")
    if count := np.count_nonzero(fit.outliers):
        out = np.where(fit.outliers, np.maximum(scores - scale, -scores), 0)
        row, column = map(int, np.unravel_index(out.argmax(), out.shape))
        logger.warning(
            "clipped %d scores of %d rows to 0..1; the furthest was %s = %.8g in row %d",
            *(count, np.count_nonzero(fit.outliers.any(axis=1)), order[column], scores[row, column], row),
        )
    for column, name in enumerate(order):
        if name in BLENDSHAPES or name in drop:
            continue
        if len(rows := np.flatnonzero(fit.scores[:, column])):
            raise ValueError(
                f"row {rows[0]} has {name} = {fit.scores[rows[0], column]:g}, which the 51 blendshapes cannot hold; "
                f"pass drop=[{name!r}] to leave it out"
            )
    return fit.scores[:, [order.index(name) for name in BLENDSHAPES]].astype(np.float32)


def as_layout(expressions: Any, layout: Layout) -> np.ndarray:
    """Write expressions (N, 51) in another layout, (N, 51 or 52) float32; what the layout has beyond the 51 is 0."""
    expressions = as_expressions(expressions)
    names = LAYOUTS[layout]
    scores = np.zeros((len(expressions), len(names)), np.float32)
    scores[:, [names.index(name) for name in BLENDSHAPES]] = expressions
    return scores


def as_dicts(expressions: Any) -> list[dict[str, float]]:
    """Write expressions (N, 51) as N dicts from ARKit name to score."""
    return [dict(zip(BLENDSHAPES, map(float, row), strict=True)) for row in as_expressions(expressions)]


def parse_scores(text: str) -> np.ndarray:
    """Read the printed form of a NumPy array, as the release's blendshape columns hold it: (51 or 52,) float32.

    Raises:
        ValueError: no brackets around it, or a part that is no number (NumPy's `...` of an abbreviated print included).

    Example:
        >>> parse_scores("[0.    0.25\\n 0.5]").tolist()
        [0.0, 0.25, 0.5]
    """
    match = re.fullmatch(r"\s*\[([^\[\]]*)\]\s*", text)
    if match is None:
        raise ValueError(f"expected a printed array in brackets, got {text[:40]!r}")
    try:
        return np.array(list(map(float, match[1].replace(",", " ").split())), np.float32)
    except ValueError as error:
        raise ValueError(f"expected a number in a printed array, got {str(error).rpartition(': ')[2]}") from None


def mirror(expressions: Any) -> np.ndarray:
    """Swap left and right in expressions (N, 51); mirroring twice gives the expressions back."""
    return as_expressions(expressions)[:, _MIRROR]


def layout_names(count: int, layout: Layout | None, where: str = "") -> tuple[str, ...]:
    """Return the names of `count` bare scores; raise a ValueError that says `where`, if the layout has no such."""
    if layout is None and count == 52:
        raise ValueError(
            "52 scores are MediaPipe's layout or ARKit's, which cannot be told apart: "
            'pass layout="mediapipe" or layout="arkit"'
        )
    names = LAYOUTS[layout or "emo3d"]
    if layout == "arkit" and count == 51:  # without tongueOut, the last
        return names[:51]
    if count != len(names):
        counts = "51 or 52" if layout in (None, "arkit") else len(names)
        expected = f"the {counts} scores of layout {layout!r}" if layout else f"{counts} scores"
        raise ValueError(f"expected {expected}{where}, got {count}")
    return names


def limit_mouth_close(weights: np.ndarray) -> None:
    """Limit mouthClose to jawOpen in weights (N, 51), in place: alone, it pulls the lips through each other."""
    close, jaw = BLENDSHAPES.index("mouthClose"), BLENDSHAPES.index("jawOpen")
    weights[:, close] = np.minimum(weights[:, close], weights[:, jaw])
