# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""Which labs a lease serves: a record for each learner of a lab and lease.

A lease knows no lab. A lab that begins to use one adds its own record, and a lab that ends changes only its own, so a
lease is released when no lab that is still ahead has a record of it. The record of a lab that has ended is kept for the
retention, so that an end that was interrupted can be repeated. Pure: knows neither AWS nor Ansible.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, NamedTuple

from .._errors import InvalidOption, LeaseStoreError, list_names
from .lease import RETENTION, LeaseKey, to_sha256
from .stores.base import LeaseStore, Replace, Write
from .stores.records import RecordType, Values, find_datetime, get_datetime, get_text, to_seconds

# How many learners may be withdrawn of a small lab.
MIN_WITHDRAWN = 3
# How many of them a message names.
MAX_NAMED = 10


class LabKey(NamedTuple):
    """The key of a lab's record of a lease."""

    scope: str
    lab: str
    lease_sha256: str


@dataclass(frozen=True)
class LabRecord:
    """What is stored of a lease of a lab's learner.

    Attributes:
        lab: The name of the lab.
        lease: The key of the lease.
        learner_id: The learner's id in the roster, or else the holder of the lease.
        ends_at: When the lab ends.
        starts_at: When it starts; None if it has, or if that is not known.
        ended_at: When the user ended the lab for this learner, or released the lease for all labs.
        record_id: What distinguishes it from the records of the same key before and after it.
    """

    lab: str
    lease: LeaseKey
    learner_id: str
    ends_at: datetime
    starts_at: datetime | None = None
    ended_at: datetime | None = None
    record_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def key(self) -> LabKey:
        """The key: a lab has one record of a lease."""
        return LabKey(self.lease.scope, self.lab, to_sha256(self.lease.to_text()))

    @property
    def times(self) -> tuple[int | None, int]:
        """When the lab starts and ends, as it is stored."""
        return to_seconds(self.starts_at) if self.starts_at else None, to_seconds(self.ends_at)

    @property
    def expires(self) -> datetime:
        """When the record expires: with the lab."""
        return self.ends_at

    def visible_at(self, now: datetime) -> LabRecord | None:
        """Return the record, or None once its retention has passed."""
        return self if self.ends_at > now - RETENTION else None

    def is_ahead(self, now: datetime) -> bool:
        """Return whether the lab still needs the lease at ``now``."""
        return self.ended_at is None and self.ends_at > now


def _encode(record: LabRecord) -> Values:
    return {
        "record_id": record.record_id,
        "lease": record.lease.to_text(),
        "learner_id": record.learner_id,
        "starts_at": record.starts_at and to_seconds(record.starts_at),
        "ended_at": record.ended_at and to_seconds(record.ended_at),
        "expires": to_seconds(record.ends_at),
    }


def _decode(key: LabKey, values: Mapping[str, Any]) -> LabRecord:
    text = get_text(values, "lease")
    try:
        lease = LeaseKey.parse(text)
    except InvalidOption as e:
        raise ValueError("lease") from e
    if key != LabKey(lease.scope, key.lab, to_sha256(text)):
        raise ValueError("key")
    return LabRecord(
        lab=key.lab,
        lease=lease,
        learner_id=get_text(values, "learner_id"),
        ends_at=get_datetime(values, "expires"),
        starts_at=find_datetime(values, "starts_at"),
        ended_at=find_datetime(values, "ended_at"),
        record_id=get_text(values, "record_id"),
    )


LAB_RECORDS = RecordType("lab_record", LabKey, "record_id", _encode, _decode, scope_prefix="labs|")


class Labs:
    """The records of all labs of a scope, or of all scopes, as they are in the store now.

    Args:
        store: The lease store.
        scope: The scope; None for all.
        include_old: Also records that are past their retention.

    Raises:
        LeaseStoreError: The store failed.
    """

    def __init__(self, store: LeaseStore, scope: str | None, *, include_old: bool = False) -> None:
        self._store = store.records(LAB_RECORDS)
        self.records: Sequence[LabRecord] = list(self._store.find(scope, include_old=include_old).values())

    @property
    def names(self) -> list[str]:
        """The names of the labs that are known, in order."""
        return sorted({record.lab for record in self.records})

    def get_records(self, lab: str) -> list[LabRecord]:
        """Return the records of a lab."""
        return [record for record in self.records if record.lab == lab]

    def others_ahead(self, lab: str | None, now: datetime) -> list[LabRecord]:
        """Return the records of the other labs that are still ahead at ``now``; of all if ``lab`` is None."""
        return [record for record in self.records if record.lab != lab and record.is_ahead(now)]

    def join(self, wanted: Iterable[LabRecord]) -> None:
        """Write records that are new or changed.

        Raises:
            LeaseStoreError: The store failed.
        """
        known = {record.key: record.record_id for record in self.records}
        changes = [Write(record, known.get(record.key)) for record in wanted]
        raise_first(self._store.write(changes) if changes else ())

    def leave(self, records: Iterable[LabRecord], now: datetime) -> list[LabRecord]:
        """End the labs of these records. A record that another run has changed meanwhile is left to that run.

        Returns:
            The records as they then are, also if another run has ended the lab, but not those that were left to it.

        Raises:
            LeaseStoreError: The store failed.
        """
        changes = [
            Replace(replace(record, ended_at=now, record_id=uuid.uuid4().hex), record.record_id) for record in records
        ]
        written = self._store.write(changes) if changes else []
        raise_first(written)
        return [record for record in written if isinstance(record, LabRecord) and record.ended_at is not None]

    def purge(self, records: Collection[LabRecord]) -> None:
        """Remove these records, unless another run has replaced them meanwhile.

        Raises:
            LeaseStoreError: The store failed.
        """
        if records:
            self._store.purge(records)


def group_labs(labs: Iterable[tuple[Any, str]]) -> Mapping[Any, set[str]]:
    """Return the labs of each lease or holder; no labs for any other."""
    grouped: dict[Any, set[str]] = defaultdict(set)
    for key, lab in labs:
        grouped[key].add(lab)
    return grouped


def describe_excess(removed: Collection[str], learners: int, limit: int | None, option: str) -> str | None:
    """Return why these learners must not be withdrawn, as they are too many of the lab's; None if they may be.

    Args:
        removed: The ids of the learners who were removed.
        learners: How many learners the lab has with them.
        limit: How many may be withdrawn; by default a tenth of the lab, but at least three.
        option: The name of the option that has the limit, for the message.
    """
    most = max(MIN_WITHDRAWN, learners // 10) if limit is None else limit
    names = list_names(sorted(removed), MAX_NAMED)
    if len(removed) >= learners:
        return f"All {learners} learners would be withdrawn: {names}. Check the list of learners, or end the lab."
    if len(removed) > most:
        return (
            f"{len(removed)} of {learners} learners would be withdrawn, more than {option} ({most}) allows: {names}. "
            f"Check the list of learners, or raise {option}."
        )
    return None


def find_other_labs(
    store: LeaseStore, lab: str, scope: str, is_shared: Callable[[str], bool], now: datetime
) -> list[tuple[str, datetime | None, datetime]]:
    """Return the other labs that are ahead in any of the scopes that share something with a lab's, the next one first.

    A lab of the same name in another of these scopes is one of them: it does not end with this one.

    Args:
        store: The lease store.
        lab: The lab.
        scope: Its scope.
        is_shared: Says of a scope whether it is one of them.
        now: The current time.

    Returns:
        For each its name, when it starts, None if it has, and when it ends.

    Raises:
        LeaseStoreError: The store failed.
    """
    labs: dict[str, tuple[datetime, datetime]] = {}
    for record in Labs(store, None).others_ahead(None, now):
        if (record.lab, record.lease.scope) != (lab, scope) and is_shared(record.lease.scope):
            starts_at, ends_at = labs.get(record.lab, (datetime.max.replace(tzinfo=timezone.utc), record.ends_at))
            labs[record.lab] = min(starts_at, record.starts_at or now), max(ends_at, record.ends_at)
    found = [(name, starts_at if starts_at > now else None, ends_at) for name, (starts_at, ends_at) in labs.items()]
    return sorted(found, key=lambda each: (each[1] or now, each[0]))


def raise_first(written: Collection[Any]) -> None:
    """Raise the first error among what a store has returned for changes, if there is one.

    Raises:
        LeaseStoreError: The store failed; says how many changes were made.
    """
    errors = [each for each in written if isinstance(each, Exception)]
    if not errors:
        return
    if isinstance(errors[0], LeaseStoreError):
        raise LeaseStoreError(str(errors[0]), len(written) - len(errors)) from errors[0]
    raise errors[0]
