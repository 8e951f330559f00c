#!/usr/bin/python
# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: appstream_fleet
version_added: 0.1.0
short_description: Start, stop and scale a fleet of AppStream 2.0 (WorkSpaces Applications)
description:
  - Starts or stops a fleet that exists, and waits until it has done so.
  - Before it starts a fleet, or while the fleet runs, it can set the capacity. Without O(desired_instances),
    O(desired_sessions) and O(max_concurrent_sessions), the capacity is left alone.
  - A start that goes wrong is noticed at the next look, at most 15 seconds later. This is a fleet that tells errors
    while it is V(STARTING), or that falls back to V(STOPPED). The task then fails and says what helps.
author:
  - labstream.aws contributors (@labstream)
options:
  name:
    description:
      - The fleet.
    type: str
    required: true
  state:
    description:
      - V(started) makes the fleet V(RUNNING). A fleet that is V(STOPPING) is waited for and then started.
      - V(stopped) makes it V(STOPPED). This ends all sessions on it, of whatever stack.
    type: str
    choices: [started, stopped]
    default: started
  desired_instances:
    description:
      - How many instances the fleet is to have, for an Always-On or On-Demand fleet with one session on each instance.
        So it is the number of seats.
      - More instances come over ten minutes or more, and instances in use stay until their sessions end.
      - A scaling policy of the fleet may change the number again.
      - Only with O(state=started).
    type: int
  desired_sessions:
    description:
      - How many sessions a multi-session fleet is to have room for. The service rounds it up to whole instances.
      - Otherwise as O(desired_instances).
    type: int
  max_concurrent_sessions:
    description:
      - How many sessions an Elastic fleet allows at the same time. Nothing needs to be provisioned for them.
      - Only with O(state=started).
    type: int
  wait:
    description:
      - Whether to wait until the fleet is V(RUNNING) or V(STOPPED).
      - A fleet that is V(RUNNING) has not yet got all its instances. M(labstream.aws.appstream_fleet_info) tells when
        there are enough.
      - With V(false) and O(state=started), a fleet that is V(STOPPING) is a failure. So is one that is V(STARTING) and
        must be scaled, since the service takes that from no such fleet.
    type: bool
    default: true
  wait_timeout:
    description:
      - For how many seconds to wait, at most, from 1 to 86400.
    type: int
    default: 1800
attributes:
  check_mode:
    support: full
    details:
      - The fleet is looked at once. The result tells it as it would be if all went well, with O(wait) in the state that
        it would come to. Instances that are still to come are not counted as there.
  diff_mode:
    support: full
    details:
      - Shows the state, and how many seats are desired.
  idempotent:
    support: full
notes:
  - Of two tasks that start the same fleet at the same time, both may report a change, since the service does not tell
    which of them it was.
seealso:
  - module: labstream.aws.appstream_fleet_info
  - module: labstream.aws.appstream_streaming_url
  - name: StartFleet
    description: The API operation that starts a fleet.
    link: https://docs.aws.amazon.com/appstream2/latest/APIReference/API_StartFleet.html
  - name: UpdateFleet
    description: The API operation that scales a fleet, and what may be changed in which state.
    link: https://docs.aws.amazon.com/appstream2/latest/APIReference/API_UpdateFleet.html
extends_documentation_fragment:
  - labstream.aws.attributes
  - labstream.aws.attributes.action_group
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
# Note: These examples set neither authentication details nor the region, see the AWS Guide for details.

- name: Start the fleet with a seat for each of thirty learners
  labstream.aws.appstream_fleet:
    name: cad-fleet
    desired_instances: 30

- name: Stop the fleet after class, which ends all sessions on it
  labstream.aws.appstream_fleet:
    name: cad-fleet
    state: stopped

# Thirty seats in view: start without waiting, then say so at every look.
- name: Have the fleet started
  labstream.aws.appstream_fleet:
    name: cad-fleet
    desired_instances: 30
    wait: false

- name: Wait for thirty seats
  labstream.aws.appstream_fleet_info:
    names:
      - cad-fleet
  register: look
  until: >-
    look.fleets[0].state == 'STOPPED'
    or look.fleets[0].problem is not none
    or look.fleets[0].capacity.running >= 30
  failed_when: look.fleets[0].capacity.running < 30
  retries: 120
  delay: 15

- name: Have the fleet allow forty sessions, which needs no instances
  labstream.aws.appstream_fleet:
    name: elastic-fleet
    max_concurrent_sessions: 40
"""

RETURN = r"""
fleet:
  description:
    - The fleet at the last look, with the keys that RV(labstream.aws.appstream_fleet_info#module:fleets) has.
    - If the task failed before it was looked at, its name, V(null) and no errors.
  returned: always
  type: dict
  contains:
    name:
      description: The fleet.
      type: str
      returned: always
      sample: cad-fleet
    arn:
      description: Its ARN.
      type: str
      returned: always
      sample: arn:aws:appstream:eu-central-1:123456789012:fleet/cad-fleet
    state:
      description: Its state.
      type: str
      returned: always
      sample: RUNNING
    fleet_type:
      description: V(ALWAYS_ON), V(ON_DEMAND) or V(ELASTIC).
      type: str
      returned: always
      sample: ON_DEMAND
    capacity:
      description: Its capacity in seats.
      type: dict
      returned: always
      sample:
        desired: 30
        running: 12
        in_use: 0
        available: 12
        max_available: 30
    fleet_errors:
      description: The errors that it tells.
      type: list
      elements: dict
      returned: always
      sample: []
    problem:
      description: One sentence on these errors and what helps. V(null) if there are none.
      type: str
      returned: always
      sample: null
"""

import time
from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils._appstream import api as appstream
from ansible_collections.labstream.aws.plugins.module_utils._appstream import fleets as appstream_fleets
from ansible_collections.labstream.aws.plugins.module_utils._appstream.fleet_states import (
    ARGUMENT_SPEC,
    CAPACITY_OPTIONS,
    RUNNING,
    Transition,
    build_fleet_diff,
)
from ansible_collections.labstream.aws.plugins.module_utils._client import build_client
from ansible_collections.labstream.aws.plugins.module_utils._errors import NotReady
from ansible_collections.labstream.aws.plugins.module_utils._module import LabstreamAWSModule

EMPTY_RESULT: dict[str, Any] = dict(
    changed=False,
    fleet=appstream_fleets.empty_facts(None),
    insufficient_capacity=None,
)


def run(module: LabstreamAWSModule) -> None:
    """Validate the arguments before the first call, then bring the fleet to its state."""
    params, result = module.params, module.result
    name, wait_timeout = params["name"], params["wait_timeout"] if params["wait"] else None
    result.update(fleet=appstream_fleets.empty_facts(name))
    waits = params["wait"] and not module.check_mode
    transition = Transition.from_options(params, provisioned=waits)
    client = build_client(module, appstream.SERVICE, 1)
    fleet = (appstream_fleets.PredictedFleet if module.check_mode else appstream_fleets.Fleet)(client, name)
    began = time.monotonic()
    first: dict[str, Any] = {}
    described: dict[str, Any] = {}
    try:
        for described in appstream_fleets.ensure_state(fleet, transition, wait_timeout):
            first = first or described
            result.update(fleet=appstream_fleets.build_facts(described))
            if module._diff:
                result.update(diff=dict(before=build_fleet_diff(first), after=build_fleet_diff(described)))
    finally:
        result.update(changed=transition.changed)
        warning = transition.scaling.warning(first) if transition.scaling and first else None
        if warning:
            module.warn(warning)
    shortage = transition.describe_shortage(described, int(time.monotonic() - began) if waits else None)
    result.update(insufficient_capacity=shortage)
    if shortage and params["on_insufficient_capacity"] == "fail":
        raise NotReady(shortage)
    if shortage and params["on_insufficient_capacity"] == "warn":
        module.warn(shortage)
    elif result["fleet"]["problem"] and transition.goal == RUNNING:
        module.warn(result["fleet"]["problem"])


def main() -> None:
    """Run the module."""
    module = LabstreamAWSModule(
        empty_result=EMPTY_RESULT,
        argument_spec=ARGUMENT_SPEC,
        mutually_exclusive=[CAPACITY_OPTIONS],
        supports_check_mode=True,
    )
    module.run(run)


if __name__ == "__main__":
    main()
