# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nimble's studios, sessions and streams, of one account in one region.

Each operation is a method that takes the request's members and the caller's ARN, and returns the reply's members as
they are on the wire. Studios and sessions have no operations here that make them: ``seeding.py`` does. What the
service's documentation leaves open is a guess that README.md lists.
"""

from __future__ import annotations

import base64
import json
import math
import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from moto.core.base_backend import BackendDict, BaseBackend

from tests.simulator.nimble.exceptions import NimbleError
from tests.simulator.nimble.operations import Members
from tests.simulator.progress import Progress
from tests.simulator.settings import now, settings
from tests.simulator.streaming import Page, streaming_urls

REGIONS = [
    "ap-northeast-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "us-east-1",
    "us-east-2",
    "us-west-2",
]
DEFAULT_EXPIRATION = 3600

# The status code of each state, unless a test sets another.
SESSION_STATES = {
    "CREATE_IN_PROGRESS": "STREAMING_SESSION_CREATE_IN_PROGRESS",
    "DELETE_IN_PROGRESS": "STREAMING_SESSION_DELETE_IN_PROGRESS",
    "READY": "STREAMING_SESSION_READY",
    "DELETED": "STREAMING_SESSION_DELETED",
    "CREATE_FAILED": "INTERNAL_ERROR",
    "DELETE_FAILED": "INTERNAL_ERROR",
    "STOP_IN_PROGRESS": "STREAMING_SESSION_STOP_IN_PROGRESS",
    "START_IN_PROGRESS": "STREAMING_SESSION_START_IN_PROGRESS",
    "STOPPED": "STREAMING_SESSION_STOPPED",
    "STOP_FAILED": "INTERNAL_ERROR",
    "START_FAILED": "INTERNAL_ERROR",
}
SESSION_STATUS_CODES = {
    *SESSION_STATES.values(),
    "STREAMING_SESSION_STARTED",
    "INSUFFICIENT_CAPACITY",
    "ACTIVE_DIRECTORY_DOMAIN_JOIN_ERROR",
    "NETWORK_CONNECTION_ERROR",
    "INITIALIZATION_SCRIPT_ERROR",
    "DECRYPT_STREAMING_IMAGE_ERROR",
    "NETWORK_INTERFACE_ERROR",
    "AMI_VALIDATION_ERROR",
}
STREAM_STATES = {
    "READY": "STREAM_READY",
    "CREATE_IN_PROGRESS": "STREAM_CREATE_IN_PROGRESS",
    "DELETE_IN_PROGRESS": "STREAM_DELETE_IN_PROGRESS",
    "DELETED": "STREAM_DELETED",
    "CREATE_FAILED": "INTERNAL_ERROR",
    "DELETE_FAILED": "INTERNAL_ERROR",
}
STREAM_STATUS_CODES = {*STREAM_STATES.values(), "NETWORK_CONNECTION_ERROR"}


class Status(NamedTuple):
    """A state and its status code."""

    state: str
    code: str


STARTING = Status("START_IN_PROGRESS", SESSION_STATES["START_IN_PROGRESS"])
CREATING = Status("CREATE_IN_PROGRESS", STREAM_STATES["CREATE_IN_PROGRESS"])
DELETED = Status("DELETED", STREAM_STATES["DELETED"])
STREAM_READY = Status("READY", STREAM_STATES["READY"])
SESSION_READY = Status("READY", SESSION_STATES["READY"])


@dataclass(frozen=True)
class Studio:
    id: str
    arn: str
    region: str
    account: str
    created: float = field(default_factory=now)
    sessions: dict[str, Session] = field(default_factory=dict)

    def describe(self) -> Members:
        return {
            "studioId": self.id,
            "studioName": "labstudio",
            "displayName": f"Studio {self.id}"[:64],
            "arn": self.arn,
            "homeRegion": self.region,
            "studioUrl": f"https://labstudio.nimblestudio.{self.region}.amazonaws.com",
            "adminRoleArn": f"arn:aws:iam::{self.account}:role/studio-admin",
            "userRoleArn": f"arn:aws:iam::{self.account}:role/studio-user",
            "ssoClientId": "",
            "state": "READY",
            "statusCode": "STUDIO_CREATED",
            "statusMessage": "",
            "tags": {},
            "createdAt": timestamp(self.created),
            "updatedAt": timestamp(self.created),
        }


@dataclass
class Session:
    """A session, and what tests want to become of it: ``seeding.py`` changes it."""

    id: str
    studio_id: str
    arn: str
    owned_by: str
    created_by: str
    progress: Progress[Status]
    status_message: str = ""
    created: float = field(default_factory=now)
    changed: dict[str, str] = field(default_factory=dict)  # startedAt and startedBy
    stream_outcome: Status = STREAM_READY  # what a new stream comes to
    start_outcome: Status = SESSION_READY  # what a start comes to

    def describe(self, status: Status | None = None) -> Members:
        state, code = status or self.progress.value
        return {
            "sessionId": self.id,
            "arn": self.arn,
            "state": state,
            "statusCode": code,
            "statusMessage": self.status_message,
            "ownedBy": self.owned_by,
            "createdBy": self.created_by,
            "createdAt": timestamp(self.created),
            "launchProfileId": "lab-profile",
            "ec2InstanceType": "g4dn.xlarge",
            "streamingImageId": "lab-image",
            "tags": {},
            **self.changed,
        }


@dataclass
class Stream:
    id: str
    session: Session
    progress: Progress[Status]
    created: float
    expires: float
    created_by: str
    owned_by: str
    client_token: str | None
    url: str | None = None  # once it was READY when somebody described it
    removed: bool = False

    @property
    def status(self) -> Status:
        return DELETED if now() >= self.expires else self.progress.value

    def describe(self, status: Status | None = None) -> Members:
        state, code = status or self.status
        return {
            "streamId": self.id,
            "state": state,
            "statusCode": code,
            "createdAt": timestamp(self.created),
            "createdBy": self.created_by,
            "expiresAt": timestamp(self.expires),
            "ownedBy": self.owned_by,
        }

    def describe_with_url(self) -> Members:
        """The description with the URL while the stream is READY; its first asking issues it."""
        description = self.describe()
        if description["state"] == "READY":
            self.url = self.url or streaming_urls.issue(math.inf, self._open)  # a test may move the stream's expiry
            description["url"] = self.url
        return description

    def _open(self) -> Page:
        """A browser opened the URL."""
        if self.status == DELETED:
            return Page(403, "This streaming URL has expired")
        if self.removed or self.status.state != "READY":
            return Page(403, "This streaming URL is not valid")
        state = self.session.progress.value.state
        if state != "READY":
            return Page(503, f"Your streaming session is not ready: it is {state}")
        facts = {
            "User": self.owned_by,
            "Studio": self.session.studio_id,
            "Session": self.session.id,
            "Stream": self.id,
        }
        return Page(200, "Your streaming session is running", facts)


class Use(NamedTuple):
    """A client token as it was used: the request's other members, what came of it, and when (epoch seconds)."""

    members: Members
    made: Session | Stream
    at: float


class NimbleBackend(BaseBackend):
    """The service in one account and region. Whoever calls a method holds ``lock``."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.lock = threading.RLock()
        self.studios: dict[str, Studio] = {}
        self.streams: dict[str, Stream] = {}
        self.tokens: dict[tuple[str, str], Use] = {}  # by operation and client token

    # Operations

    def get_studio(self, request: Members, caller: str) -> Members:
        return {"studio": self._studio(request).describe()}

    def list_streaming_sessions(self, request: Members, caller: str) -> Members:
        studio = self._studio(request)
        filters = {name: request[name] for name in ("ownedBy", "createdBy", "sessionIds") if name in request}
        sessions = list(studio.sessions.values())
        if "ownedBy" in filters:
            sessions = [session for session in sessions if session.owned_by == filters["ownedBy"]]
        if "createdBy" in filters:
            sessions = [session for session in sessions if session.created_by == filters["createdBy"]]
        if "sessionIds" in filters:
            sessions = [session for session in sessions if session.id in filters["sessionIds"].split(",")]
        page, token = _page([studio.id, filters], sessions, request)
        return {"sessions": [session.describe() for session in page], **token}

    def get_streaming_session(self, request: Members, caller: str) -> Members:
        return {"session": self._session(request).describe()}

    def start_streaming_session(self, request: Members, caller: str) -> Members:
        session = self._session(request)
        if self._earlier("StartStreamingSession", request):
            return {"session": session.describe()}
        state = session.progress.value.state
        if state == "READY" or state.endswith("_IN_PROGRESS"):
            raise NimbleError("ConflictException", f"The session {session.id} is {state}.", sessionId=session.id)
        if state != "STOPPED":
            message = f"The session {session.id} is {state}; only a STOPPED session can be started."
            raise NimbleError("ValidationException", message, sessionId=session.id)
        session.progress = Progress(STARTING, session.start_outcome, settings.session_starting_seconds)
        session.changed = {"startedAt": timestamp(now()), "startedBy": caller}
        self._remember("StartStreamingSession", request, session)
        return {"session": session.describe(STARTING)}

    def create_streaming_session_stream(self, request: Members, caller: str) -> Members:
        session = self._session(request)
        earlier = self._earlier("CreateStreamingSessionStream", request)
        if earlier:
            return {"stream": earlier.describe_with_url()}
        state = session.progress.value.state
        if state.endswith("_IN_PROGRESS"):
            raise NimbleError("ConflictException", f"The session {session.id} is {state}.", sessionId=session.id)
        if state != "READY":
            message = f"The session {session.id} is {state}; only a READY session can be streamed."
            raise NimbleError("ValidationException", message, sessionId=session.id)
        created = now()
        stream = Stream(
            id=uuid.uuid4().hex,
            session=session,
            progress=Progress(CREATING, session.stream_outcome, settings.stream_creating_seconds),
            created=created,
            expires=created + request.get("expirationInSeconds", DEFAULT_EXPIRATION),
            created_by=caller,
            owned_by=session.owned_by,
            client_token=request.get("clientToken"),
        )
        self.streams[stream.id] = stream
        self._remember("CreateStreamingSessionStream", request, stream)
        return {"stream": stream.describe(CREATING)}

    def get_streaming_session_stream(self, request: Members, caller: str) -> Members:
        session = self._session(request)
        stream = self.streams.get(request["streamId"])
        if stream is None or stream.session is not session:
            raise _not_found("stream", request["streamId"])
        return {"stream": stream.describe_with_url()}

    # Client tokens

    def _earlier(self, operation: str, request: Members) -> Any:
        """What the request's token made before, if it was used before; ValidationException if for something else."""
        use = self.tokens.get((operation, request.get("clientToken", "")))
        window = settings.client_token_window_seconds
        if use is None or (window is not None and now() - use.at >= window):
            return None
        if use.members != request:
            message = "The client token was used before with other parameters."
            raise NimbleError("ValidationException", message, member="clientToken")
        return use.made

    def _remember(self, operation: str, request: Members, made: Session | Stream) -> None:
        if "clientToken" in request:
            self.tokens[operation, request["clientToken"]] = Use(request, made, now())

    def remove_stream(self, stream: Stream) -> None:
        """Remove a stream and its token, as if it had never been."""
        stream.removed = True
        del self.streams[stream.id]
        self.tokens = {key: use for key, use in self.tokens.items() if use.made is not stream}

    # Lookups

    def arn(self, kind: str, name: str) -> str:
        return f"arn:{self.partition}:nimble:{self.region_name}:{self.account_id}:{kind}/{name}"

    def _studio(self, request: Members) -> Studio:
        studio = self.studios.get(request["studioId"])
        if studio is None:
            raise _not_found("studio", request["studioId"])
        return studio

    def _session(self, request: Members) -> Session:
        session = self._studio(request).sessions.get(request["sessionId"])
        if session is None:
            raise _not_found("session", request["sessionId"])
        return session


def timestamp(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _not_found(kind: str, name: str) -> NimbleError:
    return NimbleError("ResourceNotFoundException", f"The {kind} {name} was not found.", **{f"{kind}Id": name})


def _page(query: list[Any], items: list[Any], request: Members) -> tuple[list[Any], Members]:
    """One page of ``items`` and, if there are more, the reply's nextToken, which fits the same query only."""
    issued_for, start = query, 0
    if "nextToken" in request:
        try:
            issued_for, start = json.loads(base64.urlsafe_b64decode(request["nextToken"]))
        except (TypeError, ValueError):
            issued_for = None
    if issued_for != query:
        raise NimbleError("ValidationException", "nextToken is not valid.", member="nextToken")
    end = start + settings.page_size
    token = base64.urlsafe_b64encode(json.dumps([query, end]).encode()).decode()
    return items[start:end], {"nextToken": token} if end < len(items) else {}


nimble_backends: BackendDict[NimbleBackend] = BackendDict(
    NimbleBackend, "nimble", use_boto3_regions=False, additional_regions=REGIONS
)
