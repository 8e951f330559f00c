# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit tests for appstream-supported APIs."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.appstream.models import appstream_backends
from moto.core import DEFAULT_ACCOUNT_ID
from moto.moto_api import state_manager

REGION = "eu-west-1"
ARN = f"arn:aws:appstream:{REGION}:{DEFAULT_ACCOUNT_ID}"
LAB = {"StackName": "class", "FleetName": "fleet"}
FLEET = {
    "InstanceType": "stream.standard.medium",
    "ImageName": "lab-image",
    "ComputeCapacity": {"DesiredInstances": 2},
}
ELASTIC = {
    "InstanceType": "stream.standard.medium",
    "FleetType": "ELASTIC",
    "MaxConcurrentSessions": 5,
    "VpcConfig": {"SubnetIds": ["subnet-1", "subnet-2"]},
}
ANNA = {"UserName": "anna@example.org", "AuthenticationType": "USERPOOL"}


@pytest.fixture(name="client")
def fixture_client():
    with mock_aws():
        yield boto3.client("appstream", region_name=REGION)


@pytest.fixture(name="lab")
def fixture_lab(client):
    """The client, with a running fleet on a stack."""
    client.create_stack(Name="class")
    client.create_fleet(Name="fleet", **FLEET)
    client.associate_fleet(**LAB)
    client.start_fleet(Name="fleet")
    return client


def error_code(operation, **parameters):
    with pytest.raises(ClientError) as exc:
        operation(**parameters)
    assert exc.value.response["Error"]["Message"]
    return exc.value.response["Error"]["Code"]


def describe_fleet(client):
    return client.describe_fleets(Names=["fleet"])["Fleets"][0]


# Stacks


def test_create_stack(client):
    before = datetime.now(timezone.utc) - timedelta(seconds=1)

    stack = client.create_stack(
        Name="class", DisplayName="Class", RedirectURL="https://example.org/done", EmbedHostDomains=["lms.example.org"]
    )["Stack"]

    assert stack["Arn"] == f"{ARN}:stack/class"
    assert before <= stack["CreatedTime"] <= datetime.now(timezone.utc)
    assert stack["DisplayName"] == "Class"
    assert stack["EmbedHostDomains"] == ["lms.example.org"]
    assert stack["StorageConnectors"] == []
    assert client.describe_stacks(Names=["class"])["Stacks"] == [stack]
    assert error_code(client.create_stack, Name="class") == "ResourceAlreadyExistsException"


def test_stacks_of_regions_are_kept_apart(client):
    client.create_stack(Name="class")
    assert boto3.client("appstream", region_name="us-east-1").describe_stacks()["Stacks"] == []


def test_update_stack(client):
    connectors = [{"ConnectorType": "HOMEFOLDERS"}, {"ConnectorType": "ONE_DRIVE", "Domains": ["example.org"]}]
    client.create_stack(Name="class", RedirectURL="https://example.org/done", StorageConnectors=connectors)

    updated = client.update_stack(
        Name="class", DisplayName="Evening", AttributesToDelete=["REDIRECT_URL", "STORAGE_CONNECTOR_ONE_DRIVE"]
    )["Stack"]

    assert updated["DisplayName"] == "Evening"
    assert "RedirectURL" not in updated
    assert [one["ConnectorType"] for one in updated["StorageConnectors"]] == ["HOMEFOLDERS"]
    assert client.describe_stacks(Names=["class"])["Stacks"] == [updated]


def test_user_settings_have_defaults(client):
    def permissions(stack):
        return {setting["Action"]: setting["Permission"] for setting in stack["UserSettings"]}

    defaults = permissions(client.create_stack(Name="other")["Stack"])
    upload = {"Action": "FILE_UPLOAD", "Permission": "DISABLED"}
    created = client.create_stack(Name="class", UserSettings=[upload])["Stack"]

    assert (len(defaults), defaults["FILE_UPLOAD"]) == (8, "ENABLED")
    assert permissions(created) == {**defaults, "FILE_UPLOAD": "DISABLED"}
    assert client.describe_stacks(Names=["class"])["Stacks"] == [created]
    updated = client.update_stack(Name="class", AttributesToDelete=["USER_SETTINGS"])["Stack"]
    assert permissions(updated) == defaults


def test_delete_stack(client):
    client.create_stack(Name="class")
    client.delete_stack(Name="class")
    assert client.describe_stacks()["Stacks"] == []
    assert error_code(client.describe_stacks, Names=["class"]) == "ResourceNotFoundException"


def test_delete_stack_with_a_fleet(lab):
    assert error_code(lab.delete_stack, Name="class") == "ResourceInUseException"


@pytest.mark.parametrize(
    "operation", ["update_stack", "delete_stack", "update_fleet", "delete_fleet", "start_fleet", "stop_fleet"]
)
def test_unknown_name(client, operation):
    assert error_code(getattr(client, operation), Name="nowhere") == "ResourceNotFoundException"


# Fleets


def test_create_fleet(client):
    fleet = client.create_fleet(Name="fleet", **FLEET)["Fleet"]

    assert fleet["Arn"] == f"{ARN}:fleet/fleet"
    assert fleet["ImageArn"] == f"{ARN}:image/lab-image"
    assert fleet["State"] == "STOPPED"
    assert fleet["FleetType"] == "ALWAYS_ON"
    assert fleet["StreamView"] == "APP"
    assert fleet["MaxUserDurationInSeconds"] == 57_600
    assert fleet["ComputeCapacityStatus"] == {"Desired": 2, "Running": 0, "InUse": 0, "Available": 0}
    assert describe_fleet(client) == fleet
    assert error_code(client.create_fleet, Name="fleet", **FLEET) == "ResourceAlreadyExistsException"


@pytest.mark.parametrize(
    ("members", "change"),
    [
        pytest.param(FLEET, {"ImageName": None}, id="no image"),
        pytest.param(FLEET, {"ComputeCapacity": None}, id="no capacity"),
        pytest.param(FLEET, {"ComputeCapacity": {}}, id="empty capacity"),
        pytest.param(FLEET, {"ComputeCapacity": {"DesiredInstances": 1, "DesiredSessions": 1}}, id="two capacities"),
        pytest.param(FLEET, {"ComputeCapacity": {"DesiredSessions": 4}}, id="sessions without a maximum"),
        pytest.param(FLEET, {"MaxSessionsPerInstance": 4}, id="a maximum without sessions"),
        pytest.param(FLEET, {"MaxConcurrentSessions": 4}, id="elastic member on another fleet"),
        pytest.param(FLEET, {"DisconnectTimeoutInSeconds": 59}, id="disconnect timeout too short"),
        pytest.param(FLEET, {"IdleDisconnectTimeoutInSeconds": 36_001}, id="idle timeout too long"),
        pytest.param(FLEET, {"MaxUserDurationInSeconds": 599}, id="session too short"),
        pytest.param(ELASTIC, {"MaxConcurrentSessions": None}, id="elastic without sessions"),
        pytest.param(ELASTIC, {"ComputeCapacity": {"DesiredInstances": 1}}, id="elastic with instances"),
        pytest.param(ELASTIC, {"VpcConfig": {"SubnetIds": ["subnet-1"]}}, id="elastic with one subnet"),
        pytest.param(ELASTIC, {"DomainJoinInfo": {"DirectoryName": "example.org"}}, id="elastic in a domain"),
    ],
)
def test_create_fleet_with_members_that_do_not_go_together(client, members, change):
    members = {name: value for name, value in (members | change).items() if value is not None}
    code = error_code(client.create_fleet, Name="fleet", **members)
    assert code == "InvalidParameterCombinationException"
    assert client.describe_fleets()["Fleets"] == []


def test_start_and_stop_fleet(lab):
    lab.start_fleet(Name="fleet")
    fleet = describe_fleet(lab)
    assert fleet["State"] == "RUNNING"
    assert fleet["ComputeCapacityStatus"] == {"Desired": 2, "Running": 2, "InUse": 0, "Available": 2}
    lab.stop_fleet(Name="fleet")
    lab.stop_fleet(Name="fleet")
    assert describe_fleet(lab)["State"] == "STOPPED"


def test_states_of_a_fleet_advance_as_configured(lab):
    state_manager.set_transition("appstream::fleet", {"progression": "manual", "times": 2})
    try:
        lab.stop_fleet(Name="fleet")
        assert error_code(lab.start_fleet, Name="fleet") == "ConcurrentModificationException"
        states = [describe_fleet(lab)["State"] for _number in range(2)]
    finally:
        state_manager.unset_transition("appstream::fleet")
    assert states == ["STOPPING", "STOPPED"]


def test_elastic_fleet(client):
    client.create_fleet(Name="fleet", **ELASTIC)
    client.start_fleet(Name="fleet")
    assert describe_fleet(client)["ComputeCapacityStatus"] == {"Desired": 5, "Running": 5, "InUse": 0, "Available": 5}


def test_update_fleet(lab):
    updated = lab.update_fleet(Name="fleet", ComputeCapacity={"DesiredInstances": 7})["Fleet"]
    assert updated["ComputeCapacityStatus"]["Running"] == 7
    larger = {"Name": "fleet", "InstanceType": "stream.standard.large"}
    assert error_code(lab.update_fleet, **larger) == "ResourceInUseException"
    lab.stop_fleet(Name="fleet")
    assert lab.update_fleet(**larger)["Fleet"]["InstanceType"] == "stream.standard.large"


def test_update_fleet_deletes_attributes(client):
    client.create_fleet(Name="fleet", **FLEET, DomainJoinInfo={"DirectoryName": "example.org"})
    updated = client.update_fleet(Name="fleet", AttributesToDelete=["DOMAIN_JOIN_INFO"])["Fleet"]
    assert "DomainJoinInfo" not in updated


@pytest.mark.parametrize(
    "members", [{"Name": "fleet", "ComputeCapacity": {"DesiredSessions": 3}}, {"DisplayName": "no name given"}]
)
def test_update_fleet_with_what_would_not_work(lab, members):
    assert error_code(lab.update_fleet, **members) == "InvalidParameterCombinationException"


def test_delete_fleet(lab):
    assert error_code(lab.delete_fleet, Name="fleet") == "ResourceInUseException"
    lab.stop_fleet(Name="fleet")
    assert error_code(lab.delete_fleet, Name="fleet") == "ResourceInUseException"
    lab.disassociate_fleet(**LAB)
    lab.delete_fleet(Name="fleet")
    assert lab.describe_fleets()["Fleets"] == []


# Associations


def test_associate_fleet(lab):
    assert lab.list_associated_fleets(StackName="class")["Names"] == ["fleet"]
    assert lab.list_associated_stacks(FleetName="fleet")["Names"] == ["class"]
    lab.disassociate_fleet(**LAB)
    assert lab.list_associated_fleets(StackName="class")["Names"] == []
    assert lab.list_associated_stacks(FleetName="fleet")["Names"] == []


@pytest.mark.parametrize("operation", ["associate_fleet", "disassociate_fleet"])
@pytest.mark.parametrize("unknown", ["StackName", "FleetName"])
def test_associate_fleet_with_an_unknown_name(lab, operation, unknown):
    assert error_code(getattr(lab, operation), **{**LAB, unknown: "nowhere"}) == "ResourceNotFoundException"


# Images and applications, which no operation here creates


def test_describe_images(client):
    images = appstream_backends[DEFAULT_ACCOUNT_ID][REGION].images
    images[f"{ARN}:image/cad"] = {"Name": "cad", "Arn": f"{ARN}:image/cad", "Visibility": "PRIVATE"}

    (image,) = client.describe_images()["Images"]

    assert image == images[f"{ARN}:image/cad"]
    assert client.describe_images(Names=["cad"])["Images"] == [image]
    assert client.describe_images(Type="PUBLIC")["Images"] == []
    assert error_code(client.describe_images, Names=["other"]) == "ResourceNotFoundException"


def test_describe_applications(client):
    assert client.describe_applications()["Applications"] == []
    code = error_code(client.describe_applications, Arns=[f"{ARN}:application/cad"])
    assert code == "ResourceNotFoundException"
    associations = client.describe_application_fleet_associations(FleetName="fleet")
    assert associations["ApplicationFleetAssociations"] == []
    code = error_code(client.describe_application_fleet_associations)
    assert code == "InvalidParameterCombinationException"


# Streaming URLs and sessions


def test_create_streaming_url(lab):
    urls = [lab.create_streaming_url(**LAB, UserId="anna", Validity=3600) for _number in range(2)]

    assert urls[0]["StreamingURL"].startswith(f"https://appstream2.{REGION}.aws.amazon.com/authenticate?parameters=")
    assert urls[0]["StreamingURL"] != urls[1]["StreamingURL"]
    assert abs(urls[0]["Expires"] - datetime.now(timezone.utc) - timedelta(hours=1)) < timedelta(seconds=5)
    for unknown in LAB:
        code = error_code(lab.create_streaming_url, **{**LAB, unknown: "nowhere"}, UserId="anna")
        assert code == "ResourceNotFoundException"
    code = error_code(lab.create_streaming_url, **LAB, UserId="anna", Validity=604_801)
    assert code == "InvalidParameterCombinationException"
    lab.stop_fleet(Name="fleet")
    assert error_code(lab.create_streaming_url, **LAB, UserId="anna") == "ResourceNotAvailableException"
    lab.disassociate_fleet(**LAB)
    assert error_code(lab.create_streaming_url, **LAB, UserId="anna") == "OperationNotPermittedException"


def test_describe_and_expire_sessions(lab):
    backend = appstream_backends[DEFAULT_ACCOUNT_ID][REGION]
    started = backend.start_session(backend.stacks["class"], backend.fleets["fleet"], "anna")

    (session,) = lab.describe_sessions(**LAB)["Sessions"]

    assert (session["Id"], session["UserId"]) == (started.id, "anna")
    assert (session["State"], session["ConnectionState"]) == ("ACTIVE", "CONNECTED")
    assert describe_fleet(lab)["ComputeCapacityStatus"]["InUse"] == 1
    assert error_code(lab.disassociate_fleet, **LAB) == "ResourceInUseException"
    assert error_code(lab.describe_sessions, **LAB, UserId="anna") == "InvalidParameterCombinationException"
    lab.expire_session(SessionId=session["Id"])
    assert lab.describe_sessions(**LAB)["Sessions"] == []


# The user pool


def test_create_user(client):
    client.create_user(**ANNA, FirstName="Anna", LastName="B", MessageAction="SUPPRESS")

    (user,) = client.describe_users(AuthenticationType="USERPOOL")["Users"]

    assert user.items() >= {**ANNA, "FirstName": "Anna", "LastName": "B", "Enabled": True}.items()
    assert "MessageAction" not in user
    assert error_code(client.create_user, **ANNA) == "ResourceAlreadyExistsException"
    client.create_user(**ANNA, MessageAction="RESEND")
    client.create_user(**{**ANNA, "UserName": "Anna@example.org"})
    assert len(client.describe_users(AuthenticationType="USERPOOL")["Users"]) == 2
    code = error_code(client.create_user, UserName="ben", AuthenticationType="SAML")
    assert code == "InvalidParameterCombinationException"


def test_enable_disable_and_delete_user(client):
    def users():
        return client.describe_users(AuthenticationType="USERPOOL")["Users"]

    client.create_user(**ANNA)
    (user,) = users()
    client.disable_user(**ANNA)
    assert users() == [{**user, "Enabled": False}]
    client.enable_user(**ANNA)
    assert users() == [user]
    client.delete_user(**ANNA)
    assert users() == []
    for operation in (client.enable_user, client.disable_user, client.delete_user):
        assert error_code(operation, **ANNA) == "ResourceNotFoundException"


# Usage reports


def test_usage_report_subscription(client):
    assert client.describe_usage_report_subscriptions()["UsageReportSubscriptions"] == []
    created = client.create_usage_report_subscription()
    assert created["S3BucketName"].startswith(f"appstream-logs-{REGION}-{DEFAULT_ACCOUNT_ID}-")
    assert created["Schedule"] == "DAILY"
    assert client.create_usage_report_subscription()["S3BucketName"] == created["S3BucketName"]
    (subscription,) = client.describe_usage_report_subscriptions()["UsageReportSubscriptions"]
    assert subscription["S3BucketName"] == created["S3BucketName"]
    client.delete_usage_report_subscription()
    assert client.describe_usage_report_subscriptions()["UsageReportSubscriptions"] == []
    assert error_code(client.delete_usage_report_subscription) == "ResourceNotFoundException"


# Tags


def test_tags(client):
    stack = client.create_stack(Name="class", Tags={"class": "morning"})["Stack"]["Arn"]
    fleet = client.create_fleet(Name="fleet", **FLEET, Tags={"class": "morning"})["Fleet"]["Arn"]

    for arn in (stack, fleet):
        client.tag_resource(ResourceArn=arn, Tags={"class": "evening", "room": "Zürich 1"})
        assert client.list_tags_for_resource(ResourceArn=arn)["Tags"] == {"class": "evening", "room": "Zürich 1"}
        client.untag_resource(ResourceArn=arn, TagKeys=["room", "not there"])
        assert client.list_tags_for_resource(ResourceArn=arn)["Tags"] == {"class": "evening"}

    too_many = {f"key{number}": "" for number in range(50)}
    assert error_code(client.tag_resource, ResourceArn=stack, Tags=too_many) == "LimitExceededException"
    for operation, members in (
        (client.list_tags_for_resource, {}),
        (client.tag_resource, {"Tags": {"a": "b"}}),
        (client.untag_resource, {"TagKeys": ["a"]}),
    ):
        assert error_code(operation, ResourceArn=f"{stack}x", **members) == "ResourceNotFoundException"


# Pages


def test_pages(client):
    for number in range(30):
        client.create_stack(Name=f"s{number}")

    pages = list(client.get_paginator("describe_stacks").paginate())

    assert [len(page["Stacks"]) for page in pages] == [25, 5]
    assert [stack["Name"] for page in pages for stack in page["Stacks"]] == [f"s{number}" for number in range(30)]
    for number in range(25, 30):
        client.delete_stack(Name=f"s{number}")
    assert client.describe_stacks(NextToken=pages[0]["NextToken"])["Stacks"] == []
    for name in ("anna@example.org", "ben@example.org"):
        client.create_user(UserName=name, AuthenticationType="USERPOOL")
    other = client.describe_users(AuthenticationType="USERPOOL", MaxResults=1)["NextToken"]
    for bad in (other, "rubbish", "é", "NQ=="):
        assert error_code(client.describe_stacks, NextToken=bad) == "InvalidParameterCombinationException"
