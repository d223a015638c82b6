"""`emo3d avatar`: words, or a named identity, become a whole person that other people's viewers show."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emo3d.cli.app import app, console


@app.command(
    epilog='Examples: [bold]emo3d avatar "a tired old fisherman" --out fisherman.glb[/] · '
    "[bold]emo3d avatar --identity elderly-man --phenotype height=0.7 --out him.vrm[/]",
)
def avatar(
    description: Annotated[
        str | None, typer.Argument(help="Who it is, in English: age, gender, build, looks, work, colours of clothes.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Write .glb, or .vrm (VRM 1.0).")] = Path("avatar.glb"),
    identity: Annotated[str | None, typer.Option(help="Instead of a description: adult, elderly-man, ...")] = None,
    phenotype: Annotated[
        list[str] | None, typer.Option(help="Set one of anny's phenotypes: age=0.8. Several times.")
    ] = None,
) -> None:
    """Make an avatar: a body in clothes on Mixamo's skeleton, 52 ARKit shapes, visemes, expressions of VRM."""
    from emo3d.files import check_output
    from emo3d_lab.avatars.avatar import write_avatar
    from emo3d_lab.avatars.people import named_person, read_person

    if (description is None) == (identity is None):
        raise ValueError('expected a description or --identity: emo3d avatar "an old fisherman", or --identity man')
    check_output(out, (".glb", ".vrm"))
    person = named_person(identity) if identity is not None else read_person(description or "")
    person = person.shaped(_numbers(phenotype or []))
    if description is not None:
        for word, meaning in person.reasons.items():
            console.print(f"{word}: {meaning}", highlight=False, markup=False, soft_wrap=True)
        if not person.reasons:
            console.print("no word says who it is: the default adult (words are read in English)", style="yellow")
        elif person.silent:
            console.print(f"says nothing of the person: {', '.join(person.silent)}", markup=False, soft_wrap=True)
    write_avatar(out, person)
    console.print(f"wrote {out} ({out.stat().st_size / 1e6:.1f} MB)", soft_wrap=True)


def _numbers(pairs: list[str]) -> dict[str, float]:
    numbers = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        try:
            numbers[name.strip()] = float(value)
        except ValueError:
            raise ValueError(f"expected --phenotype NAME=NUMBER, as age=0.8, got {pair!r}") from None
    return numbers
