# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A few cases of tests/stress, quick enough for every test run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.lease_stores import Store
from tests.simulator.control import Simulator
from tests.stress.concurrency import run_at_once
from tests.stress.faults import DELETED, LOCKED, NO_SPACE, Fault, Faults, Scenarios
from tests.stress.kills import MAX_HOLDERS, Kills
from tests.stress.lab import Lab
from tests.stress.services import SERVICES, Service, get_holders

SEED = 20261121


@pytest.fixture
def stress_lab(simulator: Simulator, tmp_path: Path) -> Lab:
    return Lab(simulator, tmp_path)


def test_runs_at_once_return_the_same_urls(stress_lab: Lab) -> None:
    run_at_once(stress_lab, SERVICES["appstream"], "sqlite", holders=20, runs=3)


def test_killed_runs_lose_nothing_that_was_stored(stress_lab: Lab) -> None:
    ansible, empty = stress_lab.fresh(SERVICES["appstream"], "dynamodb", get_holders(0, MAX_HOLDERS))

    interrupted = Kills(SERVICES["appstream"], stress_lab.simulator, ansible, empty, SEED).kill(2)

    assert interrupted, "no run was killed in its middle"


# Two of six holders have their URLs. AppStream is asked for the stack, the fleet and their association first, Nimble
# Studio for the studio, and GameLift Streams for the stream group; then a table is read, described, and a write to it
# is tried.
@pytest.mark.parametrize(
    ("service", "store", "faults", "fails"),
    [
        ("appstream", "sqlite", (Fault("dropped after the work", 4, True), Fault("clock an hour behind")), True),
        ("appstream", "sqlite", (Fault(NO_SPACE, 4), Fault("malformed JSON", 6)), True),
        ("appstream", "dynamodb", (Fault("a proxy's page", 8, True), Fault("clock an hour ahead")), True),
        ("nimble", "sqlite", (Fault(LOCKED, 3),), False),
        ("nimble", "dynamodb", (Fault(DELETED, 10),), True),
        ("gamelift", "sqlite", (Fault("dropped after the work", 4), Fault("truncated body", 6, True)), True),
    ],
)
def test_the_next_run_completes_what_faults_interrupted(
    stress_lab: Lab, service: str, store: str, faults: Faults, fails: bool
) -> None:
    scenarios = Scenarios(stress_lab, SERVICES[service], store, SEED, holders=6, returning=2, locked_seconds=0.5)

    result = scenarios.play(faults)

    assert not result.too_late
    assert result.failed is fails


@dataclass(frozen=True)
class WithoutStore:
    """A service whose runs have no lease store."""

    service: Service

    def __getattr__(self, name: str) -> object:
        return getattr(self.service, name)

    def arguments(self, holders: list[str], store: Store) -> dict[str, object]:
        return {**self.service.arguments(holders, store), "lease_store": "none"}


def test_a_run_that_stores_nothing_breaks_a_rule(stress_lab: Lab) -> None:
    """Otherwise these tests could not fail."""
    scenarios = Scenarios(stress_lab, WithoutStore(SERVICES["appstream"]), "sqlite", SEED, holders=3, returning=1)

    with pytest.raises(AssertionError, match=f"^seed {SEED}, .*, sqlite, .*: the leases of .* were lost"):
        scenarios.play((Fault("500", 2),))
