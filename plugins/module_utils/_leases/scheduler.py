# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps by which a seat gets its URL, and how those of a whole class are taken side by side.

The steps of one seat are a generator: it yields what to do next, is sent what came of it, and returns an Outcome.
Worker threads only call the service; the main thread alone uses the store, and writes each lease as soon as the call
that it stems from is back. Knows neither AWS nor Ansible.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from .._errors import LabstreamError, LeaseStoreError
from .._nimble.states import Stream
from .lease import Lease, LeaseKey
from .stores.base import LeaseStore, Replace, Write

# Seconds between rounds of looks: short at first, since most of what is waited for takes no longer.
MIN_DELAY = 0.25
MAX_DELAY = 5.0
DELAY_GROWTH = 1.5


class Call(NamedTuple):
    """Call the service. Sent back is what the function returns; what it raises is thrown."""

    function: Callable[[], Any]


class Poll(NamedTuple):
    """Call the service after a pause, together with all others who look, but at ``deadline`` (monotonic) at the latest.

    So waiting holds no place among the calls under way. A round begins once no other call is under way.
    """

    function: Callable[[], Any]
    deadline: float


class Failure(NamedTuple):
    """Why a seat got no URL: one word for programs, one sentence for people."""

    code: str
    message: str


@dataclass(frozen=True)
class Outcome:
    """What became of one seat.

    ``lease`` is the lease whose URL the seat has; None if it failed, or would be issued but for check mode.
    ``held`` is the lease that the store held before. ``issued`` says that this run issued (or would issue) a new one,
    also if the seat failed after that. ``stream`` is the service's last word on the seat's stream, if it has one.
    """

    key: LeaseKey
    existing: Lease | None
    lease: Lease | None = None
    issued: bool = False
    failure: Failure | None = None
    stream: Stream | None = None

    def failed(self, error: LabstreamError) -> Outcome:
        """This outcome, had the seat failed for that reason."""
        return replace(self, lease=None, failure=Failure(error.code, str(error)))


# What is yielded is a Call, a Look, or a change of the store, which is a Write or a Replace. After a change, what is
# sent back is the lease that the store then holds, if any.
Steps = Generator[Any, Any, Outcome]


def run_concurrently(
    steps: Mapping[LeaseKey, Steps],
    existing: Mapping[LeaseKey, Lease],
    *,
    store: LeaseStore,
    now: Callable[[], datetime],
    concurrency: int,
) -> dict[LeaseKey, Outcome]:
    """Take all steps of all seats, with so many calls to the service at once.

    A seat whose steps raise LabstreamError has that as its failure; the others go on. Once the store has failed, the
    service is not called any more, and what needed that fails; what calls under way bring is still written, if it can.
    """
    executor = ThreadPoolExecutor(max_workers=concurrency)
    try:
        return _Scheduler(steps, existing, store, now, executor, concurrency).to_the_end()
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


class _Scheduler:
    """Where every seat stands."""

    def __init__(
        self,
        steps: Mapping[LeaseKey, Steps],
        existing: Mapping[LeaseKey, Lease],
        store: LeaseStore,
        now: Callable[[], datetime],
        executor: ThreadPoolExecutor,
        concurrency: int,
    ) -> None:
        self._steps = steps
        self._held = existing
        self._store = store
        self._now = now
        self._executor = executor
        # Enough to keep all workers busy, but no more: should the store hang or fail, few URLs are lost.
        self._max_in_flight = 2 * concurrency
        self._outcomes: dict[LeaseKey, Outcome] = {}
        self._to_call: deque[tuple[LeaseKey, Callable[[], Any]]] = deque()
        self._in_flight: dict[Future[Any], LeaseKey] = {}
        self._to_write: list[tuple[LeaseKey, Write | Replace]] = []
        self._to_poll: list[tuple[LeaseKey, Poll]] = []
        self._pause = MIN_DELAY
        self._round_began = time.monotonic()
        self._given_up: LeaseStoreError | None = None

    def to_the_end(self) -> dict[LeaseKey, Outcome]:
        for key in self._steps:
            self._resume(key)
        while len(self._outcomes) < len(self._steps):
            if self._to_write:
                self._write()
            elif self._given_up and (self._to_call or self._to_poll):
                self._refuse(self._given_up)
            elif self._to_call or self._in_flight:
                self._call()
            else:
                self._poll_when_due()
        return self._outcomes

    def _resume(self, key: LeaseKey, reply: Any = None, error: BaseException | None = None) -> None:
        """Tell the seat what came of its last step, and note its next."""
        steps = self._steps[key]
        try:
            step = steps.send(reply) if error is None else steps.throw(error)
        except StopIteration as e:
            self._outcomes[key] = e.value
        except LabstreamError as e:
            self._outcomes[key] = Outcome(key, self._held.get(key)).failed(e)
        else:
            if isinstance(step, (Write, Replace)):
                self._to_write.append((key, step))
            elif isinstance(step, Poll):
                self._to_poll.append((key, step))
            else:
                self._to_call.append((key, step.function))

    def _write(self) -> None:
        """What came back at the same time is written at the same time: a store takes long for each write."""
        changes, self._to_write = self._to_write, []
        existing = self._store.write([change for _key, change in changes], now=self._now())
        for (key, _change), lease in zip(changes, existing, strict=True):
            if isinstance(lease, LeaseStoreError):
                self._given_up = LeaseStoreError(f"Given up, since the lease store failed: {lease}")
                self._resume(key, error=lease)
            else:
                self._resume(key, lease)
        if self._given_up:
            self._refuse(self._given_up)

    def _call(self) -> None:
        while self._to_call and len(self._in_flight) < self._max_in_flight:
            key, function = self._to_call.popleft()
            self._in_flight[self._executor.submit(function)] = key
        done, _others = wait(self._in_flight, return_when=FIRST_COMPLETED)
        for call in done:
            key, error = self._in_flight.pop(call), call.exception()
            self._resume(key, None if error else call.result(), error)

    def _poll_when_due(self) -> None:
        """Pause, counted from the last round's begin, and let all look who wait to; those whose deadline comes first
        look alone then, or a class whose creation took long would at its end look anew at every deadline.
        """
        round_due = self._round_began + self._pause
        due = min(round_due, *(look.deadline for _key, look in self._to_poll))
        time.sleep(max(0.0, due - time.monotonic()))
        now = max(due, time.monotonic())
        waiting, self._to_poll = self._to_poll, []
        if now >= round_due:
            self._pause = min(self._pause * DELAY_GROWTH, MAX_DELAY)
            self._round_began = now
        for key, look in waiting:
            if now >= min(round_due, look.deadline):
                self._to_call.append((key, look.function))
            else:
                self._to_poll.append((key, look))

    def _refuse(self, error: LeaseStoreError) -> None:
        """Call no more for anybody who wants to: what would come of it could not be remembered."""
        keys = [key for key, _function in self._to_call] + [key for key, _look in self._to_poll]
        keys += [self._in_flight.pop(call) for call in list(self._in_flight) if call.cancel()]
        self._to_call.clear()
        self._to_poll.clear()
        for key in keys:
            self._resume(key, error=error)
