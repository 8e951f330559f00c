# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""API calls as the simulator sees them: which call a request is, and the log of all calls."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

from botocore.exceptions import UnknownServiceError
from botocore.model import OperationNotFoundError, Shape
from moto.core.request import Request
from moto.core.utils import get_service_model
from moto.iam.models import get_account_id_from

from tests.simulator import cbor, restjson, streaming
from tests.simulator.nimble import operations as nimble
from tests.simulator.validation import Malformed

MASK = "***"
# Credential=AKIA.../20300101/eu-central-1/appstream/aws4_request, in the header or (presigned) in the query string
CREDENTIAL_SCOPE = re.compile(r"Credential=([^/,&\s]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")


@dataclass
class Call:
    """One API call. Times are this machine's, in seconds since the epoch; ``status`` is None if no reply was sent.

    ``cbor`` says that the protocol is rpc-v2-cbor, and ``done`` that the service worked on it, whatever became of the
    reply.
    """

    service: str
    operation: str
    account: str
    region: str
    parameters: dict[str, Any]
    user_agent: str
    cbor: bool = False
    started: float = field(default_factory=time.time)
    finished: float | None = None
    done: bool = False
    status: int | None = None
    error_code: str | None = None
    faults: list[str] = field(default_factory=list)

    @classmethod
    def from_request(cls, request: Request, body: bytes) -> Call:
        query = request.query_string.decode("latin-1").replace("X-Amz-Credential", "Credential").replace("%2F", "/")
        scope = CREDENTIAL_SCOPE.search(request.headers.get("Authorization", "") or query)
        access_key, region, service = scope.groups() if scope else ("", "", "")
        content_type = request.headers.get("Content-Type", "")
        parameters: dict[str, Any] = {}
        operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        is_cbor = request.path.startswith(cbor.PREFIX)
        if is_cbor:
            operation, parameters = request.path.removeprefix(cbor.PREFIX), _object(cbor.decode, body)
        elif "json" in content_type:
            parameters = _object(json.loads, body)
        elif content_type.startswith("application/x-www-form-urlencoded"):
            parameters = dict(parse_qsl(body.decode("utf-8", "replace")))
        operation = operation or parameters.pop("Action", "")
        if not operation:
            operation, path_parameters = _route(service, request)
            parameters = {**path_parameters, **parameters}
        return cls(
            service=service,
            operation=operation,
            account=get_account_id_from(access_key),
            region=region,
            parameters=parameters,
            user_agent=request.headers.get("User-Agent", ""),
            cbor=is_cbor,
        )


class CallLog:
    """The calls since the last reset, in the order in which they arrived."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[Call] = []

    def add(self, call: Call) -> None:
        with self._lock:
            self._calls.append(call)

    def entries(self, **selection: str) -> list[dict[str, Any]]:
        """Calls as plain data with secrets masked, of those whose members equal ``selection``."""
        with self._lock:
            calls = list(self._calls)
        selected = (call for call in calls if all(getattr(call, name) == value for name, value in selection.items()))
        return [
            {**asdict(call), "parameters": _masked(call.parameters, _input_shape(call.service, call.operation))}
            for call in selected
        ]

    def reset(self) -> None:
        with self._lock:
            self._calls.clear()


def _object(decode: Callable[[bytes], Any], body: bytes) -> dict[str, Any]:
    try:
        parsed = decode(body)
    except (Malformed, ValueError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _route(service: str, request: Request) -> tuple[str, dict[str, Any]]:
    """Operation and path parameters of a REST service's request; method and path if it is none that is known here.

    Nimble has no model here, and records more: the parameters in the query string, and the client token.
    """
    if service == "nimble":
        found = nimble.route(request)
        return (found[0].name, found[1]) if found else (f"{request.method} {request.path}", {})
    try:
        routed = restjson.route(service, request)
        if routed:
            return routed[0].name, {**restjson.read_query(routed[0], request), **routed[1]}
    except (Malformed, NotImplementedError, UnknownServiceError, ValueError):
        pass
    return f"{request.method} {request.path}", {}


@cache
def _input_shape(service: str, operation: str) -> Shape | None:
    try:
        return get_service_model(service).operation_model(operation).input_shape
    except (UnknownServiceError, OperationNotFoundError, ValueError):
        return None


def _masked(value: Any, shape: Shape | None) -> Any:
    """``value`` without what the service's model marks as sensitive, and without streaming URLs wherever they are."""
    if shape is not None and shape.metadata.get("sensitive"):
        return MASK
    if isinstance(value, str):
        return streaming.PATTERN.sub(MASK, value)
    if isinstance(value, list):
        return [_masked(item, getattr(shape, "member", None)) for item in value]
    if isinstance(value, dict):
        members = getattr(shape, "members", {})
        return {name: _masked(item, members.get(name, getattr(shape, "value", None))) for name, item in value.items()}
    return value
