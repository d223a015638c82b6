"""The Emo3D score of a corpus: block by block, by processes or the machines of a cluster; per-sample values on disk."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from emo3d.blendshapes import Layout
from emo3d.dataset.plan import Shard
from emo3d.dataset.tally import Tally
from emo3d.emotions import EMOTIONS
from emo3d.scoring.bank import Bank
from emo3d.scoring.joining import check_lengths, order_of
from emo3d.scoring.predictions import Pictures, read_predictions
from emo3d.scoring.references import References, content_hash, read_references, row_digests
from emo3d.scoring.result import Emo3DResult, summarise
from emo3d.scoring.scorer import Emo3DScorer, sign_expressions
from emo3d.scoring.settings import ScoreSettings
from emo3d_lab.building.shards import Run, shared_folder, write_dataset
from emo3d_lab.corpus.rows import ParquetRows

logger = logging.getLogger(__name__)

BLOCK = 1000
"""Rows of a block, about: some seconds of work, which is what a killed process loses."""


def score_corpus(
    predictions: Any,
    references: Any,
    out: str | os.PathLike[str],
    *,
    bank: Bank | None = None,
    settings: ScoreSettings | None = None,
    layout: Layout | None = None,
    join: str | None = None,
    device: str = "cpu",
    batch_size: int = 32,
    block_size: int = BLOCK,
    engine: str = "processes",
    address: str | None = None,
    num_proc: int = 1,
    force: bool = False,
) -> Emo3DResult:
    """Score expressions as `score` does, with the same result, in blocks that are written as they are done.

    A run that was killed goes on where it stopped; a lost process or node of a cluster is replaced, and no block counts
    twice. Workers read their own rows of Parquet files; whatever else is given is read here and sent to them. Here,
    the descriptions of all references and the per-sample values lie in memory.

    Args:
        predictions: Parquet files of expressions, by name as for `ParquetRows.open`; or anything that `as_expressions`
            reads.
        references: Parquet files with `description`, `intensities` and, where there are, `blendshapes`; or
            anything that `read_references` reads.
        out: folder for `data/scored-*.parquet`, a row per face: `row` (its place), `description`, `intensities`, and
            the per-sample values of `Emo3DResult`; see `write_dataset`, also for `engine`, `address`, `num_proc`.
        bank: see `score`; all workers load it from `out`.
        settings: see `score`.
        layout: of predictions that are bare vectors with 52 scores.
        join: see `score`; all expressions are then read here.
        device: where the backbone runs: on Ray `"cpu"` or `"cuda"`.
        batch_size: faces encoded at a time.
        block_size: rows of a block, about; the same in a run that goes on.
        engine: `"processes"` or `"ray"`.
        address: of a running Ray cluster.
        num_proc: processes on this machine.
        force: replace other results in `out`.

    Raises:
        ValueError: what `score` and `write_dataset` refuse; predictions that say another space than the settings.
        FileNotFoundError: no such files.
        OSError: the backbone is not to be had, here or on a node, or there is no cluster.
    """
    settings = settings or ScoreSettings()
    given, said = (ParquetRows.open(one) if _is_name(one) else one for one in (predictions, references))
    if isinstance(given, ParquetRows):
        keys = given.keys()
    else:
        given, keys = read_predictions(given, layout)
        if isinstance(given, Pictures):
            raise ValueError("expected expressions, got pictures: score and Emo3DScorer take them")
    said = said if isinstance(said, ParquetRows) else read_references(said)
    if isinstance(given, ParquetRows):
        if given.space not in (None, settings.space):
            raise ValueError(f"expected predictions in the space {settings.space}, {given} says {given.space}")
        given.expressions(0, 1, layout)  # a column that is missing shows here
    if join is None:
        check_lengths(len(given), len(said))
    if said.space not in (None, settings.space):
        logger.warning("no MSE and MAE: the references are %s, the predictions %s", said.space, settings.space)
        said = said.without_expressions()
    described = said.references(0, len(said), compared=False) if isinstance(said, ParquetRows) else said
    order = order_of(len(given), keys, described.keys, join)
    if order is not None:
        given = (given.expressions(0, len(given), layout) if isinstance(given, ParquetRows) else given)[order]

    here = "cpu" if engine == "ray" and not torch.cuda.is_available() else device
    scorer = Emo3DScorer(settings, device=here, batch_size=batch_size).fit(described if bank is None else bank)
    assert scorer.bank is not None
    bank = scorer.bank
    signed = replace(scorer.settings, bank=bank.hash)
    signature = sign_expressions(signed)
    blocks = list(_cut(len(given), batch_size, block_size))
    shards = [
        Block(
            config="scored",
            split="scored",
            index=index,
            count=len(blocks),
            space=settings.space,
            rows_of=rows,
            predictions=given if isinstance(given, ParquetRows) else given[rows],
            references=said if isinstance(said, ParquetRows) else said.part(rows),
            layout=layout,
            settings=replace(settings, bank=bank.hash),
            device=device,
            batch_size=batch_size,
            bank=str(shared_folder(out)),
        )
        for index, rows in enumerate(blocks)
    ]
    report = write_dataset(
        out,
        shards,
        source={
            "command": "score",
            "predictions": given.version if isinstance(given, ParquetRows) else _hash(given),
            "references": said.version if isinstance(said, ParquetRows) else _hash_references(said),
            "layout": layout,
            "signature": signature,
            "batch_size": batch_size,
            "block_size": block_size,
        },
        prepare=bank.save,
        run=Run(num_proc, engine, address, device, force=force, label="Scoring"),
    )
    per_sample = _read_samples([Path(out, file["path"]) for file in report["files"]], settings.identities == 1)
    per_sample |= {"reference": described.ranks}
    compared = _digests(said, block_size) if "mse" in per_sample else None
    return summarise(per_sample, described, signed, signature, bank.truncated, compared)


@dataclass(frozen=True, eq=False)
class Block(Shard):
    """Rows of a corpus, scored.

    Attributes:
        rows_of: the corpus that they are.
        predictions: all files, or the block's expressions.
        references: all files, or the block's references.
        layout: of bare vectors.
        settings: with the hash of the bank.
        device: of the backbone.
        batch_size: faces encoded at a time.
        bank: folder of the saved bank.
    """

    rows_of: slice
    predictions: ParquetRows | np.ndarray
    references: ParquetRows | References
    layout: Layout | None
    settings: ScoreSettings
    device: str
    batch_size: int
    bank: str

    @property
    def path(self) -> str:
        """See `Shard`."""
        return f"data/scored-{self.index:05}-of-{self.count:05}.parquet"

    def rows(self, tally: Tally) -> Iterator[dict[str, Any]]:
        """Yield rows of the schema "scored"."""
        start, stop = self.rows_of.start, self.rows_of.stop
        scorer = _scorer(self.settings, self.device, self.batch_size, self.bank)
        scorer.reset()
        try:
            given, described = self.predictions, self.references
            if isinstance(given, ParquetRows):
                given = given.expressions(start, stop, self.layout)
            if isinstance(described, ParquetRows):
                described = described.references(start, stop)
            scorer.update(given, described)
        except ValueError as error:
            message = str(error).partition("; clip=True")[0]  # parts of a corpus are not clipped
            raise ValueError(f"{message} (rows counted from row {start} of the corpus)") from error
        columns = {name: values.tolist() for name, values in scorer.compute().per_sample.items()}
        for place in range(stop - start):
            yield {
                "row": start + place,
                "description": described.descriptions[place],
                "intensities": described.intensities[place].tolist(),
                **{name: values[place] for name, values in columns.items() if name != "reference"},
            }


@lru_cache(maxsize=1)
def _scorer(settings: ScoreSettings, device: str, batch_size: int, bank: str) -> Emo3DScorer:
    """The scorer of this process, with backbone and bank loaded."""
    return Emo3DScorer(settings, device=device, batch_size=batch_size).fit(Bank.load(bank))


def _cut(rows: int, batch_size: int, block_size: int) -> Iterator[slice]:
    """Blocks of whole batches and nearly one size, so that no process is left alone with a last one."""
    batches = -(-rows // batch_size)
    count = -(-rows // block_size)
    edges = [min(rows, batch_size * (batches * index // count)) for index in range(count + 1)]
    yield from (slice(start, stop) for start, stop in pairwise(edges) if start < stop)


def _read_samples(files: list[Path], is_one_face: bool) -> dict[str, np.ndarray]:
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.concat_tables([parquet.ParquetFile(file).read() for file in files])
    if not np.array_equal(table["row"].to_numpy(), np.arange(len(table))):
        raise ValueError(f"expected the rows of {files[0].parent} in order, each once; force writes them again")
    distributions = table["distribution"].combine_chunks().flatten().to_numpy()
    per_sample = {
        "kl_divergence": table["kl_divergence"].to_numpy(),
        "distribution": distributions.reshape(-1, len(EMOTIONS)),
    }
    missing = {name: table[name].null_count for name in ("match", "mse", "mae")}
    if 0 < missing["mse"] < len(table):
        raise ValueError(f"expected blendshapes in every reference or in none, {missing['mse']} have none")
    per_sample |= {name: table[name].to_numpy() for name, count in missing.items() if not count}
    if is_one_face and "match" in per_sample:
        per_sample["match"] = per_sample["match"] > 0
    return per_sample


def _digests(said: ParquetRows | References, block_size: int) -> np.ndarray:
    if isinstance(said, References):
        return row_digests(said)
    starts = range(0, len(said), block_size)
    return np.concatenate([row_digests(said.references(start, min(start + block_size, len(said)))) for start in starts])


def _is_name(given: Any) -> bool:
    return isinstance(given, (str, os.PathLike))


def _hash(expressions: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(expressions, "<f4").tobytes()).hexdigest()


def _hash_references(references: References) -> list[str | None]:
    compared = None if references.expressions is None else _hash(references.expressions)
    return [content_hash(references.descriptions, references.intensities), compared, references.space]
