# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Run the steps of many leases concurrently.

The steps of one lease are a generator: it yields the next step, is sent the result of the step, and returns an Outcome.
Worker threads only call the service; the main thread alone uses the store, and writes each lease as soon as the call
that it stems from has returned. Knows neither AWS nor Ansible nor any service.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from .._errors import LabstreamError, LeaseStoreError, RunCanceled
from .._failures import Failure
from .._network_time import NetworkTime
from .lease import Lease, LeaseKey
from .stores.base import LeaseStore, Replace, Write

# Seconds between polling cycles: short at first, since most of what is polled for takes no longer.
MIN_DELAY = 0.25
MAX_DELAY = 5.0
DELAY_GROWTH = 1.5


class Call(NamedTuple):
    """Call the service. What the function returns is sent back; what it raises is thrown."""

    function: Callable[[], Any]


class Poll(NamedTuple):
    """Call the service in the next polling cycle, together with all others, but by ``deadline`` (monotonic) at latest.

    So waiting takes no place among the calls in flight. A cycle begins once no other call is in flight.
    """

    function: Callable[[], Any]
    deadline: float


@dataclass(frozen=True)
class Outcome:
    """The outcome for one key.

    Attributes:
        key: The key.
        existing: The lease that the store had before.
        lease: The lease with the grant; None if it failed, or would be issued but for check mode.
        issued: Whether this run issued (or would issue) a new one, also if it failed after that.
        failure: Why it failed.
        resource: The last description of the resource by the service, if the grant is one.
        recovered: Whether the store had lost the lease, and the service still has its resource.
        reason: Why the resource of the existing lease was not reused, if the service says that it is not as asked.
    """

    key: LeaseKey
    existing: Lease | None
    lease: Lease | None = None
    issued: bool = False
    failure: Failure | None = None
    resource: Any = None
    recovered: bool = False
    reason: str | None = None

    def failed(self, error: Exception) -> Outcome:
        """Return this outcome as it is after that error."""
        return replace(self, lease=None, failure=Failure.from_error(error))


# What is yielded is a Call, a Poll, or a change of the store, which is a Write or a Replace. After a change, what is
# sent back is the lease that the store then has, if any.
Steps = Generator[Any, Any, Outcome]


def never() -> bool:
    """Return that the run was not canceled."""
    return False


def run_concurrently(
    steps: Mapping[LeaseKey, Steps],
    existing: Mapping[LeaseKey, Lease],
    *,
    store: LeaseStore,
    concurrency: int,
    is_canceled: Callable[[], bool] = never,
) -> dict[LeaseKey, Outcome]:
    """Run the steps of all keys, with up to ``concurrency`` calls to the service at the same time.

    Steps that raise an exception fail with that, also if it is a bug; the others go on. Once the store has failed, or
    ``is_canceled`` says so between two calls, no more calls to the service are made, and what needed one fails; what
    calls in flight return is still written, if possible.
    """
    executor = ThreadPoolExecutor(max_workers=concurrency)
    try:
        # Enough to keep all workers busy, but no more: should the store hang or fail, few URLs are lost.
        return _Scheduler(
            steps, existing, store, executor, max_in_flight=2 * concurrency, is_canceled=is_canceled
        ).run()
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


class _Scheduler:
    """What every key waits for."""

    def __init__(
        self,
        steps: Mapping[LeaseKey, Steps],
        existing: Mapping[LeaseKey, Lease],
        store: LeaseStore,
        executor: ThreadPoolExecutor,
        *,
        max_in_flight: int,
        is_canceled: Callable[[], bool],
    ) -> None:
        self._steps = steps
        self._existing = existing
        self._store = store
        self._executor = executor
        self._max_in_flight = max_in_flight
        self._is_canceled = is_canceled
        self._network_times = {key: NetworkTime() for key in steps}
        self._outcomes: dict[LeaseKey, Outcome] = {}
        self._to_call: deque[tuple[LeaseKey, Callable[[], Any]]] = deque()
        self._in_flight: dict[Future[Any], LeaseKey] = {}
        self._to_write: list[tuple[LeaseKey, Write[Lease] | Replace[Lease]]] = []
        self._to_poll: list[tuple[LeaseKey, Poll]] = []
        self._delay = MIN_DELAY
        self._cycle_began = time.monotonic()
        # Why no more calls are made.
        self._reason_to_stop: LabstreamError | None = None

    def run(self) -> dict[LeaseKey, Outcome]:
        for key in self._steps:
            self._resume(key)
        while len(self._outcomes) < len(self._steps):
            if self._reason_to_stop is None and self._is_canceled():
                self._reason_to_stop = RunCanceled(
                    "Canceled because the run of Ansible was killed: run again, which reuses what was issued."
                )
                self._cancel()
            elif self._to_write and not self._can_gather():
                self._write()
            elif self._reason_to_stop and (self._to_call or self._to_poll):
                self._cancel()
            elif self._to_call or self._in_flight:
                self._call()
            else:
                self._poll_when_due()
        return self._outcomes

    def _resume(self, key: LeaseKey, result: Any = None, error: Exception | None = None) -> None:
        """Send the result of the last step, and queue the next one."""
        steps = self._steps[key]
        try:
            step = steps.send(result) if error is None else steps.throw(error)
        except StopIteration as e:
            self._outcomes[key] = e.value
        except Exception as e:
            self._outcomes[key] = Outcome(key, self._existing.get(key)).failed(e)
        else:
            if isinstance(step, (Write, Replace)):
                self._to_write.append((key, step))
            elif isinstance(step, Poll):
                self._to_poll.append((key, step))
            else:
                self._to_call.append((key, step.function))

    def _can_gather(self) -> bool:
        """Return whether what is to be written can wait for more: with its token, a resource is found again."""
        is_known = all(isinstance(change, Replace) for _key, change in self._to_write)
        return is_known and bool(self._in_flight or self._to_call) and len(self._to_write) < self._max_in_flight // 2

    def _write(self) -> None:
        """Write together what was returned together: a store takes long for each write."""
        changes, self._to_write = self._to_write, []
        results = self._try_to_write([change for _key, change in changes])
        for (key, _change), result in zip(changes, results, strict=True):
            if isinstance(result, LeaseStoreError):
                self._reason_to_stop = LeaseStoreError(f"Canceled because the lease store failed: {result}")
            if isinstance(result, Exception):
                self._resume(key, error=result)
            else:
                self._resume(key, result)
        if self._reason_to_stop:
            self._cancel()

    def _try_to_write(self, changes: Sequence[Write[Lease] | Replace[Lease]]) -> Sequence[Lease | Exception | None]:
        """Return what the store returned. If it raised a bug, each is written alone: the others have nothing of it."""
        try:
            return self._store.write(changes)
        except Exception as e:
            if len(changes) == 1:
                return [e]
        return [self._try_to_write([change])[0] for change in changes]

    def _call(self) -> None:
        # With what waits to be written, which would be lost too. That is less than half, so all workers stay busy.
        while self._to_call and len(self._in_flight) + len(self._to_write) < self._max_in_flight:
            key, function = self._to_call.popleft()
            self._in_flight[self._executor.submit(self._network_times[key].run, function)] = key
        done, _others = wait(self._in_flight, return_when=FIRST_COMPLETED)
        for call in done:
            key, error = self._in_flight.pop(call), call.exception()
            # SystemExit, say, must end no more than this key.
            bug = error if error is None or isinstance(error, Exception) else RuntimeError(type(error).__name__)
            self._resume(key, None if error else call.result(), bug)

    def _poll_when_due(self) -> None:
        """Wait for the next cycle, counted from the beginning of the last one, and call for all who poll.

        Those whose deadline is earlier are called alone then, or a lab whose creation took long would at its end be
        polled again at every deadline.
        """
        cycle_due = self._cycle_began + self._delay
        due = min(cycle_due, *(poll.deadline for _key, poll in self._to_poll))
        time.sleep(max(0.0, due - time.monotonic()))
        now = max(due, time.monotonic())
        waiting, self._to_poll = self._to_poll, []
        if now >= cycle_due:
            self._delay = min(self._delay * DELAY_GROWTH, MAX_DELAY)
            self._cycle_began = now
        for key, poll in waiting:
            if now >= min(cycle_due, poll.deadline):
                self._to_call.append((key, poll.function))
            else:
                self._to_poll.append((key, poll))

    def _cancel(self) -> None:
        """Make no more calls."""
        keys = [key for key, _function in self._to_call] + [key for key, _poll in self._to_poll]
        keys += [self._in_flight.pop(call) for call in list(self._in_flight) if call.cancel()]
        self._to_call.clear()
        self._to_poll.clear()
        for key in keys:
            self._resume(key, error=self._reason_to_stop)
