# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: lab_conflicts
short_description: Find out why the labs of hosts cannot be run
version_added: 1.0.0
author:
  - labstream.aws contributors (@labstream)
description:
  - Finds a misspelled tag, an unknown provider, and hosts with one lab on the same stack and fleet, stream group or
    studio, or with one output path. The playbooks C(labstream.aws.start_lab) and C(labstream.aws.end_lab) use it.
  - This filter is an internal part of the collection, and can change in any release.
positional: _input, playbook_dir, provider, run_tags, skip_tags
options:
  _input:
    description:
      - The variables of each host, by host, if there are several.
    type: dict
    required: true
  playbook_dir:
    description:
      - The folder of the playbook.
    type: str
    required: true
  provider:
    description:
      - The provider of the lab on this host.
    type: str
    default: appstream
  run_tags:
    description:
      - The tags that the run is limited to. A near miss of a step's tag is an error, and any other tag is not, since it
        can be one of the user's own playbook.
    type: list
    elements: str
    default: []
  skip_tags:
    description:
      - The tags that the run leaves out, as O(run_tags).
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Fail if two hosts have the same lab
  ansible.builtin.fail:
    msg: "{{ conflicts | first }}"
  when: conflicts | length > 0
  run_once: true
  vars:
    conflicts: "{{ dict(ansible_play_hosts_all | zip(ansible_play_hosts_all | map('extract', hostvars)))
      | labstream.aws.lab_conflicts(playbook_dir) }}"
"""

RETURN = r"""
_value:
  description: A text for each misspelled tag, on the provider, or for each thing that two hosts have in common.
  type: list
  elements: str
  sample:
    - "The hosts room-1 and room-2 have the same path 'pages' (lab_handout_pages_dir): give each its own."
"""

from collections.abc import Callable

from ansible_collections.labstream.aws.plugins.plugin_utils._filters import as_filter
from ansible_collections.labstream.aws.plugins.plugin_utils._many_labs import lab_conflicts


class FilterModule:
    """Register the filter with Ansible."""

    def filters(self) -> dict[str, Callable]:
        return {"lab_conflicts": as_filter(lab_conflicts)}
