# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: appstream_seats
short_description: Seats of a class, for hand-outs
version_added: 0.1.0
author:
  - labstream.aws contributors (@labstream)
description:
  - Says which learner has which seat, out of the learners and the result of
    M(labstream.aws.appstream_streaming_url) for them.
  - A learner who got no URL has no seat.
  - No URL is in it. M(labstream.aws.streaming_handout) finds the URLs in the lease store by it.
options:
  _input:
    description:
      - The learners, as P(labstream.aws.roster#filter) returns them.
    type: list
    elements: dict
    required: true
  result:
    description:
      - The result of the module's task, whose O(labstream.aws.appstream_streaming_url#module:users) were these
        learners, in this order.
      - A result without streaming URLs, such as that of a skipped task, gives no seats.
    type: dict
    required: true
  stack_name:
    description:
      - The stack that the URLs are for.
    type: str
    required: true
  fleet_name:
    description:
      - The fleet that the URLs are for.
    type: str
    required: true
seealso:
  - module: labstream.aws.streaming_handout
  - plugin: labstream.aws.roster
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Read who takes part
  ansible.builtin.set_fact:
    learners: "{{ lookup('ansible.builtin.file', 'participants.csv') | labstream.aws.roster }}"

- name: Issue and remember their URLs
  labstream.aws.appstream_streaming_url:
    stack_name: cad-course
    fleet_name: cad-fleet
    users: "{{ learners | map('dict2items') | map('selectattr', 'key', 'eq', 'user_id') | map('items2dict') }}"
    validity: 28800
    return_urls: false
  register: urls

- name: Write them to a file
  labstream.aws.streaming_handout:
    dest: /srv/labs/today.csv
    seats: "{{ learners | labstream.aws.appstream_seats(urls, stack_name='cad-course', fleet_name='cad-fleet') }}"
"""

RETURN = r"""
_value:
  description:
    - One seat for each learner who has a URL, or in check mode would have one, in the order of the learners.
  type: list
  elements: dict
  contains:
    learner:
      description: What identifies the learner in the roster.
      type: str
      sample: "4711"
    name:
      description: The learner's name, V(null) if the roster has none.
      type: str
      sample: Anna Example
    email:
      description: The learner's e-mail address, V(null) if the roster has none.
      type: str
      sample: anna@example.org
    generation:
      description:
        - How often the learner was given another user id. See P(labstream.aws.rotated_learners#filter).
      type: int
      sample: 0
    seat:
      description: The learner's AppStream user id.
      type: str
      sample: "4711"
    provider:
      description: Always V(appstream).
      type: str
      sample: appstream
    scope:
      description: The part of the lease store that holds the URL.
      type: str
      sample: >-
        appstream|appstream2.eu-central-1.amazonaws.com|arn:aws:appstream:eu-central-1:123456789012:stack/cad-course|arn:aws:appstream:eu-central-1:123456789012:fleet/cad-fleet
    stack_name:
      description: The stack.
      type: str
      sample: cad-course
    fleet_name:
      description: The fleet.
      type: str
      sample: cad-fleet
    region:
      description: The region of stack and fleet.
      type: str
      sample: eu-central-1
    application_id:
      description: The application that the URL opens, V(null) if the learner chooses.
      type: str
      sample: notebook
    session_context:
      description: The session context that the URL carries, V(null) if none.
      type: str
      sample: unit-3
    expires:
      description: Until when the URL works, in UTC. V(null) if it would be issued (check mode).
      type: str
      sample: "2026-11-21T16:00:00Z"
    issued:
      description: Whether the task issued the URL, or would in check mode.
      type: bool
      sample: true
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.labstream.aws.plugins.plugin_utils._errors import filter_errors
from ansible_collections.labstream.aws.plugins.plugin_utils._unsafe import as_data


@filter_errors
def appstream_seats(
    learners: Sequence[Mapping[str, Any]], result: Mapping[str, Any], stack_name: str, fleet_name: str
) -> list[dict[str, Any]]:
    """Return the seats of the learners whom ``result`` gives a URL, or in check mode would."""
    entries = result.get("streaming_urls", [])
    if entries and [entry["user_id"] for entry in entries] != [learner.get("user_id") for learner in learners]:
        raise ValueError("The learners are not those of the result: give both of the same task, in its order.")
    seats = [
        {
            **{field: learner.get(field) for field in ("learner", "name", "email")},
            "generation": learner.get("generation", 0),
            "seat": learner["user_id"],
            "provider": "appstream",
            "scope": result["scope"],
            "stack_name": stack_name,
            "fleet_name": fleet_name,
            "region": result["region"],
            **{field: entry[field] for field in ("application_id", "session_context", "expires", "issued")},
        }
        for learner, entry in zip(learners, entries, strict=False)
        if entry["issued"] or entry["expires"]
    ]
    return as_data(seats)


class FilterModule:
    """Make the filter known to Ansible."""

    def filters(self) -> dict[str, Callable]:
        return {"appstream_seats": appstream_seats}
