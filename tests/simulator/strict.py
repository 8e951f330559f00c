# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the requests of all our services have in common, and moto's do not: they are as strict as AWS is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.request import Request
from moto.core.responses import BaseResponse
from moto.iam.access_control import IAMRequest
from werkzeug.exceptions import HTTPException

from tests.simulator.settings import settings


class StrictResponse(BaseResponse):
    """The region is the signature's, and every resource that a call names must be allowed."""

    use_raw_body = True  # CBOR is no text, and bytes that are no UTF-8 get a proper error too

    def get_region_from_url(self, request: Any, full_url: str) -> str:
        """The signature's region only; moto would also look for one in the user agent."""
        scope = request.headers.get("Authorization", "").split("/")
        return scope[2] if len(scope) > 2 else self.default_region

    def parse_parameters(self, request: Request) -> None:
        """Leave it to the service, which says what is wrong with them."""

    def require_signature(self) -> None:
        if "Authorization" not in self.headers:
            raise ServiceException("MissingAuthenticationTokenException", "The request is not signed.")

    def authorize(self, operation: str, resources: Iterable[str]) -> None:
        """While IAM policies are enforced, reject what the caller's do not allow on each of the resources.

        moto's responses check one resource each, and reject in XML.
        """
        if not settings.enforce_iam:
            return
        request = self.normalized_request
        path = request.raw_path + (f"?{request.query_string.decode()}" if request.query_string else "")
        try:
            caller = IAMRequest(
                self.current_account, self.method, path, {}, self.raw_body, self.headers, action=operation
            )
            caller.check_signature()
            for resource in resources:
                caller.check_action_permitted(resource)
        except HTTPException as error:
            raise ServiceException("AccessDeniedException", getattr(error, "message", "Access denied.")) from error
