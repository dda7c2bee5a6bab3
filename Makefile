# `make demo` and `make test` set up what is missing; PYTHON chooses the interpreter (3.11 to 3.13).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo table2 docs bench bench-gpu test test-fast test-slurm test-gpu faults check format lint types clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## a virtual environment in .venv with exact versions

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "Python 3.11 to 3.13 is needed; give it with: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(READY)  ## the whole comparison on synthetic faces: ten jobs, minutes on two CPU cores
	$(BIN)/python train.py experiment=demo

table2: $(READY)  ## the paper's Table 2 on real images: make table2 DATA=UTKFace.tar
	@test -n "$(DATA)" || { echo "give the images: make table2 DATA=UTKFace.tar" >&2; exit 2; }
	$(BIN)/python train.py experiment=table2 data.root=$(DATA)

docs: $(READY)  ## the documentation as a site in build/site; a warning is an error
	$(BIN)/python -m sphinx --quiet --fail-on-warning --builder html docs build/site

bench: $(READY)  ## what a run spends, beside a reference: make bench DATA=UTKFace.tar; synthetic faces without DATA
	$(BIN)/agegender bench $(if $(DATA),--root $(DATA)) $(BENCH)

bench-gpu: $(READY)  ## rates on a GPU: fit, bare loop, reference; kernels; jobs that share it: make bench-gpu DATA=UTKFace.tar
	$(BIN)/agegender bench gpu gpu_jobs --models small_cnn alexnet vgg11 resnet18 densenet161 --compiled \
		--device gpu --steps 200 --repeats 1 $(if $(DATA),--root $(DATA)) $(BENCH)

test: $(READY)  ## all tests; those of the real images where AGEGENDER_UTKFACE names them
	$(BIN)/python -m pytest

test-fast: $(READY)  ## for the edit loop: no whole commands, benchmarks, browser, real images
	$(BIN)/python -m pytest -m 'not slurm and not e2e and not utkface' --ignore=tests/benchmarks \
		--ignore=tests/report/page/test_browser.py

test-slurm: $(READY)  ## sweeps on a real Slurm, started for it: needs root; installs Debian's packages where they are missing
	$(BIN)/python -m pytest -m slurm --numprocesses=0 tests/slurm

test-gpu: $(READY)  ## what an NVIDIA GPU must show, one test at a time, each in two minutes at most; skipped without one
	$(BIN)/python -m pytest -m gpu --numprocesses=0 --timeout=120 --durations=0 $(GPU)

faults: $(READY)  ## kill -9 at random moments of sweeps, full disks (root, Linux): a table; make faults FAULTS='kills --kills 5'
	$(BIN)/python tests/faults $(FAULTS)

check: format lint types  ## formatter, linter, import layers, types

format: $(READY)
	$(BIN)/ruff format --check .

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: $(READY)
	$(BIN)/pyright

clean:  ## remove the virtual environment and what tools left; runs/ stays
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .import_linter_cache src/*.egg-info
