# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The signs of runners whose files are usually deleted when a job ends. Pure."""

from __future__ import annotations

from collections.abc import Mapping

_RUNNERS = {
    "GITHUB_ACTIONS": "GitHub Actions",
    "GITLAB_CI": "GitLab CI/CD",
    "JENKINS_URL": "Jenkins",
    "TF_BUILD": "Azure Pipelines",
    "CODEBUILD_BUILD_ID": "CodeBuild",
    "BITBUCKET_BUILD_NUMBER": "Bitbucket Pipelines",
    "TEAMCITY_VERSION": "TeamCity",
}
# In an AWX job, one of these is set beside JOB_ID.
_AWX = ("AWX_HOST", "AWX_PRIVATE_DATA_DIR", "AWX_ISOLATED_DATA_DIR")
# Other programs set these too.
_HINTS = ("CI", "JOB_ID")
VARIABLES = (*_RUNNERS, *_AWX, *_HINTS)


def find_runner(environment: Mapping[str, str]) -> str | None:
    """Return what says that this is a job of a runner, None if nothing does."""
    if _is_set(environment, "JOB_ID"):
        for variable in _AWX:
            if _is_set(environment, variable):
                return f"JOB_ID and {variable} are set, as in an AWX job"
    for variable, runner in _RUNNERS.items():
        if _is_set(environment, variable):
            return f"{variable} is set, as in a job of {runner}"
    return None


def find_hint(environment: Mapping[str, str]) -> str | None:
    """Return what says that this might be a job of some runner, None if nothing does."""
    variable = next((variable for variable in _HINTS if _is_set(environment, variable)), None)
    return variable and f"{variable} is set, as in jobs of some runners"


def _is_set(environment: Mapping[str, str], variable: str) -> bool:
    return environment.get(variable, "").strip().casefold() not in ("", "0", "false")
