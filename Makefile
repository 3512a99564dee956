PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: env demo test lint types imports check test-wheel test-contract controlplane bench bundle screenshots clean

env: $(STAMP) ## the environment, installed from the pins

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: env ## the program on the rehearsal estate
	$(BIN)/quarterdeck demo $(ARGS)

test: env ## unit, flow, snapshot and budget tests: no network, no cluster
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 3 --dist worksteal -m "not contract and not bench" $(ARGS)

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: env
	$(BIN)/mypy

imports: env
	$(BIN)/lint-imports

test-contract: env ## tests against the real servers, which are built once (Go 1.26, some minutes)
	$(BIN)/python -m tests.controlplane.build
	$(BIN)/python -m pytest -n 0 -m contract tests/contract $(ARGS)

controlplane: env ## a real control plane with simulated nodes, to try things on: ARGS="--big", "--port 6443"
	$(BIN)/python -m tests.controlplane up $(ARGS)

test-wheel: env ## the built wheel and the self-contained file, run from another folder
	$(BIN)/python -m tests.packaging

bundle: env ## one self-contained file for a bastion: dist/quarterdeck
	mkdir -p dist
	$(BIN)/shiv --compile-pyc --reproducible -e tui.cli:main -o dist/quarterdeck --constraint constraints.txt .

bench: env ## figures against the real API server with 10,000 pods
	$(BIN)/python -m tests.controlplane.build
	$(BIN)/python -m tests.bench $(ARGS)

screenshots: env ## the README's pictures and its table of keys, from the recorded scene
	$(BIN)/python -m screenshots.make
	$(BIN)/python -m screenshots.keys

check: lint types imports test ## what must be green before a commit

clean:
	rm -rf $(VENV) build dist *.egg-info
