"""Descriptions that `emo3d generate --dataset` reads, blocks of a run that was killed, and the card of `evaluate`."""

import io
from pathlib import Path


def seeds(folder: Path) -> list[dict[str, bytes]]:
    import pyarrow as pa
    from pyarrow import parquet

    rows = [{"sample_id": 1, "description": "so sad"}, {"sample_id": 2, "description": "she won"}]
    table = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows), table)
    return [
        {"texts.jsonl": b'{"sample_id": 1, "description": "so sad"}\n{"sample_id": 2, "description": "she won"}'},
        {"texts.csv": b'sample_id,description\n1,so sad\n2,"she won,\nagain"\n'},
        {"texts.csv": b"sample_id,description\nA1,so sad\n"},
        {"texts.parquet": table.getvalue()},
    ]


def enter(folder: Path) -> None:
    import pyarrow as pa

    from emo3d_lab.training.predictions import _schema, read_descriptions

    for path in folder.iterdir():
        texts = read_descriptions(path)
        pa.table(list(texts.values()), schema=pa.schema(list(_schema(texts, "weights", None))[:-1]))
