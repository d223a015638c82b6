"""Chat models: asked, told what is wrong with an answer, asked again; answers that can be used are kept on disk."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import Pipeline

from emo3d.documents import read_json
from emo3d.files import whole_file

_WRAPPED = re.compile(r"\s*(?:<think>.*?</think>\s*)?(?:```(?:json)?\s(.*)\s```|(.*))\s*", re.DOTALL)

Message = dict[str, Any]
"""`role`, and `content`: a text, or a list of texts and pictures as the chat-completions protocol has them."""


class AnswerError(ValueError):
    """An answer that cannot be used after all retries; the message has the reason and the answer."""


@dataclass(frozen=True)
class Form:
    """What an answer has to be.

    Attributes:
        name: of the schema.
        words: what is asked for once more, as in "the JSON object".
        parse: reads an answer; a ValueError says what is wrong with it.
        schema: JSON schema of an answer, for clients.
    """

    name: str
    words: str
    parse: Callable[[str], Any]
    schema: Mapping[str, Any]

    def complaint(self, error: ValueError) -> str:
        """What a model is told of an answer that cannot be used."""
        return f"That cannot be used: {error}. Answer again, with {self.words} only."


class ChatModel:
    """A chat model that is asked for answers of one form.

    An answer that cannot be used is told to the model with the reason, and asked for again; nothing is clipped or
    guessed. Nothing is loaded or asked before the first question.

    Args:
        chat_model: a `transformers.pipeline` of the class's `task`, a `huggingface_hub.InferenceClient`, or a function
            of messages (`[{"role": ..., "content": ...}]`) that returns the model's text.
        id: the model's name, for tables and the cache. A function needs one, and a client of an address, which
            asks for the model of this name there.
        revision: of the model, for the cache; that of a pipeline where it knows it.
        temperature: 0 takes the likeliest answer. Functions are told neither this nor `max_tokens`.
        max_tokens: of an answer; all 51 blendshapes by name are about 600.
        retries: how often is asked again after an answer that cannot be used.
        json_schema: whether a client is given the schema of answers; servers that know no schemas refuse it.
        cache: a folder for answers, one file each, which several processes can share; None keeps none.

    Raises:
        ValueError: a chat model without a name, a pipeline of another task, or a number below 0.
    """

    form: Form
    task = "text-generation"

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
        self.is_local = isinstance(chat_model, Pipeline)
        config = chat_model.model.config if self.is_local else None
        if config is not None and chat_model.task != self.task:
            raise ValueError(f"expected a pipeline of the task {self.task}, got {chat_model.task}")
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

    def ask(self, messages: Sequence[Message], description: str, seed: int = 0) -> Any:
        """Ask until an answer can be used; one that the cache has is not asked for again.

        Args:
            messages: of the chat so far.
            description: what the question is about, for whoever looks into the cache.
            seed: of a temperature above 0.

        Returns:
            What `form.parse` makes of the answer.

        Raises:
            AnswerError: no answer can be used after all retries.
            OSError: a client could not ask.
        """
        sampling = [self.temperature, self.temperature and seed, self.max_tokens, self.json_schema]
        key = json.dumps([self.id, self._asked, self.revision, messages, sampling])
        file = self.cache and self.cache / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
        if file and file.is_file():
            with contextlib.suppress(ValueError, KeyError, TypeError):  # one that a full disk cut short is asked again
                return self.form.parse(read_json(file)["answer"])
        for attempt in range(self.retries + 1):
            answer = self._ask(messages, seed + attempt)
            try:
                parsed = self.form.parse(answer)
            except ValueError as error:
                reason = error
                turns = [("assistant", answer[:4000]), ("user", self.form.complaint(error))]
                messages = [*messages, *({"role": role, "content": content} for role, content in turns)]
                continue
            if file:
                file.parent.mkdir(parents=True, exist_ok=True)
                with whole_file(file) as part:
                    part.write_text(json.dumps({"description": description, "model": self.id, "answer": answer}))
            return parsed
        raise AnswerError(f"{reason}; answer {attempt + 1} of {self.id}: {answer!r:.200}")

    def _ask(self, messages: Sequence[Message], seed: int) -> str:
        options: dict[str, Any]
        model, options = self.chat_model, {}
        if self.is_local:
            options = {"do_sample": True, "temperature": self.temperature} if self.temperature else {"do_sample": False}
            if self.task != "text-generation":  # of pictures, too
                messages, options = [_in_parts(message) for message in messages], {"generate_kwargs": options}
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                texts = model(messages, max_new_tokens=self.max_tokens, return_full_text=False, **options)
            return texts[0]["generated_text"]
        if not self._is_client:
            if not isinstance(answer := model(messages), str):
                raise TypeError(f"expected a text from {self.id}, got {answer!r:.80}")
            return answer
        if self.json_schema:
            schema = {"name": self.form.name, "schema": self.form.schema}
            options["response_format"] = {"type": "json_schema", "json_schema": schema}
        options |= {"model": self._asked, "max_tokens": self.max_tokens, "temperature": self.temperature, "seed": seed}
        try:
            return model.chat_completion(messages, **options).choices[0].message.content or ""
        except OSError:
            raise
        except Exception as error:  # of httpx, requests, ..., as the client has it; or a reply of another form
            raise OSError(f"{self.id} could not be asked: {type(error).__name__}: {error}") from error


def unwrapped(answer: str) -> str:
    """A chat model's text without its `<think>` and without the code fence around it."""
    wrapped = _WRAPPED.fullmatch(answer)
    return (wrapped[1] or wrapped[2]) if wrapped else answer


def _in_parts(message: Message) -> Message:
    """A message as processors of pictures take it: a list of parts, with pictures as transformers names them."""
    content: Any = message["content"]
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    pictures = ({"type": "image", "url": part["image_url"]["url"]} if "image_url" in part else part for part in content)
    return {"role": message["role"], "content": list(pictures)}
