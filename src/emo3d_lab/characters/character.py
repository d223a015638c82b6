"""Anybody's character: a glTF or VRM file whose shapes are driven by expressions, and which comes back whole."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from functools import cached_property
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from emo3d.blendshapes import Space
from emo3d.face.calibration import DEFAULT_METHOD, Method, load_calibration, rig_weights
from emo3d.face.rig import TARGETS, FaceRig
from emo3d.names import Names, read_names
from emo3d.ranges import real_number
from emo3d_lab.characters.bones import find_head, head_turns
from emo3d_lab.characters.faces import choose_face
from emo3d_lab.characters.file import EditedFile
from emo3d_lab.characters.maps import CharacterMap, read_map, resolve
from emo3d_lab.characters.targets import CharacterMesh, effective_map, find_meshes
from emo3d_lab.characters.vrm import add_expression, vrm_version
from emo3d_lab.rigs.extensions import errors_of
from emo3d_lab.rigs.glb import read_face, read_front
from emo3d_lab.rigs.gltf import Asset


class Character:
    """A user's character, opened by `Character.from_file`.

    Attributes:
        path: of its file.
        name: the file's stem and eight digits of its content's SHA-256.
        origin: that SHA-256.
        document: the JSON of the file; not to be changed.
        meshes: all with morph targets.
        map: which targets each unit moves: those of its name in any spelling, a VRM's expressions of its name, or what
            a map of the user's own says.
        missing: units that move nothing.
    """

    def __init__(self, asset: Asset, map: CharacterMap, meshes: tuple[CharacterMesh, ...], face: str | None) -> None:
        self.asset, self.map, self.meshes = asset, map, meshes
        self.path = asset.folder / asset.name
        self.document = asset.json
        self.origin = asset.origin
        self.name = f"{self.path.stem}-{self.origin[:8]}"
        self._calibration: str | None = None
        self._places = {mesh.index: place for place, mesh in enumerate(meshes)}
        self._drives = _drives(map, meshes)
        self.missing = tuple(unit for unit in TARGETS if not map.units.get(unit))
        self._nodes = choose_face(asset, self._drives, face)  # of the one face that is meant

    @classmethod
    def from_file(
        cls,
        path: str | os.PathLike[str],
        *,
        names: str | os.PathLike[str] | Names | None = None,
        map: str | os.PathLike[str] | CharacterMap | None = None,
        calibration: str | os.PathLike[str] | None = None,
        face: str | None = None,
    ) -> Character:
        """Open a .glb, .gltf or .vrm file; docs/characters.md says what is read.

        Args:
            path: of the file; a .gltf may have its buffers and pictures in the same folder.
            names: a mapping of the targets' names, or where it is; see `emo3d.names.read_names`.
            map: what units without a target of their own are made of, or its file; see `emo3d map`.
            calibration: name or path of the calibration made for this character, if there is one.
            face: name of a node or mesh, where the scene has several faces.

        Raises:
            ValueError: a file that is no glTF 2.0, has no morph targets that mean a unit, or two faces; a map or a
                calibration of another file. The message begins with the file's name.
        """
        path, known, own = Path(path), read_names(names), read_map(map)
        with errors_of(path.name):
            asset = Asset(path)
            meshes = find_meshes(asset)
            character = cls(asset, effective_map(asset, meshes, known, own), meshes, face)
        if calibration is not None:
            character._calibration = os.fspath(calibration)
            load_calibration(calibration).check_rig(character.rig)
        return character

    @cached_property
    def rig(self) -> FaceRig:
        """The face to render, score and calibrate.

        Raises:
            ValueError: a part of the file cannot be read, see docs/rigs.md.
        """
        return FaceRig(**read_face(self.asset, *self._parts()), calibration=self._calibration)

    @cached_property
    def front(self) -> np.ndarray:
        """The rotation (3, 3) from the file's axes to those of the face: y up, +z the front."""
        return read_front(self.asset, *self._parts())

    @cached_property
    def head(self) -> int | None:
        """The node whose rotation turns the face; None where no bone or node is called so and carries all of it."""
        return find_head(self)

    def _parts(self) -> tuple[dict[int, np.ndarray], dict[int, np.ndarray], frozenset[int]]:
        defaults = {node: rest for mesh in self.meshes for node, rest in mesh.rests.items()}
        return dict(zip((mesh.index for mesh in self.meshes), self._drives, strict=True)), defaults, self._nodes

    def morphs(self, weights: np.ndarray) -> dict[int, np.ndarray]:
        """Weights of the file's own targets that show weights of the units.

        Args:
            weights: (N, 51) or, with the tongue, (N, 52) in the order of `emo3d.face.TARGETS`.

        Returns:
            Index of a mesh -> (N, M) float64, linear in the weights; a target that no unit moves keeps the file's own
            weight. Some are above 1 or below 0 where a map's coefficients add up to that.
        """
        weights = np.asarray(weights, np.float64)
        if weights.ndim != 2 or weights.shape[1] not in (51, 52):
            raise ValueError(f"expected weights (N, 51) or (N, 52), got an array of shape {weights.shape}")
        morphs = {}
        for mesh, drive in zip(self.meshes, self._drives, strict=True):
            if drive.any():
                moved = weights @ drive[: weights.shape[1]]
                morphs[mesh.index] = np.where(drive.any(axis=0), moved, mesh.defaults)
        return morphs

    def write(
        self,
        path: str | os.PathLike[str],
        expressions: Any,
        *,
        times: Any = None,
        fps: float = 30,
        space: Space = "weights",
        calibration: Method = DEFAULT_METHOD,
        name: str = "emo3d",
        turns: np.ndarray | None = None,
    ) -> str | None:
        """Write the whole file with an expression set, or with an animation of several; all else stays as it is.

        Args:
            path: .glb or .vrm for a container, .gltf for a file with others beside it.
            expressions: one expression, which becomes the default weights of every mesh that has the shapes; or a frame
                each. (51,) or (F, 51) as `as_expressions` reads it; or weights (F, 52) with the tongue, in the order
                of `emo3d.face.TARGETS`.
            times: (F,) seconds of the frames, rising; or else `fps`.
            fps: frames a second.
            space: of the expressions.
            calibration: how readings become weights; they need the character's own calibration.
            name: of the animation, with a number where the file has one of this name; and of the expression that a VRM
                gets besides its default weights, which its viewers set to 0 in every frame.
            turns: (F, 4) quaternions x, y, z, w of the head in the axes of the face (y up, +z the front), for an
                animation of a character with a `head`.

        Returns:
            The name that the animation or expression has; None of a still of what is no VRM.

        Raises:
            ValueError: invalid expressions or times, or a file that cannot be written so.
        """
        options: dict[str, Any] = {"space": space, "calibration": calibration, "name": name, "turns": turns}
        edited = self.edit(expressions, times=times, fps=fps, **options)
        edited.write(path)
        return edited.added

    def edit(
        self,
        expressions: Any,
        *,
        times: Any = None,
        fps: float = 30,
        space: Space = "weights",
        calibration: Method = DEFAULT_METHOD,
        name: str = "emo3d",
        turns: np.ndarray | None = None,
    ) -> EditedFile:
        """The file as `write` would write it; the same arguments and errors."""
        weights = self.as_weights(expressions, space, calibration)
        edited, morphs = EditedFile(self.asset), self.morphs(weights)
        is_still = len(weights) == 1 and times is None
        instants = np.zeros(0) if is_still else _check_times(times, len(weights), fps)
        with errors_of(self.path.name):
            if is_still:
                self._set_defaults(edited.json, {index: values[0] for index, values in morphs.items()})
            else:
                self._animate(edited, morphs, instants, name, turns)
            if is_still and vrm_version(self.document):
                edited.added = add_expression(edited, self, name, weights[0])
        return edited

    def _animate(
        self,
        edited: EditedFile,
        morphs: Mapping[int, np.ndarray],
        times: np.ndarray,
        name: str,
        turns: np.ndarray | None,
    ) -> None:
        instants = edited.add_floats(times)
        samplers: list[dict[str, Any]] = []
        channels: list[dict[str, Any]] = []
        for index, values in morphs.items():
            alike: dict[bytes, int] = {}  # nodes whose own weights are the same share a sampler
            for node in self.placing(index):
                placed = self._at_node(index, node, values)
                if (rest := self._rests(index, node).tobytes()) not in alike:
                    alike[rest] = len(samplers)
                    output = edited.add_floats(placed.reshape(-1))
                    samplers.append({"input": instants, "output": output, "interpolation": "LINEAR"})
                channels.append({"sampler": alike[rest], "target": {"node": node, "path": "weights"}})
        if turns is not None:
            if self.head is None:
                raise ValueError("expected a bone or node called head that carries the face, to turn it; got none")
            output = edited.add_floats(head_turns(self, self.head, turns))
            channels.append({"sampler": len(samplers), "target": {"node": self.head, "path": "rotation"}})
            samplers.append({"input": instants, "output": output, "interpolation": "LINEAR"})
        animations = edited.json.setdefault("animations", [])
        edited.added = _unlike(name, {entry.get("name") for entry in animations})
        animations.append({"name": edited.added, "samplers": samplers, "channels": channels})

    def glb_bytes(self, expressions: Any, **options: Any) -> bytes:
        """The content of a .glb as `write` would write it; the same arguments and errors."""
        with TemporaryDirectory() as folder:
            path = Path(folder, f"{self.path.stem}.glb")
            self.write(path, expressions, **options)
            return path.read_bytes()

    def as_weights(
        self, expressions: Any, space: Space = "weights", calibration: Method = DEFAULT_METHOD
    ) -> np.ndarray:
        """Weights (F, 52) float32 of expressions in any form that `write` takes."""
        if space == "weights" and isinstance(expressions, np.ndarray) and expressions.shape[-1:] == (len(TARGETS),):
            frames = np.atleast_2d(expressions)
            body = rig_weights(frames[:, :-1], space)
            tongue = np.asarray(frames[:, -1:], np.float32)
            if not ((tongue >= 0) & (tongue <= 1)).all():
                raise ValueError("expected tongueOut in 0..1 in every frame, got others")
            return np.hstack([body, tongue])
        rig = None if space == "weights" else self.rig
        return np.pad(rig_weights(expressions, space, calibration, rig), ((0, 0), (0, 1)))

    def placing(self, mesh: int) -> list[int]:
        """Indices of the nodes that place a mesh on the face that is meant."""
        return [node for node in self.meshes[self._places[mesh]].nodes if node in self._nodes]

    def _rests(self, mesh: int, node: int) -> np.ndarray:
        return self.meshes[self._places[mesh]].rests[node]

    def _at_node(self, mesh: int, node: int, values: np.ndarray) -> np.ndarray:
        """Weights (..., M) of a mesh where a node places it: what no unit moves keeps the weight that it has there."""
        return np.where(self._drives[self._places[mesh]].any(axis=0), values, self._rests(mesh, node))

    def _set_defaults(self, document: dict[str, Any], morphs: Mapping[int, np.ndarray]) -> None:
        elsewhere = {node["index"] for node in self.asset.scene()} - self._nodes
        for index, values in morphs.items():
            mesh, placing = document["meshes"][index], self.placing(index)
            users = [*self.meshes[self._places[index]].nodes]
            if not placing and elsewhere & {*users}:  # of another face alone
                continue
            if not users:
                mesh["weights"] = _rounded(values)
            for node in placing or users:
                # A node without weights has the mesh's, which a face elsewhere may share.
                entry = document["nodes"][node]
                holder = entry if "weights" in entry or (placing and placing != users) else mesh
                holder["weights"] = _rounded(self._at_node(index, node, values))


def as_character(source: Character | str | os.PathLike[str], identity: str | None = None) -> Character:
    """A character as it is, or opened from its file, where no identity is asked for; errors as of `from_file`."""
    if identity is not None:
        raise ValueError(f"expected an identity or a character, got {identity} and {source}")
    return source if isinstance(source, Character) else Character.from_file(source)


def _drives(map: CharacterMap, meshes: tuple[CharacterMesh, ...]) -> tuple[np.ndarray, ...]:
    """What a weight of each unit adds to each target: (52, M) of each mesh."""
    drives = tuple(np.zeros((len(TARGETS), len(mesh.targets))) for mesh in meshes)
    for unit, combination in map.units.items():
        for key, coefficient in combination.items():
            for mesh, target in resolve(key, [(mesh.name, mesh.targets) for mesh in meshes]):
                drives[mesh][TARGETS.index(unit), target] += coefficient
    return drives


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 6) for value in values]


def _unlike(name: str, others: Collection[Any]) -> str:
    """A name, with a number from 2 on where others have it."""
    numbered = (name if number == 1 else f"{name} {number}" for number in count(1))
    return next(name for name in numbered if name not in others)


def _check_times(times: Any, frames: int, fps: float) -> np.ndarray:
    if times is None:
        if not (0 < real_number("frames per second", fps) <= 1000):
            raise ValueError(f"expected frames per second above 0 and up to 1000, got {fps}")
        return np.arange(frames) / fps
    instants = np.asarray(times, np.float64)
    if instants.shape != (frames,):
        raise ValueError(f"expected a time for each of {frames} frames, got {instants.size}")
    if not (np.isfinite(instants).all() and instants[0] >= 0):
        raise ValueError("expected times in seconds from 0, got others")
    if (late := np.flatnonzero(np.diff(instants.astype(np.float32)) <= 0)).size:
        row = int(late[0]) + 1
        raise ValueError(f"expected rising times, got {instants[row]:g} s in row {row} after {instants[row - 1]:g} s")
    return instants
