# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GameLift Streams on the wire (rest-json): input as strict as the model, errors, pages, faults, IAM, regions, log."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest
from botocore.exceptions import ConnectionClosedError

from tests.unit.simulator.support import APPLICATION, GROUP, LOCATION, STREAM

BODY = {name: value for name, value in STREAM.items() if name != "Identifier"}
URLS = f"/streamgroups/{GROUP}/streamurls"
ARN = "arn:aws:gameliftstreams:us-east-1:123456789012"


@pytest.fixture
def send(simulator, gamelift):
    """Send what botocore's client would not: (status, error code or None, reply)."""

    def request(
        method: str, path: str, body: object = None, *, region="us-east-1", signed=True, kind="application/json"
    ):
        headers = {"Content-Type": kind}
        if signed:
            scope = f"AKIAEXAMPLE/20300101/{region}/gameliftstreams/aws4_request"
            headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        message = urllib.request.Request(f"{simulator.endpoint_url}{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(message, timeout=30) as reply:
                return reply.status, None, json.loads(reply.read() or b"null")
        except urllib.error.HTTPError as error:
            with error:
                return error.status, error.headers["x-amzn-ErrorType"], json.load(error)

    return request


def test_times_are_numbers_and_a_null_is_not_given(send):
    status, _code, reply = send("POST", URLS, {**BODY, "Description": None})
    assert status == 201
    assert isinstance(reply["ExpiresAt"], float)
    assert "Description" not in reply


def test_a_revocation_needs_no_body_and_answers_with_none(send, gamelift):
    url_id = send("POST", URLS, BODY)[2]["StreamUrlId"]
    assert send("POST", f"{URLS}/{url_id}/revoke") == (204, None, None)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"{", id="not JSON"),
        pytest.param(b'{"Protocol": "\xff"}', id="not UTF-8"),
        pytest.param([], id="not an object"),
        pytest.param({**BODY, "Colour": "red"}, id="unknown member"),
        pytest.param({**BODY, "Identifier": GROUP}, id="member of the path"),
        pytest.param({**BODY, "UsageLimit": "5"}, id="string for a number"),
        pytest.param({**BODY, "UsageLimit": True}, id="boolean for a number"),
        pytest.param({**BODY, "UsageLimit": 2**31}, id="too many bits"),
        pytest.param({**BODY, "Locations": LOCATION}, id="string for a list"),
        pytest.param({**BODY, "Protocol": None}, id="required member missing"),
        pytest.param({**BODY, "Protocol": "RTMP"}, id="enumeration"),
        pytest.param({**BODY, "UrlExpiresAfterMinutes": 0}, id="no minutes"),
        pytest.param({**BODY, "UsageLimit": 0}, id="no uses"),
        pytest.param({**BODY, "SessionLengthSeconds": 86_401}, id="more than a day"),
        pytest.param({**BODY, "Locations": []}, id="no location"),
        pytest.param({**BODY, "Locations": ["somewhere-very-far-away"]}, id="long location"),
        pytest.param({**BODY, "Description": "Żółw"}, id="accents"),
        pytest.param({**BODY, "Description": "x" * 81}, id="long description"),
        pytest.param({**BODY, "ClientToken": "t" * 31}, id="short token"),
        pytest.param({**BODY, "ClientToken": "t" * 129}, id="long token"),
        pytest.param({**BODY, "ClientToken": "t" * 31 + " "}, id="token with a space"),
        pytest.param({**BODY, "ApplicationIdentifier": "a_cad"}, id="identifier"),
        pytest.param({**BODY, "AdditionalLaunchArgs": ["-x"] * 101}, id="101 arguments"),
        pytest.param({**BODY, "AdditionalEnvironmentVariables": {"1X": "1"}}, id="name of a variable"),
        pytest.param({**BODY, "AdditionalEnvironmentVariables": {"X": "x" * 4097}}, id="long variable"),
        pytest.param({**BODY, "RoleArn": "arn:aws:iam::12:role/x"}, id="role"),
        pytest.param({**BODY, "DisplayConfiguration": {"Resolution": {"Width": 640}}}, id="width without height"),
        pytest.param({**BODY, "DisplayConfiguration": {"Resolution": {"Width": 318, "Height": 320}}}, id="narrow"),
    ],
)
def test_what_the_model_does_not_allow_is_rejected(send, simulator, body):
    status, code, reply = send("POST", URLS, body)
    assert (status, code) == (400, "ValidationException")
    assert list(reply) == ["Message"]
    assert simulator.stream_urls() == []


@pytest.mark.parametrize(
    "path",
    [
        "/streamurls?MaxResults=0",
        "/streamurls?MaxResults=101",
        "/streamurls?MaxResults=ten",
        "/streamurls?MaxResults=1&MaxResults=2",
        "/streamurls?Status=SLEEPING",
        "/streamurls?Colour=red",
        "/streamurls?NextToken=guessed",
        f"/streamgroups/{'x' * 129}",
        "/streamgroups/arn%3Aaws%3Aappstream%3Aus-east-1%3A123456789012%3Afleet%2Fclass",
    ],
)
def test_a_path_or_query_that_the_model_does_not_allow_is_rejected(send, path):
    assert send("GET", path)[:2] == (400, "ValidationException")


def test_the_body_is_json(send):
    assert send("POST", URLS, BODY, kind="text/plain")[:2] == (400, "ValidationException")


@pytest.mark.parametrize(
    ("method", "path"), [("POST", f"/streamgroups/{GROUP}/locations"), ("GET", "/applications"), ("GET", "/other")]
)
def test_an_operation_that_is_not_simulated_is_rejected(send, method, path):
    assert send(method, path, {})[:2] == (404, "UnknownOperationException")


def test_an_unsigned_request_says_so(send):
    for path in ("/streamurls", URLS):
        assert send("GET", path, signed=False)[:2] == (403, "MissingAuthenticationTokenException")


def test_a_region_without_the_service_says_so(send):
    assert send("GET", "/streamurls", region="mars-north-1")[:2] == (403, "InvalidSignatureException")


@pytest.mark.parametrize("offset", [0, 86_400])
def test_every_time_is_on_the_services_clock(simulator, gamelift, offset):
    simulator.set(clock_offset_seconds=offset)
    expected = datetime.now(UTC) + timedelta(seconds=offset)
    simulator.seed_stream_group("sg-new")

    url = gamelift.create_stream_url(**{**STREAM, "Identifier": "sg-new", "ApplicationIdentifier": "a-lab"})

    group = gamelift.get_stream_group(Identifier="sg-new")
    times = [
        parsedate_to_datetime(url["ResponseMetadata"]["HTTPHeaders"]["date"]),
        url["CreatedAt"],
        url["ExpiresAt"] - timedelta(hours=1),
        group["CreatedAt"],
        group["LastUpdatedAt"],
        group["ExpiresAt"] - timedelta(days=365),
    ]
    assert all(abs(when - expected) < timedelta(seconds=5) for when in times)


class TestPages:
    @pytest.fixture
    def urls(self, simulator, gamelift):
        """Four URLs of two stream groups: the second is revoked, and the last is of the other group."""
        simulator.seed_stream_group("sg-other", [APPLICATION])
        ids = [
            gamelift.create_stream_url(**{**STREAM, "Identifier": group})["StreamUrlId"]
            for group in (GROUP, GROUP, GROUP, "sg-other")
        ]
        gamelift.revoke_stream_url(Identifier=GROUP, StreamUrlIdentifier=ids[1])
        return ids

    def test_a_paginator_finds_every_url_and_each_page_has_as_many_as_were_asked_for(self, simulator, gamelift, urls):
        pages = list(gamelift.get_paginator("list_stream_urls").paginate())
        assert [len(page["Items"]) for page in pages] == [2, 2]
        assert [url["StreamUrlId"] for page in pages for url in page["Items"]] == urls
        assert sorted(url["StreamUrl"] for page in pages for url in page["Items"]) == sorted(simulator.streaming_urls())
        reply = gamelift.list_stream_urls(MaxResults=3)
        assert (len(reply["Items"]), "NextToken" in reply) == (3, True)
        assert "NextToken" not in gamelift.list_stream_urls(MaxResults=100)

    @pytest.mark.parametrize(
        ("selection", "expected"),
        [
            ({"StreamGroupIdentifier": GROUP}, [0, 1, 2]),
            ({"StreamGroupIdentifier": f"{ARN}:streamgroup/{GROUP}", "Status": "ACTIVE"}, [0, 2]),
            ({"Status": "REVOKED"}, [1]),
            ({"StreamGroupIdentifier": "sg-nowhere"}, []),
            ({"StreamGroupIdentifier": f"{ARN[:-1]}9:streamgroup/{GROUP}"}, []),
        ],
    )
    def test_urls_are_selected_by_group_and_status(self, gamelift, urls, selection, expected):
        pages = gamelift.get_paginator("list_stream_urls").paginate(**selection)
        found = [url["StreamUrlId"] for page in pages for url in page["Items"]]
        assert found == [urls[number] for number in expected]

    def test_a_token_fits_its_own_query_only(self, gamelift, rejected, urls):
        token = gamelift.list_stream_urls()["NextToken"]
        with rejected("ValidationException"):
            gamelift.list_stream_urls(NextToken=token, Status="ACTIVE")

    def test_groups_and_sessions_have_pages_too(self, simulator, gamelift, urls):
        simulator.set(page_size=1)
        groups = gamelift.get_paginator("list_stream_groups").paginate().build_full_result()["Items"]
        assert [(group["Id"], group["Status"]) for group in groups] == [(GROUP, "ACTIVE"), ("sg-other", "ACTIVE")]
        for url in simulator.streaming_urls():
            simulator.open(url)
        sessions = (
            gamelift.get_paginator("list_stream_sessions").paginate(Identifier=GROUP).build_full_result()["Items"]
        )
        assert [session["Status"] for session in sessions] == ["CONNECTED", "CONNECTED"]
        assert gamelift.list_stream_sessions(Identifier=GROUP, ExportFilesStatus="PENDING")["Items"] == []


class TestFaults:
    @pytest.mark.parametrize(
        ("code", "status"),
        [
            ("AccessDeniedException", 403),
            ("ConflictException", 409),
            ("InternalServerException", 500),
            ("ResourceNotFoundException", 404),
            ("ServiceQuotaExceededException", 402),
            ("ThrottlingException", 429),
            ("ValidationException", 400),
        ],
    )
    def test_an_error_has_the_status_of_its_code_and_the_services_form(self, simulator, send, code, status):
        simulator.add_fault(service="gameliftstreams", error={"code": code, "message": "Not now."}, times=1)
        assert send("GET", "/streamurls") == (status, code, {"Message": "Not now."})
        assert send("GET", "/streamurls")[0] == 200

    def test_calls_are_selected_by_members_of_path_query_and_body(self, simulator, send):
        url_id = send("POST", URLS, BODY)[2]["StreamUrlId"]
        for parameters in ({"StreamUrlIdentifier": url_id}, {"MaxResults": 7}, {"UsageLimit": 7}):
            simulator.add_fault(parameters=parameters, error={"code": "ThrottlingException"})
        assert send("GET", f"{URLS}/{url_id}")[0] == 429
        assert [send("GET", f"/streamurls?MaxResults={number}")[0] for number in (7, 8)] == [429, 200]
        assert [send("POST", URLS, {**BODY, "UsageLimit": number})[0] for number in (7, 8)] == [429, 201]

    @pytest.mark.parametrize(("drop", "made"), [("before", 0), ("after", 1)])
    def test_a_dropped_call_is_done_or_not(self, simulator, gamelift, drop, made):
        simulator.add_fault(operation="CreateStreamUrl", drop=drop, times=1)
        with pytest.raises(ConnectionClosedError):
            gamelift.create_stream_url(**STREAM, ClientToken="t" * 32)
        assert len(simulator.stream_urls()) == made
        gamelift.create_stream_url(**STREAM, ClientToken="t" * 32)
        assert len(simulator.stream_urls()) == 1

    def test_half_a_reply_holds_no_url_for_botocore(self, simulator, gamelift):
        simulator.add_fault(operation="CreateStreamUrl", reply="malformed", times=1)
        assert "StreamUrlId" not in gamelift.create_stream_url(**STREAM)
        assert len(simulator.stream_urls()) == 1


class TestWhoMayCall:
    @pytest.fixture
    def teacher(self, simulator, gamelift):
        """A client that may list URLs, create some in the lab's group for one application, and get them."""
        simulator.change_stream_group(GROUP, Applications=[APPLICATION, "a-cam"])
        simulator.seed_stream_group("sg-other", [APPLICATION])
        iam = simulator.client("iam")
        iam.create_user(UserName="teacher")
        key = iam.create_access_key(UserName="teacher")["AccessKey"]
        create, get = "gameliftstreams:CreateStreamUrl", "gameliftstreams:GetStreamUrl"
        statements = [
            {"Action": [create, get], "Resource": [f"{ARN}:streamgroup/{GROUP}", f"{ARN}:application/{APPLICATION}"]},
            {"Action": "gameliftstreams:ListStreamUrls", "Resource": "*"},
        ]
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **one} for one in statements]}
        iam.put_user_policy(UserName="teacher", PolicyName="class", PolicyDocument=json.dumps(policy))
        simulator.set(enforce_iam=True)
        secrets = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
        yield simulator.client("gameliftstreams", **secrets)
        simulator.set(enforce_iam=False)

    def test_what_the_policies_allow_is_done(self, teacher):
        url = teacher.create_stream_url(**{**STREAM, "Identifier": f"{ARN}:streamgroup/{GROUP}"})
        assert teacher.get_stream_url(Identifier=GROUP, StreamUrlIdentifier=url["Arn"])["Status"] == "ACTIVE"
        assert len(teacher.list_stream_urls(StreamGroupIdentifier=GROUP, MaxResults=100)["Items"]) == 1

    @pytest.mark.parametrize(
        "call",
        [
            pytest.param(lambda it: it.create_stream_url(**{**STREAM, "Identifier": "sg-other"}), id="another group"),
            pytest.param(
                lambda it: it.create_stream_url(**{**STREAM, "ApplicationIdentifier": "a-cam"}),
                id="another application",
            ),
            pytest.param(lambda it: it.get_stream_group(Identifier=GROUP), id="another action"),
            pytest.param(lambda it: it.list_stream_groups(), id="another list"),
        ],
    )
    def test_what_they_do_not_allow_is_denied(self, simulator, teacher, rejected, call):
        with rejected("AccessDeniedException", 403):
            call(teacher)
        assert simulator.stream_urls() == []


def test_accounts_and_regions_are_kept_apart(simulator, gamelift, rejected):
    credentials = simulator.client("sts").assume_role(
        RoleArn="arn:aws:iam::111122223333:role/teacher", RoleSessionName="class"
    )["Credentials"]
    other = simulator.client(
        "gameliftstreams",
        "eu-west-1",
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )
    with rejected("ResourceNotFoundException"):
        other.create_stream_url(**STREAM)

    arn = simulator.seed_stream_group(GROUP, [APPLICATION], [LOCATION], region="eu-west-1", account="111122223333")

    assert arn == f"arn:aws:gameliftstreams:eu-west-1:111122223333:streamgroup/{GROUP}"
    token = "t" * 32
    url = other.create_stream_url(**STREAM, ClientToken=token)
    assert gamelift.create_stream_url(**STREAM, ClientToken=token)["StreamUrlId"] != url["StreamUrlId"]
    with rejected("ResourceNotFoundException"):
        gamelift.get_stream_url(Identifier=GROUP, StreamUrlIdentifier=url["Arn"])
    assert [one["region"] for one in simulator.stream_urls(GROUP)] == ["eu-west-1", "us-east-1"]


def test_calls_are_logged_by_the_apis_names_and_without_secrets(simulator, gamelift):
    url = gamelift.create_stream_url(
        **STREAM, ClientToken="t" * 32, RoleArn="arn:aws:iam::123456789012:role/learner", AdditionalLaunchArgs=["-x"]
    )
    gamelift.get_stream_url(Identifier=f"{ARN}:streamgroup/{GROUP}", StreamUrlIdentifier=url["StreamUrlId"])
    gamelift.list_stream_urls(Status="ACTIVE", StreamGroupIdentifier=GROUP, MaxResults=100)
    gamelift.revoke_stream_url(Identifier=GROUP, StreamUrlIdentifier=url["StreamUrlId"], RevocationMode="REVOKE_URL")

    logged = [(call["operation"], call["parameters"], call["status"]) for call in simulator.calls()]

    created = {**STREAM, "ClientToken": "t" * 32, "RoleArn": "***", "AdditionalLaunchArgs": ["-x"]}
    group, named = f"{ARN}:streamgroup/{GROUP}", {"StreamUrlIdentifier": url["StreamUrlId"]}
    assert logged == [
        ("CreateStreamUrl", created, 201),
        ("GetStreamUrl", {"Identifier": group, **named}, 200),
        ("ListStreamUrls", {"Status": "ACTIVE", "StreamGroupIdentifier": GROUP, "MaxResults": 100}, 200),
        ("RevokeStreamUrl", {"Identifier": GROUP, **named, "RevocationMode": "REVOKE_URL"}, 204),
    ]
    assert {call["service"] for call in simulator.calls()} == {"gameliftstreams"}


def test_a_url_in_a_call_is_masked_in_the_log(simulator, gamelift):
    url = gamelift.create_stream_url(**STREAM)["StreamUrl"]
    gamelift.create_stream_url(**STREAM, AdditionalLaunchArgs=[f"--open={url}"])
    (arguments,) = simulator.calls("CreateStreamUrl")[1]["parameters"]["AdditionalLaunchArgs"]
    assert arguments == "--open=***"
