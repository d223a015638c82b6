"""`emo3d selftest`: whether this installation computes the numbers that others got."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from emo3d.cli.app import app, console, print_table
from emo3d.files import check_output
from emo3d_lab.cli import options


@app.command(
    epilog="Examples: [bold]emo3d selftest[/] · "
    "[bold]emo3d selftest --backbone openai/clip-vit-base-patch32 --make clip.safetensors[/]",
)
def selftest(
    backbone: Annotated[str, typer.Option(help="Dual encoder on the Hub, or quickstart (packaged).")] = "quickstart",
    revision: options.BackboneRevision = None,
    device: options.Device = "cpu",
    against: Annotated[
        Path | None,
        typer.Option(
            help="File of expected values that --make wrote elsewhere.", show_default="packaged, of quickstart"
        ),
    ] = None,
    make: Annotated[
        Path | None,
        typer.Option(help="Write what is computed here as expected values, .safetensors, and check nothing."),
    ] = None,
) -> None:
    """Compute 32 frozen faces and compare with what is expected; exits with 1 where something differs."""
    if make and against:
        raise ValueError("expected --make or --against, got both")
    if make:
        check_output(make, (".safetensors",))

    from emo3d.scoring import load_backbone
    from emo3d_lab.selftest import Measurement, compare, load_expected, measure

    expected = None if make else Measurement.load(against) if against else load_expected(backbone)
    measured = measure(load_backbone(backbone, revision, device=device))
    if make:
        measured.save(make)
        console.print(f"wrote {make}: {measured.backbone} at {measured.revision}", highlight=False)
        console.print(
            "To have others check against it, open an issue of the project, attach the file, and paste the output of "
            "`emo3d doctor --json`, which says the machine and the versions.",
        )
        return
    assert expected is not None
    checks = compare(expected, measured)
    rows = [(check.what, "ok" if check.is_passed else "MISS", escape(check.difference)) for check in checks]
    print_table(
        ("", "", f"beside emo3d {expected.version}"), rows, title=f"{measured.backbone}, {len(measured.kl)} faces"
    )
    for check in checks:
        if not check.is_passed:
            console.print(f"{check.what}: {escape(check.advice)}", highlight=False)
    if not all(check.is_passed for check in checks):
        raise typer.Exit(1)
