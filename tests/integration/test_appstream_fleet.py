# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules appstream_fleet and appstream_fleet_info: fleets are started, stopped, scaled, awaited and described."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.running import FLEET, STACK, Ansible, Task, finish_module, server_that_answers
from tests.simulator.control import Simulator

MODULE, INFO = "labstream.aws.appstream_fleet", "labstream.aws.appstream_fleet_info"
ARN = f"arn:aws:appstream:us-east-1:123456789012:fleet/{FLEET}"
CHANGING = ("StartFleet", "StopFleet", "UpdateFleet")
# A call that fails is not repeated for long.
ONCE = {"retries": {"mode": "standard", "total_max_attempts": 1}}
NO_ADDRESSES = {"ErrorCode": "SUBNET_HAS_INSUFFICIENT_IP_ADDRESSES", "ErrorMessage": "No address is free."}
MULTI_SESSION = {"ComputeCapacity": {"DesiredSessions": 8}, "MaxSessionsPerInstance": 4}
ELASTIC = {
    "FleetType": "ELASTIC",
    "InstanceType": "stream.standard.medium",
    "MaxConcurrentSessions": 5,
    "VpcConfig": {"SubnetIds": ["subnet-1", "subnet-2"]},
}
NOTHING_KNOWN = {
    "name": FLEET,
    "arn": None,
    "state": None,
    "fleet_type": None,
    "instance_type": None,
    "capacity": dict.fromkeys(("desired", "running", "in_use", "available", "max_available")),
    "max_concurrent_sessions": None,
    "max_sessions_per_instance": None,
    "max_user_duration_in_seconds": None,
    "disconnect_timeout_in_seconds": None,
    "idle_disconnect_timeout_in_seconds": None,
    "fleet_errors": [],
    "problem": None,
    "created_time": None,
}

CallModule = Callable[..., Task]


@pytest.fixture
def call(call_module: CallModule) -> CallModule:
    """``call(state=...)`` calls the module for the fleet; ``check`` is that of ``call_module``."""

    def call(*, check: bool = False, **args: Any) -> Task:
        return call_module({"name": FLEET, **args}, module=MODULE, check=check, diff=True)

    return call


def make_fleet(simulator: Simulator, name: str = FLEET, **members: Any) -> Any:
    """A stopped fleet; a client of AppStream."""
    appstream = simulator.client("appstream")
    defaults = {
        "InstanceType": "stream.standard.medium",
        "ImageName": "lab-image",
        "ComputeCapacity": {"DesiredInstances": 2},
    }
    appstream.create_fleet(Name=name, **(members if "FleetType" in members else {**defaults, **members}))
    return appstream


def changing_calls(simulator: Simulator) -> list[str]:
    return [made["operation"] for made in simulator.calls(service="appstream") if made["operation"] in CHANGING]


def reported(task: Task) -> dict[str, Any]:
    """The result without what was asked and what Ansible adds."""
    return {key: value for key, value in task.result.items() if key not in ("invocation", "failed", "msg")}


def seats(task: Task) -> tuple[int, ...]:
    """Desired, running, in use, available, max_available."""
    capacity = task.result["fleet"]["capacity"]
    return tuple(capacity[key] for key in ("desired", "running", "in_use", "available", "max_available"))


# Starting, stopping and scaling.


def test_a_fleet_is_started_scaled_and_stopped_and_then_left_alone(simulator: Simulator, call: CallModule) -> None:
    simulator.set(fleet_starting_seconds=0.2, fleet_stopping_seconds=0.2)
    make_fleet(simulator)

    predicted = call(desired_instances=3, check=True)
    assert changing_calls(simulator) == []
    started, again = call(desired_instances=3), call(desired_instances=3)
    assert changing_calls(simulator) == ["UpdateFleet", "StartFleet"]
    predicted_stop = call(state="stopped", check=True)
    stopped, stopped_again = call(state="stopped"), call(state="stopped")

    tasks = (predicted, started, again, predicted_stop, stopped, stopped_again)
    assert [task.result.get("msg") for task in tasks] == [None] * 6
    assert [task.changed for task in tasks] == [True, True, False, True, True, False]
    assert started.result["fleet"]["state"] == predicted.result["fleet"]["state"] == "RUNNING"
    assert seats(started) == (3, 3, 0, 3, 3)
    assert seats(predicted) == (3, 0, 0, 0, 3), "no instance is foreseen that is still to come"
    assert started.result["fleet"].keys() == predicted.result["fleet"].keys() >= NOTHING_KNOWN.keys()
    assert started.result["diff"] == {
        "before": {"state": "STOPPED", "desired_sessions": 2},
        "after": {"state": "RUNNING", "desired_sessions": 3},
    }
    assert predicted.result["diff"] == started.result["diff"]
    assert reported(stopped) == reported(predicted_stop)
    assert stopped.result["diff"]["after"] == {"state": "STOPPED", "desired_sessions": 3}
    assert changing_calls(simulator) == ["UpdateFleet", "StartFleet", "StopFleet"]


def test_a_running_fleet_is_scaled_where_it_is_and_never_without_being_asked(lab: Simulator, call: CallModule) -> None:
    untouched = call()
    assert (untouched.changed, seats(untouched)) == (False, (30, 30, 0, 30, 30))

    predicted = call(desired_instances=12, check=True)
    scaled = call(desired_instances=12)

    assert (predicted.changed, scaled.changed) == (True, True)
    assert seats(scaled) == (12, 12, 0, 12, 12)
    assert predicted.result["diff"] == scaled.result["diff"]
    assert changing_calls(lab)[1:] == ["UpdateFleet"], "the first call is the lab's own"


@pytest.mark.parametrize(
    ("members", "option", "start", "end"),
    [
        pytest.param({"FleetType": "ON_DEMAND"}, {"desired_instances": 4}, 2, 4, id="On-Demand"),
        pytest.param(MULTI_SESSION, {"desired_sessions": 10}, 8, 12, id="multi-session, in whole instances"),
        pytest.param(ELASTIC, {"max_concurrent_sessions": 9}, 5, 9, id="Elastic"),
    ],
)
def test_fleets_of_every_type_are_started_and_scaled(
    simulator: Simulator, call: CallModule, members: dict[str, Any], option: dict[str, int], start: int, end: int
) -> None:
    base = {"InstanceType": "stream.standard.medium", "ImageName": "lab-image"}
    capacity = {"ComputeCapacity": {"DesiredInstances": 2}}
    make_fleet(simulator, **(members if members is ELASTIC else {**base, **capacity, **members}))

    started = call()
    scaled, again = call(**option), call(**option)

    assert (started.result["fleet"]["state"], seats(started)[0]) == ("RUNNING", start)
    assert (scaled.changed, seats(scaled)[0], again.changed) == (True, end, False), scaled.result
    assert seats(scaled)[3] == end


def test_an_option_for_another_type_is_rejected_before_anything_is_changed(
    simulator: Simulator, call: CallModule
) -> None:
    make_fleet(simulator, EnableDefaultInternetAccess=True)

    for check in (True, False):
        task = call(desired_sessions=30, check=check)

        assert task.msg == (
            "desired_sessions is 30, but it is for a multi-session fleet, and 'cad-fleet' is a fleet with one session "
            "on each instance: give desired_instances instead."
        )
        assert (task.changed, task.result["fleet"]["state"]) == (False, "STOPPED")
    assert changing_calls(simulator) == []


def test_more_than_default_internet_access_is_for_is_warned_about(simulator: Simulator, call: CallModule) -> None:
    make_fleet(simulator, EnableDefaultInternetAccess=True)
    assert "at most 100 instances, and desired_instances 150" in call(desired_instances=150).warnings
    assert call().warnings == ""


# With enough capacity.


@pytest.mark.parametrize(
    ("members", "end"),
    [
        pytest.param({"FleetType": "ON_DEMAND"}, 9, id="On-Demand"),
        pytest.param(MULTI_SESSION, 12, id="multi-session, in whole instances"),
        pytest.param(ELASTIC, 9, id="Elastic"),
    ],
)
def test_fleets_of_every_type_get_the_sessions_that_are_needed_and_are_never_scaled_down(
    simulator: Simulator, call: CallModule, members: dict[str, Any], end: int
) -> None:
    simulator.set(fleet_starting_seconds=0.2, instance_provisioning_seconds=0.1)
    base = {"InstanceType": "stream.standard.medium", "ImageName": "lab-image"}
    capacity = {"ComputeCapacity": {"DesiredInstances": 2}}
    make_fleet(simulator, **(members if members is ELASTIC else {**base, **capacity, **members}))

    predicted = call(available_sessions=9, check=True)
    started, again, fewer = call(available_sessions=9), call(available_sessions=9), call(available_sessions=1)

    tasks = (predicted, started, again, fewer)
    assert [task.result.get("msg") for task in tasks] == [None] * 4
    assert [task.changed for task in tasks] == [True, True, False, False]
    assert [seats(task)[0] for task in tasks] == [end] * 4
    assert started.result["fleet"]["capacity"]["available"] >= 9
    assert [task.result["insufficient_capacity"] for task in tasks] == [None] * 4
    assert predicted.result["diff"] == started.result["diff"]
    assert changing_calls(simulator) == ["UpdateFleet", "StartFleet"]


SHORT = (
    "Fleet 'cad-fleet' has 2 sessions available after 1 seconds, but 3 are needed: run again to keep waiting, and "
    "check whether a scaling policy or a quota limits the fleet."
)


@pytest.mark.parametrize(("how", "failed", "warns"), [("fail", True, False), ("warn", False, True), ("ignore", 0, 0)])
def test_sessions_that_do_not_come_in_time_are_reported_as_asked(
    simulator: Simulator, call: CallModule, how: str, failed: bool, warns: bool
) -> None:
    make_fleet(simulator).start_fleet(Name=FLEET)
    simulator.set(instance_provisioning_seconds=60)

    task = call(available_sessions=3, wait_timeout=1, on_insufficient_capacity=how)

    assert re.sub(r"\d+ seconds?", "1 seconds", task.result["insufficient_capacity"]) == SHORT
    assert task.failed == failed
    assert (task.result.get("msg") == task.result["insufficient_capacity"]) == failed
    assert (task.result["insufficient_capacity"] in task.warnings) == warns
    assert (task.changed, seats(task)) == (True, (3, 2, 0, 2, 3))


# Without waiting.


def test_without_waiting_a_fleet_is_sent_on_its_way_and_sessions_are_waited_for(
    simulator: Simulator, call: CallModule, call_module: CallModule
) -> None:
    simulator.set(fleet_starting_seconds=1.2, instance_provisioning_seconds=0.1)
    make_fleet(simulator)

    predicted = call(wait=False, desired_instances=3, check=True)
    sent, again = call(wait=False, desired_instances=3), call(wait=False)
    polls = []
    while not polls or polls[-1]["capacity"]["running"] < 3:
        assert len(polls) < 50
        [poll] = call_module({"names": [FLEET]}, module=INFO).result["fleets"]
        polls.append(poll)
        time.sleep(0.1)

    assert [task.result["fleet"]["state"] for task in (predicted, sent, again)] == ["STARTING"] * 3
    assert [task.changed for task in (predicted, sent, again)] == [True, True, False]
    assert reported(predicted) == reported(sent)
    assert polls[0]["capacity"]["running"] < 3
    assert polls[-1]["capacity"]["available"] == 3
    assert {poll["capacity"]["max_available"] for poll in polls} == {3}


def test_without_waiting_what_is_in_the_way_is_a_failure(simulator: Simulator, call: CallModule) -> None:
    simulator.set(fleet_starting_seconds=60, fleet_stopping_seconds=60)
    appstream = make_fleet(simulator)
    appstream.start_fleet(Name=FLEET)

    for check in (True, False):
        scaled = call(wait=False, desired_instances=5, check=check)
        assert scaled.msg == (
            "Fleet 'cad-fleet' is STARTING, and only a fleet that is RUNNING or STOPPED can be scaled: wait until it "
            "is RUNNING and run again, or set wait."
        )
    stopped, stopping = call(wait=False, state="stopped"), call(wait=False, state="stopped")
    assert [(task.changed, task.result["fleet"]["state"]) for task in (stopped, stopping)] == [
        (True, "STOPPING"),
        (False, "STOPPING"),
    ]
    for check in (True, False):
        started = call(wait=False, check=check)
        assert started.msg == (
            "Fleet 'cad-fleet' is STOPPING, and only a fleet that is STOPPED can be started: wait until it is, then "
            "run again, or set wait."
        )
        assert (started.changed, started.result["fleet"]["state"]) == (False, "STOPPING")


# Waiting.


def test_what_is_in_the_way_is_waited_for(simulator: Simulator, call: CallModule) -> None:
    simulator.set(fleet_starting_seconds=0.3, fleet_stopping_seconds=0.3)
    appstream = make_fleet(simulator)
    appstream.start_fleet(Name=FLEET)

    scaled = call(desired_instances=5)
    appstream.stop_fleet(Name=FLEET)
    predicted, started = call(check=True), call()

    assert (scaled.changed, seats(scaled)) == (True, (5, 5, 0, 5, 5)), scaled.result
    assert (started.changed, started.result["fleet"]["state"]) == (True, "RUNNING"), started.result
    assert predicted.changed
    assert predicted.result["diff"]["after"] == started.result["diff"]["after"]
    assert changing_calls(simulator) == ["StartFleet", "UpdateFleet", "StopFleet", "StartFleet"]


def test_errors_of_a_starting_fleet_end_the_wait(simulator: Simulator, call: CallModule) -> None:
    simulator.set(fleet_starting_seconds=0.2)
    make_fleet(simulator)
    simulator.change_fleet(FLEET, StartOutcome="STARTING", StartErrors=[NO_ADDRESSES])
    message = (
        "Fleet 'cad-fleet' is STARTING with errors: SUBNET_HAS_INSUFFICIENT_IP_ADDRESSES (No address is free): give "
        "the fleet subnets with more free addresses (UpdateFleet), or request less, then stop the fleet and start it "
        "again."
    )

    began = time.monotonic()
    task = call(desired_instances=3)
    took = time.monotonic() - began
    later = [call(), call(wait=False), call(check=True)]

    assert (task.failed, task.changed, task.msg) == (True, True, message)
    assert took < 20
    assert task.result["fleet"]["state"] == "STARTING"
    assert task.result["fleet"]["problem"] == message
    assert task.result["fleet"]["fleet_errors"] == [
        {"error_code": NO_ADDRESSES["ErrorCode"], "error_message": NO_ADDRESSES["ErrorMessage"]}
    ]
    assert [(each.msg, each.changed) for each in later] == [(message, False)] * 3
    assert call(state="stopped").result["fleet"]["state"] == "STOPPED", "the cure"


@pytest.mark.parametrize("errors", [[], ["IMAGE_NOT_FOUND"]])
def test_a_fleet_that_falls_back_ends_the_wait(simulator: Simulator, call: CallModule, errors: list[str]) -> None:
    simulator.set(fleet_starting_seconds=0.2)
    make_fleet(simulator)
    simulator.change_fleet(FLEET, StartOutcome="STOPPED", StartErrors=errors)

    began = time.monotonic()
    task = call()

    assert time.monotonic() - began < 20
    assert (task.failed, task.changed) == (True, True)
    assert task.msg.startswith("Fleet 'cad-fleet' was starting and fell back to STOPPED with")
    assert ("IMAGE_NOT_FOUND" in task.msg) == bool(errors)
    assert ("quota of its instance type" in task.msg) != bool(errors)
    assert task.result["fleet"]["state"] == "STOPPED"
    assert changing_calls(simulator) == ["StartFleet"]


def test_errors_of_an_earlier_start_are_no_failure_of_this_one(simulator: Simulator, call: CallModule) -> None:
    simulator.set(fleet_starting_seconds=0.2)
    make_fleet(simulator)
    simulator.change_fleet(FLEET, FleetErrors=["IMAGE_NOT_FOUND"])

    predicted, task = call(check=True), call()

    assert (task.failed, task.result["fleet"]["state"], task.result["fleet"]["problem"]) == (False, "RUNNING", None)
    assert (predicted.failed, predicted.warnings, predicted.result["fleet"]["problem"]) == (False, "", None)


def test_a_running_fleet_with_errors_is_warned_about(lab: Simulator, call: CallModule) -> None:
    lab.change_fleet(FLEET, FleetErrors=["FLEET_INSTANCE_PROVISIONING_FAILURE"])

    task = call()

    assert (task.failed, task.changed) == (False, False)
    assert "Fleet 'cad-fleet' is RUNNING with errors: FLEET_INSTANCE_PROVISIONING_FAILURE" in task.warnings


@pytest.mark.parametrize(("state", "passing"), [("started", "STARTING"), ("stopped", "STOPPING")])
def test_a_wait_has_an_end(simulator: Simulator, call: CallModule, state: str, passing: str) -> None:
    appstream = make_fleet(simulator)
    if state == "stopped":
        appstream.start_fleet(Name=FLEET)
    simulator.set(fleet_starting_seconds=60, fleet_stopping_seconds=60)

    task = call(state=state, wait_timeout=1)

    arrived = {"started": "RUNNING", "stopped": "STOPPED"}[state]
    assert (task.failed, task.changed) == (True, True)
    assert task.msg == (
        f"Fleet 'cad-fleet' is still {passing} after 1 seconds: wait until it is {arrived} and run again, or "
        "increase wait_timeout."
    )
    assert task.result["fleet"]["state"] == passing
    assert task.result["diff"]["after"]["state"] == passing


# Calls that fail, and others at work.


@pytest.mark.parametrize(
    ("operation", "args"),
    [("StartFleet", {}), ("UpdateFleet", {"desired_instances": 3}), ("StopFleet", {"state": "stopped"})],
)
def test_a_concurrent_modification_is_tried_again(
    simulator: Simulator, call: CallModule, operation: str, args: dict[str, Any]
) -> None:
    appstream = make_fleet(simulator)
    if operation == "StopFleet":
        appstream.start_fleet(Name=FLEET)
    conflict = {"code": "ConcurrentModificationException", "message": "Busy"}
    simulator.add_fault(operation=operation, error=conflict, times=2)

    task = call(**args)

    assert (task.failed, task.changed) == (False, True), task.result
    assert len(simulator.calls(operation)) == 3


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("AccessDeniedException", "the credentials are not authorized to perform appstream:StartFleet"),
        ("LimitExceededException", "request less, or a quota increase"),
        ("ConcurrentModificationException", "something else is changing it, so wait a few minutes"),
        ("InvalidRoleException", "correct the IAM role of the fleet"),
        ("OperationNotPermittedException", "OperationNotPermittedException: No."),
    ],
)
def test_a_rejected_start_is_one_message(simulator: Simulator, call: CallModule, code: str, says: str) -> None:
    make_fleet(simulator)
    simulator.add_fault(operation="StartFleet", error={"code": code, "message": "No."})

    task = call(aws_config=ONCE, desired_instances=3)

    assert task.msg.startswith("Failed to start the fleet 'cad-fleet': ")
    assert says in task.msg
    assert "\n" not in task.msg
    assert (task.changed, task.result["fleet"]["state"], seats(task)[0]) == (True, "STOPPED", 3), "it was scaled"
    assert len(simulator.calls("StartFleet")) == 1


def test_a_start_that_somebody_else_was_faster_with_is_no_failure(simulator: Simulator, ansible: Ansible) -> None:
    # The run has seen that the fleet is stopped, and is rejected because it is starting by then.
    simulator.set(fleet_starting_seconds=1)
    appstream = make_fleet(simulator)
    simulator.add_fault(operation="UpdateFleet", latency_seconds=0.6)

    run = ansible.start_module({"name": FLEET, "desired_instances": 5}, module=MODULE)
    while not simulator.calls("UpdateFleet"):
        time.sleep(0.05)
    appstream.start_fleet(Name=FLEET)
    task = finish_module(run)

    assert simulator.calls("UpdateFleet")[0]["error_code"] == "OperationNotPermittedException"
    assert (task.failed, task.changed, seats(task)) == (False, True, (5, 5, 0, 5, 5)), task.result


def test_two_runs_at_once_start_one_fleet_and_neither_fails(simulator: Simulator, ansible: Ansible) -> None:
    simulator.set(fleet_starting_seconds=0.5)
    make_fleet(simulator)
    # Both have seen that the fleet is stopped before either starts it.
    simulator.add_fault(operation="StartFleet", latency_seconds=4)

    runs = [ansible.start_module({"name": FLEET}, module=MODULE) for _run in range(2)]
    tasks = [finish_module(run) for run in runs]

    assert len(simulator.calls("StartFleet")) == 2, "the runs did not meet"
    assert [(task.failed, task.result["fleet"]["state"]) for task in tasks] == [(False, "RUNNING")] * 2, tasks


def test_a_response_that_is_lost_is_no_failure(simulator: Simulator, call: CallModule) -> None:
    simulator.set(fleet_starting_seconds=0.2)
    make_fleet(simulator)
    for operation in ("UpdateFleet", "StartFleet"):
        simulator.add_fault(operation=operation, drop="after", times=1)
    simulator.add_fault(operation="DescribeFleets", drop="before", times=1)

    task = call(desired_instances=4)

    assert (task.failed, task.changed, seats(task)) == (False, True, (4, 4, 0, 4, 4)), task.result


# What cannot be right.


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"name": "cad fleet"}, "name is 'cad fleet', but a name has 1 to 101"),
        ({"wait_timeout": 0}, "wait_timeout is 0, but it must be from 1 to 86400 seconds (one day)."),
        ({"desired_instances": -1}, "desired_instances is -1, but it must be from 0 to 2147483647."),
        ({"max_concurrent_sessions": 0}, "max_concurrent_sessions is 0, but it must be from 1 to 2147483647."),
        (
            {"state": "stopped", "desired_sessions": 3},
            "desired_sessions is only for state=started: leave it out, or start the fleet.",
        ),
        ({"available_sessions": -1}, "available_sessions is -1, but it must be from 0 to 2147483647."),
        (
            {"state": "stopped", "available_sessions": 3},
            "available_sessions is only for state=started: leave it out, or start the fleet.",
        ),
        (
            {"max_concurrent_sessions": 1, "available_sessions": 1},
            "parameters are mutually exclusive: desired_instances|desired_sessions|max_concurrent_sessions|available_s",
        ),
        (
            {"desired_instances": 1, "desired_sessions": 1},
            "parameters are mutually exclusive: desired_instances|desired_sessions|max_concurrent_sessions",
        ),
    ],
)
def test_what_cannot_be_right_is_rejected_before_any_call(
    simulator: Simulator, call: CallModule, args: dict[str, Any], message: str
) -> None:
    task = call(**args)

    assert task.msg.startswith(message)
    assert simulator.calls(service="appstream") == []
    if "mutually" not in message:
        fleet = {**NOTHING_KNOWN, "name": args.get("name", FLEET)}
        assert reported(task) == {"changed": False, "fleet": fleet, "insufficient_capacity": None}


def test_a_response_that_is_not_one_of_the_service_is_reported_in_one_message(
    simulator: Simulator, call: CallModule, call_module: CallModule
) -> None:
    reply = json.dumps({"Fleets": [{"Name": FLEET, "State": "RUNNING"}]}).encode()
    with server_that_answers(lambda _path: reply) as endpoint_url:
        one = call(endpoint_url=endpoint_url)
        many = call_module({"names": [FLEET], "endpoint_url": endpoint_url}, module=INFO)

    why = "the response could not be parsed: check that endpoint_url points to a server that implements this API."
    assert one.msg == f"Failed to describe the fleet 'cad-fleet': {why}"
    assert many.msg == f"Failed to describe the fleets: {why}"


@pytest.mark.parametrize("check", [True, False])
def test_a_fleet_that_is_not_there_is_named(simulator: Simulator, call: CallModule, check: bool) -> None:
    for state in ("started", "stopped"):
        task = call(state=state, check=check)
        assert task.msg == (
            "Fleet 'cad-fleet' does not exist in region us-east-1: check its name and region, and that the "
            "credentials belong to the right account."
        )
        assert reported(task) == {"changed": False, "fleet": NOTHING_KNOWN, "insufficient_capacity": None}


# Gathering information


def test_fleets_are_reported_in_the_order_asked_or_all_on_all_pages(lab: Simulator, call_module: CallModule) -> None:
    for number in range(4):
        make_fleet(lab, f"fleet-{number}")
    lab.change_fleet("fleet-2", FleetErrors=[NO_ADDRESSES])
    url = lab.client("appstream").create_streaming_url(StackName=STACK, FleetName=FLEET, UserId="anna")["StreamingURL"]
    lab.open(url)

    named = call_module({"names": ["fleet-2", FLEET]}, module=INFO)
    everything = call_module({}, module=INFO)
    checked = call_module({}, module=INFO, check=True, diff=True)

    broken, running = named.result["fleets"]
    assert running == {
        "name": FLEET,
        "arn": ARN,
        "state": "RUNNING",
        "fleet_type": "ALWAYS_ON",
        "instance_type": "stream.standard.medium",
        "image_name": "lab-image",
        "image_arn": ARN.replace(f"fleet/{FLEET}", "image/lab-image"),
        "stream_view": "DESKTOP",
        "enable_default_internet_access": False,
        "compute_capacity_status": {"desired": 30, "running": 30, "in_use": 1, "available": 29},
        "capacity": {"desired": 30, "running": 30, "in_use": 1, "available": 29, "max_available": 29},
        "max_concurrent_sessions": None,
        "max_sessions_per_instance": None,
        "max_user_duration_in_seconds": 57_600,
        "disconnect_timeout_in_seconds": 900,
        "idle_disconnect_timeout_in_seconds": 0,
        "fleet_errors": [],
        "problem": None,
        "created_time": running["created_time"],
    }
    assert running["created_time"].endswith("Z")
    assert (broken["name"], broken["fleet_errors"][0]["error_code"]) == ("fleet-2", NO_ADDRESSES["ErrorCode"])
    assert broken["problem"].startswith("Fleet 'fleet-2' is STOPPED with errors: SUBNET_HAS_INSUFFICIENT_IP_ADDRESSES")
    assert sorted(fleet["name"] for fleet in everything.result["fleets"]) == [FLEET, *(f"fleet-{n}" for n in range(4))]
    assert {**checked.result, "invocation": None} == {**everything.result, "invocation": None}
    assert not named.changed


def test_without_a_fleet_nothing_is_reported(simulator: Simulator, call_module: CallModule) -> None:
    task = call_module({}, module=INFO)
    assert reported(task) == {"changed": False, "fleets": [], "missing": []}


def test_a_fleet_that_is_missing_is_named_and_the_others_are_reported(lab: Simulator, call_module: CallModule) -> None:
    one = call_module({"names": ["nowhere", FLEET]}, module=INFO)
    many = call_module({"names": [FLEET, *(f"nowhere-{number}" for number in range(6))]}, module=INFO)

    assert one.msg.startswith("Fleet 'nowhere' does not exist in region us-east-1: check its name")
    assert one.result["missing"] == ["nowhere"]
    assert [fleet["name"] for fleet in one.result["fleets"]] == [FLEET]
    assert many.msg == (
        "6 of 7 fleets do not exist in region us-east-1 ('nowhere-0', 'nowhere-1', 'nowhere-2', 'nowhere-3', "
        "'nowhere-4' and 1 more): check their names and region, and that the credentials belong to the right account."
    )
    assert len(many.result["missing"]) == 6


def test_invalid_names_and_denied_calls_are_reported(simulator: Simulator, call_module: CallModule) -> None:
    for names, message in {
        (): "names is empty: name at least one fleet, or leave it out for all.",
        ("a b",): "An entry of names is 'a b', but a name has",
    }.items():
        task = call_module({"names": list(names)}, module=INFO)
        assert task.msg.startswith(message)
    assert simulator.calls(service="appstream") == []
    simulator.add_fault(operation="DescribeFleets", error={"code": "AccessDeniedException"})
    for args in ({}, {"names": [FLEET]}):
        task = call_module(args, module=INFO)
        assert task.msg.startswith(
            "Failed to describe the fleets: the credentials are not authorized to perform appstream:DescribeFleets"
        )
        assert reported(task) == {"changed": False, "fleets": [], "missing": []}
