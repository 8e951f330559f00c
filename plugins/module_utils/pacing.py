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
from collections import deque
from typing import Any

try:
    from botocore.retries.adaptive import ClientRateLimiter
    from botocore.retries.bucket import Clock, TokenBucket
    from botocore.retries.standard import RetryEventAdapter, ThrottlingErrorDetector
    from botocore.retries.throttling import CubicCalculator

    CAN_PACE = True
except ImportError:
    # No botocore, which AnsibleAWSModule handles; or one with other parts, since its documentation does not name them.
    CubicCalculator = object
    CAN_PACE = False

# In seconds. Calls that are refused within this time of the first were under way with it.
_TOGETHER = 0.5
# In seconds. Over this time the rate is measured.
_MEASURED = 1.0


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


def pace(client: Any) -> None:
    """Have a client, which retries in the standard mode, slow down to what the service allows.

    As botocore.retries.adaptive does. Only where ``CAN_PACE``.
    """
    clock = Clock()
    limiter = ClientRateLimiter(
        rate_adjustor=_Calculator(starting_max_rate=0, start_time=clock.current_time()),
        rate_clocker=_Clocker(clock),
        token_bucket=TokenBucket(max_rate=1, clock=clock),
        throttling_detector=ThrottlingErrorDetector(retry_event_adapter=RetryEventAdapter()),
        clock=clock,
    )
    client.meta.events.register("before-send", limiter.on_sending_request)
    client.meta.events.register("needs-retry", limiter.on_receiving_response)
