# The tasks of Styx Lab. Each does all its own set-up; Python 3.11 or later and make are all that a machine needs.
# `make PYTHON=python3.12 test` uses another Python than python3.

PYTHON ?= python3
WORKERS ?= 2
VENV := .venv/bin/python
FAST := -m "not slow and not browser and not notebook and not laws"

.DEFAULT_GOAL := help
.PHONY: help demo test check lint laws lab bench clean python setup-demo setup-lab setup-dev browser

help: ## show this list
	@echo "make demo    set up, then show the whole loop: train, prototype, promote, run, kill, recover (2 minutes)"
	@echo "make test    set up, then every check and every test, browser and notebooks included (under 20 minutes)"
	@echo "make check   set up, then lint, types, import rules and the fast tests (under 3 minutes)"
	@echo "make lab     set up, then JupyterLab with everything, on loopback"
	@echo "make bench   set up, then the benchmarks, as JSON"
	@echo "make clean   remove all that these tasks made (your own data in .styx stays)"

demo: setup-demo ## set up and run the demo
	@.venv/bin/styx demo

test: setup-dev browser lint ## every check and every test
	@echo "Tests: all of them, with documents, notebooks and the browser"
	@STYX_HYPOTHESIS=ci $(VENV) -m pytest -n $(WORKERS) --dist loadfile

check: setup-dev lint ## lint, types, import rules, fast tests
	@echo "Tests: the fast ones"
	@$(VENV) -m pytest -n $(WORKERS) --dist loadfile $(FAST)

lint: setup-dev
	@echo "Lint (ruff)"
	@$(VENV) -m ruff check .
	@$(VENV) -m ruff format --check .
	@echo "Types (mypy --strict)"
	@$(VENV) -m mypy
	@echo "Import rules (import-linter)"
	@.venv/bin/lint-imports --no-logo --no-cache

lab: setup-lab
	@echo "JupyterLab on loopback; Ctrl-C twice ends it"
	@$(VENV) -m jupyterlab --ServerApp.ip=127.0.0.1 --ServerApp.allow_root=True --ServerApp.root_dir=. \
		--LabApp.news_url=None --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate

bench: setup-dev
	@.venv/bin/styx bench

clean: python
	@$(PYTHON) tools/setup.py clean

setup-demo setup-lab setup-dev: python
	@$(PYTHON) tools/setup.py $(@:setup-%=%)

browser: setup-dev
	@$(VENV) tools/chromium.py

python:
	@command -v $(PYTHON) >/dev/null || { \
		echo "Styx Lab needs Python 3.11 or later, and there is no $(PYTHON) on the PATH." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Styx Lab needs Python 3.11 or later, and $(PYTHON) is older: name another, as in" >&2; \
		echo "    make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
		echo "$(PYTHON) has no venv and ensurepip modules; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
