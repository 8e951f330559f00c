# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the figures were measured on: nothing that tells whose machine it is."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.measuring import Environment
from tests.tables import Table

PACKAGES = ("ansible-core", "boto3", "botocore", "awscli")
_VERSIONS = """
import json, platform, sqlite3, sys
from importlib.metadata import PackageNotFoundError, version
versions = {"Python": platform.python_version(), "SQLite": sqlite3.sqlite_version}
for name in sys.argv[1:]:
    try:
        versions[name] = version(name)
    except PackageNotFoundError:
        versions[name] = "none"
print(json.dumps(versions))
"""


def table(environments: Sequence[Environment]) -> Table:
    """The machine, and the versions in each environment."""
    columns = [{**_machine(), **_versions(environment)} for environment in environments]
    rows = [[name, *(column[name] for column in columns)] for name in columns[0]]
    return Table("machine", ["Environment", *(environment.name.capitalize() for environment in environments)], rows)


def _machine() -> dict[str, str]:
    # Some architectures tell no model.
    model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "Processor": f"{model[1]}, {platform.machine()}" if model else platform.machine(),
        "Cores": str(len(os.sched_getaffinity(0))),
        "Memory": f"{memory / 2**30:.0f} GB",
        # Without what the distribution or the host adds.
        "Kernel": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
    }


def _versions(environment: Environment) -> dict[str, str]:
    python = environment.venv / "bin" / "python"
    printed = subprocess.run([python, "-c", _VERSIONS, *PACKAGES], capture_output=True, text=True, check=True).stdout
    manifest = environment.collections / "ansible_collections" / "amazon" / "aws" / "MANIFEST.json"
    amazon = json.loads(manifest.read_text())["collection_info"]["version"]
    return {**json.loads(printed), "amazon.aws": amazon}
