"""Faults to plant in a release written by `emo3d_lab.sample.mock.write_release` (100 rows or more).

Every function damages a folder in one way and returns what a report must list: where, and how many rows of `default`
it costs. Each picks a row or archive of its own, so that all of them can be planted in one folder.
"""

import csv
import io
import struct
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

from PIL import Image

TABLE = "train_data.csv"
OVERSIZE = (64 << 20) + 1
BOMB = 30_000


class Loss(NamedTuple):
    """File, 0-based data row in it (None: the file as a whole), column, and rows of `default` that are missing."""

    file: str
    row: int | None
    column: str
    lost: int


def truncated_archive(folder):
    """The first half of a download: the archive's directory, at its end, is missing."""
    path = Path(folder) / "data" / "fear_images.zip"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return _pictures_of(folder, path.stem)


def missing_archive(folder):
    path = Path(folder) / "data" / "disgust_images.zip"
    path.unlink()
    return _pictures_of(folder, path.stem)


def missing_member(folder):
    return _replace_picture(folder, 0, lambda picture: None)


def corrupt_picture(folder):
    """Damaged before it was zipped: the checksum fits, the compressed part of the JPEG does not."""
    return _replace_picture(folder, 1, lambda jpeg: jpeg[: jpeg.rfind(b"\xff\xda") + 20] + b"\xff\x17" * 99 + jpeg[-2:])


def truncated_picture(folder):
    return _replace_picture(folder, 2, lambda jpeg: jpeg[:-30])


def not_a_picture(folder):
    return _replace_picture(folder, 3, lambda jpeg: b"<html>Not found</html>")


def decompression_bomb(folder):
    """A PNG of a few bytes whose header asks for 900 million pixels."""
    return _replace_picture(folder, 4, lambda jpeg: _bomb())


def oversized_member(folder):
    """64 MB and a byte that deflate to almost nothing."""
    return _replace_picture(folder, 5, lambda jpeg: jpeg.ljust(OVERSIZE, b"\0"), zipfile.ZIP_DEFLATED)


def bad_checksum(folder):
    """One bit of a member flipped on disk."""
    row, archive, member = _target(folder, 6)
    with zipfile.ZipFile(archive) as file:
        info = _find(file, member)
        with archive.open("rb") as raw:
            raw.seek(info.header_offset + 26)
            name, extra = struct.unpack("<HH", raw.read(4))
    place = info.header_offset + 30 + name + extra + info.compress_size // 2
    damaged = bytearray(archive.read_bytes())
    damaged[place] ^= 1
    archive.write_bytes(damaged)
    return [Loss(TABLE, row, "img_1", 1)]


def member_named_like_a_path(folder):
    """`../../NAME` inside the archive: found by its end and read, with nothing lost and nothing written anywhere."""
    _, archive, member = _target(folder, 7)
    _rewrite(archive, member, rename=f"../../{member}")
    return []


def cell_with_a_path(folder):
    def point_outside(row):
        row["img_1"] = row["img_1"].partition("/")[0] + "/../../../secret.jpeg"

    return _edit(folder, 8, "img_1", point_outside)


def short_scores(folder):
    """51 printed numbers instead of 52."""

    def drop_one(row):
        row["blenshape_score_1"] = "[" + row["blenshape_score_1"].strip("[]").split(None, 1)[1] + "]"

    return _edit(folder, 9, "blenshape_score_1", drop_one)


def no_number_in_scores(folder):
    def spoil(row):
        row["blenshape_score_1"] = row["blenshape_score_1"].replace(".", "x", 1)

    return _edit(folder, 10, "blenshape_score_1", spoil)


def no_number_in_intensities(folder):
    """The row's intensities are those of all its pictures."""
    return _edit(folder, 11, "sadness", lambda row: row.update(sadness="much"), lost=4)


def no_number_in_sample_id(folder):
    return _edit(folder, 12, "sample_id", lambda row: row.update(sample_id="first"), lost=4)


def duplicate_sample_id(folder):
    """A row that comes again at the end of its table."""
    header, rows = _read(folder)
    rows.append(rows[_row(rows, 13)])
    _write(folder, header, rows)
    return [Loss(TABLE, len(rows) - 1, "sample_id", 4)]


def unknown_column(folder):
    """A column that is not the release's; the rows are good without it."""
    header, rows = _read(folder)
    _write(folder, [*header, "mood"], [{**row, "mood": "good"} for row in rows])
    return [Loss(TABLE, None, "mood", 0)]


FAULTS = (
    truncated_archive,
    missing_archive,
    missing_member,
    corrupt_picture,
    truncated_picture,
    not_a_picture,
    decompression_bomb,
    oversized_member,
    member_named_like_a_path,
    bad_checksum,  # after those that write archives anew, which this one stops
    cell_with_a_path,
    short_scores,
    no_number_in_scores,
    no_number_in_intensities,
    no_number_in_sample_id,
    duplicate_sample_id,
    unknown_column,
)


def plant_all(folder):
    """Plant every fault in one folder and return what a report must list."""
    return [loss for fault in FAULTS for loss in fault(folder)]


# --- tables ---------------------------------------------------------------------------------------------------------
def _read(folder, name=TABLE):
    with (Path(folder) / "data" / name).open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        return reader.fieldnames, list(reader)


def _write(folder, header, rows):
    with (Path(folder) / "data" / TABLE).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, header)
        writer.writeheader()
        writer.writerows(rows)


def _row(rows, n):
    """Number of the n-th row with four pictures, a face in the first, from the archives that stay whole."""
    good = [
        number
        for number, row in enumerate(rows)
        if row["img_1"].startswith("prompt2") and row["img_4"] and row["blenshape_score_1"]
    ]
    return good[n]


def _edit(folder, n, column, change, lost=1):
    header, rows = _read(folder)
    number = _row(rows, n)
    change(rows[number])
    _write(folder, header, rows)
    return [Loss(TABLE, number, column, lost)]


def _pictures_of(folder, stem):
    return [
        Loss(name, number, f"img_{n}", 1)
        for name in (TABLE, "val_data.csv", "test_data.csv")
        for number, row in enumerate(_read(folder, name)[1])
        for n in (1, 2, 3, 4)
        if row[f"img_{n}"].startswith(f"{stem}/")
    ]


# --- archives -------------------------------------------------------------------------------------------------------
def _target(folder, n):
    """The n-th good row: its number, the archive of its first picture, and the member's name without a folder."""
    rows = _read(folder)[1]
    number = _row(rows, n)
    stem, _, member = rows[number]["img_1"].partition("/")
    return number, Path(folder) / "data" / f"{stem}.zip", member


def _find(archive, member):
    (info,) = [info for info in archive.infolist() if info.filename.rpartition("/")[2] == member]
    return info


def _replace_picture(folder, n, change, method=None):
    number, archive, member = _target(folder, n)
    _rewrite(archive, member, change, method=method)
    return [Loss(TABLE, number, "img_1", 1)]


def _rewrite(path, member, change=lambda content: content, *, method=None, rename=None):
    """Write an archive anew with one member changed, renamed, or (changed to None) left out."""
    with zipfile.ZipFile(path) as old:
        target = _find(old, member)
        contents = [(info, old.read(info)) for info in old.infolist()]
    with zipfile.ZipFile(path, "w") as new:
        for info, content in contents:
            if info is target:
                content = change(content)
                info = zipfile.ZipInfo(rename or info.filename, info.date_time)
                info.compress_type = target.compress_type if method is None else method
            if content is not None:
                new.writestr(info, content)


def _bomb():
    buffer = io.BytesIO()
    Image.new("1", (8, 8)).save(buffer, "PNG")
    content = bytearray(buffer.getvalue())
    content[16:24] = struct.pack(">II", BOMB, BOMB)  # width and height in IHDR
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)
