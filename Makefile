# make music: install, write clips with the weights that come along     make test: the whole suite
# make docs: the site, into site/
# A CPU-only machine saves gigabytes with TORCH_INDEX=https://download.pytorch.org/whl/cpu

PYTHON ?= python3
TORCH_INDEX ?=
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt
INSTALL += $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

.PHONY: music test docs clean

music: .venv/installed
	$(BIN)/mousai-kit run recipes/mousai.yaml

test: .venv/installed-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 --dist loadgroup

docs: .venv/installed-test
	$(BIN)/python -m sphinx --fail-on-warning --nitpicky --quiet -d build/doctrees docs site

.venv/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	touch $@

.venv/installed: .venv/python pyproject.toml constraints.txt
	$(INSTALL) -e .
	touch $@

.venv/installed-test: .venv/python pyproject.toml constraints.txt
	$(INSTALL) -e '.[test,docs,parity,parity-diffusers,riffusion]'
	$(BIN)/python -m pip uninstall -q -y data-science-types  # it would tell mypy of an older NumPy
	touch $@ .venv/installed

clean:
	rm -rf .venv build dist site
