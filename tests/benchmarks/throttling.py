# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A class at a service that refuses what goes beyond so many calls a second."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tests.benchmarks.measuring import CONCURRENCY, FLEET, STACK, VALIDITY, Bench, Measured, our_task
from tests.benchmarks.report import Goal, Table, milliseconds, number, percent
from tests.benchmarks.sizes import Sizes

# Calls a second, and at once after a rest.
RATE = BURST = 20
# Times the ideal, and percent of all calls.
LONGEST, MOST_REFUSED = 1.12, 5
OURS = "our task"


def measure(bench: Bench, sizes: Sizes) -> tuple[list[Table], list[Goal]]:
    """The table, and the goals of our task."""
    script = partial(bench.script, "bare_boto3.py", STACK, FLEET, sizes.a_class, VALIDITY, CONCURRENCY)
    ways: dict[str, Callable[[], Measured]] = {
        OURS: partial(bench.play, our_task(sizes.a_class, return_urls=False)),
        f"boto3 script, {CONCURRENCY} threads": script,
        "the same, adaptive retries": partial(script, "adaptive"),
    }
    if sizes.goals_only:
        ways = {OURS: ways[OURS]}
    ideal = sizes.a_class / RATE
    rows, goals = [], []
    for latency in sizes.latencies:
        for name, way in ways.items():
            bench.lab(latency_seconds=latency)
            bench.simulator.add_fault(service="appstream", throttle={"rate": RATE, "burst": BURST})
            one = way()
            without = sizes.a_class - one.issued
            figures = [one.wall / ideal, one.wall, _seconds_of_calls(one)]
            refused = percent(one.refused / len(one.calls))
            rows.append([milliseconds(latency), name, *map(number, figures), refused, number(without)])
            if name == OURS:
                what = f"{milliseconds(latency)}, throttled, {sizes.a_class} learners"
                goals += [
                    Goal(f"{what}: seconds / ({sizes.a_class} / {RATE})", LONGEST, [one.wall / ideal]),
                    Goal(f"{what}: refused calls", MOST_REFUSED, [100 * one.refused / len(one.calls)], " %"),
                    Goal(f"{what}: learners without a URL", 0, [without]),
                ]
    header = ["A call", "Way", "Times the ideal", "Seconds", "First to last call", "Refused", "Without a URL"]
    return [Table("throttling", header, rows)], goals


def _seconds_of_calls(measured: Measured) -> float:
    """From the first call to the reply to the last."""
    return max(call["finished"] for call in measured.calls) - min(call["started"] for call in measured.calls)
