# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service's requests and replies (rest-json): the input is validated, the caller checked, the backend works."""

from __future__ import annotations

import json
from typing import Any

from botocore.model import OperationModel
from moto.core.common_types import TYPE_RESPONSE
from moto.core.responses import BaseResponse
from moto.core.utils import camelcase_to_underscores
from werkzeug.exceptions import HTTPException

from tests.simulator import restjson
from tests.simulator.gameliftstreams.exceptions import GameLiftStreamsError, invalid
from tests.simulator.gameliftstreams.models import (
    OPERATIONS,
    GameLiftStreamsBackend,
    gameliftstreams_backends,
)
from tests.simulator.restjson import Members
from tests.simulator.validation import Invalid, Malformed, validate


class GameLiftStreamsResponse(BaseResponse):
    use_raw_body = True  # bytes that are no UTF-8 get a proper error too

    def __init__(self) -> None:
        super().__init__(service_name="gameliftstreams")
        self.action = ""

    @property
    def backend(self) -> GameLiftStreamsBackend:
        try:
            return gameliftstreams_backends[self.current_account][self.region]
        except KeyError:
            message = f"GameLift Streams has no endpoint in the region {self.region}."
            raise GameLiftStreamsError("UnrecognizedClientException", message) from None

    def get_region_from_url(self, request: Any, full_url: str) -> str:
        """The signature's region only; moto would also look for one in the user agent."""
        scope = request.headers.get("Authorization", "").split("/")
        return scope[2] if len(scope) > 2 else self.default_region

    def _get_action(self) -> str:
        return self.action

    def call_action(self) -> TYPE_RESPONSE:
        try:
            operation, members = self._result()
        except GameLiftStreamsError as error:
            return error.reply()
        status = operation.http.get("responseCode", 200)
        if operation.output_shape is None:
            return status, {}, ""
        known = {name: value for name, value in members.items() if name in operation.output_shape.members}
        validate(known, operation.output_shape)  # whatever is wrong here is a mistake of the simulator's
        return status, {"Content-Type": "application/json"}, json.dumps(known)

    def _result(self) -> tuple[OperationModel, Members]:
        if "Authorization" not in self.headers:
            raise GameLiftStreamsError("MissingAuthenticationTokenException", "The request is not signed.")
        operation, members = self._input()
        self.action = operation.name
        for resource in self._resources(members):
            self._authorize(resource)
        with self.backend.lock:
            return operation, getattr(self.backend, camelcase_to_underscores(operation.name))(members)

    def _input(self) -> tuple[OperationModel, Members]:
        """The operation and its whole input, validated."""
        request = self.normalized_request
        found = restjson.route("gameliftstreams", request)
        if found is None or found[0].name not in OPERATIONS:
            message = f"The simulator has no operation {request.method} {request.path}."
            raise GameLiftStreamsError("UnknownOperationException", message)
        operation, labels = found
        try:
            query, body = restjson.read_query(operation, request), restjson.read_body(operation, request, self.raw_body)
            members = {**body, **query, **labels}
            validate(members, operation.input_shape)
        except (Invalid, Malformed) as reason:
            raise invalid(str(reason)) from reason
        return operation, members

    def _resources(self, members: Members) -> list[str]:
        """The ARNs that a policy must allow for this call, each of them; ``*`` where no policy can confine it."""
        named = [("streamgroup", "Identifier"), ("application", "ApplicationIdentifier")]
        identifiers = [(kind, members[name]) for kind, name in named if name in members]
        arns = [one if one.startswith("arn:") else self.backend.arn(kind, one) for kind, one in identifiers]
        return arns or ["*"]

    def _authorize(self, resource: str) -> None:
        """While IAM policies are enforced, reject what the caller's do not allow."""
        self.data = {}  # moto takes the query string for the body of a GET, and then finds its signature wrong
        try:
            self._authenticate_and_authorize_normal_action(resource)
        except HTTPException as error:  # its text is XML
            raise GameLiftStreamsError("AccessDeniedException", getattr(error, "message", "Access denied.")) from error
