# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service's requests and replies (rest-json): the input is validated, the caller checked."""

from __future__ import annotations

import json
from typing import Any

from botocore.model import OperationModel
from moto.core.common_types import TYPE_RESPONSE
from moto.core.exceptions import ServiceException
from moto.core.utils import camelcase_to_underscores

from tests.simulator import restjson
from tests.simulator.gameliftstreams.exceptions import GameLiftStreamsError
from tests.simulator.gameliftstreams.models import GameLiftStreams
from tests.simulator.moto.gameliftstreams import responses
from tests.simulator.moto.gameliftstreams.exceptions import ValidationException
from tests.simulator.moto.gameliftstreams.models import gameliftstreams_backends
from tests.simulator.restjson import Members
from tests.simulator.strict import StrictResponse
from tests.simulator.validation import Invalid, Malformed, validate


class GameLiftStreamsResponse(StrictResponse, responses.GameLiftStreamsResponse):
    @property
    def gameliftstreams_backend(self) -> GameLiftStreams:
        return gameliftstreams_backends[self.current_account][self.region]

    def call_action(self) -> TYPE_RESPONSE:
        try:
            operation, members = self._result()
        except ServiceException as error:
            return GameLiftStreamsError(error.code, error.message).reply()
        status = operation.http.get("responseCode", 200)
        if operation.output_shape is None:
            return status, {}, ""
        known = {name: value for name, value in members.items() if name in operation.output_shape.members}
        validate(known, operation.output_shape)  # whatever is wrong here is a mistake of the simulator's
        return status, {"Content-Type": "application/json"}, json.dumps(known)

    def _result(self) -> tuple[OperationModel, Any]:
        self.require_signature()
        request = self.normalized_request
        found = restjson.route("gameliftstreams", request)
        method = camelcase_to_underscores(found[0].name) if found else ""
        if found is None or not hasattr(responses.GameLiftStreamsResponse, method):
            message = f"The simulator has no operation {request.method} {request.path}."
            raise ServiceException("UnknownOperationException", message)
        operation, labels = found
        self.params = self._input(operation, labels)
        self.authorize(operation.name, self._resources(operation.name, self.params))
        with self.gameliftstreams_backend.lock:
            return operation, getattr(self, method)().result

    def _input(self, operation: OperationModel, labels: Members) -> Members:
        """The whole input, validated."""
        request = self.normalized_request
        try:
            query, body = restjson.read_query(operation, request), restjson.read_body(operation, request, self.raw_body)
            members = {**body, **query, **labels}
            validate(members, operation.input_shape)
        except (Invalid, Malformed) as reason:
            raise ValidationException(str(reason)) from reason
        return members

    def _resources(self, operation: str, members: Members) -> list[str]:
        """The ARNs that a policy must allow for this call, each of them; ``*`` where no policy can confine it."""
        kind = "application" if operation == "DeleteApplication" else "streamgroup"
        named = [(kind, "Identifier"), ("application", "ApplicationIdentifier")]
        identifiers = [(kind, members[name]) for kind, name in named if name in members]
        arns = [
            one if one.startswith("arn:") else self.gameliftstreams_backend.arn(kind, one) for kind, one in identifiers
        ]
        return arns or ["*"]
