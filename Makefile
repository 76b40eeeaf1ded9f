# The verbs of this project. CI calls the same ones.
#   make demo     a real sale across three regions with skewed clocks, and its audit
#   make test     every test        make style    format, lint, types, import rules
#   make proofs   every obligation by two solvers, and every mutant of what they rest on
#   make bench    every benchmark beside its rivals, with plots
#   make faults   ten kinds of faults in a local world, and how long each takes to be notified of
#   make docs     the pages that are made from the code
#   make lock     pin the dependencies anew (needs uv)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements.lock
READY := $(VENV)/.ready
PROVED := $(VENV)/proofs.json
UV := $(shell command -v uv 2>/dev/null)
# Whatever is imported is compiled once, not by each of a hundred processes: a gateway starts with a third of the work.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test style format proofs bench faults docs lock clean

help:
	@sed -n 's/^#   //p' Makefile

setup: $(READY)

$(READY): $(LOCK) pyproject.toml
ifdef UV
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes $(LOCK)
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
else
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $(LOCK)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
endif
	@touch $@

demo: $(READY)
	$(BIN)/firstcome demo

# Two lanes side by side, which wait for clocks and processes as often as they compute. Then whole sales beside faults, by
# themselves, because a busy machine is one more fault; and apart from them those with a world of their own, and those that
# sign as a beacon does, slowly. What only computes takes what these leave, from the beginning to the end.
COMPUTING := tests/model tests/proofs tests/refinement
CLOCKS := tests/clockd tests/docs tests/service/command tests/service/store
WAITING := tests/service tests/ops $(addprefix --ignore=,$(filter tests/service/%,$(CLOCKS)))
APART := tests/faults/test_watching.py tests/faults/test_host_clocks.py tests/end_to_end/test_beacon.py
SALES := tests/end_to_end $(addprefix --ignore=,$(filter tests/end_to_end/%,$(APART)))
FAULTS := tests/faults tests/firstcome $(addprefix --ignore=,$(filter tests/faults/%,$(APART)))
PYTEST := $(BIN)/pytest -p no:cacheprovider --durations 12

test: $(READY)
	@nice -n 19 $(PYTEST) $(COMPUTING) >$(VENV)/computing.log 2>&1 & computing=$$!; \
	$(PYTEST) $(WAITING) >$(VENV)/waiting.log 2>&1 & waiting=$$!; \
	$(PYTEST) $(CLOCKS); timed=$$?; \
	wait $$waiting; waited=$$?; cat $(VENV)/waiting.log; \
	$(PYTEST) $(SALES) >$(VENV)/sales.log 2>&1 & sales=$$!; \
	$(PYTEST) $(APART) >$(VENV)/apart.log 2>&1 & apart=$$!; \
	$(PYTEST) $(FAULTS); faults=$$?; \
	wait $$sales; sold=$$?; cat $(VENV)/sales.log; \
	wait $$apart; apart=$$?; cat $(VENV)/apart.log; \
	wait $$computing; computed=$$?; cat $(VENV)/computing.log; \
	exit $$((computed + timed + waited + faults + sold + apart))

style: $(READY)
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(READY)
	$(BIN)/ruff format --quiet .
	$(BIN)/ruff check --quiet --fix .

proofs: $(READY)
	$(BIN)/firstcome prove --report $(PROVED)

bench: $(READY)
	$(BIN)/firstcome bench --json bench.json --plots bench-plots

faults: $(READY)
	$(BIN)/python -m tests.ops.faults

docs: $(READY)
	$(BIN)/python -m tests.docs.metrics_page docs/ops/metrics.md
	$(BIN)/python -m tests.docs.api_page docs/api.md

lock:
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 \
		--extra development --output-file $(LOCK) pyproject.toml

clean:
	rm -rf $(VENV)
