#!/usr/bin/python
# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gamelift_stream_url_info
version_added: 1.0.0
short_description: Gather information about stream URLs of Amazon GameLift Streams
description:
  - Returns the stream URLs of a stream group with their learners, their status, the uses that are left and the sessions
    that they started.
  - The learners are looked up in the lease store. Nothing about learners is stored at AWS.
  - Stream URLs of a stream group that was deleted are returned as long as the service lists them.
author:
  - labstream.aws contributors (@labstream)
options:
  stream_group:
    description:
      - The id or the ARN of the stream group.
    type: str
    required: true
  stream_url_ids:
    description:
      - Only the stream URLs with these ids. If one does not exist, the task fails and names it.
    type: list
    elements: str
  learners:
    description:
      - Only stream URLs of these learners, by their ids, whatever the case.
      - Stream URLs that are not known to O(lease_store), such as those that were not created by this collection, are
        not found.
    type: list
    elements: str
  lab:
    description:
      - Only stream URLs of learners of this lab, as long as O(lease_store) has its records. RV(unknown) has more.
    type: str
  statuses:
    description:
      - Only stream URLs that are in one of these statuses. By default, in any.
    type: list
    elements: str
    choices: [ACTIVE, EXPIRED, REVOKED, LIMIT_REACHED]
  return_sessions:
    description:
      - Whether to return the sessions that the stream URLs started. This takes one call for each stream URL that was
        used.
    type: bool
    default: true
  return_urls:
    description:
      - Whether to return the URLs that are V(ACTIVE). A URL is a password, so set C(no_log) on the task then.
      - V(true) is rejected in a task with C(async), because Ansible keeps its result in a file with mode 0644.
    type: bool
    default: false
  concurrency:
    description:
      - How many calls to make at the same time, from 1 to 64.
    type: int
    default: 16
seealso:
  - module: labstream.aws.gamelift_stream_url
  - module: labstream.aws.gamelift_stream_group_info
  - module: labstream.aws.streaming_lease_info
  - name: GetStreamUrl
    description: The API operation that describes a stream URL.
    link: https://docs.aws.amazon.com/gameliftstreams/latest/apireference/API_GetStreamUrl.html
extends_documentation_fragment:
  - labstream.aws.lease.store
  - labstream.aws.attributes
  - labstream.aws.attributes.info_module
  - labstream.aws.attributes.lease_group
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - labstream.aws.requirements.gamelift
"""

EXAMPLES = r"""
# Note: These examples set neither authentication details nor the region, see the AWS Guide for details.

- name: Gather information about the stream URLs of a lab
  labstream.aws.gamelift_stream_url_info:
    stream_group: sg-1AB2C3De4
    lab: cad-monday
  register: lab

- name: Show the learners who cannot open their stream URL again
  ansible.builtin.debug:
    msg: "{{ lab.stream_urls | selectattr('status', 'eq', 'LIMIT_REACHED') | map(attribute='id') }}"

- name: Gather the sessions of one learner, with start and end
  labstream.aws.gamelift_stream_url_info:
    stream_group: sg-1AB2C3De4
    learners:
      - anna
  register: anna

- name: List all stream URLs that work, without their sessions
  labstream.aws.gamelift_stream_url_info:
    stream_group: sg-1AB2C3De4
    statuses: [ACTIVE]
    return_sessions: false
  register: active
"""

RETURN = r"""
stream_urls:
  description:
    - The stream URLs, those of O(stream_url_ids) in its order, others in the order in which the service lists them.
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: The id of the learner. V(null) if it is not known.
      type: str
      returned: always
      sample: anna
    labs:
      description: The labs that use or used its lease, as long as O(lease_store) has their records.
      type: list
      elements: str
      returned: always
      sample:
        - cad-monday
    active_labs:
      description: Those of RV(stream_urls[].labs) that still need its lease, since they are under way or yet to start.
      type: list
      elements: str
      returned: always
      sample:
        - cad-monday
    lease:
      description: The key of its lease, without secrets. V(null) if it is not known.
      type: str
      returned: always
      sample: lease1.WyJnYW1lbGlmdHN0cmVhbXN8Li4uIiwiYW5uYSIsIiJd
    stream_url_id:
      description: The id of the stream URL.
      type: str
      returned: always
      sample: su-1AB2C3De4
    stream_url:
      description:
        - The URL, which is a password. V(null) unless O(return_urls=true) and it is V(ACTIVE), and if the task failed.
      type: str
      returned: always
      sample: null
    status:
      description: V(ACTIVE), V(EXPIRED), V(REVOKED) or V(LIMIT_REACHED).
      type: str
      returned: always
      sample: ACTIVE
    status_reason:
      description: Why it is V(REVOKED). V(null) otherwise.
      type: str
      returned: always
      sample: null
    created_at:
      description: When it was created, in UTC.
      type: str
      returned: always
      sample: "2026-11-21T14:00:00Z"
    expires:
      description: When it expires, in UTC.
      type: str
      returned: always
      sample: "2026-11-21T18:00:00Z"
    usage_limit:
      description: How many sessions it can start in all.
      type: int
      returned: always
      sample: 5
    remaining_uses:
      description: How many more sessions it can start.
      type: int
      returned: always
      sample: 3
    sessions:
      description: How many sessions it has started.
      type: int
      returned: always
      sample: 2
    stream_sessions:
      description: The sessions that it started, as long as the service lists them. Empty without O(return_sessions).
      type: list
      elements: dict
      returned: always
      contains:
        stream_session_id:
          description: The id of the session.
          type: str
          returned: always
          sample: ABC123def4567
        status:
          description:
            - V(ACTIVATING), V(ACTIVE), V(CONNECTED), V(PENDING_CLIENT_RECONNECTION), V(RECONNECTING), V(TERMINATING),
              V(TERMINATED) or V(ERROR).
          type: str
          returned: always
          sample: TERMINATED
        status_reason:
          description: Why it is V(TERMINATED) or V(ERROR). V(null) otherwise.
          type: str
          returned: always
          sample: idleTimeout
        location:
          description: The location that it runs in.
          type: str
          returned: always
          sample: eu-central-1
        started_at:
          description: When it started, in UTC.
          type: str
          returned: always
          sample: "2026-11-21T14:02:10Z"
        ended_at:
          description: When it ended, in UTC. V(null) if it has not.
          type: str
          returned: always
          sample: "2026-11-21T15:10:42Z"
    session_length:
      description: How long a session may last, in seconds.
      type: int
      returned: always
      sample: 14400
    description:
      description: The description of the stream URL, by which it is found.
      type: str
      returned: always
      sample: labstream/cad-monday/MFRGGZDFMZTWQ2LKNNWG23TPOA
    application_arn:
      description: The ARN of the application that it opens.
      type: str
      returned: always
      sample: arn:aws:gameliftstreams:eu-central-1:123456789012:application/a-9ZY8X7Wv6
missing:
  description: The O(stream_url_ids) that do not exist. If there is any, the task fails.
  returned: always
  type: list
  elements: str
  sample: []
unknown:
  description:
    - The ids of the V(ACTIVE) stream URLs that seem to belong to O(lab), by the beginning of their descriptions, but
      that O(lease_store) does not know. If there are some and RV(stream_urls) has none, it was probably lost, or it is
      not the one that the lab was started with.
    - Empty without O(lab), and as far as O(stream_url_ids) or O(statuses) leave them out.
  returned: always
  type: list
  elements: str
  sample: []
summary:
  description: The stream URLs in numbers.
  returned: always
  type: dict
  contains:
    found:
      description: How many stream URLs were found.
      type: int
      returned: always
      sample: 30
    statuses:
      description: How many of them are in each status.
      type: dict
      returned: always
      sample:
        ACTIVE: 28
        LIMIT_REACHED: 2
    sessions:
      description: How many sessions they have started.
      type: int
      returned: always
      sample: 41
stream_group_arn:
  description: The ARN of the stream group. V(null) if the task failed before it was known.
  returned: always
  type: str
  sample: arn:aws:gameliftstreams:eu-central-1:123456789012:streamgroup/sg-1AB2C3De4
region:
  description: The region of the stream group. V(null) if the task failed before it was known.
  returned: always
  type: str
  sample: eu-central-1
scope:
  description: What the leases of the stream group are stored under. V(null) if the task failed before it was known.
  returned: always
  type: str
  sample: gameliftstreams|...
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils._argspec import (
    store_argument_spec,
    validate_has_lease_store,
    validate_lab,
    validate_return_urls,
)
from ansible_collections.labstream.aws.plugins.module_utils._client import ServiceClock
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption, NotReady, list_names, quote
from ansible_collections.labstream.aws.plugins.module_utils._gamelift import api as gamelift
from ansible_collections.labstream.aws.plugins.module_utils._gamelift import url_info
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.states import (
    ACTIVE,
    EXPIRED,
    LIMIT_REACHED,
    REVOKED,
    StreamUrl,
)
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.urls import find_scope
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.validation import get_id, validate_identifier
from ansible_collections.labstream.aws.plugins.module_utils._labs.learners import validate_learner_id
from ansible_collections.labstream.aws.plugins.module_utils._labs.person import normalise
from ansible_collections.labstream.aws.plugins.module_utils._leases.lab_records import Labs
from ansible_collections.labstream.aws.plugins.module_utils._leases.scope import Scope
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.base import LeaseStore
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.factory import open_lease_store
from ansible_collections.labstream.aws.plugins.module_utils._module import LabstreamAWSModule
from ansible_collections.labstream.aws.plugins.module_utils._validation import validate_concurrency

EMPTY_RESULT: dict[str, Any] = dict(
    changed=False,
    stream_urls=[],
    missing=[],
    unknown=[],
    summary=url_info.NO_SUMMARY,
    stream_group_arn=None,
    region=None,
    scope=None,
)


def parse_learners(learners: Collection[str] | None) -> set[str] | None:
    """Return the holders that stream URLs are asked for, None for all.

    Raises:
        InvalidOption: Names the value.
    """
    if learners is None:
        return None
    if not learners:
        raise InvalidOption("learners is empty: name at least one learner, or leave it out for all.")
    for learner in learners:
        validate_learner_id(learner)
    return {normalise(learner) for learner in learners}


def validate_arguments(params: dict[str, Any]) -> None:
    """Reject arguments that select nothing, or that the service does not take.

    Raises:
        InvalidOption: Names the value.
    """
    validate_concurrency(params["concurrency"])
    validate_return_urls(params)
    validate_lab(params["lab"])
    validate_identifier("stream_group", params["stream_group"])
    for option in ("stream_url_ids", "statuses"):
        if params[option] == []:
            raise InvalidOption(f"{option} is empty: name at least one, or leave it out for all.")
    for stream_url_id in params["stream_url_ids"] or []:
        validate_identifier("An entry of stream_url_ids", stream_url_id)
    if params["learners"] is not None or params["lab"] is not None:
        validate_has_lease_store(params["lease_store"])


def find_owners(store: LeaseStore, scope: Scope | None, now: datetime) -> url_info.Owners:
    """Return the learners that the stream URLs of the scope belong to, as far as that is stored."""
    if scope is None:
        return url_info.Owners({}, [], now)
    leases = store.find(scope.to_text())
    resource_ids = {key: lease.resource_id for key, lease in leases.items()}
    return url_info.Owners(resource_ids, Labs(store, scope.to_text()).records, now)


def is_selected(owner: url_info.Owner | None, holders: Collection[str] | None, lab: str | None) -> bool:
    """Return whether the options select the stream URLs of this owner."""
    return (holders is None or (owner is not None and owner.lease.holder in holders)) and (
        lab is None or (owner is not None and lab in owner.labs)
    )


def run(module: LabstreamAWSModule) -> None:
    """Validate the arguments before the first call, then find the stream URLs."""
    params, result = module.params, module.result
    validate_arguments(params)
    holders = parse_learners(params["learners"])
    stream_group, ids, statuses = params["stream_group"], params["stream_url_ids"], params["statuses"]
    concurrency = params["concurrency"]
    client = gamelift.build_gamelift_client(module, concurrency)
    result.update(region=client.meta.region_name)
    clock = ServiceClock(client)
    group = gamelift.get_stream_group(client, stream_group)
    with open_lease_store(module, create=False, read_only=True, service_now=clock.confirmed_now) as store:
        scope = find_scope(client, group, stream_group, store)
        owners = find_owners(store, scope, clock.now())
    result.update(stream_group_arn=scope and scope.arns[0], scope=scope and scope.to_text())

    found: list[StreamUrl] = []
    missing: list[str] = []
    if ids is None:
        found += gamelift.list_stream_urls(client, stream_group, statuses[0] if len(statuses or ()) == 1 else None)
        if group is None and not found:
            raise gamelift.missing_stream_group(client, stream_group)
    else:
        looked_up = url_info.find_stream_urls(client, stream_group, [get_id(each) for each in ids], concurrency)
        found += [each for each in looked_up if each is not None]
        missing += [stream_url_id for stream_url_id, each in zip(ids, looked_up, strict=True) if each is None]
    result.update(unknown=url_info.find_unknown(found, owners, params["lab"]))
    found = [
        each
        for each in found
        if (statuses is None or each.status in statuses) and is_selected(owners.find(each), holders, params["lab"])
    ]
    if ids is None and params["return_sessions"]:
        found = url_info.add_sessions(client, stream_group, found, concurrency)
    result.update(
        stream_urls=[
            {
                **url_info.build_facts(each, owners.find(each), params["return_urls"] and not missing),
                **({} if params["return_sessions"] else {"stream_sessions": []}),
            }
            for each in found
        ],
        missing=missing,
        summary=url_info.build_summary(found),
    )
    if missing:
        raise NotReady(
            f"{len(missing)} of {len(ids)} stream URLs do not exist in stream group {stream_group!r} "
            f"({list_names(missing, show=quote)}): check the ids and the stream group."
        )


def main() -> None:
    """Run the module."""
    LabstreamAWSModule(
        empty_result=EMPTY_RESULT,
        argument_spec=dict(
            stream_group=dict(type="str", required=True),
            stream_url_ids=dict(type="list", elements="str"),
            learners=dict(type="list", elements="str"),
            lab=dict(type="str"),
            statuses=dict(type="list", elements="str", choices=[ACTIVE, EXPIRED, REVOKED, LIMIT_REACHED]),
            return_sessions=dict(type="bool", default=True),
            return_urls=dict(type="bool", default=False),
            concurrency=dict(type="int", default=16),
            **store_argument_spec(),
        ),
    ).run(run)


if __name__ == "__main__":
    main()
