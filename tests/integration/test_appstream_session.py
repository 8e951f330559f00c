# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules appstream_session and appstream_session_info: who is in, and whose session is ended."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.integration.running import FLEET, STACK, Task, server_that_answers
from tests.simulator.control import Simulator

EXPIRE, INFO = "labstream.aws.appstream_session", "labstream.aws.appstream_session_info"
LAB = {"stack_name": STACK, "fleet_name": FLEET}
ARN = "arn:aws:appstream:us-east-1:123456789012"
ALL_TYPES = ["API", "SAML", "USERPOOL", "AWS_AD"]
CallModule = Callable[..., Task]


@pytest.fixture
def call_module(call_module: CallModule) -> CallModule:
    """``call_module`` of all tests, with the state, which is required."""

    def call(args: dict[str, Any], *, module: str, **options: Any) -> Task:
        state = {"state": "expired"} if module == EXPIRE else {}
        return call_module({**state, **args}, module=module, **options)

    return call


def come_in(simulator: Simulator, users: Iterable[str], stack: str = STACK) -> list[str]:
    """Give each user a streaming URL and open it; the URLs."""
    appstream = simulator.client("appstream")

    def open_url(user: str) -> str:
        url = appstream.create_streaming_url(StackName=stack, FleetName=FLEET, UserId=user)["StreamingURL"]
        assert simulator.open(url)[0] == 200
        return url

    with ThreadPoolExecutor(max_workers=8) as executor:
        return list(executor.map(open_url, users))


def sessions_of(simulator: Simulator, stack: str = STACK) -> dict[str, str]:
    """The ids of the sessions that there are, by user, asked of the service itself."""
    pages = simulator.client("appstream").get_paginator("describe_sessions")
    listed = pages.paginate(StackName=stack, FleetName=FLEET).build_full_result()["Sessions"]
    return {session["UserId"]: session["Id"] for session in listed}


def expired_ids(simulator: Simulator) -> set[str]:
    """The sessions that ExpireSession was called for."""
    return {call["parameters"]["SessionId"] for call in simulator.calls("ExpireSession")}


def max_in_flight(calls: list[dict[str, Any]]) -> int:
    """How many of the calls ran at once at most."""
    return max(sum(other["started"] <= call["started"] < other["finished"] for other in calls) for call in calls)


def by_user(task: Task) -> list[tuple[str | None, str | None, bool]]:
    """User, state and whether this run ended it, of each session in the result."""
    return [(each["user_id"], each["state"], each["expired"]) for each in task.result["sessions"]]


def reply_with(*sessions: dict[str, Any]) -> Callable[[str], bytes]:
    """A server's reply to whatever it is asked: each operation of AppStream finds its own member in it."""
    named = {"StackName": STACK, "FleetName": FLEET, "AuthenticationType": "API"}
    reply = {
        "Stacks": [{"Name": STACK, "Arn": f"{ARN}:stack/{STACK}"}],
        "Fleets": [
            {
                "Name": FLEET,
                "Arn": f"{ARN}:fleet/{FLEET}",
                "State": "RUNNING",
                "ComputeCapacityStatus": {"Desired": 3},
            }
        ],
        "Sessions": [{**named, **session} for session in sessions],
    }
    return lambda _path: json.dumps(reply).encode()


# Gathering information


def test_a_learner_who_opens_a_url_is_shown_connected(lab: Simulator, call_module: CallModule) -> None:
    # Given a fleet on which nobody is, although a URL was issued.
    lab.client("appstream").create_streaming_url(StackName=STACK, FleetName=FLEET, UserId="ben")
    empty = call_module(LAB, module=INFO)

    # When Anna opens hers.
    [url] = come_in(lab, ["anna"])
    expected = call_module(LAB, module=INFO)
    checked = call_module(LAB, module=INFO, check=True, diff=True)

    # Then she is shown, in check mode too, and her URL is not.
    assert (empty.failed, empty.changed, empty.result["sessions"]) == (False, False, [])
    assert empty.result["summary"] == {"found": 0, "states": {}, "connection_states": {}}
    [session] = expected.result["sessions"]
    assert session["max_expiration_time"] > session["start_time"]
    assert session["start_time"].endswith("Z")
    assert {**session, "start_time": None, "max_expiration_time": None} == {
        "id": sessions_of(lab)["anna"],
        "user_id": "anna",
        "stack_name": STACK,
        "fleet_name": FLEET,
        "state": "ACTIVE",
        "connection_state": "CONNECTED",
        "authentication_type": "API",
        "start_time": None,
        "max_expiration_time": None,
        "instance_id": None,
        "network_access_configuration": None,
    }
    assert expected.result["summary"] == {"found": 1, "states": {"ACTIVE": 1}, "connection_states": {"CONNECTED": 1}}
    assert expected.result["stack_arn"] == f"{ARN}:stack/{STACK}"
    assert expected.result["fleet_arn"] == f"{ARN}:fleet/{FLEET}"
    assert expected.result["region"] == "us-east-1"
    assert {**checked.result, "invocation": None} == {**expected.result, "invocation": None}
    assert url.partition("parameters=")[2] not in json.dumps(expected.result)


def test_a_session_is_reported_with_all_that_the_service_says(simulator: Simulator, call_module: CallModule) -> None:
    network = {"EniId": "eni-1", "EniPrivateIpAddress": "10.0.1.17"}
    whole = {
        "Id": "s-1",
        "UserId": "anna",
        "State": "ACTIVE",
        "ConnectionState": "NOT_CONNECTED",
        "StartTime": 1795269730.5,
        "InstanceId": "i-1",
        "NetworkAccessConfiguration": network,
    }
    states = [{"Id": "s-2", "UserId": "ben", "State": "EXPIRED"}, {"Id": "s-3", "UserId": "chloe", "State": "PENDING"}]
    with server_that_answers(reply_with(whole, *states)) as endpoint_url:
        task = call_module({**LAB, "endpoint_url": endpoint_url}, module=INFO)

    anna, ben, _chloe = task.result["sessions"]
    assert (anna["instance_id"], anna["start_time"]) == ("i-1", "2026-11-21T14:02:10Z")
    assert anna["network_access_configuration"] == {"eni_id": "eni-1", "eni_private_ip_address": "10.0.1.17"}
    assert (ben["connection_state"], ben["start_time"]) == (None, None)
    assert task.result["summary"] == {
        "found": 3,
        "states": {"ACTIVE": 1, "EXPIRED": 1, "PENDING": 1},
        "connection_states": {"NOT_CONNECTED": 1},
    }


def test_the_fleet_and_the_generations_of_a_lab_are_returned(lab: Simulator, call_module: CallModule) -> None:
    rotated = call_module({"lab": "monday", "rotate": ["Anna"]}, module="labstream.aws.streaming_rotation")
    assert not rotated.failed, rotated.msg
    args = {"stack_name": STACK, "fleet_name": FLEET}

    found, of_lab, without_store = (
        call_module({**args, **more}, module=INFO)
        for more in ({}, {"lab": "monday"}, {"lab": "monday", "lease_store": "none"})
    )

    assert (found.result["fleet"]["name"], found.result["fleet"]["state"]) == (FLEET, "RUNNING")
    assert found.result["fleet"]["capacity"]["in_use"] == 0
    assert (found.result["generations"], of_lab.result["generations"]) == ({}, {"anna": 1})
    assert "lease_store is none" in without_store.msg


def test_only_what_is_asked_for_is_listed(lab: Simulator, call_module: CallModule) -> None:
    appstream = lab.client("appstream")
    for stack in ("cad-evening", "cad-empty"):
        appstream.create_stack(Name=stack)
        appstream.associate_fleet(StackName=stack, FleetName=FLEET)
    come_in(lab, ["anna"])
    come_in(lab, ["ben"])
    come_in(lab, ["anna"], "cad-evening")

    def listed(**options: Any) -> list[tuple[str, str]]:
        task = call_module({"fleet_name": FLEET, **options}, module=INFO)
        return [(each["user_id"], each["stack_name"]) for each in task.result["sessions"]]

    assert listed(stack_name=STACK) == [("anna", STACK), ("ben", STACK)]
    assert listed(stack_name=STACK, user_id="ben") == [("ben", STACK)]
    assert listed(stack_name=STACK, user_id="dora") == []
    assert listed(stack_name=STACK, authentication_type="SAML") == []
    # Without a stack, whoever is on the fleet: one list for each stack and authentication type.
    lab_calls = len(lab.calls("DescribeSessions"))
    assert listed(authentication_types=ALL_TYPES) == [("anna", STACK), ("ben", STACK), ("anna", "cad-evening")]
    lists = [call["parameters"] for call in lab.calls("DescribeSessions")[lab_calls:]]
    assert {(each["StackName"], each["AuthenticationType"]) for each in lists} == {
        (stack, kind) for stack in (STACK, "cad-evening", "cad-empty") for kind in ALL_TYPES
    }
    assert listed(user_id="anna") == [("anna", STACK), ("anna", "cad-evening")]


def test_a_large_lab_is_listed_over_all_pages_and_ended_side_by_side(
    simulator: Simulator, call_module: CallModule
) -> None:
    simulator.seed_lab(STACK, FLEET, instances=60)
    everybody = [f"learner-{number:02}" for number in range(55)]
    come_in(simulator, everybody)

    expected = call_module(LAB, module=INFO)
    pages = simulator.calls("DescribeSessions")
    # Long enough for the calls to meet.
    simulator.add_fault(operation="ExpireSession", latency_seconds=0.05)
    ended = call_module({**LAB, "user_ids": everybody, "concurrency": 8}, module=EXPIRE)

    assert [page["parameters"].get("Limit") for page in pages] == [50, 50]
    assert expected.result["summary"]["connection_states"] == {"CONNECTED": 55}
    assert {each["user_id"] for each in expected.result["sessions"]} == set(everybody)
    assert ended.result["summary"] == {"requested": 55, "expired": 55, "unchanged": 0, "failed": 0}
    assert len(simulator.calls("DescribeSessions")) == 4, "the class was not listed at once"
    assert 1 < max_in_flight(simulator.calls("ExpireSession")) <= 8
    assert sessions_of(simulator) == {}


@pytest.mark.parametrize("missing", ["stack", "fleet"])
def test_a_stack_or_fleet_that_does_not_exist_is_named(lab: Simulator, call_module: CallModule, missing: str) -> None:
    args = {**LAB, f"{missing}_name": "nowhere"}
    message = (
        f"{missing.capitalize()} 'nowhere' does not exist in region us-east-1: check {missing}_name and region, "
        f"and that "
        "the credentials belong to the right account."
    )

    expected = call_module(args, module=INFO)
    ended = call_module({**args, "user_id": "anna"}, module=EXPIRE)

    assert (expected.failed, expected.msg) == (True, message)
    assert expected.result["sessions"] == []
    assert (expected.result["stack_arn"] is None, expected.result["fleet_arn"] is None) == (
        missing == "stack",
        missing == "fleet",
    )
    # No session is what was asked for.
    assert (ended.failed, ended.changed) == (False, False)
    assert f"There is no session to expire. {message}" in ended.warnings
    assert ended.result["summary"] == {"requested": 1, "expired": 0, "unchanged": 1, "failed": 0}
    assert lab.calls("DescribeSessions") == []


# Ending


def test_the_sessions_of_a_lab_are_ended_once_and_no_others(lab: Simulator, call_module: CallModule) -> None:
    lab.client("appstream").create_stack(Name="cad-evening")
    lab.client("appstream").associate_fleet(StackName="cad-evening", FleetName=FLEET)
    urls = come_in(lab, ["anna", "ben", "other"]) + come_in(lab, ["anna"], "cad-evening")
    ids = sessions_of(lab)
    args = {**LAB, "user_ids": ["ben", "absent", "anna"]}

    predicted = call_module(args, module=EXPIRE, check=True, diff=True)
    assert sessions_of(lab) == ids
    real = call_module(args, module=EXPIRE, diff=True)
    again = call_module(args, module=EXPIRE, diff=True)

    assert (predicted.changed, real.changed, again.changed) == (True, True, False)
    assert [task.failed for task in (predicted, real, again)] == [False] * 3
    assert by_user(real) == [("ben", "EXPIRED", True), ("absent", None, False), ("anna", "EXPIRED", True)]
    assert [each["id"] for each in real.result["sessions"]] == [ids["ben"], None, ids["anna"]]
    assert real.result["sessions"][0]["connection_state"] == "CONNECTED"
    assert real.result["summary"] == {"requested": 3, "expired": 2, "unchanged": 1, "failed": 0}
    assert (real.result["failures"], real.result["fleet_arn"]) == ([], f"{ARN}:fleet/{FLEET}")
    names = [f"{user} ({ids[user]})" for user in ("ben", "anna")]
    assert real.result["diff"] == {"before": dict.fromkeys(names, "ACTIVE"), "after": dict.fromkeys(names, "EXPIRED")}
    assert {**predicted.result, "invocation": None} == {**real.result, "invocation": None}
    assert by_user(again) == [("ben", None, False), ("absent", None, False), ("anna", None, False)]
    assert again.result["summary"] == {"requested": 3, "expired": 0, "unchanged": 3, "failed": 0}
    assert again.result["diff"] == {"before": {}, "after": {}}
    # The others are where they were, Anna in another lab too.
    assert expired_ids(lab) == {ids["ben"], ids["anna"]}
    assert sessions_of(lab) == {"other": ids["other"]}
    assert list(sessions_of(lab, "cad-evening")) == ["anna"]
    for task in (predicted, real, again):
        assert not [url for url in urls if url.partition("parameters=")[2] in json.dumps(task.result)]


def test_one_user_is_looked_up_alone(lab: Simulator, call_module: CallModule) -> None:
    come_in(lab, ["anna", "ben"])
    ids = sessions_of(lab)

    task = call_module({**LAB, "user_id": "anna"}, module=EXPIRE)

    assert by_user(task) == [("anna", "EXPIRED", True)]
    assert lab.calls("DescribeSessions")[-1]["parameters"]["UserId"] == "anna"
    assert sessions_of(lab) == {"ben": ids["ben"]}


def test_sessions_are_ended_by_id_if_they_are_on_this_stack_and_fleet(lab: Simulator, call_module: CallModule) -> None:
    lab.client("appstream").create_stack(Name="cad-evening")
    lab.client("appstream").associate_fleet(StackName="cad-evening", FleetName=FLEET)
    come_in(lab, ["anna", "ben"])
    come_in(lab, ["evening"], "cad-evening")
    ids, elsewhere = sessions_of(lab), sessions_of(lab, "cad-evening")["evening"]

    one = call_module({**LAB, "session_id": ids["ben"]}, module=EXPIRE)
    many = call_module({**LAB, "session_ids": [elsewhere, ids["anna"], ids["ben"], "unknown"]}, module=EXPIRE)

    assert (one.changed, by_user(one)) == (True, [("ben", "EXPIRED", True)])
    assert (many.failed, many.changed) == (False, True)
    assert [each["id"] for each in many.result["sessions"]] == [elsewhere, ids["anna"], ids["ben"], "unknown"]
    assert by_user(many) == [(None, None, False), ("anna", "EXPIRED", True), (None, None, False), (None, None, False)]
    assert sessions_of(lab, "cad-evening") == {"evening": elsewhere}
    assert expired_ids(lab) == {ids["ben"], ids["anna"]}


def test_users_of_another_authentication_type_are_left_alone(lab: Simulator, call_module: CallModule) -> None:
    come_in(lab, ["anna"])

    task = call_module({**LAB, "user_ids": ["anna"], "authentication_type": "SAML"}, module=EXPIRE)

    assert (task.changed, by_user(task)) == (False, [("anna", None, False)])
    assert lab.calls("DescribeSessions")[-1]["parameters"]["AuthenticationType"] == "SAML"
    assert list(sessions_of(lab)) == ["anna"]


def test_a_session_that_the_service_still_lists_as_expired_is_unchanged(
    simulator: Simulator, call_module: CallModule
) -> None:
    listed = [
        {"Id": "s-1", "UserId": "anna", "State": "EXPIRED"},
        {"Id": "s-2", "UserId": "anna", "State": "PENDING"},
        {"Id": "s-3", "UserId": "ben", "State": "EXPIRED"},
    ]
    with server_that_answers(reply_with(*listed)) as endpoint_url:
        task = call_module({**LAB, "user_ids": ["ben", "anna"], "endpoint_url": endpoint_url}, module=EXPIRE, diff=True)

    assert [(each["id"], each["expired"]) for each in task.result["sessions"]] == [
        ("s-3", False),
        ("s-1", False),
        ("s-2", True),
    ]
    assert task.result["summary"] == {"requested": 2, "expired": 1, "unchanged": 2, "failed": 0}
    assert task.result["diff"]["before"] == {"ben (s-3)": "EXPIRED", "anna (s-1)": "EXPIRED", "anna (s-2)": "PENDING"}
    assert set(task.result["diff"]["after"].values()) == {"EXPIRED"}


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "AccessDeniedException",
            "the credentials are not authorized to perform appstream:ExpireSession (struck): allow this action on all",
        ),
        ("OperationNotPermittedException", "OperationNotPermittedException: struck"),
    ],
)
def test_what_goes_wrong_with_one_session_is_its_failure_and_the_others_go_on(
    lab: Simulator, call_module: CallModule, code: str, message: str
) -> None:
    come_in(lab, ["anna", "ben", "chloe"])
    ids = sessions_of(lab)
    error = {"code": code, "message": "struck"}
    lab.add_fault(operation="ExpireSession", parameters={"SessionId": ids["ben"]}, error=error)

    task = call_module({**LAB, "user_ids": ["anna", "ben", "chloe"]}, module=EXPIRE, diff=True)

    assert (task.failed, task.changed) == (True, True)
    assert by_user(task) == [("anna", "EXPIRED", True), ("ben", "ACTIVE", False), ("chloe", "EXPIRED", True)]
    [failure] = task.result["failures"]
    assert (failure["id"], failure["user_id"], failure["code"]) == (ids["ben"], "ben", code)
    assert failure["message"].startswith(f"Failed to expire the session: {message}")
    assert task.msg.startswith(
        f"1 of 3 sessions could not be expired: ben ({ids['ben']}): Failed to expire the session"
    )
    assert task.result["summary"] == {"requested": 3, "expired": 2, "unchanged": 0, "failed": 1}
    assert task.result["diff"]["after"][f"ben ({ids['ben']})"] == "ACTIVE"
    assert sessions_of(lab) == {"ben": ids["ben"]}


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"drop": "before"}, id="dropped before the work"),
        pytest.param({"drop": "after"}, id="dropped after the work"),
        pytest.param({"error": {"code": "ResourceNotFoundException"}}, id="ended meanwhile"),
    ],
)
def test_a_dropped_connection_and_a_session_that_has_ended_meanwhile_are_no_failure(
    lab: Simulator, call_module: CallModule, fault: dict[str, Any]
) -> None:
    come_in(lab, ["anna"])
    lab.add_fault(operation="ExpireSession", times=1, **fault)

    task = call_module({**LAB, "user_id": "anna"}, module=EXPIRE)

    assert (task.failed, by_user(task)) == (False, [("anna", "EXPIRED", True)])


@pytest.mark.parametrize("operation", ["DescribeStacks", "DescribeFleets", "DescribeSessions", "ListAssociatedStacks"])
def test_a_poll_that_is_denied_names_the_action_and_ends_nothing(
    lab: Simulator, call_module: CallModule, operation: str
) -> None:
    come_in(lab, ["anna"])
    lab.add_fault(operation=operation, error={"code": "AccessDeniedException"})
    of_fleet = operation == "ListAssociatedStacks"

    tasks = [call_module({"fleet_name": FLEET} if of_fleet else LAB, module=INFO)]
    if not of_fleet:
        tasks.append(call_module({**LAB, "user_id": "anna"}, module=EXPIRE))

    for task in tasks:
        assert task.failed
        assert f"the credentials are not authorized to perform appstream:{operation}" in task.msg
        assert (task.result["sessions"], task.changed) == ([], False)
        assert "Traceback" not in json.dumps(task.result)
    assert lab.calls("ExpireSession") == []


def test_a_response_that_is_not_one_of_the_service_is_reported_in_one_message(
    simulator: Simulator, call_module: CallModule
) -> None:
    with server_that_answers(reply_with({"Id": "s-1", "State": "ACTIVE"})) as endpoint_url:
        for module, options in ((INFO, {}), (EXPIRE, {"user_id": "anna"})):
            task = call_module({**LAB, **options, "endpoint_url": endpoint_url}, module=module)
            assert task.failed
            assert task.msg == (
                "Failed to list the sessions of the stack and fleet: the response could not be parsed: check that "
                "endpoint_url points to a server that implements this API."
            )


def test_what_cannot_be_right_is_rejected_before_any_call(simulator: Simulator, call_module: CallModule) -> None:
    who = {"user_id": "anna"}
    cases = [
        (INFO, {"stack_name": "a b"}, "stack_name is 'a b', but a name has"),
        (INFO, {"stack_name": ""}, "stack_name is '', but a name has"),
        (INFO, {"fleet_name": "-"}, "fleet_name is '-', but a name has"),
        (INFO, {"user_id": "a"}, "user_id is 'a' (length 1), but it must have 2 to 128 printable characters."),
        (INFO, {"authentication_types": []}, "authentication_types is empty: name at least one."),
        (INFO, {"authentication_type": "saml"}, "value of authentication_types must be one or more of: API, SAML"),
        (EXPIRE, {"stack_name": "a b", **who}, "stack_name is 'a b', but a name has"),
        (EXPIRE, {"fleet_name": "", **who}, "fleet_name is '', but a name has"),
        (EXPIRE, {"concurrency": 65, **who}, "concurrency is 65, but it must be from 1 to 64."),
        (EXPIRE, {"state": None, **who}, "value of state must be one of: expired"),
        (EXPIRE, {}, "one of the following is required: user_id, user_ids, session_id, session_ids"),
        (EXPIRE, {"user_id": None}, "Give one of user_id, user_ids, session_id and session_ids: null is not a value."),
        (EXPIRE, {"session_id": "s-1", **who}, "parameters are mutually exclusive: user_id|user_ids|session_id|"),
        (EXPIRE, {"user_id": "x" * 129}, "user_id is 'xxx"),
        (EXPIRE, {"user_ids": []}, "user_ids is empty: name at least one."),
        (EXPIRE, {"user_ids": ["anna", "b\n"]}, "Entry 2 of user_ids is 'b\\n' (length 2), but it must have 2 to 128"),
        (EXPIRE, {"user_ids": ["anna", "ben", "anna"]}, "Entries 1 and 3 of user_ids are both 'anna': remove one."),
        (EXPIRE, {"session_id": ""}, "session_id is '', but it must have at least one printable character."),
        (EXPIRE, {"session_ids": ["s-1", ""]}, "Entry 2 of session_ids is '', but it must have"),
        (EXPIRE, {"state": "gone", **who}, "value of state must be one of: expired, got: gone"),
    ]
    for module, options, message in cases:
        task = call_module({**LAB, **options}, module=module)
        assert task.failed, options
        assert task.msg.startswith(message)
    assert simulator.calls(service="appstream") == []
