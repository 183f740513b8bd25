# `make demo` and `make test` work on a fresh machine with Python 3.11, 3.12 or 3.13; everything goes into .venv,
# but for the tools of `make docs`, which go into .venv-docs.
# The newest one on the PATH is taken; PYTHON names another.
PYTHON ?=
VENV := .venv
# The site's packages have an environment of their own: neither tests nor users need them.
DOCS_VENV := $(VENV)-docs
SBOM_VENV := $(VENV)-sbom
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input

.DEFAULT_GOAL := help
.PHONY: help install demo serve test check lint format bench docs errors pictures notebooks sbom lock clean FORCE

FORCE:

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' Makefile

# A stamp file, so that an unchanged lock costs nothing.
$(VENV)/made: FORCE
	@tools/make_venv.sh $(VENV) $(PYTHON)

$(VENV)/installed: $(VENV)/made requirements.txt pyproject.toml $(wildcard tools/wheel/*)
	@echo "installing the pinned packages into $(VENV); the first time takes some minutes"
	$(PIP) install --progress-bar off --quiet --require-hashes -r requirements.txt
	$(PIP) install --progress-bar off --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed requirements-dev.txt
	$(PIP) install --progress-bar off --quiet --require-hashes -r requirements-dev.txt
	@touch $@

$(DOCS_VENV)/made: FORCE
	@tools/make_venv.sh $(DOCS_VENV) $(PYTHON)

$(DOCS_VENV)/installed: $(DOCS_VENV)/made requirements-docs.txt
	$(DOCS_VENV)/bin/python -m pip install --disable-pip-version-check --no-input --progress-bar off --quiet --require-hashes -r requirements-docs.txt
	@touch $@

install: $(VENV)/installed  ## install the pinned packages into .venv

demo: $(VENV)/installed  ## index toy-data through the Flow and search it
	@$(BIN)/soundalike demo

serve: $(VENV)/installed  ## HTTP on 45678, gRPC on 45679
	@exec $(BIN)/soundalike serve

test: $(VENV)/installed-dev  ## every test; SOUNDALIKE_TEST_DATABASE_URL names a server other than the embedded one
	$(BIN)/python -m pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

check: lint  ## lint, types and fast unit tests, in less than a minute
	$(BIN)/python -m pytest -q --numprocesses logical --maxprocesses 4 --dist loadfile -m "not slow and not model" tests/unit $(PYTEST_ARGS)

lint: $(VENV)/installed-dev  ## ruff, mypy and the word list
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python tools/check_words.py

format: $(VENV)/installed-dev  ## let ruff rewrite what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/installed-dev  ## measure speed and memory; writes bench.json
	$(BIN)/python -m benchmarks

docs: $(DOCS_VENV)/installed  ## build the documentation site into site/
	NO_MKDOCS_2_WARNING=1 $(DOCS_VENV)/bin/mkdocs build --quiet
	$(DOCS_VENV)/bin/python tools/check_site.py site

errors: $(VENV)/installed  ## write docs/errors.md from the error classes
	$(BIN)/python tools/write_error_docs.py

pictures: $(VENV)/installed  ## draw docs/images/flow.svg and docs/images/rooms.svg
	$(BIN)/python tools/draw_flow.py
	$(BIN)/python tools/draw_rooms.py

# All locks hold for every supported Python. uv marks each line with what holds for all of them (tool.uv in
# pyproject.toml); sed takes that out again, so that only the lines that differ carry a marker.
COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock'
UNMARK := sed -i -e "s/ ; python_full_version < '3.14' and sys_platform != 'win32'//" -e "s/python_full_version < '3.14' and //" -e "s/ and sys_platform != 'win32'//"

notebooks: $(VENV)/installed-dev  ## run notebooks/ and save their outputs
	$(BIN)/python tools/run_notebooks.py

$(SBOM_VENV)/made: FORCE
	@tools/make_venv.sh $(SBOM_VENV) $(PYTHON)

$(SBOM_VENV)/installed: $(SBOM_VENV)/made
	$(SBOM_VENV)/bin/python -m pip install --disable-pip-version-check --no-input --progress-bar off --quiet cyclonedx-bom==7.5.0
	@touch $@

sbom: $(SBOM_VENV)/installed  ## write bills of materials into sbom/: of the lock and of each image
	$(SBOM_VENV)/bin/python -W ignore tools/write_sbom.py sbom

lock: $(VENV)/installed-dev  ## resolve pyproject.toml into the three lock files, for every supported Python
	$(COMPILE) pyproject.toml -o requirements.txt
	$(UNMARK) requirements.txt
	$(COMPILE) pyproject.toml --extra dev -c requirements.txt -o requirements-dev.txt
	$(UNMARK) requirements-dev.txt
	$(COMPILE) --group docs -c requirements-dev.txt -o requirements-docs.txt
	$(UNMARK) requirements-docs.txt

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) $(DOCS_VENV) $(SBOM_VENV) sbom site .mypy_cache .pytest_cache .ruff_cache
