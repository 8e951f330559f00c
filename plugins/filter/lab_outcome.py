# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: lab_outcome
short_description: Add the handouts and what failed to the summary of a lab
version_added: 1.0.0
author:
  - labstream.aws contributors (@labstream)
description:
  - Returns the summary of a lab with its handouts, and with what failed beside its role. The playbooks
    C(labstream.aws.start_lab) and C(labstream.aws.end_lab) publish it, and end with its message.
  - This filter is an internal part of the collection, and can change in any release.
positional: _input
options:
  _input:
    description:
      - The name of the lab as C(lab), and its C(state) and C(provider); the C(summary) of its role, empty if that did
        not run; whether the lab C(has_handouts) and this run C(hands_out) any, and their summary as C(handout); the
        C(run_tags); and as C(failure) the message of the step that failed, empty if none did.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the summary of a lab whose handouts failed
  ansible.builtin.debug:
    msg: "{{ run | labstream.aws.lab_outcome }}"
  vars:
    run:
      lab: cad-monday
      state: present
      provider: appstream
      summary: "{{ appstream_lab_summary }}"
      has_handouts: true
      hands_out: true
      handout:
      run_tags: [all]
      failure: There is no folder /srv/labs.
"""

RETURN = r"""
_value:
  description:
    - The summary, with C(handout), and with C(outcome) and C(message) of all.
  type: dict
  sample:
    lab: cad-monday
    outcome: failed
    message: There is no folder /srv/labs.
    handout:
"""

from collections.abc import Callable

from ansible_collections.labstream.aws.plugins.plugin_utils._filters import as_filter
from ansible_collections.labstream.aws.plugins.plugin_utils._lab_reports.outcome import lab_outcome


class FilterModule:
    """Register the filter with Ansible."""

    def filters(self) -> dict[str, Callable]:
        return {"lab_outcome": as_filter(lab_outcome)}
