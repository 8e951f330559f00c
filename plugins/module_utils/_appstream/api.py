# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AppStream 2.0 (WorkSpaces Applications) is asked: its calls, and the check before the first URL.

Sources: the service model of botocore, and the API reference of CreateStreamingURL.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code

from .._errors import AppStreamErrorHandler, NotReady
from .._leases.lease import is_url

SERVICE = "appstream"


@AppStreamErrorHandler.common_error_handler("describe the stack")
def describe_stack(client: Any, name: str) -> dict[str, Any] | None:
    """The stack of that name (DescribeStacks), or None."""
    try:
        stacks = client.describe_stacks(Names=[name])["Stacks"]
    except is_boto3_error_code("ResourceNotFoundException"):
        return None
    return stacks[0] if stacks else None


@AppStreamErrorHandler.common_error_handler("describe the fleet")
def describe_fleet(client: Any, name: str) -> dict[str, Any] | None:
    """The fleet of that name (DescribeFleets), or None."""
    try:
        fleets = client.describe_fleets(Names=[name])["Fleets"]
    except is_boto3_error_code("ResourceNotFoundException"):
        return None
    return fleets[0] if fleets else None


@AppStreamErrorHandler.common_error_handler("list the fleets of the stack")
def list_associated_fleets(client: Any, stack_name: str) -> list[str]:
    """The names of the fleets that the stack is associated with (ListAssociatedFleets); none if there is no stack."""
    paginator = client.get_paginator("list_associated_fleets")
    try:
        return paginator.paginate(StackName=stack_name).build_full_result().get("Names", [])
    except is_boto3_error_code("ResourceNotFoundException"):
        return []


@AppStreamErrorHandler.common_error_handler("create a streaming URL")
def create_streaming_url(client: Any, **parameters: Any) -> tuple[str, datetime]:
    """A new streaming URL and when it expires, in UTC and rounded down to whole seconds (CreateStreamingURL).

    Args:
        client: A client of AppStream.
        parameters: ``StackName``, ``FleetName``, ``UserId``, ``Validity`` and, if wanted, ``ApplicationId`` and
            ``SessionContext``.
    """
    reply = client.create_streaming_url(**parameters)
    if not reply.get("StreamingURL") or not reply.get("Expires"):
        raise NotReady("Failed to create a streaming URL: the service's reply has none. Run again.")
    if not is_url(reply["StreamingURL"]):
        # It is none of this API's, which is what the error handlers make of a ValueError.
        raise ValueError("StreamingURL")
    return reply["StreamingURL"], reply["Expires"].astimezone(timezone.utc).replace(microsecond=0)


def missing(kind: str, name: str, region: str, option: str) -> NotReady:
    """The error of a stack or fleet that there is not.

    Args:
        kind: "stack" or "fleet".
        name: Its name.
        region: Where it was looked for.
        option: The option that gave the name, or how a sentence calls it.
    """
    return NotReady(
        f"{kind.capitalize()} {name!r} does not exist in region {region}: check {option}, region and whose credentials "
        "these are."
    )


@dataclass(frozen=True)
class Target:
    """A stack and a fleet: what URLs are issued for. ``stack`` and ``fleet`` are None where the service has none."""

    region: str
    stack_name: str
    fleet_name: str
    stack: dict[str, Any] | None
    fleet: dict[str, Any] | None
    associated_fleets: Sequence[str]

    @classmethod
    def look_up(cls, client: Any, stack_name: str, fleet_name: str) -> Target:
        """Ask for the stack, the fleet and their association, side by side.

        Raises:
            AnsibleAppStreamError: a call failed.
        """
        with ThreadPoolExecutor(max_workers=3) as executor:
            stack = executor.submit(describe_stack, client, stack_name)
            fleet = executor.submit(describe_fleet, client, fleet_name)
            associated = executor.submit(list_associated_fleets, client, stack_name)
        return cls(client.meta.region_name, stack_name, fleet_name, stack.result(), fleet.result(), associated.result())

    @property
    def stack_arn(self) -> str | None:
        """The stack's ARN; where it is gone, the one that it had, told by the fleet's."""
        return _arn(self.stack) or _sibling_arn(self.fleet, f"stack/{self.stack_name}")

    @property
    def fleet_arn(self) -> str | None:
        """The fleet's ARN; where it is gone, the one that it had, told by the stack's."""
        return _arn(self.fleet) or _sibling_arn(self.stack, f"fleet/{self.fleet_name}")

    def in_account(self, account: str, partition: str) -> Target:
        """This target with the ARNs that a deleted stack and fleet had in that account."""
        prefix = f"arn:{partition}:appstream:{self.region}:{account}"
        stack, fleet = {"Arn": f"{prefix}:stack/{self.stack_name}"}, {"Arn": f"{prefix}:fleet/{self.fleet_name}"}
        return replace(self, stack=stack, fleet=fleet)

    @property
    def created(self) -> datetime:
        """When the younger of stack and fleet was created, in UTC and rounded down to whole seconds.

        A URL that was issued earlier belongs to a stack or fleet that was deleted.
        """
        moments = [
            described["CreatedTime"].astimezone(timezone.utc).replace(microsecond=0)
            for described in (self.stack, self.fleet)
            if described and described.get("CreatedTime")
        ]
        return max(moments, default=datetime.min.replace(tzinfo=timezone.utc))

    def validate_can_stream(self) -> None:
        """Refuse a target for which the service issues no URL, or one that fails in the learner's browser.

        Raises:
            NotReady: saying what is wrong and what to do.
        """
        if self.stack is None:
            raise missing("stack", self.stack_name, self.region, "stack_name")
        if self.fleet is None:
            raise missing("fleet", self.fleet_name, self.region, "fleet_name")
        if self.fleet_name not in self.associated_fleets:
            raise NotReady(
                f"Fleet {self.fleet_name!r} is not associated with stack {self.stack_name!r}: associate them "
                "(AssociateFleet), then run again."
            )
        domain = (self.fleet.get("DomainJoinInfo") or {}).get("DirectoryName")
        if domain:
            raise NotReady(
                f"Fleet {self.fleet_name!r} is joined to the domain {domain!r}, and such a fleet lets nobody in by "
                "streaming URL: use a fleet that is not joined to a domain, or SAML."
            )
        state = self.fleet.get("State")
        if state != "RUNNING":
            remedy = {
                "STARTING": "wait until it is RUNNING",
                "STOPPING": "wait until it is STOPPED, start it (StartFleet), wait until it is RUNNING",
            }.get(str(state), "start it (StartFleet), wait until it is RUNNING")
            raise NotReady(f"Fleet {self.fleet_name!r} is {state}, not RUNNING: {remedy}, then run again.")


def _arn(described: dict[str, Any] | None) -> str | None:
    return described.get("Arn") if described else None


def _sibling_arn(described: dict[str, Any] | None, resource: str) -> str | None:
    arn = _arn(described)
    return f"{arn.rpartition(':')[0]}:{resource}" if arn else None
