# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nimble on the wire: strict input, errors in the service's form, who may call, the clock, the log and faults."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest

from tests.unit.simulator.nimble_http import SESSIONS, STUDIO, Nimble

STREAMS = f"{SESSIONS}/anna/streams"
INVALID = (400, "ValidationException")


class TestInput:
    @pytest.mark.parametrize(
        ("body", "message"),
        [
            pytest.param({"expirationInSeconds": 59}, "between 60 and 3600", id="59 seconds"),
            pytest.param({"expirationInSeconds": 3601}, "between 60 and 3600", id="3601 seconds"),
            pytest.param({"expirationInSeconds": "60"}, "must be an integer", id="string for an integer"),
            pytest.param({"expirationInSeconds": 60.0}, "must be an integer", id="float for an integer"),
            pytest.param({"expirationInSeconds": True}, "must be an integer", id="boolean for an integer"),
            pytest.param({"clientToken": "token"}, "clientToken is not a parameter", id="token in the body"),
            pytest.param({"colour": "red"}, "colour is not a parameter", id="unknown member"),
            pytest.param([], "must be a JSON object", id="list"),
            pytest.param(b"{", "must be a JSON object", id="not JSON"),
            pytest.param(b"\xff", "must be a JSON object", id="not UTF-8"),
        ],
    )
    def test_a_bad_body_is_rejected_and_creates_nothing(self, simulator, nimble, body, message):
        reply = nimble.send("POST", STREAMS, body=body)
        assert reply.error == INVALID
        assert message in reply.body["message"]
        assert simulator.streams() == []

    @pytest.mark.parametrize("body", [None, {}, {"expirationInSeconds": None}, {"expirationInSeconds": 60}])
    def test_a_good_body_creates_a_stream(self, simulator, nimble, body):
        assert nimble.send("POST", STREAMS, body=body).status == 200
        assert len(simulator.streams()) == 1

    def test_a_body_that_is_not_declared_as_json_is_rejected(self, nimble):
        reply = nimble.send("POST", STREAMS, body={}, headers={"Content-Type": "text/plain"})
        assert reply.error == INVALID
        assert "application/json" in reply.body["message"]

    @pytest.mark.parametrize(("length", "status"), [(0, 400), (1, 200), (64, 200), (65, 400)])
    @pytest.mark.parametrize("operation", ["streams", "start"])
    def test_a_client_token_has_1_to_64_characters(self, simulator, nimble, operation, length, status):
        if operation == "start":
            simulator.change_session(STUDIO, "anna", state="STOPPED")
        reply = nimble.send("POST", f"{SESSIONS}/anna/{operation}", headers={"X-Amz-Client-Token": "x" * length})
        assert reply.status == status
        assert status == 200 or reply.body["context"] == {"member": "clientToken"}

    @pytest.mark.parametrize(
        ("method", "path", "options"),
        [
            pytest.param("GET", SESSIONS, {"query": {"colour": "red"}}, id="unknown query parameter"),
            pytest.param("GET", f"{SESSIONS}?ownedBy=anna&ownedBy=ben", {}, id="parameter twice"),
            pytest.param("GET", f"{SESSIONS}/anna", {"query": {"nextToken": "x"}}, id="another operation's parameter"),
            pytest.param("GET", SESSIONS, {"headers": {"X-Amz-Client-Token": "x"}}, id="token of a reading operation"),
            pytest.param("POST", f"{SESSIONS}/anna/start", {"body": {"backupId": 5}}, id="number for a string"),
            pytest.param("POST", f"{SESSIONS}/anna/start", {"body": {"expirationInSeconds": 60}}, id="other's member"),
        ],
    )
    def test_what_the_operation_does_not_take_is_rejected(self, nimble, method, path, options):
        assert nimble.send(method, path, **options).error == INVALID

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", ""),
            ("POST", SESSIONS),
            ("GET", f"{SESSIONS}/"),
            ("GET", "//streaming-sessions"),
            ("GET", STREAMS),
            ("DELETE", f"{STREAMS}/x"),
            ("PUT", f"{SESSIONS}/anna/start"),
        ],
    )
    def test_an_operation_that_is_not_simulated_is_unknown(self, nimble, method, path):
        assert nimble.send(method, path).error == (404, "UnknownOperationException")

    def test_ids_may_hold_any_character(self, simulator, nimble):
        name = "übung 1/a%2F?b"
        simulator.seed_studio(STUDIO, [name])
        assert nimble.get_session(name).body["session"]["sessionId"] == name


class TestErrors:
    def test_an_error_has_the_services_form(self, nimble):
        reply = nimble.get_session("nobody")
        assert reply.error == (404, "ResourceNotFoundException")
        assert reply.headers["content-type"] == "application/json"
        assert reply.body == {
            "code": "ResourceNotFoundException",
            "context": {"sessionId": "nobody"},
            "message": "The session nobody was not found.",
        }

    @pytest.mark.parametrize("path", [f"/{STUDIO}", ""])
    def test_an_unsigned_request_says_so(self, nimble, path):
        assert nimble.send("GET", path, signed=False).error == (403, "MissingAuthenticationTokenException")

    def test_a_region_without_the_service_says_so(self, simulator):
        reply = Nimble(simulator, region="sa-east-1").get_studio()
        assert reply.error == (403, "InvalidSignatureException")
        assert "scoped to a valid region, not 'sa-east-1'" in reply.body["message"]


class TestFaults:
    @pytest.mark.parametrize(
        ("code", "status"),
        [
            ("AccessDeniedException", 403),
            ("ConflictException", 409),
            ("InternalServerErrorException", 500),
            ("ResourceNotFoundException", 404),
            ("ServiceQuotaExceededException", 402),
            ("ThrottlingException", 429),
            ("ValidationException", 400),
            ("SomethingElse", 400),
        ],
    )
    def test_an_error_has_the_status_of_its_code_and_the_services_form(self, simulator, nimble, code, status):
        simulator.add_fault(service="nimble", error={"code": code, "message": "Not now."}, times=1)
        reply = nimble.get_studio()
        assert reply.error == (status, code)
        assert reply.body == {"code": code, "context": {}, "message": "Not now."}
        assert nimble.get_studio().status == 200
        assert [call["error_code"] for call in simulator.calls("GetStudio")] == [code, None]

    def test_a_status_that_is_given_holds(self, simulator, nimble):
        simulator.add_fault(service="nimble", error={"code": "ConflictException", "status": 503})
        assert nimble.get_studio().error == (503, "ConflictException")

    def test_a_throttled_call_says_so_in_the_services_form(self, simulator, nimble):
        simulator.add_fault(operation="GetStudio", throttle={"rate": 0.01})
        first, second = nimble.get_studio(), nimble.get_studio()
        assert first.status == 200
        assert second.error == (429, "ThrottlingException")
        assert second.body["code"] == "ThrottlingException"

    @pytest.mark.parametrize(
        "parameters",
        [
            {"studioId": STUDIO, "sessionId": "ben"},
            {"clientToken": "token-ben"},
            {"expirationInSeconds": 61},
        ],
    )
    def test_calls_are_selected_by_any_of_their_parameters(self, simulator, nimble, parameters):
        simulator.add_fault(
            service="nimble",
            operation="CreateStreamingSessionStream",
            parameters=parameters,
            error={"code": "ServiceQuotaExceededException"},
        )
        assert nimble.create("anna", "token-anna", expirationInSeconds=60).status == 200
        assert nimble.create("ben", "token-ben", expirationInSeconds=61).status == 402
        assert nimble.get_session("ben").status == 200

    def test_a_dropped_reply_leaves_the_work_done(self, simulator, nimble):
        simulator.add_fault(operation="CreateStreamingSessionStream", drop="after", times=1)
        with pytest.raises(ConnectionError):
            nimble.create("anna", "token")
        (lost,) = simulator.streams()
        assert nimble.create("anna", "token").body["stream"]["streamId"] == lost["streamId"]
        assert len(simulator.streams()) == 1


class TestWhoMayCall:
    @pytest.fixture
    def teacher(self, simulator, nimble):
        """May see the studio, and stream anna's session but not read it."""
        iam = simulator.client("iam")
        iam.create_user(UserName="teacher")
        key = iam.create_access_key(UserName="teacher")["AccessKey"]
        arn = "arn:aws:nimble:us-east-1:123456789012"
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": ["nimble:GetStudio", "nimble:ListStreamingSessions"],
                    "Resource": f"{arn}:studio/{STUDIO}",
                },
                {
                    "Effect": "Allow",
                    "Action": ["nimble:CreateStreamingSessionStream", "nimble:StartStreamingSession"],
                    "Resource": f"{arn}:streaming-session/anna",
                },
            ],
        }
        iam.put_user_policy(UserName="teacher", PolicyName="class", PolicyDocument=json.dumps(policy))
        simulator.set(enforce_iam=True)
        yield key["AccessKeyId"], key["SecretAccessKey"]
        simulator.set(enforce_iam=False)

    def test_what_the_policies_allow_is_done(self, simulator, teacher):
        calls = Nimble(simulator, credentials=teacher)
        assert calls.get_studio().status == 200
        assert calls.list_sessions(ownedBy="anna@example.org").status == 200
        created = calls.create("anna", "token", expirationInSeconds=60).body["stream"]
        assert created["createdBy"] == "arn:aws:iam::123456789012:user/teacher"

    @pytest.mark.parametrize(
        "denied",
        [
            pytest.param(lambda calls: calls.create("ben"), id="another session"),
            pytest.param(lambda calls: calls.get_session("anna"), id="another action"),
            pytest.param(lambda calls: calls.get("anna", "x"), id="the stream of a session that it may create"),
            pytest.param(lambda calls: calls.get_studio("other"), id="another studio"),
        ],
    )
    def test_what_they_do_not_allow_is_denied(self, simulator, teacher, denied):
        reply = denied(Nimble(simulator, credentials=teacher))
        assert reply.error == (403, "AccessDeniedException")
        assert "is not authorized to perform: nimble:" in reply.body["message"]
        assert simulator.streams() == []

    def test_an_unknown_key_or_a_wrong_secret_is_denied(self, simulator, nimble, teacher):
        assert nimble.get_studio().error == (403, "AccessDeniedException")
        wrong = Nimble(simulator, credentials=(teacher[0], "x" * 40))
        assert wrong.list_sessions(ownedBy="anna").error == (403, "AccessDeniedException")


class TestAccountsAndRegions:
    def test_they_are_kept_apart(self, simulator, nimble):
        credentials = simulator.client("sts").assume_role(
            RoleArn="arn:aws:iam::111122223333:role/teacher", RoleSessionName="class"
        )["Credentials"]
        role = (credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"])
        other = Nimble(simulator, "eu-west-1", credentials=role)
        assert other.get_studio().error == (404, "ResourceNotFoundException")

        simulator.seed_studio(STUDIO, ["dora"], region="eu-west-1", account="111122223333")

        studio = other.get_studio().body["studio"]
        assert studio["arn"] == f"arn:aws:nimble:eu-west-1:111122223333:studio/{STUDIO}"
        assert studio["homeRegion"] == "eu-west-1"
        assert nimble.get_session("dora").status == 404
        created = other.create("dora").body["stream"]
        assert created["createdBy"] == "arn:aws:sts::111122223333:assumed-role/teacher/class"
        (stream,) = simulator.streams()
        assert (stream["account"], stream["region"]) == ("111122223333", "eu-west-1")


class TestCallLog:
    def test_calls_are_logged_by_the_apis_names(self, simulator, nimble):
        stream_id = nimble.create("anna", "token", expirationInSeconds=60).body["stream"]["streamId"]
        nimble.get("anna", stream_id)
        nimble.list_sessions(ownedBy="anna@example.org", createdBy="studio-admin")
        nimble.start("ben", "start")
        nimble.get_studio()
        nimble.get_session("nobody")
        logged = [(call["operation"], call["parameters"], call["status"]) for call in simulator.calls()]
        anna, ben = {"studioId": STUDIO, "sessionId": "anna"}, {"studioId": STUDIO, "sessionId": "ben"}
        listed = {"studioId": STUDIO, "ownedBy": "anna@example.org", "createdBy": "studio-admin"}
        assert logged == [
            ("CreateStreamingSessionStream", {**anna, "clientToken": "token", "expirationInSeconds": 60}, 200),
            ("GetStreamingSessionStream", {**anna, "streamId": stream_id}, 200),
            ("ListStreamingSessions", listed, 200),
            ("StartStreamingSession", {**ben, "clientToken": "start"}, 409),
            ("GetStudio", {"studioId": STUDIO}, 200),
            ("GetStreamingSession", {"studioId": STUDIO, "sessionId": "nobody"}, 404),
        ]
        assert {call["service"] for call in simulator.calls()} == {"nimble"}

    def test_the_log_holds_no_url(self, simulator, nimble):
        url = nimble.url("anna")
        nimble.list_sessions(ownedBy=url)
        log = json.dumps(simulator.calls())
        assert url.split("=")[1] not in log
        assert "***" in log


@pytest.mark.parametrize("offset", [0, 86_400, -86_400])
def test_every_time_is_on_the_services_clock_in_iso_8601(simulator, offset):
    simulator.set(clock_offset_seconds=offset)
    simulator.seed_studio(STUDIO, [{"sessionId": "anna", "state": "STOPPED"}, "ben"])
    nimble, expected = Nimble(simulator), datetime.now(UTC) + timedelta(seconds=offset)
    created = nimble.create("ben", expirationInSeconds=600)
    stream, session = created.body["stream"], nimble.start("anna").body["session"]

    texts = [
        stream["createdAt"],
        session["createdAt"],
        session["startedAt"],
        nimble.get_studio().body["studio"]["createdAt"],
    ]
    assert all(text.endswith("Z") for text in texts)
    times = [parsedate_to_datetime(created.headers["date"]), *map(datetime.fromisoformat, texts)]
    assert all(abs(when - expected) < timedelta(seconds=5) for when in times)
    lifetime = datetime.fromisoformat(stream["expiresAt"]) - datetime.fromisoformat(stream["createdAt"])
    assert lifetime == timedelta(seconds=600)


def test_300_calls_at_once_wait_side_by_side(simulator):
    sessions = [f"seat-{number}" for number in range(100)]
    simulator.seed_studio(STUDIO, sessions)
    simulator.add_fault(service="nimble", latency_seconds=1)
    nimble = Nimble(simulator)
    started = time.monotonic()
    with ThreadPoolExecutor(300) as pool:  # each session three times, with one token
        replies = list(pool.map(lambda session: nimble.create(session, f"token-{session}"), sessions * 3))
    assert time.monotonic() - started < 20  # 300 one after the other
    assert {reply.status for reply in replies} == {200}
    assert sorted(stream["sessionId"] for stream in simulator.streams()) == sorted(sessions)
