# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The states of stream URLs, and what they mean. Pure: knows neither AWS nor Ansible.

Source: the service model of botocore 1.44.8 (StreamUrlStatus, StreamUrlStatusReason).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

ACTIVE = "ACTIVE"
EXPIRED = "EXPIRED"
REVOKED = "REVOKED"
LIMIT_REACHED = "LIMIT_REACHED"
# A session in one of these has ended, or will at once.
ENDED_SESSION = frozenset({"TERMINATING", "TERMINATED", "ERROR"})

# What the reasons of REVOKED stand for, and the two statuses that come without one.
_REASONS = {
    "userRevoked": "somebody revoked it",
    "revokedAndTerminatingSessions": "somebody revoked it, and its sessions are being terminated",
    "revokedAndSessionsTerminated": "somebody revoked it, and its sessions were terminated",
    "streamGroupDeleted": "its stream group was deleted",
    "applicationDeleted": "its application was deleted",
    EXPIRED: "its time is over",
    LIMIT_REACHED: "all of its uses are gone",
}


@dataclass(frozen=True)
class StreamUrl:
    """A stream URL, as the service describes it.

    Attributes:
        stream_url_id: Its id.
        status: ACTIVE, EXPIRED, REVOKED or LIMIT_REACHED.
        status_reason: Why it is REVOKED.
        url: The URL, which is a password; None unless it is ACTIVE.
        expires_at: When it expires, in UTC.
        created_at: When it was created, in UTC.
        usage_limit: How many stream sessions it can start in all.
        remaining_uses: How many more.
        session_length: How long such a session may last, in seconds.
        description: Its label.
        application_arn: The application that it opens.
        settings: What else it opens, by the names of the response; what ListStreamUrls does not say is missing.
        stream_sessions: The sessions that it started, as GetStreamUrl describes them; None from other operations.
    """

    stream_url_id: str
    status: str
    expires_at: datetime
    remaining_uses: int
    status_reason: str | None = None
    url: str | None = field(default=None, repr=False)
    created_at: datetime | None = None
    usage_limit: int | None = None
    session_length: int | None = None
    description: str | None = None
    application_arn: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    stream_sessions: Sequence[Mapping[str, Any]] | None = None

    @property
    def sessions(self) -> int | None:
        """How many sessions it has started: each use starts one."""
        return None if self.usage_limit is None else max(self.usage_limit - self.remaining_uses, 0)


def describe_status(status: str, status_reason: str | None) -> str:
    """Return a status and its reason, such as ``REVOKED (userRevoked: somebody revoked it)``."""
    reason = _REASONS.get(status_reason or status)
    if status_reason:
        return f"{status} ({status_reason}: {reason})" if reason else f"{status} ({status_reason})"
    return f"{status} ({reason})" if reason else status
