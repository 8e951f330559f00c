# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Nimble Studio is asked: its calls, and the check before the first stream.

AWS has closed this API; other endpoints may speak it. Source: the service model of botocore 1.35.47.
"""

from __future__ import annotations

from datetime import datetime, timezone
from functools import partial
from typing import Any

try:
    import boto3.session
    import botocore.session
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, NoRegionError
except ImportError:
    pass  # Handled by AnsibleAWSModule.

from ansible.module_utils.ansible_release import __version__ as ansible_version
from ansible_collections.amazon.aws.plugins.module_utils.botocore import get_aws_connection_info, is_boto3_error_code

from .._client import build_client, endpoint_host
from .._errors import AnsibleNimbleError, InvalidOption, NimbleErrorHandler, NotReady
from .._leases.lease import is_url
from .._module import LabstreamAWSModule
from .._version import COLLECTION_NAME, COLLECTION_VERSION
from .service_loader import ServiceLoader
from .service_model import SERVICE_DESCRIPTION
from .states import READY, Stream

SERVICE = "nimble"

# AWS's own endpoints end so, in all partitions.
_OF_AWS = (
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".amazonaws.eu",
    ".api.aws",
    ".c2s.ic.gov",
    ".cloud.adc-e.uk",
    ".csp.hci.ic.gov",
    ".sc2s.sgov.gov",
)
PROBE_TIMEOUT = 5

CONFLICT = "ConflictException"


@NimbleErrorHandler.common_error_handler("look the studio up")
def get_studio_arn(client: Any, studio_id: str) -> str | None:
    """The ARN of the studio (GetStudio), None if there is no such studio."""
    try:
        return _text(client.get_studio(studioId=studio_id)["studio"], "arn")
    except is_boto3_error_code("ResourceNotFoundException"):
        return None


@NimbleErrorHandler.common_error_handler("look the session up")
def get_streaming_session(client: Any, studio_id: str, session_id: str) -> dict[str, Any] | None:
    """The session (GetStreamingSession), or None."""
    try:
        return _session_of(client.get_streaming_session(studioId=studio_id, sessionId=session_id)["session"])
    except is_boto3_error_code("ResourceNotFoundException"):
        return None


@NimbleErrorHandler.common_error_handler("list the sessions of the studio")
def list_streaming_sessions(client: Any, studio_id: str, **selection: str) -> list[dict[str, Any]]:
    """The sessions of the studio (ListStreamingSessions), all pages; those of ``ownedBy`` or ``createdBy`` if given."""
    paginator = client.get_paginator("list_streaming_sessions")
    sessions = paginator.paginate(studioId=studio_id, **selection).build_full_result().get("sessions", [])
    return [_session_of(session) for session in sessions]


@NimbleErrorHandler.common_error_handler("start the session")
def start_streaming_session(client: Any, studio_id: str, session_id: str) -> dict[str, Any]:
    """The session as it is once it is starting (StartStreamingSession)."""
    return _session_of(client.start_streaming_session(studioId=studio_id, sessionId=session_id)["session"])


@NimbleErrorHandler.common_error_handler("create a stream")
def create_streaming_session_stream(client: Any, **parameters: Any) -> Stream:
    """A stream (CreateStreamingSessionStream), in general not READY yet.

    Args:
        client: A client of Nimble Studio.
        parameters: ``studioId``, ``sessionId``, ``clientToken`` and ``expirationInSeconds``.
    """
    return _stream_of(client.create_streaming_session_stream(**parameters)["stream"])


@NimbleErrorHandler.common_error_handler("look the stream up")
def get_streaming_session_stream(client: Any, studio_id: str, session_id: str, stream_id: str) -> Stream | None:
    """The stream (GetStreamingSessionStream), or None."""
    try:
        reply = client.get_streaming_session_stream(studioId=studio_id, sessionId=session_id, streamId=stream_id)
    except is_boto3_error_code("ResourceNotFoundException"):
        return None
    stream = _stream_of(reply["stream"])
    if stream.stream_id != stream_id:
        raise ValueError("streamId")
    return stream


def _text(described: dict[str, Any], member: str) -> str:
    """A member without which the reply is none of this API's, which is what the error handlers make of a ValueError."""
    if not isinstance(described[member], str) or not described[member]:
        raise ValueError(member)
    return described[member]


def _session_of(described: dict[str, Any]) -> dict[str, Any]:
    _text(described, "sessionId")
    _text(described, "state")
    return described


def _stream_of(described: dict[str, Any]) -> Stream:
    state = _text(described, "state")
    url = described.get("url") if state == READY else None
    if url and not is_url(_text(described, "url")):
        raise ValueError("url")
    return Stream(
        stream_id=_text(described, "streamId"),
        state=state,
        status_code=described.get("statusCode"),
        url=url or None,
        created_at=_moment_of(described, "createdAt"),
        created_by=described.get("createdBy"),
        expires_at=_moment_of(described, "expiresAt"),
        owned_by=described.get("ownedBy"),
    )


def _moment_of(described: dict[str, Any], member: str) -> datetime | None:
    """In UTC and rounded down to whole seconds."""
    when = described.get(member)
    return when.astimezone(timezone.utc).replace(microsecond=0) if when else None


def build_nimble_client(module: LabstreamAWSModule, studio_id: str, concurrency: int) -> Any:
    """A client of an endpoint that speaks the API. AWS's own is tried once first, since AWS has closed it.

    Args:
        module: Whose options say how to connect.
        studio_id: The studio that AWS's own endpoint is asked for.
        concurrency: The number of connections that are kept.

    Raises:
        NotReady: AWS's own endpoint did not answer.
        LabstreamError: the options do not say how to connect.
    """
    create = partial(create_client, module)
    client = build_client(module, SERVICE, concurrency, create=create)
    if endpoint_host(client).partition(":")[0].endswith(_OF_AWS):
        probe = build_client(module, SERVICE, 1, create=create, attempts=1, timeout=PROBE_TIMEOUT)
        try:
            get_studio_arn(probe, studio_id)
        except AnsibleNimbleError as e:
            raise NotReady(
                "AWS has closed the API of Nimble Studio (cloud studios ended in June 2024), and "
                f"asking {endpoint_host(client)} failed ({str(e).rstrip('.')}): set endpoint_url to an endpoint that "
                "speaks this API, or move the class to labstream.aws.appstream_streaming_url."
            ) from e
    return client


def create_client(module: LabstreamAWSModule, service: str, *, config: Any, **_connection: Any) -> Any:
    """A client as ``module.client`` makes it, which has no place to hand in a description of the service.

    Raises:
        InvalidOption: the options do not say how to connect.
    """
    region, endpoint_url, connection = get_aws_connection_info(module)
    connection.pop("aws_config", None)  # It is in config.
    user_agent = f"APN/1.0 Ansible/{ansible_version} {COLLECTION_NAME}/{COLLECTION_VERSION}"
    try:
        session = botocore.session.Session(profile=connection.pop("profile_name", None))
        loader = ServiceLoader(service, SERVICE_DESCRIPTION, session.get_component("data_loader"))
        session.register_component("data_loader", loader)
        return boto3.session.Session(botocore_session=session).client(
            service,
            region_name=region,
            endpoint_url=endpoint_url,
            config=Config(user_agent=user_agent).merge(config),
            **connection,
        )
    except NoRegionError as e:
        raise InvalidOption("No region is given: set region, or AWS_REGION, or the region of the profile.") from e
    except (ValueError, BotoCoreError) as e:
        raise InvalidOption(f"Couldn't connect to AWS: {e}") from e


def missing_studio(client: Any, studio_id: str) -> NotReady:
    """The error of a studio that there is not."""
    return NotReady(
        f"Studio {studio_id!r} does not exist in region {client.meta.region_name}: check studio_id, region, "
        "endpoint_url and whose credentials these are."
    )


def missing_session(studio_id: str, session_id: str) -> NotReady:
    """The error of a session that there is not."""
    return NotReady(f"Session {session_id!r} does not exist in studio {studio_id!r}: check both ids.")
