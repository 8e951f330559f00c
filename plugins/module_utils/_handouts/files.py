# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that hold URLs: private, replaced in one step, and left alone if they are as they are to be.

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
# A file under such a name that is so many seconds old was left behind by a run that was killed.
TEMPORARY = ".labstream-handout-"
LEFT_BEHIND_AFTER = 3600
_NAME_ANOTHER = "Name a file in a folder that the user of this task may write to."


class HandoutError(LabstreamError):
    """A hand-out cannot be made or written."""

    code = "HandoutError"


@dataclass(frozen=True)
class File:
    """A file as it is to be; it is to be gone if ``content`` is None. Messages call it ``name``, which is no secret."""

    path: str = field(repr=False)
    content: bytes | None = field(repr=False)
    name: str


def validate_path(path: str, *, is_folder: bool) -> None:
    """Refuse a file, or a folder for files, that cannot be written. A folder may be missing, but not the one above it.

    Raises:
        HandoutError: naming it.
    """
    folder = path if is_folder and os.path.lexists(path) else os.path.dirname(path)
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK):
        raise _unwritten(f"The hand-out {path}", "its folder is missing or read-only")


def write_files(files: Collection[File], *, check_mode: bool) -> Iterator[File]:
    """Write or remove the files that are not as they are to be; in check mode, only find them.

    Side by side, since a disk takes its time to make a file last, but makes many last in the same time. What runs that
    were killed have left in the files' folders is removed too.

    Yields:
        Each of these files, when that is done.

    Raises:
        HandoutError: one of them cannot be written; the others were.
    """

    def is_changed(file: File) -> bool | HandoutError:
        try:
            if _is_current(file):
                return False
            if not check_mode:
                _put(file)
            return True
        except OSError as e:
            return _unwritten(file.name, str(e.strerror))
        except ValueError:  # A zero byte, or a half character that no name can have.
            return _unwritten(file.name, "that is no name of a file")

    failures = []
    with ThreadPoolExecutor(MAX_CONCURRENT_WRITES) as executor:
        for file, outcome in executor.map(lambda file: (file, is_changed(file)), files):
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
    """Whether the file has its content and is private, or is not there if it is to be gone."""
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
    """Put the content into the file in one step. AnsibleModule.atomic_move would lend a new file the umask's mode."""
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
    """What cannot be removed, such as another user's, stays. A folder whose name is none (ValueError) has nothing."""
    with suppress(OSError, ValueError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(TEMPORARY):
                with suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_mtime < time.time() - LEFT_BEHIND_AFTER:
                        os.unlink(entry.path)


def _unwritten(name: str, why: str) -> HandoutError:
    return HandoutError(f"{name} cannot be written: {why}. {_NAME_ANOTHER}")
