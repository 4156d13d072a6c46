# Two commands matter: `make up` runs the demo, `make test` checks everything. `make help` lists the rest.

SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# One cargo at a time: two would wait for each other and mix their words.
.NOTPARALLEL:
export PYTHONDONTWRITEBYTECODE = 1

cache := $(or $(PEERWAY_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/peerway)
model := $(cache)/models/SmolLM2-135M-Instruct.Q8_0.gguf
# Tests also need the engine that fails on demand, which no released binary has.
scripted := --features peerway-node/scripted
# Always one profile, the whole workspace and the same features, or the engine compiles again (.ci/cargo).
all := --release --workspace --locked
# Ours by name: without names the harness of every library would be built too.
benches = $(addprefix --bench ,$(basename $(notdir $(wildcard */benches/*.rs))) \
	$(notdir $(patsubst %/main.rs,%,$(wildcard */benches/*/main.rs))))
examples = $(addprefix --example ,$(basename $(notdir $(wildcard */examples/*.rs))))
# What the tests of the whole are given, and what runs them.
given = PEERWAY_BIN=$(target)/release/peerway \
	PEERWAY_NODE_BIN=$(target)/release/peerway-node \
	PEERWAY_SCRIPTED_NODE_BIN=$(target)/scripted/peerway-node \
	PEERWAY_ASYNC_OPENAI=$(target)/release/examples/async_openai \
	PEERWAY_DEMO_MODEL=$(model) \
	PEERWAY_NODE_MODULES="$$(.ci/npm)"
product = $(given) "$$(.ci/venv)"/bin/python -m pytest
# Read when used: the compiler may be missing until .ci/needs has said so.
target = $(shell .ci/target-dir)

.PHONY: help statements up down status test bench fmt fmt-check lint rooms policy unit product chaos build binaries model needs \
	test-needs clean purge

help: ## list what make can do
	@grep -hE '^[a-z-]+:.* ## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.* ## /\1\t/' | expand -t 10

up: build model ## start the demo: a gateway and two nodes with a real model
	@gateway/demo/up.sh $(target)/release/peerway $(target)/release/peerway-node $(model)

down: ## stop the demo, and nothing else
	@gateway/demo/down.sh

status: ## show the demo's processes, nodes, models, prices and balance
	@gateway/demo/status.sh

test: fmt-check rooms policy lint unit product ## check everything, from nothing

bench: test-needs binaries model ## run the benchmarks and print what they measure
	@PEERWAY_DEMO_MODEL=$(model) .ci/cargo bench --profile release --workspace --locked $(benches)
	@$(given) "$$(.ci/venv)"/bin/python gateway/benches/slow_readers.py
	@$(given) "$$(.ci/venv)"/bin/python gateway/benches/webhook_to_credit.py

fmt: needs ## format the code
	@cargo fmt --all

fmt-check: needs
	@echo "== format"
	@cargo fmt --all --check

rooms: needs
	@echo "== rooms"
	@python3 .ci/checks/rooms.py

policy: needs
	@echo "== licences and refused crates"
	@python3 .ci/checks/policy.py

statements: test-needs ## ask the databases about the ledger's SQL again, after a statement or a schema changed
	@.ci/statements

lint: needs ## run clippy, with every warning an error
	@echo "== lint"
	@.ci/cargo clippy $(all) --all-targets $(scripted) -- -D warnings

unit: test-needs model ## run the tests of the rooms
	@echo "== tests of the rooms"
	@if cargo nextest --version >/dev/null 2>&1; then \
		PEERWAY_DEMO_MODEL=$(model) .ci/cargo nextest run $(all) $(scripted) --no-fail-fast; \
	else \
		PEERWAY_DEMO_MODEL=$(model) .ci/cargo test $(all) $(scripted) --lib --bins --tests --no-fail-fast; \
	fi

product: test-needs binaries model ## run the tests of the whole, as a user meets it
	@echo "== tests of the whole"
	@$(product) gateway/tests/product

chaos: test-needs binaries model ## kill, cut off and move the hosts of a network for minutes, and print what callers notice
	@PEERWAY_CHAOS=long $(product) gateway/tests/product/test_chaos.py

build: needs ## build the released binaries
	@.ci/cargo build $(all)

# Both builds of the node have one name, so the one for tests is copied away before the released one takes its place.
# The examples are clients that the tests run.
binaries: needs
	@.ci/cargo build $(all) $(scripted) --bin peerway-node $(examples)
	@mkdir -p $(target)/scripted
	@cp -f $(target)/release/peerway-node $(target)/scripted/peerway-node
	@.ci/cargo build $(all)

model: needs ## fetch the demo model into the cache
	@backend-node/demo-model/fetch.sh $(cache)/models >&2

needs:
	@.ci/needs

test-needs:
	@.ci/needs tests

clean: down ## stop the demo, forget its state and what was built of the rooms; the compiled engine stays
	@rm -rf $(or $(PEERWAY_STATE),.peerway)
	@.ci/cargo clean --release -p peerway-openapi -p peerway-p2p -p peerway-billing -p peerway-billing-store \
		-p peerway-billing-sqlite -p peerway-billing-postgres -p peerway -p peerway-node

purge: clean ## as clean, and forget the compiled engine, the model and the tests' Python and Node
	@rm -rf $(cache)/target-* $(cache)/models $(cache)/venv-* $(cache)/npm-*
