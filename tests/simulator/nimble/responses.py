# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nimble's requests and replies: the caller is checked, then the input, and the backend does the work."""

from __future__ import annotations

import json
from typing import Any

from moto.core.common_types import TYPE_RESPONSE
from moto.core.exceptions import ServiceException
from moto.core.utils import camelcase_to_underscores
from moto.sts.models import sts_backends

from tests.simulator.nimble.exceptions import NimbleError
from tests.simulator.nimble.models import nimble_backends
from tests.simulator.nimble.operations import read
from tests.simulator.strict import StrictResponse


class NimbleResponse(StrictResponse):
    def __init__(self) -> None:
        super().__init__(service_name="nimble")

    def call_action(self) -> TYPE_RESPONSE:
        try:
            return 200, {"Content-Type": "application/json"}, json.dumps(self._result())
        except NimbleError as error:
            return error.reply()
        except ServiceException as error:
            return NimbleError(error.code, error.message).reply()

    def _result(self) -> dict[str, Any]:
        self.require_signature()
        operation, members = read(self.normalized_request, self.raw_body)
        backend = nimble_backends[self.current_account][self.region]
        kind = "streaming-session" if "sessionId" in members else "studio"
        self.authorize(operation.name, [backend.arn(kind, members.get("sessionId") or members["studioId"])])
        with backend.lock:
            return getattr(backend, camelcase_to_underscores(operation.name))(members, self._caller())

    def _caller(self) -> str:
        """The ARN of who calls, as GetCallerIdentity has it."""
        sts = sts_backends[self.current_account][self.partition]
        return sts.get_caller_identity(self.access_key, self.region)[1]
