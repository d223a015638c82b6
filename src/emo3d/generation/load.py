"""Generators by name: the packaged one, a folder, or a model on the Hub."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from emo3d.encoders import no_bars
from emo3d.generation.model import ExpressionModel

QUICKSTART = "quickstart"
QUICKSTART_FOLDER = Path(__file__).parent.parent / "assets" / "quickstart-generator"


class GeneratorUnavailableError(OSError):
    """A generator that is neither in the local cache nor to be had from the Hub now."""


def load_generator(id: str | Path = QUICKSTART, revision: str | None = None) -> ExpressionModel:
    """Load a generator, once per id and revision, ready for `generate`.

    Args:
        id: `"quickstart"` (packaged), a folder written by `save_pretrained`, or a model on the Hub.
        revision: branch, tag or commit on the Hub.

    Raises:
        GeneratorUnavailableError: the Hub cannot be reached or has no such model; nothing else is loaded instead.
            An OSError.
        ValueError: a revision was asked for where there are none.
    """
    local = QUICKSTART_FOLDER if id == QUICKSTART else Path(id)
    if not local.is_dir():
        return _from_hub(str(id), revision)
    if revision is not None:
        raise ValueError(f"{id} is read from disk and has no revisions, got {revision!r}")
    return _from_folder(local, (local / "config.json").stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _from_folder(folder: Path, _changed: int) -> ExpressionModel:
    with no_bars():
        return ExpressionModel.from_pretrained(folder).eval()


@lru_cache(maxsize=4)
def _from_hub(id: str, revision: str | None) -> ExpressionModel:
    try:
        return ExpressionModel.from_pretrained(id, revision=revision or "main").eval()
    except OSError as error:
        at = f" at revision {revision}" if revision else ""
        raise GeneratorUnavailableError(
            f"the generator {id}{at} could not be loaded: there is no such folder, and it is not in the local cache "
            f'and the Hub cannot be reached or has no such model. load_generator("{QUICKSTART}") needs no network'
        ) from error
