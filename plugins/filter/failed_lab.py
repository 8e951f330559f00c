# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: failed_lab
short_description: Add a failure to the summary of a lab
version_added: 1.0.0
author:
  - labstream.aws contributors (@labstream)
description:
  - Returns the summary of a lab with what failed beside its role. The playbooks C(labstream.aws.start_lab) and
    C(labstream.aws.end_lab) use it.
  - This filter is an internal part of the collection, and can change in any release.
positional: _input, failure
options:
  _input:
    description:
      - The summary so far.
    type: dict
    required: true
  failure:
    description:
      - The message of the step that failed. If it is empty, the summary stays as it is.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show the summary of a lab whose handouts failed
  ansible.builtin.debug:
    msg: "{{ appstream_lab_summary | labstream.aws.failed_lab('There is no folder /srv/labs.') }}"
"""

RETURN = r"""
_value:
  description:
    - The summary, with C(outcome) and C(message) of the failure.
  type: dict
  sample:
    outcome: failed
    message: There is no folder /srv/labs.
"""

from collections.abc import Callable

from ansible_collections.labstream.aws.plugins.plugin_utils._filters import as_filter
from ansible_collections.labstream.aws.plugins.plugin_utils._lab_reports.report import failed_lab


class FilterModule:
    """Register the filter with Ansible."""

    def filters(self) -> dict[str, Callable]:
        return {"failed_lab": as_filter(failed_lab)}
