# Two commands matter: `make run` and `make test`. Everything else is for people who change Fireline.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TEST_STAMP := $(VENV)/.test-tools

.DEFAULT_GOAL := help
.PHONY: help setup run test check compiled bench faults fmt lock clean

help:  ## Say what each target does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 16

setup: $(STAMP)  ## Make .venv with the locked dependencies and Fireline itself

$(STAMP): requirements.lock pyproject.toml
	@echo "Installing Fireline and its locked dependencies into $(VENV) (once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

run: setup  ## Run Fireline on embedded defaults with the demo gateway beside it
	@$(BIN)/fireline demo $(ARGS)

$(TEST_STAMP): $(STAMP) deploy/test-tools.sh
	@bash deploy/test-tools.sh
	@touch $@

check: setup  ## Lint, format, types, layers, and the repository's own rules and runbooks, with the tests of both
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/fireline check
	@$(BIN)/fireline test
	@$(BIN)/fireline test packs
	@$(BIN)/fireline runbook test --strict

# Every test collects and starts processes: what is compiled is kept, whatever the environment says, and made once
# before several workers would each make it. Tools are fetched while the checks take the other core.
test: export PYTHONDONTWRITEBYTECODE :=
test: setup  ## Install what tests need, and pass them all
	@$(MAKE) --no-print-directory --jobs check compiled $(TEST_STAMP)
	@$(BIN)/python -m pytest -n 4 --dist load --maxschedchunk 8 --durations 25

compiled: setup
	@$(BIN)/python -m pytest --collect-only --quiet >/dev/null || true  # what is broken is told by the tests' own run

bench: setup $(TEST_STAMP)  ## Measure, side by side with peers (ARGS=--quick: about ten minutes)
	@failed=; for f in benchmarks/bench_*.py benchmarks/profile_stream.py; do \
	  $(BIN)/python $$f $(ARGS) || failed="$$failed $$f"; done; \
	  test -z "$$failed" || { echo "failed:$$failed" >&2; exit 1; }

faults: setup $(TEST_STAMP)  ## Long fault campaigns, all examples, and every small change of every rule
	@$(BIN)/fireline test --mutate
	@$(BIN)/fireline test packs --mutate
	@FIRELINE_FAULTS=long $(BIN)/python -m pytest tests/faults tests/e2e
	@FIRELINE_FAULTS=long $(BIN)/python -m pytest $$(grep -rl 'import examples' tests --include='test_*.py')  # on all of them

fmt: setup  ## Format and mend what can be mended
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock:  ## Resolve requirements.lock anew (needs uv)
	@uv pip compile pyproject.toml --extra dev --universal --generate-hashes --no-emit-index-url \
	  --python-version 3.11 --no-header --quiet --upgrade -o requirements.lock

clean:  ## Remove what was installed and run-time state
	@rm -rf $(VENV) .tools .fireline
