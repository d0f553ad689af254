# `make` lists the targets. Needs Python 3.11 or newer, pip and make.

PYTHON ?= python3
STUDY ?= quickstart
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
# Touched last, so a failed or interrupted installation leaves none.
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup quickstart lab report test test-slow test-all test-gpu lint docs \
  bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s%s\n", $$1, $$2}' Makefile
	@echo
	@echo "  PYTHON=python3.12     the interpreter .venv is made with"
	@echo "  STUDY=quickstart      the study that 'make report' reads"
	@echo "  ARGS='-k name -x'     further arguments for the command behind a target"

setup: $(READY) ## make .venv and install the kit in it (the others do it when needed)

quickstart: $(READY) ## run the quickstart study, from seeds to benchmark
	$(BIN)/phi-kit run params/quickstart.yaml $(ARGS)

lab: $(READY) ## open JupyterLab on the start page of the notebooks
	$(BIN)/phi-kit lab $(ARGS)

report: $(READY) ## write the report of a study: make report STUDY=name
	$(BIN)/phi-kit report $(STUDY) $(ARGS)

test: $(READY) ## run the everyday tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --maxprocesses 4 $(ARGS)

test-slow: $(READY) ## run the slow tests: real notebooks, kills, conversions
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow \
	  -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

test-all: $(READY) ## run every test there is, measurements and browser too
	$(BIN)/python -m pytest -m "" $(ARGS)

test-gpu: $(READY) ## run the tests that need a GPU, and measure on it
	$(BIN)/python -m pytest tests/gpu -m 'gpu and not slow' -rs $(ARGS)

lint: $(READY) ## check style and format of package, tests and notebooks
	$(BIN)/python -m ruff check phi_kit tests notebooks
	$(BIN)/python -m ruff format --check phi_kit tests notebooks

docs: $(READY) ## build the site into docs/_build; a warning is an error
	$(BIN)/python -m pip install --disable-pip-version-check --quiet \
	  -c constraints.txt -e '.[docs]'
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

bench: $(READY) ## measure, and write benchmarks.json
	$(BIN)/python -m pytest tests/benchmarks -m bench $(ARGS)

clean: ## remove .venv, caches and builds; runs/ stays
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find phi_kit tests notebooks -type d \
	  \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))

# An environment that works is kept and brought up to date; anything less is
# made anew. Debian keeps ensurepip in a package of its own; without it the
# environment gets pip from the pip of $(PYTHON).
$(READY): pyproject.toml constraints.txt
	@rm -f $@
	@$(BIN)/python -c 'import pip; $(NEW_ENOUGH)' 2>/dev/null || { \
	  $(PYTHON) -c '$(NEW_ENOUGH)' 2>/dev/null || { \
	    echo "phi_kit needs Python 3.11 or newer; '$(PYTHON)' is" \
	      "$$($(PYTHON) --version 2>/dev/null || echo 'not there')."; \
	    echo "Name another one: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; \
	    exit 1; } >&2; \
	  echo "Setting up $(VENV): minutes the first time, nothing to do afterwards."; \
	  if $(PYTHON) -c 'import ensurepip' 2>/dev/null; then \
	    $(PYTHON) -m venv --clear $(VENV); \
	  else \
	    $(PYTHON) -m venv --clear --without-pip $(VENV) && \
	    $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; \
	  fi || { \
	    echo "Could not make $(VENV). On Debian or Ubuntu:" \
	      "apt install python3-venv; then make again." >&2; exit 1; }; \
	}
	@$(BIN)/python -m pip install --disable-pip-version-check \
	  -c constraints.txt -e '.[dev]' || { \
	  echo "The installation failed: the reason stands above. If a compiler or" \
	    "Python.h is missing (pycosat is built here), on Debian or Ubuntu:" \
	    "apt install build-essential python3-dev; then make again." >&2; exit 1; }
	@touch $@
