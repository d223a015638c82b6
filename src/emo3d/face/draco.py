"""Meshes compressed with Draco (KHR_draco_mesh_compression), with Google's decoder (extra: compressed)."""

from __future__ import annotations

from typing import Any

import numpy as np

_FIX = "`gltf-transform copy in.glb out.glb`"


def decode(data: memoryview, attributes: dict[str, int]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Decode a mesh: attributes by name, each (V, width), and indices (3 T,).

    Args:
        data: what the extension's buffer view holds.
        attributes: the extension's unique id of each attribute.

    Raises:
        ValueError: a damaged mesh, or DracoPy is not installed.
    """
    try:
        import DracoPy
    except ImportError:
        raise ValueError(
            f"the file is compressed with Draco: pip install 'emo3d[compressed]' reads it, {_FIX} unpacks it"
        ) from None
    try:
        mesh: Any = DracoPy.decode(bytes(data))
        by_id = mesh.get_attribute_by_unique_id
        values = {name: np.asarray(by_id(index)["data"]) for name, index in attributes.items()}
        faces = np.asarray(mesh.faces, np.int64).reshape(-1)
    except Exception as error:  # whatever a C++ decoder meets in damaged data
        raise ValueError(f"expected a mesh compressed with Draco, got a damaged one ({error!r:.100})") from error
    return {name: array.reshape(len(array), -1) for name, array in values.items()}, faces
