# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import collections
import os
import random
import signal
import threading
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import LeaseStoreError, NotReady
from ansible_collections.labstream.aws.plugins.module_utils._failures import find_bug
from ansible_collections.labstream.aws.plugins.module_utils._leases.lease import Lease, UrlGrant
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.base import NoLeaseStore
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.sqlite import SQLiteLeaseStore
from ansible_collections.labstream.aws.plugins.module_utils._leases.url_issuer import MAX_OVERWRITES, UrlIssuer

from tests.unit.plugins.module_utils.support import (
    LONG_AGO,
    NOW,
    SCOPE,
    ClosedStore,
    MemoryStore,
    after,
    build_key,
    build_policy,
    lease_of,
    start_child,
)

LAB = [build_key(f"learner-{number:02}") for number in range(30)]
HOUR = build_policy(validity=3600)
MINUTE = build_policy(validity=60)


class Service:
    """Issues URLs, and notes for whom and how many calls were under way at once."""

    def __init__(self, policy=HOUR, *, clock=lambda: NOW, takes=0.0, rejects=()):
        self.policy, self.clock, self.takes, self.rejects = policy, clock, takes, rejects
        self.asked, self.at_once, self.max_in_flight = [], 0, 0
        self.lock = threading.Lock()

    def issue(self, key):
        with self.lock:
            self.asked.append(key)
            self.at_once += 1
            self.max_in_flight = max(self.at_once, self.max_in_flight)
        time.sleep(self.takes)
        with self.lock:
            self.at_once -= 1
        if key in self.rejects:
            raise NotReady(f"No URL for {key.holder}.")
        now = self.clock()
        validity = self.policy.validity_at(now)
        expires = now + timedelta(seconds=validity)
        url = f"https://streaming.example.org/?secret={os.urandom(16).hex()}"
        return Lease(key, UrlGrant.build(url), issued=now, expires=expires, validity=self.policy.validity)


def issuer_of(store, service, **fields):
    known = dict(issue=service.issue, now=service.clock, policy=service.policy, not_before=LONG_AGO, concurrency=4)
    return UrlIssuer(store=store, **{**known, **fields})


def run(store, service, keys=LAB, *, check_mode=False, **fields):
    """What one run of a module does: read, then issue."""
    existing = store.read(keys)
    return issuer_of(store, service, **fields).run(keys, existing, check_mode)


def urls_of(outcomes):
    return [outcome.lease and outcome.lease.url for outcome in outcomes]


def test_a_new_lab_gets_a_url_each_in_the_order_asked():
    # Given an empty store and a service that answers in any order.
    store, service = MemoryStore(), Service(takes=0.001)

    # When URLs are issued to learners in an order of their own.
    keys = random.Random(1).sample(LAB, len(LAB))
    outcomes = run(store, service, keys)

    # Then each has its own new URL, at its place, and the store holds exactly these.
    assert [outcome.key for outcome in outcomes] == keys
    assert [outcome.lease.key for outcome in outcomes] == keys
    assert all(outcome.issued and outcome.existing is None and outcome.failure is None for outcome in outcomes)
    assert len(set(urls_of(outcomes))) == len(LAB)
    assert store.leases == {outcome.key: outcome.lease for outcome in outcomes}
    assert sorted(service.asked) == sorted(LAB)


def test_a_second_run_reuses_all_without_a_call_or_a_write():
    store, service = MemoryStore(), Service()
    first = run(store, service)
    service.asked.clear()
    store.writes = 0

    second = run(store, service)

    assert urls_of(second) == urls_of(first)
    assert not any(outcome.issued for outcome in second)
    assert [outcome.existing for outcome in second] == [outcome.lease for outcome in first]
    assert (service.asked, store.writes) == ([], 0)


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_store_that_may_not_be_written_is_reported_before_a_url_is_issued_and_in_check_mode_too(check_mode):
    # Given a store with the leases of all but one.
    known, store, service = MemoryStore(), ClosedStore(), Service()
    run(known, Service(), LAB[1:])
    store.leases = known.leases

    # When everybody is to have a URL, then nothing is issued.
    with pytest.raises(LeaseStoreError, match="read-only"):
        run(store, service, check_mode=check_mode)
    assert service.asked == []

    # And who has a URL already is served: nothing is to be written.
    assert all(outcome.lease for outcome in run(store, service, LAB[1:], check_mode=check_mode))


def test_a_store_is_checked_once_before_a_whole_lab_is_served():
    store = MemoryStore()
    run(store, Service())
    assert store.checks == 1


def test_only_what_is_missing_is_issued():
    # Given a lab of which two learners were added, and one's URL expired.
    store, service = MemoryStore(), Service()
    run(store, service, LAB[:28])
    store.leases[LAB[7]] = dead = lease_of(LAB[7], validity=3600, expires=-1)
    service.asked.clear()

    # When all get their URLs.
    outcomes = run(store, service)

    # Then three are issued, and the existing lease is returned.
    assert sorted(service.asked) == [LAB[7], *LAB[28:]]
    assert [outcome.key for outcome in outcomes if outcome.issued] == [LAB[7], *LAB[28:]]
    assert outcomes[7].existing == dead.visible_at(NOW)


@pytest.mark.parametrize("force", [False, True])
def test_check_mode_returns_the_same_and_neither_calls_nor_writes(force):
    # Given a store that holds the URLs of half of the lab.
    store, service = MemoryStore(), Service()
    run(store, service, LAB[:15])
    before = dict(store.leases)
    service.asked.clear()
    store.writes = 0

    # When it is predicted what would be, and then done.
    predicted = run(store, service, check_mode=True, force=force)
    assert (service.asked, store.writes, store.leases) == ([], 0, before)
    done = run(store, service, force=force)

    # Then the same is issued and reused; what would be issued has no URL yet.
    assert [outcome.issued for outcome in predicted] == [outcome.issued for outcome in done]
    assert [outcome.existing for outcome in predicted] == [outcome.existing for outcome in done]
    assert all((outcome.lease is None) == outcome.issued for outcome in predicted)
    assert sum(outcome.issued for outcome in done) == (30 if force else 15)


def test_force_issues_although_all_are_current():
    store, service = MemoryStore(), Service()
    first = run(store, service)

    second = run(store, service, force=True)

    assert all(outcome.issued for outcome in second)
    assert set(urls_of(second)).isdisjoint(urls_of(first))
    assert store.leases == {outcome.key: outcome.lease for outcome in second}


@pytest.mark.parametrize(("created", "reused"), [(-1, True), (0, True), (1, False)])
def test_a_lease_older_than_its_stack_belongs_to_one_that_was_deleted(created, reused):
    store, service = MemoryStore(), Service()
    run(store, service, LAB[:1])

    outcome = run(store, service, LAB[:1], not_before=after(created))[0]

    assert outcome.issued is not reused


@pytest.mark.parametrize("concurrency", [1, 2, 7, 64])
def test_no_more_calls_than_allowed_are_under_way_at_once(concurrency):
    service = Service(takes=0.01)
    outcomes = run(MemoryStore(), service, concurrency=concurrency)
    assert all(outcome.issued for outcome in outcomes)
    assert service.max_in_flight <= concurrency
    # And they are: else a lab would take as long as a loop.
    assert service.max_in_flight >= min(concurrency, 2)


def test_nobody_is_asked_for_when_nobody_is_to_be_served():
    service = Service()
    assert run(MemoryStore(), service, []) == []
    assert service.asked == []


def test_one_rejected_learner_of_thirty_costs_the_others_nothing():
    # Given a service that rejects one holder.
    store, service = MemoryStore(), Service(rejects=[LAB[11]])

    # When URLs are issued.
    outcomes = run(store, service)

    # Then that one's failure says why, and 29 have URLs, which are stored.
    failed = [outcome for outcome in outcomes if outcome.failure]
    assert [(outcome.key, *outcome.failure) for outcome in failed] == [(LAB[11], "NotReady", "No URL for learner-11.")]
    assert failed[0].lease is None
    assert not failed[0].issued
    assert len(store.leases) == 29

    # And once the service takes it, only that one is issued, and the others are returned.
    service.rejects = ()
    service.asked.clear()
    again = run(store, service)
    assert service.asked == [LAB[11]]
    assert [url for url in urls_of(again) if url != again[11].lease.url] == [url for url in urls_of(outcomes) if url]


def test_a_learner_whose_renewal_fails_keeps_the_existing_lease():
    store, service = MemoryStore(), Service(rejects=[LAB[0]])
    store.leases[LAB[0]] = existing = lease_of(LAB[0], validity=60)
    outcome = run(store, service, LAB[:1])[0]
    assert (outcome.existing, outcome.lease, outcome.failure.code) == (existing, None, "NotReady")
    assert store.leases == {LAB[0]: existing}


def test_each_lease_is_stored_as_soon_as_it_is_issued():
    # Given a service that answers for the last learner only when all others are stored.
    store, service = MemoryStore(), Service()
    stored = []

    def issue(key):
        if key == LAB[-1]:
            stop = time.monotonic() + 10
            while len(store.leases) < 29 and time.monotonic() < stop:
                time.sleep(0.001)
            stored.append(len(store.leases))
        return service.issue(key)

    # When URLs are issued, then all others were stored by then.
    outcomes = issuer_of(store, service, issue=issue).run(LAB, {}, False)
    assert stored == [29]
    assert all(outcome.issued for outcome in outcomes)


def test_a_run_that_is_killed_loses_only_what_was_under_way(tmp_path):
    # Given a run in a process of its own, that is killed in the call for its 21st learner.
    path = str(tmp_path / "leases.sqlite3")

    def killed():
        service = Service()

        def issue(key):
            if key == LAB[20]:
                os.kill(os.getpid(), signal.SIGKILL)
            return service.issue(key)

        store = SQLiteLeaseStore(path, now=lambda: NOW, create=True)
        issuer_of(store, service, issue=issue, concurrency=1).run(LAB, {}, False)

    with pytest.raises(EOFError):
        start_child(killed)()

    # When the next run serves the lab.
    store, service = SQLiteLeaseStore(path, now=lambda: NOW, create=True), Service()
    existing = store.read(LAB)
    outcomes = run(store, service)

    # Then it issues only what the killed one had not stored: two calls at most are waiting at concurrency 1.
    assert len(existing) >= 19
    assert sorted(service.asked) == LAB[len(existing) :]
    assert all(outcome.lease for outcome in outcomes)


class FailingStore(MemoryStore):
    """A store that fails at one write, and works again after it."""

    def __init__(self, fails_at, slow=0.0):
        super().__init__()
        self.fails_at, self.slow = fails_at, slow

    def compare_and_set(self, lease, *, expected):
        if self.writes + 1 == self.fails_at:
            self.writes += 1
            time.sleep(self.slow)
            raise LeaseStoreError("The lease store x is full.")
        return super().compare_and_set(lease, expected=expected)


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("slow", [0.0, 0.05])
def test_a_store_that_fails_in_mid_run_ends_the_issuing(concurrency, slow):
    """Also one that takes its time to fail, as one that another process holds for half a minute does."""
    # Given a store that fails at its ninth write.
    store, service = FailingStore(9, slow), Service(takes=0.001)

    # When URLs are issued.
    outcomes = run(store, service, concurrency=concurrency)

    # Then what was stored is issued, and all others are named as failed, in the order asked.
    stored = [outcome for outcome in outcomes if outcome.lease]
    failed = [outcome for outcome in outcomes if outcome.failure]
    assert [outcome.key for outcome in outcomes] == LAB
    assert {outcome.key: outcome.lease for outcome in stored} == store.leases
    assert all(outcome.issued for outcome in stored)
    assert not any(outcome.lease for outcome in failed)
    # What came back at the same time was to be written at the same time, and is lost at the same time; but no more is:
    # what was under way is stored too.
    failures = collections.Counter(outcome.failure for outcome in failed)
    lost = failures[("LeaseStoreError", "The lease store x is full.")]
    # What is lost was issued all the same.
    assert sum(outcome.issued for outcome in failed) == lost
    canceled = failures[("LeaseStoreError", "Canceled because the lease store failed: The lease store x is full.")]
    assert 1 <= lost <= 2 * concurrency
    assert len(stored) + lost + canceled == 30
    assert len(service.asked) == len(stored) + lost

    # And no more URLs were issued than what was stored, under way or about to be stored.
    assert len(service.asked) <= 8 + 2 * concurrency


@pytest.mark.parametrize("rejected", [True, False])
def test_what_comes_after_the_store_failed_is_an_error_with_its_reason_or_a_url_that_is_stored(rejected):
    # Given a service that answers for one learner only once the store has failed for the other.
    store, service = FailingStore(1), Service(rejects=LAB[1:2] if rejected else [])
    begun = threading.Event()

    def issue(key):
        if key == LAB[1]:
            begun.set()
            stop = time.monotonic() + 10
            while store.writes == 0 and time.monotonic() < stop:
                time.sleep(0.001)
            time.sleep(0.02)
        else:
            begun.wait(10)
        return service.issue(key)

    # When both get their URLs; then what comes for the second is an error, or issued.
    first, second = issuer_of(store, service, issue=issue, concurrency=2).run(LAB[:2], {}, False)
    assert first.failure == ("LeaseStoreError", "The lease store x is full.")
    if rejected:
        assert second.failure == ("NotReady", "No URL for learner-01.")
        assert store.leases == {}
    else:
        assert second.issued
        assert store.leases == {LAB[1]: second.lease}


def test_a_url_that_has_expired_already_is_a_failure_and_not_stored():
    store, service = MemoryStore(), Service()

    def issue(key):
        lease = service.issue(key)
        return replace(lease, expires=NOW) if key == LAB[0] else lease

    outcomes = issuer_of(store, service, issue=issue).run(LAB[:2], {}, False)

    assert [outcome.issued for outcome in outcomes] == [False, True]
    assert outcomes[0].failure.message == (
        "The service issued a streaming URL that expired at 2026-11-21T08:00:00Z, though its own clock says "
        "2026-11-21T08:00:00Z: check that clock, then run again."
    )
    assert store.leases.keys() == {LAB[1]}


def test_a_bug_fails_its_key_and_the_others_are_issued_and_stored():
    store, service = MemoryStore(), Service()

    def issue(key):
        if key == LAB[10]:
            raise ZeroDivisionError
        return service.issue(key)

    outcomes = issuer_of(store, service, issue=issue, concurrency=4).run(LAB, {}, False)

    assert [outcome.key for outcome in outcomes if outcome.failure] == [LAB[10]]
    assert isinstance(find_bug(outcome.failure for outcome in outcomes), ZeroDivisionError)
    assert store.leases == {outcome.key: outcome.lease for outcome in outcomes if outcome.lease}
    assert len(store.leases) == len(LAB) - 1


def test_a_bug_in_writing_fails_its_key_as_issued_and_the_others_are_stored():
    class Store(MemoryStore):
        """Like a file, in which all changes are made or none."""

        def write(self, changes):
            if any(change.record.key == LAB[10] for change in changes):
                raise OverflowError("date value out of range")
            return super().write(changes)

    store = Store()

    outcomes = issuer_of(store, Service()).run(LAB, {}, False)

    [failed] = [outcome for outcome in outcomes if outcome.failure]
    assert (failed.key, failed.issued, failed.failure.code) == (LAB[10], True, "InternalError")
    assert store.leases.keys() == {*LAB} - {LAB[10]}


def test_without_a_store_every_run_issues():
    store, service = NoLeaseStore(), Service()
    first, second = run(store, service), run(store, service)
    assert all(outcome.issued for outcome in first + second)
    assert len({*urls_of(first), *urls_of(second)}) == 60


# Two runs at once. Both have read the same store; then they write one after the other.


@pytest.mark.parametrize("existing", [None, lease_of(validity=3600, expires=-1), lease_of(validity=3600, expires=300)])
def test_two_runs_with_equal_policies_return_the_same_url(existing):
    # Given two runs that read the same state.
    store, service = MemoryStore(), Service()
    if existing:
        store.leases[existing.key] = existing
    seen = store.read([build_key()])
    issuer = issuer_of(store, service)

    # When both issue.
    winner = issuer.run([build_key()], seen, False)[0]
    loser = issuer.run([build_key()], seen, False)[0]

    # Then the second drops its own URL, which nobody has seen, and returns the first's; it says that it issued none.
    assert len(service.asked) == 2
    assert winner.issued
    assert not loser.issued
    assert winner.lease == loser.lease == store.leases[build_key()]
    assert loser.existing == seen.get(build_key())


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [
        pytest.param(HOUR, MINUTE, False, id="different validities"),
        pytest.param(MINUTE, HOUR, False, id="different validities, the other way round"),
        pytest.param(HOUR, build_policy(valid_until=after(1800)), True, id="an hour lasts until in half an hour"),
        pytest.param(HOUR, build_policy(valid_until=after(7200)), False, id="an hour does not last for two"),
        pytest.param(
            build_policy(valid_until=after(7200)), build_policy(valid_until=after(3600)), True, id="an earlier time"
        ),
        pytest.param(
            build_policy(valid_until=after(3600)), build_policy(valid_until=after(7200)), False, id="a later time"
        ),
        pytest.param(HOUR, build_policy(validity=3600, min_remaining=3599), True, id="less must remain"),
    ],
)
def test_two_runs_with_different_policies_each_return_a_url_good_enough_for_them(first, second, shared):
    store = MemoryStore()
    services = [Service(first), Service(second)]

    one, other = (issuer_of(store, service).run([build_key()], {}, False)[0] for service in services)

    assert first.accepts(one.lease, NOW)
    assert second.accepts(other.lease, NOW)
    assert (one.lease == other.lease) is shared
    assert other.issued is not shared
    assert store.leases[build_key()] == other.lease


def test_a_forced_run_writes_over_the_winner():
    store, service = MemoryStore(), Service()
    winner = issuer_of(store, service).run([build_key()], {}, False)[0]
    forced = issuer_of(store, service, force=True).run([build_key()], {}, False)[0]
    assert forced.issued
    assert forced.lease != winner.lease
    assert store.leases[build_key()] == forced.lease


def test_a_winner_that_belongs_to_a_deleted_stack_is_written_over():
    store, service = MemoryStore(lambda: after(10)), Service(clock=lambda: after(10))
    store.leases[build_key()] = lease_of(validity=3600)
    outcome = issuer_of(store, service, not_before=after(5)).run([build_key()], {}, False)[0]
    assert outcome.issued


class ContestedStore(MemoryStore):
    """A store in which, so many times, somebody writes a lease of a minute just before we write ours."""

    def __init__(self, rivals):
        super().__init__()
        self.rivals = rivals

    def compare_and_set(self, lease, *, expected):
        if self.rivals:
            self.rivals -= 1
            self.leases[lease.key] = lease_of(lease.key, validity=60, expires=60)
        return super().compare_and_set(lease, expected=expected)


@pytest.mark.parametrize("rivals", range(MAX_OVERWRITES + 1))
def test_a_winner_not_good_enough_is_written_over_up_to_three_times(rivals):
    store, service = ContestedStore(rivals), Service()
    outcome = run(store, service, [build_key()])[0]
    assert outcome.issued
    assert store.leases[build_key()] == outcome.lease
    # The URL is issued once, however often it is written.
    assert len(service.asked) == 1
    assert store.writes == rivals + 1


def test_a_winner_that_is_replaced_again_and_again_is_a_conflict():
    # Given a rival who writes before each of our writes.
    store, service = ContestedStore(1000), Service()

    # When the URL is to be remembered.
    outcome = run(store, service, [build_key()])[0]

    # Then we try once, write over three times, and then say so; the rival's lease stands.
    assert MAX_OVERWRITES == 3
    assert store.writes == 4
    assert outcome.lease is None
    assert outcome.failure == (
        "LeaseConflict",
        "Other runs kept replacing the lease of 'anna' while this one tried to store its own: let one run at a time "
        "renew this lab with other options, then run again.",
    )
    assert store.leases[build_key()].validity == 60


def test_a_conflict_on_one_key_costs_the_others_nothing():
    class ContestedKey(MemoryStore):
        def compare_and_set(self, lease, *, expected):
            if lease.key == LAB[3]:
                self.leases[lease.key] = lease_of(lease.key, validity=60, expires=60)
            return super().compare_and_set(lease, expected=expected)

    outcomes = run(ContestedKey(), Service())
    assert [outcome.failure.code for outcome in outcomes if outcome.failure] == ["LeaseConflict"]
    assert sum(outcome.issued for outcome in outcomes) == 29


def test_eight_processes_hand_forty_learners_the_same_urls(tmp_path):
    # Given eight processes that start at the same time on one SQLite file, which none of them has created yet.
    path, keys = str(tmp_path / "lab" / "leases.sqlite3"), [build_key(f"learner-{number}") for number in range(40)]
    reading, writing = os.pipe()

    def lab_run():
        os.close(writing)
        os.read(reading, 1)
        store = SQLiteLeaseStore(path, now=lambda: NOW, create=True)
        outcomes = run(store, Service(takes=0.002), keys, concurrency=8)
        return [(outcome.lease.url, outcome.issued) for outcome in outcomes]

    runs = [start_child(lab_run) for _number in range(8)]

    # When they run.
    os.close(writing)
    os.close(reading)
    results = [result() for result in runs]

    # Then all return the same URLs, those that the store holds; and each was issued by exactly one of them.
    leases = SQLiteLeaseStore(path, now=lambda: NOW, create=False).find(SCOPE)
    stored = [leases[key].url for key in keys]
    assert len(leases) == len(set(stored)) == 40
    for result in results:
        assert [url for url, _issued in result] == stored
    assert [sum(result[number][1] for result in results) for number in range(40)] == [1] * 40


class Turns:
    """Lets runs in threads of their own take steps one at a time, in an order that chance decides."""

    def __init__(self, chance):
        self.chance = chance
        self.baton = threading.Condition()
        self.waiting, self.running, self.turn = set(), 0, None

    def start(self, functions):
        self.running = len(functions)
        threads = [threading.Thread(target=self._life, args=(function,)) for function in functions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _life(self, function):
        try:
            function()
        finally:
            with self.baton:
                self.running -= 1
                self._next()

    def step(self):
        """Wait until it is this thread's turn; all others are at a step or at their end then."""
        me = threading.get_ident()
        with self.baton:
            self.waiting.add(me)
            self._next()
            while self.turn != me:
                self.baton.wait()
            self.turn = None
            self.waiting.remove(me)

    def _next(self):
        if self.turn is None and self.waiting and len(self.waiting) == self.running:
            self.turn = self.chance.choice(sorted(self.waiting))
            self.baton.notify_all()


class SteppedStore:
    """A store whose every operation is a step that waits for its turn."""

    def __init__(self, store, turns):
        self.store, self.turns = store, turns

    def read(self, keys):
        self.turns.step()
        return self.store.read(keys)

    def write(self, changes):
        self.turns.step()
        return self.store.write(changes)

    def check(self):
        self.store.check()


def play(chance, policies):
    """Runs with these policies, side by side in a random order of steps, over a store in a random state.

    Returns the store, the outcomes and the number of URLs that were issued.
    """
    store, turns = MemoryStore(), Turns(chance)
    before = chance.choice([None, lease_of(validity=3600, expires=1), lease_of(validity=60), lease_of(url=None)])
    if before:
        store.leases[before.key] = before
    outcomes, services = [None] * len(policies), [Service(policy) for policy in policies]

    def one_run(number):
        outcomes[number] = run(SteppedStore(store, turns), services[number], [build_key()], concurrency=1)[0]

    turns.start([lambda number=number: one_run(number) for number in range(len(policies))])
    return store, outcomes, sum(len(service.asked) for service in services)


NEEDS = [
    HOUR,
    MINUTE,
    build_policy(valid_until=after(1800)),
    build_policy(valid_until=after(7200)),
    build_policy(validity=7200),
]


@pytest.mark.parametrize("seed", range(4))
def test_in_any_order_runs_with_equal_policies_return_the_same_url(seed):
    chance = random.Random(seed)
    for _number in range(250):
        store, outcomes, issued = play(chance, [chance.choice(NEEDS)] * chance.choice([2, 3]))
        assert len(set(urls_of(outcomes))) == 1
        assert store.leases[build_key()] == outcomes[0].lease
        # All of them reuse, or one issued what they return; and none issues twice.
        assert sum(outcome.issued for outcome in outcomes) == (0 if issued == 0 else 1)
        assert issued <= len(outcomes)


@pytest.mark.parametrize("seed", range(4))
def test_in_any_order_runs_with_different_policies_return_urls_good_for_what_each_asked(seed):
    chance = random.Random(seed)
    for _number in range(250):
        policies = [chance.choice(NEEDS) for _number in range(chance.choice([2, 3]))]
        store, outcomes, issued = play(chance, policies)
        # With three runs, nobody is written over more than twice, so there is no conflict.
        for policy, outcome in zip(policies, outcomes, strict=True):
            assert policy.accepts(outcome.lease, NOW)
        assert store.leases[build_key()] in [outcome.lease for outcome in outcomes]
        assert issued <= len(outcomes)
