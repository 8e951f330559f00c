# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: output_paths
short_description: Resolve the paths that a role of this collection writes to
version_added: 0.1.0
author:
  - labstream.aws contributors (@labstream)
description:
  - On the controller, a relative path starts at the folder of the playbook. For a playbook of this collection, such as
    C(labstream.aws.start_lab), also if another playbook imports it, it starts at the working directory.
  - A relative path for another host is rejected, and so is a path inside this collection.
  - This filter is an internal part of the collection, and can change in any release.
positional: _input, prefix, playbook_dir, connection
options:
  _input:
    description:
      - The paths by the role's option without its prefix. Empty ones are left out.
    type: dict
    required: true
  prefix:
    description:
      - The prefix of the role's options, for messages.
    type: str
    required: true
  playbook_dir:
    description:
      - The folder of the playbook.
    type: str
    required: true
  connection:
    description:
      - The connection of the host that writes.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show where the overview will be
  ansible.builtin.debug:
    msg: "{{ {'overview_html': 'overview.html', 'links_csv': ''}
      | labstream.aws.output_paths('lab_handout_', playbook_dir, ansible_connection) }}"
"""

RETURN = r"""
_value:
  description:
    - The paths by option, absolute or starting with C(~).
  type: dict
  sample:
    overview_html: /srv/labs/overview.html
"""

from collections.abc import Callable

from ansible_collections.labstream.aws.plugins.plugin_utils._filters import as_filter
from ansible_collections.labstream.aws.plugins.plugin_utils._paths import output_paths


class FilterModule:
    """Register the filter with Ansible."""

    def filters(self) -> dict[str, Callable]:
        return {"output_paths": as_filter(output_paths)}
