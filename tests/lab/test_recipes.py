"""The recipe book: what must hold for every recipe, its page, and the command."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

import emo3d_lab.cli.recipes  # noqa: F401 - its entry point may not be installed yet
from emo3d.blendshapes import BLENDSHAPES, as_expressions, mirror
from emo3d.cli import app
from emo3d.emotions import EMOTIONS
from emo3d.expressions import read_expressions
from emo3d_lab.recipes import find_recipe, recipes, recipes_json

ROOT = Path(__file__).resolve().parents[2]
BOOK = recipes()
ISSUE = "smirk, wink, yawn, pout, sneer, kiss, side-eye, bittersweet, puppy eyes, duck face, poker face, eye roll"
ISSUE += ", gritted teeth, nervous laughter, contemptuous smile"
"""Names that issue 21 asks for."""


def run(*arguments):
    return CliRunner().invoke(app, ["recipes", *map(str, arguments)])


@pytest.mark.parametrize("name", BOOK)
def test_a_recipe_is_an_expression(name):
    recipe = BOOK[name]
    assert set(recipe.emotions) <= set(EMOTIONS)
    assert re.fullmatch(r"[A-Z].*\.", recipe.about)
    assert all(0 < weight <= 1 for weight in recipe.weights.values())
    assert list(recipe.weights) == [blendshape for blendshape in BLENDSHAPES if blendshape in recipe.weights]
    assert recipe.weights.get("mouthClose", 0) <= recipe.weights.get("jawOpen", 0)
    if recipe.weights:
        assert np.array_equal(recipe.expression, as_expressions([recipe.weights])[0])


def test_there_is_what_the_issue_asks_for():
    kinds = [recipe.kind for name, recipe in BOOK.items() if not name.endswith(" right")]
    assert set(ISSUE.split(", ")) <= BOOK.keys()
    assert kinds.count("emotion") == 7 * 3 + 1  # a face at rest has one strength
    assert kinds.count("blend") >= 15
    assert kinds.count("everyday") >= 60


def test_names_are_unique():
    """YAML lets a later key replace an earlier one of the same name."""
    text = (ROOT / "src/emo3d_lab/assets/recipe_book.yaml").read_text()
    names = re.findall(r"^  ([\w' -]+):", text, re.MULTILINE)
    assert len(names) == len(set(names)) == sum(map(len, yaml.safe_load(text).values()))
    assert len({name.lower().replace("-", " ") for name in BOOK}) == len(BOOK)


def test_no_two_look_alike():
    names = list(BOOK)
    faces = np.stack([recipe.expression for recipe in BOOK.values()])
    distances = np.linalg.norm(faces[:, None] - faces, axis=2) + 9 * np.eye(len(names))
    first, second = np.unravel_index(distances.argmin(), distances.shape)
    assert distances.min() > 0.25, (names[first], names[second])


def test_mirrored_ones_mirror():
    for name, recipe in BOOK.items():
        if name.endswith(" right"):
            assert np.array_equal(mirror(recipe.expression)[0], BOOK[name.removesuffix(" right")].expression), name
        else:
            assert (f"{name} right" in BOOK) != np.array_equal(mirror(recipe.expression)[0], recipe.expression), name


@pytest.mark.parametrize("emotion", [emotion for emotion in EMOTIONS if emotion != "neutral"])
def test_strengths_are_ordered(emotion):
    slight, plain, full = (BOOK[name].expression for name in (f"slight {emotion}", emotion, f"full {emotion}"))
    active = full > 0
    assert (slight[active] < plain[active]).all()
    assert (plain[active] < full[active]).all()
    assert not plain[~active].any()


def test_numbers_worked_by_hand():
    # Units of the prototypes: 12:1 is mouthSmile 1, 6:1 is cheekSquint 1 and eyeSquint 0.5; 25:1 opens the jaw by 0.1.
    assert BOOK["slight happiness"].weights["mouthSmileLeft"] == 0.5
    assert BOOK["slight happiness"].weights["eyeSquintLeft"] == 0.25
    assert BOOK["blink"].weights == {"eyeBlinkLeft": 1, "eyeBlinkRight": 1}
    # Apple: mouthLeft moves both lips to the left of the face, which is the person's own.
    assert {"mouthSmileLeft", "mouthLeft"} <= BOOK["smirk"].weights.keys()
    assert "mouthSmileRight" not in BOOK["smirk"].weights
    # 62 turns the eyes to the person's right: the left eye looks in, the right eye out.
    assert BOOK["side-eye"].weights["eyeLookInLeft"] == BOOK["side-eye"].weights["eyeLookOutRight"] == 1


@pytest.mark.parametrize(
    ("asked", "name"),
    [("Puppy-Eyes", "puppy eyes"), ("side eye", "side-eye"), ("wink left", "wink"), ("wink_right", "wink right")],
)
def test_spellings(asked, name):
    assert find_recipe(asked) == BOOK[name]


def test_a_wrong_name():
    with pytest.raises(ValueError, match="got 'smrik'; did you mean 'smirk'"):
        find_recipe("smrik")
    with pytest.raises(ValueError, match="emo3d recipes --list"):
        find_recipe("qqqq")
    with pytest.raises(ValueError, match="got 'nothing here'; `emo3d recipes --list` shows them"):
        find_recipe("nothing here")


def test_the_page_has_the_numbers_of_the_json():
    page = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    book = json.loads(recipes_json())["recipes"]
    table = {}
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != 4 or cells[0] in ("name", "---"):
            continue
        name, weights = cells[0].removesuffix(" ↔"), {}
        for part in filter(None, cells[3].split(", ")):
            blendshape, weight = part.split()
            for side in ("Left", "Right") if "*" in blendshape else ("",):
                weights[blendshape.replace("*", side)] = float(weight)
        emotions = [emotion for emotion in cells[1].split(" + ") if emotion]
        table[name] = {"weights": weights, "about": cells[2], "emotions": emotions, "kind": book[name]["kind"]}
        if cells[0].endswith("↔"):
            assert f"{name} right" in book
    assert table == {name: row for name, row in book.items() if not row["about"].startswith("Mirror image of")}


def test_the_command_writes_what_it_prints(tmp_path):
    for ending in (".json", ".csv"):
        result = run("wink", "--out", tmp_path / f"wink{ending}")
        assert result.exit_code == 0, result.output
        assert "eyeBlinkLeft" in result.output
        expressions, space = read_expressions(tmp_path / f"wink{ending}")
        assert space in (None, "weights")
        assert np.allclose(expressions[0], BOOK["wink"].expression, atol=1e-6)


def test_the_command_writes_a_face(tmp_path):
    from pygltflib import GLTF2

    assert run("smirk", "--out", tmp_path / "smirk.glb").exit_code == 0
    mesh = GLTF2().load(str(tmp_path / "smirk.glb")).meshes[0]
    weights = dict(zip(mesh.extras["targetNames"], mesh.weights, strict=True))
    assert {name: weight for name, weight in weights.items() if weight} == pytest.approx(dict(BOOK["smirk"].weights))


def test_the_command_gives_a_character_back(tmp_path):
    from emo3d import Character
    from squares import MOVES, Square

    path = Square().write(tmp_path / "square.gltf")  # it has a jaw, the left lid and the right smile
    result = run("wink", "--character", path, "--out", tmp_path / "his.gltf")
    assert result.exit_code == 0, result.output
    assert "no shapes for cheekSquintLeft, eyeSquintLeft, mouthSmileLeft," in " ".join(result.output.split())
    document = Character.from_file(tmp_path / "his.gltf").document
    assert dict(zip(MOVES, document["meshes"][0]["weights"], strict=True)) == pytest.approx(
        {"jawOpen": 0, "EyeBlinkLeft": 1, "mouthSmile_R": 0.45, "viseme_aa": 0}
    )


def test_the_command_does_not_write_over_the_character(tmp_path):
    from squares import Square

    path = Square().write(tmp_path / "square.gltf")
    before = path.read_bytes()
    refused = run("wink", "--character", path, "--out", path)
    assert "expected another file to write than" in str(refused.exception)
    assert path.read_bytes() == before


def test_the_command_lists_and_writes_all(tmp_path):
    result = run("--list")
    assert all(f"  {name}: " in result.output for name in BOOK)
    assert run("--out", tmp_path / "all.json").exit_code == 0
    document = json.loads((tmp_path / "all.json").read_text())
    assert document["space"] == "weights"
    assert {name: row["weights"] for name, row in document["recipes"].items()} == {
        name: dict(recipe.weights) for name, recipe in BOOK.items()
    }


@pytest.mark.parametrize(
    "arguments", [("smrik",), ("smirk", "--list"), ("smirk", "--out", "x.txt"), ("--out", "x.glb")]
)
def test_the_command_refuses(arguments):
    assert isinstance(run(*arguments).exception, ValueError)
