# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The error of calls to Nimble Studio."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from .._service_errors import ServiceError, ServiceErrorHandler


class AnsibleNimbleError(ServiceError):
    """A call to Nimble Studio failed."""

    iam_prefix = "nimble"
    resources = "this studio and its sessions"
    remedies: ClassVar[Mapping[str, str]] = {
        "ConflictException": "another operation is in progress, so wait until it is done, then run again",
        "ResourceNotFoundException": "correct studio_id, the session's id and the region, or check that the "
        "credentials belong to the right account",
        "ServiceQuotaExceededException": "delete what is no longer needed, or request a quota increase, then run again",
        "ValidationException": "correct what it names; a client_token that has been used with other parameters must be "
        "changed",
    }


class NimbleErrorHandler(ServiceErrorHandler):
    """Decorators for functions that make one Nimble Studio call each."""

    _CUSTOM_EXCEPTION = AnsibleNimbleError
