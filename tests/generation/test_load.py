"""Generators by name from a Hub on loopback: nothing but ids is given."""

import json
import subprocess
import sys

import numpy as np
import torch

from emo3d.generation import ClipExpressionConfig, ClipExpressionModel, VaeClipConfig, VaeClipModel
from hub import Hub

HUB_CLIENT = """
import json
import numpy as np
from emo3d import load_generator
print("RESULT", json.dumps([
    load_generator("ns/baseline").generate(["a happy face", "calm"]).tolist(),
    load_generator("ns/vae").generate(None, np.full((1, 32, 32, 3), 9, np.uint8), num_return_sequences=3).tolist(),
]))
"""


def test_a_model_and_its_backbone_come_from_a_hub(tmp_path, clip_folder):
    backbone = {"backbone": "ns/clip", "embedding_size": 8}
    torch.manual_seed(0)
    clip, vae = ClipExpressionModel(ClipExpressionConfig(**backbone)), VaeClipModel(VaeClipConfig(**backbone))
    repositories = {("ns/clip", "main"): clip_folder}
    for name, model in (("baseline", clip), ("vae", vae)):
        model.save_pretrained(tmp_path / name)
        repositories["ns/" + name, "main"] = tmp_path / name
    with Hub(repositories) as hub:
        done = subprocess.run(
            [sys.executable, "-c", HUB_CLIENT],
            env=hub.environment(tmp_path / "home"),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    described, pictured = json.loads(done.stdout.rpartition("RESULT ")[2])
    clip.config.backbone = vae.config.backbone = clip_folder
    np.testing.assert_allclose(described, clip.generate(["a happy face", "calm"]), atol=1e-6)
    picture = np.full((1, 32, 32, 3), 9, np.uint8)
    np.testing.assert_allclose(pictured, vae.generate(pictures=picture, num_return_sequences=3), atol=1e-6)
