# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The streams of a studio's sessions as resources that leases are for. A lease's holder is a session id."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar

from .._client import identify_endpoint, retry_delays
from .._errors import NotReady
from .._leases.lease import Lease, LeaseKey
from .._leases.scope import Scope
from .api import (
    CONFLICT,
    SERVICE,
    create_streaming_session_stream,
    get_streaming_session,
    get_streaming_session_stream,
    missing_session,
)
from .errors import AnsibleNimbleError
from .states import READY, Stream, session_problem

# An error with one of these codes may come from the state of the session.
_SESSION_CODES = {CONFLICT, "ResourceNotFoundException", "ValidationException"}


@dataclass(frozen=True)
class StudioStreams:
    """The service of a ResourceIssuer."""

    client: Any
    studio_id: str
    expiration_in_seconds: int

    token_error_code: ClassVar[str] = "ValidationException"

    def create(self, pending: Lease) -> Stream:
        """Return a stream for this lease's token. Wait out a conflict while the session is READY.

        Raises:
            NotReady: The session is missing or not READY, as far as that is the reason of the error.
            AnsibleNimbleError: The call failed otherwise.
        """
        delays = retry_delays(self.client)
        while True:
            try:
                return create_streaming_session_stream(
                    self.client,
                    studioId=self.studio_id,
                    sessionId=pending.key.holder,
                    clientToken=pending.client_token,
                    expirationInSeconds=self.expiration_in_seconds,
                )
            except AnsibleNimbleError as e:
                if e.code in _SESSION_CODES:
                    # What goes wrong in asking for the session says less than this error.
                    with suppress(AnsibleNimbleError):
                        self.check(pending.key)
                if e.code != CONFLICT or not delays:
                    raise
            time.sleep(delays.pop(0))

    def look_up(self, key: LeaseKey, resource_id: str) -> Stream | None:
        """Return the stream, or None."""
        return get_streaming_session_stream(self.client, self.studio_id, key.holder, resource_id)

    def check(self, key: LeaseKey) -> None:
        """Reject a session for which no stream can be created now.

        Raises:
            NotReady: Says what is wrong and what to do.
            AnsibleNimbleError: The call failed.
        """
        session = get_streaming_session(self.client, self.studio_id, key.holder)
        if session is None:
            raise missing_session(self.studio_id, key.holder)
        if session["state"] != READY:
            raise NotReady(session_problem(key.holder, session["state"], session.get("statusCode")))

    def describe(self, key: LeaseKey, resource_id: str) -> str:
        """Return the name of a stream at the beginning of a message."""
        return f"Stream {resource_id!r} of session {key.holder!r}"


def build_scope(client: Any, studio_arn: str) -> Scope:
    """Return the scope of a studio's leases."""
    return Scope(SERVICE, identify_endpoint(client), (studio_arn,))
