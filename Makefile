# make demo   train, sample, evaluate and leave a page of pictures (a few minutes on two cores)
# make test   lint, types and tests
# Both make the virtual environment they need; neither touches anything outside this folder and the pip cache.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test docs clean

$(VENV)/.dev: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("unveil needs Python 3.11 or newer; set PYTHON=...") if sys.version_info < (3, 11) else 0'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

$(VENV)/.demo: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("unveil needs Python 3.11 or newer; set PYTHON=...") if sys.version_info < (3, 11) else 0'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

demo: $(VENV)/.demo
	$(BIN)/python examples/demo.py --out demo

test: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

docs: $(VENV)/.dev
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

clean:
	rm -rf build dist docs/_build demo .pytest_cache .mypy_cache .ruff_cache
