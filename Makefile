# The two commands of the README. Everything they need is made here; only Python and make are expected.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Small batches gain nothing from a second thread, and a busy neighbour makes two spin.
export OMP_NUM_THREADS ?= 1
# The tests share the cores, a process each; a process that has done its part takes from the others'.
PARALLEL ?= -n logical --maxprocesses 4 --dist worksteal

.PHONY: demo test backends check clean

demo: $(VENV)/.installed  ## train and evaluate MTS3 on recorded data that ships in the package
	$(BIN)/mts3 train data=soil model=mts3 hydra.run.dir=runs/demo overwrite=true

test: $(VENV)/.installed-dev  ## run the tests
	$(BIN)/python -m pytest $(PARALLEL)

backends: $(VENV)/.installed-dev  ## run them with each backend forced in turn; what one refuses is skipped
	for name in reference fused associative; do MTS3_BACKEND=$$name $(BIN)/python -m pytest $(PARALLEL) || exit 1; done

check: $(VENV)/.installed-dev  ## what every commit passes besides the tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[fast]" --constraint constraints.txt
	touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]" --constraint constraints.txt
	touch $@ $(VENV)/.installed

clean:  ## remove the environment
	rm -rf $(VENV)
