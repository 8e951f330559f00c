# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kills runs at random moments and repeats them, and starts many runs at once, over each lease store.

``make chaos`` runs this. It stops with an AssertionError at the first thing that must not be. The tests do the same in
small: tests/integration/test_concurrent_runs.py.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.chaos.at_once import RUNS, run_at_once
from tests.chaos.killed import CONCURRENCY, LATENCY, LEARNERS, MOST_LOST, NEW, Killing
from tests.integration.lease_stores import LeaseFile, LeaseTable, Store
from tests.integration.running import FLEET, STACK, Ansible, ModuleServer
from tests.simulator.control import Simulator

STORES = ("sqlite", "dynamodb")
# So many, since it takes the longer to look into a store, the more it holds.
KILLS_PER_STORE = 10

Fresh = Callable[[str], tuple[Ansible, Store]]


def kill(fresh: Fresh, simulator: Simulator, kind: str, count: int, seed: int) -> None:
    """Kill so many runs over stores of that kind, and print what came of it."""
    print(
        f"\n{kind}: {count} runs killed and repeated, {LEARNERS} learners of whom {NEW} are new, concurrency "
        f"{CONCURRENCY}, {LATENCY * 1000:.0f} ms for each call that issues or writes\n"
        f"{'seed':>10} {'killed after s':>15} {'new leases held':>16} {'URLs lost':>10}"
    )
    begun, kills = time.monotonic(), []
    while len(kills) < count:
        ansible, store = fresh(kind)
        for one in Killing(simulator, ansible, store, seed).kills(min(KILLS_PER_STORE, count - len(kills))):
            print(f"{seed:>10} {one.moment:>15.2f} {one.held:>16} {one.lost:>10}", flush=True)
            kills.append(one)
        seed += 1
    in_the_middle = sum(0 < one.held < NEW for one in kills)
    print(
        f"No lease lost, none changed, no damage, {count} classes complete. {in_the_middle} runs had written some of "
        f"their leases; lost were {max(one.lost for one in kills)} URLs at most, of {MOST_LOST} that may be. "
        f"{time.monotonic() - begun:.0f} s."
    )


def main() -> None:
    """Make chaos."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=50, help="how many runs to kill over each store")
    parser.add_argument("--learners", type=int, default=200, help=f"how many learners {RUNS} runs at once serve")
    parser.add_argument("--store", choices=STORES, action="append", help="by default, each")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="what the moments follow from")
    arguments = parser.parse_args()
    server = ModuleServer()
    try:
        with Simulator.start() as simulator, tempfile.TemporaryDirectory() as folder:

            def fresh(kind: str) -> tuple[Ansible, Store]:
                """A store that holds nothing, and Ansible in a fresh home."""
                simulator.reset()
                simulator.seed_lab(STACK, FLEET, instances=10_000)
                home = Path(tempfile.mkdtemp(dir=folder)) / "home"
                home.mkdir()
                store = LeaseTable.create(simulator) if kind == "dynamodb" else LeaseFile(home / "leases.sqlite3")
                return Ansible(home, simulator.environment(), server), store

            print(f"Seed {arguments.seed}. To repeat it: python -m tests.chaos --seed {arguments.seed}")
            for kind in arguments.store or STORES:
                ansible, store = fresh(kind)
                run = run_at_once(simulator, ansible, store, arguments.learners)
                print(
                    f"\n{kind}: {RUNS} runs at once, {arguments.learners} learners: {run.seconds:.1f} s, {run.issued} "
                    f"URLs issued, {run.remembered} remembered, and all runs handed out these."
                )
            for kind in arguments.store or STORES:
                kill(fresh, simulator, kind, arguments.kills, arguments.seed)
    finally:
        server.stop()


if __name__ == "__main__":
    main()
