"""`emo3d build` on the real slice and on made-up releases in the published layout.

Counts are taken from the releases' own CSV files by pandas, or typed by hand where a fault was planted.
"""

import ast
import hashlib
import json
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from datasets import load_dataset
from faults import FAULTS, plant_all

import commands
from emo3d.blendshapes import BLENDSHAPES
from emo3d.dataset.builder import Emo3D
from emo3d.emotions import EMOTIONS
from emo3d_lab.building.build import build
from emo3d_lab.sample.mock import write_release
from real_slice import REAL, ROW_0, real

SPLITS = {"train": "train_data.csv", "validation": "val_data.csv", "test": "test_data.csv"}


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return write_release(tmp_path_factory.mktemp("release") / "emo3d", rows=240, primitive=20)


@pytest.fixture(scope="module")
def built(release, tmp_path_factory):
    out = tmp_path_factory.mktemp("built") / "out"
    return out, build(release, out, shard_size=100_000)


def table(out, config, split):
    """All rows of a split, in the order of its files."""
    files = sorted((Path(out) / "data" / config).glob(f"{split}-*.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


@real
def test_the_real_slice(tmp_path):
    report = build(REAL, tmp_path)
    assert {c: s["train"]["rows"] for c, s in report["splits"].items()} == {"default": 13, "pairs": 2 + 3 * 4 * 3}
    assert report["problems"] == []
    rows, pairs = table(tmp_path, "default", "train"), table(tmp_path, "pairs", "train")
    assert [row["sample_id"] for row in rows] == [0] + [10000] * 4 + [10001] * 4 + [10002] * 4
    assert [row["variant"] for row in rows] == [1, *[1, 2, 3, 4] * 3]
    published = np.array(ROW_0.split()[1:], np.float32).tolist()
    assert rows[0]["blendshapes"] == pairs[0]["blendshapes"] == pairs[1]["blendshapes"] == published
    assert rows[0]["descriptions"] == [pairs[0]["description"], pairs[1]["description"]]
    assert rows[0]["intensities"] == np.array([0.2, 0, 0, 0.9, 0, 0, 0, 0.1], np.float32).tolist()
    with zipfile.ZipFile(REAL / "data" / "prompt2_images_0_1000.zip") as archive:
        assert rows[4]["image"] == {"bytes": archive.read("0_3.jpeg"), "path": "prompt2_images_0_1000/0_3.jpeg"}


def test_every_row_of_a_release_comes_out(release, built):
    """Against pandas: every picture in order with its scores, every description x expression in `pairs`."""
    out, report = built
    for split, name in SPLITS.items():
        published = pd.read_csv(release / "data" / name)
        rows, pairs = iter(table(out, "default", split)), iter(table(out, "pairs", split))
        faces = lost = 0
        for line in published.itertuples():
            texts = [text for text in (line.text_1, line.text_2, line.text_3) if isinstance(text, str)]
            for variant in (1, 2, 3, 4):
                image, printed = getattr(line, f"img_{variant}"), getattr(line, f"blenshape_score_{variant}")
                if not isinstance(image, str):
                    continue
                row = next(rows)
                assert (row["sample_id"], row["variant"], row["prompt_type"]) == (line[1], variant, line.prompt_type)
                assert row["descriptions"] == [text.strip() for text in texts]
                assert row["intensities"] == [np.float32(getattr(line, name)) for name in EMOTIONS]
                assert row["image"]["path"] == image
                assert row["image"]["bytes"][:2] == b"\xff\xd8"
                if not isinstance(printed, str):
                    assert row["blendshapes"] is None
                    lost += len(texts)
                    continue
                faces += 1
                scores = ast.literal_eval("[" + ",".join(printed.strip("[]").split()) + "]")
                assert row["blendshapes"] == np.array(scores[1:], np.float32).tolist()
                for text in texts:
                    pair = next(pairs)
                    assert (pair["description"], pair["variant"]) == (text.strip(), variant)
                    assert pair["blendshapes"] == row["blendshapes"]
        assert next(rows, None) is next(pairs, None) is None
        assert lost == report["splits"]["pairs"][split].get("without_face", 0)
        counts = report["splits"]["default"][split]
        assert counts["rows"] - counts["without_face"] == faces > 0


def test_pictures_are_passed_through(release, built):
    held = {}
    for path in (release / "data").glob("*_images*.zip"):
        with zipfile.ZipFile(path) as archive:
            held |= {f"{path.stem}/{Path(name).name}": archive.read(name) for name in archive.namelist()}
    rows = [row["image"] for split in SPLITS for row in table(built[0], "default", split)]
    assert len(rows) == len(held) > 400
    assert all(held[row["path"]] == row["bytes"] for row in rows)


def check_accounts(report):
    """Rows in = rows out + rows reported (+ pairs without a face), for every config and split."""
    for config, splits in report["splits"].items():
        for split, counts in splits.items():
            lost = sum(p["count"] for p in report["problems"] if (p["config"], p["split"]) == (config, split))
            without = counts.get("without_face", 0) if config == "pairs" else 0
            assert counts["rows_in"] == counts["rows"] + lost + without


def test_nothing_is_unaccounted_for(release, built):
    out, report = built
    check_accounts(report)
    assert report["problems"] == []
    tables = {split: pd.read_csv(release / "data" / name) for split, name in SPLITS.items()}
    for split, published in tables.items():
        images = published[[f"img_{n}" for n in (1, 2, 3, 4)]].notna().sum(axis=1)
        texts = published[[f"text_{n}" for n in (1, 2, 3)]].notna().sum(axis=1)
        assert report["splits"]["default"][split]["rows_in"] == images.sum()
        assert report["splits"]["pairs"][split]["rows_in"] == (images * texts).sum()
        assert report["splits"]["pairs"][split]["release_rows"] == len(published)
    assert json.loads((out / "build_report.json").read_text("utf-8")) == report


def test_files_have_about_the_size_asked_for(built):
    sizes = [path.stat().st_size for path in (built[0] / "data/default").glob("train-*.parquet")]
    assert len(sizes) > 3
    assert sorted(sizes)[1] > 90_000  # all but the last of the split
    assert max(sizes) < 200_000


def digests(out):
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in Path(out).rglob("*") if path.is_file()}


def test_processes_do_not_move_a_byte(release, built, tmp_path):
    build(release, tmp_path / "two", shard_size=100_000, num_proc=2)
    assert digests(tmp_path / "two") == digests(built[0])


def test_twenty_kills_of_the_command(release, built, tmp_path):
    command = [sys.executable, "-c", "from emo3d.cli import main; main()", "build", str(release), str(tmp_path / "out")]
    command += ["--shard-size", "100kB"]
    dice, kills, seen = random.Random(1), 0, set()
    while kills < 20:
        state = tmp_path / "out" / ".emo3d-build"
        goal = len(list(state.glob("*.record"))) + dice.randrange(3)  # so that a busy machine is killed as far on
        end = time.monotonic() + dice.uniform(0.2, 1.5)
        run = subprocess.Popen([*command, "--num-proc", dice.choice("12")], stdout=-3, stderr=-3)
        while run.poll() is None and (time.monotonic() < end or len(list(state.glob("*.record"))) < goal):
            time.sleep(0.002)
        if run.poll() is None:
            run.send_signal(signal.SIGKILL)
            kills += 1
        run.wait()
        seen.add(len(list(state.glob("*.record"))))
        if (tmp_path / "out" / "build_report.json").exists() and not (tmp_path / "out" / ".emo3d-build").exists():
            assert digests(tmp_path / "out") == digests(built[0])
            shutil.rmtree(tmp_path / "out")
    time.sleep(0.5)
    subprocess.run(command, check=True, capture_output=True)
    assert digests(tmp_path / "out") == digests(built[0])
    assert len(seen) > 3


@pytest.mark.parametrize("config", ["default", "pairs", "primitive"])
def test_the_builder_itself_gives_the_same_rows(release, built, tmp_path, config):
    """What the legacy script runs: `download_and_prepare` and streaming."""
    builder = Emo3D(config_name=config, data_dir=str(release), cache_dir=str(tmp_path))
    streamed = {split: list(rows) for split, rows in builder.as_streaming_dataset().items()}
    builder.download_and_prepare()
    written = load_dataset(str(built[0] / "data" / config), cache_dir=str(tmp_path / "parquet"))
    for split, rows in builder.as_dataset().items():
        columns = [name for name in rows.column_names if name != "image"]
        ours = list(written[split].select_columns(columns))
        assert list(rows.select_columns(columns)) == ours
        assert [{name: row[name] for name in columns} for row in streamed[split]] == ours


def test_a_release_whose_columns_have_other_names(release, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(release, copy)
    path = copy / "data" / "primitive_emotions.csv"
    published = pd.read_csv(path, dtype=str, keep_default_na=False)
    published.rename(columns={"text_1": "caption"}).drop(columns=["text_2", "text_3"]).to_csv(path, index=False)
    with pytest.raises(ValueError, match=r"\.csv: expected .*missing \['text_1', 'text_2', 'text_3'\], unknown \['cap"):
        build(copy, tmp_path / "a", configs=["primitive"], strict=True)
    build(copy, tmp_path / "b", configs=["primitive"], columns={"caption": "text_1"})
    texts = [row["descriptions"] for row in table(tmp_path / "b", "primitive", "train")]
    assert texts[0] == [published["text_1"][0]]
    assert {len(text) for text in texts} == {1}


@pytest.mark.parametrize(
    ("release_", "arguments", "error", "message"),
    [
        ("nothing/here/at/all", {}, FileNotFoundError, "expected a folder or an id on the Hub"),
        (
            None,
            {"configs": ["defualt"]},
            ValueError,
            "expected configs of default, pairs, .*, got defualt",
        ),
    ],
)
def test_mistakes(release, tmp_path, release_, arguments, error, message):
    with pytest.raises(error, match=message):
        build(release_ or release, tmp_path, **arguments)


def test_a_release_without_archives(release, tmp_path):
    """`pairs` needs none; `default` says so before it begins."""
    (tmp_path / "data").mkdir()
    for name in SPLITS.values():
        shutil.copy(release / "data" / name, tmp_path / "data")
    with pytest.raises(FileNotFoundError, match=r"expected the release's ZIP archives .* for config default"):
        build(tmp_path, tmp_path / "out")
    report = build(tmp_path, tmp_path / "out", configs=["pairs"])
    check_accounts(report)
    assert [split for split in report["splits"]["pairs"]] == [*SPLITS]


def test_blendshapes_are_in_our_order(built):
    features = Emo3D(config_name="pairs", data_dir=".").info.features
    assert features["blendshapes"].length == len(BLENDSHAPES)
    schema = pq.read_schema(next((built[0] / "data/pairs").glob("*.parquet")))
    assert schema.metadata[b"space"] == b"reading"


def listed(report, config="default"):
    """What a report says, in the form of `faults.Loss`."""
    return sorted(
        (p["file"], -1 if p["row"] is None else p["row"], p["column"], p["count"])
        for p in report["problems"]
        if p["config"] == config
    )


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_is_listed_and_the_build_goes_on(release, built, tmp_path, fault):
    shutil.copytree(release, tmp_path / "release")
    expected = sorted(
        (file, -1 if row is None else row, column, lost) for file, row, column, lost in fault(tmp_path / "release")
    )
    report = build(tmp_path / "release", tmp_path / "out", configs=["default", "pairs"])
    assert listed(report) == expected
    check_accounts(report)
    whole = sum(counts["rows"] for counts in built[1]["splits"]["default"].values())
    added = 4 if fault.__name__ == "duplicate_sample_id" else 0
    rows = sum(counts["rows"] for counts in report["splits"]["default"].values())
    assert rows == whole + added - sum(lost for *_, lost in expected)
    assert not (tmp_path / "secret.jpeg").exists()
    if expected:
        with pytest.raises(ValueError, match="|".join({file for file, *_ in expected})):
            build(tmp_path / "release", tmp_path / "strict", configs=["default"], strict=True)


def test_all_faults_at_once(release, tmp_path):
    shutil.copytree(release, tmp_path / "release")
    expected = sorted(
        (file, -1 if row is None else row, column, lost) for file, row, column, lost in plant_all(tmp_path / "release")
    )
    report = build(tmp_path / "release", tmp_path / "out", shard_size="100kB")
    assert listed(report) == expected
    check_accounts(report)
    assert {
        "broken archive", "missing archive", "missing picture", "broken picture", "oversized picture", "scores",
        "intensity", "sample_id", "duplicate sample_id", "column",
    } == set(report["problem_kinds"])  # fmt: skip
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    lost = sum(p["count"] for p in report["problems"] if (p["config"], p["split"]) == ("default", "train"))
    assert f"{lost:,} |" in card
    files = (tmp_path / "out" / "data").rglob("*.parquet")
    digests = {
        file.relative_to(tmp_path / "out").as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files
    }
    assert digests == {file["path"]: file["sha256"] for file in report["files"]}


def copied(release, folder, damage):
    """A copy of a release whose tables went through a function from bytes to bytes."""
    shutil.copytree(release, folder)
    for path in (folder / "data").glob("*.csv"):
        path.write_bytes(damage(path.read_bytes()))
    return folder


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data.replace(b",", b";"), "_data.csv: expected commas between cells, got ';'"),
        (lambda data: data.decode().encode("utf-16"), "_data.csv: expected a CSV in UTF-8, got UTF-16"),
        (
            lambda data: data.replace(b"\r\n", b"\r").replace(b"\n", b" "),
            "_data.csv: expected lines that end",
        ),
        (lambda data: data.replace(b"sadness", b"grief", 1), "_data.csv: expected the columns of the release; missing"),
        (lambda data: re.sub(rb"(?m)^\d+,", b"x,", data), "expected rows for default, none could be read: train_data"),
    ],
    ids=["semicolons", "utf-16", "carriage-returns", "missing-column", "no-row"],
)
def test_a_release_of_which_no_row_can_be_read_is_an_error(release, tmp_path, damage, message):
    arguments = ["build", copied(release, tmp_path / "in", damage), tmp_path / "out"]
    done = commands.run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert not list(tmp_path.glob("out/*"))  # nothing that looks like a dataset


def test_archives_and_tables_in_capitals(release, built, tmp_path):
    shutil.copytree(release, tmp_path / "in")
    for path in (tmp_path / "in" / "data").glob("*.zip"):
        path.rename(path.with_suffix(".ZIP"))
    report = build(tmp_path / "in", tmp_path / "out", configs=["default"], shard_size=100_000)
    assert report["splits"]["default"] == built[1]["splits"]["default"]


def test_a_release_without_the_columns_of_the_fourth_picture(release, tmp_path):
    shutil.copytree(release, tmp_path / "in")
    pictures = 0
    for name in (*SPLITS.values(), "primitive_emotions.csv"):
        path = tmp_path / "in" / "data" / name
        published = pd.read_csv(path, dtype=str, keep_default_na=False)
        published.drop(columns=["img_4", "blenshape_score_4"]).to_csv(path, index=False)
        pictures += (published[["img_1", "img_2", "img_3"]] != "").sum().sum() * (name in SPLITS.values())
    report = build(tmp_path / "in", tmp_path / "out")
    assert report["problems"] == []
    assert sum(counts["rows"] for counts in report["splits"]["default"].values()) == pictures


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_one_damaged_member_is_left_out(release, tmp_path, method):
    """Archives of other methods than the published; the member's data is replaced, and so no stream of its method."""
    shutil.copytree(release, tmp_path / "in")
    path = tmp_path / "in" / "data" / "fear_images.zip"
    with zipfile.ZipFile(path) as old:
        members = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w", method) as new:
        for name, data in members.items():
            new.writestr(name, data)
    with zipfile.ZipFile(path) as new:
        first = new.infolist()[0]
    with path.open("r+b") as file:
        file.seek(first.header_offset + 30 + len(first.filename))
        file.write(bytes(range(200, 256)))
    report = build(tmp_path / "in", tmp_path / "out", configs=["default"])
    (problem,) = report["problems"]
    assert (problem["kind"], problem["count"]) == ("broken archive", 1)


def test_a_member_that_unpacks_to_more_than_it_says_is_left_out(release, tmp_path):
    """300 MB of zeros in 250 bytes of bzip2, of which the directory says that they are 1,000 bytes."""
    import bz2
    import resource

    shutil.copytree(release, tmp_path / "in")
    path = tmp_path / "in" / "data" / "fear_images.zip"
    with zipfile.ZipFile(path) as old:
        names = old.namelist()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as new:
        for name in names:
            new.writestr(name, bytes(300 << 20) if name == names[0] else b"")
    content = bytearray(path.read_bytes())
    size = content.index((300 << 20).to_bytes(4, "little"), content.index(b"PK\x01\x02"))
    content[size : size + 4] = (1000).to_bytes(4, "little")
    path.write_bytes(content)
    assert len(bz2.compress(bytes(300 << 20))) < 1000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report = build(tmp_path / "in", tmp_path / "out", configs=["default"])
    assert report["problem_kinds"].keys() <= {"broken archive", "broken picture"}
    assert len(report["problems"]) == len(names)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150 << 10  # kB


def test_a_sample_id_beyond_64_bits_is_one_problem(release, tmp_path):
    shutil.copytree(release, tmp_path / "in")
    path = tmp_path / "in" / "data" / "train_data.csv"
    header, row, *rest = pd.read_csv(path, header=None, dtype=str, keep_default_na=False).to_numpy().tolist()
    pd.DataFrame([header, ["9" * 20, *row[1:]], *rest]).to_csv(path, header=False, index=False)
    report = build(tmp_path / "in", tmp_path / "out", configs=["pairs"])
    (problem,) = report["problems"]
    assert (problem["row"], problem["column"]) == (0, "sample_id")
    assert problem["message"] == f"expected a whole number of 64 bits, got '{'9' * 20}'"


def test_a_full_disk_is_one_sentence_and_half_a_file_counts_nowhere(release, built, tmp_path, small_disk):
    disk = small_disk(400)  # the whole result has about 900 kB
    command = [sys.executable, "-c", "from emo3d.cli import main; main()", "build", release, disk / "out"]
    command += ["--shard-size", "100kB"]
    state = disk / "out" / ".emo3d-build"
    for processes in ("2", "1"):
        done = subprocess.run([*command, "--num-proc", processes], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        *_, last = done.stderr.splitlines()
        assert last == f"error: the disk of {disk / 'out'} is full: make room and run it again, to go on from here"
    whole = {path.stem for path in state.glob("*.record") if path.stat().st_size}
    assert whole == {path.stem for path in state.glob("*.parquet")} > set()
    assert not list(state.glob("*.part"))
    subprocess.run(["mount", "-o", "remount,size=4m", disk], check=True)
    subprocess.run(command, check=True, capture_output=True)
    assert digests(disk / "out") == digests(built[0])


def test_a_report_that_names_files_outside_of_the_folder_is_refused(release, built, tmp_path):
    """`force` removes what a report lists, and so may nothing else."""
    shutil.copytree(built[0], tmp_path / "out")
    (tmp_path / "mine").write_text("kept")
    path = tmp_path / "out" / "build_report.json"
    report = json.loads(path.read_text("utf-8"))
    for texts in (["../mine"], [str(tmp_path / "mine")]):
        path.write_text(json.dumps(report | {"texts": texts}))
        with pytest.raises(ValueError, match=r"build_report\.json that cannot be read, so what may be replaced"):
            build(release, tmp_path / "out", configs=["pairs"], force=True)
    assert (tmp_path / "mine").read_text() == "kept"


def test_a_build_is_a_benchmark(built):
    out, _ = built
    assert yaml.safe_load((out / "eval.yaml").read_text())["tasks"] == [
        {"id": "pairs", "config": "pairs", "split": "test"}
    ]
