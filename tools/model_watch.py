# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Print what changed between two versions of botocore in the service models, for the operations that we call.

Usage: model_watch.py [OLD [NEW]]

By default, OLD is the version that was reviewed last, and NEW the newest that pip finds. Each line is a member that is
new, gone or changed, with its type and limits. Exits with 1 if there are any, so that somebody reviews them.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore import xform_name

# Whoever has reviewed what this prints raises it.
REVIEWED = "1.44.8"
UTILS = Path(__file__).resolve().parent.parent / "plugins/module_utils"
# The services, each with the folder that calls it.
SERVICES = {"appstream": "_appstream", "gameliftstreams": "_gamelift", "dynamodb": "_leases/stores"}
LIMITS = ("min", "max", "pattern", "enum", "required")


def main() -> None:
    """Print the differences, and exit."""
    given = sys.argv[1:]
    old, new = (*given, *(REVIEWED, None)[len(given) :])
    with tempfile.TemporaryDirectory() as folder:
        models = [download_models(version, Path(folder) / name) for version, name in ((old, "old"), (new, "new"))]
    (old_version, before), (new_version, after) = models
    print(f"botocore {old_version} -> {new_version}")
    lines = list(compare(before, after))
    print("\n".join(lines))
    sys.exit(bool(lines))


def compare(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """Return a line for each member that differs, in the models of services by name."""
    for service in SERVICES:
        old, new = (describe(service, models[service]) if service in models else {} for models in (before, after))
        for member in sorted(old.keys() | new.keys()):
            if old.get(member) != new.get(member):
                yield f"{service} {member}: {old.get(member, 'none')} -> {new.get(member, 'none')}"


def describe(service: str, model: dict[str, Any]) -> dict[str, str]:
    """Return type and limits of each member of what we send and get, by its path."""
    description = {}
    for name in find_operations(service, model):
        operation = model["operations"][name]
        for part in ("input", "output"):
            if part in operation:
                description |= describe_shape(model["shapes"], operation[part]["shape"], f"{name}.{part}")
        description[f"{name}.errors"] = ", ".join(sorted(error["shape"] for error in operation.get("errors", [])))
    return description


def find_operations(service: str, model: dict[str, Any]) -> list[str]:
    """Return the operations of a service whose methods the folder that calls it names."""
    source = "".join(file.read_text(encoding="utf-8") for file in sorted((UTILS / SERVICES[service]).glob("*.py")))
    return [name for name in model["operations"] if f"client.{xform_name(name)}" in source or quoted(name) in source]


def quoted(operation: str) -> str:
    """Return how sources name an operation that a paginator calls."""
    return f'"{xform_name(operation)}"'


def describe_shape(shapes: dict[str, Any], name: str, path: str, above: tuple[str, ...] = ()) -> dict[str, str]:
    """Return type and limits of a shape and of all below it, each once on its way down."""
    shape = shapes[name]
    limits = [f"{limit}={shape[limit]}" for limit in LIMITS if shape.get(limit)]
    description = {path: " ".join([shape["type"], *limits])}
    if name in above:
        return description
    below = {f".{member}": each for member, each in shape.get("members", {}).items()}
    below |= {f"[{part}]": shape[part] for part in ("member", "key", "value") if part in shape}
    for suffix, member in below.items():
        description |= describe_shape(shapes, member["shape"], f"{path}{suffix}", (*above, name))
    return description


def download_models(version: str | None, folder: Path) -> tuple[str, dict[str, Any]]:
    """Return a version of botocore, the newest without one, and its models of our services by name."""
    package = f"botocore=={version}" if version else "botocore"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([*pip, "--dest", folder, package], check=True)
    (wheel,) = folder.glob("botocore-*.whl")
    models = {}
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            for service in SERVICES:
                if name.startswith(f"botocore/data/{service}/") and name.endswith("service-2.json.gz"):
                    models[service] = json.loads(gzip.decompress(archive.read(name)))
    return wheel.name.split("-")[1], models


if __name__ == "__main__":
    main()
