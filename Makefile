# Everything from Python 3.11 to 3.13, make and the package registries: uv, the virtual environment, Kafka and PostgreSQL are fetched on first use.
PYTHON ?= python3
UV_VERSION := 0.13.9
UV := .tools/bin/uv
RUN := .venv/bin
READY := .venv/.ready
# What Python has compiled it keeps, whatever the caller's shell says: a stack starts ten processes of a thousand modules.
unexport PYTHONDONTWRITEBYTECODE
SOURCES := contracts chassis safeguards verifier witness services cli tests

.DEFAULT_GOAL := help
.PHONY: help setup demo check format test journeys mutants bench up down docker clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(UV):
	@echo "fetching uv $(UV_VERSION)"
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 13) else "Guichet needs Python 3.11, 3.12 or 3.13; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.11")'
	@$(PYTHON) -m venv .tools
	@.tools/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(READY): uv.lock pyproject.toml $(wildcard */pyproject.toml services/*/pyproject.toml) | $(UV)
	$(UV) sync --locked --compile-bytecode --python $(PYTHON)
	@touch $@

setup: $(READY) ## install the locked environment, and fetch Kafka once
	@$(RUN)/guichet doctor --fetch

demo: $(READY) ## the whole story in two minutes: dossiers, decisions, a workspace, a trail that verifies
	@$(RUN)/guichet demo

check: $(READY) ## format, lint, types, import rules, contracts gate, a case for every rule
	$(RUN)/ruff format --check $(SOURCES)
	$(RUN)/ruff check $(SOURCES)
	$(RUN)/mypy
	$(RUN)/lint-imports
	$(RUN)/guichet contracts check
	$(RUN)/guichet rules check

format: $(READY) ## rewrite the code as `make check` wants it
	$(RUN)/ruff format $(SOURCES)
	$(RUN)/ruff check --fix $(SOURCES)

test: $(READY) ## every test, on a real broker and a real database
	$(RUN)/pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

journeys: $(READY) ## only the journeys across the four services
	$(RUN)/pytest tests/journeys $(ARGS)

mutants: $(READY) ## how many small faults in periods, routes and silence the tests of the law notice
	@rm -rf .mutants/src .mutants/tests && mkdir -p .mutants/tests/compliance
	@cp -a services/compliance/src .mutants/src && cp -a tests/compliance/law .mutants/tests/compliance/law
	@cp -a tests/cases tests/support .mutants/tests/ && cp -a pyproject.toml .mutants/
	cd .mutants && CI=1 LAW_EXAMPLES=20 ../$(RUN)/mutmut run $(ARGS)
	@cd .mutants && ../$(RUN)/mutmut results && ../$(RUN)/mutmut export-cicd-stats && cat mutants/mutmut-cicd-stats.json

bench: $(READY) ## ratios of one run on this machine
	@$(RUN)/guichet bench

up: $(READY) ## start the embedded stack in the background
	@$(RUN)/guichet up --detach

down: $(READY) ## stop it
	@$(RUN)/guichet down

docker: $(READY) ## one dossier through the composed system, with Docker
	deploy/journey

clean: ## remove what was installed; the data of a stack in .guichet stay
	rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
