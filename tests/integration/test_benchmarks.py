# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``make bench`` in small: every table is measured and has its place in the page. Figures are not checked."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.benchmarks.__main__ import BENCHMARKS, main, report, select_complete
from tests.benchmarks.goals import Goal, table_of_goals
from tests.benchmarks.issuing import Figures, extrapolated
from tests.benchmarks.measuring import NEWEST, Bench, Measured
from tests.benchmarks.sizes import SMALL, Sizes
from tests.integration.running import Ansible
from tests.simulator.control import CHECKOUT, Simulator
from tests.tables import Table, names_in, write

PAGE = CHECKOUT / "tests/benchmarks/README.md"


class BenchInHaste(Bench):
    """Runs most modules without ansible-playbook."""

    def __init__(self, ansible: Ansible, simulator: Simulator, folder: Path) -> None:
        super().__init__(simulator, folder)
        self._ansible = ansible

    def play(self, *tasks: Mapping[str, Any], home: Path | None = None, **variables: str) -> Measured:
        if any("environment" in task for task in tasks):
            return super().play(*tasks, home=home, **variables)
        begun = time.time()
        for task in tasks:
            [(module, arguments)] = [(name, value) for name, value in task.items() if "." in name]
            for item in task.get("loop", [None]):
                of_item = json.loads(json.dumps(arguments).replace("{{ item }}", str(item)))
                self.module({module: of_item}, home or self.home())
        calls = [call for call in self.simulator.calls() if call["started"] >= begun]
        return Measured(time.time() - begun, cpu=0.1, peak=1.0, calls=calls, printed="")

    def module(self, task: Mapping[str, Any], home: Path) -> dict[str, Any]:
        [(module, arguments)] = task.items()
        if module.startswith("ansible.builtin."):
            return {}
        if not module.startswith("labstream."):
            return super().module(task, home)
        done = self._ansible.call_module(arguments, module=module, environment={"HOME": str(home)})
        assert not done.failed, done.msg
        return done.result


@pytest.mark.long
def test_every_table_is_measured_and_has_its_place_in_the_page(
    ansible: Ansible, simulator: Simulator, tmp_path: Path
) -> None:
    page = Path(shutil.copy(PAGE, tmp_path))

    tables = report([BenchInHaste(ansible, simulator, tmp_path)], list(BENCHMARKS), SMALL)
    write(page, tables)

    # At full size, the calls take time in one of two tables.
    names = {table.name for table in tables} | {"issuing_100_ms"}
    assert sorted(names) == sorted(names_in(PAGE))
    assert all(str(table) in page.read_text() for table in tables)
    assert all(table.rows for table in tables)


def test_a_second_environment_adds_only_its_goals(monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(bench: Any, _names: list[str], _sizes: Sizes) -> tuple[list[Table], list[Goal]]:
        figure = {"newest": 1.5, "oldest": 2.5}[bench.environment.name]
        return [Table("reusing", ["Seconds"], [[str(figure)]])], [Goal("reuse", 2, [figure])]

    monkeypatch.setattr("tests.benchmarks.__main__.measure", measure)
    environments = [NEWEST, replace(NEWEST, name="oldest")]
    benches: list[Any] = [SimpleNamespace(environment=environment) for environment in environments]

    reusing, goals, machine = report(benches, ["reusing"], SMALL)

    assert (reusing.name, reusing.rows) == ("reusing", [["1.5"]])
    assert goals.rows == [["reuse", "2", "1.50, met", "2.50, missed"]]
    assert machine.header == ["Environment", "Newest", "Oldest"]


def test_a_table_keeps_the_text_around_its_place_and_replaces_the_table_before(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Before.\n\n<!-- begin costs -->\n\nold\n\n<!-- end costs -->\n\nAfter.\n")

    for figure in ("1.5", "12"):
        write(page, [Table("costs", ["What", "Costs"], [["tea", figure], ["cake", "~ 3"]])])

    assert page.read_text() == (
        "Before.\n\n<!-- begin costs -->\n\n"
        "| What   |   Costs |\n|:-------|--------:|\n| tea    |      12 |\n| cake   |     ~ 3 |\n"
        "\n<!-- end costs -->\n\nAfter.\n"
    )


def test_a_table_without_a_place_in_the_page_is_rejected(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Nothing here.\n")

    with pytest.raises(ValueError, match=r"page\.md has no place for the table 'costs'"):
        write(page, [Table("costs", ["What"], [["tea"]])])


@pytest.mark.parametrize("part", ["--small", "--without-oldest"])
def test_figures_of_less_than_all_are_not_written_into_the_page(
    part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", part, "--write", str(tmp_path / "page.md")])

    with pytest.raises(SystemExit):
        main()

    assert "leave out --small and --without-oldest" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("benchmarks", "names"),
    [
        pytest.param(list(BENCHMARKS), ["reusing", "goals", "machine"], id="all"),
        pytest.param(["reusing"], ["reusing"], id="one"),
    ],
)
def test_goals_and_machine_need_all_benchmarks(benchmarks: list[str], names: list[str]) -> None:
    tables = [Table(name, [], []) for name in ("reusing", "goals", "machine")]

    assert [table.name for table in select_complete(tables, benchmarks)] == names


@pytest.mark.parametrize("operation", ["CreateStreamingURL", "CreateStreamingSessionStream"])
def test_a_run_that_issued_another_number_of_urls_is_rejected(operation: str) -> None:
    statuses = {operation: [200, 200, 400], "DescribeFleets": [200]}
    calls = [{"operation": name, "status": status} for name, each in statuses.items() for status in each]
    measured = Measured(wall=1.0, cpu=1.0, peak=1.0, calls=calls, printed="")

    assert measured.having_issued(2) is measured
    for expected in (0, 3):
        with pytest.raises(RuntimeError, match=f"2 URLs or streams were issued instead of {expected}"):
            measured.having_issued(expected)


def test_the_median_of_the_rounds_meets_a_goal() -> None:
    newest = [Goal("time", 1.15, [1.1, 1.3, 1.12]), Goal("memory", 150, [151.2], " MB")]
    oldest = [Goal("time", 1.15, [1.2, 1.1, 1.16])]

    assert table_of_goals(newest, oldest).rows == [
        ["time", "1.15", "1.12 (1.10 to 1.30), met", "1.16 (1.10 to 1.20), missed"],
        ["memory", "150 MB", "151 MB, missed", "not measured"],
    ]


@pytest.mark.parametrize(
    ("measured", "seconds", "reported"),
    [
        pytest.param({1: 1.0, 11: 3.0}, 20.8, "~ 21", id="two_on_a_line"),
        pytest.param({10: 200.0}, 2000.0, "~ 2,000", id="one_from_nothing"),
    ],
)
def test_figures_are_extrapolated_linearly(measured: dict[int, float], seconds: float, reported: str) -> None:
    figures = extrapolated({count: Figures(took, took, 50.0, count) for count, took in measured.items()}, 100)

    assert figures == Figures(pytest.approx(seconds), pytest.approx(seconds), 50.0, 100, is_extrapolated=True)
    assert figures.format(figures.wall) == reported
