# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""AppStream's fleets: describing them, and starting, stopping and scaling one.

botocore's waiters do not check the errors of a fleet, which may stay STARTING forever.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from .._client import retry_delays, to_facts
from .._errors import LabstreamError, NotReady
from .._service_errors import call, get_member, list_all
from .._waiting import Step
from .api import describe_fleet, missing
from .capacity import Capacity, build_capacity
from .errors import AppStreamErrorHandler
from .fleet_states import NEXT_STATES, RUNNING, STARTING, STOPPING, Transition, describe_problem

CONFLICT = "ConcurrentModificationException"

# Results have these for every fleet, also if the service leaves them out.
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
    return [_validate_fleet(fleet) for fleet in list_all(client, "describe_fleets", "Fleets", **selection)]


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
    """Return the error for a fleet that does not exist."""
    return missing("fleet", name, client.meta.region_name, "its name")


def find_fleets(client: Any, names: Sequence[str]) -> list[dict[str, Any] | None]:
    """Return the fleets in the requested order, None for each that does not exist.

    Raises:
        AnsibleAppStreamError: a call failed.
    """
    fleets: Sequence[dict[str, Any] | None] | None = describe_fleets(client, names)
    if fleets is None:  # The service does not say which of them does not exist.
        fleets = [get_fleet(client, name) for name in names]
    by_name = {fleet["Name"]: fleet for fleet in fleets if fleet}
    return [by_name.get(name) for name in names]


def build_facts(fleet: Mapping[str, Any]) -> dict[str, Any]:
    """Return a fleet as results show it, with its capacity in sessions."""
    return {
        **empty_facts(fleet["Name"]),
        **to_facts(fleet),
        "capacity": asdict(build_capacity(fleet)),
        "problem": describe_problem(fleet),
    }


@AppStreamErrorHandler.common_error_handler("describe the fleet {name!r}")
def build_valid_facts(name: str, fleet: dict[str, Any]) -> dict[str, Any]:
    """Validate a fleet that DescribeFleets has returned, and return it as results show it.

    Raises:
        AnsibleAppStreamError: The response lacks what is needed.
    """
    return build_facts(_validate_fleet(fleet))


def empty_facts(name: str | None) -> dict[str, Any]:
    """Return what results show of a fleet that is not known yet."""
    return {"name": name, **dict.fromkeys(_ALWAYS), "fleet_errors": [], "capacity": _NO_CAPACITY}


class Fleet:
    """The fleet of that name, as the service has it. The transition says how it is scaled."""

    status_member = "State"

    def __init__(self, client: Any, name: str, transition: Transition) -> None:
        self.client, self.name, self.transition = client, name, transition
        self.retries = retry_delays(client)

    def describe(self) -> dict[str, Any]:
        """Return the fleet as it is now (DescribeFleets).

        Raises:
            NotReady: it does not exist.
            AnsibleAppStreamError: the call failed.
        """
        fleet = get_fleet(self.client, self.name)
        if fleet is None:
            raise missing_fleet(self.client, self.name)
        return fleet

    def make(self, step: Step) -> None:
        """Make the call of the step.

        Raises:
            AnsibleAppStreamError: it failed.
        """
        scaling = self.transition.scaling
        if step is Step.SCALE and scaling:
            update_fleet(self.client, self.name, **scaling.to_parameters())
        elif step is Step.START:
            start_fleet(self.client, self.name)
        elif step is Step.STOP:
            stop_fleet(self.client, self.name)

    def is_conflict(self, error: LabstreamError) -> bool:
        """Return whether the call failed since something else was changing the fleet."""
        return error.code == CONFLICT

    def wait(self, seconds: float) -> None:
        """Wait for so many seconds."""
        time.sleep(seconds)


class PredictedFleet(Fleet):
    """The fleet as the service has it at first, and from then on as it would become: for check mode."""

    def __init__(self, client: Any, name: str, transition: Transition) -> None:
        super().__init__(client, name, transition)
        self._fleet: dict[str, Any] = {}

    def describe(self) -> dict[str, Any]:
        """Return the fleet as predicted."""
        self._fleet = self._fleet or super().describe()
        return self._fleet

    def make(self, step: Step) -> None:
        """Predict the result of the call."""
        scaling = self.transition.scaling
        if step is Step.SCALE and scaling:
            self._fleet = scaling.apply_to(self._fleet)
        elif step is Step.START:
            self._fleet = {**self._fleet, "State": STARTING, "FleetErrors": []}
        else:
            status = self._fleet["ComputeCapacityStatus"]
            left = {member: value if member.startswith("Desired") else 0 for member, value in status.items()}
            self._fleet = {**self._fleet, "State": STOPPING, "ComputeCapacityStatus": left}

    def wait(self, seconds: float) -> None:
        """Predict the next state, without an error and without waiting."""
        self._fleet = {**self._fleet, "State": NEXT_STATES.get(self._fleet["State"], RUNNING)}
