# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: roster
short_description: Read the learners of a lab from a file or text
version_added: 0.1.0
author:
  - labstream.aws contributors (@labstream)
description:
  - Reads a roster and returns its learners. P(labstream.aws.roster#filter) describes the format.
  - Use it with C(query) only. With C(lookup), a single learner would not be a list.
options:
  _terms:
    description:
      - A CSV file on the controller, or the text itself. A value with a line break is text, and so is a list in JSON.
      - A relative path starts at the folder of the playbook. For the playbooks of this collection, and for playbooks
        that import them, it starts at the working directory.
    type: list
    elements: str
    required: true
  columns:
    description:
      - See O(labstream.aws.roster#filter:columns).
    type: dict
  style:
    description:
      - See O(labstream.aws.roster#filter:style).
    type: str
    choices:
      - readable
      - opaque
    default: readable
  key:
    description:
      - See O(labstream.aws.roster#filter:key).
    type: str
seealso:
  - plugin: labstream.aws.roster
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Read an export of Moodle
  ansible.builtin.set_fact:
    learners: "{{ query('labstream.aws.roster', 'participants.csv') }}"

- name: Create a streaming URL for each learner
  labstream.aws.appstream_streaming_url:
    stack_name: cad-course
    fleet_name: cad-fleet
    users: "{{ query('labstream.aws.roster', 'participants.csv') }}"
    validity: 28800
    return_urls: false
"""

RETURN = r"""
_raw:
  description:
    - The learners, in the order of the roster, as RV(labstream.aws.roster#filter:_value) describes them.
  type: list
  elements: dict
  sample:
    - id: "4711"
      name: Anna Example
      email: anna@example.org
      user_id: "4711"
      session_context:
      application_id:
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display
from ansible_collections.labstream.aws.plugins.module_utils._errors import to_message
from ansible_collections.labstream.aws.plugins.plugin_utils import _roster
from ansible_collections.labstream.aws.plugins.plugin_utils._errors import get_cause
from ansible_collections.labstream.aws.plugins.plugin_utils._roster_source import read_source
from ansible_collections.labstream.aws.plugins.plugin_utils._unsafe import decrypted


class LookupModule(LookupBase):
    """Read a roster from a file or a text."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        self.set_options(var_options=variables, direct={option: decrypted(value) for option, value in kwargs.items()})
        if len(terms) != 1 or not isinstance(terms[0], str):
            raise AnsibleLookupError("The lookup labstream.aws.roster takes one path or the text of one CSV file.")
        [source] = terms
        options = {option: self.get_option(option) for option in ("columns", "style", "key")}
        try:
            text = read_source(source, self._loader, str((variables or {}).get("playbook_dir", ".")))
            return _roster.roster(text, **options, warn=Display().warning)
        except ValueError as error:
            raise AnsibleLookupError(to_message(str(error))) from get_cause(error)
