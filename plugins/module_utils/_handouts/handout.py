# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hand-outs of a class: from its seats, and what the lease store knows of them, to the files that are to be.

Pure: knows neither AWS nor Ansible, and writes no file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as replaced
from datetime import datetime
from typing import Any

from .._errors import InvalidOption, quote
from .._labs.learners import (
    LearnerKey,
    LearnerRecord,
    find_learners,
    get_latest_keys,
    purge_learners,
    remember_learners,
    validate_generation,
    validate_learner_id,
)
from .._leases.lease import Lease, LeaseKey, build_purpose, is_key_part
from .._leases.stores.base import LeaseStore, NoLeaseStore
from .._time import to_iso8601
from . import pages as handout_pages
from .files import File, HandoutError
from .pages import LabClass, LearnersLink, OverviewRow, csv_text, defused, is_web_address

COLUMNS = ("learner", "name", "email", "seat", "expires", "streaming_url")
LINK_COLUMNS = ("learner", "name", "email", "page")


@dataclass(frozen=True)
class Seat:
    """A seat as it was given; ``key`` is None if it does not say where its lease is.

    ``reached`` is the generation that its learner has reached before, which no seat takes back: a page that was
    replaced, since the wrong person has its address, never comes to life again.
    """

    told: Mapping[str, Any]
    key: LeaseKey | None
    reached: int = 0
    lab: str = ""

    @property
    def name(self) -> str:
        """How messages name it."""
        return str(self.told.get("seat") or self.told.get("learner"))

    @property
    def place(self) -> LearnerKey:
        """Whose page it is.

        Raises:
            InvalidOption: the learner or the generation is none.
        """
        given = self.told.get("learner")
        learner = str(self.told.get("seat") or "") if given in (None, "") else str(given)
        validate_learner_id(learner)
        generation = self.told.get("generation") or 0
        validate_generation(learner, generation)
        return LearnerKey(self.lab, learner, max(generation, self.reached))


def parse_seat(told: Mapping[str, Any], *, may_lack_key: bool) -> Seat:
    """The seat.

    Raises:
        InvalidOption: the seat does not say where its lease is found.
    """
    lacks_key = not told.get("scope") or not told.get("seat")
    return Seat(told, None if may_lack_key and lacks_key else build_key(told))


def build_key(seat: Mapping[str, Any]) -> LeaseKey:
    """Where the seat's lease is found.

    Raises:
        InvalidOption: the seat does not say.
    """
    for name in ("scope", "seat"):
        value = seat.get(name)
        if not is_key_part("holder" if name == "seat" else name, value):
            lack = f"has the {name} {quote(value)}, which is none" if value else f"has no {name}"
            raise InvalidOption(
                f"A seat {lack}: pass on the seats as a role of this collection publishes them, such as "
                "appstream_lab_seats."
            )
    return LeaseKey.build(
        seat["scope"], seat["seat"], build_purpose(seat.get("application_id"), seat.get("session_context"))
    )


class Handout:
    """The hand-outs of one task, over an open lease store.

    ``leases`` are those that the store has; a caller may add to them what only a service tells.

    Args:
        options: The options of the module streaming_handout.
        lab: What the pages tell of the class.
        store: The store.
        seats: The seats that were given.
        now: The time.

    Raises:
        InvalidOption: a seat is none.
        LeaseStoreError: the store failed.
    """

    def __init__(
        self, options: Mapping[str, Any], lab: LabClass, store: LeaseStore, seats: Sequence[Seat], now: datetime
    ) -> None:
        self._options, self._lab, self._store, self._now = options, lab, store, now
        self._ended = options["state"] == "absent"
        needs_pages = bool(options["pages"] or options["overview"])
        self.known = find_learners(store, options["lab"]) if needs_pages else {}
        self._latest = get_latest_keys(self.known)
        self.seats = [self._settled(seat) for seat in seats] if needs_pages else list(seats)
        keys = {seat.key for seat in self.seats if seat.key}
        shown = {page.lease for page in self.known.values() if page.lease} if options["overview"] else set()
        self.leases: Mapping[LeaseKey, Lease] = store.read(keys | shown)

    def missing(self) -> list[str]:
        """The seats that have no URL.

        Raises:
            HandoutError: what is remembered is no URL of the web.
        """
        return [seat.name for seat in self.seats if not self._link(seat)]

    def remember(self, *, check_mode: bool) -> dict[LearnerKey, LearnerRecord]:
        """The pages of the seats, which get their names now; in check mode, names that nobody will remember.

        Raises:
            LeaseStoreError: the store failed.
        """
        wanted = {seat.place: seat.key for seat in self.seats}
        self._store.check()
        store = NoLeaseStore() if check_mode else self._store
        dates = [when for when in (self._lab.starts, self._lab.ends) if when]
        until = max([self._now.replace(microsecond=0), *dates])
        return remember_learners(store, self.known, wanted, until)

    def files(self, pages: Mapping[LearnerKey, LearnerRecord]) -> list[File]:
        """All files that the options ask for."""
        files: list[File] = []
        if self._options["pages"]:
            files += self._ended_pages() if self._ended else self._pages(pages)
        for option, text in (("dest", self._csv), ("links", self._links)):
            if self._options[option]:
                content = None if self._ended else text(pages).encode(errors="replace")
                files.append(self._file(option, content))
        if self._options["overview"]:
            files.append(self._file("overview", self._overview().encode()))
        return files

    def addresses(self, pages: Mapping[LearnerKey, LearnerRecord]) -> list[dict[str, str | None]]:
        """Each learner with the address of the page; None for one who is not in ``pages``."""
        return [
            dict(learner=seat.place.learner_id, page=self._address(pages[seat.place]) if seat.place in pages else None)
            for seat in self.seats
        ]

    def purge(self) -> None:
        """Forget the names of all pages of the class.

        Raises:
            LeaseStoreError: the store failed.
        """
        purge_learners(self._store, self.known)

    def _settled(self, seat: Seat) -> Seat:
        """The seat with what is known of its page: one of the roster alone shows what its page showed before."""
        seat = replaced(seat, lab=str(self._options["lab"]))
        latest = self._latest.get(seat.place.learner_id)
        settled = replaced(seat, reached=latest.generation if latest else 0)
        page = self.known.get(settled.place)
        return replaced(settled, key=seat.key or (page.lease if page else None))

    def _lease(self, key: LeaseKey | None) -> Lease | None:
        return self.leases.get(key) if key else None

    def _link(self, seat: Seat) -> LearnersLink | None:
        """What the button of the learner's page opens, if anything does."""
        lease = self._lease(seat.key)
        if lease is None or lease.url is None or not lease.is_valid_at(self._now):
            return None
        if not is_web_address(lease.url):
            raise HandoutError(
                f"What the lease store has for seat {quote(lease.key.holder)} is no URL that starts with https or "
                "http: issue it anew with force=true."
            )
        return LearnersLink(lease.url, lease.expires)

    def _csv(self, _pages: Mapping[LearnerKey, LearnerRecord]) -> str:
        rows = []
        for seat in self.seats:
            told = {column: defused(seat.told.get(column)) for column in COLUMNS}
            link = self._link(seat)
            told.update(expires=to_iso8601(link.expires) if link else "", streaming_url=link.url if link else "")
            rows.append(told)
        return csv_text(COLUMNS, rows)

    def _links(self, pages: Mapping[LearnerKey, LearnerRecord]) -> str:
        rows = []
        for seat in self.seats:
            told = {column: defused(seat.told.get(column)) for column in LINK_COLUMNS}
            told.update(learner=defused(seat.place.learner_id), page=self._address(pages[seat.place]))
            rows.append(told)
        return csv_text(LINK_COLUMNS, rows)

    def _address(self, page: LearnerRecord) -> str:
        """What is mailed of the page."""
        base_url = self._options["base_url"]
        return f"{base_url.rstrip('/')}/{_file_name(page)}" if base_url else _file_name(page)

    def _pages(self, pages: Mapping[LearnerKey, LearnerRecord]) -> list[File]:
        files = []
        for seat in self.seats:
            name = str(seat.told.get("name") or seat.place.learner_id)
            text = handout_pages.learner_page(self._lab, name, self._link(seat))
            files.append(self._page(pages[seat.place], text))
        current = {seat.place.learner_id: seat.place for seat in self.seats}
        moved = handout_pages.moved_page(self._lab)
        files += [
            self._page(page, moved)
            for place, page in self.known.items()
            if place.learner_id in current and place != current[place.learner_id]
        ]
        return files

    def _ended_pages(self) -> list[File]:
        ended = handout_pages.ended_page(self._lab)
        return [self._page(page, ended) for page in self.known.values()]

    def _page(self, page: LearnerRecord, text: str) -> File:
        folder = os.path.abspath(self._options["pages"])
        return File(os.path.join(folder, _file_name(page)), text.encode(), f"A page in {folder}")

    def _file(self, option: str, content: bytes | None) -> File:
        path = os.path.abspath(self._options[option])
        return File(path, content, f"The hand-out {path}")

    def _overview(self) -> str:
        rows = [
            self._row(seat.place.learner_id, seat.told.get("name"), seat.told.get("seat"), seat.key)
            for seat in self.seats
        ]
        present = {seat.place.learner_id for seat in self.seats}
        rows += [
            self._row(learner, None, None, self.known[place].lease)
            for learner, place in self._latest.items()
            if learner not in present
        ]
        return handout_pages.overview_page(self._lab, rows, ended=self._ended)

    def _row(self, learner: str, name: Any, seat: Any, key: LeaseKey | None) -> OverviewRow:
        lease = self._lease(key)
        row = OverviewRow(learner, str(name or ""), key.holder if key else str(seat or ""), "none")
        if lease is None or lease.is_pending:
            return row
        state = "forgotten" if lease.released_at else "working" if lease.is_valid_at(self._now) else "expired"
        return replaced(row, state=state, expires=lease.expires, issued=lease.issued)


def _file_name(page: LearnerRecord) -> str:
    return f"{page.page_token}.html"
