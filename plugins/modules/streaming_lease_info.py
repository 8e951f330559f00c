#!/usr/bin/python
# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: streaming_lease_info
version_added: 0.1.0
short_description: Gather information about leases of streaming URLs
description:
  - Returns from the lease store who has a streaming URL, for what and until when. Nothing is issued.
  - Given a URL, returns whose it is, also when it has expired or was released. It is found by its SHA-256 hash.
  - Without options that select, all leases of the store are returned. In DynamoDB, this and a search without O(scope)
    read the whole table.
  - It calls no streaming service. Whether a URL still works is judged by the clock of the host that the task runs on.
author:
  - labstream.aws contributors (@labstream)
options:
  scope:
    description:
      - Only leases of this scope, as modules return it. It stands for a stack and fleet, a stream group or a studio.
    type: str
  holders:
    description:
      - Only leases of these holders. A holder is a user id of AppStream, the id of a learner on GameLift Streams or a
        session of Nimble Studio.
    type: list
    elements: str
  lab:
    description:
      - Only leases that this lab uses or used.
    type: str
  min_remaining:
    description:
      - Only leases whose URL works for at least this many more seconds. V(1) excludes all that do not work any more.
    type: int
  max_remaining:
    description:
      - Only leases whose URL works for at most this many more seconds, such as those to be renewed soon.
    type: int
  streaming_url:
    description:
      - Only the lease of this URL.
      - URLs of GameLift Streams and of Nimble Studio are not found, since nothing of them is stored, not even a hash.
      - Mutually exclusive with O(url_sha256).
    type: str
  url_sha256:
    description:
      - Only the lease of the URL with this SHA-256 hash, in hexadecimal.
      - Never give the URL itself here. That is what O(streaming_url) is for, which is kept out of logs.
    type: str
  return_urls:
    description:
      - Whether to return the URLs that still work. A URL is a password, so set C(no_log) on the task then.
      - V(true) is rejected in a task with C(async), because Ansible keeps its result in a file with mode 0644.
    type: bool
    default: false
seealso:
  - module: labstream.aws.appstream_streaming_url
  - module: labstream.aws.gamelift_stream_url_info
  - module: labstream.aws.nimble_session_stream
  - module: labstream.aws.streaming_handout
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

- name: List who has a URL for the lab that works for five more minutes
  labstream.aws.streaming_lease_info:
    lease_store: dynamodb://labstream-leases
    lab: cad-2026-11-21
    min_remaining: 300
  register: lab_leases

- name: Find whose URL was posted in a chat
  labstream.aws.streaming_lease_info:
    streaming_url: "{{ found_url }}"
  register: found
  # found.leases[0].holder is the user id

- name: Find all that is stored about a learner
  labstream.aws.streaming_lease_info:
    holders: [anna]
  register: leases_of_anna

- name: Remove it, on one stack and fleet
  labstream.aws.appstream_streaming_url:
    stack_name: cad-course
    fleet_name: cad-fleet
    user_id: anna
    state: absent
    purge: true
"""

RETURN = r"""
leases:
  description: The leases, ordered by scope, holder and purpose.
  returned: always
  type: list
  elements: dict
  contains:
    lease:
      description: The key of the lease, as the modules that issue return it.
      type: str
      returned: always
      sample: lease1.WyJhcHBzdHJlYW18RVhBTVBMRSIsImFubmEiLCIiXQ
    provider:
      description: V(appstream), V(gameliftstreams) or V(nimble).
      type: str
      returned: always
      sample: appstream
    scope:
      description: The part of the store that the lease is in.
      type: str
      returned: always
      sample: >-
        appstream|aws|arn:aws:appstream:eu-central-1:123456789012:stack/cad-course|arn:aws:appstream:eu-central-1:123456789012:fleet/cad-fleet
    holder:
      description: The user id of AppStream, the learner on GameLift Streams, or the session of Nimble Studio.
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
    labs:
      description: The labs that use it, or used it. Empty if none was named.
      type: list
      elements: str
      returned: always
      sample:
        - cad-2026-11-21
    issued:
      description:
        - When the URL was issued, in UTC; while RV(leases[].stream_id) is not known yet, when its creation began.
      type: str
      returned: always
      sample: "2026-11-21T13:00:00Z"
    expires:
      description: When the URL expires, in UTC.
      type: str
      returned: always
      sample: "2026-11-21T16:00:00Z"
    remaining:
      description:
        - How many more seconds the URL works. 0 if it has expired.
        - A URL that was released works until it expires, except for GameLift Streams, where it was revoked.
      type: int
      returned: always
      sample: 9000
    released_at:
      description: When the lease was released, in UTC. V(null) if it was not.
      type: str
      returned: always
      sample: null
    url_sha256:
      description: The SHA-256 hash of the URL. V(null) for GameLift Streams and Nimble Studio.
      type: str
      returned: always
      sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    stream_id:
      description:
        - The stream of Nimble Studio, or the stream URL of GameLift Streams, by its id.
        - V(null) for AppStream, and while it is being created.
      type: str
      returned: always
      sample: null
    streaming_url:
      description:
        - The URL, with O(return_urls=true), if it still works and was not released. It is a password.
        - Otherwise V(null), and always for Nimble Studio and GameLift Streams.
      type: str
      returned: always
      sample: null
labs:
  description: The labs that use these leases and have not ended, ordered by scope and name.
  returned: always
  type: list
  elements: dict
  contains:
    lab:
      description: The name of the lab.
      type: str
      returned: always
      sample: cad-2026-11-21
    scope:
      description: The scope of its leases. A lab in two scopes is listed twice.
      type: str
      returned: always
      sample: >-
        appstream|aws|arn:aws:appstream:eu-central-1:123456789012:stack/cad-course|arn:aws:appstream:eu-central-1:123456789012:fleet/cad-fleet
    starts_at:
      description: When it starts, in UTC. V(null) if it has started, or if that is not known.
      type: str
      returned: always
      sample: "2026-11-21T13:00:00Z"
    starts_in:
      description: In how many seconds it starts. 0 if it has started, or if that is not known.
      type: int
      returned: always
      sample: 1800
    ends_at:
      description: When it ends, in UTC.
      type: str
      returned: always
      sample: "2026-11-21T16:00:00Z"
summary:
  description: The leases in numbers.
  returned: always
  type: dict
  contains:
    leases:
      description: How many leases were found.
      type: int
      returned: always
      sample: 30
    working:
      description: How many of them have a URL that still works.
      type: int
      returned: always
      sample: 28
    released:
      description: How many of them were released.
      type: int
      returned: always
      sample: 1
    earliest_expiry:
      description: When the first of those that still work expires, in UTC. V(null) if none works.
      type: str
      returned: always
      sample: "2026-11-21T16:00:00Z"
"""

import re
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils._argspec import (
    store_argument_spec,
    validate_has_lease_store,
    validate_return_urls,
)
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption, quote
from ansible_collections.labstream.aws.plugins.module_utils._leases.lab_records import LabRecord, Labs, group_labs
from ansible_collections.labstream.aws.plugins.module_utils._leases.lease import (
    Lease,
    is_key_part,
    parse_purpose,
    to_sha256,
)
from ansible_collections.labstream.aws.plugins.module_utils._leases.scope import Scope
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.factory import open_lease_store
from ansible_collections.labstream.aws.plugins.module_utils._module import LabstreamAWSModule
from ansible_collections.labstream.aws.plugins.module_utils._time import to_iso8601, utc_now

EMPTY_RESULT: dict[str, Any] = dict(
    changed=False, leases=[], labs=[], summary=dict(leases=0, working=0, released=0, earliest_expiry=None)
)
SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


def get_remaining(lease: Lease, now: datetime) -> int:
    """Return for how many seconds from ``now`` on the lease's URL works; 0 while its resource is to be created."""
    return 0 if lease.is_pending else max(0, int((lease.expires - now).total_seconds()))


def is_selected(lease: Lease, labs: Collection[str], params: dict[str, Any], sha256: str | None, now: datetime) -> bool:
    """Return whether the options select the lease."""
    least, most, remaining = params["min_remaining"], params["max_remaining"], get_remaining(lease, now)
    return (
        (params["holders"] is None or lease.key.holder in params["holders"])
        and (params["lab"] is None or params["lab"] in labs)
        and (least is None or remaining >= least)
        and (most is None or remaining <= most)
        and (sha256 is None or lease.url_sha256 == sha256)
    )


def is_sha256(text: str | None) -> bool:
    """Return whether the text is a SHA-256 hash in hexadecimal."""
    return text is not None and SHA256.fullmatch(text.strip().lower()) is not None


def parse_sha256(params: dict[str, Any]) -> str | None:
    """Return the hash of the URL whose lease is asked for, None for any.

    Raises:
        InvalidOption: What is given as a hash is not one.
    """
    url, sha256 = params["streaming_url"], params["url_sha256"]
    if url is not None:
        if not url.strip():
            raise InvalidOption("streaming_url is empty: give the URL, or leave it out.")
        return to_sha256(url.strip())
    if sha256 is None:
        return None
    if not is_sha256(sha256):
        # It is not quoted, since it may be the URL.
        raise InvalidOption(
            "url_sha256 is not a SHA-256 hash: give its 64 hexadecimal digits, or the URL itself as streaming_url."
        )
    return sha256.strip().lower()


def validate_selection(params: dict[str, Any]) -> None:
    """Reject what selects no lease.

    Raises:
        InvalidOption: Names the values.
    """
    scope = params["scope"]
    if scope is not None and not is_key_part("scope", scope):
        raise InvalidOption(
            f"scope is {quote(scope)}, which is not a scope: give the scope that a module has returned, or leave it "
            "out."
        )
    least, most = params["min_remaining"], params["max_remaining"]
    for option, value in (("min_remaining", least), ("max_remaining", most)):
        if value is not None and value < 0:
            raise InvalidOption(f"{option} is {value}, but it must be 0 or more seconds.")
    if least is not None and most is not None and least > most:
        raise InvalidOption(f"min_remaining is {least} and max_remaining is {most}: no lease has both.")


def build_entry(lease: Lease, labs: Collection[str], now: datetime, return_urls: bool) -> dict[str, Any]:
    """Return a lease for the result."""
    return dict(
        lease=lease.key.to_text(),
        provider=Scope.parse(lease.key.scope).provider,
        scope=lease.key.scope,
        holder=lease.key.holder,
        **{"application_id": None, "session_context": None, **parse_purpose(lease.purpose)},
        labs=sorted(labs),
        issued=to_iso8601(lease.issued),
        expires=to_iso8601(lease.expires),
        remaining=get_remaining(lease, now),
        released_at=lease.released_at and to_iso8601(lease.released_at),
        url_sha256=lease.url_sha256,
        stream_id=lease.resource_id,
        streaming_url=lease.url if return_urls and get_remaining(lease, now) else None,
    )


def build_labs(records: Iterable[LabRecord], now: datetime) -> list[dict[str, Any]]:
    """Return the labs of these records, which have not ended, for the result."""
    labs: dict[tuple[str, str], list[LabRecord]] = {}
    for record in records:
        labs.setdefault((record.lease.scope, record.lab), []).append(record)
    entries = []
    for (scope, lab), found in sorted(labs.items()):
        starts_at = min(record.starts_at or now for record in found)
        entries.append(
            dict(
                lab=lab,
                scope=scope,
                starts_at=to_iso8601(starts_at) if starts_at > now else None,
                starts_in=max(0, int((starts_at - now).total_seconds())),
                ends_at=to_iso8601(max(record.ends_at for record in found)),
            )
        )
    return entries


def build_summary(leases: Sequence[Lease], now: datetime) -> dict[str, Any]:
    """Return the leases in numbers."""
    working = [lease for lease in leases if get_remaining(lease, now) > 0]
    earliest_expiry = min((lease.expires for lease in working), default=None)
    return dict(
        leases=len(leases),
        working=len(working),
        released=sum(lease.released_at is not None for lease in leases),
        earliest_expiry=earliest_expiry and to_iso8601(earliest_expiry),
    )


def run(module: LabstreamAWSModule) -> None:
    """Find the leases that are asked for."""
    params = module.params
    if not is_sha256(params["url_sha256"]):
        module.hide([params["url_sha256"]])  # It may be the URL.
    validate_has_lease_store(params["lease_store"])
    validate_return_urls(params)
    validate_selection(params)
    sha256 = parse_sha256(params)
    with open_lease_store(module, create=False, read_only=True) as store:
        existing = store.find(params["scope"])
        records = Labs(store, params["scope"]).records
        labs = group_labs((record.lease, record.lab) for record in records)
        now = store.now() or utc_now()
    leases = [existing[key] for key in sorted(existing) if is_selected(existing[key], labs[key], params, sha256, now)]
    selected = {lease.key for lease in leases}
    module.result.update(
        leases=[build_entry(lease, labs[lease.key], now, params["return_urls"]) for lease in leases],
        labs=build_labs([record for record in records if record.lease in selected and record.is_ahead(now)], now),
        summary=build_summary(leases, now),
    )


def main() -> None:
    """Run the module."""
    LabstreamAWSModule(
        empty_result=EMPTY_RESULT,
        argument_spec=dict(
            scope=dict(type="str"),
            holders=dict(type="list", elements="str"),
            lab=dict(type="str"),
            min_remaining=dict(type="int"),
            max_remaining=dict(type="int"),
            streaming_url=dict(type="str", no_log=True),
            url_sha256=dict(type="str"),
            return_urls=dict(type="bool", default=False),
            **store_argument_spec(),
        ),
        mutually_exclusive=[("streaming_url", "url_sha256")],
    ).run(run)


if __name__ == "__main__":
    main()
