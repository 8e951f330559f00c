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

STACK, FLEET = "class", "class-fleet"
LAB = {"StackName": STACK, "FleetName": FLEET}
FLEET_MEMBERS = {
    "Name": FLEET,
    "InstanceType": "stream.standard.medium",
    "ImageName": "lab-image",
    "ComputeCapacity": {"DesiredInstances": 2},
}


@pytest.fixture
def post(simulator):
    """Send a body that botocore's client would not: (status, error code or None, reply)."""

    def send(operation: str, body: object, region: str = "us-east-1"):
        request = urllib.request.Request(
            simulator.endpoint_url,
            body if isinstance(body, bytes) else json.dumps(body).encode(),
            {
                "Content-Type": "application/x-amz-json-1.1",
                "X-Amz-Target": f"PhotonAdminProxyService.{operation}",
                "Authorization": f"AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20300101/{region}/appstream/aws4_request",
            },
        )
        try:
            with urllib.request.urlopen(request) as reply:
                return reply.status, None, json.load(reply)
        except urllib.error.HTTPError as error:
            with error:
                body = json.load(error)
                return error.status, body["__type"].rpartition("#")[2], body

    return send


def test_times_are_numbers_and_absent_members_are_left_out(post):
    status, _, reply = post("CreateStack", {"Name": STACK, "DisplayName": None})
    assert status == 200
    assert isinstance(reply["Stack"]["CreatedTime"], float)
    assert "DisplayName" not in reply["Stack"]


@pytest.mark.parametrize(
    ("operation", "body", "code"),
    [
        pytest.param("CreateStack", b"{", "SerializationException", id="not JSON"),
        pytest.param("CreateStack", [], "SerializationException", id="not an object"),
        pytest.param("CreateStack", {"Name": 5}, "SerializationException", id="number for a string"),
        pytest.param("CreateStack", {"Name": STACK, "Colour": "red"}, "SerializationException", id="unknown member"),
        pytest.param("CreateStreamingURL", {**LAB, "UserId": "anna", "Validity": "60"}, "SerializationException", id="string for a number"),
        pytest.param("CreateStreamingURL", {**LAB, "UserId": "anna", "Validity": True}, "SerializationException", id="boolean for a number"),
        pytest.param("DescribeStacks", {"Names": "class"}, "SerializationException", id="string for a list"),
        pytest.param("CreateStack", {}, "ValidationException", id="required member missing"),
        pytest.param("CreateStack", {"Name": None}, "ValidationException", id="required member null"),
        pytest.param("CreateStack", {"Name": "-class"}, "ValidationException", id="pattern"),
        pytest.param("CreateStack", {"Name": STACK, "DisplayName": "x" * 101}, "ValidationException", id="too long"),
        pytest.param("CreateStack", {"Name": STACK, "EmbedHostDomains": []}, "ValidationException", id="list too short"),
        pytest.param("CreateStack", {"Name": STACK, "Tags": {"aws:x": "y"}}, "ValidationException", id="reserved tag"),
        pytest.param("CreateStack", {"Name": STACK, "ApplicationSettings": {}}, "ValidationException", id="nested member missing"),
        pytest.param("CreateFleet", {**FLEET_MEMBERS, "FleetType": "SOMETIMES"}, "ValidationException", id="enumeration"),
        pytest.param("CreateStreamingURL", {**LAB, "UserId": "a"}, "ValidationException", id="user id of one character"),
        pytest.param("CreateStreamingURL", {**LAB, "UserId": "anna", "SessionContext": ""}, "ValidationException", id="empty context"),
        pytest.param("DescribeSessions", {**LAB, "UserId": "x" * 129, "AuthenticationType": "API"}, "ValidationException", id="user id of 129 characters"),
        pytest.param("CreateImageBuilder", {}, "UnknownOperationException", id="operation not simulated"),
        pytest.param("reset", {}, "UnknownOperationException", id="no operation at all"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_and_changes_nothing(post, appstream, operation, body, code):
    assert post(operation, body)[:2] == (400, code)
    assert appstream.describe_stacks()["Stacks"] == appstream.describe_fleets()["Fleets"] == []


def test_the_operation_is_what_the_header_says_whatever_the_body_holds(post, lab):
    status, _, reply = post("CreateStreamingURL", {**LAB, "UserId": "anna", "SessionContext": "a=b&Action=DeleteStack"})
    assert status == 200
    assert reply["StreamingURL"]


def test_an_error_has_the_services_form(post):
    status, _, body = post("StartFleet", {"Name": "nowhere"})
    assert status == 404
    assert body["__type"].endswith("#ResourceNotFoundException")
    assert "nowhere" in body["Message"]


def test_a_region_without_the_service_says_so(post):
    assert post("DescribeStacks", {}, region="mars-north-1")[:2] == (400, "UnrecognizedClientException")


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
    assert all(abs(moment - expected) < timedelta(seconds=5) for moment in times)


def test_every_reply_has_a_request_id_of_its_own(appstream, simulator):
    ids = {appstream.describe_stacks()["ResponseMetadata"]["RequestId"] for _ in range(3)}
    assert len(ids) == 3
    assert all(ids)
