"""What the commands share that write a user's own character."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from emo3d.cli.app import console

if TYPE_CHECKING:
    import numpy as np

    from emo3d_lab.characters import Character


def check_other_file(out: Path | None, *sources: Path | None) -> None:
    """Raise a ValueError where a file that is read would be written over: nobody may have another of it."""
    for source in sources:
        if out is not None and source is not None and out.exists() and source.exists() and out.samefile(source):
            other = out.with_suffix(f".emo{out.suffix}").name
            raise ValueError(f"expected another file to write than {source}, which is read, as in --out {other}")


def print_unmoved(character: Character, weights: np.ndarray) -> None:
    """Say which units of an expression, weights (51,) or (52,), a character has no shapes for."""
    from emo3d.face import TARGETS

    strong = {unit for unit, weight in zip(TARGETS, weights, strict=False) if weight > 0.2}
    if unmoved := [unit for unit in character.missing if unit in strong]:
        console.print(f"it has no shapes for {', '.join(unmoved)}, which are part of the expression", soft_wrap=True)


def print_written(out: Path, name: str | None, *, is_animation: bool, what: str = "") -> None:
    """Say what was written: `what` of it, if not the whole; the name that the animation or expression in it has."""
    called = "" if name is None else f", {'animation' if is_animation else 'expression'} {name!r}"
    console.print(f"wrote {what}{out}{called}", soft_wrap=True, markup=False)
    if is_animation and out.suffix.lower() == ".vrm":
        console.print(
            f"VRM programs seldom play an animation of the avatar's file: --out {out.stem}.vrma is made for them",
            soft_wrap=True,
            markup=False,
        )
