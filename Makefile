# Two commands matter: `make run` and `make test`. Both install what they need into .venv first.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
RUN    ?= runs/quick

.PHONY: help install run tables test bench gpu-check lint clean

help:            ## show this list
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(VENV)/.installed  ## create .venv and install pinned dependencies

$(VENV)/.installed: pyproject.toml constraints.txt $(wildcard solvers/compiled/*.cpp solvers/compiled/*.h)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

run: install  ## the main job: four solvers, four variants, on the embedded sample
	$(BIN)/python -m bench run --dataset sample --images 32 --output $(RUN)

tables: install  ## the tables and figures under results/, from the first 1 000 test images
	$(BIN)/python -m bench run --config results/tables.toml --output runs/tables
	cp runs/tables/summary.csv runs/tables/table2.csv runs/tables/timing.csv results/
	mkdir -p results/figures && cp runs/tables/figures/*.png results/figures/

test: $(VENV)/.installed-test  ## the whole test suite
	$(BIN)/python -m pytest

$(VENV)/.installed-benchmark: $(VENV)/.installed-test
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[benchmark]'
	touch $@

bench: $(VENV)/.installed-benchmark  ## time this machine against its own FFTs and the best peer; best when idle
	mkdir -p runs
	$(BIN)/python -m pytest tests/benchmarks --benchmark-enable --benchmark-only --benchmark-json=runs/benchmarks.json
	$(BIN)/python tests/benchmarks/ratios.py runs/benchmarks.json

gpu-check:       ## check and time the CUDA kernels on this machine's GPU: results/gpu/<device>.csv
	$(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON)) -m bench.gpu_check --output results/gpu

lint: $(VENV)/.installed-test  ## style, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:  ## remove the environment and caches; results and runs stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
