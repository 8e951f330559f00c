# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service that does not answer, or never ends to."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import suppress
from functools import partial

import pytest
from ansible_collections.labstream.aws.plugins.module_utils import _network_time
from ansible_collections.labstream.aws.plugins.module_utils._appstream.api import create_streaming_url, describe_stack
from ansible_collections.labstream.aws.plugins.module_utils._client import build_client
from ansible_collections.labstream.aws.plugins.module_utils._errors import LabstreamError
from ansible_collections.labstream.aws.plugins.module_utils._leases.lease import UrlGrant
from ansible_collections.labstream.aws.plugins.module_utils._leases.scheduler import Call, Outcome, run_concurrently
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.base import Write
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.dynamodb import DynamoDBLeaseStore
from ansible_collections.labstream.aws.plugins.module_utils._leases.summary import build_failure_message
from ansible_collections.labstream.aws.plugins.module_utils._leases.url_issuer import UrlIssuer
from ansible_collections.labstream.aws.plugins.module_utils._module import LabstreamAWSModule
from ansible_collections.labstream.aws.plugins.module_utils._nimble.api import (
    build_nimble_client,
    get_streaming_session_stream,
)
from ansible_collections.labstream.aws.plugins.module_utils._service_errors import call

from tests.unit.plugins.module_utils.module_arguments import patch_module_args
from tests.unit.plugins.module_utils.support import (
    LONG_AGO,
    NOW,
    MemoryStore,
    build_key,
    build_policy,
    lease_of,
)

pytestmark = pytest.mark.usefixtures("files_of_botocore_are_read_once")

# In seconds. What is within the limits needs some time too, on a machine that is busy.
LIMIT, PAUSE, SOON = 0.5, 0.05, 3.0
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
FAILED = b"HTTP/1.1 500 Oops\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
REMEDY = "check the network and the service, then run again."


class Server:
    """A server that does with each request what ``answer`` says: it is called with the body, and yields bytes.

    A number between them is a pause in seconds. At the end the connection is closed, or silent if nothing was yielded.
    """

    def __init__(self):
        self.answer = lambda _body: ()
        self.bodies = []
        self._ended = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.host = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self.url = f"http://{self.host}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with suppress(OSError):
            while True:
                connection, _address = self._listening.accept()
                threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection):
        with suppress(OSError), connection:
            received = connection.recv(65536)
            body = received.partition(b"\r\n\r\n")[2]
            if not body and b"Content-Length: 0" not in received and received.startswith(b"POST"):
                body = connection.recv(65536)
            self.bodies.append(body)
            parts = self.answer(body)
            if parts == ():
                self._ended.wait()
            for part in parts:
                if isinstance(part, bytes):
                    connection.sendall(part)
                elif self._ended.wait(part):
                    return

    def close(self):
        self._ended.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def limits(monkeypatch):
    monkeypatch.setattr(_network_time, "MAX_ATTEMPT", LIMIT)


def client_of(server, service="appstream", **options):
    with patch_module_args(
        dict(region="eu-central-1", access_key="a", secret_key="b", endpoint_url=server.url) | options
    ):
        return build_client(LabstreamAWSModule(empty_result={}, argument_spec={}), service, 16)


def say(body):
    return b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def silence(_body):
    return ()


def trickle(_body):
    yield HEAD
    while True:
        yield PAUSE
        yield b" "


def trickle_headers(_body):
    yield HEAD[:20]
    while True:
        yield PAUSE
        yield b"x"


def trickle_chunks(_body):
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    while True:
        yield PAUSE
        yield b"1\r\n \r\n"


SLOW = [silence, trickle, trickle_headers, trickle_chunks]


@pytest.fixture(params=SLOW)
def slow_server(server, request):
    server.answer = request.param
    return server


def in_time(function, *, limit=LIMIT):
    """The error that the function raises at the limit, and not before or long after it."""
    began = time.monotonic()
    with pytest.raises(LabstreamError) as raised:
        function()
    assert limit * 0.9 < time.monotonic() - began < limit + SOON
    return str(raised.value)


def test_a_description_in_the_main_thread_ends_at_the_limit(slow_server):
    client = client_of(slow_server)
    message = in_time(lambda: describe_stack(client, "course"))
    assert message == (
        f"Failed to describe the stack: DescribeStacks at {slow_server.host} had no complete response within 0.5 "
        f"seconds: {REMEDY}"
    )
    assert len(slow_server.bodies) == 1


PARAMETERS = dict(StackName="course", FleetName="fleet", UserId="anna", Validity=3600)


def test_a_create_ends_at_the_limit_and_its_outcome_is_unknown(slow_server):
    client = client_of(slow_server)
    message = in_time(lambda: create_streaming_url(client, **PARAMETERS))
    assert message == (
        f"Failed to create a streaming URL: CreateStreamingURL at {slow_server.host} had no complete response within "
        f"0.5 seconds, so it is unknown whether it was done: {REMEDY}"
    )


@pytest.mark.parametrize("answers_later", [FAILED, b""])
def test_a_create_that_was_abandoned_is_never_repeated(server, answers_later):
    def answer(_body):
        yield LIMIT * 1.3
        yield answers_later

    server.answer = answer
    client = client_of(server)
    in_time(lambda: create_streaming_url(client, **PARAMETERS))
    time.sleep(LIMIT)
    assert len(server.bodies) == 1


@pytest.mark.parametrize(("operation", "attempts"), [("create_streaming_url", 1), ("describe_stacks", 3)])
def test_a_read_timeout_of_the_user_repeats_only_what_can_be(server, operation, attempts):
    client = client_of(
        server, aws_config={"read_timeout": 0.1, "retries": {"mode": "standard", "total_max_attempts": 3}}
    )
    with pytest.raises(Exception, match=r"within 0\.1 seconds, so it is unknown|Read timeout"):
        call(getattr(client, operation), **(PARAMETERS if operation == "create_streaming_url" else {}))
    assert len(server.bodies) == attempts


def issuer_of(server, store, concurrency=16):
    client = client_of(server)

    def issue(key):
        url, _expires = create_streaming_url(client, **PARAMETERS | {"UserId": key.holder})
        return lease_of(key, grant=UrlGrant.build(url), validity=3600)

    return UrlIssuer(store, issue, lambda: NOW, build_policy(validity=3600), LONG_AGO, concurrency)


@pytest.mark.parametrize("answer", [silence, trickle])
def test_sixteen_holders_end_with_one_message_at_the_limit(server, answer):
    server.answer = answer
    keys = [build_key(f"learner-{number:02}") for number in range(16)]
    issuer = issuer_of(server, MemoryStore())

    began = time.monotonic()
    outcomes = issuer.run(keys, {}, False)

    assert time.monotonic() - began < LIMIT + SOON
    message = build_failure_message(outcomes, {key: key.holder for key in keys}, is_stored=True, check_mode=False)
    assert message == (
        "16 of 16 got no streaming URL: learner-00, learner-01, learner-02, learner-03, learner-04 and 11 more: Failed "
        f"to create a streaming URL: CreateStreamingURL at {server.host} had no complete response within 0.5 seconds, "
        f"so it is unknown whether it was done: {REMEDY} Fix the problem, then run again."
    )


def test_the_others_go_on(server):
    reply = say(json.dumps({"StreamingURL": "https://example.org/?x", "Expires": NOW.timestamp()}).encode())
    server.answer = lambda body: () if b"learner-1" in body else [reply]
    keys = [build_key(f"learner-{number}") for number in range(6)]
    store = MemoryStore()

    outcomes = issuer_of(server, store, concurrency=1).run(keys, {}, False)

    assert [outcome.failure and outcome.failure.code for outcome in outcomes] == [
        "CallTimeout" if number == 1 else None for number in range(6)
    ]
    assert store.leases.keys() == {*keys} - {keys[1]}


def test_waiting_for_the_rate_limiter_or_a_retry_is_not_counted(server):
    replies = [FAILED, say(b"{}")]
    server.answer = lambda _body: [replies.pop(0)]
    client = client_of(server)
    client.meta.events.register("before-send", lambda **_event: time.sleep(LIMIT * 0.8))
    client.meta.events.register_first("needs-retry", lambda attempts, **_event: LIMIT if attempts == 1 else None)

    began = time.monotonic()
    call(client.describe_stacks)

    assert time.monotonic() - began > LIMIT * 1.6
    assert len(server.bodies) == 2


def test_attempts_together_end_at_their_limit(server, monkeypatch):
    monkeypatch.setattr(_network_time, "MAX_TOTAL", LIMIT)
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _seconds: None)
    server.answer = lambda _body: [LIMIT * 0.4, FAILED]
    client = client_of(server)
    message = in_time(lambda: describe_stack(client, "course"))
    assert message == (
        f"Failed to describe the stack: DescribeStacks at {server.host} had no complete response within 0.5 seconds of "
        f"all attempts together: {REMEDY}"
    )
    assert 2 <= len(server.bodies) <= 3


def test_all_calls_for_a_holder_count_together(server, monkeypatch):
    monkeypatch.setattr(_network_time, "MAX_TOTAL", 2 * LIMIT)
    server.answer = lambda _body: [LIMIT * 0.3, say(b'{"Stacks": []}')]
    client = client_of(server)
    anna, ben = build_key("anna"), build_key("ben")

    def steps(key, calls):
        for _call in range(calls):
            yield Call(partial(describe_stack, client, "course"))
        return Outcome(key, None)

    outcomes = run_concurrently({anna: steps(anna, 8), ben: steps(ben, 2)}, {}, store=MemoryStore(), concurrency=2)

    assert outcomes[anna].failure.code == "CallTimeout"
    assert "of all attempts together" in outcomes[anna].failure.message
    assert outcomes[ben].failure is None


def test_a_call_after_the_last_second_is_not_made(server, monkeypatch):
    monkeypatch.setattr(_network_time, "MAX_TOTAL", 0.0)
    with pytest.raises(LabstreamError) as rejected:
        describe_stack(client_of(server), "course")
    assert str(rejected.value) == (
        f"Failed to describe the stack: DescribeStacks at {server.host} is not tried again, since all attempts "
        f"together took 0 seconds: {REMEDY}"
    )
    assert server.bodies == []


def test_a_lease_table_that_does_not_answer(server):
    store = DynamoDBLeaseStore(client_of(server, "dynamodb"), "leases", now=lambda: NOW, concurrency=4)
    keys = [build_key(f"learner-{number}") for number in range(4)]
    began = time.monotonic()
    errors = store.write([Write(lease_of(key), None) for key in keys])
    store.close()
    assert time.monotonic() - began < LIMIT + SOON
    assert {str(error) for error in errors} == {
        f"Failed to write to the lease table 'leases': PutItem at {server.host} had no complete response within 0.5 "
        f"seconds, so it is unknown whether it was done: {REMEDY}"
    }
    assert in_time(lambda: store_of(server).read(keys)) == (
        f"Failed to read the lease table 'leases': BatchGetItem at {server.host} had no complete response within 0.5 "
        f"seconds: {REMEDY}"
    )


def store_of(server):
    return DynamoDBLeaseStore(client_of(server, "dynamodb"), "leases", now=lambda: NOW, concurrency=4)


def test_a_stream_whose_link_is_looked_up_for_a_handout(server):
    with patch_module_args(dict(region="eu-central-1", access_key="a", secret_key="b", endpoint_url=server.url)):
        client = build_nimble_client(LabstreamAWSModule(empty_result={}, argument_spec={}), "studio-1", 4)
    message = in_time(lambda: get_streaming_session_stream(client, "studio-1", "session-1", "stream-1"))
    assert f"GetStreamingSessionStream at {server.host} had no complete response within 0.5 seconds" in message


def test_a_role_that_is_being_assumed(server, monkeypatch, tmp_path):
    (tmp_path / "config").write_text(
        "[profile lab]\nrole_arn = arn:aws:iam::123456789012:role/lab\nsource_profile = me\n"
        "[profile me]\naws_access_key_id = a\naws_secret_access_key = b\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
    keys = dict.fromkeys(("access_key", "secret_key"))
    message = in_time(lambda: client_of(server, profile="lab", **keys))
    assert message.startswith(f"AssumeRole at {server.host} had no complete response within 0.5 seconds")


def test_a_process_ends_though_a_call_hangs(server):
    program = f"""
        import time
        from types import SimpleNamespace
        from ansible_collections.labstream.aws.plugins.module_utils import _network_time
        from tests.unit.plugins.module_utils.test_network_time import MemoryStore, build_key, issuer_of
        _network_time.MAX_ATTEMPT = {LIMIT}
        issuer = issuer_of(SimpleNamespace(url={server.url!r}), MemoryStore())
        issuer.run([build_key("anna"), build_key("ben")], {{}}, False)
        print(time.time())
    """
    process = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": "build/collections:.", "HOME": "/nonexistent"},
        timeout=30,
        check=True,
    )
    assert time.time() - float(process.stdout) < 5
