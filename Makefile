# Everything a person types. `make setup` first builds llama.cpp: about 4 minutes on 2 cores, once.

PYTHON ?= python3
BOX    ?= demo-box
BIN    := .venv/bin

.PHONY: help setup setup-dev demo test check bench demo-model lock clean

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## make setup       .venv from hash-locked requirements; builds llama.cpp once (~4 min on 2 cores)
setup: .venv/.runtime

.venv/.runtime: images/locks/build.txt images/locks/llama.txt images/locks/run.txt pyproject.toml images/setup.sh
	@PYTHON=$(PYTHON) images/setup.sh runtime
	@touch $@

setup-dev: .venv/.development

.venv/.development: .venv/.runtime images/locks/dev.txt
	@PYTHON=$(PYTHON) images/setup.sh development
	@touch $@

## make demo        set up, initialise a box in ./demo-box, serve it, print a first request to paste
demo: setup
	@test -e $(BOX)/cloister.toml || $(BIN)/cloister init $(BOX) --profile demo
	@$(BIN)/cloister serve --config $(BOX)/cloister.toml

## make test        the whole suite
test: setup-dev
	@$(BIN)/python -m pytest -n 2 --dist loadgroup

## make check       ruff, mypy --strict
check: setup-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest tests/unit/test_import_rules.py

## make bench       figures beside llama.cpp's own tools, as JSON lines in build/bench and as a table
bench: setup-dev
	@$(BIN)/python -m tests.bench

## make demo-model  train the demo model again (about an hour and a half on 2 cores; needs torch)
demo-model:
	@test -d build/train-venv || $(PYTHON) -m venv build/train-venv
	@build/train-venv/bin/pip install --quiet -r images/locks/train.txt
	@build/train-venv/bin/python images/demo-model/build.py

## make lock        resolve images/locks/*.in again (needs uv)
lock:
	@for set in build run llama dev; do \
	  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-header --no-annotate \
	    $$([ $$set = llama ] && echo --no-deps --no-binary llama-cpp-python) \
	    images/locks/$$set.in -o images/locks/$$set.txt; done

clean:
	rm -rf .venv build demo-box
