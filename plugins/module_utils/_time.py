# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Timestamps: ISO 8601. Pure: knows neither AWS nor Ansible."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

# One grammar for every Python: what datetime.fromisoformat accepts grew with 3.11.
_DATE_TIME = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)[Tt ](?P<hour>\d{1,2})(?P<rest>:\d\d(?::\d\d)?)(?P<fraction>[.,]\d+)?"
    r" ?(?P<offset>[Zz]|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII,
)


def parse_datetime(text: str) -> datetime | None:
    """Return the datetime of a timestamp in whole seconds, aware if it has an offset; None if the text is not one.

    Fractions of a second are rounded up, so that nothing is valid for less than requested.

    Raises:
        ValueError: it has the form of a timestamp, but there is no such date, time or offset.
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
    """Return the datetime in whole seconds, rounded up.

    Raises:
        OverflowError: it is beyond the year 9999.
    """
    return _next_second(when) if when.microsecond else when


def round_down(when: datetime) -> datetime:
    """Return an aware datetime in UTC, rounded down to whole seconds."""
    return when.astimezone(timezone.utc).replace(microsecond=0)


def utc_now() -> datetime:
    """Return the time of this machine's clock, which may be wrong, in UTC and in whole seconds."""
    return round_down(datetime.now(timezone.utc))


def to_iso8601(when: datetime) -> str:
    """Return an aware datetime as a timestamp in UTC with whole seconds, such as ``2026-11-21T16:00:00Z``."""
    # Not strftime, which writes years before 1000 with fewer than four digits.
    return f"{when.astimezone(timezone.utc).replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def _next_second(when: datetime) -> datetime:
    return when.replace(microsecond=0) + timedelta(seconds=1)
