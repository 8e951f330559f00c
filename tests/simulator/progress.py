# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A value that turns into another after some seconds."""

from __future__ import annotations

import time
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Progress(Generic[Value]):
    """What is ``value`` now, and ``then`` in some seconds of real time: changing the clock's offset starts nothing."""

    def __init__(self, value: Value, then: Value | None = None, seconds: float = 0) -> None:
        self._value, self._then = value, value if then is None else then
        self._settled_at = time.monotonic() + seconds

    @property
    def value(self) -> Value:
        return self._then if time.monotonic() >= self._settled_at else self._value
