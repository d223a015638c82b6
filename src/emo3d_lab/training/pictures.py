"""Pictures of a dataset for training, as they are or mirrored, each read when it is embedded."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Image

from emo3d.dataset.archives import PictureError
from emo3d_lab.extract.run import decode_picture


@dataclass(frozen=True, eq=False)
class Pictures:
    """N pictures, several of which can be the same.

    Attributes:
        source: the dataset's rows, whose `image` is `{"bytes", "path"}`, as `datasets.Image(decode=False)` gives it.
        items: N of (row in the source, whether left and right are swapped).
    """

    source: Sequence[Mapping[str, Any]]
    items: list[tuple[int, bool]]

    @classmethod
    def of(cls, rows: Any, places: Sequence[int]) -> Pictures:
        """The column `image` of a `datasets.Dataset` at N places, as it is."""
        source = rows.select_columns("image").cast_column("image", Image(decode=False))
        return cls(source, [(place, False) for place in places])

    def mirrored(self) -> Pictures:
        """These pictures, then the same with left and right swapped: 2 N."""
        return Pictures(self.source, self.items + [(place, not mirror) for place, mirror in self.items])

    def keys(self) -> list[str]:
        """A string for each, the same only for the same picture."""
        digests = {
            place: hashlib.sha256(self._bytes(place)).hexdigest()
            for place in sorted({place for place, _ in self.items})
        }
        return [f"{digests[place]}{' flipped' * mirror}" for place, mirror in self.items]

    def read(self, index: int) -> np.ndarray:
        """Decode one of the N: (H, W, 3) uint8.

        Raises:
            ValueError: it is damaged, or no picture; the message names the row.
        """
        place, mirror = self.items[index]
        try:
            picture = decode_picture(self._bytes(place))
        except PictureError as error:
            raise ValueError(f"the picture in row {place}: {error}") from error
        return np.array(picture[:, ::-1] if mirror else picture, order="C")  # PyTorch dislikes the read-only original

    def _bytes(self, place: int) -> bytes:
        cell = self.source[place]["image"]
        if cell is None:
            raise ValueError(f"expected a picture in row {place}, got none")
        return cell["bytes"] if cell["bytes"] is not None else Path(cell["path"]).read_bytes()
