# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GameLiftStreamsBackend class with methods for supported APIs.

Each operation is a method that takes the request's members and returns the reply's; times are seconds since the epoch.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from moto.core.base_backend import BackendDict, BaseBackend
from moto.core.common_models import BaseModel
from moto.core.exceptions import InvalidToken
from moto.core.utils import unix_time
from moto.moto_api import state_manager

# moto's own backends import these from there: there is no public place.
from moto.moto_api._internal import mock_random
from moto.moto_api._internal.managed_state_model import ManagedState
from moto.utilities.paginator import Paginator

from .exceptions import ConflictException, ResourceNotFoundException, ValidationException

Members = dict[str, Any]

YEAR = 365 * 86_400
DEFAULT_SESSION_LENGTH = 43_200
# How many streams share one instance, of the stream classes in which any do.
TENANCIES = {
    "gen4n_high": 2,
    "gen5n_high": 2,
    "gen6n_high": 2,
    "gen6n_medium": 4,
    "gen6n_small": 12,
}
# The statuses of a group whose ACTIVE locations host sessions.
HOSTING = ("ACTIVE", "ACTIVE_WITH_ERRORS", "UPDATING_LOCATIONS")
# The statuses of a session that holds capacity no more.
ENDED = ("TERMINATED", "ERROR")
MAX_PIXELS = 1920 * 1080
# What the sessions of a URL are started with.
CONFIGURATION = (
    "AdditionalEnvironmentVariables",
    "AdditionalLaunchArgs",
    "Description",
    "DisplayConfiguration",
    "RoleArn",
)


def new_id(prefix: str = "") -> str:
    return prefix + mock_random.get_random_string(9, include_digits=True)


@dataclass
class Location(BaseModel):
    """A location of a stream group. ``allocated`` is what tests have set, if they have; else it follows the demand."""

    name: str
    status: str = "ACTIVE"
    always_on: int = 0
    target_idle: int = 0
    maximum: int = 0
    allocated: int | None = None
    update: ManagedState | None = None  # while it is UPDATING, the capacity stays as it was before
    allocated_before: int = 0
    vpc: Members | None = None

    def allocate(self, streaming: int) -> int:
        """The capacity that is allocated while so many sessions run."""
        if self.allocated is not None:
            return self.allocated
        if self.update and self.update.status == "UPDATING":
            return max(self.allocated_before, streaming)
        return max(self.always_on, min(self.maximum, streaming + self.target_idle))

    def room(self, streaming: int) -> bool:
        """Whether one more session finds a place. The service takes capacity up to the maximum when it is needed."""
        if self.status != "ACTIVE":
            return False
        return streaming < (max(self.always_on, self.maximum) if self.allocated is None else self.allocated)

    def describe(self, streaming: int) -> Members:
        allocated = self.allocate(streaming)
        described = {
            "LocationName": self.name,
            "Status": self.status,
            "AlwaysOnCapacity": self.always_on,
            "OnDemandCapacity": max(self.maximum - self.always_on, 0),
            "TargetIdleCapacity": self.target_idle,
            "MaximumCapacity": self.maximum,
            "RequestedCapacity": self.always_on,
            "AllocatedCapacity": allocated,
            "IdleCapacity": max(allocated - streaming, 0),
        }
        if self.vpc:
            described["VpcTransitConfiguration"] = {**self.vpc, "TransitGatewayId": f"tgw-{self.name}"}
        return described


@dataclass
class StreamGroup(BaseModel):
    id: str
    arn: str
    progress: ManagedState
    created: float
    clock: Callable[[], float] = unix_time
    stream_class: str = "gen5n_win2022"
    description: str | None = None
    status_reason: str | None = None
    update_outcome: str = "ACTIVE"  # the status that an update comes to
    locations: dict[str, Location] = field(default_factory=dict)
    applications: list[str] = field(default_factory=list)  # ARNs
    default_application: str | None = None
    updated: float = field(init=False)
    expires: float = field(init=False)

    def __post_init__(self) -> None:
        self.updated, self.expires = self.created, self.created + YEAR

    @property
    def status(self) -> str:
        return "EXPIRED" if self.clock() >= self.expires else self.progress.status or ""

    @property
    def tenancy(self) -> int:
        return TENANCIES.get(self.stream_class, 1)

    def summarize(self, status: str | None = None) -> Members:
        default = self.default_application
        return _given(
            Arn=self.arn,
            Id=self.id,
            Description=self.description,
            DefaultApplication={"Id": default.rpartition("/")[2], "Arn": default} if default else None,
            StreamClass=self.stream_class,
            Status=status or self.status,
            CreatedAt=self.created,
            LastUpdatedAt=self.updated,
            ExpiresAt=self.expires,
        )

    def describe(self, streaming: dict[str, int], status: str | None = None) -> Members:
        """The whole description; ``streaming`` is the number of sessions by location."""
        return {
            **self.summarize(status),
            **_given(StatusReason=self.status_reason),
            "LocationStates": [one.describe(streaming.get(one.name, 0)) for one in self.locations.values()],
            "AssociatedApplications": list(self.applications),
        }


@dataclass
class StreamSession(BaseModel):
    """A session, which ends by itself when its time is up."""

    id: str
    arn: str
    group_id: str
    url_id: str
    application_arn: str
    location: str
    length: int
    configuration: Members  # what the URL was created with
    progress: ManagedState
    created: float
    clock: Callable[[], float] = unix_time
    reason: str | None = None
    changed: float = 0  # when it was told to end, or was changed by a test

    @property
    def _timed_out(self) -> bool:
        return self.reason is None and self.progress.status not in ENDED and self.clock() >= self.created + self.length

    @property
    def status(self) -> str:
        return "TERMINATED" if self._timed_out else self.progress.status or ""

    @property
    def running(self) -> bool:
        return self.status not in ENDED

    def end(self, progress: ManagedState) -> None:
        self.progress, self.reason, self.changed = progress, "apiTerminated", self.clock()

    def summarize(self) -> Members:
        timed_out = self._timed_out
        updated = self.created + self.length if timed_out else max(self.created, self.changed)
        return _given(
            Arn=self.arn,
            Status=self.status,
            StatusReason="maxSessionLengthTimeout" if timed_out else self.reason,
            Protocol="WebRTC",
            Location=self.location,
            ApplicationArn=self.application_arn,
            RoleArn=self.configuration.get("RoleArn"),
            CreatedAt=self.created,
            LastUpdatedAt=updated,
        )

    def describe(self) -> Members:
        summary = self.summarize()
        return {
            **summary,
            "StreamGroupId": self.group_id,
            "SessionLengthSeconds": self.length,
            "StreamingStartedAt": self.created,
            **{name: value for name, value in self.configuration.items() if name != "Description"},
            **({} if self.running else {"StreamingEndedAt": summary["LastUpdatedAt"]}),
        }


@dataclass
class StreamUrl(BaseModel):
    """A URL and its uses; ``configuration`` are the members that its sessions are started with."""

    id: str
    arn: str
    group_id: str
    group_arn: str
    application_arn: str
    locations: list[str]
    usage_limit: int
    session_length: int
    expires: float
    configuration: Members
    client_token: str | None
    created: float
    clock: Callable[[], float] = unix_time
    url: str = ""
    remaining: int = 0
    revocation: ManagedState | None = None  # the reason, which changes when the sessions have ended

    def __post_init__(self) -> None:
        self.remaining = self.usage_limit

    @property
    def status(self) -> str:
        if self.revocation:
            return "REVOKED"
        if not self.remaining:
            return "LIMIT_REACHED"
        return "EXPIRED" if self.clock() >= self.expires else "ACTIVE"

    def summarize(self) -> Members:
        return _given(
            Arn=self.arn,
            StreamUrlId=self.id,
            StreamUrl=self.url,
            Status=self.status,
            StatusReason=self.revocation.status if self.revocation else None,
            ExpiresAt=self.expires,
            CreatedAt=self.created,
            UsageLimit=self.usage_limit,
            RemainingUses=self.remaining,
            StreamGroupArn=self.group_arn,
            ApplicationArn=self.application_arn,
            SessionLengthSeconds=self.session_length,
            Description=self.configuration.get("Description"),
        )

    def describe(self) -> Members:
        return {**self.summarize(), "Protocol": "WebRTC", "Locations": list(self.locations), **self.configuration}


def _given(**members: Any) -> Members:
    return {name: value for name, value in members.items() if value is not None}


class Use(NamedTuple):
    """A client token as it was used: the request's members, the reply to it, and when (epoch seconds)."""

    request: Members
    reply: Members
    at: float


class GameLiftStreamsBackend(BaseBackend):
    """The service in one account and region."""

    clock = staticmethod(unix_time)
    client_token_window: float | None = None  # how many seconds a client token is remembered; None: always
    default_page_size = 100

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        for model in ("location", "stream_group", "stream_session", "stream_url"):
            state_manager.register_default_transition(f"gameliftstreams::{model}", {"progression": "immediate"})
        self.applications: dict[str, str] = {}  # ARN by id
        self.groups: dict[str, StreamGroup] = {}
        self.stream_urls: dict[str, StreamUrl] = {}
        self.sessions: dict[str, StreamSession] = {}
        self.tokens: dict[str, Use] = {}

    # Stream URLs

    def create_stream_url(self, request: Members) -> Members:
        token = request.get("ClientToken")
        use = self._use(token)
        if use:
            if use.request != request:
                raise ConflictException("The client token was used before with other parameters.")
            return use.reply
        url = self._new_url(request)
        url.url = self.issue_url(url)
        self.stream_urls[url.id] = url
        reply = url.describe()
        if token:
            self.tokens[token] = Use(request, reply, self.clock())
        return reply

    def get_stream_url(self, request: Members) -> Members:
        url = self._url(request)
        started = [session.summarize() for session in self.sessions.values() if session.url_id == url.id]
        return {**url.describe(), "StreamSessions": started}

    def list_stream_urls(self, request: Members) -> Members:
        urls = list(self.stream_urls.values())
        if "StreamGroupIdentifier" in request:
            group_id = self._id("streamgroup", request["StreamGroupIdentifier"])
            urls = [url for url in urls if url.group_id == group_id]
        if "Status" in request:
            urls = [url for url in urls if url.status == request["Status"]]
        return self.paginate("ListStreamUrls", [url.summarize() for url in urls], request)

    def revoke_stream_url(self, request: Members) -> Members:
        url = self._url(request)
        if request.get("RevocationMode") == "REVOKE_AND_TERMINATE_SESSIONS":
            running = [session for session in self.sessions.values() if session.url_id == url.id and session.running]
            for session in running:
                session.end(self.transition("stream_session", "TERMINATING", "TERMINATED"))
            ended = "revokedAndSessionsTerminated"
            terminating = "revokedAndTerminatingSessions" if running else ended
            url.revocation = self.transition("stream_url", terminating, ended)
        elif not url.revocation:
            url.revocation = self.transition("stream_url", "userRevoked")
        return {}

    def _new_url(self, request: Members) -> StreamUrl:
        group = self._group(request["Identifier"])
        if group.status not in HOSTING:
            raise ConflictException(f"The stream group {group.id} is {group.status}.")
        application = self._application(request["ApplicationIdentifier"])
        if application not in group.applications:
            raise ValidationException(
                f"The application {application} is not associated with the stream group {group.id}."
            )
        for location in request["Locations"]:
            if location not in group.locations:
                raise ValidationException(f"The stream group {group.id} has no location {location}.")
        resolution = request.get("DisplayConfiguration", {}).get("Resolution")
        if resolution:
            _validate_resolution(resolution["Width"], resolution["Height"])
        url_id, created = new_id("su-"), self.clock()
        return StreamUrl(
            id=url_id,
            arn=self.arn("streamurl", f"{group.id}/{url_id}"),
            group_id=group.id,
            group_arn=group.arn,
            application_arn=application,
            locations=request["Locations"],
            usage_limit=request.get("UsageLimit", 1),
            session_length=request.get("SessionLengthSeconds", DEFAULT_SESSION_LENGTH),
            created=created,
            clock=self.clock,
            expires=created + request["UrlExpiresAfterMinutes"] * 60,
            configuration={name: request[name] for name in CONFIGURATION if name in request},
            client_token=request.get("ClientToken"),
        )

    def _use(self, token: str | None) -> Use | None:
        """How the token was used before, if it was and the service still knows it."""
        use = self.tokens.get(token or "")
        window = self.client_token_window
        return None if use is None or (window is not None and self.clock() - use.at >= window) else use

    def issue_url(self, url: StreamUrl) -> str:
        secret = mock_random.token_urlsafe(48)
        return f"https://{self.region_name}.gameliftstreams.aws.dev/{url.id}/stream?token={secret}"

    # Stream sessions

    def find_location(self, url: StreamUrl) -> str | None:
        """The first of the URL's locations that has room for a session."""
        locations, streaming = self.groups[url.group_id].locations, self.streaming(url.group_id)
        return next((name for name in url.locations if locations[name].room(streaming[name])), None)

    def start_session(self, url: StreamUrl, location: str) -> StreamSession:
        """Start a session. No operation does: it happens when a URL is opened."""
        url.remaining -= 1
        session_id = new_id()
        session = StreamSession(
            id=session_id,
            arn=self.arn("streamsession", f"{url.group_id}/{session_id}"),
            group_id=url.group_id,
            url_id=url.id,
            application_arn=url.application_arn,
            location=location,
            length=url.session_length,
            configuration=copy.deepcopy(url.configuration),
            progress=self.transition("stream_session", "ACTIVATING", "CONNECTED"),
            created=self.clock(),
            clock=self.clock,
        )
        self.sessions[session.id] = session
        return session

    def list_stream_sessions(self, request: Members) -> Members:
        group = self._group(request["Identifier"])
        sessions = [session.summarize() for session in self.sessions.values() if session.group_id == group.id]
        sessions = [session for session in sessions if request.get("Status") in (None, session["Status"])]
        return self.paginate("ListStreamSessions", [] if "ExportFilesStatus" in request else sessions, request)

    def get_stream_session(self, request: Members) -> Members:
        session = self._session(request)
        session.progress.advance()
        return session.describe()

    def terminate_stream_session(self, request: Members) -> Members:
        session = self._session(request)
        if session.status == "ACTIVATING":
            raise ValidationException(f"The stream session {session.id} is ACTIVATING.")
        if session.status not in ("TERMINATING", "TERMINATED", "ERROR"):
            session.end(self.transition("stream_session", "TERMINATING", "TERMINATED"))
        return {}

    # Applications

    def create_application(self, request: Members) -> Members:
        application_id, created = new_id("a-"), self.clock()
        arn = self.applications[application_id] = self.arn("application", application_id)
        described = {name: value for name, value in request.items() if name not in ("ClientToken", "Tags")}
        facts = {"Id": application_id, "Arn": arn, "Status": "READY", "CreatedAt": created, "LastUpdatedAt": created}
        return {**described, **facts}

    def delete_application(self, request: Members) -> Members:
        arn = self._application(request["Identifier"])
        del self.applications[arn.rpartition("/")[2]]
        for group in self.groups.values():
            group.applications = [one for one in group.applications if one != arn]
            group.default_application = None if group.default_application == arn else group.default_application
        self._revoke([url for url in self.stream_urls.values() if url.application_arn == arn], "applicationDeleted")
        return {}

    # Stream groups

    def create_stream_group(self, request: Members) -> Members:
        group = self.new_group(new_id("sg-"))
        group.progress = self.transition("stream_group", "ACTIVATING", "ACTIVE")
        group.description, group.stream_class = request["Description"], request["StreamClass"]
        if "DefaultApplicationIdentifier" in request:
            group.default_application = self._application(request["DefaultApplicationIdentifier"])
            group.applications = [group.default_application]
        for configuration in request.get("LocationConfigurations", []):
            name = configuration["LocationName"]
            group.locations[name] = Location(name)
            group.locations[name] = self._configured(group, configuration)
            group.locations[name].update = None  # there is nothing that it had before
        self.groups[group.id] = group
        return group.describe({}, "ACTIVATING")

    def new_group(self, group_id: str) -> StreamGroup:
        active = self.transition("stream_group", "ACTIVE")
        return StreamGroup(group_id, self.arn("streamgroup", group_id), active, self.clock(), self.clock)

    def delete_stream_group(self, request: Members) -> Members:
        group = self._group(request["Identifier"])
        del self.groups[group.id]
        self._revoke([url for url in self.stream_urls.values() if url.group_id == group.id], "streamGroupDeleted")
        return {}

    def get_stream_group(self, request: Members) -> Members:
        group = self._group(request["Identifier"])
        group.progress.advance()
        return group.describe(self.streaming(group.id))

    def list_stream_groups(self, request: Members) -> Members:
        return self.paginate("ListStreamGroups", [group.summarize() for group in self.groups.values()], request)

    def update_stream_group(self, request: Members) -> Members:
        group = self._group(request["Identifier"])
        if group.status != "ACTIVE":
            raise ConflictException(
                f"The stream group {group.id} is {group.status}; only an ACTIVE one can be updated."
            )
        configurations = request.get("LocationConfigurations", [])
        changed = [self._configured(group, configuration) for configuration in configurations]
        if len({location.name for location in changed}) < len(changed):
            raise ValidationException("A location is given more than once.")
        if "DefaultApplicationIdentifier" in request:
            application = self._application(request["DefaultApplicationIdentifier"])
            if application not in group.applications:
                raise ValidationException(
                    f"The application {application} is not associated with the stream group {group.id}."
                )
            group.default_application = application
        group.description = request.get("Description", group.description)
        group.locations |= {location.name: location for location in changed}
        group.updated = self.clock()
        streaming = self.streaming(group.id)
        if not changed:
            return group.describe(streaming)
        group.progress = self.transition("stream_group", "UPDATING_LOCATIONS", group.update_outcome)
        return group.describe(streaming, "UPDATING_LOCATIONS")

    def _configured(self, group: StreamGroup, configuration: Members) -> Location:
        """The location as it will be; what is not given gets the service's default, not what it was."""
        name = configuration["LocationName"]
        location = group.locations.get(name)
        if location is None:
            raise ValidationException(f"The stream group {group.id} has no location {name}.")
        if location.status != "ACTIVE":
            raise ConflictException(f"The location {name} is {location.status}.")
        on_demand = configuration.get("OnDemandCapacity")
        if on_demand is not None and configuration.keys() & {"MaximumCapacity", "TargetIdleCapacity"}:
            raise ValidationException("OnDemandCapacity cannot be used with MaximumCapacity or TargetIdleCapacity.")
        always_on = configuration.get("AlwaysOnCapacity", 0)
        target_idle = configuration.get("TargetIdleCapacity", 0)
        maximum = configuration.get("MaximumCapacity", always_on + (on_demand or 0))
        for capacity in (always_on, target_idle, maximum):
            if capacity % group.tenancy:
                tenancy = f"{group.tenancy}, the tenancy of {group.stream_class}"
                raise ValidationException(f"The capacities of {name} must be multiples of {tenancy}, not {capacity}.")
        if max(always_on, target_idle) > maximum:
            raise ValidationException(f"MaximumCapacity of {name} must not be less than its other capacities.")
        vpc = configuration.get("VpcTransitConfiguration", location.vpc)
        if vpc and vpc["VpcId"] != (location.vpc or {}).get("VpcId"):
            raise ValidationException(f"The VPC of the location {name} cannot be changed.")
        return Location(
            name=name,
            always_on=always_on,
            target_idle=target_idle,
            maximum=maximum,
            update=self.transition("location", "UPDATING", "ACTIVE"),
            allocated_before=location.allocate(self.streaming(group.id)[name]),
            vpc=vpc,
        )

    def streaming(self, group_id: str) -> Counter[str]:
        """How many sessions of a group hold capacity, by location."""
        return Counter(one.location for one in self.sessions.values() if one.group_id == group_id and one.running)

    def _revoke(self, urls: list[StreamUrl], reason: str) -> None:
        ids = {url.id for url in urls}
        for url in urls:
            url.revocation = url.revocation or self.transition("stream_url", reason)
        for session in self.sessions.values():
            if session.url_id in ids and session.running:
                session.end(self.transition("stream_session", "TERMINATED"))

    def transition(self, model: str, status: str, then: str | None = None) -> ManagedState:
        """A state, and what becomes of it."""
        return ManagedState(f"gameliftstreams::{model}", [(status, then or status)])

    def paginate(self, operation: str, items: list[Any], request: Members) -> Members:
        """One page of ``items``, and the token for the next if there are more; it fits the same query only."""
        query = {name: value for name, value in request.items() if name not in ("MaxResults", "NextToken")}
        try:
            paginator = Paginator(
                max_results=request.get("MaxResults"),
                max_results_default=self.default_page_size,
                starting_token=request.get("NextToken"),
                unique_attribute="number",
                param_values_to_check=[operation, query],
            )
        except (AttributeError, InvalidToken) as reason:  # AttributeError: a token that holds no object
            raise ValidationException("NextToken is not valid.") from reason
        page, token = [], None
        with suppress(InvalidToken):  # the list has become shorter than it was when the token was issued
            page, token = paginator.paginate([{"number": number, "item": item} for number, item in enumerate(items)])
        return {"Items": [one["item"] for one in page], **({"NextToken": token} if token else {})}

    # Lookups

    def arn(self, kind: str, name: str) -> str:
        return f"arn:{self.partition}:gameliftstreams:{self.region_name}:{self.account_id}:{kind}/{name}"

    def _id(self, kind: str, identifier: str) -> str | None:
        """The id in an ARN of this account and region, or the identifier that is no ARN; None for another ARN."""
        if not identifier.startswith("arn:"):
            return identifier
        start = self.arn(kind, "")
        return identifier.removeprefix(start).rpartition("/")[2] if identifier.startswith(start) else None

    def _application(self, identifier: str) -> str:
        application_id = self._id("application", identifier)
        if application_id not in self.applications:
            raise ResourceNotFoundException(f"The application {identifier} was not found.")
        return self.applications[application_id]

    def _group(self, identifier: str) -> StreamGroup:
        group = self.groups.get(self._id("streamgroup", identifier) or "")
        if group is None:
            raise ResourceNotFoundException(f"The stream group {identifier} was not found.")
        return group

    def _url(self, request: Members) -> StreamUrl:
        """The URL, which outlives its stream group."""
        url = self.stream_urls.get(self._id("streamurl", request["StreamUrlIdentifier"]) or "")
        if url is None or url.group_id != self._id("streamgroup", request["Identifier"]):
            raise ResourceNotFoundException(f"The stream URL {request['StreamUrlIdentifier']} was not found.")
        return url

    def _session(self, request: Members) -> StreamSession:
        group = self._group(request["Identifier"])
        session = self.sessions.get(self._id("streamsession", request["StreamSessionIdentifier"]) or "")
        if session is None or session.group_id != group.id:
            raise ResourceNotFoundException(f"The stream session {request['StreamSessionIdentifier']} was not found.")
        return session


def _validate_resolution(width: int, height: int) -> None:
    if width % 2 or height % 2:
        raise ValidationException(f"Width and Height must be even numbers, not {width} and {height}.")
    if width * height > MAX_PIXELS:
        raise ValidationException(f"The resolution must not exceed {MAX_PIXELS} pixels, not {width}x{height}.")


gameliftstreams_backends: BackendDict[GameLiftStreamsBackend] = BackendDict(GameLiftStreamsBackend, "gameliftstreams")
