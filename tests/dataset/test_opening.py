"""Datasets by their names: what is no dataset, and what cannot be opened, is one sentence."""

import os
import subprocess
import sys

import pyarrow as pa
import pytest
from pyarrow import parquet

from emo3d.dataset import open_rows
from emo3d_lab.inspect import inspect_dataset


def opened(name, **environment):
    """The last line that opening a dataset prints in a process of its own."""
    code = f"try:\n    from emo3d.dataset import open_rows; open_rows({name!r}, None, 'test')\n"
    code += "except (ValueError, OSError) as error:\n    print(type(error).__name__, error)\n"
    code += "else:\n    print('opened')\n"
    # After a write that failed, Arrow 26 ends about one process in a hundred while its libraries are unloaded
    # ("terminate called without an active exception"), when all is said.
    code += "import os, sys; sys.stdout.flush(); os._exit(0)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | environment)
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()[-1]


@pytest.mark.parametrize("use", [lambda name: open_rows(name, None, "test"), inspect_dataset])
def test_a_slip_of_the_pen(use):
    with pytest.raises(FileNotFoundError, match=r"^no such dataset: sampel; did you mean 'sample'\?$"):
        use("sampel")
    with pytest.raises(FileNotFoundError, match=r"^no such file: nowhere\.parquet$"):
        use("nowhere.parquet")


def test_without_a_network_the_folder_form_is_named():
    with pytest.raises(ConnectionError, match=r"^me/data cannot be fetched from the Hub \(HF_HUB_OFFLINE is set\): a"):
        open_rows("me/data", None, "test")


def test_a_file_that_becomes_gigabytes_is_refused_by_its_footer(tmp_path):
    """20 million rows of one value: 350 kB on disk, 640 MB in memory."""
    columns = {name: pa.array([0.0], pa.float64()).take(pa.array([0] * 1000)) for name in "abcd"}
    path = tmp_path / "test.parquet"
    with parquet.ParquetWriter(path, pa.table(columns).schema, compression="zstd") as writer:
        group = pa.concat_tables([pa.table(columns)] * 10_000).combine_chunks()
        for _ in range(2):
            writer.write_table(group, row_group_size=len(group))
    assert path.stat().st_size < 400_000
    for use in (lambda name: open_rows(name, None, "test"), inspect_dataset):
        for name in (path, tmp_path):
            with pytest.raises(ValueError, match=r"^test\.parquet: expected at most 256 MB in the columns .* 610 MB"):
                use(str(name))


def test_a_full_and_a_read_only_cache_are_named(tmp_path, small_disk):
    rows = {"description": [os.urandom(500).hex() for _ in range(300)], "blendshapes": [[0.1] * 51] * 300}
    parquet.write_table(pa.table(rows), tmp_path / "test.parquet")
    disk = small_disk(64)
    said = opened(str(tmp_path / "test.parquet"), HF_HOME=str(disk))
    advice = "set HF_HOME to a folder that this user may write to, on a disk with room"
    cause = "cannot be written (No space left on device)"
    assert said == f"OSError the Hub's cache {disk}/datasets {cause}: {advice}"
    disk = small_disk(4096)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    said = opened(str(tmp_path / "test.parquet"), HF_HOME=str(disk))
    cause = "cannot be written (Read-only file system)"
    assert said == f"OSError the Hub's cache {disk}/datasets {cause}: {advice}"
