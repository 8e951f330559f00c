#!/usr/bin/python
# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: appstream_session_info
version_added: 0.1.0
short_description: Gather information about AppStream 2.0 streaming sessions
description:
  - Returns which users have a streaming session on a stack and fleet, which of them are connected, and the fleet.
  - All pages of the service's list are read.
author:
  - labstream.aws contributors (@labstream)
options:
  fleet_name:
    description:
      - The fleet that the sessions run on.
    type: str
    required: true
  stack_name:
    description:
      - The stack of the sessions.
      - Without it, the sessions of all stacks that the fleet is associated with are listed.
    type: str
  user_id:
    description:
      - Only sessions of this user. For a user of a streaming URL, the id that the URL was issued for.
    type: str
  authentication_types:
    description:
      - Only sessions of users who were authenticated in one of these ways. V(API) is by streaming URL.
      - Name all of them to list every session on the fleet.
    type: list
    elements: str
    choices: [API, SAML, USERPOOL, AWS_AD]
    default: [API]
    aliases: [authentication_type]
  lab:
    description:
      - The name of a lab, to also get its RV(generations) from O(lease_store), on which the user ids of its learners
        depend. Otherwise the lease store is not read.
    version_added: 1.0.0
    type: str
seealso:
  - module: labstream.aws.appstream_session
  - module: labstream.aws.appstream_streaming_url
  - name: DescribeSessions
    description: The API operation that lists sessions.
    link: https://docs.aws.amazon.com/appstream2/latest/APIReference/API_DescribeSessions.html
extends_documentation_fragment:
  - labstream.aws.lease.store
  - labstream.aws.attributes
  - labstream.aws.attributes.info_module
  - labstream.aws.attributes.lease_group
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - labstream.aws.requirements
"""

EXAMPLES = r"""
# Note: These examples set neither authentication details nor the region, see the AWS Guide for details.

- name: List the sessions of a lab
  labstream.aws.appstream_session_info:
    stack_name: cad-course
    fleet_name: cad-fleet
  register: lab

- name: Show who is connected
  ansible.builtin.debug:
    msg: "{{ lab.sessions | selectattr('connection_state', 'eq', 'CONNECTED') | map(attribute='user_id') }}"

- name: Look up the session of one learner
  labstream.aws.appstream_session_info:
    stack_name: cad-course
    fleet_name: cad-fleet
    user_id: anna

- name: List all sessions on the fleet, of all stacks and authentication types
  labstream.aws.appstream_session_info:
    fleet_name: cad-fleet
    authentication_types: [API, SAML, USERPOOL, AWS_AD]
  register: on_fleet
"""

RETURN = r"""
sessions:
  description:
    - The sessions, in the order in which the service lists them. Each also has all other members of the service's
      response, in snake case.
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: The id of the session. M(labstream.aws.appstream_session) ends it.
      type: str
      returned: always
      sample: 6aa1fe84-0b11-4c0e-9a2c-d1b7a5b9f0a3
    user_id:
      description: The id of the user.
      type: str
      returned: always
      sample: anna
    stack_name:
      description: The stack that the user connected through.
      type: str
      returned: always
      sample: cad-course
    fleet_name:
      description: The fleet that the session runs on.
      type: str
      returned: always
      sample: cad-fleet
    state:
      description: V(ACTIVE), V(PENDING) or V(EXPIRED).
      type: str
      returned: always
      sample: ACTIVE
    connection_state:
      description: Whether the user is connected now, V(CONNECTED) or V(NOT_CONNECTED). V(null) if unknown.
      type: str
      returned: always
      sample: CONNECTED
    start_time:
      description: When the user got a streaming instance, in UTC. V(null) if unknown.
      type: str
      returned: always
      sample: "2026-11-21T14:02:10Z"
    max_expiration_time:
      description: When the service ends the session at the latest, in UTC. V(null) if unknown.
      type: str
      returned: always
      sample: "2026-11-22T06:02:10Z"
    authentication_type:
      description: How the user was authenticated, as in O(authentication_types). V(null) if unknown.
      type: str
      returned: always
      sample: API
    instance_id:
      description: The streaming instance. V(null) if unknown.
      type: str
      returned: always
      sample: i-0123456789abcdef0
    network_access_configuration:
      description: The instance's addresses in the network. V(null) if unknown.
      type: dict
      returned: always
      sample:
        eni_id: eni-0123456789abcdef0
        eni_private_ip_address: 10.0.1.17
summary:
  description: The sessions in numbers.
  returned: always
  type: dict
  contains:
    found:
      description: How many sessions were found.
      type: int
      returned: always
      sample: 30
    states:
      description: How many of them are in each state.
      type: dict
      returned: always
      sample:
        ACTIVE: 30
    connection_states:
      description: How many of them are in each connection state.
      type: dict
      returned: always
      sample:
        CONNECTED: 28
        NOT_CONNECTED: 2
fleet:
  description:
    - The fleet, with the keys of RV(labstream.aws.appstream_fleet_info#module:fleets). V(null) if the task failed
      before it was described.
  returned: always
  type: dict
  sample:
    name: cad-fleet
    state: RUNNING
generations:
  description:
    - The generation of each learner of O(lab) who was ever rotated, as
      RV(labstream.aws.streaming_rotation#module:generations) describes it. Empty without O(lab).
  returned: always
  type: dict
  sample: {}
fleet_arn:
  description: The fleet's ARN. V(null) if the task failed before it was known.
  returned: always
  type: str
  sample: arn:aws:appstream:eu-central-1:123456789012:fleet/cad-fleet
stack_arn:
  description: The stack's ARN. V(null) without O(stack_name), and if the task failed before it was known.
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
from ansible_collections.labstream.aws.plugins.module_utils._appstream import fleets as appstream_fleets
from ansible_collections.labstream.aws.plugins.module_utils._appstream import sessions as appstream_sessions
from ansible_collections.labstream.aws.plugins.module_utils._appstream import validation
from ansible_collections.labstream.aws.plugins.module_utils._argspec import (
    store_argument_spec,
    validate_has_lease_store,
    validate_lab,
)
from ansible_collections.labstream.aws.plugins.module_utils._client import build_client
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption
from ansible_collections.labstream.aws.plugins.module_utils._labs.learners import find_learners, get_latest_keys
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.factory import open_lease_store
from ansible_collections.labstream.aws.plugins.module_utils._module import LabstreamAWSModule

EMPTY_RESULT: dict[str, Any] = dict(
    changed=False,
    sessions=[],
    summary=dict(found=0, states={}, connection_states={}),
    fleet=None,
    generations={},
    fleet_arn=None,
    stack_arn=None,
    region=None,
)


def get_generations(module: LabstreamAWSModule, lab: str) -> dict[str, int]:
    """Return the generation of each learner of the lab who was ever rotated.

    Raises:
        LabstreamError: The store cannot be used.
    """
    with open_lease_store(module, create=False, read_only=True) as store:
        latest = get_latest_keys(find_learners(store, lab))
    return {learner_id: key.generation for learner_id, key in latest.items() if key.generation}


def run(module: LabstreamAWSModule) -> None:
    """Validate the arguments before the first call, then list the sessions."""
    params, result = module.params, module.result
    fleet_name, stack_name, user_id = params["fleet_name"], params["stack_name"], params["user_id"]
    validation.validate_name("fleet_name", fleet_name)
    if stack_name is not None:
        validation.validate_name("stack_name", stack_name)
    if user_id is not None:
        appstream_sessions.validate_user_id("user_id", user_id)
    authentication_types = list(dict.fromkeys(params["authentication_types"]))
    if not authentication_types:
        raise InvalidOption("authentication_types is empty: name at least one.")
    if params["lab"] is not None:
        validate_lab(params["lab"])
        validate_has_lease_store(params["lease_store"])
        result.update(generations=get_generations(module, params["lab"]))
    client = build_client(module, appstream.SERVICE, appstream_sessions.MAX_CONCURRENT_LISTS)
    result.update(region=client.meta.region_name)
    fleet, arns, missing = appstream_sessions.find_fleet_and_stack(client, fleet_name, stack_name)
    result.update(arns, fleet=appstream_fleets.build_valid_facts(fleet_name, fleet) if fleet else None)
    if missing:
        raise missing

    stack_names = [stack_name] if stack_name else appstream_sessions.list_associated_stacks(client, fleet_name)
    sessions = appstream_sessions.list_sessions(client, fleet_name, stack_names, authentication_types, user_id)
    result.update(
        sessions=[appstream_sessions.build_facts(session) for session in sessions],
        summary=dict(
            found=len(sessions),
            states=appstream_sessions.count_states(sessions, "State"),
            connection_states=appstream_sessions.count_states(sessions, "ConnectionState"),
        ),
    )


def main() -> None:
    """Run the module."""
    LabstreamAWSModule(
        empty_result=EMPTY_RESULT,
        argument_spec=dict(
            fleet_name=dict(type="str", required=True),
            stack_name=dict(type="str"),
            user_id=dict(type="str"),
            authentication_types=dict(
                type="list",
                elements="str",
                choices=list(appstream_sessions.AUTHENTICATION_TYPES),
                default=["API"],
                aliases=["authentication_type"],
            ),
            lab=dict(type="str"),
            **store_argument_spec(),
        ),
    ).run(run)


if __name__ == "__main__":
    main()
