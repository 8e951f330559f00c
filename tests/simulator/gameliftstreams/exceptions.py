# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors in the service's form: the type in a header, and ``Message`` in the body."""

from __future__ import annotations

import json

from moto.core.exceptions import ServiceException
from moto.core.utils import get_service_model

# What AWS answers for any service; the model has the rest.
COMMON = {
    "InvalidSignatureException": 403,
    "MissingAuthenticationTokenException": 403,
    "UnknownOperationException": 404,
}


class GameLiftStreamsError(ServiceException):
    """An error that the service answers with; without ``status``, with the one that the model gives the code."""

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(code, message)
        shape = get_service_model("gameliftstreams").shape_for_error_code(code)
        modeled = shape.metadata["error"]["httpStatusCode"] if shape else None
        self.status: int = status or modeled or COMMON.get(code, 400)

    def reply(self) -> tuple[int, dict[str, str], str]:
        """Status, headers and body."""
        headers = {"Content-Type": "application/json", "x-amzn-ErrorType": self.code}
        return self.status, headers, json.dumps({"Message": self.message})
