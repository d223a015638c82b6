"""Takes as `retarget` reads them: with tongue, times and rotations."""

import json
from contextlib import suppress
from pathlib import Path

import numpy as np

from emo3d.blendshapes import ARKIT_BLENDSHAPES


def seeds(folder: Path) -> list[dict[str, bytes]]:
    header = ["Timecode", "BlendshapeCount", *ARKIT_BLENDSHAPES, "HeadYaw"]
    rows = [f"00:00:00:0{n}.000,61," + ",".join(["0.5"] * 52) + ",0.1" for n in range(3)]
    frames = [{"weights": [0.25] * 52, "time": n / 60, "rotation": []} for n in range(3)]
    named = dict.fromkeys(ARKIT_BLENDSHAPES, 0.5) | {"headYaw": 0.1}
    audio = {"exportFps": 30, "facsNames": ARKIT_BLENDSHAPES, "weightMat": [[0.5] * 52] * 2, "rotations": []}
    line = "=" + "|".join(f"{name}-5" for name in ARKIT_BLENDSHAPES) + "|=head#1,2,3,4,5,6|"
    return [
        {"take.csv": "\n".join([",".join(header), *rows]).encode()},
        {"take.json": json.dumps({"names": ARKIT_BLENDSHAPES, "frames": frames}).encode()},
        {"take.json": json.dumps([named, named]).encode()},
        {"take.json": json.dumps(audio).encode()},
        {"take.txt": f"{line}\n{line}\n".encode()},
    ]


def enter(folder: Path) -> None:
    from emo3d_lab.takes.reading import read_take

    for path in sorted(folder.iterdir()):
        take = read_take(path, fps=30)
        assert take.scores.shape == (len(take.times), 52)
        with suppress(ValueError):  # some have no times
            assert (np.diff(read_take(path).times) > 0).all()
