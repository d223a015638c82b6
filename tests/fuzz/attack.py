"""One door under fuzzing, in a process with limits: `python tests/fuzz/attack.py DOOR EXAMPLES SEED`.

A door is a module in `doors/`:
    seeds(folder) -> list of dicts from relative name to bytes: small, whole inputs (folder is scratch)
    enter(folder) -> reads what lies in the folder, as a user would; each example is a seed with some damage
    damage(draw, files) -> optional: a damaged copy of the files, with hypothesis's draw; `damaged` below by default

A documented error is a ValueError or OSError with a sentence of its own, within 10 seconds and 1 GB.
At the end, one line: the examples entered, the slowest, by how much memory grew at most, and the time of all.
"""

from __future__ import annotations

import errno
import importlib
import json
import logging
import os
import resource
import shutil
import signal
import struct
import sys
import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

SECONDS, MEMORY = 10, 2**30
ODD_BYTES = [
    b"",
    b"\0",
    b"\xff" * 8,
    b"\x00\x00\x00\x80",
    b"\xff\xff\xff\x7f",
    b"\n",
    b"\r",
    b'"',
    b"%!PS",
    b"\xef\xbb\xbf",
]
ODD_VALUES = [
    None, True, [], {}, "", "x", "\ud800", "\0", "<b>x</b>", 0, -1, 1, 2**31, 2**63, -(2**63), 10**30, 0.5, -0.1, 1e308,
    "NaN", float("nan"), float("inf"), [[]], [0] * 60, {"a": {"b": 1}}, "../../etc/passwd", "a" * 300,
]  # fmt: skip
ODD_CELLS = [
    "",
    " ",
    "x",
    "nan",
    "inf",
    "-1",
    "1e400",
    "9" * 25,
    '"',
    "1;2",
    "1,2",
    "=1+1",
    "\0",
    "[0.1 0.2",
    "null",
    "[[[",
    "é",
]


def damaged(draw: st.DrawFn, files: dict[str, bytes]) -> dict[str, bytes]:
    """One or a few places of one file changed, by what kind of file it is; sometimes the file is gone."""
    name = draw(st.sampled_from(sorted(files)))
    content, suffix = files[name], Path(name).suffix
    by_kind = {".json": _damage_json, ".glb": _damage_glb, ".gltf": _damage_json, ".safetensors": _damage_safetensors}
    by_kind |= {".csv": _damage_csv, ".jsonl": _damage_json_lines}
    kind = draw(st.integers(0, 9))
    if kind == 0 and len(files) > 1:
        return {other: data for other, data in files.items() if other != name}
    damage = by_kind.get(suffix, _damage_bytes) if kind > 3 else _damage_bytes
    return files | {name: damage(draw, content)}


def _damage_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(len(changed) - 1, 0)))
        length = draw(st.sampled_from([0, 1, 1, 4, 8, 64, len(changed)]))
        new = draw(st.one_of(st.sampled_from(ODD_BYTES), st.binary(max_size=8)))
        changed[place : place + length] = new
    return bytes(changed)


def _damage_json(draw: st.DrawFn, content: bytes) -> bytes:
    document = json.loads(content)
    if draw(st.integers(0, 30)) == 0:
        return b"[" * 100_000
    for _ in range(draw(st.integers(1, 3))):
        document = _damage_value(draw, document)
    return json.dumps(document).encode("utf-8", "surrogatepass")


def _damage_value(draw: st.DrawFn, value: object) -> object:
    """A copy with one value, at any depth, changed, removed, doubled or renamed."""
    if isinstance(value, (dict, list)) and value and draw(st.integers(0, 5)):
        keys = list(value) if isinstance(value, dict) else range(len(value))
        key = draw(st.sampled_from(keys))
        copy = value.copy()
        what = draw(st.integers(0, 9))
        if what == 0:
            del copy[key]
        elif what == 1 and isinstance(copy, dict):
            copy[f"{key}x"] = copy.pop(key)
        elif what == 1:
            copy.insert(key, copy[key])
        else:
            copy[key] = _damage_value(draw, copy[key])
        return copy
    if isinstance(value, (int, float)) and not isinstance(value, bool) and draw(st.booleans()):
        return draw(st.one_of(st.integers(-3, 70000), st.floats()))
    return draw(st.sampled_from(ODD_VALUES))


def _damage_json_lines(draw: st.DrawFn, content: bytes) -> bytes:
    lines = content.splitlines()
    row = draw(st.integers(0, len(lines) - 1))
    lines[row] = _damage_json(draw, lines[row])
    return b"\n".join(lines)


def _damage_csv(draw: st.DrawFn, content: bytes) -> bytes:
    text = content.decode("utf-8-sig")
    what = draw(st.integers(0, 12))
    if what < 4:
        changes = (",;", "\n\r", ("\n", ",\n"))
        return (text.replace(*changes[what]) if what < 3 else text.upper()).encode()
    if what < 6:
        return text.encode(["utf-16", "utf-8-sig"][what - 4])
    lines = [line.split(",") for line in text.split("\n")]
    for _ in range(draw(st.integers(1, 3))):
        line = lines[draw(st.integers(0, len(lines) - 1))]
        place = draw(st.integers(0, len(line) - 1))
        if what == 6:
            del line[place]
        elif what == 7:
            line.insert(place, line[place])
        else:
            line[place] = draw(st.sampled_from(ODD_CELLS))
        if not line:
            line.append("")
    return "\n".join(map(",".join, lines)).encode("utf-8", "surrogatepass")


def _damage_glb(draw: st.DrawFn, content: bytes) -> bytes:
    (size,) = struct.unpack_from("<I", content, 12)
    text = _damage_json(draw, content[20 : 20 + size])
    text += b" " * (-len(text) % 4)
    rest = content[20 + size :]
    return struct.pack("<4sIIII", b"glTF", 2, 20 + len(text) + len(rest), len(text), 0x4E4F534A) + text + rest


def _damage_safetensors(draw: st.DrawFn, content: bytes) -> bytes:
    (size,) = struct.unpack_from("<Q", content)
    text = _damage_json(draw, content[8 : 8 + size])
    return struct.pack("<Q", len(text)) + text + content[8 + size :]


def attack(name: str, examples: int, seed: int, heartbeat: Path | None = None) -> None:
    """Enter a door `examples` times, touching `heartbeat` each time; hypothesis raises what it finds, shrunk."""
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    logging.disable()  # thousands of warnings
    door = importlib.import_module(f"doors.{name}")
    scratch = Path(tempfile.mkdtemp(prefix="emo3d-fuzz-"))
    current = scratch / "current"
    seeds = door.seeds(scratch)
    for files in seeds:  # warms everything up, so that what is measured is the input's doing; each must be whole
        _write(current, files)
        door.enter(current)
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + MEMORY, resource.RLIM_INFINITY))
    signal.signal(signal.SIGPROF, _too_long)
    entered, slowest, at_first = 0, 0.0, _most_memory()

    @seeded(seed)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=True,
    )
    @given(st.data())
    def once(data: st.DataObject) -> None:
        files = data.draw(
            st.composite(lambda draw: getattr(door, "damage", damaged)(draw, draw(st.sampled_from(seeds))))()
        )
        _write(current, files)
        nonlocal entered, slowest
        entered, started = entered + 1, time.perf_counter()
        signal.setitimer(signal.ITIMER_PROF, SECONDS)  # a hang inside C code is noticed by the parent, by its heartbeat
        if heartbeat:
            heartbeat.touch()
        try:
            door.enter(current)
        except (ValueError, OSError) as error:
            bare = isinstance(error, (UnicodeError, json.JSONDecodeError)) or len(str(error)) < 10
            bare |= getattr(error, "errno", None) == errno.ENOMEM
            if bare or len(str(error)) > 3000:
                raise AssertionError(f"expected a sentence, got {error!r:.300}") from error
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            slowest = max(slowest, time.perf_counter() - started)

    try:
        once()
    finally:
        grown = (_most_memory() - at_first) / 2**20
        print(
            f"{name}, seed {seed}: {entered:,} examples, slowest {slowest:.2f} s, {grown:.0f} MB more at most, "
            f"{time.process_time():.1f} s of CPU",
            flush=True,
        )
        if sys.exc_info()[0] is None:
            shutil.rmtree(scratch, ignore_errors=True)
        else:
            print(f"the last example is in {current}", file=sys.stderr)


def _most_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # kB on Linux


class _TooLongError(BaseException):
    pass


def _too_long(*_: object) -> None:
    raise _TooLongError(f"longer than {SECONDS} seconds of CPU")


def _write(folder: Path, files: dict[str, bytes]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    folder.mkdir(exist_ok=True)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    attack(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
