# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The protocol of pending leases as a state machine: runs race, are killed, lose replies, force, release and purge.

Each run is the real ResourceIssuer in a thread of its own, which stops before every call to the store or the service,
until a rule lets it go on. So one thread runs at a time, in an order that hypothesis chooses and can repeat.
"""

from __future__ import annotations

import threading
from datetime import timedelta
from unittest import mock

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._leases import resource_issuer, scheduler
from ansible_collections.labstream.aws.plugins.module_utils._leases.resource_issuer import MAX_ATTEMPTS, ResourceIssuer
from ansible_collections.labstream.aws.plugins.module_utils._leases.reuse import ReusePolicy
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.strategies import MANY
from tests.unit.plugins.module_utils._leases.fake_studio import NEVER, UNLIMITED, Clock, Studio, StudioCalls
from tests.unit.plugins.module_utils.support import MemoryStore, build_key

KEY = build_key("session-anna")
# In seconds. Unless the clock jumps, everything in a schedule takes less time than a stream is valid.
VALIDITY, OTHER_VALIDITY, MIN_REMAINING = 3600, 1800, 360
WAIT_TIMEOUT = 120
SHORT_WINDOW = 10
MAX_ACTIVE = 4
PATIENCE = 30

ENDS = [("DELETED", "STREAM_DELETED"), ("CREATE_FAILED", "INTERNAL_ERROR"), ("DELETE_IN_PROGRESS", None), (None, None)]
# What may happen in a schedule besides races. The strictest rules hold where little may.
FEATURES = [
    {"kills", "lost replies"},
    {"kills", "lost replies", "hangs"},
    {"forces"},
    {"forces", "kills", "lost replies", "deaths"},
    {"forces", "other options", "jumps"},
    {"other options", "kills", "lost replies"},
    {"releases"},
    {"releases", "kills", "lost replies", "forces"},
    {"deaths", "jumps", "hangs"},
    {"slow creates", "kills", "lost replies"},
    {"kills", "lost replies", "forces", "other options", "releases", "deaths", "jumps", "hangs"},
]
OPTIONS = [
    {},
    {"wait": False},
    {"force": True},
    {"validity": OTHER_VALIDITY},
    {"validity": OTHER_VALIDITY, "force": True, "wait": False},
    {"check_mode": True},
    {"recover": True},
]


class Killed(BaseException):
    """The run was killed."""


class Run:
    """One run for one session, which is also the store that its ResourceIssuer is given, and around its service."""

    def __init__(self, machine, *, validity=VALIDITY, force=False, wait=True, check_mode=False, **options):
        self.machine, self.validity, self.force, self.check_mode = machine, validity, force, check_mode
        self.options = options
        self.policy = ReusePolicy(VALIDITY, validity=validity, min_remaining=MIN_REMAINING)
        self.wait = wait
        # Indexes in the log.
        self.began = len(machine.log)
        self.ended = 0
        self.is_over = self.killed = False
        self.is_alone = not machine.active
        self.outcome = self.error = None
        self.service, self.directory = machine.new_service(self)
        self.token_error_code = self.service.token_error_code
        # What it did: the tokens that it stored, how often it had a stream created, what the service said last and
        # when, and for its last lease of a stream, whether that was stored, or what the store held instead.
        self.tokens = set()
        self.creates = 0
        self.last_reply = ()
        self.stored = False
        self.found = None
        self._loses_reply = False
        self._may_go_on, self._stopped = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._main, daemon=True)
        self._thread.start()

    @property
    def stream_id(self):
        """The stream that this run has returned, if any."""
        return self.outcome.lease.resource_id if self.outcome and self.outcome.lease else None

    def kill(self):
        """Let it end where it has stopped."""
        self.killed = True
        self.go_on()

    def go_on(self, *, loses_reply=False):
        """Let it go on to its next call or its end, perhaps without the reply to the call where it has stopped."""
        self._loses_reply = loses_reply
        self._may_go_on.release()
        assert self._stopped.acquire(timeout=PATIENCE), "the run hangs"
        if self.error:
            raise self.error

    def _main(self):
        self._may_go_on.acquire()
        machine = self.machine
        try:
            issuer = ResourceIssuer(
                store=self,
                service=self,
                now=machine.clock.now,
                policy=self.policy,
                concurrency=1,
                wait=self.wait,
                wait_timeout=WAIT_TIMEOUT,
                force=self.force,
                directory=self.directory,
            )
            existing = machine.store.read([KEY])
            outcomes = issuer.run([KEY], existing, self.check_mode)
            if not self.killed:  # in a call to the service, which is a failure of this session only
                [self.outcome] = outcomes
        except Killed:
            pass
        except BaseException as e:
            self.error = e
        self.is_over = True
        self.ended = machine.note(self, "ends", self.stream_id, self.outcome and self.outcome.failure)
        self._stopped.release()

    def _stop(self):
        if not self.killed:
            self._stopped.release()
            self._may_go_on.acquire()
        if self.killed:
            raise Killed

    # The store

    def check(self, *_key):
        """The store can be written, and a stream could be created."""

    def write(self, changes):
        self._stop()
        [change] = changes
        machine, lease = self.machine, change.record
        results = machine.store.write(changes)
        won = results[0] is not None and results[0].lease_id == lease.lease_id
        index = machine.note(self, "writes", lease.client_token, lease.resource_id, won)
        if not lease.is_pending:
            self.stored, self.found = won, results[0]
        elif won:
            self.tokens.add(lease.client_token)
            machine.stored_at.setdefault(lease.client_token, index)
        return results

    # The service

    def describe(self, key, resource_id):
        return self.service.describe(key, resource_id)

    def create(self, pending):
        self.creates += 1
        return self.noted(self.service.create(pending))

    def look_up(self, key, resource_id):
        return self.noted(self.service.look_up(key, resource_id))

    def noted(self, resource):
        self.last_reply = (resource, self.machine.clock.now())
        return resource

    def call(self, name, function):
        """Call the service, after another stop; if the reply is lost, call it again."""
        self._stop()
        while True:
            reply = function()
            self.machine.note(self, name)
            if not self._loses_reply:
                return reply
            self._stop()


class StoppingStudio:
    """A studio as a run asks it."""

    def __init__(self, run):
        self._run, self._studio = run, run.machine.service

    def create(self, *arguments):
        return self._run.call("create", lambda: self._studio.create(*arguments))

    def look_up(self, *arguments):
        return self._run.call("look_up", lambda: self._studio.look_up(*arguments))


class Schedules(RuleBasedStateMachine):
    """A store, a service, and runs in any order."""

    new_store = MemoryStore
    feature_sets = FEATURES
    # How a resource may end.
    ends = ENDS

    def build_service(self, window, ready_after, returns_expiry):
        """Return what has the resources."""
        return Studio(self.clock, window=window, ready_after=ready_after, returns_expiry=returns_expiry)

    def new_service(self, run):
        """Return the service of a run, and its directory if it has one."""
        return StudioCalls(StoppingStudio(run), run.validity), None

    def get_resources(self):
        """Return the ids of all resources that were created."""
        return self.service.streams

    def get_token(self, resource_id):
        """Return the token that a resource was created with."""
        return self.service.created[resource_id][1].client_token

    def let_be_ready(self):
        """Let new resources be ready at once."""
        self.service.ready_after = 0

    def end_released(self, lease):
        """End what a lease is of that was released."""

    @initialize(
        window=st.sampled_from([0, SHORT_WINDOW, UNLIMITED]),
        ready_after=st.sampled_from([0, 3, 20, NEVER]),
        returns_expiry=st.booleans(),
        features=st.runner().flatmap(lambda machine: st.sampled_from(machine.feature_sets)),
        first=st.sampled_from(OPTIONS),
        second=st.sampled_from(OPTIONS),
    )
    def begin(self, window, ready_after, returns_expiry, features, first, second):
        self.features, self.window = features, window
        ready_after = 20 if ready_after == NEVER and "hangs" not in features else ready_after
        self.clock = Clock()
        self.store = self.new_store(self.clock.now)
        returns_expiry = returns_expiry or "slow creates" in features
        self.service = self.build_service(window, ready_after, returns_expiry)
        self.log, self.runs, self.active, self.reading = [], [], [], []
        # Where in the log a pending lease with this token was stored, and where something was released.
        self.stored_at, self.releases = {}, []
        self._patches = [mock.patch.object(module, "time", self.clock) for module in (resource_issuer, scheduler)]
        for patch in self._patches:
            patch.start()
        self.run_begins(first)
        self.run_begins(second)

    def note(self, who, *what):
        self.log.append((who, *what))
        return len(self.log)

    def start(self, **options):
        run = Run(self, **options)
        for other in self.active:
            other.is_alone = False
        self.runs.append(run)
        self.active.append(run)
        return run

    def take_step(self, run, **options):
        run.go_on(**options)
        if run.is_over:
            self.active.remove(run)
            self.check_run(run)

    def finish(self, run):
        while not run.is_over:
            self.take_step(run)
        return run

    # What can happen

    @precondition(lambda self: len(self.active) < MAX_ACTIVE)
    @rule(options=st.sampled_from(OPTIONS))
    def run_begins(self, options):
        needs = {"force": "forces", "validity": "other options", "recover": "losses"}
        self.start(**{name: value for name, value in options.items() if needs.get(name, "") in {"", *self.features}})

    @precondition(lambda self: self.active)
    @rule(number=st.integers(0, MAX_ACTIVE - 1), steps=st.integers(1, 4))
    def run_goes_on(self, number, steps):
        run = self.active[number % len(self.active)]
        for _step in range(steps):
            if not run.is_over:
                self.take_step(run)

    @precondition(lambda self: self.active and "lost replies" in self.features)
    @rule(number=st.integers(0, MAX_ACTIVE - 1))
    def reply_is_lost(self, number):
        self.take_step(self.active[number % len(self.active)], loses_reply=True)

    @precondition(lambda self: self.active and "kills" in self.features)
    @rule(number=st.integers(0, MAX_ACTIVE - 1))
    def run_is_killed(self, number):
        run = self.active.pop(number % len(self.active))
        run.kill()
        self.check_run(run)

    @precondition(lambda self: "releases" in self.features)
    @rule(purge=st.booleans())
    def release_begins(self, purge):
        existing = self.store.read([KEY]).get(KEY)
        if existing and (purge or not existing.released_at):
            self.reading.append((existing, purge))

    @precondition(lambda self: self.reading)
    @rule(is_killed=st.booleans())
    def release_ends(self, is_killed):
        read, purge = self.reading.pop()
        existing = self.store.read([KEY]).get(KEY)
        self.store.release([read])
        purge = purge and not is_killed
        if not is_killed:
            self.end_released(read)
        if purge:
            self.store.purge([read])
        # What a run has stored meanwhile is not released: it comes after.
        if existing and existing.lease_id == read.lease_id:
            self.releases.append(self.note("somebody", "purges" if purge else "releases"))

    @rule(seconds=st.sampled_from([1, 2, 8, 60, 1500, 3200, 3600, 7200]))
    def time_passes(self, seconds):
        self.clock.sleep(seconds if "jumps" in self.features else min(seconds, 8))

    @precondition(lambda self: "slow creates" in self.features and self.store.leases and not self.get_resources())
    @rule()
    def create_takes_longer_than_streams_are_valid(self):
        """Nothing was created yet, or its time would be over."""
        if self.clock.passed < 4 * VALIDITY:
            self.clock.sleep(VALIDITY + 1)

    @precondition(lambda self: "deaths" in self.features and self.get_resources())
    @rule(number=st.integers(0, 9), end=st.integers(0, 9))
    def stream_ends(self, number, end):
        resources = self.get_resources()
        self.service.end(resources[number % len(resources)], *self.ends[end % len(self.ends)])

    # What must be true

    def returned_before(self, index):
        return {run.stream_id for run in self.runs if run.stream_id and run.ended <= index}

    @invariant()
    def nothing_released_is_stored_again(self):
        lease = self.store.leases.get(KEY)
        if not lease or lease.released_at:
            return
        for index in self.releases:
            assert lease.resource_id not in self.returned_before(index), "A stream returned before a release is stored."
            assert self.stored_at[lease.client_token] > index, "A token stored before a release is stored again."

    def check_run(self, run):
        """What holds for every run, whatever happens around it."""
        outcome, policy = run.outcome, run.policy
        assert len(run.tokens) <= 1, "A run stores one pending lease at most."
        assert run.creates <= MAX_ATTEMPTS, "A run creates once in each attempt, at most."
        assert run.creates <= 2 or not run.is_alone, "A run that is alone creates twice at most."
        assert not run.check_mode or not (run.tokens or run.creates or run.found), "Check mode only reads."
        if run.stream_id is None:
            code = outcome and outcome.failure and outcome.failure.code
            assert code in (None, "NotReady", "LeaseConflict"), "A run fails only for these reasons."
            return
        stream, seen = run.last_reply
        assert stream is not None, "What is returned exists."
        assert stream.resource_id == run.stream_id, "What is returned was looked up last."
        assert outcome.resource == stream, "The outcome has the latest description."
        assert not stream.is_dead, "What is returned is not dead."
        assert not (run.wait and stream.is_in_progress), "What is waited for is ready."
        assert outcome.lease.validity == run.validity, "What is returned was created for the requested time."
        remaining = ((stream.expires_at or outcome.lease.expires) - seen).total_seconds()
        is_fresh = outcome.lease.client_token in run.tokens
        assert is_fresh or remaining >= MIN_REMAINING, "What is returned is valid as long as requested, or new."
        for index in self.releases:
            if index < run.began:
                token = self.get_token(run.stream_id)
                assert run.stream_id not in self.returned_before(index), "Nothing released is returned."
                assert self.stored_at[token] > index, "Nothing of a token from before a release is returned."
        if run.force:
            assert outcome.issued, "What a forced run returns is issued."
            assert run.stream_id not in self.returned_before(run.began), "What a forced run returns is new."
        if outcome.issued and not run.stored:
            found, now = run.found, self.clock.now()
            is_better = found and not found.released_at and found.expires > now and found.validity == run.validity
            if is_better and not found.is_pending:
                is_better = policy.accepts(found, now)
            assert is_fresh or not run.is_alone, "A run issues what it began."
            assert run.force or not is_better, "A run issues what is not stored only if nothing better is."
        elif outcome.issued and "losses" not in self.features:
            same = [other for other in self.runs if other.stream_id == run.stream_id and other.outcome.issued]
            assert [other for other in same if other.stored] == [run], "One run stores a stream and issues it."

    def check_all(self):
        """What holds for all runs that ask for the same, while streams live and nobody releases."""
        if self.features & {"forces", "other options", "releases", "deaths", "jumps", "losses", "uses"}:
            return
        good, lease = [run for run in self.runs if run.stream_id], self.store.leases.get(KEY)
        assert {run.stream_id for run in good} <= {lease and lease.resource_id}, "All return the stream that is stored."
        assert all(run.creates <= 1 for run in self.runs), "Each creates once at most."
        assert sum(run.outcome.issued for run in good) <= 1, "One of them issues it, at most."
        if "hangs" not in self.features:
            assert not any(run.outcome and run.outcome.failure for run in self.runs), "None of them fails."
        if self.window == UNLIMITED:
            assert len(self.get_resources()) <= 1, "However often runs are killed, there is one stream."

    def check_end(self):
        """What holds whatever has happened, once nothing goes wrong any more."""
        self.let_be_ready()
        predicted = self.finish(self.start(check_mode=True))
        run, again = self.finish(self.start()), self.finish(self.start())
        assert run.stream_id, "A run succeeds."
        assert predicted.outcome.issued == run.outcome.issued, "Check mode predicts it."
        assert again.stream_id == run.stream_id, "The next run returns the same."
        assert (again.outcome.issued, again.tokens, again.creates) == (False, set(), 0), "And changes nothing."

    def teardown(self):
        if not hasattr(self, "runs"):
            return
        try:
            while self.active:
                self.finish(self.active[0])
            self.check_all()
            self.check_end()
        finally:
            for run in self.active:
                run.kill()
            for patch in self._patches:
                patch.stop()


SETTINGS = settings(
    max_examples=5000 if MANY else 100,
    stateful_step_count=40,
    derandomize=not MANY,
    phases=[Phase.generate, Phase.shrink] if MANY else [Phase.generate],
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def test_in_all_schedules_all_rules_hold():
    run_state_machine_as_test(Schedules, settings=SETTINGS)


class RevivingStore(MemoryStore):
    """Stores a stream also if its pending lease was released meanwhile."""

    def replace(self, record, *, expected):
        return self.compare_and_set(record, expected=expected)


class LateStore(MemoryStore):
    """Stores whichever stream comes last."""

    def replace(self, record, *, expected):
        self.leases[record.key] = record
        return record


@pytest.mark.parametrize("store", [RevivingStore, LateStore])
def test_a_store_that_does_not_compare_breaks_a_rule(store):
    """Otherwise these tests could not fail."""
    broken = type("Broken", (Schedules,), {"new_store": store})

    with pytest.raises(AssertionError):
        run_state_machine_as_test(broken, settings=settings(SETTINGS, max_examples=3000))


def test_a_pending_lease_that_ends_with_its_stream_breaks_a_rule(monkeypatch):
    monkeypatch.setattr(resource_issuer, "PENDING_LIFETIME", timedelta(seconds=VALIDITY))

    slow = [features for features in Schedules.feature_sets if "slow creates" in features]
    machine = type("SlowCreates", (Schedules,), {"feature_sets": slow})

    with pytest.raises(AssertionError):
        run_state_machine_as_test(machine, settings=settings(SETTINGS, max_examples=3000))
