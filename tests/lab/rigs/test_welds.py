"""Which vertices share a normal: two squares that meet along x = 0, by hand, and a packer's whole numbers."""

import time

import numpy as np
import pytest

from emo3d.face import FaceRig
from emo3d_lab.rigs.welds import close_borders, weld
from squares import PLACES, Square

NEAR = 1e-3  # half heights: within a border's tolerance, far beyond the grain of copies
OUT = np.float32([1, 0, 0])
# Vertices 1 and 2 of the left square are 4 and 7 of the right one.
MEET = np.concatenate([PLACES - OUT, PLACES + OUT])
CORNERS = np.array([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
OWNERS = np.repeat([0, 1], 4)
AHEAD = np.tile(np.float32([0, 0, 1]), (8, 1))


def turned(degrees):
    """Normals ahead on the left, and turned about y on the right."""
    angle = np.radians(degrees)
    normals = AHEAD.copy()
    normals[4:] = np.sin(angle), 0, np.cos(angle)
    return normals


def moves(*rows):
    deltas = np.zeros((52, 8, 3), np.float32)
    deltas[3, list(rows), 1] = -1
    return deltas


@pytest.mark.parametrize("normals", [AHEAD, turned(20), 0 * AHEAD], ids=["alike", "nearly", "none"])
def test_a_seam_is_smooth(normals):
    assert weld(MEET, moves(), normals, 1).tolist() == [0, 1, 2, 3, 1, 5, 6, 2]


def test_an_edge_stays_hard_where_the_file_has_two_normals():
    assert weld(MEET, moves(), turned(40), 1).tolist() == [*range(8)]


def test_the_file_s_normals_make_an_edge(tmp_path):
    """Two copies of a square and one whose normals look up: at the same places, moving alike."""
    square = Square()
    pieces = [np.tile(np.array(row, np.float32), (4, 1)) for row in ([0, 0, 1], [0, 1, 0], [0, 0, 1])]
    square.mesh["primitives"] = [
        {**square.primitive, "attributes": {**square.primitive["attributes"], "NORMAL": square.add(piece)}}
        for piece in pieces
    ]
    rig = FaceRig.from_glb(square.write(tmp_path / "square.gltf"))
    assert rig.welds.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3]


def test_the_back_of_a_card_has_normals_of_its_own(tmp_path):
    """Lashes seen from both sides are read twice; one normal for both would be none."""
    square = Square()
    square.primitive["attributes"]["NORMAL"] = square.add(AHEAD[:4])
    square.primitive["material"] = 0
    square.document["materials"] = [{"alphaMode": "MASK", "doubleSided": True}]
    rig = FaceRig.from_glb(square.write(tmp_path / "card.gltf"))
    assert rig.welds.tolist() == [*range(8)]


def test_the_border_of_two_pieces_is_closed():
    apart, deltas = MEET.copy(), moves(1, 4)
    apart[4:] += NEAR * np.float32([1, -1, 1])
    deltas[3, 4] += NEAR  # its moves are whole numbers of another box, too
    welds = weld(apart, deltas, AHEAD, 1)
    assert welds.tolist() == [*range(8)]
    closed = close_borders(apart, deltas, AHEAD, CORNERS, OWNERS, welds, 1)
    assert closed.tolist() == [0, 1, 2, 3, 1, 5, 6, 2]
    assert np.array_equal(apart[[4, 7]], MEET[[1, 2]])
    assert np.array_equal(deltas[:, 4], moves(1)[:, 1])


@pytest.mark.parametrize(
    ("deltas", "normals", "owners"),
    [(moves(1, 2), AHEAD, OWNERS), (moves(), turned(40), OWNERS), (moves(), AHEAD, 0 * OWNERS)],
    ids=["lips", "edge", "one piece"],
)
def test_what_only_looks_like_a_border_stays(deltas, normals, owners):
    apart = MEET.copy()
    apart[4:] += np.float32([NEAR, 0, 0])
    before = apart.copy()
    welds = close_borders(apart, deltas, normals, CORNERS, owners, np.arange(8, dtype=np.int32), 1)
    assert welds.tolist() == [*range(8)]
    assert np.array_equal(apart, before)


def test_a_fine_border_is_not_drawn_together():
    """Vertices closer to one another than the tolerance: each finds the one that it is a copy of."""
    count = 50
    row = np.zeros((count, 3), np.float32)
    row[:, 1] = NEAR / 2 * np.arange(count)
    places = np.concatenate([row, row - OUT, row + OUT * NEAR / 5, row + OUT])
    k = np.arange(count - 1)
    strip = np.concatenate([np.stack([k, k + 1, k + count], 1), np.stack([k + 1, k + count + 1, k + count], 1)])
    triangles = np.concatenate([strip, strip + 2 * count])
    deltas, normals = np.zeros((52, 4 * count, 3), np.float32), np.tile(AHEAD[:1], (4 * count, 1))
    own = np.arange(4 * count, dtype=np.int32)
    welds = close_borders(places, deltas, normals, triangles, np.repeat([0, 1], 2 * count), own, 1)
    assert np.array_equal(welds[2 * count : 3 * count], np.arange(count))
    assert np.array_equal(np.delete(welds, np.s_[2 * count : 3 * count]), np.delete(own, np.s_[2 * count : 3 * count]))


@pytest.mark.parametrize("far", [0, 1])
def test_open_edges_without_end_take_seconds(far):
    """30,000 triangles on their own in one place, of 1,000 pieces: that all move their own way, or alike."""
    count = 90_000
    places = np.random.default_rng(0).random((count, 3)).astype(np.float32) * NEAR
    deltas = np.zeros((52, count, 3), np.float32)
    deltas[7, :, 0] = far * np.arange(count)
    normals, owners, own = np.zeros_like(places), np.arange(count) % 1000, np.arange(count, dtype=np.int32)
    start = time.process_time()
    welds = close_borders(places, deltas, normals, own.reshape(-1, 3), owners, own, 1)
    assert np.array_equal(welds, own) == bool(far)
    assert time.process_time() - start < 4
