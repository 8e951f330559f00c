# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pauses between polls, and how times and numbers are shown."""

from __future__ import annotations

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption
from ansible_collections.labstream.aws.plugins.module_utils._waiting import (
    MAX_WAIT,
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
