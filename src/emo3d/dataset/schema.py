"""Types of the columns of the dataset's configs."""

from __future__ import annotations

from datasets import Features, Image, Sequence, Value

from emo3d.blendshapes import BLENDSHAPES
from emo3d.emotions import EMOTIONS

_INTEGER, _NUMBER, _TEXT = Value("int64"), Value("float64"), Value("string")
_INTENSITIES = Sequence(Value("float32"), length=len(EMOTIONS))
_BLENDSHAPES = Sequence(Value("float32"), length=len(BLENDSHAPES))
_FACE = {"intensities": _INTENSITIES, "blendshapes": _BLENDSHAPES}
_ROW = {"sample_id": _INTEGER, "variant": _INTEGER, "prompt_type": _TEXT}
_TEXTS = {"descriptions": Sequence(_TEXT), "intensities": _INTENSITIES}
_PICTURES = Features({**_ROW, **_TEXTS, "image": Image(), "blendshapes": _BLENDSHAPES})
# Intensities are null where nobody knows them. Of a list of such structs all versions of `datasets` make the same.
_BEAT = {"description": _TEXT, "start": _NUMBER, "end": _NUMBER, "intensities": Sequence(Value("float32"))}
_FRAMES = Sequence(Sequence(Value("float32"), length=len(BLENDSHAPES) + 10))  # order `emo3d.clips.CHANNELS`

FEATURES: dict[str, Features] = {
    "default": _PICTURES,
    "pairs": Features({**_ROW, "description": _TEXT, **_FACE}),
    "primitive": _PICTURES,
    "sample": Features(
        {"sample_id": _INTEGER, "description": _TEXT, **_FACE}
        | {"image": Image(), "identity": _TEXT, "readings": _BLENDSHAPES}
    ),
    "clips": Features(
        {"clip_id": _INTEGER, "description": _TEXT, "beats": [_BEAT], "frames": _FRAMES}
        | {"length": _INTEGER, "rate": _NUMBER, "space": _TEXT, "source": _TEXT}
    ),
}
"""Config -> columns. Intensities in the order of `EMOTIONS`; blendshapes in that of `BLENDSHAPES`, null for no face."""
