# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""AppStream's fleets: looking at them, and starting, stopping and scaling one, with the waiting.

botocore's waiters are no use here: they do not look at the errors of a fleet, which may stay STARTING for ever.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from .._client import retry_delays, to_facts
from .._errors import NotReady, call, get_member
from .api import describe_fleet, missing
from .capacity import Capacity, Scaling, build_capacity
from .errors import AnsibleAppStreamError, AppStreamErrorHandler
from .fleet_states import ARRIVAL, RUNNING, STARTING, STOPPING, Course, Step, describe_problem

CONFLICT = "ConcurrentModificationException"
# In seconds: before the second look, then doubled, up to the longest. A fleet takes ten minutes and more to start.
_MIN_DELAY, _MAX_DELAY = 0.25, 15.0

# What a result tells of every fleet, whatever the service leaves out.
_ALWAYS = (
    "arn",
    "state",
    "fleet_type",
    "instance_type",
    "max_concurrent_sessions",
    "max_sessions_per_instance",
    "max_user_duration_in_seconds",
    "disconnect_timeout_in_seconds",
    "idle_disconnect_timeout_in_seconds",
    "created_time",
    "problem",
)
_NO_CAPACITY = dict.fromkeys(Capacity.__dataclass_fields__)


@AppStreamErrorHandler.list_error_handler("describe the fleets")
def describe_fleets(client: Any, names: Sequence[str] | None = None) -> list[dict[str, Any]] | None:
    """Return the fleets of these names, by default all (DescribeFleets), all pages; None if one does not exist."""
    selection = {} if names is None else {"Names": list(names)}
    pages = client.get_paginator("describe_fleets").paginate(**selection)
    return [_validate_fleet(fleet) for fleet in call(pages.build_full_result).get("Fleets", [])]


@AppStreamErrorHandler.common_error_handler("describe the fleet {name!r}")
def get_fleet(client: Any, name: str) -> dict[str, Any] | None:
    """Return the fleet of that name (DescribeFleets), or None."""
    fleet = describe_fleet(client, name)
    return _validate_fleet(fleet) if fleet else None


def _validate_fleet(fleet: dict[str, Any]) -> dict[str, Any]:
    get_member(fleet, "Name")
    get_member(fleet, "State")
    get_member(get_member(fleet, "ComputeCapacityStatus"), "Desired")
    return fleet


@AppStreamErrorHandler.common_error_handler("start the fleet {name!r}")
def start_fleet(client: Any, name: str) -> None:
    """Start the fleet (StartFleet)."""
    call(client.start_fleet, Name=name)


@AppStreamErrorHandler.common_error_handler("stop the fleet {name!r}")
def stop_fleet(client: Any, name: str) -> None:
    """Stop the fleet, which ends all sessions on it (StopFleet)."""
    call(client.stop_fleet, Name=name)


@AppStreamErrorHandler.common_error_handler("scale the fleet {name!r}")
def update_fleet(client: Any, name: str, **parameters: Any) -> None:
    """Change the fleet (UpdateFleet)."""
    call(client.update_fleet, Name=name, **parameters)


def missing_fleet(client: Any, name: str) -> NotReady:
    """The error of a fleet that there is not."""
    return missing("fleet", name, client.meta.region_name, "its name")


def look_up(client: Any, names: Sequence[str]) -> list[dict[str, Any] | None]:
    """The fleets in the order asked, None for each that there is not.

    Raises:
        AnsibleAppStreamError: a call failed.
    """
    fleets: Sequence[dict[str, Any] | None] | None = describe_fleets(client, names)
    if fleets is None:  # The service does not say which of them it has not found.
        fleets = [get_fleet(client, name) for name in names]
    by_name = {fleet["Name"]: fleet for fleet in fleets if fleet}
    return [by_name.get(name) for name in names]


def build_facts(fleet: Mapping[str, Any]) -> dict[str, Any]:
    """A fleet as results tell it: the API's members in snake case, moments as text, the capacity in seats."""
    return {
        **empty_facts(fleet["Name"]),
        **to_facts(fleet),
        "capacity": asdict(build_capacity(fleet)),
        "problem": describe_problem(fleet),
    }


def empty_facts(name: str | None) -> dict[str, Any]:
    """What results tell of a fleet before it was looked at."""
    return {"name": name, **dict.fromkeys(_ALWAYS), "fleet_errors": [], "capacity": _NO_CAPACITY}


def build_fleet_diff(fleet: Mapping[str, Any]) -> dict[str, Any]:
    """What a run may change of a fleet, as the diff shows it."""
    return {"state": fleet["State"], "desired_seats": build_capacity(fleet).desired}


class RealFleet:
    """The fleet of that name, as the service has it."""

    def __init__(self, client: Any, name: str) -> None:
        self._client, self._name = client, name

    def look(self) -> dict[str, Any]:
        """It as it is now (DescribeFleets).

        Raises:
            NotReady: there is none.
            AnsibleAppStreamError: the call failed.
        """
        fleet = get_fleet(self._client, self._name)
        if fleet is None:
            raise missing_fleet(self._client, self._name)
        return fleet

    def take(self, step: Step, scaling: Scaling | None) -> None:
        """Make the call that is the step.

        Raises:
            AnsibleAppStreamError: it failed.
        """
        if step is Step.SCALE and scaling:
            update_fleet(self._client, self._name, **scaling.parameters())
        elif step is Step.START:
            start_fleet(self._client, self._name)
        elif step is Step.STOP:
            stop_fleet(self._client, self._name)

    def wait(self, seconds: float) -> None:
        """Let so much time go by."""
        time.sleep(seconds)


class ForeseenFleet(RealFleet):
    """The fleet as the service has it at the first look, and from then on as it would be: for check mode."""

    def __init__(self, client: Any, name: str) -> None:
        super().__init__(client, name)
        self._fleet: dict[str, Any] = {}

    def look(self) -> dict[str, Any]:
        """It as far as it is foreseen."""
        self._fleet = self._fleet or super().look()
        return self._fleet

    def take(self, step: Step, scaling: Scaling | None) -> None:
        """Foresee what the call does."""
        if step is Step.SCALE and scaling:
            self._fleet = scaling.applied_to(self._fleet)
        elif step is Step.START:
            self._fleet = {**self._fleet, "State": STARTING, "FleetErrors": []}
        else:
            told = self._fleet["ComputeCapacityStatus"]
            left = {member: value if member.startswith("Desired") else 0 for member, value in told.items()}
            self._fleet = {**self._fleet, "State": STOPPING, "ComputeCapacityStatus": left}

    def wait(self, seconds: float) -> None:
        """It arrives where it is on its way to, at once and without an error."""
        self._fleet = {**self._fleet, "State": ARRIVAL.get(self._fleet["State"], RUNNING)}


def ensure_state(
    client: Any,
    name: str,
    course: Course,
    *,
    wait_timeout: int | None,
    check_mode: bool,
    tell: Callable[[Mapping[str, Any]], None],
) -> None:
    """Bring a fleet to the state and the capacity that the course is about.

    Args:
        client: A client of AppStream.
        name: The fleet.
        course: Where to. It knows afterwards whether the fleet was changed, also if this fails.
        wait_timeout: How many seconds it may take to arrive; None to wait for nothing.
        check_mode: Whether to make no call that changes anything, and wait for nothing, but foresee both.
        tell: Is told of the fleet at every look.

    Raises:
        NotReady: there is no such fleet, or it does not arrive.
        InvalidOption: it cannot be scaled so.
        AnsibleAppStreamError: a call failed.
    """
    fleet = ForeseenFleet(client, name) if check_mode else RealFleet(client, name)
    deadline, pause = time.monotonic() + (wait_timeout or 0), _MIN_DELAY
    tries, refused = retry_delays(client), None
    while True:
        described = fleet.look()
        tell(described)
        step = course.see(described, time.monotonic())
        if step is Step.NOTHING:
            return
        if step is Step.WAIT:
            obstacle = course.obstacle(described)
            if wait_timeout is None and obstacle:
                raise NotReady(obstacle)
            if wait_timeout is None:
                return
            left = deadline - time.monotonic()
            if left <= 0:
                raise NotReady(course.too_late(described, wait_timeout))
            fleet.wait(min(pause, left))
            pause = min(pause * 2, _MAX_DELAY)
            continue
        if refused and refused[0] == described["State"]:
            raise refused[1]
        try:
            fleet.take(step, course.scaling)
            course.took(step, time.monotonic())
        except AnsibleAppStreamError as e:
            if e.code == CONFLICT and tries:
                time.sleep(tries.pop(0))
            else:
                # Somebody else may have been faster, so it counts only if the fleet is still as it was.
                refused = (described["State"], e)
