# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labs at services that throttle, each with another token bucket."""

from __future__ import annotations

import statistics
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import product

from tests.benchmarks.goals import Goal
from tests.benchmarks.measuring import Bench, Measured
from tests.benchmarks.sizes import Sizes
from tests.benchmarks.throttling import run_our_task, set_bucket, share_rejected
from tests.simulator.control import Simulator
from tests.tables import Table, number, percent

# Each has a simulator of its own. Their runs wait for most of the time, except those at 50 calls a second, which
# alternate with others.
MAX_CONCURRENT = 4


def measure(bench: Bench, sizes: Sizes) -> tuple[list[Table], list[Goal]]:
    """Return the table: medians, and the highest figure of any run."""
    buckets = [(rate, burst, learners) for burst, (rate, learners) in product(sizes.bursts, sizes.rates)]
    with ThreadPoolExecutor(MAX_CONCURRENT) as executor:
        rows = list(executor.map(partial(_measure_bucket, bench, sizes.bucket_repeat), *zip(*buckets, strict=True)))
    header = [
        "Calls a second",
        "Burst",
        "Learners",
        "Times the ideal",
        "Highest",
        "Rejected",
        "Highest",
        "Without a URL",
    ]
    return [Table("buckets", header, sorted(rows, key=lambda row: int(row[0])))], []


def _measure_bucket(bench: Bench, repeat: int, rate: int, burst: int, learners: int) -> list[str]:
    """Return the row of one bucket. The ideal uses up the burst at once, then all that the rate allows."""
    folder = bench.home()
    with Simulator.start() as simulator:
        own = Bench(simulator, folder, bench.environment)
        runs = [_run(own, rate, burst, learners) for _number in range(repeat)]
    ideal = (learners - burst) / rate
    times, shares = [run.wall / ideal for run in runs], [share_rejected(run) for run in runs]
    most_without = max(learners - run.issued for run in runs)
    figures = [number(statistics.median(times)), number(max(times))]
    figures += [percent(statistics.median(shares)), percent(max(shares))]
    return [*map(number, (rate, burst, learners)), *figures, number(most_without)]


def _run(bench: Bench, rate: int, burst: int, learners: int) -> Measured:
    set_bucket(bench, rate, burst)
    return run_our_task(bench, learners)
