import os
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest
import torch

from emo3d.backbones.dual import QuickstartBackbone, load_backbone
from emo3d.face import FaceRig
from emo3d_lab.selftest import FACES, Measurement, compare, load_expected, load_faces, measure

FEW = slice(0, 32, 2)


@pytest.fixture(scope="module")
def backbone():
    return load_backbone("quickstart")


@pytest.fixture(scope="module")
def expected(backbone):
    """Of some of the faces only, measured here: what is compared below is what was changed."""
    return measure(backbone, load_faces()[FEW])


def missed(expected, measured):
    return [check.what for check in compare(expected, measured) if not check.is_passed]


def test_what_is_expected_is_frozen():
    """Written by hand; CONTRIBUTING.md says when it may change."""
    packaged = FACES.parent / "quickstart.safetensors"
    assert sha256(FACES.read_bytes()).hexdigest()[:16] == "6e16974190a59a8c"
    assert sha256(packaged.read_bytes()).hexdigest()[:16] == "5f6df2bc816cf309"


def test_the_faces_span_emotions_identities_and_blendshapes():
    faces = load_faces()
    strongest = [max(face["intensities"], key=face["intensities"].get) for face in faces]
    assert len(faces) == 32
    assert len({face["identity"] for face in faces}) == 24
    assert len(set(strongest)) == 8
    assert len({name for face in faces for name in face["blendshapes"]}) == 51


def test_other_processors_and_threads_get_the_same():
    """Kernels compiled for any x86-64, PyTorch's without vector units, one thread: another process."""
    variables = {"NUMBA_CPU_NAME": "generic", "ATEN_CPU_CAPABILITY": "default", "OMP_NUM_THREADS": "1"}
    variables["ONEDNN_MAX_CPU_ISA"] = "SSE41"
    command = [sys.executable, "-m", "emo3d", "selftest"]
    result = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "MISS" not in result.stdout
    assert "the same to the bit" in result.stdout


def test_a_changed_delta_is_missed(backbone, expected, monkeypatch):
    from_anny = FaceRig.from_anny

    def moved(identity, *arguments, **options):
        rig = from_anny(identity, *arguments, **options)
        deltas = rig.deltas.copy()
        deltas[:, : deltas.shape[1] // 4] *= 1.05
        return replace(rig, deltas=deltas)

    monkeypatch.setattr(FaceRig, "from_anny", moved)
    assert "pictures" in missed(expected, measure(backbone, load_faces()[FEW]))


def test_a_changed_pixel_is_missed(backbone, expected, monkeypatch):
    module = sys.modules["emo3d_lab.selftest.measure"]  # the function hides its module
    render = module.render

    def spotted(*arguments, **options):
        pictures = render(*arguments, **options)
        pictures[0, 100, 100, 1] ^= 1
        return pictures

    monkeypatch.setattr(module, "render", spotted)
    (check, *_) = [check for check in compare(expected, measure(backbone, load_faces()[FEW])) if not check.is_passed]
    assert check.what == "pictures"
    assert "16 of 12544 boxes of 8 x 8 pixels, by up to 1 levels" in check.difference  # 16 faces, of 28 x 28 boxes


def test_a_changed_weight_is_missed(expected):
    backbone = QuickstartBackbone()
    with torch.no_grad():
        next(backbone._tower.parameters()).mul_(1.01)
    assert "embeddings of pictures" in missed(expected, measure(backbone, load_faces()[FEW]))


def test_numbers_that_are_none_are_missed(expected):
    broken = replace(expected, texts=np.full_like(expected.texts, np.nan))
    assert missed(expected, broken) == ["embeddings of texts"]


def test_the_file_comes_back(expected, tmp_path):
    expected.save(tmp_path / "a.safetensors")
    assert missed(expected, Measurement.load(tmp_path / "a.safetensors")) == []


def test_bad_files(expected, tmp_path):
    path = tmp_path / "a.safetensors"
    replace(expected, backbone="other/clip").save(path)
    with pytest.raises(ValueError, match="expected values of quickstart, got those of other/clip"):
        compare(Measurement.load(path), expected)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match=r"a.safetensors is none or damaged"):
        Measurement.load(path)
    with pytest.raises(FileNotFoundError, match="expected values of other/clip did not come with this version"):
        load_expected("other/clip")
