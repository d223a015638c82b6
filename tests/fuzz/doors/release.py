"""A folder of the published release, with one damaged table, archive or member: `emo3d build`."""

import io
import shutil
import struct
import zipfile
from pathlib import Path

from hypothesis import strategies as st

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def seeds(folder: Path) -> list[dict[str, bytes]]:
    from emo3d_lab.sample.mock import write_release

    data = write_release(folder / "release", rows=10, primitive=1) / "data"
    tables = {f"data/{path.name}": path.read_bytes() for path in data.glob("*.csv")}
    archives = {}
    for number, path in enumerate(sorted(data.glob("*.zip"))):
        buffer = io.BytesIO()
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(buffer, "w", METHODS[number % 4]) as new:
            for name in old.namelist():
                new.writestr(name, old.read(name))
        archives[f"data/{path.name}"] = buffer.getvalue()
    return [tables | archives]


def damage(draw: st.DrawFn, files: dict[str, bytes]) -> dict[str, bytes]:
    from attack import damaged

    archives = sorted(name for name in files if name.endswith(".zip"))
    what = draw(st.integers(0, 11))
    if what < 4:  # a table, or the bytes of anything
        kind = ".csv" if what else ""
        some = {name: content for name, content in files.items() if name.endswith(kind)}
        changed = damaged(draw, some)
        return {name: content for name, content in files.items() if name not in some} | changed
    name = draw(st.sampled_from(archives))
    if what == 4:
        return {n: c for n, c in files.items() if n != name} | {name[:-3] + "ZIP": files[name]}
    content = bytearray(files[name])
    with zipfile.ZipFile(io.BytesIO(files[name])) as archive:
        members, start = archive.infolist(), archive.start_dir
    member = draw(st.sampled_from(members))
    if what < 7:  # inside of a member's data
        for _ in range(draw(st.integers(1, 3))):
            content[member.header_offset + 30 + draw(st.integers(0, member.compress_size))] = draw(st.integers(0, 255))
    elif what < 10:  # a field of the directory or of a member's header: flags, method, sizes, offset, name's length
        central = draw(st.booleans())
        place = content.find(b"PK\x01\x02", start) if central else member.header_offset
        fields = {8: 2, 10: 2, 16: 4, 20: 4, 24: 4, 28: 2, 42: 4} if central else {6: 2, 8: 2, 18: 4, 22: 4, 26: 2}
        offset = draw(st.sampled_from(sorted(fields)))
        size = fields[offset]
        values = [1, 8, 12, 14, 99, 0xFFFF] if size == 2 else [0, 1, 2**20, 2**26 - 1, 2**31, 2**32 - 1]
        struct.pack_into("<H" if size == 2 else "<I", content, place + offset, draw(st.sampled_from(values)))
    else:  # another archive: twice one member, a bomb, an empty member, a folder
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", draw(st.sampled_from(METHODS))) as archive:
            twin = draw(st.sampled_from([b"", b"\xff\xd8", bytes(1 << draw(st.integers(1, 25)))]))
            archive.writestr(member.filename, twin)
            archive.writestr(draw(st.sampled_from([member.filename, member.filename + "/", "a/" * 99])), b"x")
        content = bytearray(buffer.getvalue())
    return files | {name: bytes(content)}


def enter(folder: Path) -> None:
    from emo3d.dataset.release import is_release
    from emo3d_lab.building.build import build

    is_release(folder)
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    build(folder, out)
