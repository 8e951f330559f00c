# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Times as people write them, converted to UTC. Knows neither AWS nor Ansible."""

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
_MAX_NEXT_DAY = datetime.timedelta(hours=12)
_FORMS = "'2026-11-21T17:00:00+01:00', or '2026-11-21T17:00' or '17:00' with a timezone"


def to_utc(
    value: Any, timezone: str | None = None, now: datetime.datetime | None = None, allow_past: bool = False
) -> datetime.datetime:
    """Return the time in UTC, in whole seconds.

    A time that the change to summer time skips is read with the offset before the change, and of a time that occurs
    twice the second one is meant: in both cases the later one, since a lab must not end early.

    Args:
        value: An ISO 8601 timestamp with an offset, one without in ``timezone``, or a time of day there, which means
            its next occurrence.
        timezone: An IANA name.
        now: The current time, for tests.
        allow_past: Accept a time that is past. A time of day needs its date then.

    Raises:
        ValueError: It is something else, or it is past.
    """
    now = now or datetime.datetime.now(datetime.timezone.utc)
    zone = None if timezone is None else _parse_zone(timezone)
    try:
        if isinstance(value, str) and _TIME_OF_DAY.fullmatch(value.strip()):
            if allow_past:
                raise ValueError(f"The time {quote(value)} means another day tomorrow: give it with its date.")
            return _get_next_occurrence(_parse_time(value.strip(), value), _require(zone, value), now)
        local = _parse_date_time(value)
        time = local.astimezone(datetime.timezone.utc) if local.tzinfo else _to_utc(local, _require(zone, value))
    except OverflowError:
        raise ValueError(f"The time {quote(value)} is outside the years 1 to 9999.") from None
    if time <= now and not allow_past:
        raise ValueError(
            f"The time {_show(value)} ({to_iso8601(time)}) is in the past: it is now {to_iso8601(now)}. "
            "Give a later one."
        )
    return time


def describe_next_day(value: Any, timezone: str | None, now: datetime.datetime | None = None) -> str | None:
    """Return a warning about a time of day that has passed today and so means tomorrow, in more than 12 hours.

    Args:
        value: A value that ``to_utc`` accepts.
        timezone: As for ``to_utc``.
        now: The current time, for tests.
    """
    if not (isinstance(value, str) and _TIME_OF_DAY.fullmatch(value.strip())):
        return None
    now = now or datetime.datetime.now(datetime.timezone.utc)
    time, zone = to_utc(value, timezone, now), _parse_zone(timezone)
    if time.astimezone(zone).date() == now.astimezone(zone).date() or time - now <= _MAX_NEXT_DAY:
        return None
    return (
        f"The time {quote(value)} has passed today, so it means tomorrow, {to_local(time, timezone)}, in "
        f"{round((time - now).total_seconds() / 3600)} hours: if that is not meant, give it with its date."
    )


def to_local(time: datetime.datetime, timezone: str | None, like: str = "") -> str:
    """Return a time for people, in the time zone, or else with the offset of the timestamp ``like``, or in UTC."""
    other = parse_datetime(like) if like else None
    local = time.astimezone(_parse_zone(timezone) if timezone else (other and other.tzinfo) or datetime.timezone.utc)
    return f"{local:%Y-%m-%d %H:%M} ({timezone or local.tzname()})"


def parse_now(now: Any) -> datetime.datetime:
    """Return a datetime with an offset, or an ISO 8601 timestamp with one, as a datetime.

    Raises:
        ValueError: It is something else.
    """
    try:
        read = _parse_date_time(now)
    except ValueError:
        read = None
    if read is None or read.tzinfo is None:
        raise ValueError(
            f"now is {_show(now)}, which is not a valid ISO 8601 timestamp with an offset, such as "
            "'2026-11-21T08:00:00Z'."
        )
    return read


def _parse_date_time(value: Any) -> datetime.datetime:
    """Return the datetime, with an offset if the value has one, in whole seconds."""
    # YAML reads an unquoted timestamp as a datetime, a date as a date, and a time of day as a number.
    if isinstance(value, datetime.datetime):
        return round_up(value)
    number = _to_number(value)
    if number is not None:
        raise ValueError(_describe_number(number))
    text = value.strip() if isinstance(value, str) else ""
    if isinstance(value, datetime.date) or _DATE.fullmatch(text):
        raise ValueError(
            f"The time {_show(value)} is a date without a time of day: add one, as in '{str(value).strip()}T17:00'."
        )
    try:
        when = parse_datetime(text)
    except ValueError as error:
        raise ValueError(f"The time {quote(value)} does not exist ({error}).") from None
    if when is None:
        raise ValueError(f"The time {quote(value)} is not valid: write {_FORMS}.")
    return when


def _parse_time(text: str, value: Any) -> datetime.time:
    """Return the time of day that has the form H:MM, HH:MM or HH:MM:SS; ``value`` is for the error."""
    try:
        return datetime.time.fromisoformat(text if text[2] == ":" else f"0{text}")
    except ValueError as error:
        raise ValueError(f"The time {quote(value)} does not exist ({error}).") from None


def _to_number(value: Any) -> float | None:
    """Return the value if it is a number, or the text of one, as options of type string have it; otherwise None."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and re.fullmatch(r"\d{1,5}", value.strip(), re.ASCII) else None


def _describe_number(number: float) -> str:
    """Return the message for the number that YAML reads an unquoted 17:00 (1020) or 17:00:00 (61200) as."""
    if 60 <= number < 24 * 60:
        meant = f"{datetime.datetime.min + datetime.timedelta(minutes=number):%H:%M}"
    elif 3600 <= number < 24 * 3600:
        meant = f"{datetime.datetime.min + datetime.timedelta(seconds=number):%H:%M:%S}"
    else:
        return f"The time is the number {number}: write a time in quotes, such as {_FORMS}."
    return f"The time is the number {number}, which is how YAML reads an unquoted time: write '{meant}' in quotes."


def _require(zone: zoneinfo.ZoneInfo | None, value: Any) -> zoneinfo.ZoneInfo:
    if zone is None:
        raise ValueError(
            f"The time {_show(value)} has no offset from UTC: "
            "add one such as '+01:00', or give a timezone such as 'Europe/Berlin'."
        )
    return zone


def _parse_zone(name: Any) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, TypeError, AttributeError, OSError):
        if not zoneinfo.available_timezones():
            raise ValueError(
                f"The time zone {quote(name)} cannot be found, because this host has no time zone data: "
                "install the package tzdata, from the system or for Python."
            ) from None
        raise ValueError(f"There is no time zone {quote(name)}: give an IANA name such as 'Europe/Berlin'.") from None


def _to_utc(local: datetime.datetime, zone: zoneinfo.ZoneInfo) -> datetime.datetime:
    """Return the time in UTC, the later one if a change of the clock leaves two to choose from."""
    return max(local.replace(tzinfo=zone, fold=fold).astimezone(datetime.timezone.utc) for fold in (0, 1))


def _get_next_occurrence(time: datetime.time, zone: zoneinfo.ZoneInfo, now: datetime.datetime) -> datetime.datetime:
    """Return when clocks in ``zone`` show ``time`` for the first time after ``now``."""
    today = now.astimezone(zone).date()
    # From yesterday, since a time that a change of the clock skips can land on the next day.
    days = (today + _DAY * offset for offset in (-1, 0, 1))
    return min(end for day in days if (end := _to_utc(datetime.datetime.combine(day, time), zone)) > now)


def _show(value: Any) -> str:
    """Return a time as the user wrote it, not as Python writes its datetime."""
    return f"'{value}'" if isinstance(value, datetime.date) else quote(value)
