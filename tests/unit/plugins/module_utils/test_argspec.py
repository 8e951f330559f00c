# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.labstream.aws.plugins.module_utils._argspec import parse_timestamp, validate_lease_arguments
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption, quote
from ansible_collections.labstream.aws.plugins.module_utils._time import to_iso8601

WHO = ("user_id", "users")
GOOD = {
    "user_id": "anna",
    "users": None,
    "state": "present",
    "lab": "monday",
    "concurrency": 16,
    "purge": False,
    "withdraw_removed": False,
    "withdraw_limit": None,
    "return_urls": True,
    "lease_store": "sqlite:///x",
}


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"lab": None},
        {"lab": "x" * 225},
        {"concurrency": 1},
        {"concurrency": 64},
        {"state": "absent", "purge": True},
        {"return_urls": False},
        {"withdraw_removed": True, "withdraw_limit": 0},
        {"lease_store": "none"},
        {"lease_store": "dynamodb://leases?region=eu-central-1"},
        {"lease_store": "none", "return_urls": False, "state": "absent"},
        {"user_id": None, "state": "absent"},
    ],
)
def test_arguments_within_their_limits_are_taken(arguments):
    validate_lease_arguments({**GOOD, **arguments}, WHO)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"concurrency": 0}, "concurrency is 0, but it must be from 1 to 64."),
        ({"concurrency": 65}, "concurrency is 65, but it must be from 1 to 64."),
        ({"lab": ""}, "lab is '', but it must have 1 to 225 printable characters"),
        ({"lab": "mon\nday"}, "lab is 'mon\\nday', but it must have"),
        ({"lab": "\ud800"}, "lab is '\\ud800', but it must have"),
        ({"lab": "x" * 256}, "lab is 'xxx"),
        ({"lease_store": "leases"}, "lease_store is 'leases', which is not a lease store"),
        ({"lease_store": "dynamodb://x"}, "lease_store is 'dynamodb://x', but 'x' is neither the name nor the ARN"),
        ({"user_id": None}, "Give one of user_id and users: null is not a value."),
        (
            {"user_id": None, "lab": None, "state": "absent"},
            "Give one of user_id, users and lab: null is not a value.",
        ),
        ({"purge": True}, "purge is only for state=absent"),
        ({"withdraw_removed": True, "lab": None}, "withdraw_removed is for state=present and a lab"),
        ({"withdraw_removed": True, "state": "absent"}, "withdraw_removed is for state=present and a lab"),
        ({"withdraw_limit": -1}, "withdraw_limit is -1, but it must be 0 or more."),
        ({"lease_store": "none", "return_urls": False}, "lease_store is none and return_urls is false, so nobody"),
    ],
)
def test_arguments_beyond_their_limits_are_rejected_by_name_and_value(arguments, message):
    with pytest.raises(InvalidOption) as rejected:
        validate_lease_arguments({**GOOD, **arguments}, WHO)
    assert str(rejected.value).startswith(message)


@pytest.mark.parametrize(("state", "return_urls"), [("present", False), ("absent", True)])
def test_a_task_with_async_returns_no_urls(monkeypatch, state, return_urls):
    """Ansible keeps its result in a file with mode 0644."""
    arguments = {**GOOD, "state": state, "return_urls": return_urls}
    monkeypatch.setenv("ANSIBLE_ASYNC_DIR", "~/.ansible_async")
    validate_lease_arguments(arguments, WHO)
    with pytest.raises(InvalidOption, match="set return_urls to false, and hand out") as error:
        validate_lease_arguments({**GOOD, "return_urls": True}, WHO)
    assert "ANSIBLE_ASYNC_DIR is ~/.ansible_async" in str(error.value)


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("2026-11-21T17:00:00+01:00", "2026-11-21T16:00:00Z"),
        ("2026-11-21T16:00:00Z", "2026-11-21T16:00:00Z"),
        ("2026-11-21T16:00:00z", "2026-11-21T16:00:00Z"),
        ("2026-11-21 16:00:00+00:00", "2026-11-21T16:00:00Z"),
        ("2026-11-21T16:00Z", "2026-11-21T16:00:00Z"),
        ("2026-11-21T12:30:00-03:30", "2026-11-21T16:00:00Z"),
        ("2026-11-22T00:30:00+14:00", "2026-11-21T10:30:00Z"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"),
        # Rounded up, so that a URL is never good for less than was asked.
        ("2026-11-21T16:00:00.000000Z", "2026-11-21T16:00:00Z"),
        ("2026-11-21T16:00:00.000001Z", "2026-11-21T16:00:01Z"),
        ("2026-11-21T16:00:00.500+00:00", "2026-11-21T16:00:01Z"),
        ("2026-12-31T23:59:59.999Z", "2027-01-01T00:00:00Z"),
        # The first and the last that there are.
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
    ],
)
def test_a_timestamp_is_parsed_and_written_in_utc(text, when):
    parsed = parse_timestamp("valid_until", text)
    assert parsed.utcoffset() == timedelta(0)
    assert parsed.microsecond == 0
    assert to_iso8601(parsed) == when


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Z",
        "soon",
        "17:00",
        "1020",
        "1763740800",
        "21.11.2026 17:00",
        "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-11-21T24:01:00Z",
        "2026-11-21T17:00:00+25:00",
        "2026-11-21T17:00:00 Europe/Berlin",
        "2026-11-21T17:00:00+01:00\n",
        " 2026-11-21T17:00:00Z",
        "2026-11-21T16:00:00ZZ",
        "２０２６-11-21T16:00:00Z",
        "\ud8002026-11-21T16:00:00Z",
        # Beyond what a clock can say, in UTC or once rounded.
        "10000-01-01T00:00:00Z",
        "9999-12-31T23:59:59.5Z",
        "9999-12-31T23:59:59-01:00",
        "0001-01-01T00:00:00+01:00",
    ],
)
def test_what_is_no_time_is_rejected(text):
    with pytest.raises(InvalidOption) as rejected:
        parse_timestamp("valid_until", text)
    message = str(rejected.value)
    assert message.startswith(f"valid_until is {quote(text)}, ")
    assert "which is not a valid ISO 8601 timestamp: " in message or "which does not exist (" in message
    assert message.endswith(": write it like 2026-11-21T17:00:00+01:00.")


@pytest.mark.parametrize("text", ["2026-11-21T17:00:00", "2026-11-21 17:00", "2026-11-21T17:00:00.5"])
def test_a_time_without_offset_is_rejected(text):
    with pytest.raises(InvalidOption) as rejected:
        parse_timestamp("ends_at", text)
    assert str(rejected.value) == (
        f"ends_at is {text!r}, which has no offset from UTC: write it like 2026-11-21T17:00:00+01:00."
    )


@pytest.mark.parametrize("text", ["2026-11-21", "2026-11-21Z", "2026-11-21+01:00"])
def test_a_date_alone_is_rejected(text):
    with pytest.raises(InvalidOption, match=r"write it like 2026-11-21T17:00:00\+01:00\.$"):
        parse_timestamp("valid_until", text)


def test_a_datetime_of_another_zone_is_written_in_utc_without_fractions():
    when = datetime(2026, 11, 21, 17, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=1)))
    assert to_iso8601(when) == "2026-11-21T16:00:00Z"
