"""BEAT: takes of people who speak, with their words and the emotion that they act.

Source: https://github.com/PantoMatrix/PantoMatrix (BEAT, ECCV 2022). A take is `N_NAME_TYPE_FIRST_LAST.json` (speaker,
kind of recording, number of its first and last text) with `names` and `frames` of `weights` and `time`, and beside it
the words, `.TextGrid` of Praat. In speech (TYPE 0, 2, 4, 6) the number of the text says the emotion, as the authors'
`dataloaders` have it; conversation (1, 3, 5, 7) is labelled neutral.
"""

from __future__ import annotations

import re
from pathlib import Path

from emo3d.documents import read_text
from emo3d_lab.neighbours.clip_sources import ClipSource
from emo3d_lab.neighbours.formats import files_of
from emo3d_lab.neighbours.tags import intensities_of

_NAME = re.compile(r"\d+_[^_]+_([0-7])_(\d+)_\d+")
_NUMBERS = (  # first and last number of a speech's text -> its emotion
    (1, 64, "neutral"),
    (65, 72, "happiness"),
    (73, 80, "anger"),
    (81, 86, "sadness"),
    (87, 94, "contempt"),
    (95, 102, "surprise"),
    (103, 110, "fear"),
    (111, 118, "disgust"),
)
_TIER = re.compile(r'name\s*=\s*"words"(.*?)(?=\bitem\s*\[|\Z)', re.DOTALL)
_TEXT = re.compile(r'text\s*=\s*"((?:[^"]|"")*)"')


def find_beat(root: Path, description: str | None = None) -> tuple[dict[str, list[ClipSource]], dict[str, str]]:
    """Find the takes in a folder and the folders in it.

    Args:
        root: the folder.
        description: of takes without words.

    Returns:
        `train` -> sources, described by what is said, and files that are no takes with the reasons.

    Raises:
        ValueError: no take at all.
    """
    sources, reasons = [], {}
    words = {path.with_suffix(""): path for path in files_of(root, ".textgrid", deep=True)}
    for path in files_of(root, ".json", deep=True):
        name = path.relative_to(root).as_posix()
        match = _NAME.fullmatch(path.stem)
        if match is None:
            reasons[name] = "not named as takes are: SPEAKER_NAME_TYPE_FIRST_LAST.json"
            continue
        text, problem = description, ""
        try:
            text = read_words(words.get(path.with_suffix(""), path.with_suffix(".TextGrid")))
        except FileNotFoundError:
            if text is None:
                problem = f"expected its words in {path.stem}.TextGrid, found none: pass --description for such takes"
        except ValueError as error:
            problem = str(error)
        emotion = emotion_of(int(match[1]), int(match[2]))
        intensities = None if emotion is None else tuple(intensities_of(emotion))
        sources.append(ClipSource(name, str(path), (text,) if text else (), emotion=intensities, problem=problem))
    if not sources:
        raise ValueError(f"expected takes named as 1_wayne_0_1_1.json in {root.name}, found none")
    return {"train": sources}, reasons


def emotion_of(recording: int, number: int) -> str | None:
    """The emotion of a take by the kind of recording (0..7) and its text's number; None where nothing says it."""
    if recording % 2:
        return "neutral"
    return next((emotion for first, last, emotion in _NUMBERS if first <= number <= last), None)


def read_words(path: Path) -> str:
    """What is said in a TextGrid of Praat in its long form: the texts of the tier `words`, one after the other.

    Raises:
        ValueError: no such tier, or no words in it.
        FileNotFoundError: no such file.
    """
    tier = _TIER.search(read_text(path))
    if tier is None:
        raise ValueError(f'{path.name}: expected a tier of intervals named "words", found none')
    words = [text.replace('""', '"').strip() for text in _TEXT.findall(tier[1])]
    if not any(words):
        raise ValueError(f"{path.name}: expected words, found only silence")
    return " ".join(filter(None, words))
