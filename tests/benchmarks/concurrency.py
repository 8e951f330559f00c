# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Large labs with more calls in flight, at a service that accepts all of them, and at one that throttles."""

from __future__ import annotations

from tests.benchmarks.goals import Goal
from tests.benchmarks.measuring import LATENCY, Bench, our_task
from tests.benchmarks.sizes import Sizes
from tests.benchmarks.throttling import run_our_task, set_bucket, share_rejected
from tests.tables import Table, number, percent

CONCURRENCIES = (16, 32, 64)


def measure(bench: Bench, sizes: Sizes) -> tuple[list[Table], list[Goal]]:
    """Return the table, of one run each."""
    header = ["Concurrency", "Seconds, not throttled", "CPU s", "Seconds, throttled", "Rejected", "Without a URL"]
    rows = [_measure(bench, sizes, concurrency) for concurrency in CONCURRENCIES]
    return [Table("concurrency", header, rows)], []


def _measure(bench: Bench, sizes: Sizes, concurrency: int) -> list[str]:
    bench.lab(latency_seconds=LATENCY)
    free = bench.play(our_task(sizes.many, return_urls=False, concurrency=concurrency)).having_issued(sizes.many)
    set_bucket(bench)
    throttled = run_our_task(bench, sizes.lab_size, concurrency)
    figures = [number(free.wall), number(free.cpu), number(throttled.wall), percent(share_rejected(throttled))]
    return [number(concurrency), *figures, number(sizes.lab_size - throttled.issued)]
