#!/usr/bin/python
# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: appstream_session
version_added: 0.1.0
short_description: Expire AppStream 2.0 streaming sessions
description:
  - Ends the streaming sessions of one user, or of a whole lab, immediately. Unsaved work in them is lost.
  - The sessions on the stack and fleet are listed first, and only sessions on that list are ended. So a session on
    another stack or fleet is never touched, whatever O(session_ids) says.
  - If a session cannot be ended, the others are still ended, then the task fails.
  - A streaming URL that has not expired opens a new session. It cannot be revoked.
author:
  - labstream.aws contributors (@labstream)
options:
  stack_name:
    description:
      - The stack that the users connected through.
    type: str
    required: true
  fleet_name:
    description:
      - The fleet that the sessions run on.
    type: str
    required: true
  user_id:
    description:
      - The id of a single user whose sessions are ended.
      - Exactly one of this, O(user_ids), O(session_id) and O(session_ids) is required.
    type: str
  user_ids:
    description:
      - The ids of the users whose sessions are ended, as many as you like. This is much faster than a loop over the
        module.
      - A user without a session is not an error.
    type: list
    elements: str
  session_id:
    description:
      - The id of a single session to end, as M(labstream.aws.appstream_session_info) returns it.
    type: str
  session_ids:
    description:
      - The ids of the sessions to end, as many as you like.
      - A session that is not listed for the stack and fleet counts as ended. The service cannot look up a session by
        its id alone.
    type: list
    elements: str
  authentication_type:
    description:
      - How the users were authenticated. V(API) is by streaming URL. Sessions of other users are not touched.
    type: str
    choices: [API, SAML, USERPOOL, AWS_AD]
    default: API
  state:
    description:
      - V(expired) ends the sessions.
    type: str
    choices: [expired]
    required: true
  concurrency:
    description:
      - How many calls to make at the same time, from 1 to 64.
    type: int
    default: 16
attributes:
  check_mode:
    support: full
    details:
      - The sessions are listed as usual. One that would be ended is returned as V(EXPIRED).
  diff_mode:
    support: full
    details:
      - Shows the users, their sessions and the states.
  idempotent:
    support: full
    details:
      - A session that is already V(EXPIRED) or does not exist is not a change. If the stack or the fleet does not
        exist, there is no session either, and a warning says so.
notes:
  - The IAM action C(appstream:ExpireSession) has no resource type, so a policy must allow it on all resources. Whoever
    may end one session may end all in the account and region.
seealso:
  - module: labstream.aws.appstream_session_info
  - module: labstream.aws.appstream_streaming_url
  - name: ExpireSession
    description: The API operation that ends a session.
    link: https://docs.aws.amazon.com/appstream2/latest/APIReference/API_ExpireSession.html
extends_documentation_fragment:
  - labstream.aws.attributes
  - labstream.aws.attributes.action_group
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - labstream.aws.requirements
"""

EXAMPLES = r"""
# Note: These examples set neither authentication details nor the region, see the AWS Guide for details.

- name: End the sessions of a lab, and no others
  labstream.aws.appstream_session:
    stack_name: cad-course
    fleet_name: cad-fleet
    user_ids:
      - anna
      - ben
    state: expired
  register: ended

- name: List all sessions on the fleet
  labstream.aws.appstream_session_info:
    fleet_name: cad-fleet
    authentication_types: [API, SAML, USERPOOL, AWS_AD]
  register: on_fleet

- name: Show who else is on it, also in check mode
  ansible.builtin.debug:
    msg: >-
      {{ on_fleet.sessions | rejectattr('state', 'eq', 'EXPIRED')
         | rejectattr('id', 'in', ended.sessions | map(attribute='id')) | map(attribute='user_id') }}

- name: End one session by its id
  labstream.aws.appstream_session:
    stack_name: cad-course
    fleet_name: cad-fleet
    session_id: 6aa1fe84-0b11-4c0e-9a2c-d1b7a5b9f0a3
    state: expired
"""

RETURN = r"""
sessions:
  description:
    - The requested sessions in that order, as the service described them before they were ended. Each also has the
      other keys of RV(labstream.aws.appstream_session_info#module:sessions).
    - For a user without a session and for a session that does not exist, there is an entry with V(null) for the rest.
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: The id of the session. V(null) if the user has none.
      type: str
      returned: always
      sample: 6aa1fe84-0b11-4c0e-9a2c-d1b7a5b9f0a3
    user_id:
      description: The id of the user. V(null) if the session does not exist.
      type: str
      returned: always
      sample: anna
    state:
      description: The state of the session now, in check mode the predicted one. V(null) if it does not exist.
      type: str
      returned: always
      sample: EXPIRED
    connection_state:
      description: Whether the user was connected before, V(CONNECTED) or V(NOT_CONNECTED). V(null) if unknown.
      type: str
      returned: always
      sample: CONNECTED
    expired:
      description: Whether this run ended the session, or would end it in check mode.
      type: bool
      returned: always
      sample: true
failures:
  description: The sessions that could not be ended, and why.
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: The id of the session.
      type: str
      returned: always
      sample: 6aa1fe84-0b11-4c0e-9a2c-d1b7a5b9f0a3
    user_id:
      description: The id of the user.
      type: str
      returned: always
      sample: anna
    code:
      description: The service's error code, or this collection's name for the kind of error.
      type: str
      returned: always
      sample: OperationNotPermittedException
    message:
      description: The reason.
      type: str
      returned: always
      sample: "Failed to expire the session: OperationNotPermittedException: not now."
summary:
  description: The task in numbers.
  returned: always
  type: dict
  contains:
    requested:
      description: How many users or sessions were given.
      type: int
      returned: always
      sample: 30
    expired:
      description: How many sessions were ended, or would be in check mode.
      type: int
      returned: always
      sample: 27
    unchanged:
      description: How many were already V(EXPIRED) or did not exist.
      type: int
      returned: always
      sample: 2
    failed:
      description: How many could not be ended.
      type: int
      returned: always
      sample: 1
fleet_arn:
  description: The fleet's ARN. V(null) if there is no such fleet, or the task failed before it was known.
  returned: always
  type: str
  sample: arn:aws:appstream:eu-central-1:123456789012:fleet/cad-fleet
stack_arn:
  description: The stack's ARN. V(null) if there is no such stack, or the task failed before it was known.
  returned: always
  type: str
  sample: arn:aws:appstream:eu-central-1:123456789012:stack/cad-course
region:
  description: The region of stack and fleet. V(null) if the task failed before it was known.
  returned: always
  type: str
  sample: eu-central-1
"""

from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils._appstream import api as appstream
from ansible_collections.labstream.aws.plugins.module_utils._appstream import sessions as appstream_sessions
from ansible_collections.labstream.aws.plugins.module_utils._appstream import validation
from ansible_collections.labstream.aws.plugins.module_utils._client import build_client
from ansible_collections.labstream.aws.plugins.module_utils._failures import find_bug
from ansible_collections.labstream.aws.plugins.module_utils._module import LabstreamAWSModule
from ansible_collections.labstream.aws.plugins.module_utils._session_outcomes import build_result
from ansible_collections.labstream.aws.plugins.module_utils._validation import (
    validate_concurrency,
    validate_each,
    validate_given,
)

EMPTY_RESULT: dict[str, Any] = dict(
    **build_result([], 0, "expired"),
    fleet_arn=None,
    stack_arn=None,
    region=None,
)

_USER = ("UserId", appstream_sessions.validate_user_id)
_SESSION = ("Id", appstream_sessions.validate_session_id)
# The member of a session that each option selects by, and what validates its values.
SELECTORS = {"user_id": _USER, "user_ids": _USER, "session_id": _SESSION, "session_ids": _SESSION}


def parse_selection(params: dict[str, Any]) -> tuple[str, list[str]]:
    """Return the member of a session that the arguments select by, and its values.

    Raises:
        InvalidOption: names the value.
    """
    validate_given(params, list(SELECTORS))
    option = next(option for option in SELECTORS if params[option] is not None)
    member, validate = SELECTORS[option]
    value = params[option]
    if isinstance(value, list):
        validate_each(option, value, validate)
        return member, value
    validate(option, value)
    return member, [value]


def run(module: LabstreamAWSModule) -> None:
    """Validate the arguments before the first call, then expire the sessions that exist."""
    params, result = module.params, module.result
    stack_name, fleet_name, concurrency = params["stack_name"], params["fleet_name"], params["concurrency"]
    validate_concurrency(concurrency)
    validation.validate_name("stack_name", stack_name)
    validation.validate_name("fleet_name", fleet_name)
    member, values = parse_selection(params)
    client = build_client(module, appstream.SERVICE, concurrency)
    result.update(region=client.meta.region_name)

    listed = []
    _fleet, arns, missing = appstream_sessions.find_fleet_and_stack(client, fleet_name, stack_name)
    result.update(arns)
    if missing:
        module.warn(f"There is no session to expire. {missing}")
    else:
        listed = appstream_sessions.list_sessions(
            client, fleet_name, [stack_name], [params["authentication_type"]], params["user_id"]
        )
    sessions = appstream_sessions.select_sessions(listed, member, values)
    outcomes = appstream_sessions.expire(client, sessions, concurrency=concurrency, check_mode=module.check_mode)
    result.update(build_result(outcomes, len(values), "expired", diff=module._diff))
    message = appstream_sessions.failure_message(outcomes)
    if message:
        module.fail_json(msg=message, bug=find_bug(outcome.failure for outcome in outcomes))


def main() -> None:
    """Run the module."""
    LabstreamAWSModule(
        empty_result=EMPTY_RESULT,
        argument_spec=dict(
            stack_name=dict(type="str", required=True),
            fleet_name=dict(type="str", required=True),
            user_id=dict(type="str"),
            user_ids=dict(type="list", elements="str"),
            session_id=dict(type="str"),
            session_ids=dict(type="list", elements="str"),
            authentication_type=dict(type="str", choices=list(appstream_sessions.AUTHENTICATION_TYPES), default="API"),
            state=dict(type="str", choices=["expired"], required=True),
            concurrency=dict(type="int", default=16),
        ),
        mutually_exclusive=[tuple(SELECTORS)],
        required_one_of=[tuple(SELECTORS)],
    ).run(run)


if __name__ == "__main__":
    main()
