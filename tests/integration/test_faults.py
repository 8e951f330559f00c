# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens when the service, the network or the lease store fails: nobody's URL is lost, and nothing is obscure."""

from __future__ import annotations

import json
import random
import socket
import sqlite3
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.integration.lease_stores import LeaseTable
from tests.integration.running import FLEET, STACK, Ansible, Task, finish_module, serve, server_that_answers
from tests.simulator.control import Simulator

ARGS = {"stack_name": STACK, "fleet_name": FLEET, "validity": 3600}
ANNA = {**ARGS, "user_id": "anna"}
STORE = ".ansible/labstream/leases.sqlite3"
ONE_ATTEMPT = {"retries": {"total_max_attempts": 1}}

Users = Callable[[int], list[dict[str, Any]]]


def stored_urls(home: Path) -> dict[str, str]:
    """The URLs in the store by user id; AssertionError if the file is damaged."""
    with closing(sqlite3.connect(home / STORE)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return dict(database.execute("SELECT holder, url FROM lease WHERE url IS NOT NULL"))


def urls_by_user(task: Task) -> dict[str, str | None]:
    return {entry["user_id"]: entry["streaming_url"] for entry in task.result["streaming_urls"]}


def reject(lab: Simulator, user_id: str, code: str, message: str = "No.") -> None:
    lab.add_fault(
        operation="CreateStreamingURL", parameters={"UserId": user_id}, error={"code": code, "message": message}
    )


# The service rejects


@pytest.mark.core
def test_one_rejected_learner_costs_the_others_nothing(
    lab: Simulator, call_module: Callable[..., Task], home: Path, users: Users
) -> None:
    lab_of_30 = {**ARGS, "users": users(30), "lab": "monday"}
    reject(lab, "learner-007", "InvalidAccountStatusException")

    failed = call_module(lab_of_30)

    assert failed.failed
    assert "1 of 30" in failed.msg
    assert "learner-007" in failed.msg
    assert "learner-008" not in failed.msg
    assert [failure["user_id"] for failure in failed.result["failures"]] == ["learner-007"]
    assert failed.result["failures"][0]["code"] == "InvalidAccountStatusException"
    assert failed.result["changed"] is True
    assert failed.urls == [None] * 30
    stored = stored_urls(home)
    assert len(stored) == 29
    assert not any(url in json.dumps(failed.result) for url in stored.values())

    lab.clear_faults()
    again = call_module(lab_of_30)

    assert not again.failed
    assert {**urls_by_user(again), **stored} == urls_by_user(again)
    assert again.result["summary"] | {"earliest_expiry": None} == {
        "requested": 30,
        "issued": 1,
        "reused": 29,
        "failed": 0,
        "released": 0,
        "earliest_expiry": None,
    }


def test_credentials_that_expire_in_mid_run_lose_nothing(
    lab: Simulator, call_module: Callable[..., Task], home: Path, users: Users
) -> None:
    for user in users(10)[4:]:
        reject(lab, user["user_id"], "ExpiredTokenException", "The security token included in the request is expired")

    failed = call_module({**ARGS, "users": users(10)})

    assert failed.failed
    assert "6 of 10" in failed.msg
    assert "does not accept the credentials" in failed.msg
    assert "learner-005" in failed.msg
    assert len(failed.result["failures"]) == 6
    assert stored_urls(home).keys() == {user["user_id"] for user in users(4)}


@pytest.mark.parametrize("store", ["sqlite", "dynamodb"])
def test_a_program_for_credentials_that_vanishes_in_mid_run_loses_nothing_that_can_be_stored(
    lab: Simulator, call_module: Callable[..., Task], home: Path, table: LeaseTable, users: Users, store: str
) -> None:
    """Keys of five minutes are renewed for every call."""
    program, config, key = home / "program", home / "config", lab.environment()["AWS_ACCESS_KEY_ID"]
    # It counts its runs in a file, to which each adds a byte.
    program.write_text(f"""#!/bin/sh
printf x >> {home}/runs
[ "$(wc -c < {home}/runs)" -lt 30 ] || rm {program}
printf '{{"Version": 1, "AccessKeyId": "{key}", "SecretAccessKey": "nothing", "Expiration": "%s"}}' \
    "$(date -u -d '+5 minutes' +%Y-%m-%dT%H:%M:%SZ)"
""")
    program.chmod(0o700)
    config.write_text(f"[profile lab]\ncredential_process = {program}\n")
    nobody = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), "")
    lease_store = {"lease_store": table.url} if store == "dynamodb" else {}

    task = call_module(
        {**ARGS, **lease_store, "users": users(40), "profile": "lab", "concurrency": 4},
        environment={**nobody, "AWS_CONFIG_FILE": str(config)},
        verbosity=3,
    )

    assert task.failed
    summary, failures = task.result["summary"], task.result["failures"]
    assert (summary["requested"], summary["failed"], len(failures)) == (40, len(failures), len(failures))
    assert f"credential_process, {program}, cannot be run (No such file or directory)" in task.msg
    assert {failure["code"] for failure in failures} <= {"CredentialsError", "LeaseStoreError"}
    assert "\n" not in task.msg
    assert "Traceback" not in str(task.result)
    assert not any(url in str(task.result) for url in lab.streaming_urls())
    stored = table.urls() if store == "dynamodb" else stored_urls(home)
    issued = sum(call["done"] for call in lab.calls("CreateStreamingURL"))
    assert 0 < summary["issued"] == len(stored) <= issued
    # What is on its way when a table can no longer be written is lost; a file can.
    assert issued - len(stored) <= (8 if store == "dynamodb" else 0)


def test_a_service_that_throttles_gets_fewer_calls_and_serves_all(
    lab: Simulator, call_module: Callable[..., Task], users: Users
) -> None:
    lab.add_fault(operation="CreateStreamingURL", throttle={"rate": 20, "burst": 5})

    task = call_module({**ARGS, "users": users(60)})

    assert not task.failed, task.msg
    assert None not in task.urls
    assert any("throttle" in call["faults"] for call in lab.calls("CreateStreamingURL"))


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"error": {"code": "InternalFailure", "status": 500}}, id="500"),
        pytest.param({"error": {"code": "ServiceUnavailable", "status": 503}}, id="503"),
        pytest.param({"drop": "before"}, id="dropped before the work"),
        pytest.param({"drop": "after"}, id="dropped after the work"),
    ],
)
def test_a_passing_fault_is_not_noticed(
    lab: Simulator, call_module: Callable[..., Task], users: Users, home: Path, fault: dict[str, Any]
) -> None:
    lab.add_fault(operation="DescribeFleets", times=1, **fault)
    lab.add_fault(operation="CreateStreamingURL", times=3, **fault)

    task = call_module({**ARGS, "users": users(8)})

    assert not task.failed, task.msg
    assert stored_urls(home) == urls_by_user(task)
    assert all(lab.open(url)[0] == 200 for url in task.urls)


# The network and what answers there


def test_an_endpoint_where_nobody_listens(lab: Simulator, call_module: Callable[..., Task]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    nowhere = f"http://127.0.0.1:{port}"

    task = call_module({**ANNA, "endpoint_url": nowhere, "aws_config": ONE_ATTEMPT}, verbosity=3)

    assert task.failed
    assert nowhere in task.msg
    assert "endpoint_url" in task.msg
    assert "\n" not in task.msg
    assert "Traceback" not in str(task.result)


@pytest.mark.parametrize("status", [200, 403, 500])
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<html>\n<p>Welcome, said the PORTAL.</p>\n</html>", id="a page"),
        pytest.param(b'{"Stacks": [{"Name": "PORTAL', id="half a reply"),
        pytest.param(b'["PORTAL"]', id="other JSON"),
        pytest.param(b"{}", id="an empty reply"),
        pytest.param(b"\x00\xff\xfePORTAL", id="bytes"),
        pytest.param(b'{"Stacks": [{"Name": "PORTAL", "CreatedTime": "soon"}]}', id="a bad member"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_a_server_that_is_no_appstream(
    lab: Simulator, call_module: Callable[..., Task], status: int, body: bytes
) -> None:
    with server_that_answers(lambda path: body, status) as address:
        task = call_module({**ANNA, "endpoint_url": address, "aws_config": ONE_ATTEMPT}, verbosity=3)

    assert task.failed
    assert "PORTAL" not in str(task.result)
    assert "endpoint_url" in task.msg
    assert "\n" not in task.msg
    assert "Traceback" not in str(task.result)


@contextmanager
def server_that_never_ends_a_url(lab: Simulator, pause: float) -> Iterator[str]:
    """Start a server that passes calls on, but says nothing to those for URLs but a byte after each pause."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if "CreateStreamingURL" in f"{self.headers.get('X-Amz-Target')} {self.path}":
                self.send_response(200)
                self.send_header("Content-Length", "1000000")
                self.end_headers()
                with suppress(OSError):
                    while not ended.wait(pause):
                        self.wfile.write(b" ")
                return
            request = urllib.request.Request(f"{lab.endpoint_url}{self.path}", body, dict(self.headers))
            with urllib.request.urlopen(request) as response:
                reply = response.read()
                self.send_response(response.status)
                for name in ("Content-Type", "Date", "x-amzn-RequestId"):
                    self.send_header(name, response.headers[name])
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *arguments: object) -> None:
            pass

    ended = threading.Event()
    with serve(Handler) as address:
        try:
            yield address
        finally:
            ended.set()


@pytest.mark.long
@pytest.mark.parametrize("pause", [pytest.param(3600.0, id="silence"), pytest.param(5.0, id="a byte each 5 seconds")])
def test_a_service_that_never_ends_its_replies(
    lab: Simulator, call_module: Callable[..., Task], users: Users, pause: float
) -> None:
    with server_that_never_ends_a_url(lab, pause) as address:
        began = time.monotonic()
        task = call_module({**ARGS, "users": users(16), "endpoint_url": address})
        taken = time.monotonic() - began

    assert task.failed
    assert task.msg.count("CreateStreamingURL at ") == 1
    assert f"{address.partition('//')[2]} had no complete response within 60 seconds, so it is unknown" in task.msg
    assert "16 of 16" in task.msg
    assert 60 < taken < 75


# The lease store


def corrupt(store: Path) -> None:
    store.write_bytes(store.read_bytes()[:100] + random.Random(1).randbytes(8000))


def make_it_text(store: Path) -> None:
    store.write_text("My notes.\n" * 1000)


def make_it_foreign(store: Path) -> None:
    store.unlink()
    with closing(sqlite3.connect(store)) as database:
        database.execute("CREATE TABLE note (text)")
    store.chmod(0o600)


def open_it_to_others(store: Path) -> None:
    store.chmod(0o644)


def make_it_a_folder(store: Path) -> None:
    store.unlink()
    store.mkdir()


def make_it_newer(store: Path) -> None:
    with closing(sqlite3.connect(store)) as database:
        database.execute("PRAGMA user_version = 99")


def truncate(store: Path) -> None:
    store.write_bytes(store.read_bytes()[:5000])


BROKEN_STORES = {
    "damaged": (corrupt, ("is damaged", "restore it from a backup")),
    "truncated": (truncate, ("is damaged", "restore it from a backup")),
    "a text file": (make_it_text, ("not a SQLite database", "another file")),
    "another program's": (make_it_foreign, ("another program", "another file")),
    "of a newer version": (make_it_newer, ("newer labstream.aws", "update the collection")),
    "readable by others": (open_it_to_others, ("0644", "chmod 0600")),
    "a folder": (make_it_a_folder, ("not a regular file", "lease_store")),
}

READ_ONLY = {"the file": (".", 0o400), "its folder": ("..", 0o500)}


class AssertStoreRejected:
    """Checks that a run is rejected for its store by one message, before any call, and leaves the file alone."""

    def __init__(self, lab: Simulator, call_module: Callable[..., Task], home: Path) -> None:
        self._lab = lab
        self.store = home / STORE
        call_module(ANNA)

    def __call__(self, run: Callable[..., Task], says: tuple[str, ...]) -> None:
        before, calls = self._content(), len(self._lab.calls())
        for args, check in (({}, False), ({}, True), ({"state": "absent"}, False)):
            task = run({**ANNA, **args}, check=check, verbosity=3)

            assert task.failed
            assert str(self.store) in task.msg
            for words in says:
                assert words in task.msg
            assert "\n" not in task.msg
            assert "Traceback" not in str(task.result)
        assert self._content() == before
        assert len(self._lab.calls()) == calls

    def _content(self) -> bytes | None:
        return self.store.read_bytes() if self.store.is_file() else None


@pytest.fixture
def assert_store_rejected(lab: Simulator, call_module: Callable[..., Task], home: Path) -> AssertStoreRejected:
    return AssertStoreRejected(lab, call_module, home)


@pytest.mark.parametrize(("break_store", "says"), BROKEN_STORES.values(), ids=BROKEN_STORES)
def test_a_broken_store_is_rejected_before_the_first_url(
    assert_store_rejected: AssertStoreRejected,
    call_module: Callable[..., Task],
    break_store: Callable[[Path], None],
    says: tuple[str, ...],
) -> None:
    break_store(assert_store_rejected.store)

    assert_store_rejected(call_module, says)


@pytest.mark.parametrize(("where", "mode"), READ_ONLY.values(), ids=READ_ONLY)
def test_a_store_that_may_not_be_written_is_rejected_before_the_first_url(
    assert_store_rejected: AssertStoreRejected, ansible: Ansible, where: str, mode: int
) -> None:
    (assert_store_rejected.store / where).resolve().chmod(mode)

    def run(args: dict[str, Any], **options: Any) -> Task:
        return finish_module(ansible.start_module(args, may_not_override_modes=True, **options))

    assert_store_rejected(run, ("is not allowed to", "allow it"))


def test_a_run_waits_for_another_that_holds_the_store(
    lab: Simulator, call_module: Callable[..., Task], home: Path
) -> None:
    call_module(ANNA)
    database = sqlite3.connect(home / STORE, check_same_thread=False)
    with closing(database):
        database.execute("BEGIN EXCLUSIVE")
        release = threading.Timer(1.5, database.rollback)
        release.start()
        task = call_module({**ANNA, "user_id": "ben"})
        release.join()

    assert not task.failed, task.msg
    assert stored_urls(home).keys() == {"anna", "ben"}
