# Telamon: two commands do all of their set-up on a fresh machine, `make demo` and `make test`.
#
#   make build   a .venv with the extension in release mode and the test dependencies
#   make demo    the lab: three nodes, a failover that you can watch
#   make test    all tests, Rust and Python; parts that this machine cannot run say why
#   make lint    formatting, types, lints of both languages
#   make fuzz    mutated inputs for the parsers, for FUZZ_SECONDS each half
#   make bench   CPU per request beside HAProxy and nginx
#   make bench-failover   outages beside keepalived
#   make docs    regenerate the generated pages of docs/
#
# A second run rebuilds only what changed. PYTHON chooses the interpreter (3.11 or newer).

SHELL  := /bin/bash
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
FUZZ_SECONDS ?= 60
# Tests wait for timers and peers half of their time.
WORKERS ?= $(shell echo $$(( ($$(nproc) * 3 + 1) / 2 )))
STAMPS := build/stamps

RUST_SOURCES := Cargo.toml Cargo.lock $(shell find crates -name '*.rs' -o -name Cargo.toml 2>/dev/null)
ENGINE := src/telamon/_engine.abi3.so

# Tests with real peers, namespaces and timers share their machine with others. What fails beside
# other tests gets one more run alone, and is named; what fails twice has failed.
AGAIN = { echo 'once more, alone, what failed:'; \
	$(BIN)/python -m pytest --last-failed --last-failed-no-failures none; }

.PHONY: build demo test lint fuzz bench bench-failover docs clean

build: $(STAMPS)/package

# What Debian must bring. Kept out of `build`'s way when all of it is there already.
$(STAMPS)/system: tools/system.sh
	@mkdir -p $(STAMPS)
	bash tools/system.sh build
	@touch $@

$(STAMPS)/venv: pyproject.toml | $(STAMPS)/system
	@mkdir -p $(STAMPS)
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: set PYTHON=")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check maturin
	$(BIN)/python tools/requirements.py | $(BIN)/pip install --quiet --disable-pip-version-check -r /dev/stdin
	@touch $@

# `maturin develop` installs the package in place: Python files need no further build.
$(STAMPS)/package: $(STAMPS)/venv $(RUST_SOURCES)
	$(BIN)/maturin develop --release --quiet > build/maturin.log 2>&1 || { cat build/maturin.log; exit 1; }
	@touch $@

demo: build
	bash tools/system.sh demo
	$(BIN)/telamon lab demo

test: build
	bash tools/system.sh test
	cargo test --profile checks --workspace --exclude telamon-py --quiet
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup || $(AGAIN)

lint: build
	$(BIN)/ruff format --check src tests tools bench
	$(BIN)/ruff check src tests tools bench
	$(BIN)/mypy
	cargo fmt --all --check
	cargo clippy --release --workspace --all-targets --quiet -- -D warnings

fuzz: build
	cargo run --profile checks --quiet --package telamon-fuzz -- $(FUZZ_SECONDS)
	$(BIN)/python tools/fuzz.py $(FUZZ_SECONDS)

bench: build
	bash tools/system.sh bench
	$(BIN)/python bench/run.py

bench-failover: build ; $(BIN)/python bench/failover.py --write docs/failover.md

docs: build
	$(BIN)/python tools/generate_docs.py
	$(BIN)/python -m telamon.keepalived.keywords.page > docs/keepalived-keywords.md
	$(BIN)/python tools/readme.py

clean:
	rm -rf build target $(VENV) $(ENGINE)
