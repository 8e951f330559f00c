# Copyright: Contributors to the labstream.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: do not import it from elsewhere, it can change in any release.

"""The capacity that labs have raised at a location, and what it was before, so that it can be restored.

A location has one record, whichever labs use it, so that every change is one compare-and-set. It has the labs that
raised the capacity, and when these end before others, one of those: whoever ends last restores it. The record is
written before the capacity is changed, so that a run that is killed in between leaves nothing that nobody restores.
Pure: knows neither AWS nor Ansible.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from .._leases.lab_records import LabRecord, Labs
from .._leases.lease import RETENTION
from .._leases.stores.base import LeaseStore, Replace, Write
from .._leases.stores.records import RecordType, Values, get_datetime, get_text, to_seconds

# As long as a stream group lasts.
LIFETIME = timedelta(days=365)
# How long a lab that has raised the capacity may take until its URLs are issued, which makes it known as under way.
START_TIME = timedelta(hours=1)


class CapacitySettings(NamedTuple):
    """The capacity that a location is set to, in sessions."""

    always_on: int
    maximum: int


class CapacityKey(NamedTuple):
    """The key of the record of a location.

    ``scope`` is the one of the leases. ``pool`` is empty: a location has one.
    """

    scope: str
    location: str
    pool: str = ""


@dataclass(frozen=True)
class CapacityRecord:
    """What is stored of a location whose capacity was raised.

    Attributes:
        key: The location.
        labs: The labs that raised it, or that restore it for others; one at least.
        before: The capacity before any of them raised it.
        previous: The capacity before the latest change, which may not have been made; ``after`` once it was.
        after: The capacity after it.
        raised_by: The lab that planned the latest change.
        raised_at: When it did.
        expires: When the record expires.
        record_id: What distinguishes it from the records of the same key before and after it.
    """

    key: CapacityKey
    labs: frozenset[str]
    before: CapacitySettings
    previous: CapacitySettings
    after: CapacitySettings
    raised_by: str
    raised_at: datetime
    expires: datetime
    record_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def visible_at(self, now: datetime) -> CapacityRecord | None:
        """Return the record, or None once its retention has passed."""
        return self if self.expires > now - RETENTION else None

    def explains(self, current: CapacitySettings) -> bool:
        """Return whether the capacity is what labs set it to, so that nobody else has changed it since."""
        return current in (self.previous, self.after)


_CAPACITIES = ("before", "previous", "after")


def _encode(record: CapacityRecord) -> Values:
    numbers = {
        f"{name}_{setting}": number
        for name in _CAPACITIES
        for setting, number in getattr(record, name)._asdict().items()
    }
    labs = json.dumps(sorted(record.labs), ensure_ascii=False)
    return {
        "record_id": record.record_id,
        "labs": labs,
        **numbers,
        "raised_by": record.raised_by,
        "raised_at": to_seconds(record.raised_at),
        "expires": to_seconds(record.expires),
    }


def _decode(key: CapacityKey, values: Mapping[str, Any]) -> CapacityRecord:
    before, previous, after = (
        CapacitySettings(*(int(values[f"{name}_{setting}"]) for setting in CapacitySettings._fields))
        for name in _CAPACITIES
    )
    labs = json.loads(get_text(values, "labs"))
    if not isinstance(labs, list) or not labs or not all(isinstance(lab, str) for lab in labs):
        raise ValueError("labs")
    return CapacityRecord(
        key=key,
        labs=frozenset(labs),
        before=before,
        previous=previous,
        after=after,
        raised_by=get_text(values, "raised_by"),
        raised_at=get_datetime(values, "raised_at"),
        expires=get_datetime(values, "expires"),
        record_id=get_text(values, "record_id"),
    )


CAPACITIES = RecordType("capacity", CapacityKey, "record_id", _encode, _decode, scope_prefix="capacity|")


class Restoration(NamedTuple):
    """What becomes of the capacity of a location when a lab ends.

    Attributes:
        settings: What it was before the lab, and is to be set to; None if it is left as it is.
        needed_by: The lab under way that restores it instead; None if there is none.
        is_changed: Whether it is left as it is because somebody has changed it since.
    """

    settings: CapacitySettings | None = None
    needed_by: str | None = None
    is_changed: bool = False


@dataclass(frozen=True)
class LabCapacity:
    """The capacity that a lab has raised, over an open lease store.

    Attributes:
        store: The lease store.
        lab: The lab.
        now: Returns the current time.
        check_mode: Whether to store nothing.
    """

    store: LeaseStore
    lab: str
    now: Callable[[], datetime]
    check_mode: bool = False

    def at(self, scope: str, location: str) -> RaisedCapacity:
        """Return what labs have raised at a location.

        Raises:
            LeaseStoreError: The store failed.
        """
        return RaisedCapacity(self, CapacityKey(scope, location))

    def find_locations(self, scope: str) -> list[str]:
        """Return the locations whose capacity the lab restores when it ends.

        Raises:
            LeaseStoreError: The store failed.
        """
        found = self.store.records(CAPACITIES).find(scope)
        return sorted(key.location for key, record in found.items() if self.lab in record.labs)


class RaisedCapacity:
    """What labs have raised at a location, as one of them sees it.

    Attributes:
        record: What is stored of the location; None if there is nothing.

    Args:
        lab: The lab.
        key: The location.

    Raises:
        LeaseStoreError: The store failed.
    """

    def __init__(self, lab: LabCapacity, key: CapacityKey) -> None:
        self._store, self._key, self._lab, self._now = lab.store, key, lab.lab, lab.now()
        self._check_mode = lab.check_mode
        self._records = lab.store.records(CAPACITIES)
        self.record = self._records.read([key]).get(key)

    def plan(self, current: CapacitySettings, wanted: CapacitySettings) -> bool:
        """Record that the lab is about to raise the capacity; return whether no other run was faster.

        Raises:
            LeaseStoreError: The store failed.
        """
        known = self.record
        counts = known is not None and known.explains(current)
        planned = CapacityRecord(
            key=self._key,
            labs=(known.labs if known and counts else frozenset()) | {self._lab},
            before=known.before if known and counts else current,
            previous=current,
            after=wanted,
            raised_by=self._lab,
            raised_at=self._now.replace(microsecond=0),
            expires=self._now.replace(microsecond=0) + LIFETIME,
        )
        return self._write(Write(planned, known.record_id if known else None))

    def confirm(self) -> None:
        """Record that the capacity was set as planned.

        Raises:
            LeaseStoreError: The store failed.
        """
        if self.record:
            self._replace(self.record, previous=self.record.after)

    def join(self, current: CapacitySettings) -> None:
        """Restore, when this lab ends, what labs have raised that are over and were never ended.

        Raises:
            LeaseStoreError: The store failed.
        """
        known = self.record
        if known and self._lab not in known.labs and known.explains(current):
            ahead = {record.lab for record in self._find_others()}
            if not known.labs & ahead:
                self._replace(known, labs=known.labs | {self._lab})

    def leave(self, current: CapacitySettings) -> Restoration:
        """Return what becomes of the capacity now that the lab has ended.

        A lab under way that needs the capacity then has the record.

        Raises:
            LeaseStoreError: The store failed.
        """
        known = self.record
        if known is None or self._lab not in known.labs:
            return Restoration()
        if not known.explains(current):
            return Restoration(is_changed=current != known.before)
        heir = self._find_heir(known)
        if heir is not None:
            self._replace(known, labs=known.labs - {self._lab} | {heir})
            return Restoration(needed_by=heir)
        return Restoration(known.before if current != known.before else None)

    def forget(self) -> None:
        """Remove the record of the lab: its capacity was restored, or changed by somebody else.

        Raises:
            LeaseStoreError: The store failed.
        """
        known = self.record
        if known is None or self._lab not in known.labs or self._check_mode:
            return
        # What another lab has stored meanwhile stays.
        self._records.purge([known])

    def _find_heir(self, known: CapacityRecord) -> str | None:
        """Return the lab that needs the capacity and ends last, or one that is just starting; None if there is none."""
        under_way = [record for record in self._find_others() if (record.starts_at or self._now) <= self._now]
        if under_way:
            return max(under_way, key=lambda record: (record.ends_at, record.lab)).lab
        is_starting = known.raised_by in known.labs - {self._lab} and self._now < known.raised_at + START_TIME
        return known.raised_by if is_starting else None

    def _find_others(self) -> list[LabRecord]:
        return Labs(self._store, self._key.scope).others_ahead(self._lab, self._now)

    def _replace(self, known: CapacityRecord, **changes: Any) -> None:
        self._write(Replace(replace(known, record_id=uuid.uuid4().hex, **changes), known.record_id))

    def _write(self, change: Write[CapacityRecord] | Replace[CapacityRecord]) -> bool:
        [written] = [change.record] if self._check_mode else self._records.write([change])
        if isinstance(written, Exception):
            raise written
        self.record = written
        return written == change.record
