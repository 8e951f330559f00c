# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Nimble Studio: calls, the client, and the check before the first stream.

AWS has closed this API; other endpoints may implement it. Source: the service model of botocore 1.35.47.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

from .._client import AWS_DOMAINS, build_client, endpoint_host
from .._errors import InvalidResponse, NotReady
from .._module import LabstreamAWSModule
from .._service_errors import call, get_member, list_all
from .._time import round_down
from .._urls import validate_issued_url
from .errors import AnsibleNimbleError, NimbleErrorHandler
from .service_loader import ServiceLoader
from .service_model import SERVICE_DESCRIPTION
from .states import READY, Stream

SERVICE = "nimble"

PROBE_TIMEOUT = 5

CONFLICT = "ConflictException"


@NimbleErrorHandler.list_error_handler("get the studio")
def get_studio_arn(client: Any, studio_id: str) -> str | None:
    """Return the ARN of the studio (GetStudio), None if it does not exist."""
    return get_member(get_member(call(client.get_studio, studioId=studio_id), "studio"), "arn")


@NimbleErrorHandler.list_error_handler("get the session")
def get_streaming_session(client: Any, studio_id: str, session_id: str) -> dict[str, Any] | None:
    """Return the session (GetStreamingSession), or None."""
    return _parse_session(call(client.get_streaming_session, studioId=studio_id, sessionId=session_id))


@NimbleErrorHandler.common_error_handler("list the sessions of the studio")
def list_streaming_sessions(client: Any, studio_id: str, **selection: str) -> list[dict[str, Any]]:
    """Return the sessions of the studio (ListStreamingSessions), or those of ``ownedBy`` or ``createdBy``."""
    sessions = list_all(client, "list_streaming_sessions", "sessions", studioId=studio_id, **selection)
    return [_validate_session(session) for session in sessions]


@NimbleErrorHandler.common_error_handler("start the session")
def start_streaming_session(client: Any, studio_id: str, session_id: str) -> dict[str, Any]:
    """Start the session, and return it as it is then (StartStreamingSession)."""
    return _parse_session(call(client.start_streaming_session, studioId=studio_id, sessionId=session_id))


@NimbleErrorHandler.common_error_handler("create a stream")
def create_streaming_session_stream(client: Any, **parameters: Any) -> Stream:
    """Create a stream, which in general is not READY yet (CreateStreamingSessionStream).

    Args:
        client: A client of Nimble Studio.
        parameters: ``studioId``, ``sessionId``, ``clientToken`` and ``expirationInSeconds``.
    """
    return _parse_stream(call(client.create_streaming_session_stream, **parameters))


@NimbleErrorHandler.list_error_handler("get the stream")
def get_streaming_session_stream(client: Any, studio_id: str, session_id: str, stream_id: str) -> Stream | None:
    """Return the stream (GetStreamingSessionStream), or None."""
    operation = client.get_streaming_session_stream
    stream = _parse_stream(call(operation, studioId=studio_id, sessionId=session_id, streamId=stream_id))
    if stream.stream_id != stream_id:
        raise InvalidResponse("another streamId")
    return stream


def _parse_session(response: dict[str, Any]) -> dict[str, Any]:
    return _validate_session(get_member(response, "session"))


def _validate_session(session: dict[str, Any]) -> dict[str, Any]:
    get_member(session, "sessionId")
    get_member(session, "state")
    return session


def _parse_stream(response: dict[str, Any]) -> Stream:
    described = get_member(response, "stream")
    state = get_member(described, "state")
    url = described.get("url") if state == READY else None
    if url:
        validate_issued_url(url)
    return Stream(
        stream_id=get_member(described, "streamId"),
        state=state,
        status_code=described.get("statusCode"),
        url=url or None,
        created_at=_find_datetime(described, "createdAt"),
        created_by=described.get("createdBy"),
        expires_at=_find_datetime(described, "expiresAt"),
        owned_by=described.get("ownedBy"),
    )


def _find_datetime(described: dict[str, Any], member: str) -> datetime | None:
    return round_down(described[member]) if described.get(member) else None


def build_nimble_client(module: LabstreamAWSModule, studio_id: str, concurrency: int) -> Any:
    """Build a client of an endpoint that implements the API. AWS's own is tried once first, since AWS has closed it.

    Args:
        module: The module, for its connection options.
        studio_id: The studio that AWS's own endpoint is asked for.
        concurrency: The number of connections that are kept.

    Raises:
        NotReady: AWS's own endpoint did not answer.
        InvalidOption: a connection option is not valid.
    """
    build_loader = partial(ServiceLoader, SERVICE, SERVICE_DESCRIPTION)
    client = build_client(module, SERVICE, concurrency, build_loader=build_loader)
    if endpoint_host(client).partition(":")[0].endswith(AWS_DOMAINS):
        probe = build_client(module, SERVICE, 1, build_loader=build_loader, attempts=1, timeout=PROBE_TIMEOUT)
        try:
            get_studio_arn(probe, studio_id)
        except AnsibleNimbleError as e:
            raise NotReady(  # pylint: disable=bad-exception-cause
                "AWS has closed the API of Nimble Studio (cloud studios ended in June 2024), and calling "
                f"{endpoint_host(client)} failed ({str(e).rstrip('.')}): set endpoint_url to an endpoint that "
                "implements this API, or move the lab to labstream.aws.appstream_streaming_url."
            ) from e
    return client


def missing_studio(client: Any, studio_id: str) -> NotReady:
    """Return the error for a studio that does not exist."""
    return NotReady(
        f"Studio {studio_id!r} does not exist in region {client.meta.region_name}: check studio_id, region and "
        "endpoint_url, and that the credentials belong to the right account."
    )


def missing_session(studio_id: str, session_id: str) -> NotReady:
    """Return the error for a session that does not exist."""
    return NotReady(f"Session {session_id!r} does not exist in studio {studio_id!r}: check both ids.")
