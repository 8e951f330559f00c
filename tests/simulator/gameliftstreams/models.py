# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GameLift Streams of one account in one region: stream groups, applications, stream URLs and stream sessions.

Each operation is a method that takes the request's members and returns the reply's, both as they are on the wire.
Stream groups and applications have no operations here that make them: ``seeding.py`` does. What the service's
documentation leaves open is a guess that README.md lists.
"""

from __future__ import annotations

import copy
import math
import threading
from collections import Counter
from typing import Any, NamedTuple

from moto.core.base_backend import BackendDict, BaseBackend

from tests.simulator.gameliftstreams.exceptions import conflict, invalid, not_found
from tests.simulator.gameliftstreams.resources import (
    DEFAULT_SESSION_LENGTH,
    HOSTING,
    Location,
    Members,
    StreamGroup,
    StreamSession,
    StreamUrl,
    new_id,
)
from tests.simulator.paging import page
from tests.simulator.progress import Progress
from tests.simulator.settings import now, settings
from tests.simulator.streaming import Page, streaming_urls

OPERATIONS = {
    "CreateStreamUrl",
    "GetStreamGroup",
    "GetStreamSession",
    "GetStreamUrl",
    "ListStreamGroups",
    "ListStreamSessions",
    "ListStreamUrls",
    "RevokeStreamUrl",
    "TerminateStreamSession",
    "UpdateStreamGroup",
}
MAX_PIXELS = 1920 * 1080
# What the sessions of a URL are started with.
CONFIGURATION = (
    "AdditionalEnvironmentVariables",
    "AdditionalLaunchArgs",
    "Description",
    "DisplayConfiguration",
    "RoleArn",
)
DEAD_URLS = {
    "REVOKED": "This stream URL has been revoked",
    "LIMIT_REACHED": "This stream URL has been used as often as it can be",
    "EXPIRED": "This stream URL has expired",
}


class Use(NamedTuple):
    """A client token as it was used: the request's members, the reply to it, and when (epoch seconds)."""

    request: Members
    reply: Members
    at: float


class GameLiftStreamsBackend(BaseBackend):
    """The service in one account and region. Whoever calls a method holds ``lock``."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.lock = threading.RLock()
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
                raise conflict("The client token was used before with other parameters.")
            return use.reply
        url = self._new_url(request)
        url.url = streaming_urls.issue(
            math.inf, lambda: self._open(url), path=f"/{url.id}/stream", parameter="token"
        )  # the URL has an expiry of its own, which a test may move
        self.stream_urls[url.id] = url
        reply = url.describe()
        if token:
            self.tokens[token] = Use(request, reply, now())
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
        return _page("ListStreamUrls", [url.summarize() for url in urls], request)

    def revoke_stream_url(self, request: Members) -> Members:
        url = self._url(request)
        if request.get("RevocationMode") == "REVOKE_AND_TERMINATE_SESSIONS":
            seconds = settings.stream_session_terminating_seconds
            running = [session for session in self.sessions.values() if session.url_id == url.id and session.running]
            for session in running:
                session.end("apiTerminated", seconds)
            ended = "revokedAndSessionsTerminated"
            url.revocation = Progress("revokedAndTerminatingSessions", ended, seconds if running else 0)
        elif not url.revocation:
            url.revocation = Progress("userRevoked")
        return {}

    def _new_url(self, request: Members) -> StreamUrl:
        group = self._group(request["Identifier"])
        if group.status not in HOSTING:
            raise conflict(f"The stream group {group.id} is {group.status}.")
        application = self._application(request["ApplicationIdentifier"])
        if application not in group.applications:
            raise invalid(f"The application {application} is not associated with the stream group {group.id}.")
        for location in request["Locations"]:
            if location not in group.locations:
                raise invalid(f"The stream group {group.id} has no location {location}.")
        resolution = request.get("DisplayConfiguration", {}).get("Resolution")
        if resolution:
            _validate_resolution(resolution["Width"], resolution["Height"])
        url_id, created = new_id("su-"), now()
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
            expires=created + request["UrlExpiresAfterMinutes"] * 60,
            configuration={name: request[name] for name in CONFIGURATION if name in request},
            client_token=request.get("ClientToken"),
        )

    def _use(self, token: str | None) -> Use | None:
        """How the token was used before, if it was and the service still knows it."""
        use = self.tokens.get(token or "")
        window = settings.client_token_window_seconds
        return None if use is None or (window is not None and now() - use.at >= window) else use

    def _open(self, url: StreamUrl) -> Page:
        """A browser opened the URL."""
        with self.lock:
            if url.id not in self.stream_urls:
                return Page(403, "This stream URL is not valid")
            if url.status in DEAD_URLS:
                return Page(403, DEAD_URLS[url.status])
            group = self.groups[url.group_id]
            if group.status not in HOSTING:
                return Page(503, f"Your stream session cannot start: the stream group is {group.status}")
            streaming = self.streaming(group.id)
            places = [name for name in url.locations if group.locations[name].room(streaming[name])]
            if not places:
                return Page(503, "Your stream session cannot start: there is no capacity")
            session = self._start(url, places[0])
            facts = {
                "Session": session.id,
                "Application": url.application_arn.rpartition("/")[2],
                "Location": session.location,
            }
            return Page(200, "Your stream session is running", facts)

    # Stream sessions

    def _start(self, url: StreamUrl, location: str) -> StreamSession:
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
            progress=Progress("ACTIVATING", "CONNECTED", settings.stream_session_activating_seconds),
        )
        self.sessions[session.id] = session
        return session

    def list_stream_sessions(self, request: Members) -> Members:
        group = self._group(request["Identifier"])
        sessions = [session.summarize() for session in self.sessions.values() if session.group_id == group.id]
        sessions = [session for session in sessions if request.get("Status") in (None, session["Status"])]
        return _page("ListStreamSessions", [] if "ExportFilesStatus" in request else sessions, request)

    def get_stream_session(self, request: Members) -> Members:
        return self._session(request).describe()

    def terminate_stream_session(self, request: Members) -> Members:
        session = self._session(request)
        if session.status == "ACTIVATING":
            raise invalid(f"The stream session {session.id} is ACTIVATING.")
        if session.status not in ("TERMINATING", "TERMINATED", "ERROR"):
            session.end("apiTerminated", settings.stream_session_terminating_seconds)
        return {}

    # Stream groups

    def get_stream_group(self, request: Members) -> Members:
        group = self._group(request["Identifier"])
        return group.describe(self.streaming(group.id))

    def list_stream_groups(self, request: Members) -> Members:
        return _page("ListStreamGroups", [group.summarize() for group in self.groups.values()], request)

    def update_stream_group(self, request: Members) -> Members:
        group = self._group(request["Identifier"])
        if group.status != "ACTIVE":
            raise conflict(f"The stream group {group.id} is {group.status}; only an ACTIVE one can be updated.")
        configurations = request.get("LocationConfigurations", [])
        changed = [self._configured(group, configuration) for configuration in configurations]
        if len({location.name for location in changed}) < len(changed):
            raise invalid("A location is given more than once.")
        if "DefaultApplicationIdentifier" in request:
            application = self._application(request["DefaultApplicationIdentifier"])
            if application not in group.applications:
                raise invalid(f"The application {application} is not associated with the stream group {group.id}.")
            group.default_application = application
        group.description = request.get("Description", group.description)
        group.locations |= {location.name: location for location in changed}
        group.updated = now()
        streaming = self.streaming(group.id)
        if not changed:
            return group.describe(streaming)
        seconds = settings.stream_group_updating_seconds
        group.progress = Progress("UPDATING_LOCATIONS", group.update_outcome, seconds)
        return group.describe(streaming, "UPDATING_LOCATIONS")

    def _configured(self, group: StreamGroup, configuration: Members) -> Location:
        """The location as it will be; what is not given gets the service's default, not what it was."""
        name = configuration["LocationName"]
        location = group.locations.get(name)
        if location is None:
            raise invalid(f"The stream group {group.id} has no location {name}.")
        if location.status != "ACTIVE":
            raise conflict(f"The location {name} is {location.status}.")
        on_demand = configuration.get("OnDemandCapacity")
        if on_demand is not None and configuration.keys() & {"MaximumCapacity", "TargetIdleCapacity"}:
            raise invalid("OnDemandCapacity cannot be used with MaximumCapacity or TargetIdleCapacity.")
        always_on = configuration.get("AlwaysOnCapacity", 0)
        target_idle = configuration.get("TargetIdleCapacity", 0)
        maximum = configuration.get("MaximumCapacity", always_on + (on_demand or 0))
        for capacity in (always_on, target_idle, maximum):
            if capacity % group.tenancy:
                tenancy = f"{group.tenancy}, the tenancy of {group.stream_class}"
                raise invalid(f"The capacities of {name} must be multiples of {tenancy}, not {capacity}.")
        if max(always_on, target_idle) > maximum:
            raise invalid(f"MaximumCapacity of {name} must not be less than its other capacities.")
        vpc = configuration.get("VpcTransitConfiguration", location.vpc)
        if vpc and vpc["VpcId"] != (location.vpc or {}).get("VpcId"):
            raise invalid(f"The VPC of the location {name} cannot be changed.")
        return Location(
            name=name,
            always_on=always_on,
            target_idle=target_idle,
            maximum=maximum,
            settled=Progress(False, True, settings.stream_group_updating_seconds),
            allocated_before=location.allocate(self.streaming(group.id)[name]),
            vpc=vpc,
        )

    def streaming(self, group_id: str) -> Counter[str]:
        """How many sessions of a group hold capacity, by location."""
        return Counter(one.location for one in self.sessions.values() if one.group_id == group_id and one.running)

    # What tests do

    def delete_group(self, group: StreamGroup) -> None:
        del self.groups[group.id]
        self._revoke([url for url in self.stream_urls.values() if url.group_id == group.id], "streamGroupDeleted")

    def delete_application(self, application_id: str) -> None:
        arn = self.applications.pop(application_id)
        for group in self.groups.values():
            group.applications = [one for one in group.applications if one != arn]
            group.default_application = None if group.default_application == arn else group.default_application
        self._revoke([url for url in self.stream_urls.values() if url.application_arn == arn], "applicationDeleted")

    def _revoke(self, urls: list[StreamUrl], reason: str) -> None:
        ids = {url.id for url in urls}
        for url in urls:
            url.revocation = url.revocation or Progress(reason)
        for session in self.sessions.values():
            if session.url_id in ids and session.running:
                session.end("apiTerminated", 0)

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
            raise not_found("application", identifier)
        return self.applications[application_id]

    def _group(self, identifier: str) -> StreamGroup:
        group = self.groups.get(self._id("streamgroup", identifier) or "")
        if group is None:
            raise not_found("stream group", identifier)
        return group

    def _url(self, request: Members) -> StreamUrl:
        """The URL, which outlives its stream group."""
        url = self.stream_urls.get(self._id("streamurl", request["StreamUrlIdentifier"]) or "")
        if url is None or url.group_id != self._id("streamgroup", request["Identifier"]):
            raise not_found("stream URL", request["StreamUrlIdentifier"])
        return url

    def _session(self, request: Members) -> StreamSession:
        group = self._group(request["Identifier"])
        session = self.sessions.get(self._id("streamsession", request["StreamSessionIdentifier"]) or "")
        if session is None or session.group_id != group.id:
            raise not_found("stream session", request["StreamSessionIdentifier"])
        return session


def _validate_resolution(width: int, height: int) -> None:
    if width % 2 or height % 2:
        raise invalid(f"Width and Height must be even numbers, not {width} and {height}.")
    if width * height > MAX_PIXELS:
        raise invalid(f"The resolution must not exceed {MAX_PIXELS} pixels, not {width}x{height}.")


def _page(operation: str, items: list[Any], request: Members) -> Members:
    query = [operation, {name: value for name, value in request.items() if name not in ("MaxResults", "NextToken")}]
    try:
        shown, token = page(query, items, request.get("NextToken"), request.get("MaxResults", settings.page_size))
    except ValueError as reason:
        raise invalid(f"NextToken is not valid: {reason}") from reason
    return {"Items": shown, **({"NextToken": token} if token else {})}


gameliftstreams_backends: BackendDict[GameLiftStreamsBackend] = BackendDict(GameLiftStreamsBackend, "gameliftstreams")
