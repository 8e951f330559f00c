# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls of Nimble Studio, and what botocore makes of them: what it sends, and what it reads in the reply.

As a script, it prints this for the botocore on its path, which has a description of the service: once with that one,
and once with ours.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import botocore.session
from ansible_collections.labstream.aws.plugins.module_utils._nimble.service_loader import ServiceLoader
from ansible_collections.labstream.aws.plugins.module_utils._nimble.service_model import SERVICE_DESCRIPTION
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

STUDIO = dict(studioId="studio-1")
SESSION = dict(**STUDIO, sessionId="session-1")
STREAM = dict(**SESSION, streamId="stream-1")
TOKEN = dict(clientToken="4f6e2c-token")
# All that has a meaning in a path, a query or a percent code; and letters of two scripts.
ODD = "a b/c?d#e%2Ff+g&h=i:j@k~l'(m),n;o\"é教"

STREAM_MEMBERS = {
    "createdAt": "2026-11-21T08:00:00Z",
    "createdBy": "arn:aws:iam::123456789012:user/teacher",
    "expiresAt": "2026-11-21T09:00:00.250Z",
    "ownedBy": "anna",
    "state": "READY",
    "statusCode": "STREAM_READY",
    "streamId": "stream-1",
    "url": "https://session.example.org/?secret=correct-horse",
}
SESSION_MEMBERS = {
    "arn": "arn:aws:nimble:eu-central-1:123456789012:streaming-session/session-1",
    "automaticTerminationMode": "ACTIVATED",
    "backupMode": "AUTOMATIC",
    "createdAt": "2026-11-21T08:00:00+01:00",
    "createdBy": "teacher",
    "ec2InstanceType": "g5.xlarge",
    "launchProfileId": "profile-1",
    "maxBackupsToRetain": 3,
    "ownedBy": "anna",
    "sessionId": "session-1",
    "sessionPersistenceMode": "DEACTIVATED",
    "startedAt": "2026-11-21T08:00:00Z",
    "startedBy": "teacher",
    "startedFromBackupId": "backup-1",
    "state": "STOPPED",
    "statusCode": "STREAMING_SESSION_STOPPED",
    "statusMessage": "Stopped.",
    "stopAt": "2026-11-21T12:00:00Z",
    "stoppedAt": "2026-11-21T11:00:00Z",
    "stoppedBy": "teacher",
    "streamingImageId": "image-1",
    "tags": {"class": "art", "": "é"},
    "terminateAt": "2026-11-22T08:00:00Z",
    "updatedAt": "2026-11-21T11:00:00Z",
    "updatedBy": "teacher",
    "volumeConfiguration": {"iops": 3000, "size": 500, "throughput": 125},
    "volumeRetentionMode": "RETAIN",
}
STUDIO_MEMBERS = {"arn": "arn:aws:nimble:eu-central-1:123456789012:studio/studio-1", "studioId": "studio-1"}
ERRORS = {
    "AccessDeniedException": 403,
    "ConflictException": 409,
    "InternalServerErrorException": 500,
    "ResourceNotFoundException": 404,
    "ServiceQuotaExceededException": 402,
    "ThrottlingException": 429,
    "ValidationException": 400,
}


@dataclass(frozen=True)
class Reply:
    """What the service replies."""

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def get_message(error: str, status: int | None = None, **headers: str) -> Reply:
    """The service's reply with this error."""
    body = {"code": "SOME_REASON", "context": {"sessionId": "session-1"}, "message": f"What {error} says."}
    return Reply(body, status or ERRORS[error], headers or {"x-amzn-ErrorType": error})


@dataclass(frozen=True)
class Case:
    """A call, its reply, and the settings of the client that makes it."""

    operation: str
    params: dict[str, Any]
    reply: Reply = Reply()
    region: str = "eu-central-1"
    endpoint_url: str | None = None
    config: dict[str, Any] = field(default_factory=dict)


CREATE = "create_streaming_session_stream"
GET_STREAM = "get_streaming_session_stream"
GET = "get_streaming_session"
LIST = "list_streaming_sessions"
START = "start_streaming_session"
GET_STUDIO = "get_studio"
REQUIRED = {CREATE: SESSION, GET_STREAM: STREAM, GET: SESSION, LIST: STUDIO, START: SESSION, GET_STUDIO: STUDIO}
OPTIONAL = {
    CREATE: {**TOKEN, "expirationInSeconds": 60},
    LIST: {"createdBy": "teacher", "nextToken": "page-2", "ownedBy": "anna", "sessionIds": "session-1,session-2"},
    START: {**TOKEN, "backupId": "backup-1"},
}
REPLIES = {
    CREATE: {"stream": STREAM_MEMBERS},
    GET_STREAM: {"stream": STREAM_MEMBERS},
    GET: {"session": SESSION_MEMBERS},
    LIST: {"nextToken": "page-2", "sessions": [SESSION_MEMBERS, {"sessionId": "session-2"}]},
    START: {"session": SESSION_MEMBERS},
    GET_STUDIO: {"studio": STUDIO_MEMBERS},
}


def every_operation() -> dict[str, Case]:
    """Each operation with every kind of members, and with a reply that has all members."""
    cases = {}
    for operation, required in REQUIRED.items():
        reply = Reply(REPLIES[operation])
        everything = required | OPTIONAL.get(operation, {})
        odd = {name: ODD for name in everything if name not in ("clientToken", "expirationInSeconds")}
        cases |= {
            f"{operation}: required members": Case(operation, required, reply),
            f"{operation}: all members": Case(operation, everything, reply),
            f"{operation}: odd characters": Case(operation, odd, reply),
            f"{operation}: dots": Case(operation, dict.fromkeys(required, ".."), reply),
            f"{operation}: empty ids": Case(operation, dict.fromkeys(required, ""), reply),
            f"{operation}: a required member is missing": Case(operation, dict(list(required.items())[:-1])),
            f"{operation}: a member of another type": Case(operation, dict.fromkeys(required, 7)),
            f"{operation}: an unknown member": Case(operation, {**required, "tags": {}}),
            f"{operation}: an empty reply": Case(operation, required),
            f"{operation}: a reply with null": Case(operation, required, Reply(dict.fromkeys(REPLIES[operation]))),
            f"{operation}: a reply with more": Case(operation, required, Reply({**REPLIES[operation], "new": 1})),
        }
    return cases


def limits() -> dict[str, Case]:
    """What botocore checks of the limits, which are the minimums, and what it lets pass."""
    return {
        **{
            f"a stream for {seconds!r} seconds": Case(CREATE, {**SESSION, "expirationInSeconds": seconds})
            for seconds in (0, 59, 60, 3600, 3601, "60", 60.0, True, None)
        },
        **{
            f"{operation}: a token of {length} characters": Case(operation, {**SESSION, "clientToken": "t" * length})
            for operation in (CREATE, START)
            for length in (0, 1, 64, 65)
        },
    }


def errors() -> dict[str, Case]:
    """Each error of the service, and some that it does not describe."""
    return {
        **{
            f"{operation}: {error}": Case(operation, REQUIRED[operation], get_message(error))
            for operation in REQUIRED
            for error in ERRORS
        },
        "an error with an address": Case(
            GET,
            SESSION,
            get_message("ConflictException", **{"x-amzn-ErrorType": "ConflictException:http://example.org/"}),
        ),
        "an error that is named in its body": Case(
            GET, SESSION, Reply({"__type": "org.example#ConflictException", "Message": "Not now."}, 409)
        ),
        "an error without a name": Case(GET, SESSION, get_message("ConflictException", **{"x-other": "1"})),
        "an unknown error": Case(GET, SESSION, get_message("OddException", 418)),
        "an error without a body": Case(GET, SESSION, Reply(None, 503)),
    }


def endpoints() -> dict[str, Case]:
    """Where a call goes."""
    fips, dual_stack = {"use_fips_endpoint": True}, {"use_dualstack_endpoint": True}
    where = {
        "another region": dict(region="us-west-2"),
        "a region of tomorrow": dict(region="eu-west-99"),
        "China": dict(region="cn-north-1"),
        "GovCloud": dict(region="us-gov-west-1"),
        "FIPS": dict(region="us-east-1", config=fips),
        "dual stack": dict(config=dual_stack),
        "FIPS and dual stack": dict(region="us-east-1", config=fips | dual_stack),
        "FIPS in China": dict(region="cn-north-1", config=fips),
        "dual stack in China": dict(region="cn-north-1", config=dual_stack),
        "an endpoint URL": dict(endpoint_url="http://127.0.0.1:5000"),
        "an endpoint URL with a path": dict(endpoint_url="https://studio.example.org/api/"),
        "an endpoint URL and FIPS": dict(endpoint_url="http://127.0.0.1:5000", config=fips),
        "no region that exists": dict(region="eu central"),
    }
    return {name: Case(GET, SESSION, **settings) for name, settings in where.items()}


CASES = every_operation() | limits() | errors() | endpoints()


@cache
def session(*, ours: bool) -> botocore.session.Session:
    """A session with our description of the service or with botocore's own."""
    made = botocore.session.Session()
    if ours:
        made.register_component(
            "data_loader", ServiceLoader("nimble", SERVICE_DESCRIPTION, made.get_component("data_loader"))
        )
    return made


def build_nimble_client(
    *, ours: bool, region: str = "eu-central-1", endpoint_url: str | None = None, **config: Any
) -> Any:
    """A client that makes one attempt, unless the settings say otherwise."""
    return session(ours=ours).create_client(
        "nimble",
        region_name=region,
        endpoint_url=endpoint_url,
        aws_access_key_id="nobody",
        aws_secret_access_key="nothing",
        aws_session_token="never",
        config=Config(**{"retries": {"mode": "standard", "total_max_attempts": 1}, **config}),
    )


class Service:
    """Answers a client's calls in place of the network, and keeps the requests."""

    def __init__(self, client: Any, replies: list[Reply]) -> None:
        self.requests: list[Any] = []
        self._replies = iter(replies)
        client.meta.events.register("before-send", self._answer)

    def _answer(self, request: Any, **_kwargs: Any) -> AWSResponse:
        self.requests.append(request)
        reply = next(self._replies)
        body = b"" if reply.body is None else json.dumps(reply.body).encode()
        return AWSResponse(request.url, reply.status, {"Content-Type": "application/json", **reply.headers}, Body(body))


class Body:
    """The body of a reply, as AWSResponse reads it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self) -> list[bytes]:
        """All of it at once."""
        return [self._content]


def exchange(case: Case, *, ours: bool) -> dict[str, Any]:
    """What is sent in this case, and what is read in the reply; as JSON values, so that processes can compare them."""
    recorded: dict[str, Any] = {}
    try:
        client = build_nimble_client(ours=ours, region=case.region, endpoint_url=case.endpoint_url, **case.config)
        service = Service(client, [case.reply])
        try:
            recorded["read"] = getattr(client, case.operation)(**case.params)
        finally:
            recorded["sent"] = [seen(request) for request in service.requests]
    except ClientError as e:
        described = next((name for name in ERRORS if isinstance(e, getattr(client.exceptions, name))), None)
        recorded["raised"] = {"class": described, "text": str(e), "response": e.response}
    except BotoCoreError as e:
        # In which order it names the members does not matter.
        recorded["raised"] = [type(e).__name__, *sorted(re.findall(r"\w+", str(e)))]
    return json.loads(json.dumps(recorded, default=str))


def seen(request: Any) -> dict[str, Any]:
    """The request, less what differs with every call or with the version of botocore."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    headers = {name: value.decode() if isinstance(value, bytes) else value for name, value in headers.items()}
    varying = {"amz-sdk-invocation-id", "amz-sdk-request", "user-agent", "x-amz-date"}
    headers |= dict.fromkeys(headers.keys() & varying, "varies")
    headers["authorization"] = re.sub(r"/\d{8}/|Signature=\w+", "varies", headers["authorization"])
    if re.fullmatch(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", headers.get("x-amz-client-token", "")):
        headers["x-amz-client-token"] = "a UUID"
    body = request.body.decode() if isinstance(request.body, bytes) else request.body
    return {"method": request.method, "url": request.url, "headers": headers, "body": body}


def main() -> None:
    loader = session(ours=False).get_component("data_loader")
    recorded = {
        "version": botocore.__version__,
        "description": {name: loader.load_service_model("nimble", name) for name in SERVICE_DESCRIPTION},
        "operations": sorted(build_nimble_client(ours=True).meta.service_model.operation_names),
        "theirs": {name: exchange(case, ours=False) for name, case in CASES.items()},
        "ours": {name: exchange(case, ours=True) for name, case in CASES.items()},
    }
    json.dump(recorded, sys.stdout)


if __name__ == "__main__":
    main()
