"""Description -> expression by a chat model, which is asked for named blendshapes as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import yaml
from tqdm.auto import tqdm

from emo3d.blendshapes import BLENDSHAPES, Space, check_space
from emo3d.descriptions import check_descriptions
from emo3d.documents import parse_json, read_text
from emo3d.generation.base import to_space
from emo3d_lab.chat import AnswerError, ChatModel, Form, Message, unwrapped

PROMPT = Path(__file__).parent.parent / "assets" / "language-model" / "prompt.yaml"
_SCORE = {"type": "number", "minimum": 0, "maximum": 1}
SCHEMA = {"type": "object", "properties": dict.fromkeys(BLENDSHAPES, _SCORE), "additionalProperties": False}
"""JSON schema of an answer: a score for each blendshape that is not at rest."""


def make_messages(description: str) -> list[Message]:
    """Put a description behind the prompt: messages of a chat."""
    return [*yaml.safe_load(read_text(PROMPT)), {"role": "user", "content": description}]


def parse_answer(text: str) -> dict[str, float]:
    """Read scores by name from a chat model's text, JSON alone, in a code fence or after its `<think>`.

    Raises:
        ValueError: no JSON object, a name that is no blendshape or comes twice, or a score that is no number in 0..1.
    """
    text = unwrapped(text)
    scores = parse_json(text)
    if not isinstance(scores, dict):
        raise ValueError(f"expected a JSON object of scores by name, got {text!r:.60}")
    names = [name for name, _ in json.loads(text, object_pairs_hook=list)]  # a dict keeps one of two that are alike
    for name in names:
        score = scores[name]
        if name not in BLENDSHAPES:
            raise ValueError(f"expected names of the 51 blendshapes, got {name!r:.60}")
        if names.count(name) > 1:
            raise ValueError(f"expected each name once, got {name} {names.count(name)} times")
        if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
            raise ValueError(f"expected a number in 0..1 for {name}, got {score!r:.60}")
    return scores


EXPRESSION = Form("expression", "the JSON object", parse_answer, SCHEMA)


def to_expressions(answers: Sequence[Mapping[str, float]], space: Space = "weights") -> np.ndarray:
    """Answers as expressions (N, 51) float32 in 0..1, order `BLENDSHAPES`; what is not named is at rest."""
    weights = [[float(scores.get(name, 0)) for name in BLENDSHAPES] for scores in answers]
    return to_space(torch.tensor(weights), "weights", space)


class LanguageModelGenerator(ChatModel):
    """A generator that asks a chat model for expressions; see `ChatModel` for what it is made of."""

    form = EXPRESSION
    config = SimpleNamespace(space="weights")  # asked of every generator where they are evaluated, as the name is

    @property
    def name_or_path(self) -> str:
        """The model's name."""
        return str(self.id)

    def to(self, _device: Any) -> LanguageModelGenerator:
        """Itself: the chat model stays where it is."""
        return self

    def generate(
        self, descriptions: Sequence[str], batch_size: int = 1, *, seed: int = 0, space: Space | None = None
    ) -> np.ndarray:
        """Generate one expression for every description; those that are alike are asked once.

        Args:
            descriptions: N texts.
            batch_size: of no effect: a chat model is asked for one description at a time.
            seed: of a temperature above 0.
            space: see `ExpressionModel.generate`; chat models are asked for weights.

        Returns:
            (N, 51) float32 in 0..1, order `BLENDSHAPES`, in `space`.

        Raises:
            ValueError: no descriptions, a blank one, an unknown space, or an answer that cannot be used after all
                retries; the message names the row and what came.
        """
        target = check_space(space or "weights")
        texts = check_descriptions(descriptions)
        scores: dict[str, dict[str, float]] = {}
        for row, text in enumerate(tqdm(texts, "Asking", unit=" descriptions", delay=2, leave=False)):
            if text not in scores:
                try:
                    scores[text] = self.ask(make_messages(text), text, seed)
                except AnswerError as error:
                    raise ValueError(f"row {row}, {text!r:.80}: {error}") from error
        return to_expressions([scores[text] for text in texts], target)
