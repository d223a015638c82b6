"""The server's process: a socket, connections that may not dawdle, and an end that answers what was accepted."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from emo3d_lab.serving.app import make_app
from emo3d_lab.serving.gate import Access
from emo3d_lab.serving.service import Service

PATIENCE = 10.0
"""Seconds in which a request's head has to be there, and in which a client has to take what is sent."""
MOST_CONNECTIONS = 1000


class _PatientProtocol(H11Protocol):
    """Uvicorn's HTTP, which ends connections whose request does not come, or whose answer is not taken."""

    _is_upgraded = False
    _timers: dict[str, asyncio.TimerHandle]

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._timers = {}
        self._expect("head")

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_upgraded or (self.cycle is not None and not self.cycle.response_complete):
            self._came("head")
        else:  # a part of a head
            self._expect("head")

    def handle_websocket_upgrade(self, event: Any) -> None:
        if event.method != b"GET":  # the library would hold the connection, and never answer
            self.send_400_response("expected GET to open a WebSocket")
            return
        self._is_upgraded = True
        super().handle_websocket_upgrade(event)

    def connection_lost(self, exc: Exception | None) -> None:
        self._came("head")
        self._came("room")
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect("room")

    def resume_writing(self) -> None:
        self._came("room")
        super().resume_writing()

    def _expect(self, event: str) -> None:
        if event not in self._timers:
            self._timers[event] = self.loop.call_later(PATIENCE, self.transport.abort)

    def _came(self, event: str) -> None:
        if timer := self._timers.pop(event, None):
            timer.cancel()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Uvicorn raises the signals again at its end, so that the process would not end with 0."""
        handlers = {sign: signal.signal(sign, self.handle_exit) for sign in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for sign, handler in handlers.items():
                signal.signal(sign, handler)


def open_socket(host: str, port: int) -> socket.socket:
    """Listen; an OSError says in a sentence why that is not possible."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=1024)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        got = f"{host}:{port} cannot be listened on: {reason}"
        raise OSError(f"expected a free port of this machine (--port), {got}") from None


def serve_http(
    service: Service, access: Access, listener: socket.socket, started: Callable[[], None], grace: float = 30.0
) -> None:
    """Serve until SIGTERM or SIGINT; then accept nothing more, and end when all is answered.

    Args:
        started: called once requests are accepted; the model may still be loading.
        grace: seconds after which requests that are still open are given up.

    Raises:
        Exception: the model cannot be loaded.
    """
    config = uvicorn.Config(
        make_app(service, access),
        http=_PatientProtocol,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=ceil(grace),
        ws_max_size=65_536,
    )
    server = _Server(config, started)
    service.start(failed=lambda: setattr(server, "should_exit", True))
    server.run(sockets=[listener])
    if service.failure is not None:
        raise service.failure
    service.leave()
