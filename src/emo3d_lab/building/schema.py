"""Types of the columns of Parquet files that each version of `datasets` can read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from datasets import Features, Sequence, Value

from emo3d.dataset.schema import FEATURES as CONFIGS
from emo3d.emotions import EMOTIONS

_PICTURES = CONFIGS["default"]
_EXACT = Sequence(Value("float64"), length=len(EMOTIONS))

FEATURES: dict[str, Features] = {
    **CONFIGS,
    "flame-clips": Features({**CONFIGS["clips"], "flame": Sequence(Sequence(Value("float32")))}),
    "extracted": Features({**_PICTURES, "weights": _PICTURES["blendshapes"]}),
    "checklist": Features(
        {name: Value("string") for name in ("id", "family", "subfamily", "first", "second", "check")}
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
            "amplitude": Value("float64"),
        }
    ),
}
"""Columns of the dataset's configs, and of what else is written.

`flame-clips` is what the config "clips" of a dataset of FLAME's coefficients has, `frames` null where no map made any;
`checklist` are the pairs of `emo3d_lab.checklist`; `extracted` is what the config "default" of an extracted folder has
when its readings were calibrated, too; `scored` are the per-sample values of a score (`Emo3DResult.per_sample`), null
where there are none.
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
    info = json.dumps({"info": {"features": _features(config)}})
    return schema.with_metadata({"huggingface": info, **metadata})


def card_features(config: str) -> list[dict[str, Any]]:
    """A config's columns as a card's `dataset_info` has them, in a spelling that each version of `datasets` reads.

    They win over what the Parquet files say, in which the length of lists that may be null is missing.
    """
    return _columns_in_yaml(_features(config))


def _features(config: str) -> dict[str, Any]:
    features = json.loads(FEATURES[config].arrow_schema.metadata[b"huggingface"])["info"]["features"]
    return {name: _legacy(feature) for name, feature in features.items()}


def _columns_in_yaml(features: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"name": name, **_in_yaml(feature)} for name, feature in features.items()]


def _in_yaml(feature: Any) -> dict[str, Any]:
    if isinstance(feature, list):
        return {"list": _columns_in_yaml(feature[0])}
    if feature["_type"] == "Sequence":
        length = {"length": feature["length"]} if "length" in feature else {}
        inner = _in_yaml(feature["feature"])
        return {"sequence": inner["dtype"] if list(inner) == ["dtype"] else inner, **length}
    return {"dtype": feature["dtype"] if feature["_type"] == "Value" else feature["_type"].lower()}


def _legacy(feature: Any) -> Any:
    if isinstance(feature, list):  # of structs, as versions 2 and 3 write them
        return [{name: _legacy(inner) for name, inner in feature[0].items()}]
    if feature["_type"] in ("List", "Sequence"):
        if "_type" not in feature["feature"]:  # a struct, of whose "Sequence" versions 2 and 3 make a dict of lists
            return _legacy([feature["feature"]])
        inner = {"feature": _legacy(feature["feature"])}
        length = {"length": feature["length"]} if feature.get("length", -1) != -1 else {}
        return {**inner, **length, "_type": "Sequence"}
    return feature
