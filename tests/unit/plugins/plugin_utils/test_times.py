# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import sys
import zoneinfo

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._time import to_iso8601
from ansible_collections.labstream.aws.plugins.plugin_utils._times import (
    describe_next_day,
    parse_now,
    to_local,
    to_utc,
)

BERLIN = "Europe/Berlin"
NOW = "2026-11-21T08:00:00Z"


def convert(value, timezone=None, now=NOW):
    return to_iso8601(to_utc(value, timezone, parse_now(now)))


def get_error(value, timezone=None, now=NOW):
    with pytest.raises(ValueError) as error:
        convert(value, timezone, now)
    return str(error.value)


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-21T17:00:00+01:00",
        "2026-11-21T17:00:00+0100",
        "2026-11-21T17:00+01",
        "2026-11-21 17:00 +01:00",
        " 2026-11-21t17:00:00.000+01:00\n",
        "2026-11-21T16:59:59.001+01:00",
        "2026-11-21T16:00:00Z",
        "2026-11-21T16:00z",
        "2026-11-21T12:30:00-03:30",
        datetime.datetime.fromisoformat("2026-11-21T17:00:00+01:00"),
        datetime.datetime(2026, 11, 21, 15, 59, 59, 5, tzinfo=datetime.UTC),
    ],
)
@pytest.mark.parametrize("timezone", [None, "America/New_York"])
def test_a_time_with_offset_says_everything(value, timezone):
    assert convert(value, timezone) == "2026-11-21T16:00:00Z"


@pytest.mark.parametrize(
    ("value", "timezone", "end"),
    [
        ("2026-11-21T17:00", BERLIN, "2026-11-21T16:00:00Z"),
        ("2026-11-21 17:00:30", BERLIN, "2026-11-21T16:00:30Z"),
        (datetime.datetime(2026, 11, 21, 17), BERLIN, "2026-11-21T16:00:00Z"),
        ("2027-07-01T17:00", BERLIN, "2027-07-01T15:00:00Z"),
        ("2026-11-21T17:00", "UTC", "2026-11-21T17:00:00Z"),
        ("2026-11-21T17:00", "Asia/Kathmandu", "2026-11-21T11:15:00Z"),
    ],
)
def test_a_time_without_offset_is_one_of_the_zone(value, timezone, end):
    assert convert(value, timezone) == end


@pytest.mark.parametrize(
    ("value", "timezone", "now", "end"),
    [
        ("17:00", BERLIN, "2026-11-21T08:00:00Z", "2026-11-21T16:00:00Z"),
        ("17:00:00", BERLIN, "2026-11-21T08:00:00Z", "2026-11-21T16:00:00Z"),
        (" 9:30 ", BERLIN, "2026-11-21T08:00:00Z", "2026-11-21T08:30:00Z"),
        # Just before, exactly then, and after.
        ("17:00", BERLIN, "2026-11-21T15:59:59Z", "2026-11-21T16:00:00Z"),
        ("17:00", BERLIN, "2026-11-21T16:00:00Z", "2026-11-22T16:00:00Z"),
        ("17:00", BERLIN, "2026-11-21T20:00:00Z", "2026-11-22T16:00:00Z"),
        # The zone's day is not the day in UTC.
        ("00:30", BERLIN, "2026-11-21T23:10:00Z", "2026-11-21T23:30:00Z"),
        ("17:00", "Pacific/Auckland", "2026-11-21T08:00:00Z", "2026-11-22T04:00:00Z"),
        ("17:00", "America/Los_Angeles", "2026-11-21T02:00:00Z", "2026-11-22T01:00:00Z"),
        # The night before the clock changes: the time is in summer time, now is not, and the other way round.
        ("17:00", BERLIN, "2026-03-28T20:00:00Z", "2026-03-29T15:00:00Z"),
        ("17:00", BERLIN, "2026-10-24T20:00:00Z", "2026-10-25T16:00:00Z"),
        ("23:59", BERLIN, "2026-12-31T22:58:00Z", "2026-12-31T22:59:00Z"),
    ],
)
def test_a_time_of_day_is_its_next_occurrence(value, timezone, now, end):
    assert convert(value, timezone, now) == end


@pytest.mark.parametrize(
    ("value", "now", "end"),
    [
        # 2026-03-29: 02:00 becomes 03:00, so 02:30 is read as 02:30+01:00, which clocks show as 03:30.
        ("2026-03-29T02:30", "2026-03-01T00:00:00Z", "2026-03-29T01:30:00Z"),
        ("02:30", "2026-03-28T20:00:00Z", "2026-03-29T01:30:00Z"),
        ("02:30", "2026-03-29T01:29:59Z", "2026-03-29T01:30:00Z"),
        ("02:30", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"),
        # 2026-10-25: 03:00 becomes 02:00, so there are two 02:30, at 00:30Z and at 01:30Z.
        ("2026-10-25T02:30", "2026-10-01T00:00:00Z", "2026-10-25T01:30:00Z"),
        ("02:30", "2026-10-24T20:00:00Z", "2026-10-25T01:30:00Z"),
        ("02:30", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z"),
        ("02:30", "2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z"),
    ],
)
def test_when_the_clock_changes_the_lab_does_not_end_early(value, now, end):
    assert convert(value, BERLIN, now) == end


def test_a_time_of_a_day_that_the_zone_left_out_lands_on_the_next_day():
    # Given Samoa, which had no 2011-12-30, and a time late on the 29th, where 17:00 is next shown on the 31st.
    assert convert("17:00", "Pacific/Apia", "2011-12-30T05:00:00Z") == "2011-12-31T03:00:00Z"


def test_a_skipped_time_before_midnight_can_be_yet_to_come_after_midnight():
    # Given Pyongyang, where 2018-05-04 23:30+08:30 became midnight, so that 23:45 was due at 00:15.
    assert convert("23:45", "Asia/Pyongyang", "2018-05-04T15:05:00Z") == "2018-05-04T15:15:00Z"


@pytest.mark.parametrize(
    ("value", "timezone"),
    [
        ("2026-11-21T09:00:00+01:00", None),
        ("2026-11-21T08:59+01:00", None),
        ("2026-11-21T08:00", BERLIN),
        ("2025-01-01T00:00Z", BERLIN),
        ("0001-01-01T14:00+14:00", None),
    ],
)
def test_a_past_time_is_rejected(value, timezone):
    message = get_error(value, timezone)
    assert message.startswith(f"The time '{value}' (")
    assert message.endswith(") is in the past: it is now 2026-11-21T08:00:00Z. Give a later one.")


def test_a_past_time_may_be_allowed():
    now = parse_now(NOW)
    assert to_utc("2026-11-20T09:00", BERLIN, now, allow_past=True).isoformat() == "2026-11-20T08:00:00+00:00"
    with pytest.raises(ValueError, match=r"The time '9:00' means another day tomorrow: give it with its date\."):
        to_utc("9:00", BERLIN, now, allow_past=True)


def test_now_is_the_current_time_by_default():
    present = datetime.datetime.now(datetime.UTC)
    assert present < to_utc("17:00", BERLIN) <= present + datetime.timedelta(days=1, hours=2)
    with pytest.raises(ValueError, match="is in the past"):
        to_utc("2026-01-01T00:00:00Z")


@pytest.mark.parametrize("value", ["17:00", "2026-11-21T17:00", datetime.datetime(2026, 11, 21, 17)])
def test_a_time_without_offset_needs_a_time_zone(value):
    shown = value if isinstance(value, str) else "2026-11-21 17:00:00"
    assert get_error(value) == (
        f"The time '{shown}' has no offset from UTC: "
        "add one such as '+01:00', or give a timezone such as 'Europe/Berlin'."
    )


@pytest.mark.parametrize(
    ("value", "number", "meant"),
    [
        (1020, "1020", "17:00"),
        (1020.0, "1020.0", "17:00"),
        ("1020", "1020", "17:00"),
        (545, "545", "09:05"),
        (1439, "1439", "23:59"),
        (61200, "61200", "17:00:00"),
        (61230, "61230", "17:00:30"),
    ],
)
def test_the_number_that_yaml_reads_a_time_as_is_explained(value, number, meant):
    assert get_error(value, BERLIN) == (
        f"The time is the number {number}, which is how YAML reads an unquoted time: write '{meant}' in quotes."
    )


@pytest.mark.parametrize("value", [0, 17, -1020, 1440, 90000, 0.5, float("nan"), float("inf"), 10**30, "99999"])
def test_any_other_number_is_rejected(value):
    assert get_error(value, BERLIN).startswith(f"The time is the number {value}: write a time in quotes, such as ")


@pytest.mark.parametrize("value", ["2026-11-21", " 2026-11-21 ", datetime.date(2026, 11, 21)])
def test_a_date_needs_a_time_of_day(value):
    assert get_error(value, BERLIN).endswith("is a date without a time of day: add one, as in '2026-11-21T17:00'.")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "soon",
        "5 pm",
        "17.00",
        "T17:00",
        "17:00+01:00",
        "17:00Z",
        "20261121T170000Z",
        "21.11.2026 17:00",
        "2026-W47-6T17:00Z",
        "2026-11-21T17Z",
        "2026-11-21T17:00 Europe/Berlin",
        "\uff11\uff17:00",
        None,
        True,
        [],
        b"17:00",
    ],
)
def test_what_is_not_a_time_is_rejected(value):
    message = get_error(value, BERLIN)
    assert message.startswith(f"The time {value!r} is not valid: write '2026-11-21T17:00:00+01:00'")


@pytest.mark.parametrize(
    "value",
    [
        "24:00",
        "17:60",
        "17:00:60",
        "2026-11-31T17:00Z",
        "2026-13-01T17:00Z",
        "0000-01-01T17:00Z",
        "2026-11-21T24:00Z",
        "2026-11-21T17:00+25:00",
        "2027-02-29T17:00",
    ],
)
def test_a_time_that_does_not_exist_is_rejected(value):
    message = get_error(value, BERLIN)
    assert message.startswith(f"The time '{value}' does not exist (")


@pytest.mark.parametrize("value", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"])
def test_a_time_outside_the_calendar_is_rejected(value):
    assert get_error(value) == f"The time '{value}' is outside the years 1 to 9999."


def test_a_huge_value_is_not_shown_in_full():
    assert len(get_error("x" * 100_000)) < 300


@pytest.mark.parametrize(
    "timezone", ["Berlin", "Europe", "", "../Europe/Berlin", "/etc/passwd", "a\0b", 1, True, ["UTC"]]
)
@pytest.mark.parametrize("value", ["17:00", "2026-11-21T17:00:00+01:00"])
def test_an_unknown_time_zone_is_rejected_even_where_it_is_not_needed(value, timezone):
    assert (
        get_error(value, timezone) == f"There is no time zone {timezone!r}: give an IANA name such as 'Europe/Berlin'."
    )


def test_the_error_on_a_host_without_time_zone_data_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tzdata", None)
    zoneinfo.ZoneInfo.clear_cache()
    zoneinfo.reset_tzpath(to=[])
    try:
        message = get_error("17:00", BERLIN)
    finally:
        zoneinfo.reset_tzpath()
        zoneinfo.ZoneInfo.clear_cache()
    assert message == (
        "The time zone 'Europe/Berlin' cannot be found, because this host has no time zone data: "
        "install the package tzdata, from the system or for Python."
    )


@pytest.mark.parametrize("now", ["2026-11-21T08:00", "2026-11-21 08:00:00", "noon", "08:00", "", 1020])
def test_now_is_a_time_with_offset(now):
    assert get_error("17:00", BERLIN, now) == (
        f"now is {now!r}, which is not a valid ISO 8601 timestamp with an offset, such as '2026-11-21T08:00:00Z'."
    )


def test_now_may_be_a_datetime_with_offset():
    assert convert("17:00", BERLIN, datetime.datetime(2026, 11, 21, 20, tzinfo=datetime.UTC)) == (
        "2026-11-22T16:00:00Z"
    )


@pytest.mark.parametrize(
    ("now", "value", "warning"),
    [
        (
            "2026-11-21T20:15:00+01:00",
            "17:00",
            "The time '17:00' has passed today, so it means tomorrow, 2026-11-22 17:00 (Europe/Berlin), in 21 hours: "
            "if that is not meant, give it with its date.",
        ),
        ("2026-11-21T20:15:00+01:00", "08:16", "The time '08:16' has passed today"),
        ("2026-11-21T23:59:00+01:00", "23:58", "The time '23:58' has passed today"),
        ("2026-11-21T20:15:00+01:00", "08:15", None),
        ("2026-11-21T22:00:00+01:00", "2:00", None),
        ("2026-11-21T01:00:00+01:00", "17:00", None),
        ("2026-11-20T23:30:00Z", "17:00", None),
        ("2026-11-21T20:15:00+01:00", "2026-11-23T17:00", None),
        ("2026-11-21T20:15:00+01:00", datetime.datetime(2026, 11, 23, 17), None),
    ],
)
def test_a_time_of_day_that_means_tomorrow_is_a_warning_if_that_is_more_than_12_hours_off(now, value, warning):
    described = describe_next_day(value, BERLIN, datetime.datetime.fromisoformat(now))

    assert (described is None) is (warning is None)
    assert (described or "").startswith(warning or "")


def test_a_timestamp_of_any_kind_can_be_of_the_zone_that_a_time_is_shown_in():
    time = datetime.datetime(2026, 11, 21, 16, 0, 59, tzinfo=datetime.UTC)

    assert to_local(time, BERLIN) == "2026-11-21 17:00 (Europe/Berlin)"
    assert to_local(time, None) == to_local(time, None, "17:00") == "2026-11-21 16:00 (UTC)"
    assert to_local(time, None, "2026-11-21T10:00-06:00") == "2026-11-21 10:00 (UTC-06:00)"
