# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stream groups with their locations, stream URLs and stream sessions, as the service describes them.

Times on the wire are numbers, in seconds since the epoch. What the service's documentation leaves open is a guess that
README.md lists.
"""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass, field
from typing import Any

from tests.simulator.progress import Progress
from tests.simulator.settings import now

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


def new_id(prefix: str = "") -> str:
    letters = string.ascii_letters + string.digits
    return prefix + "".join(secrets.choice(letters) for _number in range(9))


@dataclass
class Location:
    """A location of a stream group. ``allocated`` is what tests have set, if they have; else it follows the demand."""

    name: str
    status: str = "ACTIVE"
    always_on: int = 0
    target_idle: int = 0
    maximum: int = 0
    allocated: int | None = None
    settled: Progress[bool] = field(default_factory=lambda: Progress(True))  # whether the capacity follows already
    allocated_before: int = 0  # until it does
    vpc: Members | None = None

    def allocate(self, streaming: int) -> int:
        """The capacity that is allocated while so many sessions run."""
        if self.allocated is not None:
            return self.allocated
        if not self.settled.value:
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
class StreamGroup:
    id: str
    arn: str
    stream_class: str = "gen5n_win2022"
    description: str | None = None
    status_reason: str | None = None
    progress: Progress[str] = field(default_factory=lambda: Progress("ACTIVE"))
    update_outcome: str = "ACTIVE"  # the status that an update comes to
    locations: dict[str, Location] = field(default_factory=dict)
    applications: list[str] = field(default_factory=list)  # ARNs
    default_application: str | None = None
    created: float = field(default_factory=now)
    updated: float = field(default_factory=now)
    expires: float = field(default_factory=lambda: now() + YEAR)

    @property
    def status(self) -> str:
        return "EXPIRED" if now() >= self.expires else self.progress.value

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
class StreamSession:
    """A session, which ends by itself when its time is up."""

    id: str
    arn: str
    group_id: str
    url_id: str
    application_arn: str
    location: str
    length: int
    configuration: Members  # what the URL was created with
    progress: Progress[str]
    created: float = field(default_factory=now)
    reason: str | None = None
    changed: float = 0  # when it was told to end, or was changed by a test

    @property
    def _timed_out(self) -> bool:
        return self.reason is None and self.progress.value not in ENDED and now() >= self.created + self.length

    @property
    def status(self) -> str:
        return "TERMINATED" if self._timed_out else self.progress.value

    @property
    def running(self) -> bool:
        return self.status not in ENDED

    def end(self, reason: str, seconds: float) -> None:
        self.progress, self.reason, self.changed = Progress("TERMINATING", "TERMINATED", seconds), reason, now()

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
class StreamUrl:
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
    url: str = ""
    created: float = field(default_factory=now)
    remaining: int = 0
    revocation: Progress[str] | None = None  # the reason, which changes when the sessions have ended

    def __post_init__(self) -> None:
        self.remaining = self.usage_limit

    @property
    def status(self) -> str:
        if self.revocation:
            return "REVOKED"
        if not self.remaining:
            return "LIMIT_REACHED"
        return "EXPIRED" if now() >= self.expires else "ACTIVE"

    def summarize(self) -> Members:
        return _given(
            Arn=self.arn,
            StreamUrlId=self.id,
            StreamUrl=self.url,
            Status=self.status,
            StatusReason=self.revocation.value if self.revocation else None,
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
