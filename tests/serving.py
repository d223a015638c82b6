"""Pages as their users start them: in a process of their own, on a free port, with folders of the test's own."""

import os
import socket
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from hanging import HANGS, wait_until

DEMO = Path(__file__).parent.parent / "demo_space" / "app.py"
METRIC = DEMO.parents[1] / "metric_space" / "app.py"


@contextmanager
def serving(folder, app=DEMO, python=sys.executable, **environment):
    """Start an app; gives its address. What it keeps lies in `folder`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {"GRADIO_SERVER_PORT": str(port), "GRADIO_TEMP_DIR": folder / "cache", "EMO3D_ANSWERS": folder / "answers"}
    environment = {**os.environ, **{name: str(value) for name, value in (own | environment).items()}}
    with open(folder / "log", "w") as log:
        server = subprocess.Popen([str(python), str(app)], env=environment, cwd=folder, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: _answers(address), server, folder / "log")
        yield address
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(HANGS)


def _answers(address):
    try:
        return urllib.request.urlopen(address, timeout=5).status == 200
    except OSError:
        return False
