# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nimble's operations on the wire (rest-json): which one a request is, and what its input may hold.

Written from the API reference of Nimble Studio, 2020-08-01. The collection's own description of the service is not
read here, so that each checks the other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from moto.core.request import Request

from tests.simulator.nimble.exceptions import NimbleError

Members = dict[str, Any]

ROOT = "/2020-08-01/studios"
TOKEN_HEADER = "X-Amz-Client-Token"
TOKEN_LENGTHS = range(1, 64 + 1)
EXPIRATIONS = range(60, 3600 + 1)


def _expiration(value: Any) -> str | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return "must be an integer"
    return None if value in EXPIRATIONS else f"must be between {EXPIRATIONS[0]} and {EXPIRATIONS[-1]}"


def _string(value: Any) -> str | None:
    return None if isinstance(value, str) else "must be a string"


@dataclass(frozen=True)
class Operation:
    """One operation: its request line, and its members in the query string, in the body and in the token's header."""

    name: str
    method: str
    path: str  # below ROOT, with {member} for each label
    query: frozenset[str] = frozenset()
    body: Mapping[str, Callable[[Any], str | None]] = field(default_factory=dict)  # what is wrong with a value, if any
    token: bool = False

    def labels(self, method: str, raw_path: str) -> Members | None:
        """The members in the path of a request for this operation, None for any other request."""
        pattern = ROOT + re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", self.path)
        found = re.fullmatch(pattern, raw_path) if method == self.method else None
        return {name: unquote(value) for name, value in found.groupdict().items()} if found else None


SESSION = "/{studioId}/streaming-sessions/{sessionId}"
OPERATIONS = [
    Operation("GetStudio", "GET", "/{studioId}"),
    Operation(
        "ListStreamingSessions",
        "GET",
        "/{studioId}/streaming-sessions",
        query=frozenset({"createdBy", "ownedBy", "sessionIds", "nextToken"}),
    ),
    Operation("GetStreamingSession", "GET", SESSION),
    Operation("StartStreamingSession", "POST", f"{SESSION}/start", body={"backupId": _string}, token=True),
    Operation(
        "CreateStreamingSessionStream",
        "POST",
        f"{SESSION}/streams",
        body={"expirationInSeconds": _expiration},
        token=True,
    ),
    Operation("GetStreamingSessionStream", "GET", f"{SESSION}/streams/{{streamId}}"),
]


def route(request: Request) -> tuple[Operation, Members] | None:
    """The operation that a request asks for, and its members outside the body; None if it asks for none of them."""
    for operation in OPERATIONS:
        labels = operation.labels(request.method, request.raw_path)
        if labels is not None:
            token = {"clientToken": request.headers[TOKEN_HEADER]} if TOKEN_HEADER in request.headers else {}
            return operation, {**request.args.to_dict(), **token, **labels}
    return None


def read(request: Request, body: bytes) -> tuple[Operation, Members]:
    """The operation and its whole input, checked; NimbleError if there is anything wrong with it."""
    found = route(request)
    if found is None:
        message = f"The simulator has no operation {request.method} {request.path}."
        raise NimbleError("UnknownOperationException", message)
    operation, members = found
    for name, values in request.args.lists():
        if name not in operation.query:
            raise _invalid(name, "is not a parameter of this operation")
        if len(values) > 1:
            raise _invalid(name, "must be given once")
    if "clientToken" in members and not operation.token:
        raise _invalid("clientToken", "is not a parameter of this operation")
    if "clientToken" in members and len(members["clientToken"]) not in TOKEN_LENGTHS:
        raise _invalid("clientToken", f"must have {TOKEN_LENGTHS[0]} to {TOKEN_LENGTHS[-1]} characters")
    for name, value in _body(request, body).items():
        if name not in operation.body:
            raise _invalid(name, "is not a parameter of this operation")
        wrong = operation.body[name](value)
        if wrong:
            raise _invalid(name, wrong)
        members[name] = value
    return operation, members


def _body(request: Request, body: bytes) -> Members:
    """The members in the body; one that is null counts as not given."""
    if not body:
        return {}
    if request.mimetype != "application/json":
        raise NimbleError("ValidationException", f"The body must be application/json, not {request.mimetype!r}.")
    try:
        members = json.loads(body)
    except ValueError:
        members = None
    if not isinstance(members, dict):
        raise NimbleError("ValidationException", "The body must be a JSON object.")
    return {name: value for name, value in members.items() if value is not None}


def _invalid(name: str, what: str) -> NimbleError:
    return NimbleError("ValidationException", f"{name} {what}.", member=name)
