"""The heads that the package carries, made of anny's base mesh: `pack_heads` writes src/emo3d/assets/heads."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np

from emo3d.face import IDENTITIES, PANEL, TARGETS, Identity, skin
from emo3d.face.heads import MASKS, OWN, spelling
from emo3d.pictures import open_picture
from emo3d_lab.heads.own import anny_vertices, load_anny, own_arrays
from emo3d_lab.heads.sculpt import sculpt
from emo3d_lab.heads.texels import draw_brows, locate_texels
from emo3d_lab.heads.wrinkles import draw_wrinkles


def pack_heads(folder: str | os.PathLike[str]) -> None:
    """Make the heads of all named identities and write them as the package carries them: 3 MB.

    Deltas and wrinkles are mostly zero, so only what is not is kept; the masks become one picture.
    """
    from PIL import Image
    from safetensors.numpy import save_file

    folder = Path(folder)
    identities = {spelling(identity): identity for identity in (*IDENTITIES.values(), *PANEL.values())}
    heads = [reduce_head(identity) for identity in identities.values()]
    common = {name: array for name, array in heads[0].items() if name not in OWN}
    for head, identity in zip(heads, identities, strict=True):
        for name, array in common.items():
            if not np.array_equal(head[name], array):
                raise ValueError(f"expected heads that share their {name}, but {identity} has others")
    common |= add_reach(heads[0])
    deltas, maps = common.pop("deltas"), common.pop("wrinkle_maps")
    common |= {"wrinkle_texels": np.flatnonzero(maps).astype(np.int32), "wrinkle_light": maps[maps != 0]}
    Image.fromarray(np.stack([common.pop(name) for name in MASKS], axis=-1)).save(folder / "masks.png", optimize=True)
    moves = (deltas != 0).any(axis=-1)
    arrays = {
        **common,
        **{name: np.stack([head[name] for head in heads]) for name in OWN},
        "moves": np.flatnonzero(moves).astype(np.int32),
        "moved": deltas[moves],
    }
    facts = {
        "anny": version("anny"),
        "identities": json.dumps(list(identities)),
        "phenotypes": json.dumps(list(load_anny().phenotype_labels)),
    }
    save_file(arrays, folder / "heads.safetensors", facts)


def add_reach(adult: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What all heads share beyond anny, made on the reduced adult's: corrected deltas, and wrinkles."""
    maps, drivers = draw_wrinkles(adult)
    return {"deltas": sculpt(adult["deltas"], adult), "wrinkle_maps": maps, "wrinkle_drivers": drivers}


def reduce_head(identity: Identity) -> dict[str, np.ndarray]:
    """Reduce anny's body to the arrays of `emo3d.face.heads.head_arrays`, with nothing of what is packed."""
    rest = anny_vertices({})[0]
    arrays, corners = _unfolded_mesh(rest)
    vertices = anny_vertices(identity.phenotype, TARGETS)
    deltas = (vertices[1:] - vertices[0])[:, arrays["used"]]
    arrays["deltas"] = np.where(np.abs(deltas) < 1e-7, 0.0, deltas).astype(np.float32)
    rest = rest[arrays["used"]]
    row, column, triangle, weights = locate_texels(rest, arrays)
    positions = (rest[arrays["triangles"][triangle]] * weights).sum(axis=1)
    values = {
        "lips": _sample("mpfb_lips.jpg", (corners[triangle] * weights).sum(axis=1)),
        "scalp": _scalp(positions, rest[arrays["part"] == skin.EYE]),
    }
    for name, value in values.items():
        arrays[name] = np.zeros((skin.SIZE, skin.SIZE), np.uint8)
        arrays[name][row, column] = np.round(255 * value)
    arrays["brows"] = draw_brows(rest, arrays, identity.brow_height)
    return {**arrays, **own_arrays(vertices[0], arrays)}


def _unfolded_mesh(vertices: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Choose and unfold the parts of anny's base mesh that show on a face.

    Args:
        vertices: (19158, 3) the default identity's neutral vertices, metres, y up, +z the front.

    Returns:
        used, part, triangles, welds, uv, inside and chin as of `head_arrays`; and anny's texture coordinates of the
        skin's triangles, which come first, (T', 3, 2).
    """
    import torch
    from anny.paths import get_anny_root_dir
    from anny.utils.obj_utils import load_obj_file

    base = get_anny_root_dir() / "data/mpfb2/3dobjs/base.obj"
    _, texture_coordinates, groups = load_obj_file(base, dtype=torch.float64)

    def group(*names: str) -> np.ndarray:
        quads = np.concatenate([groups[name]["face_vertex_indices"].numpy() for name in names])
        return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])

    parts = {
        skin.EYE: group("helper-l-eye", "helper-r-eye"),
        skin.TEETH: group("helper-upper-teeth", "helper-lower-teeth"),
        skin.TONGUE: group("helper-tongue"),
        skin.LASHES: group("helper-l-eyelashes-2", "helper-r-eyelashes-2"),
    }
    model = load_anny()
    faces = model.faces.numpy()
    corners = texture_coordinates.numpy()[model.face_texture_coordinate_indices.numpy()]
    is_skin = ~np.isin(faces, np.concatenate([parts[skin.EYE], parts[skin.TONGUE]]).ravel()).any(axis=1)
    parts[skin.SKIN] = faces[is_skin]
    used = np.unique(np.concatenate(list(parts.values())))
    part = np.full(len(vertices), skin.SKIN)
    for name, triangles in parts.items():
        part[triangles.ravel()] = name
    rest, part = vertices[used], part[used]
    inside = np.zeros(len(vertices))  # 1 deep in the mouth
    np.maximum.at(inside, faces, _sample("mpfb_inside-mouth.jpg", corners))
    inside = inside[used]

    uv = _unfold(rest)
    for name, place in skin.PATCHES.items():
        uv[part == name] = place
    for side in (rest[:, 0] > 0, rest[:, 0] < 0):
        eye = (part == skin.EYE) & side
        uv[eye] = _eye_uv(rest[eye])
    middle = (part == skin.SKIN) & (np.abs(rest[:, 0]) < 0.012) & (rest[:, 2] > rest[part == skin.EYE, 2].mean() - 0.01)
    chin = middle & (rest[:, 1] < rest[part == skin.TEETH, 1].mean()) & (inside == 0)
    triangles = np.searchsorted(used, np.concatenate([parts[name] for name in sorted(parts)]))
    triangles, welds = _cut_behind(triangles, uv, part)
    uv = np.concatenate([uv, np.tile(skin.HAIR_PATCH, (len(welds) - len(used), 1))])
    integers = {"used": used[welds], "part": part[welds], "triangles": triangles, "welds": welds}
    arrays = {name: np.ascontiguousarray(array, np.int32) for name, array in integers.items()}
    arrays |= {"uv": uv.astype(np.float32), "inside": inside[welds].astype(np.float32)}
    return {**arrays, "chin": np.flatnonzero(chin).astype(np.int32)}, corners[is_skin]


def _cut_behind(triangles: np.ndarray, uv: np.ndarray, part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the few triangles around the back of the head, which the unfolding tears, corners of their own.

    Returns the triangles with new indices for those corners, and for every vertex the one it is a copy of.
    """
    torn = (np.ptp(uv[triangles], axis=1).max(axis=1) > 0.25) & (part[triangles[:, 0]] == skin.SKIN)
    originals, inverse = np.unique(triangles[torn], return_inverse=True)
    triangles = triangles.copy()
    triangles[torn] = len(uv) + inverse.reshape(-1, 3)
    return triangles, np.concatenate([np.arange(len(uv)), originals])


def _unfold(rest: np.ndarray) -> np.ndarray:
    center = np.array([0.0, 0.115, 0.02])
    direction = rest - center
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    radius = np.sqrt((1 - direction[:, 2]) / 2)  # sine of half the angle from the front: equal areas
    across = np.maximum(np.linalg.norm(direction[:, :2], axis=1), 1e-9)
    return 0.5 + 0.495 * np.stack([direction[:, 0], -direction[:, 1]], axis=1) * (radius / across)[:, None]


def _eye_uv(eye: np.ndarray) -> np.ndarray:
    u, v, side = skin.EYE_TILE
    center = (eye.max(axis=0) + eye.min(axis=0)) / 2
    radius = (eye[:, 0].max() - eye[:, 0].min()) / 2
    flat = (eye - center)[:, :2] / radius * [1, -1]
    # The back half would mirror the iris: push it to the rim, where the sclera is.
    back = eye[:, 2] < center[2]
    flat[back] /= np.maximum(np.linalg.norm(flat[back], axis=1, keepdims=True), 1e-6)
    return np.array([u, v]) + side * (0.5 + 0.5 * np.clip(flat, -1, 1))


def _sample(mask: str, coordinates: np.ndarray) -> np.ndarray:
    from anny.paths import get_anny_root_dir

    image = np.asarray(open_picture(get_anny_root_dir() / "data/mpfb2/textures" / mask).convert("L")) / 255.0
    column = np.clip(coordinates[..., 0] * image.shape[1], 0, image.shape[1] - 1).astype(int)
    row = np.clip((1 - coordinates[..., 1]) * image.shape[0], 0, image.shape[0] - 1).astype(int)
    return image[row, column]


def _scalp(positions: np.ndarray, eyes: np.ndarray) -> np.ndarray:
    """Short hair: above a hairline that runs from the forehead down behind the ears; soft at the rim."""
    height = positions[:, 1] - eyes[:, 1].mean()
    behind = eyes[:, 2].max() - positions[:, 2]
    line = np.interp(behind, [0.0, 0.03, 0.07, 0.10, 0.125, 0.16], [0.078, 0.07, 0.05, 0.0, -0.03, -0.075])
    return np.clip((height - line) / 0.008, 0, 1)
