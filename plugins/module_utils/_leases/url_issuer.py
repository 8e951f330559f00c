# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Issue, then store: for services that issue a new URL on every call and never return one again.

Knows neither AWS nor Ansible: the service is a function that issues one URL, the memory is a lease store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from .._errors import LeaseConflict, NotReady
from .._time import to_iso8601
from .lease import Lease, LeaseKey
from .reuse import ReusePolicy
from .scheduler import Call, Outcome, Steps, never, run_concurrently
from .stores.base import LeaseStore, Write

# How often a lease that another run wrote, and that this one cannot reuse, is overwritten.
MAX_OVERWRITES = 3


@dataclass(frozen=True)
class UrlIssuer:
    """How one run issues URLs.

    Attributes:
        store: The lease store.
        issue: Calls the service for one new URL and returns its lease; runs in worker threads, raises LabstreamError.
        now: The service's clock.
        policy: Which leases are reused.
        not_before: A lease issued before this belongs to something that was deleted since.
        concurrency: How many calls to make at the same time.
        force: Issue even where a lease is reusable.
        is_canceled: Says, between two calls, whether to issue no more.
    """

    store: LeaseStore
    issue: Callable[[LeaseKey], Lease]
    now: Callable[[], datetime]
    policy: ReusePolicy
    not_before: datetime
    concurrency: int
    force: bool = False
    is_canceled: Callable[[], bool] = never

    def run(self, keys: Sequence[LeaseKey], existing: Mapping[LeaseKey, Lease], check_mode: bool) -> list[Outcome]:
        """Get every key a URL: that of a reusable lease, otherwise a new one.

        A key whose URL cannot be issued or stored has a failure in its outcome; the others go on.

        Args:
            keys: The keys, each once.
            existing: The leases that were read from the store.
            check_mode: Predict only: neither issue nor store.

        Returns:
            An outcome for each key, in the order of the keys.

        Raises:
            LeaseStoreError: A URL is to be issued, and the store cannot be written.
        """
        now = self.now()
        outcomes = {key: Outcome(key, lease, lease) for key, lease in existing.items() if self._is_reusable(lease, now)}
        to_issue = [key for key in keys if key not in outcomes]
        if to_issue:
            self.store.check()
        if check_mode:
            outcomes |= {key: Outcome(key, existing.get(key), issued=True) for key in to_issue}
        else:
            steps = {key: self._steps(key, existing.get(key)) for key in to_issue}
            outcomes |= run_concurrently(
                steps, existing, store=self.store, concurrency=self.concurrency, is_canceled=self.is_canceled
            )
        return [outcomes[key] for key in keys]

    def _steps(self, key: LeaseKey, existing: Lease | None) -> Steps:
        """Issue, and store unless another run has meanwhile written a lease that this one can reuse.

        So concurrent runs return the same URL, and no run returns a URL that is valid for less than it asked.
        """
        lease = yield Call(partial(self.issue, key))
        if lease.expires <= self.now():
            raise NotReady(
                f"The service issued a streaming URL that expired at {to_iso8601(lease.expires)}, though its own clock "
                f"says {to_iso8601(self.now())}: check that clock, then run again."
            )
        expected = existing.lease_id if existing else None
        for _attempt in range(1 + MAX_OVERWRITES):
            try:
                winner = yield Write(lease, expected)
            except Exception as e:
                return Outcome(key, existing, issued=True).failed(e)
            if winner.lease_id == lease.lease_id:
                return Outcome(key, existing, lease, issued=True)
            if self._is_reusable(winner, self.now()):
                return Outcome(key, existing, winner)
            expected = winner.lease_id
        raise conflict(key)

    def _is_reusable(self, lease: Lease, now: datetime) -> bool:
        return not self.force and lease.issued >= self.not_before and self.policy.accepts(lease, now)


def conflict(key: LeaseKey) -> LeaseConflict:
    """Return the error of a lease that other runs replaced again and again."""
    return LeaseConflict(
        f"Other runs kept replacing the lease of {key.holder!r} while this one tried to store its own: let one run at "
        "a time renew this lab with other options, then run again."
    )
