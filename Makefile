# Everything that is done with this repository. `make help` lists it.
#
# Needs Python ≥ 3.11, Rust ≥ 1.88 and a C compiler; makes the rest of its environment itself, in .venv and .venv-uv.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:

UV_VERSION := 0.13.9
PYTHON ?= python3
ARGS ?=
STEPS ?= 20000000
SEED ?=
ROUNDS ?= 20
SECONDS ?= 7200

# The uv of this machine if it is the pinned one, else one of our own.
UV := $(shell uv --version 2>/dev/null | grep -q "^uv $(UV_VERSION)\b" && command -v uv || echo .venv-uv/bin/uv)
BIN := .venv/bin
RUN := @printf '\n— %s\n'

# One interpreter for the extension and for every cargo command, so that nothing is built twice.
export PYO3_PYTHON := $(CURDIR)/$(BIN)/python
# The environment is the project's, whatever is active around it.
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME
# Without it every start compiles every module anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help dev test browser pictures smoke check check-python check-proto check-generated check-rust format generate baseline build \
        twin model differential mutants preset-mutants property storm limits key-rotation timing bench bench-hot bench-cold bench-create \
        bench-memory bench-latency bench-storm bench-pages bench-peers bench-plots bench-rotation bench-micro instructions \
        faults soak fuzz abuse install clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

dev: install ## Start Argus with stores of its own and print lines to try it with (ARGS="--grpc-listen 127.0.0.1:6000")
	@exec $(BIN)/argus dev $(ARGS)

test: install ## Run every test (ARGS="tests/unit -k settings" goes to pytest; JOBS=2: files side by side, each with stores of its own)
	@$(BIN)/python -m pytest $(if $(JOBS),-n $(JOBS) --dist loadfile --max-worker-restart 2) $(ARGS)

browser: install ## Use the pages in Chromium as people do: by pointing and by keys, looked at by axe (pictures in .browser)
	@command -v chromium >/dev/null || { echo 'chromium is missing (Debian: apt install chromium)'; exit 1; }
	@ARGUS_BROWSER=1 ARGUS_BROWSER_HEADED=$(HEADED) $(BIN)/python -m pytest tests/browser $(ARGS)

pictures: browser ## Take the pictures of the pages that the docs show
	@cp .browser/page-sign-in-phone-light.png docs/pictures/pages-sign-in.png
	@cp .browser/devices-desktop-light.png docs/pictures/pages-devices.png
	@cp .browser/security-passkey-phone-dark.png docs/pictures/pages-security.png

smoke: install ## Walk through the main job on a private stack, one line a step
	@$(BIN)/argus smoke $(ARGS)

check: check-python check-proto check-generated check-rust ## Linters, types, contracts, generated = committed
	@printf '\nAll checks passed.\n'

check-python: install ## Format, lint, types and layers of the Python code
	$(RUN) 'ruff format'
	@$(BIN)/ruff format --check .
	$(RUN) 'ruff check'
	@$(BIN)/ruff check .
	$(RUN) 'mypy'
	@$(BIN)/mypy
	$(RUN) 'stubtest'
	@$(BIN)/python -m mypy.stubtest argus._core --mypy-config-file pyproject.toml
	$(RUN) 'import-linter'
	@$(BIN)/lint-imports

check-proto: install ## Lint the protos, and hold them against the last release
	$(RUN) 'buf lint'
	@$(BIN)/buf lint proto
	$(RUN) 'buf breaking'
	@$(BIN)/buf breaking proto --against proto/baseline.binpb

check-generated: install ## Compare what is committed with what would be generated
	$(RUN) 'generated = committed'
	@$(UV) run --quiet --project tools/generate --frozen python tools/generate/generate.py --check
	@cargo run --quiet --locked -p argus-generate -- --check
	@$(BIN)/python tools/generate/reference.py --check
	@$(BIN)/python -m drills table --check

check-rust: install ## Format, lint and tests of the Rust code
	$(RUN) 'cargo fmt'
	@cargo fmt --check
	$(RUN) 'cargo clippy'
	@cargo clippy --quiet --locked --workspace --all-targets -- -D warnings
	$(RUN) 'cargo test'
	@cargo test --quiet --locked -p argus-core -p argus-door -p argus-engine -p argus-fuzz -p argus-load

format: install ## Format the Python and the Rust code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix-only --quiet .
	@cargo fmt

generate: install ## Make the committed stubs, Rust messages and reference pages anew
	@$(UV) run --quiet --project tools/generate --frozen python tools/generate/generate.py
	@cargo run --quiet --locked -p argus-generate
	@$(BIN)/python tools/generate/reference.py
	@$(BIN)/python -m drills table

baseline: install ## Take the present protos as what the next ones must stay compatible with (at a release)
	@$(BIN)/buf build proto -o proto/baseline.binpb

build: $(UV) ## Build the wheel into dist/
	@$(UV) build --quiet --wheel --out-dir dist

twin: install ## A million random (record, token, time) through the Lua function and its Rust twin
	@ARGUS_TWIN_CASES=1000000 $(BIN)/python -m pytest tests/stores -k twin -p no:randomly --timeout 3600 $(ARGS)

differential: install ## A million mutated tokens before Argus, jsonwebtoken and joserfc (ARGS="--seed 7" repeats, --first 5 --tokens 1: one)
	@$(BIN)/python -m tests.differential $(ARGS)

mutants: install ## Break the code on purpose, once for each rule: every break must turn its tests red (ARGS="--only no-grace")
	@$(BIN)/python -m tests.mutants $(ARGS)

preset-mutants: install ## Take twenty numbers of presets away, each: exactly its tests must turn red (ARGS="--seed 7 --draw 0")
	@$(BIN)/python -m tests.mutants.draw $(ARGS)

property: install ## Play with rotation on real stores until every row of its table and every loss was met fifty times
	@ARGUS_PROPERTY_LEAST=50 $(BIN)/python -m pytest tests/property/rotation/test_rotation.py -q --capture=sys \
	    --show-capture=no $(ARGS)

storm: install ## A thousand times 64 parallel refreshes of one token over gRPC
	@ARGUS_STORM_ROUNDS=1000 $(BIN)/python -m pytest tests/property/rotation/test_storm.py -q --capture=sys $(ARGS)

limits: install ## Many sign-ins at once under a limit of five: every strategy, with and without a loss of Redis
	@ARGUS_LIMITS=1 $(BIN)/python -m pytest tests/faults/test_limit_storms.py -q $(ARGS)

model: ## Millions of steps through the rules of rotation and the laws they must keep (STEPS=20000000; SEED=… repeats)
	@ARGUS_MODEL_BAR=1 ARGUS_MODEL_STEPS=$(STEPS) $(if $(SEED),ARGUS_MODEL_SEED=$(SEED)) \
	    cargo test --release --quiet --locked -p argus-core --test world -- --nocapture

key-rotation: install ## Change and pull keys under load, go-oidc, jose and our module watching (ROUNDS=20)
	@ARGUS_KEY_ROTATION_ROUNDS=$(ROUNDS) $(BIN)/python -m pytest tests/interop/test_key_rotation.py -q --capture=sys \
	    --show-capture=no $(ARGS)

fuzz: install ## Fuzz all readers of strangers' bytes, two hours each (SECONDS=1800; ARGS="--only token --jobs 1"; needs a C++ compiler)
	@$(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(ARGS)

timing: install ## Do known and unknown users take the same time? (ARGS=--without-dummy-work must be red)
	@$(BIN)/python -m bench.timing $(ARGS)

bench-peers: install ## What issuing, refreshing and checking cost Keycloak and oidc-provider (gets them by mvn and npm; ARGS="--only keycloak")
	@$(BIN)/python -m bench.peers $(ARGS)

bench-plots: install ## Draw bench/results/*.svg out of the result files (ARGS="--format png" to look at them)
	@$(BIN)/python -m bench.plots $(ARGS)

bench-rotation: install ## What a rotation costs in CPU, beside a plain compare-and-set (ARGUS_TEST_REDIS=/path/to/redis-server: there too)
	@$(BIN)/python -m bench.rotation $(ARGS)

bench: install ## Every row of the goal table in one run, with its goal (ARGS="--only hot cold"; --table shows the last results)
	@$(BIN)/python -m bench $(ARGS)

bench-hot: install ## What the hot calls cost through the front door, beside a naive server (ARGS="--front-door off": by grpcio)
	@$(BIN)/python -m bench.hot $(ARGS)

bench-create: install ## What beginning a session costs, in turn with plain inserts (writes bench/results/create.json)
	@$(BIN)/python -m bench.create $(ARGS)

bench-memory: install ## What a million sessions take in Valkey and Redis (ARGS="--sessions 100000"; bench/results/memory.json)
	@$(BIN)/python -m bench.memory $(ARGS)

bench-cold: install ## What the front door adds to calls that it passes on, beside grpcio alone
	@$(BIN)/python -m bench.cold $(ARGS)

bench-latency: install ## How long a verification takes: one caller, and an open loop at rising rates
	@$(BIN)/python -m bench.latency $(ARGS)

bench-storm: install ## What verifications feel of a storm of logins
	@$(BIN)/python -m bench.storm $(ARGS)

bench-pages: install ## A late page of one user's sessions beside the first, in a tenant of a million (ARGS="--sessions 100000 --page 1000")
	@$(BIN)/python -m bench.pages $(ARGS)

bench-micro: install ## What small pieces of work cost: the crates (criterion), the binding (pytest-benchmark)
	@$(BIN)/python -m bench.micro $(ARGS)

instructions: install ## Count instructions under valgrind: is something slower than its baseline? (ARGS=--renew makes it anew)
	@$(BIN)/python -m bench.instructions $(ARGS)

abuse: install ## What honest callers notice while others do harm (ARGS="--only reset_spaced"; writes bench/results/abuse.json)
	@$(BIN)/python -m bench.abuse $(ARGS)

faults: install ## Break everything while clients go on, 10 times each (ARGS="--only redis.killed --runs 2" for a part)
	@$(BIN)/python -m drills faults --publish $(ARGS)

soak: install ## Random drills until stopped (ARGS="--only redis --json")
	@$(BIN)/python -m drills soak $(ARGS)

install: $(UV) ## Make the environment from the lock files, and build the extension if its sources have changed
	@command -v cargo >/dev/null || { echo 'Rust is missing: install 1.88 or newer from https://rustup.rs'; exit 1; }
	@$(UV) sync --frozen --quiet --extra server

.venv-uv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo '$(PYTHON) is not Python 3.11 or newer: say PYTHON=/path/to/one'; exit 1; }
	@$(PYTHON) -m venv .venv-uv || { echo 'the venv module is missing (Debian: apt install python3-venv)'; exit 1; }
	@.venv-uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

clean: ## Delete what was built (not the data of `make dev`, which is in .argus)
	@rm -rf dist target .venv tools/generate/.venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find python tests -name __pycache__ -type d -prune -exec rm -rf {} +
	@rm -f python/argus/_core*.so
