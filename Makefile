# Everything here works in a fresh clone: it asks nothing, needs no root, and keeps what it fetches below the clone.
# `.venv/.stamp-*` remember what is set up, so that a second run starts at once.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

BIN := .venv/bin
PYTHON := $(BIN)/python

# Caches of pip, uv and npm stay here, too.
export XDG_CACHE_HOME := $(CURDIR)/.cache
export PIP_CACHE_DIR := $(CURDIR)/.cache/pip
export UV_CACHE_DIR := $(CURDIR)/.cache/uv
export UV_PYTHON_INSTALL_DIR := $(CURDIR)/.cache/python
export npm_config_cache := $(CURDIR)/.cache/npm
# Node is the machine's, or else the one that tools/setup-node puts into .venv.
export PATH := $(PATH):$(CURDIR)/$(BIN)

# The programs of bench/; what they share and what they start themselves is no benchmark of its own, and proofs that
# take long have targets of their own.
BENCHMARKS := $(filter-out __init__ chaos fidelity floor ground_truth measure,$(basename $(notdir $(wildcard bench/*.py))))

.PHONY: help setup demo test check check-mypy check-pyright audit fuzz scan bench ground-truth fidelity chaos golden serve package docs lock clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

setup: .venv/.stamp-python .venv/.stamp-node ## everything that the other targets would set up when they need it

demo: .venv/.stamp-python ## a sweep of a simulated estate: plan, apply, verify, the story
	$(PYTHON) -m tools.demo

# Three on two cores: each waits for a process, a browser or a lock now and then.
test: setup ## every test, with every real part they need
	$(PYTHON) -m pytest -n 3 --dist worksteal

check: setup ## formatting, lint, types, import contracts, generated docs and locks current
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(MAKE) --no-print-directory --jobs=2 check-mypy check-pyright
	$(BIN)/lint-imports
	$(if $(wildcard tools/docs.py),$(PYTHON) -m tools.docs --check)
	$(PYTHON) -m tools.lock --check
	$(BIN)/zizmor --offline --quiet .github/workflows
	tools/bicep-lint

# Two judges of types take a minute each; side by side they take one.
check-mypy:
	$(BIN)/mypy .

check-pyright:
	node_modules/.bin/pyright

audit: .venv/.stamp-scan ## what is pinned, held against the known vulnerabilities; needs the internet, and fails without it
	.venv/scan/bin/pip-audit --strict --disable-pip --require-hashes --requirement requirements.txt
	.venv/scan/bin/pip-audit --strict --disable-pip --require-hashes --requirement requirements-dev.txt

fuzz: .venv/.stamp-python ## the running app asked what its OpenAPI description allows, and what not; `FUZZ="--seed 1"`
	$(PYTHON) -m tests.security.fuzzing $(FUZZ)

scan: .venv/.stamp-scan ## the templates judged by checkov, from an environment of its own
	$(PYTHON) -m tools.scan

bench: setup ## the benchmarks; results in bench/results/
	for program in $(BENCHMARKS); do echo "== $$program"; $(PYTHON) -m "bench.$$program"; done

ground-truth: .venv/.stamp-python ## fifty generated estates swept, and each finding held against what is true of them
	$(PYTHON) -m bench.ground_truth

fidelity: .venv/.stamp-python ## two hundred generated estates: what a dry run lists is what an apply sends
	$(PYTHON) -m bench.fidelity

chaos: .venv/.stamp-python ## six hundred injured machines, while Azure fails and workers are killed
	$(PYTHON) -m bench.chaos

serve: .venv/.stamp-python ## the function app on a development host against the simulated Azure
	$(PYTHON) -m devhost

package: .venv/.stamp-python ## what would be deployed, as one zip in build/: the same commit, the same bytes
	$(PYTHON) -m tools.package

golden: .venv/.stamp-python ## write the golden plans of tests/golden anew; read what has changed
	$(PYTHON) -m tests.golden

docs: .venv/.stamp-python ## renew the generated pages of docs/
	$(PYTHON) -m tools.docs

lock: .venv/.stamp-python ## renew the lock files after a change of pyproject.toml, keeping the pins that still fit
	$(PYTHON) -m tools.lock

clean: ## remove what make has set up and what runs have left
	rm -rf .venv .cache node_modules build *.egg-info .patchwright .azurite
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.stamp-python: requirements-dev.txt pyproject.toml tools/setup-python
	tools/setup-python
	@touch $@

.venv/.stamp-scan: requirements-scan.txt .venv/.stamp-python
	$(BIN)/uv venv --quiet --clear --python $(PYTHON) .venv/scan
	$(BIN)/uv pip install --quiet --python .venv/scan/bin/python --require-hashes --requirement requirements-scan.txt
	@touch $@

.venv/.stamp-node: package-lock.json tools/setup-node .venv/.stamp-python
	tools/setup-node
	@touch $@
