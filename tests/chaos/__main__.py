# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Strikes at the calls of classes, kills runs at random moments, and starts many at once: both services, both stores.

``make chaos`` runs this. It stops with an AssertionError at the first thing that must not be. The tests do the same in
small: tests/integration/test_chaos.py.
"""

from __future__ import annotations

import argparse
import itertools
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.chaos.at_once import RUNS
from tests.chaos.classes import SERVICES
from tests.chaos.lab import STORES
from tests.chaos.rooms import ROOMS, Part, Sizes, found_in
from tests.tables import Table, write


def settings(chosen: argparse.Namespace) -> Table:
    """What it takes to repeat the figures."""
    names = ("seed", "learners", "kills", "calls", "pairs")
    return Table("chaos", ["Option", "Value"], [[f"--{name}", str(getattr(chosen, name))] for name in names])


def main(words: Sequence[str] | None = None) -> dict[str, list[Any]]:
    """Make chaos; what was found in each room."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--only", choices=ROOMS, action="append", help="by default, each")
    parser.add_argument("--service", choices=SERVICES, action="append", help="by default, each")
    parser.add_argument("--store", choices=STORES, action="append", help="by default, each")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="what the moments follow from")
    parser.add_argument("--jobs", type=int, default=2, help="how much to do side by side")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the tables into this page, too")
    sizes = parser.add_argument_group("sizes, for each service with each store")
    sizes.add_argument("--learners", type=int, default=200, help=f"how many {RUNS} runs at once serve")
    sizes.add_argument("--kills", type=int, default=50, help="how many runs to kill")
    sizes.add_argument("--calls", type=int, default=8, help="at how many calls of a class each fault strikes")
    sizes.add_argument("--pairs", type=int, default=25, help="how many pairs of faults strike")
    chosen = parser.parse_args(words)
    if chosen.write and (chosen.only or chosen.service or chosen.store):
        parser.error("--write takes all rooms, services and stores: a page has whole tables.")
    parts = [
        Part(room, service, store)
        for room in chosen.only or ROOMS
        for service in chosen.service or SERVICES
        for store in chosen.store or STORES
    ]
    begun = time.monotonic()
    print(f"Seed {chosen.seed}: to repeat it, add --seed {chosen.seed} to the same command.", flush=True)
    sizes_of_each = Sizes(chosen.learners, chosen.kills, chosen.calls, chosen.pairs)
    found = found_in(parts, sizes_of_each, chosen.seed, chosen.jobs)
    print(f"\n{time.monotonic() - begun:.0f} s in all, {chosen.jobs} side by side.")
    if chosen.write:
        tables = itertools.chain.from_iterable(tables_of(found[room]) for room, tables_of in ROOMS.items())
        write(chosen.write, [settings(chosen), *tables])
    return found


if __name__ == "__main__":
    main()
