"""`OnnxGenerator` takes, warns and refuses as the generators of PyTorch do, and reads no folder that was changed."""

import json
import logging
import subprocess
import sys

import numpy as np
import pytest
import torch

from emo3d.generation import ExpressionModel, load_generator
from emo3d_lab.onnx import OnnxGenerator, write_folder

TEXTS = ["a happy man", "She winks with her left eye.", "he smiles, lips pressed together", "sad 😀"]


@pytest.fixture(scope="module")
def made(tiny_bert, tmp_path_factory):
    """A small model with all that an answer can depend on, and its exported folder."""
    folder = tmp_path_factory.mktemp("made")
    torch.manual_seed(2)
    settings = {"proposals": 3, "focus": 1.5, "gain": 1.2, "takes_strength": True, "reads_instructions": True}
    model = ExpressionModel.from_encoder(tiny_bert, hidden_sizes=[8], **settings)
    for weights in model.parameters():
        torch.nn.init.normal_(weights, std=0.5)
    model.save_pretrained(folder / "model")
    write_folder(folder / "model", folder / "face", precision="float32")
    return folder


@pytest.fixture
def face(made, tmp_path):
    """A copy of the folder, to be changed."""
    for file in (made / "face").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


@pytest.mark.parametrize("strength", [0.0, 0.6, 1.0, 1.5])
@pytest.mark.parametrize("space", [None, "reading"])
def test_instructions_strength_and_space(made, strength, space):
    expected = load_generator(made / "model").generate(TEXTS, strength=strength, space=space)
    answer = OnnxGenerator(made / "face").generate(TEXTS, strength=strength, space=space)
    np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-4)


def test_a_wink_is_a_wink(made):
    """By what the words say: the person's own left eye shut, the right one open."""
    left, right = 8, 9  # eyeBlinkLeft and eyeBlinkRight in MediaPipe's order without _neutral
    (wink,) = OnnxGenerator(made / "face").generate(["winks with her left eye"])
    assert (wink[left], wink[right]) == (1, 0)


def test_a_batch_is_its_parts(made):
    generator, texts = OnnxGenerator(made / "face"), [*TEXTS, "a man", "woman smiles a smiles", *TEXTS]
    whole = generator.generate(texts, batch_size=2)
    np.testing.assert_allclose(whole, np.concatenate([generator.generate([text]) for text in texts]), atol=1e-6)


def test_warnings_are_those_of_pytorch(made, caplog):
    """Of notes, rows that the encoder hardly knows, and texts beyond the window of 12 tokens."""
    texts = [*TEXTS, "她非常高兴", "happy " * 30]
    messages = []
    for generator in (load_generator(made / "model"), OnnxGenerator(made / "face")):
        caplog.clear()
        with caplog.at_level(logging.WARNING, "emo3d"):
            generator.generate(texts)
        messages.append([record.getMessage() for record in caplog.records])
    assert messages[0] == messages[1]
    assert any("lost their end" in message for message in messages[1])
    assert any("hardly knows" in message for message in messages[1])


@pytest.mark.parametrize(
    ("texts", "options", "message"),
    [
        ([], {}, "expected at least one description"),
        (["happy", " "], {}, "expected a description in row 1"),
        (["happy"], {"strength": 1.6}, r"expected a strength of 0 to 1\.5, got 1\.6"),
        (["happy"], {"strength": float("nan")}, r"expected a strength of 0 to 1\.5, got nan"),
        (["happy"], {"space": "pixels"}, "expected a space"),
    ],
)
def test_mistakes_are_refused_in_the_words_of_pytorch(made, texts, options, message):
    for generator in (load_generator(made / "model"), OnnxGenerator(made / "face")):
        with pytest.raises(ValueError, match=message):
            generator.generate(texts, **options)


def test_a_changed_file_is_refused(face):
    content = bytearray((face / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (face / "model.onnx").write_bytes(content)
    with pytest.raises(ValueError, match=r"model\.onnx is not the file .* by SHA-256: export it again"):
        OnnxGenerator(face)


def test_a_missing_file_and_a_strange_name_are_refused(face):
    (face / "tokenizer.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks tokenizer\.json"):
        OnnxGenerator(face)
    manifest = json.loads((face / "face.json").read_text())
    manifest["files"] = {"../tokenizer.json": manifest["files"]["tokenizer.json"]}
    (face / "face.json").write_text(json.dumps(manifest))
    with pytest.raises(FileNotFoundError, match=r"lacks \.\./tokenizer\.json"):
        OnnxGenerator(face)


@pytest.mark.parametrize("text", ["[]", '{"format": "emo3d-face-2", "files": {}}', "{"])
def test_another_manifest_is_refused(face, text):
    (face / "face.json").write_text(text)
    with pytest.raises(ValueError, match=r"face\.json"):
        OnnxGenerator(face)


@pytest.mark.parametrize(
    ("field", "value", "part"),
    [
        ("files", [], "expected the files"),
        ("files", {}, r"expected model\.onnx among the files"),  # nothing would be checked
        ("files", None, "expected the files"),
        ("maxLength", "512", "expected maxLength"),
        ("takesStrength", None, "expected takesStrength"),
        ("generator", None, "expected generator"),
        ("blendshapes", None, "expected the 51 blendshapes"),
    ],
)
def test_a_changed_manifest_is_refused(face, field, value, part):
    manifest = json.loads((face / "face.json").read_text())
    (face / "face.json").write_text(json.dumps(manifest | {field: value}))
    with pytest.raises(ValueError, match=part):
        OnnxGenerator(face)


def test_no_folder_is_one_sentence(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"emo3d export MODEL --onnx OUT"):
        OnnxGenerator(tmp_path / "nowhere")


def test_it_needs_neither_pytorch_nor_transformers(made):
    code = (
        "import sys; sys.modules['torch'] = sys.modules['transformers'] = None\n"
        "from emo3d_lab.onnx import OnnxGenerator\n"
        "print(OnnxGenerator(sys.argv[1]).generate(['a happy man, winking']).shape)"
    )
    done = subprocess.run([sys.executable, "-c", code, made / "face"], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "(1, 51)", done.stderr[-2000:]
