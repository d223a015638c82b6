"""Expressions of VRM avatars: read, filled, and all else left as it was."""

import copy
import logging

import numpy as np
import pytest
from typer.testing import CliRunner

import emo3d_lab.cli.animate
import emo3d_lab.cli.vrm  # noqa: F401
from emo3d.cli.app import app
from emo3d.face.rig import TARGETS
from emo3d_lab.characters import Character, CharacterMap, EditedFile
from emo3d_lab.characters.presets import PRESETS, overrides, preset_weights
from emo3d_lab.characters.vrm import add_expression, expression_units, expressions_of, fill_presets
from emo3d_lab.characters.vrma import perfect_sync_names
from vrm_files import chunks_of, write_container, write_vrm

VERSIONS = ["1.0", "0.x"]
SMILE, JAW = TARGETS.index("mouthSmileLeft"), TARGETS.index("jawOpen")
OURS = {  # an author's own: joy filled, surprise and sorrow empty, one called like ARKit's, one of colours alone
    "1.0": {
        "preset": {
            "happy": {"isBinary": True, "morphTargetBinds": [{"node": 0, "index": SMILE, "weight": 0.7}]},
            "sad": {"overrideMouth": "block", "morphTargetBinds": []},
            "surprised": None,
            "relaxed": {"materialColorBinds": [{"material": 0, "type": "color", "targetValue": [1, 0, 0, 1]}]},
        },
        "custom": {"jaw_open": {"morphTargetBinds": [{"node": 0, "index": JAW, "weight": 0.5}]}},
    },
    "0.x": [
        {"name": "Joy", "presetName": "joy", "binds": [{"mesh": 0, "index": SMILE, "weight": 70}], "isBinary": True},
        {"name": "Sorrow", "presetName": "Sorrow", "binds": [], "materialValues": []},
        {"name": "Surprised", "presetName": "unknown", "binds": []},
        {"name": "Fun", "presetName": "fun", "binds": [], "materialValues": [{"materialName": "face"}]},
        {"name": "jaw_open", "presetName": "unknown", "binds": [{"mesh": 0, "index": JAW, "weight": 50}]},
    ],
}


def avatar(tmp_path, version, expressions=None, **options):
    return write_vrm(tmp_path / "avatar.vrm", version, copy.deepcopy(expressions), **options)


def fill(path, out=None, *, map=None, **options):
    """Fill a file, write it where that is asked for; return what became of each expression, and the new document."""
    character = Character.from_file(path, map=map)
    edited = EditedFile(character.asset)
    fillings = fill_presets(edited, character, **options)
    if out:
        edited.write(out)
    return {filling.name: filling.outcome for filling in fillings}, edited.json


def without_expressions(document):
    document = copy.deepcopy(document)
    extensions = document["extensions"]
    extensions.get("VRMC_vrm", {}).pop("expressions", None)
    extensions.get("VRM", {}).pop("blendShapeMaster", None)
    return document


def entry_of(document, name):
    """What the file has of a preset of 1.0 or 0.x, or of another expression."""
    if "VRM" in document["extensions"]:
        groups = document["extensions"]["VRM"]["blendShapeMaster"]["blendShapeGroups"]
        theirs = PRESETS.get(name, "unknown")
        title = "Surprised" if name == "surprised" else name
        return next(
            g for g in groups if g["presetName"].lower() == theirs and (theirs != "unknown" or g["name"] == title)
        )
    expressions = document["extensions"]["VRMC_vrm"]["expressions"]
    return expressions["preset" if name in PRESETS else "custom"][name]


def weights_of(document, name, mesh=0):
    """Target -> weight 0..1 on a mesh: its node is the one of that number's, the second mesh's the last."""
    entry = entry_of(document, name)
    if "binds" in entry:
        return {TARGETS[b["index"]]: b["weight"] / 100 for b in entry["binds"] if b["mesh"] == mesh}
    nodes = document["nodes"]
    binds = [bind for bind in entry["morphTargetBinds"] if nodes[bind["node"]]["mesh"] == mesh]
    return {TARGETS[bind["index"]]: bind["weight"] for bind in binds}


@pytest.mark.parametrize("version", VERSIONS)
def test_only_expressions_change(tmp_path, version):
    path = avatar(tmp_path, version, OURS[version])
    fill(path, tmp_path / "out.vrm", perfect_sync=True, replace=True)
    (before, data), (after, same) = chunks_of(path), chunks_of(tmp_path / "out.vrm")
    assert same == data
    assert without_expressions(after) == without_expressions(before)
    assert list(after) == list(before)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("replace", [False, True])
def test_a_second_time_changes_nothing(tmp_path, version, replace):
    path = avatar(tmp_path, version, OURS[version])
    for name in ("one.vrm", "two.vrm"):
        outcomes, _ = fill(path, tmp_path / name, perfect_sync=True, replace=replace)
        path = tmp_path / name
    assert (tmp_path / "one.vrm").read_bytes() == (tmp_path / "two.vrm").read_bytes()
    assert set(outcomes.values()) == ({"filled", "kept"} if replace else {"kept"})


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_filled_is_kept_and_what_is_empty_filled(tmp_path, version):
    path = avatar(tmp_path, version, OURS[version])
    outcomes, document = fill(path, perfect_sync=True)
    assert {name for name, outcome in outcomes.items() if outcome == "kept"} == {"happy", "relaxed", "JawOpen"}
    assert weights_of(document, "happy") == {"mouthSmileLeft": 0.7}
    assert len(expressions_of(document)) == 18 + 52
    for name in set(PRESETS) - {"happy", "relaxed"}:
        expected = {unit: round(float(w), 4) for unit, w in zip(TARGETS, preset_weights()[name], strict=True) if w}
        assert weights_of(document, name) == weights_of(document, name, mesh=1) == pytest.approx(expected), name
    assert weights_of(document, "BrowInnerUp") == {"browInnerUp": 1}


@pytest.mark.parametrize("version", VERSIONS)
def test_replaced_ones_keep_colours_and_settings(tmp_path, version):
    path = avatar(tmp_path, version, OURS[version])
    outcomes, document = fill(path, presets=["happy", "relaxed", "sad"], replace=True)
    assert outcomes == dict.fromkeys(("happy", "sad", "relaxed"), "filled")
    assert weights_of(document, "happy")["mouthSmileRight"] == 1
    assert entry_of(document, "happy")["isBinary"] is True
    assert any(entry_of(document, "relaxed").get(key) for key in ("materialColorBinds", "materialValues"))
    if version == "1.0":
        assert entry_of(document, "sad")["overrideMouth"] == "block"  # the author's
        assert entry_of(document, "sad")["overrideLookAt"] == "blend"


def test_presets_show_what_they_are_called():
    weights = {name: dict(zip(TARGETS, row, strict=True)) for name, row in preset_weights().items()}
    assert list(weights) == list(PRESETS)
    assert not any(weights["neutral"].values())
    # Contentment is happiness 0.6, whose strength is 1 - 0.4 ** 1.6 = 0.769; the soft smile is 12:0.9.
    assert weights["relaxed"]["mouthSmileLeft"] == pytest.approx(0.9 * 0.7692, abs=1e-3)
    assert weights["lookLeft"]["eyeLookOutLeft"] == weights["lookLeft"]["eyeLookInRight"] == 1
    jaws = [weights[vowel]["jawOpen"] for vowel in ("aa", "oh", "ee", "ih", "ou")]
    assert jaws == sorted(jaws, reverse=True)  # open to close, as vowels are told apart


def test_overrides_are_where_two_would_break_a_face():
    rows = preset_weights()
    staring = overrides(rows["surprised"])  # its jaw 0.9 and that of "aa" 0.62; its lids 0.9 wide
    assert staring == {"overrideBlink": "blend", "overrideLookAt": "none", "overrideMouth": "blend"}
    assert set(overrides(rows["happy"]).values()) == {"none"}  # it blinks and speaks
    assert overrides(rows["sad"]) == {"overrideBlink": "none", "overrideLookAt": "blend", "overrideMouth": "none"}


@pytest.mark.parametrize("version", VERSIONS)
def test_perfect_sync_says_what_moves_where_targets_have_other_names(tmp_path, version):
    """Names are taken away after the expressions were written: what these say brings every unit back."""
    path = avatar(tmp_path, version)
    _, document = fill(path, tmp_path / "named.vrm", perfect_sync=True)
    _, data = chunks_of(tmp_path / "named.vrm")
    others = [f"shape {place}" for place in range(50)] + ["", ""]
    for mesh in document["meshes"]:
        mesh["extras"] = {"targetNames": others}
    write_container(path, document, data)
    units = expression_units(document)
    assert units["browInnerUp"] == {"face/shape 2": 1, "second/shape 2": 1}
    assert units["tongueOut"] == {"face/#51": 1, "second/#51": 1}
    ours, theirs = Character.from_file(tmp_path / "named.vrm"), Character.from_file(path)
    assert theirs.missing == ()
    weights = np.random.default_rng(0).uniform(size=(5, 52))
    for mesh, morphs in ours.morphs(weights).items():
        np.testing.assert_allclose(theirs.morphs(weights)[mesh], morphs)
    own = Character.from_file(path, map=CharacterMap({"jawOpen": {"shape 3": 0.5}}))
    assert own.map.units["jawOpen"] == {"shape 3": 0.5}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_still_is_an_expression_of_a_vrm_too(tmp_path, version):
    path = avatar(tmp_path, version)
    weights = np.zeros(51)
    weights[JAW] = 0.25
    Character.from_file(path).write(tmp_path / "still.vrm", weights, name="she yawns")
    document, _ = chunks_of(tmp_path / "still.vrm")
    assert weights_of(document, "she yawns") == {"jawOpen": 0.25}
    assert document["meshes"][0]["weights"][JAW] == 0.25


@pytest.mark.parametrize("version", VERSIONS)
def test_units_are_read_in_any_spelling_with_their_weights(tmp_path, version):
    document, _ = chunks_of(avatar(tmp_path, version, OURS[version]))
    assert expression_units(document) == {"jawOpen": {"face/jawOpen": 0.5}}
    assert expression_units(document, {"jaw_open": None}) == {}
    assert perfect_sync_names(document) == {"jawOpen": "jaw_open"}
    assert expression_units({"asset": {"version": "2.0"}}) == {}


BROKEN = {
    "1.0": [{"node": 99, "index": 0}, {"node": 1, "index": 0}, {"node": 0, "index": 52}, {"index": 0}],
    "0.x": [{"mesh": 99, "index": 0}, {"mesh": -1, "index": 0}, {"mesh": 0, "index": 52}, {"mesh": 0}],
}


@pytest.mark.parametrize("version", VERSIONS)
def test_binds_that_lead_nowhere_are_said_and_the_rest_is_read(tmp_path, version, caplog):
    binds = [*BROKEN[version], {"node": 0, "mesh": 0, "index": JAW, "weight": 2 if version == "1.0" else 200}]
    entries = {
        "1.0": {"custom": {"jawOpen": {"morphTargetBinds": binds}, "JawOpen": {"morphTargetBinds": binds[-1:]}}},
        "0.x": [{"name": name, "binds": binds} for name in ("jawOpen",)],
    }
    path = avatar(tmp_path, version, entries[version])
    document, _ = chunks_of(path)
    with caplog.at_level(logging.WARNING):
        assert expression_units(document) == {"jawOpen": {"face/jawOpen": 1}}
    assert "target 52 of mesh 0 with 52, which is not there" in caplog.text
    assert "by 2, taken as 1" in caplog.text
    assert len(expressions_of(document)[0].problems) == 4
    answer = CliRunner().invoke(app, ["vrm", str(path)])
    assert answer.output.count("which is not there") == 4


@pytest.mark.parametrize(
    ("version", "expressions", "message"),
    [
        ("1.0", [1], "expected an object as all of the VRM's expressions, got"),
        ("1.0", {"preset": []}, None),  # as good as none
        ("1.0", {"preset": [1]}, "expected an object as preset of"),
        ("1.0", {"custom": {"A": 3}}, "expected an object as 'A' of"),
        ("1.0", {"custom": {"A": {"morphTargetBinds": {"a": 1}}}}, "expected a list as the binds of 'A' of"),
        ("0.x", {"a": 1}, "expected a list as blendShapeGroups of"),
        ("0.x", [3], "expected an object as group 0 of"),
        (
            "0.x",
            [{"binds": [{"mesh": 0, "index": 0, "weight": "1"}]}],
            "expected a number as weight of a bind, got '1'",
        ),
        ("0.x", [{"binds": ["x"]}], "expected an object as a bind of"),
        (None, None, "expected a VRM, got a glTF file without the VRMC_vrm or VRM extension"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path, version, expressions, message):
    document, _ = chunks_of(write_vrm(tmp_path / "avatar.glb", version, expressions))
    if message is None:
        assert expressions_of(document) == ()
        return
    with pytest.raises(ValueError, match=f"^{message}"):
        expressions_of(document)


def test_a_plain_glb_and_unknown_presets_are_refused(tmp_path):
    path = write_vrm(tmp_path / "face.glb", None)
    with pytest.raises(ValueError, match="VRM add-on of Blender or UniVRM makes an avatar of it"):
        fill(path)
    path = avatar(tmp_path, "1.0")
    for name, hint in (("hapy", "happy"), ("joy", "happy"), ("blink_l", "blinkLeft"), ("Surprise", "surprised")):
        with pytest.raises(ValueError, match=f"got '{name}'; did you mean '{hint}'"):
            fill(path, presets=["sad", name])


def test_presets_without_their_shapes_are_left_out_and_named(tmp_path):
    """Half of an emotion is better than none; half of a blink is none."""
    names = [
        name if name not in ("eyeBlinkLeft", "mouthPucker", "mouthFunnel") else f"other {name}" for name in TARGETS
    ]
    path = avatar(tmp_path, "1.0", targets=names)
    document, data = chunks_of(path)
    document["nodes"].pop()
    document["scenes"][0]["nodes"].pop()
    document["meshes"].pop()
    write_container(path, document, data)
    character = Character.from_file(path)
    edited = EditedFile(character.asset)
    fillings = {filling.name: filling for filling in fill_presets(edited, character)}
    left_out = {name for name, filling in fillings.items() if filling.outcome == "left out"}
    assert left_out == {"blink", "blinkLeft", "ou", "oh"}
    assert fillings["ou"].lacking == ("mouthFunnel", "mouthPucker")
    assert (fillings["sad"].outcome, fillings["sad"].lacking) == ("filled", ("eyeBlinkLeft",))
    assert set(edited.json["extensions"]["VRMC_vrm"]["expressions"]["preset"]) == set(PRESETS) - left_out
    with pytest.raises(ValueError, match=r"`emo3d map avatar\.vrm --out map\.json` makes a map for --map"):
        fill_presets(edited, character, ["ou", "blink"])


def test_what_goes_beyond_a_shape_is_said(tmp_path, caplog):
    """Both brows and lids on one shape: surprise would be 1 + 1 + 1 of it, a wink 1 and -0.5 of another."""
    raised = {"browInnerUp": 1, "browOuterUpLeft": 1, "browOuterUpRight": 1}
    units = {unit: {"face/browInnerUp": 1.0} for unit in raised} | {
        "eyeBlinkLeft": {"eyeBlinkLeft": 1, "eyeWideLeft": -0.5}
    }
    with caplog.at_level(logging.WARNING):
        _, document = fill(avatar(tmp_path, "1.0"), presets=["surprised", "blinkLeft"], map=CharacterMap(units))
    assert "surprised would move beyond 0..1" in caplog.text
    assert "(3.00)" in caplog.text
    assert "(-0.50)" in caplog.text
    assert weights_of(document, "surprised")["browInnerUp"] == 1
    assert weights_of(document, "blinkLeft") == {"eyeBlinkLeft": 1}


@pytest.mark.parametrize("version", VERSIONS)
def test_an_expression_of_its_own_is_added_once(tmp_path, version, caplog):
    path = avatar(tmp_path, version, OURS[version])
    character = Character.from_file(path)
    edited = EditedFile(character.asset)
    weights = np.zeros(51)
    weights[JAW] = 0.25
    assert add_expression(edited, character, "she yawns", weights) == "she yawns"
    assert add_expression(edited, character, "she yawns", weights) == "she yawns"
    assert caplog.text == ""
    assert weights_of(edited.json, "she yawns", mesh=1) == {"jawOpen": 0.25}
    assert add_expression(edited, character, "happy", weights) == "emo3d happy"
    assert weights_of(edited.json, "happy") == {"mouthSmileLeft": 0.7}
    add_expression(edited, character, "jaw_open", weights)
    assert "'jaw_open' is replaced" in caplog.text
    assert [expression.name for expression in expressions_of(edited.json)].count("she yawns") == 1


def test_the_command_lists_and_fills(tmp_path):
    path = avatar(tmp_path, "1.0", OURS["1.0"])
    listed = CliRunner().invoke(app, ["vrm", str(path)]).output
    assert [line.split()[1] for line in listed.splitlines() if "preset" in line] == [
        "happy",
        "sad",
        "surprised",
        "relaxed",
    ]
    out = tmp_path / "out.vrm"
    written = CliRunner().invoke(
        app, ["vrm", str(path), "--out", str(out), "--presets", "happy, sad", "--perfect-sync"]
    )
    assert written.output.splitlines()[:2] == ["filled: sad, 51 of ARKit's shapes", "kept: happy, 1 of ARKit's shapes"]
    assert len(expressions_of(chunks_of(out)[0])) == 5 + 51
    refused = CliRunner().invoke(app, ["vrm", str(path), "--replace"])
    assert "expected --out" in str(refused.exception)
    before = path.read_bytes()
    refused = CliRunner().invoke(app, ["vrm", str(path), "--out", str(path)])
    assert "expected another file to write than" in str(refused.exception)
    assert path.read_bytes() == before
    refused = CliRunner().invoke(app, ["vrm", str(path), "--out", str(out), "--face", "Fcae"])
    assert "avatar.vrm: no face 'Fcae'; there are 'face', 'second'" in str(refused.exception)


def test_the_command_has_the_names_of_0_x_and_says_where_there_are_none(tmp_path):
    """`presetName` of vrm-specification 0.0: joy, sorrow, fun, blink_l."""
    path = avatar(tmp_path, "0.x", OURS["0.x"])
    listed = CliRunner().invoke(app, ["vrm", str(path)]).output
    assert all(name in listed for name in ("joy (happy)", "sorrow (sad)", "Surprised (surprised)", "fun (relaxed)"))
    written = CliRunner().invoke(app, ["vrm", str(path), "--out", str(tmp_path / "out.vrm")]).output
    assert "blink_l (blinkLeft)" in written.splitlines()[0]
    path = avatar(tmp_path, "1.0")
    assert CliRunner().invoke(app, ["vrm", str(path)]).output == "no expressions yet; --out fills them\n"


def test_animate_writes_a_vrm_animation(tmp_path):
    """By the avatar's own names; one in the avatar's file has a hint to it."""
    path = avatar(tmp_path, "1.0", OURS["1.0"])
    arguments = ["animate", str(path), "yawns widely", "calm", "--fps", "10", "--out"]
    done = CliRunner().invoke(app, [*arguments, str(tmp_path / "act.vrma")])
    assert done.exit_code == 0, done.output
    names = set(chunks_of(tmp_path / "act.vrma")[0]["extensions"]["VRMC_vrm_animation"]["expressions"]["custom"])
    assert len(names) == 52
    assert "jaw_open" in names
    times = chunks_of(tmp_path / "act.vrma")[0]["accessors"][0]
    assert (times["count"], times["max"]) == (36, [3.5])  # until a second after 2.5 s
    done = CliRunner().invoke(app, [*arguments, str(tmp_path / "act.vrm")])
    assert "act.vrm, animation 'emo3d'" in done.output
    assert "--out act.vrma is made for them" in done.output
    still = CliRunner().invoke(
        app, ["animate", str(path), "calm", "--name", "at ease", "--out", str(tmp_path / "s.vrm")]
    )
    assert "s.vrm, expression 'at ease'" in still.output
    assert "act.vrma" not in still.output


@pytest.mark.parametrize("version", VERSIONS)
def test_the_validator_says_of_a_filled_file_what_it_said_before(tmp_path, validate, version):
    path = avatar(tmp_path, version)
    fill(path, tmp_path / "out.vrm", perfect_sync=True)
    before, after = (validate(file)["issues"] for file in (path, tmp_path / "out.vrm"))
    assert before["numErrors"] == 0
    assert after["messages"] == before["messages"]


def test_binds_of_nodes_that_share_a_mesh_are_not_added():
    """Each node has one, of the same weight; two of one node add up, as viewers add them."""
    mesh = {"primitives": [{"targets": [{}, {}]}], "extras": {"targetNames": ["jaw", "lid"]}}
    binds = [{"node": node, "index": 0, "weight": 0.5} for node in (0, 1)]
    binds += [{"node": 0, "index": 1, "weight": 0.25}] * 2
    expressions = {"custom": {"JawOpen": {"morphTargetBinds": binds}}}
    document = {
        "nodes": [{"mesh": 0}, {"mesh": 0}],
        "meshes": [mesh],
        "extensions": {"VRMC_vrm": {"expressions": expressions}},
    }
    assert expression_units(document) == {"jawOpen": {"/jaw": 0.5, "/lid": 0.5}}


def test_surprise_of_0_x_is_not_entered_twice(tmp_path):
    """There it is a preset of ours by its name alone: `emo3d animate avatar.vrm Surprised` makes another."""
    filled = [{"name": "Surprised", "presetName": "unknown", "binds": [{"mesh": 0, "index": 1, "weight": 100}]}]
    avatar = Character.from_file(write_vrm(tmp_path / "a.vrm", "0.x", filled))
    avatar.write(tmp_path / "b.vrm", {"jawOpen": 1}, name="Surprised")
    first, second = chunks_of(tmp_path / "b.vrm")[0]["extensions"]["VRM"]["blendShapeMaster"]["blendShapeGroups"]
    assert first == filled[0]
    assert second["name"] == "emo3d Surprised"


def test_names_are_no_markup(tmp_path):
    custom = {"[bold]winks": {}, "both[/]": {}}
    listed = CliRunner().invoke(app, ["vrm", str(write_vrm(tmp_path / "a.vrm", "1.0", {"custom": custom}))])
    assert listed.exit_code == 0, listed.exception
    assert "[bold]winks" in listed.output
    assert "both[/]" in listed.output


def test_meshes_of_one_name_are_said(caplog):
    """A map names meshes, so an expression for one of two moves both; where it is for both, all is well."""
    mesh = {"name": "Face", "primitives": [{"targets": [{}]}], "extras": {"targetNames": ["open"]}}
    binds = [{"node": node, "index": 0, "weight": 1} for node in (0, 1)]
    custom = {"JawOpen": {"morphTargetBinds": binds[:1]}, "MouthFunnel": {"morphTargetBinds": binds}}
    document = {
        "nodes": [{"mesh": 0}, {"mesh": 1}],
        "meshes": [mesh, mesh],
        "extensions": {"VRMC_vrm": {"expressions": {"custom": custom}}},
    }
    assert expression_units(document) == {"jawOpen": {"Face/open": 1}, "mouthFunnel": {"Face/open": 1}}
    assert [record.getMessage() for record in caplog.records] == [
        "'JawOpen' moves open of one mesh 'Face', taken as of all so named"
    ]
