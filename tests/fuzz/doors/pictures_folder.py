"""The table beside a folder of pictures, which `emo3d extract` reads (the pictures themselves: doors of their own)."""

import json
from pathlib import Path


def seeds(folder: Path) -> list[dict[str, bytes]]:
    emotions = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
    row = {"file_name": "a.png", "sample_id": 3, "variant": 2, "prompt_type": "p", **dict.fromkeys(emotions, 0.5)}
    table = ",".join(row) + ",description\n" + ",".join(map(str, row.values())) + ',"sad, old"\n'
    lines = json.dumps(row | {"descriptions": ["a", "b"]}) + "\n" + json.dumps(row | {"file_name": "b.png"}) + "\n"
    pictures = {"a.png": b"x", "b.png": b"y"}
    return [pictures | {"metadata.csv": table.encode()}, pictures | {"metadata.jsonl": lines.encode()}]


def enter(folder: Path) -> None:
    from emo3d_lab.extract.imagefolder import read_image_folder

    for problem in read_image_folder(folder).problems:
        str(problem).encode()
