# Each target works as the first command on a fresh machine with Python 3.11+, git and make.
PYTHON ?= python3
VENV := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help demo stop status quick quick-types quick-tests test on-sqlite on-postgresql lint bench bench-against chaos compose-test fresh papers messages fuzz fuzz-api fuzz-receipts fuzz-ocpp faults

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## start everything, with 3,395 real sessions on a chain of its own
	@began=$$(date +%s); $(PYTHON) -m dev.bootstrap demo && $(VENV)/python -m dev.stack up --began $$began

stop: ## end what `make demo` started; the data stay
	@if [ -x $(VENV)/python ]; then $(VENV)/python -m dev.stack down; else echo "Nothing was ever started here."; fi

status: ## what of the demo runs
	@$(PYTHON) -m dev.bootstrap demo
	@$(VENV)/python -m dev.stack status

# The loop while writing: what needs no node, TPM, browser or provider (tests/parts.py marks it), on SQLite with tables made
# from the models, as quick as 2 cores are. mypy looks again at what changed only; the first time it takes 20 s more.
QUICK := -m "not node and not tpm and not browser and not provider" --nomigrations
CORES ?= $(shell expr $$(nproc) + 1)

quick: ## a minute or two: ruff, mypy, and all tests that need no node, TPM, browser or identity provider
	@$(PYTHON) -m dev.bootstrap test
	$(VENV)/ruff check .
	@$(MAKE) --no-print-directory --jobs 2 quick-types quick-tests

quick-types: # beside the tests; what it says comes in one piece
	@$(VENV)/mypy . > var/log/mypy.log 2>&1; status=$$?; printf '\nmypy: '; cat var/log/mypy.log; exit $$status

quick-tests:
	EVPORTAL_TEST_DATABASE=sqlite $(VENV)/python -m pytest $(QUICK) -n $(CORES) --dist loadfile $(ARGS)

# What differs between the databases runs on both: on PostgreSQL with everything else, and on SQLite, the demo's default.
ON_SQLITE := tests/ledger/recording/test_recording.py \
	tests/ledger/recording/test_failures.py::test_two_workers_at_once_record_once \
	tests/ledger/repair/test_restoration.py::test_everything_is_back_from_the_chain \
	tests/ledger/recording/test_older_backup.py::test_killed_anywhere_and_repeated_it_loses_nothing \
	tests/ledger/keys/test_replacing.py::test_whoever_makes_keys_while_the_master_key_is_replaced_loses_none

# Where files or tests are named, SQLite gets those of them that are its own, with the same flags.
NAMED := $(patsubst %/,%,$(filter tests/%,$(ARGS)))
FLAGS := $(if $(NAMED),$(filter-out tests/%,$(ARGS)))
file_of = $(firstword $(subst ::, ,$1))
among_these = $(if $(findstring ::,$1),$(if $(filter $1 $(call file_of,$1),$2),$1),$(filter $1 $1::% $1/%,$2))
SQLITE_TESTS := $(if $(NAMED),$(sort $(foreach name,$(NAMED),$(call among_these,$(name),$(ON_SQLITE)))),$(ON_SQLITE))

# Several at once, because most tests wait: for blocks, time-outs, recoveries. A file's tests stay together, so that one
# file needs no workers, and begins sooner without.
WORKERS ?= 6
FILES := $(sort $(foreach name,$(NAMED),$(call file_of,$(name))))
AT_ONCE := $(if $(filter-out 1,$(words $(FILES) $(filter-out %.py,$(FILES)))),-n $(WORKERS) --dist loadfile --no-loadscope-reorder)

# The tests start some hundred Python programs: each would compile ours anew where the environment says to keep nothing.
quick test on-sqlite on-postgresql: export PYTHONDONTWRITEBYTECODE :=

test: ## all tests, against real parts; of one file: make test ARGS=tests/api/test_docs.py
	@$(PYTHON) -m dev.bootstrap test
	@$(MAKE) --no-print-directory --jobs 2 $(if $(SQLITE_TESTS),on-sqlite) on-postgresql

on-sqlite: # beside the others; what it says comes in one piece
	@EVPORTAL_TEST_DATABASE=sqlite $(VENV)/python -m pytest $(SQLITE_TESTS) $(FLAGS) > var/log/on_sqlite.log 2>&1; \
		status=$$?; $(if $(NAMED),[ $$status -ne 5 ] || status=0;) \
		printf '\nOn SQLite:\n'; cat var/log/on_sqlite.log; exit $$status

on-postgresql:
	$(VENV)/python -m pytest $(AT_ONCE) $(ARGS)

lint: ## ruff, mypy --strict, missing migrations
	@$(PYTHON) -m dev.bootstrap lint
	$(VENV)/ruff check .
	$(VENV)/mypy .
	$(VENV)/python manage.py makemigrations --check --dry-run

papers: ## the table of settings and the diagrams of docs/, made anew
	@$(PYTHON) -m dev.bootstrap papers
	$(VENV)/python -m dev.papers

messages: ## collect the texts that people see, and compile the German ones (locale/de)
	@$(PYTHON) -m dev.bootstrap test
	$(VENV)/python manage.py makemessages --locale de --no-obsolete --ignore .venv --ignore var
	$(VENV)/python manage.py compilemessages --locale de --ignore .venv --ignore var

bench: ## the figures of bench/results.json
	@$(PYTHON) -m dev.bootstrap test
	$(VENV)/python -m bench.run $(ARGS)

bench-against: ## this tree beside another revision, in one run: make bench-against REV=bf29850
	@$(PYTHON) -m dev.bootstrap test
	$(VENV)/python -m bench.against $(or $(REV),$(error name a revision: make bench-against REV=bf29850)) $(ARGS)

chaos: ## kill parts at random while stations charge, and while sessions are recorded; nothing lost, nothing twice
	@$(PYTHON) -m dev.bootstrap test
	$(VENV)/python -m dev.trials.chaos.charging $(CHARGING)
	$(VENV)/python -m dev.trials.chaos.main $(ARGS)

fuzz: ## 5,000 made-up requests to the TPM service; no answer that its OpenAPI schema does not name
	@$(PYTHON) -m dev.bootstrap test
	$(VENV)/python -m dev.trials.fuzz.tpm --cases 5000 $(ARGS)

fuzz-api: ## 10,000 made-up requests to /api/v1; no answer that its OpenAPI document does not name
	@$(PYTHON) -m dev.bootstrap test
	FUZZ_API_CASES=10000 $(VENV)/python -m pytest tests/api/test_fuzz.py $(ARGS)

fuzz-ocpp: ## 20,000 made-up OCPP messages of three versions; each is answered, or its connection closed
	@$(PYTHON) -m dev.bootstrap test
	FUZZ_OCPP_MESSAGES=20000 $(VENV)/python -m pytest tests/gateway/ocpp/test_fuzz.py $(ARGS)

fuzz-receipts: ## 20,000 made-up receipts and nodes' answers through portal, script and browser; all say the same
	@$(PYTHON) -m dev.bootstrap test
	$(VENV)/python -m bench.ledger.fuzz_receipts --cases 20000 $(ARGS)

compose-test: ## the system in containers: recorded, tampered with, mended, taken down (docs/containers.md)
	@$(PYTHON) -m dev.bootstrap demo
	@$(VENV)/python -m dev.trials.compose.main $(ARGS)

fresh: ## make demo and make test as first commands on a fresh Debian, as root: make fresh SUITE=bookworm|trixie
	@$(PYTHON) -m dev.bootstrap demo
	@$(VENV)/python -m dev.trials.fresh.main $(SUITE) --workers $(WORKERS) $(if $(KEEP),--keep) $(ARGS)

faults: ## 10,000 operations of the TPM service while its TPM fails in 1 of 100; nothing lost, nothing wrong
	@$(PYTHON) -m dev.bootstrap test
	$(VENV)/python -m dev.trials.tpm_faults.main --operations 10000 --faults 0.01 $(ARGS)
