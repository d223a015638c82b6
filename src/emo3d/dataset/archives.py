"""Pictures inside the release's ZIP archives: read in place, checked without being decoded, never unpacked."""

from __future__ import annotations

import bz2
import errno
import hashlib
import io
import lzma
import re
import struct
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import IO, Any

from emo3d.pictures import LargePictureError, identify_picture

MAX_PIXELS = 4096 * 4096
"""Pictures with more are refused; the published ones have 1024 x 1024."""

_MAX_BYTES = 64 << 20  # of one picture: the published ones have about 0.15 MB
_AT_ONCE = 1 << 20  # bytes of a member
_LZMA_MEMORY = 128 << 20  # of a decoder, whose header may ask for 4 GB
_DAMAGE = (  # what `zipfile` raises for damaged, encrypted and unknown archives
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, RuntimeError, NotImplementedError),
    *(ValueError, OverflowError, KeyError, IndexError),
)
_NOT_IN_A_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd9\xff]")  # a JPEG's compressed part holds these markers only


class PictureError(ValueError):
    """A picture that cannot be used; `kind` is a word to count by."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def open_binary(path: str) -> IO[bytes]:
    """Open a local file, or any address that `fsspec` knows, e.g. `hf://datasets/...`."""
    if "://" not in path:
        return open(path, "rb")
    import fsspec

    return fsspec.open(path, "rb").open()


class Archives:
    """ZIP files by name, opened when first needed. What a table calls a picture never becomes a path.

    Args:
        paths: archive's name without `.zip` -> where it is.
        max_pixels: pictures with more are refused.
    """

    def __init__(self, paths: Mapping[str, str], max_pixels: int = MAX_PIXELS) -> None:
        self._paths = dict(paths)
        self._max_pixels = max_pixels
        self._open: dict[str, _Archive | PictureError] = {}

    def __enter__(self) -> Archives:
        return self

    def __exit__(self, *_: object) -> None:
        for archive in self._open.values():
            if isinstance(archive, _Archive):
                archive.close()

    def __contains__(self, name: str) -> bool:
        """Whether the archive of picture `ARCHIVE/MEMBER` is there."""
        return name.partition("/")[0] in self._paths

    def read(self, name: str) -> bytes:
        """Read picture `ARCHIVE/MEMBER` as its archive holds it.

        Raises:
            PictureError: no such archive or member, a broken one, too large, or no whole JPEG, PNG or WebP.
        """
        stem, _, member = name.partition("/")
        archive = self._archive(stem)
        info = archive.find(member)
        if info.file_size > _MAX_BYTES:
            raise PictureError(
                "oversized picture", f"expected at most {_MAX_BYTES} bytes, got {info.file_size}: {name}"
            )
        with _damage(f"cannot read {member!r} from {stem}.zip"):
            data = _read_member(archive.zip, info)
        check_picture(data, name, self._max_pixels)
        return data

    def size(self, name: str) -> int:
        """Bytes of a picture, 0 when it cannot be found; nothing but the archive's directory is read."""
        stem, _, member = name.partition("/")
        try:
            return self._archive(stem).find(member).file_size
        except PictureError:
            return 0

    def _archive(self, stem: str) -> _Archive:
        if stem not in self._open:
            try:
                self._open[stem] = _Archive(stem, self._paths)
            except PictureError as error:
                self._open[stem] = error
        archive = self._open[stem]
        if isinstance(archive, PictureError):
            raise archive
        return archive


@contextmanager
def _damage(what: str) -> Iterator[None]:
    """Turn what a damaged archive raises into a PictureError; what a disk or network raises stays."""
    try:
        yield
    except _DAMAGE as error:
        raise PictureError("broken archive", f"{what}: {error or type(error).__name__}") from None
    except OSError as error:  # bzip2's damage has no number, a place outside of the file is invalid
        if type(error) is not OSError or error.errno not in (None, errno.EINVAL):
            raise
        raise PictureError("broken archive", f"{what}: {error}") from None


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Read a member, of which no more is unpacked than its directory says; `zipfile` does so for deflate only."""
    if info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with archive.open(info) as member:
            data = b"".join(iter(lambda: member.read(_AT_ONCE), b""))
    else:
        data = _unpack(_packed(archive, info), info)
        if zlib.crc32(data) != info.CRC:
            raise zipfile.BadZipFile("bad checksum")
    if len(data) != info.file_size:
        raise zipfile.BadZipFile(f"expected {info.file_size} bytes, got {len(data)}")
    return data


def _packed(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """A member's bytes as they lie in the archive."""
    assert archive.fp is not None
    archive.fp.seek(info.header_offset)
    header = archive.fp.read(30)
    if header[:4] != b"PK\x03\x04" or info.flag_bits & 1:
        raise zipfile.BadZipFile("encrypted" if info.flag_bits & 1 else "bad header of the member")
    archive.fp.seek(sum(struct.unpack_from("<HH", header, 26)), io.SEEK_CUR)  # its name and more
    return archive.fp.read(min(info.compress_size, _MAX_BYTES))


def _unpack(packed: bytes, info: zipfile.ZipInfo) -> bytes:
    if info.compress_type == zipfile.ZIP_BZIP2:
        return bz2.BZ2Decompressor().decompress(packed, info.file_size)
    if info.compress_type != zipfile.ZIP_LZMA:
        raise NotImplementedError(f"compressed by method {info.compress_type}, expected deflate, bzip2, LZMA or none")
    (size,) = struct.unpack_from("<H", packed, 2)
    alone = packed[4 : 4 + size] + info.file_size.to_bytes(8, "little") + packed[4 + size :]  # as a .lzma file has it
    return lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_LZMA_MEMORY).decompress(alone, info.file_size)


class _Archive:
    def __init__(self, stem: str, paths: Mapping[str, str]) -> None:
        if stem not in paths:
            raise PictureError("missing archive", f"expected {stem}.zip in the release, found none")
        self._stem = stem
        self._file = open_binary(paths[stem])
        try:
            with _damage(f"cannot open {stem}.zip"):
                self.zip = zipfile.ZipFile(self._file)
        except BaseException:
            self._file.close()
            raise
        self._members: dict[str, list[zipfile.ZipInfo]] = defaultdict(list)
        self._by_name: dict[str, list[zipfile.ZipInfo]] = defaultdict(list)
        for info in self.zip.infolist():
            twins = self._members[info.filename]
            if not info.is_dir() and not any(_content(info) == _content(twin) for twin in twins):
                twins.append(info)
                self._by_name[PurePosixPath(info.filename).name].append(info)

    def close(self) -> None:
        self.zip.close()
        self._file.close()

    def find(self, member: str) -> zipfile.ZipInfo:
        """Find a member by its name, or by its end: whatever folder was zipped may stand before, or be missing."""
        if same := self._members.get(member):
            if len(same) > 1:
                raise PictureError(
                    "missing picture", f"expected one {member!r} in {self._stem}.zip, which holds {len(same)} others"
                )
            return same[0]
        found = self._by_name.get(PurePosixPath(member).name, [])
        ends = [info for info in found if info.filename.endswith("/" + member)]
        found = ends or [info for info in found if member.endswith("/" + info.filename)]
        if len(found) != 1:
            what = "which does not hold it" if not found else f"which holds {len(found)} that end so"
            raise PictureError("missing picture", f"expected {member!r} in {self._stem}.zip, {what}")
        return found[0]


def _content(info: zipfile.ZipInfo) -> tuple[int, int]:
    return info.CRC, info.file_size


def check_picture(data: bytes, name: str, max_pixels: int = MAX_PIXELS) -> None:
    """Check that a file is a whole JPEG, PNG or WebP of bearable size, as far as that shows without decoding it.

    Raises:
        PictureError: it is not. A picture whose compressed part was altered in ways that leave its structure intact
            goes unnoticed: only decoding would tell.
    """
    try:
        with identify_picture(data) as picture:
            width, height = picture.size
            if picture.format == "PNG":
                picture.verify()
            form = str(picture.format)
            whole = _WHOLE[form](data)
    except LargePictureError as error:
        raise PictureError("oversized picture", f"expected at most {max_pixels} pixels in {name}: {error}") from None
    except Exception as error:  # Pillow raises whatever its parsers meet; each time the file is damaged
        raise PictureError("broken picture", f"{name}: {error or type(error).__name__}") from None
    if width * height > max_pixels:
        raise PictureError("oversized picture", f"expected at most {max_pixels} pixels, {name} has {width} x {height}")
    if not whole:
        raise PictureError("broken picture", f"expected a whole {form}, {name} is cut off or damaged")


def _whole_jpeg(data: bytes) -> bool:
    scan = data.rfind(b"\xff\xda")
    end = data.find(b"\xff\xd9", scan)  # anything may follow
    return 0 < scan < end and _NOT_IN_A_SCAN.search(data, scan + 2, end) is None


_WHOLE = {
    "JPEG": _whole_jpeg,
    "MPO": _whole_jpeg,  # several JPEGs in one, as some phones write
    "PNG": lambda data: b"IEND" in data[-64:],
    "WEBP": lambda data: len(data) >= int.from_bytes(data[4:8], "little") + 8,
}


def describe_file(path: str) -> dict[str, Any]:
    """Name, size and content of a file: its SHA-256, or for a ZIP that of its directory, which holds checksums."""
    with open_binary(path) as file:
        content = hashlib.sha256()
        try:
            if path.lower().endswith(".zip"):
                with _damage(path), zipfile.ZipFile(file) as archive:
                    for info in archive.infolist():
                        described = repr((info.filename, info.CRC, info.file_size, info.header_offset))
                        content.update(described.encode(errors="surrogatepass"))
            else:
                while block := file.read(1 << 20):
                    content.update(block)
        except PictureError:
            content.update(b"broken")
        size = file.seek(0, io.SEEK_END)
    return {"name": path.rsplit("/", 1)[-1], "bytes": size, "sha256": content.hexdigest()}
