"""WebSocket `/stream`: lines come in, the weights of a face that acts them go out, frame by frame."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import numpy as np
from starlette.websockets import WebSocket, WebSocketDisconnect

from emo3d.face.rig import TARGETS
from emo3d.ranges import real_number
from emo3d_lab.serving.checks import parse_input
from emo3d_lab.serving.service import Service, explain
from emo3d_lab.serving.tools import ACT

MOST_STREAMS = 32
MOST_LINES = 8
"""Lines of one connection that wait."""
RATES = (1.0, 60.0)
"""Frames a second, least and most."""
IDLE_SECONDS = 600.0
SEND_SECONDS = 10.0
"""In which a client has to take a frame."""
_STILL = 1e-4  # a face of which no weight changes by more is not sent again


class Stream:
    """One connection, with an actor of its own.

    The first message out names the numbers: `{"names": [52 of ARKit], "rate": frames a second}`. Lines come in as
    `{"line": ..., "context": ..., "strength": ...}`, the first perhaps with a `state`; each is answered by `{"line":
    number, "state": ...}` or `{"error": sentence}`. Frames are `{"at": seconds, "weights": [52 of 0..1]}`; while the
    face is still, none are sent.
    """

    def __init__(self, service: Service, socket: WebSocket, rate: float) -> None:
        self._service, self._socket, self._rate = service, socket, rate
        self._lines: asyncio.Queue[dict[str, Any]] = asyncio.Queue(MOST_LINES)
        self._actor: Any = None
        self._start = time.time()

    async def run(self) -> None:
        """Serve the connection until it ends, or has been silent for `IDLE_SECONDS`."""
        await self._send({"names": TARGETS, "rate": self._rate})
        tasks = [asyncio.create_task(work()) for work in (self._read, self._perform, self._play)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _send(self, document: dict[str, Any]) -> None:
        await asyncio.wait_for(self._socket.send_text(json.dumps(document)), SEND_SECONDS)

    async def _read(self) -> None:
        while True:
            try:
                message = await asyncio.wait_for(self._socket.receive(), IDLE_SECONDS)
            except asyncio.TimeoutError:
                await self._socket.close(1000, f"no line for {IDLE_SECONDS:g} s")
                return
            if message["type"] == "websocket.disconnect":
                return
            try:
                content = message.get("bytes") or (message.get("text") or "").encode("utf-8", "surrogatepass")
                self._lines.put_nowait(parse_input(ACT, content))
            except ValueError as error:
                await self._send({"error": str(error)})
            except asyncio.QueueFull:
                await self._send({"error": f"expected at most {MOST_LINES} lines that wait, got one more"})

    async def _perform(self) -> None:
        number = 0
        while True:
            request = await self._lines.get()
            if self._actor is not None:
                request = {"state": self._actor.state} | request
            try:
                self._actor = await self._service.perform(request)
            except Exception as error:
                await self._send({"error": explain(error).sentence})
                continue
            number += 1
            await self._send({"line": number, "state": self._actor.state})

    async def _play(self) -> None:
        shown = np.full(len(TARGETS), -1.0)
        frame = 0
        while True:
            frame = max(frame + 1, int((time.time() - self._start) * self._rate))  # late frames are left out
            await asyncio.sleep(max(0.0, self._start + frame / self._rate - time.time()))
            if self._actor is None:
                continue
            weights = self._actor.weights(max(time.time(), self._actor.state["at"]))
            if np.abs(weights - shown).max() > _STILL:
                shown = weights
                await self._send({"at": round(frame / self._rate, 4), "weights": np.round(weights, 4).tolist()})


async def stream(socket: WebSocket) -> None:
    """The endpoint: `/stream?rate=30`."""
    service: Service = socket.app.state.service
    try:
        rate = real_number("rate", float(socket.query_params.get("rate", "30")))
        if not RATES[0] <= rate <= RATES[1]:
            raise ValueError
    except ValueError:
        await socket.accept()
        await socket.close(1008, f"expected a rate of {RATES[0]:g} to {RATES[1]:g} frames a second")
        return
    await socket.accept()
    if service.metrics.streams >= MOST_STREAMS or not service.ready:
        await socket.close(1013, "too many streams, or the model is being loaded: please try again in 2 s")
        return
    service.metrics.streams += 1
    try:
        await Stream(service, socket, rate).run()
    except (WebSocketDisconnect, asyncio.TimeoutError):
        pass
    finally:
        service.metrics.streams -= 1
