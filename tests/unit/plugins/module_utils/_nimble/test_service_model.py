# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our description of Nimble Studio does what botocore's own did, as long as botocore had one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._nimble.service_model import SERVICE_DESCRIPTION
from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import EndpointResolutionError, WaiterError

from tests.unit.plugins.module_utils._nimble import nimble_calls
from tests.unit.plugins.module_utils._nimble.nimble_calls import CASES, ERRORS, SESSION, STREAM, STUDIO, Reply, Service

BOTOCORE = Path(__file__).resolve().parents[5] / "build/botocore-nimble"
OURS = SERVICE_DESCRIPTION["service-2"]


@pytest.fixture(scope="module")
def reference():
    """What botocore 1.35.47, the last that had the service, tells of it and makes of the calls."""
    # `make` always builds it; a miss there is a failure.
    if not BOTOCORE.exists() and "MAKELEVEL" not in os.environ:
        pytest.skip("botocore 1.35.47 is not there: run `make build/botocore-nimble/.stamp`")
    script = subprocess.run(
        [sys.executable, nimble_calls.__file__],
        env={"PYTHONPATH": os.pathsep.join([str(BOTOCORE), *sys.path])},
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    )
    told = json.loads(script.stdout)
    assert told["version"] == "1.35.47"
    return told


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch, tmp_path):
    for name in os.environ:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))


@pytest.fixture
def no_waiting(monkeypatch):
    """The seconds that were to be slept."""
    slept = []
    monkeypatch.setattr("botocore.waiter.time.sleep", slept.append)
    return slept


# Calls


@pytest.mark.parametrize("name", CASES)
def test_the_installed_botocore_sends_and_reads_the_same_with_ours_as_the_last_one_with_its_own(reference, name):
    assert nimble_calls.exchange(CASES[name], ours=True) == reference["theirs"][name]


@pytest.mark.parametrize("name", CASES)
def test_a_botocore_that_has_the_service_sends_and_reads_the_same_with_ours(reference, name):
    assert reference["ours"][name] == reference["theirs"][name]


def test_the_cases_call_every_operation_and_meet_every_error(reference):
    named = {operation.lower() for operation in OURS["operations"]}
    assert {case.operation.replace("_", "") for case in CASES.values()} == named
    told = [reference["theirs"][name].get("raised", {}) for name in CASES]
    assert {each["class"] for each in told if isinstance(each, dict) and each} == {*ERRORS, None}
    assert sum(bool(each["sent"]) for each in reference["theirs"].values() if "sent" in each) > 100


def test_ours_wins_where_botocore_has_its_own(reference):
    """Ours has only the operations that are called here."""
    assert len(reference["description"]["service-2"]["operations"]) > len(OURS["operations"])
    assert reference["operations"] == sorted(OURS["operations"])


# Descriptions


def tree(shapes, name):
    """A shape with the shapes in it, less what has no meaning for botocore and the names that are ours to choose."""
    shape = dict(shapes[name])
    members = {key: {**each, "shape": tree(shapes, each["shape"])} for key, each in shape.pop("members", {}).items()}
    inner = {key: tree(shapes, shape.pop(key)["shape"]) for key in ("key", "value", "member") if key in shape}
    for key in ("documentation", "box", "error", "exception", "fault", "retryable"):
        shape.pop(key, None)
    for each in members.values():
        each.pop("documentation", None)
    for key in ("enum", "required"):
        if key in shape:
            shape[key] = sorted(shape[key])
    return {**shape, **inner, "members": members}


def never_required(shape):
    """What a reply must have concerns the service only."""
    if isinstance(shape, dict):
        return {key: never_required(each) for key, each in shape.items() if key != "required"}
    return shape


@pytest.mark.parametrize("operation", OURS["operations"])
def test_an_operation_is_described_as_botocore_did(reference, operation):
    theirs = reference["description"]["service-2"]
    (ours, ours_in, ours_out), (own, own_in, own_out) = (
        (
            {key: each["operations"][operation].get(key) for key in ("name", "http", "idempotent")},
            tree(each["shapes"], each["operations"][operation]["input"]["shape"]),
            never_required(tree(each["shapes"], each["operations"][operation]["output"]["shape"])),
        )
        for each in (OURS, theirs)
    )
    assert ours == own
    assert ours_in == own_in
    assert ours_out == own_out
    errors, own_errors = (
        {error["shape"] for error in each["operations"][operation]["errors"]} for each in (OURS, theirs)
    )
    assert errors == own_errors == set(ERRORS)


@pytest.mark.parametrize(("error", "status"), ERRORS.items())
def test_an_error_is_described_as_botocore_did(reference, error, status):
    ours, own = OURS["shapes"][error], reference["description"]["service-2"]["shapes"][error]
    assert tree(OURS["shapes"], error) == tree(reference["description"]["service-2"]["shapes"], error)
    assert ours["error"]["httpStatusCode"] == own["error"]["httpStatusCode"] == status
    assert ours.get("fault") == own.get("fault")
    assert ours.get("retryable") == own.get("retryable")


def test_the_rest_is_described_as_botocore_did_but_that_waiters_give_up_on_what_is_deleted(reference):
    theirs = reference["description"]
    names = {"serviceFullName"}
    assert {key: each for key, each in OURS["metadata"].items() if key not in names} == {
        key: theirs["service-2"]["metadata"].get(key) for key in OURS["metadata"] if key not in names
    }
    for name, ours in SERVICE_DESCRIPTION["paginators-1"]["pagination"].items():
        assert ours == theirs["paginators-1"]["pagination"][name]
    for name, ours in SERVICE_DESCRIPTION["waiters-2"]["waiters"].items():
        own = theirs["waiters-2"]["waiters"][name]
        assert [ours[key] for key in ("operation", "delay", "maxAttempts")] == [
            own[key] for key in ("operation", "delay", "maxAttempts")
        ]
        more = [acceptor["expected"] for acceptor in ours["acceptors"] if acceptor not in own["acceptors"]]
        assert sorted(more) == ["DELETED", "DELETE_FAILED", "DELETE_IN_PROGRESS"]
        assert all(acceptor in ours["acceptors"] for acceptor in own["acceptors"])


# Waiters and the paginator

WAITERS = {
    "streaming_session_stream_ready": (STREAM, "stream", "StreamState", 5),
    "streaming_session_ready": (SESSION, "session", "SessionState", 10),
}
PASSING = {"CREATE_IN_PROGRESS", "START_IN_PROGRESS", "STOP_IN_PROGRESS", "STOPPED", "STOP_FAILED"}


@pytest.mark.parametrize(
    ("waiter", "state"), [(name, state) for name, each in WAITERS.items() for state in OURS["shapes"][each[2]]["enum"]]
)
def test_a_waiter_looks_again_until_ready_and_gives_up_at_once_on_what_never_will_be(no_waiting, waiter, state):
    # Given something that is in this state, and READY when one looks again.
    params, member, _shape, delay = WAITERS[waiter]
    client = nimble_calls.build_nimble_client(ours=True)
    service = Service(client, [Reply({member: {"state": each}}) for each in (state, "READY")])

    # When a program waits for it.
    wait = client.get_waiter(waiter).wait
    if state in PASSING or state == "READY":
        wait(**params)
    else:
        with pytest.raises(WaiterError, match=f'we matched expected path: "{state}"'):
            wait(**params)

    # Then it waited only if that made sense.
    assert len(service.requests) == (2 if state in PASSING else 1)
    assert no_waiting == ([delay] if state in PASSING else [])


def test_the_paginator_follows_the_token_to_the_last_page():
    client = nimble_calls.build_nimble_client(ours=True)
    first, second = {"sessions": [{"sessionId": "a"}, {"sessionId": "b"}]}, {"sessions": [{"sessionId": "c"}]}
    service = Service(client, [Reply({**first, "nextToken": "page/2"}), Reply(second)])

    pages = client.get_paginator("list_streaming_sessions").paginate(**STUDIO, ownedBy="anna")

    assert [session["sessionId"] for session in pages.search("sessions[]")] == ["a", "b", "c"]
    assert [request.url.partition("?")[2] for request in service.requests] == [
        "ownedBy=anna",
        "ownedBy=anna&nextToken=page%2F2",
    ]


# Endpoints


def endpoint(partition="supports all", **params):
    """The URL that the rules give for these parameters, in a world of two partitions."""
    outputs = dict(name="lab", dnsSuffix="example.org", dualStackDnsSuffix="both.example.org", implicitGlobalRegion="x")
    supported = {"supports all": (True, True), "no FIPS": (False, True), "no dual stack": (True, False)}[partition]
    outputs |= dict(zip(("supportsFIPS", "supportsDualStack"), supported, strict=True))
    lab = dict(id="lab", regionRegex=r"^lab-\d$", regions={}, outputs=outputs)
    aws = dict(lab, id="aws", regionRegex=r"^\w{2}-\w+-\d$")
    provider = EndpointProvider(SERVICE_DESCRIPTION["endpoint-rule-set-1"], {"partitions": [aws, lab]})
    return provider.resolve_endpoint(**params).url


@pytest.mark.parametrize(
    ("params", "url"),
    [
        ({}, "https://nimble.lab-1.example.org"),
        (dict(UseFIPS=True), "https://nimble-fips.lab-1.example.org"),
        (dict(UseDualStack=True), "https://nimble.lab-1.both.example.org"),
        (dict(UseFIPS=True, UseDualStack=True), "https://nimble-fips.lab-1.both.example.org"),
        (dict(Endpoint="http://127.0.0.1:5000/api"), "http://127.0.0.1:5000/api"),
        (dict(Region=None, Endpoint="http://127.0.0.1:5000"), "http://127.0.0.1:5000"),
        (dict(partition="no FIPS"), "https://nimble.lab-1.example.org"),
        (dict(partition="no FIPS", UseDualStack=True), "https://nimble.lab-1.both.example.org"),
        (dict(partition="no dual stack", UseFIPS=True), "https://nimble-fips.lab-1.example.org"),
    ],
)
def test_the_endpoint_follows_from_the_settings(params, url):
    assert endpoint(**{"Region": "lab-1", **params}) == url


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        (dict(Region=None), "No region is set"),
        (
            dict(Endpoint="http://127.0.0.1", UseFIPS=True),
            "FIPS is not possible together with an endpoint URL: leave one of them out",
        ),
        (
            dict(Endpoint="http://127.0.0.1", UseDualStack=True),
            "Dual stack is not possible together with an endpoint URL: leave one of them out",
        ),
        *(
            (params, "The partition lab has no endpoints for FIPS or dual stack as asked for")
            for params in (
                dict(partition="no FIPS", UseFIPS=True),
                dict(partition="no FIPS", UseFIPS=True, UseDualStack=True),
                dict(partition="no dual stack", UseDualStack=True),
                dict(partition="no dual stack", UseFIPS=True, UseDualStack=True),
            )
        ),
    ],
)
def test_where_there_is_no_endpoint_the_rules_say_so(params, sentence):
    with pytest.raises(EndpointResolutionError) as caught:
        endpoint(**{"Region": "lab-1", **params})
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("another region", "nimble.us-west-2.amazonaws.com"),
        ("a region of tomorrow", "nimble.eu-west-99.amazonaws.com"),
        ("China", "nimble.cn-north-1.amazonaws.com.cn"),
        ("FIPS", "nimble-fips.us-east-1.amazonaws.com"),
        ("dual stack", "nimble.eu-central-1.api.aws"),
        ("an endpoint URL", "127.0.0.1:5000"),
    ],
)
def test_a_client_calls_this_host(name, host):
    (sent,) = nimble_calls.exchange(CASES[name], ours=True)["sent"]
    assert sent["url"].split("/")[2] == host
