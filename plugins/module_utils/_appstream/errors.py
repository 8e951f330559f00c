# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The error of calls to AppStream 2.0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from .._service_errors import ServiceError, ServiceErrorHandler


class AnsibleAppStreamError(ServiceError):
    """A call to AppStream failed."""

    iam_prefix = "appstream"
    resources = "this stack and fleet"
    # Those without a resource type in AWS's service authorization reference.
    unconfined = frozenset(
        {
            "DescribeApplicationFleetAssociations",
            "DescribeApplications",
            "DescribeFleets",
            "DescribeImages",
            "DescribeStacks",
            "ExpireSession",
        }
    )
    remedies: ClassVar[Mapping[str, str]] = {
        "ConcurrentModificationException": "something else is changing it, so wait a few minutes, then run again",
        "InvalidAccountStatusException": "AWS has suspended the account, so contact AWS Support",
        "InvalidRoleException": "correct the IAM role of the fleet, then run again",
        "LimitExceededException": "request less, or a quota increase (Service Quotas), then run again",
        "RequestLimitExceededException": "wait a few minutes, then run again",
    }


class AppStreamErrorHandler(ServiceErrorHandler):
    """Decorators for functions that make one AppStream call each."""

    _CUSTOM_EXCEPTION = AnsibleAppStreamError
