# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nimble's requests and replies: the caller is checked, then the input, and the backend does the work."""

from __future__ import annotations

import json
from typing import Any

from moto.core.common_types import TYPE_RESPONSE
from moto.core.responses import BaseResponse
from moto.core.utils import camelcase_to_underscores
from moto.sts.models import sts_backends
from werkzeug.exceptions import HTTPException

from tests.simulator.nimble.exceptions import NimbleError
from tests.simulator.nimble.models import NimbleBackend, nimble_backends
from tests.simulator.nimble.operations import read


class NimbleResponse(BaseResponse):
    use_raw_body = True  # bytes that are no UTF-8 get a proper error too

    def __init__(self) -> None:
        super().__init__(service_name="nimble")
        self.action = ""

    @property
    def backend(self) -> NimbleBackend:
        try:
            return nimble_backends[self.current_account][self.region]
        except KeyError:
            message = f"Nimble Studio has no endpoint in the region {self.region}."
            raise NimbleError("UnrecognizedClientException", message) from None

    def get_region_from_url(self, request: Any, full_url: str) -> str:
        """The signature's region only; moto would also look for one in the user agent."""
        scope = request.headers.get("Authorization", "").split("/")
        return scope[2] if len(scope) > 2 else self.default_region

    def _get_action(self) -> str:
        return self.action

    def call_action(self) -> TYPE_RESPONSE:
        try:
            return 200, {"Content-Type": "application/json"}, json.dumps(self._result())
        except NimbleError as error:
            return error.reply()

    def _result(self) -> dict[str, Any]:
        if "Authorization" not in self.headers:
            raise NimbleError("MissingAuthenticationTokenException", "The request is not signed.")
        operation, members = read(self.normalized_request, self.raw_body)
        self.action = operation.name
        kind = "streaming-session" if "sessionId" in members else "studio"
        self._authorize(self.backend.arn(kind, members.get("sessionId") or members["studioId"]))
        with self.backend.lock:
            return getattr(self.backend, camelcase_to_underscores(operation.name))(members, self._caller())

    def _authorize(self, resource: str) -> None:
        """While IAM policies are enforced, reject what the caller's do not allow."""
        self.data = {}  # moto takes the query string for the body of a GET, and then finds its signature wrong
        try:
            self._authenticate_and_authorize_normal_action(resource)
        except HTTPException as error:  # its text is XML
            raise NimbleError("AccessDeniedException", getattr(error, "message", "Access denied.")) from error

    def _caller(self) -> str:
        """The ARN of who calls, as GetCallerIdentity has it."""
        sts = sts_backends[self.current_account][self.partition]
        return sts.get_caller_identity(self.access_key, self.region)[1]
