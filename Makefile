# Two commands: `make quickstart` and `make test`. Both set up `.venv` first, when it is not there yet.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: quickstart test bench clean

quickstart: .venv/installed
	$(BIN)/emo3d quickstart

test: .venv/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pytest

bench: .venv/installed
	$(BIN)/python benchmarks/rendering.py
	$(BIN)/python benchmarks/scoring.py --faces 256

# torch first, in the version whose CPU build some machines keep at hand; an unpinned torch may pull gigabytes.
.venv/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet torch==2.13.0 || $(BIN)/pip install --quiet torch
	$(BIN)/pip install --quiet --editable ".[dev]"
	touch $@

clean:
	rm -rf .venv runs build dist
