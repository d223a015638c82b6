"""`emo3d serve` as its users start it: a process of its own, on a free port of this machine."""

import os
import re
import signal
from contextlib import contextmanager

import httpx

from commands import Started
from hanging import HANGS, wait_until

SERVE = "import emo3d_lab.cli.serve; from emo3d.cli import main; main()"
_BOUNDS = "import emo3d_lab.serving.gate as a, emo3d_lab.serving.server as b; a.BODY_SECONDS = b.PATIENCE = 3.0"
IMPATIENT = f"{_BOUNDS}; {SERVE}"
"""With bounds of three seconds, so that a test need not wait for longer ones."""


class Server:
    """A process, its address and its log."""

    def __init__(self, process, out, log):
        self.process, self.out, self.log = process, out, log
        wait_until(lambda: "listens on" in out.read_text(), process, log)
        self.address = re.search(r"http://\S+?:\d+", out.read_text())[0]
        self.port = int(self.address.rsplit(":", 1)[1])

    def ready(self):
        try:
            return httpx.get(f"{self.address}/health", timeout=HANGS).status_code == 200
        except httpx.TransportError:
            return False

    def signal(self, number):
        os.kill(self.process._process.pid, number)


@contextmanager
def serving(folder, *options, code=SERVE, environment=None, ready=True):
    """Start a server; gives it once it is ready."""
    out, log = folder / "out", folder / "log"
    log.touch()
    before = dict(os.environ)
    os.environ.update(environment or {})
    try:
        process = Started(code, "serve", "--port", "0", *options, out=out, err=log)
    finally:
        os.environ.clear()
        os.environ.update(before)
    try:
        server = Server(process, out, log)
        if ready:
            wait_until(server.ready, process, log)
        yield server
    finally:
        if process.poll() is None:
            server_pid = process._process.pid
            os.kill(server_pid, signal.SIGTERM)
            if process.wait(60) is None:
                process.kill()
                process.wait(HANGS)
