# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AppStream's requests and replies, in JSON 1.1 and rpc-v2-cbor: the input is validated, the caller checked."""

from __future__ import annotations

import json
from typing import Any

from moto.core.common_types import TYPE_RESPONSE
from moto.core.exceptions import ServiceException
from moto.core.utils import camelcase_to_underscores, get_service_model

from tests.simulator import cbor
from tests.simulator.appstream.models import AppStream
from tests.simulator.moto.appstream import responses
from tests.simulator.moto.appstream.models import appstream_backends
from tests.simulator.strict import StrictResponse
from tests.simulator.validation import Invalid, Malformed, validate

# The service issues a URL for a bad user id, which then fails in the user's browser.
LAX = {"CreateStreamingURL": frozenset({"UserId"})}
# What no policy can confine to a stack or fleet, by AWS's service authorization reference.
UNCONFINED = {
    "DescribeApplicationFleetAssociations",
    "DescribeApplications",
    "DescribeFleets",
    "DescribeImages",
    "DescribeStacks",
    "ExpireSession",
}


class AppStreamResponse(StrictResponse, responses.AppStreamResponse):
    @property
    def appstream_backend(self) -> AppStream:
        return appstream_backends[self.current_account][self.region]

    @property
    def _cbor(self) -> bool:
        return self.path.startswith(cbor.PREFIX)

    @property
    def _operation(self) -> str:
        """What the path or the target header says; moto would also find ``&Action=`` inside a JSON body."""
        if self._cbor:
            return self.path.removeprefix(cbor.PREFIX)
        return self.headers.get("X-Amz-Target", "").rpartition(".")[2]

    def call_action(self) -> TYPE_RESPONSE:
        headers = cbor.HEADERS if self._cbor else {"Content-Type": "application/x-amz-json-1.1"}
        try:
            result = self._result(self._operation)
        except ServiceException as error:
            status = 404 if error.code == "ResourceNotFoundException" else 400
            headers = {**headers, "x-amzn-ErrorType": error.code}
            if self._cbor:
                return status, headers, cbor.encode_error(error.code, error.message)
            body = {"__type": f"com.amazonaws.appstream#{error.code}", "Message": error.message}
            return status, headers, json.dumps(body)
        if self._cbor:
            return 200, headers, cbor.encode_reply(self._operation, result)
        return 200, headers, json.dumps(result)

    def _result(self, operation: str) -> Any:
        self.require_signature()
        method = camelcase_to_underscores(operation)
        known = operation in get_service_model("appstream").operation_names
        if not known or not hasattr(responses.AppStreamResponse, method):
            raise ServiceException("UnknownOperationException", f"The simulator has no operation {operation!r}.")
        self.params = self._validated(operation)
        self.authorize(operation, self._resources(operation, self.params))
        with self.appstream_backend.lock:
            return getattr(self, method)().result

    def _resources(self, operation: str, parameters: dict[str, Any]) -> list[str]:
        """The ARNs that a policy must allow for this call, each of them; ``*`` where the call names no resource."""
        if operation in UNCONFINED:
            return ["*"]
        kind = "stack" if "Stack" in operation else "fleet"
        named = [(kind, name) for name in [parameters.get("Name"), *parameters.get("Names", [])]]
        named += [("stack", parameters.get("StackName")), ("fleet", parameters.get("FleetName"))]
        arns = [self.appstream_backend.arn(kind, name) for kind, name in named if name]
        return arns or [parameters.get("ResourceArn", "*")]

    def _validated(self, operation: str) -> dict[str, Any]:
        try:
            parameters = cbor.decode(self.body) if self._cbor else json.loads(self.body, object_hook=_without_nulls)
            shape = get_service_model("appstream").operation_model(operation).input_shape
            validate(parameters, shape, LAX.get(operation, frozenset()))
        except (Malformed, ValueError) as reason:
            raise ServiceException("SerializationException", str(reason)) from reason
        except Invalid as reason:
            raise ServiceException("ValidationException", str(reason)) from reason
        return parameters


def _without_nulls(members: dict[str, Any]) -> dict[str, Any]:
    """A member that is null counts as not given."""
    return {name: value for name, value in members.items() if value is not None}
