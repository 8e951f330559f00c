# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run commands against the simulator, and measure them."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from tests.integration.running import clean_environment
from tests.simulator.control import CHECKOUT, Simulator

HERE = Path(__file__).parent
STACK, FLEET = "bench-course", "bench-fleet"
MODULE = "labstream.aws.appstream_streaming_url"
VALIDITY = 28_800
ISSUING = ("CreateStreamingURL", "CreateStreamingSessionStream", "CreateStreamUrl")
# In seconds, for each call.
LATENCY = 0.1
# The module's default, and the threads and processes of the scripts.
CONCURRENCY = 16
# Ansible without a module, and with a small one of amazon.aws.
EMPTY, CALLER_INFO = "empty playbook", "amazon.aws.aws_caller_info"


@dataclass(frozen=True)
class Environment:
    """An environment of Python, Ansible, boto3 and collections."""

    name: str
    venv: Path
    collections: Path


NEWEST = Environment("newest", CHECKOUT / "build/venv", CHECKOUT / "build/collections")
OLDEST = Environment("oldest", CHECKOUT / "build/venv-oldest", CHECKOUT / "build/collections-oldest")


@dataclass(frozen=True)
class Measured:
    """One command: its wall and CPU seconds, the MB of its largest process and of its first one, its calls.

    The first process of ``ansible-playbook`` is the controller. ``calls`` are from the simulator's log.
    """

    wall: float
    cpu: float
    peak: float
    calls: list[dict[str, Any]]
    printed: str
    own_peak: float = 0.0

    @property
    def rejected(self) -> int:
        """The number of calls that were throttled."""
        return sum(call["error_code"] == "ThrottlingException" for call in self.calls)

    @property
    def issued(self) -> int:
        """The number of URLs or streams that the service issued."""
        return sum(call["operation"] in ISSUING and call["status"] in (200, 201) for call in self.calls)

    def having_issued(self, expected: int) -> Measured:
        """Return it; RuntimeError if it issued another number of URLs or streams."""
        if self.issued != expected:
            raise RuntimeError(f"{self.issued} URLs or streams were issued instead of {expected}.")
        return self


Run = Callable[[], Measured]


class Rounds:
    """Commands that are compared, run in turns, so that other load on the machine affects all alike.

    hyperfine and pyperf would do all rounds of one command before the next, and measure neither the controller's memory
    apart from that of its children nor the calls.
    """

    def __init__(self, runs: Mapping[str, Run], repeat: int) -> None:
        self._rounds = [{name: run() for name, run in runs.items()} for _number in range(repeat)]

    def median(self, name: str) -> Measured:
        """Return the run of this command with the median wall time."""
        runs = [one[name] for one in self._rounds]
        wall = statistics.median_low(run.wall for run in runs)
        return next(run for run in runs if run.wall == wall)

    def each(self, figure: Callable[[Mapping[str, Measured]], float]) -> list[float]:
        """Return this figure of each round."""
        return [figure(one) for one in self._rounds]


class Bench:
    """Runs commands of one environment against one simulator, each in a new home unless one is given."""

    def __init__(self, simulator: Simulator, folder: Path, environment: Environment = NEWEST) -> None:
        self.simulator = simulator
        self.environment = environment
        self._folder = folder
        self._numbers = count()
        self._config = self.new_path("ansible.cfg")
        self._config.touch()

    def new_path(self, name: str) -> Path:
        """Return a path where nothing exists."""
        return self._folder / f"{self.environment.name}-{next(self._numbers)}-{name}"

    def home(self) -> Path:
        """Return a home without leases."""
        path = self.new_path("home")
        path.mkdir()
        return path

    # The service

    def lab(self, **fault: Any) -> None:
        """Reset the service to the stack and the fleet, and this fault if one is given."""
        self.simulator.reset()
        self.simulator.seed_lab(STACK, FLEET, instances=10_000)
        self.fault(**fault)

    def fault(self, **fault: Any) -> None:
        """Replace the faults by this one, or by none."""
        self.simulator.clear_faults()
        if fault:
            self.simulator.add_fault(**fault)

    # Commands

    def command(
        self, *command: str | int | Path, home: Path | None = None, stdin: str = "", **variables: str
    ) -> Measured:
        """Run a command; RuntimeError with its output if it fails."""
        usage = self.new_path("usage.json")
        environment = clean_environment(
            home or self.home(),
            **self.simulator.environment(),
            PATH=f"{self.environment.venv / 'bin'}:/usr/local/bin:/usr/bin:/bin",
            ANSIBLE_COLLECTIONS_PATH=str(self.environment.collections),
            ANSIBLE_CONFIG=str(self._config),
            **{"ANSIBLE_CALLBACKS_ENABLED": "", **variables},
        )
        process = subprocess.run(
            [sys.executable, "-I", "-S", HERE / "usage.py", usage, *map(str, command)],
            cwd=self._folder,
            env=environment,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if process.returncode:
            raise RuntimeError(f"{command[0]} exited with {process.returncode}:\n{process.stdout[-5000:]}")
        took = json.loads(usage.read_text())
        begun = took.pop("begun")
        calls = [call for call in self.simulator.calls() if call["started"] >= begun]
        return Measured(**took, calls=calls, printed=process.stdout)

    def script(self, name: str, *arguments: str | int, **variables: str) -> Measured:
        """Run one of the scripts here."""
        return self.command("bash" if name.endswith(".sh") else "python", HERE / name, *arguments, **variables)

    def play(self, *tasks: Mapping[str, Any], home: Path | None = None, **variables: str) -> Measured:
        """Run a playbook of these tasks on localhost."""
        playbook = self.new_path("playbook.json")
        playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": list(tasks)}]))
        return self.command("ansible-playbook", playbook, home=home, **variables)

    def empty_playbook(self) -> Measured:
        """Run Ansible without a module."""
        return self.play({"ansible.builtin.meta": "noop"})

    def caller_info(self) -> Measured:
        """Run a small module of amazon.aws."""
        return self.play({CALLER_INFO: {}})

    def module(self, task: Mapping[str, Any], home: Path) -> dict[str, Any]:
        """Return the result of a task's module without ansible-playbook, for what is not measured."""
        [(name, arguments)] = task.items()
        namespace, collection, module = name.split(".")
        folder = self.environment.collections / "ansible_collections" / namespace / collection / "plugins/modules"
        measured = self.command(
            "python",
            folder / f"{module}.py",
            home=home,
            stdin=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
            PYTHONPATH=str(self.environment.collections),
        )
        return json.loads(measured.printed)


def our_task(learners: int, **options: Any) -> dict[str, Any]:
    """Return the task that issues URLs to so many learners."""
    users = [{"user_id": f"learner-{number}"} for number in range(learners)]
    arguments = {"stack_name": STACK, "fleet_name": FLEET, "validity": VALIDITY, "concurrency": CONCURRENCY}
    return {MODULE: {**arguments, "users": users, **options}}
