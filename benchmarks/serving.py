"""`emo3d serve` under load: with and without batching, beyond what it can, and asked by an agent.

    python benchmarks/serving.py [--onnx FOLDER] [--seconds 10] [--clients 32] [--cores 2]

The servers are child processes and run one after the other; the clients are in this process, on connections that stay
open, each with one request at a time. Texts differ from request to request. `--cores` pins server and clients to so
many cores together. Processor time is what a request costs on a machine that others use, too.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from rich.console import Console
from rich.table import Table

CONSOLE = Console(width=120)
COMMAND = [sys.executable, "-c", "import emo3d_lab.cli.serve; from emo3d.cli import main; main()", "serve"]
FEELINGS = ("thrilled", "crushed", "furious", "calm", "disgusted", "terrified", "amused", "bored", "proud", "ashamed")
PEOPLE = ("she", "he", "the old man", "a tired nurse", "my sister", "the boy", "a proud mother")
CAUSES = ("", " since the train left", " about the letter", " and winks", " but tries to hide it", " after the call")
TEXTS = [f"{who} is {what}{why}" for who, what, why in itertools.product(PEOPLE, FEELINGS, CAUSES)]


def processor(pid: int) -> float:
    """Seconds of processor time that a process and its threads have had, by Linux' proc(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def server(*options: str) -> Iterator[tuple[int, int]]:
    """A server of its own; gives its port and process once it is ready."""
    with subprocess.Popen(
        [*COMMAND, "--port", "0", *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        assert child.stdout is not None
        port = int(child.stdout.readline().decode().split("(")[0].rsplit(":", 1)[1])
        try:
            while (
                asyncio.run(_ask(port, b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))[0]
                != 200
            ):
                time.sleep(0.2)
            body = b'{"weights": {}}'  # it warms its renderer
            head = b"POST /render HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
            assert asyncio.run(_ask(port, head % len(body) + body))[0] == 200
            yield port, child.pid
        finally:
            child.terminate()
            child.wait(60)
    assert child.returncode == 0, f"the server ended with {child.returncode}"


async def _ask(port: int, request: bytes) -> tuple[int, dict[str, str], bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return await _answer(reader)
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    return int(head[0].split()[1]), headers, await reader.readexactly(int(headers["content-length"]))


def express(text: str) -> bytes:
    body = json.dumps({"text": text}).encode()
    return b"POST /express HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body


async def load(port: int, clients: int, seconds: float) -> tuple[Counter[int], list[float], int]:
    """Statuses, seconds of the answers of 200, and how many refusals had Retry-After."""
    statuses: Counter[int] = Counter()
    spent: list[float] = []
    texts, end, advised = itertools.cycle(TEXTS), time.perf_counter() + seconds, 0

    async def client() -> None:
        nonlocal advised
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < end:
            start = time.perf_counter()
            writer.write(express(next(texts)))
            status, headers, _ = await _answer(reader)
            statuses[status] += 1
            if status == 200:
                spent.append(time.perf_counter() - start)
            else:
                advised += "retry-after" in headers
                await asyncio.sleep(0.02)  # a client that does not wait as long as it is told
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return statuses, spent, advised


async def agent(port: int, calls: int) -> list[float]:
    """Seconds of `express` by MCP's own client, after the first five."""
    spent = []
    async with (
        streamable_http_client(f"http://127.0.0.1:{port}/mcp") as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        for text in TEXTS[: calls + 5]:
            start = time.perf_counter()
            answer = await session.call_tool("express", {"text": text})
            spent.append(time.perf_counter() - start)
            assert not answer.isError
    return spent[5:]


async def batches(port: int) -> float:
    _, _, body = await _ask(port, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    values = dict(line.rsplit(" ", 1) for line in body.decode().splitlines() if not line.startswith("#"))
    names = (f'emo3d_batch_size_{part}{{queue="express"}}' for part in ("sum", "count"))
    total, count = (float(values[name]) for name in names)
    return total / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--onnx", help="folder of `emo3d export --onnx`; PyTorch where left out")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--cores", type=int, default=2)
    options = parser.parse_args()
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: options.cores]))
    model = ["--onnx", options.onnx] if options.onnx else []
    table = Table(
        title=f"express, {options.clients} clients, {options.cores} cores for all, load {os.getloadavg()[0]:.1f}"
    )
    for heading in ("", "requests/s", "p50 ms", "p95 ms", "processor ms a request", "texts a batch"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, batch in (("batches of up to 32", "32"), ("one at a time", "1")):
        with server(*model, "--batch", batch) as (port, pid):
            asyncio.run(load(port, options.clients, 2))
            before = processor(pid)
            statuses, spent, _ = asyncio.run(load(port, options.clients, options.seconds))
            cost = 1000 * (processor(pid) - before) / len(spent)
            assert set(statuses) == {200}, statuses
            p50, p95 = 1000 * np.percentile(spent, [50, 95])
            size = asyncio.run(batches(port))
        numbers = (f"{value:.1f}" for value in (p50, p95, cost, size))
        table.add_row(name, f"{len(spent) / options.seconds:.0f}", *numbers)
    CONSOLE.print(table)
    with server(*model, "--queue", "32") as (port, pid):
        before = processor(pid)
        spent = asyncio.run(agent(port, 100))
        cost = 1000 * (processor(pid) - before) / len(spent)
        p50, p95 = 1000 * np.percentile(spent, [50, 95])
        CONSOLE.print(
            f"MCP express, warm, one agent: p50 {p50:.1f} ms, p95 {p95:.1f} ms, processor {cost:.1f} ms a call"
        )
        statuses, spent, advised = asyncio.run(load(port, 200, options.seconds))
    refused = sum(statuses.values()) - statuses[200]
    p50, p95 = 1000 * np.percentile(spent, [50, 95])
    CONSOLE.print(
        f"overload, 200 clients for a queue of 32: {sum(statuses.values())} requests, all answered: "
        f"{statuses[200]} with a face (p95 {p95:.0f} ms), {statuses[429]} with 429, {advised} of {refused} refusals "
        f"with Retry-After; other statuses: {sorted(set(statuses) - {200, 429}) or 'none'}"
    )


if __name__ == "__main__":
    main()
