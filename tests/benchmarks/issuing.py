# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""URLs for learners who have none: our task, and what people would use instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from tests.benchmarks.goals import Goal
from tests.benchmarks.measuring import (
    CALLER_INFO,
    CONCURRENCY,
    EMPTY,
    FLEET,
    MODULE,
    STACK,
    VALIDITY,
    Bench,
    Measured,
    Rounds,
    our_task,
)
from tests.benchmarks.sizes import Sizes
from tests.tables import Table, milliseconds, number

OURS, WITHOUT_URLS = "our task", "our task, return_urls: false"
THREADS, ONE_THREAD = f"boto3 script, {CONCURRENCY} threads", "boto3 script, one call after another"
# Of the script with threads and an empty playbook; for one learner, of amazon.aws.aws_caller_info.
MAX_RATIO, MAX_RATIO_FOR_ONE = 1.2, 1.5
# MB.
MAX_MEMORY = 150

Ways = Mapping[str, Callable[[int], Measured]]


@dataclass(frozen=True)
class Figures:
    """The figures of one way: seconds, MB and calls."""

    wall: float
    cpu: float
    peak: float
    calls: float
    is_extrapolated: bool = False

    @classmethod
    def of(cls, measured: Measured) -> Figures:
        """As measured."""
        return cls(measured.wall, measured.cpu, measured.peak, len(measured.calls))

    def format(self, figure: float) -> str:
        """Format a figure, with two digits if it is extrapolated."""
        return f"~ {float(f'{figure:.2g}'):,g}" if self.is_extrapolated else number(figure)


def extrapolated(measured: Mapping[int, Figures], learners: int) -> Figures:
    """Extrapolate on the line through the fewest and the most learners that were measured, or through zero.

    Memory is that with the most, since there is one process or task for each learner.
    """
    least, most = min(measured), max(measured)
    low, high = (measured[least], measured[most]) if least < most else (Figures(0, 0, 0, 0), measured[most])
    steps = (learners - least) / (most - least) if least < most else learners / most

    def on_the_line(first: float, second: float) -> float:
        return first + steps * (second - first)

    return Figures(
        on_the_line(low.wall, high.wall),
        on_the_line(low.cpu, high.cpu),
        high.peak,
        on_the_line(low.calls, high.calls),
        is_extrapolated=True,
    )


def _checked(ways: Ways) -> Ways:
    """Return it; RuntimeError if a learner got no URL."""

    def issue(way: Callable[[int], Measured], learners: int) -> Measured:
        return way(learners).having_issued(learners)

    return {name: partial(issue, way) for name, way in ways.items()}


class Issuing:
    """The ways and their figures."""

    def __init__(self, bench: Bench, sizes: Sizes) -> None:
        self._bench = bench
        self._sizes = sizes
        self._compared: dict[tuple[int, float], Rounds] = {}
        self._at_once = _checked(
            {
                OURS: lambda learners: bench.play(our_task(learners)),
                WITHOUT_URLS: lambda learners: bench.play(our_task(learners, return_urls=False)),
                THREADS: partial(self._script, CONCURRENCY),
            }
        )
        self._one_by_one = _checked(
            {
                ONE_THREAD: partial(self._script, 1),
                "aws command in a shell loop": partial(self._aws_command, "loop"),
                f"aws command with xargs -P {CONCURRENCY}": partial(self._aws_command, "xargs"),
                "our module in an Ansible loop": self._ansible_loop,
            }
        )

    def table(self, latency: float) -> Table:
        """Measure all ways with all numbers of learners."""
        one_by_one = self._measured_one_by_one(latency)
        rows = []
        for learners in self._sizes.learners:
            rounds = self._rounds(learners, latency)
            figures = {name: Figures.of(rounds.median(name)) for name in self._at_once}
            for name, measured in one_by_one.items():
                figures[name] = measured.get(learners) or extrapolated(measured, learners)
            for name, one in figures.items():
                ratio = one.wall / figures[OURS].wall
                texts = map(one.format, [ratio, one.wall, one.cpu, round(one.peak), round(one.calls)])
                rows.append([number(learners), name, *texts])
        header = ["Learners", "Way", "Times our task", "Seconds", "CPU s", "MB", "API calls"]
        return Table(f"issuing_{milliseconds(latency).replace(' ', '_')}", header, rows)

    def goals(self) -> list[Goal]:
        """Compare our task with the script with threads and with a small module, and measure its memory."""
        learners, latency = self._sizes.lab_size, self._sizes.latencies[0]
        return [
            Goal(
                f"{milliseconds(latency)}: URLs for {learners}, concurrency {CONCURRENCY} / ({THREADS}, + {EMPTY})",
                MAX_RATIO,
                self._rounds(learners, latency).each(
                    lambda one: one[OURS].wall / (one[THREADS].wall + one[EMPTY].wall)
                ),
            ),
            Goal(
                f"{milliseconds(latency)}: a URL for one / {CALLER_INFO}",
                MAX_RATIO_FOR_ONE,
                self._rounds(1, latency).each(lambda one: one[OURS].wall / one[CALLER_INFO].wall),
            ),
            Goal(
                f"URLs for {number(self._sizes.many)}, return_urls: false",
                MAX_MEMORY,
                [self._memory(self._sizes.many)],
                " MB",
            ),
        ]

    def _rounds(self, learners: int, latency: float) -> Rounds:
        """Measure in turns Ansible alone and the ways that serve all learners at once."""
        key = learners, latency
        if key not in self._compared:
            self._bench.lab(latency_seconds=latency)
            ways = {name: partial(way, learners) for name, way in self._at_once.items()}
            alone = {EMPTY: self._bench.empty_playbook, CALLER_INFO: self._bench.caller_info}
            self._compared[key] = Rounds({**alone, **ways}, self._sizes.repeats(learners))
        return self._compared[key]

    def _memory(self, learners: int) -> float:
        latency = self._sizes.latencies[-1]
        if (learners, latency) in self._compared:
            return self._compared[learners, latency].median(WITHOUT_URLS).peak
        self._bench.lab(latency_seconds=latency)
        return self._at_once[WITHOUT_URLS](learners).peak

    def _measured_one_by_one(self, latency: float) -> dict[str, dict[int, Figures]]:
        self._bench.lab(latency_seconds=latency)
        measured = {}
        for name, way in self._one_by_one.items():
            # A call takes so little that a few of them are lost in the noise of the script's start.
            numbers = {1, self._sizes.one_by_one} | ({self._sizes.lab_size} if name == ONE_THREAD else set())
            if len(numbers) > 1:
                way(1)  # warms caches: a slow first run would tilt the line
            measured[name] = {learners: Figures.of(way(learners)) for learners in sorted(numbers)}
        return measured

    def _script(self, threads: int, learners: int) -> Measured:
        return self._bench.script("bare_boto3.py", STACK, FLEET, learners, VALIDITY, threads)

    def _aws_command(self, how: str, learners: int) -> Measured:
        return self._bench.script("aws_command.sh", how, STACK, FLEET, learners, VALIDITY, CONCURRENCY)

    def _ansible_loop(self, learners: int) -> Measured:
        arguments = {"stack_name": STACK, "fleet_name": FLEET, "validity": VALIDITY, "user_id": "learner-{{ item }}"}
        return self._bench.play({MODULE: arguments, "loop": list(range(learners))})


def measure(bench: Bench, sizes: Sizes) -> tuple[list[Table], list[Goal]]:
    """Return a table for each latency, and the goals."""
    issuing = Issuing(bench, sizes)
    tables = [] if sizes.goals_only else [issuing.table(latency) for latency in sizes.latencies]
    return tables, issuing.goals()
