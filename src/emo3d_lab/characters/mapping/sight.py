"""Where MediaPipe's landmarks lie on a mesh: pictures of it from several sides, read and cast back onto it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from emo3d.face.render import RenderSettings, make_view
from emo3d.face.rig import TARGETS, FaceRig
from emo3d.face.shading import View, draw
from emo3d.face.surface import Surface, make_surface
from emo3d_lab.characters.mapping.morphs import CLAY, WHITE, no_deltas
from emo3d_lab.landmarker import LANDMARKS, FaceReader

LIDS = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
"""The edges of the lids of the face's right eye, in MediaPipe's order of landmarks."""
OTHER_LIDS = (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249)
"""Those of its left eye, in the same order."""
INNER_LIPS = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
"""Where the lips meet."""
OUTER_LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
"""Where the lips end, in the same order."""
IRISES = 468
"""The first landmark of the irises; all after it are of them."""
EYES = (33, 133, 362, 263)
"""Corners of the eyes: right outer, right inner, left inner, left outer."""

_SIZE, _FIRST_SIZE = 448, 256  # pixels
_TURNS = ((0.0, 0.0), (-14.0, 0.0), (14.0, 0.0), (0.0, -10.0), (0.0, 10.0))  # yaw and pitch, degrees
_LIDS_OUT, _LIPS_OUT = 0.2, 0.4  # how far landmarks go off edges: shares of an eye's height, of a lip
_MARGIN = 1.35  # half the picture, in half heights of the landmarks' box
_TEXTURE = 512  # texels of a side that suffice
_LIKE_A_FACE, _MOST_ERROR = 0.25, 0.6  # root mean squares in distances between the eyes: surely a face, and at most
_MOST_TURN = 40  # degrees from an axis
_LEAST_HITS = 0.5  # share of landmarks that lie on the mesh, where it is a face that is seen


@dataclass(frozen=True, eq=False)
class Sight:
    """A face that was found on a mesh of V vertices."""

    rotation: np.ndarray  # (3, 3) that turns it to y up and +z the front
    frame: tuple[float, float, float, float]  # centre of the turned face, and half the height to show
    rows: np.ndarray  # (R,) the vertices that landmarks lie between
    shares: np.ndarray  # (478, R): each landmark as a mean of them; a row of zeros where it is not on the mesh
    points: np.ndarray  # (478, 3) turned; NaN where it is not on the mesh

    @property
    def eye_distance(self) -> float:
        """From the middle of one eye to that of the other, in the mesh's unit."""
        eyes = self.points[list(EYES)]
        return float(np.linalg.norm(eyes[:2].mean(axis=0) - eyes[2:].mean(axis=0)))

    def motion(self, delta: np.ndarray) -> np.ndarray:
        """How far landmarks (478, 3) move, turned, where vertices (V, 3) do; 0 where they are not on the mesh."""
        return self.shares @ delta[self.rows] @ self.rotation.T


def find_face(rig: FaceRig, moves: np.ndarray, reader: FaceReader, shape: np.ndarray | None = None) -> Sight:
    """Find the face of a rig, whichever way it looks.

    Args:
        rig: its deltas are not used.
        moves: (V,) how far anything moves each vertex at most; 0 where nothing does.
        reader: the instrument.
        shape: (478, 3) landmarks of a face, which is told by it from what only looks like one; without it, the rig must
            look to the front.

    Raises:
        ValueError: nothing moves, or MediaPipe reads no face in any of the pictures.
    """
    if not moves.any():
        raise ValueError("expected morph targets that move vertices, got none that moves any")
    colours = replace(rig, texture=_small(rig.texture), deltas=no_deltas(len(rig.neutral)))
    clay = replace(colours, colors=np.full((len(rig.neutral), 3), CLAY), texture=WHITE)
    for look in (colours, clay):  # some characters are only read without their painted faces
        surface = make_surface(look)
        best, error = None, _MOST_ERROR
        for rotation, frame in _tries(rig.neutral, moves, None if shape is not None else np.eye(3)):
            camera = _Camera(surface, rotation, frame, _FIRST_SIZE)
            if (landmarks := camera.read(reader)) is None:
                continue
            hits = camera.cast(landmarks, rig.triangles, moves > 0.01 * moves.max())
            candidate = rotation, _closer(camera, landmarks, hits)
            difference = _difference(camera, hits, shape)
            if difference < error:
                best, error = candidate, difference
            if error < _LIKE_A_FACE:
                break
        if best is not None:
            return _look_closely(surface, *best, rig.triangles, moves, reader)
    raise ValueError(
        "expected a face that MediaPipe's face landmarker can read in a picture of the character, found none from any "
        "side, neither in its own colours nor in clay: write its map by hand (docs/maps.md shows one)"
    )


def _difference(camera: _Camera, hits: tuple[np.ndarray, np.ndarray], shape: np.ndarray | None) -> float:
    """How far landmarks on the mesh are from a face's, in distances between the eyes; infinite for no face.

    MediaPipe reads faces that lie on their side, or in folds of cloth, too.
    """
    corners, shares = hits
    on = shares.sum(axis=1) > 0
    if on.mean() < _LEAST_HITS:
        return np.inf
    if shape is None:
        return 0.0
    places = (camera.surface.neutral[corners[on]] * shares[on][..., None]).sum(axis=1) @ camera.rotation.T
    turn, scale, shift = similarity(places, shape[on])
    if np.trace(turn) < 1 + 2 * np.cos(np.radians(_MOST_TURN)):
        return np.inf
    eyes = shape[list(EYES)]
    unit = np.linalg.norm(eyes[:2].mean(axis=0) - eyes[2:].mean(axis=0))
    away = scale * places @ turn.T + shift - shape[on]
    return float(np.sqrt((away**2).sum(axis=1).mean()) / unit)


def _look_closely(
    surface: Surface,
    rotation: np.ndarray,
    frame: tuple[float, float, float, float],
    triangles: np.ndarray,
    moves: np.ndarray,
    reader: FaceReader,
) -> Sight:
    looks = []
    for yaw, pitch in _TURNS:
        camera = _Camera(surface, _turn(yaw, pitch) @ rotation, frame, _SIZE, pivot=rotation)
        if (landmarks := camera.read(reader)) is not None:
            looks.append(camera.cast(_off_edges(landmarks), triangles, moves > 0.01 * moves.max()))
    if not looks:
        raise ValueError("expected a face that MediaPipe reads in a close picture too, found none")
    corners, weights = (np.concatenate([look[place] for look in looks], axis=1) for place in (0, 1))
    weights = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    rows, inverse = np.unique(corners, return_inverse=True)
    shares = np.zeros((LANDMARKS, len(rows)))
    np.add.at(shares, (np.arange(LANDMARKS)[:, None], inverse.reshape(corners.shape)), weights)
    points = shares @ surface.neutral[rows].astype(float) @ rotation.T
    points[shares.sum(axis=1) == 0] = np.nan
    return Sight(rotation, frame, rows, shares, points)


def similarity(points: np.ndarray, goal: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """Rotation (3, 3), scale and shift (3,) that lay points (N, 3) on a goal as near as they go (Umeyama 1991).

    Rows with NaN in either are left out.
    """
    there = ~np.isnan(points + goal).any(axis=1)
    points, goal = points[there], goal[there]
    centre, aim = points.mean(axis=0), goal.mean(axis=0)
    left, sizes, right = np.linalg.svd((goal - aim).T @ (points - centre))
    signs = np.array([1, 1, np.sign(np.linalg.det(left @ right))])
    turn = (left * signs) @ right
    scale = float((sizes * signs).sum() / ((points - centre) ** 2).sum())
    return turn, scale, aim - scale * turn @ centre


class _Camera:
    """A picture of a surface, turned, and what its samples show."""

    def __init__(
        self,
        surface: Surface,
        rotation: np.ndarray,
        frame: Sequence[float],
        size: int,
        pivot: np.ndarray | None = None,
    ) -> None:
        """`frame` is in the axes of `pivot`, by default the rotation's own."""
        self.surface, self.rotation, self.frame, self.size = surface, rotation, frame, size
        target = (rotation if pivot is None else pivot).T @ np.array(frame[:3])
        settings = RenderSettings(size=size)
        half, tangent = size * settings.samples / 2, np.tan(np.radians(settings.field_of_view) / 2)
        lens = np.array([*target, frame[3] / tangent, half / tangent, half], np.float32)
        view = make_view(_Framed((0.0, 0.0, 0.0, 1.0)), settings)  # type: ignore[arg-type]
        turn = np.pad(rotation, ((0, 0), (0, 1))).astype(np.float32)
        self.view: View = view._replace(turns=turn[None], camera=lens)

    def read(self, reader: FaceReader) -> np.ndarray | None:
        """Landmarks (478, 2), column and row in samples, or None."""
        picture = np.empty((1, self.size, self.size, 3), np.uint8)
        draw(np.zeros((1, len(TARGETS)), np.float32), self.surface, self.view, picture)
        face = reader.largest(picture[0])
        return None if face is None else face.landmarks[:, :2].astype(float) * 2 * float(self.view.camera[5])

    def cast(self, landmarks: np.ndarray, triangles: np.ndarray, moved: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The corners (478, 3) of the triangles that landmarks lie on, and the shares (478, 3) of these, 0 for none.

        The nearest that anything moves comes first, so that lashes, glasses and fringes are seen through; but not
        eyeballs, since behind those that nothing moves there are folds of the lids.
        """
        turned = (self.surface.neutral - self.view.camera[:3]).astype(float) @ self.rotation.T
        away = np.maximum(float(self.view.camera[3]) - turned[:, 2], 1e-9)
        flat = turned[:, :2] * [1, -1] * (float(self.view.camera[4]) / away)[:, None] + float(self.view.camera[5])
        a, b, c = (flat[triangles[:, corner]] for corner in range(3))
        area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
        seen = np.flatnonzero(area < -1e-9)
        a, b, c, area = a[seen], b[seen], c[seen], area[seen]
        low, high = np.minimum(np.minimum(a, b), c), np.maximum(np.maximum(a, b), c)
        movable = moved[triangles[seen]].any(axis=1)
        corners, shares = np.zeros((LANDMARKS, 3), int), np.zeros((LANDMARKS, 3))
        for row, point in enumerate(landmarks):
            near = np.flatnonzero(((low <= point) & (point <= high)).all(axis=1))
            u, v = b[near] - a[near], c[near] - a[near]
            w = point - a[near]
            second = (w[:, 0] * v[:, 1] - w[:, 1] * v[:, 0]) / area[near]
            third = (u[:, 0] * w[:, 1] - u[:, 1] * w[:, 0]) / area[near]
            parts = np.stack([1 - second - third, second, third], axis=1)
            inside = (parts >= 0).all(axis=1)
            if inside.any():
                near, parts = near[inside], parts[inside]
                depth = (away[triangles[seen[near]]] * parts).sum(axis=1)
                best = np.lexsort((depth, ~movable[near]))[0] if row < IRISES else np.argmin(depth)
                corners[row], shares[row] = triangles[seen[near[best]]], parts[best]
        return corners, shares


@dataclass(frozen=True)
class _Framed:
    frame: tuple[float, float, float, float]


def _small(texture: np.ndarray) -> np.ndarray:
    step = max(1, len(texture) // _TEXTURE)
    return np.ascontiguousarray(texture[::step, ::step])


def _turn(yaw: float, pitch: float) -> np.ndarray:
    (s, c), (t, d) = ((np.sin(angle), np.cos(angle)) for angle in np.radians([yaw, pitch]))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]) @ np.array([[1, 0, 0], [0, d, -t], [0, t, d]])


def _tries(neutral: np.ndarray, moves: np.ndarray, front: np.ndarray | None) -> Iterator[tuple[np.ndarray, tuple]]:
    """Rotations and frames in which a face may be, the likely ones first."""
    from scipy.spatial.transform import Rotation

    moving = neutral[moves > 0.05 * moves.max()]
    for rotation in (
        [front]
        if front is not None
        else sorted(Rotation.create_group("O").as_matrix(), key=lambda turn: (-turn[1, 1], -turn[2, 2]))
    ):
        part, whole = moving @ rotation.T, neutral @ rotation.T
        low, high = part.min(axis=0), part.max(axis=0)
        centre, size = (low + high) / 2, max((high - low).max(), 1e-9)
        for share in (0.75, 1.3, 2.2):
            yield rotation, (*centre.tolist(), share * float(size))
        top, height = whole[:, 1].max(), np.ptp(whole[:, 1])
        head = whole[whole[:, 1] >= top - height / 7]
        x, _, z = np.median(head, axis=0).tolist()
        yield rotation, (x, float(top - height / 14), z, float(height / 12))


def _off_edges(landmarks: np.ndarray) -> np.ndarray:
    """Landmarks moved off the edges they lie on, where a hair's breadth decides what is hit: lids, and the lip line."""
    moved = landmarks.copy()
    for lids in map(list, (LIDS, OTHER_LIDS)):
        height = np.linalg.norm(landmarks[lids[4]] - landmarks[lids[12]])
        width = np.linalg.norm(landmarks[lids[0]] - landmarks[lids[8]])
        away = landmarks[lids] - landmarks[lids].mean(axis=0)
        lengths = np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-9)
        moved[lids] += away / lengths * max(_LIDS_OUT * height, 0.05 * width)
    moved[list(INNER_LIPS)] += _LIPS_OUT * (landmarks[list(OUTER_LIPS)] - landmarks[list(INNER_LIPS)])
    return moved


def _closer(
    camera: _Camera, landmarks: np.ndarray, hits: tuple[np.ndarray, np.ndarray]
) -> tuple[float, float, float, float]:
    """The frame about the landmarks of a picture, in its own axes."""
    corners, shares = hits
    on = shares.sum(axis=1) > 0
    places = (camera.surface.neutral[corners[on]] * shares[on][..., None]).sum(axis=1) @ camera.rotation.T
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    per_sample = camera.frame[3] / float(camera.view.camera[5])
    x, y = ((low + high) / 2 - float(camera.view.camera[5])) * per_sample
    half = _MARGIN * float((high - low).max()) / 2 * per_sample
    return float(camera.frame[0] + x), float(camera.frame[1] - y), float(np.median(places[:, 2])), half
