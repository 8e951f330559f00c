# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The states of stream groups, and the steps by which one gets its capacity. Pure: knows neither AWS nor Ansible.

Stream groups have the members of GetStreamGroup. Source: the service model of botocore 1.44.8 (StreamGroupStatus,
StreamGroupStatusReason, StreamGroupLocationStatus, UpdateStreamGroup).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._errors import NotReady, to_message
from .._waiting import STATE_DELAY, Step, format_count, format_elapsed, validate_wait_timeout
from .capacity import LOCATION_OPTIONS, LocationCapacity, add_up, build_capacity, get_maximum, parse_locations
from .validation import get_id, validate_identifier

ACTIVE, ACTIVE_WITH_ERRORS, UPDATING = "ACTIVE", "ACTIVE_WITH_ERRORS", "UPDATING_LOCATIONS"
ACTIVATING, ERROR, DELETING, EXPIRED, REMOVING = "ACTIVATING", "ERROR", "DELETING", "EXPIRED", "REMOVING"

# The options of the module gamelift_stream_group, for it and its action plugin.
ARGUMENT_SPEC: dict[str, Any] = dict(
    stream_group=dict(type="str", required=True),
    state=dict(type="str", choices=["present", "restored"], default="present"),
    lab=dict(type="str"),
    locations=dict(
        type="list",
        elements="dict",
        options=dict(
            location_name=dict(type="str", required=True),
            **{option: dict(type="int") for option in LOCATION_OPTIONS},
        ),
    ),
    on_insufficient_capacity=dict(type="str", choices=["fail", "warn", "ignore"], default="fail"),
    wait=dict(type="bool", default=True),
    wait_timeout=dict(type="int", default=1800),
)

_REASONS = {
    "internalError": "the service failed, so create another stream group, or contact AWS Support if it happens again",
    "noAvailableInstances": "AWS has no free instances of this stream class there, so wait a few minutes, or use "
    "another stream class or location",
}
# What to do about a stream group that hosts nothing and never will.
REMEDIES = {
    DELETING: "it is being deleted, so use another one",
    EXPIRED: "a stream group lasts 365 days, so create another one and correct stream_group",
    ERROR: "create another one and correct stream_group",
}
_LOCATION_REMEDIES = {
    ACTIVATING: "wait until it is ACTIVE, then run again",
    ERROR: "remove what is in error from the stream group (RemoveStreamGroupLocations), and add it again",
    REMOVING: "it is being removed, so use another one",
}


def describe_problem(stream_group: Mapping[str, Any]) -> str | None:
    """Return a message on what is wrong with the stream group or its locations and what to do, None if nothing is."""
    status, reason = stream_group["Status"], stream_group.get("StatusReason")
    beginning = f"Stream group {get_name(stream_group)!r} is {status}"
    if status in REMEDIES:
        because = f" ({reason})" if reason else ""
        return to_message(f"{beginning}{because}: {_REASONS.get(reason or '') or REMEDIES[status]}.")
    failed = [name for name, location in get_locations(stream_group).items() if location.get("Status") == ERROR]
    if not failed and status != ACTIVE_WITH_ERRORS:
        return None
    named = f"{', '.join(map(repr, failed)) or 'a location'} in ERROR"
    return f"{beginning}, with {named}: {_LOCATION_REMEDIES[ERROR]}."


def describe_location_problem(stream_group: Mapping[str, Any], location_name: str) -> str | None:
    """Return a message on a location that cannot host or be scaled, None if it can."""
    locations = get_locations(stream_group)
    beginning = f"Stream group {get_name(stream_group)!r}"
    if location_name not in locations:
        existing = ", ".join(locations) or "no locations"
        return (
            f"{beginning} has no location {location_name!r} (it has {existing}): correct locations, or add it to the "
            "stream group (AddStreamGroupLocations)."
        )
    status = locations[location_name].get("Status")
    if status == ACTIVE:
        return None
    remedy = _LOCATION_REMEDIES.get(status or "", "wait until it is ACTIVE, then run again")
    return f"{beginning} has location {location_name!r}, which is {status}: {remedy}."


def get_name(stream_group: Mapping[str, Any]) -> str:
    """Return the id of the stream group."""
    name: str = stream_group.get("Id") or get_id(stream_group["Arn"])
    return name


def get_locations(stream_group: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the locations by name."""
    return {location.get("LocationName", ""): location for location in stream_group.get("LocationStates") or []}


def build_group_diff(stream_group: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run may change of a stream group, as the diff shows it."""
    return {
        "status": stream_group["Status"],
        "locations": {
            name: {
                "always_on_capacity": location.get("AlwaysOnCapacity") or 0,
                "target_idle_capacity": location.get("TargetIdleCapacity") or 0,
                "maximum_capacity": get_maximum(location),
            }
            for name, location in get_locations(stream_group).items()
        },
    }


@dataclass
class GroupTransition:
    """The steps by which one run makes a stream group ACTIVE with the capacity of its locations.

    Args:
        capacities: The capacity that locations are set to. Other locations are left alone.
        allocated: Whether the always-on capacity of these locations must be allocated.
        changed: Whether the service has accepted a step of this run.
    """

    capacities: Sequence[LocationCapacity] = ()
    allocated: bool = True
    changed: bool = False
    # When this run updated the stream group, in seconds of any clock.
    _called_at: float | None = None
    # The locations that are scaled, as the last description has them.
    configurations: list[dict[str, Any]] = field(default_factory=list)
    # What they are scaled to, whatever is in use by then.
    _resolved: Sequence[LocationCapacity] = ()

    is_for_streaming = True

    @classmethod
    def from_options(cls, params: Mapping[str, Any], *, allocated: bool) -> GroupTransition:
        """Return the transition that the options of the module gamelift_stream_group ask for.

        Raises:
            InvalidOption: names the option.
        """
        validate_identifier("stream_group", params["stream_group"])
        validate_wait_timeout(params["wait_timeout"])
        return cls(parse_locations(params["locations"]), allocated)

    def next_step(self, stream_group: Mapping[str, Any], now: float) -> Step:
        """Return what is to be done next, given the stream group as it is now.

        Raises:
            NotReady: it will not become ACTIVE with that capacity; says why and what to do.
            InvalidOption: a location cannot have that capacity.
        """
        status = stream_group["Status"]
        problem = describe_problem(stream_group)
        if status in REMEDIES and problem:
            raise NotReady(problem)
        pending = self._find_pending(stream_group)
        if status not in (ACTIVE, ACTIVE_WITH_ERRORS):
            return Step.WAIT
        if not pending:
            return Step.WAIT if self._count_missing(stream_group) else Step.DONE
        if self._called_at is not None:
            if now - self._called_at < STATE_DELAY:
                return Step.WAIT
            raise NotReady(
                f"Stream group {get_name(stream_group)!r} was updated, but location "
                f"{pending[0].location_name!r} has another capacity now: check what else scales it, then run again."
            )
        locations = get_locations(stream_group)
        if any(locations[each.location_name].get("Status") == ACTIVATING for each in pending):
            return Step.WAIT
        obstacle = self._find_scaling_obstacle(stream_group, pending)
        if obstacle:
            raise NotReady(obstacle)
        self.configurations = [each.build_configuration(locations[each.location_name]) for each in pending]
        self._resolved = self._resolve(stream_group)
        return Step.SCALE

    def record(self, step: Step, now: float) -> None:
        """Record that the service has accepted the update."""
        self.changed, self._called_at, self.capacities = True, now, self._resolved

    def record_all(self, now: float) -> None:
        """Record that another process has made the update, if one was needed."""
        self._called_at = now

    def find_obstacle(self, stream_group: Mapping[str, Any]) -> str | None:
        """Return why this run can scale the stream group only later; None if it only has to wait."""
        pending = self._find_pending(stream_group) if self._called_at is None else []
        return self._find_scaling_obstacle(stream_group, pending) if pending else None

    def check_timeout(self, stream_group: Mapping[str, Any], seconds: int) -> None:
        """Reject a stream group that is not ACTIVE after so many seconds, or a location that was not scaled.

        Raises:
            NotReady: says what to wait for.
        """
        status = stream_group["Status"]
        if status not in (ACTIVE, ACTIVE_WITH_ERRORS):
            raise NotReady(
                f"Stream group {get_name(stream_group)!r} is still {status} after {seconds} seconds: wait until it is "
                "ACTIVE and run again, or increase wait_timeout."
            )
        obstacle = self.find_obstacle(stream_group)
        if obstacle:
            raise NotReady(obstacle)

    def describe_shortage(self, stream_group: Mapping[str, Any], seconds: int | None) -> str | None:
        """Return a message on always-on capacity that is not allocated, None if all is.

        Args:
            stream_group: The stream group.
            seconds: How long it was waited for, None if it was not.
        """
        missing = self._count_missing(stream_group)
        if not missing:
            return None
        after = "" if seconds is None else f" after {format_count(seconds, 'second')}"
        listed = ", ".join(f"{allocated} of {wanted} in {name!r}" for name, (allocated, wanted) in missing.items())
        return (
            f"Stream group {get_name(stream_group)!r} has less always-on capacity allocated than it is set to{after}: "
            f"{listed}. Run again to keep waiting, or use another location or stream class if AWS has no free "
            "instances there."
        )

    def describe_progress(self, stream_group: Mapping[str, Any], seconds: float) -> str:
        """Return a line on how far the stream group is after so many seconds."""
        locations = get_locations(stream_group)
        resolved = self._resolve(stream_group)
        named = [each.location_name for each in resolved]
        capacity = add_up(build_capacity(locations[name]) for name in named or locations)
        # What the locations are to be set to, as long as they are not.
        wanted = sum(each.build_configuration(locations[each.location_name])["AlwaysOnCapacity"] for each in resolved)
        goal = f", {wanted} wanted" if named and wanted != capacity.always_on else ""
        # More can be allocated than are always on: those that learners use, or until a lower capacity takes effect.
        sessions = (
            f"{capacity.allocated} of {format_count(capacity.always_on, 'always-on session')} allocated"
            if capacity.allocated <= capacity.always_on
            else f"{format_count(capacity.allocated, 'session')} allocated, {capacity.always_on} always on"
        )
        return f"{get_name(stream_group)}: {stream_group['Status']}, {sessions}{goal}, {format_elapsed(seconds)}"

    def _find_pending(self, stream_group: Mapping[str, Any]) -> list[LocationCapacity]:
        """Return the capacities that are not set yet.

        Raises:
            NotReady: the stream group does not have one of the locations, or will never stream there.
            InvalidOption: a location cannot have that capacity.
        """
        locations = get_locations(stream_group)
        for each in self.capacities:
            if locations.get(each.location_name, {}).get("Status") in (None, ERROR, REMOVING):
                raise NotReady(str(describe_location_problem(stream_group, each.location_name)))
        resolved = self._resolve(stream_group)
        for each in resolved:
            each.validate_fits(stream_group.get("StreamClass"), locations[each.location_name])
        return [each for each in resolved if not each.is_set(locations[each.location_name])]

    def _resolve(self, stream_group: Mapping[str, Any]) -> list[LocationCapacity]:
        """Return the capacities with the sessions that must be available, as long as nothing was scaled for them.

        After that, those that learners have started since are among them.
        """
        locations, stream_class = get_locations(stream_group), stream_group.get("StreamClass")
        existing = [each for each in self.capacities if each.location_name in locations]
        if self._called_at is not None:
            return existing
        return [each.resolve(stream_class, locations[each.location_name]) for each in existing]

    def _find_scaling_obstacle(
        self, stream_group: Mapping[str, Any], pending: Sequence[LocationCapacity]
    ) -> str | None:
        name, status = get_name(stream_group), stream_group["Status"]
        if status == ACTIVE_WITH_ERRORS:
            return f"{str(describe_problem(stream_group)).rstrip('.')}. Until then, no location of it can be scaled."
        if status != ACTIVE:
            return (
                f"Stream group {name!r} is {status}, and only a stream group that is ACTIVE can be scaled: wait until "
                "it is, then run again, or set wait."
            )
        problems = [describe_location_problem(stream_group, each.location_name) for each in pending]
        return next((problem for problem in problems if problem), None)

    def _count_missing(self, stream_group: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
        """Return the sessions that are allocated and should be, of each location of this run that has too few."""
        locations = get_locations(stream_group) if self.allocated else {}
        capacities = {
            each.location_name: build_capacity(locations[each.location_name])
            for each in self.capacities
            if each.location_name in locations
        }
        return {
            name: (capacity.allocated, capacity.always_on)
            for name, capacity in capacities.items()
            if capacity.allocated < capacity.always_on
        }
