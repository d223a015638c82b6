"""The bank: descriptions with their embeddings and intensities, and the search for those nearest to a picture."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub import cached_assets_path
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from tqdm.auto import tqdm

from emo3d.backbones import Backbone
from emo3d.descriptions import check_descriptions, warn_of
from emo3d.emotions import as_intensities, canonical_intensities
from emo3d.files import whole_file
from emo3d.hints import warn_not_kept
from emo3d.loading import workshop_part
from emo3d.numerics import fixed_numerics
from emo3d.parquet import LARGEST, read_columns
from emo3d.scoring.references import content_hash

_TABLE, _EMBEDDINGS = "bank.parquet", "embeddings.safetensors"
_SIMILARITIES_AT_ONCE = 2**24  # float32s, 64 MB; blocks of up to 32 MB glibc keeps, in pieces that grew to gigabytes
_DENSEST = 50  # how much larger than its file a bank's table may be in memory; descriptions come to a tenth of that


@dataclass(frozen=True, eq=False)
class Bank:
    """M descriptions, of which one may stand in several rows, with their emotions, embedded by one backbone."""

    descriptions: tuple[str, ...]
    intensities: np.ndarray  # (M, 8) float64 in 0..1, order `EMOTIONS`, no row of zeros; see `canonical_intensities`
    embeddings: torch.Tensor  # (U, D) float32 of unit length, of the U distinct texts, in order of first appearance
    truncated: int = 0  # distinct texts that were longer than the backbone's window
    backbone: str = ""  # `full_name` of the one that embedded the texts
    index: Any = None  # an `emo3d_lab.index.Index` that searches the embeddings; None compares with all of them
    encoded: str = ""  # digest of the embeddings as the backbone gave them; where they are others, the hash says so
    foreign: tuple[int, ...] = ()  # distinct texts of words or a script that the backbone hardly knows

    def __post_init__(self) -> None:
        object.__setattr__(self, "intensities", canonical_intensities(self.intensities))
        if len(self.descriptions) != len(self.intensities):
            raise ValueError(
                f"expected one row of intensities per description, got {len(self.intensities)} rows for "
                f"{len(self.descriptions)} descriptions"
            )
        if len(self.embeddings) != len(self._texts):
            raise ValueError(
                f"expected {len(self._texts)} embeddings, one per distinct description, got {len(self.embeddings)}"
            )
        _check_finite(self.embeddings, "descriptions")
        if max(self.foreign, default=0) >= len(self._texts):
            raise ValueError(f"expected places of foreign texts below {len(self._texts)}, got {max(self.foreign)}")
        if self.index:
            self.index.check(self)

    @classmethod
    def encode(cls, descriptions: Sequence[str], intensities: Any, backbone: Backbone, *, cache: bool = False) -> Bank:
        """Embed M descriptions, each distinct text once.

        Args:
            descriptions: not blank.
            intensities: (M, 8) in 0..1, or M mappings from emotion to intensity.
            backbone: the one that embeds the pictures, too.
            cache: keep the embeddings in the Hub's assets cache, under the hash of the bank and the backbone's full
                name. Only for backbones of which id and revision say which weights they have.
        """
        descriptions, intensities = tuple(check_descriptions(descriptions)), as_intensities(intensities)
        name = full_name(backbone)
        file = _cache_file(name, content_hash(descriptions, intensities)) if cache else None
        if file and file.is_file():
            try:
                fields = _read_embeddings(file)[0] | {"backbone": name, "index": None}
                bank = cls(descriptions, intensities, **fields)
                bank._warn()
                return bank
            except (ValueError, OSError, SafetensorError):
                pass  # cut short or another program's: made anew below
        texts = backbone.encode_texts(list(dict.fromkeys(descriptions)))
        digest = embeddings_digest(texts.embeddings)
        bank = cls(descriptions, intensities, texts.embeddings, texts.truncated, name, None, digest, texts.foreign)
        bank._warn()
        if file:
            try:
                bank._write_embeddings(file)
            except (OSError, SafetensorError) as error:
                warn_not_kept(f"the embeddings of {len(bank.embeddings)} descriptions are", error)
        return bank

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Bank:
        """Read a bank that `save` wrote.

        Raises:
            FileNotFoundError: a file is missing.
            ValueError: a file is damaged, or the two are not of one bank.
            OSError: the bank has an index, and FAISS is not installed.
        """
        table_file, embeddings_file = (Path(folder, name) for name in (_TABLE, _EMBEDDINGS))
        for file in (table_file, embeddings_file):
            if not file.is_file():
                raise FileNotFoundError(f"expected a bank of {_TABLE} and {_EMBEDDINGS}, there is no {file}")
        try:
            largest = max(LARGEST, _DENSEST * table_file.stat().st_size)
            table = read_columns(table_file, ["description", "intensities"], largest=largest)
        except ValueError as error:
            raise ValueError(f"expected a bank in {folder}: {error}") from error
        try:
            fields, content = _read_embeddings(embeddings_file)
        except (SafetensorError, UnicodeError) as error:
            raise ValueError(f"expected a bank in {folder}: {error}") from error
        texts, values = (table[name].to_pylist() for name in ("description", "intensities"))
        descriptions, intensities = tuple(check_descriptions(texts)), as_intensities(values)
        if content_hash(descriptions, intensities) != content:
            raise ValueError(f"expected the bank {content} beside its embeddings, {table_file} has another")
        return cls(descriptions, intensities, **fields)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write `bank.parquet` (description, intensities) and `embeddings.safetensors` (with index, hash, backbone)."""
        import pyarrow
        from pyarrow import parquet

        Path(folder).mkdir(parents=True, exist_ok=True)
        columns = {"description": list(self.descriptions), "intensities": self.intensities.tolist()}
        with whole_file(Path(folder, _TABLE)) as file:
            parquet.write_table(pyarrow.table(columns), file)
        self._write_embeddings(Path(folder, _EMBEDDINGS))

    def __len__(self) -> int:
        return len(self.descriptions)

    @cached_property
    def digest(self) -> str:
        """See `embeddings_digest`."""
        return embeddings_digest(self.embeddings)

    @cached_property
    def hash(self) -> str:
        """`content_hash`; `+embeddings-` and their digest, where they are not the backbone's; `+` and the index."""
        # The backbone's own differ in the last bits from machine to machine.
        own = "" if self.digest == self.encoded else f"+embeddings-{self.digest}"
        return self._content + own + (f"+{self.index.name}" if self.index else "")

    def indexed(self, factory: str, **search: int) -> Bank:
        """The same bank, searched by FAISS (extra `faiss`) instead of by comparing with every text.

        That may miss descriptions, so the hash, and with it the signature, says which index it is:
        `bank.indexed("IVF4096,Flat", nprobe=64)` is `0123456789ab+IVF4096,Flat/nprobe64`. When it pays:
        docs/scaling.md.

        Args:
            factory: for `faiss.index_factory`; or a whole name as in the signature.
            search: parameters by FAISS's names, such as nprobe (IVF) or efSearch (HNSW), above 0.
        """
        name = "/".join([factory, *(f"{parameter}{value}" for parameter, value in search.items())])
        embeddings = self.embeddings.float().cpu().numpy()
        return replace(self, index=workshop_part("index").Index.build(embeddings, name, self.digest))

    def nearest(self, picture_embeddings: torch.Tensor, k: int) -> np.ndarray:
        """Rows (N, k) int64 of the k descriptions most similar to each picture, best first, equal ones by row.

        Raises:
            ValueError: k below 1 or above M, an embedding that is not finite, or an index that does not find k.
        """
        if not 1 <= k <= len(self):
            raise ValueError(f"expected k from 1 to the size of the bank, {len(self)}, got {k}")
        _check_finite(picture_embeddings, "pictures")
        if self.index:
            return self.index.nearest(picture_embeddings, k, self._text_of_row)
        batches = picture_embeddings.split(max(1, _SIMILARITIES_AT_ONCE // len(self)))
        parts = tqdm(batches, "Searching the bank", delay=5, leave=False)
        embeddings = self.embeddings.to(picture_embeddings)  # where the pictures are
        with fixed_numerics(picture_embeddings.device):
            return np.concatenate([self._nearest(part, embeddings, k) for part in parts])

    def matches(self, descriptions: Sequence[str], rows: np.ndarray) -> np.ndarray | None:
        """Whether each description is among its rows (N, k) int64 retrieved: (N,) bool; None if the bank lacks any."""
        if not all(description in self._texts for description in descriptions):
            return None
        texts = np.array([self._texts[description] for description in descriptions])
        return (self._text_of_row[rows] == texts[:, None]).any(axis=1)

    def _nearest(self, pictures: torch.Tensor, embeddings: torch.Tensor, k: int) -> np.ndarray:
        similarity = pictures @ embeddings.T
        if len(embeddings) < len(self):  # one column per row; those of one text are equal to the last bit
            similarity = similarity[:, torch.from_numpy(self._text_of_row).to(similarity.device)]
        return _top(similarity, k).cpu().numpy()

    def _write_embeddings(self, file: Path) -> None:
        metadata = {"hash": self._content, "backbone": self.backbone, "truncated": str(self.truncated)}
        metadata |= {"encoded": self.encoded, "embeddings": self.digest, "foreign": " ".join(map(str, self.foreign))}
        tensors = {"embeddings": self.embeddings.cpu().contiguous()}
        if self.index:
            of_index, tensors["index"] = self.index.saved()
            metadata |= of_index
        with whole_file(file) as path:
            save_file(tensors, path, metadata)

    def _warn(self) -> None:
        if self.foreign:  # those that were cut are counted by the result
            warn_of(len(self._texts), 0, self.foreign, list(self._texts)[self.foreign[0]])

    @cached_property
    def _content(self) -> str:
        return content_hash(self.descriptions, self.intensities)

    @cached_property
    def _texts(self) -> dict[str, int]:
        return {text: index for index, text in enumerate(dict.fromkeys(self.descriptions))}

    @cached_property
    def _text_of_row(self) -> np.ndarray:
        return np.array([self._texts[description] for description in self.descriptions])


def full_name(backbone: Backbone) -> str:
    """`id@revision` of a backbone, and its dtype where that is not float32: what its embeddings depend on."""
    return f"{backbone.id}@{backbone.revision}" + ("" if backbone.dtype == "float32" else f" in {backbone.dtype}")


def embeddings_digest(embeddings: torch.Tensor) -> str:
    """Twelve hexadecimal digits of a SHA-256 over embeddings (U, D) in float32, and their shape."""
    content = np.ascontiguousarray(embeddings.detach().float().cpu().numpy(), "<f4")
    return hashlib.sha256(str(content.shape).encode() + content.tobytes()).hexdigest()[:12]


def _cache_file(backbone: str, content: str) -> Path | None:
    try:
        folder = cached_assets_path("emo3d", namespace="banks")
    except OSError as error:  # a cache that cannot be written
        warn_not_kept("the embeddings of descriptions are", error)
        return None
    return folder / f"{content}-{hashlib.sha256(backbone.encode()).hexdigest()[:12]}.safetensors"


def _read_embeddings(file: Path) -> tuple[dict[str, Any], str]:
    """Fields of a bank that its file of embeddings holds, and the hash of the others; all verified."""
    with safe_open(file, "pt") as content:
        metadata = dict(content.metadata() or {})
        tensors = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
    embeddings, index = tensors.get("embeddings"), None
    if not metadata.keys() >= {"hash", "backbone", "truncated"} or embeddings is None:
        raise ValueError(f"expected the embeddings of a bank, got {file}")
    if embeddings.ndim != 2 or embeddings.dtype != torch.float32 or not metadata["truncated"].isdecimal():
        raise ValueError(f"expected embeddings (U, D) in float32 and how many were truncated in {file}")
    digest = embeddings_digest(embeddings)
    if (name := metadata.get("embeddings", digest)) != digest:
        raise ValueError(f"expected the embeddings {name} in {file}, got {digest}: they were replaced")
    if not re.fullmatch(r"([0-9]{1,9}( |$))*", foreign := metadata.get("foreign", "")):  # none: an earlier version's
        raise ValueError(f"expected the places of foreign texts in {file}, got {foreign!r:.60}")
    if "index" in metadata:
        index = workshop_part("index").Index.restore(metadata, tensors.get("index"), embeddings, digest, file)
    fields = {"embeddings": embeddings, "index": index, "truncated": int(metadata["truncated"])}
    fields |= {"backbone": metadata["backbone"], "encoded": metadata.get("encoded", "")}
    return fields | {"foreign": tuple(map(int, foreign.split()))}, metadata["hash"]


def _top(similarity: torch.Tensor, k: int) -> torch.Tensor:
    """Columns of the k largest entries per row, best first, equal ones by column (`torch.topk` leaves that open)."""
    values, columns = similarity.topk(min(k + 1, similarity.shape[1]))
    columns = columns[:, :k].sort().values
    if similarity.shape[1] > k:
        ties = (values[:, k - 1] == values[:, k]).nonzero()[:, 0]  # rows with equal entries on both sides of the cut
        level, entries = values[ties, k - 1 : k], similarity[ties]
        equal, above = entries == level, entries > level
        room = k - above.sum(dim=1, keepdim=True)
        columns[ties] = (above | (equal & (equal.cumsum(dim=1) <= room))).nonzero()[:, 1].view(-1, k)
    return columns.gather(1, similarity.gather(1, columns).sort(descending=True, stable=True).indices)


def _check_finite(embeddings: torch.Tensor, inputs: str) -> None:
    if not embeddings.isfinite().all():
        raise ValueError(f"the backbone gave embeddings of {inputs} that are not finite")
