"""Agents: MCP's own client, over HTTP and over standard input and output."""

import asyncio
import base64
import io
import os
import sys

import numpy as np
import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from PIL import Image
from servers import SERVE

from emo3d import load_generator
from emo3d.blendshapes import BLENDSHAPES
from emo3d_lab.serving.tools import TOOLS

TEXT = "She just won the lottery"


def ask(server, conversation):
    async def run():
        async with (
            streamable_http_client(f"{server.address}/mcp") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            return await conversation(session)

    return asyncio.run(run())


async def check_express(session):
    answer = await session.call_tool("express", {"text": TEXT})
    assert not answer.isError
    weights = answer.structuredContent["weights"]
    expected = load_generator().generate([TEXT])[0]
    np.testing.assert_allclose([weights[name] for name in BLENDSHAPES], expected, atol=2e-6)


def test_tools_have_the_schemas_of_the_endpoints(server, client):
    async def conversation(session):
        return (await session.list_tools()).tools

    tools = ask(server, conversation)
    assert [tool.name for tool in tools] == list(TOOLS)
    paths = client.get("/openapi.json").json()["paths"]
    for tool in tools:
        media = paths[f"/{tool.name}"]["post"]["requestBody"]["content"]
        if tool.name != "read_picture":  # over HTTP, the picture is the body
            assert tool.inputSchema == media["application/json"]["schema"]


def test_expresses_and_renders(server):
    async def conversation(session):
        await check_express(session)
        picture = (await session.call_tool("render", {"weights": {"jawOpen": 1}, "size": 96})).content[0]
        assert picture.mimeType == "image/png"
        content = base64.b64decode(picture.data)
        assert Image.open(io.BytesIO(content)).size == (96, 96)
        glb = (await session.call_tool("glb", {"weights": {"jawOpen": 1}})).content[0]
        assert base64.b64decode(glb.resource.blob)[:4] == b"glTF"

    ask(server, conversation)


BAD = [  # tool, arguments, the sentence
    ("express", {"text": "a", "strength": 2}, "expected strength to be a number of 0 to 1.5, got 2"),
    ("express", {}, "expected either text or texts, got neither"),
    ("read_picture", {"picture": "!"}, "expected a picture as base64"),
    ("open", {"path": "/etc/passwd"}, "expected a tool of express, act, render, glb, read_picture, score, got 'open'"),
]


def test_says_mistakes_in_words(server):
    async def conversation(session):
        return [await session.call_tool(tool, arguments) for tool, arguments, _ in BAD]

    for answer, (_, _, sentence) in zip(ask(server, conversation), BAD, strict=True):
        assert answer.isError
        assert sentence in answer.content[0].text


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_holds_no_connection_open_for_nothing(client, method):
    assert client.request(method, "/mcp").status_code == 405


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"jsonrpc": "2.0"}', b"\xff" * 100, b"[" * 10_000])
def test_survives_what_is_no_mcp(client, body):
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    assert client.post("/mcp", content=body, headers=headers).status_code in (400, 422)


def test_refuses_pages_that_are_not_allowed(client):
    assert client.post("/mcp", content=b"{}", headers={"Origin": "https://evil.example"}).status_code == 403


def test_serves_an_agent_that_starts_it(tmp_path):
    async def run():
        arguments = ["-c", SERVE, "serve", "--stdio"]
        parameters = StdioServerParameters(command=sys.executable, args=arguments, env=dict(os.environ))
        with open(tmp_path / "log", "w") as log:
            async with stdio_client(parameters, errlog=log) as (read, write), ClientSession(read, write) as session:
                await session.initialize()
                assert [tool.name for tool in (await session.list_tools()).tools] == list(TOOLS)
                await check_express(session)
                assert (await session.call_tool("express", {"text": " "})).isError

    asyncio.run(run())
    assert "lottery" not in (tmp_path / "log").read_text()
