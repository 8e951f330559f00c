# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs at once, each a process, that give one class its URLs out of one lease store."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.chaos.classes import Service, existing, seats
from tests.chaos.lab import Lab
from tests.integration.lease_stores import Store
from tests.integration.running import Ansible, finish_module
from tests.simulator.control import Simulator
from tests.tables import Table, number

RUNS = 8


@dataclass(frozen=True)
class Row:
    """How it went: seconds for all runs, what the service issued, and how much of that was handed out as new."""

    service: str
    store: str
    runs: int
    seats: int
    issued: int
    remembered: int
    seconds: float


def run_at_once(
    service: Service, simulator: Simulator, ansible: Ansible, store: Store, count: int, runs: int
) -> tuple[int, int, float]:
    """Have so many runs serve ``count`` seats that have no lease yet: how many were issued and remembered, and seconds.

    AssertionError unless every run ends well, all hand each seat the same URL, and the store holds just these; and
    unless the service issued just these, where it finds them again.
    """
    before = len(service.issued(simulator))
    args = service.arguments(seats(0, count), store)
    begun = time.monotonic()
    processes = [ansible.start_module(args, module=service.module) for _run in range(runs)]
    try:
        tasks = [finish_module(process) for process in processes]
    finally:
        for process in processes:
            process.kill()  # which does nothing to those that have ended
    seconds = time.monotonic() - begun

    failed = [task.msg for task in tasks if task.failed]
    assert not failed, failed
    kept = existing(store)
    assert len(kept) == count, f"the store holds {len(kept)} leases of {count} seats"
    differing = [number for number, task in enumerate(tasks) if service.tickets(task) != kept]
    assert not differing, f"runs {differing} handed out something else than the store holds"
    urls = [service.urls(task) for task in tasks]
    assert all(one == urls[0] for one in urls), "runs handed out different URLs"
    remembered = sum(task.result["summary"]["issued"] for task in tasks)
    assert remembered == count, f"{remembered} leases of {count} seats were called new"
    issued = len(service.issued(simulator)) - before
    assert issued == count or not service.finds_again, f"{issued} streams were created for {count} seats"
    return issued, remembered, seconds


def row_of(lab: Lab, service: Service, kind: str, count: int) -> Row:
    """Have them serve so many seats out of a store of that kind."""
    ansible, store = lab.fresh(service, kind, seats(0, count))
    issued, remembered, seconds = run_at_once(service, lab.simulator, ansible, store, count, RUNS)
    return Row(service.name, kind, RUNS, count, issued, remembered, seconds)


def table_of(rows: Sequence[Row]) -> Table:
    """The rows, as they are printed."""
    header = ["Service, store", "Runs", "Seats", "Issued", "Remembered", "Seconds"]
    cells = [
        [f"{row.service}, {row.store}", *map(number, (row.runs, row.seats, row.issued, row.remembered, row.seconds))]
        for row in rows
    ]
    return Table("at_once", header, cells)
