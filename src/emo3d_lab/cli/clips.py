"""Clips on the command line: `emo3d generate` with `--seconds`, `--rate`, or a file that holds clips alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from emo3d.cli.app import console
from emo3d.files import check_output
from emo3d_lab.cli.characters import check_other_file, print_written

if TYPE_CHECKING:
    from emo3d.clips import Beat, Clip
    from emo3d_lab.characters import Character
    from emo3d_lab.clips.motion import Motion

PICTURES = (".png", ".jpg", ".jpeg", ".webp")
_CLIPS_ALONE = ".gif .mp4 .webm .npz .parquet .vrma .py .anim .fbx .usd .usda .usdc .usdz".split()


def is_clip_file(out: Path | None) -> bool:
    """Whether a file that `emo3d generate` writes can hold nothing but a clip, by its ending."""
    return out is not None and out.suffix.lower() in _CLIPS_ALONE


@dataclass(frozen=True)
class ClipTask:
    """A clip that somebody wants."""

    description: str
    seconds: float | None  # what its beats need when None
    rate: float  # frames per second
    seed: int
    without: tuple[str, ...] = ()  # what `Motion` leaves out

    def check(self, model: str, out: Path | None, picture: Path | None, character: Path | None) -> None:
        """Refuse what can be refused before a model is loaded."""
        from emo3d.clips import check_rate
        from emo3d_lab.clips.beats import read_beats
        from emo3d_lab.clips.director import Director, schedule
        from emo3d_lab.clips.files import ENDINGS
        from emo3d_lab.clips.loading import is_clip_model
        from emo3d_lab.takes.preview import check_gif, gif_rate

        check_rate(self.rate)
        Director(motion=self.motion())  # which loads its generator later
        if out is not None:
            check_output(out, ENDINGS)
            check_other_file(out, character)
        if picture is not None:
            check_output(picture, PICTURES)
        duration = self.seconds
        if not is_clip_model(model):  # which has no beats, and lengths of its own
            _, duration = schedule(read_beats(self.description), self.seconds)
        if duration is not None and out is not None and out.suffix.lower() == ".gif":
            check_gif(duration, gif_rate(self.rate))

    def motion(self) -> Motion:
        """What the clip moves beside its expressions."""
        from emo3d_lab.clips.motion import Motion

        names = [field.name for field in fields(Motion) if isinstance(field.default, bool)]
        asked = [name.strip() for part in self.without for name in part.split(",")]
        for name in asked:
            if name not in names:
                raise ValueError(f"expected {', '.join(names)} as --without, got {name!r}")
        return Motion(**dict.fromkeys(asked, False))

    def generate(self, model: str, strength: float) -> Clip:
        """The clip: by a learnt generator of clips, or a generator of stills and the director."""
        from emo3d_lab.clips.director import Director
        from emo3d_lab.clips.loading import load_clip_generator

        generator = load_clip_generator(model)
        if isinstance(generator, Director):
            generator.motion, generator.strength = self.motion(), strength
        elif self.without or strength != 1:
            raise ValueError(f"expected a generator of stills for --without and --strength, {model} makes whole clips")
        options = {"seconds": self.seconds, "rate": self.rate, "seed": self.seed}
        return generator.generate([self.description], **options)[0]


def print_beats(beats: Sequence[Beat]) -> None:
    """Print what happens when; nothing of a clip without beats."""
    if not beats:
        return
    table = Table("from", "to", "beat", title="beats (seconds)", title_justify="left", box=box.SIMPLE)
    for beat in beats:
        table.add_row(f"{beat.start:.1f}", f"{beat.end:.1f}", Text(beat.description))
    console.print(table)


def write_clip_files(
    clip: Clip, out: Path | None, picture: Path | None, whose: str | Character, size: int, blender: str | None
) -> None:
    """Print the beats of a clip; write it, and a strip of film of it."""
    from emo3d_lab.clips.files import write_clip
    from emo3d_lab.clips.strips import film_strip

    print_beats(clip.beats)
    character = None if isinstance(whose, str) else whose
    identity = whose if isinstance(whose, str) else "adult"
    if out is not None:
        options = {"size": size, "blender": blender, "name": clip.description or "emo3d"}
        added = write_clip(out, clip, character, identity=identity, **options)
        print_written(out, added, is_animation=True, what=f"{len(clip)} frames, {clip.duration:.1f} s, to ")
    if picture is not None:
        film_strip(clip, rig=identity if character is None else character.rig).convert("RGB").save(picture)
        console.print(f"wrote {picture}", soft_wrap=True, markup=False)
