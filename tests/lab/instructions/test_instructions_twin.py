"""The reader in TypeScript, which must change with this one, and the table that it reads."""

import json
import os
import runpy
import shutil
import subprocess
import sys
import unicodedata
from bisect import bisect
from pathlib import Path

import pytest

from emo3d_lab.instructions.portable import FORMAT, make_table, write_table
from emo3d_lab.instructions.vocabulary import vocabulary

WEB = Path(__file__).parents[3] / "web"
NODE = shutil.which("node")
_BUNDLER = WEB / "node_modules" / "esbuild"


@pytest.mark.skipif(not NODE, reason="no Node.js")
@pytest.mark.skipif(not _BUNDLER.exists(), reason="web/node_modules is not there: npm ci in web/")
def test_the_twin_reads_what_the_reader_reads(tmp_path):
    golden = runpy.run_path(str(WEB / "test" / "golden_instructions.py"))
    cases = golden["cases"](0.1)
    assert len(cases["readings"]) > 2_000
    path = tmp_path / "cases.json"
    path.write_text(json.dumps(cases), "ascii")
    run = subprocess.run(
        [NODE, "--test", "--test-name-pattern=Python", str(WEB / "test" / "instructions.test.mjs")],
        env={**os.environ, "EMO3D_INSTRUCTIONS": str(path), "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stdout[-3_000:] + run.stderr[-1_000:]
    assert "# pass 3" in run.stdout, run.stdout


def test_a_table_is_the_same_bytes_each_time(tmp_path):
    for name in ("one.json", "two.json"):
        write_table(tmp_path / name)
    data = (tmp_path / "one.json").read_bytes()
    assert data == (tmp_path / "two.json").read_bytes()
    assert len(data) < 130_000
    assert json.loads(data) == json.loads(json.dumps(make_table()))
    assert json.loads(data)["format"] == FORMAT


def test_a_table_names_symbols_and_scripts_as_unicode_does():
    table = make_table()
    names = {chr(first + k): name for first, listed in table["symbols"] for k, name in enumerate(listed.split("|"))}
    assert names["\u2600"] == "black sun with rays".removeprefix("black ")  # U+2600 BLACK SUN WITH RAYS
    assert names["\U0001f602"] == "face with tears of joy"
    assert names["\U0001f621"] == vocabulary()["emoji"]["\U0001f621"]
    assert names["\U0001f0ff"] == ""  # not assigned
    starts = [first for first, _ in table["letters"]]
    for letter in "aÉЖ字あกｅ𝐞ªß한":
        script = table["letters"][bisect(starts, ord(letter)) - 1][1]
        assert script == unicodedata.name(letter).split()[0].title()


def test_a_table_cannot_be_written_where_there_is_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="cannot write"):
        write_table(tmp_path / "absent" / "instructions.json")
