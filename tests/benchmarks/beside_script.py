# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A task that creates, and then reuses, beside a boto3 script that creates the same and stores nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.benchmarks.goals import Goal
from tests.benchmarks.measuring import CONCURRENCY, EMPTY, LATENCY, Bench, Measured, Rounds, Run
from tests.benchmarks.sizes import Sizes
from tests.tables import Table, milliseconds, number

CREATED, REUSED = (f"our task, concurrency {CONCURRENCY}, all {what}" for what in ("created", "reused"))


def measure_beside_script(
    bench: Bench, sizes: Sizes, name: str, what: str, task: Mapping[str, Any], script: tuple[str, Run], most: float
) -> tuple[list[Table], list[Goal]]:
    """Return the table of this name, and the goal for creating.

    Args:
        bench: Where to run.
        sizes: The number of rounds, and what is created.
        name: The table's name.
        what: What is created, as the goal names it.
        task: The task, with the same number of calls in flight as the script.
        script: The name of the script in the table, and what runs it.
        most: The goal: times the script and an empty playbook.
    """
    bare, run_script = script
    homes = []

    def create() -> Measured:
        homes.append(bench.home())
        return bench.play(task, home=homes[-1]).having_issued(sizes.sessions)

    def reuse() -> Measured:
        return bench.play(task, home=homes[-1]).having_issued(0)

    rounds = Rounds({EMPTY: bench.empty_playbook, bare: run_script, CREATED: create, REUSED: reuse}, sizes.repeat)
    least = rounds.median(EMPTY).wall + rounds.median(bare).wall
    rows = []
    for way in (EMPTY, bare, CREATED, REUSED):
        one = rounds.median(way)
        rows.append([way, *map(number, [one.wall / least, one.wall, one.cpu, round(one.peak), len(one.calls)])])
    header = ["Way", "Times (script + empty playbook)", "Seconds", "CPU s", "MB", "API calls"]
    goal = Goal(
        f"{milliseconds(LATENCY)}: {sizes.sessions} {what}, concurrency {CONCURRENCY} / ({bare}, + {EMPTY})",
        most,
        rounds.each(lambda one: one[CREATED].wall / (one[EMPTY].wall + one[bare].wall)),
    )
    return [Table(name, header, rows)], [goal]
