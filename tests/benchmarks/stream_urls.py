# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stream URLs of GameLift Streams, for learners that have none, and for those that have one."""

from __future__ import annotations

from tests.benchmarks.goals import Goal
from tests.benchmarks.measuring import CONCURRENCY, LATENCY, Bench, Measured, Rounds
from tests.benchmarks.sizes import Sizes
from tests.tables import Table, number

GROUP = "sg-bench"
EMPTY, BARE = "empty playbook", f"boto3 script, {CONCURRENCY} threads"
CREATED, REUSED = (f"our task, concurrency {CONCURRENCY}, all {what}" for what in ("created", "reused"))


def measure(bench: Bench, sizes: Sizes) -> tuple[list[Table], list[Goal]]:
    """Return the table; there are no goals."""
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
    homes = []

    def bare() -> Measured:
        return bench.script("bare_gamelift.py", GROUP, sizes.sessions, CONCURRENCY)

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
    return [Table("stream_urls", header, rows)], []
