"""Several faces of one description, by a VAE-CLIP that the Space is started with; here an untrained one."""

import json

import numpy as np
import pytest
import torch

from emo3d.generation import VaeClipConfig, VaeClipModel
from hanging import wait_on_page
from serving import serving

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(0)
    settings = {"backbone": "quickstart", "normalize": True, "embedding_size": 392, "space": "weights"}
    model = VaeClipModel(VaeClipConfig(**settings, embedding_scale=50)).eval()
    folder = tmp_path_factory.mktemp("vae-clip")
    model.save_pretrained(folder)
    model.folder = folder
    return model


def wait_for(page, expected):
    """Until the face shown is the expected one."""
    wait_on_page(page, lambda: np.allclose(weights_shown(page), expected, atol=1e-4), "the expected face")


def weights_shown(page):
    with page.expect_download() as download:
        page.locator("#take").get_by_role("button", name="ARKit JSON").click()
    (scores,) = json.loads(download.value.path().read_text())["expressions"]
    return np.array(list(scores.values()))


def test_each_variant_that_is_chosen_is_the_one_shown(model, visit, tmp_path):
    pytest.importorskip("gradio", reason="the demo needs the extra [demo]")
    expected = model.generate(["a proud man"], num_return_sequences=4, seed=5)[0]
    assert np.abs(np.diff(expected, axis=0)).max(axis=1).min() > 0.05  # they can be told apart
    with serving(tmp_path, EMO3D_GENERATOR=model.folder) as address:
        page = visit(address)
        page.get_by_text("Divergence").wait_for()
        page.get_by_label("Description").fill("a proud man")
        page.get_by_text("Generator", exact=True).click()
        page.get_by_label("Random seed of the variants").fill("5")
        slider = page.get_by_label("range slider for Number of variants")
        for _ in range(3):
            slider.press("ArrowRight")
        page.get_by_role("button", name="Show the face").click()
        faces = page.locator("#make").get_by_role("button", name="Thumbnail")
        faces.nth(3).wait_for()
        wait_for(page, expected[0])
        for chosen in (2, 1, 3):
            faces.nth(chosen).click()
            wait_for(page, expected[chosen])
        for chosen in (0, 2, 1):  # faster than they are answered
            faces.nth(chosen).click()
        wait_for(page, expected[1])
        for text in ("a furious man", "a shy man"):
            page.get_by_label("Description").fill(text)
            page.get_by_role("button", name="Show the face").click()
        wait_for(page, model.generate([text], num_return_sequences=4, seed=5)[0][0])
