# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Where relative paths start on the controller."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.labstream.aws.plugins.module_utils._errors import quote

COLLECTION = Path(__file__).resolve().parents[2]


def resolve_path(path: str, playbook_dir: str, collection: Path = COLLECTION) -> Path:
    """Return the absolute path that a user means on the controller.

    A relative path starts at the folder of the playbook. But a playbook of the collection itself, such as
    ``labstream.aws.start_lab``, lies where no user keeps files: then it starts at the working directory.
    """
    expanded = Path(os.path.expanduser(path))
    if expanded.is_absolute():
        return expanded
    return Path(os.getcwd() if _is_inside(Path(playbook_dir).resolve(), collection) else playbook_dir) / expanded


def output_paths(
    paths: Mapping[str, str], prefix: str, playbook_dir: str, connection: str, collection: Path = COLLECTION
) -> dict[str, str]:
    """Return the paths that a role writes to, as its tasks take them, without those that are empty.

    Args:
        paths: The paths as the user gave them, by the role's option without its prefix.
        prefix: The prefix of the role's options, for messages.
        playbook_dir: The folder of the playbook.
        connection: The host's connection. Only with ``local`` is it the controller that writes.
        collection: The folder of the collection.

    Raises:
        ValueError: A relative path is for another host, or a path is inside the collection or none at all. Names the
            option.
    """
    if not isinstance(paths, Mapping):
        raise ValueError(f"The paths are {quote(paths)}, but they must be a dictionary of option and path.")
    for name, value in {"prefix": prefix, "playbook_dir": playbook_dir, "connection": connection}.items():
        if not isinstance(value, str):
            raise ValueError(f"{name} is {quote(value)}, which is not text.")
    outputs = {}
    for option, path in paths.items():
        if path in (None, ""):
            continue
        if not isinstance(path, str) or "\0" in path:
            raise ValueError(f"{prefix}{option} is {quote(path)}, which is not a path.")
        is_relative = not path.startswith(("/", "~"))
        if connection != "local":
            if is_relative:
                raise ValueError(
                    f"{prefix}{option} is {quote(path)}, but the connection of this host is {connection}: give an "
                    "absolute path on that host, or set ansible_connection to local if it is the controller."
                )
        elif _is_inside((resolved := resolve_path(path, playbook_dir, collection)).resolve(), collection):
            raise ValueError(
                f"{prefix}{option} is {quote(path)}, which is {resolved}, inside this collection: name a path "
                "elsewhere."
            )
        outputs[option] = str(resolved) if is_relative else path
    return outputs


def _is_inside(path: Path, collection: Path) -> bool:
    """Return whether the path is part of the collection. The folder build of a checkout is not: `make` writes there."""
    return path.is_relative_to(collection) and not path.is_relative_to(collection / "build")
