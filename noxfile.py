# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks of this project. ``nox -l`` lists them, ``nox -s NAME`` runs one, ``make test`` runs those that must pass.

docs-check, extra-checks, license-check and antsibull-nox-config are antsibull-nox's, see antsibull-nox.toml. The others
run in environments in build/, which tools/environments.py builds and which they share.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import antsibull_nox
import nox

CHECKOUT = Path(__file__).resolve().parent
BUILD = CHECKOUT / "build"
DIST = BUILD / "dist"
sys.path.insert(0, str(CHECKOUT / "tools"))

import environments  # noqa: E402

nox.options.envdir = "build/nox-sessions"
nox.options.reuse_venv = "yes"
# For antsibull-nox: amazon.aws is in that tree already, and nothing is fetched from Galaxy. The ceiling keeps
# antsibull-docs from asking git about the copy that it makes below build/, which git ignores.
os.environ["ANSIBLE_COLLECTIONS_PATH"] = str(BUILD / "collections")
os.environ["ANTSIBULL_NOX_INSTALL_COLLECTIONS"] = "never"
os.environ["GIT_CEILING_DIRECTORIES"] = str(CHECKOUT)
antsibull_nox.load_antsibull_nox_toml()


@dataclass(frozen=True)
class Environment:
    """A virtual environment and a tree of collections: their names for tools/environments.py, and their folders."""

    names: tuple[str, ...]
    venv: Path
    collections: Path

    def run(self, session: nox.Session, *command: str | Path, **variables: str) -> None:
        """Run a command that finds this environment's programs and collections, in a home folder of its own."""
        environments.build(*self.names)
        env = {
            "HOME": str(BUILD / "home"),
            "PATH": f"{self.venv / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "ANSIBLE_COLLECTIONS_PATH": str(self.collections),
            **variables,
        }
        program, *arguments = map(str, command)
        own = self.venv / "bin" / program
        session.run(str(own) if own.exists() else program, *arguments, env=env, external=True)


NEWEST = Environment(("newest", "collections-test"), BUILD / "venv", BUILD / "collections")
OLDEST = Environment(("oldest", "collections-oldest"), BUILD / "venv-oldest", BUILD / "collections-oldest")
LINT = Environment(("lint", "collections-test"), BUILD / "venv-lint", BUILD / "collections")

# A file's tests run in one process, since some share a playbook run. The last files are short: both processes end
# together.
IN_TWO = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
# While other checks run, distributing thousands of small tests to two processes costs more than it saves.
UNIT_WORKERS = os.environ.get("UNIT_WORKERS", "2")
# They take half a second for each file. Tests are checked by ruff, and by these two in "long".
SLOW_SANITY = ("pep8", "pylint")
# What the sessions "changelog" and "codeqa" run.
OTHER_SESSIONS = ("changelog", "shellcheck")
# Independent of ansible-core: "sanity" runs newer versions of them on the same files.
SAME_SANITY = (*OTHER_SESSIONS, *SLOW_SANITY, "yamllint")
# The tests of what knows neither Ansible nor AWS: the engine of the leases and their stores but for a few files,
# handouts and labs. They do not depend on the versions. The models also take hypothesis, which only the newest has.
VERSIONLESS = (
    "_leases/test_[!m]*",
    "_leases/stores/test_[!df]*",
    "_handouts/*",
    "_labs/*",
    "_gamelift/test_urls_model.py",
)
ANSIBLE_TEST = ("tools/ansible_test.sh", "newest", "build/collections")
# Tests that forbid locks on files, or files to grow: those that coverage writes are among them.
UNCOUNTED = "without_locks or what_faults_interrupted"
FIGURES = "tests/benchmarks/README.md"
ANY_INPUT = (
    "tests/integration/test_any_input.py",
    "tests/integration/test_hostile.py",
    "tests/unit/plugins/filter/test_any_input.py",
    "tests/unit/plugins/module_utils/_leases/test_resource_issuer_model.py",
)


def skip_tests(*names: str) -> list[str]:
    """Return the options with which ansible-test sanity skips these tests."""
    return [option for name in names for option in ("--skip-test", name)]


def only_tests(*names: str) -> list[str]:
    """Return the options with which ansible-test sanity runs only these tests."""
    return [option for name in names for option in ("--test", name)]


@nox.session(python=False)
def codeqa(session: nox.Session) -> None:
    """Style and format of Python (ruff), imports between layers (import-linter), shell scripts (shellcheck)."""
    LINT.run(session, "ruff", "check", ".")
    LINT.run(session, "ruff", "format", "--check", ".")
    LINT.run(session, "lint-imports", "--no-cache", PYTHONPATH=str(BUILD / "collections"))
    scripts = [script for folder in ("examples", "tests", "tools") for script in sorted(Path(folder).rglob("*.sh"))]
    LINT.run(session, "shellcheck", ".ci/run", *scripts)


@nox.session(name="format", python=False, default=False)
def format_(session: nox.Session) -> None:
    """Sort imports, remove what ruff can, and format the Python sources (ruff)."""
    LINT.run(session, "ruff", "check", "--fix-only", "--quiet", ".")
    LINT.run(session, "ruff", "format", ".")


@nox.session(python=False)
def typing(session: nox.Session) -> None:
    """Types of module_utils and plugin_utils (mypy)."""
    LINT.run(session, "mypy")


# In the environment of galaxy-importer, which brings ansible-lint anyway.
@nox.session(name="ansible-lint", python=False)
def ansible_lint(session: nox.Session) -> None:
    """Roles, playbooks, examples and metadata, with the profile "production" (ansible-lint)."""
    LINT.run(session, "ansible-lint", "--offline", "--strict")


@nox.session(python=False)
def changelog(session: nox.Session) -> None:
    """The changelog and its fragments (antsibull-changelog); in a branch, that a change of plugins or roles has one."""
    LINT.run(session, "antsibull-changelog", "lint")
    LINT.run(session, "python", "tools/check_fragments.py")


@nox.session(python=False)
def tarball(session: nox.Session) -> None:
    """Build the tarball for Galaxy in build/dist: it holds the files in git except those for development."""
    shutil.rmtree(DIST, ignore_errors=True)
    NEWEST.run(session, "ansible-galaxy", "collection", "build", "--output-path", DIST)
    NEWEST.run(session, "python", "tools/check_tarball.py", *DIST.iterdir())


# antsibull-nox's build-import-check is not used, since it only warns if the importer logs an error.
@nox.session(name="galaxy-import", python=False, requires=["tarball"])
def galaxy_import(session: nox.Session) -> None:
    """The checks of Galaxy's importer (galaxy-importer)."""
    (tarball,) = DIST.iterdir()
    LINT.run(session, "tools/galaxy_import.sh", tarball.relative_to(CHECKOUT), "build/collections")


@nox.session(python=False)
def sanity(session: nox.Session) -> None:
    """ansible-test sanity with the newest ansible-core."""
    run_sanity = (*ANSIBLE_TEST, "sanity")
    NEWEST.run(session, *run_sanity, *skip_tests(*OTHER_SESSIONS, *SLOW_SANITY))
    NEWEST.run(session, *run_sanity, *only_tests(*SLOW_SANITY), "--exclude", "tests/")


@nox.session(python=False)
def units(session: nox.Session) -> None:
    """Unit tests with the newest ansible-core; arguments after -- go to pytest."""
    environments.build("botocore-nimble", "dynalite")
    NEWEST.run(session, "pytest", *(session.posargs or ["tests/unit", "-n", UNIT_WORKERS, "--dist", "loadfile"]))


@nox.session(python=False)
def integration(session: nox.Session) -> None:
    """Modules and roles against the simulator, through the newest ansible-core; arguments after -- go to pytest."""
    environments.build("botocore-nimble", "dynalite", "chromium")
    NEWEST.run(session, "pytest", *(session.posargs or ["tests/integration", "-m", "not long", *IN_TWO]))


@nox.session(python=False, default=False)
def coverage(session: nox.Session) -> None:
    """The tests of units and integration; they must run 90 % of the lines of plugins/ (build/coverage.xml)."""
    environments.build("botocore-nimble", "dynalite", "chromium")
    tests = ("tests/unit", "tests/integration", "-m", "not long", *IN_TWO)
    counted = (*tests, "-k", f"not ({UNCOUNTED})")
    reports = ("--cov", "--cov-report", "term:skip-covered", "--cov-report", "xml:build/coverage.xml")
    settings = {"COVERAGE_PROCESS_START": str(CHECKOUT / "pyproject.toml"), "COVERAGE_FILE": str(BUILD / ".coverage")}
    NEWEST.run(session, "pytest", *(session.posargs or counted), *reports, "--cov-fail-under", "90", **settings)
    if not session.posargs:
        NEWEST.run(session, "pytest", *tests, "-k", UNCOUNTED)


@nox.session(name="ansible-test-integration", python=False, default=False)
def ansible_test_integration(session: nox.Session) -> None:
    """ansible-test integration: the targets in tests/integration/targets, or those named after --."""
    NEWEST.run(session, "tools/ansible_test.sh", "integration", "build/collections", "integration", *session.posargs)


def add_sessions_of_core(name: str, environment: Environment, what: str, default: bool) -> None:
    """Add the sessions that run with another version of ansible-core than the newest."""

    def units_of_core(session: nox.Session) -> None:
        # The simulator that some start runs in the newest environment. What a second DynamoDB says does not depend on
        # the versions.
        environments.build(*NEWEST.names, "botocore-nimble")
        ignored = [f"--ignore-glob=*/module_utils/{tests}" for tests in VERSIONLESS]
        paths = ["-o", f"pythonpath={environment.collections.relative_to(CHECKOUT)} .", "-p", "no:cacheprovider"]
        selected = session.posargs or ["tests/unit/plugins", "-n", UNIT_WORKERS, "--dist", "loadfile"]
        environment.run(session, "pytest", *selected, *ignored, "-k", "not dynalite", *paths)

    def integration_of_core(session: nox.Session) -> None:
        # The simulator and pytest run in the newest environment, ansible-playbook and modules in this one.
        environments.build(*environment.names)
        variables = {
            "LABSTREAM_TEST_VENV": str(environment.venv),
            "LABSTREAM_TEST_COLLECTIONS": str(environment.collections),
        }
        selected = session.posargs or ["tests/integration", *IN_TWO]
        NEWEST.run(session, "pytest", *selected, "-m", "core", "-p", "no:cacheprovider", **variables)

    def sanity_of_core(session: nox.Session) -> None:
        tree = str(environment.collections.relative_to(CHECKOUT))
        environment.run(session, "tools/ansible_test.sh", name, tree, "sanity", *skip_tests(*SAME_SANITY))

    for function, text in (
        (units_of_core, f"Unit tests of the plugins with {what}."),
        (integration_of_core, f"The integration tests marked core, through {what}."),
        (sanity_of_core, f"ansible-test sanity with {what}."),
    ):
        function.__doc__ = text
        nox.session(name=f"{function.__name__.partition('_')[0]}-{name}", python=False, default=default)(function)


add_sessions_of_core("oldest", OLDEST, "the oldest versions of ansible-core, amazon.aws and boto3", default=True)
for core in environments.CORES:
    tree = f"collections-{core}" if core == environments.NEEDS_OLDER_AMAZON_AWS else "collections"
    of_core = Environment((f"core-{core}", tree), BUILD / f"venv-{core}", BUILD / tree)
    pre_release = " (a pre-release: it may fail)" if core == environments.PRE_RELEASE else ""
    add_sessions_of_core(core, of_core, f"ansible-core {core}{pre_release}", default=False)


# Not antsibull-nox's: it would install molecule without what the scenario needs. And without --workers: with it,
# molecule skips "destroy", which stops the simulator.
@nox.session(python=False)
def molecule(session: nox.Session) -> None:
    """The scenario in extensions/molecule: a whole lab at each service."""
    environments.build("chromium")
    NEWEST.run(session, "molecule", "test", "--all", "--continue-on-failure")


@nox.session(python=False)
def demo(session: nox.Session) -> None:
    """What ``make demo`` runs."""
    NEWEST.run(session, "python", "tools/demo.py")


@nox.session(python=False, default=False)
def bench(session: nox.Session) -> None:
    """Time and memory compared with what people would use instead; written to tests/benchmarks/README.md."""
    environments.build(*OLDEST.names, "botocore-nimble")
    NEWEST.run(session, "python", "-m", "tests.benchmarks", *(session.posargs or ["--write", FIGURES]))


@nox.session(python=False, default=False)
def stress(session: nox.Session) -> None:
    """Faults, killed and concurrent runs, random input, for half an hour; ``-- --seed NUMBER`` repeats a run."""
    NEWEST.run(session, "pytest", "tests/stress", "-n", "2", *session.posargs)
    NEWEST.run(session, "pytest", *ANY_INPUT, "-n", "2", HYPOTHESIS_PROFILE="stress")


@nox.session(python=False, default=False)
def long(session: nox.Session) -> None:
    """Tests that take too long for ``make test``."""
    environments.build("botocore-nimble", "botocore-gamelift")
    older = str(BUILD / "botocore-gamelift")
    NEWEST.run(session, "pytest", "tests/unit/simulator", "-k", "gamelift", PYTHONPATH=older)
    NEWEST.run(session, "pytest", "tests/integration", "-m", "long", "-n", "2")
    NEWEST.run(session, *ANSIBLE_TEST, "sanity", *only_tests(*SLOW_SANITY))


@nox.session(python=False, default=False)
def audit(session: nox.Session) -> None:
    """Known vulnerabilities of the installed packages; asks osv.dev."""
    environments.build("audit", "newest")
    (packages,) = (BUILD / "venv/lib").glob("python*/site-packages")
    auditor = Environment(("audit",), BUILD / "venv-audit", BUILD / "collections")
    options = ("--strict", "--vulnerability-service", "osv", "--progress-spinner", "off")
    auditor.run(session, "pip-audit", *options, "--path", packages)


@nox.session(name="model-watch", python=False, default=False)
def model_watch(session: nox.Session) -> None:
    """What changed in the service models since the botocore that was reviewed last; or ``-- OLD NEW``."""
    NEWEST.run(session, "python", "tools/model_watch.py", *session.posargs)


@nox.session(python=False, default=False)
def release(session: nox.Session) -> None:
    """Write the release notes of the version in galaxy.yml."""
    LINT.run(session, "antsibull-changelog", "release", "--update-existing", "--reload-plugins", "--refresh-plugins")


if __name__ == "__main__":
    nox.main()
