# Needs only Python 3.11 or newer, make and git. Environments are built in build/, and again when their requirement files
# or the Python version change. `make` without a target lists the targets.

PYTHON ?= python3
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VERSION := $(shell sed -n 's/^version: *//p' galaxy.yml)
TARBALL := build/dist/labstream-aws-$(VERSION).tar.gz

# The environments, each with a stamp file.
RUNTIME := build/venv/.runtime build/collections/.stamp
NEWEST := build/venv/.test build/collections/.stamp
OLDEST := build/venv-oldest/.stamp build/collections-oldest/.stamp
LINT := build/venv-lint/.stamp build/collections/.stamp
BOTOCORE_NIMBLE := build/botocore-nimble/.stamp
DYNALITE := build/dynalite/.stamp
CHROMIUM := build/chromium/.stamp

# Commands run in them find each other, this collection and amazon.aws, and write to a home folder of their own.
in_environment = mkdir -p build/home && env HOME="$(CURDIR)/build/home" PATH="$(CURDIR)/$(1)/bin:$$PATH" \
	ANSIBLE_COLLECTIONS_PATH="$(CURDIR)/$(2)"
IN_NEWEST = $(call in_environment,build/venv,build/collections)
IN_OLDEST = $(call in_environment,build/venv-oldest,build/collections-oldest)
IN_LINT = $(call in_environment,build/venv-lint,build/collections)

# The page of figures, and the tests that hypothesis gives more examples in `make stress`.
FIGURES := tests/benchmarks/README.md
ANY_INPUT := tests/integration/test_any_input.py tests/integration/test_hostile.py tests/unit/plugins/filter/test_any_input.py \
	tests/unit/plugins/module_utils/_leases/test_resource_issuer_model.py

# What `make test` runs, the longest first, two at a time.
CHECKS := integration sanity integration-oldest molecule unit unit-oldest lint-docs lint-python galaxy sanity-oldest lint-ansible demo tarball

##@ Commands

help: ## List the targets
	@awk -F ':.*## ' '/^##@/ { print substr($$0, 5) ":" } /^[a-z-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' Makefile

demo: $(RUNTIME) ## Streaming URLs for a lab of 30 from the simulator, no AWS account needed; KEEP=1 keeps the simulator running
	@$(IN_NEWEST) KEEP=$(KEEP) python tools/demo.py

simulator: $(RUNTIME) ## A simulator of AWS for playbooks of your own, with a stack and a fleet, until Ctrl+C
	@$(IN_NEWEST) python tools/simulator.py

test: ## Every check; .ci/run calls this
	@$(MAKE) --no-print-directory -j 3 environments
	@UNIT_WORKERS=0 build/venv/bin/python tools/side_by_side.py $(CHECKS)

bench: $(NEWEST) $(OLDEST) $(BOTOCORE_NIMBLE) ## Time and memory compared with what people would use instead; written to tests/benchmarks/README.md
	@$(IN_NEWEST) python -m tests.benchmarks --write $(FIGURES)

# SEED=NUMBER repeats a run.
stress: $(NEWEST) ## Faults, killed runs, concurrent runs and random input, far more than in `make test`; about half an hour
	@$(IN_NEWEST) pytest tests/stress -n 2 $(if $(SEED),--seed $(SEED))
	@$(IN_NEWEST) HYPOTHESIS_PROFILE=stress pytest $(ANY_INPUT) -n 2

long: $(NEWEST) $(LINT) ## Tests that take too long for `make test`
	@$(IN_NEWEST) pytest tests/integration -m long -n 2
	@$(IN_NEWEST) tools/sanity.sh build/collections $(addprefix --test ,$(SLOW_SANITY))

audit: $(NEWEST) build/venv-audit/.stamp ## Known vulnerabilities of the installed packages; asks osv.dev
	@build/venv-audit/bin/pip-audit --strict --vulnerability-service osv --progress-spinner off --path \
		"$$(build/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"

build: $(RUNTIME) ## The tarball for Galaxy, in build/dist
	@$(IN_NEWEST) ansible-galaxy collection build --force --output-path build/dist

format: $(LINT) ## Format the Python sources
	@$(IN_LINT) ruff check --fix-only --quiet .
	@$(IN_LINT) ruff format .

changelog: $(LINT) ## Write the release notes of the version in galaxy.yml
	@$(IN_LINT) antsibull-changelog release --update-existing --reload-plugins --refresh-plugins

environments: $(NEWEST) $(OLDEST) $(LINT) $(BOTOCORE_NIMBLE) $(DYNALITE) $(CHROMIUM) ## Build all environments

clean: ## Remove build/
	rm -rf build

##@ Checks, one by one

lint: lint-python lint-ansible lint-docs tarball ## All linters, and the contents of the tarball

lint-python: $(LINT) ## Style, format and types of the Python sources, and the shell scripts
	@failed=0; for check in "ruff check ." "ruff format --check ." mypy "shellcheck .ci/run tools/*.sh"; do \
		$(IN_LINT) $$check || failed=1; done; exit $$failed

lint-ansible: $(LINT) ## ansible-lint with its production profile
	@$(IN_LINT) ansible-lint --offline --strict

# antsibull-docs copies amazon.aws from build/, which git ignores: the ceiling keeps it from asking git what to copy.
lint-docs: $(LINT) ## Documentation of plugins and roles, guides, changelog
	@$(IN_LINT) antsibull-changelog lint
	@$(IN_LINT) GIT_CEILING_DIRECTORIES="$(CURDIR)" antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs self .

tarball: build ## The tarball holds the files in git except those for development
	build/venv/bin/python tools/check_tarball.py $(TARBALL)

galaxy: build $(LINT) ## The checks of Galaxy's importer
	@$(IN_LINT) tools/galaxy_import.sh $(TARBALL) build/collections

# These two take half a second for each file. Tests are checked by ruff, and by these two in "long".
SLOW_SANITY := pep8 pylint
sanity: $(NEWEST) $(LINT) ## ansible-test sanity with the newest ansible-core
	@$(IN_NEWEST) tools/sanity.sh build/collections $(addprefix --skip-test ,$(SLOW_SANITY))
	@$(IN_NEWEST) tools/sanity.sh build/collections $(addprefix --test ,$(SLOW_SANITY)) --exclude tests/

# Without the linters that do not depend on ansible-core: "sanity" runs newer versions on the same files.
sanity-oldest: $(OLDEST) $(LINT) ## ansible-test sanity with the oldest ansible-core
	@$(IN_OLDEST) tools/sanity.sh build/collections-oldest $(addprefix --skip-test ,changelog pep8 pylint shellcheck yamllint)

# While other checks run, distributing thousands of small tests to two processes costs more than it saves.
UNIT_WORKERS ?= 2

unit: $(NEWEST) $(BOTOCORE_NIMBLE) ## Unit tests
	@$(IN_NEWEST) pytest tests/unit -n $(UNIT_WORKERS) --dist loadfile

# The simulator that some of them start runs in the newest environment, and so do the state machines, which take hypothesis.
# What knows neither Ansible nor AWS does not depend on the versions: the engine of the leases but for test_module.py, their
# stores but for test_dynamodb*.py and test_factory.py, handouts and labs. Nor does what a second DynamoDB says.
VERSIONLESS := _leases/test_[!m]* _leases/stores/test_[!df]* _handouts/* _labs/* _gamelift/test_urls_model.py
unit-oldest: $(NEWEST) $(OLDEST) $(BOTOCORE_NIMBLE) ## Unit tests of the plugins with the oldest ansible-core, amazon.aws and boto3
	@$(IN_OLDEST) pytest tests/unit/plugins $(foreach tests,$(VERSIONLESS),--ignore-glob '*/module_utils/$(tests)') \
		-k "not dynalite" -n $(UNIT_WORKERS) --dist loadfile -p no:cacheprovider -o pythonpath="build/collections-oldest ."

# A file's tests run in one process, since some share a playbook run. The last files are short: both processes end together.
IN_TWO := -n 2 --dist loadfile --no-loadscope-reorder

integration: $(NEWEST) $(BOTOCORE_NIMBLE) ## Modules and roles against the simulator
	@$(IN_NEWEST) pytest tests/integration -m "not long" $(IN_TWO)

# The simulator and pytest run in the newest environment, ansible-playbook and modules in the one named here.
integration-oldest: $(NEWEST) $(OLDEST) ## The tests marked "core", through the oldest ansible-playbook
	@$(IN_NEWEST) LABSTREAM_TEST_VENV="$(CURDIR)/build/venv-oldest" LABSTREAM_TEST_COLLECTIONS="$(CURDIR)/build/collections-oldest" \
		pytest tests/integration -m core $(IN_TWO) -p no:cacheprovider

# Without --workers: with it molecule skips "destroy", which stops the simulator.
molecule: $(NEWEST) $(CHROMIUM) ## The scenario in extensions/molecule: a whole lab at each service
	@$(IN_NEWEST) molecule test --all --continue-on-failure

.PHONY: help demo simulator test bench stress long audit build format changelog environments clean lint lint-python lint-ansible lint-docs tarball galaxy \
	sanity sanity-oldest unit unit-oldest integration integration-oldest molecule

# Environments

# Changes only when the Python version does.
build/python-version: FORCE
	@mkdir -p build
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "$(PYTHON) is too old: set PYTHON to 3.11 or newer")'
	@$(PYTHON) -VV | cmp -s - $@ || $(PYTHON) -VV > $@
FORCE:

define new_venv
@echo "Building $(@D): downloading and installing $(1). This takes a minute or two, once."
@$(PYTHON) -m venv --clear $(@D) && $(@D)/bin/python -m pip install -qq --upgrade "pip>=25.1,<27"
endef
# Wheels only: a fresh machine has no compiler. Bytecode is compiled here, in parallel, even if the user has switched it off:
# otherwise every process would compile Ansible again.
install = @$(@D)/bin/python -m pip install -qq --only-binary :all: --no-compile --requirement $(1) \
	&& { env -u PYTHONDONTWRITEBYTECODE $(@D)/bin/python -m compileall -q -j 0 $(@D)/lib || true; } && touch $@

build/venv/.runtime: requirements/runtime.txt build/python-version
	$(call new_venv,Ansible with boto3 and the simulator)
	$(call install,$<)

build/venv/.test: requirements/test.txt build/venv/.runtime
	@echo "Building build/venv: installing the test tools."
	$(call install,$<)

build/venv-oldest/.stamp: requirements/oldest.txt build/python-version
	$(call new_venv,the oldest supported versions)
	$(call install,$<)

build/collections/.stamp: requirements/amazon-aws.txt tools/collections_tree.py build/venv/.runtime
	@echo "Building $(@D): downloading amazon.aws."
	@build/venv/bin/python tools/collections_tree.py $< $(@D) && touch $@

build/collections-oldest/.stamp: requirements/amazon-aws-oldest.txt tools/collections_tree.py build/venv-oldest/.stamp
	@echo "Building $(@D): downloading amazon.aws."
	@build/venv-oldest/bin/python tools/collections_tree.py $< $(@D) && touch $@

build/venv-lint/.stamp: requirements/lint.txt build/python-version
	$(call new_venv,linters)
	$(call install,$<)

build/venv-audit/.stamp: requirements/audit.txt build/python-version
	$(call new_venv,pip-audit)
	$(call install,$<)

# A folder that goes before others on Python's path.
build/botocore-nimble/.stamp: requirements/botocore-nimble.txt build/venv/.runtime
	@echo "Building $(@D): downloading the last botocore with Nimble Studio."
	@rm -rf $(@D)
	@env -u PYTHONDONTWRITEBYTECODE build/venv/bin/python -m pip install -qq --only-binary :all: --no-warn-conflicts --target $(@D) \
		--requirement $< && touch $@

# A second implementation of DynamoDB. Needs Node: without it, the tests that use it are skipped.
# npm keeps the user's own settings.
build/dynalite/.stamp: tests/dynalite/package.json
	@rm -rf $(@D) && mkdir -p $(@D) && cp $< $(@D)
	@if command -v npm > /dev/null && npm install --prefix $(@D) --cache build/home/.npm --engine-strict --no-package-lock \
		--ignore-scripts --no-audit --no-fund --silent --fetch-retries 1 --fetch-timeout 20000; then touch $@; \
	else echo "dynalite is skipped: it needs node, npm and a registry." >&2; fi

# The browser that opens handout pages. Only a CI job with the rights to do so installs it, since it goes into the system;
# without it, the tests that use it are skipped.
build/chromium/.stamp:
	@mkdir -p $(@D)
	@if command -v chromium chromium-browser google-chrome > /dev/null; then touch $@; \
	elif [ -n "$${CI:-}" ] && [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends chromium; } \
			> $(@D)/install.log 2>&1 && touch $@ || echo "chromium is skipped: see $(@D)/install.log." >&2; \
	else echo "chromium is skipped: install it to test handout pages in a browser." >&2; fi
