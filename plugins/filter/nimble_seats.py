# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: nimble_seats
short_description: Seats of a class on Nimble Studio
version_added: 0.1.0
author:
  - labstream.aws contributors (@labstream)
description:
  - Says which learner has which seat, out of the learners and the result of
    M(labstream.aws.nimble_session_stream) for them.
  - A learner whose session got no stream has no seat.
  - No URL is in it, and none is stored. M(labstream.aws.nimble_session_stream) tells the URLs of the streams again.
options:
  _input:
    description:
      - The learners with their sessions, as P(labstream.aws.nimble_sessions#filter) returns them.
    type: list
    elements: dict
    required: true
  result:
    description:
      - The result of the module's task, whose O(labstream.aws.nimble_session_stream#module:session_ids) were those of
        these learners.
      - A result without streams, such as that of a skipped task, gives no seats.
    type: dict
    required: true
  studio_id:
    description:
      - The studio of the sessions.
    type: str
    required: true
seealso:
  - module: labstream.aws.nimble_session_stream
  - plugin: labstream.aws.nimble_sessions
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Read who takes part and which session is whose
  ansible.builtin.set_fact:
    learners: "{{ lookup('ansible.builtin.file', 'participants.csv') | labstream.aws.roster
      | labstream.aws.nimble_sessions(sessions={'anna': 'session-anna', 'ben': 'session-ben'}) }}"

- name: Create and remember their streams
  labstream.aws.nimble_session_stream:
    endpoint_url: https://studio.example.org
    studio_id: us-west-2-example
    session_ids: "{{ learners | map(attribute='session_id') | select }}"
    return_urls: false
  register: streams

- name: Say who has a stream until when
  ansible.builtin.debug:
    msg: "{{ item.name }}: {{ item.expires }}"
  loop: "{{ learners | labstream.aws.nimble_seats(streams, studio_id='us-west-2-example') }}"
"""

RETURN = r"""
_value:
  description:
    - One seat for each learner who has a stream, or in check mode would have one, in the order of the learners.
  type: list
  elements: dict
  contains:
    learner:
      description: What identifies the learner in the roster.
      type: str
      sample: anna
    name:
      description: The learner's name, V(null) if the roster has none.
      type: str
      sample: Anna Example
    email:
      description: The learner's e-mail address, V(null) if the roster has none.
      type: str
      sample: anna@example.org
    seat:
      description: The learner's session.
      type: str
      sample: session-anna
    provider:
      description: Always V(nimble).
      type: str
      sample: nimble
    scope:
      description: The part of the lease store that holds the stream's lease. V(null) in check mode if not known yet.
      type: str
      sample: nimble|studio.example.org|arn:aws:nimble:us-west-2:123456789012:studio/us-west-2-example
    studio_id:
      description: The studio.
      type: str
      sample: us-west-2-example
    region:
      description: The region of the studio.
      type: str
      sample: us-west-2
    expires:
      description: Until when the stream's URL works, in UTC. V(null) if it would be created (check mode).
      type: str
      sample: "2026-11-21T16:00:00Z"
    issued:
      description: Whether the task created the stream, or would in check mode.
      type: bool
      sample: true
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.labstream.aws.plugins.plugin_utils._errors import filter_errors
from ansible_collections.labstream.aws.plugins.plugin_utils._unsafe import as_data


@filter_errors
def nimble_seats(
    learners: Sequence[Mapping[str, Any]], result: Mapping[str, Any], studio_id: str
) -> list[dict[str, Any]]:
    """Return the seats of the learners whose sessions ``result`` gives a stream, or in check mode would."""
    entries = {entry["session_id"]: entry for entry in result.get("streams", [])}
    if not entries.keys() <= {learner.get("session_id") for learner in learners}:
        raise ValueError(
            "The result has streams of other sessions than the learners': give the learners whom the task was for."
        )
    # A stream that failed may have an expiry too.
    failed = {failure["session_id"] for failure in result.get("failures", [])}
    served = [learner for learner in learners if learner.get("session_id") in entries.keys() - failed]
    seats = []
    for learner in served:
        entry = entries[learner["session_id"]]
        seats.append(
            {
                **{field: learner.get(field) for field in ("learner", "name", "email")},
                "seat": learner["session_id"],
                "provider": "nimble",
                "scope": result["scope"],
                "studio_id": studio_id,
                "region": result["region"],
                "expires": entry["expires_at"],
                "issued": entry["issued"],
            }
        )
    return as_data(seats)


class FilterModule:
    """Make the filter known to Ansible."""

    def filters(self) -> dict[str, Callable]:
        return {"nimble_seats": nimble_seats}
