"""JSON files."""

import json
from pathlib import Path


def seeds(folder: Path) -> list[dict[str, bytes]]:
    return [{"document.json": json.dumps({"a": [1, 2.5, {"b": "c"}], "d": None}).encode()}]


def enter(folder: Path) -> None:
    from emo3d.documents import read_json

    read_json(folder / "document.json")
