"""The clip for Unity, read by a YAML loader: every key. Unity itself is not here."""

import numpy as np
import pytest
import yaml
from moving import APPLE, CASES, truth, write_character

from emo3d.face.rig import TARGETS
from emo3d_lab.characters import Character
from emo3d_lab.takes.reading import Take, read_take
from emo3d_lab.takes.writing import write_take
from vrm_files import write_vrm

RNG = np.random.default_rng(0)
RANDOM = Take(RNG.random((9, 52), np.float32), np.cumsum([0, *RNG.uniform(0.01, 0.05, 8)]))


class UnityLoader(yaml.SafeLoader):
    """YAML with Unity's tags: `!u!74` is tag:unity3d.com,2011:74."""


UnityLoader.add_multi_constructor(
    "tag:unity3d.com,2011:", lambda loader, kind, node: (kind, loader.construct_mapping(node, True))
)


def clip_of(path):
    kind, document = yaml.load(path.read_text(encoding="utf-8"), UnityLoader)
    assert (kind, list(document)) == ("74", ["AnimationClip"])
    return document["AnimationClip"]


def curves_of(clip):
    curves = {}
    for entry in clip["m_FloatCurves"]:
        assert entry["classID"] == 137
        assert entry["script"] == {"fileID": 0}
        curves[entry["path"], entry["attribute"]] = entry["curve"]["m_Curve"]
    assert len(curves) == len(clip["m_FloatCurves"])
    return curves


@pytest.fixture(scope="module")
def character(tmp_path_factory):
    return Character.from_file(write_character(tmp_path_factory.mktemp("character") / "small.glb"))


def test_every_key_is_the_take(character, tmp_path):
    write_take(tmp_path / "smile.anim", RANDOM, character, full=100)
    clip = clip_of(tmp_path / "smile.anim")
    curves = curves_of(clip)
    expected = {("Armature/Head", f"blendShape.{unit}") for unit in APPLE}
    expected |= {("Armature/Upper teeth", f"blendShape.{unit}") for unit in ("jawOpen", "tongueOut")}
    assert curves.keys() == expected
    for (_, attribute), keys in curves.items():
        weights = 100.0 * RANDOM.scores.astype(float)[:, TARGETS.index(attribute.removeprefix("blendShape."))]
        assert [key["time"] for key in keys] == pytest.approx(RANDOM.times, rel=1e-6)
        assert [key["value"] for key in keys] == pytest.approx(weights, rel=1e-6)
        slopes = np.diff(weights) / np.diff(RANDOM.times)  # of straight lines, by hand
        assert [key["outSlope"] for key in keys[:-1]] == pytest.approx(slopes, rel=1e-5, abs=1e-4)
        assert [key["inSlope"] for key in keys[1:]] == pytest.approx(slopes, rel=1e-5, abs=1e-4)
    assert (clip["m_Name"], clip["m_SampleRate"]) == ("smile", pytest.approx(RANDOM.fps, rel=1e-6))
    assert clip["m_AnimationClipSettings"]["m_StopTime"] == pytest.approx(RANDOM.times[-1], rel=1e-6)


@pytest.mark.skipif(not CASES.is_dir(), reason="the case files are not beside the checkout")
@pytest.mark.parametrize("name", ["a2f.json", "beat.json", "r05.csv", "r06.csv", "r07.csv", "take_bom.csv"])
def test_cases(name, character, tmp_path):
    write_take(tmp_path / "out.anim", read_take(CASES / name), character, full=100)
    seconds, weights, _ = truth(name)
    curves = curves_of(clip_of(tmp_path / "out.anim"))
    for unit in APPLE:
        keys = curves["Armature/Head", f"blendShape.{unit}"]
        places, values = [key["time"] for key in keys], [key["value"] for key in keys]
        # Keys amid equal values are left out: straight lines go through them.
        assert np.interp(seconds, places, values) == pytest.approx(100 * weights[unit], abs=1e-4)


@pytest.mark.parametrize("name", ["Yes", "12", "a: b", "ほほえみ", 'quo"te', "- dash", "null", "#x"])
def test_names_stay_text(name, tmp_path):
    path = write_character(tmp_path / "small.glb", [*APPLE[:-1], name])
    mapping = {name: "tongueOut"}
    character = Character.from_file(path, names=mapping)
    write_take(tmp_path / "clip.anim", RANDOM, character)
    assert ("Armature/Head", f"blendShape.{name}") in curves_of(clip_of(tmp_path / "clip.anim"))


def test_importers_of_gltf_go_up_to_one(character, tmp_path):
    """glTFast and UnityGLTF give blend shapes the range 0..1: github.com/KhronosGroup/UnityGLTF/pull/686."""
    write_take(tmp_path / "out.anim", RANDOM, character)
    keys = curves_of(clip_of(tmp_path / "out.anim"))["Armature/Head", "blendShape.jawOpen"]
    assert [key["value"] for key in keys] == pytest.approx(RANDOM.scores[:, TARGETS.index("jawOpen")], rel=1e-6)
    with pytest.raises(ValueError, match=r"expected 100 .* or 1 .* as --full, got 10"):
        write_take(tmp_path / "out.anim", RANDOM, character, full=10)
    avatar = Character.from_file(write_vrm(tmp_path / "avatar.vrm", "1.0"))  # of UniVRM, up to 100
    write_take(tmp_path / "avatar.anim", RANDOM, avatar)
    curves = [keys for (_, name), keys in curves_of(clip_of(tmp_path / "avatar.anim")).items() if "jawOpen" in name]
    jaw = 100.0 * RANDOM.scores[:, TARGETS.index("jawOpen")]
    assert [key["value"] for key in curves[0]] == pytest.approx(jaw, rel=1e-6)


def test_paths_begin_below_the_animator(character, tmp_path):
    write_take(tmp_path / "out.anim", RANDOM, character, root="Armature")
    assert {path for path, _ in curves_of(clip_of(tmp_path / "out.anim"))} == {"Head", "Upper teeth"}
    with pytest.raises(ValueError, match="expected a node above a mesh with morph targets as --root, got 'Hips'"):
        write_take(tmp_path / "out.anim", RANDOM, character, root="Hips")
