"""The release as `datasets` sees it: one builder, run by the legacy loading script and by `emo3d build`."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import datasets

from emo3d.dataset.archives import MAX_PIXELS
from emo3d.dataset.plan import ReleaseShard, SampleShard, Shard, plan
from emo3d.dataset.release import SPLIT_FILES, ReleaseFiles, data_folder, download_release
from emo3d.dataset.schema import FEATURES
from emo3d.dataset.tally import Tally

logger = logging.getLogger(__name__)

SHARD_SIZE = 500 * 10**6  # bytes of a Parquet file, about


@dataclass
class Emo3DConfig(datasets.BuilderConfig):
    """What to build from which release; `data_dir` is a local copy of it."""

    release: str = "llm-lab/Emo3D"  # where there is no `data_dir`
    release_revision: str = "main"  # a branch, tag or commit
    max_pixels: int = MAX_PIXELS  # pictures with more are left out
    shard_size: int = SHARD_SIZE
    columns: Mapping[str, str] | None = None  # see emo3d.dataset.tables.Table


class Emo3D(datasets.GeneratorBasedBuilder):
    """Rows of the release with their types; `emo3d.dataset.schema.FEATURES` names the columns of each config."""

    VERSION = datasets.Version("1.0.0")
    BUILDER_CONFIG_CLASS = Emo3DConfig
    BUILDER_CONFIGS = [  # noqa: RUF012  (as datasets declares it)
        Emo3DConfig(name="default", description="one row per picture and expression, with one to three descriptions"),
        Emo3DConfig(name="pairs", description="one row per description and expression, without pictures"),
        Emo3DConfig(name="primitive", description="the primitive emotions, as in default"),
        Emo3DConfig(name="sample", description="synthetic rows in the shape of the release"),
        Emo3DConfig(name="clips", description="synthetic expressions over time, with the beats of their descriptions"),
    ]
    DEFAULT_CONFIG_NAME = "default"

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(
            description=self.config.description,
            features=FEATURES[self.config.name],
            homepage="https://huggingface.co/datasets/llm-lab/Emo3D",
            license="apache-2.0" if self.config.name in ("sample", "clips") else "mit",
        )

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        shards = self.shards(streaming=dl_manager.is_streaming)
        splits: dict[str, list[Shard]] = {}
        for shard in shards:
            splits.setdefault(shard.split, []).append(shard)
        return [datasets.SplitGenerator(split, gen_kwargs={"shards": parts}) for split, parts in splits.items()]

    def _generate_examples(self, shards: Sequence[Shard]) -> Iterator[tuple[str, dict[str, Any]]]:
        for shard in shards:
            tally = Tally()
            for number, row in enumerate(shard.rows(tally)):
                yield f"{shard.path} {number}", row
            for problem in tally.problems:
                logger.warning("left out: %s", problem)

    def shards(self, streaming: bool = False) -> list[Shard]:
        """Decide which rows go into which file; when streaming, one per table, without a search for duplicates in it.

        Raises:
            FileNotFoundError: no such folder, or none of the tables that the config needs.
            ValueError: no table can be read; the message is of the first.
        """
        config = self.config
        if config.name in ("sample", "clips"):
            return [SampleShard(config.name, split, 0, 1, "weights") for split in SPLIT_FILES]
        if streaming and not config.data_dir:
            files = ReleaseFiles.of_hub(config.release, config.release_revision, config.name)
        else:
            folder = config.data_dir or download_release(config.release, config.release_revision, [config.name])
            files = ReleaseFiles.of_folder(data_folder(folder), config.name)
        places: dict[int, str] = {}
        shards: list[Shard] = []
        for split, tables in files.tables.items():
            blank = ReleaseShard(
                config.name, split, 0, 0, "reading", tables[0], config.columns, files.archives, config.max_pixels
            )
            shards += plan(blank, tables, None if streaming else config.shard_size, places)
        unreadable = [shard for shard in shards if isinstance(shard, ReleaseShard) and shard.rows_read == 0]
        if shards and len(unreadable) == len(shards):
            raise ValueError(str(unreadable[0].problems[0]))
        return shards
