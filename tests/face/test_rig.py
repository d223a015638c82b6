"""The rig against anny itself, and the properties that make it a linear face."""

import os
import subprocess
import sys

import numpy as np
import pytest

from emo3d import loading
from emo3d.blendshapes import BLENDSHAPES, as_expressions, mirror
from emo3d.face import IDENTITIES, TARGETS, FaceRig, Identity
from emo3d.face.identities import HAIR_STYLES, NAMED


@pytest.fixture(scope="module")
def rig():
    return FaceRig.from_anny()


@pytest.fixture(scope="module")
def expressions():
    return np.random.default_rng(0).random((3, 51), dtype=np.float32)


def test_shapes(rig):
    count = len(rig.neutral)
    assert rig.deltas.shape == (52, count, 3)
    assert rig.colors.shape == (count, 3)
    assert rig.uv.shape == (count, 2)
    assert rig.triangles.max() == count - 1
    assert rig.uv.min() >= 0
    assert rig.uv.max() < 1
    head = rig.neutral[rig.neutral[:, 1] > 0.03]  # from the chin up
    assert np.ptp(head, axis=0) == pytest.approx([0.18, 0.25, 0.22], abs=0.03)  # metres
    assert (TARGETS[:51], TARGETS[51]) == (BLENDSHAPES, "tongueOut")


def test_no_weights_is_the_neutral_mesh(rig):
    assert np.array_equal(rig.vertices(np.zeros((1, 51)))[0], rig.neutral)


def test_linear_in_the_weights(rig, expressions):
    halved = rig.vertices(expressions / 2) - rig.neutral
    assert 2 * halved == pytest.approx(rig.vertices(expressions) - rig.neutral, abs=1e-6)


def test_batch_equals_its_parts(rig, expressions):
    parts = np.concatenate([rig.vertices(row[None]) for row in expressions])
    assert rig.vertices(expressions) == pytest.approx(parts, abs=1e-6)


def test_moves_as_anny_does(rig, expressions):
    """Anny 0.6.2 with all actions at once, before they are corrected: all but lips, teeth and lashes agree."""
    import anny
    import torch

    from emo3d_lab.heads.packing import reduce_head

    model = anny.Anny(rig="makehuman-head", topology="head", facial_actions="all", phenotypes="all")
    actions = {name: torch.tensor([float(score)]) for name, score in zip(BLENDSHAPES, expressions[0], strict=True)}
    phenotype = dict(IDENTITIES["adult"].phenotype)
    with torch.inference_mode():
        theirs = model(phenotype_kwargs=phenotype, facial_actions=actions)["vertices"][0].numpy()
    theirs = np.stack([theirs[:, 0], theirs[:, 2], -theirs[:, 1]], axis=1)
    head = reduce_head(IDENTITIES["adult"])
    ours = head["neutral"] + np.tensordot(expressions[0].astype(np.float64), head["deltas"][:51], 1)
    nearest = np.array([np.linalg.norm(ours - vertex, axis=1).min() for vertex in theirs])
    assert np.quantile(nearest, 0.85) < 2e-6  # metres
    assert nearest.max() < 0.001


def test_mirrored_expression_is_the_mirrored_face(rig):
    wink = as_expressions({"eyeBlinkLeft": 1, "mouthSmileLeft": 0.7, "mouthRight": 0.4})
    left, right = rig.vertices(wink)[0], rig.vertices(mirror(wink))[0] * [-1, 1, 1]
    visible = left[np.linalg.norm(rig.deltas.sum(axis=0), axis=1) > 1e-4]
    nearest = [np.linalg.norm(right - vertex, axis=1).min() for vertex in visible]
    assert np.mean(nearest) < 2e-4  # metres; MakeHuman's targets are drawn by hand and not quite symmetric


def test_left_is_the_persons_left(rig):
    moved = rig.deltas[TARGETS.index("eyeBlinkLeft")]
    assert rig.neutral[np.linalg.norm(moved, axis=1).argmax(), 0] > 0  # +x, at the right of a picture


def test_identities_differ_and_keep_their_topology(rig):
    child = FaceRig.from_anny("boy")
    assert np.array_equal(child.triangles, rig.triangles)
    assert np.ptp(child.neutral[:, 1]) < 0.95 * np.ptp(rig.neutral[:, 1])  # a child's head is smaller
    custom = FaceRig.from_anny(Identity({"gender": 0.0, "age": 0.36}, hair_style="crop"))
    assert np.array_equal(custom.neutral, child.neutral)
    assert custom.name.startswith("anny-")


def test_named_identities_need_neither_anny_nor_torch_nor_a_cache(tmp_path):
    """On a new machine: every named face, with an empty home, in a process that then names what it imported."""
    code = """
import sys
from emo3d.face import IDENTITIES, PANEL, FaceRig, Identity
for name in (*IDENTITIES, *PANEL):
    FaceRig.from_anny(name)
# A head that is packaged, in another colour and with other hair.
FaceRig.from_anny(Identity({"gender": 1, "age": 0.36}, skin=(41, 36, 32), hair_style="afro"))
print(*(name for name in ("anny", "torch", "warp") if name in sys.modules))
"""
    home = tmp_path / "home"
    home.mkdir()
    environment = {**os.environ, "HOME": str(home), "HF_HOME": str(home / "hub"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert (done.stdout.strip(), done.stderr) == ("", "")
    assert [path for path in home.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("identity", "message"),
    [
        ("martian", "expected an identity of adult, girl"),
        (Identity({"heigth": 0.5}), "expected phenotypes of gender, age"),
        (Identity({"age": 1.4}), "expected phenotypes in 0..1, got age = 1.4"),
    ],
)
def test_bad_identities(identity, message):
    with pytest.raises(ValueError, match=message):
        FaceRig.from_anny(identity)


def test_an_unknown_hair_style_is_refused_with_a_hint():
    with pytest.raises(ValueError, match=r"expected a hair style of none, buzz, .*, bun, got 'lng'.*'long'"):
        Identity(hair_style="lng")


@pytest.mark.parametrize("name", NAMED)
def test_the_whole_head_is_in_the_frame(name):
    """From the hair to the chin of an open mouth, and no face is more than an eighth smaller than without the frame."""
    rig = FaceRig.from_anny(name)
    _, height, depth, half = rig.frame
    mouth = np.zeros((1, 51))
    mouth[0, BLENDSHAPES.index("jawOpen")] = 0.7
    for vertices in (rig.neutral, rig.vertices(mouth)[0]):
        head = vertices[vertices[:, 1] > height - 1.1 * half]  # without the bust, which goes on below the picture
        shown = (head - [0, height, depth]) / (1 - (head[:, 2:] - depth) * np.tan(np.radians(10)) / half) / half
        assert shown[:, 1].max() < 1
        assert np.abs(shown[head[:, 1] > height, 0]).max() < 1


def test_two_dozen_people_differ_in_what_shows():
    assert len(NAMED) == 24
    looks = {(who.hair_style, who.hair, who.beard, who.skin, tuple(who.phenotype.items())) for who in NAMED.values()}
    assert len(looks) == 24


def test_a_beard_darkens_the_chin_and_neither_lips_nor_brow_nor_cheekbones():
    """Where a short beard grows is the author's own face in the mirror, in millimetres from the mouth's middle."""
    shaven, bearded = (
        FaceRig.from_anny(Identity({"gender": 0.0, "age": 0.6}, hair=(52, 38, 32), beard=beard)) for beard in (0, 1)
    )
    teeth = shaven.neutral[np.isclose(shaven.gloss, 0.6)].mean(axis=0)
    change = shaven.texture.astype(float).mean(axis=2) - bearded.texture.astype(float).mean(axis=2)
    places = {"chin": (0, -45), "jaw": (38, -32), "lip": (4, 13), "lips": (0, -5), "brow": (30, 90), "cheek": (45, 40)}
    darker = {}
    for name, (x, y) in places.items():
        off = shaven.neutral[:, :2] - teeth[:2] - np.array([x, y]) / 1000
        front = np.flatnonzero(np.linalg.norm(off, axis=1) < 0.006)
        vertex = front[shaven.neutral[front, 2].argmax()]
        column, row = (shaven.uv[vertex] * len(change)).astype(int)
        darker[name] = change[row - 8 : row + 8, column - 8 : column + 8].mean()
    assert min(darker["chin"], darker["jaw"]) > 2 * darker["lip"] > 15  # of 255; a thin moustache
    assert max(darker[name] for name in ("lips", "brow", "cheek")) < 5


def test_a_beard_beyond_its_range_is_refused():
    with pytest.raises(ValueError, match=r"expected a beard of 0\.\.1, got 1\.5"):
        Identity(beard=1.5)


@pytest.mark.parametrize("style", HAIR_STYLES)
def test_every_head_wears_every_style(style):
    bald, rig = (
        FaceRig.from_anny(Identity(IDENTITIES["woman"].phenotype, hair_style=name)) for name in ("none", style)
    )
    count = len(bald.neutral)
    assert rig.triangles.max() < len(rig.neutral) == rig.deltas.shape[1] == len(rig.welds) == len(rig.gloss)
    assert np.array_equal(rig.triangles[: len(bald.triangles)], bald.triangles)  # hair is added to a head
    face = bald.neutral[:, 1] < bald.frame[1]
    assert np.abs(rig.neutral[:count] - bald.neutral)[face & (bald.neutral[:, 2] > bald.frame[2])].max() < 1e-6
    grown = np.ptp(rig.neutral[:, 0]) - np.ptp(bald.neutral[:, 0]), np.abs(rig.neutral[:count] - bald.neutral).max()
    assert max(grown) > {"none": -1, "buzz": 0.0005}.get(style, 0.002)


def test_without_the_workshop_a_file_is_refused_in_a_sentence(monkeypatch):
    monkeypatch.setattr(loading, "entry_points", lambda **_: ())
    with pytest.raises(OSError, match=r"this needs 'characters' of emo3d_lab, .*: pip install emo3d"):
        FaceRig.from_glb("head.glb")
