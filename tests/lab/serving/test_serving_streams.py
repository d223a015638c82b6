"""WebSocket: lines in, frames out; and `/act`, which carries the same states."""

import asyncio
import json
import time

import numpy as np
import pytest
import websockets

from emo3d.face import TARGETS
from emo3d_lab.actor import Actor
from hanging import HANGS

JOY, LOSS = "I got the job, I can't believe it!", "They just told me that my dog has died."


def talk(server, conversation, query="?rate=20", **options):
    async def run():
        address = server.address.replace("http", "ws") + "/stream" + query
        async with websockets.connect(address, **options) as socket:
            return await conversation(socket)

    return asyncio.run(asyncio.wait_for(run(), HANGS))


async def receive(socket, field):
    """The next message that has a field."""
    while True:
        message = json.loads(await socket.recv())
        if field in message:
            return message


async def frames(socket, seconds):
    end, answer = time.monotonic() + seconds, []
    while (left := end - time.monotonic()) > 0:
        try:
            message = json.loads(await asyncio.wait_for(socket.recv(), left))
        except asyncio.TimeoutError:
            break
        if "weights" in message:
            answer.append(message)
    return answer


def test_a_line_moves_the_face_smoothly_and_it_calms_down(server):
    async def conversation(socket):
        names = json.loads(await socket.recv())
        assert names["names"] == list(TARGETS)
        assert names["rate"] == 20
        await socket.send(json.dumps({"line": JOY}))
        answer = await receive(socket, "state")
        assert answer["line"] == 1
        return await frames(socket, 2.5)

    shown = talk(server, conversation)
    weights = np.array([frame["weights"] for frame in shown])
    assert weights.shape[1] == 52
    assert ((weights >= 0) & (weights <= 1)).all()
    smile = weights[:, TARGETS.index("mouthSmileLeft")]
    assert smile[0] < 0.2 < 0.4 < smile.max()
    times = np.array([frame["at"] for frame in shown])
    assert (np.diff(times) > 0).all()
    assert np.abs(np.diff(times * 20) - np.round(np.diff(times * 20))).max() < 1e-2  # whole frames of 1/20 s
    assert len(shown) <= 2.5 * 20 + 2


def test_states_flow_over_http_and_streams(server, client):
    first = client.post("/act", json={"line": JOY}).json()
    second = client.post("/act", json={"line": LOSS, "state": first["state"], "context": "A call comes in."}).json()
    fresh = client.post("/act", json={"line": LOSS, "context": "A call comes in."}).json()
    assert second["weights"] != fresh["weights"]  # what was felt before is in it
    assert first["weights"]["mouthSmileLeft"] > 0.4 > second["weights"]["mouthSmileLeft"]
    actor = Actor(state=second["state"])  # a state of the server is one of Python's
    assert actor.state == second["state"]

    async def conversation(socket):
        await socket.send(json.dumps({"line": "hm", "state": first["state"]}))
        return (await receive(socket, "state"))["state"]

    assert talk(server, conversation)["mood"] != {}


def test_acts_as_an_actor_does(client):
    answer = client.post("/act", json={"line": JOY, "strength": 0.7}).json()
    actor = Actor()
    actor.act(JOY, strength=0.7, at=answer["state"]["at"])
    expected = actor.weights(answer["state"]["at"] + answer["onset"])
    got = [answer["weights"][name] for name in TARGETS]
    np.testing.assert_allclose(got, expected, atol=3e-6)


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("{", "expected JSON"),
        ('{"line": ""}', "at least 1"),
        ('{"lines": "a"}', "did you mean 'line'"),
        ('{"line": "a", "state": {"format": "other"}}', "expected a state"),
        ('{"line": "' + "x" * 2001 + '"}', "2,000 characters"),
    ],
)
def test_says_mistakes_and_goes_on(server, line, part):
    async def conversation(socket):
        await socket.send(line)
        mistake = await receive(socket, "error")
        await socket.send(json.dumps({"line": JOY}))
        return mistake["error"], await receive(socket, "state")

    mistake, _ = talk(server, conversation)
    assert part in mistake


def test_bytes_and_a_clock_that_is_a_little_ahead_are_no_end(server, client):
    state = client.post("/act", json={"line": JOY}).json()["state"]

    async def conversation(socket):
        await socket.send(b"\x00")
        mistake = await receive(socket, "error")
        await socket.send(json.dumps({"line": LOSS, "state": state | {"at": time.time() + 3}}))
        await receive(socket, "state")
        assert await frames(socket, 1)
        await socket.send(json.dumps({"line": JOY, "state": state | {"at": 1000 * time.time()}}).encode())
        return mistake["error"], (await receive(socket, "error"))["error"]

    mistake, later = talk(server, conversation)
    assert "expected" in mistake
    assert "by Unix time" in later


def test_lines_that_wait_are_bounded(server):
    async def conversation(socket):
        for _ in range(60):
            await socket.send(json.dumps({"line": JOY}))
        answers = [await receive(socket, field) for field in ("error",)]
        return answers[0]["error"]

    assert "at most 8 lines" in talk(server, conversation)


def test_refuses_large_messages_and_bad_rates_and_pages(server):
    async def large(socket):
        await socket.send("x" * 100_000)
        await socket.wait_closed()
        return socket.close_code

    assert talk(server, large) == 1009  # RFC 6455: message too big

    async def closed(socket):
        await socket.wait_closed()
        return socket.close_code, socket.close_reason

    for rate in ("0", "61", "nan", "fast"):
        assert talk(server, closed, f"?rate={rate}") == (1008, "expected a rate of 1 to 60 frames a second")
    with pytest.raises(websockets.InvalidStatus) as raised:
        talk(server, closed, origin="https://evil.example")
    assert raised.value.response.status_code == 403


def test_streams_are_bounded_and_counted(server, client):
    async def run():
        address = server.address.replace("http", "ws") + "/stream"
        sockets = [await websockets.connect(address) for _ in range(32)]
        for socket in sockets:
            await socket.recv()
        assert "emo3d_streams 32" in await asyncio.to_thread(lambda: client.get("/metrics").text)
        async with websockets.connect(address) as more:
            await more.wait_closed()
            assert more.close_code == 1013  # try again later
        for socket in sockets:
            await socket.close()

    asyncio.run(run())
    end = time.monotonic() + HANGS
    while "emo3d_streams 0" not in client.get("/metrics").text:
        assert time.monotonic() < end
        time.sleep(0.1)
