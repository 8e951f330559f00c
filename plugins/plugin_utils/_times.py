# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a class ends: what people write, as one moment in UTC. Knows neither AWS nor Ansible."""

from __future__ import annotations

import datetime
import re
import zoneinfo
from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils._errors import quote
from ansible_collections.labstream.aws.plugins.module_utils._time import parse_datetime, round_up, to_iso8601

_TIME_OF_DAY = re.compile(r"\d{1,2}:\d\d(?::\d\d)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DAY = datetime.timedelta(days=1)
_FORMS = "'2026-11-21T17:00:00+01:00', or '2026-11-21T17:00' or '17:00' with a timezone"


def to_utc(value: Any, timezone: str | None = None, now: datetime.datetime | None = None) -> datetime.datetime:
    """Return the moment at which the class ends, in UTC, in whole seconds, and after ``now``.

    ``value`` is an ISO 8601 date-time with offset, a date-time in ``timezone`` (an IANA name), or a time of day there,
    which means its next occurrence after ``now`` (an aware datetime; the present if not given).

    A time that the change to summer time skips is taken with the offset before the change, and of a time that occurs
    twice the second is taken: in both cases the later moment, since a class must not end early.

    Raises ValueError, with one sentence, for anything else and for a moment that is not after ``now``.
    """
    now = now or datetime.datetime.now(datetime.timezone.utc)
    zone = None if timezone is None else _zone(timezone)
    try:
        if isinstance(value, str) and _TIME_OF_DAY.fullmatch(value.strip()):
            return _next_occurrence(_time(value.strip(), value), _needed(zone, value), now)
        local = _date_time(value)
        end = local.astimezone(datetime.timezone.utc) if local.tzinfo else _in_utc(local, _needed(zone, value))
    except OverflowError as error:
        raise ValueError(f"The end of the class {quote(value)} is outside the years 1 to 9999.") from error
    if end <= now:
        raise ValueError(
            f"The end of the class {_shown(value)} ({to_iso8601(end)}) is past: it is now {to_iso8601(now)}; "
            "give a later one."
        )
    return end


def present(now: Any) -> datetime.datetime:
    """Return the aware datetime that ``now``, a datetime or an ISO 8601 text with offset, stands for.

    Raises ValueError, with one sentence, if it is something else.
    """
    try:
        read = _date_time(now)
    except ValueError:
        read = None
    if read is None or read.tzinfo is None:
        raise ValueError(
            f"The value {_shown(now)} of now is not an ISO 8601 time with offset, such as '2026-11-21T08:00:00Z'."
        )
    return read


def _date_time(value: Any) -> datetime.datetime:
    """Return the datetime that ``value`` is or spells, aware if it has an offset, in whole seconds."""
    # YAML makes a datetime of an unquoted date-time, a date of a date, and a number of a time of day.
    if isinstance(value, datetime.datetime):
        return round_up(value)
    number = _number(value)
    if number is not None:
        raise ValueError(_about_number(number))
    text = value.strip() if isinstance(value, str) else ""
    if isinstance(value, datetime.date) or _DATE.fullmatch(text):
        raise ValueError(
            f"The end of the class {_shown(value)} is a date without a time; "
            f"add one, as in '{str(value).strip()}T17:00'."
        )
    try:
        when = parse_datetime(text)
    except ValueError as error:
        raise ValueError(f"The end of the class {quote(value)} does not exist ({error}).") from error
    if when is None:
        raise ValueError(f"The end of the class {quote(value)} is not a time; write {_FORMS}.")
    return when


def _time(text: str, value: Any) -> datetime.time:
    """Return the time of day that ``text``, of the form H:MM, HH:MM or HH:MM:SS, spells; ``value`` is for the error."""
    try:
        return datetime.time.fromisoformat(text if text[2] == ":" else f"0{text}")
    except ValueError as error:
        raise ValueError(f"The end of the class {quote(value)} does not exist ({error}).") from error


def _number(value: Any) -> float | None:
    """Return the number that ``value`` is, or is the text of, as options of type string make it; else None."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and re.fullmatch(r"\d{1,5}", value.strip(), re.ASCII) else None


def _about_number(number: float) -> str:
    """Return the sentence for the number that YAML makes of an unquoted 17:00 (1020) or 17:00:00 (61200)."""
    meant = ""
    rest, last = divmod(number, 60)
    if 60 <= number < 24 * 60:
        meant = f"{rest:02.0f}:{last:02.0f}"
    elif 3600 <= number < 24 * 3600:
        meant = f"{rest // 60:02.0f}:{rest % 60:02.0f}:{last:02.0f}"
    if not meant:
        return f"The end of the class is the number {number}; write a time in quotes: {_FORMS}."
    return (
        f"The end of the class is the number {number}, which YAML makes of an unquoted time; write '{meant}' in quotes."
    )


def _needed(zone: zoneinfo.ZoneInfo | None, value: Any) -> zoneinfo.ZoneInfo:
    if zone is None:
        raise ValueError(
            f"The end of the class {_shown(value)} has no offset from UTC; "
            "add one such as '+01:00', or give a timezone such as 'Europe/Berlin'."
        )
    return zone


def _zone(name: Any) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, TypeError, AttributeError, OSError) as error:
        if not zoneinfo.available_timezones():
            raise ValueError(
                f"The time zone {quote(name)} cannot be looked up, as this host has no time zone data; "
                "install the package tzdata, from the system or for Python."
            ) from error
        raise ValueError(f"There is no time zone {quote(name)}; give an IANA name such as 'Europe/Berlin'.") from error


def _in_utc(local: datetime.datetime, zone: zoneinfo.ZoneInfo) -> datetime.datetime:
    """Return the moment of a wall-clock time, the later one if a change of the clock leaves two to choose from."""
    return max(local.replace(tzinfo=zone, fold=fold).astimezone(datetime.timezone.utc) for fold in (0, 1))


def _next_occurrence(time: datetime.time, zone: zoneinfo.ZoneInfo, now: datetime.datetime) -> datetime.datetime:
    """Return the first moment after ``now`` at which clocks in ``zone`` show ``time``."""
    today = now.astimezone(zone).date()
    # From yesterday, since a time that a change of the clock skips can land on the next day.
    days = (today + _DAY * offset for offset in (-1, 0, 1))
    return min(end for day in days if (end := _in_utc(datetime.datetime.combine(day, time), zone)) > now)


def _shown(value: Any) -> str:
    """Return a time as the reader wrote it, not as Python spells its datetime."""
    return f"'{value}'" if isinstance(value, datetime.date) else quote(value)
