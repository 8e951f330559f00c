# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to streams when the service, the network, the lease store or a run fails: each session has one."""

from __future__ import annotations

import os
import random
import signal
import socket
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.integration.running import STREAM_MODULE, STUDIO, Ansible, Task, finish_module, server_that_answers
from tests.simulator.control import Simulator

ARGS = {"studio_id": STUDIO}
SEAT = {**ARGS, "session_id": "seat-01"}
CREATE, POLL = "CreateStreamingSessionStream", "GetStreamingSessionStream"
STORE = ".ansible/labstream/leases.sqlite3"
ONE_ATTEMPT = {"retries": {"total_max_attempts": 1}}

CallModule = Callable[..., Task]


def seats(number: int) -> list[str]:
    return [f"seat-{position:02}" for position in range(1, number + 1)]


def streams_of(task: Task) -> dict[str, str]:
    """The stream of each session, as the run returned it."""
    return {entry["session_id"]: entry["stream_id"] for entry in task.result["streams"]}


def created(simulator: Simulator) -> dict[str, str]:
    """The stream of each session, as the service has it; AssertionError if a session has several."""
    numbers = Counter(stream["sessionId"] for stream in simulator.streams())
    assert set(numbers.values()) <= {1}, numbers
    return {stream["sessionId"]: stream["streamId"] for stream in simulator.streams()}


def stored(home: Path) -> dict[str, str | None]:
    """The streams in the store, None where there is an intent only; AssertionError if the file is damaged."""
    with closing(sqlite3.connect(home / STORE)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return dict(database.execute("SELECT holder, resource_id FROM lease"))


# The service rejects

# The API's errors, and what the message adds. The service's words are in brackets.
ERRORS = {
    "AccessDeniedException": (
        "the credentials are not authorized to perform nimble:{operation} (No): allow this action on this "
        "studio and its sessions in "
        "their IAM policy, or correct the names and the region if they are wrong."
    ),
    "ConflictException": (
        "ConflictException (No): another operation is in progress, so wait until it is done, then run again."
    ),
    "InternalServerErrorException": "InternalServerErrorException (No): the service failed, so run again later.",
    "ResourceNotFoundException": (
        "ResourceNotFoundException (No): correct studio_id, the session's id and the region, or check that the "
        "credentials belong to the right account."
    ),
    "ServiceQuotaExceededException": (
        "ServiceQuotaExceededException (No): delete what is no longer needed, or request a quota increase, then run "
        "again."
    ),
    "ThrottlingException": "ThrottlingException (No): lower concurrency, then run again.",
    "ValidationException": (
        "ValidationException (No): correct what it names; a client_token that has been used with other parameters must "
        "be changed."
    ),
}


def reject(simulator: Simulator, operation: str, code: str, **rule: Any) -> None:
    simulator.add_fault(service="nimble", operation=operation, error={"code": code, "message": "No."}, **rule)


@pytest.mark.core
def test_every_error_of_the_api_is_reported_with_a_remedy_and_costs_the_others_nothing(
    simulator: Simulator, call_stream_module: CallModule
) -> None:
    simulator.seed_studio(STUDIO, ["good", *ERRORS])
    for code in ERRORS:
        reject(simulator, CREATE, code, parameters={"sessionId": code})

    args = {**ARGS, "session_ids": ["good", *ERRORS]}
    failed = call_stream_module({**args, "aws_config": ONE_ATTEMPT}, verbosity=3)

    assert failed.result["failures"] == [
        {
            **dict.fromkeys(("id", "name", "email")),
            "session_id": code,
            "code": code,
            "message": f"Failed to create a stream: {message.format(operation=CREATE)}",
        }
        for code, message in ERRORS.items()
    ]
    assert failed.msg.startswith("7 of 8 got no streaming URL: AccessDeniedException: Failed to create a stream: the ")
    assert "\n" not in failed.msg
    assert "Traceback" not in str(failed.result)
    assert {entry["url"] for entry in failed.result["streams"]} == {None}

    simulator.clear_faults()
    again = call_stream_module(args)
    assert not again.failed, again.msg
    assert streams_of(again) == created(simulator)
    assert streams_of(again)["good"] == streams_of(failed)["good"]


def test_an_error_of_a_poll_is_reported_and_the_stream_is_kept(
    simulator: Simulator, call_stream_module: CallModule
) -> None:
    codes = ERRORS.keys() - {"ResourceNotFoundException"}  # It says that there is no such stream.
    simulator.seed_studio(STUDIO, codes)
    args = {**ARGS, "session_ids": sorted(codes), "aws_config": ONE_ATTEMPT}
    begun = call_stream_module({**args, "wait": False})
    for code in codes:
        reject(simulator, POLL, code, parameters={"sessionId": code})

    failed = call_stream_module(args)

    assert {failure["session_id"]: failure["message"] for failure in failed.result["failures"]} == {
        code: f"Failed to get the stream: {ERRORS[code].format(operation=POLL)}" for code in codes
    }
    simulator.clear_faults()
    assert streams_of(call_stream_module(args)) == streams_of(begun) == created(simulator)


@pytest.mark.parametrize("code", ERRORS)
def test_an_error_in_looking_the_studio_up_fails_the_task_once(
    studio: Simulator, call_stream_module: CallModule, home: Path, code: str
) -> None:
    reject(studio, "GetStudio", code)

    task = call_stream_module({**ARGS, "session_ids": seats(3), "aws_config": ONE_ATTEMPT}, verbosity=3)

    assert task.failed
    if code == "ResourceNotFoundException":
        assert task.msg.startswith("Studio 'studio-1' does not exist in region us-east-1: ")
    else:
        assert task.msg == f"Failed to get the studio: {ERRORS[code].format(operation='GetStudio')}"
    assert task.result["failures"] == []
    assert len(studio.calls()) == 1
    assert stored(home) == {}


def test_what_may_pass_is_tried_again_and_what_will_not_is_not(
    simulator: Simulator, call_stream_module: CallModule
) -> None:
    rejections = {**dict.fromkeys(ERRORS, 1), "ConflictException": 2}
    passing = {"ConflictException", "InternalServerErrorException", "ThrottlingException"}
    simulator.seed_studio(STUDIO, ERRORS)
    for code, times in rejections.items():
        reject(simulator, CREATE, code, parameters={"sessionId": code}, times=times)

    task = call_stream_module({**ARGS, "session_ids": list(ERRORS)})

    assert {failure["session_id"] for failure in task.result["failures"]} == ERRORS.keys() - passing
    assert created(simulator).keys() == passing
    calls = Counter(call["parameters"]["sessionId"] for call in simulator.calls(CREATE))
    assert calls == {code: times + (code in passing) for code, times in rejections.items()}
    tokens = {(call["parameters"]["sessionId"], call["parameters"]["clientToken"]) for call in simulator.calls(CREATE)}
    assert len(tokens) == len(ERRORS)


def test_a_conflict_is_not_waited_out_where_the_session_shows_that_it_will_last(
    studio: Simulator, call_stream_module: CallModule
) -> None:
    studio.change_session(STUDIO, "seat-01", state="START_IN_PROGRESS")

    begun = time.monotonic()
    task = call_stream_module(SEAT)

    assert "is START_IN_PROGRESS" in task.msg
    assert len(studio.calls(CREATE)) == 1
    assert time.monotonic() - begun < 5


def test_conflicts_of_a_whole_lab_pass(simulator: Simulator, call_stream_module: CallModule) -> None:
    """botocore's own budget of retries, which a client has for all calls, would not last for so many."""
    simulator.seed_studio(STUDIO, seats(40))
    for seat in seats(40):
        reject(simulator, CREATE, "ConflictException", parameters={"sessionId": seat}, times=2)

    task = call_stream_module({**ARGS, "session_ids": seats(40), "wait": False})

    assert not task.failed, task.msg
    assert len(simulator.streams()) == 40
    assert len(simulator.calls(CREATE)) == 120


def test_the_users_aws_config_limits_the_attempts(studio: Simulator, call_stream_module: CallModule) -> None:
    reject(studio, CREATE, "ConflictException")
    attempts = {"retries": {"total_max_attempts": 2, "mode": "standard"}}

    task = call_stream_module({**SEAT, "aws_config": attempts})

    assert "ConflictException" in task.msg
    assert len(studio.calls(CREATE)) == 2


def test_a_service_that_throttles_gets_fewer_calls_and_serves_all(
    simulator: Simulator, call_stream_module: CallModule
) -> None:
    simulator.seed_studio(STUDIO, seats(12))
    simulator.add_fault(service="nimble", throttle={"rate": 30, "burst": 5})

    task = call_stream_module({**ARGS, "session_ids": seats(12)})

    assert not task.failed, task.msg
    assert streams_of(task) == created(simulator)
    assert any("throttle" in call["faults"] for call in simulator.calls())


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"error": {"code": "ServiceUnavailable", "status": 503}}, id="503"),
        pytest.param({"drop": "before"}, id="dropped before the work"),
        pytest.param({"drop": "after"}, id="dropped after the work"),
    ],
)
def test_a_passing_fault_is_not_noticed(
    studio: Simulator, call_stream_module: CallModule, home: Path, fault: dict[str, Any]
) -> None:
    for operation in ("GetStudio", CREATE, POLL):
        studio.add_fault(operation=operation, times=1, **fault)

    task = call_stream_module({**ARGS, "session_ids": seats(4)})

    assert not task.failed, task.msg
    assert streams_of(task) == created(studio) == stored(home)
    assert [studio.open(entry["url"])[0] for entry in task.result["streams"]] == [200] * 4


# A reply that is lost after the work was done


@pytest.fixture
def lost(studio: Simulator, call_stream_module: CallModule, home: Path) -> Task:
    """A run for two sessions that never learnt of the streams that it had created."""
    studio.add_fault(operation=CREATE, drop="after")
    task = call_stream_module({**ARGS, "session_ids": seats(2), "aws_config": ONE_ATTEMPT})
    studio.clear_faults()
    assert task.failed
    assert streams_of(task) == {"seat-01": None, "seat-02": None}
    assert stored(home) == {"seat-01": None, "seat-02": None}
    assert created(studio).keys() == {"seat-01", "seat-02"}
    return task


@pytest.mark.core
def test_the_run_after_a_lost_reply_returns_the_stream_that_was_created(
    studio: Simulator, call_stream_module: CallModule, lost: Task
) -> None:
    args = {**ARGS, "session_ids": seats(2)}
    predicted = call_stream_module(args, check=True, diff=True)
    again = call_stream_module(args, diff=True)

    for task in (predicted, again):
        assert [entry["issued"] for entry in task.result["streams"]] == [True, True]
        assert task.changed
        assert task.result["diff"]["before"] == {}
    assert streams_of(again) == created(studio)
    assert streams_of(call_stream_module(args)) == created(studio)


@pytest.mark.parametrize("end", ["expired with its hour", "expired before", "removed"])
def test_the_run_after_a_lost_reply_creates_one_stream_if_that_one_is_gone(
    studio: Simulator, call_stream_module: CallModule, lost: Task, end: str
) -> None:
    gone = created(studio)["seat-01"]
    if end == "expired with its hour":
        studio.set(clock_offset_seconds=3601)
    elif end == "expired before":
        studio.expire_stream(gone)
    else:
        studio.remove_stream(gone)

    again = call_stream_module(SEAT)

    assert not again.failed, again.msg
    assert again.changed
    others = {stream["streamId"] for stream in studio.streams("seat-01")} - {gone}
    assert others == {streams_of(again)["seat-01"]}


def test_a_stream_of_a_lost_reply_that_was_released_is_never_returned_again(
    studio: Simulator, call_stream_module: CallModule, lost: Task
) -> None:
    released = created(studio)["seat-01"]

    absent = call_stream_module({**SEAT, "state": "absent"})
    present = call_stream_module(SEAT)

    assert (absent.changed, absent.result["summary"]["released"]) == (True, 1)
    assert present.changed
    assert streams_of(present)["seat-01"] != released
    assert len(studio.streams("seat-01")) == 2


def test_force_after_a_lost_reply_creates_another_stream(
    studio: Simulator, call_stream_module: CallModule, lost: Task
) -> None:
    [first] = studio.streams("seat-01")

    forced = call_stream_module({**SEAT, "force": True})

    streams = [stream["streamId"] for stream in studio.streams("seat-01")]
    assert streams == [first["streamId"], streams_of(forced)["seat-01"]]


# The network and what answers there


def test_an_endpoint_where_nobody_listens(call_stream_module: CallModule) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        nowhere = f"http://127.0.0.1:{unused.getsockname()[1]}"

    task = call_stream_module({**SEAT, "endpoint_url": nowhere, "aws_config": ONE_ATTEMPT}, verbosity=3)

    assert task.failed
    assert nowhere in task.msg
    assert "check the network, and whether region and endpoint_url are correct" in task.msg
    assert "\n" not in task.msg
    assert "Traceback" not in str(task.result)


UNREADABLE = {
    "a page": b"<html>\n<p>https://PORTAL</p>\n</html>",
    "half a reply": b'{"stream": {"url": "https://PORTAL',
    "other JSON": b'["https://PORTAL"]',
    "an empty reply": b"{}",
    "nothing": b"",
    "bytes": b"\x00\xff\xfehttps://PORTAL",
    "no stream": b'{"stream": null, "url": "https://PORTAL"}',
    "a stream without an id": b'{"stream": {"url": "https://PORTAL", "state": "READY"}}',
    "a stream with an empty id": b'{"stream": {"streamId": "", "url": "https://PORTAL", "state": "READY"}}',
    "a stream with a number for an id": b'{"stream": {"streamId": 7, "url": "https://PORTAL", "state": "READY"}}',
    "a stream without a state": b'{"stream": {"streamId": "1", "url": "https://PORTAL"}}',
    "a stream with a state that is no text": b'{"stream": {"streamId": "1", "state": {"x": "https://PORTAL"}}}',
    "a URL that is no text": b'{"stream": {"streamId": "1", "state": "READY", "url": ["https://PORTAL"]}}',
    "no time": b'{"stream": {"streamId": "1", "state": "READY", "url": "https://PORTAL", "expiresAt": "soon"}}',
    "a time before all time": b'{"stream": {"streamId": "1", "state": "READY", "expiresAt": "0001-01-01T00:00+14:00"}}',
    "a time after all time": b'{"stream": {"streamId": "1", "state": "READY", "expiresAt": 1e30}}',
}


@pytest.mark.parametrize("reply", UNREADABLE.values(), ids=UNREADABLE)
def test_a_reply_that_is_none_of_the_services_is_reported_and_not_quoted(
    call_stream_module: CallModule, reply: bytes
) -> None:
    def answer(path: str) -> bytes:
        return reply if path.endswith("/streams") else b'{"studio": {"arn": "arn:aws:nimble:::studio/studio-1"}}'

    with server_that_answers(answer) as address:
        task = call_stream_module({**SEAT, "endpoint_url": address, "aws_config": ONE_ATTEMPT}, verbosity=3)

    [failure] = task.result["failures"]
    assert failure["message"] == (
        "Failed to create a stream: the response could not be parsed: check that endpoint_url points to a server "
        "that implements this API."
    )
    assert "PORTAL" not in str(task.result)
    assert "Traceback" not in str(task.result)


@pytest.mark.parametrize(
    ("stream", "reported"),
    [
        (
            b'"state": "DELETED", "url": "https://PORTAL"',
            "Stream '1' of session 'seat-01' is DELETED: run again to ",
        ),
    ],
)
def test_only_what_is_ready_has_a_url(call_stream_module: CallModule, stream: bytes, reported: str) -> None:
    def answer(path: str) -> bytes:
        studio = b'{"studio": {"arn": "arn:aws:nimble:::studio/studio-1"}}'
        return b'{"stream": {"streamId": "1", %s}}' % stream if path.endswith("/streams") else studio

    with server_that_answers(answer) as address:
        task = call_stream_module({**SEAT, "endpoint_url": address})

    [failure] = task.result["failures"]
    assert failure["message"].startswith(reported)
    assert "PORTAL" not in str(task.result)


def test_a_server_that_is_no_nimble_studio(call_stream_module: CallModule) -> None:
    with server_that_answers(lambda path: b"<html>https://PORTAL</html>") as address:
        task = call_stream_module({**SEAT, "endpoint_url": address, "aws_config": ONE_ATTEMPT}, verbosity=3)

    assert task.msg == (
        "Failed to get the studio: the response could not be parsed: check that endpoint_url points to a server "
        "that implements this API."
    )
    assert "PORTAL" not in str(task.result)


# The lease store


def make_it_text(store: Path) -> None:
    store.write_text("My notes.\n" * 1000)


def open_it_to_others(store: Path) -> None:
    store.chmod(0o644)


def take_the_right_to_write(store: Path) -> None:
    store.chmod(0o400)


@pytest.mark.parametrize(
    ("break_store", "says"),
    [
        (make_it_text, "is not a SQLite database"),
        (open_it_to_others, "0644"),
        (take_the_right_to_write, "is not allowed to read and write"),
    ],
)
def test_a_store_that_cannot_be_used_is_reported_before_any_call(
    studio: Simulator, ansible: Ansible, home: Path, break_store: Callable[[Path], None], says: str
) -> None:
    ansible.call_module({**SEAT, "wait": False}, module=STREAM_MODULE)
    break_store(home / STORE)
    before, calls = (home / STORE).read_bytes(), len(studio.calls())

    task = finish_module(
        ansible.start_module(
            {**ARGS, "session_ids": seats(2)}, module=STREAM_MODULE, may_not_override_modes=True, verbosity=3
        )
    )

    assert task.failed
    assert str(home / STORE) in task.msg
    assert says in task.msg
    assert "\n" not in task.msg
    assert "Traceback" not in str(task.result)
    assert (home / STORE).read_bytes() == before
    assert len(studio.calls()) == calls
    assert len(studio.streams()) == 1


def test_a_store_that_breaks_in_mid_run_stops_it_and_the_streams_are_found_again(
    studio: Simulator, ansible: Ansible, home: Path
) -> None:
    """Its schema is changed: as good as any damage, and it can be undone."""
    ansible.call_module({**ARGS, "session_id": "seat-05"}, module=STREAM_MODULE)
    studio.add_fault(operation=CREATE, latency_seconds=0.3)
    args = {**ARGS, "session_ids": seats(3)}
    process = ansible.start_module(args, module=STREAM_MODULE)
    wait_until(process, lambda: len(studio.calls(CREATE)) > 1)
    with closing(sqlite3.connect(home / STORE)) as database:
        database.execute("ALTER TABLE lease RENAME TO moved")

    broken = finish_module(process)

    assert broken.failed
    assert {failure["code"] for failure in broken.result["failures"]} == {"LeaseStoreError"}
    assert f"The lease store {home / STORE} cannot be used: no such table: lease" in broken.msg
    with closing(sqlite3.connect(home / STORE)) as database:
        database.execute("ALTER TABLE moved RENAME TO lease")
    again = ansible.call_module(args, module=STREAM_MODULE)
    assert streams_of(again).items() <= created(studio).items()


# Runs at once, and runs that end too early


def test_runs_at_once_create_one_stream_a_session_and_all_return_it(
    simulator: Simulator, ansible: Ansible, home: Path
) -> None:
    simulator.seed_studio(STUDIO, seats(40))
    args = {**ARGS, "session_ids": seats(40)}

    processes = [ansible.start_module(args, module=STREAM_MODULE) for _number in range(4)]
    tasks = [finish_module(process) for process in processes]

    assert [task.msg for task in tasks if task.failed] == []
    assert len(simulator.streams()) == 40
    assert [streams_of(task) for task in tasks] == [created(simulator)] * 4
    assert stored(home) == created(simulator)
    assert sum(task.result["summary"]["issued"] for task in tasks) == 40


def wait_until(process: subprocess.Popen[str], holds: Callable[[], bool]) -> None:
    """Wait until that is so; AssertionError if the process ends before."""
    while not holds():
        assert process.poll() is None, finish_module(process)
        time.sleep(0.01)


def kill(process: subprocess.Popen[str]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def before_the_service_did_anything(simulator: Simulator, home: Path, run: Callable[[], subprocess.Popen[str]]) -> None:
    simulator.add_fault(operation=CREATE, drop="before")
    process = run()
    wait_until(process, lambda: len(simulator.calls(CREATE)) >= 5)
    kill(process)
    assert simulator.streams() == []


def before_the_replies_came(simulator: Simulator, home: Path, run: Callable[[], subprocess.Popen[str]]) -> None:
    simulator.add_fault(operation=CREATE, drop="after")
    process = run()
    wait_until(process, lambda: len(simulator.streams()) == 5)
    kill(process)
    assert set(stored(home).values()) == {None}


def before_the_leases_were_stored(simulator: Simulator, home: Path, run: Callable[[], subprocess.Popen[str]]) -> None:
    simulator.add_fault(operation=CREATE, latency_seconds=0.5)
    process = run()
    wait_until(process, lambda: bool(simulator.calls(CREATE)))  # so the intents are stored
    with closing(sqlite3.connect(home / STORE, timeout=10, isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        wait_until(process, lambda: [call["status"] for call in simulator.calls(CREATE)] == [200] * 5)
        time.sleep(0.05)
        kill(process)
        database.execute("ROLLBACK")
    assert set(stored(home).values()) == {None}
    assert len(simulator.streams()) == 5


def before_the_streams_were_ready(simulator: Simulator, home: Path, run: Callable[[], subprocess.Popen[str]]) -> None:
    for seat in seats(5):
        simulator.change_session(STUDIO, seat, streamOutcome="CREATE_IN_PROGRESS")
    process = run()
    wait_until(process, lambda: len(simulator.calls(POLL)) > 5)
    kill(process)
    assert stored(home) == created(simulator)
    for stream in simulator.streams():
        simulator.change_stream(stream["streamId"], state="READY")


@pytest.mark.parametrize(
    "kill_it",
    [
        before_the_service_did_anything,
        before_the_replies_came,
        before_the_leases_were_stored,
        before_the_streams_were_ready,
    ],
)
def test_the_run_after_a_killed_one_has_one_stream_a_session(
    studio: Simulator, ansible: Ansible, home: Path, kill_it: Callable[..., None]
) -> None:
    args = {**ARGS, "session_ids": seats(5)}
    kill_it(studio, home, lambda: ansible.start_module(args, module=STREAM_MODULE))
    studio.clear_faults()
    left_behind = created(studio)

    task = ansible.call_module(args, module=STREAM_MODULE)

    assert not task.failed, task.msg
    assert streams_of(task) == created(studio) == stored(home)
    assert left_behind.items() <= streams_of(task).items()
    assert {studio.open(entry["url"])[0] for entry in task.result["streams"]} == {200}


def test_runs_killed_at_random_leave_one_stream_a_session(simulator: Simulator, ansible: Ansible, home: Path) -> None:
    simulator.seed_studio(STUDIO, seats(40))
    simulator.add_fault(operation=CREATE, latency_seconds=0.03)
    args = {**ARGS, "session_ids": seats(40), "concurrency": 2}
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    datetimes = random.Random(seed)

    for _number in range(4):
        enough = len(simulator.streams()) + datetimes.randint(1, 9)
        process = ansible.start_module(args, module=STREAM_MODULE)
        wait_until(process, lambda: len(simulator.streams()) >= enough)  # noqa: B023 (called before it changes)
        time.sleep(datetimes.uniform(0, 0.03))
        kill(process)
    interrupted = created(simulator)
    assert 0 < len(interrupted) < 40

    task = ansible.call_module(args, module=STREAM_MODULE)

    assert not task.failed, task.msg
    assert interrupted.items() <= streams_of(task).items()
    assert streams_of(task) == created(simulator) == stored(home)
