# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CreateStreamingURL, what its URLs do in a browser, and the sessions that follow."""

from __future__ import annotations

import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest

from tests.unit.simulator.support import FLEET, LAB, STACK


def sessions(appstream, **request):
    return appstream.describe_sessions(**LAB, **request)["Sessions"]


class TestIssuing:
    def test_a_url_is_good_for_the_validity_asked_for_and_for_a_minute_by_default(self, lab):
        asked = datetime.now(UTC)
        issued = lab.create_streaming_url(**LAB, UserId="anna@example.org", Validity=3600)
        by_default = lab.create_streaming_url(**LAB, UserId="anna@example.org")
        assert abs(issued["Expires"] - asked - timedelta(seconds=3600)) < timedelta(seconds=2)
        assert abs(by_default["Expires"] - asked - timedelta(seconds=60)) < timedelta(seconds=2)

    def test_every_call_issues_another_unguessable_url(self, simulator, lab):
        urls = [lab.create_streaming_url(**LAB, UserId="anna")["StreamingURL"] for _number in range(5)]
        assert len(set(urls)) == 5
        assert simulator.streaming_urls() == urls
        for url in urls:
            start, code = url.split("?parameters=")
            assert start == f"{simulator.endpoint_url}/authenticate"
            assert len(code) >= 43  # 32 bytes in base64

    @pytest.mark.parametrize("validity", [-1, 0, 604_801])
    def test_validity_is_between_a_second_and_a_week(self, lab, rejected, validity):
        with rejected("InvalidParameterCombinationException"):
            lab.create_streaming_url(**LAB, UserId="anna", Validity=validity)

    @pytest.mark.parametrize("validity", [1, 604_800])
    def test_the_limits_of_validity_are_good(self, lab, validity):
        assert lab.create_streaming_url(**LAB, UserId="anna", Validity=validity)["StreamingURL"]

    @pytest.mark.parametrize("unknown", ["StackName", "FleetName"])
    def test_stack_and_fleet_must_exist(self, lab, rejected, unknown):
        with rejected("ResourceNotFoundException"):
            lab.create_streaming_url(**{**LAB, unknown: "nowhere"}, UserId="anna")

    def test_the_fleet_must_be_associated(self, lab, rejected):
        lab.disassociate_fleet(**LAB)
        with rejected("OperationNotPermittedException"):
            lab.create_streaming_url(**LAB, UserId="anna")

    def test_the_fleet_must_be_running(self, lab, rejected):
        lab.stop_fleet(Name=FLEET)
        with rejected("ResourceNotAvailableException"):
            lab.create_streaming_url(**LAB, UserId="anna")

    def test_a_starting_fleet_is_not_running(self, simulator, appstream, rejected):
        simulator.set(fleet_starting_seconds=60)
        simulator.seed_lab(STACK, FLEET, wait=False)
        with rejected("ResourceNotAvailableException"):
            appstream.create_streaming_url(**LAB, UserId="anna")

    def test_a_domain_joined_fleet_has_no_streaming_urls(self, simulator, appstream, rejected):
        simulator.seed_lab(STACK, FLEET, DomainJoinInfo={"DirectoryName": "example.org"})
        with rejected("OperationNotPermittedException"):
            appstream.create_streaming_url(**LAB, UserId="anna")
        assert simulator.streaming_urls() == []

    def test_the_server_that_issues_may_have_another_clock_than_the_one_that_describes(self, simulator, lab):
        simulator.set(clock_offset_seconds=1000, issuing_clock_offset_seconds=-100)
        asked = datetime.now(UTC)

        described, issued = lab.describe_stacks(), lab.create_streaming_url(**LAB, UserId="anna", Validity=3600)

        def ahead(when):
            return (when - asked).total_seconds()

        def date(reply):
            return parsedate_to_datetime(reply["ResponseMetadata"]["HTTPHeaders"]["date"])

        assert ahead(date(described)) == pytest.approx(1000, abs=2)
        assert ahead(date(issued)) == pytest.approx(900, abs=2)
        assert ahead(issued["Expires"]) == pytest.approx(900 + 3600, abs=2)


class TestOpening:
    def test_opening_a_url_starts_the_users_session_and_says_so(self, simulator, lab):
        url = lab.create_streaming_url(
            **LAB, UserId="anna@example.org", ApplicationId="Calc", SessionContext="<b>lesson 3</b>"
        )["StreamingURL"]
        assert sessions(lab) == []

        status, page = simulator.open(url)

        assert status == 200
        for text in ("anna@example.org", STACK, FLEET, "Calc", "&lt;b&gt;lesson 3&lt;/b&gt;"):
            assert text in page
        assert url.split("=")[1] not in page
        (session,) = sessions(lab)
        assert session["UserId"] == "anna@example.org"
        assert (session["State"], session["ConnectionState"]) == ("ACTIVE", "CONNECTED")
        assert session["AuthenticationType"] == "API"
        lasts = session["MaxExpirationTime"] - session["StartTime"]
        assert abs(lasts - timedelta(seconds=57_600)) < timedelta(seconds=1)  # each is rounded to a millisecond
        capacity = lab.describe_fleets(Names=[FLEET])["Fleets"][0]["ComputeCapacityStatus"]
        assert capacity == {"Desired": 2, "Running": 2, "InUse": 1, "Available": 1}

    def test_a_user_comes_back_to_the_live_session_with_any_good_url(self, simulator, lab):
        for _number in range(2):
            url = lab.create_streaming_url(**LAB, UserId="anna")["StreamingURL"]
            assert simulator.open(url)[0] == simulator.open(url)[0] == 200
        assert len(sessions(lab)) == 1

    def test_an_expired_url_opens_no_session(self, simulator, lab):
        url = lab.create_streaming_url(**LAB, UserId="anna", Validity=600)["StreamingURL"]

        simulator.set(clock_offset_seconds=601)

        status, page = simulator.open(url)
        assert status == 403
        assert "expired" in page
        assert sessions(lab) == []

    def test_a_url_is_good_until_just_before_it_expires(self, simulator, lab):
        url = lab.create_streaming_url(**LAB, UserId="anna", Validity=600)["StreamingURL"]
        simulator.set(clock_offset_seconds=590)
        assert simulator.open(url)[0] == 200

    @pytest.mark.parametrize("query", ["", "?parameters=", "?parameters=guessed"])
    def test_an_unknown_url_is_forbidden(self, simulator, query):
        status, page = simulator.open(f"{simulator.endpoint_url}/authenticate{query}")
        assert status == 403
        assert "guessed" not in page

    @pytest.mark.parametrize("user_id", ["a" * 33, "anna smith", "jürgen", "anna\n", "anna/1"])
    def test_a_malformed_user_id_fails_in_the_browser_and_not_before(self, simulator, lab, user_id):
        url = lab.create_streaming_url(**LAB, UserId=user_id)["StreamingURL"]
        assert simulator.open(url)[0] == 500
        assert sessions(lab) == []

    def test_no_session_without_a_free_instance(self, simulator, lab):
        urls = [lab.create_streaming_url(**LAB, UserId=user)["StreamingURL"] for user in ("anna", "ben", "chris")]
        assert [simulator.open(url)[0] for url in urls] == [200, 200, 503]
        lab.expire_session(SessionId=sessions(lab, UserId="anna", AuthenticationType="API")[0]["Id"])
        assert simulator.open(urls[2])[0] == 200

    def test_a_url_outlives_a_stopped_fleet_but_not_a_deleted_one(self, simulator, lab):
        url = lab.create_streaming_url(**LAB, UserId="anna")["StreamingURL"]
        lab.stop_fleet(Name=FLEET)
        assert simulator.open(url)[0] == 503
        lab.start_fleet(Name=FLEET)
        assert simulator.open(url)[0] == 200

        lab.stop_fleet(Name=FLEET)
        lab.disassociate_fleet(**LAB)
        lab.delete_fleet(Name=FLEET)
        lab.delete_stack(Name=STACK)
        simulator.seed_lab(STACK, FLEET)
        assert simulator.open(url)[0] == 404

    def test_only_a_get_starts_a_session(self, simulator, lab):
        url = lab.create_streaming_url(**LAB, UserId="anna")["StreamingURL"]
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(urllib.request.Request(url, method="HEAD"))
        assert sessions(lab) == []


class TestSessions:
    @pytest.fixture
    def users(self, simulator, appstream):
        """Five users in session."""
        simulator.seed_lab(STACK, FLEET, instances=5)
        users = ["anna", "ben", "chris", "dora", "emil"]
        for user in users:
            simulator.open(appstream.create_streaming_url(**LAB, UserId=user)["StreamingURL"])
        return users

    def test_the_paginator_finds_every_session(self, appstream, users):
        pages = list(appstream.get_paginator("describe_sessions").paginate(**LAB, PaginationConfig={"PageSize": 3}))
        assert [len(page["Sessions"]) for page in pages] == [3, 2]
        assert [session["UserId"] for page in pages for session in page["Sessions"]] == users

    @pytest.mark.parametrize("limit", [0, 51])
    def test_a_page_has_one_to_fifty_sessions(self, appstream, rejected, limit):
        with rejected("InvalidParameterCombinationException"):
            appstream.describe_sessions(**LAB, Limit=limit)

    def test_a_users_sessions_are_found_with_the_authentication_type_only(self, appstream, users, rejected):
        assert [one["UserId"] for one in sessions(appstream, UserId="ben", AuthenticationType="API")] == ["ben"]
        with rejected("InvalidParameterCombinationException"):
            appstream.describe_sessions(**LAB, UserId="ben")

    def test_users_of_streaming_urls_have_authentication_type_api(self, appstream, users):
        assert sessions(appstream, AuthenticationType="SAML") == []
        assert len(sessions(appstream, AuthenticationType="API", Limit=50)) == 5

    def test_sessions_of_other_stacks_are_not_listed(self, simulator, appstream, users):
        simulator.seed_lab("other", "other-fleet")
        assert appstream.describe_sessions(StackName="other", FleetName="other-fleet")["Sessions"] == []

    def test_an_expired_session_is_gone_and_the_user_starts_a_new_one(self, simulator, appstream, users):
        (old,) = sessions(appstream, UserId="ben", AuthenticationType="API")
        appstream.expire_session(SessionId=old["Id"])
        appstream.expire_session(SessionId=old["Id"])
        assert sessions(appstream, UserId="ben", AuthenticationType="API") == []

        simulator.open(appstream.create_streaming_url(**LAB, UserId="ben")["StreamingURL"])
        (new,) = sessions(appstream, UserId="ben", AuthenticationType="API")
        assert new["Id"] != old["Id"]

    def test_a_session_ends_after_the_fleets_maximum(self, simulator, appstream, users):
        simulator.set(clock_offset_seconds=57_600 + 1)
        assert sessions(appstream) == []

    def test_stopping_the_fleet_ends_its_sessions(self, appstream, users):
        appstream.stop_fleet(Name=FLEET)
        appstream.start_fleet(Name=FLEET)
        assert sessions(appstream) == []
