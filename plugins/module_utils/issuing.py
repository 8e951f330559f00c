# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to reuse and what to issue, and the issuing of a whole class side by side.

Knows neither AWS nor Ansible: the service is a function that issues one URL, the memory is a lease store. Worker
threads only call the service; the main thread alone uses the store, and writes each lease the moment it is issued.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from .exceptions import LabstreamError, LeaseConflict, LeaseStoreError
from .lease import Lease, LeaseKey, Need
from .lease_store.base import LeaseStore

# A lease that another run wrote, and that is not good enough for this one, is written over at most so often.
OVERWRITES = 3


class Failure(NamedTuple):
    """Why a seat got no URL: one word for programs, one sentence for people."""

    code: str
    message: str


@dataclass(frozen=True)
class Outcome:
    """What became of one seat.

    ``lease`` is the lease whose URL the seat has; None if it failed, or would be issued but for check mode.
    ``held`` is the lease that the store held before. ``issued`` says that the URL is (or would be) a new one of this
    run.
    """

    key: LeaseKey
    held: Lease | None
    lease: Lease | None = None
    issued: bool = False
    failure: Failure | None = None


@dataclass(frozen=True)
class Issuer:
    """How one run gives seats their URLs.

    ``issue(key)`` calls the service for one new URL and returns its lease; it runs in worker threads and raises
    LabstreamError. ``now()`` is the service's time. A lease issued before ``not_before`` belongs to something that was
    deleted since. ``force`` issues even where a lease is current.
    """

    store: LeaseStore
    issue: Callable[[LeaseKey], Lease]
    now: Callable[[], datetime]
    need: Need
    not_before: datetime
    concurrency: int
    force: bool = False

    def hand_out(self, keys: Sequence[LeaseKey], held: Mapping[LeaseKey, Lease], check_mode: bool) -> list[Outcome]:
        """Give every key a URL: a current lease's, else a new one.

        A key whose URL cannot be issued or remembered has a failure in its outcome; the others go on.

        Args:
            keys: Whom to serve, each once; all of one scope.
            held: The leases that were read from the store.
            check_mode: Predict only: neither issue nor remember.

        Returns:
            An outcome for each key, in the order of the keys.
        """
        now = self.now()
        outcomes: dict[LeaseKey, Outcome] = {}
        for key in keys:
            lease = held.get(key)
            if lease is not None and self._is_current(lease, now):
                outcomes[key] = Outcome(key, lease, lease)
            elif check_mode:
                outcomes[key] = Outcome(key, lease, issued=True)
        missing = [key for key in keys if key not in outcomes]
        outcomes.update((outcome.key, outcome) for outcome in self._issue_all(missing, held))
        return [outcomes[key] for key in keys]

    def _is_current(self, lease: Lease, now: datetime) -> bool:
        return not self.force and lease.issued >= self.not_before and self.need.is_met_by(lease, now)

    def _issue_all(self, keys: Sequence[LeaseKey], held: Mapping[LeaseKey, Lease]) -> Iterator[Outcome]:
        waiting = deque(Outcome(key, held.get(key)) for key in keys)
        calls: dict[Future[Lease], Outcome] = {}
        broken: LeaseStoreError | None = None
        executor = ThreadPoolExecutor(max_workers=self.concurrency)
        try:
            while calls or (waiting and broken is None):
                # Enough to keep all workers busy, but no more: should the store hang or fail, few URLs are lost.
                while waiting and broken is None and len(calls) < 2 * self.concurrency:
                    outcome = waiting.popleft()
                    calls[executor.submit(self.issue, outcome.key)] = outcome
                wait(calls, return_when=FIRST_COMPLETED)
                done = {call: calls.pop(call) for call in list(calls) if call.done()}
                try:
                    # What came back at the same time is written at the same time: a disk takes long for each write.
                    with self.store.batch(self.now()) if broken is None else nullcontext():
                        outcomes = [self._settle(call, outcome, broken) for call, outcome in done.items()]
                except LeaseStoreError as e:
                    broken = e
                    outcomes = [_failed(outcome, e) for outcome in done.values()]
                    waiting.extend([calls.pop(call) for call in list(calls) if call.cancel()])
                yield from outcomes
        finally:
            executor.shutdown(wait=True, cancel_futures=True)
        for outcome in waiting:
            yield _given_up(outcome, broken)

    def _settle(self, call: Future[Lease], outcome: Outcome, broken: LeaseStoreError | None) -> Outcome:
        """What became of a call that has come back."""
        try:
            lease = call.result()
            return self._remember(outcome, lease) if broken is None else _given_up(outcome, broken)
        except LeaseStoreError:
            raise
        except LabstreamError as e:
            return _failed(outcome, e)

    def _remember(self, outcome: Outcome, lease: Lease) -> Outcome:
        """Write the new lease, unless another run has meanwhile written one that will do.

        So concurrent runs hand every learner the same URL, and no run returns a URL good for less than it asked.
        """
        expected = outcome.held.lease_id if outcome.held else None
        for _attempt in range(1 + OVERWRITES):
            winner = self.store.compare_and_set(lease, expected=expected, now=self.now())
            if winner.lease_id == lease.lease_id:
                return Outcome(outcome.key, outcome.held, lease, issued=True)
            if self._is_current(winner, self.now()):
                return Outcome(outcome.key, outcome.held, winner)
            expected = winner.lease_id
        raise LeaseConflict(
            f"Other runs kept replacing the lease of seat {lease.key.seat!r} while its new URL was to be remembered: "
            "let one run at a time renew this lab with other options, and run again."
        )


def _given_up(outcome: Outcome, broken: LeaseStoreError | None) -> Outcome:
    return _failed(outcome, LeaseStoreError(f"Given up, since the lease store failed: {broken}"))


def _failed(outcome: Outcome, error: LabstreamError) -> Outcome:
    return Outcome(outcome.key, outcome.held, failure=Failure(error.code, str(error)))


def forget(store: LeaseStore, leases: Sequence[Lease], *, now: datetime, purge: bool, check_mode: bool) -> list[Lease]:
    """Forget these leases, or with ``purge`` remove their records.

    Returns:
        The leases that were (or in check mode would be) touched; with their URLs, as they were before.
    """
    touched = [lease for lease in leases if purge or lease.forgotten is None]
    if touched and not check_mode:
        store.forget([lease.key for lease in touched], now=now, purge=purge)
    return touched
