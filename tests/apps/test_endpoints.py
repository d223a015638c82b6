"""The named endpoints through `gradio_client`, and the tools through an MCP client."""

import asyncio

import numpy as np
import pygltflib
import pytest
from PIL import Image

from emo3d import BLENDSHAPES, EMOTIONS
from serving import serving

gradio_client = pytest.importorskip("gradio_client", reason="the demo needs the extra [demo]")


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


def test_signatures_are_documented(client):
    named = client.view_api(return_format="dict")["named_endpoints"]
    assert set(named) == {"/generate", "/render", "/clip", "/score"}
    firsts = {"/generate": "description", "/render": "blendshapes", "/clip": "description", "/score": "predictions"}
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
            return {tool.name: tool for tool in listed.tools}, answer, refused, acted

    tools, answer, refused, acted = asyncio.run(visit())
    assert "clip-he-is-calm.glb" in " ".join(part.text for part in acted.content if part.type == "text")
    assert set(tools) == {"generate", "render", "clip", "evaluate_file"}
    properties = tools["generate"].inputSchema["properties"]
    assert "elderly-woman" in properties["identity"]["enum"]
    assert all(one.get("description") for one in properties.values())
    assert "face" in tools["generate"].description
    assert not answer.isError
    said = " ".join(part.text for part in answer.content if part.type == "text")
    assert "he-is-furious.glb" in said
    assert "'anger'" in said
    assert refused.isError
    assert "Please describe a feeling first" in " ".join(part.text for part in refused.content)
