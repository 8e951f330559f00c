# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can go wrong. Every exception's text is one sentence for the user: what is wrong, which value, what to do."""

from __future__ import annotations

import reprlib
from typing import Any

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80

# So many characters has a sentence at most, whatever a service has said.
LONGEST_SENTENCE = 1500


def quote(value: Any) -> str:
    """The value as a sentence shows it: quoted, and cut in the middle when it is long."""
    return _SHORT.repr(value)


def sentence_of(text: str) -> str:
    """The text in one line, and without its middle if it is too long: the end says what to do."""
    line = " ".join(text.splitlines())
    half = (LONGEST_SENTENCE - 5) // 2
    return line if len(line) <= LONGEST_SENTENCE else f"{line[:half]} ... {line[-half:]}"


class LabstreamError(Exception):
    """The base of all errors that this collection raises on purpose.

    ``code`` names the kind of error in one word, for a program that reads the result.
    """

    code = "LabstreamError"

    def __str__(self) -> str:
        return sentence_of(super().__str__())


class InvalidOption(LabstreamError):
    """An option's value is outside what the service accepts, or contradicts another option."""

    code = "InvalidOption"


class NotReady(LabstreamError):
    """A stack, fleet or session is missing or in a state in which it cannot stream."""

    code = "NotReady"


class LeaseStoreError(LabstreamError):
    """The lease store cannot be opened, read or written."""

    code = "LeaseStoreError"


class LeaseConflict(LabstreamError):
    """Other runs kept replacing a lease while this one tried to write its own."""

    code = "LeaseConflict"
