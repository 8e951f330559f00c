# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules gamelift_stream_group and gamelift_stream_group_info: stream groups are scaled and described."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.running import Run, Task
from tests.simulator.control import Simulator

MODULE, INFO = "labstream.aws.gamelift_stream_group", "labstream.aws.gamelift_stream_group_info"
GROUP, LOCATION = "sg-class", "us-east-1"
ARN = f"arn:aws:gameliftstreams:us-east-1:123456789012:streamgroup/{GROUP}"
VPC = {"VpcId": "vpc-1", "Ipv4CidrBlocks": ["10.0.0.0/16"]}

CallModule = Callable[..., Task]

pytestmark = pytest.mark.usefixtures("gamelift")


@pytest.fixture
def call(simulator: Simulator, call_module: CallModule) -> CallModule:
    """``call(always_on_capacity=...)`` calls the module for a location of the stream group, which has 2 of up to 10."""
    simulator.seed_stream_group(
        GROUP,
        ["a-cad"],
        [
            {
                "LocationName": LOCATION,
                "AlwaysOnCapacity": 2,
                "MaximumCapacity": 10,
                "TargetIdleCapacity": 1,
                "VpcTransitConfiguration": VPC,
            },
            {"LocationName": "eu-west-1", "AlwaysOnCapacity": 1},
        ],
    )

    def call(*, check: bool = False, options: dict[str, Any] | None = None, **capacities: Any) -> Task:
        locations = {"locations": [{"location_name": LOCATION, **capacities}]} if capacities else {}
        return call_module(
            {"stream_group": GROUP, **locations, **(options or {})}, module=MODULE, check=check, diff=True
        )

    return call


def updates(simulator: Simulator) -> list[Any]:
    return [made["parameters"]["LocationConfigurations"] for made in simulator.calls("UpdateStreamGroup")]


def numbers(task: Task, location: int = 0) -> tuple[int, ...]:
    """Always on, target idle, maximum and allocated of a location."""
    state = task.result["stream_group"]["location_states"][location]
    return tuple(state[f"{name}_capacity"] for name in ("always_on", "target_idle", "maximum", "allocated"))


def test_a_location_is_scaled_with_every_member_and_then_left_alone(simulator: Simulator, call: CallModule) -> None:
    simulator.set(stream_group_updating_seconds=0.3)

    predicted = call(always_on_capacity=30, check=True)
    assert updates(simulator) == []
    scaled, again = call(always_on_capacity=30), call(always_on_capacity=30)
    lowered = call(always_on_capacity=0, target_idle_capacity=0, maximum_capacity=5)

    tasks = (predicted, scaled, again, lowered)
    assert [task.result.get("msg") for task in tasks] == [None] * 4
    assert [task.changed for task in tasks] == [True, True, False, True]
    common = {"LocationName": LOCATION, "VpcTransitConfiguration": VPC}
    assert updates(simulator) == [
        [{**common, "AlwaysOnCapacity": 30, "TargetIdleCapacity": 1, "MaximumCapacity": 30}],
        [{**common, "AlwaysOnCapacity": 0, "TargetIdleCapacity": 0, "MaximumCapacity": 5}],
    ]
    assert (numbers(scaled), numbers(predicted)) == ((30, 1, 30, 30), (30, 1, 30, 2))
    assert (numbers(scaled, 1), numbers(lowered)) == ((1, 0, 1, 1), (0, 0, 5, 0))
    assert scaled.result["stream_group"].keys() == predicted.result["stream_group"].keys()
    assert scaled.result["stream_group"]["status"] == predicted.result["stream_group"]["status"] == "ACTIVE"
    assert scaled.result["stream_group"]["capacity"] == {
        "always_on": 31,
        "maximum": 31,
        "allocated": 31,
        "in_use": 0,
        "available": 31,
        "max_available": 31,
    }
    settings = {"always_on_capacity": 2, "target_idle_capacity": 1, "maximum_capacity": 10}
    other = {"eu-west-1": {"always_on_capacity": 1, "target_idle_capacity": 0, "maximum_capacity": 1}}
    assert scaled.result["diff"] == {
        "before": {"status": "ACTIVE", "locations": {LOCATION: settings, **other}},
        "after": {
            "status": "ACTIVE",
            "locations": {LOCATION: {**settings, "always_on_capacity": 30, "maximum_capacity": 30}, **other},
        },
    }
    assert predicted.result["diff"] == scaled.result["diff"]


def test_without_waiting_the_update_is_made_and_one_under_way_is_in_the_way(
    simulator: Simulator, call: CallModule
) -> None:
    simulator.set(stream_group_updating_seconds=60)

    sent = call(always_on_capacity=3, options={"wait": False})
    again = call(always_on_capacity=3, options={"wait": False})
    blocked = call(always_on_capacity=4, options={"wait": False})
    late = call(options={"wait_timeout": 1})

    assert (sent.changed, sent.result["stream_group"]["status"], numbers(sent)) == (
        True,
        "UPDATING_LOCATIONS",
        (3, 1, 10, 2),
    )
    assert (again.failed, again.changed) == (False, False)
    assert blocked.msg.startswith(
        "Stream group 'sg-class' is UPDATING_LOCATIONS, and only a stream group that is ACTIVE"
    )
    assert late.msg.startswith("Stream group 'sg-class' is still UPDATING_LOCATIONS after 1 seconds: wait until it is")
    assert len(updates(simulator)) == 1


@pytest.mark.parametrize(
    ("how", "fails", "warns"), [("fail", True, False), ("warn", False, True), ("ignore", False, False)]
)
def test_capacity_that_is_not_allocated_in_time_fails_or_warns(
    simulator: Simulator, call: CallModule, how: str, fails: bool, warns: bool
) -> None:
    simulator.change_stream_group(
        GROUP, Locations=[{"LocationName": LOCATION, "AlwaysOnCapacity": 4, "AllocatedCapacity": 3}]
    )

    task = call(always_on_capacity=4, options={"wait_timeout": 1, "on_insufficient_capacity": how})

    shortage = task.result["insufficient_capacity"]
    assert shortage.startswith(
        "Stream group 'sg-class' has less always-on capacity allocated than it is set to after 1"
    )
    assert "3 of 4 in 'us-east-1'" in shortage
    assert (task.failed, shortage in task.warnings) == (fails, warns)


def test_what_cannot_be_scaled_is_said_in_both_modes_and_with_the_same_keys(
    simulator: Simulator, call: CallModule, call_module: CallModule
) -> None:
    simulator.seed_stream_group("sg-old", Status="EXPIRED")
    simulator.seed_stream_group("sg-broken", ["a-cad"], [LOCATION, {"LocationName": "eu-west-1", "Status": "ERROR"}])
    simulator.change_stream_group("sg-broken", Status="ACTIVE_WITH_ERRORS")
    good = call()
    wanted = {"location_name": LOCATION, "always_on_capacity": 5}
    for options, message in (
        ({"stream_group": "sg-old"}, "Stream group 'sg-old' is EXPIRED: a stream group lasts 365 days"),
        ({"stream_group": "sg-none"}, "Stream group 'sg-none' does not exist in region us-east-1: check stream_group"),
        ({"stream_group": "sg-broken", "locations": [wanted]}, "Stream group 'sg-broken' is ACTIVE_WITH_ERRORS, with"),
        (
            {"locations": [{**wanted, "location_name": "sa-east-1"}]},
            "Stream group 'sg-class' has no location 'sa-east-1'",
        ),
        ({"locations": [{**wanted, "maximum_capacity": 4}]}, "maximum_capacity of location 'us-east-1' is 4, but"),
        ({"locations": [wanted, wanted]}, "locations has 'us-east-1' twice"),
    ):
        tasks = [call_module({"stream_group": GROUP, **options}, module=MODULE, check=check) for check in (True, False)]
        assert [task.msg[: len(message)] for task in tasks] == [message] * 2
        for task in tasks:
            assert set(task.result) >= {"changed", "stream_group", "insufficient_capacity"}
            known = task.result["stream_group"].keys()
            assert (
                known
                >= {"id", "arn", "status", "location_states", "capacity", "problem"}
                <= good.result["stream_group"].keys()
            )
    assert updates(simulator) == []
    warned = call_module({"stream_group": "sg-broken"}, module=MODULE)
    assert (warned.failed, "'eu-west-1' in ERROR" in warned.warnings) == (False, True)


def test_an_update_that_is_in_conflict_is_repeated(simulator: Simulator, call: CallModule) -> None:
    simulator.add_fault(operation="UpdateStreamGroup", error={"code": "ConflictException"}, times=2)

    task = call(always_on_capacity=4)

    assert (task.failed, task.changed, numbers(task)) == (False, True, (4, 1, 10, 4)), task.result.get("msg")
    assert len(updates(simulator)) == 3


LINE = re.compile(r"^\[(?P<host>\S+)\] (?P<group>\S+): (?P<status>[A-Z_]+), (?P<sessions>.+), \d+s$", re.MULTILINE)


def test_each_poll_has_a_line_of_progress(
    simulator: Simulator, call: CallModule, run_tasks: Callable[..., Run]
) -> None:
    simulator.set(stream_group_updating_seconds=3)
    locations = [{"location_name": LOCATION, "always_on_capacity": 6}]
    task = {MODULE: {"stream_group": ARN, "locations": locations}}

    run = run_tasks([{"name": "scale it", **task}, {"name": "again", **task}], diff=True)

    scaled, again = run.task("scale it"), run.task("again")
    assert (scaled.failed, scaled.changed, scaled.warnings, again.changed) == (False, True, "", False), run.printed
    assert numbers(scaled) == (6, 1, 10, 6)
    assert scaled.result["insufficient_capacity"] is None
    before, after = (scaled.result["diff"][which]["locations"][LOCATION] for which in ("before", "after"))
    assert (before["always_on_capacity"], after["always_on_capacity"]) == (2, 6)
    assert scaled.result.keys() == again.result.keys()
    assert len(updates(simulator)) == 1
    shown = [match.groups() for match in LINE.finditer(run.stderr)]
    assert shown[0] == ("localhost", GROUP, "ACTIVE", "2 of 2 always-on sessions allocated, 6 wanted")
    assert ("localhost", GROUP, "UPDATING_LOCATIONS", "2 of 6 always-on sessions allocated") in shown
    assert ("localhost", GROUP, "ACTIVE", "6 of 6 always-on sessions allocated") in shown
    assert not LINE.search(run.stdout)


def test_the_progress_of_a_lower_capacity_ends_with_it(call: CallModule, run_tasks: Callable[..., Run]) -> None:
    locations = [{"location_name": LOCATION, "always_on_capacity": 0}]

    run = run_tasks([{"name": "scale it", MODULE: {"stream_group": ARN, "locations": locations}}])

    shown = [match["sessions"] for match in LINE.finditer(run.stderr)]
    # One more is kept idle for the next learner.
    assert shown == ["2 of 2 always-on sessions allocated, 0 wanted", "1 session allocated, 0 always on"], run.printed


def test_stream_groups_are_described(simulator: Simulator, call: CallModule, call_module: CallModule) -> None:
    simulator.seed_stream_group("sg-other", Description="CAD course", Status="ERROR", StatusReason="internalError")
    named = call_module({"stream_groups": ["sg-other", ARN]}, module=INFO)
    every = call_module({}, module=INFO)
    one_missing = call_module({"stream_groups": ["sg-none", GROUP]}, module=INFO)
    both_missing = call_module({"stream_groups": ["sg-none", "sg-gone"]}, module=INFO, check=True)

    other, group = named.result["stream_groups"]
    assert (group["id"], group["arn"], group["status"], group["problem"]) == (GROUP, ARN, "ACTIVE", None)
    assert group["default_application"]["id"] == "a-cad"
    assert group["location_states"][0]["vpc_transit_configuration"]["vpc_id"] == "vpc-1"
    assert group["location_states"][0]["on_demand_capacity"] == 8
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", group["expires_at"])
    assert other["problem"].startswith("Stream group 'sg-other' is ERROR (internalError): the service failed")
    assert (other["description"], other["status_reason"]) == ("CAD course", "internalError")
    assert every.result["stream_groups"] == [group, other]
    assert one_missing.msg.startswith("Stream group 'sg-none' does not exist in region us-east-1: check")
    assert (one_missing.result["missing"], one_missing.result["stream_groups"]) == (["sg-none"], [group])
    assert both_missing.msg.startswith("2 of 2 stream groups do not exist in region us-east-1 ('sg-none', 'sg-gone')")
    assert call_module({"stream_groups": []}, module=INFO).msg.startswith("stream_groups is empty")
    assert call_module({"stream_groups": ["a b"]}, module=INFO).msg.startswith("An entry of stream_groups is 'a b'")


def restore(call_module: CallModule, lab: str, **options: Any) -> Task:
    return call_module({"stream_group": GROUP, "lab": lab, "state": "restored"}, module=MODULE, **options)


def issue(call_module: CallModule, lab: str, **options: Any) -> Task:
    """Issue the URL of a learner of the lab, or end the lab."""
    url = {"stream_group": GROUP, "lab": lab, "return_urls": False, **options}
    return call_module(url, module="labstream.aws.gamelift_stream_url")


def test_the_lab_that_ends_last_restores_what_was_there_before_the_first(
    simulator: Simulator, call: CallModule, call_module: CallModule
) -> None:
    """And the sessions that are in use count, as well as the sessions that share an instance."""
    idle = {"LocationName": LOCATION, "TargetIdleCapacity": 2}
    simulator.change_stream_group(GROUP, StreamClass="gen6n_high", Locations=[idle])
    simulator.set(stream_group_updating_seconds=0.3)
    url = {"application": "a-cad", "locations": [LOCATION]}
    for lab in ("a", "b"):
        issued = issue(call_module, lab, learners=[lab], **url)
        assert issued.result.get("msg") is None
    used = call_module(
        {"stream_group": GROUP, "lab": "a", "learners": ["a"], **url}, module="labstream.aws.gamelift_stream_url"
    )
    status, _page = simulator.open(used.result["stream_urls"][0]["stream_url"])
    assert status == 200

    predicted = call(available_sessions=4, check=True, options={"lab": "a"})
    raised = call(available_sessions=4, options={"lab": "a"})
    again = call(available_sessions=4, options={"lab": "a"})
    more = call(available_sessions=11, options={"lab": "b"})

    tasks = (predicted, raised, again, more)
    assert [task.result.get("msg") for task in tasks] == [None] * 4
    assert [task.changed for task in tasks] == [True, True, False, True]
    assert [numbers(task)[:3] for task in tasks] == [(6, 2, 10), (6, 2, 10), (6, 2, 10), (12, 2, 12)]

    issue(call_module, "a", state="absent")
    # A lab that is over cannot be ended again.
    kept, nothing = restore(call_module, "a"), restore(call_module, "a")
    issue(call_module, "b", state="absent")
    foreseen, restored, done = (
        restore(call_module, "b", check=True),
        restore(call_module, "b"),
        restore(call_module, "b"),
    )

    tasks = (kept, nothing, foreseen, restored, done)
    assert [task.result.get("msg") for task in tasks] == [None] * 5
    assert [task.changed for task in tasks] == [False, False, True, True, False]
    assert kept.result["kept"] == [
        "Location 'us-east-1' keeps its capacity of 12 always-on sessions: lab 'b' needs it, and restores 2 when it "
        "ends."
    ]
    before = {"location_name": LOCATION, "always_on_capacity": 2, "maximum_capacity": 10}
    assert [task.result["restored"] for task in tasks] == [[], [], [before], [before], []]
    assert (numbers(restored)[:3], numbers(done)[:3]) == ((2, 2, 10), (2, 2, 10))
    assert [task.result["kept"] for task in tasks[1:]] == [[]] * 4
    assert all(task.result.keys() >= {"insufficient_capacity", "stream_group"} for task in tasks)


def test_a_capacity_that_somebody_has_changed_since_is_kept_and_named(
    simulator: Simulator, call: CallModule, call_module: CallModule
) -> None:
    assert call(available_sessions=20, options={"lab": "a"}).changed
    assert call(always_on_capacity=40).changed

    kept, again = restore(call_module, "a"), restore(call_module, "a")

    message = (
        "Location 'us-east-1' keeps its capacity of 40 always-on sessions (maximum 40), which somebody has changed "
        "since labs raised it from 2 to 20 (maximum 20): lower it if it is not needed, since it is billed."
    )
    assert (kept.failed, kept.changed, kept.result["kept"]) == (False, False, [message])
    assert message in kept.warnings
    assert (again.changed, again.result["kept"]) == (False, [])
    assert len(updates(simulator)) == 2


def test_what_is_restored_is_gone_with_the_stream_group(
    simulator: Simulator, call: CallModule, call_module: CallModule
) -> None:
    assert call(available_sessions=20, options={"lab": "a"}).changed
    simulator.delete_stream_group(GROUP)

    restored = restore(call_module, "a")

    assert (restored.failed, restored.changed, restored.result["restored"]) == (False, False, [])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"state": "restored"}, "state is restored but all of the following are missing: lab"),
        (
            {"state": "restored", "lab": "a", "locations": [{"location_name": LOCATION}]},
            "locations is for state=present",
        ),
        ({"lab": "a", "lease_store": "none"}, "lease_store is none, but what a lab has raised is stored"),
        ({"lab": ""}, "lab is '', but it must have 1 to 225 printable characters"),
    ],
)
def test_options_for_a_lab_are_validated(call_module: CallModule, options: dict[str, Any], message: str) -> None:
    rejected = call_module({"stream_group": GROUP, **options}, module=MODULE)

    assert rejected.failed
    assert message in rejected.msg
