# The study on one screen. Every target sets itself up: Python 3.11+ with venv is all that it needs.
#   make figures                        train, analyse and draw (PROFILE=quick AGENT=cartpole)
#   make figures PROFILE=paper          the full population: hours
#   make study                          draw the committed tables of all agents side by side
#   make report                         one page of everything, from the same tables: docs/report.html
PYTHON  ?= python3
PROFILE ?= quick
AGENT   ?= cartpole
SEEDS   ?=
DEVICE  ?= cpu
TRAIN   ?=
BIN     := .venv/bin

select  := --profile $(PROFILE) --agent $(AGENT)
seeds   := $(if $(SEEDS),--seeds $(SEEDS))
agents  := --agent paper/cartpole --agent desk/lunar_lander --agent desk/minatar --agent desk/breakout

.PHONY: figures study report fixed train-seeds analyses redraw test check format bench tiny clean

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
	@test "$(origin PROFILE) $(origin AGENT)" = "file file" || \
	    { echo "make study and make report show the committed tables of all agents: PROFILE and AGENT are not theirs" >&2; exit 2; }

analyses: train-seeds
	$(BIN)/python -m analyses $(select) $(seeds) --device $(DEVICE)

train-seeds: .venv/run $(if $(filter minatar,$(AGENT)),.venv/minatar)
	$(BIN)/muzero-probe train $(AGENT) --profile $(PROFILE) $(seeds) --device $(DEVICE) $(TRAIN)

test: .venv/test
	$(BIN)/python -m pytest -q --numprocesses auto --dist loadfile --no-loadscope-reorder

check: .venv/check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: .venv/check
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/bench
	$(BIN)/python -m benchmarks

# the small population that the tests of analyses and figures read
tiny: .venv/run
	rm -rf checkpoints/tiny
	$(BIN)/muzero-probe train cartpole --profile smoke --root checkpoints/tiny

clean:
	rm -rf .venv build *.egg-info .pytest_cache .ruff_cache

.venv/run: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .[study]
	touch $@

.venv/test .venv/check .venv/bench .venv/minatar: .venv/%: .venv/run
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .[study,$*]
	touch $@
