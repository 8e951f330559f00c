# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The capacity of a stream group's locations in sessions, and what it is set to. Pure: knows neither AWS nor Ansible.

Locations have the members of LocationState. Source: the service model of botocore 1.44.8 (LocationState,
LocationConfiguration, StreamClass).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .._errors import InvalidOption
from .._validation import validate_range
from .validation import MAX_INTEGER, validate_locations

ACTIVE = "ACTIVE"
# How many sessions share an instance, of the stream classes in which any do: capacities are multiples of it.
TENANCIES = {
    "gen4n_high": 2,
    "gen5n_high": 2,
    "gen6n_high": 2,
    "gen6n_medium": 4,
    "gen6n_small": 12,
}
# The options that set a location's capacity, each with the member of LocationConfiguration.
CAPACITY_OPTIONS = {
    "always_on_capacity": "AlwaysOnCapacity",
    "target_idle_capacity": "TargetIdleCapacity",
    "maximum_capacity": "MaximumCapacity",
}
# In the order of the fields of LocationCapacity.
LOCATION_OPTIONS = (*CAPACITY_OPTIONS, "available_sessions")


@dataclass(frozen=True)
class Capacity:
    """The capacity of one location or of several, in sessions that it can stream at the same time.

    Attributes:
        always_on: The sessions that are always allocated, and billed.
        maximum: The sessions that can be allocated.
        allocated: The sessions that are allocated now, in use or available, and billed.
        in_use: The sessions that are in use.
        available: The sessions that can be started now without delay.
        max_available: The sessions that can be started without scaling; those beyond ``available`` take minutes.
    """

    always_on: int = 0
    maximum: int = 0
    allocated: int = 0
    in_use: int = 0
    available: int = 0
    max_available: int = 0


def build_capacity(location: Mapping[str, Any]) -> Capacity:
    """Return the capacity of a location. Where it is not ACTIVE, no session can be started."""
    always_on, allocated = location.get("AlwaysOnCapacity") or 0, location.get("AllocatedCapacity") or 0
    maximum, idle = get_maximum(location), location.get("IdleCapacity") or 0
    in_use = max(allocated - idle, 0)
    is_active = location.get("Status") == ACTIVE
    return Capacity(
        always_on=always_on,
        maximum=maximum,
        allocated=allocated,
        in_use=in_use,
        available=idle if is_active else 0,
        max_available=max(maximum, allocated) - in_use if is_active else 0,
    )


def get_maximum(location: Mapping[str, Any]) -> int:
    """Return the sessions that can be allocated. Before there was a maximum, this was always-on plus on-demand."""
    always_on = location.get("AlwaysOnCapacity") or 0
    maximum = location.get("MaximumCapacity")
    return max(always_on, always_on + (location.get("OnDemandCapacity") or 0) if maximum is None else maximum)


def add_up(capacities: Iterable[Capacity]) -> Capacity:
    """Return the capacity of several locations together."""
    rows = list(capacities)
    return Capacity(*(sum(getattr(row, name) for row in rows) for name in Capacity.__dataclass_fields__))


@dataclass(frozen=True)
class LocationCapacity:
    """The capacity that a location is set to. None leaves a number as it is.

    ``available_sessions`` stands for the always-on capacity that it needs, which is known once the location is.
    """

    location_name: str
    always_on_capacity: int | None = None
    target_idle_capacity: int | None = None
    maximum_capacity: int | None = None
    available_sessions: int | None = None

    def resolve(self, stream_class: str | None, location: Mapping[str, Any]) -> LocationCapacity:
        """Return the capacity with as much that is always on as is needed for the sessions, and never with less."""
        if self.available_sessions is None:
            return self
        tenancy, current = TENANCIES.get(stream_class or "", 1), location.get("AlwaysOnCapacity") or 0
        needed = build_capacity(location).in_use + self.available_sessions
        always_on = max(current, -(-needed // tenancy) * tenancy)
        return replace(self, always_on_capacity=always_on, available_sessions=None)

    def build_configuration(self, location: Mapping[str, Any]) -> dict[str, Any]:
        """Return the location as UpdateStreamGroup takes it, with every member: for others it has defaults of its own.

        The maximum is raised to the other capacities if it is not given. On-demand capacity cannot be combined with
        the others, so it is never sent: the maximum has it.
        """
        always_on = _first(self.always_on_capacity, location.get("AlwaysOnCapacity"), 0)
        target_idle = _first(self.target_idle_capacity, location.get("TargetIdleCapacity"), 0)
        maximum = _first(self.maximum_capacity, max(get_maximum(location), always_on, target_idle))
        vpc = location.get("VpcTransitConfiguration")
        sent = {name: vpc[name] for name in ("VpcId", "Ipv4CidrBlocks")} if vpc else None
        return {
            "LocationName": self.location_name,
            "AlwaysOnCapacity": always_on,
            "TargetIdleCapacity": target_idle,
            "MaximumCapacity": maximum,
            **({"VpcTransitConfiguration": sent} if sent else {}),
        }

    def is_set(self, location: Mapping[str, Any]) -> bool:
        """Return whether the location is set to this capacity."""
        wanted = self.build_configuration(location)
        current = {
            "AlwaysOnCapacity": location.get("AlwaysOnCapacity") or 0,
            "TargetIdleCapacity": location.get("TargetIdleCapacity") or 0,
            "MaximumCapacity": get_maximum(location),
        }
        return all(wanted[name] == number for name, number in current.items())

    def validate_fits(self, stream_class: str | None, location: Mapping[str, Any]) -> None:
        """Reject numbers that the service does not take together, or not for the stream class.

        Raises:
            InvalidOption: names the option.
        """
        configuration = self.build_configuration(location)
        where = f"of location {self.location_name!r}"
        tenancy = TENANCIES.get(stream_class or "", 1)
        for option, member in CAPACITY_OPTIONS.items():
            number = configuration[member]
            if number % tenancy and getattr(self, option) is not None:
                raise InvalidOption(
                    f"{option} {where} is {number}, but {tenancy} sessions share an instance of {stream_class}: give "
                    f"a multiple of {tenancy}, such as {-(-number // tenancy) * tenancy}."
                )
        maximum = configuration["MaximumCapacity"]
        for option in ("always_on_capacity", "target_idle_capacity"):
            number = configuration[CAPACITY_OPTIONS[option]]
            if number > maximum:
                raise InvalidOption(
                    f"maximum_capacity {where} is {maximum}, but {option} is {number}: increase the former, or "
                    "decrease the latter."
                )


def parse_locations(locations: Sequence[Mapping[str, Any]] | None) -> list[LocationCapacity]:
    """Return the capacities that the option C(locations) asks for.

    Raises:
        InvalidOption: names the value.
    """
    if locations is None:
        return []
    validate_locations([each["location_name"] for each in locations])
    for each in locations:
        for option in LOCATION_OPTIONS:
            if each.get(option) is not None:
                validate_range(f"{option} of location {each['location_name']!r}", each[option], 0, MAX_INTEGER)
        if all(each.get(option) is None for option in LOCATION_OPTIONS):
            raise InvalidOption(
                f"locations has {each['location_name']!r} without a capacity: give always_on_capacity, "
                "available_sessions, target_idle_capacity or maximum_capacity."
            )
        if each.get("available_sessions") is not None and each.get("always_on_capacity") is not None:
            raise InvalidOption(
                f"locations has {each['location_name']!r} with always_on_capacity and available_sessions, which "
                "stands for another one: leave one of them out."
            )
    return [
        LocationCapacity(each["location_name"], *(each.get(option) for option in LOCATION_OPTIONS))
        for each in locations
    ]


def _first(*numbers: int | None) -> int:
    return next(number for number in numbers if number is not None)
