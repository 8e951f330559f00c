# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Failures of single entries of a task, and their text in the message of the task."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterable, Sequence
from functools import partial
from typing import NamedTuple

from ._errors import LabstreamError, describe_bug, list_names

# A message shows this many reasons. The result lists all.
MAX_SHOWN = 5
# A session context may be long.
_shorten = partial(textwrap.shorten, width=80, placeholder="...")


class Failure(NamedTuple):
    """Why the task failed for one entry: a word for programs, a message for people."""

    code: str
    message: str

    @classmethod
    def from_error(cls, error: Exception) -> Failure:
        """Return the failure that the error is for the entry that it was raised for."""
        return cls(error.code, str(error)) if isinstance(error, LabstreamError) else BugFailure.build(error)


class BugFailure(Failure):
    """The failure of an entry because of a bug."""

    exception: Exception

    @classmethod
    def build(cls, exception: Exception) -> BugFailure:
        """Return the failure of the bug that raised this."""
        failure = cls("InternalError", describe_bug(exception))
        failure.exception = exception
        return failure


def find_bug(failures: Iterable[Failure | None]) -> Exception | None:
    """Return the exception of the first bug among the failures, for the report of the task; None if there is none."""
    return next((failure.exception for failure in failures if isinstance(failure, BugFailure)), None)


def format_failures(failures: Sequence[tuple[str, Failure]]) -> str:
    """Return the reasons of the failures, each after the names of those that have it, without a full stop."""
    names_by_reason: dict[str, list[str]] = {}
    for name, failure in failures:
        names_by_reason.setdefault(failure.message.rstrip("."), []).append(name)
    shown = itertools.islice(names_by_reason.items(), MAX_SHOWN)
    text = "; ".join(f"{list_names(names, show=_shorten)}: {reason}" for reason, names in shown)
    return f"{text}; and more, see failures" if len(names_by_reason) > MAX_SHOWN else text
