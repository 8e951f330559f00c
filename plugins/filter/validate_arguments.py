# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: validate_arguments
short_description: Validate the arguments of a role of this collection
version_added: 0.1.0
author:
  - labstream.aws contributors (@labstream)
description:
  - Checks what C(argument_specs.yml) cannot express. The roles of this collection use it.
  - A variable with the role's prefix that the role does not know is an error if its name is a near miss of an option,
    that is its beginning, or after the prefix at most two characters different, in a word of up to five letters one.
    Otherwise it is a warning, since it can be the user's own.
options:
  _input:
    description:
      - The values of the role's options that are set, by variable.
    type: dict
    required: true
  role:
    description:
      - The name of the role.
    type: str
    required: true
    choices:
      - appstream_lab
      - gamelift_lab
      - nimble_lab
      - lab_handout
  names:
    description:
      - All variables with the role's prefix.
    type: list
    elements: str
    required: true
  spec:
    description:
      - The contents of the role's C(argument_specs.yml).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Validate arguments
  ansible.builtin.set_fact:
    validation: "{{ {'lab_handout_seats': [], 'lab_handout_pages_dir': '/srv/lab'}
      | labstream.aws.validate_arguments('lab_handout', names=['lab_handout_link'], spec=spec) }}"
  vars:
    spec: "{{ lookup('ansible.builtin.file', 'argument_specs.yml') | from_yaml }}"
"""

RETURN = r"""
_value:
  description:
    - What is wrong.
  type: dict
  contains:
    error:
      description: The first error, V(null) if there is none.
      type: str
      sample: "lab_handout_link is not an option of the role lab_handout: did you mean lab_handout_links_csv?"
    warnings:
      description: One text for each variable that the role does not know.
      type: list
      elements: str
      sample: []
    texts:
      description: The options that are text, by their names without the prefix. Secrets are not among them.
      type: dict
      sample:
        pages_dir: /srv/lab
"""

from collections.abc import Callable

from ansible_collections.labstream.aws.plugins.plugin_utils._arguments import validate_arguments
from ansible_collections.labstream.aws.plugins.plugin_utils._filters import as_filter


class FilterModule:
    """Register the filter with Ansible."""

    def filters(self) -> dict[str, Callable]:
        return {"validate_arguments": as_filter(validate_arguments)}
