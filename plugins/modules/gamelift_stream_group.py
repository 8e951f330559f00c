#!/usr/bin/python
# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gamelift_stream_group
version_added: 1.0.0
short_description: Set the capacity of a stream group of Amazon GameLift Streams
description:
  - Sets the capacity of locations of an existing stream group, and waits until the stream group is V(ACTIVE) and its
    always-on capacity is allocated.
  - Locations that are not in O(locations) are not changed, and neither are capacities that are not given.
  - Capacity that is allocated is billed, whether it is used or idle.
  - With O(lab), what the capacity was before is stored. O(state=restored) restores it when the last lab ends that needs
    it. The role P(labstream.aws.gamelift_lab#role) does both.
  - While it waits, the task prints a line for each poll to stderr. It prints nothing with C(no_log) or C(async).
author:
  - labstream.aws contributors (@labstream)
options:
  stream_group:
    description:
      - The id or the ARN of the stream group.
    type: str
    required: true
  state:
    description:
      - V(present) sets the capacity of O(locations).
      - V(restored) restores the capacity that O(lab) has raised, to what it was before. Use it when the lab has ended.
      - Capacity that somebody else has changed since is kept, with a warning. If another lab is under way on the stream
        group, the capacity is kept too, and that lab restores it when it has ended. RV(kept) has the reasons.
      - V(restored) waits until the stream group can be scaled, and not until the capacity is released.
    type: str
    choices: [present, restored]
    default: present
  lab:
    description:
      - The name of the lab that the capacity is for, as M(labstream.aws.gamelift_stream_url) has it.
      - Another lab is under way if its stream URLs are issued, or if it has raised the capacity within the last hour,
        until it is ended or its time is over. A lab that starts later is not.
      - Required if O(state=restored).
    type: str
  locations:
    description:
      - The locations to scale. The stream group must have them already.
      - Without it, nothing is changed, and the task only waits until the stream group is V(ACTIVE).
      - Only with O(state=present).
    type: list
    elements: dict
    suboptions:
      location_name:
        description:
          - The name of the location.
        type: str
        required: true
      always_on_capacity:
        description:
          - How many sessions are always allocated. A session that they have room for starts at once.
          - Where several sessions share an instance of the stream class, all capacities must be multiples of their
            number.
        type: int
      available_sessions:
        description:
          - How many more sessions must be available. For a lab, this is the number of learners who have no session yet.
          - If the location has fewer, the always-on capacity is raised to what is in use plus these, rounded up to a
            multiple of the sessions that share an instance. It is never lowered.
          - Mutually exclusive with O(locations[].always_on_capacity).
        type: int
      target_idle_capacity:
        description:
          - How many more sessions than are in use are kept allocated, up to O(locations[].maximum_capacity).
        type: int
      maximum_capacity:
        description:
          - How many sessions can be allocated. A session beyond what is allocated takes a few minutes to start.
          - By default, it is not changed, but raised to the other capacities if these are greater.
          - A learner who opens a stream URL again starts another session. So for a lab, count as many sessions for each
            learner as the URL has uses, or expect that some of them find no capacity.
        type: int
  on_insufficient_capacity:
    description:
      - What to do if the stream group is V(ACTIVE), but the always-on capacity of O(locations) is not allocated within
        O(wait_timeout).
      - V(fail) fails the task, V(warn) warns, and V(ignore) does neither. RV(insufficient_capacity) is returned in
        any case.
      - The task always fails if the stream group does not become V(ACTIVE).
    type: str
    choices: [fail, warn, ignore]
    default: fail
  wait:
    description:
      - Whether to wait until the stream group is V(ACTIVE) and the always-on capacity of O(locations) is allocated.
      - With V(false), the task fails if a stream group that is not V(ACTIVE) must be scaled, since the service does
        not accept that.
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
      - The stream group is described once, and the result is predicted. With O(wait), it is V(ACTIVE). No capacity is
        counted as allocated that is not.
  diff_mode:
    support: full
    details:
      - Shows the status, and the capacities of all locations.
  idempotent:
    support: full
notes:
  - On-demand capacity, which O(locations[].maximum_capacity) has replaced, is returned and never set. The service does
    not accept it together with the other capacities.
  - The VPC of a location is kept.
  - A stream group that is V(ACTIVE_WITH_ERRORS) cannot be scaled until the location in error is removed.
seealso:
  - module: labstream.aws.gamelift_stream_group_info
  - module: labstream.aws.gamelift_stream_url
  - name: UpdateStreamGroup
    description: The API operation that scales a stream group.
    link: https://docs.aws.amazon.com/gameliftstreams/latest/apireference/API_UpdateStreamGroup.html
extends_documentation_fragment:
  - labstream.aws.lease.store
  - labstream.aws.attributes
  - labstream.aws.attributes.lease_group
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - labstream.aws.requirements.gamelift
"""

EXAMPLES = r"""
# Note: These examples set neither authentication details nor the region, see the AWS Guide for details.

- name: Ensure that thirty sessions start at once, and that there is room for a second one of each learner
  labstream.aws.gamelift_stream_group:
    stream_group: sg-1AB2C3De4
    locations:
      - location_name: eu-central-1
        always_on_capacity: 30
        maximum_capacity: 60

- name: Release what is not in use after the lab
  labstream.aws.gamelift_stream_group:
    stream_group: sg-1AB2C3De4
    locations:
      - location_name: eu-central-1
        always_on_capacity: 0
        target_idle_capacity: 0
    wait: false

- name: Ensure that the thirty learners of a lab can start a session
  labstream.aws.gamelift_stream_group:
    stream_group: sg-1AB2C3De4
    lab: engine-2026-11-21
    locations:
      - location_name: eu-central-1
        available_sessions: 30

- name: Restore what the capacity was before, after the lab
  labstream.aws.gamelift_stream_group:
    stream_group: sg-1AB2C3De4
    lab: engine-2026-11-21
    state: restored

- name: Scale two locations, and start the lab with what is allocated within ten minutes
  labstream.aws.gamelift_stream_group:
    stream_group: sg-1AB2C3De4
    locations:
      - location_name: eu-central-1
        always_on_capacity: 20
      - location_name: eu-west-1
        always_on_capacity: 10
    wait_timeout: 600
    on_insufficient_capacity: warn

- name: Wait until a new stream group is active
  labstream.aws.gamelift_stream_group:
    stream_group: sg-1AB2C3De4
"""

RETURN = r"""
stream_group:
  description:
    - The stream group at the last poll, with the keys of
      RV(labstream.aws.gamelift_stream_group_info#module:stream_groups).
    - If the task failed before the stream group was described, the id or ARN that was given as RV(stream_group.id), and
      V(null).
  returned: always
  type: dict
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
    status:
      description: The status of the stream group.
      type: str
      returned: always
      sample: ACTIVE
    location_states:
      description: Its locations with their capacity.
      type: list
      elements: dict
      returned: always
      sample:
        - location_name: eu-central-1
          status: ACTIVE
          always_on_capacity: 30
          on_demand_capacity: 30
          target_idle_capacity: 0
          maximum_capacity: 60
          requested_capacity: 30
          allocated_capacity: 30
          idle_capacity: 30
          capacity:
            always_on: 30
            maximum: 60
            allocated: 30
            in_use: 0
            available: 30
            max_available: 60
    capacity:
      description: The capacity of all locations together, in sessions.
      type: dict
      returned: always
      sample:
        always_on: 30
        maximum: 60
        allocated: 30
        in_use: 0
        available: 30
        max_available: 60
    problem:
      description: A message on the status and the errors of locations and what to do. V(null) if there is none.
      type: str
      returned: always
      sample: null
insufficient_capacity:
  description:
    - A message about the always-on capacity that is not allocated. V(null) if all is.
  returned: always
  type: str
  sample: null
restored:
  description: The locations whose capacity O(state=restored) has restored, or would in check mode, and to what.
  returned: always
  type: list
  elements: dict
  sample:
    - location_name: eu-central-1
      always_on_capacity: 0
      maximum_capacity: 60
kept:
  description: A message about each location whose capacity O(lab) has raised and O(state=restored) has not restored.
  returned: always
  type: list
  elements: str
  sample: []
"""

import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils._argspec import store_argument_spec, validate_lab
from ansible_collections.labstream.aws.plugins.module_utils._client import ServiceClock
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption
from ansible_collections.labstream.aws.plugins.module_utils._gamelift import stream_groups
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.api import (
    build_gamelift_client,
    get_stream_group,
)
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.group_states import (
    ARGUMENT_SPEC,
    GroupTransition,
    build_group_diff,
    describe_problem,
)
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.lab_capacity import (
    LabStreamGroup,
    RestoredCapacities,
)
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.urls import build_scope
from ansible_collections.labstream.aws.plugins.module_utils._labs.capacity import LabCapacity
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.address import NONE
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.factory import open_lease_store
from ansible_collections.labstream.aws.plugins.module_utils._module import LabstreamAWSModule
from ansible_collections.labstream.aws.plugins.module_utils._waiting import ensure_state, find_warning

EMPTY_RESULT: dict[str, Any] = dict(
    changed=False,
    stream_group=stream_groups.empty_facts(None),
    insufficient_capacity=None,
    restored=[],
    kept=[],
)


def validate_arguments(params: Mapping[str, Any]) -> None:
    """Reject what the argument spec cannot.

    Raises:
        InvalidOption: Names the value.
    """
    validate_lab(params["lab"])
    if params["lab"] is not None and params["lease_store"] == NONE:
        raise InvalidOption(
            "lease_store is none, but what a lab has raised is stored: name a lease store, or leave lab out."
        )
    if params["state"] == "restored" and params["locations"] is not None:
        raise InvalidOption("locations is for state=present: what a lab has raised is stored. Leave it out.")


@contextmanager
def open_lab(module: LabstreamAWSModule, client: Any, *, create: bool) -> Iterator[LabCapacity]:
    """Open what the lab has raised."""
    clock = ServiceClock(client)
    with open_lease_store(module, create=create, service_now=clock.confirmed_now) as store:
        yield LabCapacity(store, module.params["lab"], clock.now, module.check_mode)


def bring(
    module: LabstreamAWSModule,
    stream_group: stream_groups.StreamGroup | LabStreamGroup,
    transition: GroupTransition,
) -> Generator[dict[str, Any], None, dict[str, Any]]:
    """Bring the stream group to its capacity; yield what is known of it at each poll, and return its description."""
    first: dict[str, Any] = {}
    described: dict[str, Any] = {}
    params = module.params
    wait_timeout = params["wait_timeout"] if params["wait"] or params["state"] == "restored" else None
    for described in ensure_state(stream_group, transition, wait_timeout):
        first = first or described
        diff = dict(before=build_group_diff(first), after=build_group_diff(described))
        yield dict(stream_group=stream_groups.build_facts(described), **({"diff": diff} if module._diff else {}))
    return described


def build_stream_group(
    module: LabstreamAWSModule, client: Any, transition: GroupTransition
) -> stream_groups.StreamGroup:
    """Return the stream group, in check mode the predicted one."""
    group_class = stream_groups.PredictedStreamGroup if module.check_mode else stream_groups.StreamGroup
    return group_class(client, module.params["stream_group"], transition)


def scale(module: LabstreamAWSModule, client: Any, transition: GroupTransition) -> Iterator[dict[str, Any]]:
    """Set the capacity of the stream group, and yield the parts of the result as they become known.

    Raises:
        NotReady: The capacity is not allocated, and that is to be an error.
    """
    stream_group = build_stream_group(module, client, transition)
    began = time.monotonic()
    if module.params["lab"] is None:
        described = yield from bring(module, stream_group, transition)
    else:
        with open_lab(module, client, create=True) as lab:
            lab.store.check()
            lab_stream_group = LabStreamGroup(stream_group, lab)
            described = yield from bring(module, lab_stream_group, transition)
            lab_stream_group.join()
    shortage = transition.describe_shortage(described, int(time.monotonic() - began) if transition.allocated else None)
    yield dict(insufficient_capacity=shortage)
    how = module.params["on_insufficient_capacity"]
    module.warn_all(find_warning(transition, shortage, describe_problem(described), how))


def restore(module: LabstreamAWSModule, client: Any, transition: GroupTransition) -> Iterator[dict[str, Any]]:
    """Restore the capacity that the lab has raised, unless it is needed or somebody has changed it since.

    Yields:
        The parts of the result as they become known.
    """
    described = get_stream_group(client, module.params["stream_group"])
    if described is None:
        # With it, its capacity is gone.
        return
    yield dict(stream_group=stream_groups.build_facts(described))
    with open_lab(module, client, create=False) as lab:
        scope = build_scope(client, described["Arn"]).to_text()
        if not lab.find_locations(scope):
            return
        lab.store.check()
        restored = RestoredCapacities.plan(described, scope, lab)
        yield dict(kept=restored.kept)
        if restored.capacities:
            transition.capacities = restored.capacities
            for known in bring(module, build_stream_group(module, client, transition), transition):
                yield known
                if transition.changed:
                    # Nobody needs to wait until the capacity is gone.
                    break
            yield dict(restored=[stream_groups.describe_capacity(each) for each in restored.capacities])
        restored.forget()
    module.warn_all(*restored.warnings)


def run(module: LabstreamAWSModule) -> None:
    """Validate the arguments before the first call, then set or restore the capacity of the stream group."""
    params, result = module.params, module.result
    result.update(stream_group=stream_groups.empty_facts(params["stream_group"]))
    validate_arguments(params)
    restores = params["state"] == "restored"
    transition = GroupTransition.from_options(params, allocated=params["wait"] and not (restores or module.check_mode))
    client = build_gamelift_client(module, 1)
    try:
        for known in (restore if restores else scale)(module, client, transition):
            result.update(known)
    finally:
        result.update(changed=transition.changed)


def main() -> None:
    """Run the module."""
    LabstreamAWSModule(
        empty_result=EMPTY_RESULT,
        argument_spec={**ARGUMENT_SPEC, **store_argument_spec()},
        required_if=[("state", "restored", ("lab",))],
    ).run(run)


if __name__ == "__main__":
    main()
