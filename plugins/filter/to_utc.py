# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: to_utc
short_description: Moment at which a class ends, in UTC
version_added: 0.1.0
author:
  - labstream.aws contributors (@labstream)
description:
  - Makes one moment in UTC, such as V(2026-11-21T16:00:00Z), of a date-time with offset, a date-time in a time zone,
    or a time of day there.
  - A moment that is past is an error.
options:
  _input:
    description:
      - V(2026-11-21T17:00:00+01:00) or V(2026-11-21T16:00:00Z) says everything.
      - V(2026-11-21T17:00) needs a O(timezone).
      - V(17:00) needs a O(timezone), and means the next time that clocks there show it.
      - Put it in quotes. YAML makes a number of an unquoted 17:00. An unquoted date-time is understood.
      - Fractions of a second are dropped.
    type: raw
    required: true
  timezone:
    description:
      - The IANA name of the time zone, such as V(Europe/Berlin).
      - Required unless the time has an offset, and not used if it has.
    type: str
  now:
    description:
      - The moment to count from, with offset. For tests and for planning; the present by default.
    type: raw
notes:
  - A class must not end early. So a time that occurs twice when summer time ends means the second one, and a time
    that is skipped when it begins is read with the offset before the change. V(02:30) on that day in
    V(Europe/Berlin) is 03:30 summer time.
  - The controller needs time zone data, from its system or from the Python package C(tzdata).
"""

EXAMPLES = r"""
- name: Five o'clock in Berlin, today or, if that is past, tomorrow
  ansible.builtin.set_fact:
    ends_at: "{{ '17:00' | labstream.aws.to_utc(timezone='Europe/Berlin') }}"

- name: A moment with its offset
  ansible.builtin.debug:
    msg: "{{ '2126-11-21T17:00:00+01:00' | labstream.aws.to_utc }}"
    # => 2126-11-21T16:00:00Z
"""

RETURN = r"""
_value:
  description:
    - The end of the class in UTC, as ISO 8601 in whole seconds.
  type: str
  sample: "2026-11-21T16:00:00Z"
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils._time import to_iso8601
from ansible_collections.labstream.aws.plugins.plugin_utils import _times as ends
from ansible_collections.labstream.aws.plugins.plugin_utils._errors import filter_errors


@filter_errors
def to_utc(value: Any, timezone: str | None = None, now: Any = None) -> str:
    """Return the end of the class in UTC as ISO 8601; see ends.to_utc."""
    return to_iso8601(ends.to_utc(value, timezone, None if now is None else ends.present(now)))


class FilterModule:
    """Make the filter known to Ansible."""

    def filters(self) -> dict[str, Callable]:
        return {"to_utc": to_utc}
