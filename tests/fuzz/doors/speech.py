"""Lip-sync of other tools: cues and visemes over time."""

import json
from pathlib import Path


def seeds(folder: Path) -> list[dict[str, bytes]]:
    cues = [{"start": 0.0, "end": 0.1, "value": "A"}, {"start": 0.1, "end": 0.3, "value": "D"}]
    documents = [
        {"metadata": {"duration": 0.3}, "mouthCues": cues},
        {"visemes": ["PP", "aa"], "vtimes": [0, 100], "vdurations": [100, 200]},
        [[0, 0.1, "PP"], [0.1, 0.2, "aa"]],
        {"fps": 25, "frames": [{"aa": 0, "PP": 1}, {"aa": 0.5, "PP": 0}]},
    ]
    files = [{"speech.json": json.dumps(document).encode()} for document in documents]
    return [
        *files,
        {"speech.tsv": b"0.00\tX\n0.05\tD\n0.27\tB\n0.47\tX\n"},
        {"speech.csv": b"time,viseme_aa,viseme_PP\n0,0,1\n0.04,0.5,0\n0.08,0.5,0.25\n"},
    ]


def enter(folder: Path) -> None:
    from emo3d_lab.clips.visemes import read_speech

    for path in sorted(folder.iterdir()):
        read_speech(path)
