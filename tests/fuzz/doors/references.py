"""References from files of a user's own, and what predictions say of whose faces they are."""

import json
from pathlib import Path

import numpy as np


def seeds(folder: Path) -> list[dict[str, bytes]]:
    import pyarrow as pa
    from pyarrow import parquet

    from emo3d.emotions import EMOTIONS

    rng = np.random.default_rng(0)
    columns = {
        "sample_id": [3, 1, 2],
        "description": ["a smile", "a frown", "fear"],
        "intensities": rng.random((3, 8)).round(3).tolist(),
        "blendshapes": rng.random((3, 51)).round(3).tolist(),
    }
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    parquet.write_table(pa.table(columns).replace_schema_metadata({"space": "reading"}), folder / "x.parquet")
    lines = "\n".join(map(json.dumps, rows)).encode()
    header = ["sample_id", "description", *EMOTIONS]
    cells = [[row["sample_id"], row["description"], *row["intensities"]] for row in rows]
    table = "\n".join(",".join(map(str, line)) for line in (header, *cells)).encode()
    printed = b'description,intensities\na smile,"[0.1 0.2 0 0 0 0 0 1]"\n'
    return [
        {"references.parquet": (folder / "x.parquet").read_bytes()},
        {"references.jsonl": lines},
        {"references.csv": table},
        {"references.csv": printed},
        {"predictions.json": json.dumps({"space": "weights", "expressions": rows}).encode()},
    ]


def enter(folder: Path) -> None:
    from emo3d.scoring.columns import read_table
    from emo3d.scoring.joining import KEYS, order_of
    from emo3d.scoring.references import read_references_file

    for path in sorted(folder.iterdir()):
        if path.suffix == ".json":
            keys = read_table(path, KEYS)
            count = len(next(iter(keys.values()), ()))
            order_of(count, keys, {"description": ["a smile", "a frown", "fear"]}, "description")
        else:
            described = read_references_file(path)
            order_of(len(described), described.keys, described.keys, ",".join(described.keys))
