# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the integration tests: a simulator, and Ansible in a fresh home folder that points at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.integration.lease_stores import LeaseTable
from tests.integration.running import FLEET, STACK, STREAM_MODULE, STUDIO, Ansible, Run, Task, has_gamelift
from tests.simulator.control import Simulator


@pytest.fixture(scope="session")
def simulator_process() -> Iterator[Simulator]:
    """One simulator for all tests (with pytest-xdist: one for each worker)."""
    with Simulator.start() as simulator:
        yield simulator


@pytest.fixture
def simulator(simulator_process: Simulator) -> Simulator:
    """The simulator, empty."""
    simulator_process.reset()
    return simulator_process


@pytest.fixture
def lab(simulator: Simulator) -> Simulator:
    """The simulator, with the stack "cad-course" on the running fleet "cad-fleet"."""
    simulator.seed_lab(STACK, FLEET)
    return simulator


@pytest.fixture
def studio(simulator: Simulator) -> Simulator:
    """The simulator, with the studio "studio-1" and its sessions "seat-01" to "seat-05", all READY."""
    simulator.seed_studio(STUDIO, [f"seat-{number:02}" for number in range(1, 6)])
    return simulator


@pytest.fixture
def gamelift() -> None:
    """Skip the test where modules run with a botocore that is too old for Amazon GameLift Streams."""
    if not has_gamelift():
        pytest.skip("botocore is too old for Amazon GameLift Streams")


@pytest.fixture
def table(simulator: Simulator) -> LeaseTable:
    """An empty DynamoDB table for leases in the simulator."""
    return LeaseTable.create(simulator)


@pytest.fixture
def lease_table(table: LeaseTable) -> str:
    """The table's address for the option ``lease_store``."""
    return table.url


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A fresh home folder."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def ansible(home: Path, simulator: Simulator) -> Ansible:
    """Ansible in that home folder, with the environment that points it at the simulator."""
    return Ansible(home, simulator.environment())


@pytest.fixture
def run_playbook(ansible: Ansible) -> Callable[..., Run]:
    """Run a playbook: see ``Ansible.run_playbook``."""
    return ansible.run_playbook


@pytest.fixture
def run_tasks(ansible: Ansible) -> Callable[..., Run]:
    """Run tasks in one playbook, even after one has failed: see ``Ansible.run_tasks``."""
    return ansible.run_tasks


@pytest.fixture
def run_module(ansible: Ansible) -> Callable[..., tuple[Task, Run]]:
    """Run one module task through ``ansible-playbook``: see ``Ansible.run_module``."""
    return ansible.run_module


@pytest.fixture
def call_module(ansible: Ansible) -> Callable[..., Task]:
    """Run a module's file without ansible-playbook: see ``Ansible.call_module``."""
    return ansible.call_module


@pytest.fixture
def call_stream_module(call_module: Callable[..., Task]) -> Callable[..., Task]:
    """``call_module`` for ``nimble_session_stream``."""
    return partial(call_module, module=STREAM_MODULE)


@pytest.fixture
def users() -> Callable[[int], list[dict[str, Any]]]:
    """``users(30)`` are thirty learners for the module's option."""
    return lambda number: [{"user_id": f"learner-{position:03}"} for position in range(1, number + 1)]
