# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing a resource to a state, the pauses between polls, and how times and numbers are shown."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption, NotReady
from ansible_collections.labstream.aws.plugins.module_utils._waiting import (
    MAX_WAIT,
    Step,
    ensure_state,
    find_warning,
    format_count,
    format_elapsed,
    poll_delays,
    validate_wait_timeout,
)


def test_polls_are_frequent_at_first_and_at_most_fifteen_seconds_apart():
    delays = poll_delays()
    assert [next(delays) for _number in range(9)] == [0.25, 0.5, 1, 2, 4, 8, 15, 15, 15]


def test_numbers_and_times_are_written_as_people_write_them():
    assert [format_count(number, "session") for number in (0, 1, 2)] == ["0 sessions", "1 session", "2 sessions"]
    assert [format_elapsed(seconds) for seconds in (0.9, 59, 65, 3600)] == ["0s", "59s", "1m05s", "60m00s"]


@pytest.mark.parametrize("seconds", [0, MAX_WAIT + 1])
def test_a_time_to_wait_is_from_a_second_to_a_day(seconds):
    with pytest.raises(InvalidOption, match=f"wait_timeout is {seconds}, but it must be from 1 to 86400 seconds"):
        validate_wait_timeout(seconds)


@dataclass
class Door:
    """A resource that is described as OPENING so many times, and then as OPEN, and its transition.

    If it is closed, it must be opened first, which fails so many times.
    """

    polls: int
    is_closed: bool = False
    failures: int = 0
    is_used: bool = False
    obstacle: str | None = None
    is_for_streaming: bool = True
    status_member: str = "State"
    retries: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    recorded: list[Step] = field(default_factory=list)

    def describe(self):
        if self.is_closed:
            return {"State": "CLOSED"}
        self.polls -= 1
        return {"State": "OPEN" if self.polls < 0 else "OPENING"}

    def wait(self, seconds):
        self.waited.append(seconds)

    def make(self, step):
        assert step is Step.START
        if self.failures:
            self.failures -= 1
            raise NotReady("the door is stuck")
        self.is_closed = False

    def is_conflict(self, error):
        return self.is_used

    def record(self, step, now):
        self.recorded.append(step)

    def next_step(self, described, now):
        if described["State"] == "CLOSED":
            return Step.START
        return Step.DONE if described["State"] == "OPEN" else Step.WAIT

    def find_obstacle(self, described):
        return self.obstacle

    def check_timeout(self, described, seconds):
        raise NotReady(f"still {described['State']} after {seconds} seconds")


def test_a_resource_is_polled_until_it_is_in_its_state():
    door = Door(polls=3)
    assert [each["State"] for each in ensure_state(door, door, 60)] == ["OPENING", "OPENING", "OPENING", "OPEN"]
    assert door.waited == [0.25, 0.5, 1]


def test_a_step_is_made_again_while_something_else_is_in_its_way():
    door = Door(polls=0, is_closed=True, failures=2, is_used=True, retries=[0, 0])
    assert [each["State"] for each in ensure_state(door, door, 60)] == ["CLOSED", "CLOSED", "CLOSED", "OPEN"]
    assert door.recorded == [Step.START]


def test_a_step_that_fails_is_an_error_only_if_the_resource_is_still_in_the_same_state():
    door = Door(polls=0, is_closed=True, failures=1)
    states = ensure_state(door, door, 60)
    assert next(states) == {"State": "CLOSED"}
    with pytest.raises(NotReady, match="the door is stuck"):
        list(states)

    # Another run has opened it meanwhile.
    door = Door(polls=0, is_closed=True, failures=1)
    states = ensure_state(door, door, 60)
    next(states)
    door.describe = lambda: {"State": "OPEN"}
    assert list(states) == [{"State": "OPEN"}]
    assert door.recorded == []


def test_without_a_wait_a_resource_that_changes_is_described_once():
    door = Door(polls=3)
    assert [each["State"] for each in ensure_state(door, door, None)] == ["OPENING"]
    assert door.waited == []


@pytest.mark.parametrize(
    ("obstacle", "wait_timeout", "message"),
    [("somebody stops it", None, "somebody stops it"), (None, 0, "still OPENING after 0 seconds")],
)
def test_what_keeps_a_resource_from_its_state_is_an_error(obstacle, wait_timeout, message):
    door = Door(polls=3, obstacle=obstacle)
    with pytest.raises(NotReady, match=message):
        list(ensure_state(door, door, wait_timeout))


@pytest.mark.parametrize(
    ("shortage", "problem", "how", "is_for_streaming", "warning"),
    [
        ("too few", "no image", "warn", True, "too few"),
        ("too few", "no image", "ignore", True, "no image"),
        (None, "no image", "fail", True, "no image"),
        (None, "no image", "fail", False, None),
        (None, None, "warn", True, None),
    ],
)
def test_a_shortage_is_warned_of_before_errors_that_matter_for_streaming_only(
    shortage, problem, how, is_for_streaming, warning
):
    assert find_warning(Door(polls=0, is_for_streaming=is_for_streaming), shortage, problem, how) == warning


def test_a_shortage_fails_the_task_if_that_is_asked_for():
    with pytest.raises(NotReady, match="too few"):
        find_warning(Door(polls=0), "too few", "no image", "fail")
