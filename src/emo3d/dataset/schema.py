"""Types of the columns of the dataset's configs."""

from __future__ import annotations

from datasets import Features, Image, Sequence, Value

from emo3d.blendshapes import BLENDSHAPES
from emo3d.emotions import EMOTIONS

_INTENSITIES = Sequence(Value("float32"), length=len(EMOTIONS))
_BLENDSHAPES = Sequence(Value("float32"), length=len(BLENDSHAPES))
_ROW = {"sample_id": Value("int64"), "variant": Value("int64"), "prompt_type": Value("string")}
_SPAN = {"description": Value("string"), "start": Value("float64"), "end": Value("float64")}  # seconds
_BEAT = {**_SPAN, "intensities": Sequence(Value("float32"))}
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
    "clips": Features(
        {
            **{"clip_id": Value("int64"), "description": Value("string")},
            "beats": [_BEAT],  # versions of `datasets` agree on such a list; intensities are null where unknown
            "frames": Sequence(Sequence(Value("float32"), length=len(BLENDSHAPES) + 10)),  # `emo3d.clips.CHANNELS`
            **{"length": Value("int64"), "rate": Value("float64"), "space": Value("string"), "source": Value("string")},
        }
    ),
}
"""Config -> columns. Intensities in the order of `EMOTIONS`; blendshapes in that of `BLENDSHAPES`, null for no face."""
