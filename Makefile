# `make` runs the pipeline, `make test` the checks and tests. Both set up .venv first. `make help` lists the rest.

# Not /bin/sh: with that, older makes start simple commands without the PATH exported below.
SHELL := bash
PYTHON ?= python3
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Each file's tests stay in one process, which makes what they share once. More processes than four would fill the memory.
# The processes share the cores already: more threads in each of them would only wait for one another.
PYTEST := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := repro
.PHONY: repro repair test coverage test-fast lint lock bench clean help

repro: $(VENV)/requirements.installed  ## Set up .venv and run the pipeline (the default)
	@# A killed dvc can leave its files broken: when that was so, they are repaired and dvc goes on.
	dvc repro || { python -m lacuna.repair && dvc repro; }
	@python -m lacuna.tracking.store
	@# Where everything came out as in the committed lock, track had nothing to do, and MLflow is still empty here.
	@[ -e mlflow.db ] || [ -n "$$MLFLOW_TRACKING_URI" ] || dvc repro --single-item --force track

repair: $(VENV)/requirements.installed  ## Repair what a killed dvc left behind: an empty dvc.lock, locks nobody holds
	@python -m lacuna.repair || { [ $$? -eq 3 ] && echo "nothing to repair"; }

test: lint  ## Set up .venv, run every check and every test
	$(PYTEST)

coverage: $(VENV)/requirements-dev.installed  ## Every test, and which lines none of them reaches: a third longer
	$(PYTEST) --cov --cov-report=term-missing:skip-covered

test-fast: $(VENV)/requirements-dev.installed  ## The tests without the slow end-to-end ones
	$(PYTEST) -m "not slow"

lint: $(VENV)/requirements-dev.installed  ## Style, types and import rules
	ruff check .
	ruff format --check .
	mypy
	lint-imports

lock: $(VENV)/requirements-dev.installed  ## Renew the requirements*.txt from the .in files
	$(call compile,requirements)
	$(call compile,requirements-dev)
	$(call compile,requirements-serve,--constraint requirements.txt)
	$(call compile,requirements-ray)

bench: $(VENV)/requirements-dev.installed  ## Measure speed, memory and quality; FASHION=FOLDER names the fashion products
	python -m benchmarks all --fashion "$(FASHION)"

clean:  ## Remove .venv and the tools' caches; data, models and DVC's cache stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage

help:  ## List these targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/^([a-z-]+):.*##[[:space:]]*/\1\t/' | expand -t 12

# Universal: one lock for every platform and Python 3.11 to 3.13.
define compile
uv pip compile --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --quiet \
	--override requirements-overrides.txt --custom-compile-command "make lock" $(2) $(1).in --output-file $(1).txt
endef

# Installed again only when the lock is newer than the last complete installation. Without a look at the packages' own
# demands, because the lock is complete: pip would fetch newer releases for extras (coverage[toml]) than it names.
$(VENV)/%.installed: %.txt | $(VENV)/bin/pip
	python -m pip install --no-deps --require-hashes -r $<
	@touch $@

# pip is the last thing `venv` puts in place, so an interrupted set-up starts over.
$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "error: Lacuna needs Python 3.11, 3.12 or 3.13, $(PYTHON) is $$($(PYTHON) --version 2>&1);" \
		"name another one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
		{ echo "error: $(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "Setting up $(VENV), once: about 3 minutes"
	$(PYTHON) -m venv --clear $(VENV)
