# `make demo` and `make test` work on a fresh machine with Python 3.11; everything goes into .venv.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input

.DEFAULT_GOAL := help
.PHONY: help demo serve test lint format bench docs lock clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' Makefile

# A stamp file, so that an unchanged lock costs nothing.
$(VENV)/installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "Soundalike needs Python 3.11; name one with: make PYTHON=/path/to/python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the pinned packages into $(VENV); the first time takes some minutes"
	$(PIP) install --progress-bar off --quiet --require-hashes -r requirements.txt
	$(PIP) install --progress-bar off --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed requirements-dev.txt
	$(PIP) install --progress-bar off --quiet --require-hashes -r requirements-dev.txt
	@touch $@

demo: $(VENV)/installed  ## index toy-data through the Flow and search it
	@$(BIN)/soundalike demo

serve: $(VENV)/installed  ## HTTP on 45678, gRPC on 45679
	@exec $(BIN)/soundalike serve

test: $(VENV)/installed-dev  ## every test; SOUNDALIKE_TEST_DATABASE_URL names a server other than the embedded one
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

lint: $(VENV)/installed-dev  ## ruff and mypy
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/installed-dev  ## let ruff rewrite what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/installed-dev  ## measure speed and memory; writes bench.json
	$(BIN)/python -m benchmarks

docs: $(VENV)/installed  ## write docs/errors.md from the error classes
	$(BIN)/python tools/write_error_docs.py

lock: $(VENV)/installed-dev  ## resolve pyproject.toml into the two lock files
	$(BIN)/uv pip compile --quiet pyproject.toml --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' -o requirements.txt
	$(BIN)/uv pip compile --quiet pyproject.toml --extra dev --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' -c requirements.txt -o requirements-dev.txt

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache
