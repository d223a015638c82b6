"""Pictures inside the release's ZIP archives: read in place, checked without being decoded, never unpacked."""

from __future__ import annotations

import bz2
import errno
import lzma
import re
import struct
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from copy import copy
from pathlib import PurePosixPath
from typing import IO, NamedTuple

from emo3d.pictures import LargePictureError, identify_picture

MAX_PIXELS = 4096 * 4096  # of one picture: the published ones have 1024 x 1024
_MAX_BYTES = 64 << 20  # the published ones have about 0.15 MB
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


class _Archive(NamedTuple):
    zip: zipfile.ZipFile
    members: dict[str, list[zipfile.ZipInfo]]  # by the last part of their names


class Archives(ExitStack):
    """ZIP files by their names without `.zip`, opened when first needed; "in" says whether that of a picture is there.

    A picture's name `ARCHIVE/MEMBER` never becomes a path.
    """

    def __init__(self, paths: Mapping[str, str], max_pixels: int = MAX_PIXELS) -> None:
        super().__init__()
        self._paths = dict(paths)
        self._max_pixels = max_pixels
        self._archives: dict[str, _Archive | PictureError] = {}

    def __contains__(self, name: str) -> bool:
        return name.partition("/")[0] in self._paths

    def read(self, name: str) -> bytes:
        """Read picture `ARCHIVE/MEMBER` as its archive holds it; a PictureError says why it cannot be used."""
        archive, info = self._find(name)
        if (size := info.file_size) > _MAX_BYTES:
            raise PictureError("oversized picture", f"expected at most {_MAX_BYTES} bytes, got {size}: {name}")
        stem, _, member = name.partition("/")
        with as_picture_error(f"cannot read {member!r} from {stem}.zip"):
            data = _read_member(archive, info)
        check_picture(data, name, self._max_pixels)
        return data

    def size(self, name: str) -> int:
        """Bytes of a picture, 0 when it cannot be found; nothing but the archive's directory is read."""
        try:
            return self._find(name)[1].file_size
        except PictureError:
            return 0

    def _find(self, name: str) -> tuple[zipfile.ZipFile, zipfile.ZipInfo]:
        stem, _, member = name.partition("/")
        if stem not in self._archives:
            try:
                self._archives[stem] = self._open(stem)
            except PictureError as error:
                self._archives[stem] = error
        archive = self._archives[stem]
        if isinstance(archive, PictureError):
            raise archive
        return archive.zip, _find_member(archive, member, f"{stem}.zip")

    def _open(self, stem: str) -> _Archive:
        if stem not in self._paths:
            raise PictureError("missing archive", f"expected {stem}.zip in the release, found none")
        file = self.enter_context(open_binary(self._paths[stem]))
        with as_picture_error(f"cannot open {stem}.zip"):
            archive = self.enter_context(zipfile.ZipFile(file))
        infos = {(info.filename, info.CRC, info.file_size): info for info in reversed(archive.infolist())}
        members: dict[str, list[zipfile.ZipInfo]] = defaultdict(list)
        for info in infos.values():
            if info.filename and not info.is_dir():  # which fails on a member without a name, before Python 3.12
                members[_last_part(info.filename)].append(info)
        return _Archive(archive, members)


def _find_member(archive: _Archive, member: str, name: str) -> zipfile.ZipInfo:
    """Find a member by its name, or by its end: whatever folder was zipped may stand before, or be missing."""
    candidates = archive.members.get(_last_part(member), [])
    if twins := [info for info in candidates if info.filename == member]:
        if len(twins) > 1:
            raise PictureError("missing picture", f"expected one {member!r} in {name}, which holds {len(twins)} others")
        return twins[0]
    ends = [info for info in candidates if info.filename.endswith("/" + member)]
    ends = ends or [info for info in candidates if member.endswith("/" + info.filename)]
    if len(ends) != 1:
        reason = "which does not hold it" if not ends else f"which holds {len(ends)} that end so"
        raise PictureError("missing picture", f"expected {member!r} in {name}, {reason}")
    return ends[0]


def _last_part(name: str) -> str:
    last = name.rpartition("/")[2]
    return last if last not in ("", ".") else PurePosixPath(name).name  # which takes as long as all else here


@contextmanager
def as_picture_error(message: str) -> Iterator[None]:
    """Turn what a damaged archive raises into a PictureError; what a disk or network raises stays."""
    try:
        yield
    except _DAMAGE as error:
        raise PictureError("broken archive", f"{message}: {error or type(error).__name__}") from None
    except OSError as error:  # bzip2's damage has no number, a place outside of the file is invalid
        if type(error) is not OSError or error.errno not in (None, errno.EINVAL):
            raise
        raise PictureError("broken archive", f"{message}: {error}") from None


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Read a member, of which no more is unpacked than its directory says; `zipfile` does so for deflate only."""
    if info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with archive.open(info) as member:
            data = b"".join(iter(lambda: member.read(1 << 20), b""))
    else:
        raw = copy(info)
        raw.compress_type, raw.file_size = zipfile.ZIP_STORED, info.compress_size
        raw.CRC = None  # type: ignore[assignment]  # it is that of the unpacked bytes
        with archive.open(raw) as member:
            data = _unpack(member.read(_MAX_BYTES), info)
        if zlib.crc32(data) != info.CRC:
            raise zipfile.BadZipFile("bad checksum")
    if len(data) != info.file_size:
        raise zipfile.BadZipFile(f"expected {info.file_size} bytes, got {len(data)}")
    return data


def _unpack(content: bytes, info: zipfile.ZipInfo) -> bytes:
    if info.compress_type == zipfile.ZIP_BZIP2:
        return bz2.BZ2Decompressor().decompress(content, info.file_size)
    if info.compress_type != zipfile.ZIP_LZMA:
        raise NotImplementedError(f"compressed by method {info.compress_type}, expected deflate, bzip2, LZMA or none")
    (size,) = struct.unpack_from("<H", content, 2)
    alone = content[4 : 4 + size] + info.file_size.to_bytes(8, "little") + content[4 + size :]  # as a .lzma file has it
    return lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_LZMA_MEMORY).decompress(alone, info.file_size)


def check_picture(data: bytes, name: str, max_pixels: int = MAX_PIXELS) -> None:
    """Raise a PictureError where a file is no whole JPEG, PNG or WebP of allowed size, by its structure."""
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
