# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wire: JSON 1.1, input as strict as the service's model, headers and the service's clock."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest

from tests.unit.simulator.support import FLEET, FLEET_MEMBERS, LAB, STACK

NEW_FLEET = {"Name": FLEET, **FLEET_MEMBERS}


@pytest.fixture
def post(simulator):
    """Send a body that botocore's client would not: (status, error code or None, reply)."""

    def send(operation: str, body: object, region: str = "us-east-1", signed: bool = True):
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"PhotonAdminProxyService.{operation}",
        }
        if signed:
            scope = f"AKIAEXAMPLE/20300101/{region}/appstream/aws4_request"
            headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(simulator.endpoint_url, data, headers)
        try:
            with urllib.request.urlopen(request) as reply:
                return reply.status, None, json.load(reply)
        except urllib.error.HTTPError as error:
            with error:
                body = json.load(error)
                return error.status, body["__type"].rpartition("#")[2], body

    return send


def test_times_are_numbers_and_absent_members_are_left_out(post):
    status, _headers, reply = post("CreateStack", {"Name": STACK, "DisplayName": None})
    assert status == 200
    assert isinstance(reply["Stack"]["CreatedTime"], float)
    assert "DisplayName" not in reply["Stack"]


URL = {**LAB, "UserId": "anna"}


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        pytest.param("CreateStack", b"{", id="not JSON"),
        pytest.param("CreateStack", [], id="not an object"),
        pytest.param("CreateStack", {"Name": 5}, id="number for a string"),
        pytest.param("CreateStack", {"Name": STACK, "Colour": "red"}, id="unknown member"),
        pytest.param("CreateStreamingURL", {**URL, "Validity": "60"}, id="string for a number"),
        pytest.param("CreateStreamingURL", {**URL, "Validity": True}, id="boolean for a number"),
        pytest.param("CreateStreamingURL", {**URL, "Validity": 2**63}, id="a long of too many bits"),
        pytest.param(
            "CreateFleet",
            {"Name": "f", "InstanceType": "x", "MaxConcurrentSessions": 2**31},
            id="an integer of too many bits",
        ),
        pytest.param("DescribeStacks", {"Names": "class"}, id="string for a list"),
        pytest.param("DescribeStacks", {"Names": [None]}, id="null in a list"),
    ],
)
def test_a_malformed_request_is_rejected_and_changes_nothing(post, appstream, operation, body):
    assert post(operation, body)[:2] == (400, "SerializationException")
    assert appstream.describe_stacks()["Stacks"] == []


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        pytest.param("CreateStack", {}, id="required member missing"),
        pytest.param("CreateStack", {"Name": None}, id="required member null"),
        pytest.param("CreateStack", {"Name": "-class"}, id="pattern"),
        pytest.param("CreateStack", {"Name": STACK, "DisplayName": "x" * 101}, id="too long"),
        pytest.param("CreateStack", {"Name": STACK, "EmbedHostDomains": []}, id="list too short"),
        pytest.param("CreateStack", {"Name": STACK, "Tags": {"aws:x": "y"}}, id="reserved tag"),
        pytest.param("CreateStack", {"Name": STACK, "ApplicationSettings": {}}, id="nested member missing"),
        pytest.param("CreateFleet", {**NEW_FLEET, "FleetType": "SOMETIMES"}, id="enumeration"),
        pytest.param("CreateStreamingURL", {**URL, "UserId": "a"}, id="user id of one character"),
        pytest.param("CreateStreamingURL", {**URL, "SessionContext": ""}, id="empty session context"),
        pytest.param("DescribeSessions", {**URL, "UserId": "x" * 129}, id="user id of 129 characters"),
    ],
)
def test_a_value_outside_the_services_model_is_rejected_and_changes_nothing(post, appstream, operation, body):
    assert post(operation, body)[:2] == (400, "ValidationException")
    assert appstream.describe_stacks()["Stacks"] == appstream.describe_fleets()["Fleets"] == []


@pytest.mark.parametrize("operation", ["CreateImageBuilder", "reset", ""])
def test_an_operation_that_is_not_simulated_is_rejected(post, operation):
    assert post(operation, {})[:2] == (400, "UnknownOperationException")


def test_the_operation_is_what_the_header_says_whatever_the_body_holds(post, lab):
    status, _headers, reply = post(
        "CreateStreamingURL", {**LAB, "UserId": "anna", "SessionContext": "a=b&Action=DeleteStack"}
    )
    assert status == 200
    assert reply["StreamingURL"]


def test_an_error_has_the_services_form(post):
    status, _headers, body = post("StartFleet", {"Name": "nowhere"})
    assert status == 404
    assert body["__type"].endswith("#ResourceNotFoundException")
    assert "nowhere" in body["Message"]


def test_an_unsigned_request_says_so(post):
    assert post("DescribeStacks", {}, signed=False)[:2] == (400, "MissingAuthenticationTokenException")


def test_a_region_without_the_service_says_so(post):
    assert post("DescribeStacks", {}, region="mars-north-1")[:2] == (400, "InvalidSignatureException")


@pytest.mark.parametrize("offset", [0, 86_400, -86_400])
def test_every_time_is_on_the_services_clock(simulator, appstream, offset):
    simulator.set(clock_offset_seconds=offset)
    expected = datetime.now(UTC) + timedelta(seconds=offset)
    simulator.seed_lab(STACK, FLEET)
    reply = appstream.create_streaming_url(**LAB, UserId="anna", Validity=3600)

    (date,) = [value for name, value in reply["ResponseMetadata"]["HTTPHeaders"].items() if name == "date"]
    times = [
        parsedate_to_datetime(date),
        reply["Expires"] - timedelta(seconds=3600),
        appstream.describe_stacks()["Stacks"][0]["CreatedTime"],
        appstream.describe_fleets()["Fleets"][0]["CreatedTime"],
    ]
    assert all(abs(when - expected) < timedelta(seconds=5) for when in times)


def test_every_reply_has_a_request_id_of_its_own(appstream, simulator):
    ids = {appstream.describe_stacks()["ResponseMetadata"]["RequestId"] for _number in range(3)}
    assert len(ids) == 3
    assert all(ids)
