# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Files that hold URLs: private, replaced atomically, and left alone if nothing changes.

A file is written under a temporary name and then moved into its place. A run that is killed leaves that behind, so it
never lies in a folder that is published, and the next run removes it.

Pure: knows neither AWS nor Ansible.
"""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from errno import ELOOP, EXDEV

from .._errors import LabstreamError

MODE, FOLDER_MODE = 0o600, 0o700
MAX_CONCURRENT_WRITES = 16
# The prefix of temporary files. A run holds a lock on its own, which ends with the run.
TEMPORARY = ".labstream-handout-"
_REMEDY = "Name a file in a folder that the user of this task can write to."
_FOLDER_REMEDY = "Name a folder which, like the one above it, the user of this task can write to."


class HandoutError(LabstreamError):
    """A handout cannot be built or written."""


@dataclass(frozen=True)
class File:
    """The wanted content of a file, None if the file must not exist.

    Attributes:
        path: Its absolute path.
        content: What it is to contain.
        name: How messages call it, which is not a secret.
        head: What every such file begins with. Any other file in its place is not ours, and is not removed.
        folder: The folder for its temporary file, on the same file system; by default its own. If it is given, users
            name the folder of the file, and not the file.
    """

    path: str = field(repr=False)
    content: bytes | None = field(repr=False)
    name: str
    head: bytes = b""
    folder: str = ""

    @property
    def temporary_folder(self) -> str:
        """The folder for its temporary file."""
        return self.folder or os.path.dirname(self.path)


def write_files(files: Collection[File], *, check_mode: bool) -> Iterator[File]:
    """Write or remove the files that differ from what is wanted; in check mode, only find them.

    The files are written concurrently, because waiting for the disk takes as long for many files as for one. Temporary
    files that killed runs have left are removed.

    Yields:
        Each file that was written or removed, once it is done.

    Raises:
        HandoutError: a file cannot be written; the others were.
    """
    failures = []
    with ThreadPoolExecutor(MAX_CONCURRENT_WRITES) as executor:
        for file, future in [(file, executor.submit(_ensure, file, check_mode)) for file in files]:
            if error := future.exception():
                failures.append(error)
            elif future.result():
                yield file
    if not check_mode:
        for folder in {file.temporary_folder for file in files}:
            _remove_leftovers(folder)
    if failures:
        raise failures[0]


def _ensure(file: File, check_mode: bool) -> bool:
    """Write or remove the file if it differs from what is wanted; return whether it differed.

    Raises:
        HandoutError: It cannot be written.
    """
    try:
        if _is_current(file):
            return False
        if not check_mode:
            _put(file)
        return True
    except OSError as e:
        reason = "its folder and the one above it are not on one file system" if e.errno == EXDEV else e.strerror
        raise _build_error(file, str(reason)) from None  # It names the path, which is a secret.
    except ValueError:  # A null byte or an unpaired surrogate.
        raise _build_error(file, "that is not a valid file name") from None


def _is_current(file: File) -> bool:
    """Return whether the file has the wanted content and is private, or is absent if it must not exist.

    Raises:
        HandoutError: What is there instead is not a file of ours.
    """
    try:
        # Not a link, which is replaced, and not a pipe, which would be waited for.
        descriptor = os.open(file.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return file.content is None
    except OSError as e:
        if e.errno == ELOOP:
            return False
        raise
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise _build_error(file, "it is not a regular file")
        with open(descriptor, "rb", closefd=False) as opened:
            content = opened.read()
    finally:
        os.close(descriptor)
    if file.content is None and not content.startswith(file.head):
        raise HandoutError(
            f"{file.name} is not removed, because it is not a handout of this collection: check its path."
        )
    return stat.S_IMODE(mode) == MODE and content == file.content


def _put(file: File) -> None:
    """Write the file atomically. AnsibleModule.atomic_move would give a new one the mode that the umask allows."""
    if file.content is None:
        os.unlink(file.path)
        return
    with suppress(FileExistsError):
        os.mkdir(os.path.dirname(file.path), FOLDER_MODE)
    descriptor, temporary = tempfile.mkstemp(dir=file.temporary_folder, prefix=TEMPORARY)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.fchmod(descriptor, MODE)
            opened.write(file.content)
            opened.flush()
            os.fsync(descriptor)
            os.replace(temporary, file.path)
    except BaseException:
        os.unlink(temporary)
        raise


def _remove_leftovers(folder: str) -> None:
    """Remove temporary files that no process holds a lock on. What cannot be removed, such as another user's, stays."""
    with suppress(OSError, ValueError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(TEMPORARY) and entry.is_file(follow_symlinks=False):
                with suppress(OSError), open(entry.path, "rb") as opened:
                    fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.unlink(entry.path)


def _build_error(file: File, reason: str) -> HandoutError:
    return build_write_error(file.name, reason, is_folder=bool(file.folder))


def build_write_error(name: str, reason: str, *, is_folder: bool = False) -> HandoutError:
    """Return the error of a file that cannot be written for that reason, or of the folder that files are written to."""
    return HandoutError(f"{name} cannot be written: {reason}. {_FOLDER_REMEDY if is_folder else _REMEDY}")
