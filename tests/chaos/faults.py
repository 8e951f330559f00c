# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults that strike at the calls of a class, one at a time and in pairs, and what they cost.

A *case* is one or two strikes. Each case has a fresh service and store, in which some of the class have their URLs
already; a run that is struck; and a run after it, without faults, that must complete the class.

What is lost is counted by its cause:

- *unheard*: the service issued it, and the reply was lost, broke off or was late. Just as many as calls were so struck,
  since CreateStreamingURL of AppStream knows no idempotency token: no client can do better.
- *unremembered*: it was issued while the lease store failed. At most those of calls under way: ``MOST_UNDER_WAY``.
- *with the store*: it was remembered in a store that was then deleted. At most the class.

At Nimble Studio, whose streams are found again by their token, the first two are none.
"""

from __future__ import annotations

import json
import random
import re
import resource
import sqlite3
import subprocess
import textwrap
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from tests.chaos.classes import VALIDITY, Lease, Service, leases, opens, seats, several
from tests.chaos.lab import Lab
from tests.integration.lease_stores import LeaseFile, LeaseTable, Store
from tests.integration.running import Ansible, Task, finish_module, wait_while_running
from tests.simulator.control import Simulator
from tests.tables import Table, number

# A class has so many seats, of which some have their URLs from a run before.
SEATS, RETURNING = 30, 5
CONCURRENCY = 4
MOST_UNDER_WAY = 2 * CONCURRENCY
# In seconds: how long a run waits for a reply where replies may be late, and how late they are.
READ_TIMEOUT, LATE = 1.0, 1.5
HOUR = 3600
LOCKED_SECONDS = 20.0
# Of each call, in seconds, while something is to happen at one of them. And how often it is looked whether it came.
SLOW, LOOK = 0.02, 0.002

# What differs in what two runs say of the same.
DIFFERS = {r'http://[^\s"]+': "ENDPOINT", r"/\S+\.sqlite3": "FILE", r"seat-\d+": "SEAT", r"user id \d+": "user id UID"}

TIMEOUT = "timeout"
# Whose calls are struck: not ours, who delete a table.
COLLECTION = "labstream.aws"

# What strikes calls: rules of the simulator. Codes and statuses are those of AWS's common errors.
OF_CALLS: dict[str, dict[str, Any]] = {
    "throttling": {"error": {"code": "ThrottlingException", "message": "Rate exceeded"}},
    "500": {"error": {"code": "InternalFailure", "message": "The request failed.", "status": 500}},
    "503": {"error": {"code": "ServiceUnavailable", "message": "The service is down.", "status": 503}},
    TIMEOUT: {"latency_seconds": LATE},
    "dropped before the work": {"drop": "before"},
    "dropped after the work": {"drop": "after"},
    "truncated body": {"reply": "truncated"},
    "malformed JSON": {"reply": "malformed"},
    "a proxy's page": {"reply": "page"},
    "expired credentials": {"error": {"code": "ExpiredTokenException", "message": "The security token is expired"}},
}
# Credentials do not come back in mid-run.
LASTING_ONLY = {"expired credentials"}

# What strikes this machine for the whole case: so many seconds its clock is ahead of the service's.
CLOCKS = {"clock an hour ahead": HOUR, "clock an hour behind": -HOUR}
NO_SPACE, LOCKED, DELETED = "file cannot grow", "store locked", "store deleted"
# What strikes the store at a moment, by its kind. A table has no disk of ours.
OF_STORES = {"sqlite": (NO_SPACE, LOCKED, DELETED), "dynamodb": (LOCKED, DELETED)}

# A run of its own settings retries ten times; one whose faults last is not to wait for minutes.
FEW_TRIES = {"retries": {"mode": "adaptive", "total_max_attempts": 2}}
ONE_TRY = {"retries": {"mode": "adaptive", "total_max_attempts": 1}}


@dataclass(frozen=True)
class Strike:
    """A fault, and the call of the class that it strikes at, counted from 0; all from there on if it is ``lasting``."""

    fault: str
    call: int = 0
    lasting: bool = False

    def __str__(self) -> str:
        if self.fault in CLOCKS:
            return self.fault
        return f"{self.fault} {'from call' if self.lasting else 'at call'} {self.call}{' on' if self.lasting else ''}"

    @property
    def title(self) -> str:
        """How a table calls it."""
        return f"{self.fault}, from then on" if self.lasting and self.fault not in LASTING_ONLY else self.fault


Case = tuple[Strike, ...]
PAIR = "pairs of these"
TOO_LATE = " (too late)"
HEADER = ["Fault", "Runs", "Failed", "Have URLs", "Unheard", "Unremembered", "With the store"]


@dataclass(frozen=True)
class Struck:
    """What became of one case: ``seats`` have a URL after the struck run. Some faults may have come ``too_late``."""

    case: Case
    failed: bool
    seats: int
    unheard: int
    unremembered: int
    with_store: int
    said: str
    too_late: bool = False

    @property
    def title(self) -> str:
        """In which row of a table it is counted."""
        title = self.case[0].title if len(self.case) == 1 else PAIR
        return title + TOO_LATE if self.too_late else title


@dataclass(frozen=True)
class Found:
    """What became of a class of one service with one kind of store, in all cases."""

    service: str
    struck: list[Struck]


class Striking:
    """Strikes at the calls of classes of one service, each with a fresh store of one kind."""

    def __init__(
        self,
        lab: Lab,
        service: Service,
        kind: str,
        seed: int,
        *,
        count: int = SEATS,
        returning: int = RETURNING,
        locked_seconds: float = LOCKED_SECONDS,
    ) -> None:
        self.lab = lab
        self.service = service
        self.kind = kind
        self.seed = seed
        self.seats = seats(0, count)
        self.returning = self.seats[:returning]
        self.locked_seconds = locked_seconds

    def calls(self) -> int:
        """How many calls the class makes where nothing strikes."""
        scene = _Scene(self, ())
        scene.play()
        return scene.calls

    def strike(self, case: Case) -> Struck:
        """Play the case. AssertionError, which names seed and case, if something is as it must not be."""
        try:
            return _Scene(self, case).play()
        except Exception as e:
            told = f"seed {self.seed}, {self.service.name}, {self.kind}, {' and '.join(map(str, case))}"
            raise AssertionError(f"{told}: {e if isinstance(e, AssertionError) else repr(e)}") from e


def single_cases(kind: str, calls: int, sample: int, moments: random.Random) -> Iterator[Case]:
    """Every fault alone, at so many of the calls, and from so many on; at all calls if there are no more.

    They strike as far from each other as they can, so that together they come to every call.
    """

    def spread(strikes: int, of: int, shift: float) -> Iterable[int]:
        """One out of each of so many equal parts of the calls, all at the same place of it."""
        strikes = min(strikes, of)
        return (int((part + shift) * of / strikes) for part in range(strikes))

    kinds = [
        (fault, lasting) for fault in OF_CALLS for lasting in (False, True) if lasting or fault not in LASTING_ONLY
    ]
    begin = moments.random()
    for place, (fault, lasting) in enumerate(kinds):
        shift = (begin + place / len(kinds)) % 1
        yield from ((Strike(fault, call, lasting),) for call in spread(sample, calls, shift))
    for fault in CLOCKS:
        yield (Strike(fault),)
    # From the first call on, the store is in use. Few of them: they take long.
    for fault in OF_STORES[kind]:
        few = 1 if fault == LOCKED else 1 + (sample - 1) // 2
        yield from ((Strike(fault, 1 + call),) for call in spread(few, calls - 1, moments.random()))


def pairs(kind: str, calls: int, count: int, moments: random.Random) -> Iterator[Case]:
    """So many pairs of different faults, each at any call but the first; at most one of them lasts, and comes last."""
    of_store = [fault for fault in OF_STORES[kind] if fault != LOCKED]

    for _pair in range(count):
        # The clock is not wrong either way at once.
        faults = moments.sample([*OF_CALLS, *of_store, moments.choice(list(CLOCKS))], 2)
        faults.sort(key=lambda fault: fault in LASTING_ONLY)
        first, last = sorted(moments.sample(range(1, calls), 2))
        lasting = faults[1] in OF_CALLS and (faults[1] in LASTING_ONLY or moments.random() < 0.5)
        yield Strike(faults[0], first), Strike(faults[1], last, lasting)


def found_by(striking: Striking, sample: int, count: int) -> Found:
    """Strike with every fault alone at a sample of the calls, and with so many pairs."""
    moments = random.Random(striking.seed)
    calls = striking.calls()
    cases = [
        *single_cases(striking.kind, calls, sample, moments),
        *pairs(striking.kind, calls, count, moments),
    ]
    return Found(striking.service.name, [striking.strike(case) for case in cases])


def tables_of(found: Sequence[Found]) -> list[Table]:
    """Two tables for each service, of all of its stores: what became of its class, and what the user was told."""
    tables = []
    for service in dict.fromkeys(one.service for one in found):
        of_service = [struck for one in found if one.service == service for struck in one.struck]
        titles = dict.fromkeys(struck.title for struck in of_service)
        last = [*(title for title in titles if title.endswith(TOO_LATE)), PAIR, PAIR + TOO_LATE]
        titles = sorted(titles, key=lambda title: last.index(title) if title in last else -1)
        by_title = {title: [struck for struck in of_service if struck.title == title] for title in titles}
        tables.append(Table(f"faults_{service.lower()}", HEADER, [_row(*item) for item in by_title.items()]))
        said = [[title, _most_said(struck)] for title, struck in by_title.items() if title not in last]
        tables.append(Table(f"said_{service.lower()}", ["Fault", "What the user is told"], said))
    return tables


def _row(title: str, struck: Sequence[Struck]) -> list[str]:
    """The sums, but of the seats that have URLs the least and the most."""
    have = sorted(one.seats for one in struck)
    sums = [
        sum(figures)
        for figures in zip(*((one.unheard, one.unremembered, one.with_store) for one in struck), strict=True)
    ]
    told = f"{have[0]} to {have[-1]}" if have[0] < have[-1] else number(have[0])
    return [title, number(len(struck)), number(sum(one.failed for one in struck)), told, *map(number, sums)]


def _most_said(struck: Sequence[Struck]) -> str:
    """What most of the runs that failed said."""
    sayings = Counter(one.said for one in struck if one.failed)
    return sayings.most_common(1)[0][0] if sayings else "nothing: the run ends well"


class _Scene:
    """One case: the service and the store, and what was true of them before the run that is struck."""

    def __init__(self, striking: Striking, case: Case) -> None:
        self._case = case
        self._striking = striking
        self._service = striking.service
        self._seats = striking.seats
        self._simulator: Simulator = striking.lab.simulator
        self._ansible: Ansible
        self._store: Store
        self._chance = random.Random(f"{striking.seed} {case}")
        self._faults = {strike.fault for strike in case}
        # The service's clock is moved, which is the same for whoever compares.
        self._offset = -sum(CLOCKS.get(fault, 0) for fault in self._faults)
        self._ansible, self._store = striking.lab.fresh(
            self._service, striking.kind, self._seats, clock_offset=self._offset
        )
        self.calls = 0

    def play(self) -> Struck:
        service, simulator = self._service, self._simulator
        before = service.tickets(self._completed(self._striking.returning))

        task, too_late = self._struck_run()
        kept = leases(self._store)
        self._check_told(task, kept, before)
        wrong = service.wrong(simulator, kept, self._offset)

        again = self._completed_again()
        tickets = service.tickets(again)
        dead = [seat for seat, url in service.urls(again).items() if not opens(simulator, url, seat)]
        assert not dead, f"the URLs of {dead} do not open"
        wrong += service.wrong(simulator, leases(self._store), self._offset)
        assert not wrong, f"the leases of {wrong} are wrong"
        twice = several(tickets.values()) + self._changed(task, kept, tickets)
        assert twice == 0, f"{twice} seats share a URL or were given two"
        lost = self._lost(task, set(tickets.values()))
        self._check_later(tickets)
        return Struck(self._case, task.failed, len(kept), *lost, _said(task), too_late)

    # Runs

    def _struck_run(self) -> tuple[Task, bool]:
        """Run the class while the faults strike: what became of it, and whether some fault came too late."""
        simulator, service = self._simulator, self._service
        of_calls = [strike for strike in self._case if strike.fault in OF_CALLS]
        of_stores = sorted(
            (strike for strike in self._case if strike.fault in (NO_SPACE, LOCKED, DELETED)),
            key=lambda strike: strike.call,
        )
        for strike in of_calls:
            times = {} if strike.lasting else {"times": 1}
            simulator.add_fault(**OF_CALLS[strike.fault], user_agent=COLLECTION, skip=strike.call, **times)
        if of_stores:
            simulator.add_fault(latency_seconds=SLOW)
        shows_urls = bool(self._chance.getrandbits(1))
        args = {**self._arguments(self._seats), "return_urls": shows_urls, "aws_config": self._settings(of_calls)}
        calls_before = len(simulator.calls())
        too_late = False
        if of_stores:
            process = self._ansible.start_module(args, module=service.module, verbosity=3)
            try:
                for strike in of_stores:
                    comes = calls_before + strike.call
                    if wait_while_running(process, lambda comes=comes: len(simulator.calls()) >= comes, LOOK):
                        self._strike_store(strike.fault, process)
                    else:
                        too_late = True
                task = finish_module(process)
            finally:
                process.kill()  # which does nothing if it has ended
        else:
            task = self._ansible.call_module(args, module=service.module, verbosity=3)
        too_late |= any(rule["acted"] == 0 for rule in simulator.faults())
        simulator.clear_faults()
        while any(call["finished"] is None for call in simulator.calls()):
            time.sleep(0.05)
        self.calls = len(simulator.calls()) - calls_before
        self._check_printed(task, may_show_urls=shows_urls and not task.failed)
        return task, too_late

    def _settings(self, of_calls: Sequence[Strike]) -> dict[str, Any]:
        """What ``aws_config`` is: by default botocore retries over what passes, and only this shows what lasts."""
        lasting = any(strike.lasting for strike in of_calls)
        late = any(strike.fault == TIMEOUT for strike in of_calls)
        tries = (FEW_TRIES if len(self._case) > 1 else ONE_TRY) if lasting else {}
        return {**tries, **({"read_timeout": READ_TIMEOUT} if late else {})}

    def _strike_store(self, fault: str, process: subprocess.Popen[str]) -> None:
        store = self._store
        if fault == NO_SPACE:
            # No file can get another byte. SQLite needs a journal for each change.
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, 0))
        elif fault == DELETED:
            if isinstance(store, LeaseTable):
                store.client.delete_table(TableName=store.name)
            else:
                store.path.unlink()
        elif isinstance(store, LeaseFile):
            with closing(sqlite3.connect(store.path, timeout=30, isolation_level=None)) as database:
                database.execute("BEGIN EXCLUSIVE")
                self._wait(process)
                database.execute("ROLLBACK")
        else:
            error = {"code": "ProvisionedThroughputExceededException", "message": "Too many requests"}
            self._simulator.add_fault(service="dynamodb", operation="PutItem", error=error)
            self._wait(process)
            self._simulator.clear_faults()  # All of them, which is why no pair has a lock.

    def _wait(self, process: subprocess.Popen[str]) -> None:
        """For as long as a store stays locked, or until the run has ended all the same."""
        try:
            process.wait(self._striking.locked_seconds)
        except subprocess.TimeoutExpired:
            pass

    def _completed(self, of: Sequence[str]) -> Task:
        """A run without faults for these seats, which must end well."""
        task = self._run_again(of)
        assert not task.failed, f"a run without faults failed: {task.msg}"
        assert list(self._service.urls(task)) == list(of), "the class is not complete"
        return task

    def _completed_again(self) -> Task:
        if DELETED in self._faults and isinstance(self._store, LeaseTable):
            refused = self._run_again(self._seats)
            assert refused.failed, "a run without a table ended well"
            assert "labstream.aws.lease_table" in refused.msg, refused.msg
            LeaseTable.create(self._simulator)
        return self._completed(self._seats)

    def _run_again(self, of: Sequence[str]) -> Task:
        return self._ansible.call_module(self._arguments(of), module=self._service.module)

    def _arguments(self, of: Sequence[str]) -> dict[str, Any]:
        return {**self._service.arguments(of, self._store), "concurrency": CONCURRENCY}

    # What must be true

    def _check_printed(self, task: Task, *, may_show_urls: bool) -> None:
        """No traceback, and no URL that was not asked for. That nothing is on stderr, running.py sees to."""
        printed = json.dumps(task.result)
        assert "Traceback" not in printed, "a traceback"
        assert not task.failed or "\n" not in task.msg, f"more than a sentence: {task.msg}"
        secrets = [part for url in self._simulator.streaming_urls() for part in (url, url.partition("=")[2])]
        # Half of one is what half of a reply tells.
        leaked = [secret for secret in secrets if secret[: len(secret) // 2] in printed]
        assert may_show_urls or not leaked, "a URL was printed"

    def _check_told(self, task: Task, kept: Mapping[str, Lease], before: Mapping[str, str | None]) -> None:
        """What the run says of its seats is so, and those who had URLs have them still."""
        if DELETED in self._faults:
            return
        gone = [seat for seat, ticket in before.items() if seat not in kept or kept[seat].ticket != ticket]
        assert not gone, f"the leases of {gone} were lost"
        told = {failure.get("user_id", failure.get("session_id")) for failure in task.result["failures"]}
        none_was_served = task.failed and not told
        unsaid = [] if none_was_served else [seat for seat in self._seats if seat not in {*told, *kept}]
        assert not unsaid, f"nothing is remembered of {unsaid}, and nobody was told"

    def _changed(self, task: Task, kept: Mapping[str, Lease], tickets: Mapping[str, str | None]) -> int:
        """How many seats have another URL now than the struck run stored or, if it ended well, returned."""
        if DELETED in self._faults:
            return 0
        returned = {} if task.failed else self._service.tickets(task)
        then = [*((seat, lease.ticket) for seat, lease in kept.items()), *returned.items()]
        return len({seat for seat, ticket in then if ticket not in (None, tickets[seat])})

    def _lost(self, task: Task, given: set[str | None]) -> tuple[int, int, int]:
        """How many were issued that nobody has: unheard, unremembered, with the store. AssertionError for any else."""
        service, simulator = self._service, self._simulator
        lost = len(set(service.issued(simulator)) - given)
        unheard, rest = 0, lost
        if not service.finds_again:
            timeout = READ_TIMEOUT if TIMEOUT in self._faults else None
            unheard = sum(_is_unheard(call, timeout) for call in simulator.calls(service.issues))
            rest = lost - unheard
        if DELETED in self._faults:
            most = len(self._seats)
        else:
            store_failed = any(failure["code"] == "LeaseStoreError" for failure in task.result["failures"])
            most = MOST_UNDER_WAY if store_failed and not service.finds_again else 0
        assert 0 <= rest <= most, f"{lost} URLs were lost; the replies of {unheard} were, and {most} more may be"
        return (unheard, 0, rest) if DELETED in self._faults else (unheard, rest, 0)

    def _check_later(self, tickets: Mapping[str, str | None]) -> None:
        """By a wrong clock, no dead URL is handed out once the service's time is up."""
        if not self._offset:
            return
        self._offset += VALIDITY + 1
        self._simulator.set(clock_offset_seconds=self._offset)
        later = self._completed(self._seats)
        reused = [seat for seat, ticket in self._service.tickets(later).items() if ticket == tickets[seat]]
        assert not reused, f"{reused} were given URLs that had expired"
        dead = [seat for seat, url in self._service.urls(later).items() if not opens(self._simulator, url, seat)]
        assert not dead, f"the URLs of {dead} do not open"
        assert not self._service.wrong(self._simulator, leases(self._store), self._offset)


def _is_unheard(call: Mapping[str, Any], timeout: float | None) -> bool:
    """Whether the service did what the call asked, but a run that waits so long cannot have heard of it."""
    is_late = timeout is not None and call["finished"] - call["started"] > timeout
    return call["done"] and (call["status"] is None or "reply" in call["faults"] or is_late)


def _said(task: Task) -> str:
    """What the user sees, in short: of a class the first reason, without what differs from run to run."""
    if not task.failed:
        return ""
    failures = task.result["failures"]
    said = f"N of {task.result['summary']['requested']}: {failures[0]['message']}" if failures else task.msg
    for pattern, name in DIFFERS.items():
        said = re.sub(pattern, name, said)
    return textwrap.shorten(said, 200, placeholder=" ...")
