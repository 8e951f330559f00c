# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast the collection is, and how much memory it takes, compared with what people would use instead.

``make bench`` runs this: real processes against the simulator. It prints tables and whether goals are met, but does not
fail if they are missed. README.md beside this file says how each table is measured.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from tests.benchmarks import (
    buckets,
    concurrency,
    handouts,
    issuing,
    labs,
    large,
    machine,
    reusing,
    stream_urls,
    streams,
    throttling,
)
from tests.benchmarks.goals import Goal, table_of_goals
from tests.benchmarks.measuring import NEWEST, OLDEST, Bench
from tests.benchmarks.sizes import FULL, SMALL, Sizes
from tests.simulator.control import Simulator
from tests.tables import Table, write

BENCHMARKS = {
    module.__name__.rpartition(".")[2]: module
    for module in (
        issuing,
        reusing,
        large,
        throttling,
        buckets,
        concurrency,
        handouts,
        labs,
        streams,
        stream_urls,
    )
}
# Those that have goals for the oldest versions too, whose botocore does not know GameLift Streams' stream URLs.
ON_OLDEST = ("issuing", "reusing", "throttling", "handouts", "streams")
# Tables about all names.
OF_ALL_BENCHMARKS = ("goals", "machine")


def measure(bench: Bench, names: Iterable[str], sizes: Sizes) -> tuple[list[Table], list[Goal]]:
    """Run these benchmarks, print their tables, and return tables and goals."""
    tables, goals = [], []
    for name in names:
        found, reached = BENCHMARKS[name].measure(bench, sizes)
        for table in () if sizes.goals_only else found:
            print(f"\n{table.name}\n\n{table}", flush=True)
        tables += found
        goals += reached
    return tables, goals


def report(benches: Sequence[Bench], names: Sequence[str], sizes: Sizes) -> list[Table]:
    """Return all tables, with the goals and the machine; of all environments but the first, only the goals."""
    judged, goals_only = [name for name in names if name in ON_OLDEST], replace(sizes, goals_only=True)
    found, taken = [], []
    for bench in benches:
        before = machine.ticks()
        found.append(measure(bench, judged, goals_only) if found else measure(bench, names, sizes))
        taken.append(machine.taken_since(before))
    (tables, goals), *others = found
    beside = [goal for _tables, reached in others for goal in reached]
    last = [table_of_goals(goals, beside)] if goals else []
    last.append(machine.table([bench.environment for bench in benches], taken))
    for table in last:
        print(f"\n{table.name}\n\n{table}")
    return [*tables, *last]


def select_complete(tables: Iterable[Table], names: Iterable[str]) -> list[Table]:
    """Return the tables that are complete if these benchmarks were run."""
    is_all = set(names) == set(BENCHMARKS)
    return [table for table in tables if is_all or table.name not in OF_ALL_BENCHMARKS]


def main() -> None:
    """Run the benchmarks."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", choices=BENCHMARKS, action="append", help="by default, each")
    parser.add_argument("--small", action="store_true", help="only check that it works; the figures mean nothing")
    parser.add_argument("--without-oldest", action="store_true", help="skip the oldest supported versions")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="also write the tables into this page")
    arguments = parser.parse_args()
    if arguments.write and (arguments.small or arguments.without_oldest):
        parser.error("--write replaces what was measured in full: leave out --small and --without-oldest.")
    names = arguments.only or list(BENCHMARKS)
    environments = [NEWEST] if arguments.small or arguments.without_oldest else [NEWEST, OLDEST]
    with Simulator.start() as simulator, tempfile.TemporaryDirectory() as folder:
        benches = [Bench(simulator, Path(folder), environment) for environment in environments]
        for bench in benches:
            bench.empty_playbook()  # warms caches
        tables = report(benches, names, SMALL if arguments.small else FULL)
    if arguments.write:
        write(arguments.write, select_complete(tables, names))


if __name__ == "__main__":
    main()
