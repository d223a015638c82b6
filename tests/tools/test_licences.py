"""docs/third-party.md lists the licence of every package that setup.cfg asks for, and of what those ask for."""

import configparser
import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "third-party.md").read_text("utf-8")
ROWS = dict(
    re.findall(r"^\| ([a-z0-9.-]+) \| (.+) \| \w* \|$", PAGE.partition("## All packages")[2], flags=re.MULTILINE)
)


def test_all_that_setup_asks_for_is_listed():
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    lines = [settings["options"]["install_requires"], *settings["options.extras_require"].values()]
    names = {re.match(r"[\w-]+", line)[0] for text in lines for line in text.split("\n") if line} - {"emo3d"}
    assert len(names) > 30
    assert {name.replace("_", "-").lower() for name in names} <= set(ROWS)


def test_all_that_is_installed_for_it_is_listed():
    script = ROOT / "tools" / "licences.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_licence_is_stated():
    assert len(ROWS) > 100
    assert not [name for name, licence in ROWS.items() if licence in ("", "not stated") or "UNKNOWN" in licence]


@pytest.mark.parametrize(
    ("package", "licence"),  # as their repositories have them
    [
        ("torch", "BSD-3-Clause"),
        ("numpy", "BSD-3-Clause"),
        ("anny", "Apache-2.0"),
        ("tqdm", "MPL-2.0"),
        ("pillow", "MIT-CMU"),
    ],
)
def test_some_that_are_known(package, licence):
    importlib.metadata.version(package)
    assert licence in ROWS[package]
