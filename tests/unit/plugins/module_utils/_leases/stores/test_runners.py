# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.runners import find_hint, find_runner


@pytest.mark.parametrize(
    ("environment", "sign"),
    [
        ({"GITHUB_ACTIONS": "true", "CI": "true"}, "GITHUB_ACTIONS is set, as in a job of GitHub Actions"),
        ({"GITLAB_CI": "true"}, "GITLAB_CI is set, as in a job of GitLab CI/CD"),
        ({"JENKINS_URL": "https://jenkins.example.org/"}, "JENKINS_URL is set, as in a job of Jenkins"),
        ({"TF_BUILD": "True"}, "TF_BUILD is set, as in a job of Azure Pipelines"),
        ({"CODEBUILD_BUILD_ID": "lab:1"}, "CODEBUILD_BUILD_ID is set, as in a job of CodeBuild"),
        ({"BITBUCKET_BUILD_NUMBER": "7"}, "BITBUCKET_BUILD_NUMBER is set, as in a job of Bitbucket Pipelines"),
        ({"TEAMCITY_VERSION": "2026.1"}, "TEAMCITY_VERSION is set, as in a job of TeamCity"),
        ({"JOB_ID": "1", "AWX_HOST": "https://awx"}, "JOB_ID and AWX_HOST are set, as in an AWX job"),
        (
            {"JOB_ID": "1", "AWX_PRIVATE_DATA_DIR": "/tmp/awx_1"},
            "JOB_ID and AWX_PRIVATE_DATA_DIR are set, as in an AWX job",
        ),
        (
            {"JOB_ID": "1", "AWX_ISOLATED_DATA_DIR": "/runner/artifacts/1"},
            "JOB_ID and AWX_ISOLATED_DATA_DIR are set, as in an AWX job",
        ),
    ],
)
def test_a_runner_is_known_by_its_variables(environment, sign):
    assert find_runner(environment) == sign


@pytest.mark.parametrize("value", ["", "0", "false", "False", " "])
def test_a_variable_that_says_no_is_not_set(value):
    environment = {"GITHUB_ACTIONS": value, "GITLAB_CI": value, "CI": value, "JOB_ID": value, "AWX_HOST": "awx"}

    assert (find_runner(environment), find_hint(environment)) == (None, None)


@pytest.mark.parametrize("variable", ["CI", "JOB_ID"])
def test_what_other_programs_set_too_is_only_a_hint(variable):
    assert find_runner({variable: "1"}) is None
    assert find_hint({variable: "1"}) == f"{variable} is set, as in jobs of some runners"


def test_without_a_job_awx_is_only_where_somebody_works():
    assert find_runner({"AWX_HOST": "https://awx"}) is None
