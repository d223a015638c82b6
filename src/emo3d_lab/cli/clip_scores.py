"""`emo3d score` of clips against their beats."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from emo3d.cli.app import console
from emo3d.files import check_output

if TYPE_CHECKING:
    import typer

CLIPS = "clips"
_COLUMNS = ("clip_id", "description", "beats", "frames", "length", "rate", "space")
_OPTIONS = "predictions references split config bank backbone revision device batch_size alpha epsilon k space".split()
_OPTIONS += "dtype calibration identity identities embedder out".split()


def is_of_clips(references: str, config: str | None) -> bool:
    """Whether references are clips: the config `clips`, or a Parquet file of it."""
    from emo3d.parquet import open_parquet

    if CLIPS in (references, config):
        return True
    if config or not references.lower().endswith(".parquet") or not Path(references).is_file():
        return False
    with open_parquet(Path(references)) as file:
        return {"beats", "frames"} <= set(file.schema_arrow.names)


def score_clip_files(ctx: typer.Context) -> None:
    """Score a file of clips against the beats of others, beside sentinels; the options are those of `emo3d score`."""
    from emo3d.scoring import Bank
    from emo3d_lab.cli.results import print_result, print_sentinels, print_signature
    from emo3d_lab.clips.scoring import ClipScorer, ClipSettings
    from emo3d_lab.clips.scoring.reading import read_pairs
    from emo3d_lab.clips.scoring.sentinels import make_clip_sentinels
    from emo3d_lab.sentinels import compare_sentinels, save_beside

    options = ctx.params
    for name in options.keys() - set(_OPTIONS):
        source = ctx.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise ValueError(f"expected no --{name.replace('_', '-')} with clips, which are scored without it")
    if options["out"]:
        check_output(options["out"])
    rows = open_clips(options["predictions"])
    references = open_clips(options["references"], options["config"], options["split"])
    clips, beats = read_pairs(rows, references)
    names = "alpha epsilon k backbone revision dtype calibration identity identities embedder".split()
    settings = ClipSettings(**{name: options[name] for name in names}, space=options["space"] or clips[0].space)
    scorer = ClipScorer(settings, device=options["device"] or "cpu", batch_size=options["batch_size"])
    if options["bank"]:
        scorer.fit(Bank.load(options["bank"]))
    scorer.update(clips, beats)
    result = scorer.compute()
    sentinels = compare_sentinels(result, make_clip_sentinels(scorer))
    print_result(result, settings.confidence)
    print_sentinels(result, sentinels)
    print_signature(result)
    if options["out"]:
        save_beside(options["out"], result, sentinels)
        console.print(f"wrote {options['out']}")


def open_clips(name: str, config: str | None = CLIPS, split: str | None = None) -> list[dict[str, Any]]:
    """Rows of clips of a Parquet file; with a split also of the packaged sample (`clips`), a folder or the Hub.

    Raises:
        ValueError: another kind of file, or one without the columns of clips.
        FileNotFoundError: no such file.
    """
    from emo3d.dataset import open_rows
    from emo3d.parquet import read_columns

    if name.lower().endswith(".parquet"):
        try:
            return read_columns(Path(name), lambda names: _known(name, names)).to_pylist()
        except ValueError as error:
            raise ValueError(f"{Path(name).name}: {error}") from None
    if split is None:
        raise ValueError(f"expected clips as a .parquet file of the config clips, got {name}")
    rows, _ = open_rows("sample" if name == CLIPS else name, config or CLIPS, split)
    return list(rows.select_columns(_known(name, rows.column_names)))


def _known(name: str, names: list[str]) -> list[str]:
    if "frames" not in names:
        raise ValueError(f"expected clips with 'frames', got {', '.join(map(str, names))!s:.200}")
    return [column for column in names if column in _COLUMNS]
