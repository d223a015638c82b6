"""The application: endpoints over a service, behind the gate."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import escape
from pathlib import Path
from typing import Any

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

import emo3d
from emo3d_lab.serving.agents import make_agent_server
from emo3d_lab.serving.checks import parse_body, parse_input
from emo3d_lab.serving.gate import LARGEST_BODIES, Access, Gate, problem, replay
from emo3d_lab.serving.service import Service, explain
from emo3d_lab.serving.streams import stream
from emo3d_lab.serving.tools import TOOLS, Tool

_SKILLS = (
    Path(__file__).parents[1] / "assets" / "skill" / "SKILL.md",
    Path(__file__).parents[3] / "skills" / "emo3d" / "SKILL.md",
)


def make_app(service: Service, access: Access) -> Starlette:
    """The application of a service."""
    agents = StreamableHTTPSessionManager(
        make_agent_server(service),
        json_response=True,
        stateless=True,
        max_request_body_size=LARGEST_BODIES["/mcp"],
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with agents.run():
            yield

    routes: list[Any] = [Route(f"/{tool.name}", _endpoint(tool), methods=["POST"]) for tool in TOOLS.values()]
    routes += [Route(path, answer) for path, answer in _PAGES.items()]
    routes += [Route("/mcp", _Agents(agents), methods=["POST"]), WebSocketRoute("/stream", stream)]
    paths = [route.path for route in routes]
    middleware = [Middleware(Gate, access=access, metrics=service.metrics, paths=paths)]
    if access.origins:
        headers = ["authorization", "content-type", "mcp-protocol-version", "mcp-session-id"]
        allowed: dict[str, Any] = {"allow_origins": list(access.origins), "allow_methods": ["GET", "POST"]}
        middleware.insert(
            0, Middleware(CORSMiddleware, allow_headers=headers, expose_headers=["Retry-After"], **allowed)
        )
    app = Starlette(routes=routes, middleware=middleware, lifespan=lifespan)
    app.router.redirect_slashes = False  # /express/ is a mistake, to be said in words
    app.add_exception_handler(HTTPException, _not_found)
    app.state.service = service
    return app


class _Agents:
    """MCP, by POST alone: others would hold a connection open for nothing, since nothing is pushed."""

    def __init__(self, manager: StreamableHTTPSessionManager) -> None:
        self._manager = manager

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await Request(scope, receive).body()
        try:
            parse_body(body)  # what the library meets with an error of its own
        except ValueError as error:
            await problem(400, str(error))(scope, receive, send)
            return
        await self._manager.handle_request(scope, replay(body, receive), send)


def _endpoint(tool: Tool) -> Any:
    async def answer(request: Request) -> Response:
        body = await request.body()
        service: Service = request.app.state.service
        try:
            result = await service.call(tool.name, body if tool.name == "read_picture" else parse_input(tool, body))
        except Exception as error:
            status, sentence, retry = explain(error)
            return problem(status, sentence, None if retry is None else {"Retry-After": str(retry)})
        return Response(result, media_type=tool.media) if isinstance(result, bytes) else JSONResponse(result)

    return answer


async def _not_found(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    paths = ", ".join(route.path for route in request.app.routes)
    expected = f"expected one of {paths}" if status == 404 else "expected another method"
    return problem(status, f"{expected}, got {request.method:.20}", getattr(error, "headers", None))


async def _health(request: Request) -> Response:
    service: Service = request.app.state.service
    state = {"ready": service.ready, "model": service.model, "version": emo3d.__version__}
    return JSONResponse(state, 200 if service.ready else 503, None if service.ready else {"Retry-After": "2"})


async def _metrics(request: Request) -> Response:
    return PlainTextResponse(request.app.state.service.metrics.text(), media_type="text/plain; version=0.0.4")


async def _skill(_: Request) -> Response:
    for path in _SKILLS:
        if path.is_file():
            return PlainTextResponse(path.read_text(encoding="utf-8"), media_type="text/markdown")
    return problem(404, "expected SKILL.md in this installation, it has none")


async def _openapi(_: Request) -> Response:
    return JSONResponse(openapi())


async def _index(request: Request) -> Response:
    policy = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
    return HTMLResponse(index(request.app.state.service), headers=policy)


_PAGES = {"/": _index, "/health": _health, "/metrics": _metrics, "/openapi.json": _openapi, "/SKILL.md": _skill}


def openapi() -> dict[str, Any]:
    """OpenAPI 3.1 of the tools' endpoints, from the same schemas as everything else."""
    error = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
    failures = {"413": "too large", "422": "not as expected", "429": "busy, see Retry-After", "503": "not ready"}
    failures |= {"401": "no token", "501": "something is not installed", "504": "it took too long"}
    words = {
        code: {"description": text, "content": {"application/json": {"schema": error}}}
        for code, text in failures.items()
    }
    paths = {}
    for tool in TOOLS.values():
        bytes_in = tool.name == "read_picture"
        body = {"image/*": {}} if bytes_in else {"application/json": {"schema": tool.schema}}
        good = {"description": tool.title, "content": {tool.media: {"schema": tool.answer_schema or {}}}}
        about = {"operationId": tool.name, "summary": tool.title, "description": tool.description}
        paths[f"/{tool.name}"] = {
            "post": about | {"requestBody": {"required": True, "content": body}, "responses": {"200": good} | words}
        }
    return {"openapi": "3.1.0", "info": {"title": "emo3d", "version": emo3d.__version__}, "paths": paths}


_STYLE = """:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;
padding:0 1rem}code,pre{font:14px/1.5 ui-monospace,monospace}pre{padding:.75rem;border:1px solid;overflow-x:auto}
td{padding:.2rem 1rem .2rem 0;vertical-align:top}"""


def index(service: Service) -> str:
    """A page that says what is here."""
    lines = {f"POST /{name}": tool.title for name, tool in TOOLS.items()}
    lines |= {"WebSocket /stream": "Lines in, frames of a face out", "POST /mcp": "The same for agents, by MCP"}
    rows = "".join(f"<tr><td><code>{line}</code><td>{escape(title)}" for line, title in lines.items())
    links = "".join(f'<a href="{path}">{path}</a> ' for path in list(_PAGES)[1:])
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>emo3d serve</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style><h1>emo3d serve</h1>'
        f"<p>Model {escape(service.model)}, version {emo3d.__version__}.<table>{rows}</table>"
        '<pre>curl ADDRESS/express -d \'{"text": "she is thrilled", "strength": 1}\'</pre>'
        f"<p>{links}</html>"
    )
