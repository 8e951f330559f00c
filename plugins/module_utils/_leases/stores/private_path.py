# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Whether a file is out of the reach of other users, by the rule of StrictModes in sshd.

A mode of 0600 is not enough: whoever may write to the folder can replace the file, or plant one beside it that SQLite
writes to and they read.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator, Sequence
from shlex import quote


def find_exposure(files: Sequence[str]) -> str | None:
    """Return why other users can access a file, and what to do; None if they cannot. What is missing is passed over.

    Args:
        files: The real path of the file, then those of files beside it that the same program reads and writes.
    """
    user = os.geteuid()
    for path in filter(os.path.lexists, files):
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode):
            return f"{path} is not a regular file: remove it"
        if status.st_uid != user or status.st_mode & 0o077:
            return _describe(path, status, "0600", (user,))
    parent = os.path.dirname(files[0])
    for folder in filter(os.path.exists, _list_folders(parent)):
        status = os.stat(folder)
        denied = 0o022 if folder == parent else _get_denied(status)
        if status.st_uid not in (user, 0) or status.st_mode & denied:
            return _describe(folder, status, "go-w", (user, 0))
    return None


def _describe(path: str, status: os.stat_result, mode: str, owners: Sequence[int]) -> str:
    if status.st_uid not in owners:
        return f"{path} belongs to user id {status.st_uid}: run chown {owners[0]} {quote(path)}"
    return f"{path} has mode {stat.S_IMODE(status.st_mode):04o}: run chmod {mode} {quote(path)}"


def _list_folders(folder: str) -> Iterator[str]:
    """Return the folder and those above it, up to the home of the user, or to the root if it is not in there."""
    home = os.path.realpath(os.path.expanduser("~"))
    yield folder
    while folder not in (home, os.path.dirname(folder)):
        folder = os.path.dirname(folder)
        yield folder


def _get_denied(status: os.stat_result) -> int:
    """Return the bits of the mode that a folder above the file's must not have.

    With the sticky bit, as /tmp has it, others can neither rename nor remove what is ours. A group of root, or of this
    user alone, as many systems create it with the user, has nobody else in it.
    """
    if status.st_mode & stat.S_ISVTX:
        return 0
    return 0o002 if status.st_gid == 0 or _is_own_group(status.st_gid) else 0o022


def _is_own_group(gid: int) -> bool:
    try:
        user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(gid)
    except KeyError:
        return False
    return gid == user.pw_gid and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}
