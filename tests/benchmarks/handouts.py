# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Handouts of a lab: a page for each learner, the lists and the overview, in one task."""

from __future__ import annotations

from tests.benchmarks.goals import Goal
from tests.benchmarks.measuring import EMPTY, Bench, Measured, Rounds, our_task
from tests.benchmarks.sizes import Sizes
from tests.tables import Table, number

FIRST, AGAIN = "first run", "run again"
# Seconds that the task may take.
MAX_SECONDS = 3


class Writing:
    """The task that writes the handouts of a lab whose learners have their URLs."""

    def __init__(self, bench: Bench, learners: int) -> None:
        bench.lab()
        self._bench = bench
        self._home = bench.home()
        issued = bench.module(our_task(learners, return_urls=False), self._home)
        self._seats = [
            {"id": entry["user_id"], "name": "A Learner", "lease": entry["lease"]} for entry in issued["streaming_urls"]
        ]
        self._folder = self._home
        # Files, in each round.
        self.written: dict[str, list[int]] = {EMPTY: [0], FIRST: [], AGAIN: []}

    def first(self) -> Measured:
        """Write into an empty folder, under the name of another lab."""
        self._folder = self._bench.home()
        return self._write(FIRST)

    def again(self) -> Measured:
        """Write into the folder of the first run."""
        return self._write(AGAIN)

    def _write(self, name: str) -> Measured:
        before, folder = self._files(), self._folder
        arguments = {
            "lab": folder.name,
            "pages_dir": f"{folder}/pages",
            "links_csv": f"{folder}/links.csv",
            "urls_csv": f"{folder}/urls.csv",
            "overview_html": f"{folder}/overview.html",
            "base_url": "https://labs.example.org/lab",
            "starts_at": "2030-11-21T13:00:00+01:00",
            "seats": self._seats,
        }
        measured = self._bench.play({"labstream.aws.streaming_handout": arguments}, home=self._home)
        self.written[name].append(len(self._files() - before))
        return measured

    def _files(self) -> set[tuple[str, int, int]]:
        """Identify files so that a file that was written again differs."""
        paths = [path for path in (*self._folder.glob("*.*"), *self._folder.glob("pages/*")) if path.is_file()]
        return {(str(path), path.stat().st_ino, path.stat().st_mtime_ns) for path in paths}


def measure(bench: Bench, sizes: Sizes) -> tuple[list[Table], list[Goal]]:
    """Return the table and the goals."""
    writing = Writing(bench, sizes.lab_size)
    rounds = Rounds({EMPTY: bench.empty_playbook, FIRST: writing.first, AGAIN: writing.again}, sizes.repeat)
    empty = rounds.median(EMPTY)
    rows = []
    for name in (EMPTY, FIRST, AGAIN):
        one = rounds.median(name)
        figures = [one.wall - empty.wall, one.wall, one.cpu, round(one.peak), max(writing.written[name])]
        rows.append([name, *map(number, figures)])
    header = ["Playbook", "Seconds of the task", "In all", "CPU s", "MB", "Files written"]
    what = f"Handouts of {sizes.lab_size} learners"
    return [Table("handouts", header, rows)], [
        Goal(f"{what}: the task", MAX_SECONDS, rounds.each(lambda one: one[FIRST].wall - one[EMPTY].wall), " s"),
        Goal(f"{what}, run again: files written in any round", 0, [max(writing.written[AGAIN])]),
    ]
