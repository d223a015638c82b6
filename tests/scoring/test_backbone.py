"""Backbones of the Hub's kind, with random weights; each is checked against the model and its own processor."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer, BertConfig, BertModel

from emo3d.backbones.preprocess import Preprocess
from emo3d.scoring import load_backbone
from hanging import HANGS
from hub import Hub

SIDE = 32  # of the pictures that the small models see
LONG = "a sad man with very wide eyes one two three one two three one two three"


@pytest.fixture(params=["clip_folder", "siglip_folder"])
def folder(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("shape", [(SIDE, SIDE), (64, 64), (20, 20), (50, 77), (224, 180)])
def test_pixels_are_those_of_the_models_own_processor(folder, shape):
    pictures = np.random.default_rng(0).integers(0, 256, (3, *shape, 3), dtype=np.uint8)
    processor = AutoImageProcessor.from_pretrained(folder)
    expected = processor(images=[Image.fromarray(picture) for picture in pictures], return_tensors="pt")["pixel_values"]
    pixels = Preprocess.from_processor(processor)(pictures, "cpu", torch.float32)
    # To one step of 8 bits, where a picture is resized: PIL and torch round their filter weights differently.
    step = 1.01 / 255 / min(processor.image_std) if shape != (SIDE, SIDE) else 1e-6
    assert (pixels - expected).abs().max() <= step


def test_embeddings_are_the_models_own(folder):
    backbone = load_backbone(folder)
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    texts = ["a happy face", "a man", LONG]
    siglip = model.config.model_type == "siglip"
    expected = []
    for text in texts:  # one at a time, so that no padding but the model's own is in play
        tokens = tokenizer(text, truncation=True, padding="max_length" if siglip else False, return_tensors="pt")
        expected.append(pooled(model.get_text_features(input_ids=tokens["input_ids"])))
    encoded = backbone.encode_texts(texts)
    assert encoded.truncated == 1
    torch.testing.assert_close(encoded.embeddings, unit(torch.cat(expected)), atol=1e-5, rtol=0)

    pictures = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, 3), dtype=np.uint8)
    pixels = AutoImageProcessor.from_pretrained(folder)(images=list(pictures), return_tensors="pt")["pixel_values"]
    expected = unit(pooled(model.get_image_features(pixel_values=pixels)))
    torch.testing.assert_close(backbone.encode_pictures(pictures), expected, atol=1e-5, rtol=0)


def pooled(features):
    return (features if torch.is_tensor(features) else features.pooler_output).detach()


def unit(features):
    return features / features.norm(dim=-1, keepdim=True)


def test_truncation_keeps_the_end_token(clip_folder):
    tokens = load_backbone(clip_folder).tokenize([LONG])["input_ids"][0]
    assert len(tokens) == 12
    assert tokens[-1] == 3  # CLIP pools at <eos>


def test_attributes(clip_folder):
    backbone = load_backbone(clip_folder)
    assert (backbone.id, backbone.dtype, backbone.image_size) == (clip_folder, "float32", SIDE)
    assert len(backbone.revision) == 12  # a local folder has no commit: a digest of the weights stands in


def test_loaded_once(clip_folder):
    assert load_backbone(clip_folder) is load_backbone(clip_folder, None, device="cpu", dtype=torch.float32)
    half = load_backbone(clip_folder, dtype=torch.bfloat16)
    assert half.dtype == "bfloat16"
    texts = ["a happy face"]
    full = load_backbone(clip_folder).encode_texts(texts).embeddings
    torch.testing.assert_close(half.encode_texts(texts).embeddings, full, atol=0.02, rtol=0)


def test_no_dual_encoder(tmp_path):
    config = BertConfig(vocab_size=30, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    BertModel(config).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"expected a dual encoder .* is a bert model, which has not both sides"):
        load_backbone(str(tmp_path))


def test_hub_out_of_reach_names_quickstart(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(OSError, match=r"nobody/nothing at revision main could not be loaded.*'quickstart' comes with"):
        load_backbone("nobody/nothing", "main")


def test_a_backbone_of_the_hub_is_signed_with_its_commit(clip_folder, tmp_path):
    """By the Hub's own word for the branch: another tokenizer or processor is another commit with the same weights."""
    other = tmp_path / "other"
    shutil.copytree(clip_folder, other)
    (other / "preprocessor_config.json").write_text((other / "preprocessor_config.json").read_text() + "\n")
    code = """
from huggingface_hub import HfApi
from emo3d.scoring import load_backbone
for branch in ("main", "other"):
    print("SIGNED", load_backbone("me/clip", branch).revision, HfApi().model_info("me/clip", revision=branch).sha)
"""
    with Hub({("me/clip", "main"): clip_folder, ("me/clip", "other"): other}) as hub:
        environment = hub.environment(tmp_path / "home")
        run = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=HANGS, check=False
        )
    pairs = [line.split()[1:] for line in run.stdout.splitlines() if line.startswith("SIGNED")]
    assert len(pairs) == 2, run.stderr[-2000:]
    assert all(signed == commit for signed, commit in pairs)
    assert pairs[0] != pairs[1]
