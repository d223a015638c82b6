"""A server of the chat-completions protocol on this machine that gives recorded answers."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@pytest.fixture
def online(monkeypatch):
    """The client asks our own server although the tests are offline."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)


@contextmanager
def answering(*answers):
    """Give answers in turn, each a status and a text, or what a function of the request returns.

    Yields the server's address, and the requests that came.
    """
    waiting, requests = list(answers), []
    reply = answers[0] if callable(answers[0]) else lambda _: waiting.pop(0)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            requests.append((self.path, request))
            status, content = reply(request)
            message = {"role": "assistant", "content": content}
            choices = [{"index": 0, "finish_reason": "stop", "message": message}]
            usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
            body = {"id": "1", "created": 0, "model": request["model"], "system_fingerprint": "", "usage": usage}
            body |= {"object": "chat.completion", "choices": choices} if status == 200 else {"error": content}
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", requests
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
