"""A static Space as the Hub serves it: its files, and the headers of its card."""

import functools
import http.server
import threading
from contextlib import contextmanager
from pathlib import Path

import yaml

TYPES = {".js": "text/javascript", ".webmanifest": "application/manifest+json", ".onnx": "application/octet-stream"}


class _Files(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def guess_type(self, path):
        return TYPES.get(Path(path).suffix) or super().guess_type(path)

    def end_headers(self):
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *_):
        pass


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A page that is closed breaks off what it was being sent."""


@contextmanager
def serving_space(folder):
    """Serve a built Space on loopback; gives its address."""
    header = yaml.safe_load(Path(folder, "README.md").read_text("utf-8").split("---\n")[1])
    server = _Server(("127.0.0.1", 0), functools.partial(_Files, directory=str(folder)))
    server.headers = header.get("custom_headers", {})
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
