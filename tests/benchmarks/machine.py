# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine that the figures were measured on, without anything that identifies it."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.measuring import Environment
from tests.tables import Table, percent

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


def ticks() -> tuple[int, int]:
    """How long the processors have worked since the machine started, and how long they would have, had the host of a
    virtual machine not given their time to others ("steal" in proc(5)).
    """
    with Path("/proc/stat").open(encoding="utf-8") as file:
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, file.readline().split()[1:9])
    return user + nice + system + irq + softirq, steal


def taken_since(before: tuple[int, int]) -> float:
    """The share of the processors' time that the host has taken away since these ``ticks()``."""
    worked, taken = (now - then for now, then in zip(ticks(), before, strict=True))
    return taken / max(1, worked + taken)  # at least one tick


def table(environments: Sequence[Environment], taken: Sequence[float]) -> Table:
    """The machine, the share of its time that the host took while each environment was measured, and its versions."""
    columns = [
        {**_machine(), "Taken by the host": percent(share), **_versions(environment)}
        for environment, share in zip(environments, taken, strict=True)
    ]
    rows = [[name, *(column[name] for column in columns)] for name in columns[0]]
    return Table("machine", ["Environment", *(environment.name.capitalize() for environment in environments)], rows)


def _machine() -> dict[str, str]:
    # Not every architecture has a model name.
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
