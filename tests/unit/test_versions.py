# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What we require, and who we are, is said in several files. They say the same."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.labstream.aws.plugins.doc_fragments import requirements
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.api import MIN_BOTOCORE
from ansible_collections.labstream.aws.plugins.module_utils._module import MIN_PYTHON
from ansible_collections.labstream.aws.plugins.module_utils._version import COLLECTION_NAME, COLLECTION_VERSION
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from tools.environments import CORES

CHECKOUT = Path(__file__).resolve().parents[2]
NEWEST, OLDEST = "build/collections", "build/collections-oldest"
OLDEST_PYTHON_OF_TESTS = ("3", "11")


def load_yaml(name: str) -> Any:
    return yaml.safe_load((CHECKOUT / name).read_text(encoding="utf-8"))


GALAXY = load_yaml("galaxy.yml")
AMAZON_AWS = SpecifierSet(GALAXY["dependencies"]["amazon.aws"])
REQUIRES_ANSIBLE = SpecifierSet(load_yaml("meta/runtime.yml")["requires_ansible"])
REQUIRES_PYTHON = SpecifierSet(load_yaml("tests/config.yml")["modules"]["python_requires"])
TOOLS = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]


def lower_bound(specifiers: SpecifierSet) -> Version:
    (bound,) = [Version(each.version) for each in specifiers if each.operator == ">="]
    return bound


def requirement(name: str, package: str, python: str | None = None) -> SpecifierSet:
    """What a requirements file asks of a package, with this or another Python."""
    environment = {"python_version": python} if python else None
    found = [
        each.specifier
        for each in map(Requirement, requirement_lines(name))
        if each.name == package and (each.marker is None or each.marker.evaluate(environment))
    ]
    assert len(found) == 1, f"{name} asks for {package} {len(found)} times"
    return found[0]


def requirement_lines(name: str) -> list[str]:
    lines = (CHECKOUT / name).read_text(encoding="utf-8").splitlines()
    return [line.partition("#")[0] for line in lines if line and not line.startswith(("#", "-r"))]


def readme_versions(package: str) -> list[Version]:
    """The versions in the README's section "Requirements", on the first line that names the package, in their order."""
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    section = re.search(r"^## Requirements$(.*?)(?=^## |\Z)", readme, re.MULTILINE | re.DOTALL)
    assert section, "README.md has no section 'Requirements'"
    line = re.search(rf"{re.escape(package)}\b(.*)", section[1])
    assert line, f"README.md's requirements do not name {package}"
    return [Version(each) for each in re.findall(r"\d+(?:\.\d+)+", line[1])]


def installed_amazon_aws(collections: str) -> Version:
    manifest = CHECKOUT / collections / "ansible_collections/amazon/aws/MANIFEST.json"
    return Version(json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"])


class TestWhoWeAre:
    def test_the_user_agent_says_the_name_in_galaxy_yml(self) -> None:
        assert f"{GALAXY['namespace']}.{GALAXY['name']}" == COLLECTION_NAME

    def test_the_user_agent_says_the_version_in_galaxy_yml(self) -> None:
        assert GALAXY["version"] == COLLECTION_VERSION

    def test_the_newest_release_in_the_changelog_is_the_version_in_galaxy_yml(self) -> None:
        releases = load_yaml("changelogs/changelog.yaml")["releases"]
        assert max(releases, key=Version) == GALAXY["version"]

    def test_the_changelog_for_people_opens_with_the_version_in_galaxy_yml(self) -> None:
        headings = re.findall(r"^v(\S+)\n=+$", (CHECKOUT / "CHANGELOG.rst").read_text(encoding="utf-8"), re.MULTILINE)
        assert headings[0] == GALAXY["version"]


class TestAmazonAws:
    def test_the_oldest_environment_has_the_lower_bound_of_galaxy_yml(self) -> None:
        assert installed_amazon_aws(OLDEST) == lower_bound(AMAZON_AWS)

    def test_the_newest_environment_is_within_the_bounds_of_galaxy_yml(self) -> None:
        assert installed_amazon_aws(NEWEST) in AMAZON_AWS

    @pytest.mark.parametrize(
        ("requirements", "collections"),
        [("requirements/collections.txt", NEWEST), ("requirements/collections-oldest.txt", OLDEST)],
    )
    def test_the_comment_beside_ansible_says_which_amazon_aws_it_carries(
        self, requirements: str, collections: str
    ) -> None:
        text = (CHECKOUT / requirements).read_text(encoding="utf-8")
        comment = re.search(r"^ansible==\S+  # amazon\.aws ([\d.]+)", text, re.MULTILINE)
        assert comment
        assert Version(comment[1]) == installed_amazon_aws(collections)

    def test_the_readme_says_the_bounds_of_galaxy_yml(self) -> None:
        assert readme_versions("amazon.aws")[:2] == sorted(Version(each.version) for each in AMAZON_AWS)


class TestAnsibleCore:
    def test_the_oldest_environment_has_the_lower_bound_of_meta_runtime(self) -> None:
        oldest = requirement("requirements/oldest.txt", "ansible-core", python="3.11")
        assert lower_bound(oldest) == lower_bound(REQUIRES_ANSIBLE)

    def test_the_sessions_begin_with_the_lower_bound_of_meta_runtime(self) -> None:
        assert Version(min(CORES, key=Version)) == lower_bound(REQUIRES_ANSIBLE)

    @pytest.mark.parametrize("name", ["lint", "docs"])
    @pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
    def test_the_linters_run_the_ansible_core_that_the_tests_run(self, name: str, python: str) -> None:
        tested = requirement("requirements/runtime.txt", "ansible-core", python)
        assert requirement(f"requirements/{name}.txt", "ansible-core", python) == tested

    def test_the_readme_says_the_lower_bound_of_meta_runtime(self) -> None:
        assert readme_versions("ansible-core") == [lower_bound(REQUIRES_ANSIBLE)]

    def test_every_role_says_the_lower_bound_of_meta_runtime(self) -> None:
        files = [f"roles/{role.name}/meta/main.yml" for role in (CHECKOUT / "roles").iterdir()]
        said = {file: Version(load_yaml(file)["galaxy_info"]["min_ansible_version"]) for file in files}
        assert said == dict.fromkeys(files, Version("{0.major}.{0.minor}".format(lower_bound(REQUIRES_ANSIBLE))))


class TestBoto3:
    def test_the_oldest_environment_has_the_lower_bound_of_requirements_txt(self) -> None:
        oldest = requirement("requirements/oldest.txt", "boto3")
        assert lower_bound(oldest) == lower_bound(requirement("requirements.txt", "boto3"))

    def test_the_readme_says_the_lower_bound_of_requirements_txt(self) -> None:
        assert readme_versions("boto3") == [lower_bound(requirement("requirements.txt", "boto3"))]


class TestGameLiftStreams:
    def test_modules_and_readme_say_the_oldest_botocore_with_stream_urls(self) -> None:
        documented = yaml.safe_load(requirements.ModuleDocFragment.GAMELIFT)["requirements"]
        assert documented[1:] == [f"boto3 >= {MIN_BOTOCORE}", f"botocore >= {MIN_BOTOCORE}"]
        assert readme_versions("botocore") == [Version(MIN_BOTOCORE)]


class TestPython:
    def test_the_linters_check_for_the_oldest_python_on_targets(self) -> None:
        oldest = lower_bound(REQUIRES_PYTHON)
        assert TOOLS["mypy"]["python_version"] == str(oldest)
        assert TOOLS["ruff"]["target-version"] == f"py{oldest.major}{oldest.minor}"

    def test_the_readme_says_the_oldest_python_on_targets(self) -> None:
        assert readme_versions("Python") == [lower_bound(REQUIRES_PYTHON)]

    def test_modules_document_and_check_the_oldest_python_on_targets(self) -> None:
        documented = yaml.safe_load(requirements.ModuleDocFragment.DOCUMENTATION)["requirements"]
        boto3 = lower_bound(requirement("requirements.txt", "boto3"))
        oldest = lower_bound(REQUIRES_PYTHON)
        assert documented == [f"python >= {oldest}", f"boto3 >= {boto3}", f"botocore >= {boto3}"]
        assert Version(".".join(map(str, MIN_PYTHON))) == oldest

    def test_the_tests_run_with_a_python_that_targets_may_have(self) -> None:
        assert ".".join(map(str, sys.version_info[:2])) in REQUIRES_PYTHON

    @pytest.mark.parametrize(
        ("name", "statement", "times"),
        [
            ("Makefile", r"version_info < \((\d+), (\d+)\)", 1),
            ("Makefile", r"(\d+)\.(\d+) or newer", 2),
            ("tools/environments.py", r"Python (\d+)\.(\d+) or newer", 1),
            ("tools/environments.py", r'^PYTHONS = \("3.12", "(\d+)\.(\d+)"', 1),
            ("README.md", r"^On a machine with Python (\d+)\.(\d+) or newer", 1),
            ("pyproject.toml", r'^"(?:tests|tools)/\*\*" = "py(\d)(\d+)"$', 2),
        ],
        ids=["make", "the Makefile", "environments", "the Pythons at hand", "the README", "the linters"],
    )
    def test_the_oldest_python_for_tests_and_tools_is_said_alike(self, name: str, statement: str, times: int) -> None:
        text = (CHECKOUT / name).read_text(encoding="utf-8")
        assert re.findall(statement, text, re.MULTILINE) == [OLDEST_PYTHON_OF_TESTS] * times
