# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How fast a client calls: botocore's rate limiter of the adaptive retry mode, with two parts for many calls at once.

botocore's own parts slow down anew for each refused call. But calls that are under way together are refused together,
and a class of 500 then takes a third longer than the service needs for it. They also have no rate until they have
measured for half a second, so that an early refusal all but stops the class.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any

try:
    from botocore.retries.adaptive import ClientRateLimiter
    from botocore.retries.bucket import Clock, TokenBucket
    from botocore.retries.standard import RetryEventAdapter, ThrottlingErrorDetector
    from botocore.retries.throttling import CubicCalculator
except ImportError:
    Clock = CubicCalculator = object  # limiter() tells.

# In seconds. Calls that are refused within this time of the first are taken for calls that were under way with it.
_TOGETHER = 0.5
# In seconds. Over this time the rate is measured.
_MEASURED = 1.0


class _Clock(Clock):  # type: ignore[misc]
    """One that nobody sets: after a step back, botocore's would have every call wait for as long."""

    def current_time(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()


class _Calculator(CubicCalculator):  # type: ignore[misc]
    """botocore's, but slows down once for calls that are refused together."""

    _slowed_at = float("-inf")

    def error_received(self, current_rate: float, timestamp: float) -> float:
        """The rate after a call was refused, in calls a second."""
        if timestamp < self._slowed_at + _TOGETHER:
            return self.success_received(timestamp)
        self._slowed_at = timestamp
        return super().error_received(current_rate, timestamp)


class _Clocker:
    """Measures the rate from the first call on."""

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self._moments: deque[float] = deque()
        self._lock = threading.Lock()

    def record(self, amount: int = 1) -> float:
        """Note as many calls; the rate in calls a second."""
        with self._lock:
            now = self._clock.current_time()
            self._moments.extend([now] * amount)
            while self._moments[0] < now - _MEASURED:
                self._moments.popleft()
            return len(self._moments) / _MEASURED


def build_rate_limiter() -> Any | None:
    """What slows down a client, which retries in the standard mode, to what its service allows; see ``pace``.

    Put together as botocore.retries.adaptive does. None if botocore's parts are others than these: its documentation
    does not name them.
    """
    try:
        clock = _Clock()
        return ClientRateLimiter(
            rate_adjustor=_Calculator(starting_max_rate=0, start_time=clock.current_time()),
            rate_clocker=_Clocker(clock),
            token_bucket=TokenBucket(max_rate=1, clock=clock),
            throttling_detector=ThrottlingErrorDetector(retry_event_adapter=RetryEventAdapter()),
            clock=clock,
        )
    except (NameError, TypeError):
        return None


def limit_rate(client: Any, by: Any) -> None:
    """Have the client slow down by a limiter of its own."""
    client.meta.events.register("before-send", by.on_sending_request)
    client.meta.events.register("needs-retry", by.on_receiving_response)
