# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moments as text: ISO 8601. Pure: knows neither AWS nor Ansible."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

# One grammar for every Python: what datetime.fromisoformat accepts grew with 3.11.
_DATE_TIME = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)[Tt ](?P<hour>\d{1,2})(?P<rest>:\d\d(?::\d\d)?)(?P<fraction>[.,]\d+)?"
    r" ?(?P<offset>[Zz]|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII,
)


def parse_datetime(text: str) -> datetime | None:
    """The date-time that the text is, aware if it has an offset, in whole seconds; None if it is none.

    A part of a second is rounded up, so that nothing is good for less than was asked.

    Raises:
        ValueError: it has the form of a date-time, but there is no such date, time or offset.
        OverflowError: it is beyond the year 9999.
    """
    parts = _DATE_TIME.fullmatch(text)
    if parts is None:
        return None
    offset = (parts["offset"] or "").upper().replace("Z", "+00:00").replace(":", "")
    offset = f"{offset[:3]}:{offset[3:] or '00'}" if offset else ""
    when = datetime.fromisoformat(f"{parts['date']}T{parts['hour'].zfill(2)}{parts['rest']}{offset}")
    return _next_second(when) if (parts["fraction"] or "").strip(".,0") else when


def round_up(when: datetime) -> datetime:
    """The moment in whole seconds, and not before it.

    Raises:
        OverflowError: it is beyond the year 9999.
    """
    return _next_second(when) if when.microsecond else when


def to_iso8601(when: datetime) -> str:
    """An aware moment as ISO 8601 in UTC with whole seconds, such as ``2026-11-21T16:00:00Z``."""
    # Not strftime, which writes years before 1000 with less than four digits.
    return f"{when.astimezone(timezone.utc).replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def datetimes_to_iso8601(members: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a service's reply, with ``format_moment`` of those that are moments."""
    return {member: to_iso8601(value) if isinstance(value, datetime) else value for member, value in members.items()}


def _next_second(when: datetime) -> datetime:
    return when.replace(microsecond=0) + timedelta(seconds=1)
