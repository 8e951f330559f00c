# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Thousands of learners in one task: the time, and the memory of the controller and of the module."""

from __future__ import annotations

from tests.benchmarks.goals import Goal
from tests.benchmarks.measuring import LATENCY, Bench, our_task
from tests.benchmarks.sizes import Sizes
from tests.tables import Table, number

# The maximum of the option.
MAX_CONCURRENCY = 64


def measure(bench: Bench, sizes: Sizes) -> tuple[list[Table], list[Goal]]:
    """Return the table, of one run each; there are no goals."""
    rows = []
    bench.lab(latency_seconds=LATENCY)
    for learners in sizes.large:
        home = bench.home()
        task = our_task(learners, return_urls=False, concurrency=MAX_CONCURRENCY)
        for what, issued in (("created", learners), ("reused", 0)):
            one = bench.play(task, home=home).having_issued(issued)
            figures = [one.wall, one.cpu, round(one.own_peak), round(one.peak)]
            rows.append([number(learners), what, *map(number, figures)])
    header = ["Learners", "URLs", "Seconds", "CPU s", "MB of the controller", "MB of the largest process"]
    return [Table("large", header, rows)], []
