# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Amazon GameLift Streams: calls, and the client.

Source: the service model of botocore 1.44.8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timezone
from typing import Any

from .._client import build_client
from .._errors import InvalidResponse, NotReady
from .._module import LabstreamAWSModule
from .._service_errors import call, get_member, list_all
from .._time import round_down
from .._urls import validate_issued_url
from .errors import GameLiftStreamsErrorHandler
from .states import ACTIVE, StreamUrl

SERVICE = "gameliftstreams"

CONFLICT = "ConflictException"

# The first version whose client has the operations of stream URLs.
MIN_BOTOCORE = "1.43.59"

REVOKE_URL = "REVOKE_URL"
REVOKE_AND_TERMINATE_SESSIONS = "REVOKE_AND_TERMINATE_SESSIONS"

# The most that the service returns at once; by default it returns 25.
PAGE_SIZE = 100
PAGES = {"PageSize": PAGE_SIZE}

# The members of a stream URL that say what it opens, and that ListStreamUrls does not return.
SETTINGS = (
    "Locations",
    "AdditionalLaunchArgs",
    "AdditionalEnvironmentVariables",
    "RoleArn",
    "DisplayConfiguration",
)


@GameLiftStreamsErrorHandler.list_error_handler("get the stream group {identifier!r}")
def get_stream_group(client: Any, identifier: str) -> dict[str, Any] | None:
    """Return the stream group (GetStreamGroup), None if it does not exist."""
    return _validate_stream_group(call(client.get_stream_group, Identifier=identifier))


@GameLiftStreamsErrorHandler.common_error_handler("list the stream groups")
def list_stream_groups(client: Any) -> list[dict[str, Any]]:
    """Return the stream groups of the account in the region without their locations (ListStreamGroups, all pages)."""
    return [
        _validate_stream_group(item) for item in list_all(client, "list_stream_groups", "Items", PaginationConfig=PAGES)
    ]


@GameLiftStreamsErrorHandler.common_error_handler("update the stream group {identifier!r}")
def update_stream_group(
    client: Any, identifier: str, location_configurations: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Set the capacity of locations, and return the stream group as it is then (UpdateStreamGroup).

    Args:
        client: A client of GameLift Streams.
        identifier: The stream group.
        location_configurations: The locations, each with every member that it is to keep.
    """
    configurations = [dict(each) for each in location_configurations]
    return _validate_stream_group(
        call(client.update_stream_group, Identifier=identifier, LocationConfigurations=configurations)
    )


@GameLiftStreamsErrorHandler.common_error_handler("create a stream URL")
def create_stream_url(client: Any, **parameters: Any) -> StreamUrl:
    """Create a stream URL (CreateStreamUrl). For a token that was used before, it is returned as it was then.

    Args:
        client: A client of GameLift Streams.
        parameters: ``Identifier``, ``ApplicationIdentifier``, ``Protocol``, ``UrlExpiresAfterMinutes``, ``Locations``
            and ``ClientToken``, and those that the API does not require.
    """
    return _parse_stream_url(call(client.create_stream_url, **parameters))


@GameLiftStreamsErrorHandler.list_error_handler("get the stream URL {stream_url_id!r}")
def get_stream_url(client: Any, stream_group: str, stream_url_id: str) -> StreamUrl | None:
    """Return the stream URL with its sessions (GetStreamUrl), or None."""
    response = call(client.get_stream_url, Identifier=stream_group, StreamUrlIdentifier=stream_url_id)
    stream_url = _parse_stream_url(response, stream_sessions=response.get("StreamSessions") or ())
    if stream_url.stream_url_id != stream_url_id:
        raise InvalidResponse("another StreamUrlId")
    return stream_url


@GameLiftStreamsErrorHandler.common_error_handler("list the stream URLs of the stream group {stream_group!r}")
def list_stream_urls(client: Any, stream_group: str, status: str | None = None) -> list[StreamUrl]:
    """Return the stream URLs of the stream group, or those with that status (ListStreamUrls, all pages).

    They come without settings and sessions.
    """
    selection = {"StreamGroupIdentifier": stream_group, **({"Status": status} if status else {})}
    return [
        _parse_stream_url(item)
        for item in list_all(client, "list_stream_urls", "Items", **selection, PaginationConfig=PAGES)
    ]


@GameLiftStreamsErrorHandler.list_error_handler("revoke the stream URL {stream_url_id!r}", False)
def revoke_stream_url(client: Any, stream_group: str, stream_url_id: str, *, terminate_sessions: bool = False) -> bool:
    """Revoke the stream URL, for good (RevokeStreamUrl). Return whether it exists.

    Args:
        client: A client of GameLift Streams.
        stream_group: Its stream group.
        stream_url_id: Its id.
        terminate_sessions: Whether the sessions that it started are ended too.
    """
    mode = REVOKE_AND_TERMINATE_SESSIONS if terminate_sessions else REVOKE_URL
    call(
        client.revoke_stream_url,
        Identifier=stream_group,
        StreamUrlIdentifier=stream_url_id,
        RevocationMode=mode,
    )
    return True


@GameLiftStreamsErrorHandler.common_error_handler("list the sessions of the stream group {stream_group!r}")
def list_stream_sessions(client: Any, stream_group: str, status: str | None = None) -> list[dict[str, Any]]:
    """Return the sessions of the stream group, or those with that status (ListStreamSessions, all pages)."""
    selection = {"Identifier": stream_group, **({"Status": status} if status else {})}
    return list_all(client, "list_stream_sessions", "Items", **selection, PaginationConfig=PAGES)


@GameLiftStreamsErrorHandler.list_error_handler("terminate the session {stream_session_id!r}", False)
def terminate_stream_session(client: Any, stream_group: str, stream_session_id: str) -> bool:
    """Terminate the session (TerminateStreamSession). Return whether it exists."""
    call(client.terminate_stream_session, Identifier=stream_group, StreamSessionIdentifier=stream_session_id)
    return True


def _validate_stream_group(response: dict[str, Any]) -> dict[str, Any]:
    get_member(response, "Arn")
    get_member(response, "Status")
    return response


def _parse_stream_url(
    described: Mapping[str, Any], stream_sessions: Sequence[Mapping[str, Any]] | None = None
) -> StreamUrl:
    """Return a stream URL of a response: half a response has no StreamUrlId, which botocore does not notice."""
    stream_url_id, status = get_member(described, "StreamUrlId"), get_member(described, "Status")
    url = get_member(described, "StreamUrl") if status == ACTIVE else None
    if url:
        validate_issued_url(url)
    created_at = described.get("CreatedAt")
    return StreamUrl(
        stream_url_id=stream_url_id,
        status=status,
        status_reason=described.get("StatusReason"),
        url=url,
        expires_at=round_down(get_member(described, "ExpiresAt")),
        # With its fraction of a second: the newest of several is used.
        created_at=created_at.astimezone(timezone.utc) if created_at else None,
        usage_limit=described.get("UsageLimit"),
        remaining_uses=get_member(described, "RemainingUses"),
        session_length=described.get("SessionLengthSeconds"),
        description=described.get("Description"),
        application_arn=described.get("ApplicationArn"),
        settings={name: described[name] for name in SETTINGS if name in described},
        stream_sessions=stream_sessions,
    )


def build_gamelift_client(module: LabstreamAWSModule, concurrency: int, **connection: Any) -> Any:
    """Build a client of GameLift Streams.

    Args:
        module: The module, for its connection options.
        concurrency: The number of connections that are kept.
        connection: Takes precedence over the connection options, such as ``region``.

    Raises:
        NotReady: botocore is too old.
        InvalidOption: A connection option is not valid.
    """
    if not module.botocore_at_least(MIN_BOTOCORE):
        raise NotReady(
            f"botocore on this host is too old for Amazon GameLift Streams, which needs {MIN_BOTOCORE} or newer: "
            "upgrade boto3 and botocore for the Python that the task runs with."
        )
    return build_client(module, SERVICE, concurrency, **connection)


def missing_stream_group(client: Any, stream_group: str) -> NotReady:
    """Return the error for a stream group that does not exist."""
    return NotReady(
        f"Stream group {stream_group!r} does not exist in region {client.meta.region_name}: check stream_group and "
        "region, and that the credentials belong to the right account."
    )
