"""The readers that are known here: where they come from, under which licence, and what they were trained on."""

from __future__ import annotations

from typing import Literal, NamedTuple

from emo3d.emotions import EMOTIONS

Kind = Literal["face-api", "classifier", "onnx", None]

_SEVEN = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
_VIT = "google/vit-base-patch16-224-in21k"


class KnownReader(NamedTuple):
    """A row of the table of docs/readers.md; what public text did not confirm begins with "unconfirmed"."""

    name: str  # what `load_reader` takes
    kind: Kind  # how it is loaded; None where it cannot be
    labels: tuple[str, ...] | None  # of an "onnx" one in the order of its answers; None where unconfirmed
    licence: str
    data: str  # that it was trained on
    source: str  # where its files come from


KNOWN_READERS = (
    KnownReader(
        "face-api",
        "face-api",
        ("neutral", "happiness", "sadness", "anger", "fear", "disgust", "surprise"),
        "MIT",
        "publicly available photographs, not described further",
        "`make readers` (npm, `@vladmandic/face-api` 1.7.15)",
    ),
    KnownReader(
        "hsemotion",
        "onnx",
        ("Anger", "Contempt", "Disgust", "Fear", "Happiness", "Neutral", "Sadness", "Surprise"),
        "Apache-2.0 (of the code; of the weights none is stated)",
        "VGGFace2, then AffectNet",
        "`enet_b0_8_va_mtl.onnx` of github.com/av-savchenko/face-emotion-recognition, models/affectnet_emotions/onnx",
    ),
    KnownReader(
        "3una/finetuned-AffectNet",
        "classifier",
        None,
        "Apache-2.0",
        "AffectNet by its name; its card names no data",
        "the Hub (BEiT, base)",
    ),
    KnownReader(
        "carlosleao/vit-Facial-Expression-Recognition",
        "classifier",
        EMOTIONS,
        "none stated",
        "unconfirmed",
        "the Hub (ViT, base)",
    ),
    KnownReader(
        "motheecreator/vit-Facial-Expression-Recognition",
        "classifier",
        _SEVEN,
        "Apache-2.0 in earlier versions of its card, none in the last",
        "FER2013, MMI and AffectNet",
        f"the Hub ({_VIT})",
    ),
    KnownReader(
        "trpakov/vit-face-expression",
        "classifier",
        _SEVEN,
        "Apache-2.0",
        "FER2013",
        f"the Hub ({_VIT})",
    ),
    KnownReader(
        "dima806/facial_emotions_image_detection",
        "classifier",
        ("sad", "disgust", "angry", "neutral", "fear", "surprise", "happy"),
        "Apache-2.0",
        "unconfirmed",
        f"the Hub ({_VIT})",
    ),
    KnownReader(
        "laion/Empathic-Insight-Face-Large",
        None,
        None,
        "CC-BY-4.0",
        "EmoNet-Face, synthetic faces: 40 emotions",
        "the Hub (heads on SigLIP2, as .pth); not loaded here: no public text confirms the layers of its heads",
    ),
)
