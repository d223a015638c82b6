"""A visitor's own character: its file opened for the pages, a few at a time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from emo3d.loading import loaded_once, workshop_part

if TYPE_CHECKING:
    from emo3d_lab.characters import Character

MOST_VERTICES = 120_000
"""Of what a picture shows; more makes every answer slow."""
_OPEN = 4  # characters in memory at once; of the largest file some 200 MB each
_KEPT = 3  # whole files of one character on disk; a slider that moves writes ever new ones


@dataclass(frozen=True)
class OwnCharacter:
    """Where a visitor's character is; pages hold this, and not what is in it.

    Attributes:
        path: of the uploaded file.
        map: of an uploaded map, for shapes that have other names than ARKit's.
        view: of the face at rest as the 3D view reads it; empty where none is shown.
    """

    path: str
    map: str | None = None
    view: str = ""
    _written: deque[Path] = field(default_factory=deque, compare=False, repr=False)

    @property
    def name(self) -> str:
        """The file's stem."""
        return Path(self.path).stem

    def open(self) -> Character:
        """The character, opened again where others took its place; a `gr.Error` once its file is deleted."""
        try:
            return _open(self.path, self.map)
        except FileNotFoundError:
            raise gr.Error(
                "Files of visitors are deleted after an hour: please upload your character again.",
                print_exception=False,
            ) from None

    def write(self, folder: Path, stem: str, expressions: Any, **options: Any) -> str:
        """Write the whole file with expressions, in a new folder, by the ending that it came with; older ones go.

        Args:
            folder: a new one.
            stem: of the file's name.
            expressions: and `options`, as `Character.write` takes them.
        """
        path = folder / f"{stem}{Path(self.path).suffix.lower()}"
        self.open().write(path, expressions, **options)
        self._written.append(path)
        while len(self._written) > _KEPT:
            self._written.popleft().unlink(missing_ok=True)
        return str(path)


def open_own(path: str, map: str | None = None) -> OwnCharacter:
    """Open a visitor's file.

    Args:
        path: of a .glb or .vrm that holds all that belongs to it.
        map: of a file that `emo3d map` wrote.

    Raises:
        ValueError: what `Character.from_file` refuses, or too many vertices.
    """
    try:
        _open(path, map)
    except OSError as error:  # whose message has a path of this machine
        raise ValueError(f"{Path(path).name}: expected all in one file, got one that names others") from error
    return OwnCharacter(path, map)


@loaded_once(maxsize=_OPEN)
def _open(path: str, map: str | None) -> Character:
    character: Character = workshop_part("characters").Character.from_file(path, map=map)
    if not character.asset.is_binary:
        raise ValueError(f"{character.path.name}: expected a .glb or .vrm that is one container, got text")
    if (count := len(character.rig.neutral)) > MOST_VERTICES:
        raise ValueError(
            f"{character.path.name}: expected at most {MOST_VERTICES:,} vertices here, got {count:,}; "
            "emo3d animate at home takes more"
        )
    return character
