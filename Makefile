# Every command has a target here. Each target installs what it needs first.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Goals run in the order given, whatever -j says: `make -j8 repro gate`.
.NOTPARALLEL:
# With these, Python takes other packages than those in .venv.
unexport PYTHONHOME PYTHONPATH PYTHONSAFEPATH

PYTHON = .venv/bin/python
DVC = .venv/bin/dvc
# A variable that was given to make, not one that happens to be in the environment.
option = $(if $(filter command,$(origin $1)),$2 '$($1)')
# On all cores, with the name of each test on a terminal.
PYTEST = $(PYTHON) -m pytest --numprocesses auto --dist loadfile $(if $(MAKE_TERMOUT),--verbose)

help: ## list the targets
	@sed -n 's/^\([a-z%-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

repro: install ## run the stages that are out of date, then show the metrics
	$(PYTHON) -m commands.check
	$(PYTHON) -m commands.repair
	$(DVC) repro
	$(PYTHON) -m commands.show

check: install ## check style, graph, parameters and documents in half a minute; trains nothing
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m commands.check
	@$(PYTHON) -m pytest --quiet --no-runs --tb=no -rN -m "not slow" $(STATIC_TESTS)
	@echo "Nothing is missing"
STATIC_TESTS := $(addprefix tests/test_, check.py documents.py graph.py parameters.py pins.py schemas.py \
  workflows.py reruns.py::test_every_value_of_params_yaml_has_an_entry_here \
  reruns.py::test_every_change_here_is_valid epoch.py::test_every_key_of_a_recipe_is_on_in_a_case \
  plot.py::test_every_plot_is_in_the_stage_the_graph_the_tests_and_the_documents \
  stages.py::test_every_metric_is_listed_here)

verify: install ## rebuild a commit from scratch and compare with its dvc.lock (REV=HEAD STAGE= RECORD=)
	$(PYTHON) -m commands.verify $(call option,REV,--rev) $(call option,STAGE,--stage) \
	  $(if $(RECORD),--record)

emulate: install ## run on a little data as different machines would, and compare (RECIPE=cnn MACHINE='one core' IMAGES=150)
	sh commands/arm.sh || echo "continuing without an emulated ARM processor" >&2
	$(PYTHON) -m commands.emulate $(call option,PROCESSOR,--processor) $(call option,RECIPE,--recipe) \
	  $(call option,MACHINE,--machine) $(call option,IMAGES,--images)

seeds: install ## run a recipe with several seeds: metrics/seeds.csv (N=5 FIRST=42 RECIPE=the chosen one)
	$(PYTHON) -m commands.seeds $(call option,N,--count) $(call option,FIRST,--first) \
	  $(call option,RECIPE,--recipe)

recipes: install ## print accuracy and cost of each recipe; draw docs/recipes/accuracy.png
	$(PYTHON) -m commands.recipes

compare: install ## report what this checkout changes, and whether it is more than noise: comparison/ (BASE=)
	$(PYTHON) -m commands.compare $(call option,BASE,--base)

gate: install ## fail if results are out of date, or worse beyond noise (BASE=)
	$(PYTHON) -m commands.gate $(call option,BASE,--base)

sweep: install-sweep ## train many combinations of values, on one machine or many (SPACE=sweeps/….yaml CORES=all ADDRESS=)
	$(DVC) repro --quiet preprocess
	$(PYTHON) -m commands.sweep $(call option,SPACE,--space) $(call option,CORES,--cores) \
	  $(call option,ADDRESS,--address)

apply: install ## copy a trial of a sweep to params.yaml (SPACE=sweeps/….yaml TRIAL=…)
	$(PYTHON) -m commands.apply $(call option,SPACE,--space) $(call option,TRIAL,--trial)

pull: install-share ## download what dvc.lock records from the DVC remote, if there is one
	@remotes=$$($(DVC) remote list) || exit; \
	if [ -n "$$remotes" ]; then $(DVC) pull; else echo "There is no DVC remote"; fi

push: install-share ## upload data, networks and the results of all runs to the DVC remote
	$(PYTHON) -m commands.push

test: install ## run the quick tests; needs no network
	$(PYTEST) -m "not slow"

test-slow: install ## run the tests that are slow or need a server
	$(PYTEST) -m slow

bench: peers install-sweep ## measure speed, also of other libraries: docs/bench (70 minutes on an idle machine)
	$(PYTHON) -m benchmarks.epoch
	$(PYTHON) -m benchmarks.convolutions
	$(PYTHON) -m benchmarks.whole_job
	$(PYTHON) -m benchmarks.growth
	$(PYTHON) -m benchmarks.sweep

peers: install ## install the libraries that benchmarks compare with, each in its own environment
	@for peer in $(PEERS); do \
	  sh commands/install.sh $$peer .peers/$$peer || \
	    echo "cannot install $$peer, for the reason above: the benchmarks leave it out" >&2; \
	done

lint: install ## check style only
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

lock: install ## write requirements/ with the newest versions that pyproject.toml allows
	$(COMPILE) $(addprefix --group ,$(GROUPS)) --output-file requirements/main.lock
	set -- --constraint requirements/main.lock; for group in $(ADDED_GROUPS); do \
	  $(COMPILE) "$$@" --group $$group --output-file requirements/$$group.lock || exit; \
	  set -- "$$@" --constraint requirements/$$group.lock; \
	done
	for peer in $(PEERS); do \
	  $(COMPILE) --constraint requirements/main.lock --group $$peer \
	    --output-file requirements/$$peer.lock || exit; \
	done
COMPILE := .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
GROUPS := prepare train evaluate plot run develop
# Each with a lock of its own, whose versions fit all locks before it.
ADDED_GROUPS := share servers sweep
# Each in an environment of its own. For PyTorch's CPU build uv has to know a place: UV_FIND_LINKS.
PEERS := jax pytorch

install: ## create .venv from requirements/main.lock, if that has changed
	@sh commands/install.sh

install-%: install ## add to .venv: share (remotes), servers (for tests), sweep
	@sh commands/install.sh $*

.PHONY: help repro check verify emulate seeds recipes compare gate sweep apply pull push test test-slow bench \
  peers lint lock install
