# Two commands for a machine with git, make and Python >= 3.11: make demo, make test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: help demo test test-slow test-pi wheel lint types contracts check footprint clean

help:
	@echo "make demo    set up, then train, export and verify on real digits (offline)"
	@echo "make test    set up, then run the tests"
	@echo "make test-slow   the tests that take longer: whole trainings, every example"
	@echo "make test-pi run what a user types on an emulated 64-bit Raspberry Pi"
	@echo "make wheel   build dist/*.whl, what a device installs"
	@echo "make check   lint, types and import contracts"
	@echo "make footprint   disk, memory and start-up of each engine against TensorFlow"

demo: $(VENV)/.installed-all
	$(BIN)/toolkit demo

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m "not pi and not slow" --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-slow: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m "slow and not pi" --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-pi: $(VENV)/.installed-dev
	$(BIN)/python -m pytest tests/pi -m pi --numprocesses 2

wheel: $(BIN)/python
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	@ls dist/*.whl

footprint: $(VENV)/.installed-litert
	$(BIN)/python tests/benchmarks/footprint.py

check: lint types contracts

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

contracts: $(VENV)/.installed-dev
	$(BIN)/lint-imports

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
		|| { echo "Python 3.11 to 3.13 is needed: make PYTHON=python3.13 ..."; exit 2; }
	$(PYTHON) -m venv $(VENV) \
		|| { rm -rf $(VENV); echo "no venv module: apt install python3-venv"; exit 2; }

$(VENV)/.installed-%: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) --editable ".[$*]"
	@touch $@

clean:
	rm -rf $(VENV) build dist
