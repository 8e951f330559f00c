# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The errors of this collection, and the texts of messages. Pure.

::

    LabstreamError                  everything that is raised on purpose
    ├── InvalidOption               an option has a value that is not accepted
    ├── CredentialsError            credentials cannot be loaded or renewed
    ├── NotReady                    a stack, fleet, studio or session cannot stream now
    ├── LeaseStoreError             the lease store cannot be opened, read or written
    ├── LeaseConflict               other runs kept replacing a lease
    ├── RunCanceled                 the run of Ansible was killed
    ├── CallTimeout                 a call took too long
    ├── InvalidResponse             a response is not one of the service's API
    │   └── IncompleteResponse      the connection was closed before it was complete
    ├── HandoutError                in _handouts/files.py: a handout cannot be built or written
    └── ServiceError                in _service_errors.py: a call failed; also an AnsibleAWSError
        ├── AnsibleAppStreamError   in _appstream/errors.py
        ├── AnsibleNimbleError      in _nimble/errors.py
        ├── AnsibleGameLiftStreamsError in _gamelift/errors.py
        └── AnsibleLeaseTableError  in _leases/stores/dynamodb_table.py

Anything else that is raised is a bug, which is reported without its text.
"""

from __future__ import annotations

import reprlib
import traceback
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Any

from ._version import COLLECTION_NAME

MAX_MESSAGE_LENGTH = 1500

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80


def quote(value: Any) -> str:
    """Return the value as messages show it: quoted, and shortened in the middle if it is long."""
    return _SHORT.repr(value)


def to_message(text: str) -> str:
    """Return the text in one line, shortened in the middle if it is long, since the end says what to do."""
    line = " ".join(text.splitlines())
    half = (MAX_MESSAGE_LENGTH - 5) // 2
    return line if len(line) <= MAX_MESSAGE_LENGTH else f"{line[:half]} ... {line[-half:]}"


def to_line(text: str) -> str:
    """Return what another program said as a part of a message: in one line, without a full stop."""
    return " ".join(text.split()).rstrip(".")


def list_names(names: Sequence[str], limit: int = 5, show: Callable[[str], str] = str) -> str:
    """Return the first names, each as ``show`` returns it, and how many more there are."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(map(show, names[:limit])) + more


def describe_bug(exception: Exception) -> str:
    """Return a message on a bug. Neither text nor arguments of the exception are in it: they may hold a URL."""
    lines = [f"{path}:{line}" for path, line, _function in _get_frames(exception)]
    ours = [line for line in lines if not line.startswith("...")] or lines or ["an unknown place"]
    return f"internal error in {COLLECTION_NAME} ({type(exception).__name__} at {ours[-1]}): please report it"


def describe_frames(exception: Exception) -> list[str]:
    """Return the frames that led to a bug, for its report, the most recent last, without values of variables."""
    return [f"{path}:{line} {function}" for path, line, function in _get_frames(exception)]


def _get_frames(exception: Exception) -> list[tuple[str, int | None, str]]:
    frames = traceback.extract_tb(exception.__traceback__)
    return [(_shorten(frame.filename), frame.lineno, frame.name) for frame in frames]


def _shorten(filename: str) -> str:
    """Return the path of a file in this collection, or the end of another's."""
    path = PurePath(filename).as_posix()
    folder = COLLECTION_NAME.replace(".", "/")
    _before, is_ours, inside = path.partition(f"/ansible_collections/{folder}/")
    return inside if is_ours else "/".join(["...", *PurePath(path).parts[-2:]])


class LabstreamError(Exception):
    """The base of all errors that this collection raises on purpose."""

    @property
    def code(self) -> str:
        """The kind of error in one word, for programs that read the result."""
        return type(self).__name__

    def __str__(self) -> str:
        return to_message(super().__str__())


class InvalidOption(LabstreamError):
    """An option has a value that the service does not accept, or that contradicts another option."""


class CredentialsError(LabstreamError):
    """Credentials cannot be loaded or renewed."""


class NotReady(LabstreamError):
    """A stack, fleet, studio or session is missing or in a state in which it cannot stream."""


class LeaseStoreError(LabstreamError):
    """The lease store cannot be opened, read or written.

    Args:
        message: Says why, and what to do.
        changed: How many records were written, released or removed although it failed.
    """

    def __init__(self, message: str, changed: int = 0) -> None:
        super().__init__(message)
        self.changed = changed


class LeaseConflict(LabstreamError):
    """Other runs kept replacing a lease while this one tried to write its own."""


class RunCanceled(LabstreamError):
    """The run of Ansible that started the module was killed."""


class CallTimeout(LabstreamError):
    """A call of a service took too long. The text names the operation, the host and the seconds."""


class InvalidResponse(LabstreamError):
    """A response is not one of the service's API. The text names what is wrong with it and quotes nothing of it."""


class IncompleteResponse(InvalidResponse):
    """The connection was closed before the response was complete."""
