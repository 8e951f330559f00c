# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules nimble_session and nimble_session_info: what they do to sessions in every state, and what they return."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tests.integration.running import Ansible, Task, finish_module
from tests.simulator.control import Simulator

START, INFO = "labstream.aws.nimble_session", "labstream.aws.nimble_session_info"
STUDIO = "studio-1"
ARN = f"arn:aws:nimble:us-east-1:123456789012:studio/{STUDIO}"
CallModule = Callable[..., Task]

# States in which a session can neither stream nor be started, and what then helps.
REMEDIES = {
    "CREATE_IN_PROGRESS": "wait until it is READY",
    "CREATE_FAILED": "fix the cause and replace it with a new session (CreateStreamingSession)",
    "DELETE_IN_PROGRESS": "name another session, or create a new one (CreateStreamingSession)",
    "DELETED": "name another session, or create a new one (CreateStreamingSession)",
    "DELETE_FAILED": "name another session, or create a new one (CreateStreamingSession)",
    "STOP_IN_PROGRESS": "wait until it is STOPPED, start it",
    "STOP_FAILED": "stop it again (StopStreamingSession) or replace it",
    "START_FAILED": "fix the cause and start it again (StartStreamingSession), or replace it",
}


def of_studio(*session_ids: str, **options: Any) -> dict[str, Any]:
    return {"studio_id": STUDIO, **({"session_ids": list(session_ids)} if session_ids else {}), **options}


def sessions_in_states(simulator: Simulator, states: Iterable[str]) -> list[str]:
    """Make one session for each state and name it after that."""
    names = list(states)
    simulator.seed_studio(STUDIO, [{"sessionId": state, "state": state} for state in names])
    return names


def starts(simulator: Simulator) -> list[str]:
    """The sessions that StartStreamingSession was called for."""
    return [call["parameters"]["sessionId"] for call in simulator.calls("StartStreamingSession")]


@pytest.mark.core
def test_stopped_sessions_are_started_and_others_are_left_alone(simulator: Simulator, call_module: CallModule) -> None:
    simulator.set(session_starting_seconds=60)
    simulator.seed_studio(
        STUDIO,
        [
            {"sessionId": "seat-1", "state": "STOPPED", "ownedBy": "anna"},
            {"sessionId": "seat-2", "ownedBy": "ben"},
            {"sessionId": "seat-3", "state": "START_IN_PROGRESS", "ownedBy": "chloe"},
        ],
    )
    args = of_studio("seat-3", "seat-1", "seat-2")

    predicted = call_module(args, module=START, check=True, diff=True)
    assert starts(simulator) == []
    real = call_module(args, module=START, diff=True)
    again = call_module(args, module=START)

    assert (real.failed, predicted.changed, real.changed, again.changed) == (False, True, True, False)
    starting = {"state": "START_IN_PROGRESS", "status_code": "STREAMING_SESSION_START_IN_PROGRESS"}
    ready = {"state": "READY", "status_code": "STREAMING_SESSION_READY"}
    assert real.result["sessions"] == [
        {"session_id": "seat-3", **starting, "owned_by": "chloe", "started": False},
        {"session_id": "seat-1", **starting, "owned_by": "anna", "started": True},
        {"session_id": "seat-2", **ready, "owned_by": "ben", "started": False},
    ]
    assert real.result["summary"] == {"requested": 3, "started": 1, "unchanged": 2, "failed": 0}
    assert (real.result["studio_arn"], real.result["region"], real.result["failures"]) == (ARN, "us-east-1", [])
    assert real.result["diff"] == {
        "before": {"seat-3": "START_IN_PROGRESS", "seat-1": "STOPPED", "seat-2": "READY"},
        "after": {"seat-3": "START_IN_PROGRESS", "seat-1": "START_IN_PROGRESS", "seat-2": "READY"},
    }
    known = predicted.result.keys() - {"invocation"}
    assert {key: predicted.result[key] for key in known} == {key: real.result[key] for key in known}
    assert [entry["started"] for entry in again.result["sessions"]] == [False] * 3
    assert again.result["summary"] == {"requested": 3, "started": 0, "unchanged": 3, "failed": 0}
    assert starts(simulator) == ["seat-1"]


@pytest.mark.parametrize("check", [False, True])
def test_sessions_that_cannot_be_started_fail_one_by_one_and_the_others_go_on(
    simulator: Simulator, call_module: CallModule, check: bool
) -> None:
    bad = sessions_in_states(simulator, REMEDIES)
    sessions_in_states(simulator, ["STOPPED", "READY"])

    task = call_module(of_studio("STOPPED", *bad, "READY", "nowhere"), module=START, check=check, diff=True)

    assert (task.failed, task.changed) == (True, True)
    assert [entry["started"] for entry in task.result["sessions"]] == [True] + [False] * (len(bad) + 2)
    assert [entry["state"] for entry in task.result["sessions"]] == ["START_IN_PROGRESS", *bad, "READY", None]
    assert task.result["summary"] == {"requested": 11, "started": 1, "unchanged": 1, "failed": 9}
    *failures, missing = task.result["failures"]
    for failure, state in zip(failures, bad, strict=True):
        assert (failure["session_id"], failure["code"]) == (state, "NotReady")
        assert failure["message"].startswith(f"Session '{state}' is {state} (")
        assert REMEDIES[state] in failure["message"]
        assert failure["message"].endswith("then run again.")
    assert missing["message"] == "Session 'nowhere' does not exist in studio 'studio-1': check both ids."
    assert task.msg.startswith(
        "9 of 11 sessions are neither ready nor starting: CREATE_IN_PROGRESS: Session 'CREATE_IN_PROGRESS' is "
    )
    assert task.msg.endswith("; and more, see failures.")
    assert task.result["diff"]["after"]["STOPPED"] == "START_IN_PROGRESS"
    assert starts(simulator) == ([] if check else ["STOPPED"])


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("ServiceQuotaExceededException", "delete what is no longer needed, or request a quota increase"),
        ("AccessDeniedException", "the credentials are not authorized to perform nimble:StartStreamingSession"),
        ("ValidationException", "correct what it names"),
        ("ConflictException", "another operation is in progress"),
    ],
)
def test_a_rejected_start_is_the_failure_of_that_session(
    simulator: Simulator, call_module: CallModule, error: str, message: str
) -> None:
    sessions = ["seat-1", "seat-2", "seat-3"]
    simulator.seed_studio(STUDIO, sessions, state="STOPPED")
    simulator.add_fault(operation="StartStreamingSession", parameters={"sessionId": "seat-2"}, error={"code": error})

    # Conflicts are tried again, which takes a while by default.
    once = {"retries": {"mode": "standard", "total_max_attempts": 1}}
    task = call_module(of_studio(*sessions, aws_config=once), module=START)

    assert (task.failed, task.changed) == (True, True)
    assert [entry["started"] for entry in task.result["sessions"]] == [True, False, True]
    [failure] = task.result["failures"]
    assert (failure["session_id"], failure["code"]) == ("seat-2", error)
    assert failure["message"].startswith("Failed to start the session: ")
    assert message in failure["message"]
    assert task.result["sessions"][1]["state"] == "STOPPED"
    assert task.msg.startswith("1 of 3 sessions are neither ready nor starting: seat-2: Failed to start")


def test_of_two_runs_at_once_one_starts_and_neither_fails(simulator: Simulator, ansible: Ansible) -> None:
    sessions = ["seat-1", "seat-2", "seat-3", "seat-4"]
    simulator.seed_studio(STUDIO, sessions, state="STOPPED")
    simulator.change_session(STUDIO, "seat-4", startOutcome="START_IN_PROGRESS")
    # Both have seen that the sessions are stopped before either starts one.
    simulator.add_fault(operation="StartStreamingSession", latency_seconds=1.5)

    runs = [ansible.start_module(of_studio(*sessions), module=START) for _run in range(2)]
    tasks = [finish_module(run) for run in runs]

    assert len(starts(simulator)) == 8, "the runs did not meet"
    assert [task.failed for task in tasks] == [False, False], tasks
    started = [{each["session_id"] for each in task.result["sessions"] if each["started"]} for task in tasks]
    assert started[0] | started[1] == set(sessions)
    assert not started[0] & started[1]
    for task in tasks:
        assert task.changed == any(each["started"] for each in task.result["sessions"])
        assert {each["state"] for each in task.result["sessions"]} <= {"START_IN_PROGRESS", "READY"}


def test_what_cannot_be_right_is_rejected_before_any_call(simulator: Simulator, call_module: CallModule) -> None:
    simulator.seed_studio(STUDIO, ["seat-1"])
    cases = [
        ({"studio_id": "a b"}, "studio_id is 'a b', but an id is text of 1 to 256 characters without spaces"),
        ({"session_ids": []}, "session_ids is empty: name at least one."),
        ({"session_ids": ["x/y"]}, "Entry 1 of session_ids is 'x/y', but an id is text of 1 to 256 "),
        ({"session_ids": ["x", "y", "x"]}, "Entries 1 and 3 of session_ids are both 'x': remove one."),
        ({"concurrency": 0}, "concurrency is 0, but it must be from 1 to 64."),
        ({"concurrency": 65}, "concurrency is 65, but it must be from 1 to 64."),
    ]
    for options, message in cases:
        for module in (START, INFO):
            task = call_module({**of_studio("seat-1"), **options}, module=module)
            assert task.failed
            assert task.msg.startswith(message), module
    for selection in ("owned_by", "created_by"):
        both = call_module(of_studio("seat-1", **{selection: "anna"}), module=INFO)
        assert both.msg == f"parameters are mutually exclusive: session_ids|{selection}"
    assert simulator.calls(service="nimble") == []


def test_the_studio_is_asked_for_first(simulator: Simulator, call_module: CallModule) -> None:
    empty = {
        START: {
            "sessions": [],
            "failures": [],
            "summary": {"requested": 0, "started": 0, "unchanged": 0, "failed": 0},
        },
        INFO: {"sessions": [], "missing": [], "summary": {"requested": 0, "states": {}}},
    }
    for module, nothing in empty.items():
        missing = call_module(of_studio("seat-1"), module=module)
        assert missing.msg == (
            "Studio 'studio-1' does not exist in region us-east-1: check studio_id, region and "
            "endpoint_url, and that the credentials belong to the right account."
        )
        expected = {**nothing, "changed": False, "failed": True, "studio_arn": None, "region": None}
        assert {key: missing.result[key] for key in expected} == expected

        simulator.add_fault(service="nimble", operation="GetStudio", error={"code": "AccessDeniedException"})
        denied = call_module(of_studio("seat-1"), module=module)
        simulator.clear_faults()
        assert denied.msg.startswith(
            "Failed to get the studio: the credentials are not authorized to perform nimble:GetStudio"
        )
    assert {call["operation"] for call in simulator.calls(service="nimble")} == {"GetStudio"}


def test_without_another_endpoint_one_message_says_that_aws_has_closed_the_api(call_module: CallModule) -> None:
    # Nothing listens there, so no call leaves this machine.
    proxy = {"AWS_URL": "", "AWS_ENDPOINT_URL": "", "HTTPS_PROXY": "http://127.0.0.1:9"}
    for module in (START, INFO):
        task = call_module(of_studio("seat-1"), module=module, environment=proxy)
        assert task.failed
        assert task.msg.startswith("AWS has closed the API of Nimble Studio (cloud studios ended in June 2024), and ")
        assert "set endpoint_url" in task.msg


@pytest.mark.core
def test_sessions_are_described_in_the_order_asked(simulator: Simulator, call_module: CallModule) -> None:
    simulator.seed_studio(
        STUDIO, [{"sessionId": "seat-1", "ownedBy": "anna"}, "seat-2", {"sessionId": "seat-3", "state": "STOPPED"}]
    )

    task = call_module(of_studio("seat-3", "seat-1"), module=INFO)
    checked = call_module(of_studio("seat-3", "seat-1"), module=INFO, check=True, diff=True)

    stopped, ready = task.result["sessions"]
    assert ready == {
        "session_id": "seat-1",
        "arn": ready["arn"],
        "state": "READY",
        "status_code": "STREAMING_SESSION_READY",
        "status_message": "",
        "owned_by": "anna",
        "created_by": "studio-admin",
        "created_at": ready["created_at"],
        "launch_profile_id": "lab-profile",
        "ec2_instance_type": "g4dn.xlarge",
        "streaming_image_id": "lab-image",
        "tags": {},
    }
    assert ready["created_at"].endswith("Z")
    assert (stopped["session_id"], stopped["state"]) == ("seat-3", "STOPPED")
    assert task.result["summary"] == {"requested": 2, "states": {"READY": 1, "STOPPED": 1}}
    assert (task.result["studio_arn"], task.result["region"], task.result["missing"]) == (ARN, "us-east-1", [])
    assert {**checked.result, "invocation": None} == {**task.result, "invocation": None}
    assert not task.changed


def test_all_pages_of_a_studio_are_listed_or_what_somebody_owns_or_made(
    simulator: Simulator, call_module: CallModule
) -> None:
    simulator.set(page_size=2)
    owned = [{"sessionId": f"seat-{number}", "ownedBy": "anna" if number % 2 else "ben"} for number in range(7)]
    simulator.seed_studio(STUDIO, [*owned, {"sessionId": "made", "ownedBy": "anna", "createdBy": "helper"}])

    def listed(**selection: str) -> list[str]:
        return [each["session_id"] for each in call_module(of_studio(**selection), module=INFO).result["sessions"]]

    assert listed() == [*(each["sessionId"] for each in owned), "made"]
    assert len(simulator.calls("ListStreamingSessions")) == 4
    assert listed(owned_by="anna") == ["seat-1", "seat-3", "seat-5", "made"]
    assert listed(created_by="helper") == ["made"]
    assert listed(owned_by="ben", created_by="helper") == []
    simulator.seed_studio("empty", [])
    nothing = call_module({"studio_id": "empty"}, module=INFO)
    assert nothing.result["summary"] == {"requested": 0, "states": {}}


def test_a_session_that_is_missing_is_named_and_the_others_are_reported(
    simulator: Simulator, call_module: CallModule
) -> None:
    simulator.seed_studio(STUDIO, ["seat-1"])

    one = call_module(of_studio("nowhere", "seat-1"), module=INFO)
    many = call_module(of_studio("seat-1", *(f"nowhere-{number}" for number in range(6))), module=INFO)

    assert one.msg == "Session 'nowhere' does not exist in studio 'studio-1': check both ids."
    assert one.result["missing"] == ["nowhere"]
    assert [each["session_id"] for each in one.result["sessions"]] == ["seat-1"]
    assert many.msg == (
        "6 of 7 sessions do not exist in studio 'studio-1' "
        "('nowhere-0', 'nowhere-1', 'nowhere-2', 'nowhere-3', 'nowhere-4' and 1 more): check the ids."
    )
    assert many.result["summary"] == {"requested": 7, "states": {"READY": 1}}


def test_a_call_that_fails_says_why(simulator: Simulator, call_module: CallModule) -> None:
    simulator.seed_studio(STUDIO, ["seat-1", "seat-2"])
    for operation, args in {
        "GetStreamingSession": of_studio("seat-1", "seat-2"),
        "ListStreamingSessions": of_studio(),
    }.items():
        simulator.add_fault(operation=operation, error={"code": "AccessDeniedException"})
        task = call_module(args, module=INFO)
        assert task.failed
        assert f"the credentials are not authorized to perform nimble:{operation}" in task.msg
        assert (task.result["sessions"], task.result["studio_arn"]) == ([], ARN)
        assert "Traceback" not in json.dumps(task.result)
