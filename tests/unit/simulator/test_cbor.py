# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The other wire: every operation, and every error, is in rpc-v2-cbor what it is in JSON 1.1."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.loaders import Loader

from tests.simulator.cbor import PREFIX
from tests.simulator.control import Simulator
from tests.simulator.moto.appstream.models import AppStreamBackend
from tests.unit.simulator.conftest import NO_RETRIES
from tests.unit.simulator.support import FLEET, FLEET_MEMBERS, LAB, STACK

ARN = "arn:aws:appstream:us-east-1:123456789012"
USER = {"UserName": "anna@example.org", "AuthenticationType": "USERPOOL"}
BIG = {
    "Description": "ä" * 256,
    "MaxUserDurationInSeconds": 432_000,
    "EnableDefaultInternetAccess": False,
    "VpcConfig": {"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": []},
    "Tags": {"course": "CAD 1", "empty": ""},
}
# Every operation at least once, and for some of them an error too.
SCENARIO: list[tuple[str, dict[str, Any]]] = [
    ("CreateStack", {"Name": STACK, "UserSettings": [{"Action": "FILE_UPLOAD", "Permission": "DISABLED"}]}),
    ("CreateStack", {"Name": STACK}),
    ("UpdateStack", {"Name": STACK, "ApplicationSettings": {"Enabled": True, "SettingsGroup": "lab"}}),
    ("DescribeStacks", {}),
    ("CreateFleet", {"Name": FLEET, **FLEET_MEMBERS, **BIG}),
    ("CreateFleet", {"Name": "other", **FLEET_MEMBERS, "FleetType": "SOMETIMES"}),
    ("CreateFleet", {"Name": "other", **FLEET_MEMBERS, "MaxSessionsPerInstance": 3}),
    ("UpdateFleet", {"Name": FLEET, "ComputeCapacity": {"DesiredInstances": 300}, "AttributesToDelete": []}),
    ("CreateStreamingURL", {**LAB, "UserId": "anna"}),
    ("AssociateFleet", LAB),
    ("ListAssociatedFleets", {"StackName": STACK}),
    ("ListAssociatedStacks", {"FleetName": FLEET}),
    ("CreateStreamingURL", {**LAB, "UserId": "anna"}),
    ("StartFleet", {"Name": FLEET}),
    ("CreateStreamingURL", {**LAB, "UserId": "anna", "Validity": 70_000, "SessionContext": "a=b&Action=DeleteStack"}),
    ("CreateStreamingURL", {**LAB, "UserId": "anna", "Validity": 2**40}),
    ("DescribeSessions", {**LAB, "Limit": 50}),
    ("ExpireSession", {"SessionId": "unknown"}),
    ("DescribeFleets", {"Names": [FLEET]}),
    ("DescribeFleets", {"Names": ["nowhere"]}),
    ("DescribeImages", {"Names": ["lab-image"]}),
    ("DescribeApplicationFleetAssociations", {"FleetName": "elastic"}),
    ("DescribeApplications", {"MaxResults": 25}),
    ("DescribeApplications", {"MaxResults": -1}),
    ("TagResource", {"ResourceArn": f"{ARN}:fleet/{FLEET}", "Tags": {"room": "Zürich"}}),
    ("UntagResource", {"ResourceArn": f"{ARN}:fleet/{FLEET}", "TagKeys": ["empty"]}),
    ("ListTagsForResource", {"ResourceArn": f"{ARN}:fleet/{FLEET}"}),
    ("CreateUser", {**USER, "FirstName": "Anna", "LastName": "B", "MessageAction": "SUPPRESS"}),
    ("DisableUser", USER),
    ("DescribeUsers", {"AuthenticationType": "USERPOOL"}),
    ("EnableUser", USER),
    ("DeleteUser", USER),
    ("CreateUsageReportSubscription", {}),
    ("DescribeUsageReportSubscriptions", {}),
    ("DeleteUsageReportSubscription", {}),
    ("DeleteUsageReportSubscription", {}),
    ("StopFleet", {"Name": FLEET}),
    ("DeleteStack", {"Name": STACK}),
    ("DisassociateFleet", LAB),
    ("DeleteFleet", {"Name": FLEET}),
    ("DeleteStack", {"Name": STACK}),
]


class OneProtocol(Loader):
    """botocore's models, in which AppStream speaks only CBOR; of several protocols botocore would take JSON."""

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        model = super().load_service_model(service_name, type_name, api_version)
        if (service_name, type_name) == ("appstream", "service-2"):
            model["metadata"]["protocols"] = ["smithy-rpc-v2-cbor"]
        return model


@pytest.fixture(scope="session")
def cbor_session() -> boto3.session.Session:
    session = botocore.session.Session()
    session.register_component("data_loader", OneProtocol())
    return boto3.session.Session(botocore_session=session)


@pytest.fixture
def cbor(simulator: Simulator, cbor_session: boto3.session.Session) -> Any:
    """A client like ``appstream`` that speaks CBOR."""
    settings = simulator.environment()
    return cbor_session.client(
        "appstream",
        "us-east-1",
        endpoint_url=simulator.endpoint_url,
        aws_access_key_id=settings["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"],
        config=NO_RETRIES,
    )


@pytest.fixture
def post(simulator: Simulator):
    """Send bytes that botocore's client would not: (status, headers, reply)."""

    def send(operation: str, body: bytes, region: str = "us-east-1", signed: bool = True):
        headers = {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
        if signed:
            scope = f"AKIAEXAMPLE/20300101/{region}/appstream/aws4_request"
            headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
        try:
            request = urllib.request.Request(simulator.endpoint_url + PREFIX + operation, body, headers)
            with urllib.request.urlopen(request) as reply:
                return reply.status, reply.headers, reply.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.status, error.headers, error.read()

    return send


def outcome(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
    """What comes back, without what differs from call to call."""
    [method] = [name for name, api in client.meta.method_to_api_mapping.items() if api == operation]
    try:
        reply = getattr(client, method)(**parameters)
    except ClientError as error:
        return error.response["Error"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    del reply["ResponseMetadata"]
    return lasting(reply)


def lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: lasting(member) for name, member in value.items()}
    if isinstance(value, list):
        return [lasting(member) for member in value]
    if isinstance(value, str):
        return re.sub(r"(?<=parameters=).*|(?<=-)[0-9a-f]{8}$", "...", value)
    return datetime if isinstance(value, datetime) else value


def test_every_operation_gives_the_same_in_both_protocols(simulator: Simulator, appstream: Any, cbor: Any) -> None:
    operations = appstream.meta.method_to_api_mapping
    simulated = {operation for method, operation in operations.items() if hasattr(AppStreamBackend, method)}
    assert {operation for operation, _parameters in SCENARIO} == simulated
    results, logs = [], []
    for client in (appstream, cbor):
        simulator.reset()
        simulator.put_image("lab-image", Applications=["cad"])
        elastic = {"VpcConfig": BIG["VpcConfig"], "FleetType": "ELASTIC", "MaxConcurrentSessions": 5}
        appstream.create_fleet(Name="elastic", InstanceType="stream.standard.small", **elastic)
        simulator.change_fleet("elastic", Applications=["cad", "cam"])
        before = len(simulator.calls())
        results.append([outcome(client, *call) for call in SCENARIO])
        calls = simulator.calls()[before:]
        assert {call["cbor"] for call in calls} == {client is cbor}
        logs.append([(call["operation"], call["parameters"], call["error_code"]) for call in calls])
    assert results[0] == results[1]
    assert logs[0] == logs[1]
    assert {code for _operation, _parameters, code in logs[0]} == {
        None,
        "InvalidParameterCombinationException",
        "OperationNotPermittedException",
        "ResourceAlreadyExistsException",
        "ResourceInUseException",
        "ResourceNotAvailableException",
        "ResourceNotFoundException",
        "ValidationException",
    }


def test_what_is_there_is_the_same_in_both_protocols_to_the_millisecond(
    simulator: Simulator, lab: Any, cbor: Any
) -> None:
    simulator.open(cbor.create_streaming_url(**LAB, UserId="anna")["StreamingURL"])
    for method, parameters in [
        ("describe_stacks", {}),
        ("describe_fleets", {}),
        ("describe_images", {}),
        ("describe_sessions", LAB),
    ]:
        in_json, in_cbor = [getattr(client, method)(**parameters) for client in (lab, cbor)]
        del in_json["ResponseMetadata"], in_cbor["ResponseMetadata"]
        assert in_json == in_cbor


def test_the_bytes_are_those_of_the_protocol(post) -> None:
    status, headers, body = post("CreateStack", b"\xbf\x64Name\x65class\x6bDescription\xf6\xff")  # a null member
    assert (status, headers["smithy-protocol"], headers["Content-Type"]) == (200, "rpc-v2-cbor", "application/cbor")
    assert body.startswith(b"\xa1\x65Stack")
    assert b"\x64Name\x65class" in body
    assert b"\x6bCreatedTime\xc1\xfb" in body  # seconds since the epoch, as a double
    assert b"Description" not in body

    status, headers, body = post("CreateStack", b"\xa1\x64Name\x65class")
    assert (status, headers["smithy-protocol"], headers["Content-Type"]) == (400, "rpc-v2-cbor", "application/cbor")
    assert b"\x66__type\x78\x36com.amazonaws.appstream#ResourceAlreadyExistsException" in body
    assert b"\x67Message" in body
    assert b"\x67message" in post("CreateStack", b"\xa0")[2], "an error that the model does not have"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{}", id="JSON"),
        pytest.param(b"\xa1\x64Name\x65cla", id="cut off"),
        pytest.param(b"\xa1\x64Name\x65class\x00", id="more than one"),
        pytest.param(b"\xa1\x64Name\x65\xff\xff\xff\xff\xff", id="not UTF-8"),
        pytest.param(b"\xa1\x64Name\x7b\xff\xff\xff\xff\xff\xff\xff\xff", id="a length of 64 bits"),
        pytest.param(b"\xa1\x80\x65class", id="a list as a name"),
        pytest.param(b"\xa1\x64Name\x45class", id="bytes for a string"),
        pytest.param(b"\xa1\x64Name\xc1\x00", id="a timestamp for a string"),
        pytest.param(b"\xa1\x64Name\xc2\x41\x00", id="an unknown tag"),
        pytest.param(b"\x81" * 5000, id="5000 lists in each other"),
        pytest.param(b"\xa2\x64Name\x65class\x66Colour\x63red", id="unknown member"),
    ],
)
def test_a_malformed_body_is_rejected_and_changes_nothing(post, appstream, simulator, body) -> None:
    status, headers, reply = post("CreateStack", body)
    assert (status, headers["x-amzn-ErrorType"]) == (400, "SerializationException")
    assert b"SerializationException" in reply
    assert appstream.describe_stacks()["Stacks"] == []
    assert simulator.calls("CreateStack")[0]["error_code"] == "SerializationException"


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        pytest.param({"operation": "CreateImageBuilder"}, "UnknownOperationException", id="operation"),
        pytest.param({"operation": "ListTagsForResource/x"}, "404", id="path"),
        pytest.param({"operation": "DescribeStacks", "signed": False}, "MissingAuthenticationTokenException", id="key"),
        pytest.param({"operation": "DescribeStacks", "region": "mars-1"}, "InvalidSignatureException", id="region"),
    ],
)
def test_what_is_rejected_in_json_is_rejected_in_cbor_too(post, simulator, request_, code) -> None:
    assert post(body=b"\xa0", **request_)[0] == (404 if code == "404" else 400)
    assert simulator.calls()[-1]["error_code"] == code


def test_faults_speak_cbor(simulator, lab, cbor, rejected) -> None:
    simulator.add_fault(parameters={"UserId": "ben"}, error={"code": "OperationNotPermittedException"})
    with rejected("OperationNotPermittedException"):
        cbor.create_streaming_url(**LAB, UserId="ben")
    simulator.add_fault(throttle={"rate": 0.001}, operation="DescribeFleets")
    cbor.describe_fleets()
    with pytest.raises(ClientError, match="Rate exceeded"):
        cbor.describe_fleets()


def test_urls_and_user_names_are_masked_in_the_log(simulator, lab, cbor) -> None:
    url = cbor.create_streaming_url(**LAB, UserId="anna")["StreamingURL"]
    cbor.create_user(**USER)
    with pytest.raises(ClientError):
        cbor.describe_stacks(Names=[url])
    log = json.dumps(simulator.calls())
    assert url not in log
    assert USER["UserName"] not in log


def test_the_date_is_that_of_the_server_which_issues(simulator, lab, cbor) -> None:
    simulator.set(issuing_clock_offset_seconds=3600)
    dates = [
        parsedate_to_datetime(reply["ResponseMetadata"]["HTTPHeaders"]["date"])
        for reply in (cbor.describe_fleets(), cbor.create_streaming_url(**LAB, UserId="anna"))
    ]
    assert 3590 < (dates[1] - dates[0]).total_seconds() < 3610


def test_policies_are_enforced(simulator, lab, cbor_session) -> None:
    iam = simulator.client("iam")
    iam.create_user(UserName="teacher")
    key = iam.create_access_key(UserName="teacher")["AccessKey"]
    allowed = {"Effect": "Allow", "Action": "appstream:StartFleet", "Resource": f"{ARN}:fleet/{FLEET}"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_user_policy(UserName="teacher", PolicyName="lab", PolicyDocument=policy)
    simulator.set(enforce_iam=True)
    teacher = cbor_session.client(
        "appstream",
        "us-east-1",
        endpoint_url=simulator.endpoint_url,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )
    teacher.start_fleet(Name=FLEET)
    with pytest.raises(ClientError, match="not authorized to perform: appstream:StopFleet"):
        teacher.stop_fleet(Name=FLEET)
