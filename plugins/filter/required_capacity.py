# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: required_capacity
short_description: Count the fleet sessions that a lab needs
version_added: 0.1.0
author:
  - labstream.aws contributors (@labstream)
description:
  - Counts the learners who have no session yet, and how many sessions must be available on the fleet for them.
options:
  _input:
    description:
      - The user ids of the learners.
    type: list
    elements: str
    required: true
  sessions:
    description:
      - The sessions on the lab's stack and fleet, as M(labstream.aws.appstream_session_info) returns them. A learner
        who has one needs no other.
    type: list
    elements: dict
    default: []
  spare_sessions:
    description:
      - How many sessions to leave when every learner has one.
    type: int
    default: 0
seealso:
  - module: labstream.aws.appstream_fleet
  - module: labstream.aws.appstream_session_info
"""

EXAMPLES = r"""
- name: Get the sessions of the lab
  labstream.aws.appstream_session_info:
    stack_name: cad-course
    fleet_name: cad-fleet
  register: current

- name: Ensure the fleet has a session for each learner, and two more
  labstream.aws.appstream_fleet:
    name: cad-fleet
    available_sessions: "{{ capacity.available_sessions }}"
  vars:
    capacity: "{{ ['anna', 'ben', 'chloe']
      | labstream.aws.required_capacity(sessions=current.sessions, spare_sessions=2) }}"
    # => {'needed': 2, 'available_sessions': 4} if anna has a session
"""

RETURN = r"""
_value:
  description:
    - What the lab needs.
  type: dict
  contains:
    needed:
      description: How many of the learners have no session yet.
      type: int
      sample: 28
    available_sessions:
      description:
        - How many sessions must be available for them and to spare, as
          O(labstream.aws.appstream_fleet#module:available_sessions) takes it.
      type: int
      sample: 30
"""

from collections.abc import Callable

from ansible_collections.labstream.aws.plugins.plugin_utils._capacity import required_capacity
from ansible_collections.labstream.aws.plugins.plugin_utils._filters import as_filter


class FilterModule:
    """Register the filter with Ansible."""

    def filters(self) -> dict[str, Callable]:
        return {"required_capacity": as_filter(required_capacity)}
