# Two commands on a fresh machine with Python 3.11 or newer: `make book` and `make test`. `make help` lists the rest.
# Without a GPU of NVIDIA, a tenth of the download: `make book TORCH="--index-url https://download.pytorch.org/whl/cpu"`.
PYTHON ?= python3
TORCH ?=
BIN := .venv/bin
NOTEBOOK ?=
PORT ?= 8000
export OMP_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1
ifdef MEDGEN_DATA
export MEDGEN_DATA := $(abspath $(MEDGEN_DATA))
endif
PIP := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt
BUILD := $(BIN)/jupyter-book build . -q -W -n --keep-going --all
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help sweep book test lab serve execute lint format write teach clean site explorer colab zip epub audit-site
.PHONY: data features package publish-check mutants speed

# Whoever names a Python gets that one, or is told why not.
ifeq ($(origin PYTHON),command line)
ifneq ($(wildcard $(BIN)/python),)
VERSION_OF = $(shell $(1) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
ifneq ($(call VERSION_OF,$(PYTHON)),$(call VERSION_OF,$(BIN)/python))
$(error .venv holds Python $(call VERSION_OF,$(BIN)/python), and PYTHON=$(PYTHON) is $(or $(call VERSION_OF,$(PYTHON)),not there): \
	rm -rf .venv first, or leave PYTHON out)
endif
endif
endif

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

book: site ## Build the site into _build/html
	@echo
	@echo "The book is built. Open this file in a browser:"
	@echo "  $(CURDIR)/_build/html/index.html"
	@echo "or run 'make serve' and open http://localhost:$(PORT)"

site: .venv/book
	@echo "Step 3 of 3: the site, from the chapters and their stored outputs: about a minute, nothing is shown meanwhile ..."
	@$(BUILD)

test: export MEDGEN_MODE = fast
test: .venv/dev lint site ## Lint, build the site, run the unit tests, the notebooks (fast mode) and the site tests
	$(BIN)/pytest chapters tests -n 2 --dist loadfile -rs \
		--nbval-lax --nbval-current-env --nbval-cell-timeout 300

lab: .venv/lab ## Open the chapters in JupyterLab (options of its own: LAB="--no-browser --port 8899")
	$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) $(LAB) chapters

serve: site ## Build the site and serve it on http://localhost:8000 (PORT=...)
	@$(BIN)/python -m tools.site.serve $(PORT)

zip: site ## Pack the site into _build/medgen-book-VERSION.zip, to be read without a network
	$(BIN)/python -m tools.publish.archive

epub: .venv/dev ## Build the book as _build/medgen-book-VERSION.epub, for e-readers
	rm -rf _build/epub
	$(BUILD) --builder custom --custom-builder epub
	$(BIN)/python -m tools.site.epub

audit-site: .venv/book ## Measure the built chapter pages with Lighthouse (needs a browser and npm; run nothing beside it)
	$(BIN)/python -m tools.site.lighthouse

execute: .venv/dev ## Run the notebooks in full mode and store their outputs (one only: NOTEBOOK=chapters/x.ipynb)
	MEDGEN_MODE=full MEDGEN_STATIC=1 $(BIN)/python -m tools.execute $(NOTEBOOK)
	$(BIN)/python -m tools.write

sweep: .venv/dev ## Try four methods on every problem; MEDGEN_MODE=full runs what the scoreboard lacks and goes on where it was
	$(BIN)/python -m tools.sweep

explorer: .venv/book ## Train the networks of the three live pages and write all that they need: twenty minutes
	$(BIN)/python -m explorer.export
	$(BIN)/python -m explorer.train
	$(BIN)/python -m explorer.detective

mutants: .venv/mutants ## Change the formulas, one place at a time: which changes does no test notice? Under an hour on two idle cores
	$(BIN)/python -m tools.mutants $(MUTANTS)

speed: .venv/dev _build/peers/ready ## Measure what things cost beside public peers, and write the table of speed/README.md
	$(BIN)/python -m speed $(SPEED)

colab: .venv-colab/ready ## Run every chapter, fast mode, with the versions that Colab has (one: NOTEBOOK=...)
	.venv-colab/bin/python -m tools.colab $(NOTEBOOK)

lint: .venv/dev ## Check format, code, and that everything derived is in step
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python -m tools.write --check

format: .venv/dev ## Format the code and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

data: .venv/book ## Fetch the data that the chapters use, where it is not on this machine yet
	$(BIN)/python -m tools.data

features: .venv/book ## Write the features that a release ships for readers without weights, into _build/features
	$(BIN)/python -m tools.features

package: .venv/dev ## Write what Colab installs, medgen_utils.zip, and wheel and source distribution into _build/package
	$(BIN)/python -m tools.publish.package

publish-check: .venv/dev ## Say what remains before the book is public (give it its address: ADDRESS=https://github.com/OWNER/NAME)
	@$(BIN)/python -m tools.publish "$(ADDRESS)"

write: .venv/book ## Write all that is derived: address, version, quizzes, exercise stubs, results, claims
	$(BIN)/python -m tools.write

teach: .venv/dev ## Write student notebooks, solutions, slides, handouts and quizzes into _build/teach
	$(BIN)/python -m tools.teach.material

clean: ## Delete what was built (the environment too: rm -rf .venv)
	rm -rf _build .pytest_cache .ruff_cache .hypothesis

# The environment. Each stamp file is newer than what it was made from, so a second run installs nothing.
.venv/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Python 3.11 or newer is needed; '$(PYTHON)' is missing or older. Try: make PYTHON=python3.12 book"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "Python's venv module is missing. On Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	@test -x $(BIN)/python || echo "Making the environment .venv with $(PYTHON) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@touch $@

# PyTorch first, because it is most of the wait; at a terminal pip shows how far it is.
.venv/book: .venv/python requirements.txt constraints.txt pyproject.toml
	@echo "Step 1 of 3: PyTorch into .venv, if it is not there: about 5 GB on disk, two to ten minutes ..."
	@$(BIN)/python -c 'import torchvision' 2>/dev/null || \
		$(PIP) --progress-bar $(if $(MAKE_TERMOUT),on,off) $(TORCH) torch torchvision
	@echo "Step 2 of 3: Jupyter Book and what else the chapters and the site need: one to two minutes ..."
	@$(PIP) -q -r requirements.txt
	@touch $@

.venv/dev: .venv/book
	@echo "Installing what tests, lint and authors need ..."
	@$(PIP) -q -e '.[dev]'
	@touch $@

.venv/mutants: .venv/dev
	@$(PIP) -q -e '.[mutants]'
	@touch $@

# The peers that nothing else needs, without what they depend on: some pin an old torch. medmnistc's blur needs the
# system's ImageMagick (Debian: libmagickwand-7.q16-10 or libmagickwand-6.q16-6).
_build/peers/ready:
	@$(PIP) -q --no-deps --target _build/peers \
		pytorch-adapt medmnistc Wand opencv-python-headless confidenceinterval MLstatkit
	@touch $@

.venv/lab: .venv/book
	@echo "Installing JupyterLab ..."
	@$(PIP) -q -e '.[lab]'
	@touch $@

# Colab's Python where it is on the PATH, else the one of PYTHON.
COLAB_PYTHON ?= python$(shell sed -n 's/^. python==//p' tools/colab_versions.txt)
.venv-colab/ready: tools/colab_versions.txt
	rm -rf .venv-colab
	if $(COLAB_PYTHON) --version >/dev/null 2>&1; then $(COLAB_PYTHON) -m venv .venv-colab; \
		else echo "$(COLAB_PYTHON) is not here: using $(PYTHON)"; $(PYTHON) -m venv .venv-colab; fi
	.venv-colab/bin/python -m pip install -q -r tools/colab_versions.txt nbclient build
	@touch $@
