# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nimble_session_stream gives to a session or a lab: what it creates, awaits, reuses, predicts and releases."""

from __future__ import annotations

import socket
import stat
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.labstream.aws.plugins.module_utils._version import COLLECTION_VERSION
from ansible_collections.labstream.aws.plugins.modules import nimble_session_stream

from tests.integration.running import STREAM_MODULE, STUDIO, Run, Task
from tests.simulator.control import ACCOUNT, Simulator

ARGS = {"studio_id": STUDIO}
SEAT = {**ARGS, "session_id": "seat-01"}
ARN = f"arn:aws:nimble:us-east-1:{ACCOUNT}:studio/{STUDIO}"
STORE = ".ansible/labstream/leases.sqlite3"
ONE_ATTEMPT = {"retries": {"total_max_attempts": 1}}
AGAIN = "run again to create another one; if that fails too, check '{}'."

CallModule = Callable[..., Task]


def seats(number: int) -> list[str]:
    """So many of the sessions of the fixture ``studio``."""
    return [f"seat-{position:02}" for position in range(1, number + 1)]


def entries_of(task: Task) -> dict[str, dict[str, Any]]:
    return {entry["session_id"]: entry for entry in task.result["streams"]}


def stream_ids(task: Task) -> list[str]:
    return [entry["stream_id"] for entry in task.result["streams"]]


def urls(task: Task) -> list[str]:
    return [entry["url"] for entry in task.result["streams"]]


def reasons(task: Task) -> dict[str, str]:
    """Why which session got no stream."""
    return {failure["session_id"]: failure["message"] for failure in task.result["failures"]}


def reused(first: Task, second: Task) -> bool:
    """Whether the second run returned the first one's streams; and its result agrees with that."""
    assert not second.failed, second.msg
    same = stream_ids(first) == stream_ids(second)
    assert second.changed is not same
    assert [entry["issued"] for entry in second.result["streams"]] == [not same] * len(stream_ids(second))
    return same


def calls_of(simulator: Simulator, calls_before: int) -> Counter[str]:
    return Counter(call["operation"] for call in simulator.calls()[calls_before:])


def seconds_left(when: str) -> float:
    return (datetime.fromisoformat(when) - datetime.now(UTC)).total_seconds()


# Creating


@pytest.mark.core
def test_with_the_defaults_of_our_action_group_one_session_gets_a_stream_whose_url_opens_it(
    simulator: Simulator, run_playbook: Callable[..., Run]
) -> None:
    simulator.seed_studio(STUDIO, [{"sessionId": "seat-01", "ownedBy": "anna"}])
    defaults = {
        "endpoint_url": simulator.endpoint_url,
        "region": "us-east-1",
        "aws_config": {"user_agent_extra": "of-the-user"},
    }
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": {"group/labstream.aws.labstream": defaults},
        "tasks": [{"name": "create", STREAM_MODULE: SEAT}],
    }

    run = run_playbook(
        [play], environment=dict.fromkeys(("AWS_URL", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION"), "")
    )

    assert run.returncode == 0, run.printed
    assert run.changed == 1
    assert all("of-the-user" in call["user_agent"] for call in simulator.calls())
    task = run.task("create")
    [entry] = task.result["streams"]
    [stream] = simulator.streams()
    status, page = simulator.open(entry["url"])
    assert (status, "anna" in page) == (200, True)
    assert 3590 < seconds_left(entry["expires_at"]) <= 3600
    assert entry == {
        **dict.fromkeys(("id", "name", "email")),
        "session_id": "seat-01",
        "stream_id": stream["streamId"],
        "state": "READY",
        "status_code": "STREAM_READY",
        "url": entry["url"],
        "created_at": stream["createdAt"][:19] + "Z",
        "created_by": stream["createdBy"],
        "expires_at": stream["expiresAt"][:19] + "Z",
        "owned_by": "anna",
        "issued": True,
        "lease": entry["lease"],
    }
    assert entry["lease"].startswith("lease1.")
    reported = {name: task.result[name] for name in ("failures", "summary", "studio_arn", "region", "scope")}
    assert reported == {
        "failures": [],
        "summary": {
            "requested": 1,
            "issued": 1,
            "reused": 0,
            "failed": 0,
            "released": 0,
            "earliest_expiry": entry["expires_at"],
        },
        "studio_arn": ARN,
        "region": "us-east-1",
        "scope": f"nimble|{simulator.endpoint_url.removeprefix('http://')}|{ARN}",
    }
    # Of modules that amazon.aws has renamed in its group, older versions of it warn.
    warnings = [line for line in run.printed.splitlines() if "WARNING]" in line]
    assert [warning for warning in warnings if "[DEPRECATION WARNING]: amazon.aws." not in warning] == []


def test_a_lab_gets_its_streams_in_the_order_asked_and_a_second_run_changes_nothing(
    simulator: Simulator, call_stream_module: CallModule, home: Path
) -> None:
    simulator.seed_studio(STUDIO, seats(30))
    in_reverse = list(reversed(seats(30)))
    args = {**ARGS, "session_ids": in_reverse, "lab": "monday"}

    first, second = call_stream_module(args), call_stream_module(args)

    assert [entry["session_id"] for entry in first.result["streams"]] == in_reverse
    assert (first.changed, second.changed) == (True, False)
    assert len(set(urls(first))) == 30
    assert urls(second) == urls(first)
    assert {simulator.open(url)[0] for url in urls(second)} == {200}
    assert second.result["summary"] == {**first.result["summary"], "issued": 0, "reused": 30}
    assert len(simulator.streams()) == 30
    store = home / STORE
    assert stat.S_IMODE(store.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.parent.stat().st_mode) == 0o700


def test_reuse_costs_one_call_for_the_studio_and_one_a_session_and_they_say_who_makes_them(
    studio: Simulator, call_stream_module: CallModule
) -> None:
    lab_of_3 = {**ARGS, "session_ids": seats(3)}
    call_stream_module({**lab_of_3, "wait": False})
    before = len(studio.calls())

    assert not call_stream_module(lab_of_3).changed

    assert calls_of(studio, before) == {"GetStudio": 1, "GetStreamingSessionStream": 3}
    assert all(f"labstream.aws/{COLLECTION_VERSION}" in call["user_agent"] for call in studio.calls())


@pytest.mark.parametrize("seconds", [60, 3600])
def test_a_stream_works_as_long_as_was_asked(studio: Simulator, call_stream_module: CallModule, seconds: int) -> None:
    [entry] = call_stream_module({**SEAT, "expiration_in_seconds": seconds}).result["streams"]

    [call] = studio.calls("CreateStreamingSessionStream")
    assert call["parameters"]["expirationInSeconds"] == seconds
    assert seconds - 10 < seconds_left(entry["expires_at"]) <= seconds
    studio.set(clock_offset_seconds=seconds - 10)
    assert studio.open(entry["url"])[0] == 200
    studio.set(clock_offset_seconds=seconds + 1)
    assert studio.open(entry["url"])[0] == 403


def test_ids_may_hold_what_urls_and_templates_give_a_meaning_to(
    simulator: Simulator, call_stream_module: CallModule
) -> None:
    ids = [
        "a%2Fb",
        "a%",
        "a?b#c",
        "a+b&c=d",
        "Jürgen",
        "学生",
        "🦆",
        "{{1}}",
        "{studioId}",
        "'\"\\",
        "...",
        "%2e",
        "a;b",
    ]
    simulator.seed_studio("stüdio?%2F", ids)
    args = {"studio_id": "stüdio?%2F", "session_ids": ids}

    first = call_stream_module(args)

    assert not first.failed, first.msg
    assert {id_: entry["owned_by"] for id_, entry in entries_of(first).items()} == {id_: f"{id_}-owner" for id_ in ids}
    assert reused(first, call_stream_module(args))


# Waiting


def test_all_are_created_before_the_first_is_waited_for(studio: Simulator, call_stream_module: CallModule) -> None:
    studio.set(stream_creating_seconds=0.5)

    task = call_stream_module({**ARGS, "session_ids": seats(5), "concurrency": 2})

    assert not task.failed, task.msg
    operations = [call["operation"] for call in studio.calls()]
    assert operations[:6] == ["GetStudio", *["CreateStreamingSessionStream"] * 5]
    # Two rounds at least, one of them before the streams are READY.
    assert operations[6:].count("GetStreamingSessionStream") == len(operations[6:]) >= 10
    assert {studio.open(url)[0] for url in urls(task)} == {200}


def test_who_does_not_wait_gets_the_same_stream_in_a_later_run(
    studio: Simulator, call_stream_module: CallModule
) -> None:
    begun = call_stream_module({**SEAT, "wait": False})
    ready = call_stream_module({**SEAT, "wait": False})

    [first], [second] = begun.result["streams"], ready.result["streams"]
    assert (begun.changed, first["state"], first["url"]) == (True, "CREATE_IN_PROGRESS", None)
    assert first["status_code"] == "STREAM_CREATE_IN_PROGRESS"
    assert reused(begun, ready)
    assert (second["state"], studio.open(second["url"])[0]) == ("READY", 200)
    assert len(studio.streams()) == 1


def test_a_stream_that_takes_too_long_is_waited_for_by_the_next_run(
    studio: Simulator, call_stream_module: CallModule
) -> None:
    studio.change_session(STUDIO, "seat-01", streamOutcome="CREATE_IN_PROGRESS")

    failed = call_stream_module({**SEAT, "wait_timeout": 1})

    [stream] = studio.streams()
    assert reasons(failed) == {
        "seat-01": f"Stream '{stream['streamId']}' of session 'seat-01' is still CREATE_IN_PROGRESS after 1 "
        "seconds: raise wait_timeout, or run again to continue waiting for it."
    }
    assert reasons(failed)["seat-01"].rstrip(".") in failed.msg
    assert stream_ids(failed) == [stream["streamId"]]
    assert (failed.changed, failed.result["streams"][0]["issued"]) == (True, True)
    assert (failed.result["summary"]["issued"], failed.result["summary"]["failed"]) == (0, 1)

    studio.change_stream(stream["streamId"], state="READY")
    last = call_stream_module(SEAT)
    assert stream_ids(last) == [stream["streamId"]]
    assert studio.open(urls(last)[0])[0] == 200


# What a new stream comes to, and what the message says.
BAD_ENDS = {
    ("CREATE_FAILED", "INTERNAL_ERROR"): "CREATE_FAILED (INTERNAL_ERROR: the service failed)",
    ("CREATE_FAILED", "NETWORK_CONNECTION_ERROR"): (
        "CREATE_FAILED (NETWORK_CONNECTION_ERROR: the session's instance cannot be reached)"
    ),
    ("DELETE_IN_PROGRESS", "STREAM_DELETE_IN_PROGRESS"): (
        "DELETE_IN_PROGRESS (STREAM_DELETE_IN_PROGRESS: it is being deleted or has just expired)"
    ),
    ("DELETED", "STREAM_DELETED"): "DELETED (STREAM_DELETED: it was deleted or has expired)",
    ("DELETE_FAILED", "INTERNAL_ERROR"): "DELETE_FAILED (INTERNAL_ERROR: the service failed)",
}


def test_a_stream_that_will_never_be_ready_fails_its_session_at_once_and_no_other(
    simulator: Simulator, call_stream_module: CallModule
) -> None:
    bad = {f"seat-{number}": end for number, end in enumerate(BAD_ENDS)}
    outcomes = [
        {"sessionId": seat, "streamOutcome": state, "streamStatusCode": code} for seat, (state, code) in bad.items()
    ]
    simulator.seed_studio(STUDIO, ["good", *outcomes])
    args = {**ARGS, "session_ids": ["good", *bad], "wait_timeout": 3600}

    failed = call_stream_module(args)

    assert failed.failed
    entries = entries_of(failed)
    assert {seat: (entries[seat]["state"], entries[seat]["status_code"]) for seat in bad} == bad
    assert reasons(failed) == {
        seat: f"Stream '{entries[seat]['stream_id']}' of session '{seat}' is {BAD_ENDS[end]}: {AGAIN.format(seat)}"
        for seat, end in bad.items()
    }
    assert {failure["code"] for failure in failed.result["failures"]} == {"NotReady"}
    assert failed.msg.startswith("5 of 6 got no streaming URL: seat-0: Stream ")
    assert "The others are stored" in failed.msg
    assert set(urls(failed)) == {None}
    assert Counter(stream["sessionId"] for stream in simulator.streams()) == dict.fromkeys(args["session_ids"], 1)

    for seat in bad:
        simulator.change_session(STUDIO, seat, streamOutcome="READY")
    again = call_stream_module(args)

    assert not again.failed, again.msg
    assert again.result["summary"]["issued"] == 5
    assert stream_ids(again)[0] == entries["good"]["stream_id"]
    assert {simulator.open(url)[0] for url in urls(again)} == {200}


# Sessions that are not READY

START = (
    "start it (StartStreamingSession by labstream.aws.nimble_session, or nimble_lab_start_sessions of the role "
    "labstream.aws.nimble_lab)"
)
NEW_SESSION = "name another session, or create a new one (CreateStreamingSession)"
REPLACE_IT = "fix the cause and replace it with a new session (CreateStreamingSession)"
START_AGAIN = "fix the cause and start it again (StartStreamingSession), or replace it"
NOT_READY = {
    ("STOPPED", "STREAMING_SESSION_STOPPED"): ("", f"{START}, wait until it is READY"),
    ("START_IN_PROGRESS", "STREAMING_SESSION_START_IN_PROGRESS"): ("", "wait until it is READY"),
    ("START_IN_PROGRESS", "STREAMING_SESSION_STARTED"): ("", "wait until it is READY"),
    ("CREATE_IN_PROGRESS", "STREAMING_SESSION_CREATE_IN_PROGRESS"): ("", "wait until it is READY"),
    ("STOP_IN_PROGRESS", "STREAMING_SESSION_STOP_IN_PROGRESS"): (
        "",
        f"wait until it is STOPPED, {START}, wait until it is READY",
    ),
    ("DELETE_IN_PROGRESS", "STREAMING_SESSION_DELETE_IN_PROGRESS"): ("", NEW_SESSION),
    ("DELETED", "STREAMING_SESSION_DELETED"): ("", NEW_SESSION),
    ("DELETE_FAILED", "INTERNAL_ERROR"): ("the service failed", NEW_SESSION),
    ("STOP_FAILED", "INTERNAL_ERROR"): (
        "the service failed",
        "stop it again (StopStreamingSession) or replace it",
    ),
    ("START_FAILED", "INSUFFICIENT_CAPACITY"): ("AWS has no capacity for this instance type", START_AGAIN),
    ("START_FAILED", "INITIALIZATION_SCRIPT_ERROR"): (
        "an initialization script of its launch profile failed",
        START_AGAIN,
    ),
    ("START_FAILED", "NETWORK_CONNECTION_ERROR"): ("the session's instance cannot be reached", START_AGAIN),
    ("CREATE_FAILED", "ACTIVE_DIRECTORY_DOMAIN_JOIN_ERROR"): ("its instance could not join the domain", REPLACE_IT),
    ("CREATE_FAILED", "DECRYPT_STREAMING_IMAGE_ERROR"): ("its streaming image could not be decrypted", REPLACE_IT),
    ("CREATE_FAILED", "NETWORK_INTERFACE_ERROR"): ("its network interface could not be created", REPLACE_IT),
    ("CREATE_FAILED", "AMI_VALIDATION_ERROR"): ("its streaming image is not valid", REPLACE_IT),
}


@pytest.mark.parametrize("check", [False, True])
def test_a_session_that_cannot_stream_is_reported_with_its_state_and_what_helps(
    simulator: Simulator, call_stream_module: CallModule, check: bool
) -> None:
    states = {f"seat-{number:02}": state for number, state in enumerate(NOT_READY)}
    simulator.seed_studio(
        STUDIO,
        [{"sessionId": seat, "state": state, "statusCode": code} for seat, (state, code) in states.items()],
    )
    args = {**ARGS, "session_ids": [*states, "unknown"], "aws_config": ONE_ATTEMPT}

    task = call_stream_module(args, check=check)

    def message(seat: str) -> str:
        state, code = states[seat]
        reason, remedy = NOT_READY[state, code]
        because = f"{code}: {reason}" if reason else code
        return f"Session '{seat}' is {state} ({because}), not READY: {remedy}, then run again."

    assert reasons(task) == {
        **{seat: message(seat) for seat in states},
        "unknown": "Session 'unknown' does not exist in studio 'studio-1': check both ids.",
    }
    assert (task.failed, task.changed) == (True, False)
    assert "17 of 17 got no streaming URL" in task.msg
    assert "see failures" in task.msg
    assert simulator.streams() == []


def test_a_session_that_is_not_ready_costs_the_others_nothing(
    studio: Simulator, call_stream_module: CallModule
) -> None:
    studio.change_session(STUDIO, "seat-02", state="STOPPED")
    args = {**ARGS, "session_ids": seats(3)}

    failed = call_stream_module(args)
    assert list(reasons(failed)) == ["seat-02"]
    assert failed.result["summary"] | {"earliest_expiry": None} == {
        "requested": 3,
        "issued": 2,
        "reused": 0,
        "failed": 1,
        "released": 0,
        "earliest_expiry": None,
    }

    studio.change_session(STUDIO, "seat-02", state="READY")
    again = call_stream_module(args)
    assert [entry["issued"] for entry in again.result["streams"]] == [False, True, False]
    assert [stream["sessionId"] for stream in studio.streams()].count("seat-02") == 1


# Reuse: which lease is current


@pytest.mark.parametrize(
    ("first", "second", "is_reused"),
    [
        pytest.param({}, {"expiration_in_seconds": 3599}, False, id="other expiration"),
        pytest.param({}, {"min_remaining": 3500}, True, id="enough remains"),
        pytest.param({}, {"client_token": "build-1"}, True, id="a token, which is not needed"),
        pytest.param({"client_token": "build-1"}, {"client_token": "build-2"}, True, id="other token"),
        pytest.param({"client_token": "build-1"}, {}, True, id="no token any more"),
    ],
)
def test_a_lease_is_reused_if_it_does_what_is_asked(
    studio: Simulator, call_stream_module: CallModule, first: dict, second: dict, is_reused: bool
) -> None:
    begun = call_stream_module({**SEAT, **first, "wait": False})

    assert reused(begun, call_stream_module({**SEAT, **second, "wait": False})) is is_reused


@pytest.mark.parametrize(
    ("options", "elapsed", "is_reused"),
    [
        ({}, 3600 - 360 - 20, True),
        ({}, 3600 - 360 + 20, False),
        ({"min_remaining": 0}, 3600 - 20, True),
        ({"min_remaining": 3000}, 600 + 20, False),
        ({"expiration_in_seconds": 600}, 600 - 60 + 20, False),
    ],
)
def test_a_tenth_of_the_time_must_remain_if_nothing_else_is_said(
    studio: Simulator, call_stream_module: CallModule, options: dict[str, Any], elapsed: int, is_reused: bool
) -> None:
    begun = call_stream_module({**SEAT, **options, "wait": False})
    studio.set(clock_offset_seconds=elapsed)

    assert reused(begun, call_stream_module({**SEAT, **options, "wait": False})) is is_reused


def test_a_stream_that_is_gone_is_replaced_by_one_new_one(simulator: Simulator, call_stream_module: CallModule) -> None:
    ends: dict[str, Callable[[str], None]] = {
        "expired": simulator.expire_stream,
        "removed": simulator.remove_stream,
        "short": lambda stream_id: simulator.change_stream(stream_id, expiresIn=300),
        **{
            state: lambda stream_id, state=state: simulator.change_stream(stream_id, state=state)
            for state in ("DELETE_IN_PROGRESS", "DELETED", "DELETE_FAILED", "CREATE_FAILED")
        },
    }
    simulator.seed_studio(STUDIO, ["good", *ends])
    args = {**ARGS, "session_ids": ["good", *ends]}
    first = entries_of(call_stream_module(args))
    for seat, end in ends.items():
        end(first[seat]["stream_id"])

    second = call_stream_module(args)

    assert not second.failed, second.msg
    assert second.changed
    assert {seat: entry["issued"] for seat, entry in entries_of(second).items()} == {
        "good": False,
        **dict.fromkeys(ends, True),
    }
    assert entries_of(second)["good"] == {**first["good"], "issued": False}
    assert {simulator.open(url)[0] for url in urls(second)} == {200}
    created = Counter(call["parameters"]["sessionId"] for call in simulator.calls("CreateStreamingSessionStream"))
    assert created == {"good": 1, **dict.fromkeys(ends, 2)}
    assert reused(second, call_stream_module(args))


def test_force_creates_a_new_stream_at_every_run(studio: Simulator, call_stream_module: CallModule) -> None:
    args = {**ARGS, "session_ids": seats(2), "wait": False}

    tasks = [call_stream_module({**args, "force": force}) for force in (False, True, True)]

    assert len({stream_id for task in tasks for stream_id in stream_ids(task)}) == 6
    assert [task.changed for task in tasks] == [True, True, True]
    assert {entry["issued"] for task in tasks for entry in task.result["streams"]} == {True}
    assert len(studio.streams()) == 6
    assert reused(tasks[-1], call_stream_module(args))


@pytest.mark.parametrize("offset", [-7200, 7200])
def test_a_wrong_clock_here_neither_reuses_a_dead_stream_nor_creates_without_need(
    studio: Simulator, call_stream_module: CallModule, offset: int
) -> None:
    studio.set(clock_offset_seconds=offset)

    first = call_stream_module({**SEAT, "wait": False})
    assert reused(first, call_stream_module(SEAT))

    studio.set(clock_offset_seconds=offset + 3601)
    last = call_stream_module(SEAT)
    assert not reused(first, last)
    assert studio.open(urls(last)[0])[0] == 200


def test_studios_regions_accounts_and_endpoints_share_no_lease(
    studio: Simulator, call_stream_module: CallModule
) -> None:
    credentials = studio.client("sts").assume_role(
        RoleArn="arn:aws:iam::222222222222:role/instructor", RoleSessionName="test"
    )["Credentials"]
    studio.seed_studio("studio-2", ["seat-01"])
    studio.seed_studio(STUDIO, ["seat-01"], region="eu-west-1")
    studio.seed_studio(STUDIO, ["seat-01"], account="222222222222")
    targets = [
        {},
        {"studio_id": "studio-2"},
        {"region": "eu-west-1"},
        {
            "access_key": credentials["AccessKeyId"],
            "secret_key": credentials["SecretAccessKey"],
            "session_token": credentials["SessionToken"],
        },
        {"endpoint_url": studio.endpoint_url.replace("127.0.0.1", "localhost")},
    ]

    first, second = ([call_stream_module({**SEAT, **target, "wait": False}) for target in targets] for _run in range(2))

    assert [task.result.get("msg") for task in first] == [None] * len(targets)
    assert len({task.result["scope"] for task in first}) == len(targets)
    assert len({stream_ids(task)[0] for task in first}) == len(studio.streams()) == len(targets)
    assert all(reused(*tasks) for tasks in zip(first, second, strict=True))


# Client tokens


def test_a_token_gives_the_same_stream_also_where_nothing_is_remembered(
    studio: Simulator, call_stream_module: CallModule
) -> None:
    args = {**SEAT, "client_token": "build-1", "wait": False}

    remembered = call_stream_module(args)
    call_stream_module({**SEAT, "state": "absent"})
    tasks = [remembered, call_stream_module(args), call_stream_module({**args, "lease_store": "none"})]

    [stream] = studio.streams()
    assert [stream_ids(task) for task in tasks] == [[stream["streamId"]]] * 3
    assert stream["clientToken"] == "build-1"


@pytest.mark.parametrize("token", ["x", "build/1 & 2=" + "~" * 52], ids=["1 character", "64 characters"])
def test_a_token_reaches_the_service_as_it_is(studio: Simulator, call_stream_module: CallModule, token: str) -> None:
    task = call_stream_module({**SEAT, "client_token": token, "wait": False})

    assert not task.failed, task.msg
    assert [stream["clientToken"] for stream in studio.streams()] == [token]


@pytest.mark.parametrize(
    "other", [{"session_id": "seat-02"}, {"expiration_in_seconds": 600}], ids=["another session", "other options"]
)
def test_a_token_that_was_used_for_something_else_is_rejected_and_stands_in_nobodys_way(
    studio: Simulator, call_stream_module: CallModule, other: dict[str, Any]
) -> None:
    call_stream_module({**SEAT, "client_token": "build-1", "wait": False})

    failed = call_stream_module({**SEAT, **other, "client_token": "build-1"})

    assert failed.failed
    for words in ("ValidationException", "a client_token that has been used with other parameters must be changed"):
        assert words in failed.msg
    assert len(studio.streams()) == 1

    without = call_stream_module({**SEAT, **other, "wait": False})
    assert not without.failed, without.msg
    assert len(studio.streams()) == 2


def test_a_token_whose_stream_is_gone_must_be_changed(studio: Simulator, call_stream_module: CallModule) -> None:
    args = {**SEAT, "client_token": "build-1"}
    call_stream_module({**args, "wait": False})
    [stream] = studio.streams()
    studio.expire_stream(stream["streamId"])

    failed = call_stream_module(args)

    assert reasons(failed) == {
        "seat-01": f"Stream '{stream['streamId']}' of session 'seat-01' is DELETED (STREAM_DELETED: it was deleted or "
        "has expired), and the service may return it again for client_token='build-1': use another token, or leave it "
        "out."
    }
    assert len(studio.streams()) == 1
    for options in ({"client_token": "build-2"}, {"client_token": None, "force": True}):
        other = call_stream_module({**SEAT, **options, "wait": False})
        assert (other.failed, other.changed) == (False, True), other.result.get("msg")
    assert len(studio.streams()) == 3


def test_the_identity_of_a_session_is_returned_in_streams_and_failures(
    studio: Simulator, call_stream_module: CallModule
) -> None:
    identity = {"id": "row-4711", "name": "Anna Example", "email": "anna@example.org"}
    sessions = [{"session_id": "seat-01", **identity}, {"session_id": "unknown", **identity}, {"session_id": "seat-02"}]

    task = call_stream_module({**ARGS, "sessions": sessions, "wait": False})

    assert [entry["session_id"] for entry in task.result["streams"]] == ["seat-01", "unknown", "seat-02"]
    [failure] = task.result["failures"]
    for entry in (*task.result["streams"][:2], failure):
        assert {name: entry[name] for name in identity} == identity
    assert {task.result["streams"][2][name] for name in identity} == {None}
    assert not [value for value in identity.values() if value in task.msg + str(task.result["ansible_facts"])]

    # And a run for the same sessions by their ids reuses the streams.
    again = call_stream_module({**ARGS, "session_ids": ["seat-01", "seat-02"], "wait": False})
    assert not again.changed
    assert [entry["lease"] for entry in again.result["streams"]] == [
        entry["lease"] for entry in task.result["streams"][::2]
    ]


# Check mode, diff mode, the structure of results


@pytest.mark.core
def test_check_mode_reads_the_session_predicts_and_leaves_nothing_behind(
    studio: Simulator, call_stream_module: CallModule, home: Path
) -> None:
    predicted = call_stream_module(SEAT, check=True)

    assert (predicted.failed, predicted.changed) == (False, True), predicted.result.get("msg")
    [entry] = predicted.result["streams"]
    assert {name: value for name, value in entry.items() if value is not None} == {
        "session_id": "seat-01",
        "issued": True,
        "lease": entry["lease"],
    }
    assert Counter(call["operation"] for call in studio.calls()) == {"GetStudio": 1, "GetStreamingSession": 1}
    assert not (home / ".ansible/labstream").exists()


def test_check_mode_predicts_what_the_run_then_does(studio: Simulator, call_stream_module: CallModule) -> None:
    expired = call_stream_module({**ARGS, "session_ids": seats(2)})
    studio.expire_stream(stream_ids(expired)[1])
    lab_of_3 = {**ARGS, "session_ids": seats(3)}

    predicted, done = (call_stream_module(lab_of_3, check=check) for check in (True, False))

    assert [entry["issued"] for entry in predicted.result["streams"]] == [False, True, True]
    assert [entry["issued"] for entry in done.result["streams"]] == [False, True, True]
    assert predicted.result["streams"][0] == done.result["streams"][0]
    assert urls(predicted) == [urls(expired)[0], None, None]
    assert {**predicted.result["summary"], "earliest_expiry": None} == {
        **done.result["summary"],
        "earliest_expiry": None,
    }
    for name in ("changed", "studio_arn", "scope", "region", "failures"):
        assert predicted.result[name] == done.result[name], name
    assert len(studio.streams()) == 4
    assert not call_stream_module(lab_of_3, check=True).changed


def test_diff_mode_shows_sessions_and_expiries_and_no_url(studio: Simulator, call_stream_module: CallModule) -> None:
    call_stream_module({**SEAT, "wait": False})
    both = {**ARGS, "session_ids": seats(2)}

    predicted, done = (call_stream_module({**both, "wait": False}, check=check, diff=True) for check in (True, False))

    first, second = (entry["expires_at"] for entry in done.result["streams"])
    before = {"seat-01": first}
    assert predicted.result["diff"] == {"before": before, "after": {"seat-01": first, "seat-02": "to be issued"}}
    assert done.result["diff"] == {"before": before, "after": {"seat-01": first, "seat-02": second}}


TYPES = {"str": str, "int": int, "bool": bool, "list": list, "dict": dict}


def misdocumented(documented: dict[str, Any], value: dict[str, Any], where: str = "") -> Iterator[str]:
    """What of a result is not as the documentation of the module's return values says."""
    for name in documented.keys() ^ value.keys():
        yield f"{where}{name} is {'missing' if name in documented else 'not documented'}"
    for name in documented.keys() & value.keys():
        described, found, place = documented[name], value[name], f"{where}{name}"
        if found is not None and found.__class__ is not TYPES[described["type"]]:
            yield f"{place} is {found!r}, and not a {described['type']}"
        elif "contains" in described:
            for number, part in enumerate(found if isinstance(found, list) else [found]):
                yield from misdocumented(described["contains"], part, f"{place}.{number}.")


def test_every_result_has_the_documented_structure(studio: Simulator, call_stream_module: CallModule) -> None:
    documented = yaml.safe_load(nimble_session_stream.RETURN)
    results = {
        "predicted": call_stream_module(SEAT, check=True),
        "issued": call_stream_module({**SEAT, "lab": "monday", "wait": False}),
        "reused": call_stream_module(SEAT),
        "not waited for": call_stream_module({**SEAT, "force": True, "wait": False}),
        "one failed": call_stream_module({**ARGS, "session_ids": ["seat-01", "unknown"]}),
        "refused": call_stream_module({**SEAT, "concurrency": 0}),
        "no studio": call_stream_module({**SEAT, "studio_id": "studio-2"}),
        "released": call_stream_module({**ARGS, "lab": "monday", "state": "absent"}),
    }

    assert results["one failed"].result["streams"][1]["session_id"] == "unknown"
    for name, task in results.items():
        always = {key: value for key, value in task.result.items() if key not in ("failed", "msg", "warnings")}
        always.pop("invocation", None)  # up to ansible-core 2.20
        assert always.pop("changed") in (True, False)
        assert list(misdocumented(documented, always)) == [], name
        facts, hidden = task.result["ansible_facts"]["nimble_session_streams"], ("id", "name", "email", "url")
        assert facts == {
            entry["session_id"]: {key: value for key, value in entry.items() if key not in hidden}
            for entry in task.result["streams"]
        }, name


# The lease store


def test_without_a_store_every_run_creates_and_says_so(
    studio: Simulator, call_stream_module: CallModule, home: Path
) -> None:
    args = {**SEAT, "lease_store": "none", "wait": False}

    first, second = (call_stream_module(args) for _number in range(2))

    assert not reused(first, second)
    assert "leases are not stored" in first.warnings
    assert not (home / ".ansible/labstream").exists()
    assert call_stream_module(args, check=True).changed


def test_the_store_holds_neither_a_url_nor_its_hash(
    studio: Simulator, call_stream_module: CallModule, home: Path
) -> None:
    [entry] = call_stream_module(SEAT).result["streams"]

    stored = (home / STORE).read_bytes()
    assert entry["stream_id"].encode() in stored
    assert b"http:" not in stored
    assert b"parameters=" not in stored
    assert entry["url"].rpartition("=")[2].encode() not in stored


# Releasing


@pytest.mark.core
def test_absent_releases_and_warns_and_the_next_run_creates_again(
    studio: Simulator, call_stream_module: CallModule
) -> None:
    wanted, gone = {**SEAT, "wait": False}, {**SEAT, "state": "absent"}

    present, absent, absent_again, present_again = (call_stream_module(args) for args in (wanted, gone, gone, wanted))

    tasks = (present, absent, absent_again, present_again)
    assert [task.changed for task in tasks] == [True, True, False, True]
    assert absent.result["streams"] == []
    assert absent.result["summary"]["released"] == 1
    assert "1 released streaming URL still works" in absent.warnings
    assert present.result["streams"][0]["expires_at"] in absent.warnings
    assert absent_again.warnings == ""
    assert stream_ids(present) != stream_ids(present_again)
    assert len(studio.streams()) == 2


def test_absent_by_lab_releases_that_lab_only(studio: Simulator, call_stream_module: CallModule) -> None:
    monday = call_stream_module({**ARGS, "session_ids": seats(3), "lab": "monday", "wait": False})
    tuesday = {**ARGS, "session_id": "seat-04", "lab": "tuesday", "wait": False}
    first = call_stream_module(tuesday)
    absent = {**ARGS, "lab": "monday", "state": "absent"}

    predicted, done = (call_stream_module(absent, check=check, diff=True) for check in (True, False))

    for result in (predicted.result, done.result):
        result.pop("invocation", None)  # up to ansible-core 2.20
    assert predicted.result == done.result
    assert done.result["summary"]["released"] == 3
    assert done.result["diff"] == {
        "before": {entry["session_id"]: entry["expires_at"] for entry in monday.result["streams"]},
        "after": {},
    }
    assert "3 released streaming URLs" in done.warnings
    assert reused(first, call_stream_module(tuesday))
    assert not call_stream_module(absent).changed


@pytest.mark.parametrize("purge", [False, True])
def test_purging_removes_the_record_too(
    studio: Simulator, call_stream_module: CallModule, home: Path, purge: bool
) -> None:
    call_stream_module({**SEAT, "wait": False})

    assert call_stream_module({**SEAT, "state": "absent", "purge": purge}).changed

    assert (b"seat-01" in (home / STORE).read_bytes()) is not purge
    assert call_stream_module({**SEAT, "state": "absent", "purge": True}).changed is not purge


def test_absent_asks_for_no_session_and_no_stream(studio: Simulator, call_stream_module: CallModule) -> None:
    call_stream_module({**SEAT, "wait": False})
    studio.change_session(STUDIO, "seat-01", state="DELETED")
    before = len(studio.calls())

    assert call_stream_module({**SEAT, "state": "absent"}).changed
    assert calls_of(studio, before) == {"GetStudio": 1}


def test_absent_works_where_the_studio_is_gone(simulator: Simulator, call_stream_module: CallModule) -> None:
    simulator.seed_studio(STUDIO, ["seat-01"])
    call_stream_module({**SEAT, "wait": False})
    simulator.reset()

    nothing_stored = call_stream_module({**SEAT, "session_id": "seat-02", "state": "absent"})
    stored = [call_stream_module({**SEAT, "state": "absent"}) for _number in range(2)]
    present = call_stream_module(SEAT)

    assert (nothing_stored.failed, nothing_stored.changed) == (False, False), nothing_stored.result.get("msg")
    assert [task.changed for task in stored] == [True, False]
    assert stored[0].result["studio_arn"] == ARN
    assert nothing_stored.result["studio_arn"] == ARN
    # The endpoint may speak nothing but this API.
    assert {call["service"] for call in simulator.calls()} == {"nimble"}
    assert present.msg.startswith("Studio 'studio-1' does not exist in region us-east-1: check studio_id")


# Where the settings come from


# AWS's own endpoint, which is closed

OF_AWS = {"AWS_URL": "", "AWS_ENDPOINT_URL": ""}
CLOSED = (
    "AWS has closed the API of Nimble Studio (cloud studios ended in June 2024), and calling "
    "nimble.us-east-1.amazonaws.com"
)
REMEDY = (
    "set endpoint_url to an endpoint that implements this API, or move the lab to "
    "labstream.aws.appstream_streaming_url."
)


class Proxy:
    """A proxy between us and AWS that answers every request with these bytes; with None, never."""

    def __init__(self, answer: bytes | None) -> None:
        self.requests: list[str] = []
        self._answer = answer
        self._server = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self.environment = {**OF_AWS, "HTTPS_PROXY": url, "https_proxy": url}
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            connection, _address = self._server.accept()
            self._connections.append(connection)
            request = connection.recv(65536).decode()
            if not request:
                return
            self.requests.append(request.partition(" HTTP/")[0])
            if self._answer is not None:
                connection.sendall(self._answer)
                connection.shutdown(socket.SHUT_WR)

    def stop(self) -> None:
        with socket.create_connection(self._server.getsockname()):
            pass
        self._thread.join()
        for each in (self._server, *self._connections):
            each.close()


@contextmanager
def proxy(answer: bytes | None) -> Iterator[Proxy]:
    running = Proxy(answer)
    try:
        yield running
    finally:
        running.stop()


FORBIDDEN = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
CONNECT = "CONNECT nimble.us-east-1.amazonaws.com:443"


@pytest.mark.core
def test_the_closed_endpoint_of_aws_is_tried_once_a_task_and_is_one_message(
    call_stream_module: CallModule, home: Path
) -> None:
    with proxy(FORBIDDEN) as between:
        task = call_stream_module({**ARGS, "session_ids": seats(3)}, environment=between.environment, verbosity=3)

    assert between.requests == [CONNECT]
    assert task.failed
    assert task.msg.startswith(f"{CLOSED} failed (")
    assert task.msg.endswith(REMEDY)
    assert task.msg.count("AWS has closed") == 1
    assert task.result["failures"] == []
    assert "Traceback" not in str(task.result)
    assert not (home / ".ansible/labstream").exists()


def test_the_closed_endpoint_of_aws_is_not_waited_for_longer_than_five_seconds(
    call_stream_module: CallModule, home: Path
) -> None:
    patience = {"retries": {"total_max_attempts": 5}, "connect_timeout": 60, "read_timeout": 60}
    with proxy(None) as between:
        began = time.monotonic()
        task = call_stream_module({**SEAT, "aws_config": patience}, environment=between.environment)
        took = time.monotonic() - began

    assert between.requests == [CONNECT]
    assert task.msg.startswith(CLOSED)
    assert 4 < took < 8
    assert not (home / ".ansible/labstream").exists()


@pytest.mark.parametrize(
    ("args", "environment", "requests", "why"),
    [
        pytest.param(
            {},
            {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
            [],
            "no AWS credentials were found",
            id="no credentials",
        ),
        pytest.param({"state": "absent"}, {}, [CONNECT], "Failed to connect to proxy URL", id="to release"),
        pytest.param(
            {"endpoint_url": "https://nimble.us-east-1.amazonaws.com"},
            {},
            [CONNECT],
            "Failed to connect to proxy URL",
            id="named by its URL",
        ),
    ],
)
def test_the_closed_endpoint_of_aws_is_reported_whatever_is_asked_for(
    call_stream_module: CallModule,
    home: Path,
    args: dict[str, Any],
    environment: dict[str, str],
    requests: list[str],
    why: str,
) -> None:
    with proxy(FORBIDDEN) as between:
        task = call_stream_module(
            {**ARGS, "session_ids": seats(3), **args}, environment={**between.environment, **environment}
        )

    assert between.requests == requests
    assert task.msg.startswith(CLOSED)
    assert why in task.msg
    assert task.msg.endswith(REMEDY)
    assert not (home / ".ansible/labstream").exists()


def test_an_endpoint_that_is_given_is_not_tried_first(studio: Simulator, call_stream_module: CallModule) -> None:
    call_stream_module({**SEAT, "endpoint_url": studio.endpoint_url, "wait": False}, environment=OF_AWS)

    assert [call["operation"] for call in studio.calls()] == ["GetStudio", "CreateStreamingSessionStream"]
