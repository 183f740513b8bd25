# `make demo` and `make test` work on a fresh machine with Python 3.11, 3.12 or 3.13; everything goes into .venv.
# The newest one on the PATH is taken; PYTHON names another.
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input

.DEFAULT_GOAL := help
.PHONY: help demo serve test lint format bench docs lock clean FORCE

FORCE:

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' Makefile

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

demo: $(VENV)/installed  ## index toy-data through the Flow and search it
	@$(BIN)/soundalike demo

serve: $(VENV)/installed  ## HTTP on 45678, gRPC on 45679
	@exec $(BIN)/soundalike serve

test: $(VENV)/installed-dev  ## every test; SOUNDALIKE_TEST_DATABASE_URL names a server other than the embedded one
	$(BIN)/python -m pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

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

# Both locks hold for every supported Python. uv marks each line with what holds for all of them (tool.uv in
# pyproject.toml); sed takes that out again, so that only the lines that differ carry a marker.
COMPILE := $(BIN)/uv pip compile --quiet pyproject.toml --universal --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock'
UNMARK := sed -i -e "s/ ; python_full_version < '3.14' and sys_platform != 'win32'//" -e "s/python_full_version < '3.14' and //" -e "s/ and sys_platform != 'win32'//"

lock: $(VENV)/installed-dev  ## resolve pyproject.toml into the two lock files, for every supported Python
	$(COMPILE) -o requirements.txt
	$(UNMARK) requirements.txt
	$(COMPILE) --extra dev -c requirements.txt -o requirements-dev.txt
	$(UNMARK) requirements-dev.txt

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache
