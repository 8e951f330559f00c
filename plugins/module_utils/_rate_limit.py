# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The rate of calls: slow down to what a service allows once it has throttled a call.

AWS throttles by token buckets: so many calls at once after a rest, then so many a second. Calls are not limited until
the first is throttled; the bucket is empty then. What it accepts until it is empty again is what it is filled with,
which is the rate to find. Other programs may use the same bucket, and come and go.

botocore's adaptive mode takes rejected calls for a measure of the rate too, lowers it for each of the calls that were
in flight together, and then tries for more every few seconds: at 5 calls a second, every sixth call is throttled.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any

# While the rate is not known: calls per second at first, and in how many seconds they double.
_FIRST_RATE = 5.0
_DOUBLING = 0.5
_MIN_RATE = 0.2
# In seconds. Calls throttled within this time of the first are taken for calls that were in flight with it.
_TOGETHER = 0.5
# In seconds. The accepted calls are counted over this time: a short one while the rate is not known, since the calls
# become more, and then one that is long enough for several runs that share a bucket.
_FIRST_WINDOW, _WINDOW = 1.0, 12.0
# How far below the measured rate to go on, as a share of it, and after how many calls to reach it again. In the
# meantime, the bucket fills by a quarter of their product, 5 calls. It needs some for calls that come irregularly, but
# a small one is soon full, and what it cannot hold is lost. Then in how many seconds to double the rate. To find a
# higher one costs a few rejected calls, hence after a number of calls, but after so many seconds at the latest, since
# others that share the bucket may have gone.
_DIP = 0.2
_PLATEAU_CALLS, _MAX_PLATEAU = 100, 12.0
_GROWTH = 4.0
# How many calls that a busy machine has sent too late are made up for. The bucket still has them unless it is full.
_CATCH_UP = 5
# In seconds. A call that waits looks whether the rate has changed.
_MAX_SLEEP = 0.2

# Those of botocore's error codes for throttled calls that do not say so. AppStream's LimitExceededException is a quota.
_THROTTLING_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "SlowDown",
        "TooManyRequestsException",
    }
)


class CallRate:
    """When calls may be sent. Pure: all times are given, in seconds of one clock."""

    def __init__(self) -> None:
        self._throttled_at: float | None = None
        self._sent_at = 0.0
        self._accepted: deque[float] = deque()
        # Calls per second: what the service allows, None if that is not known, and what to begin with then.
        self._allowed: float | None = None
        self._first_rate = _FIRST_RATE

    def send(self, now: float) -> float:
        """Return 0 if a call is sent now, otherwise how long to wait for it."""
        if self._throttled_at is None:
            return 0.0
        interval = 1 / self._get_rate(now - self._throttled_at)
        due = self._sent_at + interval
        if now < due:
            return due - now
        self._sent_at = max(due, now - _CATCH_UP * interval)
        return 0.0

    def accept(self, now: float) -> None:
        """Note that the service accepted a call."""
        self._accepted.append(now)
        while self._accepted[0] < now - _WINDOW:
            self._accepted.popleft()

    def throttle(self, now: float) -> None:
        """Note that the service throttled a call."""
        if self._throttled_at is None:
            self._sent_at = now
        else:
            since = now - self._throttled_at
            if since < _TOGETHER:
                return
            rate = self._get_rate(since)
            window = min(since, _FIRST_WINDOW if self._allowed is None else _WINDOW)
            accepted = sum(when > now - window for when in self._accepted)
            if accepted:
                self._allowed = max(_MIN_RATE, min(accepted / window, rate))
            else:
                # An outage, or others have emptied the bucket: that says nothing about the rate. The next attempt to
                # find it begins with at most half of what this one began with, since that has doubled in the meantime.
                self._allowed = None
                self._first_rate = max(_MIN_RATE, min(_FIRST_RATE, rate / 4))
        self._throttled_at = now

    def _get_rate(self, since: float) -> float:
        """Return the calls per second, so many seconds after one was throttled.

        Once the rate is known, this is a cubic function up to it, as in TCP's CUBIC: quickly at first, then flat for
        long. Above it, it grows ever faster.
        """
        if self._allowed is None:
            return self._first_rate * 2 ** min(since / _DOUBLING, 20)
        plateau = min(_PLATEAU_CALLS / self._allowed, _MAX_PLATEAU)
        if since < plateau:
            return self._allowed * (1 - _DIP * (1 - since / plateau) ** 3)
        return self._allowed * 2 ** min((since - plateau) / _GROWTH, 20)


class RateLimiter:
    """What slows down one client, whose calls are made in many threads."""

    def __init__(self) -> None:
        self._rate = CallRate()
        self._lock = threading.Lock()
        # Whoever has it is the next to send.
        self._turn = threading.Lock()

    def wait(self, **_event: Any) -> None:
        """Wait until a call may be sent."""
        with self._turn:
            while delay := self._send():
                time.sleep(min(delay, _MAX_SLEEP))

    def observe(self, response: tuple[Any, Any] | None, **_event: Any) -> None:
        """Adapt the rate to a response."""
        if response:
            with self._lock:
                (self._rate.throttle if _is_throttled(*response) else self._rate.accept)(time.monotonic())

    def _send(self) -> float:
        with self._lock:
            return self._rate.send(time.monotonic())


def _is_throttled(http_response: Any, parsed: Any) -> bool:
    code = str(parsed.get("Error", {}).get("Code"))
    return "Throttl" in code or code in _THROTTLING_CODES or http_response.status_code == 429


def limit_rate(client: Any) -> None:
    """Slow down a client, which should be in the standard retry mode, to what its service allows."""
    rate_limiter = RateLimiter()
    client.meta.events.register("before-send", rate_limiter.wait)
    client.meta.events.register("needs-retry", rate_limiter.observe)
