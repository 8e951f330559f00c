# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""How long calls of services may take on the network. Pure.

botocore's timeouts are those of each read, and neither botocore nor urllib3 has a public way to close a connection that
another thread reads from. So a call is made in a thread of its own, which is abandoned at the deadline. It is a daemon:
it does not keep the process from ending, and with the process its connection is closed.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeVar

from ._errors import CallTimeout

_Result = TypeVar("_Result")

# In seconds: one attempt from its sending to the last byte of the response, and all attempts for one holder together.
# Waiting for the rate limiter, or before a retry, is not counted.
MAX_ATTEMPT = 60.0
MAX_TOTAL = 300.0

# How the names of operations begin that change nothing, such as DynamoDB's Query.
_READ_ONLY = ("BatchGet", "Describe", "Get", "List", "Query", "Scan")
_REMEDY = "check the network and the service, then run again."


class NetworkTime:
    """The seconds that the attempts of one holder's calls have taken, one after the other."""

    def __init__(self) -> None:
        self.spent = 0.0

    def run(self, function: Callable[[], _Result]) -> _Result:
        """Call the function, and count the calls of services that it makes."""
        token = _network_time.set(self)
        try:
            return function()
        finally:
            _network_time.reset(token)


_network_time: contextvars.ContextVar[NetworkTime] = contextvars.ContextVar("network_time")
_call: contextvars.ContextVar[_Call] = contextvars.ContextVar("call")


class _Attempt(NamedTuple):
    """An attempt that is under way since ``began`` (monotonic), and may take ``limit`` seconds; then ``timeout``."""

    began: float
    limit: float
    timeout: CallTimeout


class _Call:
    """A call, which its own thread makes and another waits for."""

    def __init__(self, function: Callable[[], Any], network_time: NetworkTime) -> None:
        self._function, self._network_time = function, network_time
        self._changed = threading.Condition()
        self._attempt: _Attempt | None = None
        self._is_abandoned = False
        self._is_done = False
        self._result: Any = None
        self._error: BaseException | None = None

    def make(self) -> None:
        """Make the call."""
        _call.set(self)
        try:
            self._result = self._function()
        except BaseException as e:
            self._error = e
        with self._changed:
            self._is_done = True
            self._changed.notify()

    def wait(self) -> Any:
        """Wait for the call; return what it returns, and raise what it raises.

        Raises:
            CallTimeout: An attempt is at its limit.
        """
        with self._changed:
            while not self._is_done:
                self._changed.wait(self._get_remaining())
        if self._error:
            raise self._error
        return self._result

    def _get_remaining(self) -> float | None:
        """Return for how long the attempt that is under way may go on; None if there is none."""
        attempt = self._attempt
        if attempt is None:
            return None
        remaining = attempt.began + attempt.limit - time.monotonic()
        if remaining <= 0:
            self._is_abandoned = True
            raise attempt.timeout
        return remaining

    def begin_attempt(self, operation: str, host: str) -> None:
        """Begin counting.

        Raises:
            CallTimeout: No other attempt is to be made.
        """
        with self._changed:
            remaining = MAX_TOTAL - self._network_time.spent
            if self._is_abandoned or remaining <= 0:
                raise CallTimeout(
                    f"{operation} at {host} is not tried again, since all attempts together took {MAX_TOTAL:g} "
                    f"seconds: {_REMEDY}"
                )
            timeout = build_timeout(operation, host, MAX_ATTEMPT)
            if remaining < MAX_ATTEMPT:
                timeout = build_timeout(operation, host, MAX_TOTAL, of=" of all attempts together")
            self._attempt = _Attempt(time.monotonic(), min(MAX_ATTEMPT, remaining), timeout)
            self._changed.notify()

    def end_attempt(self) -> None:
        """Stop counting."""
        with self._changed:
            if self._attempt:
                self._network_time.spent += time.monotonic() - self._attempt.began
            self._attempt = None


def run_within_limits(function: Callable[[], _Result]) -> _Result:
    """Call the function in a thread of its own, and return what it returns, or raise what it raises.

    Raises:
        CallTimeout: An attempt of what it calls, or all of them together, took too long.
    """
    call = _Call(function, _network_time.get(NetworkTime()))
    context = contextvars.copy_context()
    threading.Thread(target=partial(context.run, call.make), daemon=True).start()
    return call.wait()


def begin_attempt(operation: str, host: str) -> None:
    """Note that an attempt is about to be sent. To be called in the thread that makes it."""
    call = _call.get(None)
    if call:
        call.begin_attempt(operation, host)


def end_attempt() -> None:
    """Note that the attempt is over. To be called in the thread that made it."""
    call = _call.get(None)
    if call:
        call.end_attempt()


def is_read_only(operation: str) -> bool:
    """Return whether an operation, by its name, changes nothing."""
    return operation.startswith(_READ_ONLY)


def build_timeout(operation: str, host: str, seconds: float, *, of: str = "") -> CallTimeout:
    """Return the error of an operation that took too long."""
    outcome = "" if is_read_only(operation) else ", so it is unknown whether it was done"
    return CallTimeout(
        f"{operation} at {host} had no complete response within {seconds:g} seconds{of}{outcome}: {_REMEDY}"
    )
