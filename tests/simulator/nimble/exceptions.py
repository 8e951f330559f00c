# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors in Nimble's form: the type in a header, and ``code``, ``context`` and ``message`` in the body."""

from __future__ import annotations

import json

# Each operation may answer with any of these; the rest are what AWS answers for any service.
STATUSES = {
    "AccessDeniedException": 403,
    "ConflictException": 409,
    "InternalServerErrorException": 500,
    "ResourceNotFoundException": 404,
    "ServiceQuotaExceededException": 402,
    "ThrottlingException": 429,
    "ValidationException": 400,
    "InvalidSignatureException": 403,
    "MissingAuthenticationTokenException": 403,
    "UnknownOperationException": 404,
}


class NimbleError(Exception):
    """An error that the service answers with; ``context`` is what the error is about, by member."""

    def __init__(self, code: str, message: str, status: int | None = None, **context: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status or STATUSES.get(code, 400)
        self.context = context

    def reply(self) -> tuple[int, dict[str, str], str]:
        """Status, headers and body."""
        headers = {"Content-Type": "application/json", "x-amzn-ErrorType": self.code}
        return self.status, headers, json.dumps({"code": self.code, "context": self.context, "message": self.message})
