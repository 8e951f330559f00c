# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: nimble_sessions
short_description: Find the Nimble Studio sessions of learners
version_added: 0.1.0
author:
  - labstream.aws contributors (@labstream)
description:
  - Finds out which learner uses which streaming session. It is named in a dictionary, or the learner owns it.
  - Two learners with the same session are an error, since only one person can use it.
options:
  _input:
    description:
      - The learners, as P(labstream.aws.roster#filter) returns them.
    type: list
    elements: dict
    required: true
  sessions:
    description:
      - Session ids by learner. Entries for anybody else have no effect.
    type: dict
  found:
    description:
      - The sessions of the studio, as M(labstream.aws.nimble_session_info) returns them.
      - A learner who is not in O(sessions) has the session in this list whose C(owned_by) is the learner. Sessions that
        are deleted, are being deleted or have failed do not count.
    type: list
    elements: dict
    default: []
seealso:
  - module: labstream.aws.nimble_session_info
  - module: labstream.aws.nimble_session_stream
"""

EXAMPLES = r"""
- name: Get the sessions of the studio
  labstream.aws.nimble_session_info:
    endpoint_url: https://studio.example.org
    studio_id: us-west-2-example
  register: studio

- name: Find the session of each learner, except for Ben's
  ansible.builtin.set_fact:
    lab: "{{ query('labstream.aws.roster', 'participants.csv')
      | labstream.aws.nimble_sessions(sessions={'ben': 'session-spare'}, found=studio.sessions) }}"

- name: Create their streams
  labstream.aws.nimble_session_stream:
    endpoint_url: https://studio.example.org
    studio_id: us-west-2-example
    sessions: "{{ lab.sessions }}"
    return_urls: false
"""

RETURN = r"""
_value:
  description:
    - The sessions, and the learners without one.
  type: dict
  contains:
    sessions:
      description:
        - One entry for each learner who has a session, in the order of the learners, as
          O(labstream.aws.nimble_session_stream#module:sessions) takes them.
      type: list
      elements: dict
      sample:
        - id: anna
          name: Anna Example
          email:
          session_id: session-anna
    failures:
      description: One entry for each learner without a session, like the C(failures) of the modules.
      type: list
      elements: dict
      sample:
        - id: ben
          name:
          email:
          session_id:
          code: NoSession
          message: >-
            Learner 'ben' has no session: name one in nimble_lab_sessions, or create one that this learner owns
            (CreateStreamingSession), then run again.
"""

from collections.abc import Callable

from ansible_collections.labstream.aws.plugins.plugin_utils._filters import as_filter
from ansible_collections.labstream.aws.plugins.plugin_utils._nimble_sessions import nimble_sessions


class FilterModule:
    """Register the filter with Ansible."""

    def filters(self) -> dict[str, Callable]:
        return {"nimble_sessions": as_filter(nimble_sessions)}
