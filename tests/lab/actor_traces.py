"""Write actor_traces.json: chats with a generator of fixed answers, for the tests in Python and in TypeScript.

    python tests/lab/actor_traces.py

test_actor.py holds the numbers against calculations by hand; this file holds both languages together.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from emo3d.face.rig import TARGETS
from emo3d.instructions import Interpretation
from emo3d_lab import actor as actors
from emo3d_lab.acts import ActReader, read_acts
from emo3d_lab.sample.prototypes import PROTOTYPES

PATH = Path(__file__).with_suffix(".json")

# A line, what it calls for (emotion: share of its prototype), and when; at the end the times between lines to look at.
CHATS: list[dict[str, Any]] = [
    {
        "options": {"mood": {"mouthSmileLeft": 0.5, "mouthSmileRight": 0.5, "eyeLookUpLeft": 0.25}},
        "lines": [
            {"line": "Hello there!", "shows": {"happiness": 0.9}, "at": 0.5},
            {"line": "*winks* The door is  open.", "shows": {}, "at": 3.25},
            {"line": "The lamp fell.", "shows": {"surprise": 0.8}, "at": 4.0},
            {"line": "Close your eyes, it's over.", "context": "A funeral.", "shows": {"sadness": 1.0}, "at": 4.1},
            {"line": "Still here.", "shows": {"neutral": 0.0}, "at": 40.0},
            {"line": "Go away!", "shows": {"anger": 1.0}, "at": 700.0},
        ],
    },
    {
        "options": {"mood_strength": 0.6, "carry": 0.9, "decay": 0.25},
        "lines": [
            {"line": "<act strength='0.5'>disgusted</act> Mmh.", "shows": {"disgust": 0.4}, "at": 0},
            {"line": "Eww 🤢🤢 she said", "shows": {"disgust": 1.0}, "at": 1},
            {"line": "(rolls her eyes) (sighs) Right.", "shows": {"contempt": 0.7}, "at": 2, "strength": 0.75},
            {"line": "Run!", "shows": {"fear": 0.9}, "at": 2.2},
            {"line": "Run, run, run! " * 12, "shows": {"fear": 1.0}, "at": 9},
            {"line": "…", "shows": {}, "at": 20},
        ],
    },
]  # fmt: skip
OFFSETS = (0.0, 0.05, 0.3, 1.5, 8.0)

ACTS = [
    "*sighs* I *really* mean it.",
    "<act>she winks</act> hello <act strength='0.5'>thrilled</act><ACT strength=1>calm</ACT>",
    '<act strength="7">x</act> <actor> <b>hi</b> a<b <act>x <act></act> <act>a<act>b</act>',
    "He *laughs* at me (see page 4) (laughs) **bold** *shrugging* I'm not *smiling* so *laughs*",
    "I love it 😂😂 ❤️ 🍕 :) and ;-) foo:) (nervously) *Bitterly* yes 👍🏽",
    "*rolls her eyes* *looks good* *looks away* (quietly, to herself) *she slowly smiles* (tears up) <ACT>x",
    "😮‍💨 wow * (shrugs",
    "* item one\n* item two *laughs*\n(crying)",
    "5 * 3 * 2 = 30; (a) :O ***",
    "(She cries) (blushes, gently) (looks down at her hands) (look) *gasp*",
]

# Lines and contexts as a generator reads them, with the reader of physical instructions.
LINES: list[list[str]] = [
    ["Close your eyes and count to ten."],
    ["Why are you frowning? Look at me, look up!", "At the dentist's. He opens his mouth."],
    ["I can't keep my eyes open.", "a long night"],
    ["She winked at me, and my jaw dropped."],
    ["Don't you roll your eyes at me 🙄"],
    ["<act>she winks with her left eye</act> You are late."],
    ["*closes her eyes* *smiles* Finally.", "Her exam is over."],
    ["(raises one eyebrow) Really? (sighs)"],
    ["Nice one 😉 🍕 ❤️"],
    ["🍕🍕"],
    ["*rolls his eyes*"],
    ["<act>puffs her cheeks and looks to the left</act>"],
    ["Öffne deine Augen, sagte er: „Los!“"],
    ["目を閉じて。"],
    ["Stick out your tongue and say ‘ah’; then don't close your mouth, please close the door."],
    ["Keep  your \n mouth\tshut."],
]


class FixedGenerator:
    """Answers what a chat says, whatever the text, and keeps the texts."""

    def __init__(self) -> None:
        self.next = np.zeros(len(TARGETS))
        self.calls: list[dict[str, Any]] = []

    def generate(self, texts: list[str], strength: float = 1.0) -> np.ndarray:
        self.calls.append({"text": texts[0], "strength": strength})
        return self.next[None]


def weights_of(shares: dict[str, float]) -> np.ndarray:
    """A share of an emotion's prototype, (52,)."""
    face = np.zeros(len(TARGETS))
    for emotion, share in shares.items():
        for name, weight in PROTOTYPES[emotion].items():
            face[TARGETS.index(name)] = round(share * weight, 6)
    return face


def named(face: np.ndarray) -> dict[str, float]:
    return {name: round(float(weight), 9) for name, weight in zip(TARGETS, face, strict=True) if weight}


def play(chat: dict[str, Any]) -> dict[str, Any]:
    """A chat with what the actor is and shows."""
    generator, interpretations = FixedGenerator(), {}
    read = actors.read_instructions

    def note(description: str) -> Interpretation:
        order = read(description)
        steps = [{"words": step.words, "weights": step.weights} for step in order.instructions]
        interpretations[description] = {"rest": order.rest, "instructions": steps}
        return order

    actors.read_instructions = note
    try:
        actor = actors.Actor(generator, **chat["options"])
        rows = []
        for place, row in enumerate(chat["lines"]):
            generator.next = weights_of(row["shows"])
            generator.calls.clear()
            options = {key: row[key] for key in ("context", "strength") if key in row}
            actor.act(row["line"], at=row["at"], **options)
            end = chat["lines"][place + 1]["at"] if place + 1 < len(chat["lines"]) else np.inf
            times = [row["at"] + offset for offset in OFFSETS if row["at"] + offset <= end]
            faces = [{"at": time, "weights": named(actor.weights(time))} for time in times]
            rows.append(
                {
                    **{key: row[key] for key in ("line", "at")},
                    "options": options,
                    "calls": list(generator.calls),
                    "expression": named(generator.next),
                    "faces": faces,
                }
            )
        return {"options": chat["options"], "interpretations": interpretations, "lines": rows, "state": actor.state}
    finally:
        actors.read_instructions = read


def segments_of(text: str, size: int | None = None) -> list[dict[str, Any]]:
    """The segments of a text, as a whole or in chunks, whose neighbours are joined."""
    if size is None:
        segments = read_acts(text)
    else:
        reader, segments = ActReader(), []
        for segment in [s for k in range(0, len(text), size) for s in reader.feed(text[k : k + size])] + reader.close():
            if segments and segments[-1].kind == segment.kind == "said":
                segment = type(segment)(segments.pop().text + segment.text)
            segments.append(segment)
    return [{key: value for key, value in vars(segment).items() if value is not None} for segment in segments]


def line_of(line: str, context: str | None = None) -> dict[str, Any]:
    """A line as a generator reads it."""
    dialogue = actors.read_line(line, context)
    steps = [{"words": step.words, "weights": step.weights} for step in dialogue.instructions]
    return {"line": line, "context": context, "text": dialogue.text, "spoken": dialogue.spoken, "instructions": steps}


def make_traces() -> dict[str, Any]:
    """All of the file."""
    acts = [{"text": text, "segments": segments_of(text)} for text in ACTS]
    return {"chats": [play(chat) for chat in CHATS], "acts": acts, "lines": [line_of(*line) for line in LINES]}


if __name__ == "__main__":
    PATH.write_text(json.dumps(make_traces(), ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
