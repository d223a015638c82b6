"""Pictures of the sample's rows, and the Parquet files of the sample and of the clips."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from emo3d.files import whole_file
from emo3d.pictures import open_picture
from emo3d_lab.landmarker import FaceReader
from emo3d_lab.sample.clips import CLIP_ROWS, make_clips
from emo3d_lab.sample.rows import ROWS, SampleRow, make_rows

if TYPE_CHECKING:
    from emo3d.face import RenderSettings

_GROUP = 100  # rows per Parquet row group: small enough to stream
_CLIPS = 60  # likewise of clips


def render_rows(rows: Sequence[SampleRow], settings: RenderSettings | None = None) -> np.ndarray:
    """Picture every row with a face of its identity.

    Returns:
        (N, size, size, 3) uint8, in the order of the rows; `write_sample` shows how to keep memory flat in N.
    """
    from emo3d.face import FaceRig, RenderSettings, render

    settings = settings or RenderSettings()
    pictures = np.empty((len(rows), settings.size, settings.size, 3), np.uint8)
    for identity in dict.fromkeys(row.identity for row in rows):
        places = [place for place, row in enumerate(rows) if row.identity == identity]
        expressions = np.stack([rows[place].blendshapes for place in places])
        pictures[places] = render(expressions, space="weights", rig=FaceRig.from_anny(identity), settings=settings)
    return pictures


def write_sample(
    out: str | os.PathLike[str],
    *,
    rows: Mapping[str, int] | None = None,
    seed: int = 0,
    settings: RenderSettings | None = None,
    quality: int = 85,
    readings: bool = False,
) -> dict[str, Path]:
    """Make the sample and write it as one Parquet file per split, pictures (JPEG) inside.

    The same arguments give the same bytes on the same versions of the libraries.

    Args:
        out: a folder; made where absent. A `train.parquet` and so on in it is replaced once the new file is whole.
        rows: rows per split; the full sample (`ROWS`) by default, `EMBEDDED_ROWS` for the one in the repository.
        seed: see `make_rows`.
        settings: how faces are pictured; `RenderSettings()` by default.
        quality: of the JPEGs, 1 to 95.
        readings: read every picture with MediaPipe (extra `extract`), as the release's were, into the column
            `readings`; null without it, and where no face is found.

    Returns:
        Split -> path.

    Raises:
        LandmarkerUnavailableError: `readings` without MediaPipe or its model.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from emo3d.face import RenderSettings
    from emo3d_lab.building.schema import parquet_schema

    settings = settings or RenderSettings()
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    origin = f"synthetic sample, seed={seed}, render={settings}"
    schema = parquet_schema("sample", {"emo3d": origin, "space": "weights"})
    paths = {}
    for split, count in (rows or ROWS).items():
        paths[split] = folder / f"{split}.parquet"
        sample = make_rows(split, count, seed)
        with (
            whole_file(paths[split]) as part,
            pq.ParquetWriter(part, schema, compression="zstd") as writer,
            tqdm(desc=f"Picturing {split}", total=count, unit=" faces") as progress,
            FaceReader(quiet=True) if readings else nullcontext() as reader,
        ):
            for start in range(0, count, _GROUP):
                group = sample[start : start + _GROUP]
                columns = _columns(group, render_rows(group, settings), quality)
                columns["readings"] = [reader.read(_decode(cell)) if reader else None for cell in columns["image"]]
                writer.write_table(pa.table(columns, schema=schema), row_group_size=_GROUP)
                progress.update(len(group))
    return paths


def write_clips(
    out: str | os.PathLike[str], *, rows: Mapping[str, int] | None = None, seed: int = 0
) -> dict[str, Path]:
    """Make the synthetic clips and write them as one Parquet file per split, frames with three decimals.

    The same arguments give the same bytes on the same versions of the libraries.

    Args:
        out: a folder; made where absent. A `train.parquet` and so on in it is replaced once the new file is whole.
        rows: clips per split; those in the repository (`CLIP_ROWS`) by default.
        seed: see `make_clips`.

    Returns:
        Split -> path.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from emo3d_lab.building.schema import parquet_schema

    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    schema = parquet_schema("clips", {"emo3d": f"synthetic clips, seed={seed}", "space": "weights"})
    paths = {}
    for split, count in (rows or CLIP_ROWS).items():
        paths[split] = folder / f"{split}.parquet"
        clips = iter(tqdm(make_clips(split, count, seed), desc=f"Acting {split}", total=count, unit=" clips"))
        with (
            whole_file(paths[split]) as part,
            pq.ParquetWriter(part, schema, compression="zstd", compression_level=19) as writer,
        ):
            while group := [{**row, "frames": list(row["frames"])} for row in islice(clips, _CLIPS)]:
                writer.write_table(pa.Table.from_pylist(group, schema=schema), row_group_size=_CLIPS)
    return paths


def _columns(rows: Sequence[SampleRow], pictures: np.ndarray, quality: int) -> dict[str, list]:
    return {
        "sample_id": [row.sample_id for row in rows],
        "description": [row.description for row in rows],
        "intensities": [row.intensities.tolist() for row in rows],
        "blendshapes": [row.blendshapes.tolist() for row in rows],
        "image": [
            {"bytes": _jpeg(picture, quality), "path": f"{row.sample_id}.jpeg"}
            for row, picture in zip(rows, pictures, strict=True)
        ],
        "identity": [row.identity for row in rows],
    }


def _decode(cell: Mapping[str, Any]) -> np.ndarray:
    return np.asarray(open_picture(cell["bytes"]))


def _jpeg(picture: np.ndarray, quality: int) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()
