# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many learners a fleet has room for, whatever its type, and the changes of that. Pure: knows neither AWS nor
Ansible.

Fleets come as DescribeFleets describes them. Sources: the service model of botocore (ComputeCapacityStatus,
UpdateFleet), and "Fleet Usage Metrics" and "Fleet Types" in the administration guide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .._errors import InvalidOption

ELASTIC = "ELASTIC"
# The options that scale a fleet: each fits one kind of fleet, named as sentences do.
KINDS = {
    "desired_instances": "a fleet with one session on each instance",
    "desired_sessions": "a multi-session fleet",
    "max_concurrent_sessions": "an Elastic fleet",
}
# "Default Internet Access" is for that many instances at most, says the administration guide.
MOST_WITH_DEFAULT_INTERNET_ACCESS = 100
# What the API calls an integer has 32 bits.
MOST = 2**31 - 1


@dataclass(frozen=True)
class Capacity:
    """A fleet's room in seats, one for each session that it can stream at the same time.

    Args:
        desired: What the fleet is set to have once it runs.
        running: What it has: in use or available. Of an Always-On fleet also what runs but is not yet available.
        in_use: Where somebody streams.
        available: Where somebody can stream now. On-Demand instances wait stopped, and take a minute or two.
        max_available: What can become available without scaling, once the fleet is RUNNING and has all its instances.
    """

    desired: int
    running: int
    in_use: int
    available: int
    max_available: int


def build_capacity(fleet: Mapping[str, Any]) -> Capacity:
    """The fleet's capacity in seats."""
    told = {member: number or 0 for member, number in fleet["ComputeCapacityStatus"].items()}
    kind, wasted = kind_of(fleet), 0
    if kind == "max_concurrent_sessions":
        # No instance waits for a session, so the instances that are told say nothing of what is free.
        desired, running, in_use = fleet.get("MaxConcurrentSessions") or 0, 0, told.get("InUse", 0)
        available = max(desired - in_use, 0) if fleet.get("State") == "RUNNING" else 0
    elif kind == "desired_sessions":
        seats = fleet["MaxSessionsPerInstance"]
        desired = told.get("DesiredUserSessions") or told["Desired"] * seats
        running = told.get("ActualUserSessions", told.get("Running", 0) * seats)
        in_use = told.get("ActiveUserSessions", told.get("InUse", 0))
        available = told.get("AvailableUserSessions", max(running - in_use, 0))
        # Instances in drain mode take nobody, and are replaced when their last session has ended.
        wasted = told.get("DrainModeUnusedUserSessions", 0)
    else:
        desired, running = told["Desired"], told.get("Running", 0)
        in_use, available = told.get("InUse", 0), told.get("Available", 0)
    return Capacity(
        desired=desired,
        running=max(running, in_use + available),
        in_use=in_use,
        available=available,
        max_available=max(desired - in_use - wasted, available),
    )


def kind_of(fleet: Mapping[str, Any]) -> str:
    """The option that scales this kind of fleet."""
    if fleet.get("FleetType") == ELASTIC:
        return "max_concurrent_sessions"
    sessions = fleet.get("MaxSessionsPerInstance") or 0
    multi = sessions > 1 or (sessions == 1 and "DesiredUserSessions" in fleet["ComputeCapacityStatus"])
    return "desired_sessions" if multi else "desired_instances"


@dataclass(frozen=True)
class Scaling:
    """The capacity that a fleet is to have: one of the options that scale a fleet, and its value."""

    option: str
    wanted: int

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Scaling | None:
        """What a module's arguments ask for, None if they leave the capacity alone.

        Raises:
            InvalidOption: no fleet can have that capacity.
        """
        given = [cls(option, params[option]) for option in KINDS if params[option] is not None]
        for scaling in given:
            least = 1 if scaling.option == "max_concurrent_sessions" else 0
            if not least <= scaling.wanted <= MOST:
                raise InvalidOption(f"{scaling.option} is {scaling.wanted}, but it must be from {least} to {MOST}.")
        return given[0] if given else None

    def validate_fits(self, fleet: Mapping[str, Any]) -> None:
        """Refuse an option that is for another kind of fleet.

        Raises:
            InvalidOption: naming the option that fits.
        """
        fitting = kind_of(fleet)
        if fitting != self.option:
            raise InvalidOption(
                f"{self.option} is {self.wanted}, but it is for {KINDS[self.option]}, and {fleet['Name']!r} is "
                f"{KINDS[fitting]}: give {fitting} instead."
            )

    def accepts(self, fleet: Mapping[str, Any]) -> bool:
        """Whether the fleet is set to have that capacity."""
        desired = build_capacity(fleet).desired
        # Sessions come on whole instances, and the service may tell what it was asked for or what these have.
        return desired == self.wanted or (
            self.option == "desired_sessions" and desired == self._instances(fleet) * fleet["MaxSessionsPerInstance"]
        )

    def parameters(self) -> dict[str, Any]:
        """What UpdateFleet takes."""
        if self.option == "max_concurrent_sessions":
            return {"MaxConcurrentSessions": self.wanted}
        member = {"desired_instances": "DesiredInstances", "desired_sessions": "DesiredSessions"}[self.option]
        return {"ComputeCapacity": {member: self.wanted}}

    def applied_to(self, fleet: Mapping[str, Any]) -> dict[str, Any]:
        """The fleet as it would be described once it is scaled, and has provisioned no more instances yet."""
        if self.option == "max_concurrent_sessions":
            return {**fleet, "MaxConcurrentSessions": self.wanted}
        desired = {"Desired": self._instances(fleet)}
        if self.option == "desired_sessions":
            desired["DesiredUserSessions"] = self.wanted
        return {**fleet, "ComputeCapacityStatus": {**fleet["ComputeCapacityStatus"], **desired}}

    def warning(self, fleet: Mapping[str, Any]) -> str | None:
        """A sentence on what the service takes but may not fulfil, None if there is nothing to say."""
        fits = self.option == kind_of(fleet) != "max_concurrent_sessions"
        if not fits or not fleet.get("EnableDefaultInternetAccess"):
            return None
        instances = self._instances(fleet)
        if instances <= MOST_WITH_DEFAULT_INTERNET_ACCESS:
            return None
        return (
            f"Fleet {fleet['Name']!r} has Default Internet Access, which is for at most "
            f"{MOST_WITH_DEFAULT_INTERNET_ACCESS} instances, and {self.option} {self.wanted} takes {instances}: put "
            "the fleet behind a NAT gateway."
        )

    def _instances(self, fleet: Mapping[str, Any]) -> int:
        sessions = fleet["MaxSessionsPerInstance"] if self.option == "desired_sessions" else 1
        return -(-self.wanted // sessions)
