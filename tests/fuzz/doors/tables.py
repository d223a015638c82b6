"""Tables of neighbouring datasets with the mapping of their columns, as `import` reads them."""

import io
import json
from pathlib import Path

from emo3d.blendshapes import BLENDSHAPES

ROW = {"text": "a smile", "tag": "happy", "level": 2, "aus": "AU6+AU12B", "bs": {"jawOpen": 0.5, "mouth_smile_l": 1}}


def seeds(folder: Path) -> list[dict[str, bytes]]:
    import pyarrow as pa
    from pyarrow import parquet

    vector = {**ROW, "bs": [0.5] * 51}
    table = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist([vector, ROW | {"bs": None}]), table)
    keys = {"description": "text", "emotion": "tag", "level": "level", "action_units": "aus", "scale": "0-1"}
    whole = {**keys, "blendshapes": "bs", "layout": "emo3d", "levels": 3, "emotions": {"excited": {"happiness": 0.8}}}
    columns = {
        "description": ["text"],
        "blendshapes": {name: name for name in BLENDSHAPES},
        "intensities": {"anger": "x"},
    }
    wide = ["text,x," + ",".join(BLENDSHAPES), "hi,0.5," + ",".join(["0.25"] * 51)]
    mapping = json.dumps(whole).encode()
    return [
        {"table.json": json.dumps([vector, ROW]).encode(), "mapping.json": mapping},
        {"table.jsonl": "\n".join(map(json.dumps, [ROW, vector])).encode(), "mapping.json": mapping},
        {"table.parquet": table.getvalue(), "mapping.json": mapping},
        {"table.csv": b"text,aus\nx,AU12\n", "mapping.json": b'{"description": "text", "action_units": "aus"}'},
        {"table.csv": "\n".join(wide).encode(), "mapping.json": json.dumps(columns).encode()},
    ]


def enter(folder: Path) -> None:
    from emo3d.dataset.tally import Tally
    from emo3d_lab.neighbours.formats import check_columns
    from emo3d_lab.neighbours.mapping import read_mapping
    from emo3d_lab.neighbours.rows import Rule
    from emo3d_lab.neighbours.tables import TableShard

    mapping = read_mapping(folder / "mapping.json")
    (table,) = [str(path) for path in folder.glob("table.*")] or [str(folder / "table.csv")]
    check_columns(table, mapping.columns)
    description = None if mapping.description else "x"
    shard = TableShard("pairs", "train", 0, 1, "weights", table, "table", mapping, description, None, Rule())
    list(shard.rows(Tally()))
