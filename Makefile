# translearn: `make` lists the targets. Each sets up the virtual environment first, once (scripts/setup.sh).
# Variables: PYTHON (interpreter to use), VENV (.venv), ARGS (added to pytest's or the demo's command line), JOBS (tests
# at once; those that start a Ray, which uses all CPUs, run alone).

VENV ?= .venv
JOBS ?= 2
# With ARGS that name some tests, one of the two calls may have none of them, which pytest's exit code 5 says.
OR_NONE = $(if $(ARGS),|| [ $$? -eq 5 ])
BIN := $(VENV)/bin
export PYTHON VENV

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all drill lint format clean

help: ## This list
	@awk -F ': .*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

setup: ## The virtual environment, with the versions of constraints.txt
	@sh scripts/setup.sh

demo: setup ## A whole study on data that needs no download, on a local Ray
	$(BIN)/translearn run workflows/configs/demo.yaml $(ARGS)

test: lint ## Style, types, import directions, and every test but the slow ones
	$(BIN)/python -m pytest -n $(JOBS) -m "not slow and not ray" $(ARGS) $(OR_NONE)
	$(BIN)/python -m pytest -m "not slow and ray" $(ARGS) $(OR_NONE)

test-all: export EXTRAS = dev,mlflow,onnx,serve,wandb
test-all: lint ## The same with the slow tests, and with the libraries of extras
	$(BIN)/python -m pytest -n $(JOBS) -m "not ray" $(ARGS) $(OR_NONE)
	$(BIN)/python -m pytest -m ray $(ARGS) $(OR_NONE)

drill: setup ## A tiny study through every fault, on a simulated cluster of this machine
	$(BIN)/python -m pytest tests/faults -m "slow or not slow" $(ARGS)

lint: setup ## Style, types and import directions
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## Puts the code into the project's format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean: ## Removes the environment and the tools' caches; studies and data stay
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
