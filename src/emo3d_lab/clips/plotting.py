"""Emotions over time as a picture: bands as wide as each emotion's share, faces above, and who read them below."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from emo3d.clips import Clip
from emo3d.emotions import EMOTIONS
from emo3d.face import FaceRig, RenderSettings
from emo3d.files import check_output, whole_file
from emo3d_lab.clips.emotions import ClipEmotions, write_emotions
from emo3d_lab.clips.rendering import render_clip

ENDINGS = (".svg", ".png", ".csv")
COLORS = dict(
    neutral="#a3a9b3", happiness="#f2b705", surprise="#f28c45", sadness="#3f74c4",
    anger="#d0392f", disgust="#5b9e3c", fear="#8659b5", contempt="#8c6a4a",
)  # fmt: skip
_LIGHT, _DARK = ("#ffffff", "#22262e", "#5b6270"), ("#14161b", "#f1f3f6", "#a9b0bd")  # ground, ink, faint ink
_WIDTH, _LEFT, _RIGHT, _PLOT, _FACES = 1000, 52, 122, 220, 10  # pixels; faces in the strip
_SIDE = (_WIDTH - _LEFT - _RIGHT) // _FACES
_DARK_TEXT = ("neutral", "happiness", "surprise")  # on whose colours black is read better than white


@dataclass
class _Drawing:
    """What is drawn, in pixels: the same for SVG and PNG."""

    height: int
    polygons: list[tuple[np.ndarray, str]] = field(default_factory=list)  # corners (N, 2), colour
    texts: list[tuple[float, float, str, str, str, int]] = field(
        default_factory=list
    )  # x, y, text, anchor, colour, size
    pictures: list[tuple[int, int, np.ndarray]] = field(default_factory=list)  # left, top; pixels at twice the size
    lines: list[tuple[float, float, float, float]] = field(default_factory=list)

    def svg(self) -> str:
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {self.height}" width="{_WIDTH}" '
            f'height="{self.height}" font-family="system-ui, sans-serif" role="img">',
            "<style>" + _rules(_LIGHT) + f"@media (prefers-color-scheme: dark) {{{_rules(_DARK)}}}</style>",
            f'<rect class="ground" width="{_WIDTH}" height="{self.height}"/>',
        ]
        for corners, color in self.polygons:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
            parts.append(f'<polygon points="{path}" fill="{color}"/>')
        for left, top, pixels in self.pictures:
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "JPEG", quality=85)
            data = base64.b64encode(buffer.getvalue()).decode()
            side = f'width="{len(pixels) / 2:g}" height="{len(pixels) / 2:g}"'  # sharp on dense screens
            parts.append(f'<image x="{left}" y="{top}" {side} href="data:image/jpeg;base64,{data}"/>')
        for x, y, right, bottom in self.lines:
            parts.append(f'<line class="axis" x1="{x:.1f}" y1="{y:.1f}" x2="{right:.1f}" y2="{bottom:.1f}"/>')
        for x, y, text, anchor, color, points in self.texts:
            look = f'class="{color}"' if color in ("ink", "faint") else f'fill="{color}"'
            where = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" dominant-baseline="central"'
            parts.append(f'<text {where} {look} font-size="{points}">{escape(text)}</text>')
        return "\n".join([*parts, "</svg>\n"])

    def image(self) -> Image.Image:
        ground, ink, faint = _LIGHT
        image = Image.new("RGB", (2 * _WIDTH, 2 * self.height), ground)  # drawn large, since Pillow does not smooth
        draw = ImageDraw.Draw(image)
        for corners, color in self.polygons:
            draw.polygon([(2 * x, 2 * y) for x, y in corners], fill=color)
        for left, top, pixels in self.pictures:
            image.paste(Image.fromarray(pixels), (2 * left, 2 * top))
        for line in self.lines:
            draw.line([2 * value for value in line], fill=faint, width=2)
        for x, y, text, anchor, color, points in self.texts:
            place = {"start": "lm", "middle": "mm", "end": "rm"}[anchor]
            fill = {"ink": ink, "faint": faint}.get(color, color)
            draw.text((2 * x, 2 * y), text, fill, ImageFont.load_default(2 * points), place)
        return image


def plot_emotions(
    path: str | os.PathLike[str], emotions: ClipEmotions, clip: Clip, *, rig: FaceRig | str = "adult"
) -> None:
    """Write emotions over time as `.svg` (light or dark as the reader's page is), `.png`, or the numbers as `.csv`.

    Args:
        path: an existing file is replaced.
        emotions: of the clip, from `emotions_over_time`.
        clip: whose faces stand above the bands, and whose beats between.
        rig: whose face.

    Raises:
        ValueError: another ending, or emotions that go on after the clip.
    """
    path = check_output(path, ENDINGS)
    if path.suffix.lower() == ".csv":
        return write_emotions(path, emotions)
    if emotions.times[-1] > clip.duration:
        raise ValueError(f"expected emotions of this clip of {clip.duration:g} s, got some at {emotions.times[-1]:g} s")
    drawing = _drawn(emotions, clip, rig)
    with whole_file(path) as part:
        if path.suffix.lower() == ".svg":
            Path(part).write_text(drawing.svg(), encoding="utf-8")
        else:
            drawing.image().save(part, "PNG", optimize=True)


def _drawn(emotions: ClipEmotions, clip: Clip, rig: FaceRig | str) -> _Drawing:
    lane = 26 if clip.beats else 6
    top = _SIDE + lane + 10
    drawing = _Drawing(top + _PLOT + 62)
    across = (_WIDTH - _LEFT - _RIGHT) / clip.duration
    middles = (np.arange(_FACES) + 0.5) * clip.duration / _FACES
    frames = clip.frames[np.minimum((middles * clip.rate).astype(int), len(clip) - 1)]
    shown = replace(clip, frames=frames, beats=())
    faces = np.concatenate(list(render_clip(shown, rig=rig, settings=RenderSettings(size=2 * (_SIDE - 4)))))
    drawing.pictures = [(_LEFT + place * _SIDE + 2, 4, face) for place, face in enumerate(faces)]
    for place, beat in enumerate(clip.beats):
        left, right = _LEFT + beat.start * across, _LEFT + min(beat.end, clip.duration) * across - 2
        color = ("#cfe0f5", "#f7dcc2")[place % 2]
        drawing.polygons.append((_box(left, _SIDE + 6, right, _SIDE + 6 + 20), color))
        if text := _fitted(beat.description, right - left - 8):
            drawing.texts.append(((left + right) / 2, _SIDE + 16, text, "middle", _LIGHT[1], 12))
    _bands(drawing, emotions, top, across, clip.duration)
    drawing.lines += [(_LEFT, top + _PLOT, _WIDTH - _RIGHT, top + _PLOT), (_LEFT, top, _LEFT, top + _PLOT)]
    for share in (0, 50, 100):
        drawing.texts.append((_LEFT - 6, top + _PLOT * (1 - share / 100), f"{share}%", "end", "faint", 12))
    step = next(
        step for step in (0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 3600) if clip.duration / step <= 13
    )
    for time in np.arange(0, clip.duration + 1e-6, step):
        drawing.lines.append((_LEFT + time * across, top + _PLOT, _LEFT + time * across, top + _PLOT + 4))
        drawing.texts.append((_LEFT + time * across, top + _PLOT + 14, f"{time:g} s", "middle", "faint", 12))
    missing = ", ".join(emotion for emotion in EMOTIONS if emotion not in emotions.emotions)
    caption = f"Read by {emotions.by}, {len(emotions.times)} pictures: what it sees in this face, not what was felt."
    caption += f" It does not know {missing}." if missing else ""
    drawing.texts.append((_LEFT, top + _PLOT + 44, caption, "start", "faint", 12))
    return drawing


def _bands(drawing: _Drawing, emotions: ClipEmotions, top: int, across: float, duration: float) -> None:
    """Bands one on the other, with names in those that are wide, and all names with colours and means beside them."""
    times = np.concatenate([[0.0], emotions.times, [duration]])
    shares = np.concatenate([emotions.shares[:1], emotions.shares, emotions.shares[-1:]])
    heights = np.hstack([np.zeros((len(times), 1)), np.cumsum(shares, axis=1)])
    x, y = _LEFT + times * across, top + _PLOT * (1 - heights)
    for place, emotion in enumerate(emotions.emotions):
        lower, upper = y[:, place], y[:, place + 1]
        drawing.polygons.append((np.vstack([np.c_[x, lower], np.c_[x, upper][::-1]]), COLORS[emotion]))
        if where := _room(x, lower, upper, ImageFont.load_default(13).getlength(emotion)):
            ink = "#1b1b1b" if emotion in _DARK_TEXT else "#ffffff"
            drawing.texts.append((*where, emotion, "middle", ink, 13))
    means = emotions.shares.mean(axis=0)
    for row, place in enumerate(reversed(range(len(emotions.emotions)))):  # as the bands lie
        emotion, line = emotions.emotions[place], top + 8 + row * 24
        left = _WIDTH - _RIGHT + 12
        drawing.polygons.append((_box(left, line - 6, left + 12, line + 6), COLORS[emotion]))
        drawing.texts.append((left + 18, line, f"{emotion} {means[place]:.0%}", "start", "ink", 12))
    end = top + 8 + len(means) * 24
    drawing.texts.append((_WIDTH - _RIGHT + 12, end, "means over the clip", "start", "faint", 11))


def _room(x: np.ndarray, lower: np.ndarray, upper: np.ndarray, length: float) -> tuple[float, float] | None:
    """Where in a band a name of a length has most room; None where it has too little."""
    across = np.arange(x[0], x[-1])
    below, above = np.interp(across, x, lower), np.interp(across, x, upper)
    half = int(length / 2) + 6
    if len(across) <= 2 * half:
        return None
    windows = (np.lib.stride_tricks.sliding_window_view(line, 2 * half + 1) for line in (below, above))
    bottom, top = next(windows).min(axis=1), next(windows).max(axis=1)
    best = int((bottom - top).argmax())
    return (float(across[best + half]), float(bottom[best] + top[best]) / 2) if bottom[best] - top[best] > 18 else None


def _box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])


def _fitted(text: str, width: float) -> str:
    """A text cut to a width, or none where less than a word of it would be left."""
    font = ImageFont.load_default(12)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return f"{text}…" if len(text) > 4 else ""


def _rules(colors: Sequence[str]) -> str:
    ground, ink, faint = colors
    return f".ground {{fill: {ground}}} .ink {{fill: {ink}}} .faint {{fill: {faint}}} .axis {{stroke: {faint}}}"
