#!/usr/bin/python
# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: nimble_session
version_added: 0.1.0
short_description: Start streaming sessions of Nimble Studio (closed by AWS)
description:
  - Starts those of the given sessions that are V(STOPPED), all in one task. Those that are V(READY) or
    V(START_IN_PROGRESS) are not changed.
  - The task fails for a session in any other state and says what to do, after it has started the others.
  - It does not wait. M(labstream.aws.nimble_session_info) returns when the sessions are V(READY).
author:
  - labstream.aws contributors (@labstream)
options:
  session_ids:
    description:
      - The ids of the sessions, any number of them. This is much faster than a loop over the module.
    type: list
    elements: str
    required: true
  state:
    description:
      - V(started) starts the sessions.
    type: str
    choices: [started]
    default: started
attributes:
  check_mode:
    support: full
    details:
      - The sessions are looked up as usual. One that would be started is returned as V(START_IN_PROGRESS).
  diff_mode:
    support: full
    details:
      - Shows the sessions and their states.
  idempotent:
    support: full
seealso:
  - module: labstream.aws.nimble_session_info
  - module: labstream.aws.nimble_session_stream
  - name: StartStreamingSession
    description: The API operation that starts a session.
    link: https://docs.aws.amazon.com/nimble-studio/latest/APIReference/API_StartStreamingSession.html
extends_documentation_fragment:
  - labstream.aws.nimble
  - labstream.aws.attributes
  - labstream.aws.attributes.action_group
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - labstream.aws.requirements
"""

EXAMPLES = r"""
# Note: These examples set neither authentication details nor the region, see the AWS Guide for details.

- name: Start the sessions of a lab
  labstream.aws.nimble_session:
    endpoint_url: https://studio.example.org
    studio_id: us-west-2-example
    session_ids:
      - session-anna
      - session-ben
    state: started

- name: Wait until they are ready
  labstream.aws.nimble_session_info:
    endpoint_url: https://studio.example.org
    studio_id: us-west-2-example
    session_ids:
      - session-anna
      - session-ben
  register: sessions
  until: "'START_IN_PROGRESS' not in sessions.summary.states"
  retries: 60
  delay: 10
"""

RETURN = r"""
sessions:
  description: The sessions in the order of O(session_ids), as the service described them last.
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
      description: The state of the session. V(null) if it could not be looked up.
      type: str
      returned: always
      sample: START_IN_PROGRESS
    status_code:
      description: The service's reason for the state. V(null) if it could not be looked up.
      type: str
      returned: always
      sample: STREAMING_SESSION_START_IN_PROGRESS
    owned_by:
      description: The user who owns the session. V(null) if it could not be looked up.
      type: str
      returned: always
      sample: anna
    started:
      description: Whether this run started the session, or would start it in check mode.
      type: bool
      returned: always
      sample: true
failures:
  description: The sessions that are neither V(READY) nor starting, and why.
  returned: always
  type: list
  elements: dict
  contains:
    session_id:
      description: The id of the session.
      type: str
      returned: always
      sample: session-ben
    code:
      description: The service's error code, or this collection's name for the kind of error.
      type: str
      returned: always
      sample: NotReady
    message:
      description: The reason.
      type: str
      returned: always
      sample: "Session 'session-ben' does not exist in studio 'us-west-2-example': check both ids."
summary:
  description: The task in numbers.
  returned: always
  type: dict
  contains:
    requested:
      description: How many sessions were given.
      type: int
      returned: always
      sample: 30
    started:
      description: How many were started, or would be in check mode.
      type: int
      returned: always
      sample: 12
    unchanged:
      description: How many were already V(READY) or V(START_IN_PROGRESS).
      type: int
      returned: always
      sample: 17
    failed:
      description: How many failed.
      type: int
      returned: always
      sample: 1
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

from ansible_collections.labstream.aws.plugins.module_utils._failures import find_bug
from ansible_collections.labstream.aws.plugins.module_utils._module import LabstreamAWSModule
from ansible_collections.labstream.aws.plugins.module_utils._nimble import sessions as nimble_sessions
from ansible_collections.labstream.aws.plugins.module_utils._nimble import validation
from ansible_collections.labstream.aws.plugins.module_utils._session_outcomes import build_result
from ansible_collections.labstream.aws.plugins.module_utils._validation import validate_concurrency, validate_each

EMPTY_RESULT: dict[str, Any] = dict(
    **build_result([], 0, "started"),
    studio_arn=None,
    region=None,
)


def run(module: LabstreamAWSModule) -> None:
    """Validate the arguments before the first call, then start the sessions that are stopped."""
    params, result = module.params, module.result
    studio_id, session_ids = params["studio_id"], params["session_ids"]
    validate_concurrency(params["concurrency"])
    validation.validate_id("studio_id", studio_id)
    validate_each("session_ids", session_ids, validation.validate_id)
    client, studio = nimble_sessions.connect_to_studio(module)
    result.update(studio)

    outcomes = nimble_sessions.start(
        client, studio_id, session_ids, concurrency=params["concurrency"], check_mode=module.check_mode
    )
    result.update(build_result(outcomes, len(outcomes), "started", diff=module._diff))
    message = nimble_sessions.failure_message(outcomes)
    if message:
        module.fail_json(msg=message, bug=find_bug(outcome.failure for outcome in outcomes))


def main() -> None:
    """Run the module."""
    LabstreamAWSModule(
        empty_result=EMPTY_RESULT,
        argument_spec=dict(
            studio_id=dict(type="str", required=True),
            session_ids=dict(type="list", elements="str", required=True),
            state=dict(type="str", choices=["started"], default="started"),
            concurrency=dict(type="int", default=16),
        ),
    ).run(run)


if __name__ == "__main__":
    main()
