# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._time import (
    parse_datetime,
    round_up,
    to_iso8601,
    utc_now,
)

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
AFTER = NOON + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("2026-11-21T12:00:00Z", NOON),
        ("2026-11-21t12:00z", NOON),
        ("2026-11-21 13:00 +01", NOON),
        ("2026-11-21T17:30:00+0530", NOON),
        ("2026-11-21T9:00:00-03:00", NOON),
        # A lease that is good for a fraction less is not good for as long as requested.
        ("2026-11-21T12:00:00.001Z", AFTER),
        ("2026-11-21T12:00:00,5Z", AFTER),
        ("2026-11-21T12:00:00.000Z", NOON),
        ("2026-11-21T12:00", NOON.replace(tzinfo=None)),
        ("2026-11-21", None),
        ("12:00", None),
        ("2026-11-21T12:00:00Z\n", None),
        ("٢٠٢٦-11-21T12:00:00Z", None),
    ],
)
def test_a_timestamp_is_read_in_whole_seconds(text, when):
    assert parse_datetime(text) == when


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("2026-02-30T12:00:00Z", ValueError),
        ("2026-11-21T24:01:00Z", ValueError),
        ("2026-11-21T12:00:00+25:00", ValueError),
        ("9999-12-31T23:59:59.5Z", OverflowError),
    ],
)
def test_a_time_that_does_not_exist_is_an_error(text, error):
    with pytest.raises(error):
        parse_datetime(text)


def test_fractions_of_a_second_are_rounded_up():
    assert (round_up(NOON), round_up(NOON.replace(microsecond=1))) == (NOON, AFTER)


def test_now_is_in_utc_and_whole_seconds():
    assert (utc_now().utcoffset(), utc_now().microsecond) == (timedelta(0), 0)


@pytest.mark.parametrize(
    ("when", "text"),
    [
        (NOON.astimezone(timezone(timedelta(hours=1))), "2026-11-21T12:00:00Z"),
        (NOON.replace(microsecond=999_999), "2026-11-21T12:00:00Z"),
        (datetime(999, 1, 1, tzinfo=UTC), "0999-01-01T00:00:00Z"),
    ],
)
def test_a_timestamp_is_in_utc_with_four_digits_of_the_year(when, text):
    assert to_iso8601(when) == text
