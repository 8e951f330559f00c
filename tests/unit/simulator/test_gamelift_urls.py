# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GameLift's stream URLs: their client tokens, what they do in a browser, how they end, and the sessions they start."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest

from tests.unit.simulator.support import APPLICATION, GROUP, LOCATION, STREAM

ARN = "arn:aws:gameliftstreams:us-east-1:123456789012"
TOKEN = "t" * 32


def create(gamelift, **members):
    return gamelift.create_stream_url(**{**STREAM, **members})


def get(gamelift, url):
    return gamelift.get_stream_url(Identifier=GROUP, StreamUrlIdentifier=url["StreamUrlId"])


def revoke(gamelift, url, **members):
    return gamelift.revoke_stream_url(Identifier=GROUP, StreamUrlIdentifier=url["StreamUrlId"], **members)


def status(gamelift, url):
    description = get(gamelift, url)
    return description["Status"], description.get("StatusReason")


class TestCreating:
    def test_a_url_is_what_was_asked_for(self, simulator, gamelift):
        asked = {
            "UsageLimit": 5,
            "Description": "labstream/cad/ABC",
            "SessionLengthSeconds": 3600,
            "AdditionalLaunchArgs": ["-fullscreen"],
            "AdditionalEnvironmentVariables": {"LESSON": "3"},
            "RoleArn": "arn:aws:iam::123456789012:role/learner",
            "DisplayConfiguration": {"Resolution": {"Width": 1280, "Height": 720}},
        }

        created = create(gamelift, **asked)

        assert created["ResponseMetadata"]["HTTPStatusCode"] == 201
        described = get(gamelift, created)
        for url in (created, described):
            del url["ResponseMetadata"]
        assert described.pop("StreamSessions") == []
        assert created == described
        assert created.items() >= {**asked, "Status": "ACTIVE", "RemainingUses": 5, "Locations": [LOCATION]}.items()
        assert created["Arn"] == f"{ARN}:streamurl/{GROUP}/{created['StreamUrlId']}"
        assert created["StreamGroupArn"] == f"{ARN}:streamgroup/{GROUP}"
        assert created["ApplicationArn"] == f"{ARN}:application/{APPLICATION}"
        assert created["ExpiresAt"] - created["CreatedAt"] == timedelta(minutes=60)
        assert abs(created["CreatedAt"] - datetime.now(UTC)) < timedelta(seconds=5)
        assert simulator.streaming_urls() == [created["StreamUrl"]]

    def test_resources_are_named_by_id_or_arn(self, gamelift):
        created = create(
            gamelift,
            Identifier=f"{ARN}:streamgroup/{GROUP}",
            ApplicationIdentifier=f"{ARN}:application/{APPLICATION}",
        )
        found = gamelift.get_stream_url(
            Identifier=f"{ARN}:streamgroup/{GROUP}",
            StreamUrlIdentifier=f"{ARN}:streamurl/{GROUP}/{created['StreamUrlId']}",
        )
        assert found["StreamUrlId"] == created["StreamUrlId"]

    @pytest.mark.parametrize("state", ["ACTIVATING", "ERROR", "DELETING", "EXPIRED"])
    def test_a_stream_group_that_cannot_host_gets_no_url(self, simulator, gamelift, rejected, state):
        simulator.change_stream_group(GROUP, Status=state)
        with rejected("ConflictException"):
            create(gamelift)

    @pytest.mark.parametrize("state", ["ACTIVE_WITH_ERRORS", "UPDATING_LOCATIONS"])
    def test_a_stream_group_that_hosts_in_some_locations_gets_one(self, simulator, gamelift, state):
        simulator.change_stream_group(GROUP, Status=state)
        assert create(gamelift)["Status"] == "ACTIVE"


class TestClientTokens:
    def test_a_token_gives_the_original_reply_even_when_the_url_is_dead(self, simulator, gamelift):
        first = create(gamelift, ClientToken=TOKEN)
        revoke(gamelift, first)

        second = create(gamelift, ClientToken=TOKEN)

        assert second["ResponseMetadata"]["HTTPStatusCode"] == 201
        for reply in (first, second):
            del reply["ResponseMetadata"]
        assert second == first
        assert second["Status"] == "ACTIVE"
        assert status(gamelift, first)[0] == "REVOKED"
        assert len(simulator.stream_urls()) == 1

    def test_other_parameters_or_another_token_are_another_request(self, simulator, gamelift, rejected):
        first = create(gamelift, ClientToken=TOKEN)
        with rejected("ConflictException"):
            create(gamelift, ClientToken=TOKEN, UsageLimit=2)
        assert create(gamelift, ClientToken=TOKEN.upper())["StreamUrlId"] != first["StreamUrlId"]

    @pytest.mark.parametrize(("offset", "same"), [(599, True), (601, False)])
    def test_a_token_is_released_after_the_window(self, simulator, gamelift, offset, same):
        simulator.set(client_token_window_seconds=600)
        first = create(gamelift, ClientToken=TOKEN)
        simulator.set(clock_offset_seconds=offset)
        assert (create(gamelift, ClientToken=TOKEN)["StreamUrlId"] == first["StreamUrlId"]) is same

    def test_an_error_uses_up_no_token(self, simulator, gamelift, rejected):
        simulator.change_stream_group(GROUP, Status="ERROR")
        with rejected("ConflictException"):
            create(gamelift, ClientToken=TOKEN)
        simulator.change_stream_group(GROUP, Status="ACTIVE")
        assert create(gamelift, ClientToken=TOKEN)["Status"] == "ACTIVE"


class TestOpening:
    def test_each_opening_takes_a_use_and_starts_a_session(self, simulator, gamelift):
        url = create(gamelift, UsageLimit=2, AdditionalLaunchArgs=["-lesson=3"])

        opened, page = simulator.open(url["StreamUrl"])

        assert opened == 200
        assert "Your stream session is running" in page
        assert url["StreamUrl"].partition("token=")[2] not in page
        described = get(gamelift, url)
        assert (described["RemainingUses"], described["Status"]) == (1, "ACTIVE")
        (session,) = described["StreamSessions"]
        assert session["Arn"].startswith(f"{ARN}:streamsession/{GROUP}/")
        assert (session["Status"], session["Location"]) == ("CONNECTED", LOCATION)
        assert gamelift.list_stream_sessions(Identifier=GROUP)["Items"] == [session]
        one = gamelift.get_stream_session(Identifier=GROUP, StreamSessionIdentifier=session["Arn"])
        assert (one["AdditionalLaunchArgs"], one["SessionLengthSeconds"]) == (["-lesson=3"], 43_200)
        # botocore 1.43.59 does not know these members.
        assert one.get("StreamingStartedAt") in (session["CreatedAt"], None)
        assert "StreamingEndedAt" not in one

        assert simulator.open(url["StreamUrl"])[0] == 200
        assert status(gamelift, url) == ("LIMIT_REACHED", None)
        assert len(get(gamelift, url)["StreamSessions"]) == 2
        opened, page = simulator.open(url["StreamUrl"])
        assert (opened, "used as often as it can be" in page) == (403, True)
        assert len(simulator.stream_sessions(url["StreamUrlId"])) == 2

    def test_only_a_get_uses_it(self, simulator, gamelift):
        url = create(gamelift)
        for method in ("HEAD", "OPTIONS", "POST"):
            request = urllib.request.Request(url["StreamUrl"], method=method)
            try:
                urllib.request.urlopen(request, timeout=30).close()
            except urllib.error.HTTPError as error:
                error.close()
        assert get(gamelift, url)["RemainingUses"] == 1

    @pytest.mark.parametrize("change", ["another token", "another URL's path", "another parameter"])
    def test_a_guessed_url_is_not_valid(self, simulator, gamelift, change):
        url, other = create(gamelift)["StreamUrl"], create(gamelift)["StreamUrl"]
        guessed = {
            "another token": f"{url[:-1]}{'x' if url[-1] != 'x' else 'y'}",
            "another URL's path": f"{other.partition('?')[0]}?{url.partition('?')[2]}",
            "another parameter": url.replace("?token=", "?parameters="),
        }[change]
        opened, page = simulator.open(guessed)
        assert (opened, "not valid" in page) == (403, True)
        assert simulator.stream_sessions() == []

    def test_without_capacity_no_use_is_taken(self, simulator, gamelift):
        url = create(gamelift, UsageLimit=5)
        for _number in range(2):
            simulator.open(url["StreamUrl"])

        opened, page = simulator.open(url["StreamUrl"])

        assert (opened, "no capacity" in page) == (503, True)
        assert get(gamelift, url)["RemainingUses"] == 3
        capacity = gamelift.get_stream_group(Identifier=GROUP)["LocationStates"][0]
        assert (capacity["AllocatedCapacity"], capacity["IdleCapacity"]) == (2, 0)
        ended = simulator.stream_sessions()[0]["StreamSessionId"]
        gamelift.terminate_stream_session(Identifier=GROUP, StreamSessionIdentifier=ended)
        assert simulator.open(url["StreamUrl"])[0] == 200

    def test_the_first_active_location_with_room_hosts(self, simulator, gamelift):
        locations = [
            {"LocationName": "eu-west-1", "Status": "ERROR"},
            {"LocationName": "eu-north-1", "AllocatedCapacity": 0},
            {"LocationName": "eu-central-1"},
        ]
        simulator.change_stream_group(GROUP, Locations=locations)
        url = create(gamelift, Locations=[one["LocationName"] for one in locations] + [LOCATION])
        simulator.open(url["StreamUrl"])
        assert [one["Location"] for one in simulator.stream_sessions()] == ["eu-central-1"]

    def test_a_stream_group_that_expires_hosts_no_more(self, simulator, gamelift):
        url = create(gamelift)
        simulator.change_stream_group(GROUP, ExpiresIn=0)
        opened, page = simulator.open(url["StreamUrl"])
        assert (opened, "EXPIRED" in page) == (503, True)


class TestEnding:
    @pytest.mark.parametrize(("offset", "expected"), [(3595, "ACTIVE"), (3601, "EXPIRED")])
    def test_a_url_expires_by_the_services_clock(self, simulator, gamelift, offset, expected):
        url = create(gamelift)
        simulator.set(clock_offset_seconds=offset)
        assert status(gamelift, url) == (expected, None)
        assert simulator.open(url["StreamUrl"])[0] == (200 if expected == "ACTIVE" else 403)

    def test_a_revoked_url_leaves_its_sessions(self, simulator, gamelift):
        url = create(gamelift, UsageLimit=2)
        simulator.open(url["StreamUrl"])

        reply = revoke(gamelift, url)

        assert reply["ResponseMetadata"]["HTTPStatusCode"] == 204
        assert status(gamelift, url) == ("REVOKED", "userRevoked")
        opened, page = simulator.open(url["StreamUrl"])
        assert (opened, "revoked" in page) == (403, True)
        assert [one["Status"] for one in simulator.stream_sessions()] == ["CONNECTED"]

    def test_revoking_may_end_its_sessions_and_says_when_that_is_done(self, simulator, gamelift):
        simulator.set(stream_session_terminating_seconds=1)
        url, other = create(gamelift), create(gamelift)
        for one in (url, other):
            simulator.open(one["StreamUrl"])

        revoke(gamelift, url, RevocationMode="REVOKE_AND_TERMINATE_SESSIONS")

        assert status(gamelift, url) == ("REVOKED", "revokedAndTerminatingSessions")
        assert [one["Status"] for one in simulator.stream_sessions()] == ["TERMINATING", "CONNECTED"]
        time.sleep(1.1)
        assert status(gamelift, url) == ("REVOKED", "revokedAndSessionsTerminated")
        (session,) = get(gamelift, url)["StreamSessions"]
        assert (session["Status"], session["StatusReason"]) == ("TERMINATED", "apiTerminated")

    def test_a_dead_url_can_be_revoked_which_is_how_its_sessions_are_ended(self, simulator, gamelift):
        url = create(gamelift)
        simulator.open(url["StreamUrl"])
        assert status(gamelift, url) == ("LIMIT_REACHED", None)
        revoke(gamelift, url)
        revoke(gamelift, url)
        assert status(gamelift, url) == ("REVOKED", "userRevoked")
        revoke(gamelift, url, RevocationMode="REVOKE_AND_TERMINATE_SESSIONS")
        assert status(gamelift, url) == ("REVOKED", "revokedAndSessionsTerminated")
        assert [one["Status"] for one in simulator.stream_sessions()] == ["TERMINATED"]

    @pytest.mark.parametrize("resource", ["stream group", "application"])
    def test_deleting_what_backs_it_revokes_it(self, simulator, gamelift, rejected, resource):
        url = create(gamelift)
        simulator.open(url["StreamUrl"])
        if resource == "stream group":
            simulator.delete_stream_group(GROUP)
            with rejected("ResourceNotFoundException"):
                create(gamelift)
        else:
            simulator.delete_application(APPLICATION)
            assert gamelift.get_stream_group(Identifier=GROUP)["AssociatedApplications"] == []
        reason = {"stream group": "streamGroupDeleted", "application": "applicationDeleted"}[resource]
        assert status(gamelift, url) == ("REVOKED", reason)
        assert [one["StreamUrlId"] for one in gamelift.list_stream_urls(Status="REVOKED")["Items"]] == [
            url["StreamUrlId"]
        ]
        assert simulator.open(url["StreamUrl"])[0] == 403
        assert [one["Status"] for one in simulator.stream_sessions()] == ["TERMINATED"]

    def test_a_url_that_the_service_does_not_know_is_not_found(self, simulator, gamelift, rejected):
        url = create(gamelift, ClientToken=TOKEN)
        simulator.seed_stream_group("sg-other")
        with rejected("ResourceNotFoundException"):  # the URL of another stream group
            gamelift.get_stream_url(Identifier="sg-other", StreamUrlIdentifier=url["StreamUrlId"])
        simulator.remove_stream_url(url["StreamUrlId"])
        for call in (get, revoke):
            with rejected("ResourceNotFoundException"):
                call(gamelift, url)
        assert simulator.open(url["StreamUrl"])[0] == 403
        assert create(gamelift, ClientToken=TOKEN)["StreamUrlId"] != url["StreamUrlId"]


class TestSessions:
    def test_a_session_ends_when_its_time_is_up(self, simulator, gamelift):
        url = create(gamelift, SessionLengthSeconds=600)
        simulator.open(url["StreamUrl"])
        simulator.set(clock_offset_seconds=601)
        (session,) = get(gamelift, url)["StreamSessions"]
        assert (session["Status"], session["StatusReason"]) == ("TERMINATED", "maxSessionLengthTimeout")
        assert session["LastUpdatedAt"] - session["CreatedAt"] == timedelta(seconds=600)
        one = gamelift.get_stream_session(Identifier=GROUP, StreamSessionIdentifier=session["Arn"].rpartition("/")[2])
        assert one.get("StreamingEndedAt") in (session["LastUpdatedAt"], None)

    def test_it_can_be_terminated_except_while_it_is_activating(self, simulator, gamelift, rejected):
        simulator.set(stream_session_activating_seconds=60)
        simulator.open(create(gamelift)["StreamUrl"])
        (session,) = simulator.stream_sessions()
        named = {"Identifier": GROUP, "StreamSessionIdentifier": session["StreamSessionId"]}
        assert session["Status"] == "ACTIVATING"
        with rejected("ValidationException"):
            gamelift.terminate_stream_session(**named)
        simulator.change_stream_session(session["StreamSessionId"], Status="PENDING_CLIENT_RECONNECTION")

        reply = gamelift.terminate_stream_session(**named)

        assert reply["ResponseMetadata"]["HTTPStatusCode"] == 204
        assert gamelift.get_stream_session(**named)["StatusReason"] == "apiTerminated"
        gamelift.terminate_stream_session(**named)
        with rejected("ResourceNotFoundException"):
            gamelift.terminate_stream_session(Identifier=GROUP, StreamSessionIdentifier="nobody")

    def test_tests_end_it_with_any_reason(self, simulator, gamelift):
        simulator.open(create(gamelift)["StreamUrl"])
        (session,) = simulator.stream_sessions()
        simulator.change_stream_session(session["StreamSessionId"], Status="ERROR", StatusReason="placementTimeout")
        (session,) = gamelift.list_stream_sessions(Identifier=GROUP, Status="ERROR")["Items"]
        assert session["StatusReason"] == "placementTimeout"
        assert gamelift.list_stream_sessions(Identifier=GROUP, Status="CONNECTED")["Items"] == []
