# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Files that hold URLs: private, replaced atomically, and left alone if nothing changes.

Pure: knows neither AWS nor Ansible.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from .._errors import LabstreamError

MODE, FOLDER_MODE = 0o600, 0o700
MAX_CONCURRENT_WRITES = 16
# A file with this prefix that is older than this was left behind by a run that was killed.
TEMPORARY = ".labstream-handout-"
_LEFTOVER_AGE = 3600
_REMEDY = "Name a file in a folder that the user of this task can write to."


class HandoutError(LabstreamError):
    """A handout cannot be built or written."""

    code = "HandoutError"


@dataclass(frozen=True)
class File:
    """The wanted content of a file, None if the file must not exist. Messages show ``name``, which is not a secret."""

    path: str = field(repr=False)
    content: bytes | None = field(repr=False)
    name: str


def validate_path(path: str, *, is_folder: bool) -> None:
    """Reject a file, or a folder for files, that cannot be written. A folder may be missing, but not its parent.

    Raises:
        HandoutError: naming it.
    """
    folder = path if is_folder and os.path.lexists(path) else os.path.dirname(path)
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK):
        raise _write_error(f"The handout {path}", "its folder is missing or read-only")


def write_files(files: Collection[File], *, check_mode: bool) -> Iterator[File]:
    """Write or remove the files that differ from what is wanted; in check mode, only find them.

    The files are written concurrently, because waiting for the disk takes as long for many files as for one. Temporary
    files that killed runs have left in the same folders are removed.

    Yields:
        Each file that was written or removed, once it is done.

    Raises:
        HandoutError: a file cannot be written; the others were.
    """

    def ensure(file: File) -> bool | HandoutError:
        try:
            if _is_current(file):
                return False
            if not check_mode:
                _put(file)
            return True
        except OSError as e:
            return _write_error(file.name, str(e.strerror))
        except ValueError:  # A null byte or an unpaired surrogate.
            return _write_error(file.name, "that is not a valid file name")

    failures = []
    with ThreadPoolExecutor(MAX_CONCURRENT_WRITES) as executor:
        for file, outcome in zip(files, executor.map(ensure, files), strict=True):
            if isinstance(outcome, HandoutError):
                failures.append(outcome)
            elif outcome:
                yield file
    if not check_mode:
        for folder in {os.path.dirname(file.path) for file in files}:
            _remove_leftovers(folder)
    if failures:
        raise failures[0]


def _is_current(file: File) -> bool:
    """Return whether the file has the wanted content and is private, or is absent if it must not exist."""
    try:
        with open(file.path, "rb") as opened:
            return os.fstat(opened.fileno()).st_mode & 0o777 == MODE and opened.read() == file.content
    except FileNotFoundError:
        return file.content is None


def _put(file: File) -> None:
    if file.content is None:
        os.unlink(file.path)
        return
    folder = os.path.dirname(file.path)
    with suppress(FileExistsError):
        os.mkdir(folder, FOLDER_MODE)
    _replace(file.path, folder, file.content)


def _replace(path: str, folder: str, content: bytes) -> None:
    """Write the content atomically. AnsibleModule.atomic_move would give a new file the mode that the umask allows."""
    descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=TEMPORARY)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            os.fchmod(descriptor, MODE)
            opened.write(content)
            opened.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _remove_leftovers(folder: str) -> None:
    """Remove old temporary files. Those that cannot be removed, such as another user's, stay."""
    with suppress(OSError, ValueError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(TEMPORARY):
                with suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_mtime < time.time() - _LEFTOVER_AGE:
                        os.unlink(entry.path)


def _write_error(name: str, reason: str) -> HandoutError:
    return HandoutError(f"{name} cannot be written: {reason}. {_REMEDY}")
