"""What stands before the endpoints: who may ask, how much and how long; and what is counted and logged."""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
import time
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emo3d_lab.serving.metrics import Metrics

logger = logging.getLogger(__name__)

LOOPBACK = ("127.0.0.1", "localhost", "::1")
BODY_SECONDS = 20.0
"""In which a request's body has to be there."""
LARGEST_BODIES = {"/read_picture": 5_000_000, "/mcp": 7_000_000}
LARGEST_BODY = 512_000
"""Bytes of a body, but for those of `LARGEST_BODIES`."""
MOST_HELD = 128_000_000
"""Bytes of all bodies together."""
MOST_REQUESTS = 512
"""Requests that are answered at once."""


@dataclass(frozen=True)
class Access:
    """Who may ask.

    Attributes:
        host: address that the server listens on; on a loopback address only requests that name one are answered.
        origins: of pages that may ask, as browsers send them; a request without an origin comes from no page.
        token: that requests have to bear, `Authorization: Bearer ...`; none needed where None.
    """

    host: str = "127.0.0.1"
    origins: tuple[str, ...] = ()
    token: str | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches the server: 127.0.0.0/8 and ::1."""
        address = ip_address(self.host)
        return (getattr(address, "ipv4_mapped", None) or address).is_loopback

    def refuse(self, path: str, headers: Headers) -> Response | None:
        """The answer to a request that may not be asked; None where it may."""
        named = headers.get("host", "").lower()
        name = re.sub(r":\d*$", "", named).strip("[]")
        if self.is_loopback and name not in (*LOOPBACK, self.host):  # DNS rebinding: a page's own name, that leads here
            return problem(421, f"expected the host {self.host}, got {name!r:.60}")
        origin = headers.get("origin")
        own = self.is_loopback and origin == f"http://{named}"
        if origin is not None and not own and origin not in self.origins:
            return problem(403, f"expected an origin that --origin allows, got {origin!r:.80}")
        if self.token is not None and path != "/health":
            sent = headers.get("authorization", "").encode()
            if not hmac.compare_digest(sent, f"Bearer {self.token}".encode()):
                sentence = "expected the header Authorization: Bearer, with this server's token"
                return problem(401, sentence, {"WWW-Authenticate": "Bearer"})
        return None


def problem(status: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
    """An error in words."""
    return JSONResponse({"error": sentence}, status, headers)


class Gate:
    """Middleware: checks who asks, reads bodies within limits, counts and logs.

    Args:
        paths: of the endpoints; all others are counted as one.
    """

    def __init__(self, app: ASGIApp, access: Access, metrics: Metrics, paths: Collection[str]) -> None:
        self._app, self._access, self._metrics, self._paths = app, access, metrics, frozenset(paths)
        self._held = self._active = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or let it through."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        path = scope["path"] if scope["path"] in self._paths else "other"
        refusal = self._access.refuse(path, Headers(scope=scope))
        if scope["type"] == "websocket":
            if refusal is not None:
                await receive()
                await send({"type": "websocket.close", "code": 1008})  # 403 to who asks
            else:
                await self._app(scope, receive, send)
            return
        status, start = 500, time.perf_counter()

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._active += 1
        body: bytes | None = None
        try:
            if refusal is None and self._active > MOST_REQUESTS:
                refusal = self._busy()
            if refusal is None:
                read = await self._read(scope, receive, path)
                start = time.perf_counter()
                if isinstance(read, bytes):
                    body = read
                else:
                    refusal = read
            if refusal is not None:
                await refusal(scope, receive, note)
            else:
                await self._app(scope, replay(body or b"", receive), note)
        finally:
            self._active -= 1
            self._held -= len(body or b"")
            seconds = time.perf_counter() - start
            self._metrics.requests[path, status] += 1
            self._metrics.seconds[path].observe(seconds)
            logger.info("%.20s %s %d %.1f ms", scope["method"], path, status, 1000 * seconds)

    def _busy(self) -> Response:
        self._metrics.rejected["requests"] += 1
        return problem(429, "too many requests at once: please try again in 1 s", {"Retry-After": "1"})

    async def _read(self, scope: Scope, receive: Receive, path: str) -> bytes | Response:
        """The body, or what is wrong with it; what is read counts as held."""
        largest = LARGEST_BODIES.get(path, LARGEST_BODY)
        large = problem(413, f"expected a body of at most {largest:,} bytes, got more")
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdecimal() and int(declared[:20]) > largest:
            return large
        parts: list[bytes] = []
        count, end, whole = 0, time.monotonic() + BODY_SECONDS, False
        try:
            while True:
                message: Any = await asyncio.wait_for(receive(), max(0.0, end - time.monotonic()))
                if message["type"] == "http.disconnect":
                    return problem(400, "expected a whole body, the connection ended")
                part = message.get("body", b"")
                parts.append(part)
                count += len(part)
                self._held += len(part)
                if count > largest:
                    return large
                if self._held > MOST_HELD:
                    return self._busy()
                if not message.get("more_body"):
                    whole = True
                    return b"".join(parts)
        except asyncio.TimeoutError:
            return problem(408, f"expected the whole body within {BODY_SECONDS:g} s, got {count:,} bytes")
        finally:
            if not whole:
                self._held -= count


def replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body in one message, then what comes after it."""
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed
