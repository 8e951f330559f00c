# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all rooms find, as rows and as tables."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.chaos import at_once, faults, killed
from tests.chaos.classes import SERVICES
from tests.chaos.lab import Lab
from tests.tables import Table

ROOMS = ("at-once", "kills", "faults")


class Part(NamedTuple):
    """What is done in a lab of its own: a room, for one service with one kind of store."""

    room: str
    service: str
    store: str


@dataclass(frozen=True)
class Sizes:
    """How much of everything, for each service with each store."""

    learners: int
    kills: int
    calls: int
    pairs: int


@dataclass(frozen=True)
class Report:
    """What was found, by room."""

    at_once: list[at_once.Row] = field(default_factory=list)
    killed: list[killed.Row] = field(default_factory=list)
    faults: list[faults.Found] = field(default_factory=list)

    def tables(self, room: str) -> list[Table]:
        """Those of a room."""
        if room == "at-once":
            return [at_once.table_of(self.at_once)]
        return [killed.table_of(self.killed)] if room == "kills" else faults.tables_of(self.faults)


def find(part: Part, sizes: Sizes, seed: int) -> Any:
    """What a report holds of it; AssertionError at the first thing that must not be."""
    service = SERVICES[part.service]
    with Lab.started() as lab:
        if part.room == "at-once":
            return at_once.row_of(lab, service, part.store, sizes.learners)
        if part.room == "kills":
            return killed.row_of(lab, service, part.store, sizes.kills, seed)
        return faults.found_by(faults.Striking(lab, service, part.store, seed), sizes.calls, sizes.pairs)


def report_of(parts: Sequence[Part], sizes: Sizes, seed: int, jobs: int) -> Report:
    """Do all parts, so many side by side, and print the tables of a room once they are whole.

    At the first thing that must not be, no other part is begun.
    """
    report = Report()
    of_room: dict[str, list[Any]] = {"at-once": report.at_once, "kills": report.killed, "faults": report.faults}
    found: dict[Part, Any] = {}
    # Threads, since all that takes long is done by processes; and those end with this one, however it ends.
    pool = ThreadPoolExecutor(jobs)
    try:
        futures = {pool.submit(find, part, sizes, seed): part for part in parts}
        for future in as_completed(futures):
            room = futures[future].room
            found[futures[future]] = future.result()
            print(f"{', '.join(futures[future])}: nothing that must not be", flush=True)
            of_this_room = [part for part in parts if part.room == room]
            if found.keys() >= set(of_this_room):
                of_room[room] += [found[part] for part in of_this_room]
                for table in report.tables(room):
                    print(f"\n{table.name}\n\n{table}", flush=True)
    finally:
        pool.shutdown(cancel_futures=True)
    return report
