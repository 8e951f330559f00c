# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The handouts of a lab: from its seats, and what the lease store knows about them, to the content of files.

Pure: knows neither AWS nor Ansible, and writes no file.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from .._errors import InvalidOption, quote
from .._labs.learners import (
    LEARNERS,
    LearnerKey,
    LearnerRecord,
    find_learners,
    get_latest_keys,
    remember_learners,
    validate_generation,
    validate_learner_id,
)
from .._labs.person import INVISIBLE, normalise
from .._leases.lab_records import Labs
from .._leases.lease import Lease, LeaseKey
from .._leases.stores.base import LeaseStore, NoLeaseStore, find_now
from .._time import to_iso8601, utc_now
from .._urls import is_web_url
from .files import File, HandoutError
from .pages import LabDetails, OverviewRow, StreamingLink, build_final_page, build_learner_page, build_overview_page
from .texts import Languages

URL_COLUMNS = ("id", "name", "email", "holder", "expires", "streaming_url")
LINK_COLUMNS = ("id", "name", "email", "page")

# Where a spreadsheet takes a formula to start: at the start of a cell, or of a part of it if semicolons or tabs are
# delimiters. White space and invisible characters before it may be stripped. With Japanese and Chinese input,
# full-width and small forms of these characters start a formula too, and so may the minus sign.
_STRIPPED = rf"(?:[^\S\t\r\n]|[\0-\x08\x0e-\x1f\x7f]|{INVISIBLE.pattern})*"
_OPERATOR = "[=+\\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212]"
_FORMULA_START = re.compile(rf"^(?=[\t\r\n])|(?:^|(?<=[;\t\r\n]))(?={_STRIPPED}{_OPERATOR})")

# None for a lease whose URL the service no longer has.
Links = Mapping[LeaseKey, "StreamingLink | None"]
Records = Mapping[LearnerKey, LearnerRecord]


@dataclass(frozen=True)
class Seat:
    """A seat as it was given: a learner, and the lease and its holder as far as they are known."""

    learner_id: str
    name: Any
    email: Any
    holder: str
    lease: LeaseKey | None
    generation: int
    language: str | None = None

    @property
    def person(self) -> str:
        """The learner's id, folded as in the records."""
        return normalise(self.learner_id)


def parse_seat(given: Mapping[str, Any], *, may_lack_lease: bool) -> Seat:
    """Return the seat.

    Raises:
        InvalidOption: the seat has no lease, or a value is not valid.
    """
    text = given.get("lease")
    if text is None and not may_lack_lease:
        raise InvalidOption(
            "A seat has no lease: pass on the seats as a role of this collection publishes them, such as "
            "appstream_lab_seats."
        )
    lease = None if text is None else LeaseKey.parse(text)
    holder = lease.holder if lease else str(given.get("user_id") or given.get("session_id") or "")
    learner_id = holder if given.get("id") in (None, "") else str(given["id"])
    validate_learner_id(learner_id)
    generation = given.get("generation") or 0
    validate_generation(learner_id, generation)
    language = str(given.get("language") or "").strip() or None
    return Seat(learner_id, given.get("name"), given.get("email"), holder, lease, generation, language)


def build_link(key: LeaseKey, url: str, expires: datetime, usage_limit: int | None = None) -> StreamingLink:
    """Return the link of a lease, with how many openings it has if they are counted.

    Raises:
        HandoutError: the URL is not a web URL.
    """
    if not is_web_url(url):
        raise HandoutError(
            f"The URL of {quote(key.holder)} does not start with https or http: issue a new one with force=true."
        )
    return StreamingLink(url, expires, usage_limit)


def to_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the text of a CSV file with a header. What people fill in must have gone through ``escape_formula``."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def escape_formula(value: Any) -> str:
    """Return the text of a cell that no spreadsheet runs as a formula."""
    return _FORMULA_START.sub("'", "" if value is None else str(value))


class Handout:
    """The handouts of one task, over an open lease store.

    Attributes:
        records: What is stored of the lab's learners, if the handouts need pages.
        seats: The seats with the generation and the lease of their pages.
        leases: The stored leases that the handouts show.
        now: The time that a service has said to the store, else that of this host.
        clock: Whose time that is, for messages.

    Args:
        options: The options of the module streaming_handout.
        lab: The details that the pages show.
        languages: The languages that a learner's page can be in.
        store: The lease store.
        seats: The seats as they were given.

    Raises:
        LeaseStoreError: the store failed.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        lab: LabDetails,
        languages: Languages,
        store: LeaseStore,
        seats: Sequence[Seat],
    ) -> None:
        self._options, self._lab, self._languages, self._store = options, lab, languages, store
        self._has_ended = options["state"] == "absent"
        has_pages = bool(options["pages_dir"] or options["overview_html"])
        self.records: Records = find_learners(store, options["lab"]) if has_pages else {}
        self._latest = get_latest_keys(self.records)
        self.seats = [self._with_record(seat) for seat in seats]
        keys = {seat.lease for seat in self.seats if seat.lease}
        if options["overview_html"]:
            keys |= {record.lease for record in self.records.values() if record.lease}
        self.leases: Mapping[LeaseKey, Lease] = store.read(keys)
        given = dict.fromkeys(seat.lease for seat in self.seats)
        self._seat_leases = [self.leases[key] for key in given if key in self.leases]
        self.now = find_now(store, utc_now())
        self.clock = "the clock of the lease store" if store.now() else "the clock of this host"

    def get_resources(self) -> list[Lease]:
        """Return the leases of the seats whose URLs the service has. It knows better whether they have expired."""
        return [lease for lease in self._seat_leases if lease.resource_id and not lease.released_at]

    def find_expired(self) -> dict[str, Lease]:
        """Return the leases whose URLs have expired and were not released, by the holders of the seats."""
        return {
            lease.key.holder: lease
            for lease in self._seat_leases
            if lease.url_sha256 and not lease.released_at and lease.expires <= self.now
        }

    def get_stored_links(self) -> dict[LeaseKey, StreamingLink]:
        """Return the links of the seats whose URLs are in the store.

        Raises:
            HandoutError: a stored URL is not a web URL.
        """
        return {
            lease.key: build_link(lease.key, lease.url, lease.expires)
            for lease in self._seat_leases
            if lease.url is not None and lease.is_valid_at(self.now)
        }

    def find_missing(self, links: Links) -> list[str]:
        """Return the holders, or else the learners, of the seats without a link."""
        return [seat.holder or seat.learner_id for seat in self.seats if not _get_link(seat, links)]

    def find_unknown_languages(self) -> list[str]:
        """Return the languages of seats in which there is no text."""
        given = {seat.language for seat in self.seats if seat.language}
        return sorted(language for language in given if not self._languages.find(language))

    def find_misplaced_url(self, links: Links) -> tuple[str, str] | None:
        """Return which of the texts that files show has a streaming URL in it, and that URL; None if none has."""
        texts = [("The title of the lab", self._lab.title), ("The contact", self._lab.contact or "")]
        own = (self._options["texts"] or {}).values()
        texts += [("A text of the pages", text) for language in own for text in language.values()]
        for number, seat in enumerate(self.seats, 1):
            texts += [
                (f"The {what} of seat {number}", str(value))
                for what, value in (("id", seat.learner_id), ("name", seat.name), ("email", seat.email))
            ]
        suspects = [(what, text) for what, text in texts if "://" in text]
        urls = {link.url for link in links.values() if link} | {
            lease.url for lease in self.leases.values() if lease.url
        }
        return next(((what, url) for what, text in suspects for url in urls if url in text), None)

    def remember(self, *, check_mode: bool) -> Records:
        """Return the records of the seats' learners, whose pages get their names now; in check mode, only for now.

        Raises:
            LeaseStoreError: the store failed.
        """
        self._store.check()
        store = NoLeaseStore() if check_mode else self._store
        until = max([self.now, *filter(None, (self._lab.starts_at, self._lab.ends_at))])
        wanted = {self._get_key(seat): seat.lease for seat in self.seats}
        return remember_learners(store, self.records, wanted, until)

    def build_files(self, records: Records, links: Links) -> list[File]:
        """Return all files that the options ask for."""
        files: list[File] = []
        if self._options["pages_dir"]:
            files += self._build_pages(records, links)
        if self._options["urls_csv"]:
            files.append(self._build_csv("urls_csv", URL_COLUMNS, self._get_url_rows(links)))
        if self._options["links_csv"]:
            files.append(self._build_csv("links_csv", LINK_COLUMNS, self._get_link_rows(records)))
        if self._options["overview_html"]:
            overview = build_overview_page(self._lab, self._get_overview_rows(links), ended=self._has_ended)
            files.append(self._build_file("overview_html", overview))
        return files

    def get_pages(self, records: Records) -> list[dict[str, str | None]]:
        """Return each learner with the address of the page; None for one without a record."""
        found = [(seat.learner_id, records.get(self._get_key(seat))) for seat in self.seats]
        return [dict(id=who, page=self._get_address(record) if record else None) for who, record in found]

    def purge(self) -> int:
        """Remove the records of all learners of the lab; return how many.

        Raises:
            LeaseStoreError: the store failed.
        """
        return self._store.records(LEARNERS).purge(self.records.values())

    def _get_key(self, seat: Seat) -> LearnerKey:
        return LearnerKey.build(self._options["lab"], seat.learner_id, seat.generation)

    def _with_record(self, seat: Seat) -> Seat:
        """Return the seat in the latest generation, and with the lease that its page shows if it was given without one.

        A page that was replaced because its address leaked is never used again.
        """
        latest = self._latest.get(seat.person)
        seat = replace(seat, generation=max(seat.generation, latest.generation if latest else 0))
        record = self.records.get(self._get_key(seat))
        lease = seat.lease or (record.lease if record else None)
        return replace(seat, lease=lease, holder=lease.holder if lease else seat.holder)

    def _get_url_rows(self, links: Links) -> Iterable[Mapping[str, Any]]:
        for seat in self.seats:
            link = _get_link(seat, links)
            yield {
                **_get_learner_cells(seat),
                "holder": escape_formula(seat.holder),
                "expires": to_iso8601(link.expires) if link else "",
                "streaming_url": link.url if link else "",
            }

    def _get_link_rows(self, records: Records) -> Iterable[Mapping[str, Any]]:
        for seat in self.seats:
            yield {**_get_learner_cells(seat), "page": self._get_address(records[self._get_key(seat)])}

    def _get_address(self, record: LearnerRecord) -> str:
        base_url = self._options["base_url"]
        return f"{base_url.rstrip('/')}/{_get_file_name(record)}" if base_url else _get_file_name(record)

    def _build_pages(self, records: Records, links: Links) -> list[File]:
        files = []
        seats = {seat.person: seat for seat in self.seats}
        withdrawn = set() if self._has_ended else self._find_withdrawn(seats)
        for key, record in {**self.records, **records}.items():
            seat = seats.get(key.learner_id)
            lab = self._translate(seat) if seat else self._lab
            if self._has_ended or key in withdrawn:
                text = build_final_page(lab, "ended")
            elif seat and seat.generation == key.generation:
                text = build_learner_page(lab, str(seat.name or seat.learner_id), _get_link(seat, links))
            elif seat:
                text = build_final_page(lab, "moved")
            else:
                continue
            files.append(self._build_page(record, text))
        return files

    def _find_withdrawn(self, seats: Collection[str]) -> set[LearnerKey]:
        """Return the keys of the learners without a seat for whom the lab was ended before its end.

        Raises:
            LeaseStoreError: The store failed.
        """
        leases = {key: record.lease for key, record in self.records.items() if key.learner_id not in seats}
        scopes = {lease.scope for lease in leases.values() if lease}
        labs = [record for scope in scopes for record in Labs(self._store, scope).get_records(self._options["lab"])]
        ended = {record.lease for record in labs if record.ended_at}
        return {key for key, lease in leases.items() if lease in ended}

    def _translate(self, seat: Seat) -> LabDetails:
        """Return the details of the lab in the learner's language, as far as that is known."""
        language = self._languages.find(seat.language) if seat.language else None
        return replace(self._lab, language=language) if language else self._lab

    def _build_page(self, record: LearnerRecord, text: str) -> File:
        folder = os.path.abspath(self._options["pages_dir"])
        path, above = os.path.join(folder, _get_file_name(record)), os.path.dirname(folder)
        return File(path, text.encode(), f"A page in {folder}", folder=above)

    def _build_csv(self, option: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> File:
        return self._build_file(option, None if self._has_ended else to_csv(columns, rows), to_csv(columns, ()))

    def _build_file(self, option: str, text: str | None, head: str = "") -> File:
        path = os.path.abspath(self._options[option])
        content = None if text is None else text.encode(errors="replace")
        return File(path, content, f"The handout {path}", head.encode())

    def _get_overview_rows(self, links: Links) -> list[OverviewRow]:
        seated = {seat.person for seat in self.seats}
        others = [Seat(learner_id, None, None, "", None, 0) for learner_id in self._latest if learner_id not in seated]
        return [self._get_overview_row(seat, links) for seat in (*self.seats, *map(self._with_record, others))]

    def _get_overview_row(self, seat: Seat, links: Links) -> OverviewRow:
        row = OverviewRow(seat.learner_id, str(seat.name or ""), seat.holder, "none")
        lease = self.leases.get(seat.lease) if seat.lease else None
        if lease is None or lease.is_pending:
            return row
        link = links.get(lease.key)
        has_expired = link is None and lease.expires <= self.now
        if lease.key in links and link is None and not has_expired:
            return row
        status = "released" if lease.released_at else "expired" if has_expired else "valid"
        return replace(row, status=status, expires=link.expires if link else lease.expires, issued=lease.issued)


def _get_link(seat: Seat, links: Links) -> StreamingLink | None:
    return links.get(seat.lease) if seat.lease else None


def _get_learner_cells(seat: Seat) -> dict[str, Any]:
    cells = {"id": seat.learner_id, "name": seat.name, "email": seat.email}
    return {column: escape_formula(value) for column, value in cells.items()}


def _get_file_name(record: LearnerRecord) -> str:
    return f"{record.page_token}.html"
