"""Takes as pictures that move: GIF, MP4 and WebM."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from tqdm.auto import tqdm

from emo3d.blendshapes import Space, as_expressions, check_space
from emo3d.clips import Clip
from emo3d.face.calibration import DEFAULT_METHOD, Method
from emo3d.face.render import RenderSettings
from emo3d.face.rig import FaceRig
from emo3d.files import whole_file
from emo3d.hints import extra_named
from emo3d_lab.clips.rendering import render_clip

if TYPE_CHECKING:
    from emo3d_lab.takes.reading import Take

_HUNDREDTHS = 100  # GIF counts time in hundredths of a second
_MOST = 1_500  # pictures of a GIF, whose differences are held in memory
_RATES = {".gif": 25.0, ".mp4": 60.0, ".webm": 60.0}  # at most so many pictures a second
_CODECS = {".mp4": "libx264", ".webm": "libvpx-vp9"}


def write_gif(
    path: str | os.PathLike[str],
    expressions: Any,
    *,
    rig: FaceRig | None = None,
    space: Space = "weights",
    calibration: Method = DEFAULT_METHOD,
    settings: RenderSettings | None = None,
    fps: float = 20,
) -> None:
    """Write expressions (F, 51) in 0..1, or a clip, as a GIF that starts over again for ever.

    Args:
        path: an existing file is replaced.
        expressions: a row per frame; a `Clip` has its own space, and its head turns.
        rig: the default identity when None.
        space: of the expressions.
        calibration: how readings become weights, see `emo3d.face.calibration`.
        settings: of the pictures.
        fps: frames per second, 1 to 50. A GIF counts hundredths of a second, so that 30 becomes 33.

    Raises:
        ValueError: invalid expressions, an unknown space or method, or fps out of range.
    """
    if not 1 <= fps <= 50:  # browsers slow down what is faster
        raise ValueError(f"expected 1 to 50 frames per second in a GIF, got {fps}")
    clip = _as_clip(expressions, space)
    options: dict[str, Any] = {"rig": rig, "settings": settings, "calibration": calibration}
    middle = len(clip) // 2
    (sample,) = next(iter(render_clip(clip[middle : middle + 1], **options)))
    palette = Image.fromarray(sample).quantize(method=Image.Quantize.MEDIANCUT)  # one for all: no flicker
    save_gif(path, _pictures(clip, **options), palette, fps)


def save_gif(path: str | os.PathLike[str], pictures: Iterator[np.ndarray], palette: Image.Image, fps: float) -> None:
    """Write pictures (H, W, 3) uint8 as a GIF in the colours of a palette; none but their differences are kept."""
    frames = (Image.fromarray(picture).quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures)
    duration = 10 * round(_HUNDREDTHS / fps)  # milliseconds
    with whole_file(path) as part:
        next(frames).save(part, "GIF", save_all=True, append_images=frames, duration=duration, loop=0)


def write_video(
    path: str | os.PathLike[str],
    expressions: Any,
    *,
    rig: FaceRig | None = None,
    space: Space = "weights",
    calibration: Method = DEFAULT_METHOD,
    settings: RenderSettings | None = None,
    fps: float = 30,
) -> None:
    """Write expressions (F, 51) in 0..1, or a clip, as `.mp4` (H.264) or `.webm` (VP9), by ffmpeg (extra `video`).

    Args:
        path: an existing file is replaced.
        expressions, rig, space, calibration: as for `write_gif`.
        settings: of the pictures, whose size is even.
        fps: frames per second.

    Raises:
        ValueError: invalid expressions, an unknown space or method, or an odd size.
        MissingExtraError: imageio-ffmpeg is not installed.
    """
    settings = settings or RenderSettings()
    if settings.size % 2:  # colours have half the pixels of light
        raise ValueError(f"expected an even size of a video, got {settings.size}")
    with extra_named():
        import imageio_ffmpeg
    clip = _as_clip(expressions, space)
    with whole_file(path) as part:
        size = (settings.size, settings.size)
        codec = _CODECS[part.suffix.lower()]
        options: dict[str, Any] = {"codec": codec, "macro_block_size": 2, "ffmpeg_log_level": "error"}
        frames = imageio_ffmpeg.write_frames(str(part), size, fps=fps, **options)
        frames.send(None)  # opens it
        try:
            for picture in _pictures(clip, rig=rig, settings=settings, calibration=calibration):
                frames.send(np.ascontiguousarray(picture))
        finally:
            frames.close()


def write_preview(path: Path, take: Take, rig: FaceRig, size: int = 320) -> None:
    """Write a take as pictures that move, at its own pace: up to 25 a second in a GIF, 60 in a video.

    A GIF's frames last for whole hundredths of a second: 24 a second become 20.

    Args:
        path: `.gif`, `.mp4` or `.webm`.
        take: in the space of weights.
        rig: whose face is shown.
        size: side of the pictures, pixels.

    Raises:
        ValueError: a take that is too long for a GIF, or what `write_gif` and `write_video` refuse.
    """
    ending = path.suffix.lower()
    rate = min(take.fps, _RATES[ending])
    if ending == ".gif":
        rate = gif_rate(rate)
        check_gif(take.duration, rate)
    write = write_gif if ending == ".gif" else write_video
    write(path, take.to_clip(rate), rig=rig, settings=RenderSettings(size=size), fps=rate)


def gif_rate(rate: float) -> float:
    """The next slower rate, or the same, whose frames last for whole hundredths of a second, at most 25."""
    return _HUNDREDTHS / math.ceil(_HUNDREDTHS / min(rate, _RATES[".gif"]) - 1e-9)


def check_gif(duration: float, rate: float) -> None:
    """Refuse a duration (seconds) that is too long for a GIF of a rate with a ValueError."""
    if duration * rate >= _MOST:
        limit = f"at most {_MOST / rate:.0f} s for a GIF"
        raise ValueError(f"expected a take of {limit}, got {duration:.0f} s: write .mp4 or .webm")


def _as_clip(expressions: Any, space: Space) -> Clip:
    """A clip as it is, or expressions as one, whose rate nobody asks for."""
    if isinstance(expressions, Clip):
        return expressions
    return Clip.from_frames(as_expressions(expressions), 30, space=check_space(space))


def _pictures(clip: Clip, **options: Any) -> Iterator[np.ndarray]:
    faces = (face for batch in render_clip(clip, **options) for face in batch)
    return iter(tqdm(faces, "Rendering", total=len(clip), delay=5))
