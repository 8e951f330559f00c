# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit tests for gameliftstreams-supported APIs."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID
from moto.gameliftstreams.models import gameliftstreams_backends
from moto.moto_api import state_manager

REGION = "eu-west-1"
ARN = f"arn:aws:gameliftstreams:{REGION}:{DEFAULT_ACCOUNT_ID}"
APPLICATION = {
    "Description": "CAD",
    "RuntimeEnvironment": {"Type": "WINDOWS", "Version": "2022"},
    "ExecutablePath": "cad.exe",
    "ApplicationSourceUri": "s3://apps/cad",
}
TOKEN = "t" * 32


@pytest.fixture(name="client")
def fixture_client():
    with mock_aws():
        yield boto3.client("gameliftstreams", region_name=REGION)


@pytest.fixture(name="group")
def fixture_group(client):
    """A stream group with an application and two streams that are always on."""
    return client.create_stream_group(
        Description="class",
        StreamClass="gen5n_win2022",
        DefaultApplicationIdentifier=client.create_application(**APPLICATION)["Id"],
        LocationConfigurations=[{"LocationName": REGION, "AlwaysOnCapacity": 2}],
    )


@pytest.fixture(name="stream")
def fixture_stream(group):
    """What CreateStreamUrl requires."""
    return {
        "Identifier": group["Id"],
        "ApplicationIdentifier": group["DefaultApplication"]["Id"],
        "Protocol": "WebRTC",
        "UrlExpiresAfterMinutes": 60,
        "Locations": [REGION],
    }


@pytest.fixture(name="url")
def fixture_url(client, stream):
    """What names a URL of two uses."""
    return named(client.create_stream_url(**stream, UsageLimit=2), stream)


def named(created, stream):
    return {"Identifier": stream["Identifier"], "StreamUrlIdentifier": created["StreamUrlId"]}


def open_url(url):
    """Start a session, as a browser does that opens the URL."""
    backend = gameliftstreams_backends[DEFAULT_ACCOUNT_ID][REGION]
    opened = backend.stream_urls[url["StreamUrlIdentifier"]]
    session = backend.start_session(opened, backend.find_location(opened))
    return {"Identifier": url["Identifier"], "StreamSessionIdentifier": session.id}


def error_code(operation, **parameters):
    with pytest.raises(ClientError) as exc:
        operation(**parameters)
    assert exc.value.response["Error"]["Message"]
    return exc.value.response["Error"]["Code"]


# Applications and stream groups


def test_create_and_delete_application(client, stream, url):
    created = client.create_application(**APPLICATION)
    assert created["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert created["Arn"] == f"{ARN}:application/{created['Id']}"
    assert (created["Status"], created["ExecutablePath"]) == ("READY", "cad.exe")

    client.delete_application(Identifier=stream["ApplicationIdentifier"])

    group = client.get_stream_group(Identifier=stream["Identifier"])
    assert group["AssociatedApplications"] == []
    assert "DefaultApplication" not in group
    assert client.get_stream_url(**url)["StatusReason"] == "applicationDeleted"
    code = error_code(client.delete_application, Identifier=stream["ApplicationIdentifier"])
    assert code == "ResourceNotFoundException"


def test_create_stream_group(client, group):
    assert group["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert group["Arn"] == f"{ARN}:streamgroup/{group['Id']}"
    assert (group["Status"], group["Description"]) == ("ACTIVATING", "class")
    assert group["AssociatedApplications"] == [group["DefaultApplication"]["Arn"]]
    assert abs(group["CreatedAt"] - datetime.now(timezone.utc)) < timedelta(seconds=5)
    assert group["ExpiresAt"] - group["CreatedAt"] == timedelta(days=365)

    described = client.get_stream_group(Identifier=group["Arn"])

    assert described["Status"] == "ACTIVE"
    (location,) = described["LocationStates"]
    assert (location["LocationName"], location["Status"], location["AllocatedCapacity"]) == (REGION, "ACTIVE", 2)
    (summary,) = client.list_stream_groups()["Items"]
    assert summary.items() <= described.items()
    unknown = {"Description": "class", "StreamClass": "gen5n_win2022", "DefaultApplicationIdentifier": "a-nowhere"}
    assert error_code(client.create_stream_group, **unknown) == "ResourceNotFoundException"


def test_update_stream_group(client, group):
    def update(**configuration):
        configuration = {"LocationName": REGION, "AlwaysOnCapacity": 4, "MaximumCapacity": 6, **configuration}
        return client.update_stream_group(Identifier=group["Id"], LocationConfigurations=[configuration])

    assert update()["Status"] == "UPDATING_LOCATIONS"

    described = client.get_stream_group(Identifier=group["Id"])
    assert described["Status"] == "ACTIVE"
    assert described["LocationStates"][0]["AllocatedCapacity"] == 4
    assert described["LocationStates"][0]["OnDemandCapacity"] == 2
    for bad in ({"LocationName": "us-east-1"}, {"MaximumCapacity": 3}, {"TargetIdleCapacity": 7}):
        assert error_code(update, **bad) == "ValidationException"


def test_update_of_a_stream_group_advances_as_configured(client, group):
    state_manager.set_transition("gameliftstreams::stream_group", {"progression": "manual", "times": 3})
    try:
        location = {"LocationName": REGION, "AlwaysOnCapacity": 4}
        client.get_stream_group(Identifier=group["Id"])
        assert error_code(client.update_stream_group, Identifier=group["Id"], LocationConfigurations=[location]) == (
            "ConflictException"
        )
        states = [client.get_stream_group(Identifier=group["Id"])["Status"] for _number in range(2)]
    finally:
        state_manager.unset_transition("gameliftstreams::stream_group")
    assert states == ["ACTIVATING", "ACTIVE"]


def test_delete_stream_group(client, group, stream, url):
    session = open_url(url)

    client.delete_stream_group(Identifier=group["Id"])

    described = client.get_stream_url(**url)
    assert (described["Status"], described["StatusReason"]) == ("REVOKED", "streamGroupDeleted")
    assert described["StreamSessions"][0]["Status"] == "TERMINATED"
    for operation, members in (
        (client.get_stream_group, {"Identifier": group["Id"]}),
        (client.delete_stream_group, {"Identifier": group["Id"]}),
        (client.create_stream_url, stream),
        (client.get_stream_session, session),
    ):
        assert error_code(operation, **members) == "ResourceNotFoundException"


# Stream URLs


def test_create_stream_url(client, stream):
    created = client.create_stream_url(**stream)

    assert created["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert created["Arn"] == f"{ARN}:streamurl/{stream['Identifier']}/{created['StreamUrlId']}"
    assert f"/{created['StreamUrlId']}/stream?token=" in created["StreamUrl"]
    assert (created["Status"], created["UsageLimit"], created["SessionLengthSeconds"]) == ("ACTIVE", 1, 43_200)
    assert created["ExpiresAt"] - created["CreatedAt"] == timedelta(minutes=60)
    described = client.get_stream_url(**named(created, stream))
    assert described.items() >= {name: created[name] for name in created if name != "ResponseMetadata"}.items()
    assert [one["StreamUrlId"] for one in client.list_stream_urls()["Items"]] == [created["StreamUrlId"]]


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"Identifier": "sg-nowhere"}, "ResourceNotFoundException"),
        ({"Identifier": f"{ARN[:-1]}9:streamgroup/sg-other"}, "ResourceNotFoundException"),
        ({"ApplicationIdentifier": "a-nowhere"}, "ResourceNotFoundException"),
        ({"Locations": [REGION, "us-east-1"]}, "ValidationException"),
        ({"DisplayConfiguration": {"Resolution": {"Width": 1281, "Height": 720}}}, "ValidationException"),
        ({"DisplayConfiguration": {"Resolution": {"Width": 1920, "Height": 1082}}}, "ValidationException"),
    ],
)
def test_create_stream_url_that_does_not_fit_the_group(client, stream, members, code):
    assert error_code(client.create_stream_url, **{**stream, **members}) == code
    assert client.list_stream_urls()["Items"] == []


def test_create_stream_url_with_an_application_of_another_group(client, stream):
    other = client.create_application(**APPLICATION)["Id"]
    code = error_code(client.create_stream_url, **{**stream, "ApplicationIdentifier": other})
    assert code == "ValidationException"


def test_create_stream_url_with_a_client_token(client, stream):
    first, second = (client.create_stream_url(**stream, ClientToken=TOKEN) for _number in range(2))
    assert second["StreamUrlId"] == first["StreamUrlId"]
    code = error_code(client.create_stream_url, **stream, ClientToken=TOKEN, UsageLimit=2)
    assert code == "ConflictException"


def test_list_stream_urls(client, stream, url):
    client.create_stream_url(**stream)
    active = client.list_stream_urls(Status="ACTIVE", MaxResults=1)
    client.revoke_stream_url(**url)

    def list_ids(**selection):
        return [one["StreamUrlId"] for one in client.list_stream_urls(**selection)["Items"]]

    assert len(list_ids()) == len(list_ids(StreamGroupIdentifier=stream["Identifier"])) == 2
    assert list_ids(Status="REVOKED") == [url["StreamUrlIdentifier"]]
    assert list_ids(StreamGroupIdentifier="sg-other") == []
    page = client.list_stream_urls(MaxResults=1)
    assert len(list_ids(MaxResults=1, NextToken=page["NextToken"])) == 1
    assert list_ids(Status="ACTIVE", MaxResults=1, NextToken=active["NextToken"]) == []
    of_another_query = {"StreamGroupIdentifier": stream["Identifier"], "NextToken": page["NextToken"]}
    for selection in (of_another_query, {"NextToken": "guessed"}, {"NextToken": "NQ=="}):
        assert error_code(client.list_stream_urls, **selection) == "ValidationException"


def test_revoke_stream_url(client, url):
    open_url(url)
    client.revoke_stream_url(**url)
    described = client.get_stream_url(**url)
    assert (described["Status"], described["StatusReason"]) == ("REVOKED", "userRevoked")
    assert described["StreamSessions"][0]["Status"] == "CONNECTED"

    client.revoke_stream_url(**url, RevocationMode="REVOKE_AND_TERMINATE_SESSIONS")

    described = client.get_stream_url(**url)
    assert (described["Status"], described["StatusReason"]) == ("REVOKED", "revokedAndSessionsTerminated")
    assert described["StreamSessions"][0]["Status"] == "TERMINATED"
    unknown = {**url, "StreamUrlIdentifier": "su-nowhere"}
    for operation in (client.get_stream_url, client.revoke_stream_url):
        assert error_code(operation, **unknown) == "ResourceNotFoundException"


# Stream sessions


def test_stream_sessions(client, url):
    session = open_url(url)

    described = client.get_stream_session(**session)

    assert (described["Status"], described["Location"]) == ("CONNECTED", REGION)
    (summary,) = client.list_stream_sessions(Identifier=url["Identifier"])["Items"]
    assert summary.items() <= described.items()
    assert client.get_stream_url(**url)["RemainingUses"] == 1
    group = client.get_stream_group(Identifier=url["Identifier"])
    assert group["LocationStates"][0]["IdleCapacity"] == 1
    open_url(url)
    assert client.get_stream_url(**url)["Status"] == "LIMIT_REACHED"


def test_terminate_stream_session(client, url):
    session = open_url(url)
    client.terminate_stream_session(**session)
    client.terminate_stream_session(**session)
    described = client.get_stream_session(**session)
    assert (described["Status"], described["StatusReason"]) == ("TERMINATED", "apiTerminated")
    assert client.list_stream_sessions(Identifier=url["Identifier"], Status="CONNECTED")["Items"] == []
    unknown = {**session, "StreamSessionIdentifier": "nobody"}
    for operation in (client.get_stream_session, client.terminate_stream_session):
        assert error_code(operation, **unknown) == "ResourceNotFoundException"


def test_states_of_a_session_advance_as_configured(client, url):
    state_manager.set_transition("gameliftstreams::stream_session", {"progression": "manual", "times": 2})
    try:
        session = open_url(url)
        assert error_code(client.terminate_stream_session, **session) == "ValidationException"
        states = [client.get_stream_session(**session)["Status"] for _number in range(2)]
    finally:
        state_manager.unset_transition("gameliftstreams::stream_session")
    assert states == ["ACTIVATING", "CONNECTED"]
