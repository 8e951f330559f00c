# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stream URLs of GameLift Streams, for learners that have none, and for those that have one."""

from __future__ import annotations

from functools import partial

from tests.benchmarks.beside_script import measure_beside_script
from tests.benchmarks.goals import Goal
from tests.benchmarks.measuring import CONCURRENCY, LATENCY, Bench
from tests.benchmarks.sizes import Sizes
from tests.tables import Table

GROUP = "sg-bench"
# Of the script and an empty playbook.
MAX_RATIO = 1.25


def measure(bench: Bench, sizes: Sizes) -> tuple[list[Table], list[Goal]]:
    """Return the table and the goal."""
    bench.simulator.reset()
    bench.simulator.seed_stream_group(GROUP)
    bench.fault(latency_seconds=LATENCY)
    task = {
        "labstream.aws.gamelift_stream_url": {
            "stream_group": GROUP,
            "application": "a-lab",
            "locations": ["us-east-1"],
            "learners": [f"learner-{index}" for index in range(sizes.sessions)],
            "return_urls": False,
            "concurrency": CONCURRENCY,
        }
    }
    run = partial(bench.script, "bare_gamelift.py", GROUP, sizes.sessions, CONCURRENCY)
    script = f"boto3 script, {CONCURRENCY} threads", run
    return measure_beside_script(
        bench, sizes, "stream_urls", "stream URLs of GameLift Streams", task, script, MAX_RATIO
    )
