# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The learners of a lab as the lease store remembers them: each with generation, page, and the lease that it shows.

A page's name is a random token, since whoever knows it can open the learner's URL; runs at the same time agree on it
by compare-and-set. The record also has the lease that the page shows, so that a later run with another roster, or with
none, can report on everybody. If a link has leaked, the learner gets the next generation, which is another page and
another user id; so the records are also where each learner's generation is stored. Pure: knows neither AWS nor Ansible.
"""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from .._errors import InvalidOption, quote
from .._leases.lease import RETENTION, LeaseKey
from .._leases.stores.base import LeaseStore, Write
from .._leases.stores.records import RecordType, Values, find_text, get_datetime, get_text, to_seconds
from .person import normalise, to_person

# A record is kept this long after the lab or the last run, whichever is later, and then for the retention of leases.
LIFETIME = timedelta(days=120)
# It is renewed when less of that remains, and not at every run.
RENEWED_BELOW = timedelta(days=60)

# More than anybody needs, and few enough to build a user id for each.
MAX_GENERATION = 1000
# What fits a sort key of DynamoDB whatever the characters.
MAX_ID_LENGTH = 200

# The secret name of a page.
PAGE_TOKEN = re.compile(r"[0-9a-f]{32}", re.ASCII)


class LearnerKey(NamedTuple):
    """A learner of a lab in one generation. Each generation has another page.

    ``learner_id`` is folded, so that a learner has one key in whichever case rosters write the id.
    """

    lab: str
    learner_id: str
    generation: int = 0

    @classmethod
    def build(cls, lab: str, learner_id: str, generation: int = 0) -> LearnerKey:
        """Return the key of a learner whose id is valid."""
        return cls(lab, normalise(learner_id), generation)


@dataclass(frozen=True)
class LearnerRecord:
    """What is stored of a learner.

    Attributes:
        key: The lab, the learner and the generation.
        page_token: The secret name of the page.
        lease: The key of the lease that the page shows; None if none yet.
        expires: When the record expires.
        record_id: What distinguishes it from the records of the same key before and after it.
    """

    key: LearnerKey
    page_token: str = field(repr=False)
    lease: LeaseKey | None
    expires: datetime
    record_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        """Reject a token that is not one: it becomes the name of a file.

        Raises:
            ValueError: It is not a token.
        """
        if not PAGE_TOKEN.fullmatch(self.page_token):
            raise ValueError("page_token")

    def visible_at(self, now: datetime) -> LearnerRecord | None:
        """Return the record, or None once its retention has passed."""
        return self if self.expires > now - RETENTION else None


def _encode(record: LearnerRecord) -> Values:
    return {
        "record_id": record.record_id,
        "page_token": record.page_token,
        "lease": record.lease and record.lease.to_text(),
        "expires": to_seconds(record.expires),
    }


def _decode(key: LearnerKey, values: Mapping[str, Any]) -> LearnerRecord:
    lease = find_text(values, "lease")
    try:
        return LearnerRecord(
            key=LearnerKey(key.lab, key.learner_id, int(key.generation)),
            page_token=get_text(values, "page_token"),
            lease=None if lease is None else LeaseKey.parse(lease),
            expires=get_datetime(values, "expires"),
            record_id=get_text(values, "record_id"),
        )
    except InvalidOption as e:
        raise ValueError("lease") from e


LEARNERS = RecordType("learner", LearnerKey, "record_id", _encode, _decode, scope_prefix="lab|")


def is_learner_id(text: str) -> bool:
    """Return whether the text can identify a learner."""
    person = to_person(text)
    return person is not None and max(len(text), len(person)) <= MAX_ID_LENGTH


def validate_learner_id(learner_id: str) -> None:
    """Reject what does not identify a learner.

    Raises:
        InvalidOption: Names the value.
    """
    if not is_learner_id(learner_id):
        raise InvalidOption(
            f"The id of a learner is {quote(learner_id)}, but it must have 1 to {MAX_ID_LENGTH} Unicode characters, "
            "none of them a control character."
        )


def validate_generation(learner_id: str, generation: Any) -> None:
    """Reject what is not a generation of this learner.

    Raises:
        InvalidOption: Names the value.
    """
    is_number = isinstance(generation, int) and not isinstance(generation, bool)
    if not is_number or not 0 <= generation <= MAX_GENERATION:
        raise InvalidOption(
            f"The generation of learner {quote(learner_id)} is {quote(generation)}, but it must be a whole number from "
            f"0 to {MAX_GENERATION}."
        )


def find_learners(store: LeaseStore, lab: str) -> dict[LearnerKey, LearnerRecord]:
    """Return all records of the lab's learners.

    Raises:
        LeaseStoreError: The store failed, or has a record that is not ours.
    """
    return store.records(LEARNERS).find(lab)


def get_latest_keys(keys: Iterable[LearnerKey]) -> dict[str, LearnerKey]:
    """Return each learner's key of the latest generation, by the learner's folded id, in the order of these."""
    return {key.learner_id: key for key in sorted(keys)}


def remember_learners(
    store: LeaseStore,
    existing: Mapping[LearnerKey, LearnerRecord],
    wanted: Mapping[LearnerKey, LeaseKey | None],
    until: datetime,
) -> dict[LearnerKey, LearnerRecord]:
    """Give every learner a page, and remember the lease that it shows.

    Args:
        store: The lease store.
        existing: The records by ``find_learners``.
        wanted: The learners, each with the lease that the page shows; None leaves what is stored as it is.
        until: The end of the lab, or now if that is later.

    Returns:
        The records of the wanted learners. If another run was faster, the page is the one of that run.

    Raises:
        LeaseStoreError: The store failed.
    """
    records = {key: existing[key] for key in wanted if key in existing}
    # No date can be later than the year 9999, which an end may name.
    until = min(until.replace(microsecond=0), datetime.max.replace(microsecond=0, tzinfo=timezone.utc) - LIFETIME)
    changes, expires = [], until + LIFETIME
    for key, lease in wanted.items():
        known = existing.get(key)
        if known is None:
            changes.append(Write(LearnerRecord(key, secrets.token_hex(16), lease, expires), None))
        elif lease not in (None, known.lease) or known.expires < until + RENEWED_BELOW:
            renewed = LearnerRecord(key, known.page_token, lease or known.lease, expires)
            changes.append(Write(renewed, known.record_id))
    for written in store.records(LEARNERS).write(changes) if changes else ():
        if isinstance(written, Exception):
            raise written
        if written is not None:
            records[written.key] = written
    return records


def rotate_learners(
    store: LeaseStore,
    lab: str,
    existing: Mapping[LearnerKey, LearnerRecord],
    learner_ids: Collection[str],
    until: datetime,
) -> dict[str, int]:
    """Give learners their next generation; a learner whom another run rotates at the same time gets that one.

    Whoever was rotated before keeps the generation: those records are renewed too.

    Args:
        store: The lease store.
        lab: The lab.
        existing: The records by ``find_learners``.
        learner_ids: The learners who get the next generation.
        until: As for ``remember_learners``.

    Returns:
        The generation of each learner who was ever rotated, which is 1 or higher, by the learner's folded id.

    Raises:
        LeaseStoreError: The store failed.
    """
    latest = get_latest_keys(existing)
    keys = {learner_id: key for learner_id, key in latest.items() if key.generation}
    for first in (LearnerKey.build(lab, learner_id) for learner_id in learner_ids):
        key = latest.get(first.learner_id, first)
        keys[key.learner_id] = key._replace(generation=key.generation + 1)
    remember_learners(store, existing, dict.fromkeys(keys.values()), until)
    return {learner_id: key.generation for learner_id, key in keys.items()}
