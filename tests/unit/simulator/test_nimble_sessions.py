# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nimble's studios and sessions: what tests put there, how sessions are found, and how they start."""

from __future__ import annotations

import time

import pytest

from tests.unit.simulator.nimble_http import SESSIONS, STUDIO, Nimble

STATES = [
    ("CREATE_IN_PROGRESS", "STREAMING_SESSION_CREATE_IN_PROGRESS"),
    ("DELETE_IN_PROGRESS", "STREAMING_SESSION_DELETE_IN_PROGRESS"),
    ("READY", "STREAMING_SESSION_READY"),
    ("DELETED", "STREAMING_SESSION_DELETED"),
    ("CREATE_FAILED", "INTERNAL_ERROR"),
    ("DELETE_FAILED", "INTERNAL_ERROR"),
    ("STOP_IN_PROGRESS", "STREAMING_SESSION_STOP_IN_PROGRESS"),
    ("START_IN_PROGRESS", "STREAMING_SESSION_START_IN_PROGRESS"),
    ("STOPPED", "STREAMING_SESSION_STOPPED"),
    ("STOP_FAILED", "INTERNAL_ERROR"),
    ("START_FAILED", "INTERNAL_ERROR"),
]


def session(nimble, name="anna"):
    return nimble.get_session(name).body["session"]


def status(session):
    return session["state"], session["statusCode"]


class TestSeeding:
    def test_a_studio_is_there_with_its_arn(self, nimble):
        studio = nimble.get_studio().body["studio"]
        assert studio["studioId"] == STUDIO
        assert studio["arn"] == f"arn:aws:nimble:us-east-1:123456789012:studio/{STUDIO}"
        assert studio["state"] == "READY"
        assert nimble.get_studio("nowhere").error == (404, "ResourceNotFoundException")

    def test_an_id_makes_a_ready_session(self, simulator, nimble):
        simulator.seed_studio(STUDIO, ["dora"])
        dora = session(nimble, "dora")
        assert status(dora) == ("READY", "STREAMING_SESSION_READY")
        assert dora["arn"] == "arn:aws:nimble:us-east-1:123456789012:streaming-session/dora"
        assert (dora["ownedBy"], dora["createdBy"]) == ("dora-owner", "studio-admin")
        assert session(nimble, "anna")  # those before it are still there

    def test_members_are_given_one_by_one_or_to_all(self, simulator, nimble):
        simulator.seed_studio(STUDIO, ["dora", {"sessionId": "emil", "ownedBy": "emil"}], state="STOPPED", ownedBy="x")
        assert [session(nimble, name)["state"] for name in ("dora", "emil")] == ["STOPPED", "STOPPED"]
        assert [session(nimble, name)["ownedBy"] for name in ("dora", "emil")] == ["x", "emil"]

    @pytest.mark.parametrize(("state", "code"), STATES)
    def test_a_session_has_any_state_and_by_default_its_status_code(self, simulator, nimble, state, code):
        simulator.seed_studio(STUDIO, [{"sessionId": "dora", "state": state}])
        assert status(session(nimble, "dora")) == (state, code)
        simulator.change_session(STUDIO, "dora", state=state, statusCode="INSUFFICIENT_CAPACITY")
        assert status(session(nimble, "dora")) == (state, "INSUFFICIENT_CAPACITY")

    def test_a_change_leaves_the_other_members(self, simulator, nimble):
        simulator.change_session(STUDIO, "anna", createdBy="emil", statusMessage="Out of order.")
        changed = session(nimble)
        assert (changed["createdBy"], changed["statusMessage"]) == ("emil", "Out of order.")
        assert (changed["ownedBy"], changed["state"]) == ("anna@example.org", "READY")

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"state": "RUNNING"}, "state must be one of CREATE_IN_PROGRESS, .*, not 'RUNNING'"),
            ({"state": "STOPPED", "statusCode": "FINE"}, "statusCode must be one of .*, not 'FINE'"),
            ({"statusCode": "INTERNAL_ERROR"}, "statusCode goes together with state"),
            ({"streamOutcome": "STOPPED"}, "streamOutcome must be one of READY, .*, not 'STOPPED'"),
            ({"startOutcome": "STOPPED"}, "startOutcome must be one of READY, .*, not 'STOPPED'"),
            ({"ownedBy": 5}, "ownedBy must be a string that is not empty, not 5"),
            ({"colour": "red"}, "A session has no member 'colour'"),
        ],
    )
    def test_a_bad_member_gets_a_message_and_changes_nothing(self, simulator, nimble, change, message):
        before = session(nimble)
        with pytest.raises(ValueError, match=message):
            simulator.change_session(STUDIO, "anna", **{"createdBy": "emil", **change})
        assert session(nimble) == before
        with pytest.raises(ValueError, match=message):
            simulator.seed_studio("other", ["dora", {"sessionId": "emil", **change}])
        assert nimble.get_studio("other").status == 404

    @pytest.mark.parametrize(
        ("attempt", "message"),
        [
            (lambda simulator: simulator.change_session(STUDIO, "nobody", state="READY"), "no session nobody"),
            (lambda simulator: simulator.change_session("nowhere", "anna", state="READY"), "no session anna in"),
            (lambda simulator: simulator.seed_studio(STUDIO, region="sa-east-1"), "no endpoint in .* 'sa-east-1'"),
            (lambda simulator: simulator.seed_studio(""), "studioId must be a string"),
            (lambda simulator: simulator.change_stream("none", state="READY"), "no stream none"),
            (lambda simulator: simulator.remove_stream("none"), "no stream none"),
        ],
    )
    def test_what_is_not_there_gets_a_message(self, simulator, nimble, attempt, message):
        with pytest.raises(ValueError, match=message):
            attempt(simulator)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"state": "STOPPED"}, "state must be one of READY, .*, not 'STOPPED'"),
            ({"expiresIn": "soon"}, "expiresIn must be a number of seconds, not 'soon'"),
            ({"url": "x"}, "A stream has no member 'url'"),
        ],
    )
    def test_a_bad_change_of_a_stream_gets_a_message(self, simulator, nimble, change, message):
        stream = nimble.create("anna").body["stream"]
        with pytest.raises(ValueError, match=message):
            simulator.change_stream(stream["streamId"], **change)

    def test_reset_removes_everything(self, simulator, nimble):
        defaults = simulator.set()
        url = nimble.url("anna")
        simulator.set(stream_creating_seconds=9, session_starting_seconds=9, client_token_window_seconds=9)

        simulator.reset()

        assert nimble.get_studio().status == 404
        assert simulator.streams() == simulator.streaming_urls() == []
        assert simulator.open(url)[0] == 403
        assert simulator.set() == defaults
        simulator.seed_studio(STUDIO, ["anna"])
        assert nimble.get_session("anna").status == 200

    @pytest.mark.parametrize(
        ("setting", "message"),
        [
            ({"stream_creating_seconds": -1}, "stream_creating_seconds must not be negative, not -1"),
            ({"stream_creating_seconds": None}, "stream_creating_seconds must be a number, not None"),
            ({"session_starting_seconds": -1}, "must not be negative"),
            ({"client_token_window_seconds": -1}, "must not be negative"),
            ({"client_token_window_seconds": "never"}, "must be a number, not 'never'"),
        ],
    )
    def test_a_bad_setting_gets_a_message(self, simulator, setting, message):
        with pytest.raises(ValueError, match=message):
            simulator.set(**setting)


class TestListing:
    @pytest.fixture
    def nimble(self, simulator):
        """Five sessions: two of anna's, two that emil created."""
        simulator.seed_studio(STUDIO, ["s1", "s3"], ownedBy="anna")
        simulator.seed_studio(STUDIO, ["s2", "s4"], ownedBy="ben", createdBy="emil")
        simulator.seed_studio(STUDIO, ["s5"], ownedBy="chris", state="DELETED")
        simulator.seed_studio("other", ["s6"], ownedBy="anna")
        return Nimble(simulator)

    @staticmethod
    def pages(nimble, **query):
        token, pages = {}, []
        while token is not None:
            reply = nimble.list_sessions(**query, **token)
            assert reply.status == 200, reply.body
            pages.append([one["sessionId"] for one in reply.body["sessions"]])
            token = {"nextToken": reply.body["nextToken"]} if "nextToken" in reply.body else None
        return pages

    def test_a_list_has_pages(self, simulator, nimble):
        assert self.pages(nimble) == [["s1", "s3"], ["s2", "s4"], ["s5"]]
        simulator.set(page_size=5)
        assert self.pages(nimble) == [["s1", "s3", "s2", "s4", "s5"]]

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({"ownedBy": "anna"}, [["s1", "s3"]]),
            ({"createdBy": "emil"}, [["s2", "s4"]]),
            ({"createdBy": "studio-admin"}, [["s1", "s3"], ["s5"]]),
            ({"ownedBy": "anna", "createdBy": "emil"}, [[]]),
            ({"ownedBy": "ann"}, [[]]),
            ({"sessionIds": "s5,s2,s9"}, [["s2", "s5"]]),
        ],
    )
    def test_sessions_are_selected(self, nimble, query, found):
        assert self.pages(nimble, **query) == found

    def test_a_session_looks_the_same_in_a_list_and_alone(self, nimble):
        assert nimble.list_sessions(ownedBy="chris").body["sessions"] == [session(nimble, "s5")]

    @pytest.mark.parametrize("query", [{"nextToken": "guessed"}, {"nextToken": ""}])
    def test_a_token_that_was_not_issued_is_rejected(self, nimble, query):
        assert nimble.list_sessions(**query).error == (400, "ValidationException")

    def test_a_token_fits_its_own_query_only(self, nimble):
        token = nimble.list_sessions(createdBy="studio-admin").body["nextToken"]
        assert nimble.list_sessions(createdBy="studio-admin", nextToken=token).status == 200
        assert nimble.list_sessions(nextToken=token).error == (400, "ValidationException")

    def test_the_studio_must_exist(self, nimble):
        assert nimble.send("GET", "/nowhere/streaming-sessions").error == (404, "ResourceNotFoundException")


class TestStarting:
    @pytest.fixture(autouse=True)
    def stopped(self, simulator, nimble):
        simulator.change_session(STUDIO, "anna", state="STOPPED")

    def test_a_stopped_session_starts_and_is_ready_at_a_later_call(self, nimble):
        starting = nimble.start("anna").body["session"]
        assert status(starting) == ("START_IN_PROGRESS", "STREAMING_SESSION_START_IN_PROGRESS")
        assert starting["startedBy"] == "arn:aws:sts::123456789012:user/moto"
        assert status(session(nimble)) == ("READY", "STREAMING_SESSION_READY")
        assert nimble.create("anna").status == 200

    def test_it_is_not_ready_before_its_time(self, simulator, nimble):
        simulator.set(session_starting_seconds=0.4)
        nimble.start("anna")
        assert session(nimble)["state"] == "START_IN_PROGRESS"
        assert nimble.create("anna").error == (409, "ConflictException")
        time.sleep(0.45)
        assert session(nimble)["state"] == "READY"

    @pytest.mark.parametrize(
        ("outcome", "becomes"),
        [
            ({"startOutcome": "START_FAILED"}, ("START_FAILED", "INTERNAL_ERROR")),
            (
                {"startOutcome": "START_FAILED", "startStatusCode": "INSUFFICIENT_CAPACITY"},
                ("START_FAILED", "INSUFFICIENT_CAPACITY"),
            ),
            (
                {"startOutcome": "START_IN_PROGRESS"},
                ("START_IN_PROGRESS", "STREAMING_SESSION_START_IN_PROGRESS"),
            ),
        ],
    )
    def test_it_comes_to_what_the_test_wants(self, simulator, nimble, outcome, becomes):
        simulator.change_session(STUDIO, "anna", **outcome)
        assert nimble.start("anna").body["session"]["state"] == "START_IN_PROGRESS"
        assert status(session(nimble)) == becomes

    @pytest.mark.parametrize(
        ("state", "error"),
        [
            ("READY", (409, "ConflictException")),
            ("START_IN_PROGRESS", (409, "ConflictException")),
            ("STOP_IN_PROGRESS", (409, "ConflictException")),
            ("DELETED", (400, "ValidationException")),
            ("START_FAILED", (400, "ValidationException")),
        ],
    )
    def test_only_a_stopped_session_starts(self, simulator, nimble, state, error):
        simulator.change_session(STUDIO, "anna", state=state)
        reply = nimble.start("anna")
        assert reply.error == error
        assert state in reply.body["message"]
        assert session(nimble)["state"] == state

    def test_the_same_token_finds_the_same_start(self, nimble):
        nimble.start("anna", "token", backupId="b")
        assert nimble.start("anna", "token", backupId="b").body["session"] == session(nimble)
        assert nimble.start("anna", "token").error == (400, "ValidationException")
        assert nimble.start("anna", "other").error == (409, "ConflictException")

    def test_the_session_must_exist(self, nimble):
        assert nimble.send("POST", f"{SESSIONS}/nobody/start").error == (404, "ResourceNotFoundException")
