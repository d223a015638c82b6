"""Load Emo3D with whatever version of `datasets` runs this, and write what came as JSON: `client.py REPORT ARGUMENTS`.

ARGUMENTS is JSON: `loads`, name -> arguments of `load_dataset`; `counts`, the same, whose rows are only counted; and
`closely`, those of a config with pictures that is looked at closely, or null. HF_HOME must be fresh: what is cached
already hides failures.
"""

import hashlib
import json
import sys
import traceback
from pathlib import Path

import datasets
from datasets import Image, load_dataset
from datasets.distributed import split_dataset_by_node
from PIL import Image as Pictures

KEYS = ["sample_id", "variant"]


def as_json(row):
    """A row with its picture's file as a digest; the picture itself is not decoded."""
    if "image" in row:
        picture = row["image"]
        row = {**row, "image": hashlib.sha256(picture["bytes"]).hexdigest()}
    return row


def rows_of(splits):
    rows = {}
    for split, data in splits.items():
        if "image" in data.features:
            data = data.cast_column("image", Image(decode=False))
        rows[split] = [as_json(row) for row in data]
    return rows


def types_of(features):
    """Column -> its type in words that no version of `datasets` owns."""
    return {name: type_of(feature) for name, feature in features.items()}


def type_of(feature):
    if isinstance(feature, list):
        return ["list", -1, type_of(feature[0])]
    if hasattr(feature, "feature"):
        return ["list", feature.length, type_of(feature.feature)]
    return getattr(feature, "dtype", None) if isinstance(feature, datasets.Value) else type(feature).__name__


def refuse(*_, **__):
    raise AssertionError("a picture was decoded that nobody asked for")


def is_there(expression):
    return expression is not None


def look_closely(**arguments):
    """What can be done with a config, apart from reading it all."""
    whole = load_dataset(**arguments, split="train")
    stream = load_dataset(**arguments, split="train", streaming=True)
    first, place = whole[0], next(n for n, row in enumerate(whole.select_columns("blendshapes")) if row["blendshapes"])
    numpy = whole.with_format("numpy")[place : place + 1]
    # To its end: Arrow may abort a process that leaves Parquet half streamed, apache/arrow#45214
    streamed, *_ = stream
    nodes = [split_dataset_by_node(stream, rank=rank, world_size=3) for rank in range(3)]
    facts = {
        "picture": [first["image"].mode, *first["image"].size, first["image"].format],
        "streamed picture": [streamed["image"].mode, *streamed["image"].size],
        "numpy": {n: [str(numpy[n].dtype), *numpy[n].shape] for n in ("blendshapes", "intensities", "sample_id")},
        "faces": list(whole.filter(is_there, input_columns="blendshapes").with_format("numpy")["blendshapes"][:].shape),
        "nodes": [[[row["sample_id"], row["variant"]] for row in node.select_columns(KEYS)] for node in nodes],
        "map-style nodes": [
            [[row["sample_id"], row["variant"]] for row in split_dataset_by_node(whole.select_columns(KEYS), rank, 3)]
            for rank in range(3)
        ],
    }
    opened, Pictures.open = Pictures.open, refuse
    columns = [*KEYS, "blendshapes"]
    facts["columns"] = [
        list(whole.select_columns(columns)),
        list(stream.select_columns(columns)),
        list(load_dataset(**arguments, split="train", streaming=True, columns=columns)),
    ]
    Pictures.open = opened
    if "torch" in sys.modules or datasets.config.TORCH_AVAILABLE:
        torch = whole.with_format("torch")[place : place + 1]
        facts["torch"] = {n: [str(torch[n].dtype), *torch[n].shape] for n in ("blendshapes", "image", "sample_id")}
    return facts


def load_whole(**load):
    splits = load_dataset(**load)
    return rows_of(splits), types_of(splits["train"].features)


def count(**load):
    """Split -> rows, sum of the `sample_id`s, rows without a face; streamed, the rows alone."""
    found = {}
    for split, data in load_dataset(**load).items():
        numbers = data.select_columns(["sample_id", "blendshapes"])
        if load.get("streaming"):
            found[split] = sum(1 for _ in numbers)
        else:
            table = numbers.with_format("arrow")[:]
            found[split] = [len(data), sum(table["sample_id"].to_pylist()), table["blendshapes"].null_count]
    return found


def attempt(function, arguments):
    """What the function returns; its traceback instead, twice, for the test of this load alone to fail with."""
    try:
        return function(**arguments)
    except Exception:
        return [traceback.format_exc()] * 2


def main(report, arguments):
    """Load, and write the report."""
    made = {"version": datasets.__version__, "rows": {}, "types": {}}
    made["counts"] = {name: attempt(count, load) for name, load in arguments.get("counts", {}).items()}
    for name, load in arguments["loads"].items():
        made["rows"][name], made["types"][name] = attempt(load_whole, load)
    if arguments["closely"]:
        made["closely"] = attempt(look_closely, arguments["closely"])
    Path(report).write_text(json.dumps(made), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
