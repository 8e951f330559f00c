# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: rotated_learners
short_description: Give learners the user ids of their generations
version_added: 0.1.0
author:
  - labstream.aws contributors (@labstream)
description:
  - Gives learners whose link has leaked the user id of their generation, which M(labstream.aws.streaming_rotation)
    stores. Nobody who has a URL for the earlier user id gets into a session of the new one.
  - The same user id and generation always result in the same new user id. To AppStream it is a new user, with an empty
    home folder and a user fee of its own.
positional: _input, generations
options:
  _input:
    description:
      - The learners, as P(labstream.aws.roster#filter) returns them.
    type: list
    elements: dict
    required: true
  generations:
    description:
      - The generation of each learner who was given one, as M(labstream.aws.streaming_rotation) returns it.
      - Learners are compared without regard to case and invisible characters.
    type: dict
    required: true
  former_of:
    description:
      - The ids of learners. Only these are returned, once for each earlier user id, so that its URL can be released and
        its session ended.
    type: list
    elements: str
seealso:
  - module: labstream.aws.streaming_rotation
  - plugin: labstream.aws.roster
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Get the generations
  labstream.aws.streaming_rotation:
    lab: cad-2026-11-21
  register: rotation

- name: Set the user ids of the learners
  ansible.builtin.set_fact:
    learners: "{{ query('labstream.aws.roster', 'participants.csv')
      | labstream.aws.rotated_learners(rotation.generations) }}"
"""

RETURN = r"""
_value:
  description:
    - The learners in their order, with another C(user_id). Nothing else in them is different.
  type: list
  elements: dict
  sample:
    - id: anna
      name: Anna Example
      email: anna@example.org
      user_id: anna-aham6q5jh6hi
      session_context:
      application_id:
"""

from collections.abc import Callable

from ansible_collections.labstream.aws.plugins.plugin_utils._filters import as_filter
from ansible_collections.labstream.aws.plugins.plugin_utils._rotation import rotated_learners


class FilterModule:
    """Register the filter with Ansible."""

    def filters(self) -> dict[str, Callable]:
        return {"rotated_learners": as_filter(rotated_learners)}
