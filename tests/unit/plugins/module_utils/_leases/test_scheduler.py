# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How steps run concurrently. What they are for is in test_url_issuer and test_resource_issuer."""

from __future__ import annotations

import math
import threading
from functools import partial

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import LeaseStoreError, NotReady
from ansible_collections.labstream.aws.plugins.module_utils._failures import Failure
from ansible_collections.labstream.aws.plugins.module_utils._leases import scheduler
from ansible_collections.labstream.aws.plugins.module_utils._leases.scheduler import (
    MAX_DELAY,
    MIN_DELAY,
    Call,
    Outcome,
    Poll,
    Replace,
    Write,
    run_concurrently,
)

from tests.unit.plugins.module_utils._leases.fake_studio import Clock
from tests.unit.plugins.module_utils.support import (
    MemoryStore,
    build_key,
    lease_of,
    pending_lease_of,
    resource_lease_of,
)

ANNA, BEN, CLEO = build_key("anna"), build_key("ben"), build_key("cleo")


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(scheduler, "time", clock)
    return clock


def take(all_steps, *, existing=None, store=None, concurrency=2):
    """The outcomes when these steps are taken, which are given by key."""
    return run_concurrently(all_steps, existing or {}, store=store or MemoryStore(), concurrency=concurrency)


class Polls:
    """The steps of holders that only poll, and when they did."""

    def __init__(self, clock):
        self.clock, self.seen, self.takes = clock, {}, 0.0

    def of(self, key, times, deadline=math.inf):
        def poll():
            self.seen.setdefault(key, []).append(self.clock.passed)
            self.clock.passed += self.takes

        for _time in range(times):
            yield Poll(poll, deadline)
        return Outcome(key, None)


# What is sent back.


def test_what_a_call_returns_is_sent_and_what_it_raises_is_thrown():
    received = []

    def seat():
        received.append((yield Call(lambda: "a reply")))
        try:
            yield Call(reject)
        except NotReady as e:
            received.append(str(e))
        received.append((yield Poll(lambda: "what is seen", 0)))
        return Outcome(ANNA, None)

    def reject():
        raise NotReady("Not now.")

    assert take({ANNA: seat()}) == {ANNA: Outcome(ANNA, None)}
    assert received == ["a reply", "Not now.", "what is seen"]


def test_after_a_write_what_is_stored_is_sent():
    mine, theirs, other = lease_of(ANNA), lease_of(BEN), lease_of(BEN)
    store = MemoryStore()
    store.leases[BEN] = theirs
    pending = pending_lease_of(CLEO)
    stream = resource_lease_of(CLEO)
    received = []

    def seat():
        received.append((yield Write(mine, None)))
        received.append((yield Write(other, None)))
        received.append((yield Write(other, theirs.lease_id)))
        received.append((yield Replace(stream, pending.lease_id)))
        store.leases[CLEO] = pending
        received.append((yield Replace(stream, "another")))
        received.append((yield Replace(stream, pending.lease_id)))
        return Outcome(ANNA, None)

    take({ANNA: seat()}, store=store)
    assert received == [mine, theirs, other, None, pending, stream]
    assert store.leases == {ANNA: mine, BEN: other, CLEO: stream}


def test_steps_that_raise_an_error_of_ours_fail_and_the_others_go_on():
    def fails():
        yield Call(lambda: None)
        raise NotReady("Not now.")

    def fails_at_once():
        yield from ()
        raise NotReady("Never.")

    def goes_on():
        yield Call(lambda: None)
        return Outcome(CLEO, None, issued=True)

    existing = lease_of(ANNA)
    assert take({ANNA: fails(), BEN: fails_at_once(), CLEO: goes_on()}, existing={ANNA: existing}) == {
        ANNA: Outcome(ANNA, existing, failure=Failure("NotReady", "Not now.")),
        BEN: Outcome(BEN, None, failure=Failure("NotReady", "Never.")),
        CLEO: Outcome(CLEO, None, issued=True),
    }


@pytest.mark.parametrize("error", [KeyError("x"), OSError("x"), RecursionError("x"), SystemExit(1), MemoryError()])
@pytest.mark.parametrize("place", ["in a worker", "in a poll", "in the steps"])
def test_whatever_is_raised_ends_that_key_only(error, place):
    def fail():
        raise error

    def fails():
        yield from ()
        if place != "in the steps":
            yield Call(fail) if place == "in a worker" else Poll(fail, 0)
        elif isinstance(error, Exception):
            fail()
        raise KeyError

    def goes_on():
        yield Call(lambda: None)
        yield Write(lease_of(BEN), None)
        return Outcome(BEN, None, issued=True)

    store = MemoryStore()
    outcomes = take({ANNA: fails(), BEN: goes_on()}, store=store)
    assert outcomes[ANNA].failure.code == "InternalError"
    assert outcomes[BEN] == Outcome(BEN, None, issued=True)
    assert store.leases.keys() == {BEN}


def test_what_comes_back_together_is_written_together():
    batches = []

    class Batching(MemoryStore):
        def write(self, changes):
            batches.append([change.record.key for change in changes])
            return super().write(changes)

    def seat(key):
        yield Write(lease_of(key), None)
        return Outcome(key, None)

    take({key: seat(key) for key in (ANNA, BEN, CLEO)}, store=Batching())
    assert batches == [[ANNA, BEN, CLEO]]


# A store that fails.

CANCELED = ("LeaseStoreError", "Canceled because the lease store failed: The disk is full.")
FULL = ("LeaseStoreError", "The disk is full.")


class FailingStore(MemoryStore):
    """A store whose writes fail, so many times; of these keys only, if some are given."""

    def __init__(self, times, keys=None):
        super().__init__()
        self.times, self.keys = times, keys

    def write(self, changes):
        existing = []
        self.times -= 1
        for change in changes:
            if self.times >= 0 and (self.keys is None or change.record.key in self.keys):
                existing.append(LeaseStoreError("The disk is full."))
            else:
                existing += super().write([change])
        return existing


class Lab:
    """Seats each of which calls the service for a lease, has it remembered if so asked, and then takes a further step.

    ANNA's lease is to be remembered once the next two calls are under way, which last until somebody is given up.
    """

    def __init__(self):
        self.calls, self.begun, self.canceled = [], threading.Semaphore(0), threading.Event()

    def of(self, key, step=None, *, remember=True):
        try:
            lease = yield Call(partial(self._call, key))
            if key == ANNA:
                assert all(self.begun.acquire(timeout=10) for _call in range(2))
            if remember:
                lease = yield Write(lease, None)
            if step:
                yield step
        except LeaseStoreError as e:
            if (e.code, str(e)) == CANCELED:
                self.canceled.set()
            raise
        return Outcome(key, None, lease, issued=True)

    def _call(self, key):
        self.calls.append(key)
        if key != ANNA:
            self.begun.release()
            assert self.canceled.wait(10)
        return lease_of(key)


@pytest.mark.parametrize(
    ("fails", "of_what_was_under_way"),
    [pytest.param(1, None, id="for a moment"), pytest.param(math.inf, FULL, id="for good")],
)
def test_once_the_store_has_failed_no_call_is_started_but_what_was_in_flight_is_still_written(
    fails, of_what_was_under_way
):
    # Given two workers, of a lab for whose next two calls are under way when the first lease cannot be remembered.
    store, seats, keys = FailingStore(fails), Lab(), [ANNA, BEN, CLEO, *map(build_key, ("dan", "eve", "fay"))]

    # When all steps are taken.
    outcomes = take({key: seats.of(key) for key in keys}, store=store, concurrency=2)

    # Then nobody else is called for, whether a worker was to come to it or not.
    assert sorted(seats.calls) == [ANNA, BEN, CLEO]
    assert [outcomes[key].failure for key in keys] == [FULL, *[of_what_was_under_way] * 2, *[CANCELED] * 3]
    # And what the two calls have brought is remembered, if it can be.
    assert store.leases == {key: outcome.lease for key, outcome in outcomes.items() if outcome.lease}
    assert len(store.leases) == (2 if of_what_was_under_way is None else 0)


@pytest.mark.parametrize("remember", [True, False])
def test_what_comes_back_after_the_store_failed_leads_to_no_further_call(clock, remember):
    # Given a lab as above, of whom the next two, whether remembered or not, then would be called for or polled again.
    def never():
        raise AssertionError

    store, seats, dan = FailingStore(1), Lab(), build_key("dan")

    # When all steps are taken.
    outcomes = take(
        {
            ANNA: seats.of(ANNA),
            BEN: seats.of(BEN, Call(never), remember=remember),
            CLEO: seats.of(CLEO, Poll(never, math.inf), remember=remember),
            dan: seats.of(dan),
        },
        store=store,
        concurrency=2,
    )

    # Then the two fail, without a pause; what was to be remembered is.
    assert set(store.leases) == ({BEN, CLEO} if remember else set())
    assert [outcomes[key].failure for key in (ANNA, BEN, CLEO, dan)] == [FULL, CANCELED, CANCELED, CANCELED]
    assert clock.slept == []


def test_a_write_that_fails_for_one_key_fails_that_key_and_who_still_needs_the_service():
    """As in a store that takes each change by itself."""
    # Given a store that fails for BEN only, and seats whose writes come together; the others' next steps differ.
    store, dan = FailingStore(1, [BEN]), build_key("dan")
    leases = {key: lease_of(key) for key in (ANNA, BEN, CLEO, dan)}
    better = lease_of(CLEO)

    def seat(key, *then):
        for step in (Write(leases[key], None), *then):
            existing = yield step
        return Outcome(key, None, existing, issued=True)

    # When all steps are taken.
    outcomes = take(
        {
            ANNA: seat(ANNA),
            BEN: seat(BEN),
            CLEO: seat(CLEO, Write(better, leases[CLEO].lease_id)),
            dan: seat(dan, Call(list)),
        },
        store=store,
    )

    # Then what the others have written counts, and who needs no more than the store goes on.
    assert outcomes == {
        ANNA: Outcome(ANNA, None, leases[ANNA], issued=True),
        BEN: Outcome(BEN, None, failure=Failure(*FULL)),
        CLEO: Outcome(CLEO, None, better, issued=True),
        dan: Outcome(dan, None, failure=Failure(*CANCELED)),
    }
    assert store.leases == {ANNA: leases[ANNA], CLEO: better, dan: leases[dan]}


def test_when_the_store_fails_all_steps_get_the_error_and_may_return_what_they_know():
    def knows(key, step):
        try:
            yield step
        except LeaseStoreError as e:
            return Outcome(key, None, lease_of(key, lease_id="known")).failed(e)
        raise AssertionError

    def knows_nothing(key):
        yield Poll(lambda: None, math.inf)
        raise AssertionError

    existing = lease_of(CLEO)
    outcomes = take(
        {ANNA: knows(ANNA, Write(lease_of(ANNA), None)), BEN: knows(BEN, Call(list)), CLEO: knows_nothing(CLEO)},
        store=FailingStore(math.inf),
        existing={CLEO: existing},
    )
    assert {key: outcome.failure for key, outcome in outcomes.items()} == {
        ANNA: FULL,
        BEN: CANCELED,
        CLEO: CANCELED,
    }
    assert outcomes[CLEO].existing == existing


# Polling cycles.


def test_delays_grow_from_the_first_to_the_longest(clock):
    polls = Polls(clock)
    take({ANNA: polls.of(ANNA, 12)})
    assert clock.slept == pytest.approx(
        [0.25, 0.375, 0.5625, 0.84375, 1.265625, 1.8984375, 2.84765625, 4.271484375] + [5.0] * 4
    )
    assert (MIN_DELAY, MAX_DELAY) == (0.25, 5.0)
    assert len(polls.seen[ANNA]) == 12


def test_all_who_poll_are_called_in_the_same_cycle(clock):
    polls = Polls(clock)
    take({key: polls.of(key, 5) for key in (ANNA, BEN, CLEO)}, concurrency=1)
    assert polls.seen[ANNA] == polls.seen[BEN] == polls.seen[CLEO]
    assert len(clock.slept) == 5


def test_a_pause_is_counted_from_the_begin_of_the_last_cycle(clock):
    """A lab whose polls take longer than the delay polls without any."""
    polls = Polls(clock)
    polls.takes = 0.3
    take({ANNA: polls.of(ANNA, 5)})
    assert polls.seen[ANNA] == pytest.approx([0.25, 0.625, 1.1875, 2.03125, 3.296875])
    assert clock.slept == pytest.approx([0.25, 0.075, 0.2625, 0.54375, 0.965625])
    clock.slept.clear()
    polls.takes = 10.0
    take({BEN: polls.of(BEN, 4)})
    assert clock.slept == pytest.approx([0.25, 0.0, 0.0, 0.0])


def test_the_first_pause_is_counted_from_the_begin_of_all(clock):
    polls = Polls(clock)

    def creates():
        yield Call(lambda: clock.sleep(3.0))
        return (yield from polls.of(ANNA, 1))

    take({ANNA: creates()})
    assert polls.seen[ANNA] == [3.0]


def test_all_calls_are_done_before_anybody_polls(clock):
    polls, calls = Polls(clock), []

    def calls_often():
        for _call in range(5):
            yield Call(lambda: calls.append(ANNA in polls.seen))
        return Outcome(BEN, None)

    take({ANNA: polls.of(ANNA, 1), BEN: calls_often()})
    assert calls == [False] * 5
    assert polls.seen[ANNA] == [0.25]


@pytest.mark.parametrize(
    ("deadline", "seen"),
    [
        pytest.param(0.1, [0.1] * 3, id="before the first round"),
        pytest.param(0.25, [0.25] * 3, id="at the first round"),
        pytest.param(0.5, [0.25, 0.5, 0.5], id="before the second"),
        pytest.param(1.0, [0.25, 0.625, 1.0], id="before the third"),
        pytest.param(-1.0, [0.0] * 3, id="long past"),
    ],
)
def test_a_deadline_shortens_the_pause(clock, deadline, seen):
    polls = Polls(clock)
    take({ANNA: polls.of(ANNA, 3, deadline)})
    assert polls.seen[ANNA] == pytest.approx(seen)
    assert min(clock.slept) >= 0


def test_a_deadline_is_no_concern_of_the_others(clock):
    polls = Polls(clock)
    take({ANNA: polls.of(ANNA, 3, 1.0), BEN: polls.of(BEN, 4)})
    assert polls.seen[ANNA] == pytest.approx([0.25, 0.625, 1.0])
    assert polls.seen[BEN] == pytest.approx([0.25, 0.625, 1.1875, 2.03125])


def test_many_deadlines_cost_each_key_one_call_more(clock):
    """As they are when a lab took long to create: each has its own, and all would be polled at each of them."""
    polls = Polls(clock)

    def until(key, deadline):
        while clock.passed < deadline:
            yield from polls.of(key, 1, deadline)
        return Outcome(key, None)

    keys = [build_key(f"session-{number}") for number in range(100)]
    take({key: until(key, 10.0 + number / 50) for number, key in enumerate(keys)})
    rounds = {when for seen in polls.seen.values() for when in seen if when < 10.0}
    for number, key in enumerate(keys):
        assert polls.seen[key][-1] == pytest.approx(10.0 + number / 50)
        assert len(polls.seen[key]) <= len(rounds) + 2


# When the run is canceled.

KILLED = Failure(
    "RunCanceled", "Canceled because the run of Ansible was killed: run again, which reuses what was issued."
)


def test_a_canceled_run_makes_no_more_calls_and_stores_what_is_in_flight():
    # Given ten holders and two workers, and a run that is canceled while the first two calls are in flight.
    keys = [build_key(f"learner-{number}") for number in range(10)]
    leases = {key: lease_of(key) for key in keys}
    in_flight, canceled, issued = threading.Barrier(2), threading.Event(), []
    store = MemoryStore()

    def issue(key):
        issued.append(key)
        if key in keys[:2]:
            in_flight.wait(timeout=10)
            canceled.set()
        return leases[key]

    def steps(key):
        lease = yield Call(partial(issue, key))
        stored = yield Write(lease, None)
        return Outcome(key, None, stored, issued=True)

    outcomes = run_concurrently(
        {key: steps(key) for key in keys}, {}, store=store, concurrency=2, is_canceled=canceled.is_set
    )

    # Then their URLs are stored, and nobody else got one but who was next to those workers.
    assert set(keys[:2]) <= set(issued) <= set(keys[:4])
    assert store.leases == {key: leases[key] for key in issued}
    assert [outcomes[key].failure for key in keys] == [None if key in issued else KILLED for key in keys]


def test_a_canceled_run_does_not_go_on_polling(clock):
    seen = []
    polls = Polls(clock)

    def is_canceled():
        seen.append(clock.passed)
        return len(polls.seen.get(ANNA, [])) == 3

    outcomes = run_concurrently(
        {ANNA: polls.of(ANNA, 100)}, {}, store=MemoryStore(), concurrency=2, is_canceled=is_canceled
    )

    assert len(polls.seen[ANNA]) == 3
    assert outcomes[ANNA].failure == KILLED


def test_a_run_that_is_canceled_when_only_writes_are_left_is_complete():
    lease = lease_of(ANNA)
    called = []

    def steps():
        stored = yield Write((yield Call(lambda: called.append(True) or lease)), None)
        return Outcome(ANNA, None, stored)

    outcomes = run_concurrently(
        {ANNA: steps()}, {}, store=MemoryStore(), concurrency=2, is_canceled=lambda: bool(called)
    )

    assert outcomes == {ANNA: Outcome(ANNA, None, lease)}
