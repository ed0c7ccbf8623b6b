# `make paper` and `make test` install what they need. Everything lives in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 5
export NO_MKDOCS_2_WARNING = 1

.PHONY: help install install-dev paper doctor test lint docs docs-serve image image-check clean

help:            ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/ —/'

install: $(VENV)/.installed        ## set up .venv from requirements.txt

install-dev: $(VENV)/.installed-dev   ## the same with the test, lint and documentation tools

$(VENV)/.installed: requirements.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV), about a minute"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@echo "compiling the solvers"
	$(BIN)/python -m advanced_mm.model
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

paper: install   ## the whole system on a loopback venue, real orders for play money: MINUTES=3, BOTH=1, DRY=1 (a dry run), COIN=ETH, REPLAY=DIR, SCENARIO=FILE, SUMMARY=FILE
	$(BIN)/python scripts/paper_trading.py $(strip $(if $(MINUTES),--minutes $(MINUTES)) $(if $(LIVE),--live) $(if $(DRY),--dry) $(if $(BOTH),--both-sides) $(if $(REPLAY),--replay $(REPLAY)) $(if $(SCENARIO),--scenario $(SCENARIO)) $(if $(COIN),--coin $(COIN)) $(if $(SUMMARY),--summary $(SUMMARY)))

doctor: install   ## what is missing or wrong in your set-up, and what to do: CONFIG="FILE FILE", DATA=DIR
	$(BIN)/python scripts/doctor.py $(strip $(if $(CONFIG),--config $(CONFIG)) $(if $(DATA),--data-dir $(DATA)))

# What runs real processes and sockets can miss its moment on a busy machine: a failed test is run
# once more, and the summary names it as RERUN. Such a test wants mending, too.
# Some images forbid Python to keep what it compiled. Each of the tests' many processes would compile
# the project anew, and each worker rewrite every test file's assertions: an eighth of the time.
test: export PYTHONDONTWRITEBYTECODE =
test: install-dev   ## all tests, WORKERS=5 at once (the long ones wait rather than compute)
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --reruns 1 -raR

lint: install-dev   ## ruff, mypy, and a strict build of the documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mkdocs build --strict --quiet

docs: install-dev   ## build the documentation site into site/
	$(BIN)/mkdocs build --strict

docs-serve: install-dev   ## show the documentation at http://127.0.0.1:8000 while you write
	$(BIN)/mkdocs serve

image: install   ## the container image, built with Docker or, for root on Linux, with buildah
	$(BIN)/python docker/check_image.py --build-only

image-check: install   ## build it (or take IMAGE=NAME), run its services on a loopback venue until quotes are sent
	$(BIN)/python docker/check_image.py $(if $(IMAGE),--image $(IMAGE))

clean:           ## remove .venv, caches and the built site, never data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache site
