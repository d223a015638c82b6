"""Clips made, joined with speech, written, shown and scored; `emo3d.clips` finds the same names."""

import importlib
from typing import Any

_ROOMS = {
    **dict.fromkeys(("read_beats",), "beats"),
    **dict.fromkeys(("Director", "generate_clip", "schedule"), "director"),
    **dict.fromkeys(("Motion",), "motion"),
    **dict.fromkeys(("Timing", "perform"), "timeline"),
    **dict.fromkeys(("Compositor", "compose"), "speech"),
    **dict.fromkeys(("Cue", "read_speech", "speech_of_cues", "speech_of_weights"), "visemes"),
    **dict.fromkeys(("emotions_over_time", "write_emotions"), "emotions"),
    **dict.fromkeys(("read_clip", "write_clip", "write_gif"), "files"),
    **dict.fromkeys(("write_livelink",), ".takes.unreal"),  # alone: `files` brings the renderer
    **dict.fromkeys(("render_clip",), "rendering"),
    **dict.fromkeys(("film_strip",), "strips"),
    **dict.fromkeys(("clip_of_row", "row_of_clip"), "rows"),
    **dict.fromkeys(("ClipResult", "ClipScorer", "ClipSettings", "compute_clips", "score_clips"), "scoring"),
    **dict.fromkeys(("make_sprite",), "sprites"),
    **dict.fromkeys(("load_clip_generator",), "loading"),
}


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return getattr(importlib.import_module(f".{_ROOMS[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(_ROOMS)
