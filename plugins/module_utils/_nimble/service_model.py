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
    """A structure out of shapes' names and, for each, the names of the members of that shape."""
    return {
        "type": "structure",
        "members": {name: {"shape": shape} for shape, names in members.items() for name in names.split()},
    }


def _enum(values: str) -> _Description:
    return {"type": "string", "enum": values.split()}


def _integer(least: int, most: int) -> _Description:
    return {"type": "integer", "min": least, "max": most}


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

_SHAPES: dict[str, _Description] = {
    "String": {"type": "string"},
    "StringMap": {"type": "map", "key": {"shape": "String"}, "value": {"shape": "String"}},
    "Timestamp": {"type": "timestamp", "timestampFormat": "iso8601"},
    "ClientToken": {"type": "string", "min": 1, "max": 64},
    "OnOff": _enum("ACTIVATED DEACTIVATED"),
    # Streams
    "StreamExpirationInSeconds": _integer(60, 3600),
    "Stream": _structure(
        String="createdBy ownedBy streamId",
        Timestamp="createdAt expiresAt",
        StreamState="state",
        StreamStatusCode="statusCode",
        StreamUrl="url",
    ),
    "StreamState": _enum("CREATE_IN_PROGRESS READY DELETE_IN_PROGRESS DELETED CREATE_FAILED DELETE_FAILED"),
    "StreamStatusCode": _enum(
        "STREAM_CREATE_IN_PROGRESS STREAM_READY STREAM_DELETE_IN_PROGRESS STREAM_DELETED INTERNAL_ERROR "
        "NETWORK_CONNECTION_ERROR"
    ),
    "StreamUrl": {"type": "string", "sensitive": True},
    # Sessions
    "Sessions": {"type": "list", "member": {"shape": "Session"}},
    "Session": _structure(
        String="arn createdBy ec2InstanceType launchProfileId ownedBy sessionId startedBy startedFromBackupId "
        "statusMessage stoppedBy updatedBy",
        Timestamp="createdAt startedAt stopAt stoppedAt terminateAt updatedAt",
        OnOff="automaticTerminationMode sessionPersistenceMode",
        SessionBackupMode="backupMode",
        SessionBackups="maxBackupsToRetain",
        SessionImageId="streamingImageId",
        SessionState="state",
        SessionStatusCode="statusCode",
        SessionVolume="volumeConfiguration",
        SessionVolumeRetention="volumeRetentionMode",
        StringMap="tags",
    ),
    "SessionBackupMode": _enum("AUTOMATIC DEACTIVATED"),
    "SessionBackups": _integer(0, 10),
    "SessionImageId": {"type": "string", "min": 0, "max": 22, "pattern": "^[a-zA-Z0-9-_]*$"},
    "SessionState": _enum(
        "CREATE_IN_PROGRESS READY STOP_IN_PROGRESS STOPPED START_IN_PROGRESS DELETE_IN_PROGRESS DELETED "
        "CREATE_FAILED STOP_FAILED START_FAILED DELETE_FAILED"
    ),
    "SessionStatusCode": _enum(
        "STREAMING_SESSION_CREATE_IN_PROGRESS STREAMING_SESSION_READY STREAMING_SESSION_STOP_IN_PROGRESS "
        "STREAMING_SESSION_STOPPED STREAMING_SESSION_START_IN_PROGRESS STREAMING_SESSION_STARTED "
        "STREAMING_SESSION_DELETE_IN_PROGRESS STREAMING_SESSION_DELETED INTERNAL_ERROR INSUFFICIENT_CAPACITY "
        "ACTIVE_DIRECTORY_DOMAIN_JOIN_ERROR NETWORK_CONNECTION_ERROR INITIALIZATION_SCRIPT_ERROR "
        "DECRYPT_STREAMING_IMAGE_ERROR NETWORK_INTERFACE_ERROR AMI_VALIDATION_ERROR"
    ),
    "SessionVolume": _structure(VolumeIops="iops", VolumeSizeInGiB="size", VolumeThroughputInMiBs="throughput"),
    "SessionVolumeRetention": _enum("RETAIN DELETE"),
    "VolumeIops": _integer(3000, 16000),
    "VolumeSizeInGiB": _integer(100, 16000),
    "VolumeThroughputInMiBs": _integer(125, 1000),
    # Studios
    "Studio": _structure(
        String="arn ssoClientId statusMessage studioId studioUrl",
        Timestamp="createdAt updatedAt",
        StudioDisplayName="displayName",
        StudioEncryption="studioEncryptionConfiguration",
        StudioName="studioName",
        StudioRegion="homeRegion",
        StudioRole="adminRoleArn userRoleArn",
        StudioState="state",
        StudioStatusCode="statusCode",
        StringMap="tags",
    ),
    "StudioDisplayName": {"type": "string", "min": 0, "max": 64, "sensitive": True},
    "StudioEncryption": _structure(StudioKeyArn="keyArn", StudioKeyType="keyType"),
    "StudioKeyArn": {"type": "string", "min": 4, "pattern": "^arn:.*"},
    "StudioKeyType": _enum("AWS_OWNED_KEY CUSTOMER_MANAGED_KEY"),
    "StudioName": {"type": "string", "min": 3, "max": 64, "pattern": "^[a-z0-9]*$"},
    "StudioRegion": {"type": "string", "min": 0, "max": 50, "pattern": "[a-z]{2}-?(iso|gov)?-{1}[a-z]*-{1}[0-9]"},
    "StudioRole": {"type": "string", "min": 0, "max": 2048},
    "StudioState": _enum(
        "CREATE_IN_PROGRESS READY UPDATE_IN_PROGRESS DELETE_IN_PROGRESS DELETED CREATE_FAILED UPDATE_FAILED "
        "DELETE_FAILED"
    ),
    "StudioStatusCode": _enum(
        "STUDIO_CREATE_IN_PROGRESS STUDIO_CREATED STUDIO_UPDATE_IN_PROGRESS STUDIO_UPDATED STUDIO_DELETE_IN_PROGRESS "
        "STUDIO_DELETED STUDIO_WITH_LAUNCH_PROFILES_NOT_DELETED STUDIO_WITH_STUDIO_COMPONENTS_NOT_DELETED "
        "STUDIO_WITH_STREAMING_IMAGES_NOT_DELETED AWS_SSO_NOT_ENABLED AWS_SSO_ACCESS_DENIED "
        "AWS_SSO_CONFIGURATION_REPAIRED AWS_SSO_CONFIGURATION_REPAIR_IN_PROGRESS AWS_STS_REGION_DISABLED "
        "ROLE_NOT_OWNED_BY_STUDIO_OWNER ROLE_COULD_NOT_BE_ASSUMED ENCRYPTION_KEY_NOT_FOUND "
        "ENCRYPTION_KEY_ACCESS_DENIED INTERNAL_ERROR"
    ),
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


# Method, path, what is given besides the path's parameters, and what is replied.
_OPERATIONS: dict[str, tuple[str, str, _Description, _Description]] = {
    "CreateStreamingSessionStream": (
        "POST",
        _STREAMS,
        {**_CLIENT_TOKEN, "expirationInSeconds": {"shape": "StreamExpirationInSeconds"}},
        {"stream": {"shape": "Stream"}},
    ),
    "GetStreamingSession": ("GET", _SESSION, {}, {"session": {"shape": "Session"}}),
    "GetStreamingSessionStream": ("GET", f"{_STREAMS}/{{streamId}}", {}, {"stream": {"shape": "Stream"}}),
    "GetStudio": ("GET", _STUDIO, {}, {"studio": {"shape": "Studio"}}),
    "ListStreamingSessions": (
        "GET",
        _SESSIONS,
        _query("createdBy", "nextToken", "ownedBy", "sessionIds"),
        {"nextToken": _STRING, "sessions": {"shape": "Sessions"}},
    ),
    "StartStreamingSession": (
        "POST",
        f"{_SESSION}/start",
        {**_CLIENT_TOKEN, "backupId": _STRING},
        {"session": {"shape": "Session"}},
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
        **{
            f"{name}Response": {"type": "structure", "members": reply}
            for name, (_method, _path, _in, reply) in _OPERATIONS.items()
        },
    },
}

_PAGINATORS: _Description = {
    "pagination": {
        "ListStreamingSessions": {"input_token": "nextToken", "output_token": "nextToken", "result_key": "sessions"}
    }
}


def _until_ready(operation: str, state: str, delay: int, attempts: int, failed: str) -> _Description:
    """A waiter that looks every ``delay`` seconds and gives up in a state out of which nothing becomes READY."""
    ends = [("success", "READY"), *(("failure", each) for each in failed.split())]
    return {
        "operation": operation,
        "delay": delay,
        "maxAttempts": attempts,
        "acceptors": [
            {"matcher": "path", "argument": state, "state": end, "expected": expected} for end, expected in ends
        ],
    }


# AWS's own keep waiting for what is being deleted.
_DELETED = "DELETE_IN_PROGRESS DELETED DELETE_FAILED"

_WAITERS: _Description = {
    "version": 2,
    "waiters": {
        "StreamingSessionReady": _until_ready(
            "GetStreamingSession", "session.state", 10, 180, f"CREATE_FAILED START_FAILED {_DELETED}"
        ),
        "StreamingSessionStreamReady": _until_ready(
            "GetStreamingSessionStream", "stream.state", 5, 30, f"CREATE_FAILED {_DELETED}"
        ),
    },
}


def _is_set(name: str) -> _Description:
    return {"fn": "isSet", "argv": [{"ref": name}]}


def _is(name: str, value: bool) -> _Description:
    return {"fn": "booleanEquals", "argv": [{"ref": name}, value]}


def _supports(feature: str) -> _Description:
    return {"fn": "booleanEquals", "argv": [{"fn": "getAttr", "argv": [{"ref": "Partition"}, feature]}, True]}


def _case(*conditions: _Description, rules: list[_Description]) -> _Description:
    return {"type": "tree", "conditions": list(conditions), "rules": rules}


def _endpoint(*conditions: _Description, url: Any) -> _Description:
    return {"type": "endpoint", "conditions": list(conditions), "endpoint": {"url": url}}


def _refusal(*conditions: _Description, error: str) -> _Description:
    return {"type": "error", "conditions": list(conditions), "error": error}


_FIPS = _supports("supportsFIPS")
_DUAL_STACK = _supports("supportsDualStack")
_NOT_WITH_ENDPOINT = "is not possible together with an endpoint URL: leave one of them out"

# The first rule whose conditions hold counts, as in the rule sets of all AWS services.
_ENDPOINT_RULES: _Description = {
    "version": "1.0",
    "parameters": {
        "Region": {"builtIn": "AWS::Region", "type": "String", "required": False},
        "UseDualStack": {"builtIn": "AWS::UseDualStack", "type": "Boolean", "required": True, "default": False},
        "UseFIPS": {"builtIn": "AWS::UseFIPS", "type": "Boolean", "required": True, "default": False},
        "Endpoint": {"builtIn": "SDK::Endpoint", "type": "String", "required": False},
    },
    "rules": [
        _case(
            _is_set("Endpoint"),
            rules=[
                _refusal(_is("UseFIPS", True), error=f"FIPS {_NOT_WITH_ENDPOINT}"),
                _refusal(_is("UseDualStack", True), error=f"Dual stack {_NOT_WITH_ENDPOINT}"),
                _endpoint(url={"ref": "Endpoint"}),
            ],
        ),
        _case(
            _is_set("Region"),
            {"fn": "aws.partition", "argv": [{"ref": "Region"}], "assign": "Partition"},
            rules=[
                _endpoint(
                    _is("UseFIPS", False),
                    _is("UseDualStack", False),
                    url="https://nimble.{Region}.{Partition#dnsSuffix}",
                ),
                _endpoint(
                    _is("UseFIPS", True),
                    _is("UseDualStack", False),
                    _FIPS,
                    url="https://nimble-fips.{Region}.{Partition#dnsSuffix}",
                ),
                _endpoint(
                    _is("UseFIPS", False),
                    _is("UseDualStack", True),
                    _DUAL_STACK,
                    url="https://nimble.{Region}.{Partition#dualStackDnsSuffix}",
                ),
                _endpoint(
                    _is("UseFIPS", True),
                    _is("UseDualStack", True),
                    _FIPS,
                    _DUAL_STACK,
                    url="https://nimble-fips.{Region}.{Partition#dualStackDnsSuffix}",
                ),
                _refusal(error="The partition {Partition#name} has no endpoints for FIPS or dual stack as asked for"),
            ],
        ),
        _refusal(error="No region is set"),
    ],
}

# By the names under which botocore loads them.
SERVICE_DESCRIPTION: dict[str, _Description] = {
    "service-2": _SERVICE,
    "paginators-1": _PAGINATORS,
    "waiters-2": _WAITERS,
    "endpoint-rule-set-1": _ENDPOINT_RULES,
}
