"""Files of avatars as arrays, read by pygltflib, another program than ours."""

import numpy as np
import pygltflib

WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
KINDS = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
WORDS = "a tired old fisherman"


class File:
    """A GLB or VRM with its accessors as arrays and its bones where they stand."""

    def __init__(self, path):
        self.path, self.document = path, pygltflib.GLTF2.load_binary(str(path))
        self.nodes = {node.name: place for place, node in enumerate(self.document.nodes)}

    def _view(self, view, kind, offset, count):
        view = self.document.bufferViews[view]
        start = (view.byteOffset or 0) + (offset or 0)
        return np.frombuffer(self.document.binary_blob(), KINDS[kind], count, start)

    def array(self, index):
        accessor = self.document.accessors[index]
        width, count = WIDTHS[accessor.type], accessor.count
        if accessor.sparse is None:
            values = self._view(accessor.bufferView, accessor.componentType, accessor.byteOffset, count * width)
            return values.reshape(count, width)
        values, sparse = np.zeros((count, width), np.float32), accessor.sparse
        rows = self._view(sparse.indices.bufferView, sparse.indices.componentType, 0, sparse.count)
        values[rows] = self._view(sparse.values.bufferView, 5126, 0, sparse.count * width).reshape(-1, width)
        return values

    def mesh(self, name):
        return next(mesh for mesh in self.document.meshes if mesh.name == name)

    def face(self, attribute):
        return self.array(getattr(self.mesh("face").primitives[0].attributes, attribute))

    def shape(self, target, attribute="POSITION"):
        mesh = self.mesh("face")
        return self.array(mesh.primitives[0].targets[mesh.extras["targetNames"].index(target)][attribute])

    def bound(self):
        """Bone -> (4, 4) where it is when the skin is as modelled."""
        skin = self.document.skins[0]
        inverse = self.array(skin.inverseBindMatrices).reshape(-1, 4, 4).transpose(0, 2, 1)
        return {self.document.nodes[j].name: np.linalg.inv(m) for j, m in zip(skin.joints, inverse, strict=True)}

    def posed(self):
        """Bone -> (4, 4) where its node is."""
        places = {}

        def place(index, before):
            node = self.document.nodes[index]
            x, y, z, w = node.rotation or (0, 0, 0, 1)
            here = np.eye(4)
            here[:3, :3] = [
                [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
            ]
            here[:3, 3] = node.translation or (0, 0, 0)
            places[node.name] = before @ here
            for child in node.children or ():
                place(child, places[node.name])

        place(0, np.eye(4))
        return places
