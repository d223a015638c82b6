"""Spellings of blendshapes. What each file calls them was read in the files and public lists of the programs named."""

import json
from pathlib import Path

import pytest

from emo3d.blendshapes import ARKIT_BLENDSHAPES, BLENDSHAPES
from emo3d.face import FaceRig
from emo3d.names import KNOWN, blendshape_columns, blendshape_name, blendshape_names, nearest, read_names


def snake(name):
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


@pytest.mark.parametrize(
    "prefix", ["", "blendShape1.", "BS_node.", "head__", "Wolf3D_Head.", "Face:", "a|b|", "AK_09_"]
)
@pytest.mark.parametrize(
    "spell",
    [
        str,
        str.upper,
        str.lower,
        snake,
        lambda name: name[0].upper() + name[1:],  # Live Link Face
        lambda name: snake(name).title(),  # Character Creator: A25_Jaw_Open
        lambda name: name.replace("Left", "_L").replace("Right", "_R"),
        lambda name: name.replace("Left", ".L").replace("Right", ".R"),
        lambda name: name.replace("Left", "_Left").replace("Right", "_Right"),
        lambda name: name.replace("Left", "_left").replace("Right", "_right"),
        lambda name: snake(name).replace("left", "l").replace("right", "r"),
        lambda name: name.replace("Left", "L").replace("Right", "R"),  # MetaHuman
    ],
)
def test_every_spelling_of_every_name(prefix, spell):
    for name in ARKIT_BLENDSHAPES:
        assert blendshape_name(prefix + spell(name)) == name


@pytest.mark.parametrize(
    "name",
    """timestamp headYaw LeftEyeYaw Fcl_MTH_Neutral neutral Fcl_MTH_A jawOpen_mouthClose eyesLookUp mouthOpen viseme_aa
    jawOpen.001 browInnerUpLeft mouth jaw Mouth_Roll_In_Upper_L CTRL_expressions_mouthPressUL""".split(),
)
def test_other_targets_are_none(name):
    assert blendshape_name(name) is None


def test_what_needs_no_mapping_and_what_has_one():
    """One target of each program by its public name; halves (`Cheek_Puff_L`) and blends are left out."""
    assert blendshape_name("A25_Jaw_Open") == "jawOpen"
    assert blendshape_name("CTRL_expressions_eyeBlinkL") == "eyeBlinkLeft"
    for mapping, theirs, ours in [
        ("cc4", "Eye_R_Look_L", "eyeLookInRight"),
        ("cc4", "Mouth_Up_Upper_L", "mouthUpperUpLeft"),
        ("cc4", "Mouth_L", "mouthLeft"),
        ("cc4", "Cheek_Puff_L", None),
        ("metahuman", "CTRL_expressions_mouthCornerPullR", "mouthSmileRight"),
        ("metahuman", "CTRL_expressions_eyeLookLeftL", "eyeLookOutLeft"),
        ("metahuman", "CTRL_expressions_mouthDimpleL", "mouthDimpleLeft"),
        ("metahuman", "CTRL_expressions_browRaiseInL", None),
        ("vroid", "Fcl_EYE_Close_L", "eyeBlinkLeft"),
        ("vroid", "Fcl_ALL_Joy", None),
    ]:
        assert blendshape_name(theirs, read_names(mapping)) == ours


@pytest.mark.parametrize("mapping", ["cc4", "metahuman", "vroid"])
def test_packaged_mappings_have_sides_alike_and_no_shape_twice(mapping):
    names = read_names(mapping)
    shapes = list(blendshape_names(names, names))
    assert len(shapes) == len(names)
    mirrored = {shape.replace("Left", "?").replace("Right", "Left").replace("?", "Right") for shape in shapes}
    assert mirrored == set(shapes) <= set(BLENDSHAPES)


def test_a_mapping_of_the_users_own(tmp_path):
    path = tmp_path / "names.json"
    path.write_text(json.dumps({"MundAuf": "jawOpen", "target_jawOpen": None}))
    names = read_names(path)
    assert blendshape_names(["MundAuf", "target_jawOpen", "JawLeft"], names) == {
        "jawOpen": "MundAuf",
        "jawLeft": "JawLeft",
    }
    for document, message in [
        (
            {"MundAuf": "jawOpne"},
            r"names.json: expected an ARKit blendshape or null for 'MundAuf', got 'jawOpne'; is it",
        ),
        ({"MundAuf": ["jawOpen"]}, r"got \['jawOpen'\]"),
        ({"jawOpen": "viseme_aa"}, "null for 'jawOpen', got 'viseme_aa'; it goes {theirs: ours}"),
        ([1], "names.json: expected a JSON object from their names to ours, got a list"),
    ]:
        path.write_text(json.dumps(document))
        with pytest.raises(ValueError, match=message):
            read_names(path)
    with pytest.raises(FileNotFoundError, match="expected names of cc4, metahuman, vroid or a JSON file, found no daz"):
        read_names("daz")


def test_two_names_for_one_shape_are_both_said():
    for names in (["jawOpen", "JawOpen"], ["JawOpen", "blendShape1.jaw_open"], ["jawOpen"] * 2):
        with pytest.raises(ValueError, match=f"names jawOpen twice, as '{names[0]}' and '{names[1]}'"):
            blendshape_names(names)


def test_a_missing_column_has_the_nearest():
    assert nearest("jawOpne") == nearest("JawOpenn") == nearest("jaw_Opn") == "jawOpen"
    assert nearest("headYaw") is None
    columns = [name.replace("mouthPucker", "mouthPukcer") for name in BLENDSHAPES]
    with pytest.raises(ValueError, match=r"got none for mouthPucker; is 'mouthPukcer' it\?"):
        blendshape_columns(columns)


def test_neutral_is_mediapipes_only_with_its_underscore():
    assert blendshape_name("_neutral") == blendshape_name("_Neutral") == "_neutral"
    assert set(KNOWN) == {*BLENDSHAPES, "_neutral", "tongueOut"}


CASES = Path(__file__).parents[2] / "shared" / "cases"


@pytest.mark.skipif(not CASES.is_dir(), reason="the files of the trials are not beside this checkout")
def test_a_rig_with_other_spellings_has_the_same_shapes():
    """r04 is r01_front with `_Left` and the like: 7 shapes, says CASES.md."""
    plain, other = (FaceRig.from_glb(CASES / name) for name in ("r01_front.glb", "r04.glb"))
    assert len(BLENDSHAPES) - len(plain.missing) == 7
    assert other.missing == plain.missing
