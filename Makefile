# Two commands on a fresh machine with Python 3.11 or newer: `make book` and `make test`. `make help` lists the rest.
PYTHON ?= python3
BIN := .venv/bin
NOTEBOOK ?=
PORT ?= 8000
export OMP_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1
ifdef MEDGEN_DATA
export MEDGEN_DATA := $(abspath $(MEDGEN_DATA))
endif
BUILD := $(BIN)/jupyter-book build . -q -W -n --keep-going --all
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help book test lab serve execute lint format stamp clean site

help: ## Show this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

book: site ## Build the site into _build/html
	@echo
	@echo "The book is built. Open this file in a browser:"
	@echo "  $(CURDIR)/_build/html/index.html"
	@echo "or run 'make serve' and open http://localhost:$(PORT)"

site: .venv/book
	$(BUILD)

test: export MEDGEN_MODE = fast
test: .venv/dev lint site ## Lint, build the site, run the unit tests, the notebooks (fast mode) and the site tests
	$(BIN)/pytest chapters tests -n 2 --dist loadfile -rs \
		--nbval-lax --nbval-current-env --nbval-cell-timeout 300

lab: .venv/lab ## Open the chapters in JupyterLab
	$(BIN)/jupyter lab chapters

serve: site ## Build the site and serve it on http://localhost:8000 (PORT=...)
	@echo "http://localhost:$(PORT)  (Ctrl-C stops)"
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

execute: .venv/dev ## Run the notebooks in full mode and store their outputs (one only: NOTEBOOK=chapters/x.ipynb)
	MEDGEN_MODE=full MEDGEN_STATIC=1 $(BIN)/python tools/execute.py $(NOTEBOOK)

lint: .venv/dev ## Check format, code and stamped addresses
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python tools/stamp.py --check

format: .venv/dev ## Format the code and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

stamp: .venv/book ## Write the address and version of pyproject.toml into every file that shows them
	$(BIN)/python tools/stamp.py

clean: ## Delete what was built (the environment too: rm -rf .venv)
	rm -rf _build .pytest_cache .ruff_cache .hypothesis

# The environment. Each stamp file is newer than what it was made from, so a second run installs nothing.
.venv/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Python 3.11 or newer is needed; '$(PYTHON)' is missing or older. Try: make PYTHON=python3.12 book"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "Python's venv module is missing. On Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@touch $@

.venv/book: .venv/python requirements.txt constraints.txt pyproject.toml
	$(BIN)/python -m pip install -q -r requirements.txt -c constraints.txt
	$(BIN)/python -m pip install -q --no-deps -e .
	@touch $@

.venv/dev: .venv/book requirements-dev.txt
	$(BIN)/python -m pip install -q -r requirements-dev.txt -c constraints.txt
	@touch $@

.venv/lab: .venv/book
	$(BIN)/python -m pip install -q jupyterlab -c constraints.txt
	@touch $@
