# The only entry to every tool. `make` alone lists the targets.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
.DEFAULT_GOAL := help
.PHONY: help demo test check fix lint types arch docs cover bench lock clean

help: ## list the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## (.*)/  \1\t\2/' | expand -t 12

demo: .venv/run ## a real Envoy refuses and admits real requests, and explains each
	@$(BIN)/ostiary demo

test: .venv/dev ## everything a change may break
	@$(BIN)/python -m pytest -n auto

check: lint types arch docs cover test ## test, and lint, types, architecture, docs, coverage

lint: .venv/dev ## ruff
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

fix: .venv/dev ## format, repair what can be repaired, render the generated pages
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format . && $(BIN)/python -m tests.docs.generate --write

types: .venv/dev ## mypy, strict
	@$(BIN)/mypy

arch: .venv/dev ## the floors of the house
	@$(BIN)/lint-imports --no-cache

docs: .venv/dev ## generated pages are current, links lead somewhere
	@$(BIN)/python -m tests.docs.generate --check

cover: .venv/dev ## every branch of the pure rooms is taken by their own tests
	@$(BIN)/coverage run -m pytest tests/oauth tests/decision tests/plugins && $(BIN)/coverage report

bench: .venv/dev .venv/bench ## figures, each beside a bound from the same run
	@$(BIN)/python -m benchmarks

# No address of an index gets into what is pinned: everyone has their own.
lock: .venv/dev ## pin the dependencies anew, by hash
	@for set in run dev bench; do $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate pyproject.toml --extra demo --group build \
	  $$([ $$set = run ] || echo --group $$set -c requirements/run.txt) -o requirements/$$set.txt; done

clean: ## remove what was built
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage build dist

# Three sets, so that the demo does not wait for the linters, nor they for what only a benchmark needs.
.venv/bin/python:
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Ostiary needs Python 3.11 or newer with venv; say which: make PYTHON=python3.12" >&2; exit 2; }
	@echo "Setting up .venv" && $(PYTHON) -m venv .venv

.venv/run .venv/dev .venv/bench: .venv/%: requirements/%.txt pyproject.toml | .venv/bin/python
	@echo "Installing requirements/$*.txt (about a minute the first time)"
	@$(PIP) install --require-hashes -r $<
	@$(PIP) install --no-deps --no-build-isolation -e . && touch $@
