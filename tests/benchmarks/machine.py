# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the figures were measured on: nothing that tells whose machine it is."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Sequence

from tests.benchmarks.measuring import Environment
from tests.benchmarks.report import Table

PACKAGES = ("ansible-core", "boto3", "botocore", "awscli")
_VERSIONS = """
import json, platform, sys
from importlib.metadata import PackageNotFoundError, version
versions = {"Python": platform.python_version()}
for name in sys.argv[1:]:
    try:
        versions[name] = version(name)
    except PackageNotFoundError:
        versions[name] = "none"
print(json.dumps(versions))
"""


def table(environments: Sequence[Environment]) -> Table:
    """The machine, and the versions in each environment."""
    machine = f"{len(os.sched_getaffinity(0))} cores, {platform.machine()}"
    versions = [_versions(environment) for environment in environments]
    rows = [["Machine", *[machine] * len(environments)]]
    rows += [[name, *(one[name] for one in versions)] for name in versions[0]]
    return Table("machine", ["Environment", *(environment.name.capitalize() for environment in environments)], rows)


def _versions(environment: Environment) -> dict[str, str]:
    python = environment.venv / "bin" / "python"
    printed = subprocess.run([python, "-c", _VERSIONS, *PACKAGES], capture_output=True, text=True, check=True).stdout
    manifest = environment.collections / "ansible_collections" / "amazon" / "aws" / "MANIFEST.json"
    amazon = json.loads(manifest.read_text())["collection_info"]["version"]
    return {**json.loads(printed), "amazon.aws": amazon}
