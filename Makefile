# Two commands for a new user: `make demo` and `make test`. `make help` lists the rest.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
RUN := $(VENV)/bin/python
ENVIRONMENT = @$(if $(PYTHON),$(PYTHON),$(error no Python 3.11 or newer was found: make PYTHON=/path/to/python3)) tools/environment.py $(VENV)

.DEFAULT_GOAL := help
.PHONY: help demo test versions check complete format lint types docs exam wheel compat clouds bench torture clean

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## */  make \1\t/' | expand -t 20

demo:  ## run the main job twice: 1,797 digits remembered, shared out, kept and identified
	$(ENVIRONMENT) demo
	@$(RUN) examples/digits.py

test:  ## run the quick test suite
	$(ENVIRONMENT) test
	@$(RUN) -m pytest

versions:  ## compare keys with those of other Pythons and numpys that are found here
	$(ENVIRONMENT) test
	@$(PYTHON) tools/versions.py .venv-versions $(RUN)
	@$(RUN) -m pytest -q -rs tests/versions

check: complete format lint types docs test exam versions wheel  ## all that CI runs

# With torch, clusters, executors and a browser, too large to make everybody wait for them who runs the tests.
complete:
	$(ENVIRONMENT) test check docs torch dask executors ray
	@$(RUN) tools/browser.py

format:  ## check the formatting (`make format FIX=1` mends it)
	$(ENVIRONMENT) test check
	@$(RUN) -m ruff format $(if $(FIX),,--check) .

lint:  ## check the style (`make lint FIX=1` mends what can be mended)
	$(ENVIRONMENT) test check
	@$(RUN) -m ruff check $(if $(FIX),--fix,) .

types:  ## check the types: the code strictly by mypy, what users see by pyright too
	$(ENVIRONMENT) test check
	@$(RUN) -m mypy
	@$(RUN) -m pyright

docs:  ## build the site into build/docs; every warning is an error
	$(ENVIRONMENT) docs
	@$(RUN) -m sphinx -q -W --keep-going -E -b html -d build/doctrees docs build/docs
	@echo "the site is in build/docs/index.html"

exam:  ## run joblib's tests and a few of scikit-learn's on lightwork: those that passed must pass
	$(ENVIRONMENT) test check dask
	@$(RUN) tools/joblib_exam.py tests/compat/exam_passing.txt --timeout=300
	@$(RUN) tools/libraries.py --short --on lightwork

compat: VENV := .venv-compat
compat: RUN := .venv-compat/bin/python
compat:  ## run the tests of scikit-learn and three more libraries on joblib and on lightwork: as many must pass
	$(ENVIRONMENT) test check compat
	@$(RUN) tools/libraries.py

clouds: VENV := .venv-clouds
clouds: RUN := .venv-clouds/bin/python
clouds:  ## run caches in az:// and gs:// against servers that speak their protocols (needs npm)
	$(ENVIRONMENT) test clouds
	@npm install --silent --no-fund --no-audit --no-save --prefix $(VENV)/azurite azurite@3.35.0
	@$(RUN) -m pytest tests/clouds

wheel:  ## build the wheel, install it elsewhere without extras, and use it
	$(ENVIRONMENT) test check
	@$(RUN) tools/check_wheel.py

bench:  ## measure lightwork and its peers, and write benchmarks/RESULTS.md
	$(ENVIRONMENT) bench
	@$(RUN) benchmarks/run.py --write

torture:  ## the long form of the kill, fork, fill and fuzz tests
	$(ENVIRONMENT) test torture
	@LIGHTWORK_TORTURE=long $(RUN) -m pytest tests/torture tests/property --timeout=1800 -o faulthandler_timeout=1700

clean:  ## remove what the targets above have made
	rm -rf $(VENV) .venv-versions .venv-compat .venv-clouds build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis examples/.digits
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
