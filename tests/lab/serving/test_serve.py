"""A real server, asked by a real client: answers, mistakes, fuzz, many at once."""

import io
import json
import random
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from emo3d import load_generator
from emo3d.blendshapes import ARKIT_BLENDSHAPES, BLENDSHAPES
from emo3d.face import render
from emo3d_lab.serving.faces import Generation, Wish, open_generator
from emo3d_lab.serving.tools import TOOLS
from hanging import HANGS

TEXTS = ["She just won the lottery", "He winks with his left eye", "a tired old man, close to tears", "furious!"]


def weights_of(answer):
    return np.array([answer["weights"][name] for name in BLENDSHAPES])


def test_answers_as_the_generator_does(client):
    expected = load_generator().generate(TEXTS)
    answer = client.post("/express", json={"texts": TEXTS}).json()
    assert answer["space"] == "weights"
    for face, row in zip(answer["faces"], expected, strict=True):
        assert list(face["weights"]) == list(ARKIT_BLENDSHAPES)
        assert face["weights"]["tongueOut"] == 0
        np.testing.assert_allclose(weights_of(face), row, atol=2e-6)  # six decimals, and another batch
    single = client.post("/express", json={"text": TEXTS[1]}).json()
    np.testing.assert_allclose(weights_of(single), expected[1], atol=2e-6)
    assert single["instructions"] == [
        {"words": "winks with his left eye", "weights": {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 0.0}}
    ]


def test_acts_stronger_and_draws_others(client):
    generator = load_generator()
    strong = client.post("/express", json={"text": TEXTS[0], "strength": 0.5}).json()
    np.testing.assert_allclose(weights_of(strong), generator.generate(TEXTS[:1], strength=0.5)[0], atol=2e-6)
    drawn = client.post("/express", json={"text": TEXTS[0], "seed": 7}).json()
    expected = generator.generate(TEXTS[:1], num_return_sequences=2, seed=7)[0, 1]
    np.testing.assert_allclose(weights_of(drawn), expected, atol=2e-6)


def test_says_what_is_cut_and_what_is_not_english(client):
    notes = client.post("/express", json={"text": "so " * 660}).json()["notes"]
    assert notes == ["the text is longer than the encoder's window of 512 tokens and lost its end"]
    notes = client.post("/express", json={"text": "Она очень рада"}).json()["notes"]
    assert "Cyrillic" in notes[0]
    assert "hardly knows" in notes[-1]


def test_a_folder_of_onnx_answers_as_its_generator_does():
    folder = Path(__file__).parents[3] / "web" / ".model"
    if not (folder / "face.json").is_file():
        pytest.skip("web/.model is not there: make web/.model")
    generator = open_generator("quickstart", folder)
    generation = Generation(generator)
    answers = generation.answer([Wish(text) for text in [*TEXTS, "so " * 660]])
    np.testing.assert_allclose([answer.weights for answer in answers[:4]], generator.generate(TEXTS), atol=1e-6)
    assert [answer.notes for answer in answers[:4]] == [[]] * 4
    assert "lost its end" in answers[4].notes[0]
    with pytest.raises(ValueError, match="expected a seed of 0"):
        generation.check(Wish("a", seed=1))


def test_many_at_once_get_their_own_answers(client):
    texts = [
        f"{who} is {what}" for who in ("she", "the boy", "my aunt", "he") for what in ("sad", "glad", "angry", "shy")
    ]
    expected = load_generator().generate(texts)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda text: client.post("/express", json={"text": text}).json(), texts))
    np.testing.assert_allclose([weights_of(answer) for answer in answers], expected, atol=2e-6)
    sizes = dict(re.findall(r'emo3d_batch_size_(sum|count)\{queue="express"\} (\S+)', client.get("/metrics").text))
    assert float(sizes["sum"]) > float(sizes["count"])  # some were generated together


def test_renders_what_render_does(client):
    weights = {"jawOpen": 0.6, "browInnerUp": 0.8}
    answer = client.post("/render", json={"weights": weights, "identity": "girl", "size": 96})
    assert answer.headers["content-type"] == "image/png"
    np.testing.assert_array_equal(
        np.array(Image.open(io.BytesIO(answer.content))), render(weights, rig="girl", size=96)[0]
    )
    tongue = client.post("/render", json={"weights": weights | {"tongueOut": 1}, "size": 96}).content
    assert tongue != client.post("/render", json={"weights": weights, "size": 96}).content


def test_builds_a_file_that_shows_the_weights(client):
    content = client.post("/glb", json={"weights": {"jawOpen": 0.6}}).content
    assert content[:4] == b"glTF"
    length = int.from_bytes(content[12:16], "little")  # glTF 2.0: the header, then the chunk of JSON
    mesh = json.loads(content[20 : 20 + length])["meshes"][0]
    names = mesh["extras"]["targetNames"]
    assert mesh["weights"][names.index("jawOpen")] == pytest.approx(0.6)
    refused = client.post("/glb", json={"weights": {"tongueOut": 0.5}})
    assert refused.status_code == 422
    assert "tongueOut" in refused.json()["error"]


def test_reads_a_picture_or_says_what_is_missing(client):
    face = client.post("/render", json={"weights": {"jawOpen": 0.8}, "size": 256}).content
    answer = client.post("/read_picture", content=face)
    if answer.status_code == 501:
        assert "extract" in answer.json()["error"]
        pytest.skip("MediaPipe (extra extract) is not installed")
    assert answer.status_code == 200
    assert answer.json()["weights"]["jawOpen"] > 0.4
    blank = io.BytesIO()
    Image.new("RGB", (64, 64)).save(blank, "PNG")
    for content, sentence in ((blank.getvalue(), "expected a face"), (b"no picture", "expected a PNG"), (b"", "PNG")):
        refused = client.post("/read_picture", content=content)
        assert refused.status_code == 422
        assert sentence in refused.json()["error"]


def test_scores_as_the_score_does(client):
    from emo3d.scoring import score

    faces = [{"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0}, {"browDownLeft": 1.0, "browDownRight": 1.0}] * 5
    names = ("happiness", "anger")
    rows = [{"description": f"{names[i % 2]} {i}", "intensities": {names[i % 2]: 1}} for i in range(10)]
    answer = client.post("/score", json={"predictions": faces, "references": rows, "bank": "references"}).json()
    order = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
    full = [row | {"intensities": [row["intensities"].get(name, 0) for name in order]} for row in rows]
    expected = score(faces, full, backbone="quickstart")
    assert answer["kl_divergence"] == pytest.approx(expected.kl_divergence, abs=1e-6)
    assert answer["signature"] == expected.signature
    assert len(answer["per_face"]) == 10
    one = client.post("/score", json={"predictions": faces[:1], "references": rows[:1]})
    assert one.json()["n"] == 1
    unequal = client.post("/score", json={"predictions": faces, "references": rows[:9]})
    assert unequal.status_code == 422


BAD = [  # path, body, status, part of the sentence
    ("/express", b"", 422, "expected JSON"),
    ("/express", b'{"text"', 422, "expected JSON"),
    ("/express", b'{"text": "a", "strength": NaN}', 422, "NaN"),
    ("/express", b'{"text": "\\ud800"}', 422, "half a character"),
    ("/express", b"[" * 100_000, 422, "nested too deep"),
    ("/express", b"[" + b"[]," * 100_000 + b"[]]", 422, "200,000 values"),
    ("/express", b"{}", 422, "either text or texts, got neither"),
    ("/express", b'{"text": "a", "texts": ["b"]}', 422, "got both"),
    ("/express", b'{"text": "   "}', 422, "blank"),
    ("/express", b'{"text": "' + b"x" * 2001 + b'"}', 422, "2,001"),
    ("/express", b'{"text": "' + b"x" * 600_000 + b'"}', 413, "512,000 bytes"),
    ("/express", b'{"model": "/etc/passwd", "text": "a"}', 422, "'model'"),
    ("/render", b'{"weights": {"jawOpen": 0}, "identity": "../adult"}', 422, "'../adult'"),
    ("/read_picture", b"x" * 5_000_001, 413, "5,000,000 bytes"),
    ("/../etc/passwd", b"", 404, "/express"),
    ("/express/", b"{}", 404, "/express"),
    (
        "/act",
        b'{"line": "a", "state": {"format": "emo3d-actor-1", "at": 0, "emotion": [], "hold": 0, "temper": {}, '
        b'"mood": {}, "start": {}, "felt": {}, "gesture": null}}',
        422,
        "an emotion in a state",
    ),
]


@pytest.mark.parametrize(("path", "body", "status", "part"), BAD, ids=range(len(BAD)))
def test_says_mistakes_in_words(client, path, body, status, part):
    answer = client.post(path, content=body)
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]
    assert part in answer.json()["error"]


def test_bounds_a_body_that_does_not_say_its_length(client):
    answer = client.post("/express", content=(b"x" * 100_000 for _ in range(20)))
    assert answer.status_code == 413


def test_survives_damaged_requests(client):
    rng = random.Random(0)
    good = json.dumps({"texts": TEXTS, "strength": 1.2, "seed": 3}).encode()
    statuses = []
    for _ in range(300):
        body = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            place = rng.randrange(len(body))
            change = rng.choice(("byte", "cut", "twice"))
            if change == "byte":
                body[place] = rng.randrange(256)
            elif change == "cut":
                del body[place : place + rng.randint(1, 30)]
            else:
                body[place:place] = body[place : place + 10]
            body = body or bytearray(b"{")
        answer = client.post("/express", content=bytes(body))
        statuses.append(answer.status_code)
        assert answer.status_code == 200 or answer.json()["error"]
    assert set(statuses) <= {200, 422}
    assert statuses.count(422) > 100
    assert client.post("/express", content=good).status_code == 200


def test_pages_say_what_is_here(client):
    health = client.get("/health").json()
    assert health["ready"] is True
    assert health["model"] == "quickstart"
    document = client.get("/openapi.json").json()
    assert set(document["paths"]) == {f"/{name}" for name in TOOLS}
    body = document["paths"]["/express"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["properties"]["strength"]["maximum"] == 1.5
    assert "express" in client.get("/").text
    assert client.get("/express").status_code == 405
    assert client.get("/SKILL.md").status_code in (200, 404)


def test_logs_no_texts(client, server):
    client.post("/express", json={"text": "zebra-crossing happiness"})
    client.post("/express", json={"text": "zebra-crossing", "strength": 7})
    client.get("/zebra-crossing?zebra-crossing")
    log = server.log.read_text()
    assert "POST /express 200" in log
    assert "zebra" not in log


def test_refuses_other_hosts_and_pages(client):
    body = {"text": "a"}
    assert client.post("/express", json=body, headers={"Host": "evil.example"}).status_code == 421
    page = client.post("/express", json=body, headers={"Origin": "https://evil.example"})
    assert page.status_code == 403
    assert "access-control-allow-origin" not in page.headers


def test_tokens_and_pages_that_are_allowed(tmp_path):
    from servers import serving

    page, options = "https://example.org", ("--token", "FACE_TOKEN", "--origin", "https://example.org")
    with (
        serving(tmp_path, *options, environment={"FACE_TOKEN": "secret"}, ready=False) as server,
        httpx.Client(base_url=server.address, timeout=HANGS) as client,
    ):
        assert client.get("/metrics").status_code == 401
        bearer = {"Authorization": "Bearer secret", "Origin": page}
        answer = client.get("/metrics", headers=bearer)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == page
        early = client.post("/express", json={"text": "a"}, headers=bearer)
        assert early.status_code in (200, 503)  # whether the model was loaded by then
        assert early.status_code == 200 or early.headers["retry-after"]
