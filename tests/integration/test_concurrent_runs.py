# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs at once over one lease store, and runs that are killed. ``make chaos`` does the same at full size."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.chaos.at_once import run_at_once
from tests.chaos.killed import Killing
from tests.integration.lease_stores import LeaseFile, LeaseTable, Store
from tests.integration.running import FLEET, STACK, STREAM_MODULE, STUDIO, Ansible, finish_module
from tests.simulator.control import Simulator


@pytest.fixture
def lab(simulator: Simulator) -> Simulator:
    """The simulator, with a fleet that has room for all learners whose URLs are opened."""
    simulator.seed_lab(STACK, FLEET, instances=1000)
    return simulator


@pytest.fixture(params=["sqlite", "dynamodb"])
def store(request: pytest.FixtureRequest, simulator: Simulator, home: Path) -> Store:
    return LeaseTable.create(simulator) if request.param == "dynamodb" else LeaseFile(home / "leases.sqlite3")


def test_runs_at_once_hand_every_learner_the_same_url(lab: Simulator, ansible: Ansible, store: Store) -> None:
    run_at_once(lab, ansible, store, 40)


def test_runs_at_once_create_one_stream_a_session_and_all_return_it(
    simulator: Simulator, ansible: Ansible, lease_table: str, table: LeaseTable
) -> None:
    sessions = [f"seat-{number:02}" for number in range(20)]
    simulator.seed_studio(STUDIO, sessions)
    args = {"studio_id": STUDIO, "session_ids": sessions, "lease_store": lease_table}

    processes = [ansible.start_module(args, module=STREAM_MODULE) for _number in range(4)]
    tasks = [finish_module(process) for process in processes]

    assert [task.msg for task in tasks if task.failed] == []
    created = {stream["sessionId"]: stream["streamId"] for stream in simulator.streams()}
    assert len(simulator.streams()) == len(created) == 20
    returned = [{entry["session_id"]: entry["stream_id"] for entry in task.result["streams"]} for task in tasks]
    assert returned == [created] * 4
    assert {item["seat"]["S"]: item["stream_id"]["S"] for item in table.items()} == created


def test_killed_runs_lose_nothing_that_was_remembered(lab: Simulator, ansible: Ansible, store: Store) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")

    kills = list(Killing(lab, ansible, store, seed).kills(5))

    print(kills)
    assert any(kill.held for kill in kills), "no run was killed in its middle"
