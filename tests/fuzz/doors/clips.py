"""Clips of our own as `read_clip` reads them: JSON, NumPy's archives, rows of Parquet."""

import io
import json
from pathlib import Path

import numpy as np

FRAMES = [[0.25] * 52 + [0.1] * 9] * 3
BEATS = [{"description": "a smile", "start": 0.0, "end": 0.1, "intensities": [0.5] * 8}]


def seeds(folder: Path) -> list[dict[str, bytes]]:
    from emo3d.clips import CHANNELS, Beat, Clip
    from emo3d_lab.clips.files import write_clip

    document = {"format": "emo3d-clip-1", "rate": 30, "space": "weights", "description": "a smile", "beats": BEATS}
    document |= {"channels": CHANNELS, "frames": FRAMES}
    clip = Clip(np.array(FRAMES), 30, beats=(Beat("a smile", 0, 0.1),), description="a smile")
    files = []
    for ending in ("npz", "parquet"):
        write_clip(folder / f"clip.{ending}", clip)
        files.append({f"clip.{ending}": (folder / f"clip.{ending}").read_bytes()})
    plain = io.BytesIO()  # not compressed, so that what is changed in it is not only a checksum
    with np.load(folder / "clip.npz") as arrays:
        np.savez(plain, **arrays)
    return [{"clip.json": json.dumps(document).encode()}, {"clip.npz": plain.getvalue()}, *files]


def enter(folder: Path) -> None:
    from emo3d_lab.clips.files import read_clip

    for path in sorted(folder.iterdir()):
        clip = read_clip(path)
        assert clip.frames.shape == (len(clip), 61)
        assert np.isfinite(clip.frames).all()
