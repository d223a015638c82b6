"""`emo3d study` of systems that make clips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import typer

    from emo3d.clips import Clip
    from emo3d_lab.judging.study import Study

_OPTIONS = "arguments systems out split config items questions checks consent backbone revision k identity seed".split()


def make_clip_files(ctx: typer.Context, dataset: str, files: Mapping[str, Path]) -> Study:
    """Make the study's folder out of a dataset of clips and files of clips; the options are those of `emo3d study`."""
    import numpy as np

    from emo3d.documents import read_text
    from emo3d_lab.cli.clip_scores import open_clips
    from emo3d_lab.clips.scoring import ClipSettings
    from emo3d_lab.judging.answers import CONSENT
    from emo3d_lab.judging.clips import make_clip_study, mean_intensities, measure_clip_study, save_clip_study
    from emo3d_lab.judging.design import draw_rows
    from emo3d_lab.judging.measuring import write_metrics

    options = ctx.params
    for name in options.keys() - set(_OPTIONS):
        source = ctx.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise ValueError(f"expected no --{name.replace('_', '-')} with clips, which are judged without it")
    references = open_clips(dataset, options["config"], options["split"])
    systems = {name: _open_system(file, references) for name, file in files.items()}
    study, clips = make_clip_study(
        references,
        systems,
        rows=draw_rows(np.stack([mean_intensities(row) for row in references]), options["items"], options["seed"]),
        identity=options["identity"],
        check_share=options["checks"],
        questions=options["questions"],
        seed=options["seed"],
        consent=read_text(options["consent"]).strip() if options["consent"] else CONSENT,
    )
    settings = ClipSettings(**{name: options[name] for name in ("k", "backbone", "revision", "identity")})
    values, signature = measure_clip_study(study, clips, references, settings)
    study = replace(study, signature=signature)
    out: Path = options["out"]
    out.mkdir(parents=True, exist_ok=True)
    write_metrics(study, values, out)
    save_clip_study(study, clips, out)
    return study


def _open_system(file: Path, references: list[dict[str, Any]]) -> list[Clip]:
    """A system's clips, one for each reference in their order, as weights."""
    from emo3d_lab.cli.clip_scores import open_clips
    from emo3d_lab.clips.rows import clip_of_row

    rows = open_clips(str(file))
    try:
        if len(rows) != len(references):
            raise ValueError(f"expected a clip for each of {len(references)} references, got {len(rows)}")
        for place, (row, reference) in enumerate(zip(rows, references, strict=True)):
            if row.get("description") not in (None, "", reference["description"]):
                raise ValueError(
                    f"expected clips in the order of the references, row {place} is of {row['description']!r:.60}, "
                    f"its reference of {reference['description']!r:.60}"
                )
        clips = [clip_of_row({"clip_id": place, "beats": None, **row}) for place, row in enumerate(rows)]
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error
    return [clip if clip.space == "weights" else clip.to_weights() for clip in clips]
