"""`emo3d serve`: faces over HTTP, WebSocket and MCP."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import Annotated

import typer

from emo3d.cli.app import app, console
from emo3d_lab.cli.options import Model


@app.command(epilog="Example: [bold]emo3d serve --port 8300[/], then [bold]curl localhost:8300/health[/]")
def serve(
    model: Model = "quickstart",
    onnx: Annotated[
        Path | None, typer.Option(help="Folder of emo3d export --onnx, in place of --model: faster on a CPU.")
    ] = None,
    stdio: Annotated[
        bool, typer.Option("--stdio", help="Speak MCP over standard input and output, for an agent that starts this.")
    ] = False,
    host: Annotated[str, typer.Option(help="Address to listen on; others than this machine's own are a risk.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 is any free one.")] = 8300,
    origin: Annotated[
        list[str] | None, typer.Option(help="Of pages that may ask, as in https://example.org; repeat for several.")
    ] = None,
    token: Annotated[
        str | None, typer.Option(help="NAME of the environment variable with a token that requests must bear.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, max=600, help="Seconds for a request, and for the end.")] = 30.0,
    batch: Annotated[int, typer.Option(min=1, max=256, help="Texts generated together at most.")] = 32,
    queue: Annotated[int, typer.Option(min=1, max=10_000, help="Texts that wait at most, before 429.")] = 256,
) -> None:
    """Serve faces to programs and agents: express, act, render, glb, read_picture, score."""
    if onnx is not None and not onnx.is_dir():
        raise ValueError(f"expected --onnx FOLDER of emo3d export, got {onnx}, which is no folder")
    for page in origin or ():
        if not re.fullmatch(r"https?://[^/\s]+|null", page):
            raise ValueError(f"expected --origin as https://example.org, without a path, got {page!r:.80}")
    secret = None if token is None else os.environ.get(token)
    if token is not None and not re.fullmatch(r"[!-~]+", secret or ""):  # what the header can bear
        expected = "expected a token of ASCII letters, digits and signs in the environment variable that --token names"
        raise ValueError(f"{expected}, {token!r:.60} is empty or has others")
    logging.getLogger("emo3d").setLevel(logging.ERROR)  # warnings quote texts; they are notes of the answers
    logging.getLogger("emo3d_lab.serving").setLevel(logging.INFO)

    from emo3d_lab.serving.service import Service

    service = Service(model, onnx, batch=batch, limit=queue, timeout=timeout)
    if stdio:
        import asyncio

        from emo3d_lab.serving.agents import serve_stdio

        service.start()
        asyncio.run(serve_stdio(service))
        service.leave()
        return
    from emo3d_lab.serving.gate import Access
    from emo3d_lab.serving.server import open_socket, serve_http

    listener = open_socket(host, port)
    access = Access(listener.getsockname()[0], tuple(origin or ()), secret)
    if not access.is_loopback:
        without = "" if secret else " and no --token is asked for"
        console.print(f"[yellow]warning:[/] {host} can be reached from other machines{without}", highlight=False)
    name = f"[{host}]" if ":" in host else host
    address = f"http://{name}:{listener.getsockname()[1]}"
    line = f"emo3d serve listens on {address} (MCP: {address}/mcp)"

    def started() -> None:
        console.print(line, highlight=False, soft_wrap=True, markup=False)

    serve_http(service, access, listener, started, timeout)
