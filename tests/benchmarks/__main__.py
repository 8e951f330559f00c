# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast the collection is, and how much memory it takes, beside what people would use instead.

``make bench`` runs this: real processes against the simulator. It prints tables and judges the goals, but never fails
for their sake. The guide "Figures" says how each table is measured.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from tests.benchmarks import handouts, issuing, machine, reusing, streams, throttling
from tests.benchmarks.goals import Goal, table_of_goals
from tests.benchmarks.measuring import NEWEST, OLDEST, Bench
from tests.benchmarks.sizes import FULL, SMALL, Sizes
from tests.simulator.control import Simulator
from tests.tables import Table, write

ROOMS = {room.__name__.rpartition(".")[2]: room for room in (issuing, reusing, throttling, handouts, streams)}
# Those that have goals.
JUDGED = ("issuing", "reusing", "throttling", "handouts")
# Tables about all rooms.
OF_ALL = ("goals", "machine")


def measure(bench: Bench, rooms: Iterable[str], sizes: Sizes) -> tuple[list[Table], list[Goal]]:
    """The tables and goals of these rooms. Each table is printed once it is there."""
    tables, goals = [], []
    for name in rooms:
        found, reached = ROOMS[name].measure(bench, sizes)
        for table in () if sizes.goals_only else found:
            print(f"\n{table.name}\n\n{table}", flush=True)
        tables += found
        goals += reached
    return tables, goals


def report(benches: Sequence[Bench], rooms: Sequence[str], sizes: Sizes) -> list[Table]:
    """All tables, with the goals and the machine. After the first environment, the others are only judged."""
    judged, goals_only = [name for name in rooms if name in JUDGED], replace(sizes, goals_only=True)
    found, taken = [], []
    for bench in benches:
        before = machine.ticks()
        found.append(measure(bench, judged, goals_only) if found else measure(bench, rooms, sizes))
        taken.append(machine.taken_since(before))
    (tables, goals), *others = found
    beside = [goal for _tables, reached in others for goal in reached]
    last = [table_of_goals(goals, beside)] if goals else []
    last.append(machine.table([bench.environment for bench in benches], taken))
    for table in last:
        print(f"\n{table.name}\n\n{table}")
    return [*tables, *last]


def of_rooms(tables: Iterable[Table], rooms: Iterable[str]) -> list[Table]:
    """Those tables that tell all they should if these rooms were measured."""
    is_all = set(rooms) == set(ROOMS)
    return [table for table in tables if is_all or table.name not in OF_ALL]


def main() -> None:
    """Run the benchmarks."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", choices=ROOMS, action="append", help="by default, each")
    parser.add_argument("--small", action="store_true", help="only try whether it works; the figures mean nothing")
    parser.add_argument("--without-oldest", action="store_true", help="leave the oldest supported versions out")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the tables into this page, too")
    arguments = parser.parse_args()
    if arguments.write and (arguments.small or arguments.without_oldest):
        parser.error("--write replaces what was measured in full: leave out --small and --without-oldest.")
    rooms = arguments.only or list(ROOMS)
    environments = [NEWEST] if arguments.small or arguments.without_oldest else [NEWEST, OLDEST]
    with Simulator.start() as simulator, tempfile.TemporaryDirectory() as folder:
        benches = [Bench(simulator, Path(folder), environment) for environment in environments]
        for bench in benches:
            bench.empty_playbook()  # warms caches
        tables = report(benches, rooms, SMALL if arguments.small else FULL)
    if arguments.write:
        write(arguments.write, of_rooms(tables, rooms))


if __name__ == "__main__":
    main()
