"""Types of the columns of every config, for `datasets` and for Parquet files that each of its versions can read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from datasets import Features, Image, Sequence, Value

from emo3d.blendshapes import BLENDSHAPES
from emo3d.emotions import EMOTIONS

_INTENSITIES = Sequence(Value("float32"), length=len(EMOTIONS))
_EXACT = Sequence(Value("float64"), length=len(EMOTIONS))
_BLENDSHAPES = Sequence(Value("float32"), length=len(BLENDSHAPES))
_ROW = {"sample_id": Value("int64"), "variant": Value("int64"), "prompt_type": Value("string")}

_PICTURES = Features(
    {
        **_ROW,
        "descriptions": Sequence(Value("string")),
        "intensities": _INTENSITIES,
        "image": Image(),
        "blendshapes": _BLENDSHAPES,
    }
)

FEATURES: dict[str, Features] = {
    "default": _PICTURES,
    "extracted": Features({**_PICTURES, "weights": _BLENDSHAPES}),
    "pairs": Features(
        {**_ROW, "description": Value("string"), "intensities": _INTENSITIES, "blendshapes": _BLENDSHAPES}
    ),
    "primitive": _PICTURES,
    "sample": Features(
        {
            "sample_id": Value("int64"),
            "description": Value("string"),
            "intensities": _INTENSITIES,
            "blendshapes": _BLENDSHAPES,
            "image": Image(),
            "identity": Value("string"),
            "readings": _BLENDSHAPES,
        }
    ),
    "scored": Features(
        {
            "row": Value("int64"),
            "description": Value("string"),
            "intensities": _EXACT,
            "kl_divergence": Value("float64"),
            "distribution": _EXACT,
            "match": Value("float64"),
            "mse": Value("float64"),
            "mae": Value("float64"),
        }
    ),
}
"""Config -> columns. Intensities in the order of `EMOTIONS`; blendshapes in that of `BLENDSHAPES`, null for no face.

`extracted` is what the config "default" of an extracted folder has when its readings were calibrated, too; `scored` are
the per-sample values of a score (`Emo3DResult.per_sample`), null where there are none.
"""

_NULLABLE = {  # no face found; and of an extracted picture nobody may say what it shows
    "default": ("intensities", "blendshapes"),
    "extracted": ("intensities", "blendshapes", "weights"),
    "primitive": ("blendshapes",),
    "sample": ("readings",),
}


def parquet_schema(config: str, metadata: Mapping[str, str]) -> pa.Schema:
    """Arrow schema of a config's Parquet files.

    The types that `datasets` keeps in a Parquet file's own metadata are written in the spelling of its versions 2 and
    3 ("Sequence"), which later versions still read; what versions 4 and 5 write ("List") the earlier ones refuse.

    Args:
        config: a key of `FEATURES`.
        metadata: what else the file says of itself; `"space"` is that of its blendshapes.
    """
    schema = FEATURES[config].arrow_schema
    for name in _NULLABLE.get(config, ()):  # PyArrow up to 24 fails to read a null among lists of a fixed length
        schema = schema.set(schema.get_field_index(name), pa.field(name, pa.list_(pa.float32())))
    described = json.loads(schema.metadata[b"huggingface"])
    features = {name: _legacy(feature) for name, feature in described["info"]["features"].items()}
    return schema.with_metadata({"huggingface": json.dumps({"info": {"features": features}}), **metadata})


def card_features(config: str) -> list[dict[str, Any]]:
    """A config's columns as a card's `dataset_info` has them, in a spelling that each version of `datasets` reads.

    They win over what the Parquet files say, in which the length of lists that may be null is missing.
    """
    described = json.loads(FEATURES[config].arrow_schema.metadata[b"huggingface"])["info"]["features"]
    return [{"name": name, **_in_yaml(_legacy(feature))} for name, feature in described.items()]


def _in_yaml(feature: dict[str, Any]) -> dict[str, Any]:
    if feature["_type"] == "Sequence":
        length = {"length": feature["length"]} if "length" in feature else {}
        return {"sequence": feature["feature"]["dtype"], **length}
    return {"dtype": feature["dtype"] if feature["_type"] == "Value" else feature["_type"].lower()}


def _legacy(feature: dict[str, Any]) -> dict[str, Any]:
    if feature["_type"] in ("List", "Sequence"):
        inner = {"feature": _legacy(feature["feature"])}
        length = {"length": feature["length"]} if feature.get("length", -1) != -1 else {}
        return {**inner, **length, "_type": "Sequence"}
    return feature
