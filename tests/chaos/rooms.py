# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rooms, what is done in them side by side, and the tables of what they find."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any, NamedTuple

from tests.chaos import at_once, faults, killed
from tests.chaos.classes import SERVICES
from tests.chaos.lab import Lab
from tests.tables import Table

# What is done, and the tables of what it finds.
ROOMS: dict[str, Callable[[list[Any]], list[Table]]] = {
    "at-once": lambda rows: [at_once.table_of(rows)],
    "kills": lambda rows: [killed.table_of(rows)],
    "faults": faults.tables_of,
}


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


def find(part: Part, sizes: Sizes, seed: int) -> Any:
    """What is found in it; AssertionError at the first thing that must not be."""
    service = SERVICES[part.service]
    with Lab.started() as lab:
        if part.room == "at-once":
            return at_once.row_of(lab, service, part.store, sizes.learners)
        if part.room == "kills":
            return killed.row_of(lab, service, part.store, sizes.kills, seed)
        return faults.found_by(faults.Striking(lab, service, part.store, seed), sizes.calls, sizes.pairs)


def found_in(parts: Sequence[Part], sizes: Sizes, seed: int, jobs: int) -> dict[str, list[Any]]:
    """Do all parts, so many side by side, and print the tables of a room once they are whole.

    At the first thing that must not be, no other part is begun.

    Returns:
        What was found in each room, in the order of the parts.
    """
    rooms = {room: [part for part in parts if part.room == room] for room in ROOMS}
    found: dict[Part, Any] = {}
    # Threads, since all that takes long is done by processes; and those end with this one, however it ends.
    pool = ThreadPoolExecutor(jobs)
    try:
        futures = {pool.submit(find, part, sizes, seed): part for part in parts}
        for future in as_completed(futures):
            part = futures[future]
            found[part] = future.result()
            print(f"{', '.join(part)}: nothing that must not be", flush=True)
            if found.keys() >= set(rooms[part.room]):
                for table in ROOMS[part.room]([found[each] for each in rooms[part.room]]):
                    print(f"\n{table.name}\n\n{table}", flush=True)
    finally:
        pool.shutdown(cancel_futures=True)
    return {room: [found[part] for part in of_room] for room, of_room in rooms.items()}
