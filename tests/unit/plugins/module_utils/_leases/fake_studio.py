# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A service that creates streams, and a clock that stands still: what the tests of intents ask instead of a network."""

from __future__ import annotations

import dataclasses
import math
import threading
from datetime import datetime, timedelta
from typing import NamedTuple

from ansible_collections.labstream.aws.plugins.module_utils._errors import LabstreamError
from ansible_collections.labstream.aws.plugins.module_utils._leases.lease import Lease, LeaseKey
from ansible_collections.labstream.aws.plugins.module_utils._nimble.states import CREATE_IN_PROGRESS, READY, Stream

from tests.unit.plugins.module_utils.support import after

NEVER = UNLIMITED = math.inf
# What every URL of a stream has in it.
SECRET = "correct-horse-battery-staple"


class Clock:
    """The time of the service and of this machine: it passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return after(int(self.passed))

    def monotonic(self) -> float:
        return self.passed

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.passed += seconds


class Rejected(LabstreamError):
    """The service rejected a call."""

    code = "Refused"


class RejectedToken(Rejected):
    """The service rejected a token that was used with other parameters."""

    code = "ValidationException"


class Created(NamedTuple):
    """What a token has led to."""

    stream_id: str
    client_token: str
    validity: int
    at: float


class Studio:
    """The streams of a studio's sessions.

    The same token gives the same stream for ``window`` seconds. A stream is READY ``ready_after`` seconds after it was
    created, and DELETED when its time is over. Methods that begin like a call are calls, and are noted in ``asked``.
    """

    def __init__(
        self, clock: Clock, *, window: float = UNLIMITED, ready_after: float = 0.0, returns_expiry: bool = True
    ) -> None:
        self.clock, self.window, self.ready_after, self.returns_expiry = clock, window, ready_after, returns_expiry
        self.asked: list[tuple[str, str, str]] = []
        # By the session's id: why it gets no stream.
        self.rejections: dict[str, str] = {}
        # By the stream's id: what it was created with, and as what it ended.
        self.created: dict[str, tuple[str, Created]] = {}
        self.ended: dict[str, tuple[str, str | None] | None] = {}
        self._by_token: dict[tuple[str, str], Created] = {}
        self._lock = threading.Lock()

    @property
    def streams(self) -> list[str]:
        """The ids of all streams that were created, in that order."""
        return list(self.created)

    def of_session(self, session_id: str) -> list[str]:
        """The ids of the session's streams."""
        return [stream_id for stream_id, (session, _created) in self.created.items() if session == session_id]

    def asked_for(self, call: str) -> list[str]:
        """The sessions for which this call was made."""
        return [session for called, session, _argument in self.asked if called == call]

    def end(self, stream_id: str, state: str | None, status_code: str | None = None) -> None:
        """Let a stream be in this state from now on; without a state it is gone."""
        self.ended[stream_id] = (state, status_code) if state else None

    def create(self, session_id: str, client_token: str, validity: int) -> Stream:
        with self._lock:
            self.asked.append(("create", session_id, client_token))
            self._reject(session_id)
            created = self._by_token.get((session_id, client_token))
            if created is None or self.clock.passed - created.at >= self.window:
                created = Created(f"stream-{len(self.created) + 1}", client_token, validity, self.clock.passed)
                self._by_token[session_id, client_token] = created
                self.created[created.stream_id] = (session_id, created)
            if created.validity != validity:
                raise RejectedToken("The token was used with other parameters.")
            # A stream that is gone is described once more as it was.
            return self.described(created.stream_id) or self._with_state(created, "DELETED", "STREAM_DELETED")

    def look_up(self, session_id: str, stream_id: str) -> Stream | None:
        with self._lock:
            self.asked.append(("look_up", session_id, stream_id))
            return self.described(stream_id)

    def check(self, session_id: str) -> None:
        with self._lock:
            self.asked.append(("check", session_id, ""))
            self._reject(session_id)

    def described(self, stream_id: str) -> Stream | None:
        """The stream as it is now; no call."""
        _session_id, created = self.created.get(stream_id, (None, None))
        if created is None:
            return None
        if stream_id in self.ended:
            ending = self.ended[stream_id]
            return self._with_state(created, *ending) if ending else None
        age = self.clock.passed - created.at
        if age >= created.validity:
            return self._with_state(created, "DELETED", "STREAM_DELETED")
        if age < self.ready_after:
            return self._with_state(created, CREATE_IN_PROGRESS, "STREAM_CREATE_IN_PROGRESS")
        return self._with_state(created, READY, "STREAM_READY")

    def _with_state(self, created: Created, state: str | None, status_code: str | None) -> Stream:
        created_at = after(int(created.at))
        return Stream(
            stream_id=created.stream_id,
            state=state,
            status_code=status_code,
            url=f"https://studio.example.org/authenticate?{SECRET}-{created.stream_id}" if state == READY else None,
            created_at=created_at,
            expires_at=created_at + timedelta(seconds=created.validity) if self.returns_expiry else None,
        )

    def _reject(self, session_id: str) -> None:
        if session_id in self.rejections:
            raise Rejected(self.rejections[session_id])


@dataclasses.dataclass(frozen=True)
class StudioCalls:
    """The studio as a run asks it: for streams of one validity."""

    studio: Studio
    validity: int
    token_error_code = "ValidationException"

    def create(self, pending: Lease) -> Stream:
        return self.studio.create(pending.key.holder, str(pending.client_token), self.validity)

    def look_up(self, key: LeaseKey, stream_id: str) -> Stream | None:
        return self.studio.look_up(key.holder, stream_id)

    def check(self, key: LeaseKey) -> None:
        self.studio.check(key.holder)

    def describe(self, key: LeaseKey, resource_id: str) -> str:
        return f"Stream {resource_id!r} of session {key.holder!r}"
