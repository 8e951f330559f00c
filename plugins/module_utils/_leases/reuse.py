# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Whether a lease is reused: by its validity, or by the point in time until which it must be valid. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from .._errors import InvalidOption
from .._time import to_iso8601
from .lease import Lease

# Where a lease cannot last until it is needed, it is renewed on its last day, so that a daily run lets no link expire.
RENEWAL_WINDOW = 24 * 60 * 60

# Seconds that are added to a validity that must last until a point in time: the server that issues may have another
# clock than the one that returned the time, and a lease that ended just too early would never be reused.
CLOCK_MARGIN = 5

# What is granted may differ from what is asked by a tenth, up to these seconds: clocks of servers differ.
MAX_TOLERANCE = 60

# The default of min_remaining is a tenth of the validity, up to this.
MAX_DEFAULT_MIN_REMAINING = 900


@dataclass(frozen=True)
class ReusePolicy:
    """What a caller asks of a lease: a validity, or to be valid until a point in time.

    Exactly one of ``validity`` and ``valid_until`` is set. The service grants ``max_validity`` at most, and only
    multiples of ``granularity``.
    """

    max_validity: int
    validity: int | None = None
    valid_until: datetime | None = None
    min_remaining: int | None = None
    granularity: int = 1

    def __post_init__(self) -> None:
        """Reject a ``min_remaining`` that no new lease would have.

        Raises:
            InvalidOption: Names the value.
        """
        if self.min_remaining is None:
            return
        granted = self.max_validity if self.validity is None else self.validity
        if not 0 <= self.min_remaining < granted:
            raise InvalidOption(
                f"min_remaining is {self.min_remaining}, but it must be from 0 to less than the validity of "
                f"{granted} seconds: a new URL would not meet it either."
            )

    def required_until(self, now: datetime) -> datetime:
        """Return until when a lease must be valid to be reused at ``now``."""
        if self.valid_until is None:
            return now + timedelta(seconds=self._min_remaining(self.validity or 0))
        if self.is_in_reach(now):
            return self.valid_until
        remaining = RENEWAL_WINDOW if self.min_remaining is None else self.min_remaining
        return now + timedelta(seconds=remaining)

    def accepts(self, lease: Lease, now: datetime) -> bool:
        """Return whether the lease is reusable: its URL is returned to this caller instead of a new one."""
        if not lease.is_valid_at(now):
            return False
        if self.validity is not None and lease.validity != self.validity:
            return False
        return lease.expires >= self.required_until(now)

    def validity_at(self, now: datetime) -> int:
        """Return the validity to ask the service for at ``now``, in seconds.

        Raises:
            InvalidOption: ``valid_until`` has passed.
        """
        if self.valid_until is None:
            return self.validity or 0
        if self.valid_until <= now:
            raise InvalidOption(
                f"valid_until is {to_iso8601(self.valid_until)}, which has passed: the service's clock says "
                f"{to_iso8601(now)}. Give a later time."
            )
        if not self.is_in_reach(now):
            return self.max_validity
        seconds = math.ceil((self.valid_until - now).total_seconds()) + CLOCK_MARGIN
        return min(self.max_validity, -(-seconds // self.granularity) * self.granularity)

    def asked_until(self, lease: Lease) -> datetime:
        """Return until when a lease that was issued by this policy was to be valid."""
        return lease.issued + timedelta(seconds=self.validity_at(lease.issued))

    def compare(self, lease: Lease) -> int:
        """Return -1 if the service granted a lease of this policy for less time than it was asked for, 1 for more."""
        difference = lease.expires - self.asked_until(lease)
        tolerance = timedelta(seconds=min(self.validity_at(lease.issued) // 10, MAX_TOLERANCE))
        return (difference > tolerance) - (difference < -tolerance)

    def is_in_reach(self, now: datetime) -> bool:
        """Return whether a URL that is issued at ``now`` can be valid for as long as is asked."""
        return self.valid_until is None or self.valid_until <= now + timedelta(seconds=self.max_validity)

    def renew_before(self, leases: Iterable[Lease]) -> datetime | None:
        """Return when the first of the leases that do not last until ``valid_until`` expires; None if all last."""
        if self.valid_until is None:
            return None
        return min((lease.expires for lease in leases if lease.expires < self.valid_until), default=None)

    def _min_remaining(self, validity: int) -> int:
        if self.min_remaining is not None:
            return self.min_remaining
        return min(validity // 10, MAX_DEFAULT_MIN_REMAINING)
