"""`emo3d serve`: faces for programs and agents, over HTTP, WebSocket and MCP, without a page."""

from importlib.util import find_spec

from emo3d.hints import extra_named

with extra_named():
    for _name in ("jsonschema", "mcp", "starlette", "uvicorn", "websockets"):
        if find_spec(_name) is None:
            raise ModuleNotFoundError(name=_name)
