# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults that begin at a call of a run, one at a time and in pairs, and what they may cost.

A *scenario* has one or two faults, and a fresh service and store, in which some of the holders have their URLs already.
A run meets the faults; a run after it, without faults, must complete. What may be lost:

- What the service issued in a reply that was lost, truncated or late, since CreateStreamingURL knows no idempotency
  token: no client can do better.
- What was issued while the lease store failed: at most the calls in flight, ``MAX_IN_FLIGHT``.
- What was stored in a store that was then deleted.

At Nimble Studio and GameLift Streams, where it is found again by its token, the first two are none.
"""

from __future__ import annotations

import json
import random
import resource
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.integration.lease_stores import LeaseFile, LeaseTable, Store
from tests.integration.running import Ansible, Task, finish_module, wait_while_running
from tests.stress.lab import Lab
from tests.stress.services import VALIDITY, Service, StoredLease, get_holders, get_leases

HOLDERS, RETURNING = 30, 5
CONCURRENCY = 4
MAX_IN_FLIGHT = 2 * CONCURRENCY
READ_TIMEOUT, LATE = 1.0, 1.5
HOUR = 3600
LOCKED_SECONDS = 20.0
SLOW, POLL_SECONDS = 0.02, 0.002

TIMEOUT = "timeout"
COLLECTION = "labstream.aws"

CALL_FAULTS: dict[str, dict[str, Any]] = {
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
LASTING_ONLY = {"expired credentials"}

CLOCKS = {"clock an hour ahead": HOUR, "clock an hour behind": -HOUR}
NO_SPACE, LOCKED, DELETED = "file cannot grow", "store locked", "store deleted"
STORE_FAULTS = {"sqlite": (NO_SPACE, LOCKED, DELETED), "dynamodb": (LOCKED, DELETED)}

ALL_FAULTS = [
    *((kind, lasting) for kind in CALL_FAULTS for lasting in (False, True) if lasting or kind not in LASTING_ONLY),
    *((kind, False) for kind in CLOCKS),
]

FEW_TRIES = {"retries": {"mode": "adaptive", "total_max_attempts": 2}}
ONE_TRY = {"retries": {"mode": "adaptive", "total_max_attempts": 1}}


class Fault(NamedTuple):
    """A fault, and the call of the run at which it begins, counted from 0; ``lasting`` if it never ends."""

    kind: str
    call: int = 0
    lasting: bool = False


Faults = tuple[Fault, ...]


class Result(NamedTuple):
    """Whether the run with the faults failed, and whether some fault came too late for it."""

    failed: bool
    too_late: bool


@dataclass(frozen=True)
class Scenarios:
    """Scenarios of one service, each with a fresh store of one kind."""

    lab: Lab
    service: Service
    store: str
    seed: int
    holders: int = HOLDERS
    returning: int = RETURNING
    locked_seconds: float = LOCKED_SECONDS

    def count_calls(self) -> int:
        """Return how many calls a run makes without faults."""
        scenario = _Scenario(self, ())
        scenario.play()
        return scenario.calls

    def play(self, faults: Faults) -> Result:
        """Play a scenario; AssertionError, which names seed and faults, if anything is not as it must be."""
        try:
            return _Scenario(self, faults).play()
        except Exception as e:
            what = f"seed {self.seed}, {self.service.name}, {self.store}, {', '.join(map(repr, faults))}"
            raise AssertionError(f"{what}: {e if isinstance(e, AssertionError) else repr(e)}") from e


def spread(kind: str, lasting: bool, calls: int, count: int, chance: random.Random) -> Iterator[Faults]:
    """Yield the fault once in each of ``count`` equal parts of the calls; the first call needs no store."""
    if kind in CLOCKS:
        yield (Fault(kind),)
        return
    shift = chance.random()
    for part in range(count):
        yield (Fault(kind, 1 + int((part + shift) * (calls - 1) / count), lasting),)


def build_pairs(store: str, calls: int, count: int, chance: random.Random) -> Iterator[Faults]:
    """Yield pairs of different faults at any calls but the first; at most one of them lasts, and comes last."""
    of_store = [kind for kind in STORE_FAULTS[store] if kind != LOCKED]
    for _pair in range(count):
        # The clock is wrong in one direction.
        kinds = chance.sample([*CALL_FAULTS, *of_store, chance.choice(list(CLOCKS))], 2)
        kinds.sort(key=lambda kind: kind in LASTING_ONLY)
        first, last = sorted(chance.sample(range(1, calls), 2))
        lasting = kinds[1] in CALL_FAULTS and (kinds[1] in LASTING_ONLY or chance.random() < 0.5)
        yield Fault(kinds[0], first), Fault(kinds[1], last, lasting)


class _Scenario:
    """One scenario: its service and store, and what was true of them before the run with the faults."""

    def __init__(self, scenarios: Scenarios, faults: Faults) -> None:
        self._faults = faults
        self._kinds = {fault.kind for fault in faults}
        self._scenarios = scenarios
        self._service = scenarios.service
        self._simulator = scenarios.lab.simulator
        self._holders = get_holders(0, scenarios.holders)
        self._chance = random.Random(f"{scenarios.seed} {faults}")
        # The service's clock is moved, which is the same for whoever compares.
        self._offset = -sum(CLOCKS.get(kind, 0) for kind in self._kinds)
        self._ansible: Ansible
        self._store: Store
        self._ansible, self._store = scenarios.lab.fresh(
            self._service, scenarios.store, self._holders, clock_offset=self._offset
        )
        self.calls = 0

    def play(self) -> Result:
        service, simulator = self._service, self._simulator
        before = service.grants(self._complete(self._holders[: self._scenarios.returning]))

        task, too_late = self._run_with_faults()
        stored = get_leases(self._store)
        self._check_result(task, stored, before)
        wrong = service.find_wrong(simulator, stored, self._offset)

        again = self._complete_again()
        grants = service.grants(again)
        wrong += service.find_wrong(simulator, get_leases(self._store), self._offset)
        assert not wrong, f"the leases of {wrong} are wrong"
        shared = len(grants) - len(set(grants.values()))
        assert not shared, f"{shared} holders share a URL"
        changed = self._find_changed(task, stored, grants)
        assert not changed, f"{changed} have two URLs"
        self._check_lost(task, set(grants.values()))
        self._check_later(grants)
        return Result(task.failed, too_late)

    # Runs

    def _run_with_faults(self) -> tuple[Task, bool]:
        """Run while the faults happen; return the result, and whether some fault came too late."""
        simulator, service = self._simulator, self._service
        of_calls = [fault for fault in self._faults if fault.kind in CALL_FAULTS]
        of_stores = sorted(
            (fault for fault in self._faults if fault.kind in (NO_SPACE, LOCKED, DELETED)),
            key=lambda fault: fault.call,
        )
        for fault in of_calls:
            times = {} if fault.lasting else {"times": 1}
            simulator.add_fault(**CALL_FAULTS[fault.kind], user_agent=COLLECTION, skip=fault.call, **times)
        if of_stores:
            simulator.add_fault(latency_seconds=SLOW)
        shows_urls = bool(self._chance.getrandbits(1))
        args = {**self._arguments(self._holders), "return_urls": shows_urls, "aws_config": self._aws_config(of_calls)}
        calls_before = len(simulator.calls())
        too_late = False
        if of_stores:
            process = self._ansible.start_module(args, module=service.module, verbosity=3)
            try:
                for fault in of_stores:
                    begin = calls_before + fault.call
                    if wait_while_running(process, lambda begin=begin: len(simulator.calls()) >= begin, POLL_SECONDS):
                        self._break_store(fault.kind, process)
                    else:
                        too_late = True
                task = finish_module(process)
            finally:
                process.kill()  # does nothing if the process has ended
        else:
            task = self._ansible.call_module(args, module=service.module, verbosity=3)
        too_late |= any(rule["acted"] == 0 for rule in simulator.faults())
        simulator.clear_faults()
        while any(call["finished"] is None for call in simulator.calls()):
            time.sleep(0.05)
        self.calls = len(simulator.calls()) - calls_before
        self._check_printed(task, may_show_urls=shows_urls and not task.failed)
        return task, too_late

    def _aws_config(self, of_calls: Sequence[Fault]) -> dict[str, Any]:
        """Return ``aws_config``: few tries, since by default botocore retries longer than a test may take."""
        lasting = any(fault.lasting for fault in of_calls)
        late = any(fault.kind == TIMEOUT for fault in of_calls)
        tries = (FEW_TRIES if len(self._faults) > 1 else ONE_TRY) if lasting else {}
        return {**tries, **({"read_timeout": READ_TIMEOUT} if late else {})}

    def _break_store(self, kind: str, process: subprocess.Popen[str]) -> None:
        store = self._store
        if kind == NO_SPACE:
            # No file can grow. SQLite needs a journal for each change.
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, 0))
        elif kind == DELETED:
            if isinstance(store, LeaseTable):
                store.client.delete_table(TableName=store.name)
            else:
                assert isinstance(store, LeaseFile)
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
            self._simulator.clear_faults()  # all of them, which is why no pair has a lock

    def _wait(self, process: subprocess.Popen[str]) -> None:
        """Wait as long as a store stays locked, or until the run has ended."""
        try:
            process.wait(self._scenarios.locked_seconds)
        except subprocess.TimeoutExpired:
            pass

    def _complete(self, holders: Sequence[str]) -> Task:
        """Run without faults for these holders, and check that all have URLs that open."""
        task = self._run(holders)
        assert not task.failed, f"a run without faults failed: {task.msg}"
        urls = self._service.urls(task)
        assert list(urls) == list(holders), "not every holder has a URL"
        dead = [holder for holder, url in urls.items() if not self._service.opens(self._simulator, url, holder)]
        assert not dead, f"the URLs of {dead} do not open"
        return task

    def _complete_again(self) -> Task:
        if DELETED in self._kinds and isinstance(self._store, LeaseTable):
            rejected = self._run(self._holders)
            assert rejected.failed, "a run without a table succeeded"
            assert "labstream.aws.lease_table" in rejected.msg, rejected.msg
            LeaseTable.create(self._simulator)
        return self._complete(self._holders)

    def _run(self, holders: Sequence[str]) -> Task:
        return self._ansible.call_module(self._arguments(holders), module=self._service.module)

    def _arguments(self, holders: Sequence[str]) -> dict[str, Any]:
        return {**self._service.arguments(holders, self._store), "concurrency": CONCURRENCY}

    # What must be true

    def _check_printed(self, task: Task, *, may_show_urls: bool) -> None:
        """Check for tracebacks, and for URLs unless they were asked for; running.py checks that stderr is empty."""
        printed = json.dumps(task.result)
        assert "Traceback" not in printed, "a traceback"
        assert not task.failed or "\n" not in task.msg, f"more than one line: {task.msg}"
        secrets = [part for url in self._simulator.streaming_urls() for part in (url, url.partition("=")[2])]
        # A truncated reply has half of a URL.
        leaked = [secret for secret in secrets if secret[: len(secret) // 2] in printed]
        assert may_show_urls or not leaked, "a URL was printed"

    def _check_result(self, task: Task, stored: Mapping[str, StoredLease], before: Mapping[str, str | None]) -> None:
        """Check that no lease was lost, and that every holder without one is among the failures."""
        if DELETED in self._kinds:
            return
        gone = [holder for holder, grant in before.items() if holder not in stored or stored[holder].grant != grant]
        assert not gone, f"the leases of {gone} were lost"
        failed = {failure[self._service.holder] for failure in task.result["failures"]}
        failed_as_a_whole = task.failed and not failed
        missing = [] if failed_as_a_whole else [each for each in self._holders if each not in {*failed, *stored}]
        assert not missing, f"nothing is stored for {missing}, and nothing was reported"

    def _find_changed(
        self, task: Task, stored: Mapping[str, StoredLease], grants: Mapping[str, str | None]
    ) -> set[str]:
        """Return who has another URL now than the run with the faults stored or, if it succeeded, returned."""
        if DELETED in self._kinds:
            return set()
        returned = {} if task.failed else self._service.grants(task)
        then = [*((holder, lease.grant) for holder, lease in stored.items()), *returned.items()]
        return {holder for holder, grant in then if grant not in (None, grants[holder])}

    def _check_lost(self, task: Task, returned: set[str | None]) -> None:
        """Check that no more was issued in vain than the faults explain."""
        service, simulator = self._service, self._simulator
        lost = len(set(service.issued(simulator)) - returned)
        unheard = 0
        if not service.finds_again:
            timeout = READ_TIMEOUT if TIMEOUT in self._kinds else None
            unheard = sum(_is_unheard(call, timeout) for call in simulator.calls(service.issues))
        if DELETED in self._kinds:
            more = len(self._holders)
        else:
            store_failed = any(failure["code"] == "LeaseStoreError" for failure in task.result["failures"])
            more = MAX_IN_FLIGHT if store_failed and not service.finds_again else 0
        assert unheard <= lost <= unheard + more, (
            f"{lost} URLs were lost; the replies with {unheard} were lost, and {more} more are allowed"
        )

    def _check_later(self, grants: Mapping[str, str | None]) -> None:
        """Check that with a wrong clock no URL is reused that has expired by the service's clock."""
        if not self._offset:
            return
        self._offset += VALIDITY + 1
        self._simulator.set(clock_offset_seconds=self._offset)
        later = self._complete(self._holders)
        reused = [holder for holder, grant in self._service.grants(later).items() if grant == grants[holder]]
        assert not reused, f"{reused} were given URLs that had expired"
        assert not self._service.find_wrong(self._simulator, get_leases(self._store), self._offset)


def _is_unheard(call: Mapping[str, Any], timeout: float | None) -> bool:
    """Return whether the service did what the call asked, but the run cannot have heard of it."""
    is_late = timeout is not None and call["finished"] - call["started"] > timeout
    return call["done"] and (call["status"] is None or "reply" in call["faults"] or is_late)
