# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams of Nimble Studio, for sessions that have none, and for those that have one."""

from __future__ import annotations

from functools import partial

from tests.benchmarks.beside_script import measure_beside_script
from tests.benchmarks.goals import Goal
from tests.benchmarks.measuring import CONCURRENCY, LATENCY, Bench
from tests.benchmarks.sizes import Sizes
from tests.simulator.control import CHECKOUT
from tests.tables import Table

STUDIO = "bench-studio"
CREATING_SECONDS = 1.0
BOTOCORE_WITH_NIMBLE = CHECKOUT / "build" / "botocore-nimble" / "botocore" / "data"
# Of the script and an empty playbook.
MAX_RATIO = 1.2


def measure(bench: Bench, sizes: Sizes) -> tuple[list[Table], list[Goal]]:
    """Return the table and the goal."""
    ids = [f"session-{index}" for index in range(sizes.sessions)]
    bench.simulator.reset()
    bench.simulator.seed_studio(STUDIO, ids)
    bench.simulator.set(stream_creating_seconds=CREATING_SECONDS)
    bench.fault(latency_seconds=LATENCY)
    arguments = {"studio_id": STUDIO, "session_ids": ids, "return_urls": False, "concurrency": CONCURRENCY}
    task = {"labstream.aws.nimble_session_stream": arguments}
    path = str(BOTOCORE_WITH_NIMBLE)
    run = partial(bench.script, "bare_nimble.py", STUDIO, sizes.sessions, CONCURRENCY, AWS_DATA_PATH=path)
    script = f"boto3 script, {CONCURRENCY} threads, polls in cycles", run
    return measure_beside_script(bench, sizes, "streams", "streams of Nimble Studio", task, script, MAX_RATIO)
