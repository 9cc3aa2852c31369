# Every target sets up what it needs, in .venv.  `make demo` and `make test` are all a newcomer needs.
SHELL := /bin/bash
BIN := .venv/bin
DEMO := demo

.PHONY: help demo demo-full install test test-slow test-all lint docs bench clean

help:
	@echo "make demo     measure a few claims, and write a page of them among all recorded verdicts (three minutes)"
	@echo "make demo-full the same with the claims of the talk at desk scale (ten minutes on two cores)"
	@echo "make test     run the checks and the tests: under ten minutes on two cores"
	@echo "make test-all run all that CI runs: the same, and what takes minutes"
	@echo "make install  only make .venv with simonides in it"
	@echo "make docs     build the documentation into docs/_build/html"
	@echo "make bench    measure the hot paths against their floors"
	@echo "make clean    remove .venv and what was built"

.venv/.made: tools/make_venv.sh
	@bash tools/make_venv.sh .venv
	@touch $@

.venv/.installed: .venv/.made pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[facts,words,checkpoints,tabular]'
	@touch $@

.venv/.tested: .venv/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

install: .venv/.installed

demo: .venv/.installed
	@$(BIN)/simonides run gradients/noisy-inputs --scale desk --store $(DEMO)
	@$(BIN)/simonides run demo --scale desk --store $(DEMO)
	@$(BIN)/simonides report --recorded --scale desk --store $(DEMO)

demo-full: .venv/.installed
	@$(BIN)/simonides run talk --scale desk --store $(DEMO)
	@$(BIN)/simonides report --recorded --scale desk --store $(DEMO)

lint: .venv/.tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint docs
	$(BIN)/pytest -n auto -m "not slow"

# what takes minutes and is no less wanted: every claim at smoke scale, clusters, a real model
test-slow: .venv/.tested
	$(BIN)/pytest -n auto -m slow

test-all: test test-slow

docs: .venv/.tested
	$(BIN)/sphinx-build --quiet --fail-on-warning --builder html docs docs/_build/html

bench: .venv/.tested
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks

clean:
	rm -rf .venv docs/_build $(DEMO) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
