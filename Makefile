# Two commands: `make quickstart` and `make test`. Both set up `.venv` first, when it is not there yet.
# For maintainers: `make publish NAMESPACE=me` and `make release`; docs/publishing.md says more.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: quickstart test environments viewers web test-web readers bench publish dist release ready vulnerabilities blender clean

quickstart: .venv/installed
	$(BIN)/emo3d quickstart

test: .venv/installed environments viewers web
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder

# The emotion reader face-api (MIT), out of its npm package into the cache where `load_reader("face-api")` finds it.
readers: .venv/installed
	$(BIN)/python -m emo3d_lab.readers.fetch

bench: .venv/installed
	$(BIN)/python benchmarks/rendering.py
	$(BIN)/python benchmarks/scoring.py --faces 256
	$(BIN)/python benchmarks/building.py

publish: .venv/installed | web/node_modules web/.model
	$(BIN)/python tools/publish.py --namespace $(NAMESPACE) $(OPTIONS)

# Packages of the last commit, and of nothing else that lies about: the same bytes from the same commit.
dist: .venv/installed
	rm -rf dist build/commit
	mkdir -p build/commit
	git archive HEAD | tar -x -C build/commit
	SOURCE_DATE_EPOCH=315532800 $(BIN)/python -m build --no-isolation --outdir dist build/commit
	$(BIN)/python -m twine check --strict dist/*

# Tags the last commit when it is ready; the tag, once pushed, is released by .github/workflows/publish.yml.
release: ready dist
	git tag v$(VERSION)
	@echo "now: git push origin v$(VERSION)"

VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' src/emo3d/__init__.py)
ready:
	@test -z "$$(git status --porcelain)" || { echo "not everything is committed: commit or remove it first"; exit 1; }
	@grep -q "^## $(VERSION) (20" CHANGELOG.md || { echo "CHANGELOG.md lacks a section ## $(VERSION) (DATE)"; exit 1; }
	@test -z "$$(git tag --list v$(VERSION))" || { echo "there is a tag v$(VERSION): raise __version__"; exit 1; }

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
environments: $(patsubst %,.venv-datasets/%/installed,2.19 3.6 4) .venv-transformers/4.57/installed .venv-inspect/0.3/installed

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

# inspect-ai wants a newer pydantic than gradio's extra mcp allows, so it cannot be in .venv; all else is that of .venv.
.venv-inspect/%/installed: .venv/installed
	$(PYTHON) -m venv .venv-inspect/$*
	.venv-inspect/$*/bin/python -c "import sys, sysconfig; open(sysconfig.get_path('purelib') + '/zz_base.pth', 'w').write(sys.argv[1])" \
		$$($(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")
	.venv-inspect/$*/bin/pip install --quiet --disable-pip-version-check "inspect-ai==$*.*"
	touch $@

# What other people's viewers and tools make of our files, as npm packages; their tests are skipped without npm.
viewers:
	@command -v npm >/dev/null && $(MAKE) --no-print-directory .viewers/installed || echo "no npm: viewers are not tested"

.viewers/installed: tests/viewers/package.json
	mkdir -p .viewers
	cp tests/viewers/package.json .viewers/
	npm install --prefix .viewers --no-package-lock --no-audit --no-fund --ignore-scripts --silent
	touch $@

# The package for web pages, on the exported generator and against what Python answers; its tests run in Chromium.
web:
	@if command -v npm >/dev/null && node -e "process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)"; \
		then $(MAKE) --no-print-directory test-web; else echo "no npm and Node 20: web/ is not tested"; fi

test-web: web/node_modules/.package-lock.json web/.golden/golden.json web/.characters/python.json
	PYTHON=$(CURDIR)/$(BIN)/python npm --prefix web test

web/node_modules/.package-lock.json: web/package-lock.json
	npm ci --prefix web --silent
	touch $@

web/node_modules: web/node_modules/.package-lock.json

# The generator for the browser, about 24 MB: tests and pages of web/ read it.
GENERATOR := $(wildcard src/emo3d/assets/quickstart-generator/* src/emo3d_lab/onnx/*.py src/emo3d_lab/instructions/*.py) src/emo3d_lab/assets/instructions.yaml
web/.model: .venv/installed $(GENERATOR)
	$(BIN)/emo3d export quickstart --onnx $@

web/.characters/python.json: .venv/installed web/test/characters.py
	$(BIN)/python web/test/characters.py $(@D)

web/.golden/golden.json: web/.model web/test/golden.py
	$(BIN)/python web/test/golden.py $(@D) $<

# Blender as a module, 0.4 GB, for Python 3.11, and its VRM add-on: their tests are skipped without them.
blender:
	python3.11 -m venv .venv-blender
	.venv-blender/bin/pip install --quiet bpy bpy-vrm-format
	$(BIN)/pytest tests/lab/takes/test_blender.py tests/lab/characters/test_vrm_blender.py

clean:
	rm -rf .venv .venv-datasets .venv-transformers .venv-inspect .venv-audit .venv-blender .viewers web/node_modules web/dist web/.model web/.golden web/.characters web/.pictures runs build dist
