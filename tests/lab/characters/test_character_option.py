"""`--character` on the commands, and `character=` of the pipeline and of a score."""

import json
from dataclasses import replace

import numpy as np
import pygltflib
import pytest
from PIL import Image
from typer.testing import CliRunner

import emo3d_lab.cli.faces  # noqa: F401 (adds its commands)
import emo3d_lab.cli.options as options
from commands import run
from emo3d import Character, FaceRig, RenderSettings, ScoreSettings, render
from emo3d.blendshapes import as_expressions
from emo3d.cli.app import app
from emo3d.face.calibration import load_calibration
from emo3d.face.export import write_glb, write_json
from emo3d.scoring import Emo3DScorer
from emo3d.scoring.settings import signature_fields
from emo3d_lab.calibrate.files import save_calibration
from emo3d_lab.characters import CharacterMap
from squares import Square

SMILE = {"mouthSmileLeft": 0.75, "mouthSmileRight": 0.75, "jawOpen": 0.25}


@pytest.fixture(scope="module")
def avatar(tmp_path_factory):
    """A head with what a user's file has besides: another animation, an extension, a camera."""
    path = tmp_path_factory.mktemp("avatar") / "avatar.glb"
    write_glb(path, np.zeros(51), rig=FaceRig.from_anny("boy"))
    glb = pygltflib.GLTF2().load(str(path))
    glb.nodes.append(pygltflib.Node(name="tail", translation=[1, 2, 3], extras={"mine": [1, 2]}))
    glb.scenes[0].nodes.append(len(glb.nodes) - 1)
    glb.cameras.append(pygltflib.Camera(type="perspective", perspective=pygltflib.Perspective(yfov=1.0, znear=0.1)))
    glb.save(str(path))
    return path


@pytest.fixture(scope="module")
def opened(avatar):
    return Character.from_file(avatar)


@pytest.fixture
def smile(tmp_path):
    path = tmp_path / "smile.json"
    write_json(path, [SMILE])
    return path


def parts(path):
    """The JSON and the rest of a GLB, whose first chunk is the JSON (glTF 2.0, 4.4.3)."""
    content = path.read_bytes()
    size = int.from_bytes(content[12:16], "little")
    return json.loads(content[20 : 20 + size]), content[20 + size :]


def pictures(path):
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def test_generate_gives_the_whole_file_back(avatar, opened, tmp_path):
    out, picture = tmp_path / "his.glb", tmp_path / "his.png"
    words = "generate", "winks with his left eye", "--character", avatar
    done = run(*words, "--out", out, "--picture", picture, "--size", 64)
    assert done.returncode == 0, done.stderr
    (before, data), (after, same) = (parts(path) for path in (avatar, out))
    mesh = after["meshes"][0]
    weights = dict(zip(mesh["extras"]["targetNames"], mesh["weights"], strict=True))
    assert {name: weight for name, weight in weights.items() if weight} == {"eyeBlinkLeft": 1}
    mesh["weights"] = before["meshes"][0]["weights"]
    assert after == before
    assert same == data
    expected = render([{"eyeBlinkLeft": 1}], rig=opened.rig, settings=RenderSettings(size=64))[0]
    assert np.array_equal(pictures(picture), expected)


def test_generate_says_what_it_has_no_shapes_for(tmp_path):
    path = Square().write(tmp_path / "square.gltf")
    done = run("generate", "puffs out his cheeks", "--character", path, "--out", tmp_path / "out.glb")
    assert done.returncode == 0, done.stderr
    assert "it has no shapes for cheekPuff" in done.stdout


@pytest.mark.parametrize("arguments", [["--out", "a.gltf"], ["--out", "a.gltf", "--samples", "2"]])
def test_generate_does_not_write_over_the_character(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = "a.gltf" if len(arguments) == 2 else "a-1.gltf"
    before = Square().write(tmp_path / name).read_bytes()
    done = CliRunner().invoke(app, ["generate", "puffs out his cheeks", "--character", name, *arguments])
    assert f"expected another file to write than {name}, which is read" in str(done.exception)
    assert (tmp_path / name).read_bytes() == before


def test_render_shows_the_character(avatar, opened, smile, tmp_path):
    done = run("render", smile, "--character", avatar, "--out", tmp_path / "faces", "--size", 48)
    assert done.returncode == 0, done.stderr
    expected = render([SMILE], rig=opened.rig, settings=RenderSettings(size=48))[0]
    assert np.array_equal(pictures(tmp_path / "faces" / "00000.png"), expected)


def test_render_takes_a_map_and_names(avatar, opened, tmp_path, smile):
    """Targets called otherwise look as they did, once names and a map say what they are."""
    glb = pygltflib.GLTF2().load(str(avatar))
    theirs = {"jawOpen": "Kiefer", "mouthSmileLeft": "viseme_aa"}
    glb.meshes[0].extras["targetNames"] = [theirs.get(name, name) for name in glb.meshes[0].extras["targetNames"]]
    path, names, mine = (tmp_path / name for name in ("other.glb", "names.json", "map.json"))
    glb.save(str(path))
    names.write_text(json.dumps({"Kiefer": "jawOpen"}))
    CharacterMap({"mouthSmileLeft": {"viseme_aa": 1.0}}).write(mine)
    done = run("render", smile, "--character", path, "--names", names, "--map", mine, "--out", tmp_path / "faces")
    assert done.returncode == 0, done.stderr
    shown = pictures(tmp_path / "faces" / "00000.png")
    assert np.array_equal(shown, render([SMILE], rig=opened.rig)[0])
    done = run("render", smile, "--character", path, "--names", names, "--out", tmp_path / "without")
    assert not np.array_equal(pictures(tmp_path / "without" / "00000.png"), shown)


@pytest.fixture(scope="module")
def scored(avatar, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scored")
    texts = [{"description": f"a {word} face", "happiness": place / 9} for place, word in enumerate("abcdefghij")]
    rows = [{"description": row["description"], "intensities": [row["happiness"], 0.5] + [0] * 6} for row in texts]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_json(folder / "faces.json", [{**SMILE, "browInnerUp": place / 10} for place in range(10)])
    arguments = ["score", folder / "faces.json", "--references", folder / "rows.jsonl", "--backbone", "quickstart"]
    return folder, arguments


def result_of(path):
    return json.loads(path.read_text())


def test_score_names_the_character_in_its_signature(avatar, opened, scored):
    folder, arguments = scored
    for name, more in (("his", ["--character", avatar]), ("adult", [])):
        done = run(*arguments, *more, "--k", 3, "--out", folder / f"{name}.json")
        assert done.returncode == 0, done.stderr
    his, adult = (result_of(folder / f"{name}.json") for name in ("his", "adult"))
    assert signature_fields(his["signature"])["identity"] == opened.name == f"avatar-{opened.origin[:8]}"
    assert signature_fields(adult["signature"])["identity"] == "adult"
    assert his["kl_divergence"] != adult["kl_divergence"]
    done = run("compare", folder / "his.json", folder / "adult.json")
    assert done.returncode == 1  # other faces, so no difference is said
    assert f"identity: {opened.name}, adult" in " ".join(done.stderr.split())
    blocks = run(
        *arguments, "--character", avatar, "--k", 3, "--samples", folder / "samples", "--out", folder / "b.json"
    )
    assert blocks.returncode == 0, blocks.stderr
    by_blocks = result_of(folder / "b.json")
    assert by_blocks["signature"] == his["signature"]
    assert by_blocks["kl_divergence"] == pytest.approx(his["kl_divergence"])


def test_a_score_is_of_the_rig_pictures(opened):
    """The embedding of the expressions is that of their pictures, rendered apart."""
    rows = [{"description": text, "intensities": np.eye(8)[place]} for place, text in enumerate("abcdefgh")]
    faces = as_expressions([{**SMILE, "browInnerUp": place / 8} for place in range(8)])
    settings = ScoreSettings(backbone="quickstart", k=2, identity=opened.rig)
    scorer = Emo3DScorer(settings).fit(rows)
    scorer.update(faces, rows)
    by_weights = scorer.compute()
    drawn = render(faces, rig=opened.rig, settings=scorer.settings.render)
    other = Emo3DScorer(replace(settings, identity="adult")).fit(rows)
    other.update(drawn, rows)
    by_pictures = other.compute()
    assert by_weights.kl_divergence == pytest.approx(by_pictures.kl_divergence)


def test_evaluate_takes_a_character(avatar, opened, scored, tmp_path):
    folder, _ = scored
    words = "evaluate", "--model", "quickstart", "--dataset", folder / "rows.jsonl", "--backbone", "quickstart"
    done = run(*words, "--k", 3, "--character", avatar, "--out", tmp_path / "result.json")
    assert done.returncode == 0, done.stderr
    assert signature_fields(result_of(tmp_path / "result.json")["signature"])["identity"] == opened.name


def test_a_signature_is_one_line_whatever_the_file_is_called(opened):
    rig = replace(opened.rig, name="a|b\nc:花-1234")
    assert signature_fields(ScoreSettings(identity=rig).signature)["identity"] == "a_b_c:花-1234"


def test_the_pipeline_shows_a_character(avatar, opened):
    from transformers import pipeline

    from emo3d import load_generator

    make = pipeline("text-to-expression", model=load_generator("quickstart"))
    texts = ["winks with his left eye", "opens his mouth"]
    for character in (avatar, opened):
        answers = make(texts, character=character, return_picture=True, return_glb=True)
        for answer in answers:
            assert answer["glb"] == opened.glb_bytes([answer["scores"]])
            assert np.array_equal(np.asarray(answer["picture"]), render([answer["scores"]], rig=opened.rig)[0])
    with pytest.raises(ValueError, match="expected an identity or a character"):
        make("smiles", identity="boy", character=avatar, return_picture=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": "missing.glb"}, "missing.glb"),
        ({"path": "avatar.glb", "identity": "boy"}, "expected --identity or --character, got boy and"),
        ({"path": "avatar.glb", "identities": 12}, "expected --identities or --character, got 12 and"),
        ({"path": None, "map": "map.json"}, "expected --character FILE with --map map.json, got none"),
        ({"path": None, "face": "Head"}, "expected --character FILE with --face Head, got none"),
        ({"path": "avatar.glb", "face": "Tail"}, "no face 'Tail'; there are 'face'"),
        ({"path": "avatar.glb", "map": "other.json"}, "avatar.glb: expected the map of this file"),
        ({"path": "plain.gltf"}, "plain.gltf: expected .*morph targets"),
    ],
)
def test_what_is_refused(arguments, message, avatar, tmp_path):
    square = Square()
    del square.primitive["targets"], square.mesh["extras"]
    square.write(tmp_path / "plain.gltf")
    CharacterMap({"jawOpen": {"jawOpen": 1.0}}, origin="0" * 64).write(tmp_path / "other.json")
    places = {"avatar.glb": avatar, **{name: tmp_path / name for name in ("plain.gltf", "other.json", "missing.glb")}}
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        options.open_character(**{key: places.get(value, value) for key, value in arguments.items()})


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--identities", 3], "expected --identities or --character, got 3"),
        (["--protocol", "emo3d-2026-quickstart"], "whose faces are the panel's"),
        (["--space", "reading"], "the rig has no calibration"),
    ],
)
def test_what_score_refuses(more, message, avatar, scored, tmp_path):
    _, arguments = scored
    if "--space" in more:
        write_json(tmp_path / "faces.json", [SMILE] * 10, space="reading")
        arguments = [arguments[0], tmp_path / "faces.json", *arguments[2:]]
        more = []
    done = run(*arguments, "--character", avatar, "--k", 3, *more)
    assert done.returncode == 2
    assert message in done.stderr.replace("\n", " ")


def test_calibrate_calls_it_so_too_and_still_a_rig(tmp_path):
    for option in ("--character", "--rig"):
        done = run("calibrate", tmp_path / "out", option, tmp_path / "missing.glb", "--faces", 256)
        assert done.returncode == 2
        assert "missing.glb" in done.stderr


def test_readings_become_weights_by_the_character_s_calibration(avatar, opened, tmp_path):
    """That of anny's heads, said to be of this file."""
    packaged = load_calibration()
    path, faces = tmp_path / "his.safetensors", tmp_path / "faces.json"
    save_calibration(replace(packaged, name="his", about={**packaged.about, "rig": opened.origin}), path)
    write_json(faces, [SMILE], space="reading")
    words = "render", faces, "--character", avatar, "--size", 32
    done = run(*words, "--character-calibration", path, "--out", tmp_path / "calibrated")
    assert done.returncode == 0, done.stderr
    assert "weights, from readings by network/his" in " ".join(done.stdout.split())
    weights = packaged.to_weights(as_expressions([SMILE]))
    expected = render(weights, rig=opened.rig, settings=RenderSettings(size=32))[0]
    assert np.array_equal(pictures(tmp_path / "calibrated" / "00000.png"), expected)
    save_calibration(replace(packaged, about={**packaged.about, "rig": "0" * 64}), path)
    done = run(*words, "--character-calibration", path, "--out", tmp_path / "refused")
    assert done.returncode == 2
    assert "make one for it with `emo3d calibrate OUT --character FILE`" in " ".join(done.stderr.split())
