# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Thousands of learners in one task: what ``concurrency`` gives, and what memory the controller and the module take."""

from __future__ import annotations

from tests.benchmarks.goals import Goal
from tests.benchmarks.measuring import LATENCY, Bench, Measured, our_task
from tests.benchmarks.sizes import Sizes
from tests.tables import Table, number


def measure(bench: Bench, sizes: Sizes) -> tuple[list[Table], list[Goal]]:
    """Return the table; there are no goals. Each row is measured once."""
    rows = []
    bench.lab(latency_seconds=LATENCY)
    for learners, concurrency in sizes.large:
        home = bench.home()
        task = our_task(learners, return_urls=False, concurrency=concurrency)
        for what, issued in (("created", learners), ("reused", 0)):
            if what == "reused" and concurrency != sizes.large[-1][1]:
                continue  # It makes no call for each learner.
            one = bench.play(task, home=home).having_issued(issued)
            rows.append([number(learners), number(concurrency), what, *map(number, _figures(one))])
    header = [
        "Learners",
        "concurrency",
        "URLs",
        "Seconds",
        "CPU s",
        "MB of the controller",
        "MB of the largest process",
    ]
    return [Table("large", header, rows)], []


def _figures(measured: Measured) -> list[float]:
    return [measured.wall, measured.cpu, round(measured.own_peak), round(measured.peak)]
