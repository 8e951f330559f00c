# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: to_utc
short_description: Convert a time to UTC
version_added: 0.1.0
author:
  - labstream.aws contributors (@labstream)
description:
  - Converts a timestamp with an offset, a timestamp in a time zone, or a time of day there to UTC, such as
    V(2026-11-21T16:00:00Z).
  - A time in the past is an error, unless O(allow_past) is set.
positional: _input, timezone
options:
  _input:
    description:
      - V(2026-11-21T17:00:00+01:00) and V(2026-11-21T16:00:00Z) are complete.
      - V(2026-11-21T17:00) needs a O(timezone).
      - V(17:00) needs a O(timezone), and means its next occurrence there.
      - Write it in quotes. YAML reads an unquoted 17:00 as a number. An unquoted timestamp is understood.
      - Fractions of a second are rounded up.
    type: raw
    required: true
  timezone:
    description:
      - The IANA name of the time zone, such as V(Europe/Berlin).
      - Required unless the time has an offset, and not used if it has.
    type: str
  now:
    description:
      - The current time, with an offset. For tests and for planning.
    type: raw
  allow_past:
    description:
      - Accept a time in the past. A time of day is an error then, since the next day it would mean another time.
    type: bool
    default: false
notes:
  - A lab must not end early. So a time that occurs twice when summer time ends means the second one, and a time that is
    skipped when it begins is read with the offset before the change. V(02:30) on that day in V(Europe/Berlin) is 03:30
    summer time.
  - The controller needs time zone data, from its system or from the Python package C(tzdata).
"""

EXAMPLES = r"""
- name: Get the next time that it is five o'clock in Berlin
  ansible.builtin.set_fact:
    ends_at: "{{ '17:00' | labstream.aws.to_utc(timezone='Europe/Berlin') }}"

- name: Convert a timestamp with an offset
  ansible.builtin.debug:
    msg: "{{ '2126-11-21T17:00:00+01:00' | labstream.aws.to_utc }}"
    # => 2126-11-21T16:00:00Z
"""

RETURN = r"""
_value:
  description:
    - The time in UTC, as ISO 8601 in whole seconds.
  type: str
  sample: "2026-11-21T16:00:00Z"
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils._time import to_iso8601
from ansible_collections.labstream.aws.plugins.plugin_utils import _times
from ansible_collections.labstream.aws.plugins.plugin_utils._filters import as_filter


def to_utc(value: Any, timezone: str | None = None, now: Any = None, allow_past: bool = False) -> str:
    """Return the time in UTC as ISO 8601."""
    return to_iso8601(_times.to_utc(value, timezone, None if now is None else _times.parse_now(now), allow_past))


class FilterModule:
    """Register the filter with Ansible."""

    def filters(self) -> dict[str, Callable]:
        return {"to_utc": as_filter(to_utc)}
