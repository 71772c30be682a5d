# Everything a developer types. `make check` is what CI runs.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: install test lint types check run real-input reliability reliability-long lock clean

$(VENV)/installed: requirements-dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

install: $(VENV)/installed

test: install
	$(BIN)/python -m pytest -n 2

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

check: test lint types

run: install
	$(BIN)/pocket-bridge run

# Serves the corpus beside the checkout to a real process and counts what came of it.
real-input: install
	$(BIN)/python -m tests.real_input ../shared/corpus

# What docs/reliability.md promises; the quick tier is part of `make test`.
reliability: install
	$(BIN)/python -m pytest -n 2 -rA tests/reliability tests/test_suspects.py tests/test_once_in_effect.py tests/test_siege.py tests/store

# The same at full size: about an hour. Each prints its seed.
reliability-long: install
	$(BIN)/python -m tests.reliability.kills --kills 1000
	$(BIN)/python -m tests.reliability.power --states 6000 --boots 10
	$(BIN)/python -m tests.reliability.lines --links 10000 --restarts 50
	$(BIN)/python -m tests.reliability.limits
	$(BIN)/python -m tests.reliability.limits --reserve
	BRIDGE_TEST_FLIPS=500 $(BIN)/python -m pytest -q tests/reliability/test_damage.py

# Needs uv. The files hold hashes and no address.
lock:
	uv pip compile pyproject.toml --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate -q -o requirements.txt
	uv pip compile pyproject.toml --extra dev --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate -q -o requirements-dev.txt

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
