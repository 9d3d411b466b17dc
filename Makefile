# Two commands do everything: `make run` and `make test`. The rest are their parts.
SHELL := /bin/sh
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

# make run TRACE=path.csv.gz SPEED=30 PORT=9000 SCENARIO=chat-8b DATA_DIR=...
UP_FLAGS := $(if $(TRACE),--trace '$(TRACE)') $(if $(SPEED),--speed $(SPEED)) $(if $(PORT),--port $(PORT)) \
            $(if $(SCENARIO),--scenario '$(SCENARIO)') $(if $(DATA_DIR),--data-dir '$(DATA_DIR)')

.PHONY: help run test lint types contracts pytest web-test install web browser lock openapi proto clean screenshots

help: ## Show the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

run: install web ## Start the whole on the embedded default (TRACE= SPEED= PORT= SCENARIO= DATA_DIR=)
	@exec $(BIN)/tidegate up $(UP_FLAGS)

test: install web browser ## Every suite: ruff, types, contracts, pytest, web tests, browser test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd web && npm run --silent typecheck && npm test --silent
	$(BIN)/pytest

install: $(STAMP)
web: web/dist/index.html

# uv installs the locked versions in seconds; where it cannot be had, pip installs the same ones.
$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Tidegate needs Python >= 3.11; $(PYTHON) is $$($(PYTHON) --version). Try: make PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing Python packages into $(VENV) ..."
	@if $(BIN)/python -m pip install --quiet --disable-pip-version-check uv && \
	  UV_NATIVE_TLS=1 $(BIN)/python -m uv pip install --quiet --python $(BIN)/python -r requirements.lock; then :; else \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock; fi
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

# `npm ci` wants every platform's optional packages in the lock; where a registry did not have them all when it was
# written, `npm install` takes the locked versions and adds this platform's.
web/node_modules/.installed: web/package.json web/package-lock.json
	@command -v npm >/dev/null || { echo "Tidegate's web UI needs Node >= 20 with npm; see https://nodejs.org"; exit 1; }
	@node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' \
	  || { echo "Tidegate's web UI needs Node >= 20; this is $$(node --version)"; exit 1; }
	@echo "Installing the web UI's packages ..."
	@cd web && { npm ci --silent --no-audit --no-fund 2>/dev/null || \
	  npm install --silent --no-save --no-audit --no-fund; }
	@touch $@

web/dist/index.html: web/node_modules/.installed $(shell find web/src web/index.html web/vite.config.ts web/tsconfig*.json -type f 2>/dev/null)
	@echo "Building the web UI ..."
	@cd web && npm run --silent build
	@touch $@

# The browser test needs a Chromium; Debian's is installed where that is possible, else the test says why it skips.
browser:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || test "$$(uname)" = Darwin || \
	  { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && echo "Installing chromium for the browser test ..." && \
	    { apt-get install -y -qq chromium >/dev/null 2>&1 || { apt-get update -qq && apt-get install -y -qq chromium >/dev/null 2>&1; }; }; } || \
	  echo "No chromium: the browser test will be skipped."

# Not the extra vllm: an engine with its gigabytes of CUDA is no part of a development environment.
lock: ## Write requirements.lock anew from pyproject.toml
	$(BIN)/python -m uv pip compile pyproject.toml --extra dev --extra embedded --extra plot --universal --python-version 3.11 \
	  --no-emit-index-url --no-header --quiet -o requirements.lock

openapi: install ## Write the API's OpenAPI document and the web UI's types from it
	$(BIN)/tidegate openapi > web/openapi.json
	cd web && npm run --silent generate

proto: install ## Make the Python of KEDA's protocol
	$(BIN)/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. --grpc_python_out=. \
	  controlplane/adapters/keda/externalscaler.proto

screenshots: install web browser ## Make a picture of every page, light and dark, from a fresh run
	$(BIN)/python -m tests.e2e.screenshot

clean: ## Remove what the commands above built (not your data)
	rm -rf $(VENV) web/node_modules web/dist .pytest_cache .mypy_cache .ruff_cache
