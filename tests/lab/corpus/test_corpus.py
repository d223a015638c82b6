"""Corpora scored on a cluster are scored as by `score` in one process, whoever is killed on the way."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset
from typer.testing import CliRunner

pytest.importorskip("ray.data", reason="needs the extra ray")

import commands
from emo3d.cli import app
from emo3d.dataset import sample_folder
from emo3d.scoring import Bank, Emo3DResult, ScoreSettings, load_backbone, score
from emo3d_lab.corpus import ParquetRows, score_corpus
from emo3d_lab.corpus import score as corpus
from hanging import HANGS, wait_until
from hub import Hub
from ray_nodes import nodes

SETTINGS = ScoreSettings(backbone="quickstart", n_bootstrap=200)
SMALL = {"settings": SETTINGS, "batch_size": 8, "block_size": 32}
COLUMNS = ["description", "intensities", "blendshapes"]
STATE = ".emo3d-build"


@pytest.fixture(scope="module")
def cluster():
    with nodes() as started:
        yield started


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """References in one file, predictions (theirs, turned round) in two, in small row groups; 330 rows of each."""
    folder = tmp_path_factory.mktemp("corpus")
    rows = load_dataset(str(sample_folder()), split="test").select_columns(COLUMNS)
    rows = [rows[place % len(rows)] for place in range(330)]
    pq.write_table(pa.Table.from_pylist(rows), folder / "references.parquet", row_group_size=50)
    (folder / "predictions").mkdir()
    expressions = [row["blendshapes"] for row in reversed(rows)]
    for name, part in (("a", expressions[:97]), ("b", expressions[97:])):
        pq.write_table(pa.table({"blendshapes": part}), folder / "predictions" / f"{name}.parquet", row_group_size=20)
    return folder, np.float32(expressions), rows


@pytest.fixture(scope="module")
def bank():
    rows = load_dataset(str(sample_folder()), split="validation")
    return Bank.encode(list(rows["description"]), list(rows["intensities"]), load_backbone("quickstart"))


@pytest.fixture(scope="module")
def expected(files):
    _, expressions, rows = files
    return score(expressions, rows, settings=SETTINGS, batch_size=8)


def check_same(result, expected):
    one, other = (found.to_dict(per_sample=True) for found in (result, expected))
    assert list(one) == list(other)
    for name in ("signature", "references", "reference_expressions", "n", "truncated"):
        assert one[name] == other[name]
    for name in ("emo3d", "kl_divergence", "recall_at_k", "mse", "mae", "amplitude"):
        assert one[name] == pytest.approx(other[name], abs=1e-6)
    assert one["intervals"].keys() == other["intervals"].keys()
    for name, ends in one["intervals"].items():
        assert ends == pytest.approx(other["intervals"][name], abs=1e-6)
    for table in ("per_emotion", "per_band"):
        assert one[table].keys() == other[table].keys()
        for name, group in one[table].items():
            assert group["n"] == other[table][name]["n"]
            assert group["kl_divergence"] == pytest.approx(other[table][name]["kl_divergence"], abs=1e-6)
    assert one["per_sample"].keys() == other["per_sample"].keys()
    for name, values in result.per_sample.items():
        assert values.dtype == expected.per_sample[name].dtype
        assert values == pytest.approx(expected.per_sample[name], abs=1e-6, nan_ok=True)


def check_rows(out, rows):
    """Each row of the corpus once, in order, with its own description."""
    written = load_dataset("parquet", data_files=str(out / "data" / "*.parquet"), split="train")
    assert list(written["row"]) == list(range(len(rows)))
    assert list(written["description"]) == [row["description"] for row in rows]
    assert not (out / STATE).exists()


def test_in_this_process(files, expected, tmp_path):
    folder, expressions, rows = files
    given = (folder / "predictions", folder / "references.parquet", tmp_path / "out")
    check_same(score_corpus(*given, **SMALL), expected)
    check_rows(tmp_path / "out", rows)
    before = changes(tmp_path / "out")
    check_same(score_corpus(*given, **SMALL), expected)  # finished: read again, not written
    assert changes(tmp_path / "out") == before
    check_same(score_corpus(expressions, rows, tmp_path / "arrays", **SMALL), expected)


def test_on_a_cluster(files, expected, cluster, tmp_path, monkeypatch):
    folder, _, rows = files
    monkeypatch.chdir(tmp_path)  # where the nodes are not
    given = (str(folder / "predictions" / "*.parquet"), folder / "references.parquet", "out")
    check_same(score_corpus(*given, **SMALL, engine="ray", address=cluster.address), expected)
    check_rows(tmp_path / "out", rows)


def test_on_a_cluster_with_a_bank_and_several_faces(files, bank, cluster, tmp_path):
    _, expressions, rows = files
    settings = ScoreSettings(backbone="quickstart", identities=2, variant="release")
    expected = score(expressions[:40], rows[:40], bank=bank, settings=settings, batch_size=8)
    assert expected.recall_at_k is None  # the bank does not hold the references
    given = {"bank": bank, "engine": "ray", "address": cluster.address} | SMALL | {"settings": settings}
    check_same(score_corpus(expressions[:40], rows[:40], tmp_path / "out", **given), expected)


DRIVER = """
import sys
from emo3d.scoring import ScoreSettings
from emo3d_lab.corpus import score_corpus
if __name__ == "__main__":
    predictions, references, out, address = sys.argv[1:]
    settings = ScoreSettings(backbone="quickstart", n_bootstrap=200)
    result = score_corpus(predictions, references, out, settings=settings, batch_size=8, block_size=16,
                          engine="ray", address=address)
    result.save(out + ".json")
"""


def start(files, cluster, out):
    folder = files[0]
    arguments = [folder / "predictions", folder / "references.parquet", out, cluster.address]
    return commands.Started(DRIVER, *arguments, out=out.with_suffix(".log"))


def wait_for(out, count, driver):
    """Records of finished blocks, when there are so many."""

    def enough():
        records = list((out / STATE).glob("*.record"))
        return records if len(records) >= count else None

    return wait_until(enough, driver, out.with_suffix(".log"))


def changes(folder):
    return {file.name: (file.stat().st_ino, file.stat().st_mtime_ns) for file in Path(folder).rglob("*.parquet")}


def test_the_driver_is_killed_and_then_a_node(files, expected, cluster, tmp_path):
    out = tmp_path / "out"
    driver = start(files, cluster, out)
    wait_for(out, 4, driver)
    driver.kill()
    assert driver.wait(HANGS) == -signal.SIGKILL
    done = {record.stem for record in (out / STATE).glob("*.record")}
    before = {name: change for name, change in changes(out / STATE).items() if name.partition(".")[0] in done}
    again = start(files, cluster, out)
    found = wait_for(out, len(done) + 3, again)
    assert 4 <= len(before) < len(found) < 20  # of 21
    cluster.replace_one()
    assert again.wait(HANGS) == 0, out.with_suffix(".log").read_text()
    after = changes(out)
    for name, change in before.items():  # what was finished is not done again
        assert after[f"scored-{name.partition('.')[0]}-of-00021.parquet"] == change
    check_same(Emo3DResult.load(f"{out}.json"), expected)
    check_rows(out, files[2])


def test_a_node_without_the_model(cluster, clip_folder, files, tmp_path, monkeypatch):
    _, expressions, rows = files
    model = shutil.copytree(clip_folder, tmp_path / "model")

    def write(*given, **options):
        shutil.rmtree(model)
        return corpus_write(*given, **options)

    corpus_write = corpus.write_dataset
    monkeypatch.setattr(corpus, "write_dataset", write)
    options = {"settings": ScoreSettings(backbone=str(model)), "engine": "ray", "address": cluster.address}
    with pytest.raises(
        OSError, match=r"^node .*: the backbone .*/model could not be loaded: .*; files and models must"
    ):
        score_corpus(expressions[:12], rows[:12], tmp_path / "out", **options)


def test_rows_are_read_from_their_row_groups_only(files):
    folder, expressions, rows = files
    given = ParquetRows.open(folder / "predictions")
    assert (len(given), given.counts, given.space) == (330, (97, 233), None)
    for start_row, stop in ((0, 1), (95, 99), (97, 117), (110, 330), (329, 330)):
        assert (given.expressions(start_row, stop) == expressions[start_row:stop]).all()
    said = ParquetRows.open(folder / "references.parquet").references(49, 101)
    assert said.descriptions == [row["description"] for row in rows[49:101]]
    assert said.intensities == pytest.approx(np.array([row["intensities"] for row in rows[49:101]]), abs=1e-7)


def test_references_in_another_space_are_not_compared_with(files, tmp_path, caplog):
    _, expressions, rows = files
    table = pa.Table.from_pylist(rows[:12]).replace_schema_metadata({"space": "reading"})
    pq.write_table(table, tmp_path / "references.parquet")
    result = score_corpus(expressions[:12], tmp_path / "references.parquet", tmp_path / "out", **SMALL)
    assert result.mse is None
    assert [record.getMessage() for record in caplog.records] == [
        "no MSE, MAE and amplitude: the references are reading, the predictions weights"
    ]


def test_mistakes(files, tmp_path):
    folder, expressions, rows = files
    out = tmp_path / "out"
    with pytest.raises(ValueError, match="one prediction per reference, got 97 predictions and 330 references"):
        score_corpus(folder / "predictions" / "a.parquet", folder / "references.parquet", out, **SMALL)
    with pytest.raises(FileNotFoundError, match=r"expected Parquet files at .*/none\*.parquet, found none"):
        score_corpus(folder / "none*.parquet", rows, out, **SMALL)
    with pytest.raises(
        OSError, match="expected files that can be opened, got nowhere://a: Protocol not known: nowhere"
    ):
        score_corpus("nowhere://a", rows, out, **SMALL)
    (tmp_path / "no.parquet").write_text("{}")
    with pytest.raises(ValueError, match=r"expected a Parquet file, got .*no.parquet"):
        score_corpus(tmp_path / "no.parquet", rows, out, **SMALL)
    for name in ("c1", "c2"):
        pq.write_table(pa.table({name: [0]}), tmp_path / f"{name}.parquet")
    with pytest.raises(ValueError, match="the same columns and space"):
        score_corpus(expressions, tmp_path / "c*.parquet", out, **SMALL)
    table = pa.table({"blendshapes": [[0.5] * 51]}).replace_schema_metadata({"space": "reading"})
    pq.write_table(table, tmp_path / "readings.parquet")
    with pytest.raises(ValueError, match=r"expected predictions in the space weights, .* says reading"):
        score_corpus(tmp_path / "readings.parquet", rows[:1], out, **SMALL)
    wrong = expressions[:40].tolist()
    wrong[35][0] = 1.5
    pq.write_table(pa.table({"blendshapes": wrong}), tmp_path / "wrong.parquet")
    with pytest.raises(ValueError, match=r"row 19 \(rows counted from row 16 of the corpus\)"):
        score_corpus(tmp_path / "wrong.parquet", rows[:40], out, **SMALL)
    shutil.rmtree(out)
    score_corpus(expressions[:12], rows[:12], out, **SMALL)
    with pytest.raises(ValueError, match="holds a finished dataset of another source or other options; force replaces"):
        score_corpus(expressions[1:13], rows[:12], out, **SMALL)
    assert score_corpus(expressions[1:13], rows[:12], out, **SMALL, force=True).n == 12


def test_the_command_with_files_of_the_hub(files, expected, tmp_path):
    """On a Ray of its own, of which nothing is heard."""
    folder, _, rows = files
    arguments = "hf://datasets/me/mine/predictions --references hf://datasets/me/mine/references.parquet".split()
    arguments += "--backbone quickstart --batch-size 8 --engine ray --samples samples --out out.json".split()
    with Hub({("datasets/me/mine", "main"): folder}) as hub:
        done = subprocess.run(
            [sys.executable, "-m", "emo3d", "score", *arguments],
            env=hub.environment(tmp_path / "home"),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=HANGS,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "Scoring" in done.stderr
    assert "ray" not in done.stderr.lower()
    written = Emo3DResult.load(tmp_path / "out.json")
    assert written.signature == expected.signature.replace("n_bootstrap:200", "n_bootstrap:1000")
    assert written.kl_divergence == pytest.approx(expected.kl_divergence, abs=1e-6)
    assert written.per_sample["kl_divergence"] == pytest.approx(expected.per_sample["kl_divergence"], abs=1e-6)
    check_rows(tmp_path / "samples", rows)


@pytest.mark.parametrize("option", [["--engine", "ray"], ["--address", "auto"], ["--num-proc", "2"], ["--force"]])
def test_the_command_wants_a_folder_for_samples(option):
    done = CliRunner().invoke(app, ["score", "faces.json", "--references", "sample", *option])
    assert "expected --samples FOLDER with --engine, --address, --num-proc and --force" in str(done.exception)
    done = CliRunner().invoke(app, ["score", "hf://datasets/me/mine/a.parquet", "--references", "sample"])
    assert "expected --samples FOLDER to score files at a URL in parts, got hf://datasets/me" in str(done.exception)
