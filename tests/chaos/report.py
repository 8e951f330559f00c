# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all rooms find, as rows: ``make chaos`` prints them, and pages may be written of them."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from tests.chaos import at_once, faults, killed
from tests.chaos.classes import SERVICES
from tests.chaos.lab import Lab

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
    faults: list[faults.Table] = field(default_factory=list)


def find(part: Part, sizes: Sizes, seed: int) -> Any:
    """The row, or of faults the table; AssertionError at the first thing that must not be."""
    service = SERVICES[part.service]
    with Lab.started() as lab:
        if part.room == "at-once":
            return at_once.row_of(lab, service, part.store, sizes.learners)
        if part.room == "kills":
            return killed.row_of(lab, service, part.store, sizes.kills, seed)
        return faults.table_of(faults.Striking(lab, service, part.store, seed), sizes.calls, sizes.pairs)


def found_in(parts: Sequence[Part], sizes: Sizes, seed: int, jobs: int) -> Iterator[Any]:
    """What was found in each part, in their order; so many are done side by side."""
    if jobs == 1:
        yield from map(partial(find, sizes=sizes, seed=seed), parts)
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(partial(find, sizes=sizes, seed=seed), parts)


def report_of(parts: Sequence[Part], sizes: Sizes, seed: int, jobs: int) -> Report:
    """Do all parts, and print each table once it is whole."""
    report, found = Report(), found_in(parts, sizes, seed, jobs)
    of_room: dict[str, list[Any]] = {"at-once": report.at_once, "kills": report.killed, "faults": report.faults}
    left = [part.room for part in parts]
    for part, rows in zip(parts, found, strict=True):
        of_room[part.room].append(rows)
        left.remove(part.room)
        if part.room == "faults":
            faults.print_table(rows)
        elif part.room not in left:
            (at_once if part.room == "at-once" else killed).print_rows(of_room[part.room])
    return report
