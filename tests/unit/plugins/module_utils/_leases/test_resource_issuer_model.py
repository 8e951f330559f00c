# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The protocol of intents in thousands of random schedules: runs race, are killed, lose replies, force and forget.

A schedule takes one step of one run at a time. The steps are those of the real code; store, service and clock are in
memory. A schedule is known by its number: one that breaks a rule is printed, and can be played again.
"""

from __future__ import annotations

import dataclasses
import random
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import LabstreamError
from ansible_collections.labstream.aws.plugins.module_utils._leases import resource_issuer as intents
from ansible_collections.labstream.aws.plugins.module_utils._leases.lease import ResourceGrant
from ansible_collections.labstream.aws.plugins.module_utils._leases.resource_issuer import MAX_ATTEMPTS, ResourceIssuer
from ansible_collections.labstream.aws.plugins.module_utils._leases.reuse import ReusePolicy
from ansible_collections.labstream.aws.plugins.module_utils._leases.scheduler import Call, Poll
from ansible_collections.labstream.aws.plugins.module_utils._nimble.states import READY

from tests.unit.plugins.module_utils._leases.fake_studio import NEVER, UNLIMITED, Clock, Studio
from tests.unit.plugins.module_utils.support import MemoryStore, build_key

KEY = build_key("session-anna")
# In seconds. All that happens in a schedule takes less than a stream is good for, unless the clock jumps.
VALIDITY, OTHER_VALIDITY, MIN_REMAINING = 3600, 1800, 360
WAIT_TIMEOUT = 120
SHORT_WINDOW = 10
PAUSE = 5

ENDS = [("DELETED", "STREAM_DELETED"), ("CREATE_FAILED", "INTERNAL_ERROR"), ("DELETE_IN_PROGRESS", None), (None, None)]


class Violation(Exception):
    """A schedule has broken a rule."""


@dataclass
class Rules:
    """What may happen in a schedule besides races."""

    window: float
    tells_expiry: bool = True
    kills: bool = False
    lost_replies: bool = False
    forces: bool = False
    other_options: bool = False
    forgets: bool = False
    deaths: bool = False
    jumps: bool = False
    hangs: bool = False
    time_passes: bool = True

    @classmethod
    def by(cls, chance):
        """Chance decides; now and then all is quiet, so that the strictest rules are tried too."""
        flags = ("forces", "other_options", "forgets", "deaths", "jumps", "hangs")
        quiet = chance.random() < 0.3
        return cls(
            window=chance.choice([0, SHORT_WINDOW, UNLIMITED]),
            tells_expiry=chance.random() < 0.8,
            kills=chance.random() < 0.6,
            lost_replies=chance.random() < 0.6,
            **{flag: not quiet and chance.random() < 0.4 for flag in flags},
        )

    @property
    def all_alike(self):
        """Whether all runs ask for the same, and nobody forgets."""
        return not (self.forces or self.other_options or self.forgets)

    @property
    def streams_live(self):
        return not (self.deaths or self.jumps)


class World:
    """A store, a service, and what has happened."""

    def __init__(self, chance, clock, rules, store):
        self.chance, self.clock, self.rules, self.store = chance, clock, rules, store
        ready_after = chance.choice([0, 0, 3, 20, NEVER] if rules.hangs else [0, 0, 3, 20])
        self.studio = Studio(clock, window=rules.window, ready_after=ready_after, tells_expiry=rules.tells_expiry)
        self.log = []
        # When, in entries of the log, an intent with this token was stored, and when somebody's forgetting was done.
        self.stored = {}
        self.forgettings = []
        self.runs = []

    def note(self, who, *what):
        self.log.append((who, *what))
        return len(self.log)

    def must(self, holds, rule):
        if not holds:
            raise Violation("\n".join([rule, repr(self.rules), *map(repr, self.log)]))

    def returned_before(self, when):
        """The streams that were returned by then."""
        return {run.stream_id for run in self.runs if run.stream_id and run.ended <= when}

    def token_of(self, stream_id):
        return self.studio.created[stream_id][1].client_token

    def check_store(self):
        lease = self.store.leases.get(KEY)
        if not lease or lease.released_at:
            return
        for when in self.forgettings:
            self.must(
                lease.resource_id not in self.returned_before(when),
                "A stream that was returned before a forgetting is stored again.",
            )
            self.must(self.stored[lease.client_token] > when, "What was stored before a forgetting is stored again.")


@dataclass(eq=False)
class Run:
    """A run of the module for one session, which takes one step at a time."""

    world: World
    name: str
    validity: int = VALIDITY
    force: bool = False
    wait: bool = True
    check_mode: bool = False
    is_alone: bool = False
    # When, in entries of the log.
    began: int = 0
    ended: int = 0
    killed: bool = False
    outcome: object = None
    # What it did: the tokens that it stored, how often it had a stream created, what it saw last and when, and for the
    # last lease that it was to remember, whether it did and what it found.
    tokens: set = field(default_factory=set)
    creates: int = 0
    last_look: tuple = ()
    remembered: bool = False
    found: object = None
    _steps: object = None
    _command: object = None
    _reply: tuple = ()

    @property
    def need(self):
        return ReusePolicy(VALIDITY, validity=self.validity, min_remaining=MIN_REMAINING)

    @property
    def is_over(self):
        return self.killed or self.outcome is not None

    @property
    def stream_id(self):
        """The stream that this run has returned, if it has."""
        return self.outcome.lease.resource_id if self.outcome and self.outcome.lease else None

    def kill(self):
        self.killed = True
        self.world.note(self.name, "killed")

    def step(self):
        if self._steps is None:
            self._begin()
        elif isinstance(self._command, (Call, Poll)):
            self._take_call()
        else:
            self._resume(self._write())

    def _begin(self):
        world = self.world
        options = ("validity", "force", "wait", "check_mode")
        self.began = world.note(self.name, "begins", {option: getattr(self, option) for option in options})
        issuer = ResourceIssuer(
            store=world.store,
            service=self,
            now=world.clock.now,
            policy=self.need,
            concurrency=1,
            wait=self.wait,
            wait_timeout=WAIT_TIMEOUT,
            force=self.force,
        )
        self._steps = intents._Run(issuer, KEY, world.store.read([KEY]).get(KEY)).steps(self.check_mode)
        self._resume(None)

    def _resume(self, reply, error=None):
        try:
            self._command = self._steps.send(reply) if error is None else self._steps.throw(error)
        except StopIteration as e:
            self.outcome = e.value
            self.ended = self.world.note(self.name, "ends", self.stream_id, self.outcome.issued, self.outcome.failure)
        else:
            if isinstance(self._command, Call) and self._command.function.func.__name__ == "create":
                self.creates += 1

    def _write(self):
        command, world = self._command, self.world
        [existing] = world.store.write([command])
        won = existing is not None and existing.lease_id == command.record.lease_id
        when = world.note(
            self.name, type(command).__name__, won, command.record.client_token, command.record.resource_id
        )
        if not command.record.is_pending:
            self.remembered, self.found = won, existing
        elif won:
            self.tokens.add(command.record.client_token)
            world.stored.setdefault(command.record.client_token, when)
        world.check_store()
        return existing

    def _take_call(self):
        """The service works; its reply arrives at a later step, or is lost, and then the call is made again."""
        if self._reply:
            (reply, error), self._reply = self._reply, ()
            self._resume(reply, error)
            return
        if isinstance(self._command, Poll):
            self.world.clock.sleep(PAUSE)
        try:
            self._reply = (self._command.function(), None)
        except LabstreamError as e:
            self._reply = (None, e)
        if self.world.rules.lost_replies and self.world.chance.random() < 0.1:
            self._reply = ()

    # As the service of this run:

    def create(self, key, client_token):
        return self._looked("create", self.world.studio.create(key.holder, client_token, self.validity))

    def look_up(self, key, stream_id):
        return self._looked("look_up", self.world.studio.look_up(key.holder, stream_id))

    def check(self, key):
        pass

    token_error_code = "ValidationException"

    def describe(self, key, stream_id):
        return f"Stream {stream_id!r}"

    def _looked(self, call, stream):
        now = self.world.clock.now()
        self.world.note(self.name, call, stream and (stream.stream_id, stream.state), f"at {now:%H:%M:%S}")
        self.last_look = (stream, now)
        return stream


@dataclass(eq=False)
class Forgetting:
    """A run with state=absent."""

    world: World
    name: str
    purge: bool
    killed: bool = False
    is_over: bool = False
    _read: bool = False
    _touched: bool = False

    def kill(self):
        self.killed = self.is_over = True

    def step(self):
        world = self.world
        if not self._read:
            existing = world.store.read([KEY]).get(KEY)
            self._read, self._touched = True, bool(existing and (self.purge or not existing.released_at))
            return
        self.is_over = True
        if self._touched:
            (world.store.purge if self.purge else world.store.release)([KEY])
            world.forgettings.append(world.note(self.name, "forgets", f"{self.purge=}"))
            world.check_store()


def check_run(world, run):
    """The rules that hold for what every run does, whatever happens around it."""
    must, outcome = world.must, run.outcome
    must(len(run.tokens) <= 1, "A run stores one intent at most.")
    # Since it tries so often, and a try has one call to create at most.
    must(run.creates <= MAX_ATTEMPTS, "A run creates as often as it tries, at most.")
    must(run.creates <= 2 or not run.is_alone, "A run that is alone creates twice at most.")
    must(not run.check_mode or not (run.tokens or run.creates or run.found), "Check mode creates and writes nothing.")
    if run.stream_id is None:
        told = outcome and outcome.failure and outcome.failure.code
        must(not told or told in ("NotReady", "LeaseConflict"), "A run fails for want of a good stream, or of peace.")
        return
    stream, looked = run.last_look
    must(stream is not None and stream.stream_id == run.stream_id, "What is returned was looked at last.")
    must(outcome.resource == stream, "The outcome has the service's last word.")
    must(stream.state == READY or (not run.wait and stream.is_in_progress), "What is returned is not dead.")
    must(outcome.lease.validity == run.validity, "What is returned was created for the time that was asked for.")
    remaining = ((stream.expires_at or outcome.lease.expires) - looked).total_seconds()
    is_fresh = outcome.lease.client_token in run.tokens
    must(is_fresh or remaining >= MIN_REMAINING, "What is returned is good for what was asked, or as new as can be.")
    for when in world.forgettings:
        if when < run.began:
            must(run.stream_id not in world.returned_before(when), "Nothing that was forgotten is returned.")
            must(world.stored[world.token_of(run.stream_id)] > when, "Nor what comes of an intent from before.")
    if run.force:
        must(outcome.issued, "What a forced run returns is issued.")
        must(run.stream_id not in world.returned_before(run.began), "What a forced run returns is new.")
    if outcome.issued and not run.remembered:
        found, now = run.found, world.clock.now()
        is_promising = found and not found.released_at and found.expires > now and found.validity == run.validity
        if is_promising and not found.is_pending:
            is_promising = run.need.accepts(found, now)
        must(is_fresh or not run.is_alone, "A run issues what it began.")
        must(run.force or not is_promising, "A run issues what is not remembered only if nothing better is.")
    elif outcome.issued:
        others = [other for other in world.runs if other.stream_id == run.stream_id and other.outcome.issued]
        must([other for other in others if other.remembered] == [run], "One run remembers a stream and issues it.")


def check_all(world):
    """The rules that hold for all runs together that ask alike, while their streams live and nobody forgets."""
    must, rules, good = world.must, world.rules, [run for run in world.runs if run.stream_id]
    if not rules.all_alike or not rules.streams_live:
        return
    existing = world.store.leases.get(KEY)
    must(
        {run.stream_id for run in good} <= {existing and existing.resource_id},
        "All return the same stream, which is stored.",
    )
    must(all(run.creates <= 1 for run in world.runs), "Each creates once at most.")
    must(sum(run.outcome.issued for run in good) <= 1, "One of them issues it, at most.")
    if not rules.hangs:
        must(not any(run.outcome and run.outcome.failure for run in world.runs), "None of them fails.")
    if rules.window == UNLIMITED:
        must(len(world.studio.streams) <= 1, "However often runs are killed, there is one stream.")
        must(len(world.studio.streams) == 1 or not good, "And it is there when a run ends well.")


def let_something_happen(world):
    """Time passes, a little or, if it may, much; or a stream ends."""
    chance, rules, streams = world.chance, world.rules, world.studio.streams
    if rules.jumps and chance.random() < 0.3:
        seconds = chance.choice([60, 1500, 3200, 3600, 7200])
    else:
        seconds = chance.choice([1, 2, 8])
    world.clock.sleep(seconds)
    world.note("clock", seconds)
    if rules.deaths and streams and chance.random() < 0.5:
        stream_id, end = chance.choice(streams), chance.choice(ENDS)
        world.studio.end(stream_id, *end)
        world.note(stream_id, "ends as", end)


def new_run(world, name):
    chance, rules = world.chance, world.rules
    if rules.forgets and chance.random() < 0.3:
        return Forgetting(world, name, purge=chance.random() < 0.5)
    return Run(
        world,
        name,
        validity=OTHER_VALIDITY if rules.other_options and chance.random() < 0.4 else VALIDITY,
        force=rules.forces and chance.random() < 0.4,
        wait=chance.random() < 0.7,
        check_mode=chance.random() < 0.1,
    )


def take_steps(world, *runs):
    """Take the steps of these runs in any order, until all are over."""
    chance, rules, going = world.chance, world.rules, list(runs)
    world.runs.extend(run for run in runs if isinstance(run, Run))
    while going:
        run = chance.choice(going)
        if rules.kills and chance.random() < 0.05:
            run.kill()
        elif rules.time_passes and chance.random() < 0.05:
            let_something_happen(world)
        else:
            run.step()
        if run.is_over:
            going.remove(run)
            if isinstance(run, Run):
                run.is_alone = len(runs) == 1
                check_run(world, run)


def play(number, clock, store):
    """Play the schedule of that number.

    Raises:
        Violation: A rule was broken.
    """
    chance = random.Random(number)
    world = World(chance, clock, Rules.by(chance), store)
    # Two to four runs side by side, then some one after the other.
    take_steps(world, *(new_run(world, name) for name in "abcd"[: chance.randint(2, 4)]))
    for name in "efgh"[: chance.randint(0, 4)]:
        take_steps(world, new_run(world, name))
    check_all(world)
    check_end(world)
    return world


def check_end(world):
    """The rules that hold whatever has happened, once nothing goes wrong any more."""
    world.studio.ready_after = 0
    world.rules = dataclasses.replace(world.rules, kills=False, time_passes=False)
    predicted, run, again = Run(world, "predicted", check_mode=True), Run(world, "last"), Run(world, "again")
    for each in (predicted, run, again):
        take_steps(world, each)
    world.must(run.stream_id, "A run ends well.")
    world.must(predicted.outcome.issued == run.outcome.issued, "It ends as predicted.")
    world.must(again.stream_id == run.stream_id and not again.outcome.issued, "The next run returns the same.")
    world.must(not again.tokens and not again.creates, "And changes nothing.")


SCHEDULES = 2000
PARTS = 6


@pytest.fixture
def clock(monkeypatch):
    """The clock of all schedules, which is the one that waiting goes by too."""
    clock = Clock()
    monkeypatch.setattr(intents, "time", clock)
    return clock


@pytest.mark.parametrize("part", range(PARTS))
def test_in_all_schedules_all_rules_hold(clock, part):
    for number in range(part, SCHEDULES, PARTS):
        try:
            play(number, clock, MemoryStore(clock.now))
        except Exception as e:
            pytest.fail(f"Schedule {number}: {type(e).__name__}: {e}")


# What is a little simpler breaks a rule, and the model finds out.


class RevivingStore(MemoryStore):
    """Remembers a stream also when its intent was forgotten meanwhile."""

    def replace(self, lease, *, expected):
        return self.compare_and_set(lease, expected=expected)


class LateStore(MemoryStore):
    """Remembers whichever stream comes last."""

    def replace(self, lease, *, expected):
        self.leases[lease.key] = lease
        return lease


class DerivedToken(intents._Run):
    """Uses a token that follows from what is stored, instead of a random one."""

    def _begin(self):
        begin = super()._begin()
        write = begin.send(None)
        token = f"after {self._record.resource_id if self._record else None}"
        existing = yield dataclasses.replace(
            write, record=dataclasses.replace(write.record, grant=ResourceGrant(token))
        )
        with suppress(StopIteration):
            begin.send(existing)


class NoAdoption(intents._Run):
    """Uses an intent only if it has stored it itself."""

    def _usable_record(self):
        record = super()._usable_record()
        return record if record and (self._is_own or not record.is_pending) else None


class BlindTrust(intents._Run):
    """Returns what is stored, whatever the service says of it."""

    def _problem(self, lease):
        return None


class LateForce(intents._Run):
    """Takes up what another run has just begun, though it is forced."""

    def _begin(self):
        yield from super()._begin()
        self._is_own = True


class NoWinner(intents._Run):
    """Returns the stream that it has created, though another is stored."""

    def _create(self, intent):
        lease, issued = yield from super()._create(intent)
        return lease or intent.with_resource(self._resource.stream_id, self._resource.expires_at), issued or not lease


class ManyIntents(intents._Run):
    """Begins anew as often as its own streams are dead."""

    _has_begun = property(lambda self: False, lambda self, value: None)


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        (RevivingStore, "A stream that was returned before a forgetting is stored again."),
        (LateStore, "One run remembers a stream and issues it."),
        (DerivedToken, "What was stored before a forgetting is stored again."),
        (NoAdoption, "However often runs are killed, there is one stream."),
        (BlindTrust, "What is returned is not dead."),
        (LateForce, "What a forced run returns is issued."),
        (NoWinner, "A run issues what is not remembered only if nothing better is."),
        (ManyIntents, "A run stores one intent at most."),
    ],
)
def test_what_is_simpler_breaks_a_rule(clock, monkeypatch, wrong, rule):
    store = wrong if issubclass(wrong, MemoryStore) else MemoryStore
    if issubclass(wrong, intents._Run):
        monkeypatch.setattr(intents, "_Run", wrong)
    broken = set()
    for number in range(SCHEDULES):
        try:
            play(number, clock, store(clock.now))
        except Violation as e:
            broken.add(str(e).partition("\n")[0])
        if rule in broken:
            return
    pytest.fail(f"In {SCHEDULES} schedules, only these were broken: {broken}")
