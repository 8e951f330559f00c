# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The service model of the Nimble Studio API, which botocore 1.35.48 and newer no longer have.

It has only the operations that this collection calls. Signing, retries, endpoints, proxies and errors are botocore's.
Pure: knows neither AWS nor Ansible.

Source: the API reference of Nimble Studio. The tests compare it with botocore 1.35.47, the last that had the service.
"""

from __future__ import annotations

import re
from typing import Any

_Description = dict[str, Any]


def _structure(**members: str) -> _Description:
    """Return a structure with, for each shape, the members of these names."""
    return {
        "type": "structure",
        "members": {name: {"shape": shape} for shape, names in members.items() for name in names.split()},
    }


def _error(status: int, **traits: Any) -> _Description:
    return {
        **_structure(String="code message", StringMap="context"),
        "error": {"httpStatusCode": status},
        "exception": True,
        **traits,
    }


_RETRYABLE = {"retryable": {"throttling": False}}

_ERRORS: dict[str, _Description] = {
    "AccessDeniedException": _error(403),
    "ConflictException": _error(409),
    "InternalServerErrorException": _error(500, fault=True, **_RETRYABLE),
    "ResourceNotFoundException": _error(404),
    "ServiceQuotaExceededException": _error(402),
    "ThrottlingException": _error(429, **_RETRYABLE),
    "ValidationException": _error(400),
}

# botocore does not check the values of responses, so ours do not list those of states and the like.
_SHAPES: dict[str, _Description] = {
    "String": {"type": "string"},
    "StringMap": {"type": "map", "key": {"shape": "String"}, "value": {"shape": "String"}},
    "Integer": {"type": "integer"},
    "Timestamp": {"type": "timestamp", "timestampFormat": "iso8601"},
    "ClientToken": {"type": "string", "min": 1, "max": 64},
    "StreamExpirationInSeconds": {"type": "integer", "min": 60, "max": 3600},
    "StreamUrl": {"type": "string", "sensitive": True},
    "Stream": _structure(
        String="createdBy ownedBy state statusCode streamId",
        Timestamp="createdAt expiresAt",
        StreamUrl="url",
    ),
    "Sessions": {"type": "list", "member": {"shape": "Session"}},
    "Session": _structure(
        String="arn automaticTerminationMode backupMode createdBy ec2InstanceType launchProfileId ownedBy sessionId "
        "sessionPersistenceMode startedBy startedFromBackupId state statusCode statusMessage stoppedBy "
        "streamingImageId updatedBy volumeRetentionMode",
        StringMap="tags",
        Integer="maxBackupsToRetain",
        Timestamp="createdAt startedAt stopAt stoppedAt terminateAt updatedAt",
        Volume="volumeConfiguration",
    ),
    "Volume": _structure(Integer="iops size throughput"),
    "Studio": _structure(String="arn studioId"),
    **_ERRORS,
}

_STUDIO = "/2020-08-01/studios/{studioId}"
_SESSIONS = f"{_STUDIO}/streaming-sessions"
_SESSION = f"{_SESSIONS}/{{sessionId}}"
_STREAMS = f"{_SESSION}/streams"

_STRING = {"shape": "String"}
# With the same token, a repeated call gives the result of the first. botocore makes one up where the caller gives none.
_CLIENT_TOKEN = {
    "clientToken": {
        "shape": "ClientToken",
        "location": "header",
        "locationName": "X-Amz-Client-Token",
        "idempotencyToken": True,
    }
}


def _query(*names: str) -> _Description:
    return {name: {**_STRING, "location": "querystring", "locationName": name} for name in names}


# Method, path, the parameters that are not in the path, and the members of the response by their shapes.
_OPERATIONS: dict[str, tuple[str, str, _Description, dict[str, str]]] = {
    "CreateStreamingSessionStream": (
        "POST",
        _STREAMS,
        {**_CLIENT_TOKEN, "expirationInSeconds": {"shape": "StreamExpirationInSeconds"}},
        {"Stream": "stream"},
    ),
    "GetStreamingSession": ("GET", _SESSION, {}, {"Session": "session"}),
    "GetStreamingSessionStream": ("GET", f"{_STREAMS}/{{streamId}}", {}, {"Stream": "stream"}),
    "GetStudio": ("GET", _STUDIO, {}, {"Studio": "studio"}),
    "ListStreamingSessions": (
        "GET",
        _SESSIONS,
        _query("createdBy", "nextToken", "ownedBy", "sessionIds"),
        {"String": "nextToken", "Sessions": "sessions"},
    ),
    "StartStreamingSession": (
        "POST",
        f"{_SESSION}/start",
        {**_CLIENT_TOKEN, "backupId": _STRING},
        {"Session": "session"},
    ),
}


def _operation(name: str, method: str, path: str) -> _Description:
    return {
        "name": name,
        "http": {"method": method, "requestUri": path, "responseCode": 200},
        "input": {"shape": f"{name}Request"},
        "output": {"shape": f"{name}Response"},
        "errors": [{"shape": error} for error in _ERRORS],
        **({"idempotent": True} if method == "POST" else {}),
    }


def _request(path: str, others: _Description) -> _Description:
    in_path = re.findall(r"{(\w+)}", path)
    return {
        "type": "structure",
        "required": in_path,
        "members": {**{name: {**_STRING, "location": "uri", "locationName": name} for name in in_path}, **others},
    }


_SERVICE: _Description = {
    "version": "2.0",
    "metadata": {
        "apiVersion": "2020-08-01",
        "endpointPrefix": "nimble",
        "jsonVersion": "1.1",
        "protocol": "rest-json",
        "serviceFullName": "Amazon Nimble Studio",
        "serviceId": "nimble",
        "signatureVersion": "v4",
        "signingName": "nimble",
        "uid": "nimble-2020-08-01",
    },
    "operations": {name: _operation(name, method, path) for name, (method, path, _in, _out) in _OPERATIONS.items()},
    "shapes": {
        **_SHAPES,
        **{f"{name}Request": _request(path, others) for name, (_method, path, others, _out) in _OPERATIONS.items()},
        **{f"{name}Response": _structure(**members) for name, (_method, _path, _in, members) in _OPERATIONS.items()},
    },
}

_PAGINATORS: _Description = {
    "pagination": {
        "ListStreamingSessions": {"input_token": "nextToken", "output_token": "nextToken", "result_key": "sessions"}
    }
}


# By the names under which botocore loads them. Without "endpoint-rule-set-1", it builds the endpoint from the
# endpointPrefix and the region's partition.
SERVICE_DESCRIPTION: dict[str, _Description] = {
    "service-2": _SERVICE,
    "paginators-1": _PAGINATORS,
}
