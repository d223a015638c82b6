"""glTF extensions: which are read, which change nothing that a face's picture shows, and which are refused."""

from __future__ import annotations

import logging
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

logger = logging.getLogger(__name__)

DRACO = "KHR_draco_mesh_compression"
_MESHOPT = ("EXT_meshopt_compression", "KHR_meshopt_compression")
_UNPACK = "gltfpack -i in.glb -o out.glb -noq"

# Applied where they occur (see gltf.py and materials.py), or of no effect on what is seen: what a surface reflects and
# emits (the light here is ours), lights, alternatives that are off by default, physics, sounds, data about data.
_READ = re.compile(
    rf"{DRACO}|{'|'.join(_MESHOPT)}|KHR_mesh_quantization|KHR_texture_(transform|basisu)|EXT_texture_(webp|avif)|MSFT_texture_dds"
    r"|KHR_materials_(anisotropy|clearcoat|diffuse_transmission|dispersion|emissive_strength|ior|iridescence"
    r"|pbrSpecularGlossiness|sheen|specular|transmission|unlit|variants|volume|volume_scatter|retroreflection)"
    r"|KHR_node_(visibility|hoverability|selectability)|KHR_(lights_punctual|animation_pointer|interactivity"
    r"|physics_rigid_bodies|implicit_shapes|collision_shapes|audio(_emitter)?|xmp(_json_ld)?|accessor_float64)"
    r"|EXT_(lights_ies|lights_image_based|mesh_features|mesh_manifold|instance_features|structural_metadata"
    r"|feature_metadata|mesh_polygon|texture_procedurals|materials_.*|lights_area)"
    r"|MSFT_(lod|packing_.*)|ADOBE_materials_clearcoat.*|AGI_.*|CESIUM_(primitive_outline|RTC)|FB_.*|GOOGLE_.*"
    r"|OMI_.*|MOZ_.*|VRM|VRMC_.*|BLENDER_.*|GODOT_.*|RDK_.*|WEB3D_.*"
)
_COMMAND = {
    "MESHOPT_compression": _UNPACK,  # as old versions of gltfpack call it
    "KHR_texture_basisu": "gltf-transform ktxdecompress in.glb out.glb",
    "EXT_texture_avif": "gltf-transform png in.glb out.glb --formats avif",
    "EXT_mesh_gpu_instancing": "",
}


@contextmanager
def errors_of(name: str) -> Iterator[None]:
    """Make what Python says of a file that is no glTF one sentence, a ValueError that begins with the file's name."""
    try:
        yield
    except ValueError as error:
        message = str(error)
        raise ValueError(message if message.startswith(f"{name}: ") else f"{name}: {message}") from error
    except (LookupError, TypeError, AttributeError, struct.error, ArithmeticError, MemoryError) as error:
        raise ValueError(f"{name}: expected a glTF 2.0 file, got a broken one ({error!r:.200})") from error


def check_extensions(document: dict[str, Any], name: str) -> None:
    """Raise a ValueError where a file needs an extension that is not read; warn of those that are not known here."""
    for extension in document.get("extensionsRequired", ()):
        if not isinstance(extension, str) or not _READ.fullmatch(extension):
            fix = f": `{command}` writes it without" if (command := _COMMAND.get(extension)) else ""
            raise ValueError(f"expected a file without compression or extensions, got one that needs {extension}{fix}")
    for node in document.get("nodes", ()):
        if "mesh" in node and "EXT_mesh_gpu_instancing" in node.get("extensions", {}):
            raise ValueError("expected each mesh where its node is, got many copies of one (EXT_mesh_gpu_instancing)")
    for material in document.get("materials", ()):
        if "KHR_techniques_webgl" in material.get("extensions", {}):
            raise ValueError("expected materials of glTF, got a program that draws them (KHR_techniques_webgl)")
    names = map(str, document.get("extensionsUsed", ()))
    if unknown := [name for name in names if not _READ.fullmatch(name) and name not in _COMMAND]:
        logger.warning("%s: not known here, and left out: %s", name, ", ".join(unknown))


def picture_of(texture: dict[str, Any], index: int) -> int:
    """The image of a texture: WebP where it has one, otherwise its `source`; a ValueError where it has neither."""
    extensions = texture.get("extensions", {})
    if "EXT_texture_webp" in extensions:
        return extensions["EXT_texture_webp"]["source"]
    if "source" in texture:
        return texture["source"]
    for extension in ("KHR_texture_basisu", "EXT_texture_avif", "MSFT_texture_dds"):
        if extension in extensions:
            means = " (with KTX-Software)" if extension == "KHR_texture_basisu" else ""
            fix = f": `{command}`{means} writes it as PNG" if (command := _COMMAND.get(extension)) else ""
            raise ValueError(f"expected texture {index} as PNG, JPEG or WebP, got {extension} alone{fix}")
    raise ValueError(f"expected texture {index} to have a picture, got none (no `source`)")


def targets_of(document: dict[str, Any], mesh: dict[str, Any], primitive: dict[str, Any]) -> list[str]:
    """Names of a primitive's morph targets, `""` where one has none: of the mesh, the primitive or the accessors."""
    targets = primitive.get("targets", ())
    for holder in (mesh, primitive) if targets else ():
        names = holder.get("extras", {}).get("targetNames") if isinstance(holder.get("extras"), dict) else None
        if names is not None:
            if not isinstance(names, list) or len(names) != len(targets):
                count = len(names) if isinstance(names, list) else "none"
                raise ValueError(f"mesh {mesh.get('name', '')!r} names {count} of {len(targets)} morph targets")
            return [name if isinstance(name, str) else "" for name in names]
    indices = [target.get("POSITION") for target in targets]
    return ["" if index is None else str(document["accessors"][index].get("name", "")) for index in indices]


def meshopt_of(document: dict[str, Any], entry: dict[str, Any], plain: bool) -> dict[str, Any] | None:
    """The extension of a buffer view or buffer that meshopt packed; None of others, and where it need not be read.

    Args:
        plain: whether there are bytes beside that were not packed, for who cannot read the extension.
    """
    names = [name for name in _MESHOPT if name in entry.get("extensions", {})]
    required = document.get("extensionsRequired", ())
    return next((entry["extensions"][name] for name in names if not plain or name in required), None)


def decode_meshopt(data: memoryview, count: int, stride: int, mode: str, kind: str) -> memoryview:
    """Decode a buffer view with meshoptimizer's decoder (extra: compressed): `count` rows of `stride` bytes.

    Args:
        mode: ATTRIBUTES, TRIANGLES or INDICES.
        kind: the filter: NONE, OCTAHEDRAL, QUATERNION, EXPONENTIAL or COLOR.
    """
    try:
        import meshopt
    except ImportError:
        raise ValueError(
            "the file is compressed with meshopt: pip install 'emo3d[compressed]' reads it (Python 3.11 or later), "
            f"`{_UNPACK}` unpacks it"
        ) from None
    try:
        return memoryview(meshopt.decode_gltf_buffer(bytes(data), count, stride, mode, kind)).cast("B")
    except Exception as error:  # whatever a C++ decoder meets in damaged data
        raise ValueError(f"expected data compressed with meshopt, got damaged data ({error!r:.100})") from error


def decode_draco(data: memoryview, attributes: dict[str, int]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Decode a mesh with Google's decoder (extra: compressed): attributes, each (V, width), and indices (3 T,).

    Args:
        attributes: the extension's unique id of each.
    """
    try:
        import DracoPy
    except ImportError:
        raise ValueError(
            "the file is compressed with Draco: pip install 'emo3d[compressed]' reads it, "
            "`gltf-transform copy in.glb out.glb` unpacks it"
        ) from None
    try:
        mesh: Any = DracoPy.decode(bytes(data))
        by_id = mesh.get_attribute_by_unique_id
        values = {name: np.asarray(by_id(index)["data"]) for name, index in attributes.items()}
        faces = np.asarray(mesh.faces, np.int64).reshape(-1)
    except Exception as error:  # whatever a C++ decoder meets in damaged data
        raise ValueError(f"expected a mesh compressed with Draco, got a damaged one ({error!r:.100})") from error
    return {name: array.reshape(len(array), -1) for name, array in values.items()}, faces
