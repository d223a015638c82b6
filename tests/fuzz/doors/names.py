"""Mappings of names, and a file of expressions that goes by them."""

import json
from pathlib import Path


def seeds(folder: Path) -> list[dict[str, bytes]]:
    return [
        {
            "names.json": json.dumps({"Mund": "jawOpen", "Kopf": None, "Wange": "cheekPuff"}).encode(),
            "faces.json": json.dumps([{"Mund": 0.5, "Kopf": 3, "Wange": 0.1, "jawLeft": 0}]).encode(),
        }
    ]


def enter(folder: Path) -> None:
    from emo3d.expressions import read_capture

    read_capture(folder / "faces.json", names=folder / "names.json")
