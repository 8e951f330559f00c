# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The rate of calls: botocore's rate limiter of the adaptive retry mode, with two parts for many concurrent calls.

botocore's own parts slow down again for each throttled call. But calls in flight together are throttled together, and
a lab of 500 then takes a third longer than the service needs for it. They also have no rate until they have measured
for half a second, so that early throttling all but stops the lab.

botocore documents none of these parts. If they are others, calls are made at botocore's own pace, or without any.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

try:
    from botocore.retries.adaptive import ClientRateLimiter, RateClocker
    from botocore.retries.bucket import Clock, TokenBucket
    from botocore.retries.standard import RetryEventAdapter, ThrottlingErrorDetector
    from botocore.retries.throttling import CubicCalculator
except ImportError:
    Clock = CubicCalculator = object  # build_rate_limiter returns None.

# What is raised if botocore has other parts: other names, or other arguments.
_OTHER_PARTS = (AttributeError, NameError, TypeError)
# In seconds. Calls throttled within this time of the first are taken for calls that were in flight with it.
_TOGETHER = 0.5
# In seconds. The rate is measured over this time.
_WINDOW = 1.0


class _Clock(Clock):  # type: ignore[misc]
    """A monotonic clock. When botocore's is set back, every call waits for as long."""

    def current_time(self) -> float:
        """Return seconds since an arbitrary point in time."""
        return time.monotonic()


class _Calculator(CubicCalculator):  # type: ignore[misc]
    """botocore's calculator, but it slows down once for calls that are throttled together."""

    _slowed_at = float("-inf")

    def error_received(self, current_rate: float, timestamp: float) -> float:
        """Return the rate after a call was throttled, in calls per second."""
        if timestamp < self._slowed_at + _TOGETHER:
            return self.success_received(timestamp)
        self._slowed_at = timestamp
        return super().error_received(current_rate, timestamp)


class _Clocker:
    """A clocker that measures the rate from the first call on."""

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self._times: deque[float] = deque()
        self._lock = threading.Lock()

    def record(self, amount: int = 1) -> float:
        """Record as many calls, and return the rate in calls per second."""
        with self._lock:
            now = self._clock.current_time()
            self._times.extend([now] * amount)
            while self._times[0] < now - _WINDOW:
                self._times.popleft()
            return len(self._times) / _WINDOW


class RateLimiter:
    """What slows down one client. A limiter that fails, since botocore has changed, is not used again."""

    def __init__(self) -> None:
        self._limiters = [
            _build_limiter(_Clock(), _Calculator, _Clocker),
            _build_limiter(Clock(), CubicCalculator, RateClocker),
        ]

    def handle(self, handler: str, **event: Any) -> None:
        """Call the limiter's handler: it waits until a call may be sent, or adapts the rate to a response."""
        for limiter in tuple(self._limiters):
            try:
                getattr(limiter, handler)(**event)
                return
            except _OTHER_PARTS:
                with suppress(ValueError):  # Another thread has removed it.
                    self._limiters.remove(limiter)


def _build_limiter(clock: Any, calculator: Callable[..., Any], clocker: Callable[..., Any]) -> Any:
    """Build a limiter as botocore.retries.adaptive does."""
    return ClientRateLimiter(
        rate_adjustor=calculator(starting_max_rate=0, start_time=clock.current_time()),
        rate_clocker=clocker(clock),
        token_bucket=TokenBucket(max_rate=1, clock=clock),
        throttling_detector=ThrottlingErrorDetector(retry_event_adapter=RetryEventAdapter()),
        clock=clock,
    )


def build_rate_limiter() -> RateLimiter | None:
    """Build what slows down a client in the standard retry mode to what its service allows; see ``limit_rate``.

    None if botocore has other parts than these.
    """
    try:
        return RateLimiter()
    except _OTHER_PARTS:
        return None


def limit_rate(client: Any, rate_limiter: RateLimiter) -> None:
    """Let the rate limiter slow down the client. Each client needs its own."""
    client.meta.events.register("before-send", partial(rate_limiter.handle, "on_sending_request"))
    client.meta.events.register("needs-retry", partial(rate_limiter.handle, "on_receiving_response"))
