# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nimble's streams: how they come to be READY and end, client tokens, and what their URLs do in a browser."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import pytest

from tests.unit.simulator.nimble_http import STUDIO

CREATING = ("CREATE_IN_PROGRESS", "STREAM_CREATE_IN_PROGRESS")
READY = ("READY", "STREAM_READY")
DELETED = ("DELETED", "STREAM_DELETED")


def created(nimble, session="anna", token=None, **members):
    """The stream in the reply to a Create that succeeds."""
    reply = nimble.create(session, token, **members)
    assert reply.status == 200, reply.body
    return reply.body["stream"]


def got(nimble, stream, session="anna"):
    """The stream in the reply to a Get that succeeds."""
    reply = nimble.get(session, stream["streamId"])
    assert reply.status == 200, reply.body
    return reply.body["stream"]


def status(stream):
    return stream["state"], stream["statusCode"]


class TestCreating:
    def test_a_stream_is_created_and_ready_at_a_later_call(self, nimble):
        new = created(nimble)
        assert status(new) == CREATING
        assert "url" not in new

        ready = got(nimble, new)

        assert status(ready) == READY
        assert ready["url"]
        assert ready["ownedBy"] == "anna@example.org"
        unchanged = ("streamId", "createdAt", "createdBy", "expiresAt", "ownedBy")
        assert {name: new[name] for name in unchanged} == {name: ready[name] for name in unchanged}

    def test_it_is_not_ready_before_its_time(self, simulator, nimble):
        simulator.set(stream_creating_seconds=0.4)
        new = created(nimble)
        early = got(nimble, new)
        assert status(early) == CREATING
        assert "url" not in early
        assert simulator.streaming_urls() == []
        time.sleep(0.45)
        assert status(got(nimble, new)) == READY

    @pytest.mark.parametrize(("asked", "seconds"), [({}, 3600), ({"expirationInSeconds": 60}, 60)])
    def test_it_expires_when_asked_for_and_after_an_hour_by_default(self, nimble, asked, seconds):
        new = created(nimble, **asked)
        lifetime = datetime.fromisoformat(new["expiresAt"]) - datetime.fromisoformat(new["createdAt"])
        assert lifetime == timedelta(seconds=seconds)

    def test_every_create_makes_another_stream_with_a_url_of_its_own(self, simulator, nimble):
        streams = [got(nimble, created(nimble)) for _number in range(3)]
        assert len({stream["streamId"] for stream in streams}) == 3
        assert simulator.streaming_urls() == [stream["url"] for stream in streams]
        assert len(set(simulator.streaming_urls())) == 3

    def test_every_get_shows_the_same_url(self, nimble):
        new = created(nimble)
        assert got(nimble, new)["url"] == got(nimble, new)["url"]

    @pytest.mark.parametrize(
        ("outcome", "becomes"),
        [
            ({"streamOutcome": "CREATE_IN_PROGRESS"}, CREATING),  # never READY
            ({"streamOutcome": "CREATE_FAILED"}, ("CREATE_FAILED", "INTERNAL_ERROR")),
            (
                {"streamOutcome": "CREATE_FAILED", "streamStatusCode": "NETWORK_CONNECTION_ERROR"},
                ("CREATE_FAILED", "NETWORK_CONNECTION_ERROR"),
            ),
            ({"streamOutcome": "DELETE_IN_PROGRESS"}, ("DELETE_IN_PROGRESS", "STREAM_DELETE_IN_PROGRESS")),
            ({"streamOutcome": "DELETED"}, DELETED),
            ({"streamOutcome": "DELETE_FAILED"}, ("DELETE_FAILED", "INTERNAL_ERROR")),
        ],
    )
    def test_it_comes_to_what_the_test_wants(self, simulator, nimble, outcome, becomes):
        simulator.change_session(STUDIO, "anna", **outcome)
        new = created(nimble)
        assert status(new) == CREATING
        other = got(nimble, new)
        assert status(other) == becomes
        assert "url" not in other
        assert simulator.streaming_urls() == []
        assert status(got(nimble, created(nimble, "ben"), "ben")) == READY

    @pytest.mark.parametrize(
        ("state", "error"),
        [
            ("CREATE_IN_PROGRESS", (409, "ConflictException")),
            ("DELETE_IN_PROGRESS", (409, "ConflictException")),
            ("START_IN_PROGRESS", (409, "ConflictException")),
            ("STOP_IN_PROGRESS", (409, "ConflictException")),
            ("STOPPED", (400, "ValidationException")),
            ("DELETED", (400, "ValidationException")),
            ("CREATE_FAILED", (400, "ValidationException")),
            ("DELETE_FAILED", (400, "ValidationException")),
            ("START_FAILED", (400, "ValidationException")),
            ("STOP_FAILED", (400, "ValidationException")),
        ],
    )
    def test_the_session_must_be_ready(self, simulator, nimble, state, error):
        simulator.change_session(STUDIO, "anna", state=state)
        reply = nimble.create("anna", "token")
        assert reply.error == error
        assert state in reply.body["message"]
        assert simulator.streams() == []
        simulator.change_session(STUDIO, "anna", state="READY")
        assert nimble.create("anna", "token").status == 200  # an error uses no token up

    def test_studio_session_and_stream_must_exist(self, simulator, nimble):
        new = created(nimble)
        for reply, kind in [
            (nimble.send("POST", "/nowhere/streaming-sessions/anna/streams"), "studio"),
            (nimble.create("nobody"), "session"),
            (nimble.get("anna", "none"), "stream"),
            (nimble.get("ben", new["streamId"]), "stream"),  # another session's
        ]:
            assert reply.error == (404, "ResourceNotFoundException")
            assert kind in reply.body["message"]


class TestEnding:
    def test_an_expired_stream_is_deleted_and_has_no_url(self, simulator, nimble):
        new = created(nimble, expirationInSeconds=60)
        assert got(nimble, new)["url"]
        simulator.set(clock_offset_seconds=55)
        assert status(got(nimble, new)) == READY
        simulator.set(clock_offset_seconds=61)
        gone = got(nimble, new)
        assert status(gone) == DELETED
        assert "url" not in gone

    def test_a_test_can_let_it_expire(self, simulator, nimble):
        new = created(nimble)
        simulator.expire_stream(new["streamId"])
        assert status(got(nimble, new)) == DELETED

    def test_a_test_can_change_when_it_expires(self, simulator, nimble):
        new = created(nimble, expirationInSeconds=60)
        url = got(nimble, new)["url"]
        simulator.change_stream(new["streamId"], expiresIn=600)
        simulator.set(clock_offset_seconds=300)
        assert status(got(nimble, new)) == READY
        assert simulator.open(url)[0] == 200
        simulator.set(clock_offset_seconds=601)
        assert simulator.open(url)[0] == 403

    @pytest.mark.parametrize(
        ("change", "becomes"),
        [
            ({"state": "DELETE_IN_PROGRESS"}, ("DELETE_IN_PROGRESS", "STREAM_DELETE_IN_PROGRESS")),
            ({"state": "DELETED"}, DELETED),
            ({"state": "READY"}, READY),
            (
                {"state": "DELETE_FAILED", "statusCode": "NETWORK_CONNECTION_ERROR"},
                ("DELETE_FAILED", "NETWORK_CONNECTION_ERROR"),
            ),
        ],
    )
    def test_a_test_can_change_its_state(self, simulator, nimble, change, becomes):
        simulator.change_session(STUDIO, "anna", streamOutcome="CREATE_IN_PROGRESS")
        new = created(nimble)
        simulator.change_stream(new["streamId"], **change)
        assert status(got(nimble, new)) == becomes

    def test_a_removed_stream_is_not_found(self, simulator, nimble):
        new = created(nimble, token="token")
        simulator.remove_stream(new["streamId"])
        assert nimble.get("anna", new["streamId"]).error == (404, "ResourceNotFoundException")
        assert simulator.streams() == []
        assert created(nimble, token="token")["streamId"] != new["streamId"]


class TestClientTokens:
    def test_the_same_token_and_parameters_find_the_same_stream_as_it_is_now(self, simulator, nimble):
        new = created(nimble, token="token", expirationInSeconds=60)

        again = created(nimble, token="token", expirationInSeconds=60)

        assert again == got(nimble, new)
        assert again["streamId"] == new["streamId"]
        assert again["url"]
        simulator.set(clock_offset_seconds=61)
        assert status(created(nimble, token="token", expirationInSeconds=60)) == DELETED
        assert len(simulator.streams()) == 1

    @pytest.mark.parametrize(
        ("session", "members"),
        [("anna", {"expirationInSeconds": 61}), ("anna", {}), ("ben", {"expirationInSeconds": 60})],
    )
    def test_the_same_token_with_other_parameters_is_rejected(self, simulator, nimble, session, members):
        created(nimble, token="token", expirationInSeconds=60)
        reply = nimble.create(session, "token", **members)
        assert reply.error == (400, "ValidationException")
        assert "client token" in reply.body["message"]
        assert len(simulator.streams()) == 1

    @pytest.mark.parametrize(("first", "second"), [("token", "Token"), ("token", None), (None, None)])
    def test_other_tokens_and_none_make_other_streams(self, simulator, nimble, first, second):
        created(nimble, token=first)
        created(nimble, token=second)
        streams = simulator.streams("anna")
        assert [stream["clientToken"] for stream in streams] == [first, second]
        assert len({stream["streamId"] for stream in streams}) == 2

    def test_a_token_finds_the_stream_whatever_became_of_the_session(self, simulator, nimble):
        new = created(nimble, token="token")
        simulator.change_session(STUDIO, "anna", state="STOPPED")
        assert created(nimble, token="token")["streamId"] == new["streamId"]

    def test_operations_do_not_share_tokens(self, simulator, nimble):
        created(nimble, token="token")
        simulator.change_session(STUDIO, "anna", state="STOPPED")
        assert nimble.start("anna", "token").body["session"]["state"] == "START_IN_PROGRESS"

    def test_regions_do_not_share_tokens(self, simulator, nimble):
        simulator.seed_studio(STUDIO, ["anna"], region="eu-west-1")
        new = created(nimble, token="token")
        assert created(type(nimble)(simulator, "eu-west-1"), token="token")["streamId"] != new["streamId"]

    def test_after_the_window_a_token_is_new(self, simulator, nimble):
        simulator.set(client_token_window_seconds=30)
        new = created(nimble, token="token")
        simulator.set(clock_offset_seconds=25)
        assert created(nimble, token="token")["streamId"] == new["streamId"]
        simulator.set(clock_offset_seconds=31)
        second = created(nimble, token="token", expirationInSeconds=60)  # other parameters are good too
        assert second["streamId"] != new["streamId"]
        simulator.set(clock_offset_seconds=56)  # the second use began another window
        assert created(nimble, token="token", expirationInSeconds=60)["streamId"] == second["streamId"]

    def test_without_a_window_every_use_is_new(self, simulator, nimble):
        simulator.set(client_token_window_seconds=0)
        assert created(nimble, token="token")["streamId"] != created(nimble, token="token")["streamId"]

    def test_the_window_has_no_end_by_default(self, simulator, nimble):
        new = created(nimble, token="token")
        simulator.set(clock_offset_seconds=10 * 365 * 86_400)
        assert created(nimble, token="token")["streamId"] == new["streamId"]


class TestOpening:
    def test_the_page_says_whose_session_runs(self, simulator, nimble):
        simulator.change_session(STUDIO, "anna", ownedBy="<b>anna</b>")
        url = nimble.url("anna")

        code, page = simulator.open(url)

        assert code == 200
        for text in ("&lt;b&gt;anna&lt;/b&gt;", STUDIO, simulator.streams()[0]["streamId"]):
            assert text in page
        assert url.split("=")[1] not in page
        assert url.startswith(f"{simulator.endpoint_url}/authenticate?parameters=")

    def test_it_opens_as_often_as_wanted_until_the_stream_expires(self, simulator, nimble):
        url = nimble.url("anna", expirationInSeconds=60)
        simulator.set(clock_offset_seconds=55)
        assert simulator.open(url)[0] == simulator.open(url)[0] == 200
        simulator.set(clock_offset_seconds=61)
        code, page = simulator.open(url)
        assert code == 403
        assert "expired" in page
        assert "anna" not in page

    @pytest.mark.parametrize("state", ["DELETE_IN_PROGRESS", "DELETED", "DELETE_FAILED", "CREATE_FAILED"])
    def test_it_is_rejected_once_the_stream_is_not_ready(self, simulator, nimble, state):
        url = nimble.url("anna")
        simulator.change_stream(simulator.streams()[0]["streamId"], state=state)
        code, page = simulator.open(url)
        assert code == 403
        assert "anna" not in page

    def test_it_is_rejected_once_the_stream_is_removed(self, simulator, nimble):
        url = nimble.url("anna")
        simulator.remove_stream(simulator.streams()[0]["streamId"])
        assert simulator.open(url)[0] == 403

    @pytest.mark.parametrize("state", ["STOPPED", "STOP_IN_PROGRESS", "DELETED", "START_FAILED"])
    def test_it_fails_while_the_session_is_not_ready(self, simulator, nimble, state):
        url = nimble.url("anna")
        simulator.change_session(STUDIO, "anna", state=state)
        code, page = simulator.open(url)
        assert code == 503
        assert state in page
        simulator.change_session(STUDIO, "anna", state="READY")
        assert simulator.open(url)[0] == 200
