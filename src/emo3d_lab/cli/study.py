"""`emo3d study`: people compare the faces of several systems."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from math import comb
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from emo3d.cli.app import app, console, print_table
from emo3d.expressions import SUFFIXES
from emo3d.face.calibration import DEFAULT_METHOD
from emo3d.files import check_output, check_output_folder
from emo3d_lab.cli import options
from emo3d_lab.cli.checking import check_predictions, check_references
from emo3d_lab.cli.clip_scores import is_of_clips
from emo3d_lab.cli.clip_study import make_clip_files

if TYPE_CHECKING:
    import numpy as np

    from emo3d_lab.judging.study import Study


DIFFERENCES = (0.1, 0.2, 0.3, 0.4)
"""Share of judgements that prefer the better of two systems less that of the other, in the table of power."""
TIES = 0.2
MOST_JUDGES = 1000


class _Study(TyperGroup):
    """`emo3d study DATASET ...` is `emo3d study make DATASET ...`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = ["make", *args]
        return super().parse_args(ctx, args)


study_app = typer.Typer(cls=_Study, no_args_is_help=True, rich_markup_mode="rich")
app.add_typer(
    study_app,
    name="study",
    help="Ask people which face fits a description better.",
    epilog="[bold]emo3d study DATASET --systems ...[/] is [bold]emo3d study make DATASET --systems ...[/]; "
    "its options: [bold]emo3d study make --help[/]",
)


@study_app.command(
    epilog="Example: [bold]emo3d study sample --systems ours.parquet theirs=baseline.parquet --out study[/], then "
    "[bold]emo3d demo --study study[/] and [bold]emo3d study export study --out judgements.csv[/]"
)
def make(
    ctx: typer.Context,
    arguments: Annotated[
        list[str],
        typer.Argument(metavar="DATASET", help="Descriptions and emotions: what emo3d score takes as --references."),
    ],
    systems: Annotated[
        list[str],
        typer.Option(
            metavar="FILE...",
            help="Two files of expressions or more, or of clips as .parquet, a row per description; a system's name is "
            "its file's, or as in ours=file.parquet.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the study, new or empty.")],
    split: Annotated[str, typer.Option(help="Split of the dataset.")] = "test",
    config: options.Config = None,
    items: Annotated[int, typer.Option(min=1, help="Descriptions, spread over the emotions.")] = 50,
    questions: Annotated[
        int | None, typer.Option(min=1, help="Most that one judge is asked.", show_default="all")
    ] = None,
    checks: Annotated[float, typer.Option(min=0, max=0.5, help="Share of attention checks.")] = 0.1,
    fits: Annotated[bool, typer.Option("--fits", help="Ask of each face, too, whether the emotions fit.")] = False,
    consent: Annotated[Path | None, typer.Option(help="A text file with what judges agree to.")] = None,
    readers: Annotated[
        str | None, typer.Option(help="Emotion readers for metrics.csv, with commas between: face-api, ...")
    ] = None,
    backbone: options.Backbone = options.DEFAULT_BACKBONE,
    revision: options.BackboneRevision = None,
    variant: options.Variant = "paper",
    k: options.K = 10,
    space: options.Space = None,
    calibration: options.Calibration = DEFAULT_METHOD,
    identity: options.Identity = "adult",
    layout: options.Layout = None,
    join: Annotated[str | None, typer.Option(help="Column that says whose face a row is, see emo3d score.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the draw of descriptions and checks.")] = 0,
) -> None:
    """Make a study: descriptions, pairs of faces, attention checks, and what metrics say of each face."""
    dataset, *more = arguments
    files = _names([*systems, *more])
    is_moving = is_of_clips(dataset, config)
    if not is_moving:
        check_references(dataset)
    for file in files.values():
        check_predictions(str(file), SUFFIXES, False)
    if consent and not consent.is_file():
        raise FileNotFoundError(f"no such file: {consent}")
    check_output_folder(out, empty=True)
    if is_moving:
        return _print_study(make_clip_files(ctx, dataset, files), out)

    from dataclasses import replace

    from emo3d.documents import read_text
    from emo3d.scoring import ScoreSettings, open_references
    from emo3d_lab.judging.answers import CONSENT
    from emo3d_lab.judging.design import draw_rows, make_study
    from emo3d_lab.judging.measuring import measure_study, write_metrics
    from emo3d_lab.readers import load_readers

    loaded = load_readers(readers) if readers else []
    references: Any = open_references(dataset, config, split)
    faces, common_space = _open_systems(files, references, layout, join, space)
    if references.space and references.space != common_space:
        references = replace(references, expressions=None)  # there is nothing to compare with
    settings = ScoreSettings(
        variant=variant,  # type: ignore[arg-type]
        k=k,
        backbone=backbone,
        revision=revision,
        space=common_space,  # type: ignore[arg-type]
        calibration=calibration,  # type: ignore[arg-type]
        identity=identity,
    )
    study = make_study(
        references,
        faces,
        space=settings.space,
        calibration=settings.calibration,
        rows=draw_rows(references.intensities, items, seed),
        identities=[identity] * len(references),
        fits=fits,
        check_share=checks,
        questions=questions,
        seed=seed,
        consent=read_text(consent).strip() if consent else CONSENT,
    )
    values, signature = measure_study(study, settings, references=references, readers=loaded)
    study = replace(study, signature=signature)
    out.mkdir(parents=True, exist_ok=True)
    write_metrics(study, values, out)
    study.save(out)
    _print_study(study, out)


@study_app.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="STUDY", help="Folder that emo3d study made.")],
    out: Annotated[Path, typer.Option(help="The judgements table, as .csv.")],
    answers: Annotated[
        Path | None, typer.Option(help="Folder of answers.", show_default="EMO3D_ANSWERS, or answers in the study")
    ] = None,
) -> None:
    """Write the answers to a study as the table that emo3d meta reads; judges get numbers in place of names."""
    check_output(out, (".csv",))

    from emo3d_lab.judging.answers import Answers, answers_folder
    from emo3d_lab.judging.clips import open_study
    from emo3d_lab.judging.exporting import export_judgements, meta_options, write_judgements
    from emo3d_lab.judging.study import METRICS

    study = open_study(folder)
    path = answers or answers_folder(folder)
    if not path.is_dir():
        raise FileNotFoundError(f"no answers yet: there is no folder {path}; emo3d demo --study {folder} asks for them")
    latest = Answers(path).latest()
    if not latest:
        raise ValueError(f"no answers yet in {path}; emo3d demo --study {folder} asks for them")
    judgements = export_judgements(latest, study)
    write_judgements(judgements, out)
    rows = [(judge, f"{passed} of {count}") for judge, (passed, count) in judgements.checks.items()]
    print_table(("judge", "attention checks passed"), rows)
    if judgements.unknown:
        console.print(f"left out {judgements.unknown} answers to tasks that this study does not have")
    if len(judgements.checks) == 1:
        console.print("there is one judge only: how far people agree with each other cannot be said")
    console.print(f"wrote {len(judgements.rows)} judgements to {out}", soft_wrap=True)
    if judgements.uses:
        command = ["emo3d", "meta", str(out), "--metrics", str(folder / METRICS), *meta_options(judgements, folder)]
        console.print(f"next: {shlex.join([*command, '--out', 'agreement.html'])}", soft_wrap=True, markup=False)


def _names(systems: list[str]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for entry in systems:
        name, _, file = entry.rpartition("=")
        path = Path(file)
        name = name or path.stem
        if not re.fullmatch(r"[^\s,](.*[^\s,])?", name) or name.startswith("prototype of"):
            raise ValueError(f"expected a system's name as in ours=file.parquet, got {entry}")
        if name in files:
            raise ValueError(
                f"expected systems of different names, {files[name]} and {path} are both {name}: write NAME={path}"
            )
        files[name] = path
    if len(files) < 2:
        raise ValueError(
            f"expected two systems or more to compare, got {', '.join(files)}: --systems a.parquet b.parquet"
        )
    return files


def _open_systems(
    files: dict[str, Path], references: Any, layout: str | None, join: str | None, option: str | None
) -> tuple[dict[str, np.ndarray], str]:
    """Expressions of each system in the order of the references, and the one space of all."""
    import numpy as np

    from emo3d.scoring.predictions import read_batch, space_of
    from emo3d_lab.cli.files import open_predictions

    faces: dict[str, np.ndarray] = {}
    spaces: dict[str, str] = {}
    for name, file in files.items():
        expressions, file_space, keys = open_predictions(file, layout)
        try:
            rows, _ = read_batch({"blendshapes": expressions, **keys}, references, join=join)
            faces[name] = np.asarray(rows)
            spaces[name] = space_of(option, file_space, references)  # type: ignore[arg-type]
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from error
    if len(set(spaces.values())) > 1:
        listing = ", ".join(f"{files[name].name} in {space}" for name, space in spaces.items())
        raise ValueError(f"expected all systems in one space, got {listing}: convert them, see emo3d calibrate")
    return faces, next(iter(spaces.values()))


def _print_study(study: Study, out: Path) -> None:
    from emo3d_lab.judging.design import CLEAR

    checks = sum(task.attention for task in study.tasks)
    console.print(
        f"wrote {out}: {len(study.items)} descriptions, {len(study.tasks) - checks} questions about "
        f"{len(study.systems)} systems, {checks} attention checks, metrics.csv"
    )
    if study.repeats:
        console.print(
            f"{study.repeats} attention checks repeat a description of the questions, by which judges may know them: "
            f"no other is at least {CLEAR:.0%} of one emotion"
        )
    pairs = Counter(task.systems for task in study.tasks if len(task.systems) == 2 and not task.attention)
    if equal := len(study.items) * comb(len(study.systems), 2) - pairs.total():
        console.print(f"{equal} pairs of equal faces are not asked")
    _print_power(study, min(pairs.values()), pairs.total())
    console.print(study.signature, highlight=False, soft_wrap=True, markup=False, emoji=False)
    console.print(f"next: emo3d demo --study {out}")


def _print_power(study: Study, items: int, pairs: int) -> None:
    """How many judges it takes to tell two systems apart, if each answers all that they are asked."""
    asked = [task for task in study.order("anyone", "pair") if not task.attention]
    share = len(asked) / pairs
    rows = []
    for difference in DIFFERENCES:
        judges, judgements = _needed(difference, items, share, comb(len(study.systems), 2))
        better = (1 - TIES + difference) / 2
        answers = f"{better:.0%} to {better - difference:.0%}"
        rows.append((answers, f"{judgements:,}" if judges else "-", f"{judges:,}" if judges else "more --items"))
    print_table(
        ("people prefer one system", "judgements of these two", "judges"),
        rows,
        title=f"Needed to show it (power 80%, level 5% over all pairs, {TIES:.0%} about the same)",
    )


def _needed(difference: float, items: int, share: float, comparisons: int) -> tuple[int | None, int]:
    """Fewest judges who show a difference, and their judgements of two systems; each answers a share of the items."""
    from emo3d_lab.meta.power import needed_judgements

    for judges in range(1, MOST_JUDGES + 1):
        count = int(items * share * judges)
        per_item = max(1, round(share * judges))
        try:
            needed = needed_judgements(difference, ties=TIES, per_item=per_item, judges=judges, comparisons=comparisons)
        except ValueError:  # so few judges never show it
            continue
        if needed <= count:
            return judges, count
    return None, 0
