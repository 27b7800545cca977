# Two commands are enough: `make run` and `make test`. `make help` lists the rest.
#
# The environment lives in .venv/, run-time state in var/; both are ignored by git.

PYTHON ?= python3
BIN    := .venv/bin
DOMAIN ?=
CONFIG ?=
MINUTES ?=
ARGS   ?=

# The stamps say what is installed; a changed lock or project definition installs again.
RUN_ENV := .venv/.installed-run
DEV_ENV := .venv/.installed-dev
BENCH_ENV := .venv/.installed-bench

.DEFAULT_GOAL := help
.PHONY: help run lab test lint servers bench soak fuzz render pictures lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(RUN_ENV) ## the daemon: DOMAIN=example.com, CONFIG=file.yaml, or with neither the bundled lab
	@exec $(BIN)/deliverability run $(if $(DOMAIN),--domain '$(DOMAIN)') $(if $(CONFIG),--config '$(CONFIG)') $(if $(DOMAIN)$(CONFIG),,--lab) $(ARGS)

lab: $(RUN_ENV) ## the lab alone: DNS, blocklists, mail servers and senders on loopback
	@exec $(BIN)/deliverability lab $(ARGS)

test: $(DEV_ENV) servers ## every test; what cannot be installed is named at the end (ARGS=… go to pytest)
	@scripts/test $(ARGS)

lint: $(DEV_ENV) ## ruff, mypy --strict, import rules, promtool
	@scripts/lint

servers: ## the servers that the tests use (as root on Debian; elsewhere says what is missing)
	@scripts/install-test-servers

bench: $(BENCH_ENV) ## speed and memory, as ratios to a peer in the same run
	@exec $(BIN)/python bench/run.py $(ARGS)

soak: $(DEV_ENV) ## the daemon on the lab for MINUTES=10 (memory, open files), then as long what it shows, simulated
	@$(BIN)/python bench/soak.py $(MINUTES)
	@TRUTH_SECONDS=$$((60 * $(or $(MINUTES),10))) $(BIN)/python -m pytest -q tests/runner/test_truth.py

fuzz: $(DEV_ENV) ## 1,000,000 broken DNS responses, then the property tests, again and again with new examples, for MINUTES=5
	@MINUTES='$(MINUTES)' scripts/fuzz $(ARGS)

render: $(RUN_ENV) ## alert rules, dashboards and reference, written anew from the checks
	@$(BIN)/deliverability rules
	@$(BIN)/deliverability dashboards
	@scripts/reference

pictures: $(RUN_ENV) ## the README's pictures, made anew from the lab (needs Chromium)
	@$(BIN)/python scripts/pictures.py

lock: $(DEV_ENV) ## the hash locks, after a change of dependencies (ARGS=--upgrade for newer versions)
	@scripts/lock $(ARGS)

clean: ## removes the environment, state and caches
	rm -rf .venv var build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUN_ENV): requirements.txt pyproject.toml scripts/environment
	@PYTHON='$(PYTHON)' scripts/environment requirements.txt
	@touch $@

$(DEV_ENV): $(RUN_ENV) requirements-dev.txt
	@PYTHON='$(PYTHON)' scripts/environment requirements.txt requirements-dev.txt
	@touch $@

$(BENCH_ENV): $(DEV_ENV) requirements-bench.txt
	@PYTHON='$(PYTHON)' scripts/environment requirements.txt requirements-dev.txt requirements-bench.txt
	@touch $@
