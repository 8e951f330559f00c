#!/usr/bin/python
# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: appstream_streaming_url
version_added: 0.1.0
short_description: Create streaming URLs for AppStream 2.0 users
description:
  - Creates URLs that open a streaming session on an AppStream 2.0 (WorkSpaces Applications) stack and fleet, for one
    user or for all users of a lab in one task.
  - AppStream creates a new URL on every call and lists none. So this module stores each URL as a lease in
    O(lease_store), and reuses it as long as it is valid for the time asked for. A second run changes nothing.
  - Stack, fleet, their association and the fleet's state are checked before the first URL is issued, also in check
    mode.
  - AWS has renamed the service to Amazon WorkSpaces Applications. Its API is still named C(appstream).
author:
  - labstream.aws contributors (@labstream)
options:
  stack_name:
    description:
      - The name of the stack.
    type: str
    required: true
  fleet_name:
    description:
      - The name of the fleet, which must be associated with the stack.
    type: str
    required: true
  user_id:
    description:
      - The id of a single user.
      - 2 to 32 characters out of letters, digits and V(_+=,.@-). The service accepts others too, but their URL fails in
        the browser, so this module rejects them. The filter P(labstream.aws.appstream_user_id#filter) makes a valid id
        out of an e-mail address or a name.
      - AppStream distinguishes case. An id that O(lease_store) has in another case, up to 30 days after it expired,
        is rejected, and so are two such ids in O(users).
      - The id is the key of the user's home folder, and each id that is used in a month costs a user fee. Keep it the
        same from lab to lab.
      - Mutually exclusive with O(users). One of them is required, unless O(state=absent) and O(lab) is set.
    type: str
  users:
    description:
      - The users, as many as you like. This is much faster than a loop over the module.
      - Mutually exclusive with O(user_id).
    type: list
    elements: dict
    suboptions:
      user_id:
        description:
          - As O(user_id).
        type: str
        required: true
      id:
        description:
          - What identifies the learner in your roster, returned unchanged. It is not sent to AWS, and stored only with
            O(lab), for M(labstream.aws.streaming_rotation).
        type: str
      name:
        description:
          - The learner's name, returned unchanged. It is not sent to AWS and not stored.
        type: str
      email:
        description:
          - The learner's e-mail address, returned unchanged. It is not sent to AWS and not stored.
        type: str
      application_id:
        description:
          - The application to start for this user, instead of O(application_id).
        type: str
      session_context:
        description:
          - The session context of this user, instead of O(session_context).
        type: str
  application_id:
    description:
      - The name of the application to start, which is not the name that users see. V(Desktop) is the desktop, on a
        fleet whose stream view is C(DESKTOP).
      - By default the user chooses.
      - Before the first URL is issued, and also if all leases are reused, the applications of the fleet are looked up
        once. The task fails if the application is missing or disabled. It warns if that cannot be found out, for
        example because the image is no longer shared.
    type: str
  session_context:
    description:
      - A text that applications find in the environment variable E(APPSTREAM_SESSION_CONTEXT), such as a course id.
      - Users can see and change it in their URL. Do not put a secret into it.
    type: str
  validity:
    description:
      - The number of seconds that a URL is valid after it was issued, from 1 to 604800 (7 days).
      - 60 if neither this nor O(valid_until) is given, as in the API.
      - A lease that was issued for another validity is not reused.
      - Mutually exclusive with O(valid_until).
    type: int
  valid_until:
    description:
      - The time until which the URLs must be valid, such as the end of the lab, as ISO 8601 with an offset from UTC.
      - Each validity is computed when the URL is issued, so a later run for the same time changes nothing. The URL
        works a few seconds longer, since not all servers of the service have the same clock.
      - If it is more than 7 days away, URLs are issued for 7 days, and RV(renew_before) says when to run again.
      - Mutually exclusive with O(validity).
    type: str
  starts_at:
    description:
      - When O(lab) starts, as ISO 8601 with an offset from UTC. Other labs that end before return it in
        RV(other_labs).
      - By default, the lab is under way.
    version_added: 1.0.0
    type: str
  min_remaining:
    description:
      - With O(validity), a lease is reused only if its URL is valid for at least this many more seconds. By default a
        tenth of O(validity), at most 900. Must be less than O(validity).
      - With O(valid_until) only that time counts, unless it is more than 7 days away. Then a lease is reused if its URL
        is valid for at least this many more seconds, by default one day.
    type: int
attributes:
  check_mode:
    support: full
    details:
      - Everything but issuing and storing is done. RV(streaming_urls[].streaming_url) and RV(streaming_urls[].expires)
        are V(null) for a URL that would be issued.
  diff_mode:
    support: full
    details:
      - Shows users and when their URLs expire, never a URL.
  idempotent:
    support: partial
    details:
      - Not with O(force=true), nor with O(lease_store=none).
      - A lease is renewed once less than O(min_remaining) is left of it.
seealso:
  - module: labstream.aws.streaming_handout
  - module: labstream.aws.streaming_rotation
  - module: labstream.aws.appstream_fleet
  - module: labstream.aws.appstream_session
  - plugin: labstream.aws.appstream_user_id
    plugin_type: filter
  - name: CreateStreamingURL
    description: The API operation that issues a URL.
    link: https://docs.aws.amazon.com/appstream2/latest/APIReference/API_CreateStreamingURL.html
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

# The URLs stay in the lease store, where labstream.aws.streaming_handout finds them.
- name: Create URLs that are valid until the end of a lab, without returning them
  labstream.aws.appstream_streaming_url:
    stack_name: cad-course
    fleet_name: cad-fleet
    users:
      - user_id: anna
        email: anna@example.org
      - user_id: ben
        email: ben@example.org
        session_context: unit-7
    valid_until: "2026-11-21T17:00:00+01:00"
    lab: cad-2026-11-21
    return_urls: false
  register: lab_urls

- name: Write them to a file that only you can read
  labstream.aws.streaming_handout:
    urls_csv: /srv/labs/cad-2026-11-21.csv
    seats: "{{ lab_urls.streaming_urls }}"

# The previous URL works until it expires. If it has leaked, see labstream.aws.streaming_rotation instead.
- name: Create a new URL for one user, although the stored one is still valid
  labstream.aws.appstream_streaming_url:
    stack_name: cad-course
    fleet_name: cad-fleet
    user_id: anna
    validity: 3600
    force: true
  register: new_url
  no_log: true # a streaming URL is a password

- name: Release all URLs of a lab
  labstream.aws.appstream_streaming_url:
    stack_name: cad-course
    fleet_name: cad-fleet
    lab: cad-2026-11-21
    state: absent
"""

RETURN = r"""
streaming_urls:
  description:
    - The URLs, in the order in which they were asked for. Empty with O(state=absent).
    - In a failed result every URL is V(null). What was issued is stored, and the next run returns it.
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: The O(users[].id) that was given. V(null) if none.
      type: str
      returned: always
      sample: "4711"
    name:
      description: The O(users[].name) that was given. V(null) if none.
      type: str
      returned: always
      sample: Anna Example
    email:
      description: The O(users[].email) that was given. V(null) if none.
      type: str
      returned: always
      sample: anna@example.org
    user_id:
      description: The user.
      type: str
      returned: always
      sample: anna
    application_id:
      description: The application that the URL opens. V(null) if none.
      type: str
      returned: always
      sample: Desktop
    session_context:
      description: The session context of the URL. V(null) if none.
      type: str
      returned: always
      sample: unit-7
    streaming_url:
      description:
        - The URL. It is a password.
        - V(null) if it would be issued (check mode) or could not be issued, and always if O(return_urls=false) or the
          task failed.
      type: str
      returned: always
      sample: https://appstream2.eu-central-1.aws.amazon.com/authenticate?parameters=EXAMPLE
    expires:
      description: When the URL expires, in UTC. V(null) if there is none.
      type: str
      returned: always
      sample: "2026-11-21T16:00:00Z"
    issued:
      description: Whether this run issued the URL, or would issue it in check mode.
      type: bool
      returned: always
      sample: true
    lease:
      description:
        - The key of the lease, the same in every run. M(labstream.aws.streaming_handout) finds the URL by it.
        - It is opaque, and has neither the URL nor the session context.
      type: str
      returned: always
      sample: lease1.WyJhcHBzdHJlYW18RVhBTVBMRSIsImFubmEiLCIiXQ
failures:
  description: The users who got no URL, and why.
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: The O(users[].id) that was given. V(null) if none.
      type: str
      returned: always
      sample: "4712"
    name:
      description: The O(users[].name) that was given. V(null) if none.
      type: str
      returned: always
      sample: Ben Example
    email:
      description: The O(users[].email) that was given. V(null) if none.
      type: str
      returned: always
      sample: ben@example.org
    user_id:
      description: The user.
      type: str
      returned: always
      sample: ben
    application_id:
      description: The application that was asked for. V(null) if none.
      type: str
      returned: always
      sample: Desktop
    session_context:
      description: The session context that was asked for. V(null) if none.
      type: str
      returned: always
      sample: unit-7
    code:
      description: The service's error code, or this collection's name for the kind of error.
      type: str
      returned: always
      sample: ResourceNotAvailableException
    message:
      description: The reason.
      type: str
      returned: always
      sample: "Failed to create a streaming URL: ResourceNotAvailableException: no capacity."
summary:
  description: The task in numbers.
  returned: always
  type: dict
  contains:
    requested:
      description: How many URLs, or leases to release, were asked for.
      type: int
      returned: always
      sample: 30
    issued:
      description: How many URLs were issued, or would be in check mode.
      type: int
      returned: always
      sample: 2
    reused:
      description: How many leases were reused.
      type: int
      returned: always
      sample: 27
    failed:
      description: How many users got no URL.
      type: int
      returned: always
      sample: 1
    released:
      description: How many leases were released, or would be in check mode.
      type: int
      returned: always
      sample: 0
    earliest_expiry:
      description: When the first of the URLs expires, in UTC. V(null) if there is none.
      type: str
      returned: always
      sample: "2026-11-21T16:00:00Z"
renew_before:
  description:
    - The time before which to run again, in UTC, if O(valid_until) is too far away for one URL to last, or if the
      service granted less time.
    - Otherwise V(null).
  returned: always
  type: str
  sample: "2026-11-28T16:00:00Z"
leases:
  description: The leases that O(state=absent) was asked to release. Empty with O(state=present).
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: The O(users[].id) that was given for O(lab). V(null) if none was.
      type: str
      returned: always
      sample: "4713"
    user_id:
      description: The user.
      type: str
      returned: always
      sample: chloe
    application_id:
      description: The application that the URL opens. V(null) if none.
      type: str
      returned: always
      sample: Desktop
    session_context:
      description: The session context of the URL. V(null) if none.
      type: str
      returned: always
      sample: unit-7
    lease:
      description: The key of the lease.
      type: str
      returned: always
      sample: lease1.WyJhcHBzdHJlYW18RVhBTVBMRSIsImFubmEiLCIiXQ
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
      description: The other labs that still have a lease of the user here.
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
    - cad-2026-11-21
removed:
  description:
    - The learners of O(lab) who are not listed any more. With O(withdraw_removed), their leases were released, or would
      be in check mode. Empty with O(state=absent).
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: The O(users[].id) that was given then, or else the user id.
      type: str
      returned: always
      sample: "4713"
    user_id:
      description: The user.
      type: str
      returned: always
      sample: chloe
    lease:
      description: The key of the lease.
      type: str
      returned: always
      sample: lease1.WyJhcHBzdHJlYW18RVhBTVBMRSIsImFubmEiLCIiXQ
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
      description:
        - The other labs that have another lease of the user, which is not released. So a session of the user must not
          be ended.
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
other_labs:
  description:
    - The other labs on this fleet, of whatever stack, that are under way or have yet to start, with O(state=absent) and
      O(lab). The next one is first. Otherwise empty.
    - O(lab) is one of them as long as it is ahead on another stack.
  returned: always
  type: list
  elements: dict
  contains:
    lab:
      description: The name of the lab.
      type: str
      returned: always
      sample: blender-2026-11-21
    starts_at:
      description: When it starts, in UTC. V(null) if it is under way.
      type: str
      returned: always
      sample: "2026-11-21T18:00:00Z"
    starts_in:
      description: In how many seconds it starts. 0 if it is under way.
      type: int
      returned: always
      sample: 7200
    ends_at:
      description: When it ends, in UTC.
      type: str
      returned: always
      sample: "2026-11-21T20:00:00Z"
stack_arn:
  description:
    - The stack's ARN. V(null) if the task failed before it was known, or if stack and fleet no longer exist and nothing
      is stored of them.
  returned: always
  type: str
  sample: arn:aws:appstream:eu-central-1:123456789012:stack/cad-course
fleet_arn:
  description: The fleet's ARN. V(null) as RV(stack_arn).
  returned: always
  type: str
  sample: arn:aws:appstream:eu-central-1:123456789012:fleet/cad-fleet
region:
  description: The region of stack and fleet. V(null) if the task failed before it was known.
  returned: always
  type: str
  sample: eu-central-1
scope:
  description:
    - The part of the lease store that has the leases of this stack and fleet. V(null) as RV(stack_arn).
  returned: always
  type: str
  sample: >-
    appstream|aws|arn:aws:appstream:eu-central-1:123456789012:stack/cad-course|arn:aws:appstream:eu-central-1:123456789012:fleet/cad-fleet
ansible_facts:
  description: Facts without any secret.
  returned: always
  type: dict
  contains:
    appstream_streaming_urls:
      description:
        - The users of this task by user id. For each a list with one entry per application and session context.
        - An entry is one of RV(streaming_urls) without URL, id, name and email.
      type: dict
      returned: always
      sample:
        anna:
          - application_id: null
            expires: "2026-11-21T16:00:00Z"
            issued: true
            lease: lease1.WyJhcHBzdHJlYW18RVhBTVBMRSIsImFubmEiLCIiXQ
            session_context: unit-7
            user_id: anna
"""

from collections.abc import Collection, Iterable
from functools import partial
from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils._appstream import api as appstream
from ansible_collections.labstream.aws.plugins.module_utils._appstream import validation
from ansible_collections.labstream.aws.plugins.module_utils._argspec import (
    lease_argument_spec,
    parse_starts_at,
    parse_timestamp,
    validate_lease_arguments,
)
from ansible_collections.labstream.aws.plugins.module_utils._client import (
    ServiceClock,
    build_client,
    identify_endpoint,
)
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption, list_names, quote
from ansible_collections.labstream.aws.plugins.module_utils._labs.person import normalise
from ansible_collections.labstream.aws.plugins.module_utils._leases.lease import (
    Lease,
    LeaseKey,
    UrlGrant,
    build_purpose,
    is_text,
    parse_purpose,
)
from ansible_collections.labstream.aws.plugins.module_utils._leases.module import (
    NO_LABS,
    LeaseTask,
    Row,
    build_fact,
    identity_argument_spec,
)
from ansible_collections.labstream.aws.plugins.module_utils._leases.releasing import find_to_release, release
from ansible_collections.labstream.aws.plugins.module_utils._leases.reuse import ReusePolicy
from ansible_collections.labstream.aws.plugins.module_utils._leases.scheduler import Outcome
from ansible_collections.labstream.aws.plugins.module_utils._leases.scope import Scope, find_stored_scope
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.base import LeaseStore
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.factory import open_lease_store
from ansible_collections.labstream.aws.plugins.module_utils._leases.summary import NO_SUMMARY
from ansible_collections.labstream.aws.plugins.module_utils._leases.url_issuer import UrlIssuer
from ansible_collections.labstream.aws.plugins.module_utils._module import LabstreamAWSModule
from ansible_collections.labstream.aws.plugins.module_utils._time import to_iso8601
from ansible_collections.labstream.aws.plugins.module_utils._validation import validate_distinct

FACT = "appstream_streaming_urls"
URL = "streaming_url"

# The options that say who gets URLs.
HOLDER_OPTIONS = ("user_id", "users")
# The options that are for all users, and that an entry of users may have too; with the API's parameters.
PURPOSE_OPTIONS = {"application_id": "ApplicationId", "session_context": "SessionContext"}

EMPTY_RESULT: dict[str, Any] = dict(
    changed=False,
    streaming_urls=[],
    failures=[],
    summary=NO_SUMMARY,
    **NO_LABS,
    other_labs=[],
    renew_before=None,
    stack_arn=None,
    fleet_arn=None,
    region=None,
    scope=None,
    ansible_facts={FACT: {}},
)


def parse_rows(params: dict[str, Any]) -> list[Row]:
    """Return the URLs that the arguments ask for.

    Raises:
        InvalidOption: Names the value.
    """
    if params["users"] == []:
        raise InvalidOption("users is empty: name at least one user.")
    users = params["users"] or ([{"user_id": params["user_id"]}] if params["user_id"] is not None else [])
    spellings: dict[str, tuple[int, str]] = {}
    rows = []
    for number, user in enumerate(users, start=1):
        opens = {}
        for option in PURPOSE_OPTIONS:
            value = opens[option] = params[option] if user.get(option) is None else user[option]
            if value == "":
                raise InvalidOption(f"{option} of {quote(user['user_id'])} is empty: leave it out, or give it a value.")
            if value is not None and not is_text(value):
                raise InvalidOption(
                    f"{option} of {quote(user['user_id'])} is {quote(value)}, which has an unpaired surrogate: correct "
                    "it."
                )
        validation.validate_user_id(user["user_id"])
        row = Row.build("user_id", user, build_purpose(**opens), **opens)
        first, spelling = spellings.setdefault(normalise(row.holder), (number, row.holder))
        if spelling != row.holder:
            raise InvalidOption(
                f"Entries {first} and {number} of users have the user ids {spelling!r} and {row.holder!r}, which "
                "differ only in case, but are two users of AppStream 2.0: correct one."
            )
        rows.append(row)
    validate_distinct(
        "users",
        [(row.holder, row.purpose) for row in rows],
        lambda entry: f"{entry[0]!r}, with the same application_id and session_context",
        "remove one, or give them different user ids",
    )
    return rows


def validate_case(task: LeaseTask, keys: Collection[LeaseKey]) -> None:
    """Reject users whose user ids are stored in another case: to AppStream, each is another user.

    Args:
        task: The task.
        keys: Keys that nothing is stored of. Only if there are any, the whole scope is read.

    Raises:
        InvalidOption: Names the user ids, as given and as stored.
        LeaseStoreError: The store failed.
    """
    stored: dict[str, set[str]] = {}
    for key in task.store.find(task.scope) if keys and task.scope else ():
        stored.setdefault(normalise(key.holder), set()).add(key.holder)
    changed = [
        f"{holder!r} is stored as {min(spellings)!r}"
        for holder in sorted({key.holder for key in keys})
        if holder not in (spellings := stored.get(normalise(holder), {holder}))
    ]
    if changed:
        raise InvalidOption(
            "To AppStream 2.0, a user id in another case is another user with another home folder, and "
            f"{list_names(changed)}: write each as it is stored, or purge its lease first (state=absent, "
            "purge=true)."
        )


def build_policy(params: dict[str, Any]) -> ReusePolicy:
    """Return how long the URLs must be valid.

    Raises:
        InvalidOption: Names the value.
    """
    if params["valid_until"] is not None:
        valid_until = parse_timestamp("valid_until", params["valid_until"])
        return ReusePolicy(validation.MAX_VALIDITY, valid_until=valid_until, min_remaining=params["min_remaining"])
    validity = validation.DEFAULT_VALIDITY if params["validity"] is None else params["validity"]
    validation.validate_validity(validity)
    return ReusePolicy(validation.MAX_VALIDITY, validity=validity, min_remaining=params["min_remaining"])


def describe_target(module: LabstreamAWSModule, client: Any) -> appstream.Target:
    """Return the stack and fleet; to issue URLs for them, also check them.

    Raises:
        AnsibleAppStreamError: A call failed.
        NotReady: Nothing can be streamed from them.
    """
    target = appstream.Target.look_up(client, module.params["stack_name"], module.params["fleet_name"])
    if module.params["state"] == "present":
        # A role asks before it starts the fleet.
        target.validate_can_stream(is_running=not module.is_query)
    return target


def find_scope(client: Any, target: appstream.Target, store: LeaseStore) -> Scope | None:
    """Return the scope of the leases; None if stack and fleet were deleted and none of their leases are stored.

    Raises:
        NotReady: Stacks and fleets of these names were deleted in several accounts.
        LeaseStoreError: The store failed.
    """
    endpoint = identify_endpoint(client)
    if target.stack_arn and target.fleet_arn:
        return Scope(appstream.SERVICE, endpoint, (target.stack_arn, target.fleet_arn))
    return find_stored_scope(store, appstream.SERVICE, endpoint, target.region, target.stack_name, target.fleet_name)


def build_issuer(task: LeaseTask, client: Any, target: appstream.Target, policy: ReusePolicy) -> UrlIssuer:
    """Return what issues the URLs of the task."""
    params = task.module.params

    def issue(key: LeaseKey) -> Lease:
        row, now = task.rows[key], task.now()
        url, expires = appstream.create_streaming_url(
            client,
            StackName=target.stack_name,
            FleetName=target.fleet_name,
            Validity=policy.validity_at(now),
            **build_parameters(row),
        )
        return Lease(
            key=key,
            grant=UrlGrant.build(url),
            issued=now,
            expires=expires,
            purpose=row.purpose,
            validity=policy.validity,
        )

    return UrlIssuer(
        store=task.store,
        issue=issue,
        now=task.now,
        policy=policy,
        not_before=target.created,
        concurrency=params["concurrency"],
        force=params["force"],
        is_canceled=task.module.is_orphaned,
    )


def build_parameters(row: Row) -> dict[str, Any]:
    """Return the parameters of CreateStreamingURL that are the row's."""
    opens = {name: row.values[option] for option, name in PURPOSE_OPTIONS.items()}
    return {"UserId": row.holder, **{name: value for name, value in opens.items() if value is not None}}


def describe_outcome(outcome: Outcome) -> dict[str, Any]:
    """Return what an entry of the result says of an outcome."""
    lease = outcome.lease
    return {URL: lease and lease.url, "expires": lease and to_iso8601(lease.expires)}


def describe_purpose(lease: Lease | None) -> dict[str, Any]:
    """Return what an entry of the result says of what a lease's URL opens."""
    return {**dict.fromkeys(PURPOSE_OPTIONS), **parse_purpose(lease.purpose if lease else "")}


def build_facts(entries: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the entries of each user, who may have several: one for each application and session context."""
    users: dict[str, list[dict[str, Any]]] = {}
    for entry in entries:
        users.setdefault(entry["user_id"], []).append(build_fact(entry, URL))
    return users


def run(module: LabstreamAWSModule) -> None:
    """Validate the arguments before any call is made, then issue or release."""
    params, result = module.params, module.result
    validation.validate_name("stack_name", params["stack_name"])
    validation.validate_name("fleet_name", params["fleet_name"])
    validate_lease_arguments(params, HOLDER_OPTIONS)
    rows, policy = parse_rows(params), build_policy(params)
    starts_at = parse_starts_at(params, policy.valid_until)
    client = build_client(module, appstream.SERVICE, params["concurrency"])
    clock = ServiceClock(client)
    now, create = clock.now, params["state"] == "present"
    with open_lease_store(module, create=create, service_now=clock.confirmed_now) as store:
        target = describe_target(module, client)
        result.update(region=target.region)
        scope = find_scope(client, target, store)
        if scope:
            result.update(stack_arn=scope.arns[0], fleet_arn=scope.arns[1], scope=scope.to_text())
        task = LeaseTask(module, store, now, scope.to_text() if scope else "", rows, "user_id")
        if params["state"] == "absent":
            found = find_to_release(task)
            validate_case(task, task.rows.keys() - {lease.key for lease in found.leases})
            for known in release(task, found):
                result.update(known)
            leases = [
                {**entry, **describe_purpose(found.stored.get(key))}
                for key, entry in zip(found.keys, result["leases"], strict=True)
            ]
            result.update(leases=leases)
            fleet = scope.arns[1:] if scope else ()
            result.update(other_labs=task.describe_other_labs(lambda other: Scope.parse(other).arns[1:] == fleet))
            return
        policy.validity_at(now())  # Rejects a time that has passed, in check mode too.
        # Also if all leases are reusable: a stored URL for an application that is gone opens nothing.
        applications = [row.values["application_id"] for row in rows]
        module.warn_all(appstream.check_applications(client, target.fleet or {}, applications))
        issuer = build_issuer(task, client, target, policy)
        outcomes, joined = task.issue(issuer, policy, starts_at, partial(validate_case, task))
        issuing = task.describe_issuing(outcomes, joined=joined)
        result.update(issuing)
        shared, entries = task.build_result(outcomes, describe_outcome, URL, issuing, removed=task.withdraw())
    renew_before = policy.renew_before(outcome.lease for outcome in outcomes if outcome.lease)
    result.update(
        shared,
        streaming_urls=entries,
        renew_before=renew_before and to_iso8601(renew_before),
        ansible_facts={FACT: build_facts(entries)},
    )
    task.finish(outcomes, policy)
    if renew_before and not policy.is_in_reach(now()):
        module.warn(
            f"valid_until is more than 7 days away, and no URL lasts that long: run again within the last day before "
            f"{to_iso8601(renew_before)}, or when valid_until is less than 7 days away."
        )


def main() -> None:
    """Run the module."""
    LabstreamAWSModule(
        empty_result=EMPTY_RESULT,
        argument_spec=dict(
            stack_name=dict(type="str", required=True),
            fleet_name=dict(type="str", required=True),
            user_id=dict(type="str"),
            users=dict(
                type="list",
                elements="dict",
                options=dict(
                    user_id=dict(type="str", required=True),
                    **{option: dict(type="str") for option in PURPOSE_OPTIONS},
                    **identity_argument_spec(),
                ),
            ),
            application_id=dict(type="str"),
            session_context=dict(type="str"),
            validity=dict(type="int"),
            valid_until=dict(type="str"),
            starts_at=dict(type="str"),
            **lease_argument_spec(),
        ),
        mutually_exclusive=[HOLDER_OPTIONS, ("validity", "valid_until")],
        required_if=[
            ("state", "present", HOLDER_OPTIONS, True),
            ("state", "absent", (*HOLDER_OPTIONS, "lab"), True),
        ],
    ).run(run)


if __name__ == "__main__":
    main()
