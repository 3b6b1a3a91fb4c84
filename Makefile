# The front doors. `make repro` and `make test` install what they need first.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
export PATH := $(CURDIR)/.venv/bin:$(PATH)

help: ## say what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

repro: install ## run the stages that are out of date; end with the metrics and the first predictions
	python -m commands.check
	python -m commands.mend
	dvc repro
	python -m commands.show

test: install ## run the tests; no network needed
	python -m pytest -m "not slow"

test-slow: install ## run the tests that are slow or need a server
	python -m pytest -m slow

bench: install ## time an epoch of the default recipe against model.fit
	python -m benchmarks.epoch

lint: install ## check style
	ruff check .
	ruff format --check .

lock: install ## choose versions anew for pyproject.toml's dependencies
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	  $(addprefix --group ,$(GROUPS)) --output-file requirements.lock
GROUPS := prepare train evaluate plot run develop

install: .venv/requirements.lock ## create .venv from requirements.lock, if that has changed

.venv/requirements.lock: requirements.lock
	@cmp --quiet $< $@ && touch $@ || sh commands/install.sh

.PHONY: help repro test test-slow bench lint lock install
