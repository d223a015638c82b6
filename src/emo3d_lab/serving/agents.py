"""The tools for agents: an MCP server, over HTTP or over standard input and output."""

from __future__ import annotations

import base64
import binascii
import json
import logging
from typing import Any

from mcp import types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

import emo3d
from emo3d_lab.serving.checks import check_input
from emo3d_lab.serving.service import Service, explain
from emo3d_lab.serving.tools import LARGEST_PICTURE, TOOLS, Tool

_INSTRUCTIONS = (
    "Faces for characters: express gives the 52 ARKit blendshape weights for a text, act those for the next line of a "
    "conversation; render and glb show them, read_picture reads them off a photograph, score says how well they show "
    "what was described. Left and right are the character's own."
)


def make_agent_server(service: Service) -> Server[Any, Any]:
    """The MCP server of a service: its tools have the schemas of `TOOLS`, and their errors are sentences."""
    logging.getLogger("mcp").setLevel(logging.CRITICAL)  # its warnings quote what was sent
    server: Server[Any, Any] = Server("emo3d", version=emo3d.__version__, instructions=_INSTRUCTIONS)

    @server.list_tools()
    async def list_tools() -> list[types.Tool]:
        return [_described(tool) for tool in TOOLS.values()]

    @server.call_tool(validate_input=False)  # `check_input` says it in a sentence
    async def call_tool(name: str, arguments: dict[str, Any]) -> Any:
        try:
            tool = TOOLS.get(name)
            if tool is None:
                raise ValueError(f"expected a tool of {', '.join(TOOLS)}, got {name!r:.60}")
            request: Any = check_input(tool, arguments)
            if name == "read_picture":
                request = _decode(request["picture"])
            await service.wait()
            answer = await service.call(name, request)
        except Exception as error:  # what is raised here becomes the text of a result that is an error
            raise RuntimeError(explain(error).sentence) from None
        if isinstance(answer, bytes):
            return [_file(tool, answer)]
        # As a whole result: of parts, the library checks the output's schema anew for 10 ms.
        text = types.TextContent(type="text", text=json.dumps(answer))
        return types.CallToolResult(content=[text], structuredContent=answer)

    return server


async def serve_stdio(service: Service) -> None:
    """Serve one agent over standard input and output, until it closes them."""
    server = make_agent_server(service)
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


def _described(tool: Tool) -> types.Tool:
    hints = types.ToolAnnotations(title=tool.title, readOnlyHint=True, openWorldHint=False)
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        inputSchema=tool.schema,
        outputSchema=tool.answer_schema,
        annotations=hints,
    )


def _decode(text: str) -> bytes:
    try:
        content = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"expected a picture as base64: {error}") from None
    if len(content) > LARGEST_PICTURE:
        raise ValueError(f"expected a picture of at most {LARGEST_PICTURE:,} bytes, got {len(content):,}")
    return content


def _file(tool: Tool, content: bytes) -> types.ImageContent | types.EmbeddedResource:
    text = base64.b64encode(content).decode()
    if tool.media.startswith("image/"):
        return types.ImageContent(type="image", data=text, mimeType=tool.media)
    resource = types.BlobResourceContents(uri="emo3d://face.glb", blob=text, mimeType=tool.media)  # type: ignore[arg-type]
    return types.EmbeddedResource(type="resource", resource=resource)
