#!/usr/bin/python
# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: nimble_session_stream
version_added: 0.1.0
short_description: Create streams for Nimble Studio sessions (API closed by AWS)
description:
  - Creates streams that a browser opens, for one session or for all sessions of a lab in one task.
  - AWS has closed the API of Nimble Studio. Cloud studios ended in June 2024, and the AWS SDKs dropped their clients in
    October 2024. So this module only works with another endpoint that implements the API, given in O(endpoint_url). It
    includes the description of the service, so any current boto3 can be used.
  - For desktops on AWS, use M(labstream.aws.appstream_streaming_url). A lab moves there by giving each learner a user
    id in place of a session, and O(labstream.aws.appstream_streaming_url#module:validity) in place of
    O(expiration_in_seconds).
  - For 3-D, simulator and single-application training on AWS, use M(labstream.aws.gamelift_stream_url). What moves over
    are the learners, the lab, the lease store, and how a lease works, with a random token before each create and the
    check with the service before reuse. O(expiration_in_seconds) becomes
    O(labstream.aws.gamelift_stream_url#module:expires_after_minutes). What differs is that a stream URL has no user id,
    that nobody can reconnect to a session, since every opening starts a new one, and that there is no home folder.
  - Without O(endpoint_url), AWS's own endpoint is tried once, with a timeout of 5 seconds, before anything else.
  - The service creates a stream on every call and lists none. So this module stores each stream as a lease in
    O(lease_store), and reuses it as long as the service says that it is V(READY) and it is valid for the time asked
    for. A second run changes nothing. The lease has the stream's id and no URL.
  - Before a stream is created, a random token is stored. A run that was interrupted, or that runs beside another, uses
    the same token, and the service then returns the same stream.
author:
  - labstream.aws contributors (@labstream)
options:
  studio_id:
    description:
      - The studio of the sessions.
    type: str
    required: true
  session_id:
    description:
      - The id of a single session.
      - Mutually exclusive with O(session_ids) and O(sessions). One of them is required, unless O(state=absent) and
        O(lab) is set.
    type: str
  session_ids:
    description:
      - The ids of the sessions, as many as you like. This is much faster than a loop over the module.
      - Mutually exclusive with O(session_id) and O(sessions).
    type: list
    elements: str
  sessions:
    description:
      - The sessions, as O(session_ids), with what identifies their learners.
      - Mutually exclusive with O(session_id) and O(session_ids).
    type: list
    elements: dict
    suboptions:
      session_id:
        description:
          - The id of the session.
        type: str
        required: true
      id:
        description:
          - What identifies the learner in your roster, returned unchanged. It is not sent to the service. It is stored
            only with O(lab), for M(labstream.aws.streaming_rotation).
        type: str
      name:
        description:
          - The learner's name, returned unchanged. It is not sent to the service and not stored.
        type: str
      email:
        description:
          - The learner's e-mail address, returned unchanged. It is not sent to the service and not stored.
        type: str
  expiration_in_seconds:
    description:
      - The number of seconds that a stream is valid after it was created, from 60 to 3600.
      - A lease of a stream that was created with another value is not reused.
    type: int
    default: 3600
  client_token:
    description:
      - The token to create the stream with, 1 to 64 printable ASCII characters. By default it is random.
      - The service returns the same stream for the same token, also one that was released. So give another token once
        that stream no longer exists, or is not to be used any more.
      - A reusable lease is reused, whatever its token was.
      - Only with O(session_id), and not with O(force=true).
    type: str
  wait:
    description:
      - Whether to wait until each stream is V(READY). Only then does it have a URL.
      - With V(false), a new stream is returned as it is, which is usually V(CREATE_IN_PROGRESS). The next run continues
        with the same stream.
    type: bool
    default: true
  wait_timeout:
    description:
      - The number of seconds to wait for each stream, from 1 to 3600, counted from when it was created or found.
      - A stream that is not V(READY) by then makes the task fail. It is stored, and the next run continues to wait for
        it.
    type: int
    default: 150
  min_remaining:
    description:
      - A lease is reused only if its stream is valid for at least this many more seconds. By default a tenth of
        O(expiration_in_seconds). Must be less than O(expiration_in_seconds).
    type: int
attributes:
  check_mode:
    support: full
    details:
      - Everything but creating and storing is done. A session without a reusable lease is described, and fails unless
        it is V(READY), as it would if the stream were created. What is not known yet is V(null) in RV(streams).
  diff_mode:
    support: full
    details:
      - Shows sessions and when their streams expire, never a URL.
  idempotent:
    support: partial
    details:
      - Not with O(force=true), nor with O(lease_store=none).
      - A lease is renewed once less than O(min_remaining) is left of it.
seealso:
  - module: labstream.aws.gamelift_stream_url
  - module: labstream.aws.appstream_streaming_url
  - module: labstream.aws.nimble_session
  - module: labstream.aws.nimble_session_info
  - name: CreateStreamingSessionStream
    description: The API operation that creates a stream.
    link: https://docs.aws.amazon.com/nimble-studio/latest/APIReference/API_CreateStreamingSessionStream.html
extends_documentation_fragment:
  - labstream.aws.lease
  - labstream.aws.lease.store
  - labstream.aws.attributes
  - labstream.aws.attributes.lease_group
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - labstream.aws.requirements
"""

EXAMPLES = r"""
# Note: These examples set neither authentication details nor the region, see the AWS Guide for details.

# The URLs stay at the service, where labstream.aws.streaming_handout gets them.
- name: Create streams for the sessions of a lab, without returning URLs
  labstream.aws.nimble_session_stream:
    endpoint_url: https://studio.example.org
    studio_id: us-west-2-example
    sessions:
      - session_id: session-anna
        email: anna@example.org
      - session_id: session-ben
        email: ben@example.org
    lab: painting-2026-11-21
    return_urls: false
  register: lab_streams

- name: Write them to a file that only you can read
  labstream.aws.streaming_handout:
    endpoint_url: https://studio.example.org
    urls_csv: /srv/labs/painting-2026-11-21.csv
    seats: "{{ lab_streams.streams }}"

- name: Begin to create streams, without waiting for them
  labstream.aws.nimble_session_stream:
    endpoint_url: https://studio.example.org
    studio_id: us-west-2-example
    session_ids: "{{ session_ids }}"
    wait: false
    return_urls: false

- name: Create one stream for each build of a pipeline
  labstream.aws.nimble_session_stream:
    endpoint_url: https://studio.example.org
    studio_id: us-west-2-example
    session_id: session-render
    expiration_in_seconds: 600
    client_token: "build-{{ build_number }}"
  register: stream
  no_log: true # the URL of a stream is a password

- name: Release all streams of a lab
  labstream.aws.nimble_session_stream:
    endpoint_url: https://studio.example.org
    studio_id: us-west-2-example
    lab: painting-2026-11-21
    state: absent
"""

RETURN = r"""
streams:
  description:
    - The streams, in the order in which they were asked for. Empty with O(state=absent).
    - In a failed result every URL is V(null). What was created is stored, unless O(lease_store=none), and the next run
      returns it.
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: The O(sessions[].id) that was given. V(null) if none.
      type: str
      returned: always
      sample: "4711"
    name:
      description: The O(sessions[].name) that was given. V(null) if none.
      type: str
      returned: always
      sample: Anna Example
    email:
      description: The O(sessions[].email) that was given. V(null) if none.
      type: str
      returned: always
      sample: anna@example.org
    session_id:
      description: The session.
      type: str
      returned: always
      sample: session-anna
    stream_id:
      description: The stream. V(null) if there is none.
      type: str
      returned: always
      sample: stream-0123456789
    state:
      description: The last state that the service returned of the stream. V(null) if there is none.
      type: str
      returned: always
      sample: READY
    status_code:
      description: The service's reason for the state. V(null) if there is none.
      type: str
      returned: always
      sample: STREAM_READY
    url:
      description:
        - The stream's URL. It is a password.
        - V(null) if the stream is not V(READY), and always if O(return_urls=false) or the task failed.
      type: str
      returned: always
      sample: https://studio.example.org/authenticate?parameters=EXAMPLE
    created_at:
      description: When the stream was created, in UTC. V(null) if there is none.
      type: str
      returned: always
      sample: "2026-11-21T15:00:00Z"
    created_by:
      description: Who created the stream. V(null) if the service does not say, or there is no stream.
      type: str
      returned: always
      sample: arn:aws:iam::123456789012:user/instructor
    expires_at:
      description: When the stream expires, in UTC. V(null) if there is none.
      type: str
      returned: always
      sample: "2026-11-21T16:00:00Z"
    owned_by:
      description: The user who owns the stream and may open its URL. V(null) as RV(streams[].created_by).
      type: str
      returned: always
      sample: anna
    issued:
      description: Whether this run created the stream, even if it then failed, or would create it in check mode.
      type: bool
      returned: always
      sample: true
    lease:
      description:
        - The key of the lease, the same in every run. M(labstream.aws.streaming_handout) finds the stream by it.
        - It is opaque.
      type: str
      returned: always
      sample: lease1.WyJuaW1ibGV8RVhBTVBMRSIsInNlc3Npb24tYW5uYSIsIiJd
failures:
  description: The sessions that got no stream, and why.
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: The O(sessions[].id) that was given. V(null) if none.
      type: str
      returned: always
      sample: "4712"
    name:
      description: The O(sessions[].name) that was given. V(null) if none.
      type: str
      returned: always
      sample: Ben Example
    email:
      description: The O(sessions[].email) that was given. V(null) if none.
      type: str
      returned: always
      sample: ben@example.org
    session_id:
      description: The session.
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
      description: How many streams, or leases to release, were asked for.
      type: int
      returned: always
      sample: 30
    issued:
      description: How many sessions got a stream that this run created, or would get one in check mode.
      type: int
      returned: always
      sample: 2
    reused:
      description: How many leases were reused.
      type: int
      returned: always
      sample: 27
    failed:
      description: How many sessions got no stream.
      type: int
      returned: always
      sample: 1
    released:
      description: How many leases were released, or would be in check mode.
      type: int
      returned: always
      sample: 0
    earliest_expiry:
      description: When the first of the streams expires, in UTC. V(null) if there is none.
      type: str
      returned: always
      sample: "2026-11-21T16:00:00Z"
leases:
  description: The leases that O(state=absent) was asked to release. Empty with O(state=present).
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: The O(sessions[].id) that was given for O(lab). V(null) if none was.
      type: str
      returned: always
      sample: "4713"
    session_id:
      description: The session.
      type: str
      returned: always
      sample: session-chloe
    lease:
      description: The key of the lease.
      type: str
      returned: always
      sample: lease1.WyJuaW1ibGV8RVhBTVBMRSIsInNlc3Npb24tYW5uYSIsIiJd
    expires:
      description: When the URL expires, in UTC. V(null) if none was issued.
      type: str
      returned: always
      sample: "2026-11-21T16:00:00Z"
    ended:
      description: Whether O(lab) was already over or ended here.
      type: bool
      returned: always
      sample: false
    released:
      description: Whether it was released, or purged, or would be in check mode.
      type: bool
      returned: always
      sample: true
    labs:
      description: The other labs that still have a lease of the session here.
      type: list
      elements: str
      returned: always
      sample: []
known_labs:
  description: The labs that have a lease here, with O(state=absent). Otherwise empty.
  returned: always
  type: list
  elements: str
  sample:
    - painting-2026-11-21
removed:
  description:
    - The learners of O(lab) who are not listed any more. With O(withdraw_removed), their leases were released, or would
      be in check mode. Empty with O(state=absent).
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: The O(sessions[].id) that was given then, or else the session id.
      type: str
      returned: always
      sample: "4713"
    session_id:
      description: The session.
      type: str
      returned: always
      sample: session-chloe
    lease:
      description: The key of the lease.
      type: str
      returned: always
      sample: lease1.WyJuaW1ibGV8RVhBTVBMRSIsInNlc3Npb24tYW5uYSIsIiJd
    expires:
      description: When the URL expires, in UTC. V(null) if none was issued.
      type: str
      returned: always
      sample: "2026-11-21T16:00:00Z"
    released:
      description: Whether it was released, or would be in check mode.
      type: bool
      returned: always
      sample: false
    labs:
      description: The other labs that use this lease. It is released for them too.
      type: list
      elements: str
      returned: always
      sample: []
    other_labs:
      description: The other labs that have another lease of the session.
      type: list
      elements: str
      returned: always
      sample: []
outdated_labs:
  description:
    - The other labs under way that use a lease which this task has renewed. Their handouts show the previous URLs until
      they are written again.
  returned: always
  type: list
  elements: str
  sample: []
studio_arn:
  description:
    - The studio's ARN. V(null) if the task failed before it was known, or if the studio no longer exists and
      nothing is stored of it.
  returned: always
  type: str
  sample: arn:aws:nimble:us-west-2:123456789012:studio/us-west-2-example
region:
  description: The region of the studio. V(null) if the task failed before it was known.
  returned: always
  type: str
  sample: us-west-2
scope:
  description:
    - The part of the lease store that has the leases of this studio. V(null) as RV(studio_arn).
  returned: always
  type: str
  sample: nimble|studio.example.org|arn:aws:nimble:us-west-2:123456789012:studio/us-west-2-example
ansible_facts:
  description: Facts without any secret.
  returned: always
  type: dict
  contains:
    nimble_session_streams:
      description:
        - The sessions of this task by their ids. An entry is one of RV(streams) without URL, id, name and email.
      type: dict
      returned: always
      sample:
        session-anna:
          created_at: "2026-11-21T15:00:00Z"
          created_by: arn:aws:iam::123456789012:user/instructor
          expires_at: "2026-11-21T16:00:00Z"
          issued: true
          lease: lease1.WyJuaW1ibGV8RVhBTVBMRSIsInNlc3Npb24tYW5uYSIsIiJd
          owned_by: anna
          session_id: session-anna
          state: READY
          status_code: STREAM_READY
          stream_id: stream-0123456789
"""

from datetime import datetime
from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils._argspec import (
    lease_argument_spec,
    validate_lease_arguments,
)
from ansible_collections.labstream.aws.plugins.module_utils._client import ServiceClock, identify_endpoint
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption
from ansible_collections.labstream.aws.plugins.module_utils._leases.module import (
    NO_LABS,
    LeaseTask,
    Row,
    build_fact,
    identity_argument_spec,
)
from ansible_collections.labstream.aws.plugins.module_utils._leases.releasing import find_to_release, release
from ansible_collections.labstream.aws.plugins.module_utils._leases.resource_issuer import ResourceIssuer
from ansible_collections.labstream.aws.plugins.module_utils._leases.reuse import ReusePolicy
from ansible_collections.labstream.aws.plugins.module_utils._leases.scheduler import Outcome
from ansible_collections.labstream.aws.plugins.module_utils._leases.scope import Scope, find_stored_scope
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.base import LeaseStore
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.factory import open_lease_store
from ansible_collections.labstream.aws.plugins.module_utils._leases.summary import NO_SUMMARY
from ansible_collections.labstream.aws.plugins.module_utils._module import LabstreamAWSModule
from ansible_collections.labstream.aws.plugins.module_utils._nimble import api as nimble
from ansible_collections.labstream.aws.plugins.module_utils._nimble import streams, validation
from ansible_collections.labstream.aws.plugins.module_utils._time import to_iso8601
from ansible_collections.labstream.aws.plugins.module_utils._validation import validate_each, validate_range

FACT = "nimble_session_streams"
URL = "url"
MAX_WAIT = 3600

# The options that say which sessions get streams.
HOLDER_OPTIONS = ("session_id", "session_ids", "sessions")

EMPTY_RESULT: dict[str, Any] = dict(
    changed=False,
    streams=[],
    failures=[],
    summary=NO_SUMMARY,
    **NO_LABS,
    studio_arn=None,
    region=None,
    scope=None,
    ansible_facts={FACT: {}},
)


def parse_rows(params: dict[str, Any]) -> list[Row]:
    """Return the sessions that the arguments ask for; none where a lab is to be released.

    Raises:
        InvalidOption: Names the value.
    """
    validation.validate_id("studio_id", params["studio_id"])
    if params["session_id"] is not None:
        validation.validate_id("session_id", params["session_id"])
        return [Row.build("session_id", {"session_id": params["session_id"]})]
    for option in ("session_ids", "sessions"):
        if params[option] is not None:
            sessions = [each if isinstance(each, dict) else {"session_id": each} for each in params[option]]
            validate_each(option, [session["session_id"] for session in sessions], validation.validate_id)
            return [Row.build("session_id", session) for session in sessions]
    return []


def build_policy(params: dict[str, Any]) -> ReusePolicy:
    """Return how long the streams must be valid.

    Raises:
        InvalidOption: Names the value of this or of another option that says how streams are created.
    """
    validation.validate_expiration(params["expiration_in_seconds"])
    validate_range("wait_timeout", params["wait_timeout"], 1, MAX_WAIT, "seconds")
    if params["client_token"] is not None:
        validation.validate_client_token(params["client_token"])
        if params["session_id"] is None:
            raise InvalidOption("client_token is only for session_id: give one session, or leave client_token out.")
        if params["force"]:
            raise InvalidOption(
                "client_token and force=true contradict each other, since the service returns the same stream for the "
                "same token: leave one of them out."
            )
    return ReusePolicy(
        validation.MAX_EXPIRATION,
        validity=params["expiration_in_seconds"],
        min_remaining=params["min_remaining"],
    )


def find_scope(module: LabstreamAWSModule, client: Any, store: LeaseStore) -> Scope | None:
    """Return the scope of the studio's leases; None if the studio was deleted and none of its leases are stored.

    Raises:
        AnsibleNimbleError: The call failed.
        NotReady: There is no such studio, but streams are asked for, or there were several.
    """
    studio_id = module.params["studio_id"]
    arn = nimble.get_studio_arn(client, studio_id)
    if arn is not None:
        return streams.build_scope(client, arn)
    if module.params["state"] == "present":
        raise nimble.missing_studio(client, studio_id)
    return find_stored_scope(store, nimble.SERVICE, identify_endpoint(client), client.meta.region_name, studio_id)


def build_issuer(task: LeaseTask, client: Any, policy: ReusePolicy) -> ResourceIssuer:
    """Return what creates the streams of the task."""
    params = task.module.params
    return ResourceIssuer(
        store=task.store,
        service=streams.StudioStreams(client, params["studio_id"], params["expiration_in_seconds"]),
        now=task.now,
        policy=policy,
        concurrency=params["concurrency"],
        wait=params["wait"],
        wait_timeout=params["wait_timeout"],
        client_token=params["client_token"],
        force=params["force"],
        is_canceled=task.module.is_orphaned,
    )


def describe_outcome(outcome: Outcome) -> dict[str, Any]:
    """Return what an entry of the result says of an outcome."""
    stream = outcome.resource
    expires = (stream and stream.expires_at) or (outcome.lease and outcome.lease.expires)
    return dict(
        stream_id=stream and stream.stream_id,
        state=stream and stream.state,
        status_code=stream and stream.status_code,
        url=stream and stream.url,
        created_at=to_text(stream and stream.created_at),
        created_by=stream and stream.created_by,
        expires_at=to_text(expires),
        owned_by=stream and stream.owned_by,
    )


def to_text(when: datetime | None) -> str | None:
    """Return a timestamp for the result."""
    return to_iso8601(when) if when else None


def run(module: LabstreamAWSModule) -> None:
    """Validate the arguments before any call is made, then create or release."""
    params, result = module.params, module.result
    validate_lease_arguments(params, HOLDER_OPTIONS)
    rows, policy = parse_rows(params), build_policy(params)
    client = nimble.build_nimble_client(module, params["studio_id"], params["concurrency"])
    clock = ServiceClock(client)
    now, create = clock.now, params["state"] == "present"
    with open_lease_store(module, create=create, service_now=clock.confirmed_now) as store:
        result.update(region=client.meta.region_name)
        scope = find_scope(module, client, store)
        result.update(studio_arn=scope and scope.arns[0], scope=scope and scope.to_text())
        task = LeaseTask(module, store, now, scope.to_text() if scope else "", rows, "session_id")
        if params["state"] == "absent":
            for known in release(task, find_to_release(task)):
                result.update(known)
            return
        if module.is_query:
            # A role asks before it starts the sessions.
            return
        outcomes, joined = task.issue(build_issuer(task, client, policy), policy)
        issuing = task.describe_issuing(outcomes, joined=joined)
        result.update(issuing)
        shared, entries = task.build_result(outcomes, describe_outcome, URL, issuing, removed=task.withdraw())
    facts = {entry["session_id"]: build_fact(entry, URL) for entry in entries}
    result.update(shared, streams=entries, ansible_facts={FACT: facts})
    task.finish(outcomes, policy)


def main() -> None:
    """Run the module."""
    LabstreamAWSModule(
        empty_result=EMPTY_RESULT,
        argument_spec=dict(
            studio_id=dict(type="str", required=True),
            session_id=dict(type="str"),
            session_ids=dict(type="list", elements="str"),
            sessions=dict(
                type="list",
                elements="dict",
                options=dict(session_id=dict(type="str", required=True), **identity_argument_spec()),
            ),
            expiration_in_seconds=dict(type="int", default=3600),
            client_token=dict(type="str", no_log=False),
            wait=dict(type="bool", default=True),
            wait_timeout=dict(type="int", default=150),
            **lease_argument_spec(),
        ),
        mutually_exclusive=[HOLDER_OPTIONS],
        required_if=[
            ("state", "present", HOLDER_OPTIONS, True),
            ("state", "absent", (*HOLDER_OPTIONS, "lab"), True),
        ],
    ).run(run)


if __name__ == "__main__":
    main()
