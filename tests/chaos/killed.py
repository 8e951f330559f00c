# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that are killed by SIGKILL at random moments, and then repeated."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.chaos.classes import Service, existing, opens, seats
from tests.chaos.lab import Lab
from tests.integration.lease_stores import Store
from tests.integration.running import Ansible, wait_while_running
from tests.simulator.control import Simulator
from tests.tables import Table, number

# Each class has so many seats, of which some were in the class before and have their URLs.
SEATS, RETURNING = 40, 10
NEW = SEATS - RETURNING
CONCURRENCY = 4
# Of each call that issues or writes, in seconds.
LATENCY = 0.01
# So long a process takes at least until its first call.
STARTING = 0.4
# So many URLs a run may have issued, but not yet remembered: those of the calls that are made or wait for a thread.
# Nimble Studio's streams are found again by the intents that were stored before.
MOST_LOST = 2 * CONCURRENCY
# So many kills over one store, since it takes the longer to look into a store, the more it holds.
KILLS_PER_STORE = 10
# Enough for the classes of so many kills, and for those that ended before they could be killed.
MOST_SEATS = NEW * (KILLS_PER_STORE * 5)


@dataclass(frozen=True)
class Kill:
    """One killed run: when, in seconds after it was started, and what was then true of its class.

    ``held`` new seats had their lease; ``lost`` URLs had been issued, but nobody has them.
    """

    when: float
    existing: int
    lost: int


@dataclass(frozen=True)
class Row:
    """All killed runs of one service with one kind of store. ``in_the_middle`` had stored some of their leases."""

    service: str
    store: str
    kills: int
    first: float
    last: float
    in_the_middle: int
    lost: int
    most_lost: int


class Killing:
    """Kills run after run, each of another class, over one store.

    Args:
        service: What the classes are of.
        simulator: Has all that ``MOST_SEATS`` seats need.
        ansible: Runs the module.
        store: Holds nothing.
        seed: The moments follow from it, as far as they are not a matter of the machine.
    """

    def __init__(self, service: Service, simulator: Simulator, ansible: Ansible, store: Store, seed: int) -> None:
        self._service = service
        self._simulator = simulator
        self._ansible = ansible
        self._store = store
        self._seed = seed
        self._random = random.Random(seed)
        self._classes = 0
        for operation in (service.issues, "PutItem"):
            simulator.add_fault(operation=operation, latency_seconds=LATENCY)
        # Those who return in the first class have been there before.
        self._run_to_the_end(self._next_class())

    def kills(self, count: int) -> Iterator[Kill]:
        """Kill so many runs at moments that are spread over all that a run does, and repeat each.

        AssertionError, which names the seed, if the store lost or changed a lease, is damaged, or holds a URL that does
        not open; if the repeated run does not complete the class with all that was stored; or if more than MOST_LOST
        URLs were lost, or any where the service finds them again.
        """
        for index in range(count):
            kill = None
            while kill is None:
                urls = int((index + self._random.random()) / count * (NEW + 1))
                try:
                    kill = self._killed_after(urls)
                except AssertionError as e:
                    raise AssertionError(f"seed {self._seed}, {self._service.name}, {self._store.url}: {e}") from e
            yield kill

    def _killed_after(self, urls: int) -> Kill | None:
        """Kill a run a moment after so many URLs were issued, and repeat it; None if it had ended by itself."""
        of_class, before = self._next_class(), existing(self._store)
        issued_before = self._issued()
        started = time.monotonic()
        process = self._ansible.start_module(self._arguments(of_class), module=self._service.module)
        try:
            wait_while_running(process, lambda: self._issued() >= issued_before + urls, LATENCY / 2)
            time.sleep(self._random.uniform(0, 2 * LATENCY if urls else STARTING))
        finally:
            process.send_signal(signal.SIGKILL)
        when = time.monotonic() - started
        output = process.communicate()
        assert process.returncode in (0, -signal.SIGKILL), output

        kept = existing(self._store)
        gone = [seat for seat in before if kept.get(seat) != before[seat]]
        assert not gone, f"the store lost or changed the leases of {gone}"
        handed_out = self._run_to_the_end(of_class)
        again = [seat for seat in of_class if seat in kept and handed_out[seat] != kept[seat]]
        assert not again, f"the repeated run did not reuse the leases of {again}"
        assert existing(self._store) == {**kept, **handed_out}, "the store holds something else than was handed out"
        lost = self._issued() - issued_before - NEW
        most = 0 if self._service.finds_again else MOST_LOST
        assert 0 <= lost <= most, f"{lost} URLs were issued that nobody got, of {most} that may be"
        if process.returncode == 0:
            return None
        return Kill(when, len(kept.keys() & set(of_class)) - RETURNING, lost)

    def _run_to_the_end(self, of_class: list[str]) -> dict[str, str | None]:
        """Have a run complete the class: the tickets, all of whose URLs open."""
        task = self._ansible.call_module(self._arguments(of_class), module=self._service.module)
        assert not task.failed, task.msg
        urls = self._service.urls(task)
        assert list(urls) == of_class, "the class is not complete"
        dead = [seat for seat, url in urls.items() if not opens(self._simulator, url, seat)]
        assert not dead, f"the URLs of {dead} do not open"
        return self._service.tickets(task)

    def _next_class(self) -> list[str]:
        self._classes += 1
        return seats((self._classes - 1) * NEW, SEATS)

    def _arguments(self, of_class: list[str]) -> dict[str, Any]:
        return {**self._service.arguments(of_class, self._store), "concurrency": CONCURRENCY}

    def _issued(self) -> int:
        return len(self._service.issued(self._simulator))


def row_of(lab: Lab, service: Service, kind: str, count: int, seed: int) -> Row:
    """Kill so many runs, over stores of that kind."""
    kills: list[Kill] = []
    while len(kills) < count:
        ansible, store = lab.fresh(service, kind, seats(0, MOST_SEATS))
        killing = Killing(service, lab.simulator, ansible, store, seed)
        kills += killing.kills(min(KILLS_PER_STORE, count - len(kills)))
        seed += 1
    moments = [kill.when for kill in kills]
    return Row(
        service=service.name,
        store=kind,
        kills=count,
        first=min(moments),
        last=max(moments),
        in_the_middle=sum(0 < kill.existing < NEW for kill in kills),
        lost=sum(kill.lost for kill in kills),
        most_lost=max(kill.lost for kill in kills),
    )


def table_of(rows: Sequence[Row]) -> Table:
    """The rows, as they are printed."""
    header = ["Service, store", "Killed", "After s", "In the middle", "URLs lost", "Most in a run"]
    return Table(
        "kills",
        header,
        [
            [
                f"{row.service}, {row.store}",
                number(row.kills),
                f"{row.first:.2f} to {row.last:.2f}",
                *map(number, [row.in_the_middle, row.lost, row.most_lost]),
            ]
            for row in rows
        ],
    )
