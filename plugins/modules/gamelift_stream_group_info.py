#!/usr/bin/python
# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gamelift_stream_group_info
version_added: 1.0.0
short_description: Gather information about stream groups of Amazon GameLift Streams
description:
  - Returns the status of stream groups, their applications, and the capacity of their locations in sessions.
author:
  - labstream.aws contributors (@labstream)
options:
  stream_groups:
    description:
      - The ids or ARNs of the stream groups. If one does not exist, the task fails and names it.
      - By default, all stream groups of the account in the region.
    type: list
    elements: str
  concurrency:
    description:
      - How many calls to make at the same time, from 1 to 64.
    type: int
    default: 16
seealso:
  - module: labstream.aws.gamelift_stream_group
  - module: labstream.aws.gamelift_stream_url
  - name: GetStreamGroup
    description: The API operation that describes a stream group.
    link: https://docs.aws.amazon.com/gameliftstreams/latest/apireference/API_GetStreamGroup.html
extends_documentation_fragment:
  - labstream.aws.attributes
  - labstream.aws.attributes.info_module
  - labstream.aws.attributes.action_group
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - labstream.aws.requirements.gamelift
"""

EXAMPLES = r"""
# Note: These examples set neither authentication details nor the region, see the AWS Guide for details.

- name: Gather information about one stream group
  labstream.aws.gamelift_stream_group_info:
    stream_groups:
      - sg-1AB2C3De4
  register: cad

- name: Fail if thirty learners would not have a session each
  ansible.builtin.assert:
    that: cad.stream_groups[0].capacity.max_available >= 30
    fail_msg: "{{ cad.stream_groups[0].capacity.max_available }} sessions for 30 learners."

- name: Gather information about all stream groups
  labstream.aws.gamelift_stream_group_info:
  register: all_groups

- name: Show which of them cost money now
  ansible.builtin.debug:
    msg: "{{ all_groups.stream_groups | selectattr('capacity.allocated', 'gt', 0) | map(attribute='id') }}"
"""

RETURN = r"""
stream_groups:
  description:
    - The stream groups, those of O(stream_groups) in its order. Each also has all other members of the service's
      response, in snake case.
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: The id of the stream group.
      type: str
      returned: always
      sample: sg-1AB2C3De4
    arn:
      description: The ARN of the stream group.
      type: str
      returned: always
      sample: arn:aws:gameliftstreams:eu-central-1:123456789012:streamgroup/sg-1AB2C3De4
    description:
      description: The description of the stream group. V(null) if it has none.
      type: str
      returned: always
      sample: CAD course
    status:
      description:
        - V(ACTIVATING), V(UPDATING_LOCATIONS), V(ACTIVE), V(ACTIVE_WITH_ERRORS), V(ERROR), V(DELETING) or V(EXPIRED).
      type: str
      returned: always
      sample: ACTIVE
    status_reason:
      description: Why the stream group is V(ERROR). V(null) otherwise.
      type: str
      returned: always
      sample: null
    stream_class:
      description: The stream class, which is the kind of its instances.
      type: str
      returned: always
      sample: gen6n_high
    default_application:
      description: The default application, V(null) if there is none.
      type: dict
      returned: always
      sample:
        id: a-9ZY8X7Wv6
        arn: arn:aws:gameliftstreams:eu-central-1:123456789012:application/a-9ZY8X7Wv6
    associated_applications:
      description: The ARNs of the applications that it can stream.
      type: list
      elements: str
      returned: always
      sample:
        - arn:aws:gameliftstreams:eu-central-1:123456789012:application/a-9ZY8X7Wv6
    location_states:
      description: Its locations. Each also has all other members of the service's response, in snake case.
      type: list
      elements: dict
      returned: always
      contains:
        location_name:
          description: The name of the location.
          type: str
          returned: always
          sample: eu-central-1
        status:
          description: V(ACTIVATING), V(ACTIVE), V(ERROR) or V(REMOVING).
          type: str
          returned: always
          sample: ACTIVE
        always_on_capacity:
          description: How many sessions are always allocated.
          type: int
          returned: if the service returns it
          sample: 30
        target_idle_capacity:
          description: How many more sessions than are in use are kept allocated.
          type: int
          returned: if the service returns it
          sample: 0
        maximum_capacity:
          description: How many sessions can be allocated.
          type: int
          returned: if the service returns it
          sample: 60
        on_demand_capacity:
          description: How many sessions can be allocated when they are needed, in the API's older terms.
          type: int
          returned: if the service returns it
          sample: 30
        allocated_capacity:
          description: How many sessions are allocated now.
          type: int
          returned: if the service returns it
          sample: 30
        idle_capacity:
          description: How many of these are not in use.
          type: int
          returned: if the service returns it
          sample: 28
        capacity:
          description: The capacity of the location in sessions, with the keys of RV(stream_groups[].capacity).
          type: dict
          returned: always
          sample:
            always_on: 30
            maximum: 60
            allocated: 30
            in_use: 2
            available: 28
            max_available: 58
    capacity:
      description: The capacity of all locations together, in sessions.
      type: dict
      returned: always
      contains:
        always_on:
          description: How many sessions are always allocated.
          type: int
          returned: always
          sample: 30
        maximum:
          description: How many sessions can be allocated.
          type: int
          returned: always
          sample: 60
        allocated:
          description: How many sessions are allocated now, in use or available. They are billed.
          type: int
          returned: always
          sample: 30
        in_use:
          description: How many sessions are in use.
          type: int
          returned: always
          sample: 2
        available:
          description: How many more sessions can be started now without delay, in locations that are V(ACTIVE).
          type: int
          returned: always
          sample: 28
        max_available:
          description:
            - How many more sessions can be started without scaling, in locations that are V(ACTIVE). Those beyond
              RV(stream_groups[].capacity.available) take a few minutes.
          type: int
          returned: always
          sample: 58
    problem:
      description: A message on the status and the errors of locations and what to do. V(null) if there is none.
      type: str
      returned: always
      sample: null
    created_at:
      description: When the stream group was created, in UTC.
      type: str
      returned: always
      sample: "2026-11-20T08:00:00Z"
    last_updated_at:
      description: When the stream group was last updated, in UTC.
      type: str
      returned: always
      sample: "2026-11-21T08:00:00Z"
    expires_at:
      description: When the stream group expires, in UTC. After that, it no longer streams.
      type: str
      returned: always
      sample: "2027-11-20T08:00:00Z"
missing:
  description: The O(stream_groups) that do not exist. If there is any, the task fails.
  returned: always
  type: list
  elements: str
  sample: []
"""

from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption, NotReady, list_names, quote
from ansible_collections.labstream.aws.plugins.module_utils._gamelift import stream_groups as gamelift_groups
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.api import (
    build_gamelift_client,
    missing_stream_group,
)
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.validation import validate_identifier
from ansible_collections.labstream.aws.plugins.module_utils._module import LabstreamAWSModule
from ansible_collections.labstream.aws.plugins.module_utils._validation import validate_concurrency

EMPTY_RESULT: dict[str, Any] = dict(changed=False, stream_groups=[], missing=[])


def run(module: LabstreamAWSModule) -> None:
    """Validate the arguments before the first call, then describe the stream groups."""
    identifiers, concurrency = module.params["stream_groups"], module.params["concurrency"]
    validate_concurrency(concurrency)
    if identifiers == []:
        raise InvalidOption("stream_groups is empty: name at least one stream group, or leave it out for all.")
    for identifier in identifiers or []:
        validate_identifier("An entry of stream_groups", identifier)
    client = build_gamelift_client(module, concurrency)

    found: list[dict[str, Any] | None] = []
    if identifiers is None:
        found += gamelift_groups.find_all_stream_groups(client, concurrency)
    else:
        found += gamelift_groups.find_stream_groups(client, identifiers, concurrency)
    missing = [name for name, group in zip(identifiers or [], found, strict=False) if group is None]
    facts = [gamelift_groups.build_facts(group) for group in found if group is not None]
    module.result.update(stream_groups=facts, missing=missing)
    if len(missing) == 1:
        raise missing_stream_group(client, missing[0])
    if missing:
        raise NotReady(
            f"{len(missing)} of {len(identifiers)} stream groups do not exist in region {client.meta.region_name} "
            f"({list_names(missing, show=quote)}): check their ids and region, and that the credentials belong to the "
            "right account."
        )


def main() -> None:
    """Run the module."""
    LabstreamAWSModule(
        empty_result=EMPTY_RESULT,
        argument_spec=dict(
            stream_groups=dict(type="list", elements="str"),
            concurrency=dict(type="int", default=16),
        ),
    ).run(run)


if __name__ == "__main__":
    main()
