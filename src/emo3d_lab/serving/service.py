"""The tools behind their queues: one call for HTTP, WebSocket and MCP."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from emo3d_lab.serving.lanes import BusyError, Lane
from emo3d_lab.serving.metrics import Metrics

if TYPE_CHECKING:
    from emo3d_lab.serving.faces import Answer, Generation, Wish

WINDOW = 0.002
"""Seconds that a text waits for others to be generated with it."""


logger = logging.getLogger(__name__)


class NotReadyError(Exception):
    """The model is still being loaded."""


class Explanation(NamedTuple):
    """An error for who asked: HTTP's status, a sentence, and seconds after which to try again."""

    status: int
    sentence: str
    retry: int | None = None


def explain(error: Exception) -> Explanation:
    """Say an error in words; what nobody outside can mend is logged, by its place and without texts."""
    if isinstance(error, BusyError):
        return Explanation(429, str(error), error.seconds)
    if isinstance(error, TimeoutError):
        return Explanation(504, str(error), 1)
    if isinstance(error, NotReadyError):
        return Explanation(503, str(error), 2)
    if isinstance(error, ValueError):
        return Explanation(422, str(error))
    if isinstance(error, (OSError, ModuleNotFoundError)) and not getattr(error, "filename", None):
        return Explanation(501, str(error))
    place = "".join(traceback.format_tb(error.__traceback__)[-3:])
    logger.error("%s at\n%s", type(error).__name__, place)
    return Explanation(500, f"the server made a mistake ({type(error).__name__}); its log says where")


class Service:
    """All tools of one server.

    Args:
        model: what `load_generator` takes.
        onnx: folder of `emo3d export --onnx`, in place of the model.
        batch: texts that are generated together at most; 1 for none.
        limit: texts that wait at most.
        timeout: seconds in which a request is answered, else given up.
    """

    def __init__(
        self,
        model: str = "quickstart",
        onnx: Path | None = None,
        *,
        batch: int = 32,
        limit: int = 256,
        timeout: float = 30.0,
    ) -> None:
        self.model = onnx.name if onnx else Path(model).name if Path(model).is_dir() else model
        self.timeout, self.limit, self.metrics = timeout, limit, Metrics()
        self.failure: Exception | None = None
        self._source = model, onnx
        self._generation: Generation | None = None
        metrics = self.metrics
        window = WINDOW if batch > 1 else 0.0
        self.express = Lane("express", self._generate, metrics, limit=limit, most=batch, window=window)
        self._act = Lane("act", _each(self._perform), metrics, limit=64, threads=4)  # they wait for `express`
        self._draw = Lane("render", _each(self._work), metrics, limit=32)
        self._read = Lane("read_picture", _each(self._work), metrics, limit=8)
        self._score = Lane("score", _each(self._work), metrics, limit=8)
        self._lanes = (self.express, self._act, self._draw, self._read, self._score)

    @property
    def ready(self) -> bool:
        """Whether the model is loaded."""
        return self._generation is not None

    def leave(self) -> None:
        """End the process where something is computed still: PyTorch's threads may not outlive the interpreter."""
        if not self.ready or any(lane.busy for lane in self._lanes):
            sys.stdout.flush()
            os._exit(0)

    def load(self) -> None:
        """Load the model and generate once, and render; what is wrong with it is raised, and kept as `failure`."""
        try:
            from emo3d_lab.serving.faces import Generation, Wish, open_generator

            generation = Generation(open_generator(*self._source))
            generation.answer([Wish("she is thrilled")])  # the first takes longer
            self._generation = generation
            # Its kernels are compiled the first time on a machine.
            self._draw.put([("render", {"weights": {}, "identity": "adult", "size": 64})])
        except Exception as error:
            self.failure = error
            raise

    async def wait(self) -> None:
        """Wait until the model is loaded, as long as a request may take."""
        end = time.monotonic() + self.timeout
        while not self.ready and self.failure is None and time.monotonic() < end:
            await asyncio.sleep(0.05)

    async def call(self, name: str, request: Any) -> dict[str, Any] | bytes:
        """Answer a tool's checked input; of `read_picture` a picture's bytes.

        Raises:
            ValueError: it cannot be answered; one sentence says why.
            BusyError, TimeoutError, NotReadyError: not now.
            OSError: something is not installed.
        """
        generation = self._loaded()
        if name == "express":
            return await self._expressed(generation, request)
        lane = {"act": self._act, "read_picture": self._read, "score": self._score}.get(name, self._draw)
        return (await lane.ask([(name, request)], self.timeout))[0]

    async def _expressed(self, generation: Generation, request: dict[str, Any]) -> dict[str, Any]:
        from emo3d_lab.serving.faces import Wish

        if ("text" in request) == ("texts" in request):
            raise ValueError(f"expected either text or texts, got {'both' if 'text' in request else 'neither'}")
        texts = request.get("texts") or [request["text"]]
        wishes = [generation.check(Wish(text, float(request["strength"]), int(request["seed"]))) for text in texts]
        answers: list[Answer] = await self.express.ask(wishes, self.timeout)
        if "text" in request:
            return answers[0].to_dict() | {"space": "weights"}
        return {"faces": [answer.to_dict() for answer in answers], "space": "weights"}

    def _loaded(self) -> Generation:
        if self.failure is not None:
            raise NotReadyError(f"the model cannot be loaded: {self.failure}")
        if self._generation is None:
            raise NotReadyError("the model is being loaded: please try again in a few seconds")
        return self._generation

    def _generate(self, wishes: Sequence[Wish]) -> list[Answer]:
        return self._loaded().answer(wishes)

    def generate(self, descriptions: Sequence[str], *, strength: float = 1.0) -> np.ndarray:
        """What an `Actor` asks for: expressions (N, 51), generated with what waits at the same time."""
        from emo3d_lab.serving.faces import Wish

        generation = self._loaded()
        wishes = [generation.check(Wish(text, strength)) for text in descriptions]
        return np.stack([future.result(self.timeout).weights for future in self.express.put(wishes)])

    def _perform(self, name: str, request: dict[str, Any]) -> Any:
        from emo3d_lab.serving.faces import act, perform

        return perform(self.generate, request)[0] if name == "stream" else act(self.generate, request)

    async def perform(self, request: dict[str, Any]) -> Any:
        """The `Actor` after a line, whose state before is in the request; errors as for `call`."""
        self._loaded()
        return (await self._act.ask([("stream", request)], self.timeout))[0]

    def _work(self, name: str, request: Any) -> dict[str, Any] | bytes:
        from emo3d_lab.serving.faces import WORKS

        return WORKS[name](request)

    def start(self, failed: Callable[[], None] = lambda: None) -> None:
        """Load in a thread, and call `failed` there if it fails."""

        def run() -> None:
            try:
                self.load()
            except Exception:
                failed()

        threading.Thread(target=run, name="loading", daemon=True).start()


def _each(work: Callable[[str, Any], Any]) -> Callable[[list[Any]], list[Any]]:
    return lambda items: [work(*item) for item in items]
