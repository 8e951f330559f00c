# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The states and errors of AppStream's fleets, and what a run does to bring a fleet from one state to another. Pure:
knows neither AWS nor Ansible.

Fleets come as DescribeFleets describes them. Sources: the service model of botocore (FleetState, FleetErrorCode,
UpdateFleet), and "Notification Codes" in the administration guide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from .._errors import NotReady, to_message
from .capacity import Scaling

STARTING, RUNNING, STOPPING, STOPPED = "STARTING", "RUNNING", "STOPPING", "STOPPED"
# Where a fleet comes to from a state that passes.
ARRIVAL = {STARTING: RUNNING, STOPPING: STOPPED}

# For how many seconds a started fleet may go on telling the errors that it had before. Nothing says when they go.
PATIENCE = 120
# For how many seconds after the call that starts or stops a fleet it may still look as it was.
LATENESS = 5

_MOST_ERRORS = 3
_SERVICE_ROLE = "give the service role AmazonAppStreamServiceAccess back what AWS's policy of that name allows"
_NETWORK = "correct the fleet's subnets and security groups (UpdateFleet)"
_ANOTHER_TIME = "try another time, or ask AWS Support if it happens again"
_REMEDIES = {
    "IAM_SERVICE_ROLE": _SERVICE_ROLE,
    "MACHINE_ROLE_IS_MISSING": "create the fleet's IAM role again, or give the fleet another one (UpdateFleet)",
    "STS_DISABLED_IN_REGION": "activate AWS STS in this region (account settings of IAM)",
    "NETWORK_INTERFACE_LIMIT": "delete network interfaces that nothing uses, or have their quota raised",
    "SUBNET_HAS_INSUFFICIENT": "give the fleet subnets with more free addresses (UpdateFleet), or ask for less",
    "SUBNET_NOT_FOUND": _NETWORK,
    "INVALID_SUBNET": _NETWORK,
    "SECURITY_GROUPS": _NETWORK,
    "IGW_NOT_ATTACHED": "attach an internet gateway to the fleet's VPC",
    "IMAGE_NOT_FOUND": "give the fleet an image that exists (UpdateFleet)",
    "DOMAIN_JOIN_": "correct how the fleet joins its domain, or use a fleet that joins none",
    "INTERNAL_SERVICE_ERROR": _ANOTHER_TIME,
    "FLEET_INSTANCE_PROVISIONING": _ANOTHER_TIME,
}
_MEND = "mend what it names"
# What comes after the cure, before the fleet has come to these states.
_AGAIN = ", then start it again"
_THEN = {STARTING: ", then stop the fleet and start it again", STOPPING: _AGAIN, STOPPED: _AGAIN}


def describe_problem(fleet: Mapping[str, Any]) -> str | None:
    """One sentence on the errors that the fleet tells, None if it tells none."""
    return _sentence_of(f"Fleet {fleet['Name']!r} is {fleet['State']}", fleet)


def _sentence_of(beginning: str, fleet: Mapping[str, Any]) -> str | None:
    errors = _errors_of(fleet)
    if not errors:
        return None
    told = [_told(error) for error in errors[:_MOST_ERRORS]]
    if len(errors) > _MOST_ERRORS:
        told.append(f"{len(errors) - _MOST_ERRORS} more")
    remedies = list(dict.fromkeys(_get_remedy(error) for error in errors[:_MOST_ERRORS]))
    then = _THEN.get(fleet["State"], "")
    return to_message(f"{beginning} with errors: {', '.join(told)}: {'; '.join(remedies)}{then}.")


def _errors_of(fleet: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return fleet.get("FleetErrors") or []


def _told(error: Mapping[str, Any]) -> str:
    code, message = error.get("ErrorCode") or "no code", " ".join((error.get("ErrorMessage") or "").split()).rstrip(".")
    return f"{code} ({message})" if message else code


def _get_remedy(error: Mapping[str, Any]) -> str:
    code = error.get("ErrorCode") or ""
    return next((remedy for beginning, remedy in _REMEDIES.items() if code.startswith(beginning)), _MEND)


class Step(Enum):
    """What is to be done next."""

    SCALE = "scale the fleet"
    START = "start the fleet"
    STOP = "stop the fleet"
    WAIT = "wait, then look again"
    NOTHING = "nothing"


@dataclass
class Course:
    """How one run brings a fleet to a state: what is next, by what the fleet looks like and what was done so far.

    Args:
        goal: RUNNING or STOPPED.
        scaling: The capacity that it is to have, None to leave it alone.
        changed: Whether the service has taken a step of this run.
    """

    goal: str
    scaling: Scaling | None = None
    changed: bool = False
    _scaled: bool = False
    # When this run started or stopped the fleet, in seconds of any clock.
    _called_at: float | None = None
    # Whether the fleet has been seen on its way to the goal.
    _in_flight: bool = False
    # When it was last seen STOPPED and to be started, and the errors that it told then.
    _stopped_at: float = 0
    _old_errors: Sequence[Mapping[str, Any]] = ()

    def see(self, fleet: Mapping[str, Any], now: float) -> Step:
        """What is to be done next, given the fleet as it is now.

        Raises:
            NotReady: it will not come to the goal; says why and what to do.
            InvalidOption: it cannot be scaled so.
        """
        if self.scaling:
            self.scaling.validate_fits(fleet)
        state = fleet["State"]
        if state == self.goal:
            return Step.SCALE if self.goal == RUNNING and self._must_scale(fleet) else Step.NOTHING
        if ARRIVAL.get(state) == self.goal:
            self._in_flight = True
            self._check_start(fleet, now)
            return Step.WAIT
        if state not in (STARTING, RUNNING, STOPPING, STOPPED):
            return Step.WAIT
        if self._in_flight or (self._called_at is not None and now - self._called_at >= LATENESS):
            raise NotReady(self._turned_back(fleet))
        if self._called_at is not None:
            return Step.WAIT
        if self.goal == STOPPED:
            return Step.STOP
        if state == STOPPING:
            return Step.WAIT
        self._stopped_at, self._old_errors = now, _errors_of(fleet)
        return Step.SCALE if self._must_scale(fleet) else Step.START

    def took(self, step: Step, now: float) -> None:
        """Remember that the service has taken this step."""
        self.changed = True
        if step is Step.SCALE:
            self._scaled = True
        else:
            self._called_at = now

    def obstacle(self, fleet: Mapping[str, Any]) -> str | None:
        """Why this run can do its part only later, as one sentence; None if all that is left is to wait."""
        if self.goal == STOPPED or self._called_at is not None:
            return None
        name, state = fleet["Name"], fleet["State"]
        if state == STARTING and self._must_scale(fleet):
            return (
                f"Fleet {name!r} is STARTING, and only a fleet that is RUNNING or STOPPED can be scaled: wait until it "
                "is RUNNING and run again, or set wait."
            )
        if state == STARTING:
            return None
        return (
            f"Fleet {name!r} is {state}, and only a fleet that is STOPPED can be started: wait until it is, then run "
            "again, or set wait."
        )

    def too_late(self, fleet: Mapping[str, Any], seconds: int) -> str:
        """One sentence on a fleet that has not arrived after so many seconds."""
        state = fleet["State"]
        return (
            f"Fleet {fleet['Name']!r} is still {state} after {seconds} seconds: wait until it is "
            f"{ARRIVAL.get(state, self.goal)} and run again, or give it more time by wait_timeout."
        )

    def _must_scale(self, fleet: Mapping[str, Any]) -> bool:
        return self.scaling is not None and not self._scaled and not self.scaling.accepts(fleet)

    def _check_start(self, fleet: Mapping[str, Any], now: float) -> None:
        if self.goal != RUNNING:
            return
        old = self._old_errors if now - self._stopped_at < PATIENCE else ()
        new = [error for error in _errors_of(fleet) if error not in old]
        problem = describe_problem({**fleet, "FleetErrors": new})
        if problem:
            raise NotReady(problem)

    def _turned_back(self, fleet: Mapping[str, Any]) -> str:
        name, state = fleet["Name"], fleet["State"]
        if self.goal == STOPPED:
            return f"Fleet {name!r} was being stopped and is {state} now: look who starts it, then run again."
        begun = f"Fleet {name!r} was starting and fell back to {state}"
        return _sentence_of(begun, fleet) or (
            f"{begun} without an error: look whether the quota of its instance type is used up or 0, and whether "
            "somebody stopped it, then start it again."
        )
