# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How fast one task is against a bare boto3 script, what a re-run calls, and how memory grows.

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

from tests.simulator.control import CHECKOUT, Simulator

STACK, FLEET = "bench-course", "bench-fleet"
LATENCY = 0.1
CONCURRENCY = 16
VALIDITY = 28_800

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

    def task(self, learners: int, *, home: Path, return_urls: bool = False) -> Measured:
        """Run one task for so many learners, with the lease store in this home."""
        arguments = {
            "stack_name": STACK,
            "fleet_name": FLEET,
            "users": [{"user_id": f"learner-{number}"} for number in range(learners)],
            "validity": VALIDITY,
            "concurrency": CONCURRENCY,
            "return_urls": return_urls,
        }
        task = {"labstream.aws.appstream_streaming_url": arguments, "no_log": return_urls}
        return self.play([{**EMPTY_PLAY[0], "tasks": [task]}], HOME=str(home))

    def bare(self, learners: int) -> Measured:
        """Run the bare script for so many learners."""
        script = str(Path(__file__).with_name("bare_boto3.py"))
        return self.measure([sys.executable, script, STACK, FLEET, *map(str, (learners, CONCURRENCY, VALIDITY))])

    def home(self) -> Path:
        """A home without any lease."""
        return Path(tempfile.mkdtemp(dir=self.folder))


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


def run(bench: Bench, learners: int, many: Sequence[int], repeat: int) -> None:
    """Print all tables."""
    bench.play(EMPTY_PLAY)  # warms caches

    header(f"{learners} learners, {LATENCY * 1000:.0f} ms a call, concurrency {CONCURRENCY}, median of {repeat}")
    bench.simulator.add_fault(latency_seconds=LATENCY)
    empty = median([bench.play(EMPTY_PLAY) for _number in range(repeat)])
    bare = median([bench.bare(learners) for _number in range(repeat)])
    homes = [bench.home() for _number in range(repeat)]
    issued = median([bench.task(learners, home=home) for home in homes])
    reused = median([bench.task(learners, home=homes[0]) for _number in range(repeat)])
    row("empty playbook", empty)
    row("bare boto3 script", bare)
    row("our task, all issued", issued)
    row("our task, all reused", reused)
    print(f"(all issued - empty playbook) / bare script: {(issued.wall - empty.wall) / bare.wall:.2f}")

    bench.simulator.clear_faults()
    header("Memory, 0 ms a call, return_urls=false")
    for count in many:
        home = bench.home()
        row(f"{count} learners, all issued", bench.task(count, home=home))
        row(f"{count} learners, all reused", bench.task(count, home=home))


def main() -> None:
    """Run the benchmarks."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--learners", type=int, default=500)
    parser.add_argument("--many", type=int, nargs="*", default=[1, 1250, 2500, 5000])
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    with Simulator.start() as simulator, tempfile.TemporaryDirectory() as folder:
        simulator.seed_lab(STACK, FLEET)
        run(Bench(simulator, Path(folder)), arguments.learners, arguments.many, arguments.repeat)


if __name__ == "__main__":
    main()
