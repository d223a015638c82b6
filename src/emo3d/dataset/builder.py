"""The release as `datasets` sees it: one builder, run by the legacy loading script and by `emo3d build`."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import datasets

from emo3d.dataset.archives import MAX_PIXELS
from emo3d.dataset.files import ReleaseFiles, download_release
from emo3d.dataset.plan import ReleaseShard, SampleShard, Shard, numbered, plan
from emo3d.dataset.release import SPLIT_FILES, data_folder
from emo3d.dataset.schema import FEATURES
from emo3d.dataset.tally import Tally

logger = logging.getLogger(__name__)

RELEASE = "llm-lab/Emo3D"
"""The published release on the Hub."""

SHARD_SIZE = 500 * 10**6
"""Bytes of a Parquet file, about."""


@dataclass
class Emo3DConfig(datasets.BuilderConfig):
    """What to build from which release; `data_dir` is a local copy of it.

    Attributes:
        release: id on the Hub, where there is no `data_dir`.
        release_revision: of the release: a branch, tag or commit.
        max_pixels: pictures with more are left out.
        shard_size: bytes of a Parquet file, about.
        columns: see `emo3d.dataset.tables.Table`.
    """

    release: str = RELEASE
    release_revision: str = "main"
    max_pixels: int = MAX_PIXELS
    shard_size: int = SHARD_SIZE
    columns: Mapping[str, str] | None = None


class Emo3D(datasets.GeneratorBasedBuilder):
    """Rows of the release with their types; `emo3d.dataset.schema.FEATURES` names the columns of each config."""

    VERSION = datasets.Version("1.0.0")
    BUILDER_CONFIG_CLASS = Emo3DConfig
    BUILDER_CONFIGS = [  # noqa: RUF012  (as datasets declares it)
        Emo3DConfig(name="default", description="one row per picture and expression, with one to three descriptions"),
        Emo3DConfig(name="pairs", description="one row per description and expression, without pictures"),
        Emo3DConfig(name="primitive", description="the primitive emotions, as in default"),
        Emo3DConfig(name="sample", description="synthetic rows in the shape of the release"),
    ]
    DEFAULT_CONFIG_NAME = "default"

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(
            description=self.config.description,
            features=FEATURES[self.config.name],
            homepage="https://huggingface.co/datasets/llm-lab/Emo3D",
            license="mit" if self.config.name != "sample" else "apache-2.0",
        )

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        shards = self.shards(streaming=dl_manager.is_streaming)
        splits = dict.fromkeys(shard.split for shard in shards)
        return [
            datasets.SplitGenerator(split, gen_kwargs={"shards": [shard for shard in shards if shard.split == split]})
            for split in splits
        ]

    def _generate_examples(self, shards: Sequence[Shard]) -> Iterator[tuple[str, dict[str, Any]]]:
        for shard in shards:
            tally = Tally()
            for number, row in enumerate(shard.rows(tally)):
                yield f"{shard.path} {number}", row
            for problem in tally.problems:
                logger.warning("left out: %s", problem)

    def shards(self, streaming: bool = False) -> list[Shard]:
        """Decide which rows go into which file.

        Args:
            streaming: one file per table, without a look at its rows: duplicate `sample_id`s are not searched for.

        Raises:
            FileNotFoundError: no such folder, or none of the tables that the config needs.
            ValueError: no table can be read; the message says why not the first.
        """
        config = self.config
        if config.name == "sample":
            return [SampleShard("sample", split, 0, 1, "weights") for split in SPLIT_FILES]
        files = self.files(streaming)
        seen: dict[int, str] = {}
        shards: list[Shard] = []
        for split, tables in files.tables.items():
            blank = ReleaseShard(
                config.name, split, 0, 0, "reading", tables[0], config.columns, files.archives, config.max_pixels
            )
            whole = [replace(blank, table=table) for table in tables]
            shards += numbered(whole) if streaming else plan(blank, tables, config.shard_size, seen)
        unreadable = [shard for shard in shards if isinstance(shard, ReleaseShard) and shard.rows_read == 0]
        if shards and len(unreadable) == len(shards):
            raise ValueError(str(unreadable[0].problems[0]))
        return shards

    def files(self, streaming: bool = False) -> ReleaseFiles:
        """Find the release's files; what is on the Hub is downloaded, unless it is to be streamed."""
        config = self.config
        if config.data_dir:
            return ReleaseFiles.of_folder(data_folder(config.data_dir), config.name)
        if streaming:
            return ReleaseFiles.of_hub(config.release, config.release_revision, config.name)
        folder = download_release(config.release, config.release_revision, [config.name])
        return ReleaseFiles.of_folder(data_folder(folder), config.name)
