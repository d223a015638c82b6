"""Any dataset by its name: the sample, a Parquet file, a folder, or one of the Hub; with the space of what it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from emo3d.blendshapes import Space
from emo3d.hints import did_you_mean, unwritable_cache
from emo3d.parquet import LARGEST, check_size, open_parquet, parquet_space


def sample_folder(config: str | None = None) -> Path:
    """Where `train.parquet`, `validation.parquet` and `test.parquet` of the embedded `sample`, or `clips`, lie."""
    if config not in (None, "sample", "clips"):
        raise ValueError(f"expected the config sample or clips of the embedded sample, got {config!r:.80}")
    folder = Path(__file__).parents[1] / "assets" / (config or "sample")
    if not (folder / "train.parquet").is_file():
        raise FileNotFoundError(f"expected the embedded sample in {folder}; `emo3d sample` makes it")
    return folder


def open_rows(name: str, config: str | None, split: str) -> tuple[Any, Space | None]:
    """Open one split of a dataset, and find the space of its blendshapes where local files say it.

    Args:
        name: `"sample"` (the embedded one, with the config `clips`), a `.parquet` file, a folder, or an id on the Hub.
        split: one, or a part of one, as in `train[:90%]`.

    Raises:
        ValueError: no such config or split, or files that cannot be read or would take far more memory than disk.
        OSError: no such dataset, or the Hub or the cache of this user cannot be used; the message says what to do.
    """
    rows = load(name, config, split=split)
    path = sample_folder(config) if name == "sample" else Path(name)
    # `datasets` drops what Parquet files say; those of the Hub are not looked for.
    split = split.partition("[")[0]
    files = [path] if path.is_file() else [*path.glob(f"{split}*.parquet"), *path.glob(f"data/{split}*.parquet")]
    files += path.glob(f"data/{config or 'default'}/{split}*.parquet")
    spaces = {parquet_space(file) for file in files}
    return rows, spaces.pop() if len(spaces) == 1 else None


def load(name: str, config: str | None = None, *, split: str | None = None, **options: Any) -> Any:
    """`datasets.load_dataset` for a name as `open_rows` takes it; see there."""
    from datasets import load_dataset

    path = sample_folder(config) if name == "sample" else Path(name)
    is_file = name.lower().endswith(".parquet")
    hint = did_you_mean(name, ["sample"])
    if not path.exists() and (is_file or ("/" not in name and hint)):
        raise FileNotFoundError(f"no such {'file' if is_file else 'dataset'}: {name}{hint}")
    if path.exists():
        _check_sizes(path)
    try:
        if is_file:
            return load_dataset("parquet", data_files={split or "train": name}, split=split, **options)
        config = None if name == "sample" else config  # its folder holds one config, without a card
        return load_dataset(str(path) if path.exists() else name, config, split=split, **options)
    except Exception as error:  # of `datasets`, Arrow, the Hub's client and its HTTP library
        raise _explain(name, path, error) from error


def _check_sizes(path: Path) -> None:
    """Refuse Parquet files that would become far more in memory, and in the cache, than they are."""
    for file in [path] if path.is_file() else sorted(path.rglob("*.parquet")):
        if file.suffix.lower() == ".parquet":
            try:
                with open_parquet(file) as parquet:
                    largest = max(LARGEST, 100 * file.stat().st_size)
                    check_size(parquet, parquet.schema_arrow.names, largest=largest)
            except ValueError as error:
                raise ValueError(f"{file.name}: {error}") from None


def _explain(name: str, path: Path, error: Exception) -> Exception:
    """The error that says what to do."""
    from datasets import config
    from datasets.exceptions import DatasetNotFoundError
    from huggingface_hub import constants

    causes: list[BaseException] = [error]
    while cause := causes[-1].__cause__ or causes[-1].__context__:
        causes.append(cause)
    reason = str(causes[-1]).strip().partition("\n")[0][:300] or type(causes[-1]).__name__
    if message := unwritable_cache(error, str(config.HF_DATASETS_CACHE)):
        return OSError(message)
    if path.exists():
        if type(error) in (ValueError, FileNotFoundError):  # no such config or split, or no data files
            return error
        return ValueError(f"{path.name} cannot be read as a dataset: {reason}")
    if isinstance(error, DatasetNotFoundError):
        return FileNotFoundError(f"no such dataset: neither a folder nor on the Hub, or not public: {name}")
    if isinstance(error, ValueError):
        return error
    why = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else reason
    advice = "a copy on disk is opened by the path of its folder or .parquet file; sample needs no network"
    return ConnectionError(f"{name} cannot be fetched from the Hub ({why}): {advice}")
