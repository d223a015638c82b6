"""Search of a bank by FAISS, for banks that are too large for the exact product."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from emo3d.scoring.bank import Bank

_NAME = re.compile(r"[\w,().]+(/[A-Za-z_]+[1-9]\d*)*")
_PICTURES = 4096  # looked up at once
_CANDIDATES = 2**22  # rows that are put in order at once, in about 200 MB


@dataclass(frozen=True, eq=False)
class Index:
    """An index of FAISS over the embeddings of texts, by inner product.

    Attributes:
        name: factory string (FAISS's wiki, "The index factory") and search parameters (its `ParameterSpace`), as in
            `IVF4096,Flat/nprobe64`; FAISS's defaults hold for those left out. It stands in signatures.
        faiss: the `faiss.Index`, with these search parameters.
        embeddings: digest of those that it was built of, see `Bank.digest`.

    Raises:
        ValueError: a name that FAISS does not understand, or too few embeddings to train such an index.
        OSError: FAISS is not installed.
    """

    name: str
    faiss: Any
    embeddings: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"expected the name of an index, such as IVF4096,Flat/nprobe64, got {self.name!r}")
        parameters = ",".join(re.sub(r"(\d+)$", r"=\1", part) for part in self.name.split("/")[1:])
        with _faiss(self.name) as faiss:
            faiss.ParameterSpace().set_index_parameters(self.faiss, parameters)

    @classmethod
    def build(cls, embeddings: np.ndarray, name: str, digest: str) -> Index:
        """Train and fill an index of embeddings (U, D) float32; they, the name and FAISS's version decide it."""
        with _faiss(name) as faiss:
            factory = name.split("/")[0]
            index = cls(name, faiss.index_factory(embeddings.shape[1], factory, faiss.METRIC_INNER_PRODUCT), digest)
            threads = faiss.omp_get_max_threads()
            if re.search("HNSW|NSG|NNDescent", name):  # a graph depends on the order in which threads reach it
                faiss.omp_set_num_threads(1)
            try:
                index.faiss.train(embeddings)
                index.faiss.add(embeddings)
            finally:
                faiss.omp_set_num_threads(threads)
        return index

    @classmethod
    def restore(
        cls,
        metadata: dict[str, str],
        content: torch.Tensor | None,
        embeddings: torch.Tensor,
        digest: str,
        file: Path,
    ) -> Index:
        """Turn back what `saved` gave for a file; where an earlier version saved the name alone, build it again.

        Raises:
            ValueError: other bytes than those that were saved, on which FAISS itself may crash.
        """
        name = metadata["index"]
        if content is None or "index_digest" not in metadata:
            return cls.build(embeddings.numpy(), name, digest)
        if metadata["index_digest"] != _digest(name, content.numpy()):
            raise ValueError(f"expected the index that was saved in {file}, its digest is another")
        with _faiss(name) as faiss:
            return cls(name, faiss.deserialize_index(content.numpy()), digest)

    def saved(self) -> tuple[dict[str, str], torch.Tensor]:
        """What `restore` needs: metadata, and the index in FAISS's own format."""
        content = self.to_bytes()
        return {"index": self.name, "index_digest": _digest(self.name, content)}, torch.from_numpy(content)

    def to_bytes(self) -> np.ndarray:
        """The index in FAISS's own format, (B,) uint8."""
        with _faiss(self.name) as faiss:
            return faiss.serialize_index(self.faiss)

    def check(self, bank: Bank) -> None:
        """Raise a ValueError unless this is an index of the bank's embeddings."""
        if (shape := (self.faiss.ntotal, self.faiss.d)) != bank.embeddings.shape:
            raise ValueError(f"expected an index of {tuple(bank.embeddings.shape)} embeddings, got {shape}")
        if self.embeddings != bank.digest:
            raise ValueError(f"expected an index of the bank's own embeddings, {bank.digest}, got {self.embeddings}")

    def nearest(self, pictures: torch.Tensor, k: int, text_of_row: np.ndarray) -> np.ndarray:
        """Rows (N, k) int64 of the k descriptions that FAISS has as most similar to each picture, equal ones by row.

        Args:
            pictures: (N, D) float32 of unit length.
            k: at most M, the number of rows; a ValueError where FAISS finds fewer texts.
            text_of_row: (M,) the place of each row's text among the embeddings.
        """
        rows = _rows_of_texts(text_of_row, k)
        parts = tqdm(pictures.split(_PICTURES), "Searching the bank", delay=5, leave=False)
        return np.concatenate([self._nearest(part.float().cpu().numpy(), k, rows, k + 1) for part in parts])

    def _nearest(self, pictures: np.ndarray, k: int, rows: np.ndarray, width: int) -> np.ndarray:
        """Look up `width` texts, and more where that leaves the cut at k open; `rows` as of `_rows_of_texts`."""
        texts, width = min(k, len(rows)), min(width, len(rows))
        count = max(1, _CANDIDATES // (width * rows.shape[1]))
        if len(pictures) > count:
            parts = (pictures[start : start + count] for start in range(0, len(pictures), count))
            return np.concatenate([self._nearest(part, k, rows, width) for part in parts])
        similarity, candidates = self.faiss.search(pictures, width)
        missing = (candidates[:, :texts] < 0).sum(axis=1).max()
        if missing:
            raise ValueError(
                f"expected {texts} texts per picture, the index {self.name} found only {texts - missing} for one: "
                "let it look further, in IVF by a larger nprobe, in HNSW by a larger efSearch"
            )
        nearest = _first_rows(similarity, rows[candidates], k)
        ties = similarity[:, -1] == similarity[:, texts - 1]  # more of that similarity may lie behind
        if width < len(rows) and ties.any():
            nearest[ties] = self._nearest(pictures[ties], k, rows, 2 * width)
        return nearest


def _first_rows(similarity: np.ndarray, rows: np.ndarray, k: int) -> np.ndarray:
    """The first k rows (N, k) of texts (N, C, R), by the similarity of the texts (N, C), falling, then row."""
    levels = np.where(rows < 0, -np.inf, similarity[..., None])
    rows, levels = (array.reshape(len(array), -1) for array in (rows, levels))
    return np.take_along_axis(rows, np.lexsort((rows, -levels))[:, :k], axis=1)


def _rows_of_texts(text_of_row: np.ndarray, k: int) -> np.ndarray:
    """The first k rows of each text, (U, R); -1 where it has fewer, and R no larger than needed."""
    order = np.argsort(text_of_row, kind="stable")
    times = np.bincount(text_of_row)
    place = np.arange(len(order)) - np.repeat(np.cumsum(times) - times, times)
    rows = np.full((len(times), min(k, times.max())), -1)
    first = order[place < k]
    rows[text_of_row[first], place[place < k]] = first
    return rows


def _digest(name: str, content: np.ndarray) -> str:
    return hashlib.sha256(name.encode() + content.tobytes()).hexdigest()[:12]


@contextmanager
def _faiss(name: str) -> Iterator[Any]:
    """FAISS, whose complaints about an index become one sentence."""
    try:
        import faiss
    except ImportError as error:
        raise OSError(f'the index {name} needs FAISS: install it with `pip install "emo3d[faiss]"`') from error
    try:
        yield faiss
    except RuntimeError as error:
        reason = re.sub(r"^.*\.(cpp|h):\d+: ", "", str(error))
        raise ValueError(f"expected an index that FAISS can make of these embeddings, got {name}: {reason}") from error
