#!/usr/bin/python
# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: nimble_session_info
version_added: 0.1.0
short_description: Gather information about Nimble Studio streaming sessions (closed by AWS)
description:
  - Returns the states of the streaming sessions of a studio, and who owns them.
  - Without O(session_ids), O(owned_by) and O(created_by), all sessions of the studio are listed, including deleted ones
    as long as the service lists them.
author:
  - labstream.aws contributors (@labstream)
options:
  session_ids:
    description:
      - The ids of the sessions. If one does not exist, the task fails and names it.
      - Mutually exclusive with O(owned_by) and O(created_by).
    type: list
    elements: str
  owned_by:
    description:
      - Only sessions that this user owns.
    type: str
  created_by:
    description:
      - Only sessions that this user created.
    type: str
seealso:
  - module: labstream.aws.nimble_session
  - module: labstream.aws.nimble_session_stream
  - name: ListStreamingSessions
    description: The API operation that lists sessions.
    link: https://docs.aws.amazon.com/nimble-studio/latest/APIReference/API_ListStreamingSessions.html
extends_documentation_fragment:
  - labstream.aws.nimble
  - labstream.aws.attributes
  - labstream.aws.attributes.info_module
  - labstream.aws.attributes.action_group
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - labstream.aws.requirements
"""

EXAMPLES = r"""
# Note: These examples set neither authentication details nor the region, see the AWS Guide for details.

- name: List all sessions of the studio
  labstream.aws.nimble_session_info:
    endpoint_url: https://studio.example.org
    studio_id: us-west-2-example
  register: sessions

- name: Show which of them are stopped
  ansible.builtin.debug:
    msg: "{{ sessions.sessions | selectattr('state', 'eq', 'STOPPED') | map(attribute='session_id') }}"

- name: Wait until two sessions are ready
  labstream.aws.nimble_session_info:
    endpoint_url: https://studio.example.org
    studio_id: us-west-2-example
    session_ids:
      - session-anna
      - session-ben
  register: sessions
  until: sessions.summary.states.READY | default(0) == 2
  retries: 60
  delay: 10
"""

RETURN = r"""
sessions:
  description:
    - The sessions, those of O(session_ids) in its order. Each also has all other members of the service's response, in
      snake case.
  returned: always
  type: list
  elements: dict
  contains:
    session_id:
      description: The id of the session.
      type: str
      returned: always
      sample: session-anna
    state:
      description: The state of the session.
      type: str
      returned: always
      sample: READY
    status_code:
      description: The service's reason for the state.
      type: str
      returned: always
      sample: STREAMING_SESSION_READY
    owned_by:
      description: The user who owns the session.
      type: str
      returned: always
      sample: anna
    created_by:
      description: The user who created the session.
      type: str
      returned: always
      sample: instructor
    created_at:
      description: When the session was created, in UTC.
      type: str
      returned: always
      sample: "2026-11-21T08:00:00Z"
    started_at:
      description: When the session was last started, in UTC.
      type: str
      returned: if the service returns it
      sample: "2026-11-21T14:00:00Z"
    stop_at:
      description: When the service stops the session, in UTC.
      type: str
      returned: if the service returns it
      sample: "2026-11-22T01:30:00Z"
    terminate_at:
      description: When the service deletes the session, in UTC.
      type: str
      returned: if the service returns it
      sample: "2026-11-26T01:30:00Z"
missing:
  description: The O(session_ids) that do not exist. If there is any, the task fails.
  returned: always
  type: list
  elements: str
  sample: []
summary:
  description: The task in numbers.
  returned: always
  type: dict
  contains:
    requested:
      description: How many sessions were requested, or found if O(session_ids) is not set.
      type: int
      returned: always
      sample: 30
    states:
      description: How many of the sessions are in each state.
      type: dict
      returned: always
      sample:
        READY: 28
        STOPPED: 2
studio_arn:
  description: The studio's ARN. V(null) if the task failed before it was known.
  returned: always
  type: str
  sample: arn:aws:nimble:us-west-2:123456789012:studio/us-west-2-example
region:
  description: The region of the studio. V(null) if the task failed before it was known.
  returned: always
  type: str
  sample: us-west-2
"""

from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils._errors import NotReady, list_names, quote
from ansible_collections.labstream.aws.plugins.module_utils._module import LabstreamAWSModule
from ansible_collections.labstream.aws.plugins.module_utils._nimble import api as nimble
from ansible_collections.labstream.aws.plugins.module_utils._nimble import sessions as nimble_sessions
from ansible_collections.labstream.aws.plugins.module_utils._nimble import validation
from ansible_collections.labstream.aws.plugins.module_utils._validation import validate_concurrency, validate_each

EMPTY_RESULT: dict[str, Any] = dict(
    changed=False,
    sessions=[],
    missing=[],
    summary=dict(requested=0, states={}),
    studio_arn=None,
    region=None,
)


def run(module: LabstreamAWSModule) -> None:
    """Validate the arguments before the first call, then look up or list the sessions."""
    params, result = module.params, module.result
    studio_id, session_ids = params["studio_id"], params["session_ids"]
    validate_concurrency(params["concurrency"])
    validation.validate_id("studio_id", studio_id)
    if session_ids is not None:
        validate_each("session_ids", session_ids, validation.validate_id)
    client, studio = nimble_sessions.connect_to_studio(module)
    result.update(studio)

    missing: list[str] = []
    if session_ids is None:
        members = {"ownedBy": params["owned_by"], "createdBy": params["created_by"]}
        selection = {member: value for member, value in members.items() if value is not None}
        sessions = nimble.list_streaming_sessions(client, studio_id, **selection)
    else:
        found = nimble_sessions.find_sessions(client, studio_id, session_ids, params["concurrency"])
        sessions = [session for session in found if session is not None]
        missing = [session_id for session_id, session in zip(session_ids, found, strict=True) if session is None]
    result.update(
        sessions=[nimble_sessions.build_facts(session) for session in sessions],
        missing=missing,
        summary=dict(requested=len(sessions) + len(missing), states=nimble_sessions.count_states(sessions)),
    )
    if len(missing) == 1:
        raise nimble.missing_session(studio_id, missing[0])
    if missing:
        raise NotReady(
            f"{len(missing)} of {len(session_ids)} sessions do not exist in studio {studio_id!r} "
            f"({list_names(missing, show=quote)}): check the ids."
        )


def main() -> None:
    """Run the module."""
    LabstreamAWSModule(
        empty_result=EMPTY_RESULT,
        argument_spec=dict(
            studio_id=dict(type="str", required=True),
            session_ids=dict(type="list", elements="str"),
            owned_by=dict(type="str"),
            created_by=dict(type="str"),
            concurrency=dict(type="int", default=16),
        ),
        mutually_exclusive=[("session_ids", "owned_by"), ("session_ids", "created_by")],
    ).run(run)


if __name__ == "__main__":
    main()
