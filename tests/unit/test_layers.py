# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tree of plugins/module_utils gives the layers: a folder imports itself, folders below it and files beside it."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

UTILS = Path(__file__).resolve().parents[2] / "plugins/module_utils"
FILES = {".".join(file.relative_to(UTILS).with_suffix("").parts): file for file in sorted(UTILS.rglob("*.py"))}

# The folders that each folder, or file beside them, imports from. No provider is below another.
BELOW = {
    "_argspec": {"_leases"},
    "_leases": set(),
    "_labs": {"_leases"},
    "_handouts": {"_labs", "_leases"},
    "_appstream": set(),
    "_nimble": {"_leases"},
    "_gamelift": {"_labs", "_leases"},
}
# Files that import ansible, amazon.aws or botocore.
USE_LIBRARIES = {
    "_argspec",
    "_client",
    "_credentials",
    "_module",
    "_rate_limit",
    "_retries",
    "_service_errors",
    "_types",
    "_leases.stores.dynamodb",
    "_leases.stores.dynamodb_table",
}


def imported(name: str) -> set[str]:
    """The full names that a file imports; those of module_utils without what is above it."""
    names = set()
    for node in ast.walk(ast.parse(FILES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = name.split(".")[: -node.level] if node.level else []
            names |= {".".join([*package, *filter(None, [node.module]), alias.name]) for alias in node.names}
    return names


@pytest.mark.parametrize("name", FILES)
def test_a_file_imports_only_what_lies_below_it(name: str) -> None:
    folder = name.partition(".")[0]
    heads = {each.partition(".")[0] for each in imported(name)} - set(sys.stdlib_module_names)
    folders = {head for head in heads if head in BELOW} - {folder}
    assert folders <= BELOW.get(folder, set())
    libraries = {head for head in heads if not head.startswith("_")}
    assert not libraries or name in USE_LIBRARIES
