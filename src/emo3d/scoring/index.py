"""Search of a bank by FAISS, for banks that are too large for the exact product."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

_NAME = re.compile(r"[\w,().]+(/[A-Za-z_]+[1-9]\d*)*")
_CANDIDATES_AT_ONCE = 2**22  # rows that are put in order at once, in about 200 MB


@dataclass(frozen=True, eq=False)
class Index:
    """An index of FAISS over the embeddings of texts, by inner product.

    Attributes:
        name: factory string (FAISS's wiki, "The index factory") and search parameters (its `ParameterSpace`), as in
            `IVF4096,Flat/nprobe64`; FAISS's defaults hold for those left out. It stands in signatures.
        built: the `faiss.Index`; it has the search parameters of the `Index` last made of it.
        embeddings: digest of those that it was built of, see `Bank.digest`.
    """

    name: str
    built: Any
    embeddings: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"expected the name of an index, such as IVF4096,Flat/nprobe64, got {self.name!r}")
        parameters = ",".join(re.sub(r"(\d+)$", r"=\1", part) for part in self.name.split("/")[1:])
        with _explained(self.name) as faiss:
            faiss.ParameterSpace().set_index_parameters(self.built, parameters)

    @classmethod
    def build(cls, embeddings: np.ndarray, name: str, digest: str) -> Index:
        """Train and fill an index; embeddings and name decide it, with one version of FAISS.

        Args:
            embeddings: (U, D) float32 of unit length.
            name: see `Index`.
            digest: of the embeddings.

        Raises:
            ValueError: a name that FAISS does not understand, or too few embeddings to train it.
            OSError: FAISS is not installed.
        """
        with _explained(name) as faiss:
            factory = name.split("/")[0]
            built = faiss.index_factory(embeddings.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
            index = cls(name, built, digest)
            # A graph depends on the order in which threads reach it; all that is drawn at random has a fixed seed.
            with _one_thread(faiss) if re.search("HNSW|NSG|NNDescent", name) else nullcontext():
                index.built.train(embeddings)
                index.built.add(embeddings)
        return index

    @classmethod
    def from_bytes(cls, content: np.ndarray, name: str, digest: str) -> Index:
        """Turn back what `to_bytes` made; bytes must be known to be that, since FAISS may crash on others.

        Raises:
            ValueError: no index, or not one of this name.
            OSError: FAISS is not installed.
        """
        with _explained(name) as faiss:
            return cls(name, faiss.deserialize_index(content), digest)

    def to_bytes(self) -> np.ndarray:
        """The index in FAISS's own format, (B,) uint8."""
        with _explained(self.name) as faiss:
            return faiss.serialize_index(self.built)

    @property
    def shape(self) -> tuple[int, int]:
        """Texts, U, and numbers in the embedding of each, D."""
        return self.built.ntotal, self.built.d

    def nearest(self, pictures: np.ndarray, k: int, rows: np.ndarray, width: int | None = None) -> np.ndarray:
        """Rows of the k descriptions most similar to each picture among those found, best first, equal ones by row.

        Args:
            pictures: (N, D) float32 of unit length.
            k: at most the number of rows.
            rows: (U, R) the first rows with each text, all or k of them; -1 where a text has fewer.
            width: texts looked up; k and one more by default, and more where that leaves the cut at k open.

        Returns:
            (N, k) int64.

        Raises:
            ValueError: fewer than k texts were found for a picture, although there are so many.
        """
        wanted, width = min(k, len(rows)), min(width or k + 1, len(rows))
        found = []
        at_once = max(1, _CANDIDATES_AT_ONCE // (width * rows.shape[1]))
        for start in range(0, len(pictures), at_once):
            part = pictures[start : start + at_once]
            similarity, texts = self.built.search(part, width)
            missing = (texts[:, :wanted] < 0).sum(axis=1)
            if missing.any():
                raise ValueError(
                    f"expected {wanted} texts per picture, the index {self.name} found only {wanted - missing.max()} "
                    "for one: let it look further, in IVF by a larger nprobe, in HNSW by a larger efSearch"
                )
            nearest = _in_order(similarity, texts, rows, k)
            undecided = similarity[:, -1] == similarity[:, wanted - 1]  # more of that similarity may lie behind
            if width < len(rows) and undecided.any():
                nearest[undecided] = self.nearest(part[undecided], k, rows, 2 * width)
            found.append(nearest)
        return np.concatenate(found)


def _in_order(similarity: np.ndarray, texts: np.ndarray, rows: np.ndarray, k: int) -> np.ndarray:
    """The first k rows (N, k) of texts (N, C), by similarity (N, C), falling, then row."""
    candidates = rows[texts]
    levels = np.where(candidates < 0, -np.inf, similarity[..., None])
    candidates, levels = (array.reshape(len(texts), -1) for array in (candidates, levels))
    return np.take_along_axis(candidates, np.lexsort((candidates, -levels))[:, :k], axis=1)


@contextmanager
def _explained(name: str) -> Iterator[Any]:
    """FAISS, whose complaints become one sentence."""
    try:
        import faiss
    except ImportError as error:
        raise OSError(f'the index {name} needs FAISS: install it with `pip install "emo3d[faiss]"`') from error
    try:
        yield faiss
    except RuntimeError as error:
        reason = re.sub(r"^.*\.(cpp|h):\d+: ", "", str(error))
        raise ValueError(f"expected an index that FAISS can make of these embeddings, got {name}: {reason}") from error


@contextmanager
def _one_thread(faiss: Any) -> Iterator[None]:
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)
