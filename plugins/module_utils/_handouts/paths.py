# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Where handouts can be written: in existing folders, none over another, none where learners would read it.

Pure: knows neither AWS nor Ansible.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from .._errors import InvalidOption, quote
from .files import build_write_error

PAGES_DIR = "pages_dir"
# The options of the module streaming_handout that say where to write.
PATHS = ("urls_csv", "links_csv", "overview_html", PAGES_DIR)


def validate_paths(paths: Mapping[str, str], store: Sequence[str]) -> None:
    """Reject paths that meet, also through links, and paths that cannot be written.

    Args:
        paths: The absolute paths by option; ``pages_dir`` is a folder, the others are files.
        store: The absolute paths of the lease store's files; none if it has none.

    Raises:
        InvalidOption: Two paths meet. Names the option.
        HandoutError: A path cannot be written. Names it.
    """
    for number, (option, path) in enumerate(paths.items()):
        if any(_is_same(path, other) for other in store):
            raise InvalidOption(f"{option} is {quote(path)}, which is a file of the lease store: name another file.")
        for other in list(paths)[:number]:
            if _is_same(path, paths[other]):
                raise InvalidOption(f"{option} and {other} are both {quote(path)}: give each its own path.")
    meant_private = {**paths, "lease_store": store[0]} if store else dict(paths)
    pages_dir = meant_private.pop(PAGES_DIR, None)
    for option, path in meant_private.items():
        if pages_dir and _is_inside(path, pages_dir):
            raise InvalidOption(
                f"{option} is {quote(path)}, in the folder of the pages, which learners can read once it is "
                "published: name another folder."
            )
    for option, path in paths.items():
        _validate_writable(option, path)


def _validate_writable(option: str, path: str) -> None:
    """Reject a file, or a folder for files, that cannot be written.

    A folder may be missing, but not the one above it, where its temporary files are written.
    """
    above = os.path.dirname(path)
    if option != PAGES_DIR:
        if not _is_writable(above):
            raise build_write_error(f"The handout {path}", "its folder is missing or read-only")
        if os.path.exists(path) and not os.path.isfile(path):
            raise build_write_error(f"{option} ({path})", "it is not a regular file")
        return
    problem = None
    if not _is_writable(above):
        problem = "the folder above it is missing or read-only"
    elif os.path.lexists(path) and not _is_writable(path):
        problem = "it is read-only" if os.path.isdir(path) else "it is not a folder"
    if problem:
        raise build_write_error(f"{option} ({path})", problem, is_folder=True)


def _is_writable(folder: str) -> bool:
    return os.path.isdir(folder) and os.access(folder, os.W_OK)


def _is_same(path: str, other: str) -> bool:
    """Return whether both are one file, by their resolved paths or, since it may have several, by its inode."""
    if os.path.realpath(path) == os.path.realpath(other):
        return True
    return os.path.exists(path) and os.path.exists(other) and os.path.samefile(path, other)


def _is_inside(path: str, folder: str) -> bool:
    return os.path.realpath(path).startswith(os.path.join(os.path.realpath(folder), ""))
