# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The states of streams and sessions in Nimble Studio, and what they mean. Pure: knows neither AWS nor Ansible.

Source: the service model of botocore 1.35.47 (StreamingSessionState, StreamingSessionStreamState, their StatusCodes).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

READY = "READY"
CREATE_IN_PROGRESS = "CREATE_IN_PROGRESS"
START_IN_PROGRESS = "START_IN_PROGRESS"
STOPPED = "STOPPED"

# The reasons that status codes stand for, as far as they do not repeat the state.
_REASONS = {
    "INTERNAL_ERROR": "the service failed",
    "NETWORK_CONNECTION_ERROR": "the session's instance cannot be reached",
    "STREAM_DELETED": "it was deleted or has expired",
    "STREAM_DELETE_IN_PROGRESS": "it is being deleted or has just expired",
    "INSUFFICIENT_CAPACITY": "AWS has no capacity for this instance type",
    "ACTIVE_DIRECTORY_DOMAIN_JOIN_ERROR": "its instance could not join the domain",
    "INITIALIZATION_SCRIPT_ERROR": "an initialization script of its launch profile failed",
    "DECRYPT_STREAMING_IMAGE_ERROR": "its streaming image could not be decrypted",
    "NETWORK_INTERFACE_ERROR": "its network interface could not be created",
    "AMI_VALIDATION_ERROR": "its streaming image is not valid",
}

_START = (
    "start it (StartStreamingSession by labstream.aws.nimble_session, or nimble_lab_start_sessions of the role "
    "labstream.aws.nimble_lab)"
)

# What to do with a session in this state before a stream can be created.
_SESSION_REMEDIES = {
    CREATE_IN_PROGRESS: "wait until it is READY",
    START_IN_PROGRESS: "wait until it is READY",
    STOPPED: f"{_START}, wait until it is READY",
    "STOP_IN_PROGRESS": f"wait until it is STOPPED, {_START}, wait until it is READY",
    "STOP_FAILED": "stop it again (StopStreamingSession) or replace it",
    "START_FAILED": "fix the cause and start it again (StartStreamingSession), or replace it",
    "CREATE_FAILED": "fix the cause and replace it with a new session (CreateStreamingSession)",
}
_REPLACE = "name another session, or create a new one (CreateStreamingSession)"


@dataclass(frozen=True)
class Stream:
    """A stream of a session, as the service describes it. ``url`` is a password, and None unless it is READY."""

    stream_id: str
    state: str | None
    status_code: str | None = None
    url: str | None = field(default=None, repr=False)
    created_at: datetime | None = None
    created_by: str | None = None
    expires_at: datetime | None = None
    owned_by: str | None = None

    @property
    def resource_id(self) -> str:
        """Its id, as leases have it."""
        return self.stream_id

    @property
    def is_in_progress(self) -> bool:
        """Whether it may become READY, or is READY but still without its URL."""
        return self.state == CREATE_IN_PROGRESS or (self.state == READY and self.url is None)

    @property
    def is_dead(self) -> bool:
        """Whether it neither is READY nor will be."""
        return self.state not in (READY, CREATE_IN_PROGRESS)

    @property
    def status(self) -> str:
        """Its state, for messages."""
        if self.state == READY and self.url is None:
            return "READY without a URL"
        return str(self.state) if self.is_in_progress else describe_state(self.state, self.status_code)


def describe_state(state: str | None, status_code: str | None) -> str:
    """Return a state and its reason, such as ``CREATE_FAILED (INTERNAL_ERROR: the service failed)``."""
    if not status_code:
        return str(state)
    reason = _REASONS.get(status_code)
    return f"{state} ({status_code}: {reason})" if reason else f"{state} ({status_code})"


def session_problem(session_id: str, state: str | None, status_code: str | None) -> str:
    """Return the message about a session that is not READY."""
    remedy = _SESSION_REMEDIES.get(str(state), _REPLACE)
    return f"Session {session_id!r} is {describe_state(state, status_code)}, not READY: {remedy}, then run again."
