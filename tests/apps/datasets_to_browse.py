"""Datasets as folders for the Hub on loopback; what the rows hold is known by their place."""

import io

import numpy as np
import pyarrow as pa
from PIL import Image
from pyarrow import parquet

from emo3d_lab.building.schema import parquet_schema

ROWS, PER_FILE, PER_GROUP = 30, 20, 7
CARD = """---
configs:
- config_name: sample
  data_files:
  - split: train
    path: data/sample/train.parquet
- config_name: pairs
  data_files:
  - split: train
    path: data/pairs/train-*.parquet
- config_name: default
  default: true
  data_files:
  - split: train
    path: data/default/train-*.parquet
  - split: test
    path: [data/default/test-*.parquet]
---
"""


def picture(place):
    """A JPEG of noise, which compresses badly, of its own for each place."""
    file = io.BytesIO()
    noise = np.random.default_rng(place).integers(0, 256, (256, 256, 3), np.uint8)
    Image.fromarray(noise).save(file, "JPEG", quality=90)
    return file.getvalue()


def row(place):
    """Every fifth has no face; every fourth is afraid, the others are happy."""
    intensities = [0.0] * 8
    intensities[6 if place % 4 == 0 else 1] = 0.8
    return {
        "sample_id": place,
        "variant": 1,
        "prompt_type": "prompt1",
        "intensities": intensities,
        "blendshapes": None if place % 5 == 0 else [place / 100] * 51,
    }


def write_built(folder):
    """Emo3D as it is built, with the configs default and pairs, of which default has two files in the train split."""
    texts = [[f"Person {place} is here.", f"<b>Number</b> {place}"] for place in range(ROWS)]
    rows = [{**row(place), "descriptions": texts[place], "image": {"bytes": picture(place)}} for place in range(ROWS)]
    pairs = [{**row(place), "description": texts[place][0]} for place in range(ROWS) if place % 5]
    for config, name, part in (
        ("default", "train-00000-of-00002", rows[:PER_FILE]),
        ("default", "train-00001-of-00002", rows[PER_FILE:]),
        ("default", "test-00000-of-00001", rows[:3]),
        ("pairs", "train-00000-of-00001", pairs),
    ):
        path = folder / "data" / config / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        table = pa.Table.from_pylist(part, schema=parquet_schema(config, {"space": "reading"}))
        parquet.write_table(table, path, row_group_size=PER_GROUP)
    (folder / "README.md").write_text(CARD)
    return folder


def write_table(folder, columns, name="data.parquet", card="", **metadata):
    """A dataset of one Parquet file."""
    (folder / name).parent.mkdir(parents=True)
    parquet.write_table(pa.table(columns).replace_schema_metadata(metadata or None), folder / name)
    (folder / "README.md").write_text(card)
    return folder


def as_printed(scores):
    """52 numbers as the release has them: a printed array over several lines."""
    return np.array2string(np.array(scores), precision=3, suppress_small=True)
