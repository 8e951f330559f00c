# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""URLs for learners who have one already, so that no call issues any."""

from __future__ import annotations

import itertools
from functools import partial

from tests.benchmarks.goals import Goal
from tests.benchmarks.measuring import CALLER_INFO, EMPTY, Bench, Measured, Rounds, Run, our_task
from tests.benchmarks.sizes import Sizes
from tests.integration.lease_stores import LeaseTable
from tests.tables import Table, milliseconds, number

STORES = ("SQLite", "DynamoDB")
# Of a playbook with amazon.aws.aws_caller_info.
MAX_RATIO = 1.3


def playbooks(bench: Bench, learners: int) -> dict[str, Run]:
    """Return an empty playbook, one with a module of amazon.aws, and for each store one that reuses URLs."""
    bench.lab()
    home = bench.home()
    addresses = (f"sqlite://{home}/leases.sqlite3", LeaseTable.create(bench.simulator).url)
    tasks = [our_task(learners, return_urls=False, lease_store=address) for address in addresses]
    for task in tasks:
        bench.module(task, home)

    def reuse(task: dict) -> Measured:
        return bench.play(task, home=home).having_issued(0)

    ours = {store: partial(reuse, task) for store, task in zip(STORES, tasks, strict=True)}
    return {EMPTY: bench.empty_playbook, CALLER_INFO: bench.caller_info, **ours}


def measure(bench: Bench, sizes: Sizes) -> tuple[list[Table], list[Goal]]:
    """Return the table, and the goals for a lab."""
    numbers = [sizes.lab_size] if sizes.goals_only else sizes.reused
    compared: dict[tuple[float, int], Rounds] = {}
    for learners in numbers:
        runs = playbooks(bench, learners)
        for latency in sizes.latencies:
            bench.fault(latency_seconds=latency)
            compared[latency, learners] = Rounds(runs, sizes.repeats(learners))
    rows, goals = [], []
    for latency, learners in itertools.product(sizes.latencies, numbers):
        rounds = compared[latency, learners]
        for store in STORES:
            one = rounds.median(store)
            ratios = [one.wall / rounds.median(name).wall for name in (CALLER_INFO, EMPTY)]
            figures = [*ratios, one.wall, one.cpu, round(one.peak), len(one.calls)]
            rows.append([milliseconds(latency), number(learners), store, *map(number, figures)])
        if learners == sizes.lab_size:
            goals += [_goal(rounds, learners, latency, store) for store in STORES]
    beside = ["Times aws_caller_info", "Times empty playbook"]
    header = ["A call", "Leases", "Store", *beside, "Seconds", "CPU s", "MB", "API calls"]
    return [Table("reusing", header, rows)], goals


def _goal(rounds: Rounds, learners: int, latency: float, store: str) -> Goal:
    what = f"{milliseconds(latency)}: reuse of {learners} from {store} / {CALLER_INFO}"
    return Goal(what, MAX_RATIO, rounds.each(lambda one: one[store].wall / one[CALLER_INFO].wall))
