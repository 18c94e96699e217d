# Everything a developer types. `make help` lists the targets; options are variables of the environment or of .env.
SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV   := .venv
PYTHON := $(VENV)/bin/python
# The package, and the project root for tests and benchmarks.
export PYTHONPATH := $(CURDIR)/include$(if $(PYTHONPATH),:$(PYTHONPATH))

# A stamp for each lock's content: an unchanged lock costs nothing, a changed one installs what differs.
hash      = $(shell sha256sum $(1) 2>/dev/null | cut -c1-16)
RUN_STAMP := $(VENV)/.installed-$(call hash,requirements.lock)
DEV_STAMP := $(VENV)/.installed-dev-$(call hash,requirements-dev.lock)
STACK     := $(PYTHON) -m powersense.local.stack
# --from '2018-01-01' for FROM=2018-01-01, nothing for what was not given; values may hold blanks and apostrophes.
quote     = '$(subst ','\'',$(1))'
given     = $(if $(value $(1)),--$(shell echo $(1) | tr A-Z a-z) $(call quote,$(value $(1))))

.PHONY: help setup demo demo-once demo-reset start stop airflow autoloader dbt backup backtest test lint format bench docs lock clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(DEV_STAMP) ## Create .venv with everything that running, testing and linting need

demo: $(RUN_STAMP) ## Run the whole stack on recorded data whose clock is now, incident included; Ctrl-C stops it
	@exec $(STACK) demo

demo-once: $(RUN_STAMP) ## Run every step once on recorded data, print what came out, write build/demo.json
	@exec $(STACK) demo-once

demo-reset: $(RUN_STAMP) ## Stop the demos and forget their data
	@$(STACK) stop
	rm -rf $(or $(POWERSENSE_STATE_DIR),.powersense)/demo $(or $(POWERSENSE_STATE_DIR),.powersense)/demo-once build/demo.json

start: $(RUN_STAMP) ## Run the whole stack on the live portal; Ctrl-C stops it
	@exec $(STACK) live

stop: $(RUN_STAMP) ## Stop the stacks that run in other terminals
	@$(STACK) stop

airflow: $(RUN_STAMP) ## Run an Airflow command on the local stack: make airflow ARGS="dags list"
	@$(PYTHON) -m powersense.local.shell $(PYTHON) -m airflow $(ARGS)

autoloader: $(RUN_STAMP) ## Check or run file ingestions on the local stack: make autoloader ARGS="dry-run meters"
	@$(PYTHON) -m powersense.local.shell $(PYTHON) -m powersense.autoloader $(ARGS)

dbt: $(RUN_STAMP) ## Run a dbt command on the local stack: make dbt ARGS="build"
	@$(PYTHON) -m powersense.local.shell $(VENV)/bin/dbt $(ARGS) --project-dir dbt --profiles-dir dbt

backup: $(RUN_STAMP) ## Copy, check or bring back the local stack's warehouse: make backup ARGS="create monday"
	@$(PYTHON) -m powersense.local.shell $(PYTHON) -m powersense.backup $(or $(ARGS),create)

# With files no stack is needed; without, the one that runs, or ran last, says where the warehouse is.
backtest: $(RUN_STAMP) ## Walk forward over the past, print the scorecard: make backtest FROM=2018-01-01 TO=2018-12-31
	@$(if $(LOAD),,$(PYTHON) -m powersense.local.shell) $(PYTHON) -m powersense.backtest $(strip \
	  $(foreach option,FROM TO AREAS LEADS MODEL WEATHER VINTAGE LOAD TEMPERATURE,$(call given,$(option))))

# In three processes, since tests also wait, file by file, since a file's tests share what they start; in the order of the tree,
# whose short files come last, so that the processes end together.
test: $(DEV_STAMP) ## Run the tests: make test ARGS="tests/unit -x"
	@$(PYTHON) -m pytest $(or $(ARGS),--numprocesses 3 --dist loadfile --no-loadscope-reorder)

lint: $(DEV_STAMP) ## Check style, types, import contracts, SQL and the Dockerfile
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/sqlfluff lint dbt
	$(VENV)/bin/hadolint Dockerfile

format: $(DEV_STAMP) ## Format the Python files and fix what can be fixed
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

bench: $(DEV_STAMP) ## Measure speed and memory against references, write build/bench.json
	@$(PYTHON) -m benchmarks $(ARGS)

# Not --quiet: then a warning is none, and --strict lets it pass.
docs: $(DEV_STAMP) ## Build the documentation into build/site; a broken link fails it
	@NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --strict
	@echo "build/site/index.html"

lock: ## Resolve requirements*.txt again into the two locks (needs uv)
	uv pip compile --quiet --universal --override requirements-overrides.txt --generate-hashes --no-header --python-version 3.11 -o requirements.lock requirements-local.txt
	uv pip compile --quiet --universal --override requirements-overrides.txt --generate-hashes --no-header --python-version 3.11 -o requirements-dev.lock requirements-dev.txt

clean: ## Remove build output and caches; keeps .venv and the stacks' data
	rm -rf build dbt/target dbt/logs .pytest_cache .mypy_cache .ruff_cache .hypothesis

# The stamps are named after what they install: they need no other prerequisite.
$(RUN_STAMP):
	@[ -e "$(DEV_STAMP)" ] || { $(call install,requirements.lock); }
	@touch $@

$(DEV_STAMP):
	@$(call install,requirements-dev.lock)
	@touch $@

# Airflow 3.3 runs on 3.11 to 3.13 as far as this project is tested. The lock is complete: nothing is resolved here.
define install
set -e; begun=$$(date +%s); \
if [ ! -x $(PYTHON) ]; then \
  for found in $${PYTHON3:-} python3.12 python3.11 python3.13 python3; do \
    if "$$found" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then break; fi; found=; \
  done; \
  if [ -z "$$found" ]; then \
    echo "PowerSense needs Python 3.11, 3.12 or 3.13 and found none. Install one, or name it: make PYTHON3=/path/to/python3.12 $(or $(MAKECMDGOALS),setup)" >&2; exit 1; \
  fi; \
  if ! "$$found" -c 'import ensurepip' 2>/dev/null; then \
    echo "$$found cannot create virtual environments: Debian and Ubuntu keep that in a package of its own. Remedy:" >&2; \
    echo "  sudo apt-get install python3-venv" >&2; exit 1; \
  fi; \
  echo "  creating $(VENV) with $$("$$found" --version)"; "$$found" -m venv $(VENV); \
fi; \
$(PYTHON) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m ensurepip >/dev/null; \
echo "  installing $(1) into $(VENV), once: a few minutes, 2 GB of disk"; \
$(PYTHON) -m pip install -qq --disable-pip-version-check --require-hashes --no-deps -r $(1); \
echo "✓ Python environment                 $$(( $$(date +%s) - begun )) s"
endef
