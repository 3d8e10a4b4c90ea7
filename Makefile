# make demo | report | test | lint | docs | bench. Each creates .venv first where it is missing or out of date.
# PYTHON=... names the interpreter to make it from, ARGS=... is handed on: `make test ARGS="-k planner"`.
# Tests run in one process per core, at most four, which take about 10 GB of memory; `ARGS="-n0 --pdb"` runs them in one.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
ARGS ?=
BIN := .venv/bin
READY := .venv/.installed
MAKEFLAGS += --no-print-directory

.PHONY: help demo report test lint docs bench lock clean

help:
	@echo "make demo    play a plain and a hardened walker, healthy and with a disabled knee or hip"
	@echo "make report  make a page of the committed results: figures, tables, the papers' claims"
	@echo "make test    run the tests"
	@echo "make lint    check style, formatting and types"
	@echo "make docs    build the documentation into docs/_build/html"
	@echo "make bench   measure the speed of planning, environments and training"
	@echo "make lock    write constraints.txt anew from setup.cfg, with the newest versions (needs uv)"
	@echo "make clean   remove what the targets above created, .venv included"

# constraints.txt locks every package, so no resolver runs. `labmaze`, which dm-control asks for but only its mazes use,
# has no wheels from Python 3.13 on and is left out there.
$(READY): setup.cfg pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "melro_gym needs Python 3.11 or later; found: $$(python3 --version 2>&1)." \
		"Name one with: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "melro_gym needs Python 3.11 or later; $(PYTHON) is $$("$(PYTHON)" --version 2>&1)." >&2; exit 1; }
	@echo "Installing melro_gym and its dependencies into .venv (once, one to three minutes) ..."
	@"$(PYTHON)" -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r constraints.txt -e .
	@touch $@

demo: $(READY)
	@$(BIN)/melro-gym demo $(ARGS)

report: $(READY)
	@$(BIN)/melro-gym report docs/results --out report $(ARGS)

test: $(READY)
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal $(ARGS)

lint: $(READY)
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/basedpyright --pythonpath $(BIN)/python

docs: $(READY)
	@$(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build/html $(ARGS)
	@echo "docs/_build/html/index.html"

bench: $(READY)
	@$(BIN)/python -m benchmarks $(ARGS)

lock:
	@uv pip compile setup.cfg --extra dev --universal --python-version 3.11 --quiet --no-header --no-annotate \
		--no-emit-index-url --fork-strategy fewest > constraints.new
	@{ echo "# Every package this is tested with, for Python 3.11 and later. Written by: make lock"; \
		sed "s/^\(labmaze==[^ ]*\).*/\1 ; python_full_version < '3.13'/" constraints.new; } > constraints.txt
	@rm constraints.new

clean:
	rm -rf .venv build dist docs/_build *.egg-info .pytest_cache .ruff_cache
