"""Write `web/src/tables.json`: the tables of actor, acts, compositor and blinks that Python and TypeScript share.

python tools/web_tables.py
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from emo3d.emotions import EMOTIONS
from emo3d.files import whole_file
from emo3d_lab import acts
from emo3d_lab.clips import speech, timeline
from emo3d_lab.clips.motion import timings
from emo3d_lab.sample.prototypes import OPPOSED, VARIANTS

PATH = Path(__file__).parent.parent / "web/src/tables.json"


def make_tables() -> dict[str, Any]:
    """The tables, plain JSON."""
    timing = timings()
    lists = {name: getattr(speech, f"_{name.upper()}").tolist() for name in ("opening", "both", "priority", "mouth")}
    marks = {name: np.flatnonzero(getattr(speech, f"_{name.upper()}")).tolist() for name in ("widens", "narrows")}
    numbers = "part closed open parts loose bite quiet loud blink over settle".split()
    composing = {
        **lists,
        **marks,
        "inClosures": speech._IN_CLOSURES.tolist(),
        "opposed": np.stack([speech._ONE, speech._OTHER], axis=1).tolist(),
        "turns": speech._TURNS.tolist(),
        "numbers": {name: getattr(speech, f"_{name.upper()}") for name in numbers},
        "release": speech.RELEASE,
        "blinksApart": speech.BLINKS_APART,
        "rounding": speech.ROUNDING,
    }
    return {
        "about": "written by tools/web_tables.py: the sources are in Python",
        "timing": {
            "emotions": {name: {key: timing["emotions"][name][key] for key in ("onset", "apex")} for name in EMOTIONS},
            "gesture": {key: timing["gesture"][key] for key in ("onset", "offset")}
            | {"length": timing["lengths"]["physical"]},
            "actor": timing["actor"],
        },
        "blinks": timing["blinks"],
        "prototypes": [[emotion, weights] for emotion in EMOTIONS[1:] for weights in VARIANTS[emotion].values()],
        "still": timeline._STILL,
        "opposed": OPPOSED,
        "acts": {name.lower(): getattr(acts, name) for name in ("LONGEST", "VERBS", "MOVES", "PARTS", "MANNERS")},
        "composing": composing,
    }


def write_text(tables: dict[str, Any]) -> str:
    """One line for each table, so that a change is seen in a diff."""
    lines = [f"  {json.dumps(name)}: {json.dumps(table, ensure_ascii=False)}" for name, table in tables.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main() -> None:
    """Write the file."""
    with whole_file(os.fspath(PATH)) as part, open(part, "w", encoding="utf-8") as file:
        file.write(write_text(make_tables()))
    print(f"{PATH}: {PATH.stat().st_size} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
