# Every target sets up what it needs first; `make help` lists them.
PY := .venv/bin/python
PYTEST := $(PY) -m pytest -p no:pytest-brownie -n 2 --dist loadfile --max-worker-restart 0 -rs
COVER := --cov --cov-report=term:skip-covered --cov-report=xml
export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM := false
export HF_HUB_OFFLINE := 1
export ETH_HASH_BACKEND ?= pysha3

# Training may use the whole machine; tests share it.
demo demo-anvil: export OMP_NUM_THREADS = $(shell nproc)
demo demo-anvil: export OMP_WAIT_POLICY = passive

.PHONY: help setup demo demo-anvil test test-full contracts contracts-coverage contracts-audit contracts-proofs contracts-mutations check fmt lint types layers drift vectors artifacts lock bench-openlora bench-openlora-gpu bench-attribution bench-attribution-scale clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 20

setup: ## install what everything needs, inside this folder
	@scripts/setup.sh python node base

demo: setup ## real data through all nine stages, then the site stays up
	@$(PY) scripts/demo.py

demo-anvil: setup ## the same on anvil instead of the embedded chain
	@$(PY) scripts/demo.py --rpc anvil

test: ## install what the tests need and run the fast tier
	@scripts/setup.sh python node base browser
	@$(PYTEST) -m "not slow" tests

test-full: ## the fast tier and the long tests, with coverage
	@scripts/setup.sh python node base browser
	@$(PYTEST) $(COVER) tests

contracts: setup ## the contract tests through `brownie test`, on anvil
	@$(PY) scripts/brownie_run.py test tests/contracts -m 'not slow' --ignore=tests/contracts/test_brownie.py -W ignore

contracts-proofs: setup ## laws of locks, proven by halmos for every state and time
	@scripts/setup.sh audit
	@$(PY) scripts/forge_run.py build --quiet
	@PATH="$(CURDIR)/node_modules/@foundry-rs/forge-linux-amd64/bin:$$PATH" HOME="$(CURDIR)/.home" SOLC_JS="$(CURDIR)/node_modules/solc" \
		.tools/audit/bin/halmos --match-contract StakeLocksTest --forge-build-out build/forge --solver z3 --solver-timeout-assertion 900000

contracts-audit: setup ## slither's findings and forge's invariants
	@scripts/setup.sh audit
	@.tools/audit/bin/python scripts/slither_check.py
	@$(PY) scripts/forge_run.py test

contracts-mutations: setup ## whether a wrong ledger line is noticed by a test
	@$(PY) scripts/mutate_contracts.py

contracts-coverage: setup ## statement and branch coverage of the contracts by their tests
	@$(PY) scripts/contract_coverage.py

check: setup lint types layers drift ## formatting, lint, types, layers, drift of generated files

fmt: ## format the sources
	@$(PY) -m ruff format . && $(PY) -m ruff check --fix .

lint:
	@$(PY) -m ruff format --check . && $(PY) -m ruff check .

types:
	@$(PY) -m mypy

layers:
	@.venv/bin/lint-imports --no-cache

drift:
	@$(PY) scripts/update_vectors.py --check

vectors: ## regenerate tests/vectors
	@$(PY) scripts/update_vectors.py

artifacts: setup ## compile the contracts with Brownie and refresh the committed ABIs and bytecode
	@$(PY) scripts/export_artifacts.py

lock: ## regenerate requirements/lock.txt from what .venv holds
	@scripts/lock.sh

bench-openlora: setup ## the engine beside its peers, each in its own environment; ARGS="--quick" for a look
	@scripts/setup_peers.sh
	@$(PY) -m benchmarks.openlora $(ARGS)

bench-openlora-gpu: setup ## the engine on a GPU, where there is one; ARGS="--bases 1b" for a part
	@$(PY) -m benchmarks.openlora.gpu $(ARGS)

bench-attribution: setup ## attribution methods beside retraining; ARGS="--profile full" for more of it
	@scripts/setup_peers.sh hpo plots attribution
	@$(PY) -m benchmarks.attribution $(ARGS)

bench-attribution-scale: setup ## indexes by size: scan, disk, spans; ARGS="--ten-million" for 4 GB of rows
	@scripts/setup_peers.sh plots infini
	@$(PY) -m benchmarks.attribution_scan $(ARGS)
	@$(PY) -m benchmarks.attribution_spans --base .cache/base/smollm2-135m-instruct-fp32 --ten-million
	@.tools/bench/plots/bin/python -m benchmarks.attribution_plots docs/images

clean: ## remove the demo's state and caches (not the environments)
	@rm -rf .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* coverage.xml build
