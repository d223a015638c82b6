"""Types of the sample's columns, for `datasets` and for Parquet files that every version of `datasets` can read."""

from __future__ import annotations

import json

import pyarrow as pa
from datasets import Features, Image, Sequence, Value

from emo3d.blendshapes import BLENDSHAPES
from emo3d.emotions import EMOTIONS

SAMPLE_FEATURES = Features(
    {
        "sample_id": Value("int64"),
        "description": Value("string"),
        "intensities": Sequence(Value("float32"), length=len(EMOTIONS)),
        "blendshapes": Sequence(Value("float32"), length=len(BLENDSHAPES)),
        "image": Image(),
        "identity": Value("string"),
    }
)
"""Columns of the synthetic sample; intensities in the order of `EMOTIONS`, blendshapes (weights) in `BLENDSHAPES`."""


def sample_schema(metadata: dict[str, str]) -> pa.Schema:
    """Arrow schema of the sample's Parquet files.

    The types that `datasets` keeps in a Parquet file's own metadata are written in the spelling of its versions 2 and
    3 ("Sequence"), which later versions still read; what versions 4 and 5 write ("List") the earlier ones refuse.

    Args:
        metadata: what else the file should say of itself, e.g. the space of its blendshapes.
    """
    types = {
        "sample_id": pa.int64(),
        "description": pa.string(),
        "intensities": pa.list_(pa.float32(), len(EMOTIONS)),
        "blendshapes": pa.list_(pa.float32(), len(BLENDSHAPES)),
        "image": pa.struct({"bytes": pa.binary(), "path": pa.string()}),
        "identity": pa.string(),
    }
    features = {
        "sample_id": _value("int64"),
        "description": _value("string"),
        "intensities": {"feature": _value("float32"), "length": len(EMOTIONS), "_type": "Sequence"},
        "blendshapes": {"feature": _value("float32"), "length": len(BLENDSHAPES), "_type": "Sequence"},
        "image": {"_type": "Image"},
        "identity": _value("string"),
    }
    described = {"huggingface": json.dumps({"info": {"features": features}}), **metadata}
    return pa.schema(list(types.items()), metadata=described)


def _value(dtype: str) -> dict[str, str]:
    return {"dtype": dtype, "_type": "Value"}
