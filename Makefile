# Two commands matter: `make run` and `make test`. Both install what they need into .venv first.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
RUN    ?= runs/quick
DEVICE ?= cpu

.PHONY: help install run tables site test test-numbers test-processes test-all bench gpu-check lint clean

help:            ## show this list
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(VENV)/.installed  ## create .venv and install pinned dependencies

$(VENV)/.installed: pyproject.toml setup.py constraints.txt $(wildcard solvers/compiled/*.cpp solvers/compiled/*.h)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

# The packages of an extra. To install the project again for them would compile the kernels again.
EXTRA = $(BIN)/python -c "import sys, tomllib; \
  print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies'][sys.argv[1]], sep='\n')"

$(VENV)/.installed-test: $(VENV)/.installed
	$(EXTRA) test > $(VENV)/test.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -r $(VENV)/test.txt
	touch $@

run: install  ## the main job: four solvers, four variants, on the embedded sample, and a page of the results
	$(BIN)/python -m bench run --dataset sample --images 16 --output $(RUN)
	$(BIN)/python -m bench report $(RUN) --output $(RUN)/report.html

tables: install  ## the tables and figures under results/ (some ten hours on two cores, most of them for noise; with DEVICE=cuda, a GPU does that)
	$(BIN)/python -m bench run --config results/table2.toml --images 1024 --output runs/timing
	for name in table1 table2 figure4 beamstop complex budgets; do \
	  $(BIN)/python -m bench run --config results/$$name.toml --output runs/$$name || exit; \
	done
	$(BIN)/python -m bench run --config results/noise.toml --device $(DEVICE) --output runs/noise
	mkdir -p results/figures
	cp runs/table1/table1.csv results/
	cp runs/table1/summary.csv results/summary_networks.csv
	cp runs/table2/summary.csv runs/table2/table2.csv runs/timing/timing.csv results/
	cp runs/table1/figures/gallery.png results/figures/figure3.png
	cp runs/figure4/figures/gallery.png results/figures/figure4.png
	cp runs/table2/figures/gallery.png runs/timing/figures/convergence.png results/figures/
	cp runs/noise/summary.csv results/noise.csv
	cp runs/noise/figures/photons.png results/figures/noise.png
	$(BIN)/python -m bench export runs/budgets --within 10ms,100ms,1s --output results/budgets.csv
	cp runs/budgets/timing.csv results/budgets_timing.csv
	cp runs/beamstop/summary.csv results/beamstop.csv
	cp runs/complex/summary.csv results/complex.csv
	cp runs/beamstop/figures/beamstop.png results/figures/

$(VENV)/.installed-docs: $(VENV)/.installed
	$(EXTRA) docs > $(VENV)/docs.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -r $(VENV)/docs.txt
	touch $@

site: $(VENV)/.installed-docs  ## the guides, the results, and the reports of the runs that `make tables` has left: site/index.html
	$(BIN)/python -m mkdocs build --strict

TESTS := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist worksteal

test: $(VENV)/.installed-test  ## the test suite on all processors, without what is slow
	$(TESTS) -m 'not slow'

test-numbers: $(VENV)/.installed-test  ## tests of what computes: images, solvers, scores
	$(TESTS) -m 'not slow' tests/datasets tests/solvers tests/bench/score

test-processes: $(VENV)/.installed-test  ## the slow tests of processes, folders and the gate
	$(TESTS) -m slow tests/bench/executors tests/bench/store tests/bench/gate

test-all: $(VENV)/.installed-test  ## the whole test suite
	$(TESTS)

$(VENV)/.installed-benchmark: $(VENV)/.installed-test
	$(EXTRA) benchmark > $(VENV)/benchmark.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -r $(VENV)/benchmark.txt
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

clean:  ## remove the environment, the site and caches; results and runs stay
	rm -rf $(VENV) site .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
