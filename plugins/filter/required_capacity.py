# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: required_capacity
short_description: Seats that a class needs on a fleet
version_added: 0.1.0
author:
  - labstream.aws contributors (@labstream)
description:
  - Says how many learners of a class have no session yet, and what the fleet must be scaled to for them.
  - A fleet is never scaled down by it. What other classes use of the fleet counts too.
options:
  _input:
    description:
      - The fleet, as M(labstream.aws.appstream_fleet_info) returns it.
    type: dict
    required: true
  user_ids:
    description:
      - The user ids of the learners.
    type: list
    elements: str
    required: true
  sessions:
    description:
      - The sessions on the stack of the class and the fleet, as M(labstream.aws.appstream_session_info) returns them.
        A learner who has one needs no other seat.
    type: list
    elements: dict
    default: []
  spare_sessions:
    description:
      - How many seats are to be left when every learner has one.
    type: int
    default: 0
seealso:
  - module: labstream.aws.appstream_fleet
  - module: labstream.aws.appstream_fleet_info
  - module: labstream.aws.appstream_session_info
"""

EXAMPLES = r"""
- name: Look at the fleet
  labstream.aws.appstream_fleet_info:
    names: [cad-fleet]
  register: look

- name: Look who is in already
  labstream.aws.appstream_session_info:
    stack_name: cad-course
    fleet_name: cad-fleet
  register: in_class

- name: Say how many seats the fleet must have for three learners
  ansible.builtin.debug:
    msg: >-
      {{ look.fleets[0]
         | labstream.aws.required_capacity(['anna', 'ben', 'chloe'], sessions=in_class.sessions, spare_sessions=2) }}
    # => {'needed': 2, 'seats': 5, 'scaling': {'desired_instances': 5}} if anna is in, and the fleet is set to have less
"""

RETURN = r"""
_value:
  description:
    - What the class needs.
  type: dict
  contains:
    needed:
      description: How many of the learners have no session yet.
      type: int
      sample: 28
    seats:
      description:
        - How many seats the fleet must have, in use or available, so that each of them finds one and the spare seats
          are left.
      type: int
      sample: 32
    scaling:
      description:
        - The option of M(labstream.aws.appstream_fleet) that scales this kind of fleet, and the value that it needs.
          Empty if the fleet is set to have the seats.
      type: dict
      sample:
        desired_instances: 32
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.labstream.aws.plugins.plugin_utils import _capacity as seats
from ansible_collections.labstream.aws.plugins.plugin_utils._errors import filter_errors


@filter_errors
def required_capacity(
    fleet: Mapping[str, Any],
    user_ids: Iterable[str],
    sessions: Iterable[Mapping[str, Any]] = (),
    spare_sessions: int | str = 0,
) -> dict[str, Any]:
    """Return the seats that the users need; see plugin_utils."""
    return seats.required_capacity(fleet, user_ids, sessions, spare_sessions)


class FilterModule:
    """Make the filter known to Ansible."""

    def filters(self) -> dict[str, Callable]:
        return {"required_capacity": required_capacity}
