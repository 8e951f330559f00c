#!/usr/bin/python
# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: streaming_handout
version_added: 0.1.0
short_description: Write the streaming URLs of a class for hand-out, to pages or to a file
description:
  - Reads the streaming URLs of the given seats from the lease store, and writes them for hand-out with mode 0600, as a
    CSV file, as one web page per learner, or both. It also writes a table of all seats for the instructor.
  - The store must be the one that the URLs were issued with. If that is a file, run this module on the same host and
    as the same user. The options to connect to AWS are for a store in DynamoDB, and for seats of Nimble Studio.
  - No URL passes through Ansible, so neither the task nor what it registers needs C(no_log), but with
    O(return_pages=true).
  - All files of a class are written in one task. A file is replaced in one step, and only if its content or its mode
    changes.
author:
  - labstream.aws contributors (@labstream)
options:
  state:
    description:
      - V(present) writes the hand-outs.
      - V(absent) ends the class. All pages of O(lab), also of learners who are not in O(seats), are replaced by one
        that says so, since their addresses were mailed. O(dest) and O(links) are removed. O(overview) is written once
        more. The leases are left alone.
    type: str
    choices: [present, absent]
    default: present
  seats:
    description:
      - The seats to write, in this order, such as those that the role P(labstream.aws.appstream_lab#role) publishes.
      - Each is a dict with C(scope) and C(seat), and with C(application_id) and C(session_context) if the URL has them.
        C(learner), C(name) and C(email) are copied to the files. Other keys are left alone.
      - What identifies a learner, and with that the page, is C(learner), or C(seat) if that is missing. With a higher
        C(generation), a whole number, the learner gets a page with another name, and the page before says so. It never
        comes to life again. A seat with a lower generation, or with none, keeps the page that the learner has.
      - The URLs of seats of Nimble Studio are never stored, so the service is asked for them. Such a seat needs its
        C(studio_id), and O(region) and O(endpoint_url) must be those of the studio.
      - With O(allow_missing=true), C(scope) and C(seat) may be missing too. What the learner's page showed before is
        shown again.
      - Required with O(state=present).
    type: list
    elements: dict
  dest:
    description:
      - A CSV file with the URLs. Its folder must exist.
      - Its columns are V(learner), V(name), V(email), V(seat), V(expires) and V(streaming_url).
      - A cell that a spreadsheet would take for a formula gets an apostrophe in front.
      - At least one of O(dest), O(pages) and O(overview) is required.
    type: path
  pages:
    description:
      - A folder of this class alone, for one web page per learner. It is made with mode 0700 if it is missing. The
        folder above it must exist. The other files must not be in it, since it is there to be published.
      - A page has a button that opens the learner's URL, and tells until when it works. It needs no other file.
      - Its name is a random one that nobody can guess. It is remembered in O(lease_store), so it stays the same for the
        learner of this O(lab), on whatever host the task runs. So what is mailed to a learner is the address of the
        page, and never a streaming URL.
    type: path
  overview:
    description:
      - A web page for the instructor, with a table of the seats, what became of their URLs and until when they work. It
        has no URL and no page's name in it.
      - Learners of O(lab) whom an earlier task has written are in it too, after those of O(seats), without their names.
    type: path
  links:
    description:
      - A CSV file of what to mail. Its columns are V(learner), V(name), V(email) and V(page), which is the address of
        the page if O(base_url) is given, and its file's name otherwise. Its folder must exist.
      - Requires O(pages).
    type: path
  base_url:
    description:
      - The address at which the folder O(pages) is published, such as V(https://labs.example.org/cad).
    type: str
  return_pages:
    description:
      - Whether the result has the names of the pages. Whoever knows one gets to the URL, so set C(no_log) on the task.
    type: bool
    default: false
  lab:
    description:
      - The name of the class, as the URLs were issued for. Required with O(pages), with O(overview) and with
        O(state=absent).
    type: str
  title:
    description:
      - The title of the pages. By default O(lab).
    type: str
  contact:
    description:
      - Whom learners ask for help, as the pages say it. By default V(your instructor).
    type: str
  starts_at:
    description:
      - When the class starts, for the pages to tell, as ISO 8601 with an offset from UTC.
    type: str
  ends_at:
    description:
      - When the class ends, for the pages to tell, as ISO 8601 with an offset from UTC.
    type: str
  allow_missing:
    description:
      - Whether seats may have no URL. Their pages then say that the lab is not ready yet, and when the class starts,
        and look for the URL by themselves. So pages can be made, and their addresses mailed, days ahead.
      - Otherwise the task fails if a seat has none, and writes nothing.
    type: bool
    default: false
  purge:
    description:
      - With O(state=absent), forget the names of the pages too. Else they are remembered for up to 150 days after the
        class or the last task, whichever is later, and with them who the learners are.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    details:
      - A seat whose URL would have been issued before this task is taken as one that changes a file.
      - A learner's first page gets its name in the real run only.
  diff_mode:
    support: none
    details:
      - The files consist of URLs.
  idempotent:
    support: full
    details:
      - A URL that has expired since changes the O(overview).
seealso:
  - module: labstream.aws.appstream_streaming_url
  - module: labstream.aws.nimble_session_stream
extends_documentation_fragment:
  - labstream.aws.lease.store
  - labstream.aws.attributes
  - labstream.aws.attributes.action_group
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Give the class its URLs
  ansible.builtin.include_role:
    name: labstream.aws.appstream_lab

- name: Write them to a file for the instructor
  labstream.aws.streaming_handout:
    dest: /srv/labs/cad-2026-11-21.csv
    seats: "{{ appstream_lab_seats }}"

- name: Write a page for each learner, and what to mail
  labstream.aws.streaming_handout:
    lab: cad-2026-11-21
    title: Computer-aided design
    starts_at: "2026-11-21T13:00:00+01:00"
    ends_at: "2026-11-21T17:00:00+01:00"
    pages: /srv/labs/cad-2026-11-21
    base_url: https://labs.example.org/cad-2026-11-21
    links: /srv/labs/cad-2026-11-21-links.csv
    overview: /srv/labs/cad-2026-11-21.html
    seats: "{{ appstream_lab_seats }}"

- name: Make the pages days ahead, of the roster alone
  labstream.aws.streaming_handout:
    lab: cad-2026-11-21
    starts_at: "2026-11-21T13:00:00+01:00"
    pages: /srv/labs/cad-2026-11-21
    allow_missing: true
    seats: "{{ lookup('ansible.builtin.file', 'participants.csv') | labstream.aws.roster }}"

- name: Have all pages say that the class has ended
  labstream.aws.streaming_handout:
    lab: cad-2026-11-21
    pages: /srv/labs/cad-2026-11-21
    links: /srv/labs/cad-2026-11-21-links.csv
    state: absent
"""

RETURN = r"""
dest:
  description: The CSV file. V(null) if none was asked for.
  returned: always
  type: str
  sample: /srv/labs/cad-2026-11-21.csv
summary:
  description: The task in numbers.
  returned: always
  type: dict
  contains:
    requested:
      description: How many seats were given.
      type: int
      returned: always
      sample: 30
    missing:
      description: How many of them have no URL in the lease store.
      type: int
      returned: always
      sample: 0
    written:
      description: How many files were written or removed, or would be in check mode.
      type: int
      returned: always
      sample: 32
missing:
  description:
    - The seats that have no URL in the lease store. If there is any, and not O(allow_missing=true), the task fails and
      leaves the files alone.
  returned: always
  type: list
  elements: str
  sample: []
pages:
  description:
    - The pages of the learners, in the order of the seats; none with O(state=absent). They are as secret as the URLs.
  returned: success and O(return_pages=true)
  type: list
  elements: dict
  contains:
    learner:
      description: What identifies the learner.
      type: str
      sample: anna
    page:
      description:
        - The address of the page, or the name of its file without O(base_url).
        - V(null) in check mode if it has none yet.
      type: str
      sample: https://labs.example.org/cad-2026-11-21/0f3d5c1b7a9e4826b1c0d2e4f6a8b9c7.html
"""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace as replaced
from datetime import datetime, timezone
from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils._argspec import (
    parse_timestamp,
    store_argument_spec,
    validate_given,
    validate_has_lease_store,
    validate_lab,
)
from ansible_collections.labstream.aws.plugins.module_utils._errors import InvalidOption, quote
from ansible_collections.labstream.aws.plugins.module_utils._handouts.files import (
    HandoutError,
    validate_path,
    write_files,
)
from ansible_collections.labstream.aws.plugins.module_utils._handouts.handout import Handout, Seat, parse_seat
from ansible_collections.labstream.aws.plugins.module_utils._handouts.pages import LabClass, is_web_address
from ansible_collections.labstream.aws.plugins.module_utils._leases.lease import (
    Lease,
    LeaseKey,
    ResourceGrant,
    UrlGrant,
)
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.factory import CONCURRENCY, open_lease_store
from ansible_collections.labstream.aws.plugins.module_utils._module import LabstreamAWSModule
from ansible_collections.labstream.aws.plugins.module_utils._nimble.api import (
    build_nimble_client,
    get_streaming_session_stream,
)
from ansible_collections.labstream.aws.plugins.module_utils._time import to_iso8601

EMPTY_RESULT: dict[str, Any] = dict(
    changed=False, dest=None, missing=[], summary=dict(requested=0, missing=0, written=0)
)
PATHS = ("dest", "links", "overview", "pages")


def with_urls_of_streams(
    module: LabstreamAWSModule, seats: Iterable[Seat], leases: Mapping[LeaseKey, Lease], now: datetime
) -> dict[LeaseKey, Lease]:
    """The leases, those of streams of Nimble Studio with the URLs that the service tells.

    Raises:
        LabstreamError: a seat has no studio, the options do not say how to connect, or a call failed.
    """
    asked = {
        seat.key: seat.told.get("studio_id")
        for seat in seats
        if seat.key and (lease := leases.get(seat.key)) and lease.resource_id and lease.is_valid_at(now)
    }
    if not asked:
        return dict(leases)
    for key, studio_id in asked.items():
        if not isinstance(studio_id, str) or not studio_id:
            raise InvalidOption(
                f"Seat {quote(key.holder)} of Nimble Studio has no studio_id: pass on the seats as the role nimble_lab "
                "publishes them."
            )
    client = build_nimble_client(module, str(next(iter(asked.values()))), CONCURRENCY)

    def lease_of(key: LeaseKey) -> Lease:
        lease = leases[key]
        stream = get_streaming_session_stream(client, str(asked[key]), key.holder, str(lease.resource_id))
        expires = (stream and stream.expires_at) or lease.expires
        if stream is None or stream.url is None or expires <= now:
            return replaced(lease, grant=ResourceGrant(str(lease.client_token)))
        return replaced(lease, grant=UrlGrant.build(stream.url), expires=expires)

    with ThreadPoolExecutor(CONCURRENCY) as executor:
        return {**leases, **dict(zip(asked, executor.map(lease_of, asked), strict=True))}


def build_lab(params: Mapping[str, Any]) -> LabClass:
    """What the pages tell of the class.

    Raises:
        InvalidOption: a moment is none, or the class ends before it starts.
    """
    starts, ends = (parse_timestamp(name, params[name]) if params[name] else None for name in ("starts_at", "ends_at"))
    if starts and ends and ends <= starts:
        raise InvalidOption(
            f"ends_at is {to_iso8601(ends)}, which is not after starts_at, {to_iso8601(starts)}: correct one of them."
        )
    return LabClass(params["title"] or params["lab"] or "", starts, ends, params["contact"])


def validate_arguments(params: Mapping[str, Any], seats: Sequence[Seat]) -> None:
    """Refuse what the argument spec cannot.

    Raises:
        InvalidOption: naming the value.
    """
    base_url = params["base_url"]
    validate_lab(params["lab"])
    validate_given(params, ["seats" if params["state"] == "present" else "lab"])
    validate_given(params, ["dest", "pages", "overview"])
    if base_url is not None and not is_web_address(base_url):
        raise InvalidOption(
            f"base_url is {quote(base_url)}, but it must be an address of the web: let it start with https:// or http://."
        )
    if params["purge"] and params["state"] == "present":
        raise InvalidOption("purge is only for state=absent: set that too, or leave purge out.")
    validate_paths({option: os.path.abspath(params[option]) for option in PATHS if params[option]})
    if not params["pages"] and not params["overview"]:
        return
    counts = Counter(seat.place.learner_id for seat in seats)
    twice, count = next(iter(counts.most_common(1)), ("", 0))
    if count > 1:
        raise InvalidOption(
            f"Several seats are those of the learner {quote(twice)}, who has one page in a lab: give them to tasks of "
            "their own, each with another lab."
        )


def validate_paths(paths: Mapping[str, str]) -> None:
    """Refuse files in each other's place, or in the folder that is there to be published.

    Raises:
        InvalidOption: naming the option.
    """
    taken: dict[str, str] = {}
    for option, path in paths.items():
        if path in taken:
            raise InvalidOption(f"{option} and {taken[path]} are both {quote(path)}: name a place for each.")
        taken[path] = option
        if "pages" in paths and option != "pages" and path.startswith(os.path.join(paths["pages"], "")):
            raise InvalidOption(
                f"{option} is {quote(path)}, in the folder of the pages, which learners can read once it is published: "
                "name another folder."
            )


def run(module: LabstreamAWSModule) -> None:
    """Bring the files up to date.

    Raises:
        LabstreamError: an option is wrong, a seat is no seat or has no URL, the store or a file cannot be used.
    """
    params, result = module.params, module.result
    given = params["seats"] or []
    summary = dict(requested=len(given), missing=0, written=0)
    result.update(dest=params["dest"] and os.path.abspath(params["dest"]), summary=summary)
    validate_has_lease_store(params["lease_store"])
    is_present = params["state"] == "present"
    # In check mode, an earlier task only predicted these.
    foreseen = module.check_mode and any(seat.get("issued") and seat.get("expires") is None for seat in given)
    foreseen = foreseen and is_present
    may_lack_key = params["allow_missing"] or foreseen or not is_present
    seats = [parse_seat(seat, may_lack_key=may_lack_key) for seat in given]
    validate_arguments(params, seats)
    for option in PATHS:
        if params[option]:
            validate_path(os.path.abspath(params[option]), is_folder=option == "pages")
    lab, now = build_lab(params), datetime.now(timezone.utc)
    names_pages = is_present and bool(params["pages"] or params["overview"])
    with open_lease_store(module, now=lambda: now, create=names_pages) as store:
        handout = Handout(params, lab, store, seats, now)
        pages = handout.known
        if foreseen:
            result["changed"] = True
        else:
            if is_present:
                handout.leases = with_urls_of_streams(module, handout.seats, handout.leases, now)
                reject_missing(module, handout.missing())
            if names_pages:
                pages = handout.remember(check_mode=module.check_mode)
            for _file in write_files(handout.files(pages), check_mode=module.check_mode):
                summary["written"] += 1
                result["changed"] = True
        if params["purge"] and handout.known:
            result["changed"] = True
            if not module.check_mode:
                handout.purge()
    if params["return_pages"] and is_present and params["pages"]:
        result["pages"] = handout.addresses(handout.known if module.check_mode else pages)


def reject_missing(module: LabstreamAWSModule, missing: list[str]) -> None:
    """Tell the seats without a URL.

    Raises:
        HandoutError: there are some, and there may be none.
    """
    summary = module.result["summary"]
    module.result.update(missing=missing)
    summary["missing"] = len(missing)
    if missing and not module.params["allow_missing"]:
        named = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise HandoutError(
            f"The lease store {module.params['lease_store']} has no working URL for {len(missing)} of "
            f"{summary['requested']} seats ({named}): issue them first, with this lease_store; if it is a file, on "
            "this host and as this user."
        )


def main() -> None:
    """The module."""
    module = LabstreamAWSModule(
        empty_result=EMPTY_RESULT,
        argument_spec=dict(
            state=dict(type="str", choices=["present", "absent"], default="present"),
            seats=dict(type="list", elements="dict"),
            dest=dict(type="path"),
            pages=dict(type="path"),
            overview=dict(type="path"),
            links=dict(type="path"),
            base_url=dict(type="str"),
            return_pages=dict(type="bool", default=False),
            lab=dict(type="str"),
            title=dict(type="str"),
            contact=dict(type="str"),
            starts_at=dict(type="str"),
            ends_at=dict(type="str"),
            allow_missing=dict(type="bool", default=False),
            purge=dict(type="bool", default=False),
            **store_argument_spec(),
        ),
        required_one_of=[("dest", "pages", "overview")],
        required_if=[("state", "present", ("seats",)), ("state", "absent", ("lab",))],
        required_by=dict(pages=("lab",), overview=("lab",), links=("pages",)),
        supports_check_mode=True,
    )
    module.run(run)


if __name__ == "__main__":
    main()
