"""Clips as files: our own (JSON, NumPy, Parquet), takes of other programs, and all that a take is written as."""

from __future__ import annotations

import json
import lzma
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from emo3d.clips import CHANNELS, Beat, Clip
from emo3d.documents import LARGEST, read_json
from emo3d.emotions import EMOTIONS
from emo3d.expressions import SUFFIXES
from emo3d.face.rig import FaceRig
from emo3d.files import check_output, whole_file
from emo3d_lab.characters.character import Character
from emo3d_lab.clips.pose import neck_of
from emo3d_lab.takes.preview import write_gif as write_gif
from emo3d_lab.takes.reading import Take, read_take
from emo3d_lab.takes.writing import ENDINGS as TAKE_ENDINGS
from emo3d_lab.takes.writing import FACES, write_take

FORMAT = "emo3d-clip-1"
OWN = (".json", ".npz", ".parquet")
"""Endings of files that hold a whole clip, beats too."""
ENDINGS = (*OWN, *(ending for ending in TAKE_ENDINGS if ending != ".json"))
_FIELDS = ("rate", "space", "channels", "frames")
# What opening an archive of arrays, or a member of one, ends in when it is broken or made to harm.
_BROKEN: tuple[type[Exception], ...] = (ValueError, EOFError, OSError, LookupError, TypeError, ArithmeticError)
_BROKEN += (MemoryError, SyntaxError, AttributeError, RuntimeError)  # the last: a password, recursion, another packing
_BROKEN += (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, tokenize.TokenError)


def read_clip(
    path: str | os.PathLike[str],
    *,
    rate: float | None = None,
    names: Any = None,
    scale: float | None = None,
    clip: bool = False,
) -> Clip:
    """Read a clip: `.json`, `.npz` or `.parquet` as `write_clip` writes them, or any take that `read_take` reads.

    Args:
        path: a Parquet file has one row of the config `clips`.
        rate: frames per second to read it at, 1..240; the file's own when None. Takes without times need it.
        names, scale, clip: of a take, as for `read_take`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: another ending, a file of something else, broken or cut off, or what `Clip` and `read_take` refuse;
            the message begins with the file's name.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending not in (*OWN, *SUFFIXES):
        raise ValueError(f"expected a clip of {', '.join(dict.fromkeys((*OWN, *SUFFIXES)))}, got {path.name or path}")
    if path.is_dir() or not path.is_file():
        raise FileNotFoundError(f"expected a clip, {path} is a folder" if path.is_dir() else f"no such file: {path}")
    whole = read_own(path)
    if whole is None:
        return _of_take(path, rate, {"names": names, "scale": scale, "clip": clip})
    return whole if rate in (None, whole.rate) else whole.resample(rate)


def _of_take(path: Path, rate: float | None, options: dict[str, Any]) -> Clip:
    try:
        take = read_take(path, **options)
    except ValueError:  # it may have no times
        if rate is None:
            raise
        take = read_take(path, fps=rate, **options)
    return take.to_clip(rate)


def write_clip(
    path: str | os.PathLike[str],
    clip: Clip,
    character: Character | str | os.PathLike[str] | None = None,
    *,
    identity: str = "adult",
    **options: Any,
) -> str | None:
    """Write a clip by the ending of the path.

    `.json`, `.npz`, `.parquet`: all of it, to be read back by `read_clip` to the last bit. Others as `write_take` does:
    `.csv` (Live Link Face, with rotations), `.glb`, `.gltf`, `.vrm`, `.vrma`, `.gif`, `.mp4`, `.webm`, `.py` (Blender),
    `.anim` (Unity), `.fbx`, `.usd`. Readings become weights there.

    Args:
        path: an existing file is replaced.
        clip: at its own rate; `clip.resample` has another.
        character: whose file comes back with the animation, opened or its path; a head of anny's when None.
        identity: whose head that is.
        options: of `write_take`: calibration, size, name, root, full, blender, names_out.

    Returns:
        The name that the animation has in a whole character; else None.

    Raises:
        ValueError: another ending, or what `write_take` refuses.
        OSError: a folder that cannot be written to, or a program that is not there.
    """
    path = check_output(path, ENDINGS)
    ending = path.suffix.lower()
    if ending in OWN and options.get("names_out") is None:
        _WRITERS[ending](path, clip)
        return None
    take = Take.from_clip(clip)
    if character is not None:
        opened = character if isinstance(character, Character) else Character.from_file(character)
        return write_take(path, take, opened, **options)
    if ending in FACES:
        return write_take(path, take, **options)
    if ending in (".gltf", ".vrm"):
        raise ValueError(f"expected .glb for a head of our own, or a character of this kind, got {path.name}")
    with head_character(identity, clip.description) as head:
        return write_take(path, take, head, **options)


@contextmanager
def head_character(identity: str = "adult", description: str | None = None) -> Iterator[Character]:
    """A head of anny's as a character, whose node `head` turns it; its file is there as long as this lasts."""
    from emo3d_lab.rigs.writing import glb_bytes

    rig = FaceRig.from_anny(identity)
    with TemporaryDirectory() as folder:
        path = Path(folder, f"{rig.name}.glb")
        path.write_bytes(glb_bytes({}, rig=rig, description=description, neck=neck_of(rig)))
        character = Character.from_file(path)
        character.__dict__["rig"] = rig  # with hair, light and calibration of its own, which the file cannot say
        yield character


def read_own(path: str | os.PathLike[str]) -> Clip | None:
    """The clip of a file that `write_clip` wrote whole; None of what is none, as a take. Errors as of `read_clip`."""
    path = Path(path)
    ending = path.suffix.lower()
    try:
        if ending == ".npz":
            return _clip_of(_read_npz(path))
        if ending == ".parquet":
            return _read_row(path)
        document = read_json(path) if ending == ".json" else None
        return _clip_of(document) if isinstance(document, Mapping) and "format" in document else None
    except ValueError as error:
        message = str(error)
        raise ValueError(message if message.startswith(path.name) else f"{path.name}: {message}") from None


def _clip_of(fields: Mapping[str, Any]) -> Clip:
    kind, description, beats = fields.get("format"), fields.get("description"), fields.get("beats") or []
    if not isinstance(kind, str) or kind != FORMAT:
        raise ValueError(f"expected the format {FORMAT}, got {str(kind)[:60]!r}: is emo3d older than it?")
    if lost := [name for name in _FIELDS if name not in fields]:
        raise ValueError(f"expected {', '.join(_FIELDS)} of a clip, {lost[0]} is missing")
    channels, frames = fields["channels"], fields["frames"]
    if not isinstance(channels, list) or channels != list(CHANNELS):
        names = channels if isinstance(channels, list) else []
        other = next((name for name in CHANNELS if name not in names), None)
        reason = f"{other} is missing" if other else f"got {len(names)} in another order"
        raise ValueError(f"expected the {len(CHANNELS)} channels of emo3d.clips.CHANNELS, {reason}")
    if not (isinstance(frames, list) or (isinstance(frames, np.ndarray) and frames.ndim)) or not len(frames):
        raise ValueError("expected frames, got none")
    for row, frame in enumerate(frames):
        size = len(frame) if isinstance(frame, list) else np.size(frame)
        if size != len(CHANNELS):
            raise ValueError(f"expected {len(CHANNELS)} numbers in frame {row}, got {size}")
    if description is not None and not isinstance(description, str):
        raise ValueError(f"expected a description as text, got {description!r:.60}")
    if not isinstance(beats, list):
        raise ValueError(f"expected beats as a list, got {beats!r:.60}")
    try:
        with np.errstate(over="ignore"):  # what becomes infinite is refused by `Clip`
            table = np.asarray(frames, np.float32)
    except (TypeError, ValueError):
        raise ValueError("expected numbers in every frame, got something else") from None
    return Clip(table, fields["rate"], fields["space"], tuple(map(_beat, beats)), description)


def _beat(entry: Any) -> Beat:
    if not isinstance(entry, Mapping) or not {"description", "start", "end"} <= entry.keys():
        raise ValueError(f"expected description, start and end of every beat, got {entry!r:.100}")
    if not isinstance(entry["description"], str):
        raise ValueError(f"expected a description of every beat, got {entry['description']!r:.60}")
    intensities = entry.get("intensities")
    try:
        values = None if intensities is None else tuple(map(float, intensities))
    except (TypeError, ValueError):
        raise ValueError(f"expected numbers as intensities of {entry['description']!r}, got others") from None
    return Beat(entry["description"], entry["start"], entry["end"], values)


def _write_json(path: Path, clip: Clip) -> None:
    document = {
        "format": FORMAT,
        "description": clip.description,
        "rate": clip.rate,
        "space": clip.space,
        "beats": [asdict(beat) for beat in clip.beats],
        "channels": CHANNELS,
    }
    lines = (f"[{', '.join(f'{value:.9g}' for value in frame)}]" for frame in clip.frames.tolist())  # exact for float32
    with whole_file(path) as part:
        head = json.dumps(document, ensure_ascii=False, indent=1)[:-2]
        part.write_text(f'{head},\n "frames": [\n  ' + ",\n  ".join(lines) + "\n ]\n}\n", encoding="utf-8")


def _write_npz(path: Path, clip: Clip) -> None:
    """Arrays that NumPy reads alone: texts are its strings, a beat without intensities has NaN."""
    unknown = np.full(len(EMOTIONS), np.nan)
    arrays: dict[str, Any] = {
        "format": FORMAT,
        "frames": clip.frames,
        "rate": clip.rate,
        "space": clip.space,
        "channels": np.array(CHANNELS),
        "beat_descriptions": np.array([beat.description for beat in clip.beats], np.str_),
        "beat_times": np.array([(beat.start, beat.end) for beat in clip.beats]).reshape(-1, 2),
        "beat_intensities": np.array(
            [unknown if beat.intensities is None else beat.intensities for beat in clip.beats]
        ).reshape(-1, len(EMOTIONS)),
    }
    if clip.description is not None:
        arrays["description"] = clip.description
    with whole_file(path) as part:
        np.savez_compressed(part, **arrays)


def _read_npz(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > LARGEST:
            raise ValueError(f"expected at most {LARGEST >> 20} MB in an archive, got {size >> 20:,} MB")
        with np.load(path, allow_pickle=False) as members:
            arrays = {name: members[name] for name in members.files}
        fields = {name: array.item() if array.ndim == 0 else array for name, array in arrays.items()}
        for name in ("channels", "beat_descriptions"):
            if name in fields:
                fields[name] = fields[name].tolist()
        times, values = fields.pop("beat_times", np.zeros((0, 2))), fields.pop("beat_intensities", None)
        texts = fields.pop("beat_descriptions", [])
        values = np.full((len(texts), len(EMOTIONS)), np.nan) if values is None else values
        fields["beats"] = [
            {"description": text, "start": start, "end": end, "intensities": None if np.isnan(row).all() else row}
            for text, (start, end), row in zip(texts, times.tolist(), values, strict=True)
        ]
    except _BROKEN as error:
        reason = str(error).partition("\n")[0][:200] or type(error).__name__
        reason = "Python objects, in a pickle" if "allow_pickle" in reason else reason
        raise ValueError(f"expected a clip as NumPy's arrays (.npz), got something else: {reason}") from None
    return fields


def _write_parquet(path: Path, clip: Clip) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    from emo3d.dataset.schema import FEATURES
    from emo3d_lab.clips.rows import row_of_clip

    row = row_of_clip(clip, 0, path.stem)
    rows = [{**row, "frames": list(row["frames"])}]  # Arrow takes no 2-D array
    table = pa.Table.from_pylist(rows, FEATURES["clips"].arrow_schema)
    with whole_file(path) as part:
        parquet.write_table(table, part)


def _read_row(path: Path) -> Clip | None:
    from emo3d.dataset.schema import FEATURES
    from emo3d.parquet import open_parquet, read_columns
    from emo3d_lab.clips.rows import clip_of_row

    with open_parquet(path) as file:
        if "frames" not in file.schema_arrow.names:
            return None  # a take, or other expressions
    rows = read_columns(path, list(FEATURES["clips"])).to_pylist()
    if len(rows) != 1:
        raise ValueError(f"expected one clip, a row of the config clips, got {len(rows)} rows: load_dataset reads many")
    try:
        return clip_of_row(rows[0])
    except (TypeError, LookupError) as error:
        raise ValueError(f"expected the columns of the config clips, got others: {error}") from None


_WRITERS = {".json": _write_json, ".npz": _write_npz, ".parquet": _write_parquet}
