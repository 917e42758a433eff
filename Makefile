# The study on one screen. Every target sets itself up: Python 3.11+ with venv is all that it needs.
#   make figures                        train, analyse and draw (PROFILE=quick AGENT=cartpole)
#   make figures PROFILE=paper          the full population: hours; what ships is not trained again
#   make train-seeds                    train alone; what ships is complete (TRAIN='--root elsewhere': anew)
#   make study                          draw the committed tables of all agents side by side
#   make baselines                      DQN and PPO at as many environment steps, all agents: hours (AGENT=cartpole)
#   make report                         one page of everything, from the same tables: docs/report.html
PYTHON  ?= python3
PROFILE ?= quick
AGENT   ?= cartpole
SEEDS   ?=
DEVICE  ?= cpu
TRAIN   ?=
STEPS   ?=
BIN     := .venv/bin

# what a command may say; make itself would pass over a misspelt name without a word
settings := PROFILE AGENT SEEDS DEVICE TRAIN STEPS
unknown  := $(filter-out $(settings) PYTHON BIN,$(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name))))
ifneq ($(unknown),)
$(error $(unknown) is unknown, there are $(settings) and PYTHON)
endif

PIP     := $(BIN)/python -m pip install --quiet
LOCK    := .venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --only-binary :all: --no-annotate \
               --fork-strategy fewest --custom-compile-command "make lock" pyproject.toml
HASHED  := --generate-hashes --no-emit-package torch --constraint requirements/torch.txt

select  := --profile $(PROFILE) --agent $(AGENT)
seeds   := $(if $(SEEDS),--seeds $(SEEDS))
fit     := $(shell test "$$(cat .venv/run 2>/dev/null)" = "$$(pwd -P)" && $(BIN)/python -c "" 2>/dev/null && echo yes)
agents  := --agent paper/cartpole --agent desk/lunar_lander --agent desk/minatar --agent desk/breakout

# whose baselines are made: all of the study, or AGENT, in the study's profile unless PROFILE names another
study_of = $(or $(if $(filter file,$(origin PROFILE)),$(filter %/$(AGENT),$(agents))),$(PROFILE)/$(AGENT))
trained  = $(if $(filter-out file,$(origin AGENT) $(origin PROFILE)),--agent $(study_of),$(agents))

.PHONY: figures study baselines report fixed words train-seeds analyses redraw ship test test-lowest test-install check format \
    bench tiny lock clean python

figures: redraw

redraw: analyses
	$(BIN)/python -m figures --profile $(PROFILE)
	$(BIN)/python -m analyses.claims --profile $(PROFILE) >/dev/null
	$(BIN)/python -m report --profile $(PROFILE)

study: fixed .venv/run
	$(BIN)/python -m figures --profile study $(agents)

report: fixed .venv/run
	$(BIN)/python -m analyses.claims --profile foreign >/dev/null
	$(BIN)/python -m analyses.claims --profile study $(agents) >/dev/null
	$(BIN)/python -m report --profile study $(agents) --out docs/report.html --results docs/results.md

fixed:
	@$(if $(filter-out file,$(foreach name,$(settings),$(origin $(name)))),$(error make study and make report show the \
	    committed tables of all agents: $(settings) are not theirs))

words:
	@$(foreach name,PROFILE AGENT DEVICE,$(if $(filter-out 1,$(words $($(name)))),$(error $(name) is "$($(name))", it must be \
	    one word)))
	@$(if $(filter-out 0 1,$(words $(SEEDS))),$(error SEEDS is "$(SEEDS)": write 0:30 (0 to 29), 3 or 0,4,7))

analyses: train-seeds
	$(BIN)/python -m analyses $(select) $(seeds) --device $(DEVICE)

train-seeds: words .venv/run $(if $(filter minatar,$(AGENT)),.venv/dev)
	$(BIN)/muzero-probe train $(AGENT) --profile $(PROFILE) $(seeds) --device $(DEVICE) $(TRAIN)

# for a release: a trained population comes into git, with a list of its files (STEPS: some of its checkpoints)
ship: words .venv/run
	$(BIN)/python -m muzero_probe.cli.ship $(AGENT) --profile $(PROFILE) $(if $(STEPS),--steps $(STEPS))
	cd checkpoints/$(PROFILE)/$(AGENT) && { echo SHA256SUMS; cut -c 67- SHA256SUMS; } | \
	    git add --force --pathspec-from-file=-

baselines: words .venv/dev
	$(BIN)/python -m baselines $(trained) $(seeds)

test: .venv/dev
	$(BIN)/python -m pytest -q --numprocesses auto --dist loadfile --no-loadscope-reorder

check: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/bench .venv/peers
	$(BIN)/python -m benchmarks

# the small population that the tests of analyses and figures read
tiny: .venv/run
	rm -rf checkpoints/tiny
	$(BIN)/muzero-probe train cartpole --profile smoke --root checkpoints/tiny

# the sets of requirements/ anew, from pyproject.toml; what is pinned stays, but where a line was taken out
lock: .venv-lock/bin/uv
	$(LOCK) --extra study --output-file requirements/study.txt $(HASHED)
	$(LOCK) --extra check --constraint requirements/study.txt --output-file requirements/dev.txt $(HASHED)
	$(LOCK) --extra bench --constraint requirements/dev.txt --output-file requirements/bench.txt $(HASHED)
	$(LOCK) --extra test --resolution lowest-direct --output-file requirements/lowest.txt
	echo "gumbel-mcts>=0.2,<0.3" | $(subst pyproject.toml,-,$(LOCK)) --no-deps --generate-hashes \
	    --output-file requirements/peers.txt

.venv-lock/bin/uv:
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet "uv>=0.10"

# the suite with the oldest version of each package that pyproject.toml allows, on Python 3.11
test-lowest:
	rm -rf .venv-lowest
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet --requirement requirements/lowest.txt
	.venv-lowest/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	.venv-lowest/bin/python -m pytest -q --numprocesses auto --dist loadfile --no-loadscope-reorder

# what is built, copied, moved and started in other places; asks pip for packages
test-install: .venv/dev
	$(BIN)/python -m pytest -q tests/install/places.py

clean:
	rm -rf .venv .venv-lock .venv-lowest build dist *.egg-info .pytest_cache .ruff_cache

# An environment of another place (the checkout was copied or moved), of a Python that has gone, or half made is made
# anew. torch stands apart: a build without CUDA is another file of the same version, so no hash fits all machines.
.venv/run: pyproject.toml requirements/study.txt requirements/torch.txt $(if $(fit),,python)
	test -n "$(fit)" || { rm -rf .venv && $(PYTHON) -m venv .venv; }
	$(PIP) --require-hashes --requirement requirements/study.txt
	$(PIP) --requirement requirements/torch.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	pwd -P >$@

.venv/dev .venv/bench: .venv/%: .venv/run requirements/%.txt
	$(PIP) --require-hashes --requirement requirements/$*.txt
	touch $@

# A peer of which compiled kernels are measured: they run on our numba and numpy, and its other packages, which would
# take the place of ours, stay away.
.venv/peers: .venv/run requirements/peers.txt
	rm -rf $@
	$(PIP) --no-deps --require-hashes --target $@ --requirement requirements/peers.txt
	touch $@

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "Python 3.11 or newer is needed, $(PYTHON) is none: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 2; }
