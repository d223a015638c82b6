"""The demo under load: many users describe faces at once to a server of this machine, which is started here.

Run `python benchmarks/demo.py`; `--users 8 --seconds 20` for a trial. Every user describes a face (`/generate`), looks
at it for a moment (`--pause`), and describes another one that nobody has asked for before. Memory is the resident set.
"""

import argparse
import itertools
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path

import psutil
from gradio_client import Client
from rich.console import Console
from rich.table import Table

APP = Path(__file__).parent.parent / "demo_space" / "app.py"
STARTED_WITHIN = 120  # seconds
TARGET = 4.0  # seconds, 95th percentile
MOODS = "furious,delighted,terrified,disgusted,astonished,bored,proud,heartbroken,amused,suspicious".split(",")
PEOPLE = "She is,He is,The old man looks,A girl seems,My neighbour feels,The winner was".split(",")
FEELINGS = [f"{person} {mood}" for person, mood in itertools.product(PEOPLE, MOODS)]


class User(threading.Thread):
    """One visitor with a session of their own."""

    def __init__(self, url: str, number: int, seconds: float, pause: float) -> None:
        super().__init__(daemon=True)
        self.number, self.pause, self.stay = number, pause, seconds
        self.seconds: list[float] = []
        self.errors: Counter[str] = Counter()
        self._client = Client(url, download_files=False, verbose=False)

    def run(self) -> None:
        rng, until = random.Random(self.number), time.monotonic() + self.stay
        while time.monotonic() < until:
            description = f"{rng.choice(FEELINGS)} at {len(self.seconds)} past {self.number}"
            start = time.monotonic()
            try:
                self._client.submit(description, api_name="/generate").result(timeout=60)
                self.seconds.append(time.monotonic() - start)
            except Exception as error:  # whatever a user would have seen
                self.errors[f"{type(error).__name__}: {str(error)[:80]}"] += 1
            time.sleep(rng.uniform(0.5, 1.5) * self.pause)


def start_server(folder: Path) -> tuple[subprocess.Popen, str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {"GRADIO_SERVER_PORT": str(port), "GRADIO_TEMP_DIR": str(folder), "EMO3D_ANSWERS": str(folder / "answers")}
    server = subprocess.Popen([sys.executable, str(APP)], env={**os.environ, **own}, stdout=subprocess.DEVNULL)
    url, until = f"http://127.0.0.1:{port}", time.monotonic() + STARTED_WITHIN
    while time.monotonic() < until and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5)
            return server, url
        except OSError:
            time.sleep(0.5)
    server.kill()
    raise SystemExit("the demo did not start")


def table_of(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", min_width=len(title))
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def visit(server: subprocess.Popen, url: str, users: int, seconds: float, pause: float) -> list[Table]:
    Client(url, download_files=False, verbose=False).predict(FEELINGS[0], api_name="/generate")
    process = psutil.Process(server.pid)
    visitors = [User(url, number, seconds, pause) for number in range(users)]
    start = time.monotonic()
    for visitor in visitors:
        visitor.start()
    memory = []
    while any(visitor.is_alive() for visitor in visitors) and time.monotonic() < start + seconds + 90:
        memory.append((time.monotonic() - start, process.memory_info().rss / 1e6))
        time.sleep(1)

    waited = sorted(second for visitor in visitors for second in visitor.seconds)
    errors = sum((visitor.errors for visitor in visitors), Counter())
    title = (
        f"{users} users for {seconds:.0f} s, {pause:g} s a look, {os.cpu_count()} cores (target: p95 < {TARGET:g} s)"
    )
    table = table_of(title, "answers", "errors", "p50, s", "p95, s", "max, s", "answers/s")
    p50, p95 = (statistics.quantiles(waited, n=20)[place] for place in (9, 18))
    numbers = [f"{number:.2f}" for number in (p50, p95, waited[-1], len(waited) / memory[-1][0])]
    table.add_row(str(len(waited)), str(errors.total()), *numbers)
    flat = table_of("memory of the server", "after, s", "MB")
    for place in range(0, len(memory), max(len(memory) // 8, 1)):
        flat.add_row(*(f"{number:.0f}" for number in memory[place]))
    flat.add_row(*(f"{number:.0f}" for number in memory[-1]))
    said = table_of("errors", "message", "times")
    for message, times in errors.most_common():
        said.add_row(message, str(times))
    return [table, flat, *([said] if errors else [])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--pause", type=float, default=3, help="seconds for which a user looks at a face, on average")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="emo3d-load-") as folder:
        server, url = start_server(Path(folder))
        try:
            for table in visit(server, url, arguments.users, arguments.seconds, arguments.pause):
                Console().print(table)
        finally:
            server.terminate()
            server.wait(20)


if __name__ == "__main__":
    main()
