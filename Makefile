# make        set up .venv, run the quickstart study, which names its report
# make test   set up .venv, run every test
# make check  formatting, lint, types
# make lock   write requirements.lock anew from what .venv holds

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: report test check lock clean
.DEFAULT_GOAL := report

report: $(READY)
	@$(BIN)/python -m snakemake --cores all

test: $(READY)
	$(BIN)/python -m pytest -n auto --dist loadscope --no-loadscope-reorder

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow

lock: $(READY)
	$(BIN)/python -m pip freeze --exclude-editable | grep -v ' @ ' > requirements.lock

# The lock file is used as constraints, so it serves every platform: only what a platform needs is installed.
$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit("scalestudy needs Python 3.11 or newer: make PYTHON=/path/to/python3.11") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[dev]'
	@touch $(READY)

clean:
	rm -rf results report/quickstart data weights .snakemake
