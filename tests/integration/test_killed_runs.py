# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of ansible-playbook that are killed while their module issues, and what they leave."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.lease_stores import LeaseFile
from tests.integration.processes import get_tree, is_running, kill_tree
from tests.integration.running import (
    FLEET,
    MODULE,
    STACK,
    STREAM_GROUP,
    STREAM_MODULE,
    STREAM_URL_MODULE,
    STUDIO,
    TIMEOUT_SECONDS,
    Ansible,
    wait_while_running,
)
from tests.simulator.control import Simulator

STORE = ".ansible/labstream/leases.sqlite3"
CONCURRENCY, LATENCY = 2, 0.2
# So many calls are made before the run is killed; all would take six seconds.
CALLS = 6
NAMES = [f"learner-{number:02}" for number in range(60)]
APPSTREAM = {
    "module": MODULE,
    "args": {
        "stack_name": STACK,
        "fleet_name": FLEET,
        "validity": 3600,
        "users": [{"user_id": name} for name in NAMES],
    },
    "operation": "CreateStreamingURL",
}
NIMBLE = {
    "module": STREAM_MODULE,
    "args": {"studio_id": STUDIO, "session_ids": NAMES},
    "operation": "CreateStreamingSessionStream",
}

GAMELIFT = {
    "module": STREAM_URL_MODULE,
    "args": {"stream_group": STREAM_GROUP, "application": "a-lab", "locations": ["us-east-1"], "learners": NAMES},
    "operation": "CreateStreamUrl",
}


def start_and_kill(
    ansible: Ansible,
    simulator: Simulator,
    kill: Callable[[int], None],
    module: str,
    args: dict[str, Any],
    operation: str,
) -> list[int]:
    """Start a playbook that issues, and kill it once it has issued a few; return the processes that it had."""
    simulator.add_fault(operation=operation, latency_seconds=LATENCY)
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [{module: {**args, "concurrency": CONCURRENCY}}]}
    process = ansible.start_playbook([play], environment={"ANSIBLE_CALLBACKS_ENABLED": ""})
    try:
        assert wait_while_running(process, lambda: len(simulator.calls(operation)) >= CALLS, 0.02)
        tree = get_tree(process.pid)
        kill(process.pid)
    except BaseException:
        kill_tree(process.pid)
        raise
    assert process.wait(TIMEOUT_SECONDS) == -signal.SIGKILL
    for stream in (process.stdout, process.stderr):
        if stream:
            stream.close()
    simulator.clear_faults()
    return tree


def wait_until_ended(processes: list[int]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while any(map(is_running, processes)):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def kill_group(pid: int) -> None:
    """Kill a run as ansible-runner cancels one: by its process group, of which workers and modules are not."""
    os.killpg(pid, signal.SIGKILL)


def test_a_module_of_a_run_that_was_killed_issues_no_more_and_stores_what_is_in_flight(
    lab: Simulator, ansible: Ansible, home: Path
) -> None:
    processes = start_and_kill(ansible, lab, kill_group, **APPSTREAM)
    wait_until_ended(processes)

    issued = len(lab.streaming_urls())
    assert CALLS - CONCURRENCY <= issued < len(NAMES) / 2
    stored = LeaseFile(home / STORE).urls()
    assert sorted(stored.values()) == sorted(lab.streaming_urls())
    again = ansible.call_module(APPSTREAM["args"])
    assert (again.result["summary"]["reused"], again.result["summary"]["issued"]) == (issued, len(NAMES) - issued)


def test_a_module_of_a_run_that_was_killed_creates_no_more_streams(simulator: Simulator, ansible: Ansible) -> None:
    simulator.seed_studio(STUDIO, NAMES)
    processes = start_and_kill(ansible, simulator, kill_group, **NIMBLE)
    wait_until_ended(processes)

    created = len(simulator.streams())
    assert CALLS - CONCURRENCY <= created < len(NAMES) / 2
    again = ansible.call_module(NIMBLE["args"], module=STREAM_MODULE)
    assert not again.failed, again.msg
    assert len(simulator.streams()) == len(NAMES)


def test_a_module_of_a_run_that_was_killed_creates_no_more_stream_urls(simulator: Simulator, ansible: Ansible) -> None:
    simulator.seed_stream_group(STREAM_GROUP)
    processes = start_and_kill(ansible, simulator, kill_group, **GAMELIFT)
    wait_until_ended(processes)

    created = len(simulator.stream_urls())
    assert CALLS - CONCURRENCY <= created < len(NAMES) / 2
    again = ansible.call_module(GAMELIFT["args"], module=STREAM_URL_MODULE)
    assert not again.failed, again.msg
    assert len(simulator.stream_urls()) == len(NAMES)


@pytest.mark.core
def test_a_run_is_killed_with_all_that_it_has_started(lab: Simulator, ansible: Ansible) -> None:
    processes = start_and_kill(ansible, lab, kill_tree, **APPSTREAM)

    # ansible-playbook, its worker, shells and the module.
    assert len(processes) >= 4
    wait_until_ended(processes)
    calls = len(lab.calls())
    time.sleep(3 * LATENCY)
    assert len(lab.calls()) == calls
