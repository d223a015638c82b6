"""Description -> expression by a chat model, which is asked for named blendshapes as JSON."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import yaml
from tqdm.auto import tqdm
from transformers import Pipeline

from emo3d.blendshapes import BLENDSHAPES, Space, check_space
from emo3d.descriptions import check_descriptions
from emo3d.documents import parse_json, read_json, read_text
from emo3d.files import whole_file
from emo3d.generation.base import to_space

PROMPT = Path(__file__).parent.parent / "assets" / "language-model" / "prompt.yaml"
_SCORE = {"type": "number", "minimum": 0, "maximum": 1}
SCHEMA = {"type": "object", "properties": dict.fromkeys(BLENDSHAPES, _SCORE), "additionalProperties": False}
"""JSON schema of an answer: a score for each blendshape that is not at rest."""
_WRAPPED = re.compile(r"\s*(?:<think>.*?</think>\s*)?(?:```(?:json)?\s(.*)\s```|(.*))\s*", re.DOTALL)


class LanguageModelGenerator:
    """A generator that asks a chat model, and checks what it answers.

    An answer that cannot be used is told to the model with the reason, and asked for again; no score is clipped or
    guessed. Nothing is loaded or asked before `generate`.

    Args:
        chat_model: a `transformers.pipeline("text-generation")`, a `huggingface_hub.InferenceClient`, or a function of
            messages (`[{"role": ..., "content": ...}]`) that returns the model's text.
        id: the model's name, for leaderboards and the cache. A function needs one, and a client of an address, which
            asks for the model of this name there.
        revision: of the model, for the cache; that of a pipeline where it knows it.
        temperature: 0 takes the likeliest answer. Functions are told neither this nor `max_tokens`.
        max_tokens: of an answer; all 51 blendshapes by name are about 600.
        retries: how often a description is asked again after an answer that cannot be used.
        json_schema: whether a client is given `SCHEMA`; servers that know no schemas refuse it.
        cache: a folder for answers, one file each, which several processes can share; None keeps none.

    Raises:
        ValueError: a chat model without a name, a pipeline of another task, or a number below 0.
    """

    def __init__(
        self,
        chat_model: Any,
        id: str | None = None,
        *,
        revision: str | None = None,
        temperature: float = 0.0,
        max_tokens: int = 1024,
        retries: int = 2,
        json_schema: bool = True,
        cache: str | os.PathLike[str] | None = None,
    ) -> None:
        config = chat_model.model.config if isinstance(chat_model, Pipeline) else None
        if config is not None and chat_model.task != "text-generation":
            raise ValueError(f"expected a pipeline of the task text-generation, got {chat_model.task}")
        self._is_client = hasattr(chat_model, "chat_completion")
        own = config.name_or_path if config is not None else chat_model.model if self._is_client else None
        self._asked = id if not own or own.startswith(("http:", "https:")) else own  # an address names no model
        self.chat_model, self.id = chat_model, id or self._asked
        if not self.id:
            raise ValueError(f"expected the id of a chat model that does not say its own, got {id!r}")
        if retries < 0 or not temperature >= 0:
            raise ValueError(f"expected retries and temperature of 0 or more, got {retries} and {temperature}")
        self.revision = revision or getattr(config, "_commit_hash", None)
        self.temperature, self.max_tokens, self.retries = temperature, max_tokens, retries
        self.json_schema, self.cache = json_schema, None if cache is None else Path(cache)
        # What is asked of every generator where they are evaluated.
        self.name_or_path, self.config = self.id, SimpleNamespace(space="weights")

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
                scores[text] = self._scores_of(text, row, seed)
        expressions = [[float(scores[text].get(name, 0)) for name in BLENDSHAPES] for text in texts]
        return to_space(torch.tensor(expressions), "weights", target)

    def _scores_of(self, description: str, row: int, seed: int) -> dict[str, float]:
        messages = make_messages(description)
        sampling = [self.temperature, self.temperature and seed, self.max_tokens, self.json_schema]
        key = json.dumps([self.id, self._asked, self.revision, messages, sampling])
        file = self.cache and self.cache / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
        if file and file.is_file():
            with contextlib.suppress(ValueError, KeyError, TypeError):  # one that a full disk cut short is asked again
                return parse_answer(read_json(file)["answer"])
        for attempt in range(self.retries + 1):
            answer = self._ask(messages, seed + attempt)
            try:
                scores = parse_answer(answer)
            except ValueError as error:
                reason = str(error)
                again = f"That cannot be used: {reason}. Answer again, with the JSON object only."
                turns = [("assistant", answer[:4000]), ("user", again)]
                messages = [*messages, *({"role": role, "content": content} for role, content in turns)]
                continue
            if file:
                file.parent.mkdir(parents=True, exist_ok=True)
                with whole_file(file) as part:
                    part.write_text(json.dumps({"description": description, "model": self.id, "answer": answer}))
            return scores
        raise ValueError(
            f"row {row}, {description!r:.80}: {reason}; answer {attempt + 1} of {self.id}: {answer!r:.200}"
        )

    def _ask(self, messages: list[dict[str, str]], seed: int) -> str:
        options: dict[str, Any]
        model, options = self.chat_model, {}
        if isinstance(model, Pipeline):
            options = {"do_sample": True, "temperature": self.temperature} if self.temperature else {"do_sample": False}
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                texts = model(messages, max_new_tokens=self.max_tokens, return_full_text=False, **options)
            return texts[0]["generated_text"]
        if not self._is_client:
            if not isinstance(answer := model(messages), str):
                raise TypeError(f"expected a text from {self.id}, got {answer!r:.80}")
            return answer
        if self.json_schema:
            schema = {"name": "expression", "schema": SCHEMA}
            options["response_format"] = {"type": "json_schema", "json_schema": schema}
        options |= {"model": self._asked, "max_tokens": self.max_tokens, "temperature": self.temperature, "seed": seed}
        return model.chat_completion(messages, **options).choices[0].message.content or ""


def make_messages(description: str) -> list[dict[str, str]]:
    """Put a description behind the prompt: messages of a chat."""
    return [*yaml.safe_load(read_text(PROMPT)), {"role": "user", "content": description}]


def parse_answer(text: str) -> dict[str, float]:
    """Read scores by name from a chat model's text, JSON alone, in a code fence or after its `<think>`.

    Raises:
        ValueError: no JSON object, a name that is no blendshape or comes twice, or a score that is no number in 0..1.
    """
    wrapped = _WRAPPED.fullmatch(text)
    text = (wrapped[1] or wrapped[2]) if wrapped else text
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
