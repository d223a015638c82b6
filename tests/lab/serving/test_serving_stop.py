"""The end of a server, too much for it, and clients that dawdle."""

import json
import signal
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from servers import IMPATIENT, SERVE, serving
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from commands import Started
from hanging import HANGS, wait_until

BODY = json.dumps({"texts": [f"she is {n} times happier than the boy" for n in range(10)]}).encode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_answers_what_it_accepted_and_ends_with_0(tmp_path, number):
    with serving(tmp_path, "--batch", "1", "--queue", "1000") as server:
        with (
            connect(server.address.replace("http", "ws") + "/stream") as stream,
            httpx.Client(base_url=server.address, timeout=HANGS) as client,
            ThreadPoolExecutor(12) as pool,
        ):
            waiting = [pool.submit(client.post, "/express", content=BODY) for _ in range(12)]
            wait_until(lambda: _queue(client) > 40, server.process, server.log)
            server.signal(number)
            answers = [future.result(HANGS) for future in waiting]
            with pytest.raises(ConnectionClosed):
                list(iter(lambda: stream.recv(HANGS), None))
        assert [answer.status_code for answer in answers] == [200] * 12
        assert all(len(answer.json()["faces"]) == 10 for answer in answers)
        assert server.process.wait(HANGS) == 0
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{server.address}/health")


def _queue(client):
    lines = dict(line.rsplit(" ", 1) for line in client.get("/metrics").text.splitlines())
    return int(lines['emo3d_queue_length{queue="express"}'])


def test_ends_while_the_model_is_loaded(tmp_path):
    with serving(tmp_path, ready=False) as server:
        server.signal(signal.SIGTERM)
        assert server.process.wait(HANGS) == 0


def test_a_killed_server_leaves_its_port(tmp_path):
    with serving(tmp_path, ready=False) as server:
        server.process.kill()
        assert server.process.wait(HANGS) == -signal.SIGKILL
        port = server.port
    with socket.create_server(("127.0.0.1", port)):
        pass


@pytest.fixture(scope="module")
def impatient(tmp_path_factory):
    options = ("--queue", "8", "--batch", "2", "--timeout", "20")
    with serving(tmp_path_factory.mktemp("impatient"), *options, code=IMPATIENT) as server:
        yield server


def test_loses_nothing_when_it_is_too_much(impatient):
    client = httpx.Client(base_url=impatient.address, timeout=HANGS)

    def ask(number):
        try:
            answer = client.post("/express", json={"text": f"she is happy {number}"})
        except httpx.TransportError as error:
            return type(error).__name__
        if answer.status_code == 429:
            assert 1 <= int(answer.headers["retry-after"]) <= 60
            assert "try again" in answer.json()["error"]
        return answer.status_code

    with client, ThreadPoolExecutor(64) as pool:
        statuses = Counter(pool.map(ask, range(256)))
    assert set(statuses) == {200, 429}  # all were answered
    assert statuses[200] >= 8
    assert httpx.post(f"{impatient.address}/express", json={"text": "calm"}, timeout=HANGS).status_code == 200
    metrics = httpx.get(f"{impatient.address}/metrics").text
    assert f'emo3d_rejected_total{{queue="express"}} {statuses[429]}' in metrics
    assert f'emo3d_requests_total{{endpoint="/express",status="429"}} {statuses[429]}' in metrics


def test_a_request_of_more_than_the_queue_holds_is_refused(impatient):
    assert httpx.post(f"{impatient.address}/express", content=BODY).status_code == 429


def _dawdle(port, parts, pause=0.3):
    """Send parts of a request; seconds until the server ends the connection, and what it says."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        start, said = time.monotonic(), b""
        connection.settimeout(pause)
        for part in parts:
            try:
                connection.sendall(part)
                said += (answer := connection.recv(1000))
            except TimeoutError:
                continue
            except OSError:
                break
            if not answer:
                break
        return time.monotonic() - start, said


def test_ends_connections_whose_requests_do_not_come(impatient):
    head = [b"GET /health HTTP/1.1\r\n", b"Host: localhost\r\n", *[b"X-A: b\r\n"] * 100]
    silent = [b""] * 100
    body = [b"POST /express HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n", *[b"x"] * 100]
    for parts, answer in ((head, b""), (silent, b""), (body, b"HTTP/1.1 408")):
        seconds, said = _dawdle(impatient.port, parts)
        assert seconds < 20  # of a bound of 3 s; all parts would take 30
        assert said.startswith(answer)
    assert impatient.ready()


def test_a_websocket_is_opened_by_get_alone(impatient):
    head = b"POST /stream HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    seconds, said = _dawdle(impatient.port, [head, *[b""] * 100])
    assert seconds < 20  # it was held for ever
    assert said.startswith(b"HTTP/1.1 400")


def test_answers_others_while_many_dawdle(impatient):
    connections = [socket.create_connection(("127.0.0.1", impatient.port)) for _ in range(200)]
    for connection in connections:
        connection.sendall(b"POST /express HTTP/1.1\r\nHost: localhost\r\n")
    assert httpx.post(f"{impatient.address}/express", json={"text": "calm"}, timeout=HANGS).status_code == 200
    for connection in connections:
        connection.close()


@pytest.mark.parametrize("garbage", [b"\x00" * 100, b"GET / HTTP/9\r\n\r\n", b"POST /express\r\n\r\n", b"A" * 100_000])
def test_survives_what_is_no_http(impatient, garbage):
    with socket.create_connection(("127.0.0.1", impatient.port)) as connection:
        connection.settimeout(HANGS)
        try:
            connection.sendall(garbage)
            said = connection.recv(1000)
        except ConnectionError:
            said = b""
        assert said == b"" or said.startswith(b"HTTP/1.1 4")
    assert impatient.ready()


BAD = [  # options, part of the sentence
    (("--host", "203.0.113.1"), "cannot be listened on"),
    (("--port", "70000"), "65535"),
    (("--origin", "example.org"), "https://example.org"),
    (("--token", "NO_SUCH_VARIABLE"), "NO_SUCH_VARIABLE"),
    (("--onnx", "no-such-folder"), "no-such-folder"),
    (("--timeout", "0"), "--timeout"),
    (("--model", "no-such-model"), "no-such-model"),
]


@pytest.mark.parametrize(("options", "part"), BAD)
def test_says_bad_options_in_words(tmp_path, options, part):
    out, err = tmp_path / "out", tmp_path / "err"
    process = Started(SERVE, "serve", "--port", "0", *options, out=out, err=err)
    assert process.wait(HANGS) == 2
    assert part in err.read_text().replace("\n", " ")
    assert "Traceback" not in err.read_text()


def test_two_servers_do_not_share_a_port(impatient, tmp_path):
    process = Started(SERVE, "serve", "--port", str(impatient.port), out=tmp_path / "out", err=tmp_path / "err")
    assert process.wait(HANGS) == 2
    assert "in use" in (tmp_path / "err").read_text()
