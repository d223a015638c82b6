"""The named endpoints through `gradio_client`, and the tools through an MCP client."""

import asyncio
import json
from importlib.util import find_spec

import numpy as np
import pygltflib
import pytest
from PIL import Image

from emo3d import BLENDSHAPES, EMOTIONS, load_generator
from emo3d.blendshapes import ARKIT_BLENDSHAPES
from emo3d_lab.serving.tools import TOOLS
from serving import serving

gradio_client = pytest.importorskip("gradio_client", reason="the demo needs the extra [demo]")


ROW = {"description": "she is thrilled", "intensities": {"happiness": 0.9}}


def weights_of(glb):
    return np.array(pygltflib.GLTF2().load(glb).meshes[0].weights[:51])


def generate(client, description, **arguments):
    return client.predict(description, **arguments, api_name="/generate")


def test_generate_gives_face_picture_emotions_and_blendshapes(client):
    description = "She just won the lottery <b>& more</b>"
    glb, picture, emotions, blendshapes = generate(client, description, identity="woman")
    document = pygltflib.GLTF2().load(glb)
    assert document.asset.extras["description"] == description
    assert document.asset.extras["identity"] == "woman"
    assert Image.open(picture).size == (512, 512)
    assert list(emotions) == list(EMOTIONS)
    assert sum(emotions.values()) == pytest.approx(1, abs=1e-3)
    assert max(emotions, key=emotions.get) == "happiness"
    assert list(blendshapes) == list(BLENDSHAPES)
    np.testing.assert_allclose(weights_of(glb), list(blendshapes.values()), atol=1e-4)


def test_strength_scales_and_keeps_the_range(client):
    weak, plain, strong = (
        weights_of(generate(client, "He is furious", strength=strength)[0]) for strength in (0, 1, 1.5)
    )
    assert not weak.any()
    assert (strong >= plain - 1e-6).all()
    np.testing.assert_allclose(strong, 1 - (1 - plain) ** 1.5, atol=1e-5)  # the card's formula


def test_render_shows_the_weights_that_are_given(client):
    glb, picture, emotions, blendshapes = client.predict('{"jawOpen": 0.8}', identity="boy", api_name="/render")
    assert dict(zip(BLENDSHAPES, weights_of(glb), strict=True)) == pytest.approx(blendshapes, abs=1e-6)
    assert {name: weight for name, weight in blendshapes.items() if weight} == {"jawOpen": 0.8}
    at_rest = client.predict("{}", identity="boy", api_name="/render")[1]
    mouths = [np.asarray(Image.open(path).convert("L"))[300:460, 190:322] for path in (at_rest, picture)]
    assert (mouths[1] < 90).sum() > 2 * (mouths[0] < 90).sum()  # an open mouth is dark
    assert sum(emotions.values()) == pytest.approx(1, abs=1e-3)


def test_score_scores_a_file(client, tmp_path):
    from pyarrow import parquet

    from emo3d.dataset import sample_folder

    rows = parquet.read_table(sample_folder() / "test.parquet", columns=["description", "blendshapes"])
    parquet.write_table(rows, tmp_path / "predictions.parquet")
    predictions = gradio_client.handle_file(str(tmp_path / "predictions.parquet"))
    answer = client.predict(predictions, api_name="/score")
    assert "backbone" in answer[8]  # the signature
    assert {str(path).rsplit(".", 1)[1] for path in answer[9]} == {"json", "yml"}


def test_express_gives_the_weights_that_generate_shows(client):
    answer = json.loads(client.predict("She just won the lottery", api_name="/express"))
    assert len(answer["weights"]) == 52
    shown = generate(client, "She just won the lottery")[3]
    assert {name: answer["weights"][name] for name in shown} == pytest.approx(shown, abs=1e-4)
    wink = json.loads(client.predict("She winks with her left eye", api_name="/express"))
    assert wink["instructions"][0]["weights"]["eyeBlinkLeft"] == 1
    weak = json.loads(client.predict("He is furious", 0.4, api_name="/express"))["weights"]
    (expected,) = load_generator("quickstart").generate(["He is furious"], strength=0.4)  # in this process
    assert [weak[name] for name in BLENDSHAPES] == pytest.approx(expected, abs=1e-5)


def test_act_goes_on_from_what_was_felt(client):
    """After a shock, the same calm line leaves more of it than it shows by itself."""
    shock = json.loads(client.predict("You broke it, you monster!", context="He is furious.", api_name="/act"))
    calm = "I will put the kettle on."
    after, alone = (json.loads(client.predict(calm, state=state, api_name="/act")) for state in (shock["state"], None))
    assert 0 < shock["onset"] < 1
    assert shock["weights"]["browDownLeft"] > 0.3
    assert after["weights"]["browDownLeft"] > alone["weights"]["browDownLeft"] + 0.05
    assert after["state"]["at"] >= shock["state"]["at"]


def test_score_of_a_few_faces(client):
    """Faces that are swapped score worse; the bank is the sample's test split, by the hash that README.md has."""
    smile = {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8, "cheekSquintLeft": 0.5, "cheekSquintRight": 0.5}
    tears = {"browInnerUp": 0.8, "mouthFrownLeft": 0.7, "mouthFrownRight": 0.7}
    rows = [ROW, {"description": "they are heartbroken", "intensities": {"sadness": 0.9}}]
    right, wrong = (
        json.loads(client.predict(faces, rows, api_name="/score_faces")) for faces in ([smile, tears], [tears, smile])
    )
    assert right["kl_divergence"] < wrong["kl_divergence"] - 1  # nats
    assert right["emo3d"] == pytest.approx(
        1 / (1 + np.exp(-right["kl_divergence"])), abs=1e-6
    )  # alpha of 1, as published
    assert right["kl_divergence"] == pytest.approx(np.mean(right["per_face"]), abs=1e-5)


@pytest.mark.skipif(find_spec("mediapipe") is None, reason="needs the extra [extract]")
def test_read_picture_gives_the_weights_of_the_face_in_it(client, tmp_path):
    picture = client.predict('{"jawOpen": 0.7}', identity="woman", api_name="/render")[1]
    answer = json.loads(client.predict(gradio_client.handle_file(picture), api_name="/read_picture"))
    assert answer["weights"]["jawOpen"] > 0.5
    left, top, right, bottom = answer["box"]
    assert 0 < left < right < 512
    assert 0 < top < bottom < 512
    Image.new("RGB", (64, 64)).save(tmp_path / "empty.png")
    with pytest.raises(gradio_client.exceptions.AppError, match="No face was found"):
        client.predict(gradio_client.handle_file(str(tmp_path / "empty.png")), api_name="/read_picture")


def test_signatures_are_documented(client):
    named = client.view_api(return_format="dict")["named_endpoints"]
    firsts = {"/generate": "description", "/render": "blendshapes", "/clip": "description", "/score": "predictions"}
    firsts |= {"/express": "text", "/act": "line", "/read_picture": "picture", "/score_faces": "predictions"}
    assert set(named) == set(firsts)
    for name, first in firsts.items():
        assert named[name]["parameters"][0]["parameter_name"] == first


def test_every_request_has_files_of_its_own(demo):
    client = gradio_client.Client(demo, download_files=False, verbose=False)
    paths = [generate(client, "He is furious")[part]["path"] for _ in range(2) for part in (0, 1)]
    assert len(set(paths)) == 4


@pytest.mark.parametrize(
    ("endpoint", "arguments", "message"),
    [
        ("/generate", {"description": "  \n"}, "Please describe a feeling first"),
        ("/generate", {"description": "joy " * 1000}, "at most 2,000 characters"),
        ("/generate", {"description": "joy", "identity": "../../etc"}, "not in the list of choices"),
        ("/generate", {"description": "joy", "strength": 3.0}, "greater than maximum"),
        ("/clip", {"description": "  \n"}, "Please describe a feeling first"),
        ("/clip", {"description": "joy", "seconds": 0.1}, "0.5 to 30 seconds"),
        ("/clip", {"description": "joy", "seconds": 100_000}, "0.5 to 30 seconds"),
        ("/clip", {"description": "joy", "seed": -1}, "a seed from 0"),
        ("/render", {"blendshapes": "jawOpen"}, "Expected a JSON object"),
        ("/render", {"blendshapes": '{"jawOpen": 2}'}, "Expected weights in 0..1"),
        ("/render", {"blendshapes": '{"jawOpen": NaN}'}, "weights in 0..1"),
        ("/render", {"blendshapes": '{"smile": 1}'}, "Expected names"),
        ("/render", {"blendshapes": "[" * 100_000}, "Expected a JSON object"),
        ("/express", {"text": "  "}, "expected a description in row 0, got '  ', which is blank"),
        ("/express", {"text": "joy " * 1000}, "expected text to have at most 2,000 characters, got 4,000"),
        ("/express", {"text": "joy", "strength": 3.0}, "expected strength to be a number of 0 to 1.5, got 3"),
        ("/express", {"text": ["joy"]}, "expected text to be a text, got"),
        ("/act", {"line": ""}, "expected line to have at least 1 characters"),
        ("/act", {"line": "Hello.", "state": {"mood": "fine"}}, "expected a state of format 'emo3d-actor-1'"),
        ("/score_faces", {"predictions": [{"smile": 1}], "references": [ROW]}, "expected one of eyeBlinkLeft"),
        ("/score_faces", {"predictions": [{"jawOpen": 2}], "references": [ROW]}, "to be a number of 0 to 1, got 2"),
        ("/score_faces", {"predictions": [{}, {}], "references": [ROW]}, "got 2 predictions and 1 references"),
        (
            "/score_faces",
            {"predictions": [{}], "references": [{"description": "joy"}]},
            "expected a field 'intensities'",
        ),
    ],
)
def test_bad_requests_are_answered_in_words(client, endpoint, arguments, message):
    with pytest.raises(gradio_client.exceptions.AppError, match=message):
        client.predict(**arguments, api_name=endpoint)


def test_readings_of_a_generator_are_calibrated(tmp_path):
    """A generator as if it were trained on the release: its numbers are readings. The calibration has its own tests."""
    from emo3d.face.calibration import load_calibration
    from emo3d.generation import ExpressionModel
    from emo3d.generation.load import QUICKSTART_FOLDER

    generator = ExpressionModel.from_pretrained(QUICKSTART_FOLDER, space="reading").eval()
    generator.save_pretrained(tmp_path / "generator")
    (reading,) = generator.generate(["He is furious"])
    expected = load_calibration().to_weights(reading)[0]
    assert np.abs(expected - reading).max() > 0.1
    with serving(tmp_path, EMO3D_GENERATOR=tmp_path / "generator") as address:
        client = gradio_client.Client(address, download_files=tmp_path, verbose=False)
        np.testing.assert_allclose(weights_of(generate(client, "He is furious")[0]), expected, atol=1e-4)


def test_agents_list_and_call_the_tools(demo):
    pytest.importorskip("mcp", reason="needs gradio[mcp]")
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async def visit():
        async with (
            streamable_http_client(f"{demo}/gradio_api/mcp/") as (receive, send, _),
            ClientSession(receive, send) as session,
        ):
            await session.initialize()
            listed = await session.list_tools()
            answer = await session.call_tool("generate", {"description": "He is furious"})
            refused = await session.call_tool("generate", {"description": " "})
            acted = await session.call_tool("clip", {"description": "He is calm"})
            state = await session.call_tool("act", {"line": "Oh.", "state": {"mood": "/etc/passwd"}})
            expressed = await session.call_tool("express", {"text": "He is furious"})
            tools = {tool.name: tool for tool in listed.tools}
            return tools, answer, (refused, state), acted, expressed

    tools, answer, (refused, state), acted, expressed = asyncio.run(visit())
    assert "clip-he-is-calm.glb" in " ".join(part.text for part in acted.content if part.type == "text")
    assert set(tools) == {"express", "act", "render", "read_picture", "score", "generate", "clip", "score_file"}
    for name, tool in ((name, TOOLS[name]) for name in ("express", "act", "score")):
        assert tools[name].description.startswith(tool.description)  # as those of `emo3d serve`
        for field, schema in tools[name].inputSchema["properties"].items():
            ends = ("minimum", "maximum", "maxLength", "maxItems", "enum")
            assert {end: schema.get(end) for end in ends} == {end: tool.fields[field].get(end) for end in ends}
    assert json.loads(expressed.content[0].text)["weights"].keys() == set(ARKIT_BLENDSHAPES)
    properties = tools["generate"].inputSchema["properties"]
    assert "elderly-woman" in properties["identity"]["enum"]
    assert all(one.get("description") for one in properties.values())
    assert "face" in tools["generate"].description
    assert not answer.isError
    said = " ".join(part.text for part in answer.content if part.type == "text")
    assert "he-is-furious.glb" in said
    assert "'anger'" in said
    assert state.isError
    assert state.content[0].text.startswith("expected a state of format")  # no quotes around it
    assert tools["express"].description.endswith("JSON with weights, notes, instructions, space.")  # no `faces` here
    assert refused.isError
    assert "Please describe a feeling first" in " ".join(part.text for part in refused.content)
