# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Bringing a resource to a state step by step, and polling it meanwhile. Pure: knows neither AWS nor Ansible."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, Protocol

from ._errors import LabstreamError, NotReady
from ._validation import validate_range

# In seconds: before the second poll, then doubled, up to the longest. What is waited for takes minutes.
_MIN_DELAY, _MAX_DELAY = 0.25, 15.0
MAX_WAIT = 24 * 60 * 60
# For how many seconds after a call the resource may still be described as it was before.
STATE_DELAY = 5


class Step(Enum):
    """What is to be done next."""

    SCALE = "scale"
    START = "start"
    STOP = "stop"
    WAIT = "wait"
    DONE = "done"


class Transition(Protocol):
    """The steps by which one run brings a resource to a state.

    Attributes:
        changed: Whether the service has accepted a step of this run.
        is_for_streaming: Whether the resource is to stream, so that its errors matter.
    """

    changed: bool

    @property
    def is_for_streaming(self) -> bool: ...

    def next_step(self, described: Mapping[str, Any], now: float) -> Step:
        """Return what is to be done next, given the resource as it is now.

        Raises:
            NotReady: Says why it will not reach the wanted state.
        """

    def record(self, step: Step, now: float) -> None:
        """Record that the service has accepted this step."""

    def record_all(self, now: float) -> None:
        """Record that another process has made all steps of this transition."""

    def find_obstacle(self, described: Mapping[str, Any]) -> str | None:
        """Return why this run can do its part only later; None if it only has to wait."""

    def check_timeout(self, described: Mapping[str, Any], seconds: int) -> None:
        """Reject a resource that is not in its state after so many seconds."""

    def describe_shortage(self, described: Mapping[str, Any], seconds: int | None) -> str | None:
        """Return a message on the capacity that is missing, None if there is none."""

    def describe_progress(self, described: Mapping[str, Any], seconds: float) -> str:
        """Return a line on how far the resource is after so many seconds."""


class Resource(Protocol):
    """What is brought to a state.

    Attributes:
        status_member: The member of its description that has its state.
        retries: The seconds to wait before each retry of a step that something else is in the way of.
    """

    status_member: str
    retries: list[float]

    def describe(self) -> dict[str, Any]:
        """Return the resource as it is now."""

    def make(self, step: Step) -> None:
        """Make the call of the step."""

    def is_conflict(self, error: LabstreamError) -> bool:
        """Return whether the call failed since something else was changing the resource."""

    def wait(self, seconds: float) -> None:
        """Wait for so many seconds."""


def ensure_state(resource: Resource, transition: Transition, wait_timeout: int | None) -> Iterator[dict[str, Any]]:
    """Bring the resource to the state of the transition, and yield its description at each poll.

    Args:
        resource: The resource, or the predicted one.
        transition: The transition. It knows afterwards whether the resource was changed, also if this fails.
        wait_timeout: How many seconds to wait at most; None to not wait.

    Raises:
        NotReady: there is no such resource, or it does not reach the wanted state.
        InvalidOption: it cannot be changed so.
        ServiceError: a call failed.
    """
    deadline, delays = time.monotonic() + (wait_timeout or 0), poll_delays()
    retries, rejected = list(resource.retries), None
    while True:
        described = resource.describe()
        yield described
        step = transition.next_step(described, time.monotonic())
        if step is Step.DONE:
            return
        if step is Step.WAIT:
            if wait_timeout is None:
                obstacle = transition.find_obstacle(described)
                if obstacle:
                    raise NotReady(obstacle)
                return
            left = deadline - time.monotonic()
            if left <= 0:
                transition.check_timeout(described, wait_timeout)
                return
            resource.wait(min(next(delays, left), left))
            continue
        status = described[resource.status_member]
        if rejected and rejected[0] == status:
            raise rejected[1]
        try:
            resource.make(step)
            transition.record(step, time.monotonic())
        except LabstreamError as e:
            if resource.is_conflict(e) and retries:
                time.sleep(retries.pop(0))
            else:
                # Another run may have been faster, so this is an error only if the resource is still in the same state.
                rejected = (status, e)


def find_warning(transition: Transition, shortage: str | None, problem: str | None, how: str) -> str | None:
    """Return the warning about a resource that is in its state, None if there is none.

    Args:
        transition: The transition.
        shortage: The message on the capacity that is missing, None if there is none.
        problem: The message on the errors of the resource, None if there are none.
        how: What to do about the shortage: ``fail``, ``warn`` or ``ignore``.

    Raises:
        NotReady: The shortage is to fail the task.
    """
    if shortage and how == "fail":
        raise NotReady(shortage)
    if shortage and how == "warn":
        return shortage
    return problem if transition.is_for_streaming else None


def poll_delays() -> Iterator[float]:
    """Yield the seconds to wait before each further poll."""
    delay = _MIN_DELAY
    while True:
        yield delay
        delay = min(delay * 2, _MAX_DELAY)


def validate_wait_timeout(seconds: int) -> None:
    """Reject a time that is too short or too long.

    Raises:
        InvalidOption: names the value.
    """
    validate_range("wait_timeout", seconds, 1, MAX_WAIT, "seconds (one day)")


def format_count(number: int, noun: str) -> str:
    """Return a number of things, such as ``1 session`` or ``2 sessions``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def format_elapsed(seconds: float) -> str:
    """Return a time, such as ``4s`` or ``12m04s``."""
    minutes, seconds = divmod(int(seconds), 60)
    return f"{minutes}m{seconds:02}s" if minutes else f"{seconds}s"
