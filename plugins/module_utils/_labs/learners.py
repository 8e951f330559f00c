# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which learner's page has which secret name, and whose lease it shows: remembered in the lease store.

A page's name is a random token, since whoever knows it gets to the learner's URL. Its record is an intent whose
``client_token`` is that token, in a scope of the class; runs at once agree on it as they agree on intents. Its
``stream_id`` says which lease the page shows, so that a later run with another roster, or with none, can tell of
everybody.

When a link came into wrong hands, the learner gets the next generation, which is another page and another user id. So
these records are also where each learner's generation is remembered. Pure: knows neither AWS nor Ansible.
"""

from __future__ import annotations

import dataclasses
import json
import re
import secrets
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from .._errors import InvalidOption, LeaseStoreError, quote
from .._leases.lease import Lease, LeaseKey
from .._leases.stores.base import LeaseStore, Write

# A record is kept so long after the class or the last run, whichever is later, and then for the retention of leases.
KEPT = timedelta(days=120)
# It is written anew when less is left of that, and not at every run.
RENEWED_BELOW = timedelta(days=60)

# More than anybody needs, and few enough to make a user id for each.
MAX_GENERATION = 1000

_SCOPE = "page|"
_TOKEN = re.compile(r"[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True)
class Place:
    """Whose page it is: a learner's, who gets another page with every ``generation``."""

    learner: str
    generation: int = 0


@dataclass(frozen=True)
class PageRecord:
    """What is remembered of a page: the token that it is named by, and the lease that it shows, None if none yet."""

    token: str = dataclasses.field(repr=False)
    shows: LeaseKey | None
    record: Lease = dataclasses.field(repr=False)


def validate_generation(learner: str, generation: Any) -> None:
    """Refuse what is no generation of this learner.

    Raises:
        InvalidOption: naming the value.
    """
    is_number = isinstance(generation, int) and not isinstance(generation, bool)
    if not is_number or not 0 <= generation <= MAX_GENERATION:
        raise InvalidOption(
            f"The generation of learner {quote(learner)} is {quote(generation)}, but it must be a whole number from 0 "
            f"to {MAX_GENERATION}."
        )


def scope_of(lab: str) -> str:
    """The scope of the records of a class."""
    return f"{_SCOPE}{lab}"


def is_page(key: LeaseKey) -> bool:
    """Whether the key is one of a page's record, and not of a lease."""
    return key.scope.startswith(_SCOPE)


def find_pages(store: LeaseStore, lab: str, *, now: datetime) -> dict[Place, PageRecord]:
    """All pages of the class that are remembered.

    Raises:
        LeaseStoreError: the store failed, or has a record that was not written here.
    """
    records = store.find(scope_of(lab), now=now).values()
    return {_place_of(record): _page_of(record) for record in records if record.forgotten is None}


def latest_places(known: Mapping[Place, PageRecord]) -> dict[str, Place]:
    """The latest place of each learner, in the order of their names."""
    by_generation = sorted(known, key=_by_generation)
    return {place.learner: place for place in by_generation}


def remember_pages(
    store: LeaseStore,
    lab: str,
    known: Mapping[Place, PageRecord],
    wanted: Mapping[Place, LeaseKey | None],
    *,
    now: datetime,
    until: datetime,
) -> dict[Place, PageRecord]:
    """Give every place a page, and remember which lease it shows.

    Args:
        store: The lease store.
        lab: The name of the class.
        known: What ``find_pages`` found.
        wanted: The places, each with the lease that its page shows; None leaves what is known as it is.
        now: The time.
        until: The end of the class, or now, if that is later.

    Returns:
        The pages of the wanted places. If another run was faster, the token is the one of that run.

    Raises:
        LeaseStoreError: the store failed.
    """
    pages = {place: known[place] for place in wanted if place in known}
    writes = []
    for place, shows in wanted.items():
        existing = known.get(place)
        if existing is None:
            writes.append(Write(_record(_key_of(lab, place), secrets.token_hex(16), shows, now, until, lab), None))
        elif (shows is not None and shows != existing.shows) or existing.record.expires < until + RENEWED_BELOW:
            record = _record(
                existing.record.key, existing.token, shows or existing.shows, existing.record.issued, until, lab
            )
            writes.append(Write(record, existing.record.lease_id))
    for written in store.write(writes, now=now) if writes else ():
        if isinstance(written, LeaseStoreError):
            raise written
        if written is not None:
            pages[_place_of(written)] = _page_of(written)
    return pages


def rotate(
    store: LeaseStore, lab: str, known: Mapping[Place, PageRecord], learners: Collection[str], *, now: datetime
) -> dict[str, int]:
    """Give learners their next generation; a learner whom another run gives one at the same time gets that one.

    Who was given one before keeps it: their records are renewed like those of pages. A learner whom one roster writes
    in capitals and another does not has one user id, and so counts as one.

    Args:
        store: The lease store.
        lab: The name of the class.
        known: What ``find_pages`` found.
        learners: Who gets the next generation.
        now: The time.

    Returns:
        The generation of each learner who was ever given one, which is 1 or higher.

    Raises:
        LeaseStoreError: the store failed.
    """
    places = {learner: place for learner, place in latest_places(known).items() if place.generation}
    for learner in learners:
        alike = (place.generation for place in known if place.learner.casefold() == learner.casefold())
        places[learner] = Place(learner, max(alike, default=0) + 1)
    remember_pages(store, lab, known, dict.fromkeys(places.values()), now=now, until=now.replace(microsecond=0))
    return {learner: place.generation for learner, place in places.items()}


def purge_pages(store: LeaseStore, known: Mapping[Place, PageRecord], *, now: datetime) -> None:
    """Remove the records of the pages."""
    store.forget([page.record.key for page in known.values()], now=now, purge=True)


def _by_generation(place: Place) -> tuple[str, int]:
    return place.learner, place.generation


def _record(key: LeaseKey, token: str, shows: LeaseKey | None, issued: datetime, until: datetime, lab: str) -> Lease:
    expires = until + KEPT
    validity = int((expires - issued).total_seconds())
    record = Lease.intent(key, token, issued=issued, expires=expires, validity=validity, lab=lab)
    return dataclasses.replace(record, lease_id=uuid.uuid4().hex, stream_id=json.dumps(shows) if shows else None)


def _key_of(lab: str, place: Place) -> LeaseKey:
    generation = json.dumps({"generation": place.generation}) if place.generation else ""
    return LeaseKey(scope_of(lab), place.learner, generation)


def _place_of(record: Lease) -> Place:
    try:
        generation = json.loads(record.key.purpose)["generation"] if record.key.purpose else 0
        return Place(record.key.seat, int(generation))
    except (LookupError, TypeError, ValueError) as e:
        raise _foreign(record) from e


def _page_of(record: Lease) -> PageRecord:
    # It becomes a file's name, so nothing else may be in it.
    if not _TOKEN.fullmatch(record.client_token or ""):
        raise _foreign(record)
    return PageRecord(str(record.client_token), _lease_key_of(record), record)


def _lease_key_of(record: Lease) -> LeaseKey | None:
    try:
        told: Any = json.loads(record.stream_id) if record.stream_id else None
        if told is None:
            return None
        scope, seat, purpose = told
    except (TypeError, ValueError) as e:
        raise _foreign(record) from e
    if not all(isinstance(part, str) for part in (scope, seat, purpose)):
        raise _foreign(record)
    return LeaseKey(scope, seat, purpose)


def _foreign(record: Lease) -> LeaseStoreError:
    return LeaseStoreError(
        f"The lease store has a record of the page of {quote(record.key.seat)} that is none of this collection's: "
        "remove it, or name another store."
    )
