# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AppStream's requests and replies, in JSON 1.1 and rpc-v2-cbor: the input is validated, the backend does the work."""

from __future__ import annotations

import json
from typing import Any

from moto.core.common_types import TYPE_RESPONSE
from moto.core.responses import BaseResponse
from moto.core.utils import camelcase_to_underscores, get_service_model
from werkzeug.exceptions import HTTPException

from tests.simulator import cbor
from tests.simulator.appstream.exceptions import AppStreamError
from tests.simulator.appstream.models import OPERATIONS, AppStreamBackend, appstream_backends
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


class AppStreamResponse(BaseResponse):
    use_raw_body = True  # CBOR is no text

    def __init__(self) -> None:
        super().__init__(service_name="appstream")

    @property
    def backend(self) -> AppStreamBackend:
        try:
            return appstream_backends[self.current_account][self.region]
        except KeyError:
            message = f"AppStream has no endpoint in the region {self.region}."
            raise AppStreamError("UnrecognizedClientException", message) from None

    def get_region_from_url(self, request: Any, full_url: str) -> str:
        """The signature's region only; moto would also look for one in the user agent."""
        scope = request.headers.get("Authorization", "").split("/")
        return scope[2] if len(scope) > 2 else self.default_region

    def _get_action(self) -> str:
        """The path or the target header only; moto would also find ``&Action=`` inside a JSON body."""
        if self._cbor:
            return self.path.removeprefix(cbor.PREFIX)
        return self.headers.get("X-Amz-Target", "").rpartition(".")[2]

    @property
    def _cbor(self) -> bool:
        return self.path.startswith(cbor.PREFIX)

    def call_action(self) -> TYPE_RESPONSE:
        headers = cbor.HEADERS if self._cbor else {"Content-Type": "application/x-amz-json-1.1"}
        try:
            result = self._result()
        except AppStreamError as error:
            headers = {**headers, "x-amzn-ErrorType": error.code}
            if self._cbor:
                return error.status, headers, cbor.encode_error(error.code, error.message)
            body = {"__type": f"com.amazonaws.appstream#{error.code}", "Message": error.message}
            return error.status, headers, json.dumps(body)
        if self._cbor:
            return 200, headers, cbor.encode_reply(self._get_action(), result)
        return 200, headers, json.dumps(result)

    def _result(self) -> dict[str, Any]:
        if "Authorization" not in self.headers:
            raise AppStreamError("MissingAuthenticationTokenException", "The request is not signed.")
        operation = self._get_action()
        if operation not in OPERATIONS:
            raise AppStreamError("UnknownOperationException", f"The simulator has no operation {operation!r}.")
        parameters = self._validated(operation)
        for resource in self._resources(operation, parameters):
            self._authorize(resource)
        with self.backend.lock:
            return getattr(self.backend, camelcase_to_underscores(operation))(parameters)

    def _authorize(self, resource: str) -> None:
        """While IAM policies are enforced, reject what the caller's do not allow."""
        try:
            self._authenticate_and_authorize_normal_action(resource)
        except HTTPException as error:  # its text is XML
            raise AppStreamError("AccessDeniedException", getattr(error, "message", "Access denied.")) from error

    def _resources(self, operation: str, parameters: dict[str, Any]) -> list[str]:
        """The ARNs that a policy must allow for this call, each of them; ``*`` where the call names no resource."""
        if operation in UNCONFINED:
            return ["*"]
        kind = "stack" if "Stack" in operation else "fleet"
        named = [(kind, name) for name in [parameters.get("Name"), *parameters.get("Names", [])]]
        named += [("stack", parameters.get("StackName")), ("fleet", parameters.get("FleetName"))]
        arns = [self.backend.arn(kind, name) for kind, name in named if name]
        return arns or [parameters.get("ResourceArn", "*")]

    def _validated(self, operation: str) -> dict[str, Any]:
        try:
            parameters = cbor.decode(self.body) if self._cbor else json.loads(self.body, object_hook=_without_nulls)
            shape = get_service_model("appstream").operation_model(operation).input_shape
            validate(parameters, shape, LAX.get(operation, frozenset()))
        except (Malformed, ValueError) as reason:
            raise AppStreamError("SerializationException", str(reason)) from reason
        except Invalid as reason:
            raise AppStreamError("ValidationException", str(reason)) from reason
        return parameters


def _without_nulls(members: dict[str, Any]) -> dict[str, Any]:
    """A member that is null counts as not given."""
    return {name: value for name, value in members.items() if value is not None}
