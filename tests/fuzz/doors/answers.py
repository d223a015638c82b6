"""A folder of answers to the judging task."""

import json
from dataclasses import asdict
from pathlib import Path


def seeds(folder: Path) -> list[dict[str, bytes]]:
    from emo3d_lab.judging.answers import Answer

    answers = [
        Answer("one", "a" * 12, agrees=True, seconds=2.5, sequence=1),
        Answer("one", "a" * 12, agrees=False, intensities=[0.1] * 8, sequence=2),
        Answer("two", "b" * 12, better="first", sequence=3),
    ]
    lines = [json.dumps(asdict(answer)) + "\n" for answer in answers]
    older = [json.dumps({k: v for k, v in asdict(answer).items() if k != "sequence"}) + "\n" for answer in answers]
    return [{"answers-1.jsonl": "".join(lines).encode(), "answers-2.jsonl": "".join(older).encode()}]


def enter(folder: Path) -> None:
    from emo3d_lab.judging.answers import Answer, Answers

    answers = Answers(folder)
    answers.tasks_of("one")
    answers.add(Answer("three", "c", agrees=True))
