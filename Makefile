# Every target is what CI runs; longer logic is Python with tests.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true
export ORT_DISABLE_TELEMETRY := 1
export DVC_NO_ANALYTICS := 1
# every step is a process of its own: without its bytecode each would compile MLflow anew, 3 s
unexport PYTHONDONTWRITEBYTECODE
FAST := not (slow or faults or torch or e2e or full or live)

.DEFAULT_GOAL := help
.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z][a-z0-9-]*:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

$(INSTALLED): requirements/bootstrap.txt requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 15) else "mainline needs Python 3.11 to 3.14, and $(PYTHON) is " + sys.version.split()[0] + ": make PYTHON=python3.12 install")'
	@echo "installing the locked dependencies into .venv/ (about 1.8 GB)"
	@$(PYTHON) -m venv .venv && $(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@$(BIN)/uv pip install -q --compile-bytecode --require-hashes -r requirements/dev.txt && $(BIN)/uv pip install -q --no-deps -e .
	@touch $@

.PHONY: install tools
install: $(INSTALLED) ## Install the locked dependencies into .venv/ and kustomize into .tools/
	@$(BIN)/python -m pipelines.tools kustomize
tools: $(INSTALLED) ## Find, fetch or build kustomize and Prometheus at the pinned versions (.tools/)
	@$(BIN)/python -m pipelines.tools

.PHONY: demo
demo: install tools ## Play the whole loop on this machine: push trains, merge promotes, revert rolls back (KEEP=1 leaves servers up)
	@$(BIN)/mainline demo $(if $(KEEP),--keep)

.PHONY: test test-slow test-torch test-faults test-live specimens
test: install ## The fast suite (one to two minutes, no network, no GPU)
	@$(BIN)/python -m pytest -q -n auto -m "$(FAST)"
test-slow: install ## Tests that take more than a few seconds each
	@$(BIN)/python -m pytest -q -n auto -m "slow and not (faults or torch or e2e or full or live)"
test-torch: install ## Tests of digits: installs torch first (4.7 GB in its CUDA build)
	@$(BIN)/uv pip install -q --require-hashes -r requirements/torch.txt
	@$(BIN)/python -m pytest -q -m torch
test-live: install tools ## Three specimens through the rehearsal, and two without their gates (4 minutes; the cluster shows others)
	@$(BIN)/python -m pytest -q -m live tests/specimens
specimens: install tools ## All specimens through the rehearsal, and a table of how each ended (half an hour)
	@$(BIN)/python -m tests.specimens
test-faults: install ## Kill train, register, propose and promote at seeded random instants; the next run must complete
	@$(BIN)/python -m pytest -q -n auto -m faults

.PHONY: e2e
e2e: install ## The stories on a cluster, KUBECONFIG's or the one of `make cluster`, about half an hour (FULL=1: all of them)
	@mkdir -p build/e2e && $(BIN)/python -m pytest -q -s -m "$(if $(FULL),e2e or full,e2e)" --junitxml=build/e2e/junit.xml tests/e2e

.PHONY: bench-gates
bench-gates: install ## Simulate 1,000 rollouts, half of them bad: what the gates let through, and how soon they stop the rest (ROLLOUTS=100)
	@$(BIN)/python -m pipelines.rehearsal.simulate.bench --rollouts $(or $(ROLLOUTS),1000)

.PHONY: bench bench-peers bench-locks soak
bench: install ## Our serving figures in a minute, against a raw ASGI application (Linux, two cores, wrk: apt-get install wrk)
	@$(BIN)/python -m tests.bench serving
bench-peers: install ## Serving beside MLServer, KServe, BentoML, MLflow and a tutorial's service: 2 GB, half an hour, a quiet machine
	@$(BIN)/python -m tests.bench peers --rounds $(or $(ROUNDS),3) --picture .github/serving.png
bench-locks: install ## Compile tests/bench/peers/*/requirements.in into hashed requirements files
	@$(BIN)/python -m tests.bench locks
soak: install ## Ten minutes of good, bad and vanishing callers: no growth, no error, nothing stuck (MINUTES=1)
	@$(BIN)/python -m tests.bench soak --minutes $(or $(MINUTES),10)

.PHONY: review
review: install tools ## Refuse aborted releases and rehearse what a pull request would roll out: make review BASE=main HEAD=branch
	@$(BIN)/mainline check $(or $(BASE),main) $(or $(HEAD),HEAD) --rehearse

.PHONY: traffic bad-model
traffic: install ## Steady requests to a model on the cluster, and who answers: make traffic MODEL=diabetes ENV=production RATE=100
	@$(BIN)/python -m tests.e2e traffic $(MODEL) $(or $(ENV),production) --rate $(or $(RATE),100)
bad-model: install ## Propose a bad model for the cluster's production, for its gate to stop: make bad-model CASE=constant-answer-diabetes
	@$(BIN)/python -m tests.e2e bad-model $(or $(CASE),constant-answer-diabetes)

.PHONY: cluster cluster-down image images
cluster: install ## Bring up a cluster (KUBECONFIG's, kind's or built from source) with images and platform
	@$(BIN)/python -m pipelines.cluster up
cluster-down: install ## Take it down again and leave nothing behind; from KUBECONFIG's only the platform (PURGE=1: caches too)
	@$(if $(PURGE),PURGE=1) $(BIN)/python -m pipelines.cluster down
image: install ## Build one image into this machine's store by docker, podman or buildah: make image IMAGE=judge (TWICE=1: twice, and compare)
	@$(BIN)/python -m pipelines.images $(or $(IMAGE),serving) $(if $(TWICE),--twice)
images: install ## Build serving, trainer, judge and mlflow and push them to the cluster's registry (IMAGES="serving judge")
	@$(BIN)/python -m pipelines.cluster images $(IMAGES)

.PHONY: lint format render locks
lint: install ## ruff, mypy --strict, the layers, and that generated files are fresh
	@$(BIN)/ruff check -q . && $(BIN)/ruff format -q --check . && $(BIN)/mypy
	@$(BIN)/lint-imports --no-cache && $(BIN)/python -m pipelines.render --check
format: install ## Format and mend what ruff can
	@$(BIN)/ruff format -q . && $(BIN)/ruff check -q --fix .
render: install ## Render pipelines/workflows to manifests/workflows
	@$(BIN)/python -m pipelines.render
locks: install ## Compile pyproject.toml's dependency groups into hashed requirements files
	@$(BIN)/python -m pipelines.locks

.PHONY: clean
clean: ## Remove .venv/, .tools/ and build/
	@chmod -R u+w .tools 2>/dev/null; rm -rf .venv .tools build
