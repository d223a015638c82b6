"""Takes of Live Link Face, and the folder of Express4D, as `import` reads them."""

import io
from pathlib import Path

import numpy as np

from emo3d.blendshapes import ARKIT_BLENDSHAPES


def seeds(folder: Path) -> list[dict[str, bytes]]:
    header = ["Timecode", "BlendShapeCount", *(name[0].upper() + name[1:] for name in ARKIT_BLENDSHAPES), "HeadYaw"]
    rows = [f"00:00:00:0{n}.000,61," + ",".join(["0.5"] * 51) + ",0,0.1" for n in range(2)]
    take = "\n".join([",".join(header), *rows]).encode()
    array = io.BytesIO()
    np.save(array, np.zeros((2, 61), np.float32))
    return [
        {"a_raw.csv": take},
        {"data/a.csv": take, "texts/a.txt": b"a smile#x/NOUN\n", "train.txt": b"a\n", "test.txt": b"\n"},
        {"data/b.npy": array.getvalue(), "texts/b.txt": b"a frown\n", "train.txt": b"", "test.txt": b"b"},
    ]


def enter(folder: Path) -> None:
    from emo3d.dataset.tally import Tally
    from emo3d_lab.neighbours.express4d import find_express4d
    from emo3d_lab.neighbours.livelink import Take, TakeShard, find_takes, frames_csv, number_takes
    from emo3d_lab.neighbours.rows import Rule

    if (folder / "data").is_dir() or (folder / "train.txt").exists():
        splits, _ = find_express4d(folder)
        takes = [take for split in splits.values() for take in split]
    else:
        takes = [Take(str(folder / name), name, ("x",)) for name in find_takes(folder, None)[0]]
    numbered = number_takes(takes)
    shard = TakeShard("pairs", "train", 0, 1, "weights", tuple(numbered), "livelink", (0.0,) * 8, Rule())
    list(shard.rows(Tally()))
    frames_csv(numbered)
