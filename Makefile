# Two commands: `make quickstart` and `make test`. Both set up `.venv` first, when it is not there yet.
# For who publishes: `make publish NAMESPACE=me` and `make release NAMESPACE=me`.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: quickstart test environments bench publish release vulnerabilities blender clean

quickstart: .venv/installed
	$(BIN)/emo3d quickstart

test: .venv/installed environments
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pytest

bench: .venv/installed
	$(BIN)/python benchmarks/rendering.py
	$(BIN)/python benchmarks/scoring.py --faces 256
	$(BIN)/python benchmarks/building.py

publish: .venv/installed
	$(BIN)/emo3d publish --namespace $(NAMESPACE) $(OPTIONS)

release: .venv/installed
	$(BIN)/emo3d release --namespace $(NAMESPACE) $(OPTIONS)

# Known vulnerabilities of what is installed; asks a database on the network.
vulnerabilities: .venv/installed
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/pip install --quiet pip-audit
	.venv-audit/bin/pip-audit --strict --skip-editable --path $$($(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")

# torch first, in the version whose CPU build some machines keep at hand; an unpinned torch may pull gigabytes.
.venv/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet torch==2.13.0 || $(BIN)/pip install --quiet torch
	$(BIN)/pip install --quiet --editable ".[dev]"
	touch $@

# Other versions of `datasets` that users have, each in an environment of its own; what is tested runs from src.
# 2.19 is older than NumPy 2 and fails with it; the PyArrow beside it is of its time.
environments: $(patsubst %,.venv-datasets/%/installed,2.19 3.6 4) .venv-transformers/4.57/installed

.venv-datasets/%/installed:
	$(PYTHON) -m venv .venv-datasets/$*
	.venv-datasets/$*/bin/pip install --quiet --disable-pip-version-check "datasets==$*.*" pillow $(if $(filter 2.19,$*),"numpy<2" "pyarrow<17")
	touch $@

# The lowest transformers of setup.cfg, with what it wants of the Hub's clients; torch and all else are those of .venv.
.venv-transformers/%/installed: .venv/installed
	$(PYTHON) -m venv .venv-transformers/$*
	.venv-transformers/$*/bin/pip install --quiet --disable-pip-version-check --no-deps \
		"transformers==$*.*" "huggingface_hub==0.36.*" "tokenizers==0.22.*" "datasets==4.*"
	.venv-transformers/$*/bin/python -c "import sys, sysconfig; open(sysconfig.get_path('purelib') + '/zz_base.pth', 'w').write(sys.argv[1])" \
		$$($(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")
	touch $@

# Blender as a module, 0.4 GB, for Python 3.11: its tests are skipped without it.
blender:
	python3.11 -m venv .venv-blender
	.venv-blender/bin/pip install --quiet bpy
	$(BIN)/pytest tests/apps/test_blender.py

clean:
	rm -rf .venv .venv-datasets .venv-transformers .venv-audit .venv-blender runs build dist
