"""What the server does, as data: names, descriptions, units and ranges of every tool, said once.

MCP's input schemas, OpenAPI and the checks of requests are all made of `TOOLS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from emo3d.blendshapes import ARKIT_BLENDSHAPES
from emo3d.emotions import EMOTIONS
from emo3d.face.identities import IDENTITIES

LONGEST_TEXT = 2000
"""Characters of a text; encoders read about the first 1,000."""
MOST_TEXTS = 32
MOST_FACES = 64
"""Faces that one call scores."""
SIZES = (64, 1024)
"""Pixels of a picture's side, least and most."""
LARGEST_PICTURE = 5_000_000
"""Bytes of a picture that is read."""

Schema = dict[str, Any]


def _text(description: str, least: int = 1) -> Schema:
    return {"type": "string", "minLength": least, "maxLength": LONGEST_TEXT, "description": description}


def _weights(description: str) -> Schema:
    weight = {"type": "number", "minimum": 0, "maximum": 1}
    names = {"enum": list(ARKIT_BLENDSHAPES)}
    fields = {"propertyNames": names, "additionalProperties": weight}
    return {"type": "object", "maxProperties": len(ARKIT_BLENDSHAPES), **fields, "description": description}


def _list(items: Schema, most: int, description: str) -> Schema:
    # Sizes come before what they bound: a check stops at the first mistake.
    return {"type": "array", "minItems": 1, "maxItems": most, "items": items, "description": description}


_STRENGTH: Schema = {"type": "number", "minimum": 0, "maximum": 1.5, "default": 1}
_STRENGTH["description"] = "How strongly to act: 0 is a face at rest, 1 as described, 1.5 more of it."
_FACE = _weights('ARKit\'s blendshapes by name, weights in 0..1, as in {"jawOpen": 0.4}; what is left out is 0.')
_ALL = _weights("All 52 of ARKit's blendshapes by name, weights in 0..1.")
_IDENTITY: Schema = {"type": "string", "enum": list(IDENTITIES), "default": "adult", "description": "Whose face."}
_INTENSITY: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_REFERENCE: Schema = {
    "type": "object",
    "properties": {
        "description": _text("The text that the face was made for."),
        "intensities": {
            "type": "object",
            "minProperties": 1,
            "maxProperties": len(EMOTIONS),
            "propertyNames": {"enum": list(EMOTIONS)},
            "additionalProperties": _INTENSITY,
            "description": "How strong each emotion in the text is, 0..1; what is left out is 0.",
        },
    },
    "required": ["description", "intensities"],
    "additionalProperties": False,
}
_STATE: Schema = {"type": "object", "description": "What the last answer had as `state`; left out at the first line."}
_PICTURE: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": LARGEST_PICTURE * 4 // 3 + 4,
    "contentEncoding": "base64",
    "description": f"A PNG, JPEG or WebP with a face, as base64; at most {LARGEST_PICTURE // 10**6} MB decoded.",
}
_SPACE: Schema = {"type": "string", "const": "weights", "description": "What the numbers are: weights of a rig."}
_NOTES: Schema = {"type": "array", "items": {"type": "string"}, "description": "What was not understood or was cut."}
_INSTRUCTIONS: Schema = {
    "type": "array",
    "items": {"type": "object", "properties": {"words": {"type": "string"}, "weights": _ALL}},
    "description": "Movements that the text names (winks with her left eye), and the weights that they set.",
}
_EXPRESSED: dict[str, Schema] = {"weights": _ALL, "notes": _NOTES, "instructions": _INSTRUCTIONS}


@dataclass(frozen=True, eq=False)
class Tool:
    """One thing that the server does.

    Attributes:
        name: of the MCP tool, and of the HTTP endpoint unless `path` says another.
        title: a few words.
        description: for agents: what goes in, what comes out, how long it takes.
        fields: of the input, each a JSON schema with its unit and range.
        required: names of the fields that must be there.
        answer: fields of the output, each a JSON schema; none where the output is a file.
        media: the type of the output.
    """

    name: str
    title: str
    description: str
    fields: dict[str, Schema]
    required: tuple[str, ...] = ()
    answer: dict[str, Schema] | None = None
    media: str = "application/json"

    @property
    def schema(self) -> Schema:
        """JSON schema of the input."""
        bounds = {"additionalProperties": False, "required": list(self.required)}
        return {"type": "object", **bounds, "properties": self.fields}

    @property
    def answer_schema(self) -> Schema | None:
        """JSON schema of the output; None where that is a file."""
        return None if self.answer is None else {"type": "object", "properties": self.answer}


EXPRESS = Tool(
    "express",
    "A face for a text",
    "Turn a text that says what a face shows (English: a feeling, a scene, movements such as 'winks with her left eye')"
    " into the weights of ARKit's 52 blendshapes. Some 10 ms a text. For a line of dialogue in a conversation, "
    "use act.",
    {
        "text": _text("What the face shows, as in 'She just won the lottery'."),
        "texts": _list(_text("As text."), MOST_TEXTS, "Several texts, one face each; give these or text."),
        "strength": _STRENGTH,
        "seed": {
            "type": "integer",
            "minimum": 0,
            "maximum": 2**31 - 1,
            "default": 0,
            "description": "0 is the model's first answer, every other number draws another face for the same text.",
        },
    },
    answer={
        **_EXPRESSED,
        "space": _SPACE,
        "faces": {
            "type": "array",
            "items": {"type": "object", "properties": _EXPRESSED},
            "description": "Of texts: weights, notes and instructions for each, in their order.",
        },
    },
)
ACT = Tool(
    "act",
    "A face for the next line of a conversation",
    "Give a character's face for its next line: the line and its context are read, and mixed with what the character "
    "felt before and with its mood. Send the state of the last answer back with the next line. Some 20 ms a line.",
    {
        "line": _text("What the character says or does now; an emoji or <act>she winks</act> in it is acted."),
        "context": _text("What happened before the line: the scene, what the other said. Changes the face little.", 0),
        "state": _STATE,
        "strength": _STRENGTH,
    },
    ("line",),
    {
        "weights": _ALL,
        "space": _SPACE,
        "onset": {"type": "number", "description": "Seconds in which the face comes; go there smoothly."},
        "state": {"type": "object", "description": "What is felt, and the mood: to be sent with the next line."},
    },
)
RENDER = Tool(
    "render",
    "A picture of a face",
    "Draw a face from the front, as a PNG, from its weights: to look at what express or act gave. Some 50 ms.",
    {
        "weights": _FACE,
        "identity": _IDENTITY,
        "size": {
            "type": "integer",
            "minimum": SIZES[0],
            "maximum": SIZES[1],
            "default": 512,
            "description": "Side of the picture, pixels.",
        },
    },
    ("weights",),
    media="image/png",
)
GLB = Tool(
    "glb",
    "A face as a 3D file",
    "Make a GLB (1 to 2 MB; metres, y up) of a head with 52 named morph targets that shows the weights when it is "
    "opened in Blender, Unity, Unreal or three.js. The tongue must be in.",
    {"weights": _FACE, "identity": _IDENTITY},
    ("weights",),
    media="model/gltf-binary",
)
READ_PICTURE = Tool(
    "read_picture",
    "The expression in a photograph",
    "Read the expression of the largest face in a picture, as weights of ARKit's blendshapes. The picture is not kept. "
    "Some 100 ms; the first takes seconds.",
    {"picture": _PICTURE},
    ("picture",),
    {
        "weights": _ALL,
        "space": _SPACE,
        "notes": _NOTES,
        "box": {
            "type": "array",
            "items": {"type": "number"},
            "description": "Of the face: left, top, right, bottom, pixels.",
        },
    },
)
SCORE = Tool(
    "score",
    "How well faces show what was described",
    "The Emo3D score of faces: each is drawn, looked up among descriptions with known emotions, and compared with the "
    "emotions of its own. Lower is better; 0.5 is perfect, the divergence is in nats. Some 50 ms a face, and seconds "
    "once. Scores compare only where their signatures are the same.",
    {
        "predictions": _list(_FACE, MOST_FACES, "The weights of each face."),
        "references": _list(_REFERENCE, MOST_FACES, "What each face was made for, in the order of the predictions."),
        "bank": {
            "type": "string",
            "enum": ["sample", "references"],
            "default": "sample",
            "description": "What faces look up: 250 packaged descriptions, or the references themselves (10 or more).",
        },
    },
    ("predictions", "references"),
    {
        "emo3d": {"type": "number", "description": "The score; lower is better, 0.5 is best."},
        "kl_divergence": {"type": "number", "description": "Mean divergence, nats; 0 is best."},
        "intervals": {"type": "object", "description": "95% interval of each number, lower and upper end."},
        "per_face": {"type": "array", "items": {"type": "number"}, "description": "Divergence of each face, nats."},
        "n": {"type": "integer", "description": "Faces."},
        "signature": {"type": "string", "description": "All settings that move the numbers."},
    },
)
TOOLS = {tool.name: tool for tool in (EXPRESS, ACT, RENDER, GLB, READ_PICTURE, SCORE)}
"""By name; what an endpoint `/name` takes as JSON, but for `/read_picture`, which takes the picture's bytes."""
