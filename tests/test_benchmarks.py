"""Benchmarks are run by hand; here only that they still find what they import."""

import os
import runpy
from importlib.util import find_spec
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parents[1] / "benchmarks").glob("*.py"))


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="needs the extra [dev]")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_it_finds_what_it_imports(script, monkeypatch):
    monkeypatch.syspath_prepend(script.parent)
    monkeypatch.setenv("HF_HOME", os.environ["HF_HOME"])  # one has a cache of its own: it is put back
    runpy.run_path(str(script), run_name="imported")
