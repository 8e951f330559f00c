# Needs only Python 3.11 or newer, make and git. What it builds goes to build/. `make` lists the targets. The checks are sessions
# of nox: after `make nox`, `build/nox/bin/nox -l` lists them. See noxfile.py.

PYTHON ?= python3
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VERSION_CHECK = import sys; sys.exit(sys.version_info < (3, 11) and "$(PYTHON) is too old: set PYTHON to 3.11 or newer")
BUILD = @$(PYTHON) -c '$(VERSION_CHECK)' && $(PYTHON) tools/environments.py
RUN = @HOME="$(CURDIR)/build/home" build/venv/bin/python
NOX = @build/nox/bin/nox --session

# What `make test` runs, the longest first, three at a time; the session "galaxy-import" also builds and checks the tarball.
CHECKS := integration sanity integration-oldest molecule units units-oldest docs-check galaxy-import codeqa sanity-oldest ansible-lint \
	demo typing license-check extra-checks changelog antsibull-nox-config
LINTERS := codeqa typing ansible-lint docs-check license-check extra-checks changelog antsibull-nox-config galaxy-import

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

demo: ## Streaming URLs for a lab of 30 from the simulator, no AWS account needed; KEEP=1 keeps the simulator running
	$(BUILD) runtime collections
	$(RUN) tools/demo.py

simulator: ## A simulator of AWS for playbooks of your own, with a stack and a fleet, until Ctrl+C
	$(BUILD) runtime collections
	$(RUN) tools/simulator.py

test: environments ## Every check; .ci/run calls this
	@UNIT_WORKERS=0 build/nox/bin/python tools/side_by_side.py $(CHECKS)

lint: nox ## All linters, and the contents of the tarball
	$(NOX) $(LINTERS)

units integration bench stress long audit model-watch format release: nox
	$(NOX) $@

units: ## Unit tests
integration: ## Modules and roles against the simulator
bench: ## Time and memory compared with what people would use instead; written to tests/benchmarks/README.md
stress: ## Faults, killed runs, concurrent runs and random input, far more than in `make test`; about half an hour
long: ## Tests that take too long for `make test`
audit: ## Known vulnerabilities of the installed packages; asks osv.dev
model-watch: ## What changed in the service models since the botocore that was reviewed last
format: ## Format the Python sources
release: ## Write the release notes of the version in galaxy.yml

nox: ## Build the environment of nox
	$(BUILD) nox

environments: ## Build what `make test` needs
	$(BUILD) newest collections-test lint oldest nox collections-oldest dynalite botocore-nimble chromium

clean: ## Remove build/
	rm -rf build

.PHONY: help demo simulator test lint units integration bench stress long audit model-watch format release nox environments clean
