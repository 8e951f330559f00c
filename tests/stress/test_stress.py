# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs at once, runs that are killed, and runs during which calls, the clock or the store fail.

``make stress`` runs this, for all services with both lease stores. tests/integration/test_stress.py has a few cases.
"""

from __future__ import annotations

import random

import pytest

from tests.stress.concurrency import run_at_once
from tests.stress.faults import ALL_FAULTS, STORE_FAULTS, Scenarios, build_pairs, spread
from tests.stress.kills import MAX_HOLDERS, Kills
from tests.stress.lab import STORES, Lab
from tests.stress.services import SERVICES, get_holders

RUNS, HOLDERS = 8, 200
KILLS = 20
CALLS, PAIRS = 4, 10

pytestmark = [pytest.mark.parametrize("service", SERVICES), pytest.mark.parametrize("store", STORES)]


def test_runs_at_once_return_the_same_urls(lab: Lab, service: str, store: str) -> None:
    run_at_once(lab, SERVICES[service], store, holders=HOLDERS, runs=RUNS)


def test_killed_runs_lose_nothing_that_was_stored(lab: Lab, service: str, store: str, seed: int) -> None:
    ansible, empty = lab.fresh(SERVICES[service], store, get_holders(0, MAX_HOLDERS))

    Kills(SERVICES[service], lab.simulator, ansible, empty, seed).kill(KILLS)


@pytest.mark.parametrize(("kind", "lasting"), ALL_FAULTS)
def test_the_next_run_completes_what_a_fault_interrupted(
    lab: Lab, service: str, store: str, kind: str, lasting: bool, seed: int
) -> None:
    scenarios = Scenarios(lab, SERVICES[service], store, seed)

    for faults in spread(kind, lasting, scenarios.count_calls(), CALLS, random.Random(f"{seed} {kind}")):
        scenarios.play(faults)


@pytest.mark.parametrize("kind", sorted(set().union(*STORE_FAULTS.values())))
def test_the_next_run_completes_what_a_fault_of_the_store_interrupted(
    lab: Lab, service: str, store: str, kind: str, seed: int
) -> None:
    if kind not in STORE_FAULTS[store]:
        pytest.skip("not a fault of this store")
    scenarios = Scenarios(lab, SERVICES[service], store, seed)

    for faults in spread(kind, False, scenarios.count_calls(), 2, random.Random(f"{seed} {kind}")):
        scenarios.play(faults)


def test_the_next_run_completes_what_two_faults_interrupted(lab: Lab, service: str, store: str, seed: int) -> None:
    scenarios = Scenarios(lab, SERVICES[service], store, seed)

    for faults in build_pairs(store, scenarios.count_calls(), PAIRS, random.Random(seed)):
        scenarios.play(faults)
