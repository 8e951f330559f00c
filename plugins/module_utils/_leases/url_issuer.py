# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to reuse and what to issue, where the service issues a new URL at every call and never tells one again.

Knows neither AWS nor Ansible: the service is a function that issues one URL, the memory is a lease store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from .._errors import LeaseConflict, LeaseStoreError
from .lease import Lease, LeaseKey, ReusePolicy
from .scheduler import Call, Outcome, Steps, run_concurrently
from .stores.base import LeaseStore, Write

# A lease that another run wrote, and that is not good enough for this one, is written over at most so often.
OVERWRITES = 3


@dataclass(frozen=True)
class UrlIssuer:
    """How one run gives seats their URLs.

    ``issue(key)`` calls the service for one new URL and returns its lease; it runs in worker threads and raises
    LabstreamError. ``now()`` is the service's time. A lease issued before ``not_before`` belongs to something that was
    deleted since. ``force`` issues even where a lease is current.
    """

    store: LeaseStore
    issue: Callable[[LeaseKey], Lease]
    now: Callable[[], datetime]
    need: ReusePolicy
    not_before: datetime
    concurrency: int
    force: bool = False

    def hand_out(self, keys: Sequence[LeaseKey], existing: Mapping[LeaseKey, Lease], check_mode: bool) -> list[Outcome]:
        """Give every key a URL: a current lease's, else a new one.

        A key whose URL cannot be issued or remembered has a failure in its outcome; the others go on.

        Args:
            keys: Whom to serve, each once; all of one scope.
            held: The leases that were read from the store.
            check_mode: Predict only: neither issue nor remember.

        Returns:
            An outcome for each key, in the order of the keys.

        Raises:
            LeaseStoreError: a URL is to be issued, and the store cannot be written.
        """
        now = self.now()
        outcomes = {key: Outcome(key, lease, lease) for key, lease in existing.items() if self._is_current(lease, now)}
        to_issue = [key for key in keys if key not in outcomes]
        if to_issue:
            self.store.check()
        if check_mode:
            outcomes |= {key: Outcome(key, existing.get(key), issued=True) for key in to_issue}
        else:
            steps = {key: self._steps(key, existing.get(key)) for key in to_issue}
            outcomes |= run_concurrently(steps, existing, store=self.store, now=self.now, concurrency=self.concurrency)
        return [outcomes[key] for key in keys]

    def _steps(self, key: LeaseKey, existing: Lease | None) -> Steps:
        """Issue, and remember unless another run has meanwhile written a lease that will do.

        So concurrent runs hand every learner the same URL, and no run returns a URL good for less than it asked.
        """
        lease = yield Call(partial(self.issue, key))
        expected = existing.lease_id if existing else None
        for _attempt in range(1 + OVERWRITES):
            try:
                winner = yield Write(lease, expected)
            except LeaseStoreError as e:
                return Outcome(key, existing, issued=True).failed(e)
            if winner.lease_id == lease.lease_id:
                return Outcome(key, existing, lease, issued=True)
            if self._is_current(winner, self.now()):
                return Outcome(key, existing, winner)
            expected = winner.lease_id
        raise LeaseConflict(
            f"Other runs kept replacing the lease of seat {key.seat!r} while its new URL was to be remembered: let one "
            "run at a time renew this lab with other options, and run again."
        )

    def _is_current(self, lease: Lease, now: datetime) -> bool:
        return not self.force and lease.issued >= self.not_before and self.need.accepts(lease, now)


def leases_to_release(leases: Iterable[Lease], *, purge: bool) -> list[Lease]:
    """Those of the leases that forgetting, or with ``purge`` removing their records, changes."""
    return [lease for lease in leases if purge or lease.forgotten is None]
