# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: nimble_sessions
short_description: Sessions of Nimble Studio for the learners of a class
version_added: 0.1.0
author:
  - labstream.aws contributors (@labstream)
description:
  - Says which learner uses which streaming session. A map names it, or the learner owns it.
  - Learners that would have the same session are an error, since only one person can use it.
options:
  _input:
    description:
      - The learners, as P(labstream.aws.roster#filter) returns them.
    type: list
    elements: dict
    required: true
  sessions:
    description:
      - Session ids by learner. Entries of others than these learners are left alone.
    type: dict
  found:
    description:
      - The sessions of the studio, as M(labstream.aws.nimble_session_info) returns them.
      - A learner who is not in O(sessions) has the one of them whose C(owned_by) is the learner. Sessions that are
        deleted, being deleted or have failed do not count.
    type: list
    elements: dict
    default: []
seealso:
  - module: labstream.aws.nimble_session_info
  - plugin: labstream.aws.nimble_seats
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Look which sessions there are
  labstream.aws.nimble_session_info:
    endpoint_url: https://studio.example.org
    studio_id: us-west-2-example
  register: studio

- name: Give everybody their own session, but Ben another
  ansible.builtin.set_fact:
    learners: "{{ lookup('ansible.builtin.file', 'participants.csv') | labstream.aws.roster
      | labstream.aws.nimble_sessions(sessions={'ben': 'session-spare'}, found=studio.sessions) }}"
"""

RETURN = r"""
_value:
  description:
    - The learners in their order, each with everything that was given, and with what is named here.
  type: list
  elements: dict
  contains:
    session_id:
      description: The learner's session, V(null) if there is none to use.
      type: str
      sample: session-anna
    failure:
      description: Why the learner has no session, V(null) if there is one.
      type: dict
      contains:
        learner:
          description: The learner.
          type: str
          sample: anna
        session_id:
          description: Always V(null).
          type: str
        code:
          description: Always V(NoSession).
          type: str
          sample: NoSession
        message:
          description: One sentence.
          type: str
          sample: >-
            Learner 'anna' has no session: name one in nimble_lab_sessions, or make one that this learner owns
            (CreateStreamingSession), then run again.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.labstream.aws.plugins.plugin_utils import _nimble_sessions as matching
from ansible_collections.labstream.aws.plugins.plugin_utils._errors import filter_errors
from ansible_collections.labstream.aws.plugins.plugin_utils._unsafe import as_data


@filter_errors
def nimble_sessions(
    learners: Sequence[Mapping[str, Any]], sessions: Any = None, found: Sequence[Mapping[str, Any]] = ()
) -> list[dict[str, Any]]:
    """Return the learners with their sessions; see plugin_utils."""
    return as_data(matching.nimble_sessions(learners, sessions, found))


class FilterModule:
    """Make the filter known to Ansible."""

    def filters(self) -> dict[str, Callable]:
        return {"nimble_sessions": nimble_sessions}
