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

from emo3d.blendshapes import Layout, Space
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
"""Rows of a block, about: some seconds of work, which a killed process loses."""


@dataclass(frozen=True)
class CorpusOptions:
    """How a corpus is scored.

    Attributes:
        bank: see `score`; all workers load it from `out`.
        settings: see `score`.
        layout: of predictions that are bare vectors with 52 scores.
        join: see `score`; all expressions are then read here.
        device: of the backbone: on Ray `"cpu"` or `"cuda"`.
        batch_size: faces encoded at a time.
        block_size: rows of a block, about; the same in a run that goes on.
        engine: `"processes"` or `"ray"`; see `emo3d_lab.engines`.
        address: of a running Ray cluster.
        num_proc: processes on this machine.
        force: replace other results in `out`.
    """

    bank: Bank | None = None
    settings: ScoreSettings | None = None
    layout: Layout | None = None
    join: str | None = None
    device: str = "cpu"
    batch_size: int = 32
    block_size: int = BLOCK
    engine: str = "processes"
    address: str | None = None
    num_proc: int = 1
    force: bool = False


def score_corpus(predictions: Any, references: Any, out: str | os.PathLike[str], **options: Any) -> Emo3DResult:
    """Score expressions as `score` does, with the same result, in blocks that are written as they are finished.

    A run that was killed goes on where it stopped; a lost process or node of a cluster is replaced, and no block counts
    twice. Workers read their own rows of Parquet files; rows of any other kind are read here and sent to them. Here,
    the descriptions of all references and the per-sample values lie in memory.

    Args:
        predictions: Parquet files of expressions, by name as for `ParquetRows.open`; or anything that `as_expressions`
            reads.
        references: Parquet files with `description`, `intensities` and, where there are, `blendshapes`; or
            anything that `read_references` reads.
        out: folder for `data/scored-*.parquet`, a row per face: `row` (its place), `description`, `intensities`, and
            the per-sample values of `Emo3DResult`; see `write_dataset`.
        options: see `CorpusOptions`.

    Raises:
        ValueError: what `score` and `write_dataset` refuse; predictions in another space than the settings.
        FileNotFoundError: no such files.
        OSError: the backbone cannot be loaded, here or on a node, or there is no cluster.
    """
    choices = CorpusOptions(**options)
    settings = choices.settings or ScoreSettings()
    corpus = _open(predictions, references, settings.space, choices)
    here = "cpu" if choices.engine == "ray" and not torch.cuda.is_available() else choices.device
    scorer = Emo3DScorer(settings, device=here, batch_size=choices.batch_size)
    bank = scorer.fit(corpus.texts if choices.bank is None else choices.bank).bank
    assert bank is not None
    full_settings = replace(scorer.settings, bank=bank.hash)
    signature = sign_expressions(full_settings)
    blocks = list(_cut(len(corpus.predictions), choices.batch_size, choices.block_size))
    shards = [
        Block(
            config="scored",
            split="scored",
            index=index,
            count=len(blocks),
            space=settings.space,
            rows_of=rows,
            **corpus.part(rows),
            layout=choices.layout,
            settings=replace(settings, bank=bank.hash),
            device=choices.device,
            batch_size=choices.batch_size,
            bank=str(shared_folder(out)),
        )
        for index, rows in enumerate(blocks)
    ]
    report = write_dataset(
        out,
        shards,
        source={
            "command": "score",
            **corpus.source,
            "layout": choices.layout,
            "signature": signature,
            "batch_size": choices.batch_size,
            "block_size": choices.block_size,
        },
        prepare=bank.save,
        run=Run(
            choices.num_proc,
            choices.engine,
            choices.address,
            choices.device,
            force=choices.force,
            label="Scoring",
        ),
    )
    per_sample = _read_samples([Path(out, file["path"]) for file in report["files"]], settings.identities == 1)
    per_sample |= {"reference": corpus.texts.ranks}
    digests = _digests(corpus.references, choices.block_size) if "mse" in per_sample else None
    return summarise(per_sample, corpus.texts, full_settings, signature, bank.truncated, digests)


@dataclass(frozen=True, eq=False)
class _Corpus:
    """Predictions and references, in one order; those of Parquet files stay there, but for the references' texts."""

    predictions: ParquetRows | np.ndarray
    references: ParquetRows | References
    texts: References

    def part(self, rows: slice) -> dict[str, Any]:
        """Predictions and references of a block; of Parquet files, which it reads itself, all."""
        faces, references = self.predictions, self.references
        return {
            "predictions": faces if isinstance(faces, ParquetRows) else faces[rows],
            "references": references if isinstance(references, ParquetRows) else references.part(rows),
        }

    @property
    def source(self) -> dict[str, Any]:
        """The content, as JSON."""
        faces, rows = self.predictions, self.references
        return {
            "predictions": faces.version if isinstance(faces, ParquetRows) else _hash(faces),
            "references": rows.version if isinstance(rows, ParquetRows) else _hash_references(rows),
        }


def _open(predictions: Any, references: Any, space: Space, options: CorpusOptions) -> _Corpus:
    faces, rows = (
        ParquetRows.open(source) if isinstance(source, (str, os.PathLike)) else source
        for source in (predictions, references)
    )
    if isinstance(faces, ParquetRows):
        keys = faces.keys()
    else:
        faces, keys = read_predictions(faces, options.layout)
        if isinstance(faces, Pictures):
            raise ValueError("expected expressions, got pictures: score and Emo3DScorer take them")
    rows = rows if isinstance(rows, ParquetRows) else read_references(rows)
    if isinstance(faces, ParquetRows):
        if faces.space not in (None, space):
            raise ValueError(f"expected predictions in the space {space}, {faces} says {faces.space}")
        faces.expressions(0, 1, options.layout)  # a missing column is an error here
    if options.join is None:
        check_lengths(len(faces), len(rows))
    if rows.space not in (None, space):
        logger.warning("no MSE, MAE and amplitude: the references are %s, the predictions %s", rows.space, space)
        if isinstance(rows, References):
            rows = replace(rows, expressions=None, space=None)
        else:
            rows = rows.without_expressions()
    texts = rows.references(0, len(rows), expressions=False) if isinstance(rows, ParquetRows) else rows
    order = order_of(len(faces), keys, texts.keys, options.join)
    if order is not None:
        faces = (faces.expressions(0, len(faces), options.layout) if isinstance(faces, ParquetRows) else faces)[order]
    return _Corpus(faces, rows, texts)


@dataclass(frozen=True, eq=False)
class Block(Shard):
    """Rows of a corpus, scored.

    Attributes:
        rows_of: their places in the corpus.
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
            faces, references = self.predictions, self.references
            if isinstance(faces, ParquetRows):
                faces = faces.expressions(start, stop, self.layout)
            if isinstance(references, ParquetRows):
                references = references.references(start, stop)
            scorer.update(faces, references)
        except ValueError as error:
            message = str(error).partition("; clip=True")[0]  # parts of a corpus are not clipped
            raise ValueError(f"{message} (rows counted from row {start} of the corpus)") from error
        columns = scorer.compute().to_dict(per_sample=True)["per_sample"]
        for place in range(stop - start):
            yield {
                "row": start + place,
                "description": references.descriptions[place],
                "intensities": references.intensities[place].tolist(),
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
    if "mse" in per_sample:  # null where the reference is weak
        per_sample["amplitude"] = table["amplitude"].to_numpy()
    if is_one_face and "match" in per_sample:
        per_sample["match"] = per_sample["match"] > 0
    return per_sample


def _digests(rows: ParquetRows | References, block_size: int) -> np.ndarray:
    if isinstance(rows, References):
        return row_digests(rows)
    starts = range(0, len(rows), block_size)
    return np.concatenate([row_digests(rows.references(start, min(start + block_size, len(rows)))) for start in starts])


def _hash(expressions: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(expressions, "<f4").tobytes()).hexdigest()


def _hash_references(references: References) -> list[str | None]:
    expressions = None if references.expressions is None else _hash(references.expressions)
    return [content_hash(references.descriptions, references.intensities), expressions, references.space]
