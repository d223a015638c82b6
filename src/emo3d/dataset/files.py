"""Where the release's files are: a local copy, the Hub's cache, or the Hub itself."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emo3d.dataset.release import PRIMITIVE, SPLIT_FILES, archive_paths, table_paths

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReleaseFiles:
    """Where the files are that a config is made of: split -> CSV files, archive's name -> ZIP."""

    tables: dict[str, list[str]]
    archives: dict[str, str]

    @classmethod
    def of_folder(cls, data: Path, config: str) -> ReleaseFiles:
        """Those of a local copy."""
        return cls._of(table_paths(data), archive_paths(data), config, str(data))

    @classmethod
    def of_hub(cls, release: str, revision: str, config: str) -> ReleaseFiles:
        """Those of a repository on the Hub, as `hf://` addresses."""
        from huggingface_hub import HfFileSystem

        root = f"datasets/{release}@{revision}"
        endings = ("csv", "zip", "ZIP")
        names = sorted(path for ending in endings for path in HfFileSystem().glob(f"{root}/**/*.{ending}"))
        archives = {Path(name).stem: f"hf://{name}" for name in names if name.lower().endswith(".zip")}
        return cls._of([f"hf://{name}" for name in names if name.endswith(".csv")], archives, config, root)

    @classmethod
    def _of(cls, tables: Sequence[str], archives: dict[str, str], config: str, where: str) -> ReleaseFiles:
        by_name = {path.rsplit("/", 1)[-1]: path for path in tables}
        if config == "primitive":
            splits = {"train": [by_name[PRIMITIVE]] if PRIMITIVE in by_name else []}
        else:
            by_name.pop(PRIMITIVE, None)
            splits = {split: [by_name[name]] for split, name in SPLIT_FILES.items() if name in by_name}
            others = [path for name, path in by_name.items() if name not in SPLIT_FILES.values()]
            if not splits:
                splits = {"train": others}
            elif others:
                logger.warning("not a split of the release, not read: %s", ", ".join(others))
        if not any(splits.values()):
            expected = PRIMITIVE if config == "primitive" else ", ".join(SPLIT_FILES.values())
            raise FileNotFoundError(f"expected {expected} of the Emo3D release in {where}, found none")
        return cls(splits, archives if config != "pairs" else {})


def download_release(release: str, revision: str, configs: Sequence[str]) -> Path:
    """Download what the configs need into the Hub's cache, going on with what an earlier run has begun."""
    from huggingface_hub import snapshot_download

    patterns = ["*.csv"]
    patterns += ["*primitive*.zip", "*primitive*.ZIP"] if "primitive" in configs else []
    patterns += ["*images*.zip", "*images*.ZIP"] if "default" in configs else []
    try:
        return Path(snapshot_download(release, repo_type="dataset", revision=revision, allow_patterns=patterns))
    except (OSError, ValueError):
        raise
    except Exception as error:  # of the HTTP library, which is another one in another version of the Hub's client
        raise ConnectionError(f"the download of {release} broke off; run it again to go on: {error}") from error
