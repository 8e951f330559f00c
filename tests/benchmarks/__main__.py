# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How fast one task is against bare boto3 scripts, what a re-run calls, and how memory grows.

``make bench`` runs this: real processes against the simulator, 100 ms for each call. Prints tables, judges nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.lease_stores import LeaseTable
from tests.simulator.control import CHECKOUT, Simulator

STACK, FLEET = "bench-course", "bench-fleet"
LATENCY = 0.1
CONCURRENCY = 16
VALIDITY = 28_800
STUDIO = "bench-studio"
CREATING_SECONDS = 1.0
# What the bare scripts have Nimble's service description from: the last botocore that had it.
BOTOCORE_WITH_NIMBLE = CHECKOUT / "build" / "botocore-nimble" / "botocore" / "data"

EMPTY_PLAY = [{"hosts": "localhost", "gather_facts": False, "tasks": [{"ansible.builtin.meta": "noop"}]}]


@dataclass(frozen=True)
class Measured:
    """One process: seconds of wall clock and processor, MB of its largest process, and the API calls it made."""

    wall: float
    cpu: float
    peak: float
    calls: Counter[str]


class Bench:
    """Runs commands against one simulator."""

    def __init__(self, simulator: Simulator, folder: Path) -> None:
        self.simulator = simulator
        self.folder = folder
        self.environment = {
            **simulator.subprocess_environment(),
            "ANSIBLE_LOCALHOST_WARNING": "False",
            "ANSIBLE_COLLECTIONS_PATH": os.environ.get(
                "ANSIBLE_COLLECTIONS_PATH", str(CHECKOUT / "build" / "collections")
            ),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }

    def measure(self, command: Sequence[str], **environment: str) -> Measured:
        """Run a command to its end; CalledProcessError with its output if it fails."""
        before = len(self.simulator.calls())
        begun = time.monotonic()
        with tempfile.TemporaryFile("w+", dir=self.folder) as output:
            process = subprocess.Popen(
                command, env={**self.environment, **environment}, stdout=output, stderr=subprocess.STDOUT, text=True
            )
            _pid, status, used = os.wait4(process.pid, 0)
            wall = time.monotonic() - begun
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                output.seek(0)
                raise subprocess.CalledProcessError(process.returncode, command, output.read())
        calls = Counter(call["operation"] for call in self.simulator.calls()[before:])
        return Measured(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, calls)

    def play(self, play: list[dict], **environment: str) -> Measured:
        """Run a playbook."""
        path = self.folder / "play.json"
        path.write_text(json.dumps(play), encoding="utf-8")
        return self.measure(["ansible-playbook", str(path)], **environment)

    def task(self, module: str, arguments: dict[str, Any], home: Path) -> Measured:
        """Run one task that returns no URL, with the lease store in this home."""
        arguments = {**arguments, "concurrency": CONCURRENCY, "return_urls": False}
        return self.play([{**EMPTY_PLAY[0], "tasks": [{f"labstream.aws.{module}": arguments}]}], HOME=str(home))

    def urls(self, learners: int, *, home: Path, **options: str) -> Measured:
        """Give so many learners URLs of AppStream."""
        users = [{"user_id": f"learner-{number}"} for number in range(learners)]
        arguments = {"stack_name": STACK, "fleet_name": FLEET, "users": users, "validity": VALIDITY, **options}
        return self.task("appstream_streaming_url", arguments, home)

    def streams(self, sessions: int, *, home: Path) -> Measured:
        """Give so many sessions streams of Nimble Studio."""
        arguments = {"studio_id": STUDIO, "session_ids": session_ids(sessions)}
        return self.task("nimble_session_stream", arguments, home)

    def bare(self, script: str, *arguments: str | int) -> Measured:
        """Run a bare script with so many threads."""
        path = str(Path(__file__).with_name(script))
        command = [sys.executable, path, *map(str, arguments), str(CONCURRENCY)]
        return self.measure(command, AWS_DATA_PATH=str(BOTOCORE_WITH_NIMBLE))

    def home(self) -> Path:
        """A home without any lease."""
        return Path(tempfile.mkdtemp(dir=self.folder))


def session_ids(count: int) -> list[str]:
    """The sessions of the studio."""
    return [f"session-{number}" for number in range(count)]


def median(measured: list[Measured]) -> Measured:
    """The one with the median wall clock."""
    wall = statistics.median_low(one.wall for one in measured)
    return next(one for one in measured if one.wall == wall)


def row(name: str, measured: Measured) -> None:
    """Print a line of a table."""
    calls = ", ".join(f"{count} {operation}" for operation, count in sorted(measured.calls.items())) or "none"
    print(f"{name:<44} {measured.wall:8.2f} {measured.cpu:8.2f} {measured.peak:8.0f}  {calls}", flush=True)


def header(title: str) -> None:
    """Print the head of a table."""
    print(f"\n{title}\n{'':<44} {'wall s':>8} {'CPU s':>8} {'peak MB':>8}  API calls")


def tables_of_appstream(bench: Bench, learners: int, many: Sequence[int], repeat: int) -> None:
    """Print how fast URLs of AppStream are, and how much memory they take."""
    bench.simulator.seed_lab(STACK, FLEET)
    header(f"{learners} learners, {LATENCY * 1000:.0f} ms a call, concurrency {CONCURRENCY}, median of {repeat}")
    bench.simulator.add_fault(latency_seconds=LATENCY)
    empty = median([bench.play(EMPTY_PLAY) for _number in range(repeat)])
    bare = median([bench.bare("bare_boto3.py", STACK, FLEET, learners, VALIDITY) for _number in range(repeat)])
    homes = [bench.home() for _number in range(repeat)]
    issued = median([bench.urls(learners, home=home) for home in homes])
    reused = median([bench.urls(learners, home=homes[0]) for _number in range(repeat)])
    row("empty playbook", empty)
    row("bare boto3 script", bare)
    row("our task, all issued", issued)
    row("our task, all reused", reused)
    print(f"(all issued - empty playbook) / bare script: {(issued.wall - empty.wall) / bare.wall:.2f}")

    bench.simulator.clear_faults()
    header("Memory, 0 ms a call, return_urls=false")
    for count in many:
        home = bench.home()
        row(f"{count} learners, all issued", bench.urls(count, home=home))
        row(f"{count} learners, all reused", bench.urls(count, home=home))


def table_of_nimble(bench: Bench, sessions: int, repeat: int) -> None:
    """Print how fast streams of Nimble Studio are."""
    bench.simulator.seed_studio(STUDIO, session_ids(sessions))
    bench.simulator.set(stream_creating_seconds=CREATING_SECONDS)
    bench.simulator.add_fault(latency_seconds=LATENCY)
    header(
        f"{sessions} sessions, {LATENCY * 1000:.0f} ms a call, READY after {CREATING_SECONDS:g} s, concurrency "
        f"{CONCURRENCY}, median of {repeat}"
    )
    empty = median([bench.play(EMPTY_PLAY) for _number in range(repeat)])
    rounds = median([bench.bare("bare_nimble.py", STUDIO, sessions, "rounds") for _number in range(repeat)])
    each = bench.bare("bare_nimble.py", STUDIO, sessions, "each")
    homes = [bench.home() for _number in range(repeat)]
    issued = median([bench.streams(sessions, home=home) for home in homes])
    reused = median([bench.streams(sessions, home=homes[0]) for _number in range(repeat)])
    row("empty playbook", empty)
    row("bare script, creates all, polls in rounds", rounds)
    row("bare script, each thread waits for its stream", each)
    row("our task, all created", issued)
    row("our task, all reused", reused)
    print(f"(all created - empty playbook) / bare script with rounds: {(issued.wall - empty.wall) / rounds.wall:.2f}")
    bench.simulator.clear_faults()


def table_of_dynamodb(bench: Bench, learners: int, repeat: int) -> None:
    """Print how fast leases are read from a DynamoDB table, beside a file."""
    bench.simulator.reset()
    bench.simulator.seed_lab(STACK, FLEET)
    stores = {"DynamoDB": LeaseTable.create(bench.simulator).url, "SQLite": f"sqlite://{bench.home()}/leases.sqlite3"}
    header(f"{learners} learners, 0 ms a call, concurrency {CONCURRENCY}, median of {repeat}")
    empty = median([bench.play(EMPTY_PLAY) for _number in range(repeat)])
    row("empty playbook", empty)
    for name, lease_store in stores.items():
        row(f"our task, all issued, {name}", bench.urls(learners, home=bench.home(), lease_store=lease_store))
        runs = [bench.urls(learners, home=bench.home(), lease_store=lease_store) for _number in range(repeat)]
        reused = median(runs)
        row(f"our task, all reused, {name}", reused)
        print(f"all reused, {name} - empty playbook: {reused.wall - empty.wall:.2f} s")


def main() -> None:
    """Run the benchmarks."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--learners", type=int, default=500)
    parser.add_argument("--many", type=int, nargs="*", default=[1, 1250, 2500, 5000])
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--remembered", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", choices=["appstream", "nimble", "dynamodb"])
    arguments = parser.parse_args()
    with Simulator.start() as simulator, tempfile.TemporaryDirectory() as folder:
        bench = Bench(simulator, Path(folder))
        bench.play(EMPTY_PLAY)  # warms caches
        if arguments.only in (None, "appstream"):
            tables_of_appstream(bench, arguments.learners, arguments.many, arguments.repeat)
        if arguments.only in (None, "nimble"):
            table_of_nimble(bench, arguments.sessions, arguments.repeat)
        if arguments.only in (None, "dynamodb"):
            table_of_dynamodb(bench, arguments.remembered, arguments.repeat)


if __name__ == "__main__":
    main()
