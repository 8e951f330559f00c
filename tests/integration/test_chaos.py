# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs at once, runs that are killed, and runs whose calls, clock or store fail. ``make chaos`` does more of it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos import __main__ as command_line
from tests.chaos import faults
from tests.chaos.classes import SERVICES, Service, seats
from tests.chaos.faults import (
    CLOCKS,
    DELETED,
    LOCKED,
    NO_SPACE,
    OF_CALLS,
    Case,
    Found,
    Strike,
    Striking,
    Struck,
    tables_of,
)
from tests.chaos.killed import MOST_SEATS, Killing
from tests.chaos.lab import Lab
from tests.integration.lease_stores import Store
from tests.integration.running import ModuleServer
from tests.simulator.control import Simulator

# What is by chance follows from it: the same in each run, so that a failure is no surprise.
SEED = 20261121


@pytest.fixture
def lab(simulator: Simulator, module_server: ModuleServer, tmp_path: Path) -> Lab:
    return Lab(simulator, module_server, tmp_path)


@pytest.mark.parametrize(("service", "store"), [("appstream", "sqlite"), ("nimble", "dynamodb")])
def test_runs_at_once_hand_every_seat_the_same_url(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], service: str, store: str
) -> None:
    """By the command of ``make chaos``, in the lab that is there."""

    @contextmanager
    def started() -> Iterator[Lab]:
        yield lab

    monkeypatch.setattr(Lab, "started", started)
    monkeypatch.setattr("tests.chaos.at_once.RUNS", 3)
    sizes = ["--only", "at-once", "--learners", "20", "--jobs", "1"]

    found = command_line.main([*sizes, "--service", service, "--store", store])

    [row] = found["at-once"]
    assert (row.service, row.store, row.seats, row.remembered) == (SERVICES[service].name, store, 20, 20)
    assert f"{row.service}, {store}" in capsys.readouterr().out


@pytest.mark.parametrize(("service", "store"), [("appstream", "dynamodb"), ("nimble", "sqlite")])
def test_killed_runs_lose_nothing_that_was_remembered(lab: Lab, service: str, store: str) -> None:
    ansible, empty = lab.fresh(SERVICES[service], store, seats(0, MOST_SEATS))

    kills = list(Killing(SERVICES[service], lab.simulator, ansible, empty, SEED).kills(2))

    assert any(kill.existing for kill in kills), "no run was killed in its middle"


# The class has six seats, of whom two have their URLs. AppStream is asked for the stack, the fleet and their
# association first, and Nimble Studio for the studio; then a table is read, described, and a write to it is tried.
CASES: dict[tuple[str, str], list[Case]] = {
    ("appstream", "sqlite"): [
        (Strike("dropped after the work", 4, lasting=True), Strike("clock an hour behind")),
        (Strike("truncated body", 2),),
        (Strike(NO_SPACE, 4), Strike("malformed JSON", 6)),
    ],
    ("appstream", "dynamodb"): [
        (Strike("a proxy's page", 5),),
        (Strike("a proxy's page", 8, lasting=True), Strike("clock an hour ahead")),
        (Strike("expired credentials", 9, lasting=True),),
    ],
    ("nimble", "sqlite"): [
        (Strike(DELETED, 4), Strike("503", 2)),
        (Strike("dropped after the work", 3, lasting=True),),
        (Strike(LOCKED, 3),),
    ],
    ("nimble", "dynamodb"): [
        (Strike("throttling", 12, lasting=True), Strike("500", 5)),
        (Strike(DELETED, 10),),
    ],
}


@pytest.mark.parametrize(("service", "store"), CASES)
def test_whatever_fails_no_url_is_lost_that_need_not_be_and_the_next_run_completes_the_class(
    lab: Lab, service: str, store: str
) -> None:
    striking = Striking(lab, SERVICES[service], store, SEED, count=6, returning=2, locked_seconds=0.5)

    struck = [striking.strike(case) for case in CASES[service, store]]

    assert [one.case for one in struck if one.too_late] == []
    assert [one.case for one in struck if not one.failed] == [case for case in CASES[service, store] if passes(case)]


def test_what_became_of_the_cases_is_summed_over_the_stores() -> None:
    def struck(case: Case, seats: int, unheard: int, said: str, *, too_late: bool = False) -> Struck:
        return Struck(case, bool(said), seats, unheard, 0, 0, said, too_late)

    passing, lasting, deleted = (Strike("500", 3),), (Strike("500", 3, lasting=True),), (Strike(DELETED, 9),)
    of_sqlite = [struck(passing, 30, 0, ""), struck(deleted, 30, 0, "", too_late=True), struck(lasting, 4, 2, "down")]
    of_table = [struck(lasting, 30, 1, ""), struck(lasting, 9, 1, "down"), struck((*passing, *deleted), 0, 0, "both")]

    became, said = tables_of([Found("AppStream", of_sqlite), Found("AppStream", of_table)])

    assert became.rows == [
        ["500", "1", "0", "30", "0", "0", "0"],
        ["500, from then on", "3", "2", "4 to 30", "4", "0", "0"],
        ["store deleted (too late)", "1", "0", "30", "0", "0", "0"],
        ["pairs of these", "1", "1", "0", "0", "0", "0"],
    ]
    assert said.rows == [["500", "nothing: the run ends well"], ["500, from then on", "down"]]


def passes(case: Case) -> bool:
    return case == (Strike(LOCKED, 3),)


def test_each_fault_strikes_at_calls_apart_and_together_they_strike_at_every_call() -> None:
    alone = [case for (case,) in faults.single_cases("sqlite", 36, 4, random.Random(SEED))]

    assert {strike.fault for strike in alone} == {*OF_CALLS, *CLOCKS, NO_SPACE, LOCKED, DELETED}
    for fault in OF_CALLS:
        quarters = [strike.call * 4 // 36 for strike in alone if strike.fault == fault and strike.lasting]
        assert quarters == [0, 1, 2, 3], fault
    assert {strike.call for strike in alone if strike.fault in OF_CALLS} == set(range(36))


def test_a_pair_is_of_two_faults_the_first_of_which_leaves_the_second_something_to_strike() -> None:
    pairs = list(faults.pairs("dynamodb", 66, 200, random.Random(SEED)))

    for first, second in pairs:
        assert first.fault != second.fault
        assert 0 < first.call < second.call < 66
        assert not first.lasting
    assert not any({first.fault, second.fault} & {NO_SPACE, LOCKED} for first, second in pairs)
    assert pairs == list(faults.pairs("dynamodb", 66, 200, random.Random(SEED))), "they follow from the seed"


@dataclass(frozen=True)
class Forgetful:
    """A service whose runs are told of no store."""

    service: Service

    def __getattr__(self, name: str) -> object:
        return getattr(self.service, name)

    def arguments(self, of: list[str], store: Store) -> dict[str, object]:
        return {**self.service.arguments(of, store), "lease_store": "none"}


@pytest.mark.parametrize("service", SERVICES)
def test_a_run_that_remembers_nothing_is_found_out_with_its_seed(lab: Lab, service: str) -> None:
    """Or these tests could not fail."""
    striking = Striking(lab, Forgetful(SERVICES[service]), "sqlite", SEED, count=3, returning=1)

    with pytest.raises(AssertionError, match=f"^seed {SEED}, .*, sqlite, 500 at call 2: the leases of .* were lost"):
        striking.strike((Strike("500", 2),))
