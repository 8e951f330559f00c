#!/usr/bin/python
# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gamelift_stream_url
version_added: 1.0.0
short_description: Create stream URLs of Amazon GameLift Streams
description:
  - Creates URLs that start stream sessions of an application on a stream group of Amazon GameLift Streams, in a browser
    and without an AWS account, for one learner or for all learners of a lab in one task.
  - The service creates a stream URL on every call. So this module stores the id of each as a lease in O(lease_store),
    never the URL, and reuses it as long as the service says that it is V(ACTIVE), and has enough uses and time left. A
    second run changes nothing.
  - Before a stream URL is created, a random token is stored. A run after an interrupted one, or one that runs in
    parallel, uses the same token, and the service then returns the same stream URL.
  - A stream URL that a new one replaces is revoked, so that each learner has one. Sessions that it has started
    continue.
  - Every opening of a stream URL takes one of its uses, and starts a new session on a new machine. Nobody can return to
    a session, and nothing is kept of it. What a URL opens cannot be changed. It has no user id.
  - Stream group, application and locations are checked before the first stream URL is created, also in check mode.
author:
  - labstream.aws contributors (@labstream)
options:
  stream_group:
    description:
      - The stream group, by its id or its ARN.
    type: str
    required: true
  application:
    description:
      - The application that the stream URLs open, by its id or its ARN. It must be associated with the stream group.
      - This and O(locations) are required, unless O(state=absent) and either nobody is listed or O(purge=true).
    type: str
  locations:
    description:
      - The locations of the stream group where sessions can run, in order of preference, such as V(eu-central-1).
    type: list
    elements: str
  learner:
    description:
      - The id of a single learner.
      - Mutually exclusive with O(learners). One of them is required, unless O(state=absent) and O(lab) is set.
    type: str
  learners:
    description:
      - The learners, as many as you like. This is much faster than a loop over the module.
      - An entry is the id of a learner, or a dictionary with C(id), which is required, C(name), C(email) and
        C(generation).
      - C(id) identifies the learner in your roster, with 1 to 200 characters. It is stored as the holder of the lease,
        and case does not matter. C(name) and C(email) are returned unchanged, and are not stored. None of them is sent
        to AWS.
      - C(generation) is how often the learner's link was replaced because it had leaked, by default 0, as
        M(labstream.aws.streaming_rotation) returns it. Each generation has a stream URL of its own, and those of the
        earlier ones are revoked. O(state=absent) is for all generations, whichever is given.
      - Mutually exclusive with O(learner).
    type: list
    elements: raw
  expires_after_minutes:
    description:
      - The number of minutes that a stream URL is valid after it was created. 60 if neither this nor O(valid_until) is
        given. The maximum is a quota of the service.
      - A stream URL that was created with another value is not reused.
      - Mutually exclusive with O(valid_until).
    type: int
  valid_until:
    description:
      - The time until which the stream URLs must be valid, such as the end of the lab, as ISO 8601 with an offset from
        UTC. They are valid for up to a minute longer, since the service counts in minutes.
      - Mutually exclusive with O(expires_after_minutes).
    type: str
  starts_at:
    description:
      - When O(lab) starts, as ISO 8601 with an offset from UTC. Other labs that end before return it in
        RV(other_labs).
      - By default, the lab is under way.
    type: str
  usage_limit:
    description:
      - How many sessions a stream URL can start.
      - Every opening and every reload of the page in the browser takes one use. With the service's own default of 1, a
        learner who reloads the page once is locked out, so here it is 5.
      - A stream URL that was created with another value is not reused.
    type: int
    default: 5
  min_remaining_uses:
    description:
      - A stream URL is reused only if it can start at least this many more sessions. Otherwise it is revoked, without
        ending the session that it has started, and the learner gets a new one.
      - By default 2, since with one use left the next reload locks the learner out, but never more than O(usage_limit).
    type: int
  session_length:
    description:
      - For how many seconds a session can run, from 1 to 86400 (24 hours). It is then ended, whatever the learner does.
      - By default, it is the time from now until the stream URL expires, or 24 hours if that is less. The service's own
        default is 12 hours.
      - If it is given, a stream URL that was created with another value is not reused.
    type: int
  launch_args:
    description:
      - Command-line arguments that the application is started with, 100 at most.
    type: list
    elements: str
  environment:
    description:
      - Environment variables that the application is started with, 50 at most.
      - Whoever may call GetStreamUrl can read them. Do not put a secret into them.
    type: dict
  role_arn:
    description:
      - The ARN of an IAM role whose permissions the application has.
    type: str
  resolution:
    description:
      - The resolution of the virtual monitor, such as V(1280x720). Width and height are even numbers from
        320 to 4096, and their product is at most 2,073,600 pixels, which is 1920x1080, the service's default.
    type: str
  min_remaining:
    description:
      - With O(expires_after_minutes), a stream URL is reused only if it is valid for at least this many more seconds.
        By default a tenth of its validity, at most 900. Must be less than its validity.
      - With O(valid_until), only that time counts.
    type: int
  state:
    description:
      - V(present) returns a stream URL for everybody who is listed. A reusable lease is reused; otherwise a stream URL
        is created.
      - V(absent) revokes the stream URLs and releases their leases, so that the next run creates new ones. It also
        revokes those whose response was lost before they could be stored.
      - For those who are listed, these are the leases that the same arguments would return with V(present), of every
        C(generation). A lease for another application, or for other locations, arguments, variables, roles or
        resolutions, is kept. If the lease store was lost, their stream URLs are found by their description, as with
        O(recover), for generations below 10 and the one that is given.
      - With O(lab), only this lab is ended for those who are listed, or for all of its learners if nobody is. A lease
        that another lab still needs is not released, as far as O(lease_store) knows of that lab. If it has
        another stream URL, because the lease store was lost, that of this lab is revoked for those who are listed.
        Without O(lab), leases are released for all labs.
      - With O(lab) and nobody listed, stream URLs that nothing is stored about cannot be distinguished from those of a
        lab with a similar name. They are not revoked, but returned as RV(unknown). List the learners to revoke them.
      - With O(lab) and nobody listed, V(absent) fails if O(lease_store) is an empty file in a job of a runner that
        usually deletes files, since the lab was probably started with another one.
    type: str
    choices: [present, absent]
    default: present
  terminate_sessions:
    description:
      - Whether the sessions that a revoked stream URL has started are ended too, with O(state=absent),
        O(withdraw_removed) or another generation. With V(false), they run until they end on their own, at most for
        O(session_length), and are billed.
      - Sessions of a stream URL that was replaced, with O(force) or for lack of uses or time, always continue.
    type: bool
    default: false
  force:
    description:
      - Create new stream URLs even if leases are reusable, and revoke the previous ones. Sessions that these have
        started continue.
      - If several runs do that at the same time, one stream URL is left for each learner. A run that has not ended
        when another one revokes its stream URL fails for that learner.
    type: bool
    default: false
  recover:
    description:
      - Whether to search the stream URLs of the stream group for those of learners whose leases are not stored, because
        the lease store was lost or emptied.
      - They are found by their description, which is a hash of the lab, the learner and what the stream URL opens. So
        O(lab) must be the same. The newest one that has the requested settings, uses and time is stored again.
      - Any others with the same description are returned as RV(duplicates).
      - With O(lease_store=none), they are found in every run, and not stored.
      - How often a link was replaced was stored with the leases. If a learner has a stream URL of a later C(generation)
        than the one that is given, and no lease uses it, the module warns and names that generation. Those of earlier
        ones are revoked.
    type: bool
    default: false
  revoke_duplicates:
    description:
      - Whether RV(duplicates) are revoked. The sessions that they have started continue.
      - Only with O(recover=true).
    type: bool
    default: false
  purge:
    description:
      - With O(state=absent), also remove the records of the leases. For somebody who is listed without O(application)
        and O(locations), these are all leases on the stream group, whatever they open.
      - Otherwise a record is kept until 30 days after the stream URL expired. It says who got which stream URL and
        when.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    details:
      - Everything but creating, revoking and storing is done. What is not known yet is V(null) in RV(stream_urls).
  diff_mode:
    support: full
    details:
      - Shows learners and when their stream URLs expire, never a URL.
  idempotent:
    support: partial
    details:
      - Not with O(force=true), nor with O(lease_store=none) unless O(recover=true).
      - A lease is renewed once less than O(min_remaining) or O(min_remaining_uses) is left of it.
notes:
  - Up to 20 leases are verified one by one (GetStreamUrl). For more, the stream URLs of the stream group are listed
    once (ListStreamUrls, 100 in each call). Without the permission to list, the module warns and verifies one by one.
seealso:
  - module: labstream.aws.streaming_handout
  - module: labstream.aws.streaming_rotation
  - module: labstream.aws.gamelift_stream_group
  - module: labstream.aws.gamelift_stream_url_info
  - module: labstream.aws.appstream_streaming_url
  - name: CreateStreamUrl
    description: The API operation that creates a stream URL.
    link: https://docs.aws.amazon.com/gameliftstreams/latest/apireference/API_CreateStreamUrl.html
extends_documentation_fragment:
  - labstream.aws.lease
  - labstream.aws.lease.store
  - labstream.aws.attributes
  - labstream.aws.attributes.lease_group
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - labstream.aws.requirements.gamelift
"""

EXAMPLES = r"""
# Note: These examples set neither authentication details nor the region, see the AWS Guide for details.

# The URLs stay at the service, where labstream.aws.streaming_handout gets them.
- name: Create stream URLs that are valid until the end of a lab, without returning them
  labstream.aws.gamelift_stream_url:
    stream_group: sg-1AB2C3De4
    application: a-9ZY8X7Wv6
    locations: [eu-central-1]
    learners:
      - id: "4711"
        name: Anna Example
        email: anna@example.org
      - id: "4712"
        name: Ben Example
    valid_until: "2026-11-21T17:00:00+01:00"
    lab: simulation-2026-11-21
    return_urls: false
  register: lab_urls

- name: Create one stream URL for a demonstration, with a session of ten minutes
  labstream.aws.gamelift_stream_url:
    stream_group: sg-1AB2C3De4
    application: a-9ZY8X7Wv6
    locations: [eu-central-1, eu-west-1]
    learner: visitor
    expires_after_minutes: 30
    usage_limit: 1
    session_length: 600
    launch_args: ["--scene", "bridge"]
    resolution: 1280x720
  register: demonstration
  no_log: true # a stream URL is a password

- name: Recover the stream URLs of a lab after the lease store was lost
  labstream.aws.gamelift_stream_url:
    stream_group: sg-1AB2C3De4
    application: a-9ZY8X7Wv6
    locations: [eu-central-1]
    learners: ["4711", "4712"]
    valid_until: "2026-11-21T17:00:00+01:00"
    lab: simulation-2026-11-21
    recover: true
    return_urls: false

- name: Revoke all stream URLs of a lab, and end their sessions
  labstream.aws.gamelift_stream_url:
    stream_group: sg-1AB2C3De4
    lab: simulation-2026-11-21
    state: absent
    terminate_sessions: true

- name: Revoke all stream URLs of a lab whose lease store was lost
  labstream.aws.gamelift_stream_url:
    stream_group: sg-1AB2C3De4
    application: a-9ZY8X7Wv6
    locations: [eu-central-1]
    learners: ["4711", "4712"]
    lab: simulation-2026-11-21
    state: absent
"""

RETURN = r"""
stream_urls:
  description:
    - The stream URLs, in the order in which they were asked for. Empty with O(state=absent).
    - In a failed result every URL is V(null). What was created is stored, unless O(lease_store=none), and the next run
      returns it.
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: The learner's id that was given.
      type: str
      returned: always
      sample: "4711"
    name:
      description: The learner's name that was given. V(null) if none.
      type: str
      returned: always
      sample: Anna Example
    email:
      description: The learner's e-mail address that was given. V(null) if none.
      type: str
      returned: always
      sample: anna@example.org
    stream_url_id:
      description: The id of the stream URL. V(null) if there is none.
      type: str
      returned: always
      sample: su-1AB2C3De4
    stream_url:
      description:
        - The URL. It is a password.
        - V(null) if it would be created (check mode) or could not be created, and always if O(return_urls=false) or the
          task failed.
      type: str
      returned: always
      sample: https://gameliftstreams.aws.com/su-1AB2C3De4/stream?token=EXAMPLE
    status:
      description: The status of the stream URL. V(null) if there is none.
      type: str
      returned: always
      sample: ACTIVE
    status_reason:
      description: The service's reason for the status. V(null) if there is none.
      type: str
      returned: always
      sample: null
    expires:
      description: When the stream URL expires, in UTC. V(null) if there is none.
      type: str
      returned: always
      sample: "2026-11-21T16:00:00Z"
    remaining_uses:
      description: How many more sessions the stream URL can start. V(null) if there is none.
      type: int
      returned: always
      sample: 5
    sessions:
      description: How many sessions the stream URL has started. V(null) if there is none.
      type: int
      returned: always
      sample: 0
    issued:
      description: Whether this run created the stream URL, even if it then failed, or would create it in check mode.
      type: bool
      returned: always
      sample: true
    lease:
      description:
        - The key of the lease, the same in every run. M(labstream.aws.streaming_handout) finds the stream URL by it.
        - It is opaque.
      type: str
      returned: always
      sample: lease1.WyJnYW1lbGlmdHN0cmVhbXN8RVhBTVBMRSIsIjQ3MTEiLCIiXQ
failures:
  description: The learners who got no stream URL, or whose stream URL could not be revoked, and why.
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: The learner's id that was given. V(null) if none was.
      type: str
      returned: always
      sample: "4712"
    name:
      description: The learner's name that was given. V(null) if none.
      type: str
      returned: always
      sample: Ben Example
    email:
      description: The learner's e-mail address that was given. V(null) if none.
      type: str
      returned: always
      sample: null
    code:
      description: The service's error code, or this collection's name for the kind of error.
      type: str
      returned: always
      sample: ServiceQuotaExceededException
    message:
      description: The reason.
      type: str
      returned: always
      sample: >-
        Failed to create a stream URL: ServiceQuotaExceededException (too many stream URLs): revoke stream URLs that are
        no longer needed, or request a quota increase (Service Quotas), then run again.
summary:
  description: The task in numbers.
  returned: always
  type: dict
  contains:
    requested:
      description: How many stream URLs, or leases to release, were asked for.
      type: int
      returned: always
      sample: 30
    issued:
      description: How many stream URLs were created, or would be in check mode.
      type: int
      returned: always
      sample: 2
    reused:
      description: How many leases were reused, or recovered.
      type: int
      returned: always
      sample: 27
    failed:
      description: How many learners RV(failures) has.
      type: int
      returned: always
      sample: 1
    released:
      description: How many leases were released, or would be in check mode.
      type: int
      returned: always
      sample: 0
    earliest_expiry:
      description: When the first of the stream URLs expires, in UTC. V(null) if there is none.
      type: str
      returned: always
      sample: "2026-11-21T16:00:00Z"
recovered:
  description:
    - The ids of the stream URLs that were found with O(recover=true), and stored again unless O(lease_store=none), or
      would be in check mode.
  returned: always
  type: list
  elements: str
  sample: []
revoked:
  description: The ids of the stream URLs that were revoked, or would be in check mode as far as that is known.
  returned: always
  type: list
  elements: str
  sample: []
duplicates:
  description:
    - The ids of other V(ACTIVE) stream URLs of the learners that open the same, as far as the stream URLs were listed.
      They always are with O(recover=true), which also includes those of a later C(generation) than the one that is
      given, unless a stored lease uses them.
  returned: always
  type: list
  elements: str
  sample: []
unknown:
  description:
    - The ids of the stream URLs that seem to belong to O(lab), by the beginning of their descriptions, and that still
      work or have sessions to end, but that nothing is stored about. The module warns about them. They are of learners
      who are not listed, open something else, or are of a lab with a similar name in another lease store.
    - Without O(lab), those of the listed learners that were created in a lab about which nothing is stored for them, as
      after the lease store was lost. They are found if the lab's name has up to 30 letters, digits and C(_.!+@-).
    - Only with O(state=absent). Otherwise empty, as if the stream URLs could not be listed.
  returned: always
  type: list
  elements: str
  sample: []
capacity:
  description:
    - How many sessions the stream group can have at once at O(locations), and how many the learners can start. V(null)
      with O(state=absent).
    - If there are fewer than learners, the module warns. If there are fewer than C(max_needed), those who open their
      URL several times at once can keep others from starting a session.
  returned: always
  type: dict
  contains:
    sessions:
      description: How many sessions the stream group can have at once at O(locations).
      type: int
      returned: always
      sample: 60
    needed:
      description: One session for each learner.
      type: int
      returned: always
      sample: 30
    max_needed:
      description: One session for each use of each learner, by O(usage_limit).
      type: int
      returned: always
      sample: 150
leases:
  description: The leases that O(state=absent) was asked to release. Empty with O(state=present).
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: The learner's id that was given for O(lab). V(null) if none was.
      type: str
      returned: always
      sample: "4713"
    learner:
      description: The learner, as the lease store has the id.
      type: str
      returned: always
      sample: "4713"
    lease:
      description: The key of the lease.
      type: str
      returned: always
      sample: lease1.WyJnYW1lbGlmdHN0cmVhbXN8RVhBTVBMRSIsIjQ3MTEiLCIiXQ
    expires:
      description: When the stream URL expires, in UTC. V(null) if none was issued.
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
      description: The other labs that still have a lease of the learner here.
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
    - simulation-2026-11-21
removed:
  description:
    - The learners of O(lab) who are not listed any more. With O(withdraw_removed), their stream URLs were revoked and
      their leases released, or would be in check mode. Empty with O(state=absent).
  returned: always
  type: list
  elements: dict
  contains:
    id:
      description: The learner's id that was given then.
      type: str
      returned: always
      sample: "4713"
    learner:
      description: The learner, as the lease store has the id.
      type: str
      returned: always
      sample: "4713"
    lease:
      description: The key of the lease.
      type: str
      returned: always
      sample: lease1.WyJnYW1lbGlmdHN0cmVhbXN8RVhBTVBMRSIsIjQ3MTEiLCIiXQ
    expires:
      description: When the stream URL expires, in UTC. V(null) if none was issued.
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
      description: The other labs that have another lease of the learner.
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
    - The other labs on this stream group that are under way or have yet to start, with O(state=absent) and O(lab). The
      next one is first. Otherwise empty.
  returned: always
  type: list
  elements: dict
  contains:
    lab:
      description: The name of the lab.
      type: str
      returned: always
      sample: driving-2026-11-21
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
stream_group_arn:
  description:
    - The stream group's ARN. V(null) if the task failed before it was known, or if the stream group no longer exists
      and nothing is stored of it.
  returned: always
  type: str
  sample: arn:aws:gameliftstreams:eu-central-1:123456789012:streamgroup/sg-1AB2C3De4
region:
  description: The region of the stream group. V(null) if the task failed before it was known.
  returned: always
  type: str
  sample: eu-central-1
scope:
  description:
    - The part of the lease store that has the leases of this stream group. V(null) as RV(stream_group_arn).
  returned: always
  type: str
  sample: >-
    gameliftstreams|aws|arn:aws:gameliftstreams:eu-central-1:123456789012:streamgroup/sg-1AB2C3De4
ansible_facts:
  description: Facts without any secret.
  returned: always
  type: dict
  contains:
    gamelift_stream_urls:
      description:
        - The learners of this task by their ids. An entry is one of RV(stream_urls) without URL, id, name and email.
      type: dict
      returned: always
      sample:
        "4711":
          expires: "2026-11-21T16:00:00Z"
          issued: true
          lease: lease1.WyJnYW1lbGlmdHN0cmVhbXN8RVhBTVBMRSIsIjQ3MTEiLCIiXQ
          remaining_uses: 5
          sessions: 0
          status: ACTIVE
          status_reason: null
          stream_url_id: su-1AB2C3De4
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.labstream.aws.plugins.module_utils._argspec import (
    lease_argument_spec,
    parse_starts_at,
    parse_timestamp,
    validate_lease_arguments,
)
from ansible_collections.labstream.aws.plugins.module_utils._client import ServiceClock
from ansible_collections.labstream.aws.plugins.module_utils._errors import (
    InvalidOption,
    list_names,
)
from ansible_collections.labstream.aws.plugins.module_utils._failures import find_bug, format_failures
from ansible_collections.labstream.aws.plugins.module_utils._gamelift import api as gamelift
from ansible_collections.labstream.aws.plugins.module_utils._gamelift import group_checks, validation
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.arguments import (
    HOLDER_OPTIONS,
    build_policy,
    parse_rows,
    parse_settings,
    validate_recovery,
)
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.ending import UrlEnder, add_generations
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.listing import Listing
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.states import ACTIVE
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.urls import (
    GroupUrls,
    UrlSettings,
    find_scope,
)
from ansible_collections.labstream.aws.plugins.module_utils._leases.lease import LeaseKey
from ansible_collections.labstream.aws.plugins.module_utils._leases.module import (
    IDENTITY,
    NO_LABS,
    LeaseTask,
    build_fact,
    identity_argument_spec,
)
from ansible_collections.labstream.aws.plugins.module_utils._leases.releasing import (
    Release,
    find_to_release,
    release,
)
from ansible_collections.labstream.aws.plugins.module_utils._leases.resource_issuer import ResourceIssuer
from ansible_collections.labstream.aws.plugins.module_utils._leases.reuse import ReusePolicy
from ansible_collections.labstream.aws.plugins.module_utils._leases.scheduler import Outcome
from ansible_collections.labstream.aws.plugins.module_utils._leases.scope import Scope
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.factory import open_lease_store
from ansible_collections.labstream.aws.plugins.module_utils._leases.summary import NO_SUMMARY
from ansible_collections.labstream.aws.plugins.module_utils._module import LabstreamAWSModule
from ansible_collections.labstream.aws.plugins.module_utils._text import describe_lost_text
from ansible_collections.labstream.aws.plugins.module_utils._time import to_iso8601
from ansible_collections.labstream.aws.plugins.module_utils._types import with_strict_types

FACT = "gamelift_stream_urls"
URL = "stream_url"

LEARNER_SPEC = with_strict_types({**identity_argument_spec(), "generation": dict(type="int", default=0)})

EMPTY_RESULT: dict[str, Any] = dict(
    changed=False,
    stream_urls=[],
    failures=[],
    summary=NO_SUMMARY,
    recovered=[],
    revoked=[],
    duplicates=[],
    unknown=[],
    capacity=None,
    **NO_LABS,
    other_labs=[],
    stream_group_arn=None,
    region=None,
    scope=None,
    ansible_facts={FACT: {}},
)


def parse_learners(params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the learners that the arguments name, each with all keys of an entry.

    Raises:
        InvalidOption: Names the entry, and quotes nothing of it but the id.
    """
    if params["learners"] == []:
        raise InvalidOption("learners is empty: name at least one learner.")
    if params["learner"] is not None:
        return [{**dict.fromkeys(IDENTITY), "id": params["learner"], "generation": 0}]
    learners = []
    for number, entry in enumerate(params["learners"] or (), start=1):
        given = entry if isinstance(entry, Mapping) else {"id": entry}
        problem = describe_lost_text(given.get("id"))
        if given.get("id") is None or problem:
            raise InvalidOption(f"The id in entry {number} of learners {problem or 'is missing: give one'}.")
        validated = ArgumentSpecValidator(LEARNER_SPEC).validate(dict(given))
        if validated.error_messages:
            raise InvalidOption(f"Entry {number} of learners is not valid: {validated.error_messages[0].rstrip('.')}.")
        learners.append(validated.validated_parameters)
    return learners


def check_group(
    task: LeaseTask, group: Mapping[str, Any], settings: UrlSettings, policy: ReusePolicy
) -> dict[str, int]:
    """Reject a stream group that cannot stream what is asked for, and warn about what does not keep it from that.

    Returns:
        Its capacity, as the result has it.

    Raises:
        NotReady: Says what is wrong and what to do.
        InvalidOption: ``valid_until`` has passed.
    """
    now = task.now()
    asked_until = now + timedelta(seconds=policy.validity_at(now))
    capacity = group_checks.build_capacity(group, settings.locations, len(task.given), settings.usage_limit)
    task.module.warn_all(
        group_checks.validate_can_stream(
            group, settings.application, settings.locations, may_wait=task.module.is_query
        ),
        group_checks.build_expiry_warning(group, policy.valid_until or asked_until),
    )
    # A role says so itself, since it knows in check mode what the capacity would be raised to.
    if not task.module.is_in_role:
        task.module.warn_all(group_checks.build_capacity_warning(group, settings.locations, capacity))
    return capacity


def find_earlier_keys(task: LeaseTask, settings: UrlSettings) -> list[LeaseKey]:
    """Return the keys of learners who have a later generation by now, in the generations before it."""
    return [
        LeaseKey.build(task.scope, row.holder, settings.build_purpose(generation))
        for row in task.given
        for generation in range(row.generation)
    ]


def build_generation_warning(task: LeaseTask, later: Mapping[LeaseKey, Iterable[int]]) -> str | None:
    """Return the warning about learners who have a stream URL of a later generation; None if nobody has."""
    if not later:
        return None
    named = [f"{task.rows[key].values['id']!r} of generation {max(found)}" for key, found in later.items()]
    text, them = "Links were replaced before the lease store was lost, and there are ACTIVE stream URLs for", "them"
    if len(named) == 1:
        text, them = "A link was replaced before the lease store was lost, and there is an ACTIVE stream URL for", "it"
    text = f"{text} {list_names(named)}"
    # A role says itself what to do about duplicates.
    if task.module.is_in_role:
        return f"{text}."
    return f"{text}: give this generation to recover {them}, or set revoke_duplicates to revoke {them}."


def build_unknown_warning(task: LeaseTask, unknown: Sequence[str]) -> str | None:
    """Return the warning about stream URLs that seem to belong to a lab that ends, but are not known, or None."""
    if not unknown:
        return None
    if len(unknown) == 1:
        found, them, whose, opens = "1 stream URL that works or has sessions seems", "it", "its learner", "it opens"
    else:
        found = f"{len(unknown)} stream URLs that work or have sessions seem"
        them, whose, opens = "them", "their learners", "they open"
    also = " too, or correct" if task.given else ", with"
    return (
        f"{found} to belong to lab {task.lab!r}, but nothing is stored about {them} ({list_names(unknown)}):"
        f" list {whose}{also} application, locations and what else {opens}, to revoke {them}."
    )


def build_labs_warning(labs: Mapping[str, str]) -> str | None:
    """Return the warning about stream URLs of labs that are not known, by their ids; None if there are none."""
    if not labs:
        return None
    text, them = f"{len(labs)} stream URLs of the listed learners that work or have sessions were", "them"
    if len(labs) == 1:
        text, them = "1 stream URL of the listed learners that works or has sessions was", "it"
    names = list_names(sorted(set(labs.values())), show=repr)
    return (
        f"{text} created in a lab about which nothing is stored for them ({names}): set lab to its name to revoke "
        f"{them}."
    )


def build_ender(
    task: LeaseTask, client: Any, find_labs: Callable[[], Mapping[LeaseKey, Iterable[str | None]]]
) -> UrlEnder:
    """Return what revokes stream URLs of the task.

    Args:
        task: The task.
        client: A client of GameLift Streams.
        find_labs: Returns the labs in which the stream URLs of a key may have been created, besides that of the task.
    """
    params = task.module.params
    terminate_sessions = params["terminate_sessions"]
    return UrlEnder(
        listing=build_listing(task, client, None if terminate_sessions else ACTIVE),
        terminate_sessions=terminate_sessions,
        lab=task.lab,
        find_labs=find_labs,
        now=task.now,
        concurrency=params["concurrency"],
    )


def build_listing(task: LeaseTask, client: Any, status: str | None) -> Listing:
    """Return the stream URLs of the task's stream group in this status, or all."""
    [arn] = Scope.parse(task.scope).arns
    return Listing(client, validation.get_id(arn), status, predicts=task.module.check_mode)


def describe_outcome(outcome: Outcome) -> dict[str, Any]:
    """Return what an entry of the result says of an outcome."""
    checked = outcome.resource
    stream_url = checked and checked.stream_url
    return {
        "stream_url_id": stream_url and stream_url.stream_url_id,
        URL: stream_url and stream_url.url,
        "status": stream_url and stream_url.status,
        "status_reason": stream_url and stream_url.status_reason,
        "expires": stream_url and to_iso8601(stream_url.expires_at),
        "remaining_uses": stream_url and stream_url.remaining_uses,
        "sessions": stream_url and stream_url.sessions,
    }


def find_in_use(outcomes: Sequence[Outcome]) -> dict[LeaseKey, str | None]:
    """Return the ids of the stream URLs that the task returns; None for those that check mode predicts.

    What the pending lease of another run has led to is not known in check mode, so it is left out.
    """
    return {
        outcome.key: outcome.lease and outcome.lease.resource_id
        for outcome in outcomes
        if outcome.lease
        or (outcome.issued and not outcome.failure and not (outcome.existing and outcome.existing.is_pending))
    }


def build_replacement_warning(outcomes: Sequence[Outcome], check_mode: bool) -> str | None:
    """Return the warning about stream URLs that were replaced though their leases looked reusable; None if none was."""
    reasons = [outcome.reason for outcome in outcomes if outcome.reason and outcome.issued and not outcome.failure]
    if not reasons:
        return None
    replaced = "would be replaced" if check_mode else "were replaced"
    said = list_names(reasons)
    if len(reasons) == 1:
        return f"A stream URL {replaced.replace('were', 'was')}: {said}."
    return f"{len(reasons)} stream URLs {replaced}: {said}."


def build_denial_warning(listings: Iterable[Listing]) -> str | None:
    """Return the warning about stream URLs that could not be listed; None if none of the listings was denied."""
    denial = next((listing.denial for listing in listings if listing.denial), None)
    if denial is None:
        return None
    return (
        f"{denial} Until then, stream URLs are looked up one by one, and those whose response was lost before they "
        "could be stored are not found."
    )


def create_urls(
    task: LeaseTask,
    client: Any,
    group: Mapping[str, Any],
    settings: UrlSettings,
    policy: ReusePolicy,
    starts_at: datetime | None,
    listings: list[Listing],
) -> Iterator[dict[str, Any]]:
    """Create the stream URLs of the task, or reuse those of its leases.

    Args:
        task: The task.
        client: A client of GameLift Streams.
        group: The stream group.
        settings: What the stream URLs are created with.
        policy: How long they must be valid.
        starts_at: When the lab starts.
        listings: Gets what revokes stream URLs.

    Yields:
        The parts of the result as they become known.

    Raises:
        NotReady: The stream group cannot stream what is asked for.
        InvalidOption: ``valid_until`` has passed.
        LeaseStoreError: The store failed.
        AnsibleGameLiftStreamsError: The stream URLs cannot be listed, and not for lack of the permission.
    """
    params = task.module.params
    yield dict(capacity=check_group(task, group, settings, policy))
    if task.module.is_query:
        # A role asks before it raises the capacity, and what fails for one learner is not to keep it from that.
        return
    urls = GroupUrls(
        listing=build_listing(task, client, ACTIVE),
        settings=settings,
        policy=policy,
        now=task.now,
        lab=params["lab"],
        find_labs=task.find_labs_of_leases,
        recovers=params["recover"],
    )
    listings.append(urls.listing)
    issuer = ResourceIssuer(
        store=task.store,
        service=urls,
        now=task.now,
        policy=policy,
        concurrency=params["concurrency"],
        force=params["force"],
        is_canceled=task.module.is_orphaned,
        directory=urls,
    )
    outcomes, joined = task.issue(issuer, policy, starts_at)
    issuing = task.describe_issuing(outcomes, joined=joined)
    yield issuing
    ender = build_ender(task, client, task.find_labs_of_leases)
    listings.append(ender.listing)
    ender.end_earlier(task.store, find_earlier_keys(task, settings), searches=params["recover"])
    removed = task.withdraw(ender.end)
    later = urls.find_later_generations(task.store, {key: row.generation for key, row in task.rows.items()})
    shared, entries = task.build_result(outcomes, describe_outcome, URL, issuing, removed=removed)
    duplicates = urls.find_duplicates(find_in_use(outcomes))
    duplicates.update({each: key for key, found in later.items() for ids in found.values() for each in ids})
    yield dict(
        shared,
        stream_urls=[{**entry, URL: None} for entry in entries],
        recovered=[str(outcome.lease.resource_id) for outcome in outcomes if outcome.recovered and outcome.lease],
        duplicates=sorted(duplicates),
        ansible_facts={FACT: {entry["id"]: build_fact(entry, URL) for entry in entries}},
    )
    if params["revoke_duplicates"]:
        replace(ender, terminate_sessions=False).end_all(duplicates)
    yield describe_revoked(listings)
    task.module.warn_all(
        build_denial_warning(listings),
        build_replacement_warning(outcomes, task.module.check_mode),
        build_generation_warning(task, later),
    )
    task.finish(outcomes, policy, recovers=params["recover"])
    finish(task.module, ender, {key: row.values for key, row in task.rows.items()})
    # Last: no failed result has a URL.
    yield dict(stream_urls=entries)


def revoke_urls(
    task: LeaseTask,
    client: Any,
    group: Mapping[str, Any] | None,
    settings: UrlSettings | None,
    listings: list[Listing],
) -> Iterator[dict[str, Any]]:
    """Revoke the stream URLs of the task, and release their leases. Those of a group that was deleted are gone.

    Args:
        task: The task.
        client: A client of GameLift Streams.
        group: The stream group; None if it was deleted.
        settings: What the stream URLs were created with; None if that is not given.
        listings: Gets what revokes stream URLs.

    Yields:
        The parts of the result as they become known.

    Raises:
        LeaseStoreError: The store failed.
        AnsibleGameLiftStreamsError: The stream URLs cannot be listed, and not for lack of the permission.
    """
    ender = None
    if group is not None and not task.module.is_query:
        ender = build_ender(task, client, lambda: find_labs(found))
        listings.append(ender.listing)
    if settings and task.rows:
        task = add_generations(task, settings, ender and ender.listing)
    found = find_to_release(task)
    if ender and (found.keys or task.rows):
        # Before leases are released: what is created from then on is not revoked.
        ender.listing.load()
    yield from release(task, found, ender.end if ender else lambda _keys, leases: leases)
    yield dict(other_labs=task.describe_other_labs(lambda scope: scope == task.scope))
    if ender is None:
        return
    if task.lab:
        used = {record.lease for record in found.labs.get_records(task.lab)}
        ender.end_unused(task.store, task.rows, used)
        stored = {lease.resource_id for lease in task.store.find(task.scope).values()}
        unknown = ender.find_unknown(task.lab, stored, used.intersection(record.lease for record in found.others))
        yield dict(unknown=unknown)
        # A role revokes them then, and says itself what is left.
        if not task.module.is_in_role:
            task.module.warn_all(build_unknown_warning(task, unknown))
    elif task.rows:
        labs = ender.find_of_labs(task.rows)
        yield dict(unknown=sorted(labs))
        task.module.warn_all(build_labs_warning(labs))
    yield describe_revoked(listings)
    task.module.warn_all(build_denial_warning(listings))
    ids = {record.lease: {"id": record.learner_id} for record in found.records}
    finish(task.module, ender, {**ids, **{key: row.values for key, row in task.rows.items()}})


def collect(result: dict[str, Any], parts: Iterable[Mapping[str, Any]], listings: Sequence[Listing]) -> None:
    """Update the result with its parts, and whatever fails, with the stream URLs that were revoked until then."""
    try:
        for known in parts:
            result.update(known)
    finally:
        result.update(describe_revoked(listings))


def describe_revoked(listings: Iterable[Listing]) -> dict[str, Any]:
    """Return what the result says of the stream URLs that were revoked."""
    revoked = sorted({stream_url_id for listing in listings for stream_url_id in listing.revoked})
    return {"revoked": revoked, **({"changed": True} if revoked else {})}


def find_labs(found: Release) -> dict[LeaseKey, set[str | None]]:
    """Return the labs in which the stream URLs of leases may have been created.

    Any may have been created by a run without a lab.
    """
    labs: dict[LeaseKey, set[str | None]] = {key: {None} for key in found.stored}
    for record in found.labs.records:
        labs.setdefault(record.lease, set()).add(record.lab)
    return labs


def finish(module: LabstreamAWSModule, ender: UrlEnder, identities: Mapping[LeaseKey, Mapping[str, Any]]) -> None:
    """Fail if a stream URL could not be revoked.

    Args:
        module: The module, with all of its result but what failed so.
        ender: What has revoked.
        identities: What failures say of learners, as far as they are known.
    """
    if not ender.failures:
        return
    failures = [
        {**dict.fromkeys(IDENTITY), **identities.get(key, {}), **failure._asdict()}
        for key, failure in ender.failures.items()
    ]
    summary = module.result["summary"]
    named = list({key.holder: failure for key, failure in ender.failures.items()}.items())
    module.fail_json(
        msg=f"The stream URLs of {len(named)} learner{'s' * (len(named) > 1)} could not be revoked, so the leases were "
        f"kept: {format_failures(named)}. Fix the problem, then run again.",
        bug=find_bug(ender.failures.values()),
        failures=[*module.result["failures"], *failures],
        summary={**summary, "failed": summary["failed"] + len(named)},
    )


def run(module: LabstreamAWSModule) -> None:
    """Validate the arguments before any call is made, then create or revoke."""
    params, result = module.params, module.result
    validate_lease_arguments(params, HOLDER_OPTIONS)
    validate_recovery(params)
    settings = parse_settings(params)
    rows = parse_rows(parse_learners(params), settings)
    valid_until = None if params["valid_until"] is None else parse_timestamp("valid_until", params["valid_until"])
    policy = build_policy(params, valid_until)
    starts_at = parse_starts_at(params, valid_until)
    client = gamelift.build_gamelift_client(module, params["concurrency"])
    clock = ServiceClock(client)
    now, create = clock.now, params["state"] == "present"
    with open_lease_store(module, create=create, service_now=clock.confirmed_now) as store:
        group = gamelift.get_stream_group(client, params["stream_group"])
        result.update(region=client.meta.region_name)
        if group is None and create:
            raise gamelift.missing_stream_group(client, params["stream_group"])
        scope = find_scope(client, group, params["stream_group"], store)
        result.update(stream_group_arn=scope and scope.arns[0], scope=scope and scope.to_text())
        task = LeaseTask(module, store, now, scope.to_text() if scope else "", rows, "learner")
        listings: list[Listing] = []
        parts = (
            create_urls(task, client, group, settings, policy, starts_at, listings)
            if create
            else revoke_urls(task, client, group, settings, listings)
        )
        collect(result, parts, listings)


def main() -> None:
    """Run the module."""
    LabstreamAWSModule(
        empty_result=EMPTY_RESULT,
        argument_spec=dict(
            stream_group=dict(type="str", required=True),
            application=dict(type="str"),
            locations=dict(type="list", elements="str"),
            learner=dict(type="str"),
            learners=dict(type="list", elements="raw"),
            expires_after_minutes=dict(type="int"),
            valid_until=dict(type="str"),
            starts_at=dict(type="str"),
            usage_limit=dict(type="int", default=5),
            min_remaining_uses=dict(type="int"),
            session_length=dict(type="int"),
            launch_args=dict(type="list", elements="str"),
            environment=dict(type="dict"),
            role_arn=dict(type="str"),
            resolution=dict(type="str"),
            terminate_sessions=dict(type="bool", default=False),
            recover=dict(type="bool", default=False),
            revoke_duplicates=dict(type="bool", default=False),
            **lease_argument_spec(),
        ),
        mutually_exclusive=[HOLDER_OPTIONS, ("expires_after_minutes", "valid_until")],
        required_if=[
            ("state", "present", HOLDER_OPTIONS, True),
            ("state", "absent", (*HOLDER_OPTIONS, "lab"), True),
        ],
    ).run(run)


if __name__ == "__main__":
    main()
