"""The reader's words and names for programs in other languages: one JSON file, which `web/src/instructions` reads.

It holds what the reader has of `assets/instructions.yaml`, and what Python knows of Unicode and a browser does not: the
names of symbols and the scripts of letters. Letters and digits themselves are told by every language's own Unicode.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

from emo3d.files import check_output, whole_file
from emo3d_lab.instructions.reading import SYMBOL, script_name, symbol_name
from emo3d_lab.instructions.vocabulary import vocabulary

FORMAT = "emo3d-instructions-1"


def make_table() -> dict[str, Any]:
    """The table as plain data.

    Returns:
        `rows` of each part as [verbs, strength, [[blendshape, share, share on one side]], flags], earlier ones first;
        `phrases` by each first word as [words, tag, value], a/b a choice; `tags`, `forms` and `words` as lists in a
        string; `symbols` as [first code point, names parted by |]; `letters` as [first code point, script], up to the
        next; `emoji` that have another name than Unicode's; `unicode` the version of the names.
    """
    words = vocabulary()
    tags: dict[str, list[str]] = {}
    for word, tag in sorted(words["tags"].items()):
        tags.setdefault(tag, []).append(word)
    return {
        "format": FORMAT,
        "unicode": unicodedata.unidata_version,
        "rows": {part: [[" ".join(row.verbs), *row[1:]] for row in rows] for part, rows in words["rows"].items()},
        "phrases": {
            first: [[" ".join(map("/".join, choices)), tag, value] for choices, tag, value in entries]
            for first, entries in words["phrases"].items()
        },
        "tags": {tag: " ".join(listed) for tag, listed in tags.items()},
        "forms": words["forms"],
        "words": {kind: " ".join(sorted(words[kind])).strip() for kind in ("look", "move", "shape", "verbs")},
        "emoji": words["emoji"],
        "symbols": _symbols(),
        "letters": _letters(),
    }


def write_table(path: str | Path) -> None:
    """Write the table as JSON: keys in order, no spaces, the same bytes wherever Python has the same Unicode.

    Raises:
        OSError: a path that cannot be written.
    """
    check_output(path)
    text = json.dumps(make_table(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    with whole_file(path) as part:
        part.write_bytes(text.encode() + b"\n")


def _characters() -> Iterable[str]:
    return map(chr, range(0x110000))


def _symbols() -> list[tuple[int, str]]:
    codes = [ord(char) for char in _characters() if SYMBOL.fullmatch(char)]
    runs = groupby(enumerate(codes), key=lambda entry: entry[1] - entry[0])
    listed = [[code for _, code in run] for _, run in runs]
    return [(run[0], "|".join(symbol_name(chr(code)) for code in run)) for run in listed]


def _letters() -> list[tuple[int, str]]:
    """Where letters of a script begin; what is no letter belongs to none."""
    runs = groupby((char for char in _characters() if char.isalpha()), key=script_name)
    return [(ord(next(run)), script) for script, run in runs]
