# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the time of one task goes."""

from __future__ import annotations

import itertools
import json
import statistics
from pathlib import Path

from tests.benchmarks.goals import Goal
from tests.benchmarks.measuring import HERE, Bench, our_task
from tests.benchmarks.sizes import Sizes
from tests.tables import Table, milliseconds, number, percent


def phases_of(bench: Bench, learners: int, home: Path, issued: int) -> dict[str, float]:
    """Seconds of each phase of a playbook with our task, in their order. Together they are all of it.

    Raises:
        RuntimeError: it issued another number of URLs.
    """
    path = bench.new_path("probe.json")
    probe = {"PYTHONPATH": str(HERE / "probe"), "LABSTREAM_BENCH_PROBE": str(path)}
    empty = bench.empty_playbook().wall
    task = {**our_task(learners, return_urls=False), "environment": probe}
    whole = bench.play(task, home=home).having_issued(issued).wall
    told = json.loads(path.read_text())
    seconds = {name: phase["seconds"] for name, phase in told.items()}
    # Leases are written while calls are under way, and after the last of them.
    issuing = [told[name] for name in ("calls that issue", "store write") if name in told]
    phases = {
        "Ansible: as for an empty playbook": empty,
        "Ansible: packs the module, starts it, takes its result": whole - empty - seconds["process"],
        "imports: ansible.module_utils": seconds["ansible"],
        "imports: boto3 and botocore": seconds["boto3"],
        "imports: the module, its utilities and amazon.aws's": seconds["imports"]
        - seconds["ansible"]
        - seconds["boto3"],
        "arguments": seconds["arguments"],
        "client": seconds["client"],
        "store: opened and read": seconds["store __init__"] + seconds["store read"],
        "calls that look up stack and fleet": seconds["calls that look up"],
        "calls that issue; leases are written meanwhile": (
            max(one["ended"] for one in issuing) - min(one["begun"] for one in issuing) if issuing else 0
        ),
    }
    return {**phases, "the rest of the module": whole - sum(phases.values())}


def measure(bench: Bench, sizes: Sizes) -> tuple[list[Table], list[Goal]]:
    """The table; there are no goals."""
    learners, latency = sizes.a_class, sizes.latencies[0]
    bench.lab(latency_seconds=latency)
    homes = [bench.home() for _number in range(sizes.repeat)]
    columns = []
    for issued in (learners, 0):
        runs = [phases_of(bench, learners, home, issued) for home in homes]
        # What is left after others are taken off can be less than nothing, by noise.
        columns.append({name: max(0.0, statistics.median(run[name] for run in runs)) for name in runs[0]})
    rows = []
    for name in columns[0]:
        cells = [(percent(column[name] / sum(column.values())), number(column[name])) for column in columns]
        rows.append([name, *itertools.chain.from_iterable(cells)])
    told = f"{number(learners)} {{}}, {milliseconds(latency)} a call"
    header = ["Phase", told.format("issued"), "Seconds", told.format("reused"), "Seconds"]
    return [Table("breakdown", header, rows)], []
