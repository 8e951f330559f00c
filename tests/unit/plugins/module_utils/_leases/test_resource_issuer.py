# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every run does for a session. How runs go together in any order, see test_resource_issuer_model."""

from __future__ import annotations

import collections
import dataclasses
import os
import random
import signal
import time

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import LeaseStoreError
from ansible_collections.labstream.aws.plugins.module_utils._leases import resource_issuer, scheduler
from ansible_collections.labstream.aws.plugins.module_utils._leases.resource_issuer import MAX_ATTEMPTS, ResourceIssuer
from ansible_collections.labstream.aws.plugins.module_utils._leases.reuse import ReusePolicy
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores import sqlite
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.base import NoLeaseStore, Replace
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.sqlite import SQLiteLeaseStore
from ansible_collections.labstream.aws.plugins.module_utils._nimble.states import CREATE_IN_PROGRESS, READY, Stream

from tests.unit.plugins.module_utils._leases.fake_studio import NEVER, SECRET, Clock, Rejected, Studio, StudioCalls
from tests.unit.plugins.module_utils.support import (
    NOW,
    SCOPE,
    ClosedStore,
    MemoryStore,
    after,
    build_key,
    compare_and_set,
    lease_of,
    pending_lease_of,
    resource_lease_of,
    start_child,
)

ANNA = build_key("session-anna")
LAB = [build_key(f"session-{number:02}") for number in range(40)]

AGAIN = "run again to create another one; if that fails too, check 'session-anna'."
CONFLICT = (
    "LeaseConflict",
    "Other runs kept replacing the lease of 'session-anna' while this one tried to store its own: let one run at a "
    "time renew this lab with other options, then run again.",
)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """The time of the service, and that which waiting goes by."""
    clock = Clock()
    monkeypatch.setattr(resource_issuer, "time", clock)
    monkeypatch.setattr(scheduler, "time", clock)
    return clock


@pytest.fixture
def studio(clock):
    """A service with streams that are READY at once."""
    return Studio(clock)


@pytest.fixture
def store(clock):
    """An empty store."""
    return MemoryStore(clock.now)


@pytest.fixture(params=["memory", "sqlite"])
def any_store(request, tmp_path, clock):
    """An empty store of each kind."""
    if request.param == "memory":
        store = MemoryStore(clock.now)
    else:
        store = SQLiteLeaseStore(str(tmp_path / "leases"), now=clock.now, create=True)
    yield store
    store.close()


def issuer_of(store, service, *, validity=3600, min_remaining=360, **options):
    policy = ReusePolicy(3600, validity=validity, min_remaining=min_remaining)
    known = dict(service=service, policy=policy, concurrency=4)
    return ResourceIssuer(store=store, **{**known, **options})


def run(store, studio, keys=LAB, *, check_mode=False, validity=3600, existing=None, **options):
    """What one run of the module does: read, then hand out."""
    issuer = issuer_of(store, StudioCalls(studio, validity), validity=validity, now=studio.clock.now, **options)
    existing = store.read(keys) if existing is None else existing
    return issuer.run(keys, existing, check_mode)


def run_one(store, studio, **options):
    """The outcome of a run for one session."""
    [outcome] = run(store, studio, [ANNA], **options)
    return outcome


def streams_of(outcomes):
    return [outcome.lease and outcome.lease.resource_id for outcome in outcomes]


def absent(store, keys=(ANNA,), *, purge=False):
    """What a run with state=absent does."""
    leases = store.read(keys).values()
    if purge:
        store.purge(leases)
    else:
        store.release([lease for lease in leases if lease.released_at is None])


def put(store, lease):
    """Let the store hold this lease."""
    assert compare_and_set(store, lease) == lease


# A lab.


def test_a_new_lab_gets_a_stream_each_in_the_order_asked(any_store, studio):
    # Given an empty store, when streams are handed out to sessions in an order of their own.
    keys = random.Random(1).sample(LAB, len(LAB))
    outcomes = run(any_store, studio, keys)

    # Then each has its own new stream, at its place, with its URL.
    assert [outcome.key for outcome in outcomes] == [outcome.lease.key for outcome in outcomes] == keys
    assert [studio.of_session(key.holder) for key in keys] == [[stream] for stream in streams_of(outcomes)]
    assert all(outcome.issued and outcome.existing is None and outcome.failure is None for outcome in outcomes)
    assert [outcome.resource for outcome in outcomes] == [studio.described(stream) for stream in streams_of(outcomes)]
    assert all(outcome.resource.state == READY and SECRET in outcome.resource.url for outcome in outcomes)

    # And the store holds exactly these, with all that is known of them but no URL.
    existing = any_store.find(SCOPE)
    assert existing == {outcome.key: outcome.lease for outcome in outcomes}
    assert {(lease.url, lease.url_sha256) for lease in existing.values()} == {(None, None)}
    assert {(lease.issued, lease.expires) for lease in existing.values()} == {(NOW, after(3600))}
    assert {(lease.validity, lease.released_at) for lease in existing.values()} == {(3600, None)}
    assert len({lease.client_token for lease in existing.values()}) == len(LAB)
    assert all(len(lease.client_token) == 32 for lease in existing.values())


def test_before_a_stream_is_created_its_token_is_stored(store, studio):
    # Given a service that notes what the store holds when it is called.
    seen = []

    class Noting(StudioCalls):
        def create(self, pending):
            seen.append((pending.client_token, store.leases[pending.key]))
            return super().create(pending)

    # When streams are created.
    issuer_of(store, Noting(studio, 3600), now=studio.clock.now).run(LAB, {}, False)

    # Then a pending lease with the token was there each time.
    assert len(seen) == len(LAB)
    for client_token, pending in seen:
        assert pending.is_pending
        assert (pending.client_token, pending.validity) == (client_token, 3600)
        assert (pending.issued, pending.expires) == (NOW, after(24 * 3600))


def test_a_second_run_reads_all_and_changes_nothing(any_store, studio):
    first = run(any_store, studio)
    studio.asked.clear()

    second = run(any_store, studio)

    assert streams_of(second) == streams_of(first)
    assert not any(outcome.issued for outcome in second)
    assert [outcome.existing for outcome in second] == [outcome.lease for outcome in second]
    assert all(SECRET in outcome.resource.url for outcome in second)
    assert sorted(studio.asked_for("look_up")) == sorted(key.holder for key in LAB)
    assert len(studio.asked) == len(LAB)
    assert any_store.find(SCOPE) == {outcome.key: outcome.lease for outcome in first}


def test_a_second_run_writes_nothing(store, studio):
    run(store, studio)
    store.writes = 0
    run(store, studio)
    assert store.writes == 0


def test_only_what_is_missing_is_created(store, studio):
    # Given a lab that two sessions were added to, and of whose streams one was deleted.
    first = run(store, studio, LAB[:38])
    studio.end(first[7].lease.resource_id, "DELETED", "STREAM_DELETED")

    outcomes = run(store, studio)

    assert [outcome.key for outcome in outcomes if outcome.issued] == [LAB[7], *LAB[38:]]
    assert len(studio.streams) == 41
    assert outcomes[7].existing == first[7].lease


def test_nobody_is_asked_when_nobody_is_to_be_served(store, studio):
    assert run(store, studio, []) == []
    assert (studio.asked, store.writes) == ([], 0)


def test_one_rejected_session_of_forty_costs_the_others_nothing(any_store, studio):
    # Given a service that rejects one holder.
    studio.rejections[LAB[11].holder] = "The session is not READY."

    # When streams are handed out.
    outcomes = run(any_store, studio)

    # Then that one's failure says why, and 39 have streams, which are stored.
    [failed] = [outcome for outcome in outcomes if outcome.failure]
    assert (failed.key, *failed.failure) == (LAB[11], "Refused", "The session is not READY.")
    assert (failed.lease, failed.issued, failed.resource) == (None, False, None)
    assert len(studio.streams) == 39

    # And once the service takes it, only that one is created, with the token that is there.
    studio.rejections.clear()
    pending = any_store.find(SCOPE)[LAB[11]]
    again = run(any_store, studio)
    assert [outcome.key for outcome in again if outcome.issued] == [LAB[11]]
    assert again[11].lease.client_token == pending.client_token
    assert [stream for stream in streams_of(again) if stream != streams_of(again)[11]] == [
        stream for stream in streams_of(outcomes) if stream
    ]


def test_without_a_store_every_run_creates(studio):
    first, second = run(NoLeaseStore(), studio), run(NoLeaseStore(), studio)
    assert all(outcome.issued for outcome in first + second)
    assert len({*streams_of(first), *streams_of(second)}) == 80


# What is reused.


@pytest.mark.parametrize(
    ("passed", "min_remaining", "reused"),
    [
        pytest.param(1, 3599, True, id="all but a second is left, as asked"),
        pytest.param(2, 3599, False, id="all but two seconds are left"),
        pytest.param(3240, 360, True, id="just enough is left"),
        pytest.param(3241, 360, False, id="a second too little is left"),
        pytest.param(3240, None, True, id="a tenth is left"),
        pytest.param(3241, None, False, id="less than a tenth is left"),
        pytest.param(3599, 0, True, id="a second is enough"),
        pytest.param(3600, 0, False, id="it ends now"),
        pytest.param(7200, 0, False, id="it has ended"),
    ],
)
@pytest.mark.parametrize("returns_expiry", [True, False])
def test_a_stream_is_reused_while_enough_time_is_left(any_store, clock, passed, min_remaining, reused, returns_expiry):
    # Given a stream of an hour that was created so long ago; whether the service returns its expiry or not.
    studio = Studio(clock, returns_expiry=returns_expiry)
    first = run_one(any_store, studio, min_remaining=min_remaining)
    clock.passed += passed

    # When it is asked for again.
    second = run_one(any_store, studio, min_remaining=min_remaining)

    # Then it is returned if it is good enough, else a new one is.
    assert second.issued is not reused
    assert (second.lease.resource_id == first.lease.resource_id) is reused
    assert second.existing == first.lease
    assert any_store.find(SCOPE) == {ANNA: second.lease}
    assert second.lease.expires == after(3600 if reused else 3600 + passed)


@pytest.mark.parametrize(("expires", "reused"), [(360, True), (359, False)])
def test_the_service_knows_better_than_the_store_when_a_stream_ends(store, studio, expires, reused):
    """Such as when the session is to be stopped earlier."""

    class Sooner(StudioCalls):
        def look_up(self, key, stream_id):
            return dataclasses.replace(super().look_up(key, stream_id), expires_at=after(expires))

    run_one(store, studio)
    issuer = issuer_of(store, Sooner(studio, 3600), now=studio.clock.now)
    [outcome] = issuer.run([ANNA], store.read([ANNA]), False)
    assert outcome.issued is not reused
    assert len(studio.streams) == (1 if reused else 2)


@pytest.mark.parametrize(("created", "asked"), [(3600, 1800), (1800, 3600), (60, 61)])
def test_a_stream_that_was_created_for_another_time_is_not_reused(store, studio, created, asked):
    first = run_one(store, studio, validity=created, min_remaining=0)
    second = run_one(store, studio, validity=asked, min_remaining=0)
    assert second.issued
    assert second.lease.resource_id != first.lease.resource_id
    assert (second.lease.validity, second.lease.expires) == (asked, after(asked))
    # What is known not to do is not described.
    assert studio.asked_for("look_up") == []


def test_a_stream_that_is_gone_is_replaced(any_store, studio):
    first = run_one(any_store, studio)
    studio.end("stream-1", None)
    second = run_one(any_store, studio)
    assert (first.lease.resource_id, second.lease.resource_id) == ("stream-1", "stream-2")
    assert second.issued
    assert first.lease.client_token != second.lease.client_token


def test_a_lease_of_a_url_is_no_stream(store, studio):
    """It cannot be there, since each service has scopes of its own; and it does no harm."""
    put(store, lease_of(ANNA, url=None))
    assert run_one(store, studio).issued


# Dead streams: every state and status code.

MEANINGS = {
    None: "",
    "STREAM_CREATE_IN_PROGRESS": " (STREAM_CREATE_IN_PROGRESS)",
    "STREAM_READY": " (STREAM_READY)",
    "STREAM_DELETE_IN_PROGRESS": " (STREAM_DELETE_IN_PROGRESS: it is being deleted or has just expired)",
    "STREAM_DELETED": " (STREAM_DELETED: it was deleted or has expired)",
    "INTERNAL_ERROR": " (INTERNAL_ERROR: the service failed)",
    "NETWORK_CONNECTION_ERROR": " (NETWORK_CONNECTION_ERROR: the session's instance cannot be reached)",
    "SOMETHING_NEW": " (SOMETHING_NEW)",
}
DEAD = ["CREATE_FAILED", "DELETE_IN_PROGRESS", "DELETED", "DELETE_FAILED", "SOMETHING_NEW"]

dead_streams = pytest.mark.parametrize(
    ("state", "status_code"), [(state, status_code) for state in DEAD for status_code in MEANINGS]
)


@dead_streams
def test_a_dead_stream_that_was_remembered_is_replaced(store, studio, state, status_code):
    run_one(store, studio)
    studio.end("stream-1", state, status_code)

    outcome = run_one(store, studio)

    assert (outcome.lease.resource_id, outcome.issued, outcome.failure) == ("stream-2", True, None)
    assert store.leases == {ANNA: outcome.lease}
    assert [call for call, _session, _argument in studio.asked] == ["create", "look_up", "create"]


@dead_streams
def test_a_dead_stream_that_comes_of_another_runs_pending_lease_is_replaced(store, studio, state, status_code):
    # Given a run that was killed after its stream was created, and a stream that is dead meanwhile.
    pending = pending_lease_of(ANNA)
    put(store, pending)
    studio.create(ANNA.holder, pending.client_token, 3600)
    studio.end("stream-1", state, status_code)

    # When the next run gets it for the same token, then that run starts over.
    outcome = run_one(store, studio)
    assert (outcome.lease.resource_id, outcome.issued, outcome.failure) == ("stream-2", True, None)
    assert outcome.lease.client_token != pending.client_token
    assert store.leases == {ANNA: outcome.lease}


@dead_streams
@pytest.mark.parametrize("wait", [True, False])
def test_a_stream_that_the_run_created_and_that_failed_is_reported(store, studio, state, status_code, wait):
    """A third one would hardly fare better."""

    # Given a service whose streams are dead at once.
    class Failing(StudioCalls):
        def create(self, pending):
            stream_id = super().create(pending).stream_id
            studio.end(stream_id, state, status_code)
            return studio.described(stream_id)

    # When a stream is created, then the message says what it is and what to do.
    issuer = issuer_of(store, Failing(studio, 3600), now=studio.clock.now, wait=wait)
    [outcome] = issuer.run([ANNA], {}, False)
    assert outcome.failure == (
        "NotReady",
        f"Stream 'stream-1' of session 'session-anna' is {state}{MEANINGS[status_code]}: {AGAIN}",
    )
    assert (outcome.lease, outcome.issued) == (None, True)
    assert (outcome.resource.stream_id, outcome.resource.state) == ("stream-1", state)

    # And run again, a new stream is created.
    assert run_one(store, studio).lease.resource_id == "stream-2"


@dead_streams
def test_a_stream_that_fails_while_it_is_waited_for_is_reported_at_once(store, studio, clock, state, status_code):
    studio.ready_after = NEVER
    sleep = clock.sleep

    def sleep_and_fail(seconds):
        sleep(seconds)
        if len(clock.slept) == 3:
            studio.end("stream-1", state, status_code)

    clock.sleep = sleep_and_fail

    outcome = run_one(store, studio)

    assert outcome.failure.message == (
        f"Stream 'stream-1' of session 'session-anna' is {state}{MEANINGS[status_code]}: {AGAIN}"
    )
    assert len(clock.slept) == 3
    assert studio.streams == ["stream-1"]


def test_a_stream_that_fails_while_a_later_run_waits_for_it_is_replaced(store, studio, clock):
    # Given a run that did not wait for its stream.
    studio.ready_after = 2
    run_one(store, studio, wait=False)

    # When the next one waits for it, and it fails.
    def fail(seconds):
        studio.end("stream-1", "CREATE_FAILED", "INTERNAL_ERROR")
        clock.passed += seconds

    clock.sleep = fail
    outcome = run_one(store, studio)

    # Then that one creates another, and waits for it.
    assert (outcome.lease.resource_id, outcome.resource.state, outcome.issued) == ("stream-2", READY, True)


def test_a_stream_that_ends_too_soon_once_it_would_be_ready_is_replaced_as_soon_as_that_is_known(store, studio, clock):
    # Given a stream that is not READY yet, and of which at least 3590 s must be left.
    studio.ready_after = 100
    run_one(store, studio, wait=False)

    # When a run waits for it, then it does not wait longer than for 10 s and a pause, and another for the new one.
    outcome = run_one(store, studio, min_remaining=3590)
    assert (outcome.lease.resource_id, outcome.issued) == ("stream-2", True)
    assert 110 < clock.passed <= 110 + 2 * scheduler.MAX_DELAY


def test_a_stream_that_is_gone_while_it_is_waited_for_is_reported(store, studio, clock):
    studio.ready_after = NEVER

    def lose(seconds):
        studio.end("stream-1", None)
        clock.passed += seconds

    clock.sleep = lose
    outcome = run_one(store, studio)
    assert outcome.failure.message == f"Stream 'stream-1' of session 'session-anna' no longer exists: {AGAIN}"
    assert outcome.resource is None


@pytest.mark.parametrize("status_code", MEANINGS)
@pytest.mark.parametrize("wait", [True, False])
def test_a_stream_that_is_ready_is_good_whatever_its_status_code(store, studio, status_code, wait):
    run_one(store, studio)
    studio.end("stream-1", READY, status_code)
    outcome = run_one(store, studio, wait=wait)
    assert (outcome.lease.resource_id, outcome.issued) == ("stream-1", False)


def test_a_service_that_grants_less_than_was_asked_is_taken_as_it_is(store, studio):
    """Else every run would create a stream, and none would be good enough."""

    class Stingy(StudioCalls):
        def create(self, pending):
            return dataclasses.replace(super().create(pending), expires_at=after(60))

    issuer = issuer_of(store, Stingy(studio, 3600), now=studio.clock.now)
    [outcome] = issuer.run([ANNA], {}, False)
    assert (outcome.issued, outcome.lease.expires, len(studio.streams)) == (True, after(60), 1)


@pytest.mark.parametrize("expires", [-600, 0])
def test_a_new_stream_that_has_already_expired_is_no_stream(store, studio, expires):
    class Stale(StudioCalls):
        def create(self, pending):
            stream = super().create(pending)
            return dataclasses.replace(stream, state=READY, url="https://x.example.org/", expires_at=after(expires))

    issuer = issuer_of(store, Stale(studio, 3600), now=studio.clock.now)
    [outcome] = issuer.run([ANNA], {}, False)
    assert outcome.failure.message.startswith("Stream 'stream-1' of session 'session-anna' expired at 2026-11-21T0")
    assert outcome.failure.message.endswith(AGAIN)
    assert len(studio.streams) == 1


# Waiting.


def test_a_stream_that_is_ready_is_waited_for_until_it_has_a_url(store, studio, clock):
    class Late(StudioCalls):
        def create(self, pending):
            return dataclasses.replace(super().create(pending), url=None)

        def look_up(self, key, stream_id):
            stream = super().look_up(key, stream_id)
            return stream if clock.passed >= 12 else dataclasses.replace(stream, url=None)

    late = Late(studio, 3600)
    [early] = issuer_of(store, late, now=clock.now, wait_timeout=3).run([ANNA], {}, False)
    [outcome] = issuer_of(store, late, now=clock.now).run([ANNA], store.read([ANNA]), False)
    assert "is still READY without a URL after 3 seconds" in early.failure.message
    assert (outcome.failure, outcome.issued, len(studio.streams)) == (None, False, 1)
    assert SECRET in outcome.resource.url


def test_a_stream_is_waited_for_until_it_is_ready(any_store, studio, clock):
    studio.ready_after = 12
    outcome = run_one(any_store, studio)
    assert (outcome.resource.state, outcome.issued) == (READY, True)
    assert SECRET in outcome.resource.url
    assert 12 <= clock.passed <= 12 + scheduler.MAX_DELAY


@pytest.mark.parametrize("polls", [0, 1, 2])
def test_without_waiting_a_stream_is_returned_as_it_is_and_the_next_run_picks_it_up(any_store, studio, clock, polls):
    # Given a run that does not wait.
    studio.ready_after = 30
    first = run_one(any_store, studio, wait=False)
    assert (first.resource.state, first.resource.url, first.issued) == (CREATE_IN_PROGRESS, None, True)
    assert clock.slept == []

    # When others do not wait either, then they see the same stream.
    for _poll in range(polls):
        again = run_one(any_store, studio, wait=False)
        assert (again.lease, again.issued, again.resource.state) == (first.lease, False, CREATE_IN_PROGRESS)

    # And the next one that waits returns it when it is READY.
    last = run_one(any_store, studio)
    assert (last.lease, last.issued, last.resource.state) == (first.lease, False, READY)
    assert studio.streams == ["stream-1"]


@pytest.mark.parametrize(("wait_timeout", "reported"), [(1, "1"), (150, "150"), (0.5, "0.5")])
@pytest.mark.parametrize("exists", [False, True])
def test_a_stream_that_takes_too_long_is_reported_and_stays_stored(
    store, studio, clock, wait_timeout, reported, exists
):
    # Given a stream that does not become READY in time; a new one or one that is remembered.
    studio.ready_after = 200
    if exists:
        run_one(store, studio, wait=False)

    # When it is waited for, then the run fails after that time, and says so.
    outcome = run_one(store, studio, wait_timeout=wait_timeout)
    assert clock.passed == wait_timeout
    assert outcome.failure == (
        "NotReady",
        f"Stream 'stream-1' of session 'session-anna' is still CREATE_IN_PROGRESS after {reported} seconds: "
        "raise wait_timeout, or run again to continue waiting for it.",
    )
    assert (outcome.lease, outcome.issued, outcome.resource.state) == (None, not exists, CREATE_IN_PROGRESS)

    # And the next run goes on waiting for the same.
    again = run_one(store, studio, wait_timeout=300)
    assert (again.lease.resource_id, again.issued, again.resource.state) == ("stream-1", False, READY)
    assert studio.streams == ["stream-1"]


def test_what_is_ready_at_the_deadline_is_good(store, studio, clock):
    studio.ready_after = 150
    assert run_one(store, studio, wait_timeout=150).resource.state == READY
    assert clock.passed == 150


def test_a_call_that_fails_while_waiting_is_reported_with_the_stream_which_stays_stored(store, studio, clock):
    class Broken(StudioCalls):
        def look_up(self, key, stream_id):
            raise LeaseStoreError("Any error will do.")

    studio.ready_after = 5
    [outcome] = issuer_of(store, Broken(studio, 3600), now=clock.now).run([ANNA], {}, False)
    assert outcome.failure.message == "Any error will do."
    assert outcome.resource.stream_id == "stream-1"
    assert run_one(store, studio).lease.resource_id == "stream-1"


@pytest.mark.parametrize("concurrency", [1, 3, 16])
def test_waiting_holds_no_place_among_the_calls_under_way(store, studio, concurrency):
    # Given a lab of 20 whose streams never are READY.
    studio.ready_after = NEVER
    keys = LAB[:20]

    # When streams are handed out.
    outcomes = run(store, studio, keys, concurrency=concurrency, wait_timeout=10)

    # Then all are created, then all are polled, and then all again.
    assert {outcome.failure.code for outcome in outcomes} == {"NotReady"}
    rounds = [studio.asked[begin : begin + 20] for begin in range(0, len(studio.asked), 20)]
    assert [{call for call, _session, _argument in each} for each in rounds] == [
        {"create"},
        *[{"look_up"}] * (len(rounds) - 1),
    ]
    assert all({session for _call, session, _argument in each} == {key.holder for key in keys} for each in rounds)
    assert len(rounds) > 5


@pytest.mark.parametrize("concurrency", [1, 16])
def test_the_streams_of_a_lab_are_waited_for_together(store, studio, clock, concurrency):
    studio.ready_after = 10
    outcomes = run(store, studio, concurrency=concurrency)
    assert {outcome.resource.state for outcome in outcomes} == {READY}
    assert 10 <= clock.passed <= 10 + scheduler.MAX_DELAY


# Force.


def test_force_creates_although_all_are_reusable_and_does_so_each_time(any_store, studio):
    first = run(any_store, studio)
    second = run(any_store, studio, force=True)
    third = run(any_store, studio, force=True)
    assert all(outcome.issued and not outcome.failure for outcome in second + third)
    assert len({*streams_of(first), *streams_of(second), *streams_of(third)}) == len(studio.streams) == 120
    assert any_store.find(SCOPE) == {outcome.key: outcome.lease for outcome in third}
    assert studio.asked_for("look_up") == []


def test_force_adopts_no_pending_lease(store, studio):
    pending = pending_lease_of(ANNA)
    put(store, pending)
    outcome = run_one(store, studio, force=True)
    assert outcome.issued
    assert outcome.lease.client_token != pending.client_token


def test_force_while_another_run_takes_up_the_new_pending_lease_returns_that_stream_as_issued(studio):
    # Given a forced run, beside which another completes what it has begun.
    store, others = MeddledStore(), []
    store.before_completion.append(lambda: others.append(run_one(store, studio)))

    forced = run_one(store, studio, force=True)

    # Then both return the one stream, and to both it is new.
    assert [forced.lease.resource_id, others[0].lease.resource_id] == ["stream-1", "stream-1"]
    assert forced.issued
    assert others[0].issued


# A token of the user's own.


def test_a_given_token_is_what_the_stream_is_created_with(store, studio):
    outcome = run_one(store, studio, client_token="build-7")
    assert studio.asked == [("create", "session-anna", "build-7")]
    assert (outcome.lease.client_token, outcome.issued) == ("build-7", True)


def test_the_same_token_again_reuses_the_lease(store, studio):
    first = run_one(store, studio, client_token="build-7")
    second = run_one(store, studio, client_token="build-7")
    assert (second.lease, second.issued) == (first.lease, False)
    assert studio.asked_for("create") == ["session-anna"]


@pytest.mark.parametrize(
    ("first_token", "second_token"), [("build-7", "build-8"), ("build-7", None), (None, "build-7")]
)
def test_a_current_lease_is_reused_whatever_its_token(store, studio, first_token, second_token):
    first = run_one(store, studio, client_token=first_token)
    second = run_one(store, studio, client_token=second_token)
    assert (second.lease, second.issued) == (first.lease, False)


@pytest.mark.parametrize("first_token", ["build-6", None])
def test_a_new_token_replaces_a_dead_stream(store, studio, first_token):
    run_one(store, studio, client_token=first_token)
    studio.end("stream-1", "DELETED")
    outcome = run_one(store, studio, client_token="build-7")
    assert (outcome.lease.resource_id, outcome.lease.client_token, outcome.issued) == ("stream-2", "build-7", True)


def test_a_run_without_a_token_replaces_the_dead_stream_of_one(store, studio):
    run_one(store, studio, client_token="build-7")
    studio.end("stream-1", "DELETED")
    outcome = run_one(store, studio)
    assert (outcome.lease.resource_id, outcome.issued) == ("stream-2", True)
    assert outcome.lease.client_token != "build-7"


NO_NEW = ", and the service may return it again for client_token='build-7': use another token, or leave it out."


@pytest.mark.parametrize(
    ("end", "problem"),
    [
        (("DELETED", "STREAM_DELETED"), "is DELETED (STREAM_DELETED: it was deleted or has expired)"),
        (("CREATE_FAILED", "INTERNAL_ERROR"), "is CREATE_FAILED (INTERNAL_ERROR: the service failed)"),
        ((None,), "no longer exists"),
    ],
)
@pytest.mark.parametrize("check_mode", [False, True])
def test_a_token_whose_stored_stream_has_failed_is_rejected(store, studio, end, problem, check_mode):
    run_one(store, studio, client_token="build-7")
    studio.end("stream-1", *end)
    store.writes = 0

    outcome = run_one(store, studio, client_token="build-7", check_mode=check_mode)

    assert outcome.failure == ("NotReady", f"Stream 'stream-1' of session 'session-anna' {problem}{NO_NEW}")
    assert outcome.existing == store.leases[ANNA]
    assert (store.writes, studio.asked_for("create")) == (0, ["session-anna"])


@pytest.mark.parametrize("first", [dict(client_token="build-7"), {}])
def test_a_token_for_which_the_service_gives_a_stream_that_ends_too_soon_is_rejected(store, studio, clock, first):
    # Given a stream that was created with the token, by a run of ours or by somebody else, and is almost over.
    if first:
        run_one(store, studio, **first)
    else:
        studio.create(ANNA.holder, "build-7", 3600)
    clock.passed += 3500

    outcome = run_one(store, studio, client_token="build-7")

    assert outcome.failure == (
        "NotReady",
        "Stream 'stream-1' of session 'session-anna' works only until 2026-11-21T09:00:00Z, which is earlier than "
        f"was asked for{NO_NEW}",
    )
    # And another token helps, as none does.
    assert run_one(store, studio, client_token="build-8").lease.resource_id == "stream-2"


def test_a_token_for_which_the_service_returns_a_failed_stream_is_rejected(store, studio):
    studio.create(ANNA.holder, "build-7", 3600)
    studio.end("stream-1", "DELETED")
    outcome = run_one(store, studio, client_token="build-7")
    assert outcome.failure.message == f"Stream 'stream-1' of session 'session-anna' is DELETED{NO_NEW}"
    assert run_one(store, studio).lease.resource_id == "stream-2"


def test_a_token_for_which_there_is_a_good_stream_already_gives_that(store, studio):
    studio.create(ANNA.holder, "build-7", 3600)
    outcome = run_one(store, studio, client_token="build-7")
    assert (outcome.lease.resource_id, outcome.issued) == ("stream-1", True)


def test_a_token_that_was_used_for_another_time_is_rejected_and_who_leaves_it_out_gets_a_stream(store, studio):
    # Given a token that was used for an hour, and is given again for half an hour.
    run_one(store, studio, client_token="build-7")
    half = dict(validity=1800, min_remaining=180)
    rejected = run_one(store, studio, client_token="build-7", **half)
    assert rejected.failure == ("ValidationException", "The token was used with other parameters.")

    # When it is left out, then the pending lease that has been left with it stands in nobody's way.
    outcome = run_one(store, studio, **half)
    assert (outcome.lease.resource_id, outcome.issued) == ("stream-2", True)
    assert outcome.lease.client_token != "build-7"
    assert store.leases == {ANNA: outcome.lease}


@pytest.mark.parametrize("code", ["ValidationException", "ConflictException"])
def test_a_pending_lease_is_canceled_once_at_most_and_only_if_its_token_is_rejected(store, studio, code):
    class Rejecting(StudioCalls):
        def create(self, pending):
            tokens.append(pending.client_token)
            error = Rejected("No.")
            error.code = code
            raise error

    tokens, pending = [], pending_lease_of(ANNA)
    put(store, pending)
    issuer = issuer_of(store, Rejecting(studio, 3600), now=studio.clock.now)
    [outcome] = issuer.run([ANNA], store.read([ANNA]), False)
    assert outcome.failure == (code, "No.")
    assert tokens[0] == pending.client_token
    assert len(tokens) == (2 if code == "ValidationException" else 1)


# Intents that others have left.


@pytest.mark.parametrize(
    ("pending", "options", "adopted"),
    [
        pytest.param({}, {}, True, id="of an hour, as asked for"),
        pytest.param(dict(expires=1), dict(min_remaining=0), True, id="for a second more"),
        pytest.param(dict(expires=0), dict(min_remaining=0), False, id="expires now"),
        pytest.param(dict(expires=-1), {}, False, id="expired"),
        pytest.param(dict(released_at=after(-5)), {}, False, id="released"),
        pytest.param(dict(validity=1800), {}, False, id="for another time"),
        pytest.param({}, dict(validity=1800, min_remaining=0), False, id="another time is asked for"),
        pytest.param({}, dict(force=True), False, id="forced"),
        pytest.param(dict(client_token="build-7"), dict(client_token="build-7"), True, id="of the given token"),
        pytest.param(dict(client_token="build-6"), dict(client_token="build-7"), False, id="of another token"),
        pytest.param(dict(client_token="build-7"), {}, True, id="of a given token, and none is given now"),
        pytest.param({}, dict(min_remaining=3599), True, id="whatever must remain"),
    ],
)
def test_an_pending_lease_that_has_not_expired_is_adopted_by_those_who_ask_for_the_same(
    any_store, studio, pending, options, adopted
):
    # Given what a run has left that was killed before its stream was created.
    left = pending_lease_of(ANNA, **pending)
    put(any_store, left)

    # When the next run hands out.
    outcome = run_one(any_store, studio, **options)

    # Then it creates with that token, or with its own.
    assert (outcome.lease.resource_id, outcome.issued, outcome.failure) == ("stream-1", True, None)
    assert (outcome.lease.client_token == left.client_token) is adopted
    assert any_store.find(SCOPE) == {ANNA: outcome.lease}


def test_an_adopted_pending_lease_whose_stream_ends_too_soon_is_replaced(store, studio, clock):
    # Given a run that was killed almost an hour ago.
    pending = pending_lease_of(ANNA)
    put(store, pending)
    studio.create(ANNA.holder, pending.client_token, 3600)
    clock.passed += 3500

    # When the next one gets its stream, then that is not good enough.
    outcome = run_one(store, studio)
    assert (outcome.lease.resource_id, outcome.issued) == ("stream-2", True)
    assert outcome.lease.expires == after(3500 + 3600)


def test_an_adopted_pending_lease_that_the_service_has_released_gives_a_new_stream(store, clock):
    studio = Studio(clock, window=10)
    pending = pending_lease_of(ANNA)
    put(store, pending)
    studio.create(ANNA.holder, pending.client_token, 3600)
    clock.passed += 3500
    outcome = run_one(store, studio)
    assert (outcome.lease.resource_id, outcome.lease.expires) == ("stream-2", after(3500 + 3600))
    assert outcome.lease.client_token == pending.client_token


def test_a_run_that_begins_while_a_create_takes_longer_than_streams_are_valid_gets_the_same_stream(store, clock):
    # Given a run whose create takes longer than its streams are valid.
    studio, others = Studio(clock), []

    class Slow(StudioCalls):
        def create(self, pending):
            clock.passed += 61
            others.append(run_one(store, studio, validity=60, min_remaining=6))
            return super().create(pending)

    issuer = issuer_of(store, Slow(studio, 60), validity=60, min_remaining=6, now=clock.now)

    # When another one begins meanwhile.
    [outcome] = issuer.run([ANNA], {}, False)

    # Then both have the same stream, and so has the next.
    again = run_one(store, studio, validity=60, min_remaining=6)
    assert studio.streams == ["stream-1"]
    assert streams_of([outcome, *others, again]) == ["stream-1"] * 3
    assert [each.issued for each in (outcome, *others, again)] == [False, True, False]


# Check mode.


@pytest.mark.parametrize("force", [False, True])
def test_check_mode_returns_the_same_and_neither_creates_nor_writes(store, studio, force):
    # Given a lab: a quarter has good streams, one dead ones, one was left as pending leases, and one has nothing.
    run(store, studio, LAB[:20])
    for key in LAB[10:20]:
        studio.end(store.leases[key].resource_id, "DELETED")
    for key in LAB[20:30]:
        put(store, pending_lease_of(key))
    before = dict(store.leases)
    studio.asked.clear()
    store.writes = 0

    # When it is predicted what would be, and then done.
    predicted = run(store, studio, check_mode=True, force=force)
    assert (store.writes, store.leases, studio.asked_for("create")) == (0, before, [])
    assert sorted(studio.asked_for("check")) == [key.holder for key in (LAB if force else LAB[10:])]
    done = run(store, studio, force=force)

    # Then the same is created and reused; what would be created is not known yet.
    assert [outcome.issued for outcome in predicted] == [outcome.issued for outcome in done]
    assert [outcome.existing for outcome in predicted] == [outcome.existing for outcome in done]
    assert all((outcome.lease is None) == outcome.issued for outcome in predicted)
    assert sum(outcome.issued for outcome in done) == (40 if force else 30)


@pytest.mark.parametrize("check_mode", [False, True])
def test_what_fails_in_check_mode_fails_for_real(store, studio, check_mode):
    # Given a session that has no stream and gets none, one that has a good one, and one whose stream never is READY.
    run(store, studio, LAB[1:2])
    studio.rejections = {key.holder: "The session is STOPPED." for key in LAB[:2]}
    studio.ready_after = NEVER
    run(store, studio, LAB[2:3], wait=False)
    studio.end(store.leases[LAB[1]].resource_id, READY)

    outcomes = run(store, studio, LAB[:3], check_mode=check_mode, wait_timeout=5)

    assert [outcome.failure and outcome.failure.message for outcome in outcomes] == [
        "The session is STOPPED.",
        None,
        "Stream 'stream-2' of session 'session-02' is still CREATE_IN_PROGRESS after 5 seconds: "
        "raise wait_timeout, or run again to continue waiting for it.",
    ]
    assert [outcome.issued for outcome in outcomes] == [False] * 3


# Races. Something happens just before this run writes.


class MeddledStore(MemoryStore):
    """A store in which something happens just before a pending lease is to be stored, or a stream to be remembered."""

    def __init__(self):
        super().__init__()
        self.before_begin = []
        self.before_completion = []
        self._is_meddling = False

    def compare_and_set(self, lease, *, expected):
        self._meddle(self.before_begin)
        return super().compare_and_set(lease, expected=expected)

    def replace(self, lease, *, expected):
        self._meddle(self.before_completion)
        return super().replace(lease, expected=expected)

    def _meddle(self, waiting):
        if waiting and not self._is_meddling:
            self._is_meddling = True
            waiting.pop(0)()
            self._is_meddling = False


@pytest.mark.parametrize("window", [0, NEVER])
@pytest.mark.parametrize("existing", [None, resource_lease_of(ANNA, expires=-1), pending_lease_of(ANNA, expires=-1)])
def test_who_finds_a_pending_lease_of_another_run_uses_its_token(clock, existing, window):
    # Given another run that stores its pending lease just before this one does.
    store, studio, pending = MeddledStore(), Studio(clock, window=window), pending_lease_of(ANNA)
    if existing:
        put(store, existing)
    store.before_begin.append(lambda: store.compare_and_set(pending, expected=existing and existing.lease_id))

    # When this one goes on.
    outcome = run_one(store, studio)

    # Then it creates with the other's token; as it was faster to the end, the stream is its.
    assert studio.asked == [("create", "session-anna", pending.client_token)]
    assert (outcome.lease.resource_id, outcome.lease.client_token) == ("stream-1", pending.client_token)
    assert outcome.issued
    assert store.leases == {ANNA: outcome.lease}


def test_who_finds_that_another_run_is_done_returns_its_stream(studio):
    store, others = MeddledStore(), []
    store.before_begin.append(lambda: others.append(run_one(store, studio)))

    outcome = run_one(store, studio)

    assert (outcome.lease, outcome.issued, outcome.existing) == (others[0].lease, False, None)
    assert SECRET in outcome.resource.url
    assert studio.streams == ["stream-1"]


@pytest.mark.parametrize("adopted", [False, True])
@pytest.mark.parametrize(("window", "created"), [(NEVER, 1), (0, 2)])
def test_who_comes_second_returns_the_stream_that_is_stored(clock, adopted, window, created):
    """And where the service gives every call a new stream, drops its own."""
    # Given a pending lease, of this run or of one that was killed, that another run completes while this one creates.
    store, studio, others = MeddledStore(), Studio(clock, window=window), []
    if adopted:
        put(store, pending_lease_of(ANNA))
    store.before_completion.append(lambda: others.append(run_one(store, studio)))

    # When this one is done.
    outcome = run_one(store, studio)

    # Then it has the same stream, and says that it issued none.
    assert (outcome.lease, outcome.issued) == (others[0].lease, False)
    assert others[0].issued
    assert store.leases == {ANNA: outcome.lease}
    assert outcome.resource.stream_id == outcome.lease.resource_id
    assert len(studio.streams) == created
    # It reads the other's only if it is not the one it knows.
    assert len(studio.asked_for("look_up")) == created - 1


@pytest.mark.parametrize(
    ("end", "problem"),
    [
        (dict(state="DELETED", status_code=None), "is DELETED"),
        (
            dict(expires_at=after(60)),
            "works only until 2026-11-21T08:01:00Z, which is earlier than was asked for",
        ),
    ],
    ids=["dead", "too short"],
)
def test_who_comes_second_to_a_stream_that_is_not_good_enough_says_so(clock, end, problem):
    # Given a service that gives every call a new stream, and a run that is faster, whose stream comes to a bad end.
    store, studio = MeddledStore(), Studio(clock, window=0)

    class Ending(StudioCalls):
        def look_up(self, key, stream_id):
            return dataclasses.replace(super().look_up(key, stream_id), **end)

    store.before_completion.append(lambda: run_one(store, studio))

    # When this run, which has a pending lease already, reads that, then it stores no other.
    [outcome] = issuer_of(store, Ending(studio, 3600), now=clock.now).run([ANNA], {}, False)
    assert outcome.failure.message == f"Stream 'stream-2' of session 'session-anna' {problem}: {AGAIN}"
    assert len(studio.streams) == 2


@pytest.mark.parametrize("purge", [False, True])
def test_what_is_released_while_it_is_created_is_returned_and_not_remembered(clock, studio, purge):
    # Given a run whose pending lease is released while its stream is created.
    store = MeddledStore()
    store.before_completion.append(lambda: absent(store, purge=purge))

    # When it ends, then it returns what was asked of it.
    outcome = run_one(store, studio)
    assert (outcome.lease.resource_id, outcome.issued) == ("stream-1", True)
    assert not any(lease.resource_id for lease in store.leases.values())

    # And no later run returns that.
    assert run_one(store, studio).lease.resource_id == "stream-2"


@pytest.mark.parametrize("purge", [False, True])
def test_an_adopted_pending_lease_that_is_released_meanwhile_is_replaced(clock, studio, purge):
    """Another run may have returned the same stream before it was released."""
    store = MeddledStore()
    put(store, pending_lease_of(ANNA))
    store.before_completion.append(lambda: absent(store, purge=purge))

    outcome = run_one(store, studio)

    assert (outcome.lease.resource_id, outcome.issued) == ("stream-2", True)
    assert store.leases == {ANNA: outcome.lease}


@pytest.mark.parametrize("purge", [False, True])
@pytest.mark.parametrize("adopted", [False, True])
def test_a_stream_that_is_released_is_not_revived_by_a_run_that_is_late(clock, studio, purge, adopted):
    # Given a late run, and another that has completed the same pending lease, returned its stream, and had it released.
    store = MeddledStore()
    if adopted:
        put(store, pending_lease_of(ANNA))

    def others():
        assert run_one(store, studio).lease.resource_id == "stream-1"
        absent(store, purge=purge)

    store.before_completion.append(others)

    # When the late one comes to its end.
    late = run_one(store, studio)

    # Then what was released is in no lease, and no later run returns it.
    assert "stream-1" not in [lease.resource_id for lease in store.leases.values() if not lease.released_at]
    assert late.lease.resource_id == ("stream-2" if adopted else "stream-1")
    assert run_one(store, studio).lease.resource_id == "stream-2"


@pytest.mark.parametrize("purge", [False, True])
def test_after_absent_present_gives_new_streams(any_store, studio, clock, purge):
    first = run(any_store, studio)
    absent(any_store, LAB, purge=purge)
    second = run(any_store, studio)
    assert all(outcome.issued for outcome in second)
    assert set(streams_of(first)).isdisjoint(streams_of(second))
    assert {outcome.lease.client_token for outcome in first}.isdisjoint(
        outcome.lease.client_token for outcome in second
    )


def test_a_run_with_other_options_takes_over_and_both_return_what_they_asked_for(studio):
    # Given a run whose pending lease one with other options replaces while its stream is created.
    store, others = MeddledStore(), []
    store.before_completion.append(lambda: others.append(run_one(store, studio, validity=1800)))

    outcome = run_one(store, studio)

    # Then each returns its own, and the store has the later one.
    assert (outcome.lease.resource_id, outcome.lease.validity, outcome.issued) == ("stream-1", 3600, True)
    assert (others[0].lease.resource_id, others[0].lease.validity, others[0].issued) == ("stream-2", 1800, True)
    assert store.leases == {ANNA: others[0].lease}


def test_an_adopted_pending_lease_that_a_run_with_other_options_has_replaced_is_canceled(studio):
    store = MeddledStore()
    put(store, pending_lease_of(ANNA))
    store.before_completion.append(lambda: run_one(store, studio, validity=1800))
    outcome = run_one(store, studio)
    assert (outcome.lease.resource_id, outcome.lease.validity, outcome.issued) == ("stream-3", 3600, True)
    assert store.leases == {ANNA: outcome.lease}


def test_a_run_whose_pending_lease_a_forced_one_replaces_returns_the_forced_stream(studio):
    store, others = MeddledStore(), []
    store.before_completion.append(lambda: others.append(run_one(store, studio, force=True)))
    outcome = run_one(store, studio)
    assert (outcome.lease, outcome.issued) == (others[0].lease, False)
    assert (outcome.lease.resource_id, outcome.resource.stream_id) == ("stream-2", "stream-2")


def test_a_run_whose_pending_lease_another_replaces_takes_that_up(studio):
    store, pending = MeddledStore(), pending_lease_of(ANNA)
    store.before_completion.append(lambda: store.leases.update({ANNA: pending}))
    outcome = run_one(store, studio)
    assert outcome.lease.client_token == pending.client_token
    assert (outcome.lease.resource_id, outcome.issued) == ("stream-2", True)


def test_two_forced_runs_each_return_a_new_stream(studio):
    store, others = MeddledStore(), []
    store.before_completion.append(lambda: others.append(run_one(store, studio, force=True)))
    outcome = run_one(store, studio, force=True)
    assert (outcome.lease.resource_id, others[0].lease.resource_id) == ("stream-1", "stream-2")
    assert outcome.issued
    assert others[0].issued


@pytest.mark.parametrize("rivals", range(MAX_ATTEMPTS + 1))
def test_a_forced_run_writes_over_pending_leases_that_others_store_meanwhile(studio, rivals):
    # Given others who store a pending lease just before each of so many writes of a forced run.
    store = MeddledStore()
    for _rival in range(rivals):
        store.before_begin.append(lambda: store.leases.update({ANNA: pending_lease_of(ANNA)}))

    outcome = run_one(store, studio, force=True)

    # Then it tries again, as long as a try is left to create in.
    if rivals < MAX_ATTEMPTS - 1:
        assert (outcome.lease.resource_id, outcome.issued) == ("stream-1", True)
        assert store.writes == rivals + 2
    else:
        assert outcome.failure == CONFLICT
        assert studio.streams == []
        assert store.writes == MAX_ATTEMPTS


def test_a_run_that_always_comes_too_late_creates_no_more_often_than_it_tries(studio):
    # Given a forced run that stores a pending lease just before each completion of this one.
    store = MeddledStore()
    put(store, pending_lease_of(ANNA))
    store.before_completion.extend([lambda: store.leases.update({ANNA: pending_lease_of(ANNA)})] * 100)

    # When this one hands out, then it takes up one pending lease after the other, and gives up after six.
    outcome = run_one(store, studio)
    assert MAX_ATTEMPTS == 6
    assert outcome.failure == CONFLICT
    assert studio.asked_for("create") == ["session-anna"] * MAX_ATTEMPTS
    assert outcome.lease is None


# A store that breaks.


class FailingStore(MemoryStore):
    """A store that fails at one write, and works again after it."""

    def __init__(self, fails_at):
        super().__init__()
        self.fails_at = fails_at

    def compare_and_set(self, lease, *, expected):
        self._fail()
        return super().compare_and_set(lease, expected=expected)

    def replace(self, lease, *, expected):
        self._fail()
        return super().replace(lease, expected=expected)

    def _fail(self):
        if self.writes + 1 == self.fails_at:
            self.writes += 1
            raise LeaseStoreError("The lease store x is full.")


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_store_that_may_not_be_written_is_reported_before_anything_is_asked_and_in_check_mode_too(studio, check_mode):
    with pytest.raises(LeaseStoreError, match="read-only"):
        run(ClosedStore(), studio, check_mode=check_mode)
    assert studio.asked == []


def test_a_store_that_cannot_take_the_pending_leases_costs_no_stream(studio):
    # Given a store that fails at the ninth of the pending leases, which are written together.
    store = FailingStore(9)
    outcomes = run(store, studio)
    assert {outcome.failure for outcome in outcomes} == {("LeaseStoreError", "The lease store x is full.")}
    assert (studio.asked, store.leases, store.writes) == ([], {}, 9)


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_store_that_cannot_take_a_stream_ends_the_run_and_the_next_one_picks_up_what_was_created(studio, concurrency):
    # Given a store that takes the pending leases and eight streams.
    store = FailingStore(len(LAB) + 9)

    # When streams are handed out.
    outcomes = run(store, studio, concurrency=concurrency)

    # Then what was stored is handed out, and all others are named as failed.
    good = [outcome for outcome in outcomes if outcome.lease]
    assert [outcome.key for outcome in outcomes] == LAB
    assert {outcome.key: outcome.lease for outcome in good} == {
        key: lease for key, lease in store.leases.items() if lease.resource_id
    }
    failures = collections.Counter(outcome.failure for outcome in outcomes if outcome.failure)
    lost = failures[("LeaseStoreError", "The lease store x is full.")]
    canceled = failures[("LeaseStoreError", "Canceled because the lease store failed: The lease store x is full.")]
    assert 1 <= lost <= 2 * concurrency
    assert len(good) + lost + canceled == len(LAB)
    # What was to be remembered is named at least.
    assert sum(outcome.resource is not None for outcome in outcomes) == len(good) + lost

    # And only what was to be written together is lost: what was being created is remembered, but nothing more is begun.
    created = len(studio.streams)
    assert created == len(good) + lost
    assert created <= 8 + 2 * concurrency

    # And run again, no session has two streams.
    again = run(store, studio)
    assert all(outcome.lease for outcome in again)
    assert sum(outcome.issued for outcome in again) == len(LAB) - len(good)
    assert len(studio.streams) == len(LAB)


def test_a_store_that_breaks_while_others_wait_gives_those_up_with_their_streams(studio):
    # Given a session whose stream is waited for, and another whose stream is dead and is to be replaced.
    store = FailingStore(1)
    store.leases = {
        key: resource_lease_of(key, resource_id=f"stream-{number}") for number, key in enumerate(LAB[:2], 1)
    }
    for key in LAB[:2]:
        studio.create(key.holder, store.leases[key].client_token, 3600)
    studio.end("stream-1", CREATE_IN_PROGRESS)
    studio.end("stream-2", "DELETED")

    # When the store fails.
    waiting, replaced = run(store, studio, LAB[:2])

    # Then both say so, with what is known of their streams.
    assert replaced.failure.message == "The lease store x is full."
    assert waiting.failure.message == "Canceled because the lease store failed: The lease store x is full."
    assert (waiting.resource.stream_id, waiting.lease) == ("stream-1", None)


# Processes.


class SharedStudio:
    """A service for several processes: a stream is named by its token, and every call to create is noted in a file."""

    def __init__(self, path, *, dies=lambda _when, _key: None):
        self.path, self.dies = path, dies

    def create(self, pending):
        self.dies("before the work", pending.key)
        time.sleep(0.001)
        with open(self.path, "a", encoding="utf-8") as calls:
            calls.write(f"{pending.key.holder} {pending.client_token}\n")
        self.dies("after the work", pending.key)
        return self.look_up(pending.key, f"stream-of-{pending.client_token}")

    def look_up(self, key, stream_id):
        return Stream(stream_id, READY, url=SECRET, created_at=NOW, expires_at=after(3600))

    def check(self, key):
        pass

    def describe(self, key, stream_id):
        return f"Stream {stream_id!r}"

    def streams(self):
        """By session, the streams that were created."""
        streams = collections.defaultdict(set)
        for call in self.path.read_text(encoding="utf-8").splitlines():
            session, client_token = call.split()
            streams[session].add(f"stream-of-{client_token}")
        return streams


def run_on(path, service, **options):
    """A run with a SQLite file of its own, as in a process of its own."""
    store = SQLiteLeaseStore(str(path), now=lambda: NOW, create=True)
    issuer = issuer_of(store, service, now=lambda: NOW, **options)
    outcomes = issuer.run(LAB, store.read(LAB), False)
    store.close()
    return [(outcome.lease.resource_id, outcome.issued) for outcome in outcomes]


@pytest.mark.parametrize("when", ["before the work", "after the work", "before it is stored"])
@pytest.mark.parametrize("kills", [1, 3])
def test_killed_and_run_again_there_is_one_stream_for_each_session(tmp_path, when, kills):
    # Given runs, each killed at its 13th stream.
    path, studio = tmp_path / "leases", SharedStudio(tmp_path / "calls")

    class Killer:
        def __init__(self):
            self.count = 0

        def __call__(self, at, _key):
            self.count += at == when
            if self.count == 13:
                os.kill(os.getpid(), signal.SIGKILL)

    def killed():
        killer = Killer()
        studio.dies = killer
        make = sqlite.SQLiteLeaseStore._make

        def dying(store, database, change, times):
            if isinstance(change, Replace):
                killer("before it is stored", change.record.key)
            return make(store, database, change, times)

        sqlite.SQLiteLeaseStore._make = dying
        run_on(path, studio)

    for _kill in range(kills):
        with pytest.raises(EOFError):
            start_child(killed)()

    # When it is run again, then each session has one stream: the one that is returned.
    results = run_on(path, studio)
    assert studio.streams() == {key.holder: {stream} for key, (stream, _issued) in zip(LAB, results, strict=True)}
    # And run once more, nothing is issued.
    assert run_on(path, studio) == [(stream, False) for stream, _issued in results]


def test_four_processes_at_once_create_one_stream_for_each_session(tmp_path):
    # Given four processes that start at the same time on one file, which none of them has created yet.
    path, studio = tmp_path / "lab" / "leases", SharedStudio(tmp_path / "calls")
    reading, writing = os.pipe()

    def lab_run():
        os.close(writing)
        os.read(reading, 1)
        return run_on(path, studio, concurrency=8)

    runs = [start_child(lab_run) for _number in range(4)]

    # When they run.
    os.close(writing)
    os.close(reading)
    results = [result() for result in runs]

    # Then there are 40 streams, all return the same, and each was issued by exactly one of them.
    streams = [stream for stream, _issued in results[0]]
    assert studio.streams() == {key.holder: {stream} for key, stream in zip(LAB, streams, strict=True)}
    assert all([stream for stream, _issued in result] == streams for result in results)
    assert [sum(result[number][1] for result in results) for number in range(40)] == [1] * 40


# Secrets.


def test_nothing_that_is_printed_or_stored_shows_a_url(tmp_path, clock, studio):
    # Given runs that issue, reuse, lose a race, time out and fail.
    path, meddled = tmp_path / "leases", MeddledStore()
    meddled.before_completion.append(lambda: run_one(meddled, studio))
    store = SQLiteLeaseStore(str(path), now=lambda: NOW, create=True)
    outcomes = [
        *run(store, studio, LAB[:3]),
        *run(store, studio, LAB[:3]),
        run_one(meddled, studio),
        *run(FailingStore(2), studio, LAB[3:4]),
    ]
    studio.ready_after = NEVER
    outcomes += run(store, studio, LAB[4:5], wait_timeout=1)
    store.close()

    # Then URLs are where they belong, and nowhere else.
    assert sum(outcome.resource.url is not None for outcome in outcomes) == 8
    assert sum(outcome.failure is not None for outcome in outcomes) == 2
    printed = [repr(outcomes), str(outcomes), f"{[outcome.resource for outcome in outcomes]}", repr(meddled.leases)]
    assert not [text for text in printed if SECRET in text or "https" in text]
    assert "stream-1" in printed[0]
    assert SECRET.encode() not in path.read_bytes()
