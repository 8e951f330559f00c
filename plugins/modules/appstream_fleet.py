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
  - Starts or stops an existing fleet, and waits until it has done so.
  - Before it starts a fleet, or while the fleet runs, it can set the capacity. Without O(available_sessions),
    O(desired_instances), O(desired_sessions) and O(max_concurrent_sessions), the capacity is not changed.
  - "A failed start is detected by the next poll, at most 15 seconds later: the fleet reports errors while it is
    V(STARTING), or falls back to V(STOPPED). The task then fails and says what to do."
  - While it waits, the task prints a line for each poll to stderr. It prints nothing with C(no_log) or C(async).
author:
  - labstream.aws contributors (@labstream)
options:
  name:
    description:
      - The name of the fleet.
    type: str
    required: true
  state:
    description:
      - V(started) makes the fleet V(RUNNING). A fleet that is V(STOPPING) is waited for and then started.
      - V(stopped) makes it V(STOPPED). This ends all sessions on it, of any stack.
    type: str
    choices: [started, stopped]
    default: started
  available_sessions:
    description:
      - How many more sessions must be available, whatever the type of the fleet. For a lab, this is the number of
        learners who have no session yet.
      - If the fleet is set to have fewer, it is scaled up. It is never scaled down.
      - With O(wait), the task waits until the sessions are available. They are the C(available) of
        RV(fleet.capacity).
      - Only with O(state=started).
      - Mutually exclusive with O(desired_instances), O(desired_sessions) and O(max_concurrent_sessions).
    type: int
  on_insufficient_capacity:
    description:
      - What to do if the fleet is V(RUNNING), but the O(available_sessions) are not there within O(wait_timeout), or
        new errors of the fleet show that they will not come.
      - V(fail) fails the task, V(warn) warns. RV(insufficient_capacity) is returned in any case.
      - Has no effect without O(available_sessions). A fleet that does not become V(RUNNING) is always a failure.
    type: str
    choices: [fail, warn, ignore]
    default: fail
  desired_instances:
    description:
      - How many instances the fleet is set to have, for an Always-On or On-Demand fleet with one session on each
        instance.
      - New instances take ten minutes or more, and instances in use stay until their sessions end.
      - A scaling policy of the fleet may change the number again.
      - Only with O(state=started).
    type: int
  desired_sessions:
    description:
      - How many sessions a multi-session fleet is set to have. The service rounds them up to whole instances.
      - Otherwise like O(desired_instances).
    type: int
  max_concurrent_sessions:
    description:
      - How many sessions an Elastic fleet allows at the same time. No instances are provisioned for them.
      - Only with O(state=started).
    type: int
  wait:
    description:
      - Whether to wait until the fleet is V(RUNNING) or V(STOPPED), and until the O(available_sessions) are available.
      - A fleet that is V(RUNNING) does not have all its instances yet.
      - With V(false) and O(state=started), the task fails if the fleet is V(STOPPING), or if it is V(STARTING) and
        must be scaled, since the service does not accept that.
    type: bool
    default: true
  wait_timeout:
    description:
      - How many seconds to wait at most, from 1 to 86400.
    type: int
    default: 1800
attributes:
  action:
    description: The module has a corresponding action plugin, which runs on the controller.
    support: full
  async:
    description: Supports being run with the C(async) keyword.
    support: full
    details:
      - The module then waits by itself, and prints no progress.
  check_mode:
    support: full
    details:
      - The fleet is described once, and the result is predicted. With O(wait), it has the state that the fleet would
        come to. New instances are not counted as available.
  diff_mode:
    support: full
    details:
      - Shows the state, and the desired sessions.
  idempotent:
    support: full
notes:
  - If two tasks start the same fleet at the same time, both may report a change, since the service does not say which
    of them started it.
seealso:
  - module: labstream.aws.appstream_fleet_info
  - module: labstream.aws.appstream_streaming_url
  - name: StartFleet
    description: The API operation that starts a fleet.
    link: https://docs.aws.amazon.com/appstream2/latest/APIReference/API_StartFleet.html
  - name: UpdateFleet
    description: The API operation that scales a fleet, and what can be changed in which state.
    link: https://docs.aws.amazon.com/appstream2/latest/APIReference/API_UpdateFleet.html
extends_documentation_fragment:
  - labstream.aws.attributes
  - labstream.aws.attributes.action_group
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - labstream.aws.requirements
"""

EXAMPLES = r"""
# Note: These examples set neither authentication details nor the region, see the AWS Guide for details.

- name: Ensure that thirty learners can start a session
  labstream.aws.appstream_fleet:
    name: cad-fleet
    available_sessions: 30

- name: Stop the fleet after the lab, which ends all sessions on it
  labstream.aws.appstream_fleet:
    name: cad-fleet
    state: stopped

- name: Set the fleet to thirty instances, and start it without waiting
  labstream.aws.appstream_fleet:
    name: cad-fleet
    desired_instances: 30
    wait: false

- name: Allow forty sessions on an Elastic fleet, which needs no instances
  labstream.aws.appstream_fleet:
    name: elastic-fleet
    max_concurrent_sessions: 40

- name: Start the lab with the sessions that come within ten minutes, and warn if some are missing
  labstream.aws.appstream_fleet:
    name: cad-fleet
    available_sessions: 30
    wait_timeout: 600
    on_insufficient_capacity: warn
"""

RETURN = r"""
fleet:
  description:
    - The fleet at the last poll, with the keys of RV(labstream.aws.appstream_fleet_info#module:fleets).
    - If the task failed before the fleet was described, its name, V(null) and no errors.
  returned: always
  type: dict
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
      description: The state of the fleet.
      type: str
      returned: always
      sample: RUNNING
    fleet_type:
      description: V(ALWAYS_ON), V(ON_DEMAND) or V(ELASTIC).
      type: str
      returned: always
      sample: ON_DEMAND
    capacity:
      description: The capacity of the fleet in sessions.
      type: dict
      returned: always
      sample:
        desired: 30
        running: 12
        in_use: 0
        available: 12
        max_available: 30
    fleet_errors:
      description: The errors that the fleet reports.
      type: list
      elements: dict
      returned: always
      sample: []
    problem:
      description: A message on these errors and what to do about them. V(null) if there are none.
      type: str
      returned: always
      sample: null
insufficient_capacity:
  description:
    - A message on the O(available_sessions) that are missing. V(null) if none are missing.
  returned: always
  type: str
  sample: null
"""

import time
from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils._appstream import api as appstream
from ansible_collections.labstream.aws.plugins.module_utils._appstream import fleets as appstream_fleets
from ansible_collections.labstream.aws.plugins.module_utils._appstream.fleet_states import (
    ARGUMENT_SPEC,
    CAPACITY_OPTIONS,
    Transition,
    build_fleet_diff,
)
from ansible_collections.labstream.aws.plugins.module_utils._client import build_client
from ansible_collections.labstream.aws.plugins.module_utils._module import LabstreamAWSModule
from ansible_collections.labstream.aws.plugins.module_utils._waiting import ensure_state, find_warning

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
    fleet_class = appstream_fleets.PredictedFleet if module.check_mode else appstream_fleets.Fleet
    fleet = fleet_class(client, name, transition)
    began = time.monotonic()
    first: dict[str, Any] = {}
    described: dict[str, Any] = {}
    try:
        for described in ensure_state(fleet, transition, wait_timeout):
            first = first or described
            result.update(fleet=appstream_fleets.build_facts(described))
            if module._diff:
                result.update(diff=dict(before=build_fleet_diff(first), after=build_fleet_diff(described)))
    finally:
        result.update(changed=transition.changed)
        module.warn_all(transition.scaling.warning(first) if transition.scaling and first else None)
    shortage = transition.describe_shortage(described, int(time.monotonic() - began) if waits else None)
    result.update(insufficient_capacity=shortage)
    how, problem = params["on_insufficient_capacity"], result["fleet"]["problem"]
    module.warn_all(find_warning(transition, shortage, problem, how))


def main() -> None:
    """Run the module."""
    LabstreamAWSModule(
        empty_result=EMPTY_RESULT,
        argument_spec=ARGUMENT_SPEC,
        mutually_exclusive=[CAPACITY_OPTIONS],
    ).run(run)


if __name__ == "__main__":
    main()
