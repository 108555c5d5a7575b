# Bare `make` lists the verbs. Each verb sets up what it needs; nothing has to be installed beforehand but python3.11.
SHELL := /bin/sh
VENV ?= .venv
BIN := $(VENV)/bin
export OMP_NUM_THREADS ?= 1
export PYTHONHASHSEED := 0

.PHONY: help setup demo test quick check format lock bench soak screenshots clean

help:  ## list the verbs
	@grep -E '^[a-z]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 10

setup:  ## build .venv from the hash-pinned lock (python3.11 and pip are enough)
	@sh scripts/setup.sh requirements/dev.txt $(VENV)

demo: setup  ## the main job on a simulated cohort: simulate, check, train, promote, export, serve, ask
	@sh scripts/demo.sh $(BIN)

test: setup  ## the whole test suite
	@$(BIN)/python -m pytest -n 2 --dist worksteal

quick: setup  ## the tests that take less than a few seconds each
	@$(BIN)/python -m pytest -n 2 -m "not slow"

check: setup  ## format, lint, types, import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: setup  ## let the formatter have its way
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix-only .

lock: setup  ## regenerate the three locks
	@UV=$(abspath $(BIN))/uv sh scripts/lock.sh

bench: setup  ## measured tables of docs/benchmarks-*.md (minutes to an hour)
	@for b in bench_features bench_serving bench_trees bench_peers bench_worlds run_listing search_cost; do echo "== $$b"; $(BIN)/python benchmarks/$$b.py || exit 1; done

soak: setup  ## long runs: coverage, null and power simulations (hours)
	@for b in soak_claims log_durability paired_null replay soak_schemathesis; do echo "== $$b"; $(BIN)/python benchmarks/$$b.py || exit 1; done

screenshots: setup  ## pictures of the page into build/screenshots (chromium; runs the demo first if it has not run)
	@test -f demo/patient.json || sh scripts/demo.sh $(BIN)
	@$(BIN)/python scripts/screenshots.py demo/bundle demo/patient.json build/screenshots

clean:  ## remove what the verbs made (not the tracking store under .vagus)
	@rm -rf demo .pytest_cache .ruff_cache .mypy_cache
