# One target per job. Plain `make` lists them; developers and CI run the same commands.

.DEFAULT_GOAL := help
SHELL := /bin/sh
PORT ?= 8080
BIN := .venv/bin
# Let Python cache compiled modules, so that the many processes of a run do not compile them again.
unexport PYTHONDONTWRITEBYTECODE
LOCK := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --no-header pyproject.toml --extra control-plane --extra binaries

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' \
		| while IFS="$$(printf '\t')" read -r target does; do printf '  make %-8s %s\n' "$$target" "$$does"; done

.PHONY: setup
setup: ## Prepare this machine to run StreamGate: system packages (as root), .venv, the streamgate command
	@deploy/setup.sh run

.PHONY: demo
demo: setup ## See everything at http://127.0.0.1:8080 (PORT=... for another port): a recording, a live stream, codes
	@PORT=$(PORT) STREAM_ROOT='$(CURDIR)/streams' $(BIN)/streamgate demo --home .demo

.PHONY: test-setup
test-setup:
	@deploy/setup.sh test

.PHONY: test
test: test-setup ## Run all tests: lint, units, real neighbours, real nginx, real browser (FAST=1: lint, units, SQLite; LONG=1: all cases)
	LONG=$(LONG) $(BIN)/pytest $(if $(FAST),--one-database tests/lint tests/integration tests/unit)

.PHONY: lint
lint: test-setup ## Check style, types and which module may import which
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: format
format: test-setup ## Format the code and fix what can be fixed automatically
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: bench
bench: test-setup ## Measure the gate against bare nginx, and the delay of revocations
	$(BIN)/python -m tests.bench

.PHONY: soak
soak: test-setup ## Ten minutes of mixed load, failures and revocations, then an origin outage; every answer is checked
	$(BIN)/python -m tests.soak
	$(BIN)/python -m tests.soak.origin_outage

.PHONY: pictures
pictures: test-setup ## Take the README's pictures again: of the real pages, by the test that is part of every run
	PICTURES=docs/images $(BIN)/pytest -n 0 tests/e2e/test_pictures.py

.PHONY: vendor
vendor: ## Rebuild the vendored browser code from its pinned packages (needs Node.js and npm)
	control_plane/vendoring/build.sh

.PHONY: lock
lock: test-setup ## Pin all Python packages again, with hashes
	$(LOCK) --group build -o deploy/requirements.lock
	$(LOCK) --group build --group dev -c deploy/requirements.lock -o deploy/requirements-dev.lock

.PHONY: clean
clean: ## Remove everything built here: .venv, caches, the demo and its streams
	rm -rf .venv .setup .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -rf streams/5e4de300-0000-4000-8000-* streams/.5e4de300-0000-4000-8000-*
	find . -name __pycache__ -type d -not -path './*/node_modules/*' -prune -exec rm -rf {} +
