# Targets with a comment after ## are shown by `make help`.

PYTHON ?= python3
PYTEST_ARGS ?=
# Files of tests that run at the same time: more than processors, since many mostly wait. 0: in one process, for --pdb.
JOBS ?= 4
FIRMWARE_ARGS ?=
DEMO_ARGS ?=
SOAK_SEEDS ?= 0:500
SENSOR_SEEDS ?= 0:1000
FUZZ_ARGS ?=
RELEASE_ARGS ?=
PICTURES_ARGS ?=
CLUSTER_ARGS ?= --seeds 1:21
VENV := .venv
INSTALLED := $(VENV)/installed
VENV_PYTHON := $(VENV)/bin/python
COMPILED := $(VENV)/compiled
MICROPYTHON_PY := $(PYTHON) build/micropython.py
PYTEST := $(VENV_PYTHON) -m pytest -n $(JOBS)
BY_FILE := --dist loadfile --no-loadscope-reorder

# Tests start hundreds of programs in Python: what is compiled is kept, also where the environment asks to keep nothing.
unexport PYTHONDONTWRITEBYTECODE

# The levels of tests: all that is not named here runs in one CPython process.
MPY_TESTS := tests/micropython
PROCESS_TESTS := $(wildcard tests/sim tests/peers tests/cluster)
UNIT_TESTS := $(filter-out $(MPY_TESTS) $(PROCESS_TESTS) %/__pycache__, \
	$(patsubst %/,%,$(wildcard tests/*/)) $(wildcard tests/test_*.py))

# Those that need an emulator of a chip, for which MicroPython is compiled first, and those that try many cases: see
# tests/sample.py.
CHIP_TESTS := tests/build/chip
# Those that take long and change seldom: not in `make test`, which is to stay under ten minutes.
LONG_TESTS := $(shell grep '^tests/' tests/long_tests.txt)
CASES_TESTS = $(sort $(LONG_TESTS) $(shell grep -rlx 'from tests.sample import all_or' tests --include='test_*.py'))

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo demo-sensors demo-web firmware proto tools test test-cases test-unit test-mpy test-process soak bench bench-chip lint exhaustive \
	soak-month soak-silence soak-sensors docs pictures kill-server kill-mqtt kill-cluster bench-server bench-smbus fuzz-server fuzz-client micropython \
	python release clean

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

demo: python ## Run client, bridge and server with faults, each a process of its own; needs no .venv.
	@MICROPYTHON="$$($(MICROPYTHON_PY))" && MICROPYTHON_CHIP="$$($(MICROPYTHON_PY) --chip)" && \
	export MICROPYTHON MICROPYTHON_CHIP && exec $(PYTHON) -m sim demo

demo-sensors: python ## Plug a sensor into a client, see its values at the server, pull it, plug it in elsewhere; needs no .venv.
	@MICROPYTHON="$$($(MICROPYTHON_PY))" && MICROPYTHON_CHIP="$$($(MICROPYTHON_PY) --chip)" && \
	export MICROPYTHON MICROPYTHON_CHIP && exec $(PYTHON) -m sim sensors-demo

demo-web: $(INSTALLED) ## Run the demo with faults until Ctrl-C, and the web page that shows it; prints its address.
	@MICROPYTHON="$$($(MICROPYTHON_PY))" && MICROPYTHON_CHIP="$$($(MICROPYTHON_PY) --chip)" && \
	export MICROPYTHON MICROPYTHON_CHIP && exec $(VENV_PYTHON) -m sim demo --web $(DEMO_ARGS)

# The long ones first: what is left at the end is short.
test: $(INSTALLED) interpreters $(COMPILED) ## Run the tests, but not test-cases: CPython, MicroPython in 64 and 32 bit, processes.
	$(PYTEST) $(BY_FILE) --ignore=$(CHIP_TESTS) $(addprefix --ignore=,$(LONG_TESTS)) $(PROCESS_TESTS) $(MPY_TESTS) \
		$(filter-out $(LONG_TESTS),$(UNIT_TESTS)) $(PYTEST_ARGS)

# A file is no unit here: of some a single case takes a minute.
test-cases: $(INSTALLED) interpreters ## Run all cases where `make test` tries a part, what takes long, and the tests in emulators of the chips.
	PB_LINK_ALL_CASES=1 $(PYTEST) --dist worksteal $(CASES_TESTS) $(CHIP_TESTS) $(PYTEST_ARGS)

test-unit: $(INSTALLED) ## Run the tests that need one CPython process, the layering test among them.
	$(PYTEST) $(BY_FILE) --ignore=$(CHIP_TESTS) $(UNIT_TESTS) $(PYTEST_ARGS)

test-mpy: $(INSTALLED) interpreters ## Run the tests of protocol/ and primitives/ in real MicroPython.
	$(PYTEST) $(BY_FILE) $(MPY_TESTS) $(PYTEST_ARGS)

test-process: $(INSTALLED) interpreters ## Run the tests with boards and peers as real processes.
	$(PYTEST) $(BY_FILE) $(PROCESS_TESTS) $(PYTEST_ARGS)

soak: python ## Run SOAK_SEEDS (500 of them) of random faults on the virtual bed; needs no .venv.
	$(PYTHON) -m sim soak --seeds $(SOAK_SEEDS) --faults all --lines 200

firmware: $(INSTALLED) ## Build what is flashed, into firmware/, and the lists for mip: the same bytes from the same sources.
	@$(VENV_PYTHON) build/firmware.py $(FIRMWARE_ARGS)
	@$(VENV_PYTHON) build/client.py packages $(FIRMWARE_ARGS)
	@$(VENV_PYTHON) -m build.images.diagrams $(FIRMWARE_ARGS)

proto: $(INSTALLED) ## Make the messages of SMBus over gRPC anew, after a change of their .proto files.
	@$(VENV_PYTHON) -m build.tools.proto

pictures: $(INSTALLED) ## Draw docs/pictures/ from kept records; PICTURES_ARGS=--record runs the demo anew for them.
	@$(VENV_PYTHON) -m build.pictures $(PICTURES_ARGS)

docs: $(INSTALLED) ## Make the site of docs/ with the reference of all calls, into .cache/docs/html; a broken link fails.
	@$(VENV_PYTHON) -m sphinx --fail-on-warning --keep-going --quiet --fresh-env --write-all docs .cache/docs/html
	@echo "Open .cache/docs/html/index.html in a browser."

release: $(INSTALLED) interpreters ## Make all that is published of a version, in dist/, and try it outside of the checkout (RELEASE_ARGS).
	@$(VENV_PYTHON) -m build.release $(RELEASE_ARGS)

tools: $(INSTALLED) ## Make .venv, with what flashing a board needs.

bench: $(INSTALLED) ## Measure speed and cost, write bench.json, fail on a missed bar: five minutes.
	$(VENV_PYTHON) -m build.bench

bench-chip: $(INSTALLED) ## Count instructions as the chips execute them, in emulators, write bench-chip.json: two minutes.
	$(VENV_PYTHON) -m build.chip

lint: $(INSTALLED) ## Check the source with ruff.
	$(VENV_PYTHON) -m ruff check .

soak-sensors: python ## Run SENSOR_SEEDS (1,000 of them) of a sensor bus under random faults; needs no .venv.
	$(PYTHON) -m sim sensors --seeds $(SENSOR_SEEDS)

exhaustive: python ## Crash a short exchange at every event, in virtual time: some minutes.
	@$(PYTHON) -m sim exhaustive

soak-month: python ## 30 days of slow traffic with outages and crashes, in virtual time: about 70 minutes.
	@$(PYTHON) -m sim month

soak-silence: python ## 7 and 13 days without a line, or without Wi-Fi, server, client or bridge: about 2 hours.
	@$(PYTHON) -m sim silence

kill-server: $(INSTALLED) ## Kill the server 100 times under the traffic of 50 clients: some minutes.
	@$(VENV_PYTHON) -m tests.peers.kill_server

kill-mqtt: $(INSTALLED) ## Kill the MQTT gateway's server and Mosquitto, 50 times each, under traffic: some minutes.
	@$(VENV_PYTHON) -m tests.peers.kill_mqtt

kill-cluster: $(INSTALLED) ## Inject 1,000 faults into three servers on two PostgreSQL under 100 clients: 16 minutes to an hour (CLUSTER_ARGS).
	@$(VENV_PYTHON) -m tests.cluster.kill_cluster $(CLUSTER_ARGS)

bench-server: $(INSTALLED) ## Measure the server beside Mosquitto, PostgreSQL beside SQLite, the page beside none, and bench-smbus; fail on a missed bar.
	@missed=0; for part in remote_i2c.bench_smbus server.bench server.bench_postgres server.bench_web; do $(VENV_PYTHON) -m tests.$$part || missed=1; done; exit $$missed

bench-smbus: $(INSTALLED) ## Measure SMBus over gRPC beside a bare echo of gRPC; fails on a missed bar.
	@$(VENV_PYTHON) -m tests.remote_i2c.bench_smbus

fuzz-server: $(INSTALLED) ## Feed inputs that nobody means to what reads the network, a million without FUZZ_ARGS: some minutes.
	@$(VENV_PYTHON) -m tests.server.fuzz $(FUZZ_ARGS)
	@$(VENV_PYTHON) -m tests.remote_i2c.fuzz $(FUZZ_ARGS)

fuzz-client: $(INSTALLED) ## Feed the client's channels, requests and I2CService what no good server sends: some minutes.
	@$(VENV_PYTHON) -m tests.pb_link.fuzz $(FUZZ_ARGS)
	@$(VENV_PYTHON) -m tests.pb_link.fuzz_i2c $(FUZZ_ARGS)

micropython: python ## Find or build the MicroPython interpreters, and print their paths.
	@$(MICROPYTHON_PY)
	@$(MICROPYTHON_PY) --bits 32
	@$(MICROPYTHON_PY) --bridge
	@$(MICROPYTHON_PY) --chip
	@$(MICROPYTHON_PY) --measuring
	@$(MICROPYTHON_PY) --failing
	@$(MICROPYTHON_PY) --terminal
	@$(MICROPYTHON_PY) --mpy-cross

clean: ## Remove what was downloaded and built: .cache, .venv and the caches of Python.
	rm -rf .cache $(VENV) .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# The same ahead of tests: where a build is impossible, tests say so and are skipped, but fail in CI.
.PHONY: interpreters
interpreters: python
	@for what in "--bits 64" "--bits 32" --bridge --chip --measuring --failing --terminal --mpy-cross; do \
		$(MICROPYTHON_PY) $$what >/dev/null || [ -z "$$CI" ] || exit 1; done

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "Python 3.11 or newer is needed; name one:  make PYTHON=python3.11 .." >&2; exit 1; }

$(INSTALLED): requirements-dev.txt requirements-firmware.txt | python
	@echo "Making $(VENV) .." >&2
	@$(PYTHON) -c 'import ensurepip, venv' || \
	{ echo "Python's venv is missing. Install with:  sudo apt-get install -y python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(VENV_PYTHON) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt -r requirements-firmware.txt
	@touch $@

# Once: else all workers of pytest compile all tests at the same time. What has changed since, they compile themselves.
$(COMPILED): $(INSTALLED)
	@echo "Compiling the tests .." >&2
	@$(VENV_PYTHON) -m pytest --collect-only -qq tests/server >/dev/null & \
	$(VENV_PYTHON) -m pytest --collect-only -qq --ignore=tests/server tests >/dev/null; wait
	@touch $@
