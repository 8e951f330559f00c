# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plugins are built in layers: what a file imports lies below it, and the pure ones know neither AWS nor Ansible."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
OURS = "ansible_collections.labstream.aws.plugins"
AMAZON = "ansible_collections.amazon.aws.plugins.module_utils"

# What each file of plugins/module_utils may import besides the standard library. A row names rows above it only.
# These know neither AWS nor Ansible:
PURE: dict[str, set[str]] = {
    "exceptions": set(),
    "version": set(),
    "moments": {"exceptions"},
    "appstream_limits": {"exceptions"},
    "fleet_capacity": {"exceptions"},
    "fleet_states": {"exceptions", "fleet_capacity"},
    "nimble_service": set(),
    "service_loader": set(),
    "lease": {"exceptions", "moments"},
    "lease_store": set(),
    "lease_store.address": {"exceptions"},
    "lease_store.base": {"exceptions", "lease"},
    "lease_store.sqlite": {"exceptions", "lease", "lease_store.base"},
    "handout_files": {"exceptions"},
    "handout_pages": {"moments"},
    "page_names": {"exceptions", "lease", "lease_store.base"},
    "handouts": {"exceptions", "handout_files", "handout_pages", "lease", "lease_store.base", "moments", "page_names"},
    "nimble_limits": {"exceptions"},
    "nimble_states": set(),
    "steps": {"exceptions", "lease", "lease_store.base", "nimble_states"},
    "issuing": {"exceptions", "lease", "lease_store.base", "steps"},
    "intents": {"exceptions", "lease", "lease_store.base", "moments", "nimble_states", "steps"},
    "results": {"lease", "moments", "steps"},
}
# And these know one of them or both:
SERVICE: dict[str, set[str]] = {
    "arguments": {"ansible.module_utils", "exceptions", "lease_store.address", "moments"},
    "errors": {AMAZON, "botocore", "exceptions"},
    "modules": {AMAZON, "exceptions", "version"},
    "pacing": {"botocore"},
    "client": {"botocore", "exceptions", "modules", "pacing"},
    "lease_table": {AMAZON, "errors", "exceptions", "lease_store.address"},
    "lease_store.dynamodb": {
        "boto3",
        "client",
        "errors",
        "exceptions",
        "lease",
        "lease_store.base",
        "lease_table",
    },
    "lease_store.opening": {
        "client",
        "exceptions",
        "lease_store.address",
        "lease_store.base",
        "lease_store.dynamodb",
        "lease_store.sqlite",
        "modules",
    },
    "module_results": {
        "client",
        "issuing",
        "lease",
        "lease_store.address",
        "lease_store.base",
        "modules",
        "results",
        "steps",
    },
    "appstream": {AMAZON, "errors", "exceptions", "lease"},
    "appstream_fleets": {
        AMAZON,
        "ansible.module_utils",
        "appstream",
        "client",
        "errors",
        "exceptions",
        "fleet_capacity",
        "fleet_states",
        "moments",
    },
    "appstream_sessions": {
        AMAZON,
        "ansible.module_utils",
        "appstream",
        "errors",
        "exceptions",
        "modules",
        "moments",
        "results",
        "steps",
    },
    "nimble": {
        AMAZON,
        "ansible.module_utils",
        "boto3",
        "botocore",
        "client",
        "errors",
        "exceptions",
        "lease",
        "modules",
        "nimble_service",
        "nimble_states",
        "service_loader",
        "version",
    },
    "nimble_sessions": {
        "ansible.module_utils",
        "client",
        "errors",
        "exceptions",
        "modules",
        "moments",
        "nimble",
        "nimble_states",
        "results",
        "steps",
    },
}


def full(names: Iterable[str]) -> set[str]:
    """Rows' names with where they lie; others as they are."""
    return {f"{OURS}.module_utils.{name}" if name in PURE | SERVICE else name for name in names}


# All files, by their dotted name below plugins/, or by their folder if all in it may import the same.
MAY_IMPORT: dict[str, set[str]] = {
    **{f"module_utils.{name}": full(allowed) for name, allowed in (PURE | SERVICE).items()},
    "modules": {"ansible.module_utils", AMAZON, f"{OURS}.module_utils"},
    "plugin_utils": {f"{OURS}.plugin_utils", *full(PURE)},
    "plugin_utils.refusals": {"ansible.errors", *full(["exceptions"])},
    "plugin_utils.values": {"ansible.utils.unsafe_proxy"},
    "filter": {"ansible.errors", f"{OURS}.plugin_utils", *full(PURE)},
    "doc_fragments": set(),
}


def imported(source: str, package: str) -> set[str]:
    """The full names of all that Python source in this package imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            ancestors = package.split(".")[: -node.level + 1 or None] if node.level else []
            module = ".".join([*ancestors, *([node.module] if node.module else [])])
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


def is_below(name: str, parents: Iterable[str]) -> bool:
    return any(f"{name}.".startswith(f"{parent}.") for parent in parents)


def dotted(file: Path) -> str:
    return ".".join(file.relative_to(PLUGINS).with_suffix("").parts).removesuffix(".__init__")


FILES = {dotted(file): file for file in sorted(PLUGINS.rglob("*.py"))}


@pytest.mark.parametrize("plugin", FILES)
def test_a_file_imports_only_what_lies_below_it(plugin: str) -> None:
    package = f"{OURS}.{plugin}" if FILES[plugin].stem == "__init__" else f"{OURS}.{plugin}".rpartition(".")[0]
    names = imported(FILES[plugin].read_text(encoding="utf-8"), package)
    outside = {name for name in names if not is_below(name, sys.stdlib_module_names)}
    allowed = MAY_IMPORT.get(plugin, MAY_IMPORT.get(plugin.partition(".")[0], set()))
    assert {name for name in outside if not is_below(name, allowed)} == set()


def test_the_table_names_every_file_of_module_utils_and_no_file_that_is_gone() -> None:
    in_module_utils = {name for name in FILES if name.startswith("module_utils.")}
    assert in_module_utils <= MAY_IMPORT.keys()
    assert {name for name in MAY_IMPORT if "." in name} <= FILES.keys()


def test_a_row_of_the_tables_names_rows_above_it() -> None:
    rows = list((PURE | SERVICE).items())
    for position, (name, allowed) in enumerate(rows):
        above = {each for each, _allowed in rows[:position]}
        assert allowed & (PURE | SERVICE).keys() <= above, name


@pytest.mark.parametrize("name", PURE)
def test_what_is_pure_imports_only_what_is_pure(name: str) -> None:
    assert PURE[name] <= PURE.keys()


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import os.path as path, boto3", {"os.path", "boto3"}),
        ("from botocore import exceptions, config", {"botocore.exceptions", "botocore.config"}),
        ("def later():\n    try:\n        import boto3\n    except ImportError:\n        pass", {"boto3"}),
        ("from . import client", {"a.b.client"}),
        ("from .client import Clock", {"a.b.client.Clock"}),
        ("from ..modules import Module", {"a.modules.Module"}),
        ("from ... import c", {"c"}),
    ],
)
def test_every_kind_of_import_is_seen(source: str, names: set[str]) -> None:
    assert {name.lstrip(".") for name in imported(source, "a.b")} == names


def test_a_name_is_below_its_parents_and_not_below_its_namesakes() -> None:
    assert is_below("lease", {"lease"})
    assert is_below("lease.Lease", {"lease"})
    assert not is_below("lease_store.base", {"lease"})
