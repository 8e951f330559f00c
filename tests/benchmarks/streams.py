# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams of Nimble Studio, for sessions that have none, and for those that have one."""

from __future__ import annotations

from tests.benchmarks.goals import Goal
from tests.benchmarks.measuring import CONCURRENCY, LATENCY, Bench, Measured, Rounds
from tests.benchmarks.sizes import Sizes
from tests.simulator.control import CHECKOUT
from tests.tables import Table, number

STUDIO = "bench-studio"
# Seconds until a stream is READY.
CREATING_SECONDS = 1.0
# What the bare scripts have Nimble's service description from: the last botocore that had it.
BOTOCORE_WITH_NIMBLE = CHECKOUT / "build" / "botocore-nimble" / "botocore" / "data"

EMPTY, BARE = "empty playbook", f"boto3 script, {CONCURRENCY} threads, polls in rounds"
CREATED, REUSED = (f"our task, concurrency {CONCURRENCY}, all {what}" for what in ("created", "reused"))


def measure(bench: Bench, sizes: Sizes) -> tuple[list[Table], list[Goal]]:
    """Return the table; there are no goals."""
    ids = [f"session-{index}" for index in range(sizes.sessions)]
    bench.simulator.reset()
    bench.simulator.seed_studio(STUDIO, ids)
    bench.simulator.set(stream_creating_seconds=CREATING_SECONDS)
    bench.fault(latency_seconds=LATENCY)
    arguments = {"studio_id": STUDIO, "session_ids": ids, "return_urls": False, "concurrency": CONCURRENCY}
    task = {"labstream.aws.nimble_session_stream": arguments}
    homes = []

    def bare() -> Measured:
        path = str(BOTOCORE_WITH_NIMBLE)
        return bench.script("bare_nimble.py", STUDIO, sizes.sessions, CONCURRENCY, AWS_DATA_PATH=path)

    def create() -> Measured:
        homes.append(bench.home())
        return bench.play(task, home=homes[-1]).having_issued(sizes.sessions)

    def reuse() -> Measured:
        return bench.play(task, home=homes[-1]).having_issued(0)

    rounds = Rounds({EMPTY: bench.empty_playbook, BARE: bare, CREATED: create, REUSED: reuse}, sizes.repeat)
    least = rounds.median(EMPTY).wall + rounds.median(BARE).wall
    rows = []
    for name in (EMPTY, BARE, CREATED, REUSED):
        one = rounds.median(name)
        rows.append([name, *map(number, [one.wall / least, one.wall, one.cpu, round(one.peak), len(one.calls)])])
    header = ["Way", "Times (script + empty playbook)", "Seconds", "CPU s", "MB", "API calls"]
    return [Table("streams", header, rows)], []
