# Works with GNU make 3.81 and later, on Linux and macOS. Needs Python >= 3.11 and a package index.

SHELL := /bin/sh
BIN := .venv/bin
STAMPS := .venv/stamps

# The interpreter for a new environment; `make install PYTHON=python3.12` names one.
PYTHON ?=
PYTHONS := $(if $(PYTHON),$(PYTHON),python3 python3.14 python3.13 python3.12 python3.11)

.DEFAULT_GOAL := help
# One environment serves every target, and two pips at once would break it: `make -j` is welcome, and waits.
.NOTPARALLEL:
.PHONY: help install test lint types peers demo bench table clean

help: ## Print the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

install: $(STAMPS)/core ## Make .venv and install tamis into it
	@echo "installed: $(BIN)/tamis"

test: $(STAMPS)/test ## Run the test suite (real data: TAMIS_DATA, default ../shared/data)
	$(BIN)/python -m pytest -m "not peers" $(ARGS)

lint: types $(STAMPS)/lint ## Check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMPS)/lint ## Check types alone
	$(BIN)/mypy src/tamis examples

peers: $(STAMPS)/test $(STAMPS)/peers ## Run the tests against the packages people use today
	$(BIN)/python -m pytest -m peers $(ARGS)

demo: $(STAMPS)/core ## Choose 1,000 records of the Python standard library, into demo/
	$(BIN)/python examples/stdlib_pool.py -o demo/pool.jsonl --target demo/target.jsonl
	$(BIN)/tamis select demo/pool.jsonl -n 1000 --method dsir --target demo/target.jsonl \
	  --quota 'source<=10%' -o demo/chosen.jsonl --force
	@id=$$($(BIN)/python -c 'import pyarrow.parquet as pq; print(pq.read_table("demo/chosen.decisions.parquet", columns=["id"], filters=[("rank", "=", 0)])["id"][0])') \
	  && echo && echo "Why the best record was chosen ($(BIN)/tamis why demo/chosen.jsonl $$id):" \
	  && $(BIN)/tamis why demo/chosen.jsonl "$$id"

bench: $(STAMPS)/test $(STAMPS)/peers ## Run the benchmarks, peers beside tamis
	$(BIN)/python bench/run.py $(ARGS)

table: $(STAMPS)/core ## Write the table of methods in docs/methods.md anew
	sed -i.old '/^| method |/,$$d' docs/methods.md && rm docs/methods.md.old
	$(BIN)/tamis methods --markdown >> docs/methods.md

clean: ## Remove what the targets made, all but .venv
	rm -rf demo dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -path ./.venv -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

# What lies behind the targets: a stamp for each thing installed, redone when pyproject.toml changes.

$(STAMPS)/core: $(STAMPS)/venv pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(STAMPS)/test $(STAMPS)/lint $(STAMPS)/peers: $(STAMPS)/core
	$(BIN)/python -m pip install --quiet --group $(notdir $@)
	@touch $@

# Takes the first interpreter that is new enough and can make an environment; an old pip cannot read groups.
$(STAMPS)/venv:
	@found=; if ! [ -x $(BIN)/python ] || ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	  for python in $(PYTHONS); do \
	    if "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	      found=$$python; break; \
	    fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    { echo "expected Python 3.11 or newer, with venv and ensurepip; looked for: $(PYTHONS)"; \
	      for python in $(PYTHONS); do \
	        echo "  $$python: $$("$$python" --version 2>&1 | head -n 1)"; \
	      done; \
	      echo "install one (on Debian and Ubuntu with its -venv package), or name it: make install PYTHON=/path/to/python3"; \
	    } >&2; exit 1; \
	  fi; \
	  echo "$$found -m venv .venv  # $$("$$found" --version)"; \
	  "$$found" -m venv .venv || exit 1; \
	fi
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "expected Python 3.11 or newer in .venv, got $$($(BIN)/python --version): remove it (rm -rf .venv) and run make again" >&2; \
	  exit 1; }
	@$(BIN)/python -c 'import pip, re, sys; sys.exit([int(n) for n in re.findall("[0-9]+", pip.__version__)][:2] < [25, 1])' \
	  || $(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@mkdir -p $(STAMPS)
	@touch $@
