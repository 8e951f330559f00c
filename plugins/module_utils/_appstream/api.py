# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""AppStream 2.0 (WorkSpaces Applications): calls, and the check before the first URL.

Sources: the service model of botocore, and the API reference of CreateStreamingURL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from .._errors import InvalidResponse, NotReady
from .._service_errors import call, get_member, list_all
from .._time import round_down
from .._urls import validate_issued_url
from .applications import Catalog, build_elastic_catalog, build_image_catalog, validate_applications, validate_desktop
from .errors import AnsibleAppStreamError, AppStreamErrorHandler

SERVICE = "appstream"


@AppStreamErrorHandler.list_error_handler("describe the stack")
def describe_stack(client: Any, name: str) -> dict[str, Any] | None:
    """Return the stack of that name (DescribeStacks), or None."""
    stacks = get_member(call(client.describe_stacks, Names=[name]), "Stacks")
    return stacks[0] if stacks else None


@AppStreamErrorHandler.list_error_handler("describe the fleet {name!r}")
def describe_fleet(client: Any, name: str) -> dict[str, Any] | None:
    """Return the fleet of that name (DescribeFleets), or None."""
    fleets = get_member(call(client.describe_fleets, Names=[name]), "Fleets")
    return fleets[0] if fleets else None


@AppStreamErrorHandler.list_error_handler("list the fleets of the stack", ())
def list_associated_fleets(client: Any, stack_name: str) -> Sequence[str]:
    """Return the names of the fleets that the stack is associated with (ListAssociatedFleets)."""
    return list_all(client, "list_associated_fleets", "Names", StackName=stack_name)


@AppStreamErrorHandler.list_error_handler("describe the image of the fleet")
def describe_image(client: Any, **selection: Any) -> dict[str, Any] | None:
    """Return the image (DescribeImages), or None if there is none, or it is not shared with this account any more.

    Args:
        client: A client of AppStream.
        selection: ``Arns`` or ``Names`` of one image.
    """
    images = list_all(client, "describe_images", "Images", **selection)
    return images[0] if images else None


@AppStreamErrorHandler.common_error_handler("list the applications of the fleet {name!r}")
def list_fleet_applications(client: Any, name: str) -> list[str]:
    """Return the ARNs of the applications of an Elastic fleet (DescribeApplicationFleetAssociations), all pages."""
    operation = client.describe_application_fleet_associations
    return [
        get_member(association, "ApplicationArn")
        for association in _read_pages(operation, "ApplicationFleetAssociations", FleetName=name)
    ]


@AppStreamErrorHandler.list_error_handler("describe the applications of the fleet", ())
def describe_applications(client: Any, arns: Sequence[str]) -> Sequence[dict[str, Any]]:
    """Return the applications of these ARNs (DescribeApplications), all pages; none if one was deleted meanwhile."""
    return _read_pages(client.describe_applications, "Applications", Arns=list(arns))


def _read_pages(operation: Callable[..., Any], member: str, **parameters: Any) -> list[dict[str, Any]]:
    """Return the items on all pages of an operation that botocore has no paginator for.

    Raises:
        InvalidResponse: a page is followed by itself.
    """
    items: list[dict[str, Any]] = []
    token: str | None = None
    while True:
        page = call(operation, **parameters, **({"NextToken": token} if token else {}))
        items += page.get(member) or []
        previous, token = token, page.get("NextToken")
        if not token:
            return items
        if token == previous:
            raise InvalidResponse("the same NextToken twice")


@AppStreamErrorHandler.common_error_handler("create a streaming URL")
def create_streaming_url(client: Any, **parameters: Any) -> tuple[str, datetime]:
    """Return a new streaming URL and when it expires, in UTC and rounded down to whole seconds (CreateStreamingURL).

    Args:
        client: A client of AppStream.
        parameters: ``StackName``, ``FleetName``, ``UserId``, ``Validity`` and, if wanted, ``ApplicationId`` and
            ``SessionContext``.

    Raises:
        NotReady: the response has no URL, or one that is not of a web page.
        AnsibleAppStreamError: the call failed.
    """
    response = call(client.create_streaming_url, **parameters)
    if not response.get("StreamingURL") or not response.get("Expires"):
        raise NotReady("Failed to create a streaming URL: the response has none. Run again.")
    validate_issued_url(response["StreamingURL"])
    return response["StreamingURL"], round_down(response["Expires"])


def get_catalog(client: Any, fleet: Mapping[str, Any]) -> Catalog:
    """Return the applications of the fleet.

    Raises:
        AnsibleAppStreamError: a call failed.
    """
    if fleet.get("FleetType") == "ELASTIC":
        arns = list_fleet_applications(client, fleet["Name"])
        return build_elastic_catalog(arns, describe_applications(client, arns) if arns else ())
    # An image that is shared by another account is found by its ARN only.
    if fleet.get("ImageArn"):
        return build_image_catalog(describe_image(client, Arns=[fleet["ImageArn"]]))
    name = fleet.get("ImageName")
    return build_image_catalog(describe_image(client, Names=[name]) if name else None)


def check_applications(client: Any, fleet: Mapping[str, Any], application_ids: Iterable[str | None]) -> str | None:
    """Reject applications that the fleet does not have, since URLs for them open nothing.

    Args:
        client: A client of AppStream.
        fleet: The fleet, as the service describes it.
        application_ids: What each URL is to open, None for no application in particular.

    Returns:
        A warning if it is not known whether the fleet has them, otherwise None.

    Raises:
        InvalidOption: names the application, and those that the fleet has.
        AnsibleAppStreamError: a call failed.
    """
    to_find = validate_desktop(fleet, {name for name in application_ids if name is not None})
    if not to_find:
        return None
    try:
        catalog = get_catalog(client, fleet)
    except AnsibleAppStreamError as e:
        if not e.is_denied:
            raise
        return f"application_id was not checked. {e}"
    return validate_applications(fleet, to_find, catalog)


def missing(kind: str, name: str, region: str, option: str) -> NotReady:
    """Return the error for a stack or fleet that does not exist.

    Args:
        kind: "stack" or "fleet".
        name: Its name.
        region: The region.
        option: What gave the name, for the message.
    """
    return NotReady(
        f"{kind.capitalize()} {name!r} does not exist in region {region}: check {option} and region, and that the "
        "credentials belong to the right account."
    )


@dataclass(frozen=True)
class Target:
    """The stack and fleet that URLs are issued for. ``stack`` and ``fleet`` are None if they do not exist."""

    region: str
    stack_name: str
    fleet_name: str
    stack: dict[str, Any] | None
    fleet: dict[str, Any] | None
    associated_fleets: Sequence[str]

    @classmethod
    def look_up(cls, client: Any, stack_name: str, fleet_name: str) -> Target:
        """Get the stack, the fleet and their association, concurrently.

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
        """The stack's ARN. If it was deleted, the ARN that it had, by the fleet's."""
        return (self.stack or {}).get("Arn") or _sibling_arn(self.fleet, f"stack/{self.stack_name}")

    @property
    def fleet_arn(self) -> str | None:
        """The fleet's ARN. If it was deleted, the ARN that it had, by the stack's."""
        return (self.fleet or {}).get("Arn") or _sibling_arn(self.stack, f"fleet/{self.fleet_name}")

    @property
    def created(self) -> datetime:
        """When the younger of stack and fleet was created, in UTC and rounded down to whole seconds.

        A URL that was issued earlier belongs to a stack or fleet that was deleted.
        """
        created = [(described or {}).get("CreatedTime") for described in (self.stack, self.fleet)]
        return max((round_down(when) for when in created if when), default=datetime.min.replace(tzinfo=timezone.utc))

    def validate_can_stream(self, *, is_running: bool = True) -> None:
        """Reject a target for which the service issues no URL, or one that fails in the learner's browser.

        Args:
            is_running: Whether the fleet must be running by now.

        Raises:
            NotReady: says what is wrong and what to do.
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
                f"Fleet {self.fleet_name!r} is joined to the domain {domain!r}, and such a fleet does not accept "
                "streaming URLs: use a fleet that is not joined to a domain, or SAML."
            )
        state = self.fleet.get("State")
        if is_running and state != "RUNNING":
            remedy = {
                "STARTING": "wait until it is RUNNING",
                "STOPPING": "wait until it is STOPPED, start it (StartFleet), wait until it is RUNNING",
            }.get(str(state), "start it (StartFleet), wait until it is RUNNING")
            raise NotReady(f"Fleet {self.fleet_name!r} is {state}, not RUNNING: {remedy}, then run again.")


def _sibling_arn(described: dict[str, Any] | None, resource: str) -> str | None:
    arn = (described or {}).get("Arn")
    return f"{arn.rpartition(':')[0]}:{resource}" if arn else None
