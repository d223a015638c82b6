"""What Python reads in many texts, for `instructions.test.mjs`: `golden_instructions.py CASES.json [SHARE]`.

Texts are those of the reader's tests and page, of the sample's train split, every symbol, letters of every script, words
of the table in any order, and all of these with other spaces, cases, marks and characters. Letters are of Unicode 3.2,
which every Python and every browser has.
"""

from __future__ import annotations

import ast
import json
import random
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from emo3d.blendshapes import BLENDSHAPES
from emo3d.instructions import OPPOSED, apply_instructions, read_instructions
from emo3d_lab.instructions.portable import make_table
from emo3d_lab.instructions.reading import SYMBOL
from emo3d_lab.instructions.vocabulary import vocabulary
from emo3d_lab.sample.rows import make_rows

ROOT = Path(__file__).parents[2]
STRENGTHS = (1, 0, 0.3, 0.5, 1.7)
_OLD = [chr(code) for code in range(0x30000) if unicodedata.ucd_3_2_0.category(chr(code)) not in ("Cn", "Cs", "Co")]
_LETTERS = [char for char in _OLD if unicodedata.ucd_3_2_0.category(char) in ("Lu", "Ll", "Lt", "Lm", "Lo")]
_ODD = [
    *"'’\"“”`´‘.,;:!?…()[]-–—/&+%_*#@^~|\\<>=$0123456789٣५９²½Ⅷ१ıİſKßΣςﬁÅéñ　\u00a0\u200b\u2028\u2029\x85\x1c\x1f\x00\t\n\r\x0b",
    *("\r\n", "\ud800", "\udfff ", "e\u0301", "n\u0303", "\u200d", "\ufe0f", "n't", "'s", "50%", "37.5 %", "٥٠%", "6.25%"),
    *("😉", "😀", "❤️", "👩‍🦰", "👍🏽", "🇫🇷", ":)", ";-)", ":D", ":'(", "1️⃣", "𝐞𝐲𝐞", "ｅｙｅ", "éye", "\ufeff", "İ", "ſ"),
]
HOSTILE = ["left", "d", "eye ", "'", "n't", "the ", "corner of the ", ":)", "😱", "\x00", "1", "1.", "%", "\u0301", ", "]
HOSTILE += ["mouth in the ", "wink,", "not ", "wide ", "a", "- ", "“a”", "on the left of ", "on our left ", "one ", "50% "]


def sentences() -> list[str]:
    """Sentences of the reader's tests and of its page."""
    texts: list[str] = []
    for path in sorted(ROOT.glob("tests/generation/test_instructions*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts += (line.split(" | ")[0] for line in node.value.splitlines())
    page = (ROOT / "docs/instructions.md").read_text("utf-8")
    texts += page.splitlines() + re.findall(r"\| ([^|]+) \|", page) + re.findall('"([^"\n]+)"', page)
    return [text for text in dict.fromkeys(texts) if text.strip()]


def mashes(rng: random.Random, count: int) -> Iterator[str]:
    """Words of the table in any order, inflected, with sides, marks and characters between them."""
    words = sorted(word for word in vocabulary()["bases"] if word != "_")
    common = "left right the her his , and not eye eyes lips brow mouth corner of one other zebra . : with is to on".split()
    parts = [*words, *common * 12, *_ODD]
    for _ in range(count):
        chosen = [rng.choice(parts) + rng.choice(["", "", "", "s", "ed", "ing", "ly"]) for _ in range(rng.randint(1, 16))]
        yield rng.choice([" ", " ", " ", "", "  ", "\n"]).join(chosen)


def changed(rng: random.Random, texts: Iterable[str]) -> Iterator[str]:
    """Texts with other cases, forms, and characters put in, taken out or swapped."""
    for text in texts:
        text = rng.choice([str, str, str.upper, str.title, str.swapcase, full_width, decomposed])(text)
        chars = list(text)
        for _ in range(rng.randint(0, 4)):
            place = rng.randrange(len(chars) + 1)
            chars[place : place + rng.choice([0, 0, 1, 2])] = rng.choice(
                [rng.choice(_ODD), rng.choice(_OLD), f" {rng.choice(_ODD)} ", ""]
            )
        yield "".join(chars)


def full_width(text: str) -> str:
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)


def decomposed(text: str) -> str:
    return unicodedata.normalize("NFKD", text.replace("e", "é"))


def letters(rng: random.Random) -> Iterator[str]:
    for char in rng.sample(_LETTERS, 1_000):
        yield f"She closes {char} eye"
        yield f"{char * rng.randint(1, 40)} winks, {char}'s left eye closed"


def symbols() -> Iterator[str]:
    for char in filter(SYMBOL.fullmatch, map(chr, range(0x20000))):
        if unicodedata.name(char, ""):
            yield char
            yield f"Well {char}done {char}{char}"


def hostile(rng: random.Random, count: int) -> Iterator[str]:
    for _ in range(count):
        parts = [rng.choice(HOSTILE + _ODD) for _ in range(rng.randint(1, 4))]
        yield ("".join(parts) * 2_000)[: rng.choice([60, 400, 1_999, 2_000, 2_001])]


def texts(seed: int = 0) -> list[str]:
    """All texts."""
    rng = random.Random(seed)
    plain = sentences()
    rows = [row.description for row in make_rows("train", 2_000, seed)]
    listed = ["", " ", "\n", *plain, *rows, *symbols(), *letters(rng), *mashes(rng, 5_000), *hostile(rng, 300)]
    listed += [*changed(rng, plain * 6), *changed(rng, rows), *changed(rng, list(mashes(rng, 1_000)))]
    return [text for text in dict.fromkeys(listed) if not re.search("[\ud800-\udbff]\\W?[\udc00-\udfff]", text)]


def cases(share: float = 1, seed: int = 0) -> dict[str, Any]:
    """The table, the pairs that pull against each other, and texts with what is read and what it does to faces."""
    rng, faces = random.Random(seed), np.random.default_rng(seed)
    chosen = [text for text in texts(seed) if rng.random() < share]
    readings = [read_instructions(text) for text in chosen]
    told = [reading for reading in readings if reading.instructions][:2_000]
    applied = []
    for place, reading in enumerate(told):
        weights = faces.random(len(BLENDSHAPES)) * faces.integers(0, 2, len(BLENDSHAPES))
        strength = STRENGTHS[place % len(STRENGTHS)]
        answer = apply_instructions(weights, reading.instructions, strength).tolist()
        applied.append(
            {"text": reading.description, "weights": weights.tolist(), "strength": strength, "answer": answer}
        )
    return {
        "table": make_table(),
        "opposed": OPPOSED,
        "readings": [reading.to_dict() for reading in readings],
        "applied": applied,
    }


if __name__ == "__main__":
    share = float(sys.argv[2]) if len(sys.argv) > 2 else 1
    Path(sys.argv[1]).write_text(json.dumps(cases(share)), "ascii")
