# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin of appstream_fleet: it starts a fleet once, and shows a line for each poll."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import ansible_runner
import pytest

from tests.integration.running import FLEET, VENV, Ansible, Run
from tests.simulator.control import Simulator

MODULE = "labstream.aws.appstream_fleet"
REGION = "eu-central-1"
LINE = re.compile(r"^\[(?P<host>\S+)\] (?P<fleet>\S+): (?P<state>[A-Z]+), (?P<sessions>.+), \d+s$", re.MULTILINE)
RunPlaybook = Callable[..., Run]


def make_fleet(simulator: Simulator, name: str = FLEET, region: str = "us-east-1") -> Any:
    """A stopped fleet of two instances; a client of AppStream."""
    appstream = simulator.client("appstream", region)
    appstream.create_fleet(
        Name=name,
        InstanceType="stream.standard.medium",
        ImageName="lab-image",
        ComputeCapacity={"DesiredInstances": 2},
    )
    return appstream


def fleet_task(task: str, *, fleet: Any = FLEET, keywords: dict[str, Any] | None = None, **args: Any) -> dict[str, Any]:
    return {"name": task, MODULE: {"name": fleet, **args}, **(keywords or {})}


def lines(run: Run) -> list[tuple[str, ...]]:
    """Host, fleet, state and sessions of each line of progress."""
    assert not LINE.search(run.stdout)
    return [match.groups() for match in LINE.finditer(run.stderr)]


def operations(simulator: Simulator, *names: str) -> list[str]:
    made = [call["operation"] for call in simulator.calls(service="appstream")]
    return [name for name in made if not names or name in names]


CHANGES = ("StartFleet", "StopFleet", "UpdateFleet")


@pytest.mark.core
def test_a_fleet_is_started_once_and_each_poll_has_a_line(simulator: Simulator, run_tasks: RunPlaybook) -> None:
    simulator.set(fleet_starting_seconds=0.5, fleet_stopping_seconds=0.5, instance_provisioning_seconds=0.3)
    make_fleet(simulator)

    run = run_tasks(
        [
            fleet_task("start it", available_sessions=4),
            fleet_task("again", available_sessions=4),
            fleet_task("stop it", state="stopped"),
        ],
        diff=True,
    )

    started, again, stopped = (run.task(name) for name in ("start it", "again", "stop it"))
    assert (started.failed, started.changed, started.warnings) == (False, True, ""), run.printed
    assert (again.changed, stopped.changed) == (False, True)
    assert started.result["fleet"]["state"] == "RUNNING"
    assert started.result["fleet"]["capacity"]["available"] == 4
    assert started.result["insufficient_capacity"] is None
    assert started.result["diff"] == {
        "before": {"state": "STOPPED", "desired_sessions": 2},
        "after": {"state": "RUNNING", "desired_sessions": 4},
    }
    assert started.result.keys() == again.result.keys() == stopped.result.keys()
    assert stopped.result["fleet"]["state"] == "STOPPED"
    assert operations(simulator, *CHANGES) == ["UpdateFleet", "StartFleet", "StopFleet"]
    shown = lines(run)
    assert shown[0] == ("localhost", FLEET, "STOPPED", "0 sessions available, 4 needed")
    assert ("localhost", FLEET, "RUNNING", "4 sessions available, 4 needed") in shown
    assert {state for _host, _fleet, state, _sessions in shown} <= {"STOPPED", "STARTING", "RUNNING", "STOPPING"}
    assert shown[-1][2:] == ("STOPPED", "0 sessions available")


@pytest.mark.core
def test_where_there_is_nothing_to_show_the_module_runs_once(
    simulator: Simulator, run_tasks: RunPlaybook, home: Path
) -> None:
    simulator.set(fleet_starting_seconds=0.5)
    make_fleet(simulator)

    run = run_tasks(
        [
            fleet_task("predict", keywords={"check_mode": True}),
            fleet_task("send", wait=False),
            fleet_task("invalid", wait_timeout=0),
            fleet_task("mapping", fleet={"Name": FLEET}),
            fleet_task("no log", available_sessions=2, keywords={"no_log": True}),
            fleet_task("stop in background", state="stopped", keywords={"async": 60, "poll": 1}),
        ],
        environment={"ANSIBLE_ASYNC_DIR": str(home / "async")},
        arguments=["--extra-vars", f"ansible_python_interpreter={VENV / 'bin/python'}"],
    )

    assert [task.failed for task in run.tasks] == [False, False, True, True, False, False], run.printed
    assert run.task("predict").result["fleet"]["state"] == "RUNNING"
    assert run.task("send").result["fleet"]["state"] == "STARTING"
    assert run.task("invalid").msg == "wait_timeout is 0, but it must be from 1 to 86400 seconds (one day)."
    assert run.task("mapping").msg.endswith("it is a mapping, but it must be text")
    assert run.task("stop in background").result["fleet"]["state"] == "STOPPED"
    assert operations(simulator, *CHANGES) == ["StartFleet", "StopFleet"]
    assert "sessions available" not in run.printed
    assert lines(run) == []


@pytest.mark.core
def test_in_a_role_a_message_names_the_variable_also_if_it_is_about_a_poll(
    simulator: Simulator, run_tasks: RunPlaybook
) -> None:
    simulator.set(fleet_starting_seconds=60)
    make_fleet(simulator)
    variables = json.dumps({"wait_timeout": "appstream_lab_fleet_wait_timeout"})
    start, no_role = (
        fleet_task(name, wait_timeout=1, keywords={"environment": {"LABSTREAM_ROLE_VARIABLES": setting}})
        for name, setting in {"start": variables, "no role": "{"}.items()
    )

    run = run_tasks([start, no_role])

    assert run.task("start").msg.endswith("and run again, or increase appstream_lab_fleet_wait_timeout."), run.printed
    assert run.task("no role").msg.startswith("LABSTREAM_ROLE_VARIABLES in the environment is only for the roles")


def test_what_is_in_the_way_is_polled_first_and_a_fleet_that_falls_back_is_started_once(
    simulator: Simulator, run_tasks: RunPlaybook
) -> None:
    simulator.set(fleet_starting_seconds=0, fleet_stopping_seconds=4)
    make_fleet(simulator).start_fleet(Name=FLEET)
    make_fleet(simulator, "falls-back")
    simulator.change_fleet("falls-back", StartOutcome="STOPPED", StartErrors=["IMAGE_NOT_FOUND"])

    run = run_tasks(
        [
            fleet_task("stop", state="stopped", wait=False),
            fleet_task("start", available_sessions=3),
            fleet_task("fall back", fleet="falls-back"),
        ],
        diff=True,
    )

    _stop, start, fall_back = run.tasks
    assert (start.failed, start.changed, start.result["fleet"]["state"]) == (False, True, "RUNNING"), run.printed
    assert start.result["fleet"]["capacity"]["available"] == 3
    assert (fall_back.failed, fall_back.changed, fall_back.result["fleet"]["state"]) == (True, True, "STOPPED")
    assert "fell back to STOPPED with errors: IMAGE_NOT_FOUND" in fall_back.msg
    assert operations(simulator, *CHANGES)[1:] == ["StopFleet", "UpdateFleet", "StartFleet", "StartFleet"]


def test_connection_options_reach_the_polls_and_warnings_are_merged(
    simulator: Simulator, run_playbook: RunPlaybook
) -> None:
    make_fleet(simulator, region=REGION)
    simulator.set(instance_provisioning_seconds=30)
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": {MODULE: {"region": REGION, "endpoint_url": simulator.endpoint_url}},
        "tasks": [fleet_task("start", available_sessions=3, wait_timeout=2, on_insufficient_capacity="warn")],
    }

    run = run_playbook([play], environment={"AWS_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"})

    task = run.task("start")
    assert (task.failed, task.changed) == (False, True), run.printed
    assert task.result["insufficient_capacity"].startswith("Fleet 'cad-fleet' has ")
    assert task.warnings.count(task.result["insufficient_capacity"]) == 1
    assert {call["region"] for call in simulator.calls(service="appstream")} == {REGION}


def test_a_poll_that_fails_keeps_what_was_changed(simulator: Simulator, run_tasks: RunPlaybook) -> None:
    simulator.set(fleet_starting_seconds=60)
    make_fleet(simulator)

    with ThreadPoolExecutor(max_workers=1) as executor:
        running = executor.submit(run_tasks, [fleet_task("start")])
        # The module has started the fleet, and described it again.
        while "StartFleet DescribeFleets" not in " ".join(operations(simulator)):
            assert not running.done()
            time.sleep(0.1)
        simulator.add_fault(operation="DescribeFleets", error={"code": "AccessDeniedException"})
        task = running.result().task("start")

    assert (task.failed, task.changed) == (True, True)
    assert "not authorized to perform appstream:DescribeFleets" in task.msg
    assert task.result["fleet"]["state"] == "STARTING"


def test_two_hosts_start_two_fleets_and_callbacks_that_print_json_stay_parseable(
    simulator: Simulator, run_playbook: RunPlaybook
) -> None:
    simulator.set(fleet_starting_seconds=0.5)
    for name in ("fleet-a", "fleet-b"):
        make_fleet(simulator, name)
    play = {
        "hosts": "a,b",
        "connection": "local",
        "gather_facts": False,
        "tasks": [fleet_task("start", fleet="fleet-{{ inventory_hostname }}", desired_instances=1)],
    }

    run = run_playbook(
        [play], arguments=["--inventory", "a,b,"], environment={"ANSIBLE_STDOUT_CALLBACK": "json_stdout"}
    )

    printed = json.loads(run.stdout)
    assert printed == {"a": ["RUNNING"], "b": ["RUNNING"]}, run.printed
    assert {(host, fleet) for host, fleet, _state, _sessions in lines(run)} == {("a", "fleet-a"), ("b", "fleet-b")}
    assert sorted(operations(simulator, *CHANGES)) == ["StartFleet", "StartFleet", "UpdateFleet", "UpdateFleet"]


@pytest.mark.long
def test_ansible_runner_has_the_lines_as_events(simulator: Simulator, ansible: Ansible, tmp_path: Path) -> None:
    simulator.set(fleet_starting_seconds=0.5)
    make_fleet(simulator)
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [fleet_task("start", available_sessions=2)]}

    run = ansible_runner.run(
        private_data_dir=str(tmp_path),
        project_dir=str(ansible.home),
        playbook=[play],
        envvars={name: value for name, value in ansible.environment.items() if name != "ANSIBLE_CALLBACKS_ENABLED"},
        quiet=True,
    )

    assert run.status == "successful", run.stdout.read()
    shown = [event["stdout"] for event in run.events if LINE.search(event["stdout"].strip())]
    assert any("cad-fleet: RUNNING, 2 sessions available, 2 needed" in line for line in shown)
