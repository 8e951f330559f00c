# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab at a service that throttles."""

from __future__ import annotations

from functools import partial

from tests.benchmarks.goals import Goal
from tests.benchmarks.measuring import (
    CONCURRENCY,
    FLEET,
    LATENCY,
    STACK,
    VALIDITY,
    Bench,
    Measured,
    Rounds,
    Run,
    our_task,
)
from tests.benchmarks.sizes import Sizes
from tests.tables import Table, milliseconds, number, percent

# Of the token bucket, in calls a second and in calls.
RATE = BURST = 20
# Of the ideal, and percent of all calls.
MAX_RATIO, MAX_REJECTED = 1.12, 5
OURS = "our task"


def measure(bench: Bench, sizes: Sizes) -> tuple[list[Table], list[Goal]]:
    """Return the table, and the goals of our task, which alone is run several times."""
    script = partial(bench.script, "bare_boto3.py", STACK, FLEET, sizes.lab_size, VALIDITY, CONCURRENCY)
    ways: dict[str, Run] = {
        OURS: partial(run_our_task, bench, sizes.lab_size),
        f"boto3 script, {CONCURRENCY} threads": script,
        "the same, adaptive retries, ten attempts": partial(script, "adaptive"),
    }
    if sizes.goals_only:
        ways = {OURS: ways[OURS]}
    ideal = sizes.lab_size / RATE

    def throttled(latency: float, way: Run) -> Measured:
        set_bucket(bench, latency=latency)
        return way()

    def without(one: Measured) -> int:
        return sizes.lab_size - one.issued

    rows, goals = [], []
    for latency in sizes.latencies:
        for name, way in ways.items():
            rounds = Rounds({name: partial(throttled, latency, way)}, sizes.repeat if name == OURS else 1)
            one = rounds.median(name)
            figures = [one.wall / ideal, one.wall, _seconds_of_calls(one)]
            rejected = percent(share_rejected(one))
            rows.append([milliseconds(latency), name, *map(number, figures), rejected, number(without(one))])
            if name == OURS:
                what = f"{milliseconds(latency)}, throttled, {sizes.lab_size} learners"
                seconds = rounds.each(lambda each: each[OURS].wall / ideal)
                shares = rounds.each(lambda each: 100 * share_rejected(each[OURS]))
                most_without = max(rounds.each(lambda each: without(each[OURS])))
                goals += [
                    Goal(f"{what}: seconds / ({sizes.lab_size} / {RATE})", MAX_RATIO, seconds),
                    Goal(f"{what}: rejected calls", MAX_REJECTED, shares, " %"),
                    Goal(f"{what}: learners without a URL in any run", 0, [most_without]),
                ]
    header = ["A call", "Way", "Times the ideal", "Seconds", "First to last call", "Rejected", "Without a URL"]
    return [Table("throttling", header, rows)], goals


def set_bucket(bench: Bench, rate: int = RATE, burst: int = BURST, latency: float = LATENCY) -> None:
    """Reset the service to the lab, and let it throttle by this token bucket."""
    bench.lab(latency_seconds=latency)
    bench.simulator.add_fault(service="appstream", throttle={"rate": rate, "burst": burst})


def run_our_task(bench: Bench, learners: int, concurrency: int = CONCURRENCY) -> Measured:
    """Run our task, which fails if a learner is left without a URL."""
    task = our_task(learners, return_urls=False, concurrency=concurrency)
    return bench.play({**task, "ignore_errors": True})


def share_rejected(measured: Measured) -> float:
    """Return the share of all calls that were throttled."""
    return measured.rejected / len(measured.calls)


def _seconds_of_calls(measured: Measured) -> float:
    """Return the time from the start of the first call to the response to the last."""
    return max(call["finished"] for call in measured.calls) - min(call["started"] for call in measured.calls)
