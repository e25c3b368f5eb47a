# make run             the product with a demo clinic (PORT=8000, DATA=.data)
# make test            everything that must hold
# make check           formatter, linter, types, import rules, migrations
# make sbom            sbom.json: what is locked for running, with hashes (CycloneDX 1.5)
# make fuzz            what is wrong, for a minute a target (SECONDS=3600: for an hour)
# make network         visits over bad networks (by root; not part of make test)
# make bench           what docs/figures.md says about speed, measured here and now
# make bench-relay     what a forwarded packet costs us, and other servers that are installed (17 minutes)
# make format          put the formatting right
PORT ?= 8000
DATA ?= .data
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest -q
# Each worker brings its own servers and database.
SIDE_BY_SIDE := $(PYTEST) -n auto --maxprocesses 4
UNIT := $(SIDE_BY_SIDE) -m "not e2e and not network and not bench and not fuzz"
SECONDS ?= 60

.PHONY: run test check format setup sbom unit unit-postgresql fuzz e2e network bench bench-relay

run: setup
	@exec $(BIN)/python -m telehealth.launcher --port "$(PORT)" --data "$(DATA)"

test: check unit unit-postgresql fuzz e2e

setup:
	@telehealth/setup.sh

sbom:
	@telehealth/setup.sh sbom > sbom.json.part && mv sbom.json.part sbom.json

# Settings want strong secrets at every start, also of a checker.
check: export TELEHEALTH_SECRET_KEY := $(shell od -An -N48 -tx1 /dev/urandom | tr -d ' \n')
check: export TELEHEALTH_RELAY_SECRET := $(shell od -An -N48 -tx1 /dev/urandom | tr -d ' \n')
check: export TELEHEALTH_AUDIT_KEY := $(shell od -An -N48 -tx1 /dev/urandom | tr -d ' \n')
check: export TELEHEALTH_DATA_KEYS := check:$(shell head -c 32 /dev/urandom | base64)
check: export TELEHEALTH_DATABASE_URL := sqlite://:memory:
check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/djlint --lint --quiet templates
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py check --fail-level WARNING

unit: setup
	$(UNIT)

# The same tests again: what a database must refuse, PostgreSQL refuses in its own words. The relay has no database, and
# the launcher brings its own.
unit-postgresql: setup
	TELEHEALTH_TEST_DATABASE=postgresql $(UNIT) --ignore tests/relay --ignore tests/launcher

fuzz: setup
	TELEHEALTH_FUZZ_SECONDS=$(SECONDS) $(PYTEST) -n 4 -m fuzz tests/fuzz

# By themselves: sync Playwright and asyncio tests do not share a process. Up to six browsers encode and decode on one
# small machine, and a call that is starved looks like one that failed: what is red is tried once more, by itself.
BROWSERS := $(PYTEST) -m e2e tests/e2e
E2E := { $(BROWSERS) || { test $$? = 1 && echo "TRIED AGAIN, by itself:" && $(BROWSERS) --last-failed; }; }

e2e:
	@telehealth/setup.sh browsers; case $$? in \
	0) $(E2E);; \
	3) echo "NOT RUN: the browser tests (tests/e2e), because Chromium is missing and could not be installed.";; \
	4) $(E2E) && \
	echo "NOT RUN: the tests with Firefox (tests/e2e/test_firefox.py), because it is missing and could not be installed.";; \
	*) exit 1;; esac
	@command -v turnserver >/dev/null || \
	echo "NOT RUN: the tests with a TURN server (tests/e2e/test_turn.py), because coturn is missing and could not be installed."

# By root only: each browser in a network of its own, whose line loses packets, is slow, or goes away.
network:
	@telehealth/setup.sh network; case $$? in \
	0) $(PYTEST) -m network tests/e2e/network;; \
	3) echo "NOT RUN: visits over bad networks (tests/e2e/network), because the browsers, espeak-ng or nftables are missing and could not be installed.";; \
	5) echo "NOT RUN: visits over bad networks (tests/e2e/network), because network namespaces need root, and a kernel that lets it.";; \
	*) exit 1;; esac

bench:
	@telehealth/setup.sh browsers || test $$? = 4
	$(PYTEST) -s -m bench tests/bench

bench-relay: setup
	$(BIN)/python -m tests.bench.relay --into docs/figures.md

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix --quiet .
