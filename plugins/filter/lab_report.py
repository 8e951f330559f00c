# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: lab_report
short_description: Summarize the results of a lab
version_added: 0.1.0
author:
  - labstream.aws contributors (@labstream)
description:
  - Builds what the roles of this collection publish, from the results of their steps. Their variable files have what it
    takes.
  - This filter is an internal part of the collection, and can change in any release.
options:
  _input:
    description:
      - What the role was asked for, and the results of its steps.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Summarize the results
  ansible.builtin.set_fact:
    report: "{{ results | labstream.aws.lab_report }}"
  vars:
    results:
      role: nimble_lab
      lab: painting-2026-11-21
      state: absent
      check_mode: false
      studio_id: us-west-2-example
      start_timeout: 1800
      starting: []
      late: []
      learners: []
      warnings: []
      failure: ""
      roster_failure: ""
      summary_path: ""
      steps:
        match: {}
        start: {}
        streams: "{{ result_of_nimble_session_stream }}"
"""

RETURN = r"""
_value:
  description:
    - The report.
  type: dict
  contains:
    summary:
      description: The summary, as the roles publish it.
      type: dict
      sample:
        outcome: ok
        message: "Leases released: 2. URLs of streams work until they expire."
    seats:
      description: The seats, as the roles publish them.
      type: list
      elements: dict
      sample: []
    insufficient_capacity:
      description: What the fleet lacks, V(null) if it has enough capacity.
      type: str
      sample: null
    summary_path:
      description: Where the summary is to be written, empty or V(null) if nowhere.
      type: str
      sample: ""
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.labstream.aws.plugins.plugin_utils._filters import as_filter
from ansible_collections.labstream.aws.plugins.plugin_utils._lab_reports import report
from ansible_collections.labstream.aws.plugins.plugin_utils._lab_reports.base import Result


def lab_report(run: Result) -> dict[str, Any]:
    """Return what a role publishes."""
    return report.lab_report(report.build_results(run))


class FilterModule:
    """Register the filter with Ansible."""

    def filters(self) -> dict[str, Callable]:
        return {"lab_report": as_filter(lab_report)}
