"""What Python reads in many texts, for `instructions.test.mjs`: `golden_instructions.py CASES.json [SHARE]`.

Texts are those of the reader's tests and page, of the sample's train split, every symbol, letters of every script,
words of the table in any order, and all of these with other spaces, cases, marks and characters. Letters are of
Unicode 3.2, which every Python and every browser has.
"""

from __future__ import annotations

import ast
import json
import random
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from emo3d.blendshapes import BLENDSHAPES
from emo3d.instructions import OPPOSED, apply_instructions, read_instructions
from emo3d_lab.actor import read_line
from emo3d_lab.instructions.portable import make_table
from emo3d_lab.instructions.reading import SYMBOL
from emo3d_lab.instructions.vocabulary import vocabulary
from emo3d_lab.sample.rows import make_rows

ROOT = Path(__file__).parents[2]
STRENGTHS = (1, 0, 0.3, 0.5, 1.7)
_OLD = [chr(code) for code in range(0x30000) if unicodedata.ucd_3_2_0.category(chr(code)) not in ("Cn", "Cs", "Co")]
_LETTERS = [char for char in _OLD if unicodedata.ucd_3_2_0.category(char) in ("Lu", "Ll", "Lt", "Lm", "Lo")]
_ODD = [
    *"'’\"“”`´‘.,;:!?…()[]-–—/&+%_*#@^~|\\<>=$0123456789٣५９²½Ⅷ१ıİſKßΣςﬁÅéñ　",
    *"\u00a0\u200b\u200d\u2028\u2029\ufe0f\ufeff\x85\x1c\x1f\x00\t\n\r\x0b\ud800\u212a\u017f\U000e0041",
    *"\r\n|\udfff |e\u0301|n\u0303|n't|'s|50%|37.5 %|٥٠%|6.25%|:)|;-)|:D|:'(|𝐞𝐲𝐞|ｅｙｅ|éye".split("|"),
    *"😉 😀 ❤️ 👩‍🦰 👍🏽 🇫🇷 1️⃣".split(),
]
_COMMON = """left|right|one|other|both|either|opposite|side|half|hand|of|on|in|at|to|the|the|a|an|her|that|same|,|,|.|:
|and|or|then|while|but|with|without|not|never|nothing|only|just|wide|slightly|40%|tightly|as|by|seen|viewer|camera|picture
|our|us|eye|eyes|eye|brow|eyebrow|brows|lid|lids|eyelid|mouth|mouth|corner|corners|end|ends|tips|lip|lips|upper|lower
|inner|outer|tooth|teeth|tongue|cheek|cheeks|jaw|wink|winks|close|closes|closed|open|opens|raise|raised|lower|looks
|look|turn|keep|gaze|up|down|aside|out|smile|smirk|'s|stays|is|zebra|really|widen|widened|lowered
|to the upper left|to the lower right|as the viewer sees|as we see it|on our left|nothing but|no eye but|so that
|left-hand side|rightmost|left half of|in the picture|from the front|the lid of|looks up and|her eyes|the old man
|opens wide|say ah|on that side|, the right one|, only the left|the corner of the|at its left end|with one eye
|does not|like a|lid of one eye|the brow of either eye""".replace("\n", "").split("|")
_HOSTILE = "left|d|eye |'|n't|the |corner of the |:)|😱|\x00|1|1.|%|\u0301|, |mouth in the |wink,|not |wide |a|- |“a”"
_HOSTILE += "|on the left of |on our left |one |50% "


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
    parts = [*words, *_COMMON * 6, *_ODD]
    for _ in range(count):
        chosen = (rng.choice(parts) + rng.choice(["", "", "", "s", "ed", "ing", "ly"]) for _ in range(16))
        yield rng.choice([" ", " ", " ", "", "  ", "\n"]).join(islice(chosen, rng.randint(1, 16)))


def drills(rng: random.Random, count: int) -> Iterator[str]:
    """Words that rules are about, in any order."""
    for _ in range(count):
        yield " ".join(rng.choices(_COMMON, k=rng.randint(2, 22)))


def changed(rng: random.Random, texts: Iterable[str]) -> Iterator[str]:
    """Texts with other cases, forms, and characters put in, taken out or swapped."""
    forms: list[Callable[[str], str]] = [str, str, str.upper, str.title, str.swapcase, full_width, decomposed]
    for text in texts:
        chars = list(rng.choice(forms)(text))
        for _ in range(rng.randint(0, 4)):
            place = rng.randrange(len(chars) + 1)
            chars[place : place + rng.choice([0, 0, 1, 2])] = rng.choice(
                [rng.choice(_ODD), rng.choice(_OLD), f" {rng.choice(_ODD)} ", ""]
            )
        yield "".join(chars)


def full_width(text: str) -> str:
    """A text in the wide letters of East Asian fonts."""
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)


def decomposed(text: str) -> str:
    """A text with marks as characters of their own."""
    return unicodedata.normalize("NFKD", text.replace("e", "é"))


def letters(rng: random.Random) -> Iterator[str]:
    """Letters of every script in the place of a part and of a person."""
    for char in rng.sample(_LETTERS, 1_000):
        yield f"She closes {char} eye"
        yield f"{char * rng.randint(1, 40)} winks, {char}'s left eye closed"


def symbols() -> Iterator[str]:
    """Every symbol that has a name, alone and in a text."""
    for char in filter(SYMBOL.fullmatch, map(chr, range(0x20000))):
        if unicodedata.name(char, ""):
            yield char
            yield f"Well {char}done {char}{char}"


def hostile(rng: random.Random, count: int) -> Iterator[str]:
    """Pieces that make patterns and searches go back, many times over."""
    for _ in range(count):
        parts = [rng.choice([*_HOSTILE.split("|"), *_ODD]) for _ in range(rng.randint(1, 4))]
        yield ("".join(parts) * 2_000)[: rng.choice([60, 400, 1_999, 2_000, 2_001])]


def lines(rng: random.Random, plain: Sequence[str], count: int) -> Iterator[tuple[str, str | None]]:
    """Lines of dialogue with acts in them, each beside a context or none."""
    marks = ["<act>{}</act>", "*{}*", "({})", '<act strength="0.5">{}</act>', "<act>{}", "{}", "{}"]
    yield "😏 <act>winks with the left eye</act>", None
    for _ in range(count):
        parts = [rng.choice(marks).format(rng.choice([*plain, *_ODD])) for _ in range(rng.randint(1, 4))]
        yield (
            " ".join(rng.choice(["{}", "{} 😏", "😉😉 {}", ":) {}"]).format(part) for part in parts),
            rng.choice([None, None, "", rng.choice(plain)]),
        )


def texts(share: float, seed: int) -> list[str]:
    """The sentences, and a share of all others; without halves of a character that a browser would join."""
    rng = random.Random(seed)
    plain = sentences()
    rows = [row.description for row in make_rows("train", 2_000, seed)]
    others = ["", " ", "\n", *rows, *symbols(), *letters(rng), *mashes(rng, 5_000), *drills(rng, 6_000)]
    others += [*hostile(rng, 300), *changed(rng, plain * 6), *changed(rng, rows), *changed(rng, [*mashes(rng, 1_000)])]
    listed = [*plain, *(text for text in others if rng.random() < share)]
    return [text for text in dict.fromkeys(listed) if not re.search("[\ud800-\udbff]\\W*[\udc00-\udfff]", text)]


def cases(share: float = 1, seed: int = 0) -> dict[str, Any]:
    """The table, the pairs that pull against each other, and texts with what is read and what it does to faces."""
    faces = np.random.default_rng(seed)
    readings = [read_instructions(text) for text in texts(share, seed)]
    told = [reading for reading in readings if reading.instructions][:2_000]
    applied = []
    for place, reading in enumerate(told):
        weights = faces.random(len(BLENDSHAPES)) * faces.integers(0, 2, len(BLENDSHAPES))
        strength = STRENGTHS[place % len(STRENGTHS)]
        answer = apply_instructions(weights, reading.instructions, strength).tolist()
        applied.append(
            {"text": reading.description, "weights": weights.tolist(), "strength": strength, "answer": answer}
        )
    read = []
    plain = [text for text in sentences() if len(text) < 300]
    for line, context in lines(random.Random(seed), plain, round(2_000 * share)):
        if line.strip():
            read.append({"line": line, "context": context, "answer": asdict(read_line(line, context))})
    return {
        "table": make_table(),
        "lines": read,
        "opposed": OPPOSED,
        "readings": [reading.to_dict() for reading in readings],
        "applied": applied,
    }


if __name__ == "__main__":
    share = float(sys.argv[2]) if len(sys.argv) > 2 else 1
    Path(sys.argv[1]).write_text(json.dumps(cases(share)), "ascii")
