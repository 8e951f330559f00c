# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""rest-json requests by the service's model: which operation one is, and its input, however it is spread.

botocore has the protocol for clients only: it writes requests and reads replies.
"""

from __future__ import annotations

import json
from typing import Any

from botocore.model import OperationModel
from moto.core.request import Request
from moto.core.routing import get_service_router
from werkzeug.exceptions import NotFound

from tests.simulator.validation import Malformed

Members = dict[str, Any]
NUMBERS = {"integer": int, "long": int}


def route(service: str, request: Request) -> tuple[OperationModel, Members] | None:
    """The operation that a request asks for, and its members in the path; None if the service has none like it."""
    try:
        operation, labels = get_service_router(service).match(request)
    except NotFound:
        return None
    return operation, dict(labels)


def read_query(operation: OperationModel, request: Request) -> Members:
    """The members in the query string, each as its shape has it; a parameter that is none keeps its name."""
    members: Members = {}
    names = {
        shape.serialization.get("name", name): name
        for name, shape in operation.input_shape.members.items()
        if shape.serialization.get("location") == "querystring"
    }
    for parameter, texts in request.args.lists():
        name = names.get(parameter, parameter)
        if len(texts) > 1:
            raise Malformed(f"{name} must be given once.")
        number = NUMBERS.get(operation.input_shape.members[name].type_name) if parameter in names else None
        try:
            members[name] = number(texts[0]) if number else texts[0]
        except ValueError as reason:
            raise Malformed(f"{name} must be a number, not {texts[0]!r}.") from reason
    return members


def read_body(operation: OperationModel, request: Request, body: bytes) -> Members:
    """The members in the body; one that is null counts as not given, and one that belongs elsewhere is rejected."""
    if not body:
        return {}
    if request.mimetype != "application/json":
        raise Malformed(f"The body must be application/json, not {request.mimetype!r}.")
    try:
        members = json.loads(body, object_hook=_without_nulls)
    except ValueError as reason:
        raise Malformed(f"The body is not valid: {reason}") from reason
    if not isinstance(members, dict):
        raise Malformed("The body must be a JSON object.")
    for name in members:
        shape = operation.input_shape.members.get(name)
        if shape is not None and "location" in shape.serialization:
            raise Malformed(f"{name} does not belong into the body.")
    return members


def _without_nulls(members: Members) -> Members:
    return {name: value for name, value in members.items() if value is not None}
