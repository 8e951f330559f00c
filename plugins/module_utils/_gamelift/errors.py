# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The error of calls to Amazon GameLift Streams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from .._service_errors import ServiceError, ServiceErrorHandler


class AnsibleGameLiftStreamsError(ServiceError):
    """A call to Amazon GameLift Streams failed."""

    iam_prefix = "gameliftstreams"
    resources = "this stream group and its stream URLs"
    # Their requests name no resource of the account.
    unconfined = frozenset({"ListStreamGroups", "ListStreamUrls"})
    remedies: ClassVar[Mapping[str, str]] = {
        "ConflictException": "something else is changing it, so wait a few minutes, then run again",
        "ResourceNotFoundException": "correct stream_group, application and the region, or check that the credentials "
        "belong to the right account",
        "ServiceQuotaExceededException": "revoke stream URLs that are no longer needed, or request a quota increase "
        "(Service Quotas), then run again",
        "ValidationException": "correct what it names",
    }


class GameLiftStreamsErrorHandler(ServiceErrorHandler):
    """Decorators for functions that make one GameLift Streams call each."""

    _CUSTOM_EXCEPTION = AnsibleGameLiftStreamsError
