# Two commands do all the set-up on a fresh machine: `make demo` and `make test`.
VENV    := .venv
PY      := $(VENV)/bin/python
.PHONY: build demo test lint bench clean

build: $(VENV)/.built

$(VENV)/.python: pyproject.toml
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check 'maturin>=1.9,<2' click 'pyroute2>=0.9,<0.10' setproctitle cryptography hypothesis mypy pytest pytest-xdist ruff
	@touch $@
