# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The start of a lab whose fleet is running: the playbook start_lab, with pages and a CSV file."""

from __future__ import annotations

import json
from pathlib import Path

from tests.benchmarks.goals import Goal
from tests.benchmarks.measuring import EMPTY, FLEET, STACK, VALIDITY, Bench, Measured, Rounds
from tests.benchmarks.sizes import Sizes
from tests.tables import Table, number

FIRST, AGAIN = "start_lab, first run", "start_lab, run again"
PLAYBOOK = "labstream.aws.start_lab"
# Of the CPU seconds of an empty playbook.
MAX_RATIO = 9.5


def write_variables(home: Path, learners: int) -> Path:
    """Return the file with the variables of a lab."""
    path = home / "lab.json"
    variables = {
        "appstream_lab_name": "bench",
        "appstream_lab_stack_name": STACK,
        "appstream_lab_fleet_name": FLEET,
        "appstream_lab_learners": [{"id": f"learner-{index}", "name": "A Learner"} for index in range(learners)],
        "appstream_lab_validity": VALIDITY,
        "lab_handout_pages_dir": f"{home}/pages",
        "lab_handout_urls_csv": f"{home}/urls.csv",
    }
    path.write_text(json.dumps(variables))
    return path


def measure(bench: Bench, sizes: Sizes) -> tuple[list[Table], list[Goal]]:
    """Return the table, and the goal for the first run."""
    bench.lab()
    homes = []

    def start(issued: int) -> Measured:
        home = homes[-1]
        lab = write_variables(home, sizes.one_by_one)
        return bench.command("ansible-playbook", "-e", f"@{lab}", PLAYBOOK, home=home).having_issued(issued)

    def first() -> Measured:
        homes.append(bench.home())
        return start(sizes.one_by_one)

    rounds = Rounds({EMPTY: bench.empty_playbook, FIRST: first, AGAIN: lambda: start(0)}, sizes.repeat)
    rows = []
    for name in (EMPTY, FIRST, AGAIN):
        one = rounds.median(name)
        tasks = one.printed.count("\nTASK [")
        rows.append([name, *map(number, [one.wall, one.cpu, round(one.peak), tasks, len(one.calls)])])
    header = ["Playbook", "Seconds", "CPU s", "MB", "Tasks", "API calls"]
    what = f"CPU seconds of start_lab for {sizes.one_by_one}, first run / {EMPTY}"
    goal = Goal(what, MAX_RATIO, rounds.each(lambda one: one[FIRST].cpu / one[EMPTY].cpu))
    return [Table("labs", header, rows)], [goal]
