# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The states and errors of AppStream's fleets, and the steps that bring a fleet from one state to another. Pure: knows
neither AWS nor Ansible.

Fleets have the members of DescribeFleets. Sources: the service model of botocore (FleetState, FleetErrorCode,
UpdateFleet), and "Notification Codes" in the administration guide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._errors import InvalidOption, NotReady, to_line, to_message
from .._validation import validate_range
from .._waiting import STATE_DELAY, Step, format_count, format_elapsed, validate_wait_timeout
from .capacity import KINDS, MAX_SESSIONS, Scaling, build_capacity, build_scaling
from .validation import validate_name

STARTING, RUNNING, STOPPING, STOPPED = "STARTING", "RUNNING", "STOPPING", "STOPPED"
# The states that follow by themselves.
NEXT_STATES = {STARTING: RUNNING, STOPPING: STOPPED}

# For how many seconds a started fleet may still report its previous errors. It is not documented when they go.
OLD_ERRORS_TIMEOUT = 120

CAPACITY_OPTIONS = (*KINDS, "available_sessions")
# The options of the module appstream_fleet, for it and its action plugin.
ARGUMENT_SPEC: dict[str, Any] = dict(
    name=dict(type="str", required=True),
    state=dict(type="str", choices=["started", "stopped"], default="started"),
    **{option: dict(type="int") for option in CAPACITY_OPTIONS},
    on_insufficient_capacity=dict(type="str", choices=["fail", "warn", "ignore"], default="fail"),
    wait=dict(type="bool", default=True),
    wait_timeout=dict(type="int", default=1800),
)

_MAX_ERRORS = 3
_SERVICE_ROLE = "restore the permissions of the service role AmazonAppStreamServiceAccess (AWS's policy of that name)"
_NETWORK = "correct the fleet's subnets and security groups (UpdateFleet)"
_LATER = "try again later, or contact AWS Support if it happens again"
_REMEDIES = {
    "IAM_SERVICE_ROLE": _SERVICE_ROLE,
    "MACHINE_ROLE_IS_MISSING": "create the fleet's IAM role again, or give the fleet another one (UpdateFleet)",
    "STS_DISABLED_IN_REGION": "activate AWS STS in this region (account settings of IAM)",
    "NETWORK_INTERFACE_LIMIT": "delete unused network interfaces, or request an increase of their quota",
    "SUBNET_HAS_INSUFFICIENT": "give the fleet subnets with more free addresses (UpdateFleet), or request less",
    "SUBNET_NOT_FOUND": _NETWORK,
    "INVALID_SUBNET": _NETWORK,
    "SECURITY_GROUPS": _NETWORK,
    "IGW_NOT_ATTACHED": "attach an internet gateway to the fleet's VPC",
    "IMAGE_NOT_FOUND": "give the fleet an image that exists (UpdateFleet)",
    "DOMAIN_JOIN_": "correct the domain join of the fleet, or use a fleet without one",
    "INTERNAL_SERVICE_ERROR": _LATER,
    "FLEET_INSTANCE_PROVISIONING": _LATER,
}
_OTHER = "fix what it names"
# What to do after the remedy in these states.
_START = ", then start it again"
_NEXT = {STARTING: ", then stop the fleet and start it again", STOPPING: _START, STOPPED: _START}


def describe_problem(fleet: Mapping[str, Any], beginning: str | None = None) -> str | None:
    """Return a message on the errors that the fleet reports, None if there are none.

    Args:
        fleet: The fleet.
        beginning: What the message begins with; by default, which state the fleet is in.
    """
    beginning = beginning or f"Fleet {fleet['Name']!r} is {fleet['State']}"
    errors = _get_errors(fleet)
    if not errors:
        return None
    shown = [_format_error(error) for error in errors[:_MAX_ERRORS]]
    if len(errors) > _MAX_ERRORS:
        shown.append(f"{len(errors) - _MAX_ERRORS} more")
    remedies = list(dict.fromkeys(_get_remedy(error) for error in errors[:_MAX_ERRORS]))
    then = _NEXT.get(fleet["State"], "")
    return to_message(f"{beginning} with errors: {', '.join(shown)}: {'; '.join(remedies)}{then}.")


def _get_errors(fleet: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return fleet.get("FleetErrors") or []


def _format_error(error: Mapping[str, Any]) -> str:
    code, message = error.get("ErrorCode") or "no code", to_line(error.get("ErrorMessage") or "")
    return f"{code} ({message})" if message else code


def _get_remedy(error: Mapping[str, Any]) -> str:
    code = error.get("ErrorCode") or ""
    return next((remedy for beginning, remedy in _REMEDIES.items() if code.startswith(beginning)), _OTHER)


def build_fleet_diff(fleet: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run may change of a fleet, as the diff shows it."""
    return {"state": fleet["State"], "desired_sessions": build_capacity(fleet).desired}


@dataclass
class Transition:
    """The steps by which one run brings a fleet to a state and a capacity.

    Args:
        goal: RUNNING or STOPPED.
        scaling: The capacity that the fleet is set to, None to leave it alone.
        available_sessions: How many more sessions must be available, None to leave that alone. Replaces ``scaling``.
        provisioned: Whether these sessions must be available now; otherwise they need only be able to become so.
        changed: Whether the service has accepted a step of this run.
    """

    goal: str
    scaling: Scaling | None = None
    available_sessions: int | None = None
    provisioned: bool = True
    changed: bool = False
    # Whether the capacity is planned by a fleet that can be scaled, and how many sessions must then be there, in use or
    # available. So a learner who starts a session meanwhile is not missing.
    _planned: bool = False
    _required: int = 0
    _scaled: bool = False
    # When this run started or stopped the fleet, in seconds of any clock.
    _called_at: float | None = None
    # Whether the fleet has been seen on its way to the goal, or there.
    _in_progress: bool = False
    # When it was last seen STOPPED and to be started, and the errors that it reported then.
    _stopped_at: float = 0
    _old_errors: Sequence[Mapping[str, Any]] | None = None

    @classmethod
    def from_options(cls, params: Mapping[str, Any], *, provisioned: bool) -> Transition:
        """Return the transition that the options of the module appstream_fleet ask for.

        Raises:
            InvalidOption: names the option.
        """
        validate_name("name", params["name"])
        validate_wait_timeout(params["wait_timeout"])
        scaling, available_sessions = Scaling.from_options(params), params["available_sessions"]
        if available_sessions is not None:
            validate_range("available_sessions", available_sessions, 0, MAX_SESSIONS)
        if params["state"] == "stopped" and (scaling or available_sessions is not None):
            option = scaling.option if scaling else "available_sessions"
            raise InvalidOption(f"{option} is only for state=started: leave it out, or start the fleet.")
        goal = {"started": RUNNING, "stopped": STOPPED}[params["state"]]
        return cls(goal, scaling, available_sessions, provisioned)

    @property
    def is_for_streaming(self) -> bool:
        """Whether the fleet is to stream, so that its errors matter."""
        return self.goal == RUNNING

    def next_step(self, fleet: Mapping[str, Any], now: float) -> Step:
        """Return what is to be done next, given the fleet as it is now.

        Raises:
            NotReady: it will not come to the goal; says why and what to do.
            InvalidOption: the option that scales it is for another kind of fleet.
        """
        self._plan(fleet)
        if self.scaling:
            self.scaling.validate_fits(fleet)
        state = fleet["State"]
        if state == self.goal:
            if self.goal == STOPPED:
                return Step.DONE
            return Step.SCALE if self._must_scale(fleet) else self._wait_for_sessions(fleet)
        if NEXT_STATES.get(state) == self.goal:
            self._in_progress = True
            self._check_start(fleet, now)
            return Step.WAIT
        if state not in (STARTING, RUNNING, STOPPING, STOPPED):
            return Step.WAIT
        if self._in_progress or (self._called_at is not None and now - self._called_at >= STATE_DELAY):
            raise NotReady(self._describe_fallback(fleet))
        if self._called_at is not None:
            return Step.WAIT
        if self.goal == STOPPED:
            return Step.STOP
        if state == STOPPING:
            return Step.WAIT
        self._stopped_at, self._old_errors = now, _get_errors(fleet)
        return Step.SCALE if self._must_scale(fleet) else Step.START

    def record(self, step: Step, now: float) -> None:
        """Record that the service has accepted this step."""
        self.changed = True
        if step is Step.SCALE:
            self._scaled = True
        else:
            self._called_at = now

    def record_all(self, now: float) -> None:
        """Record that another process has made all steps of this transition."""
        self._scaled, self._called_at = True, now

    def find_obstacle(self, fleet: Mapping[str, Any]) -> str | None:
        """Return why this run can do its part only later; None if it only has to wait."""
        if self.goal == STOPPED or self._called_at is not None:
            return None
        name, state = fleet["Name"], fleet["State"]
        if state == RUNNING or (state == STARTING and not self._must_scale(fleet)):
            return None
        if state == STARTING:
            return (
                f"Fleet {name!r} is STARTING, and only a fleet that is RUNNING or STOPPED can be scaled: wait until it "
                "is RUNNING and run again, or set wait."
            )
        return (
            f"Fleet {name!r} is {state}, and only a fleet that is STOPPED can be started: wait until it is, then run "
            "again, or set wait."
        )

    def check_timeout(self, fleet: Mapping[str, Any], seconds: int) -> None:
        """Reject a fleet that is not in its state after so many seconds.

        Raises:
            NotReady: says what to wait for.
        """
        state = fleet["State"]
        if state != self.goal:
            raise NotReady(
                f"Fleet {fleet['Name']!r} is still {state} after {seconds} seconds: wait until it is "
                f"{NEXT_STATES.get(state, self.goal)} and run again, or increase wait_timeout."
            )

    def describe_shortage(self, fleet: Mapping[str, Any], seconds: int | None) -> str | None:
        """Return a message on the sessions that are missing, None if there are none.

        Args:
            fleet: The fleet.
            seconds: How long it was waited for, None if it was not.
        """
        available, needed = self._count_sessions(fleet)
        if available >= needed:
            return None
        remedy = describe_problem(fleet) or (
            "run again to keep waiting, and check whether a scaling policy or a quota limits the fleet."
        )
        after = "" if seconds is None else f" after {format_count(seconds, 'second')}"
        return to_message(
            f"Fleet {fleet['Name']!r} has {format_count(available, 'session')} available{after}, but {needed} "
            f"{'is' if needed == 1 else 'are'} needed: {remedy}"
        )

    def describe_progress(self, fleet: Mapping[str, Any], seconds: float) -> str:
        """Return a line on how far the fleet is after so many seconds."""
        available, needed = build_capacity(fleet).available, self._count_sessions(fleet)[1]
        goal = "" if self.available_sessions is None else f", {needed} needed"
        sessions = format_count(available, "session")
        return f"{fleet['Name']}: {fleet['State']}, {sessions} available{goal}, {format_elapsed(seconds)}"

    def _plan(self, fleet: Mapping[str, Any]) -> None:
        if self.available_sessions is None or self._planned:
            return
        self.scaling = build_scaling(fleet, self.available_sessions)
        self._required = build_capacity(fleet).in_use + self.available_sessions
        self._planned = fleet["State"] in (RUNNING, STOPPED)

    def _must_scale(self, fleet: Mapping[str, Any]) -> bool:
        if self.scaling is None or self._scaled:
            return False
        if self.available_sessions is not None:
            return build_capacity(fleet).desired < self.scaling.wanted
        return not self.scaling.accepts(fleet)

    def _count_sessions(self, fleet: Mapping[str, Any]) -> tuple[int, int]:
        """Return how many sessions are available, or can become so, and how many are needed."""
        capacity = build_capacity(fleet)
        available = capacity.available if self.provisioned else capacity.max_available
        needed = 0 if self.available_sessions is None else max(self._required - capacity.in_use, 0)
        return available, needed

    def _wait_for_sessions(self, fleet: Mapping[str, Any]) -> Step:
        """Return whether to wait for the sessions. New errors show that they will not come."""
        self._in_progress = True
        if self._old_errors is None:
            self._old_errors = _get_errors(fleet)
        available, needed = self._count_sessions(fleet)
        has_new_errors = any(error not in self._old_errors for error in _get_errors(fleet))
        return Step.DONE if available >= needed or has_new_errors else Step.WAIT

    def _check_start(self, fleet: Mapping[str, Any], now: float) -> None:
        if self.goal != RUNNING:
            return
        old = (self._old_errors or ()) if now - self._stopped_at < OLD_ERRORS_TIMEOUT else ()
        new = [error for error in _get_errors(fleet) if error not in old]
        problem = describe_problem({**fleet, "FleetErrors": new})
        if problem:
            raise NotReady(problem)

    def _describe_fallback(self, fleet: Mapping[str, Any]) -> str:
        name, state = fleet["Name"], fleet["State"]
        if self.goal == STOPPED:
            return f"Fleet {name!r} was being stopped and is {state} now: check who starts it, then run again."
        beginning = f"Fleet {name!r} was starting and fell back to {state}"
        return describe_problem(fleet, beginning) or (
            f"{beginning} without an error: check whether the quota of its instance type is used up or 0, and whether "
            "somebody stopped it, then start it again."
        )
