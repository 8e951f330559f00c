# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: rotated_learners
short_description: Learners with the user ids of their generations
version_added: 0.1.0
author:
  - labstream.aws contributors (@labstream)
description:
  - Gives learners whose link came into wrong hands the user id of their generation, which
    M(labstream.aws.streaming_rotation) remembers. Nobody who has a URL for the user id of before gets into a session of
    the new one.
  - The same user id and generation give the same new user id for ever. To AppStream it is a new user, with an empty
    home folder and a user fee of its own.
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
      - Learners are compared as user ids are made of them, without regard to case and invisible characters.
    type: dict
    required: true
seealso:
  - module: labstream.aws.streaming_rotation
  - plugin: labstream.aws.roster
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Look who was given another user id before
  labstream.aws.streaming_rotation:
    lab: cad-2026-11-21
  register: rotation

- name: Make the user ids of the class
  ansible.builtin.set_fact:
    learners: "{{ lookup('ansible.builtin.file', 'participants.csv') | labstream.aws.roster
      | labstream.aws.rotated_learners(rotation.generations) }}"
"""

RETURN = r"""
_value:
  description:
    - The learners, in their order, with these fields changed or added.
  type: list
  elements: dict
  contains:
    user_id:
      description: The user id of the learner's generation.
      type: str
      sample: anna-k2v7q5xj4t6a
    generation:
      description: The learner's generation, V(0) for most.
      type: int
      sample: 1
    former_users:
      description:
        - The users of the generations before, each a dict of C(user_id), C(application_id) and C(session_context), as
          O(labstream.aws.appstream_streaming_url#module:users) takes them.
      type: list
      elements: dict
      sample:
        - user_id: anna
          application_id: null
          session_context: null
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils._labs.learners import validate_generation
from ansible_collections.labstream.aws.plugins.plugin_utils._errors import filter_errors
from ansible_collections.labstream.aws.plugins.plugin_utils._unsafe import as_data
from ansible_collections.labstream.aws.plugins.plugin_utils._user_id import normalise, rotated_user_id


@filter_errors
def rotated_learners(learners: Sequence[Mapping[str, Any]], generations: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return the learners with the user ids of their generations."""
    reached: dict[str, int] = {}
    for learner, generation in generations.items():
        validate_generation(learner, generation)
        reached[normalise(learner)] = max(generation, reached.get(normalise(learner), 0))

    def rotated(learner: Mapping[str, Any]) -> dict[str, Any]:
        generation = reached.get(normalise(learner["learner"]), 0)
        *former, user_id = (rotated_user_id(learner["user_id"], number) for number in range(generation + 1))
        opens = {field: learner.get(field) for field in ("application_id", "session_context")}
        users = [{"user_id": one, **opens} for one in former]
        return {**learner, "user_id": user_id, "generation": generation, "former_users": users}

    return as_data([rotated(learner) for learner in learners])


class FilterModule:
    """Make the filter known to Ansible."""

    def filters(self) -> dict[str, Callable]:
        return {"rotated_learners": rotated_learners}
