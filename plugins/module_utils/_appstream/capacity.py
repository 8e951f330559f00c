# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The capacity of fleets in sessions, whatever their type, and scaling. Pure: knows neither AWS nor Ansible.

Fleets have the members of DescribeFleets. Sources: the service model of botocore (ComputeCapacityStatus,
UpdateFleet), and "Fleet Usage Metrics" and "Fleet Types" in the administration guide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .._errors import InvalidOption
from .._validation import validate_range

ELASTIC = "ELASTIC"
# The options that scale a fleet, each with the kind of fleet that it is for.
KINDS = {
    "desired_instances": "a fleet with one session on each instance",
    "desired_sessions": "a multi-session fleet",
    "max_concurrent_sessions": "an Elastic fleet",
}
# By the administration guide.
MAX_INSTANCES_BY_DEFAULT_INTERNET = 100
# An integer of the API has 32 bits.
MAX_SESSIONS = 2**31 - 1


@dataclass(frozen=True)
class Capacity:
    """A fleet's capacity in sessions that it can stream at the same time.

    Args:
        desired: The sessions that the fleet is set to have once it runs.
        running: The sessions that it has, in use or available. An Always-On fleet also counts those of instances that
            run but are not available yet.
        in_use: The sessions that are in use.
        available: The sessions that can be started now. On-Demand instances are stopped until then.
        max_available: The sessions that can become available without scaling, once the fleet is RUNNING and has all its
            instances.
    """

    desired: int
    running: int
    in_use: int
    available: int
    max_available: int


def build_capacity(fleet: Mapping[str, Any]) -> Capacity:
    """Return the fleet's capacity."""
    status = {member: number or 0 for member, number in fleet["ComputeCapacityStatus"].items()}
    option, wasted = get_capacity_option(fleet), 0
    if option == "max_concurrent_sessions":
        # No instance waits for a session, so the numbers of instances do not say what is available.
        desired, running, in_use = fleet.get("MaxConcurrentSessions") or 0, 0, status.get("InUse", 0)
        available = max(desired - in_use, 0) if fleet.get("State") == "RUNNING" else 0
    elif option == "desired_sessions":
        per_instance = fleet["MaxSessionsPerInstance"]
        desired = status.get("DesiredUserSessions") or status["Desired"] * per_instance
        running = status.get("ActualUserSessions", status.get("Running", 0) * per_instance)
        in_use = status.get("ActiveUserSessions", status.get("InUse", 0))
        available = status.get("AvailableUserSessions", max(running - in_use, 0))
        # Instances in drain mode accept no new session, and are replaced when their last one has ended.
        wasted = status.get("DrainModeUnusedUserSessions", 0)
    else:
        desired, running = status["Desired"], status.get("Running", 0)
        in_use, available = status.get("InUse", 0), status.get("Available", 0)
    return Capacity(
        desired=desired,
        running=max(running, in_use + available),
        in_use=in_use,
        available=available,
        max_available=max(desired - in_use - wasted, available),
    )


def build_scaling(fleet: Mapping[str, Any], available_sessions: int) -> Scaling | None:
    """Return the scaling by which so many more sessions can become available; None if the fleet is set to have them."""
    capacity = build_capacity(fleet)
    # max_available is less than desired and in_use suggest where instances accept no new session.
    missing = available_sessions - capacity.max_available
    wanted = max(capacity.desired + missing, capacity.in_use + available_sessions)
    return Scaling(get_capacity_option(fleet), wanted) if wanted > capacity.desired else None


def get_capacity_option(fleet: Mapping[str, Any]) -> str:
    """Return the option that scales this kind of fleet."""
    if fleet.get("FleetType") == ELASTIC:
        return "max_concurrent_sessions"
    sessions = fleet.get("MaxSessionsPerInstance") or 0
    multi = sessions > 1 or (sessions == 1 and "DesiredUserSessions" in fleet["ComputeCapacityStatus"])
    return "desired_sessions" if multi else "desired_instances"


@dataclass(frozen=True)
class Scaling:
    """The capacity that a fleet is set to: one of the options that scale a fleet, and its value."""

    option: str
    wanted: int

    @classmethod
    def from_options(cls, params: Mapping[str, Any]) -> Scaling | None:
        """Return the scaling that the options of a module ask for, None if they leave the capacity alone.

        Raises:
            InvalidOption: no fleet can have that capacity.
        """
        given = [cls(option, params[option]) for option in KINDS if params[option] is not None]
        for scaling in given:
            least = 1 if scaling.option == "max_concurrent_sessions" else 0
            validate_range(scaling.option, scaling.wanted, least, MAX_SESSIONS)
        return given[0] if given else None

    def validate_fits(self, fleet: Mapping[str, Any]) -> None:
        """Reject an option that is for another kind of fleet.

        Raises:
            InvalidOption: names the option that fits.
        """
        fitting = get_capacity_option(fleet)
        if fitting != self.option:
            raise InvalidOption(
                f"{self.option} is {self.wanted}, but it is for {KINDS[self.option]}, and {fleet['Name']!r} is "
                f"{KINDS[fitting]}: give {fitting} instead."
            )

    def accepts(self, fleet: Mapping[str, Any]) -> bool:
        """Whether the fleet is set to that capacity."""
        desired = build_capacity(fleet).desired
        # The service rounds sessions up to whole instances, and may return what was requested or what these have.
        return desired == self.wanted or (
            self.option == "desired_sessions" and desired == self._instances(fleet) * fleet["MaxSessionsPerInstance"]
        )

    def to_parameters(self) -> dict[str, Any]:
        """Return the parameters of UpdateFleet."""
        if self.option == "max_concurrent_sessions":
            return {"MaxConcurrentSessions": self.wanted}
        member = {"desired_instances": "DesiredInstances", "desired_sessions": "DesiredSessions"}[self.option]
        return {"ComputeCapacity": {member: self.wanted}}

    def apply_to(self, fleet: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fleet as it would be right after scaling, without any new instance yet."""
        if self.option == "max_concurrent_sessions":
            return {**fleet, "MaxConcurrentSessions": self.wanted}
        desired = {"Desired": self._instances(fleet)}
        if self.option == "desired_sessions":
            desired["DesiredUserSessions"] = desired["Desired"] * fleet["MaxSessionsPerInstance"]
        return {**fleet, "ComputeCapacityStatus": {**fleet["ComputeCapacityStatus"], **desired}}

    def warning(self, fleet: Mapping[str, Any]) -> str | None:
        """Return a warning on what the service accepts but may not be able to provide; None if there is none."""
        fits = self.option == get_capacity_option(fleet) != "max_concurrent_sessions"
        if not fits or not fleet.get("EnableDefaultInternetAccess"):
            return None
        instances = self._instances(fleet)
        if instances <= MAX_INSTANCES_BY_DEFAULT_INTERNET:
            return None
        return (
            f"Fleet {fleet['Name']!r} has Default Internet Access, which is for at most "
            f"{MAX_INSTANCES_BY_DEFAULT_INTERNET} instances, and {self.option} {self.wanted} takes {instances}: "
            "put the fleet behind a NAT gateway."
        )

    def _instances(self, fleet: Mapping[str, Any]) -> int:
        sessions = fleet["MaxSessionsPerInstance"] if self.option == "desired_sessions" else 1
        return -(-self.wanted // sessions)
