#!/usr/bin/python
# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: streaming_handout
version_added: 0.1.0
short_description: Write streaming URLs from the lease store to web pages and CSV files
description:
  - Reads the streaming URLs of the given seats from the lease store and writes them to files with mode 0600. These are
    a CSV file, a web page for each learner, or both. It can also write an overview of all seats for the instructor.
  - The lease store must be the one that the URLs were issued with. If that is a file, run this module on the same host
    and as the same user. The connection options are for a store in DynamoDB, and for seats of GameLift Streams and of
    Nimble Studio.
  - No URL passes through Ansible. So neither the task nor its registered result needs C(no_log), unless
    O(return_pages=true) or O(seats) contain URLs.
  - One task writes all files of a lab. A file is replaced atomically, and only if its content or its mode changes.
author:
  - labstream.aws contributors (@labstream)
options:
  state:
    description:
      - V(present) writes the handouts.
      - V(absent) ends the lab. All pages of O(lab), including those of learners who are not in O(seats), are replaced
        by one that says so, because learners have their addresses. O(urls_csv) and O(links_csv) are removed.
        O(overview_html) is written once more. Leases are not changed.
    type: str
    choices: [present, absent]
    default: present
  seats:
    description:
      - The seats to write, in this order, such as those that the role P(labstream.aws.appstream_lab#role) publishes.
        The entries of RV(labstream.aws.appstream_streaming_url#module:streaming_urls),
        RV(labstream.aws.gamelift_stream_url#module:stream_urls) and
        RV(labstream.aws.nimble_session_stream#module:streams) can be given, too. If they contain URLs, set C(no_log) on
        the task, since Ansible may log its arguments.
      - Each seat is a dict with the keys C(lease) and, optionally, C(id), C(name), C(email), C(generation) and
        C(language). Other keys are ignored.
      - C(lease) says which lease the URL belongs to. It may be null in check mode only, for a URL that has not been
        issued yet. With O(allow_missing=true), it may also be missing, as in a row of a roster. The page of such a
        learner keeps showing the same lease as before.
      - C(id) identifies the learner, and therefore the page. By default, it is the holder of the lease.
        Learners are compared without regard to case and invisible characters.
      - C(generation) is an integer. If it increases, the learner gets another page, and the previous one says so for
        good. A seat with a lower generation, or without one, keeps the learner's current page.
      - C(language) is the language of the learner's page, instead of O(language).
      - With O(state=absent), these may be the rows of a roster. They are only needed for the names in O(overview_html),
        which are never stored, and for the languages of the pages.
      - URLs of GameLift Streams and of Nimble Studio are never stored, so each task requests them from the service. For
        GameLift Streams, that needs botocore 1.43.59 and the permission C(gameliftstreams:GetStreamUrl), in the region
        of the stream group; with more than 20 seats, C(gameliftstreams:ListStreamUrls) saves calls. For Nimble Studio,
        O(region) and O(endpoint_url) must be those of the studio.
      - Required if O(state=present).
    type: list
    elements: dict
  urls_csv:
    description:
      - The path of a CSV file for the URLs. Its folder must exist.
      - Its columns are V(id), V(name), V(email), V(holder), V(expires) and V(streaming_url). The holder is the user id,
        the learner on GameLift Streams, or the session id.
      - A cell that a spreadsheet could run as a formula gets an apostrophe in front. So does a part of a cell after a
        semicolon, a tab or a line break.
      - At least one of O(urls_csv), O(pages_dir) and O(overview_html) is required.
    type: path
  pages_dir:
    description:
      - The path of a folder for the web pages of the learners. It must be for this lab only, since it is meant to be
        published, so the other files cannot be in it. It is created with mode 0700 if it is missing; its parent folder
        must exist.
      - A page has a button that opens the learner's URL, and shows until when it works. It needs no other file. The URL
        is not a link in it, so programs that follow links start no session.
      - Where each opening starts a new session, as in GameLift Streams, the page says so and how many openings there
        are in all, and the button asks first.
      - Its name is random and cannot be guessed. It is stored in O(lease_store), so it stays the same for each learner
        of O(lab), whichever host the task runs on. Send learners the address of their page, never a streaming URL.
    type: path
  overview_html:
    description:
      - The path of a web page for the instructor, with a table of all seats, and of the status and expiry of their
        URLs. It contains neither URLs nor names of pages.
      - Learners of O(lab) who were in an earlier task but are not in O(seats) are listed last, without their names.
      - The table can be sorted and, with more than 20 rows, searched. The page is always in English.
    type: path
  links_csv:
    description:
      - The path of a CSV file for sending learners the addresses of their pages. Its folder must exist.
      - Its columns are V(id), V(name), V(email) and V(page). The latter is the address of the page if O(base_url) is
        given, and the name of its file otherwise.
      - Requires O(pages_dir).
    type: path
  base_url:
    description:
      - The URL that O(pages_dir) is published at, such as V(https://labs.example.org/cad).
    type: str
  return_pages:
    description:
      - Whether to return the addresses of the pages. Whoever knows an address can open the learner's lab, so set
        C(no_log) on the task.
      - V(true) is rejected in a task with C(async), because Ansible keeps its result in a file with mode 0644.
    type: bool
    default: false
  lab:
    description:
      - The name of the lab, as given when the URLs were issued.
      - Required if O(pages_dir) or O(overview_html) is given, and if O(state=absent).
    type: str
  title:
    description:
      - The title of the pages. By default, it is O(lab).
    type: str
  contact:
    description:
      - Whom learners should ask for help, for the pages to show. By default, it is V(your instructor).
    type: str
  language:
    description:
      - The language of the learners' pages, such as V(de) or V(de-AT). There are texts in V(en), V(de), V(es) and
        V(fr), of which only those in English have been reviewed by native speakers.
      - In any other language, and for any text that is missing, pages are in English. See O(texts).
    version_added: 1.0.0
    type: str
    default: en
  texts:
    description:
      - "Texts that replace those of the learners' pages, by language and key, such as V({'de': {'open': 'Los'}})."
      - R(The guide,ansible_collections.labstream.aws.docsite.guide_handouts) lists the keys. A text must have the same
        words in braces as the one that it replaces.
    version_added: 1.0.0
    type: dict
  limits:
    description:
      - The limits of the fleet, as M(labstream.aws.appstream_fleet_info) returns them, for the learners' pages to show.
      - The keys are C(idle_disconnect_timeout_in_seconds), C(disconnect_timeout_in_seconds) and
        C(max_user_duration_in_seconds). V(0) and V(null) mean that there is no limit.
    version_added: 1.0.0
    type: dict
  starts_at:
    description:
      - When the lab starts, for the pages to show, as an ISO 8601 timestamp with an offset from UTC.
    type: str
  ends_at:
    description:
      - When the lab ends, for the pages to show, as an ISO 8601 timestamp with an offset from UTC.
    type: str
  allow_missing:
    description:
      - Whether seats may have no URL yet. Their pages then say that the lab is not ready and when it starts, and show
        the button as soon as there is a URL. So pages can be created, and their addresses sent, days ahead.
      - Otherwise, the task fails if a seat has no URL, and writes nothing.
    type: bool
    default: false
  purge:
    description:
      - With O(state=absent), also remove the names of the pages from the lease store. Otherwise they, and the ids of
        the learners, are kept for up to 150 days after the lab or the last task, whichever is later.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    details:
      - If a seat's URL would have been issued before this task, the task reports a change.
      - A learner's first page gets its name in a real run only.
  diff_mode:
    support: none
    details:
      - The files contain URLs.
  idempotent:
    support: full
    details:
      - A URL that has expired since the last run changes O(overview_html).
seealso:
  - module: labstream.aws.appstream_streaming_url
  - module: labstream.aws.gamelift_stream_url
  - module: labstream.aws.nimble_session_stream
  - ref: ansible_collections.labstream.aws.docsite.guide_handouts
    description: How to give pages and files to learners, and the texts of pages.
extends_documentation_fragment:
  - labstream.aws.lease.store
  - labstream.aws.attributes
  - labstream.aws.attributes.lease_group
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - labstream.aws.requirements
"""

EXAMPLES = r"""
- name: Issue the URLs of a lab
  ansible.builtin.include_role:
    name: labstream.aws.appstream_lab

- name: Write the URLs to a file for the instructor
  labstream.aws.streaming_handout:
    urls_csv: /srv/labs/cad-2026-11-21.csv
    seats: "{{ appstream_lab_seats }}"

- name: Write a page for each learner, and a list of their addresses
  labstream.aws.streaming_handout:
    lab: cad-2026-11-21
    title: Computer-aided design
    starts_at: "2026-11-21T13:00:00+01:00"
    ends_at: "2026-11-21T17:00:00+01:00"
    pages_dir: /srv/labs/cad-2026-11-21
    base_url: https://labs.example.org/cad-2026-11-21
    links_csv: /srv/labs/cad-2026-11-21-links.csv
    overview_html: /srv/labs/cad-2026-11-21.html
    seats: "{{ appstream_lab_seats }}"

- name: Write the pages days ahead, from the roster alone
  labstream.aws.streaming_handout:
    lab: cad-2026-11-21
    starts_at: "2026-11-21T13:00:00+01:00"
    pages_dir: /srv/labs/cad-2026-11-21
    allow_missing: true
    seats: "{{ lookup('ansible.builtin.file', 'participants.csv') | labstream.aws.roster }}"

- name: End the lab
  labstream.aws.streaming_handout:
    lab: cad-2026-11-21
    pages_dir: /srv/labs/cad-2026-11-21
    links_csv: /srv/labs/cad-2026-11-21-links.csv
    overview_html: /srv/labs/cad-2026-11-21.html
    # Optional: the names in the overview are never stored.
    seats: "{{ query('labstream.aws.roster', 'participants.csv') }}"
    state: absent

- name: Write the pages in German, with the limits of the fleet and a button of your own
  labstream.aws.streaming_handout:
    lab: cad-2026-11-21
    language: de
    texts:
      de:
        open: Zum CAD-Arbeitsplatz
    limits:
      idle_disconnect_timeout_in_seconds: 900
      disconnect_timeout_in_seconds: 600
    pages_dir: /srv/labs/cad-2026-11-21
    seats: "{{ appstream_lab_seats }}"
"""

RETURN = r"""
urls_csv:
  description: The absolute path of the CSV file. V(null) if O(urls_csv) is not given.
  returned: always
  type: str
  sample: /srv/labs/cad-2026-11-21.csv
summary:
  description: The numbers of seats and files.
  returned: always
  type: dict
  contains:
    requested:
      description: How many seats were given.
      type: int
      returned: always
      sample: 30
    missing:
      description: How many of them have no URL that works.
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
    - The holders of the leases of the seats without a URL that works, or the learners' ids if these are not known. If
      there are any, the task fails and writes nothing, unless O(allow_missing=true).
  returned: always
  type: list
  elements: str
  sample: []
pages:
  description:
    - The pages of the learners, in the order of the seats. They are as secret as the URLs.
  returned: success with O(state=present), if O(pages_dir) is given and O(return_pages=true)
  type: list
  elements: dict
  contains:
    id:
      description: The id of the learner.
      type: str
      sample: anna
    page:
      description:
        - The address of the page, or the name of its file if O(base_url) is not given.
        - V(null) in check mode if the learner has no page yet.
      type: str
      sample: https://labs.example.org/cad-2026-11-21/0f3d5c1b7a9e4826b1c0d2e4f6a8b9c7.html
"""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.labstream.aws.plugins.module_utils._argspec import (
    parse_timestamp,
    store_argument_spec,
    validate_after_start,
    validate_has_lease_store,
    validate_lab,
    validate_secret_result,
)
from ansible_collections.labstream.aws.plugins.module_utils._client import ServiceClock
from ansible_collections.labstream.aws.plugins.module_utils._errors import (
    InvalidOption,
    LeaseStoreError,
    list_names,
    quote,
)
from ansible_collections.labstream.aws.plugins.module_utils._failures import Failure, format_failures
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.api import SERVICE as GAMELIFT
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.api import build_gamelift_client
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.listing import Listing
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.states import ACTIVE
from ansible_collections.labstream.aws.plugins.module_utils._gamelift.urls import MAX_SINGLE_LOOK_UPS
from ansible_collections.labstream.aws.plugins.module_utils._handouts.files import HandoutError, write_files
from ansible_collections.labstream.aws.plugins.module_utils._handouts.handout import (
    Handout,
    Links,
    Seat,
    build_link,
    parse_seat,
)
from ansible_collections.labstream.aws.plugins.module_utils._handouts.pages import LIMITS, LabDetails, StreamingLink
from ansible_collections.labstream.aws.plugins.module_utils._handouts.paths import PATHS, validate_paths
from ansible_collections.labstream.aws.plugins.module_utils._handouts.texts import (
    DEFAULT,
    ENGLISH,
    Languages,
    is_language_tag,
)
from ansible_collections.labstream.aws.plugins.module_utils._leases.lease import Lease, LeaseKey
from ansible_collections.labstream.aws.plugins.module_utils._leases.scope import Scope
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.address import (
    DEFAULT_LEASE_STORE,
    SQLiteFile,
    parse_address,
)
from ansible_collections.labstream.aws.plugins.module_utils._leases.stores.factory import CONCURRENCY, open_lease_store
from ansible_collections.labstream.aws.plugins.module_utils._module import LabstreamAWSModule
from ansible_collections.labstream.aws.plugins.module_utils._nimble.api import SERVICE as NIMBLE
from ansible_collections.labstream.aws.plugins.module_utils._nimble.api import (
    build_nimble_client,
    get_streaming_session_stream,
)
from ansible_collections.labstream.aws.plugins.module_utils._time import to_iso8601
from ansible_collections.labstream.aws.plugins.module_utils._urls import is_web_url
from ansible_collections.labstream.aws.plugins.module_utils._validation import validate_given

EMPTY_RESULT: dict[str, Any] = dict(
    changed=False, missing=[], summary=dict(requested=0, missing=0, written=0), urls_csv=None
)
GetLink = Callable[[Lease], "StreamingLink | None"]


def open_nimble(module: LabstreamAWSModule, scope: Scope, count: int) -> tuple[Any, GetLink]:
    """Return a client of Nimble Studio, and what gets the link that it has for the lease of a stream.

    Raises:
        LabstreamError: the options do not say how to connect, or AWS's own endpoint did not answer.
    """
    [studio_id] = scope.names
    client = build_nimble_client(module, studio_id, CONCURRENCY)

    def get_link(lease: Lease) -> StreamingLink | None:
        stream = get_streaming_session_stream(client, studio_id, lease.key.holder, str(lease.resource_id))
        return build_link(lease.key, stream.url, stream.expires_at or lease.expires) if stream and stream.url else None

    return client, get_link


def open_gamelift(module: LabstreamAWSModule, scope: Scope, count: int) -> tuple[Any, GetLink]:
    """Return a client of GameLift Streams, and what gets the link that it has for the lease of a stream URL.

    Many are listed at once, where the credentials may do that.

    Raises:
        LabstreamError: botocore is too old, or a connection option is not valid.
    """
    [stream_group] = scope.names
    client = build_gamelift_client(module, CONCURRENCY, region=scope.region)
    listing = Listing(client, stream_group, ACTIVE)

    def get_link(lease: Lease) -> StreamingLink | None:
        stream_url_id = str(lease.resource_id)
        listed = listing.load() if count > MAX_SINGLE_LOOK_UPS else {}
        found = listed.get(stream_url_id) or listing.get(stream_url_id)
        return build_link(lease.key, found.url, found.expires_at, found.usage_limit) if found and found.url else None

    return client, get_link


# The services that return the URL of a lease at any time, by the provider of its scope.
SERVICES: dict[str, Callable[[LabstreamAWSModule, Scope, int], tuple[Any, GetLink]]] = {
    NIMBLE: open_nimble,
    GAMELIFT: open_gamelift,
}


def get_service_links(module: LabstreamAWSModule, leases: Sequence[Lease]) -> dict[LeaseKey, StreamingLink | None]:
    """Return the links that the services have for the leases; None for one without a URL that works.

    Raises:
        LabstreamError: the options do not say how to connect, or a call failed.
    """
    by_scope: dict[str, list[Lease]] = {}
    for lease in leases:
        by_scope.setdefault(lease.key.scope, []).append(lease)
    links: dict[LeaseKey, StreamingLink | None] = {}
    for text, same in by_scope.items():
        scope = Scope.parse(text)
        client, get_link = SERVICES[scope.provider](module, scope, len(same))
        clock = ServiceClock(client)
        with ThreadPoolExecutor(CONCURRENCY) as executor:
            found = list(executor.map(get_link, same))
        for lease, link in zip(same, found, strict=True):
            links[lease.key] = link if link and link.expires > clock.now() else None
    return links


def build_lab(params: Mapping[str, Any], languages: Languages) -> LabDetails:
    """Return the details that the pages show.

    Raises:
        InvalidOption: a timestamp, a limit or the language is not valid, or the lab ends before it starts.
    """
    starts_at, ends_at = (
        parse_timestamp(name, params[name]) if params[name] else None for name in ("starts_at", "ends_at")
    )
    validate_after_start("ends_at", ends_at, starts_at)
    limits = params["limits"] or {}
    for limit, seconds in limits.items():
        if limit not in LIMITS:
            raise InvalidOption(f"limits has {quote(limit)}, but its keys are {', '.join(LIMITS)}.")
        if seconds is not None and (not isinstance(seconds, int) or isinstance(seconds, bool) or seconds < 0):
            raise InvalidOption(f"limits has {quote(seconds)} as {limit}, but it must be a whole number, 0 or more.")
    if not is_language_tag(params["language"]):
        raise InvalidOption(f"language is {quote(params['language'])}, but it must be a language such as de.")
    language = languages.find(params["language"]) or ENGLISH
    title = params["title"] or params["lab"] or ""
    return LabDetails(title, starts_at, ends_at, params["contact"], limits, language)


def warn_of_languages(module: LabstreamAWSModule, languages: Languages, handout: Handout) -> None:
    """Warn of languages without texts."""
    default = module.params["language"]
    unknown = [*([] if languages.find(default) else [default]), *handout.find_unknown_languages()]
    if unknown and module.params["pages_dir"]:
        module.warn(
            f"There are no texts in {list_names(unknown, show=quote)}, so these pages are in "
            f"{quote(default if languages.find(default) else DEFAULT)}: give texts, or correct the language."
        )


def reject_misplaced_url(module: LabstreamAWSModule, handout: Handout, links: Links) -> None:
    """Reject a streaming URL where others than its learner would see it.

    Raises:
        InvalidOption: naming where it is.
    """
    if misplaced := handout.find_misplaced_url(links):
        what, url = misplaced
        module.hide([url])
        raise InvalidOption(f"{what} has a streaming URL in it, which other people would see: remove it.")


def validate_arguments(params: Mapping[str, Any], seats: Sequence[Seat]) -> None:
    """Reject what the argument spec cannot.

    Raises:
        InvalidOption: naming the value.
    """
    base_url = params["base_url"]
    if params["state"] == "present":
        validate_secret_result(params, "return_pages", "take the addresses from the file that links_csv names")
    validate_lab(params["lab"])
    validate_given(params, ["seats" if params["state"] == "present" else "lab"])
    validate_given(params, ["urls_csv", "pages_dir", "overview_html"])
    if base_url is not None and not is_web_url(base_url):
        raise InvalidOption(
            f"base_url is {quote(base_url)}, but it must be a URL that starts with https:// or http://."
        )
    if params["purge"] and params["state"] == "present":
        raise InvalidOption("purge is only for state=absent: set that too, or leave purge out.")
    if not params["pages_dir"] and not params["overview_html"]:
        return
    counts = Counter(seat.person for seat in seats)
    learner_id, count = next(iter(counts.most_common(1)), ("", 0))
    if count > 1:
        raise InvalidOption(
            f"Several seats belong to the learner {quote(learner_id)}, who has one page in a lab: write them in "
            "separate tasks, each with another lab."
        )


def run(module: LabstreamAWSModule) -> None:
    """Write the files that are not up to date.

    Raises:
        LabstreamError: an option or a seat is not valid, a seat has no URL, the store or a file cannot be used.
    """
    params, result = module.params, module.result
    given = params["seats"] or []
    module.hide(seat.get(key) for seat in given for key in ("streaming_url", "stream_url", "url"))
    summary = dict(requested=len(given), missing=0, written=0)
    paths = {option: os.path.abspath(params[option]) for option in PATHS if params[option]}
    result.update(urls_csv=paths.get("urls_csv"), summary=summary)
    validate_has_lease_store(params["lease_store"])
    is_present = params["state"] == "present"
    # In check mode, an earlier task only predicted the URLs of these.
    is_predicted = (
        is_present and module.check_mode and any(seat.get("issued") and not seat.get("expires") for seat in given)
    )
    may_lack_lease = params["allow_missing"] or is_predicted or not is_present
    seats = [parse_seat(seat, may_lack_lease=may_lack_lease) for seat in given]
    validate_arguments(params, seats)
    address = parse_address(params["lease_store"])
    validate_paths(paths, address.files if isinstance(address, SQLiteFile) else ())
    languages = Languages(params["texts"])
    lab = build_lab(params, languages)
    names_pages = is_present and bool(params["pages_dir"] or params["overview_html"])
    read_only = not names_pages and not params["purge"]
    with open_lease_store(module, create=names_pages, read_only=read_only) as store:
        handout = Handout(params, lab, languages, store, seats)
        warn_of_languages(module, languages, handout)
        if params["purge"] and handout.records:
            store.check("purge")
        records = handout.records
        if is_predicted:
            result["changed"] = True
        else:
            links: Links = {}
            if is_present:
                links = {**handout.get_stored_links(), **get_service_links(module, handout.get_resources())}
                result["missing"] = handout.find_missing(links)
                summary["missing"] = len(result["missing"])
                reject_missing(module, handout, links, result["missing"])
            reject_misplaced_url(module, handout, links)
            if names_pages:
                records = handout.remember(check_mode=module.check_mode)
            for _file in write_files(handout.build_files(records, links), check_mode=module.check_mode):
                summary["written"] += 1
                result["changed"] = True
        if params["purge"] and handout.records:
            try:
                purged = len(handout.records) if module.check_mode else handout.purge()
            except LeaseStoreError as e:
                result["changed"] |= e.changed > 0
                raise
            result["changed"] |= purged > 0
    if params["return_pages"] and is_present and params["pages_dir"]:
        result["pages"] = handout.get_pages(handout.records if module.check_mode else records)


def reject_missing(module: LabstreamAWSModule, handout: Handout, links: Links, missing: Sequence[str]) -> None:
    """Reject seats without a URL, unless they are allowed; then warn about URLs that may be good.

    Raises:
        HandoutError: naming them.
    """
    params, expired = module.params, handout.find_expired()
    last = max((lease.expires for lease in expired.values()), default=handout.now)
    has_expired = (
        f"the URL has expired (it was valid until {to_iso8601(last)}, and {handout.clock} says "
        f"{to_iso8601(handout.now)}): issue a new one, or correct that clock if it is wrong"
    )
    if missing and not params["allow_missing"]:
        has_none = (
            f"the lease store {params['lease_store'] or DEFAULT_LEASE_STORE} has no valid URL: issue it first, with "
            "the same lease_store; if that is a file, on this host and as this user"
        )
        is_gone = "the service has no URL that still works: issue a new one"
        known = {**dict.fromkeys(expired, has_expired), **{key.holder: is_gone for key in links if not links[key]}}
        reasons = [(name, Failure.from_error(HandoutError(known.get(name, has_none)))) for name in missing]
        raise HandoutError(f"{len(missing)} of {len(params['seats'])} seats have no URL: {format_failures(reasons)}.")
    # No service has said so, or the store would have wiped them.
    kept = [holder for holder, lease in expired.items() if lease.url]
    if kept:
        module.warn(f"{len(kept)} stored URLs are not handed out: {has_expired}.")


def main() -> None:
    """Run the module."""
    LabstreamAWSModule(
        empty_result=EMPTY_RESULT,
        argument_spec=dict(
            state=dict(type="str", choices=["present", "absent"], default="present"),
            seats=dict(type="list", elements="dict"),
            urls_csv=dict(type="path"),
            pages_dir=dict(type="path"),
            overview_html=dict(type="path"),
            links_csv=dict(type="path"),
            base_url=dict(type="str"),
            return_pages=dict(type="bool", default=False),
            lab=dict(type="str"),
            title=dict(type="str"),
            contact=dict(type="str"),
            language=dict(type="str", default=DEFAULT),
            texts=dict(type="dict"),
            # Without suboptions: ansible-core would raise a TypeError over false in place of a dict.
            limits=dict(type="dict"),
            starts_at=dict(type="str"),
            ends_at=dict(type="str"),
            allow_missing=dict(type="bool", default=False),
            purge=dict(type="bool", default=False),
            **store_argument_spec(),
        ),
        required_one_of=[("urls_csv", "pages_dir", "overview_html")],
        required_if=[("state", "present", ("seats",)), ("state", "absent", ("lab",))],
        required_by=dict(pages_dir=("lab",), overview_html=("lab",), links_csv=("pages_dir",)),
    ).run(run)


if __name__ == "__main__":
    main()
