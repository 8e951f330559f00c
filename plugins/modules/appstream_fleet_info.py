#!/usr/bin/python
# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: appstream_fleet_info
version_added: 0.1.0
short_description: Gather information about AppStream 2.0 fleets
description:
  - Returns the states of fleets, their errors and their capacity.
  - The capacity is in sessions, whatever the type of the fleet.
author:
  - labstream.aws contributors (@labstream)
options:
  names:
    description:
      - The names of the fleets. If one does not exist, the task fails and names it.
      - By default, all fleets of the account in the region.
    type: list
    elements: str
seealso:
  - module: labstream.aws.appstream_fleet
  - name: DescribeFleets
    description: The API operation that describes fleets.
    link: https://docs.aws.amazon.com/appstream2/latest/APIReference/API_DescribeFleets.html
extends_documentation_fragment:
  - labstream.aws.attributes
  - labstream.aws.attributes.info_module
  - labstream.aws.attributes.action_group
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - labstream.aws.requirements
"""

EXAMPLES = r"""
# Note: These examples set neither authentication details nor the region, see the AWS Guide for details.

- name: Gather information about one fleet
  labstream.aws.appstream_fleet_info:
    names:
      - cad-fleet
  register: cad

- name: Fail if the fleet is too small for thirty learners
  ansible.builtin.assert:
    that: cad.fleets[0].capacity.max_available >= 30
    fail_msg: "{{ cad.fleets[0].capacity.max_available }} sessions for 30 learners."

- name: Gather information about all fleets
  labstream.aws.appstream_fleet_info:
  register: all_fleets

- name: Show which of them cost money now
  ansible.builtin.debug:
    msg: "{{ all_fleets.fleets | rejectattr('state', 'eq', 'STOPPED') | map(attribute='name') }}"
"""

RETURN = r"""
fleets:
  description:
    - The fleets, those of O(names) in its order. Each also has all other members of the service's response, in snake
      case.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The name of the fleet.
      type: str
      returned: always
      sample: cad-fleet
    arn:
      description: The ARN of the fleet.
      type: str
      returned: always
      sample: arn:aws:appstream:eu-central-1:123456789012:fleet/cad-fleet
    state:
      description: V(STARTING), V(RUNNING), V(STOPPING) or V(STOPPED).
      type: str
      returned: always
      sample: RUNNING
    fleet_type:
      description: V(ALWAYS_ON), V(ON_DEMAND) or V(ELASTIC).
      type: str
      returned: always
      sample: ON_DEMAND
    instance_type:
      description: The type of its instances.
      type: str
      returned: always
      sample: stream.standard.medium
    capacity:
      description: The capacity of the fleet in sessions.
      type: dict
      returned: always
      contains:
        desired:
          description:
            - How many sessions the fleet is set to have once it runs. An Elastic fleet allows that many.
          type: int
          returned: always
          sample: 30
        running:
          description:
            - How many sessions the fleet has now, in use or available. An Always-On fleet may also count those of
              instances that run but are not available yet.
          type: int
          returned: always
          sample: 14
        in_use:
          description: How many sessions are in use.
          type: int
          returned: always
          sample: 2
        available:
          description:
            - How many more sessions can be started now. On an On-Demand fleet this takes a minute or two, since its
              available instances are stopped.
          type: int
          returned: always
          sample: 12
        max_available:
          description:
            - How many more sessions can be started without scaling, once the fleet is V(RUNNING) and has provisioned
              all its instances.
          type: int
          returned: always
          sample: 28
    max_concurrent_sessions:
      description: How many sessions an Elastic fleet allows. V(null) for others.
      type: int
      returned: always
      sample: null
    max_sessions_per_instance:
      description: How many sessions share an instance of a multi-session fleet. V(null) for others.
      type: int
      returned: always
      sample: null
    max_user_duration_in_seconds:
      description: How long a session may last.
      type: int
      returned: always
      sample: 57600
    disconnect_timeout_in_seconds:
      description: How long a session is kept for a user who was disconnected.
      type: int
      returned: always
      sample: 900
    idle_disconnect_timeout_in_seconds:
      description: How long a user may be idle before being disconnected. V(0) means that there is no limit.
      type: int
      returned: always
      sample: 0
    fleet_errors:
      description: The errors that the fleet reports.
      type: list
      elements: dict
      returned: always
      contains:
        error_code:
          description: The service's error code.
          type: str
          returned: always
          sample: SUBNET_HAS_INSUFFICIENT_IP_ADDRESSES
        error_message:
          description: The service's message.
          type: str
          returned: if the service returns it
          sample: The subnet has no free addresses.
    problem:
      description: A message on these errors and what to do about them. V(null) if there are none.
      type: str
      returned: always
      sample: null
    created_time:
      description: When the fleet was created, in UTC.
      type: str
      returned: always
      sample: "2026-11-20T08:00:00Z"
missing:
  description: The O(names) that do not exist. If there is any, the task fails.
  returned: always
  type: list
  elements: str
  sample: []
"""

from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils._appstream import api as appstream
from ansible_collections.labstream.aws.plugins.module_utils._appstream import fleets as appstream_fleets
from ansible_collections.labstream.aws.plugins.module_utils._appstream import validation
from ansible_collections.labstream.aws.plugins.module_utils._client import build_client
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption, NotReady, list_names, quote
from ansible_collections.labstream.aws.plugins.module_utils._module import LabstreamAWSModule

EMPTY_RESULT: dict[str, Any] = dict(changed=False, fleets=[], missing=[])


def run(module: LabstreamAWSModule) -> None:
    """Validate the arguments before the first call, then describe the fleets."""
    names = module.params["names"]
    if names == []:
        raise InvalidOption("names is empty: name at least one fleet, or leave it out for all.")
    for name in names or []:
        validation.validate_name("An entry of names", name)
    client = build_client(module, appstream.SERVICE, 1)

    found = appstream_fleets.find_fleets(client, names) if names else appstream_fleets.describe_fleets(client) or []
    missing = [name for name, fleet in zip(names or [], found, strict=False) if fleet is None]
    fleets = [appstream_fleets.build_facts(fleet) for fleet in found if fleet is not None]
    module.result.update(fleets=fleets, missing=missing)
    if len(missing) == 1:
        raise appstream_fleets.missing_fleet(client, missing[0])
    if missing:
        raise NotReady(
            f"{len(missing)} of {len(names)} fleets do not exist in region {client.meta.region_name} "
            f"({list_names(missing, show=quote)}): check their names and region, and that the credentials belong "
            "to the right account."
        )


def main() -> None:
    """Run the module."""
    LabstreamAWSModule(
        empty_result=EMPTY_RESULT,
        argument_spec=dict(names=dict(type="list", elements="str")),
    ).run(run)


if __name__ == "__main__":
    main()
